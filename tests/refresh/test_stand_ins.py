"""The stand-ins for claude, systemd-run and systemctl accept and reject what the real ones do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.support.parity_kit.programs import scripts
from tests.support.refresh.stand_ins import claude, systemctl, systemd_run, timeout, user_manager
from tests.support.refresh.world import UserManager

from oauthkit.parity import Pair, Run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RUN = "systemd-run --user --quiet --unit=x --on-calendar=@1767330000"
STOP = "systemctl --user stop x.timer x-alt.timer"
RESET = "systemctl --user reset-failed x.service x-alt.service"
TAKEN = "Failed to start transient timer unit: Unit {} was already loaded or has a fragment file.\n"


class Bench:
    """A sandbox in which a test calls the stand-ins."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.pair: Pair[Run] | None = None
        self.presets: list[Callable[[dict[str, Any]], None]] = []
        self.manager = UserManager(self.presets.append)

    def run(self, script: str, **env: str | None) -> Run:
        """Run the commands, and return the results."""
        self.pair = scripts(self.directory, script)
        self.pair.stand_in("systemd-run", systemd_run, always="arms")
        self.pair.stand_in("systemctl", systemctl, always="obeys")
        for name, value in env.items():
            self.pair.env.pop(name, None)
            if value is not None:
                self.pair.env[name] = value
        units: dict[str, Any] = {"timers": {}, "services": {}}
        for preset in self.presets:
            preset(units)
        pair = self.pair
        pair.step(lambda world: pair.write_state(world, user_manager.STATE, units))
        run = pair.run()
        pair.close()
        return run

    def refuses(self, command: str, message: str, **env: str | None) -> bool:
        """Assert that a command exits with 1 and this message."""
        run = self.run(command, **env)
        return (run.exit_code, run.stdout, run.stderr) == (1, "", message)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def units(run: Run) -> tuple[list[str], dict[str, str]]:
    """Return the loaded timers, and the services' states."""
    state = run.state[user_manager.STATE]
    return sorted(state["timers"]), state["services"]


def test_timer_is_created_as_requested(bench: Bench) -> None:
    run = bench.run(
        f"{RUN} --collect --description='a b' --timer-property=AccuracySec=1s --on-active=5h "
        "--property=RestartSec=5min --property=Restart=always "
        "--setenv=A='b c' --setenv=D= -- cat '/a b' --x"
    )
    assert (run.exit_code, run.stdout, run.stderr) == (0, "", "")
    assert run.state[user_manager.STATE]["timers"]["x"] == {
        "is_pending": True,
        "when_s": 1767330000,
        "command": ["cat", "/a b", "--x"],
        "setenv": {"A": "b c", "D": ""},
        "collect": True,
        "description": "a b",
        "latest": "5h",
        "properties": ["AccuracySec=1s"],
        "service_properties": ["RestartSec=5min", "Restart=always"],
    }


def test_names_are_printed_without_quiet(bench: Bench) -> None:
    run = bench.run(f"{RUN.replace(' --quiet', '')} cat")
    assert run.stderr == "Running timer as unit: x.timer\nWill run service as unit: x.service\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--on-calendar=@ cat", "Failed to parse calendar event specification: Invalid argument"),
        ("--on-calendar=@-5 cat", "Failed to parse calendar event specification: Invalid argument"),
        (
            "--on-calendar=soon cat",
            "Failed to parse calendar event specification: Invalid argument",
        ),
        (
            f"--on-calendar=@{'9' * 20} cat",
            "Failed to parse calendar event specification: Numerical result out of range",
        ),
        ("--on-active=soon cat", "Failed to parse OnActiveSec=soon: Invalid argument"),
        ("--timer-property=AccuracySec=s cat", "Failed to parse AccuracySec=s: Invalid argument"),
        ("--property=RestartSec=min cat", "Failed to parse RestartSec=min: Invalid argument"),
        (
            "--property=Restart=sometimes cat",
            "Failed to start transient timer unit: Invalid Restart setting: sometimes",
        ),
        ("--setenv=1=x cat", "Cannot assign environment variable 1=x: Invalid argument"),
        ("--", "Command line to execute required."),
        ("-- missing", "Failed to find executable missing: No such file or directory"),
        ("--unit= -- cat", "Failed to mangle unit name: Invalid argument"),
    ],
)
def test_malformed_request(bench: Bench, arguments: str, message: str) -> None:
    assert bench.refuses(f"{RUN} {arguments}", f"{message}\n")


