"""Step 4: claude is found, started and ended, and the credentials file proves a renewal."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.support.refresh.credentials import accept, oauth
from tests.support.refresh.stand_ins import claude
from tests.support.refresh.world import CREDENTIALS, LOG, UNIT

if TYPE_CHECKING:
    from tests.support.refresh.world import Parity, RefreshRun

    from oauthkit.parity import Started, World

NOW = "2026-01-02T03:04:05+00:00"
NOW_MS = 1767323045000
IN_8_H_MS = NOW_MS + 8 * 3600 * 1000
IN_5_MIN = "2026-01-02T03:09:05+00:00"
IN_30_S = "2026-01-02T03:04:06+00:00"

DOTENV = b"A=1\nCLAUDE_CODE_OAUTH_TOKEN=sk-ant-oat01-of-yesterday\nB=\xff\r\n"
FAILING = "logs/oauth-refresh.failing"
FAILURES = "~/.claude/.oauthkit-failures"
LOCK = "logs/oauth-refresh.lock"
PLACES = ("~/.claude/local/claude", "~/.local/bin/claude")

EXPIRED = "Token expired or expiring soon (remaining_ms=-3600000), invoking claude CLI to refresh"
REFUSAL = "claude: error: unknown option '--no-session-persistence'"
RENEWED = "Claude CLI refreshed token successfully"
NOTHING_RENEWED = "claude exited 0 and renewed nothing. Is its token endpoint down?"
TOO_OFTEN = f"claude has failed to renew the token 3 times. Next try: {IN_5_MIN}"
NOT_SAVED = "claude could not save the login. It is not started"
NO_CLAUDE = "claude binary not found in PATH or common locations"
NO_TOKEN = "no accessToken after CLI refresh"

WITH_FLAG = ["-p", "ok", "--no-session-persistence"]
WITHOUT_FLAG = ["-p", "ok"]
# Each of these has a secret, makes claude ignore the credentials file, or prevents its start.
SHADOWS = (
    "CLAUDE_CODE_OAUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN_FILE_DESCRIPTOR",
    "CLAUDE_CODE_OAUTH_REFRESH_TOKEN", "ANTHROPIC_API_KEY", "CLAUDE_CODE_API_KEY_FILE_DESCRIPTOR",
    "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_SIMPLE", "CLAUDECODE",
)  # fmt: skip

# A claude whose child stays in its process group and survives SIGTERM. claude itself exits at once.
STUBBORN_CHILD = """#!/usr/bin/env bash
(trap '' TERM; printf '' >"$HOME/child-is-ready"; exec sleep 600) &
wait
"""


@pytest.fixture
def expired(parity: Parity) -> Parity:
    """A token that expired an hour ago, and yesterday's .env."""
    parity.credentials(expires_in="-1h")
    parity.dotenv(DOTENV)
    return parity


def succeed(parity: Parity, token: str = "new", log: tuple[str, ...] = (RENEWED,)) -> RefreshRun:
    """Run both forms, which must log `log` about the renewal and deliver `token`."""
    run = parity.run()
    assert run.messages == [
        EXPIRED,
        *log,
        f"Updated .env with token (expires_at={IN_8_H_MS})",
        "Scheduled next refresh at 2026-01-02T10:34:05+00:00",
    ]
    assert (run.exit_code, run.stdout, run.stray_stderr) == (0, "", "")
    assert run.dotenv_bytes == DOTENV.replace(b"sk-ant-oat01-of-yesterday", token.encode())
    assert FAILING not in run.files
    return run


def fail(
    parity: Parity, problem: str, output: list[str] | None = None, warning: str | None = None
) -> RefreshRun:
    """Run both forms, which must log claude's `output`, fail with `problem`, and retry."""
    run = parity.run()
    warnings = [warning.format(credentials=parity.world.path(CREDENTIALS))] if warning else []
    assert run.log_lines == [
        f"{NOW} {EXPIRED}",
        *(f"{NOW} claude: {line}" for line in output or []),
        *(f"{NOW} WARN: {text}" for text in warnings),
        f"{NOW} ERROR: {problem}",
        f"{NOW} WARN: scheduling retry in 5 min after: {problem}",
        f"{NOW} Scheduled next refresh at {IN_5_MIN}",
    ]
    assert (run.exit_code, run.stdout, run.stray_stderr) == (1, "", "")
    assert run.dotenv_bytes == DOTENV
    assert {*run.touched} - {CREDENTIALS, FAILURES} == {FAILING, LOCK, LOG}
    assert [(timer.unit, timer.when_s) for timer in run.timers] == [(UNIT, parity.now_s + 300)]
    return run


