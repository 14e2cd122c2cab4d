"""Step 7: hooks get a run's outcome and cannot change it."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest
from tests.support.refresh.credentials import accept, refuse
from tests.support.refresh.world import LOG

if TYPE_CHECKING:
    from tests.support.refresh.world import Parity, RefreshRun

    from oauthkit.parity import StandIn

IN_8_H_MS = (1767323045 + 8 * 3600) * 1000
OLD, NEW = "sk-ant-oat01-made-up-old", "sk-ant-oat01-made-up-new"
HAS_NEW = f"A=1\nCLAUDE_CODE_OAUTH_TOKEN={NEW}\n"
HAS_OLD = HAS_NEW.replace(NEW, OLD)
FAILING = "logs/oauth-refresh.failing"
EVENTS = ("renewed", "failed", "recovered")
NOT_FOUND = "{credentials} not found"
NO_TOKEN = "no accessToken in credentials"
LAST = "Scheduled next refresh at "


def hook(parity: Parity, event: str, mode: int = 0o755) -> StandIn:
    """Add a hook for an event. It exits with 0 unless another behaviour is planned."""
    place = f"scripts/oauth/hooks/{event}"
    found = parity.stand_in(event, place=place)
    found.always.exits(0)
    if mode != 0o755:
        parity.chmod(place, mode)
    return found


@pytest.fixture
def hooks(parity: Parity) -> dict[str, StandIn]:
    """Add a hook for each event, and an old token in .env."""
    parity.dotenv(HAS_OLD)
    return {event: hook(parity, event) for event in EVENTS}


def hook_environment(run: RefreshRun, event: str) -> dict[str, str]:
    """Return the environment of the hook's only call."""
    (call,) = [call for call in run.all_calls if call.program == event]
    return {name: value for name, value in call.env.items() if name.startswith("OAUTHKIT_")}


def events(run: RefreshRun) -> list[str]:
    """Return the names of the hooks that ran, in order."""
    return [program for program in run.programs if program in EVENTS]


@pytest.mark.usefixtures("hooks")
def test_new_token_in_dotenv_runs_the_hook(parity: Parity) -> None:
    parity.credentials(NEW)
    run = parity.run()
    assert run.exit_code == 0
    assert events(run) == ["renewed"]
    assert hook_environment(run, "renewed") == {
        "OAUTHKIT_EVENT": "renewed",
        "OAUTHKIT_REASON": "",
        "OAUTHKIT_OUTPUT": "",
        "OAUTHKIT_EXPIRES_AT": str(IN_8_H_MS),
        "OAUTHKIT_LOGIN_ENDS_AT": "",
        "OAUTHKIT_DOTENV": f"{parity.project}/.env",
    }
    assert run.messages[-1] == "Hook 'renewed' succeeded"
    assert run.messages[-2].startswith(LAST)
    assert run.dotenv == HAS_NEW


@pytest.mark.usefixtures("hooks")
@pytest.mark.parametrize("text", [None, "", "A=1", HAS_NEW.replace("A=1\n", HAS_OLD)])
def test_first_or_shadowed_token_counts_as_new(parity: Parity, text: str | None) -> None:
    parity.credentials(NEW)
    parity.delete(".env") if text is None else parity.dotenv(text)
    assert events(parity.run()) == ["renewed"]


@pytest.mark.usefixtures("hooks")
def test_same_token_twice_does_not_count_as_new(parity: Parity) -> None:
    parity.credentials(NEW)
    parity.dotenv(HAS_NEW + HAS_NEW.replace("A=1\n", ""))
    run = parity.run()
    assert (run.dotenv, events(run)) == (HAS_NEW, [])


@pytest.mark.usefixtures("hooks")
@pytest.mark.parametrize("options", [[], ["--ensure"]])
def test_same_token_is_not_an_event(parity: Parity, options: list[str]) -> None:
    parity.credentials(OLD)
    run = parity.run(*options)
    assert events(run) == []
    assert not [line for line in run.messages if "ook" in line]