def test_past_timer_is_accepted_and_never_elapses(bench: Bench) -> None:
    run = bench.run(f"{RUN} --on-calendar=@1767323045 cat")
    assert run.exit_code == 0
    assert run.stderr == "Specified calendar expression is in the past, proceeding anyway.\n"
    assert units(run) == ([], {})


def test_name_of_a_pending_timer_is_taken_until_it_is_stopped(bench: Bench) -> None:
    bench.manager.pending("x")
    assert bench.refuses(f"{RUN} cat", TAKEN.format("x.timer"))
    run = Bench(bench.directory / "again").run(f"{RUN} cat && {STOP}; {RUN} cat")
    assert (run.exit_code, units(run)) == (0, (["x"], {}))


def test_name_of_the_running_service_is_taken_even_after_its_timer_is_stopped(
    bench: Bench,
) -> None:
    bench.manager.running("x")
    run = bench.run(f"{RUN} cat; {STOP}; {RUN} cat || {RUN} --unit=x-alt cat")
    assert run.exit_code == 0
    assert run.stderr == (
        TAKEN.format("x.timer")
        + "Failed to stop x-alt.timer: Unit x-alt.timer not loaded.\n"
        + TAKEN.format("x.service")
    )
    assert units(run) == (["x-alt"], {"x": "running"})


def test_name_of_a_failed_service_is_taken_until_it_is_reset(bench: Bench) -> None:
    bench.manager.failed("x")
    run = bench.run(f"{RUN} cat; {RESET}; printf '%s\\n' $?; {RUN} cat")
    assert (run.exit_code, run.stdout) == (0, "1\n")
    assert run.stderr == TAKEN.format("x.service") + (
        "Failed to reset failed state of unit x-alt.service: Unit x-alt.service not loaded.\n"
    )
    assert units(run) == (["x"], {})


def test_uncollected_failed_service_keeps_its_name() -> None:
    state: dict[str, Any] = {"timers": {}, "services": {}}
    manager = UserManager(lambda change: change(state))
    manager.running("x")
    manager.pending("x-alt")
    manager.fires("x-alt")
    assert (list(state["timers"]), state["services"]) == (["x-alt"], {"x-alt": "running"})
    user_manager.finish(state, "x-alt", has_failed=True)
    assert state["services"] == {}
    manager.running("x", collect=False)
    user_manager.finish(state, "x", has_failed=True)
    assert state["services"] == {"x": "failed"}


def test_stopping_a_unit_that_is_not_loaded(bench: Bench) -> None:
    run = bench.run(STOP)
    assert run.exit_code == 5
    assert run.stderr.startswith("Failed to stop x.timer: Unit x.timer not loaded.\n")


@pytest.mark.parametrize("command", [f"{RUN} cat", STOP, RESET])
def test_no_bus(bench: Bench, command: str) -> None:
    assert bench.refuses(
        command, "Failed to connect to bus: No medium found\n", XDG_RUNTIME_DIR=None
    )


def test_no_runtime_directory(bench: Bench) -> None:
    message = "Failed to connect to bus: No such file or directory\n"
    assert bench.refuses(f"{RUN} cat", message, XDG_RUNTIME_DIR="/nonexistent")


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("a b", r"a\x20b.timer"),
        ("a/b", "a-b.timer"),
        ("a.timer", "a.timer"),
        ("é", r"\xc3\xa9.timer"),
    ],
)
def test_unusual_names_are_escaped(name: str, unit: str) -> None:
    assert user_manager.mangle(name, ".timer") == unit


@pytest.mark.parametrize("name", ["", "@", "a" * 256])
def test_impossible_names_are_rejected(name: str) -> None:
    with pytest.raises(user_manager.RefusedError, match="Failed to mangle unit name"):
        user_manager.mangle(name, ".timer")


@pytest.mark.parametrize(
    "command",
    [
        "systemd-run --unit=x --on-calendar=@1767330000 cat",
        "systemd-run --user --unit=x cat",
        f"{RUN} --on-calendar='2026-01-02 03:04' cat",
        f"{RUN} --scope cat",
        "systemctl --user daemon-reload",
        "systemctl stop x.timer",
    ],
)
def test_unsupported_calls_fail_the_test(bench: Bench, command: str) -> None:
    with pytest.raises(AssertionError, match="not supported by the stand-in"):
        bench.run(command)