def failed(status: int) -> str:
    """Return the ERROR for a claude that exited with `status`."""
    return f"claude CLI refresh failed (exit {status}). User may need to run 'claude login'."


# --- The threshold of 5 min ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expiry", "expires_at_ms"),
    [
        pytest.param(b"0", 0, id="zero"),
        pytest.param(b"-0", 0, id="minus zero"),
        pytest.param(b"-5", -5, id="negative"),
        pytest.param(b"-999999999999999", -999999999999999, id="15 digits, negative"),
        pytest.param(b"7.9", 7, id="fraction"),
        pytest.param(b"-7.9", -8, id="negative fraction"),
        pytest.param(b"-0.9", -1, id="negative fraction of nothing"),
        pytest.param(b"9e2", 900, id="exponent"),
        pytest.param(b"0009", 9, id="0009, which jq reads as 9"),
        pytest.param(b"%d" % (NOW_MS + 1), NOW_MS + 1, id="1 ms left"),
        pytest.param(b"%d" % (NOW_MS + 300_000), NOW_MS + 300_000, id="5 min left"),
        pytest.param(b"%d.9" % (NOW_MS + 300_000), NOW_MS + 300_000, id="5 min and a fraction"),
    ],
)
def test_token_with_at_most_5_min_left_is_renewed(
    parity: Parity, expiry: bytes, expires_at_ms: int
) -> None:
    parity.credentials(raw=oauth(expiry=expiry))
    parity.claude.writes_credentials(raw=oauth(b'"new"'))
    run = parity.run()
    assert run.exit_code == 0
    assert run.messages[:2] == [
        f"Token expired or expiring soon (remaining_ms={expires_at_ms - NOW_MS}), "
        "invoking claude CLI to refresh",
        RENEWED,
    ]
    assert run.dotenv == "CLAUDE_CODE_OAUTH_TOKEN=new\n"


@pytest.mark.parametrize(
    ("expiry", "expires_at_ms"),
    [
        pytest.param(b"%d" % (NOW_MS + 300_001), NOW_MS + 300_001, id="5 min and 1 ms left"),
        pytest.param(b"%d" % (NOW_MS + 301_000), NOW_MS + 301_000, id="5 min and 1 s left"),
        pytest.param(b"%d.999" % IN_8_H_MS, IN_8_H_MS, id="fraction"),
        pytest.param(b"999999999999999", 999999999999999, id="15 digits"),
    ],
)
def test_token_with_more_than_5_min_left_is_fresh(
    parity: Parity, expiry: bytes, expires_at_ms: int
) -> None:
    parity.credentials(raw=oauth(expiry=expiry))
    assert accept(parity).messages[:2] == [
        f"Token still fresh (remaining_ms={expires_at_ms - NOW_MS}), syncing to .env",
        f"Updated .env with token (expires_at={expires_at_ms})",
    ]


# --- Finding claude ------------------------------------------------------------------------------


def place(parity: Parity, *places: str) -> None:
    """Put the stand-in for claude at these places only."""
    parity.remove("claude")
    for name in places:
        parity.stand_in("claude", place=name)


SEARCH = [
    (("../bin/claude", *PLACES), "../bin/claude"),
    (PLACES, "~/.claude/local/claude"),
    (PLACES[1:], "~/.local/bin/claude"),
]


@pytest.mark.parametrize(("places", "taken"), SEARCH)
def test_claude_is_searched_in_path_then_in_its_install_directories(
    expired: Parity, places: tuple[str, ...], taken: str
) -> None:
    place(expired, *places)
    expired.claude.renews("new")
    assert Path(succeed(expired).call("claude").path) == expired.world.path(taken).resolve()


def test_first_match_in_path_is_used(expired: Parity) -> None:
    expired.env["PATH"] = f"{expired.home}/first:{expired.env['PATH']}"
    expired.stand_in("claude", place="~/first/claude")
    expired.claude.renews("new")
    assert succeed(expired).call("claude").path == f"{expired.home}/first/claude"


