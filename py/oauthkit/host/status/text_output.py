"""Show a project's state in a terminal: a bar, a timeline, and what to do."""

from __future__ import annotations

import re
import textwrap
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING

from plumbum import colors

from oauthkit.console import printable
from oauthkit.host.shell_commands import command, see_doctor, wrap
from oauthkit.host.status.failures import fix_of
from oauthkit.host.status.warnings import warnings

if TYPE_CHECKING:
    from oauthkit.host.status.model import Status

# A text with its colour ("" for none), and a line of such texts.
Piece = tuple[str, str]
Line = list[Piece]

LABEL_COLUMNS = 10
# The minimum width of the values. In a narrower terminal, the terminal breaks the lines.
MIN_COLUMNS = 30
BAR_COLUMNS = 24
TIMELINE_COLUMNS = 56  # three hours each, or six in a narrow terminal
USUAL_LIFE_S = 8 * 3600  # of an access token, if no renewal is in the log
IN_FUTURE = "in the future: is the clock right?"
MINUTE_S, HOUR_S, DAY_S = 60, 3600, 24 * 3600
# The minimum share of a column with a live token, its glyph, its colour.
_GLYPHS = ((1.0, "▇", "green"), (0.5, "▅", "yellow"), (0.000001, "▃", "yellow"), (0.0, "▁", "red"))
GREY = "dark_gray"
NBSP = "\xa0"
# The command at the end of a warning or a fix.
_COMMAND = re.compile(
    r"(?:(?<=: )|→ )(?:CLAUDE_CONFIG_DIR=|"
    r"(?:\S*oauthkit|\S*python[0-9.]*|\S*claude|sudo|su|rmdir|mv|mkdir|chmod|chown|ls) ).*"
)


def show(status: Status, width: int, *, is_colour: bool) -> str:
    """Return the state as lines that are wrapped at spaces to fit into `width` columns."""
    columns = max(MIN_COLUMNS, width - LABEL_COLUMNS)
    rows: list[tuple[str, list[Line]]] = [
        ("Project", [[(str(status.paths.project), "")]]),
        ("Token", [_token(status, columns)]),
        (".env", [_dotenv(status)]),
        ("Bearer", [_bearer(status)] if status.paths.bearer is not None else []),
        ("Next run", [] if status.is_follower else [_next_run(status)]),
        ("Follows", [_follows(status)] if status.is_follower else []),
        ("Store", _store(status, columns)),
        ("Renewed", [] if status.is_follower else [
            _moment(status.last_renewal_s, status.now_s, "not in the log")
        ]),
        ("Login", [] if status.login.problem or status.is_follower else [_login(status)]),
        ("Coverage", _coverage(status, columns)),
        ("Failing", _failing(status, columns)),
        ("Settings", [
            [(f"{x.name}={x.value} ({x.origin})", "")] for x in status.paths.changed_settings
        ]),
        ("To do", [[(text, "yellow")] for text in _to_do(status)]),
    ]  # fmt: skip
    paint = _paint if is_colour else lambda text, _: text
    shown = []
    for label, lines in rows:
        wrapped = [part for line in lines for part in _wrap(line, columns)]
        for number, line in enumerate(wrapped):
            name = "" if number else label
            head = paint(name, "bold") + " " * (LABEL_COLUMNS - len(name))
            shown.append(head + "".join(paint(text, colour) for text, colour in line) + "\n")
    return "".join(shown)


def summary(status: Status) -> str:
    """Return a line with the project, how long its token lasts, and the first problem."""
    text = "no live token"
    if status.is_rejected:
        text = "the API rejects the token"
    elif status.is_delivered and status.left_s is not None and status.left_s > 0:
        text = ".env has a live token, but the bearer file does not"
    if status.login.problem and status.dotenv.tokens:
        text = "it is unknown whether the token in .env is live"
    if status.is_manual_token:
        text = "a token that the last run did not deliver"
    if status.is_live and status.left_s is not None:
        text = f"{span(status.left_s)} left"
        if status.next_run_s is not None:
            text += f", next run {clock(status.next_run_s, status.now_s)}"
    problems = warnings(status)
    if status.failing_since_s is not None and status.failure is not None:
        fix = fix_of(status.failure, status.paths)
        problems = [f"{status.failure.text} → {fix}" if fix else status.failure.text]
    more = f"; {problems[0]}" if problems else ""
    is_ok = status.is_live or status.is_manual_token
    sign = "FAIL" if not is_ok else "note" if problems or status.is_manual_token else " ok "
    return f"{sign}  {status.paths.project}: {text}{more}"


def _to_do(status: Status) -> list[str]:
    """Return the warnings. If several end with the command that shows the fix, show it once."""
    hint, problems = f". {see_doctor(status.paths)}", warnings(status)
    if sum(problem.endswith(hint) for problem in problems) < 2:
        return problems
    short = [problem.removesuffix(hint) for problem in problems]
    return [*short, hint.removeprefix(". ").replace("the fix", "the other fixes", 1)]