@pytest.mark.usefixtures("hooks")
def test_failed_and_recovered_are_reported_once(parity: Parity) -> None:
    parity.credentials(omit=["accessToken"])
    run = parity.run()
    assert (run.exit_code, events(run)) == (1, ["failed"])
    assert hook_environment(run, "failed") == {
        "OAUTHKIT_EVENT": "failed",
        "OAUTHKIT_REASON": NO_TOKEN,
        "OAUTHKIT_OUTPUT": "",
        "OAUTHKIT_EXPIRES_AT": "",
        "OAUTHKIT_LOGIN_ENDS_AT": "",
        "OAUTHKIT_DOTENV": f"{parity.project}/.env",
    }
    assert run.messages[-1] == "Hook 'failed' succeeded"
    assert FAILING in run.files

    again = parity.run()
    assert (again.exit_code, events(again)) == (1, [])

    parity.credentials(NEW)
    healed = parity.run()
    assert (healed.exit_code, events(healed)) == (0, ["renewed", "recovered"])
    assert hook_environment(healed, "recovered") == hook_environment(healed, "renewed") | {
        "OAUTHKIT_EVENT": "recovered"
    }
    assert healed.messages[-2:] == ["Hook 'renewed' succeeded", "Hook 'recovered' succeeded"]
    assert FAILING not in healed.files


@pytest.mark.usefixtures("hooks")
def test_hook_gets_the_last_lines_of_claude_output(parity: Parity) -> None:
    parity.env["OAUTHKIT_OUTPUT"] = "of the caller"
    parity.credentials(OLD, expires_in="-1h")
    parity.claude.fails(stderr="first attempt\n")
    parity.claude.fails(stdout=f"1\n2\n3\n\033[31m{OLD}\n", stderr="5\n6\n")
    output = "claude: 2\nclaude: 3\nclaude: [31msk-ant-***\nclaude: 5\nclaude: 6"
    assert hook_environment(parity.run(), "failed")["OAUTHKIT_OUTPUT"] == output


@pytest.mark.usefixtures("hooks")
def test_hook_gets_no_claude_output_after_a_renewal(parity: Parity) -> None:
    parity.env["OAUTHKIT_OUTPUT"] = "of the caller"
    parity.credentials(OLD, expires_in="-1h")
    parity.claude.renews(NEW, exit=1, stdout="noise\n")
    assert hook_environment(parity.run(), "renewed")["OAUTHKIT_OUTPUT"] == ""


@pytest.mark.usefixtures("hooks")
def test_delivery_of_a_rejected_token_is_not_a_recovery(parity: Parity) -> None:
    parity.credentials(OLD, expires_in="2h")
    parity.claude.renews_nothing(stdout="")
    assert events(parity.run("--rejected")) == ["failed"]
    assert events(parity.run()) == []
    parity.set_clock(parity.now_s + 300)
    parity.claude.renews_nothing(stdout="")
    assert events(parity.run("--rejected")) == []
    parity.credentials(NEW)
    assert events(parity.run()) == ["renewed", "recovered"]


@pytest.mark.usefixtures("hooks")
def test_failed_delivery_after_a_refusal_is_a_new_failure(parity: Parity) -> None:
    parity.credentials(OLD, expires_in="2h")
    parity.claude.renews_nothing(stdout="")
    assert events(parity.run("--rejected")) == ["failed"]
    parity.delete(".env")
    parity.directory(".env")
    assert events(parity.run()) == ["failed"]
    assert events(parity.run()) == []
    parity.step(lambda world: world.path(".env").rmdir())
    run = parity.run()
    assert (events(run), run.files[FAILING].content) == (["renewed"], b"rejected")
    parity.credentials(NEW)
    assert events(parity.run()) == ["renewed", "recovered"]


@pytest.mark.usefixtures("hooks")
def test_recovery_without_a_new_token(parity: Parity) -> None:
    parity.credentials(OLD)
    parity.file(FAILING, "", 0o600)
    assert events(parity.run()) == ["recovered"]