def test_symbolic_link_to_claude_is_called_by_its_own_name(expired: Parity) -> None:
    place(expired, "~/.local/share/claude/versions/2.1.50")
    expired.symlink("../bin/claude", "../home/.local/share/claude/versions/2.1.50")
    expired.claude.renews("new")
    assert succeed(expired).call("claude").path == f"{expired.env['PATH']}/claude"


@pytest.mark.parametrize("name", ["../bin/claude", *PLACES])
@pytest.mark.parametrize("kind", ["file", "directory"])
def test_claude_that_is_not_executable_is_skipped(expired: Parity, name: str, kind: str) -> None:
    place(expired)
    if kind == "file":
        expired.file(name, "#!/usr/bin/env bash\n", 0o644)
    else:
        expired.directory(name)
    fail(expired, NO_CLAUDE)


def test_missing_claude_is_named(expired: Parity) -> None:
    place(expired)
    assert fail(expired, NO_CLAUDE).programs == ["jq", "jq", "systemctl", "systemd-run"]


def test_search_continues_after_a_claude_that_is_not_executable(expired: Parity) -> None:
    place(expired, PLACES[1])
    expired.file("../bin/claude", "", 0o644)
    expired.directory(PLACES[0])
    expired.claude.renews("new")
    assert succeed(expired).call("claude").path == str(expired.home / ".local/bin/claude")


# --- Starting it ---------------------------------------------------------------------------------


def test_claude_starts_without_stdin_project_or_lock(expired: Parity) -> None:
    expired.umask = 0o002
    expired.claude.renews("new")
    call = succeed(expired).call("claude")
    output = "pipe 1 (write)"
    assert call.argv == WITH_FLAG
    assert (call.cwd, call.umask, call.stdin) == ("/", 0o077, b"")
    assert call.descriptors == {0: "/dev/null", 1: output, 2: output}


@pytest.mark.parametrize("name", SHADOWS)
@pytest.mark.parametrize("value", ["sk-ant-oat01-of-yesterday", ""])
def test_variable_that_shadows_the_login_does_not_reach_claude(
    expired: Parity, name: str, value: str
) -> None:
    expired.env[name] = value
    expired.claude.renews("new")
    assert name not in succeed(expired).call("claude").env


def test_rest_of_the_environment_reaches_claude_unchanged(expired: Parity) -> None:
    expired.env.update({
        "CLAUDE_CODE_OAUTH_TOKENS": "s", "ANTHROPIC_BASE_URL": "http://127.0.0.1:1", "EMPTY": "",
        "HTTPS_PROXY": "http://127.0.0.1:2", "ODD": " a\nb 'c' \"d\" $e \\ \udcff é=",
    })  # fmt: skip
    expected = dict(expired.env)
    expired.env.update(dict.fromkeys(SHADOWS, "x"))
    expired.claude.renews("new")
    call = succeed(expired).call("claude")
    theirs = {"_", "SHLVL", "PWD", "OLDPWD", "BASH_ENV", "PYTHONPATH"}
    assert {name: value for name, value in call.env.items() if name not in theirs} == expected
    assert call.repeated_env == []


@pytest.mark.parametrize("name", ["LC_ALL", "REPLY", "REPLIES", "RETRY_MS", "token", "_log_file"])
def test_variable_that_the_script_uses_reaches_claude_unchanged(expired: Parity, name: str) -> None:
    expired.env[name] = "C"
    expired.claude.renews("new")
    assert succeed(expired).call("claude").env.get(name) == "C"


def test_claude_has_55_seconds_and_5_more_after_sigterm(expired: Parity) -> None:
    expired.shortens_time_limits(30, 30)
    expired.claude.rejects_flag()
    expired.claude.renews("new")
    run = succeed(expired, log=(REFUSAL, RENEWED))
    assert [argv[:3] for argv in run.calls("timeout")] == [["-k", "5", "55"]] * 2


# --- What counts is the file ---------------------------------------------------------------------