# --- claude ---


CREDENTIALS = "~/.claude/.credentials.json"
CALL = "claude -p ok --no-session-persistence"


def credentials(left_s: float) -> str:
    expiry = (1767323045 + left_s) * 1000
    oauth = {"accessToken": "old", "refreshToken": "r", "expiresAt": expiry, "scopes": ["s"]}
    return json.dumps({"claudeAiOauth": oauth, "other": 1})


def claude_bench(directory: Path, content: str, script: str = CALL) -> Pair[Run]:
    pair = scripts(directory, script)
    pair.file(CREDENTIALS, content, 0o600)
    pair.stand_in("claude", claude)
    return pair


def login(run: Run) -> dict[str, Any]:
    """Return the login in the credentials file after a run."""
    oauth: dict[str, Any] = json.loads(run.files[CREDENTIALS].content)["claudeAiOauth"]
    return oauth


@pytest.mark.parametrize(("left_s", "token"), [(-1, "new"), (300, "new"), (301, "old")])
def test_claude_renews_with_five_minutes_left(tmp_path: Path, left_s: int, token: str) -> None:
    pair = claude_bench(tmp_path, credentials(left_s))
    pair.stand_ins["claude"].renews(token="new", expires_in=60)
    run = pair.run()
    pair.close()
    assert (run.exit_code, run.stdout, login(run)["accessToken"]) == (0, "ok\n", token)
    assert login(run)["scopes"] == ["s"]
    assert login(run)["expiresAt"] == 1767323105000 or token == "old"


@pytest.mark.parametrize(
    ("name", "status"),
    [("CLAUDE_CODE_OAUTH_TOKEN", 0), ("ANTHROPIC_API_KEY", 0), ("CLAUDECODE", 1)],
)
def test_claude_with_another_login_renews_nothing(tmp_path: Path, name: str, status: int) -> None:
    pair = claude_bench(tmp_path, credentials(-1))
    pair.env[name] = "1"
    pair.stand_ins["claude"].renews(token="new")
    run = pair.run()
    pair.close()
    assert (run.exit_code, login(run)["accessToken"]) == (status, "old")


def test_claude_without_a_login(tmp_path: Path) -> None:
    pair = claude_bench(tmp_path, "{}")
    pair.stand_ins["claude"].renews()
    run = pair.run()
    pair.close()
    assert (run.exit_code, run.stdout) == (1, "Invalid API key · Please run /login\n")


def test_claude_whose_login_is_rejected(tmp_path: Path) -> None:
    pair = claude_bench(tmp_path, credentials(-1))
    pair.stand_ins["claude"].blanks_login()
    run = pair.run()
    pair.close()
    assert run.exit_code == 1
    assert "/login" in run.stdout
    assert (login(run)["accessToken"], login(run)["refreshToken"]) == ("", "")


def test_claude_in_another_directory(tmp_path: Path) -> None:
    pair = claude_bench(tmp_path, credentials(-1))
    pair.env["CLAUDE_CONFIG_DIR"] = str(pair.project / "config")
    pair.stand_ins["claude"].writes_credentials("raw").then.hangs(seconds=0)
    run = pair.run()
    pair.close()
    assert run.files["config/.credentials.json"].content == b"raw"
    assert login(run)["accessToken"] == "old"


def test_claude_that_does_not_know_the_flag(tmp_path: Path) -> None:
    pair = claude_bench(tmp_path, credentials(-1), f"{CALL} || claude -p ok")
    pair.stand_ins["claude"].rejects_flag()
    pair.stand_ins["claude"].renews(token="new")
    run = pair.run()
    pair.close()
    assert run.stderr == "error: unknown option '--no-session-persistence'\n"
    assert login(run)["accessToken"] == "new"


def test_short_time_limit(tmp_path: Path) -> None:
    pair = scripts(tmp_path, "timeout -k 5 55 sleep 300")
    pair.stand_in("timeout", timeout).always.shortens(limit_s=0.05)
    run = pair.run()
    pair.close()
    assert run.exit_code == 124
    assert run.calls("timeout") == [["-k", "5", "55", "sleep", "300"]]