@pytest.mark.parametrize("name", ["CLAUDE_CODE_OAUTH_TOKEN", "ANTHROPIC_AUTH_TOKEN"])
def test_hook_gets_no_token_in_its_environment_or_arguments(
    parity: Parity, hooks: dict[str, StandIn], name: str
) -> None:
    parity.env[name] = NEW
    parity.env["OTHER"] = "is kept"
    parity.credentials(expires_in="-1h")
    parity.claude.renews(token=NEW)
    hooks["renewed"].exits(0)
    run = parity.run()
    (call,) = [call for call in run.all_calls if call.program == "renewed"]
    assert call.argv == []
    assert call.env["OTHER"] == "is kept"
    assert not [value for value in call.env.values() if NEW in value]
    assert (call.cwd, call.stdin) == ("/", b"")
    assert call.descriptors == {
        0: "/dev/null",
        1: "pipe 1 (write)",
        2: "pipe 1 (write)",
    }


def test_output_of_a_failed_hook_is_logged_and_masked(
    parity: Parity, hooks: dict[str, StandIn]
) -> None:
    parity.credentials(NEW)
    hooks["renewed"].exits(3, stdout=f"one {NEW}\n", stderr="two\n")
    run = parity.run()
    assert run.exit_code == 0
    assert run.messages[-3:] == [
        "WARN: hook 'renewed' failed (exit 3)",
        "hook 'renewed': one sk-ant-***",
        "hook 'renewed': two",
    ]
    assert run.files[LOG].mode == 0o600


def test_output_of_a_successful_hook_is_discarded(
    parity: Parity, hooks: dict[str, StandIn]
) -> None:
    parity.credentials(NEW)
    hooks["renewed"].exits(0, stdout="a word\n")
    run = parity.run()
    assert run.messages[-1] == "Hook 'renewed' succeeded"


def test_hanging_hook_is_terminated(parity: Parity, hooks: dict[str, StandIn]) -> None:
    parity.shortens_time_limits()
    parity.credentials(NEW)
    hooks["renewed"].hangs()
    run = parity.run()
    assert run.exit_code == 0
    assert run.messages[-1] == (
        "WARN: hook 'renewed' was ended after 30 s, or by a signal (exit 124)"
    )


def test_killed_hook_is_reported(parity: Parity, hooks: dict[str, StandIn]) -> None:
    parity.credentials(NEW)
    hooks["renewed"].dies_by_signal(int(signal.SIGSEGV))
    assert parity.run().messages[-1] == "WARN: hook 'renewed' failed (exit 139)"


@pytest.mark.usefixtures("hooks")
@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [
        (b"", 0o644, ""),
        (b"#!/no/such/program\n", 0o755, "WARN: hook 'renewed' failed (exit 127)"),
        (b"#!/etc\n", 0o755, "WARN: hook 'renewed' failed (exit 126)"),
        (b"exit 4\n", 0o755, "WARN: hook 'renewed' failed (exit 4)"),  # sh runs this file
    ],
)
def test_hook_that_cannot_be_run(parity: Parity, content: bytes, mode: int, said: str) -> None:
    parity.credentials(NEW)
    parity.file("scripts/oauth/hooks/renewed", content, mode)
    run = parity.run()
    assert run.exit_code == 0
    found = [line for line in run.messages if line.startswith(("WARN", "Hook"))]
    assert found == ([said] if said else [])


def test_program_in_place_of_the_hooks_directory_is_not_run(parity: Parity) -> None:
    parity.credentials(NEW)
    parity.dotenv(f"CLAUDE_CODE_OAUTH_TOKEN={NEW}\n")  # no event
    parity.file("scripts/oauth/hooks", b"#!/bin/sh\necho >ran\n", 0o755)
    run = parity.run()
    assert run.exit_code == 0
    assert not [line for line in run.messages if "hook" in line.lower()]