def test_renewal_is_judged_by_reading_the_file_again(expired: Parity) -> None:
    expired.claude.renews("new", stdout="chatter\n", stderr="more chatter\n")
    assert succeed(expired).programs == ["jq", "jq", "claude", "jq", "systemctl", "systemd-run"]


def test_same_token_with_a_later_expiry_is_a_renewal(expired: Parity) -> None:
    expired.credentials("same", expires_in="-1h")
    expired.claude.renews("same")
    succeed(expired, "same")


def test_token_renewed_by_a_failing_claude_is_delivered_with_a_warning(expired: Parity) -> None:
    expired.claude.renews("new", exit=1, stdout="API Error\n", stderr="429\n")
    warning = "WARN: claude exited 1 after it had renewed the token"
    run = succeed(expired, log=("claude: API Error", "claude: 429", RENEWED, warning))
    assert run.calls("claude") == [WITH_FLAG]


def test_older_cli_is_run_again_without_the_flag(expired: Parity) -> None:
    expired.claude.rejects_flag()
    expired.claude.renews("new")
    run = succeed(expired, log=(REFUSAL, RENEWED))
    assert run.calls("claude") == [WITH_FLAG, WITHOUT_FLAG]


def test_two_failed_tries_are_logged_once_each(expired: Parity) -> None:
    expired.claude.renews_nothing(exit=3, stdout="first\n")
    expired.claude.renews_nothing(exit=7, stdout="second\n")
    run = fail(expired, failed(7), ["first", "second"])
    assert run.calls("claude") == [WITH_FLAG, WITHOUT_FLAG]


def test_output_that_the_locale_cannot_encode(expired: Parity) -> None:
    """The same happens in Latin-1, which lacks dashes and quotation marks that claude prints."""
    del expired.env["LANG"]
    expired.env |= {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    expired.claude.fails(3, stderr="API overloaded \u2014 try again\n")
    expired.claude.fails(3, stderr="API overloaded \u2014 try again\n")
    run = fail(expired, failed(3), ["API overloaded \u2014 try again"] * 2)
    assert run.programs[-1] == "systemd-run"


def test_exit_0_is_not_a_renewal(expired: Parity) -> None:
    expired.claude.renews_nothing(stdout="ok\n")
    assert fail(expired, NOTHING_RENEWED, ["ok"]).calls("claude") == [WITH_FLAG]


def test_second_try_that_exits_0_is_not_a_renewal(expired: Parity) -> None:
    expired.claude.fails(2, stderr="first\n")
    expired.claude.renews_nothing(stdout="ok\n")
    fail(expired, NOTHING_RENEWED, ["first", "ok"])


def test_blank_login_is_a_missing_token(expired: Parity) -> None:
    expired.claude.blanks_login(stdout="Please run /login\n")
    expired.claude.renews_nothing(exit=1, stdout="Not logged in\n")
    output = ["Please run /login", "Not logged in"]
    ended = "The login has ended: run 'claude auth login'"
    fail(expired, f"{NO_TOKEN}. {ended}", output, f"no accessToken in credentials. {ended}")


def test_credentials_removed_by_claude_are_named(expired: Parity) -> None:
    expired.claude.removes_credentials(exit=0)
    fail(expired, NO_TOKEN, warning="{credentials} not found")


BROKEN = {
    b"": "no claudeAiOauth object in {credentials}",
    b'{"claudeAiOauth":{"acc': "{credentials} is not valid JSON (jq exit 4)",
}


@pytest.mark.parametrize(("raw", "problem"), BROKEN.items())
def test_credentials_broken_by_claude_are_named(expired: Parity, raw: bytes, problem: str) -> None:
    expired.claude.writes_credentials(raw, stdout="")
    fail(expired, NO_TOKEN, warning=problem)


@pytest.mark.parametrize("token", ["new\nB=2", "new$(id)", "new one", "newé"])
def test_renewed_token_with_bad_characters_is_not_delivered(expired: Parity, token: str) -> None:
    expired.claude.renews(token, stdout="")
    bad = "accessToken in credentials has a character that tokens do not contain"
    fail(expired, NO_TOKEN, warning=bad)


@pytest.mark.parametrize("expires_in", ["5m", "4m59s", "-1s"])
def test_renewal_for_5_min_or_less_fails(expired: Parity, expires_in: str) -> None:
    expired.claude.renews("new", expires_in=expires_in, stdout="")
    fail(expired, NOTHING_RENEWED)


@pytest.mark.parametrize("expires_at", ["later", 10**15, True, 0])
def test_renewal_without_a_future_expiry_fails(expired: Parity, expires_at: Any) -> None:
    expired.claude.renews("new", expires_at=expires_at, stdout="")
    fail(expired, NOTHING_RENEWED)


def test_token_renewed_for_5_min_and_1_s_is_delivered(expired: Parity) -> None:
    expired.claude.renews("new", expires_in="5m1s")
    run = expired.run()
    assert run.exit_code == 0
    assert run.messages[1:] == [
        RENEWED,
        f"Updated .env with token (expires_at={NOW_MS + 301_000})",
        "WARN: token expires in <30 min, scheduling retry in 5 min",
        f"Scheduled next refresh at {IN_30_S}",
    ]


@pytest.mark.parametrize("status", [1, 123, 125, 126, 127, 136, 138, 255])
def test_any_failure_before_the_limit_gets_a_second_try(expired: Parity, status: int) -> None:
    expired.claude.fails(status)
    expired.claude.fails(status)
    assert fail(expired, failed(status)).calls("claude") == [WITH_FLAG, WITHOUT_FLAG]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGABRT])