def _wrap(line: Line, columns: int) -> list[Line]:
    """Make a line printable, and wrap it at spaces to fit into `columns`."""
    line = [(printable(text), colour) for text, colour in line]
    if sum(len(text) for text, _ in line) <= columns:
        return [line]
    ((text, colour),) = line  # bar and timeline are drawn for this width
    # Do not break a path or a command: a user may copy it. A printable text has no other NBSP.
    text = _COMMAND.sub(lambda found: found[0].replace(" ", NBSP), text)
    parts = textwrap.wrap(text, columns, break_on_hyphens=False, break_long_words=False)
    return [[(part.replace(NBSP, " "), colour)] for part in parts]


def _paint(text: str, colour: str) -> str:
    """Return the text with the codes that show it in a colour of plumbum.colors."""
    if not colour or not text:
        return text
    colors.use_color = 1  # plumbum looks at stdout, which cli.main redirects
    painted: str = getattr(colors, colour) | text
    return painted


def _token(status: Status, columns: int) -> Line:
    if status.login.problem:
        return [(status.login.problem, "red")]
    if status.left_s is None or status.login.expires_at_s is None:
        return [("the credentials have no expiry", "yellow")]
    life_s = USUAL_LIFE_S
    if status.last_renewal_s is not None and status.last_renewal_s < status.login.expires_at_s:
        life_s = max(1, int(status.login.expires_at_s - status.last_renewal_s))
    colour = "red" if status.left_s <= 0 else "green" if status.left_s > HOUR_S / 2 else "yellow"
    if status.left_s <= 0:
        text = f"expired {span(-status.left_s)} ago"
    else:
        until = clock(status.login.expires_at_s, status.now_s)
        text = f"{span(status.left_s)} left, until {until}"
    length = min(BAR_COLUMNS, columns - len(text) - 2)
    if length < 1:
        return [(text, colour)]
    filled = round(length * min(1.0, max(0.0, status.left_s / life_s)))
    return [("━" * filled, colour), ("─" * (length - filled), GREY), (f"  {text}", colour)]


def _dotenv(status: Status) -> Line:
    if status.is_delivered:
        return [("has the token", "green")]
    if status.dotenv.problem:
        return [(status.dotenv.problem, "red")]
    if not any(status.dotenv.tokens):
        return [("has no CLAUDE_CODE_OAUTH_TOKEN", "red")]
    if status.is_manual_token:
        return [("has a token that the last run did not deliver. Its expiry is unknown", "yellow")]
    if status.login.problem:
        return [("has a token, but it is unknown whether it is live", "yellow")]
    if status.dotenv.repetition_problem:
        return [(status.dotenv.repetition_problem, "red")]
    return [("has another token", "red")]


def _bearer(status: Status) -> Line:
    if status.bearer_carries_token:
        return [(f"has the token: {status.paths.bearer}", "green")]
    problem = "" if status.bearer is None else status.bearer.problem
    return [(problem or "does not have the token", "red")]


def _next_run(status: Status) -> Line:
    if status.relies_on_cron:
        return [("by a crontab line", "")]
    if status.manager_problem:
        return [("unknown: see below", "yellow")]
    running = status.schedule.running
    run = f"a run is in progress: {status.lock_holder}" if running is None else running.run_text
    if status.next_run_s is None and status.is_running:
        return [(run, "")]
    if status.next_run_s is None and status.foreign_timer:
        return [(f"not scheduled: {status.foreign_timer}", "red")]
    if status.next_run_s is None or status.next_timer is None:
        return [("not scheduled", GREY if status.is_manual_token else "red")]
    at = clock(status.next_run_s, status.now_s)
    away_s = status.next_run_s - status.now_s
    when = f"in {span(away_s)}" if away_s > 0 else "now"
    more = f". {run[0].upper()}{run[1:]}" if status.is_running else ""
    return [(f"{at}, {when} ({status.next_timer.unit}){more}", "")]


def _follows(status: Status) -> Line:
    if status.relies_on_cron:
        return [("by a crontab line", "")]
    if status.is_followed:
        return [("something other than a unit read the store in the last 10 min", "")]
    if status.manager_problem:
        return [("unknown: see below", "yellow")]
    service = status.follower
    if service is None:
        return [("no service follows the store", "red")]
    is_running = service.is_active and not service.is_restarting
    return [
        (
            f"{service.unit} {'is running' if is_running else 'is not running'}",
            "" if is_running else "red",
        )
    ]