@pytest.mark.usefixtures("hooks")
def test_directory_is_not_a_hook(parity: Parity) -> None:
    parity.credentials(NEW)
    parity.delete("scripts/oauth/hooks/renewed")
    parity.directory("scripts/oauth/hooks/renewed")
    run = parity.run()
    assert (run.exit_code, events(run)) == (0, [])


@pytest.mark.usefixtures("hooks")
def test_hook_fails_without_the_timeout_program(parity: Parity) -> None:
    parity.credentials(NEW)
    parity.remove("timeout")
    run = parity.run()
    assert run.exit_code == 0
    assert run.messages[-1] == "WARN: hook 'renewed' failed (exit 127)"


@pytest.mark.parametrize("directory", ["a=b", "two words", "new\nline", "$HOME;'\"*"])
def test_project_with_an_odd_name(parity: Parity, directory: str) -> None:
    hook(parity, "renewed")
    parity.rename(project=directory)
    parity.credentials(NEW)
    run = parity.run()
    assert events(run) == ["renewed"]
    assert hook_environment(run, "renewed")["OAUTHKIT_DOTENV"] == f"{parity.project}/.env"


def test_next_run_is_scheduled_before_a_hook_runs(
    parity: Parity, hooks: dict[str, StandIn]
) -> None:
    parity.credentials(NEW)
    hooks["renewed"].exits(0)
    programs = [*parity.run().programs]
    assert programs.index("systemd-run") < programs.index("renewed")


def test_claude_path_with_an_equals_sign(parity: Parity) -> None:
    parity.rename(home="a=b")
    parity.remove("claude")
    parity.stand_in("claude", place="~/.local/bin/claude")
    parity.credentials(expires_in="-1h")
    parity.claude.renews(token=NEW)
    run = parity.run()
    assert run.exit_code == 0
    assert run.calls("claude") == [["-p", "ok", "--no-session-persistence"]]


# --- The failing mark ---


def test_first_failed_run_creates_the_failing_mark(parity: Parity) -> None:
    mark = refuse(parity, NOT_FOUND).files[FAILING]
    assert (mark.kind, mark.mode, mark.content) == ("file", 0o600, b"")


def test_next_failed_run_keeps_the_failing_mark(parity: Parity) -> None:
    refuse(parity, NOT_FOUND)
    parity.credentials(raw=b"[]")
    run = parity.run()
    assert run.exit_code == 1
    assert FAILING in run.files
    assert run.touched == [LOG]


def test_successful_run_removes_the_failing_mark(parity: Parity) -> None:
    refuse(parity, NOT_FOUND)
    parity.credentials("fresh")
    run = parity.run()
    assert run.exit_code == 0
    assert FAILING not in run.files


@pytest.mark.parametrize("left", [1801, 1800, 301])
def test_run_that_delivers_a_short_lived_token_succeeds(parity: Parity, left: Any) -> None:
    parity.file(FAILING, mode=0o600)
    parity.credentials("fresh", expires_in=left)
    run = accept(parity)
    assert FAILING not in run.files
    is_short = "WARN: token expires in <30 min, scheduling retry in 5 min" in run.messages
    assert is_short == (left <= 1800)


# --- The end of the login ---

DAY_MS = 24 * 3600 * 1000
STATE = "logs/oauth-refresh.login-ending"


def with_login_end(parity: Parity, login_end: str) -> RefreshRun:
    """Run both forms with a fresh token and this refreshTokenExpiresAt, a JSON value."""
    oauth = (
        f'"accessToken":"{NEW}","refreshToken":"made-up-refresh",'
        f'"expiresAt":{IN_8_H_MS + 2 * DAY_MS},'
        f'"refreshTokenExpiresAt":{login_end}'
    )
    parity.credentials(raw=f'{{"claudeAiOauth":{{{oauth}}}}}'.encode())
    run = parity.run()
    assert (run.exit_code, run.stdout, run.stray_stderr) == (0, "", "")
    return run