def test_claude_killed_by_a_signal_of_others_gets_a_second_try(
    expired: Parity, number: int
) -> None:
    expired.claude.dies_by_signal(int(number))
    expired.claude.dies_by_signal(int(number))
    assert fail(expired, failed(128 + number)).calls("claude") == [WITH_FLAG, WITHOUT_FLAG]


@pytest.mark.parametrize("status", [124, 137])
def test_exit_status_of_the_limit_counts_as_the_limit(expired: Parity, status: int) -> None:
    expired.claude.fails(status)  # timeout(1) has the same exit status at its limit
    assert fail(expired, failed(status)).calls("claude") == [WITH_FLAG]


def test_claude_that_reached_the_limit_gets_no_second_try(expired: Parity) -> None:
    expired.shortens_time_limits(1)
    expired.claude.prints("retrying\n").then.hangs()
    assert fail(expired, failed(124), ["retrying"]).calls("claude") == [WITH_FLAG]


def test_claude_that_ignores_sigterm_is_killed(expired: Parity) -> None:
    expired.shortens_time_limits(1)
    expired.claude.ignores_sigterm()
    assert fail(expired, failed(137)).calls("claude") == [WITH_FLAG]


@pytest.mark.parametrize("last", ["hangs", "ignores_sigterm"])
def test_token_renewed_before_the_limit_is_delivered(expired: Parity, last: str) -> None:
    expired.shortens_time_limits(1)
    getattr(expired.claude.renews("new", stdout="429, retrying\n").then, last)()
    status = 124 if last == "hangs" else 137
    warning = f"WARN: claude exited {status} after it had renewed the token"
    run = succeed(expired, log=("claude: 429, retrying", RENEWED, warning))
    assert run.calls("claude") == [WITH_FLAG]


def test_claude_is_ended_5_s_after_it_has_renewed_the_token(expired: Parity) -> None:
    expired.claude.renews("new", stdout="529, retrying\n").then.hangs(20)
    warning = "WARN: claude exited 124 after it had renewed the token"
    run = succeed(expired, log=("claude: 529, retrying", RENEWED, warning))
    assert run.calls("claude") == [WITH_FLAG]


def test_claude_is_not_ended_while_the_credentials_have_no_live_token(expired: Parity) -> None:
    raw = b'{"claudeAiOauth":{"accessToken":"another","expiresAt":0}}'
    changed = expired.claude.writes_credentials(raw=raw).then.hangs(8)
    changed.then.renews("new")
    run = succeed(expired, log=(RENEWED,))
    assert run.calls("claude") == [WITH_FLAG]


def test_5_s_are_counted_from_the_last_change_of_the_credentials(expired: Parity) -> None:
    raw = b'{"claudeAiOauth":{"accessToken":"another","expiresAt":0}}'
    changed = expired.claude.writes_credentials(raw=raw).then.hangs(4)
    changed.then.renews("new").then.hangs(3)
    run = succeed(expired, log=(RENEWED,))
    assert run.calls("claude") == [WITH_FLAG]


