"""Show a project's state in a terminal: a bar, a timeline, and what to do."""

from __future__ import annotations

from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from oauthkit.console import printable
from oauthkit.host.status.log import fix_for

if TYPE_CHECKING:
    from rich.console import Console

    from oauthkit.host.status.model import Status

BAR_COLUMNS = 24
TIMELINE_COLUMNS = 56  # three hours each
USUAL_LIFE_S = 8 * 3600  # of an access token, if no renewal is in the log
IN_FUTURE = "in the future: is the clock right?"
MINUTE_S, HOUR_S, DAY_S = 60, 3600, 24 * 3600
# The least share of a column with a live token, its glyph, its colour.
_GLYPHS = ((1.0, "▇", "green"), (0.5, "▅", "yellow"), (0.000001, "▃", "yellow"), (0.0, "▁", "red"))


def show(status: Status, console: Console) -> None:
    """Print the state on a console of rich, in colour if it supports that."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("Project", Text(printable(str(status.places.project))))
    table.add_row("Token", _token(status))
    table.add_row(".env", _dotenv(status))
    if status.places.bearer is not None:
        table.add_row("Bearer", _bearer(status))
    table.add_row("Next run", _next_run(status))
    table.add_row("Renewed", _moment(status.last_renewal_s, status.now_s, "not in the log"))
    table.add_row("Login", _login(status))
    table.add_row("Coverage", _coverage(status))
    if status.failing_since_s is not None:
        table.add_row("Failing", _failing(status, status.failing_since_s))
    for number, setting in enumerate(status.places.changed_settings):
        text = printable(f"{setting.name}={setting.value} ({setting.origin})")
        table.add_row("" if number else "Settings", Text(text))
    for number, warning in enumerate(status.warnings):
        table.add_row("" if number else "To do", Text(printable(warning), style="yellow"))
    console.print(table)


def _token(status: Status) -> Text:
    if status.login.problem:
        return Text(printable(status.login.problem), style="red")
    if status.left_s is None or status.login.expires_at_s is None:
        return Text("the credentials have no expiry", style="yellow")
    life_s = USUAL_LIFE_S
    if status.last_renewal_s is not None and status.last_renewal_s < status.login.expires_at_s:
        life_s = int(status.login.expires_at_s - status.last_renewal_s)
    filled = round(BAR_COLUMNS * min(1.0, max(0.0, status.left_s / life_s)))
    colour = "red" if status.left_s <= 0 else "green" if status.left_s > HOUR_S / 2 else "yellow"
    text = Text("━" * filled, style=colour)
    text.append("─" * (BAR_COLUMNS - filled), style="bright_black")
    if status.left_s <= 0:
        return text.append(f"  expired {span(-status.left_s)} ago", style=colour)
    until = clock(status.login.expires_at_s, status.now_s)
    return text.append(f"  {span(status.left_s)} left, until {until}", style=colour)


def _dotenv(status: Status) -> Text:
    if status.is_delivered:
        return Text("has the token", style="green")
    if status.dotenv.problem:
        return Text(printable(status.dotenv.problem), style="red")
    if not status.dotenv.tokens:
        return Text("has no CLAUDE_CODE_OAUTH_TOKEN", style="red")
    if status.is_manual_token:
        return Text("has a token that a person has put there", style="yellow")
    if status.login.problem:
        return Text("has a token, but it is unknown whether it is live", style="yellow")
    tokens = "another token" if len(status.dotenv.tokens) == 1 else "more than one token"
    return Text(f"has {tokens}", style="red")


def _bearer(status: Status) -> Text:
    if status.bearer_carries_token:
        return Text(f"has the token: {printable(str(status.places.bearer))}", style="green")
    problem = "" if status.bearer is None else status.bearer.problem
    return Text(printable(problem) or "does not have the token", style="red")


def _next_run(status: Status) -> Text:
    if status.is_by_cron:
        return Text("by a crontab line")
    if status.manager_problem:
        return Text("unknown: see below", style="yellow")
    if status.next_run_s is None and status.is_running:
        return Text("a run is in progress")
    if status.next_run_s is None and status.foreign_timer:
        text = printable(f"not scheduled: {status.foreign_timer}")
        return Text(text, style="red")
    if status.next_run_s is None or status.next_timer is None:
        return Text("not scheduled", style="red")
    at = clock(status.next_run_s, status.now_s)
    away_s = status.next_run_s - status.now_s
    when = f"in {span(away_s)}" if away_s > 0 else "now"
    return Text(f"{at}, {when} ({status.next_timer.unit})")


def _login(status: Status) -> Text:
    if status.login_left_s is None:
        return Text("unknown: this version of claude does not store its end", style="bright_black")
    if status.login_left_s <= 0:
        return Text(f"ended {span(-status.login_left_s)} ago", style="red")
    return Text(f"ends in {span(status.login_left_s)}")


def _coverage(status: Status) -> Text:
    share = status.coverage.share
    if share is None:
        unknown = "the log cannot be read" if status.log_problem else "nothing in the log yet"
        return Text(unknown, style="bright_black")
    known_s = status.coverage.until_s - status.coverage.from_s
    colour = "green" if share > 0.999 else "yellow" if share > 0.9 else "red"
    text = Text(
        f"{100 * share:.1f} % of the last {span(known_s)} with a live token\n", style=colour
    )
    columns = map(_column, status.coverage.timeline(TIMELINE_COLUMNS))
    for (glyph, style), alike in groupby(columns):
        text.append(glyph * len(list(alike)), style=style)
    return text.append("\n" + _days(status.now_s), style="bright_black")


def _column(part: float | None) -> tuple[str, str]:
    """Return the glyph and the colour for a share. None means unknown."""
    if part is None:
        return "·", "bright_black"
    return next((glyph, style) for least, glyph, style in _GLYPHS if part >= least)


def _days(now_s: float) -> str:
    """Return the line below the timeline: each weekday at its beginning."""
    width_s = 7 * DAY_S / TIMELINE_COLUMNS
    line = [" "] * (TIMELINE_COLUMNS + 3)
    for column in range(TIMELINE_COLUMNS):
        first = datetime.fromtimestamp(now_s - 7 * DAY_S + column * width_s).astimezone()
        second = datetime.fromtimestamp(now_s - 7 * DAY_S + (column + 1) * width_s).astimezone()
        if first.date() != second.date():
            line[column : column + 3] = second.strftime("%a")
    return "".join(line).rstrip()


def _failing(status: Status, since_s: float) -> Text:
    since, long_s = clock(since_s, status.now_s), status.now_s - since_s
    how_long = f"for {span(long_s)}" if long_s >= 0 else IN_FUTURE
    text = Text(f"since {since}, {how_long}", style="red")
    if status.error:
        text.append(f"\n{printable(status.error)}", style="red")
        # If the credentials cannot be read, a warning has the fix.
        if fix_for(status.error) and not status.login.fix:
            text.append(f"\n→ {fix_for(status.error)}", style="yellow")
    return text


def _moment(at_s: float | None, now_s: float, unknown: str) -> Text:
    if at_s is None:
        return Text(unknown, style="bright_black")
    at = clock(at_s, now_s)
    if at_s > now_s:
        return Text(f"{at}, {IN_FUTURE}", style="yellow")
    return Text(f"{at}, {span(now_s - at_s)} ago")


def clock(at_s: float, now_s: float) -> str:
    """Format a local time, with the date if it is not the day of `now_s`."""
    try:
        at = datetime.fromtimestamp(at_s).astimezone()
    except (OverflowError, OSError, ValueError):
        return "a time out of range"
    is_today = at.date() == datetime.fromtimestamp(now_s).astimezone().date()
    return at.strftime("%H:%M" if is_today else "%a %d %b %H:%M")


def span(length_s: float) -> str:
    """Format a duration in its two largest units: 5 h 12 min."""
    length = max(0, int(length_s))
    if length < MINUTE_S:
        return f"{length} s"
    if length < HOUR_S:
        return f"{length // MINUTE_S} min"
    if length < 2 * DAY_S:
        minutes = length % HOUR_S // MINUTE_S
        return f"{length // HOUR_S} h" + (f" {minutes} min" if minutes else "")
    hours = length % DAY_S // HOUR_S
    return f"{length // DAY_S} days" + (f" {hours} h" if hours and length < 7 * DAY_S else "")