@pytest.mark.parametrize(
    ("left_ms", "days"),
    [
        (3 * DAY_MS + 1, None),
        (3 * DAY_MS, 3),
        (DAY_MS + 1, 3),
        (DAY_MS, 1),
        (0, 1),
        (-DAY_MS, 1),
    ],
)
def test_end_of_the_login_is_announced(parity: Parity, left_ms: int, days: int | None) -> None:
    hook(parity, "login-ending")
    ends_at = parity.now_s * 1000 + left_ms
    run = with_login_end(parity, str(ends_at))
    warned = [line for line in run.messages if "the login end" in line]
    called = [call for call in run.all_calls if call.program == "login-ending"]
    assert len(warned) == len(called) == (days is not None)
    if days is not None:
        assert run.files[STATE].content == f"{ends_at} {days}".encode()
        assert run.files[STATE].mode == 0o600
        assert called[0].env["OAUTHKIT_LOGIN_ENDS_AT"] == str(ends_at)
        assert called[0].env["OAUTHKIT_EVENT"] == "login-ending"


def test_warning_names_time_and_fix_and_is_logged_twice(parity: Parity) -> None:
    ends_at = parity.now_s * 1000 + 2 * DAY_MS
    text = "WARN: the login ends at 2026-01-04T03:04:05+00:00. Run 'claude auth login' before then"
    assert with_login_end(parity, str(ends_at)).messages.count(text) == 1
    assert with_login_end(parity, str(ends_at)).messages.count(text) == 1
    parity.set_clock(parity.now_s + DAY_MS // 1000)
    assert with_login_end(parity, str(ends_at)).messages.count(text) == 2
    assert with_login_end(parity, str(ends_at)).messages.count(text) == 2


def test_hook_login_ending_runs_once_at_3_days_and_once_at_1_day(parity: Parity) -> None:
    hook(parity, "login-ending")
    ends_at = str(parity.now_s * 1000 + 2 * DAY_MS)
    calls: list[int] = []
    for is_new in (True, False, True, False):
        if calls and is_new:
            parity.set_clock(parity.now_s + DAY_MS // 1000)
        run = with_login_end(parity, ends_at)
        calls.append([call.program for call in run.all_calls].count("login-ending"))
    assert calls == [1, 0, 1, 0]


def test_end_that_cannot_be_recorded_is_not_announced_at_each_run(parity: Parity) -> None:
    hook(parity, "login-ending")
    parity.directory(STATE)
    ends_at = str(parity.now_s * 1000 + 2 * DAY_MS)
    run = with_login_end(parity, ends_at)
    assert "login-ending" not in [call.program for call in run.all_calls]
    assert [line for line in run.messages if "the login ends at" in line]
    parity.step(lambda world: world.path(STATE).rmdir())
    run = with_login_end(parity, ends_at)
    assert "login-ending" in [call.program for call in run.all_calls]


def test_end_of_a_new_login_is_announced_again(parity: Parity) -> None:
    ends_at = parity.now_s * 1000 + 2 * DAY_MS
    with_login_end(parity, str(ends_at))
    run = with_login_end(parity, str(ends_at + 60_000))
    assert len([line for line in run.messages if "the login end" in line]) == 2


@pytest.mark.parametrize(
    "value", ['"text"', "true", "1e30", f"{10**30}", "0", "-5", "[]", '"1767400000000"']
)
def test_invalid_end_is_reported_and_ignored(parity: Parity, value: str) -> None:
    hook(parity, "renewed")
    run = with_login_end(parity, value)
    [renewed] = [call for call in run.all_calls if call.program == "renewed"]
    assert renewed.env["OAUTHKIT_LOGIN_ENDS_AT"] == (value if value in ("0", "-5") else "")
    line = "WARN: refreshTokenExpiresAt in credentials is not a time in ms and is ignored"
    assert run.messages.count(line) == 1
    assert run.dotenv == HAS_NEW.removeprefix("A=1\n")
    assert STATE not in run.files


def test_missing_end_is_not_mentioned(parity: Parity) -> None:
    run = with_login_end(parity, "null")
    assert not [line for line in run.messages if "WARN" in line]