LIGHT = [*WITH_FLAG, "--safe-mode", "--tools=", "--system-prompt=Say-ok.", "--model=haiku"]


def test_light_renewal(expired: Parity) -> None:
    expired.env["OAUTHKIT_LIGHT"] = "1"
    expired.claude.renews("new")
    assert succeed(expired).calls("claude") == [LIGHT]


@pytest.mark.parametrize("value", ["", "0", "yes"])
def test_light_renewal_is_enabled_only_by_1(expired: Parity, value: str) -> None:
    expired.env["OAUTHKIT_LIGHT"] = value
    expired.claude.renews("new")
    assert succeed(expired).calls("claude") == [WITH_FLAG]


def test_version_without_the_options_of_a_light_renewal(expired: Parity) -> None:
    expired.env["OAUTHKIT_LIGHT"] = "1"
    refusals = ("error: unknown option '--safe-mode'", REFUSAL)
    for refusal in refusals:
        expired.claude.fails(1, stderr=f"{refusal}\n")
    expired.claude.renews("new")
    run = succeed(expired, log=(*(f"claude: {refusal}" for refusal in refusals), RENEWED))
    assert run.calls("claude") == [LIGHT, WITH_FLAG, WITHOUT_FLAG]


def test_light_renewal_that_reaches_the_limit_is_not_tried_again(expired: Parity) -> None:
    expired.env["OAUTHKIT_LIGHT"] = "1"
    expired.claude.fails(124)
    assert fail(expired, failed(124)).calls("claude") == [LIGHT]


def test_run_waits_for_a_renewal_by_another_session(expired: Parity) -> None:
    expired.directory("~/.claude/.oauth_refresh.lock")
    expired.claude.renews_nothing()
    expired.stand_in("sleep", claude).renews("new", stdout="")
    run = succeed(expired)
    assert [len(run.calls(name)) for name in ("claude", "sleep")] == [1, 1]


def test_wait_for_another_session_takes_at_most_30_s(expired: Parity) -> None:
    expired.directory("~/.claude/.oauth_refresh.lock")
    expired.claude.renews_nothing()
    expired.stand_in("sleep").always.exits(0)
    run = fail(expired, NOTHING_RENEWED, ["ok"])
    assert run.calls("sleep") == [["1"]] * 30


def test_run_does_not_wait_after_a_failed_claude(expired: Parity) -> None:
    expired.directory("~/.claude/.oauth_refresh.lock")
    expired.claude.fails(1)
    expired.claude.fails(1)
    fail(expired, failed(1))


def test_second_try_has_the_same_limit(expired: Parity) -> None:
    expired.shortens_time_limits(1)
    expired.claude.fails(1)
    expired.claude.hangs()
    assert len(fail(expired, failed(124)).calls("timeout")) == 2


def test_child_that_ignores_sigterm_in_claude_s_group_is_killed(expired: Parity) -> None:
    # The kit fails a run that leaves processes behind.
    expired.shortens_time_limits(1)
    place(expired)
    expired.file("../bin/claude", STUBBORN_CHILD, 0o755)
    expired.file("~/child-is-ready", "not yet")
    run = expired.run()
    assert run.exit_code == 1
    assert run.files["~/child-is-ready"].content == b""
    assert f"ERROR: {failed(124)}" in run.messages


@pytest.mark.parametrize("holds_output", [True, False])
@pytest.mark.parametrize("last", ["renews", "hangs"])
def test_detached_process_delays_nothing_and_lives(
    expired: Parity, last: str, holds_output: bool
) -> None:
    expired.shortens_time_limits(1)
    then = expired.claude.leaves_child_behind(600, holds_output=holds_output).then
    getattr(then, last)()
    alive: list[bool] = []

    def look(started: Started, world: World) -> None:
        started.wait()
        pid = (world.control / "children").read_text("ascii").strip()
        alive.append(Path(f"/proc/{pid}/stat").read_text("ascii").split()[2] == "S")

    run = expired.run(meanwhile=look)
    assert run.exit_code == (0 if last == "renews" else 1)
    assert alive == [True, True]


# --- How often it is started ---------------------------------------------------------------------


