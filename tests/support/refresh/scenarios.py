"""The main scenarios of a refresh, and the results that a user expects."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from tests.support.refresh.world import CREDENTIALS, LOG, UNIT

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from tests.support.refresh.world import Parity, RefreshRun

OLD = b"CLAUDE_CODE_OAUTH_TOKEN=sk-ant-oat01-of-yesterday\n"
NEW = b"CLAUDE_CODE_OAUTH_TOKEN=sk-ant-oat01-made-up\n"
TOKEN = "sk-ant-oat01-made-up"
# In UTF-8 three characters of four bytes, a lone lead byte, and a byte that is never valid.
BEFORE, AFTER = "A=ä€\n".encode(), b"B=\xc3\nC=\xff\xfe \n"
MODE = 0o640

FAILING = "logs/oauth-refresh.failing"
FAILURES = "~/.claude/.oauthkit-failures"
BRAKE = "~/.claude/.oauthkit-rejected"
LOCK = "logs/oauth-refresh.lock"
IN_A_DAY_S = 7 * 3600 + 1800
RETRY_S = 300

FRESH = "Token still fresh (remaining_ms={left_ms}), syncing to .env"
DUE = "Token expired or expiring soon (remaining_ms={left_ms}), invoking claude CLI to refresh"
UPDATED = "Updated .env with token (expires_at={expires_at})"
SHARED = "WARN: other users have access to the token. Set mode 600 for {dotenv}"
CARRIED = "{dotenv} already has this token (expires_at={expires_at})"
RENEWED = "Claude CLI refreshed token successfully"
SOON = "WARN: token expires in <30 min, scheduling retry in 5 min"
SCHEDULED = "Scheduled next refresh at {due}"
REJECTED = "The API refuses the token, invoking claude CLI to refresh"
BEARER = "Updated {project}/a bearer with token (expires_at={expires_at})"
REFUSED = "claude CLI refresh failed (exit 1). User may need to run 'claude login'."
# In the C locale, where every byte is a character, tokens end at the first non-ASCII byte.
COMPLAINT = "API Error: sk-ant-oat01-of-yesterdayä \x00refused\n".encode() + b"\xff\xc3\n"
COMPLAINED = ("claude: API Error: sk-ant-***ä refused", "claude: \udcff\udcc3")
JQ, ARM, CLAUDE = ("jq",), ("systemctl", "systemd-run"), ("claude", "jq")
BROKEN = "{credentials} is not valid JSON (jq exit 4)"


@dataclass(frozen=True)
class Scenario:
    """A situation for a refresh, and the expected result.

    `before` and `dotenv` are the content of .env before and after the run, or None if there is no
    file. `messages` are the log's lines without their times, with the placeholders {dotenv},
    {credentials}, {project}, {left_ms}, {expires_at} and {due}. `programs` are the calls, in order.
    `due_in_s` is the time from the run to the only pending timer, or None if there is no timer.
    `files` are the other files that the run writes, apart from .env and what the messages imply.
    """

    name: str
    set_up: Callable[[Parity], None]
    before: bytes | None
    dotenv: bytes | None
    messages: tuple[str, ...]
    due_in_s: int | None = IN_A_DAY_S
    left_s: int = 8 * 3600
    lasts_s: int = 8 * 3600
    exit_code: int = 0
    arguments: tuple[str, ...] = ()
    mode: int = MODE
    programs: tuple[str, ...] = ()
    was_failing: bool = False
    files: tuple[str, ...] = ()

    def arrange(self, parity: Parity) -> None:
        """Prepare the sandboxes, and plan claude."""
        self.set_up(parity)
        if self.before is not None:
            parity.dotenv(self.before, MODE)
        if self.was_failing:
            parity.file(FAILING, mode=0o600)

    @property
    def is_silent(self) -> bool:
        """Return whether nothing is written: no log, no lock, no timer."""
        return not self.messages

    @property
    def is_ensure(self) -> bool:
        """Return whether the run first checks, without the lock, whether the token is delivered."""
        return "--ensure" in self.arguments

    @property
    def writes_dotenv(self) -> bool:
        """Return whether .env is written."""
        return UPDATED in self.messages

    @property
    def asks_claude(self) -> bool:
        """Return whether claude is run."""
        return "claude" in self.programs


def failure(problem: str) -> tuple[str, ...]:
    """Return the log's last lines for a run that failed because of `problem`."""
    return (
        f"ERROR: {problem}",
        f"WARN: scheduling retry in 5 min after: {problem}",
        SCHEDULED,
    )