def _store(status: Status, columns: int) -> list[Line]:
    """Return the store, when this host has published there, and a line for each record."""
    store = status.store
    if store is None:
        return []
    if store.problem:
        return [[(part, "red")] for part in wrap(store.problem, columns)]
    lines: list[Line] = [[(store.url, "")]]
    if not status.is_follower:
        at_s = store.own.issued_at_s if store.own else None
        ((text, colour),) = _moment(at_s, status.now_s, "nothing yet")
        lines.append([(f"published as {store.host}: {text}", colour)])
    for record in store.records:
        left_s = record.expires_at_s - status.now_s
        text = f"{span(left_s)} left" if left_s > 0 else f"expired {span(-left_s)} ago"
        if record.is_from_future(status.now_s):
            text = f"issued at {clock(record.issued_at_s, status.now_s)}, {IN_FUTURE}"
        colour = "" if record.is_usable(status.now_s) else "yellow"
        text += ", encrypted" * record.is_encrypted + ", in .env" * record.is_in(status.dotenv)
        lines.append([(f"{record.host}: {text}", colour)])
    lines += [[(part, "yellow")] for error in store.errors for part in wrap(error, columns)]
    return lines if store.records else [*lines, [("no records", "yellow")]]


def _login(status: Status) -> Line:
    if status.login_left_s is None:
        return [("unknown: this version of claude does not store when it ends", GREY)]
    if status.login_left_s <= 0:
        return [(f"ended {span(-status.login_left_s)} ago", "red")]
    return [(f"ends in {span(status.login_left_s)}", "")]


def _coverage(status: Status, columns: int) -> list[Line]:
    share = status.coverage.share
    if share is None:
        unknown = "the log cannot be read" if status.log_problem else "nothing in the log yet"
        return [[(unknown, GREY)]]
    known_s = status.coverage.until_s - status.coverage.from_s
    if known_s < HOUR_S:
        started = clock(status.coverage.from_s, status.now_s)
        return [[(f"shown after an hour: the log starts at {started}", GREY)]]
    colour = "green" if share > 0.999 else "yellow" if share > 0.9 else "red"
    text = f"{100 * share:.1f} % of the last {span(known_s)} with a live token"
    length = TIMELINE_COLUMNS if columns >= TIMELINE_COLUMNS else TIMELINE_COLUMNS // 2
    shares = map(_column, status.coverage.timeline(length))
    timeline = [(glyph * len(list(alike)), colour) for (glyph, colour), alike in groupby(shares)]
    return [[(text, colour)], timeline, [(_days(status.now_s, length), GREY)]]


def _column(part: float | None) -> tuple[str, str]:
    """Return the glyph and the colour for a share. None means unknown."""
    if part is None:
        return "·", GREY
    return next((glyph, colour) for least, glyph, colour in _GLYPHS if part >= least)


def _days(now_s: float, columns: int) -> str:
    """Return the line below the timeline: each weekday at its beginning."""
    width_s = 7 * DAY_S / columns
    line = [" "] * (columns + 3)
    for column in range(columns):
        first = datetime.fromtimestamp(now_s - 7 * DAY_S + column * width_s).astimezone()
        second = datetime.fromtimestamp(now_s - 7 * DAY_S + (column + 1) * width_s).astimezone()
        if first.date() != second.date() and column + 3 <= columns:
            line[column : column + 3] = second.strftime("%a")
    return "".join(line).rstrip()


def _failing(status: Status, columns: int) -> list[Line]:
    """Return when runs began to fail, the error, the failed program's output, and the fix."""
    if status.failing_since_s is None:
        return []
    since, long_s = (
        clock(status.failing_since_s, status.now_s),
        status.now_s - status.failing_since_s,
    )
    how_long = f", {IN_FUTURE}" if long_s < 0 else f", for {span(long_s)}" if long_s >= 60 else ""
    lines: list[Line] = [[(f"since {since}{how_long}", "red")]]
    failure = status.failure
    if failure is not None:
        lines += [[(part, "red")] for part in wrap(failure.text, columns)]
        lines += [[(part, GREY)] for text in failure.output for part in wrap(text, columns)]
        # If the credentials cannot be read, a warning has the fix.
        fix = fix_of(failure, status.paths) or command("refresh", status.paths)
        if not status.login.fix:
            lines.append([(f"→ {fix}", "yellow")])
    lines.append([(f"log: {status.paths.log}", GREY)])
    return lines


def _moment(at_s: float | None, now_s: float, unknown: str) -> Line:
    if at_s is None:
        return [(unknown, GREY)]
    at = clock(at_s, now_s)
    if at_s > now_s:
        return [(f"{at}, {IN_FUTURE}", "yellow")]
    return [(f"{at}, {span(now_s - at_s)} ago", "")]


def clock(at_s: float, now_s: float) -> str:
    """Format a local time, with the date and the year if they are not those of `now_s`."""
    try:
        at = datetime.fromtimestamp(at_s).astimezone()
    except (OverflowError, OSError, ValueError):
        return "a time out of range"
    now = datetime.fromtimestamp(now_s).astimezone()
    if at.year != now.year:
        return at.strftime("%a %d %b %Y %H:%M")
    return at.strftime("%H:%M" if at.date() == now.date() else "%a %d %b %H:%M")


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