def failures(parity: Parity, count: str, ago_ms: int) -> None:
    text = f"{count} {parity.now_s * 1000 - ago_ms}"
    parity.file(FAILURES, text.encode(), 0o600)


def test_requests_start_a_failing_claude_three_times_in_5_min(expired: Parity) -> None:
    for _ in range(3):
        expired.claude.renews_nothing(stdout="")
        run = expired.run()
        assert run.programs.count("claude") == 1
    assert run.files[FAILURES].content == f"3 {NOW_MS}".encode()
    assert run.files[FAILURES].mode == 0o600
    for _ in range(5):
        run = expired.run()
        assert "claude" not in run.programs
        assert run.messages[-4:] == [
            EXPIRED,
            f"ERROR: {TOO_OFTEN}",
            f"WARN: scheduling retry in 5 min after: {TOO_OFTEN}",
            f"Scheduled next refresh at {IN_5_MIN}",
        ]


@pytest.mark.parametrize("expiry", [None, "soon", True])
def test_unreadable_expiry_does_not_start_claude_for_each_request(
    parity: Parity, expiry: Any
) -> None:
    parity.credentials(expires_at=expiry)
    for _ in range(3):
        parity.claude.renews_nothing(stdout="")
        assert parity.run().programs.count("claude") == 1
    assert "claude" not in parity.run().programs


@pytest.mark.parametrize(
    ("count", "ago_ms", "starts"),
    [
        ("2", 0, 1), ("3", 0, 0), ("4", 299_999, 0), ("3", 300_000, 1), ("3", -1, 1),
        ("03", 1, 0), ("x", 1, 1), ("", 1, 1), ("-3", 1, 1), ("9" * 16, 1, 1), ("3 ", 1, 1),
    ],
)  # fmt: skip
def test_recorded_failures(expired: Parity, count: str, ago_ms: int, starts: int) -> None:
    failures(expired, count, ago_ms)
    if starts:
        expired.claude.renews()
    assert expired.run().programs.count("claude") == starts


def test_next_try_is_5_min_after_the_last_failure(expired: Parity) -> None:
    failures(expired, "3", 60_000)
    run = expired.run()
    assert f"ERROR: {TOO_OFTEN.replace('03:09', '03:08')}" in run.messages
    # A request must not postpone it.
    assert [timer.when_s for timer in run.timers] == [expired.now_s + 240]


def test_claude_never_fails_more_than_three_times_in_5_min(expired: Parity) -> None:
    expired.claude.always.renews_nothing(stdout="")
    starts = []
    begin_s = expired.now_s
    for after_s in (0, 298, 299, 300, 301, 598, 599):
        expired.set_clock(begin_s + after_s)
        if "claude" in expired.run().programs:
            starts.append(after_s)
    assert starts == [0, 298, 299, 599]


@pytest.mark.parametrize("count", ["1", "2"])
def test_next_run_after_failures(expired: Parity, count: str) -> None:
    failures(expired, count, 60_000)
    expired.claude.renews_nothing(stdout="")
    run = expired.run()
    assert [timer.when_s for timer in run.timers] == [expired.now_s + 300]


def test_renewal_removes_the_recorded_failures(expired: Parity) -> None:
    failures(expired, "2", 0)
    expired.claude.renews()
    assert FAILURES not in expired.run().files


def test_missing_claude_does_not_count_as_a_failure(expired: Parity) -> None:
    expired.remove("claude")
    assert FAILURES not in expired.run().files


def test_claude_is_not_started_if_failures_cannot_be_recorded(expired: Parity) -> None:
    expired.directory(f"{FAILURES}/sub")
    state = expired.world.path(FAILURES)
    run = expired.run()
    assert "claude" not in run.programs
    assert f"ERROR: {state} and 1 MiB cannot be written, and {NOT_SAVED}" in run.messages