def _fresh(parity: Parity) -> None:
    parity.credentials(TOKEN)


def _renewed(parity: Parity) -> None:
    # In this scenario, the run creates everything that a first run must create.
    parity.credentials("sk-ant-oat01-of-yesterday", expires_in="-1h")
    parity.missing_logs()
    parity.claude.renews(TOKEN, refresh_token="sk-ant-ort01-made-up-ä")


def _refused(parity: Parity) -> None:
    parity.credentials("sk-ant-oat01-of-yesterday", expires_in="-1h")
    parity.claude.fails(stdout=COMPLAINT)
    parity.claude.fails(stderr=COMPLAINT)


def _broken(parity: Parity) -> None:
    parity.credentials(raw=b'{"claudeAiOauth": {"accessToken": "sk-ant-oat01-m')


def _short(parity: Parity) -> None:
    parity.credentials(TOKEN, expires_in="20m")


def _rejected(parity: Parity) -> None:
    parity.credentials("sk-ant-oat01-of-yesterday", expires_in="2h")
    parity.file("scripts/oauth/refresh.conf", "OAUTHKIT_BEARER=a bearer\nOAUTHKIT_LIGHT=1\n")
    parity.claude.renews(TOKEN, is_refused=True)


OF_YESTERDAY = BEFORE + OLD + AFTER
OF_TODAY = BEFORE + NEW + AFTER
SCENARIOS = (
    Scenario(
        "fresh token", _fresh, OF_YESTERDAY + OLD, OF_TODAY,
        (FRESH, UPDATED, SHARED, SCHEDULED),
        programs=(*JQ, *ARM),
    ),
    Scenario(
        "already delivered", _fresh, OF_TODAY, OF_TODAY, (FRESH, CARRIED, SCHEDULED),
        programs=(*JQ, *ARM), was_failing=True,
    ),
    Scenario(
        "renewed by claude", _renewed, None, NEW, (DUE, RENEWED, UPDATED, SCHEDULED),
        left_s=-3600, mode=0o600, programs=(*JQ, *JQ, *CLAUDE, *ARM),
    ),
    Scenario(
        "not renewed", _refused, OF_YESTERDAY, OF_YESTERDAY,
        (DUE, *COMPLAINED, *COMPLAINED, *failure(REFUSED)), RETRY_S, left_s=-3600, exit_code=1,
        programs=(*JQ, *JQ, *CLAUDE, *CLAUDE, *ARM),
    ),
    Scenario(
        "broken credentials", _broken, OF_YESTERDAY, OF_YESTERDAY, failure(BROKEN), RETRY_S,
        exit_code=1, programs=(*JQ, *ARM),
    ),
    Scenario(
        "delivered, --ensure", _fresh, OF_TODAY, OF_TODAY, (), None, arguments=("--ensure",),
        programs=JQ, was_failing=True,
    ),
    Scenario(
        "outdated, --ensure", _fresh, OF_YESTERDAY + OLD, OF_TODAY,
        (FRESH, UPDATED, SHARED, SCHEDULED), arguments=("--ensure",), programs=(*JQ, *JQ, *ARM),
    ),
    Scenario(
        "20 min left", _short, BEFORE.rstrip(), BEFORE + NEW,
        (FRESH, UPDATED, SHARED, SOON, SCHEDULED),
        RETRY_S, left_s=1200, lasts_s=1200, programs=(*JQ, *ARM),
    ),
    Scenario(
        "rejected, with a bearer file", _rejected, OF_YESTERDAY, OF_TODAY,
        (REJECTED, RENEWED, BEARER, UPDATED, SHARED, SCHEDULED),
        left_s=7200, arguments=("--rejected",), programs=(*JQ, *JQ, *CLAUDE, *ARM),
        files=("a bearer", BRAKE),
    ),
)  # fmt: skip
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}

# Each test that takes `scenario` crosses the scenarios with an axis: see fixtures.py.
every_scenario = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: one.name)

# --ensure with a delivered token writes no log, lock or timer, and therefore no time.
FULL_RUNS = tuple(scenario for scenario in SCENARIOS if not scenario.is_silent)
every_full_run = pytest.mark.parametrize("scenario", FULL_RUNS, ids=lambda one: one.name)


def some_crossings(
    scenarios: Iterable[Scenario], name: str, values: Sequence[object], *thorough: str
) -> pytest.MarkDecorator:
    """Cross the scenarios named in `thorough` with all values, and the others with the first.

    This suffices for behaviour that is the same in every scenario.
    """
    pairs = [
        (one, value)
        for one in scenarios
        for value in (values if one.name in thorough else values[:1])
    ]
    ids = [f"{one.name}-{value}" for one, value in pairs]
    return pytest.mark.parametrize(("scenario", name), pairs, ids=ids)