# --- What it printed -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("printed", "logged"),
    [
        pytest.param(b"", [], id="nothing"),
        pytest.param(b"a\nb", ["a", "b"], id="no final newline"),
        pytest.param(b" a \n\nb\n\n\n", [" a ", "", "b"], id="blank lines"),
        pytest.param(b"%s %d \\n $HOME `id` * !\n", ["%s %d \\n $HOME `id` * !"], id="signs"),
        pytest.param(b"a\tb\x1b[31mc\x7fd\r\n", ["a?b?[31mc?d?"], id="control characters"),
        pytest.param(b"a\0b\0\n\0", ["ab"], id="NUL bytes"),
        pytest.param(b"\xff\xc3(\xe2\x82\n", ["\udcff\udcc3(\udce2?"], id="no UTF-8"),
        pytest.param(b"\xc2\x9b31m\x9b1m\xc3\x80\n", ["?31m?1mÀ"], id="C1 controls"),
        pytest.param(
            b"sk-ant-x\x1b[0my \xc2\x9bsk\x9b-ant-z\n",
            ["sk-ant-***[0my sk-ant-***"],
            id="controls in a token",
        ),
        pytest.param("é€😀\n".encode(), ["é€😀"], id="UTF-8"),
        pytest.param(b"1\n2\n3\n4\n5\n" * 5, [*"12345"] * 4, id="25 lines"),
        pytest.param(b"\n" * 25 + b"late\n", [""] * 20, id="25 blank lines"),
        pytest.param(b"sk-ant-\n", ["sk-ant-***"], id="start of a token"),
        pytest.param(
            b"=sk-ant-oat01-aZ_0-9,sk-ant-ort01-x.\n", ["=sk-ant-***,sk-ant-***"], id="two tokens"
        ),
        pytest.param(b"sk-ant-oat01\0-a\n", ["sk-ant-***"], id="token with a NUL byte"),
        pytest.param(
            b"sk-ant-sk-ant-a\xffsk-ant-b\n", ["sk-ant-***\udcffsk-ant-***"], id="nested tokens"
        ),
    ],
)
def test_output_of_a_failure_is_logged_masked_and_printable(
    expired: Parity, printed: bytes, logged: list[str]
) -> None:
    expired.claude.renews_nothing(stdout=printed)
    fail(expired, NOTHING_RENEWED, logged)


@pytest.mark.parametrize("is_refused", [False, True])
def test_last_lines_of_the_last_attempt_are_also_on_stderr(
    expired: Parity, is_refused: bool
) -> None:
    expired.claude.fails(stderr="of the first attempt\n")
    lines = [*"123456", "refused: sk-ant-oat01-made-up\033[0m"]
    if is_refused:
        expired.claude.blanks_login(stdout="\n".join(lines).encode())
    else:
        expired.claude.fails(stderr="\n".join(lines))
    run = expired.run()
    ended = f"{NO_TOKEN}. The login has ended: run 'claude auth login'"
    problem = ended if is_refused else failed(1)
    reports = [*"3456", "refused: sk-ant-***[0m"]
    reasons = [f"{NOW} claude: {line}" for line in reports]
    assert run.stderr.splitlines() == [*reasons, f"{NOW} ERROR: {problem}"]
    assert run.messages[1:9] == [
        "claude: of the first attempt", *(f"claude: {line}" for line in [*"12", *reports]),
    ]  # fmt: skip


def test_output_of_an_attempt_that_is_repeated_stays_off_stderr(expired: Parity) -> None:
    expired.claude.fails(stderr="of the first attempt\n")
    expired.claude.fails()
    run = fail(expired, failed(1), ["of the first attempt"])
    assert run.stderr == f"{NOW} ERROR: {failed(1)}\n"


def test_very_long_line_delays_nothing(expired: Parity) -> None:
    expired.claude.renews_nothing(stdout="x " * 50_000)
    assert expired.run().messages[1].startswith(f"claude: {'x ' * 500}")


def test_record_of_a_start_is_not_written_through_a_link(parity: Parity) -> None:
    """Another user who can write to claude's directory replaces each new file with a link."""
    exchange = (
        "#!/bin/sh\n"
        'for file in "$HOME"/.claude/.oauthkit-failures.oauthkit.*; do\n'
        '  [ -e "$file" ] && ln -sf ../precious "$file"\n'
        "done\n"
        'exec /bin/chmod "$@"\n'
    )
    parity.file("../bin/chmod", exchange, 0o755)
    parity.file("~/precious", "precious\n", 0o600)
    parity.credentials(expires_in="-1h")
    parity.claude.renews_nothing()
    run = parity.run()
    assert run.files["~/precious"].content == b"precious\n"