def utc(instant_s: int) -> str:
    """Return an instant in the log's format, in UTC."""
    return dt.datetime.fromtimestamp(instant_s, dt.timezone.utc).isoformat()


def messages(
    parity: Parity,
    scenario: Scenario,
    texts: Collection[str] | None = None,
    local: Callable[[int], str] = utc,
    due_in_s: int | None = None,
) -> list[str]:
    """Return the expected lines of the log (or `texts`), without their times."""
    due_in_s = due_in_s or scenario.due_in_s
    values = {
        "dotenv": parity.env.get("OAUTHKIT_DOTENV") or parity.world.path(".env"),
        "credentials": parity.world.path(CREDENTIALS),
        "project": parity.world.project,
        "left_ms": scenario.left_s * 1000,
        "expires_at": (parity.now_s + scenario.lasts_s) * 1000,
        "due": local(parity.now_s + (due_in_s or 0)),
    }
    filled = (text.format(**values) for text in (scenario.messages if texts is None else texts))
    # A path can contain a newline, but a log line cannot.
    return [text.replace("\n", "?") for text in filled]


def meet(parity: Parity, scenario: Scenario, local: Callable[[int], str] = utc) -> RefreshRun:
    """Run both forms in this scenario, and compare them with the expected result."""
    scenario.arrange(parity)
    run = parity.run(*scenario.arguments)
    expect(parity, run, scenario, local)
    return run


def expect(
    parity: Parity,
    run: RefreshRun,
    scenario: Scenario,
    local: Callable[[int], str] = utc,
    *,
    is_armed: bool = True,
) -> None:
    """Assert the exit status, the empty output, .env, the log, modes and the pending timer.

    Without `is_armed`, no timer is pending although the log reports one.
    """
    assert (run.exit_code, run.stdout, run.stray_stderr) == (scenario.exit_code, "", "")
    assert run.messages == messages(parity, scenario, local=local)
    assert {line.partition(" ")[0] for line in run.log_lines} <= {local(parity.now_s)}
    assert run.dotenv_bytes == scenario.dotenv
    if scenario.dotenv is not None:
        assert run.files[".env"].mode == scenario.mode
    assert run.programs == [*scenario.programs]
    is_due = [(UNIT, parity.now_s + scenario.due_in_s)] if scenario.due_in_s and is_armed else []
    assert [(timer.unit, timer.when_s) for timer in run.timers] == is_due
    expect_files(run, scenario)


def expect_files(run: RefreshRun, scenario: Scenario) -> None:
    """Assert which files were written, and their modes: the program's own files have 0600."""
    written = {*run.touched} - {CREDENTIALS}
    is_failing = scenario.was_failing if scenario.is_silent else scenario.exit_code != 0
    expected = set() if scenario.is_silent else {LOG, LOCK}
    if scenario.writes_dotenv:
        expected.add(".env")
    expected.update(scenario.files)
    if is_failing and not scenario.was_failing:
        expected.add(FAILING)
    # Two reads come before claude is started, or timeout, which starts it.
    if scenario.programs.count("jq") > 2 and RENEWED not in scenario.messages:
        expected.add(FAILURES)
    assert written == expected
    assert {run.files[name].mode for name in written - {".env"}} <= {0o600}
    assert (FAILING in run.files) == is_failing
    dotenvs = [name for name in run.files if name.startswith(".env")]
    assert dotenvs == ([] if scenario.dotenv is None else [".env"])


def expect_state(
    parity: Parity, run: RefreshRun, scenario: Scenario, exit_code: int, due_in_s: int | None
) -> None:
    """Assert the results that do not depend on the log: exit status, empty output, timer."""
    assert (run.exit_code, run.stdout) == (exit_code, "")
    # If the log is lost, run does not know claude's lines on stderr.
    is_logged = any(message.startswith("ERROR: ") for message in run.messages)
    reported = COMPLAINED if not is_logged and COMPLAINED[0] in scenario.messages else ()
    assert (*(line.partition(" ")[2] for line in run.stray_stderr.splitlines()),) == reported
    is_due = [] if due_in_s is None else [(UNIT, parity.now_s + due_in_s)]
    assert [(timer.unit, timer.when_s) for timer in run.timers] == is_due
    assert run.programs == [*scenario.programs]
