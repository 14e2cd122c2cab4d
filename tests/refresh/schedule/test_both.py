"""Step 6, the next run: its time, unit name and settings, or why it is not scheduled."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from tests.support.compiler.bashes import release
from tests.support.refresh.world import CREDENTIALS, UNIT, seconds, stop, stops, unit_names

from oauthkit.parity.clock import DEFAULT_NOW_S, epoch_s

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.refresh.world import Parity, RefreshRun

    from oauthkit.parity import Form

RETRY_S = 300
DAY_S = 24 * 3600
# For a token that expires in 8 h.
DUE_IN_S = 8 * 3600 - 1800
SCHEDULED = "Scheduled next refresh at 2026-01-02T10:34:05+00:00"
SOON = "WARN: token expires in <30 min, scheduling retry in 5 min"


def refresh(parity: Parity, exit_code: int = 0) -> RefreshRun:
    """Run both forms, which must print nothing and exit with this status."""
    run = parity.run()
    assert (run.exit_code, run.stdout, run.stray_stderr) == (exit_code, "", "")
    return run


def units(run: RefreshRun) -> list[str]:
    """Return the units that are pending after the run, without suffix."""
    return [timer.unit for timer in run.timers]


def tried(run: RefreshRun) -> list[str]:
    """Return the unit names with which systemd-run was called, in order."""
    words = [word for argv in run.calls("systemd-run") for word in argv]
    return [word.partition("=")[2] for word in words if word.startswith("--unit=")]


def not_scheduled(status: int, *reasons: str) -> list[str]:
    """Return the log's last lines if no timer could be scheduled."""
    lines = [f"systemd-run: {reason}" for reason in reasons]
    return [*lines, f"ERROR: systemd-run failed (exit {status}), next refresh NOT scheduled"]


# --- The command ---


def test_timer_is_armed_by_exactly_this_command(parity: Parity) -> None:
    parity.credentials(expires_in="8h")
    run = refresh(parity)
    assert run.programs == ["jq", "systemctl", "systemd-run"]
    assert run.calls("systemctl") == [stop(parity.units)]
    assert run.calls("systemd-run") == [
        [
            "--user", "--quiet", "--collect", "--description=NanoClaw OAuth token refresh",
            "--timer-property=AccuracySec=1s", "--property=RuntimeMaxSec=10min",
            "--property=Restart=on-abnormal", "--property=RestartSec=7min",
            "--property=IgnoreSIGPIPE=no",
            "--property=WorkingDirectory=/",
            "--property=LimitCORE=0",
            f"--setenv=HOME={parity.home}",
            f"--setenv=PATH={parity.world.bin}", f"--on-calendar=@{parity.now_s + DUE_IN_S}",
            "--on-active=25h", f"--unit={UNIT}", "--",
            *parity.forms["bash"].own_command(parity.world),
        ]
    ]  # fmt: skip
    assert run.messages[-1] == SCHEDULED


def test_dollar_in_the_project_path_is_doubled_in_the_command(parity: Parity) -> None:
    parity.rename(project="a $HOME ${x} $$")
    parity.credentials()
    run = refresh(parity)
    place = parity.project.with_name("a $$HOME $${x} $$$$")
    assert run.timers[0].command[1:] == [f"{place}/scripts/oauth/refresh.sh"]
    # The Python form's command is checked by the kit: it must be exactly this.
    assert parity.forms["python"].own_command(parity.world)[-1] == f"--project={place}"


# --- The time ---


def in_ms(duration: str, more_ms: int = 0) -> int:
    """Return the expiry of a token with this remaining life, in ms since the epoch."""
    return (DEFAULT_NOW_S + seconds(duration)) * 1000 + more_ms


DUE = {
    "in 8 h": (in_ms("8h"), DUE_IN_S, False),
    "in 8 h and 999 ms, truncated": (in_ms("8h", 999), DUE_IN_S, False),
    "in 24 h 30 min": (in_ms("24h30m"), DAY_S, False),
    "a second later: capped": (in_ms("24h30m1s"), DAY_S, False),
    "in a year: capped": (in_ms("365d"), DAY_S, False),
    "15 digits: capped": (999_999_999_999_999, DAY_S, False),
    "in 31 min": (in_ms("31m"), 60, False),
    "in 30 min 31 s": (in_ms("30m31s"), 31, False),
    "in 30 min 29 s": (in_ms("30m29s"), 29, False),
    "in 30 min 1 s": (in_ms("30m1s"), 1, False),
    "1 ms more than 30 min: in the next second": (in_ms("30m", 1), 1, False),
    "in 30 min": (in_ms("30m"), RETRY_S, True),
    "in 29 min 59 s": (in_ms("29m59s"), RETRY_S, True),
    "in 10 min": (in_ms("10m"), RETRY_S, True),
    "in 9 min 59 s: when it can be renewed": (in_ms("9m59s"), 299, True),
    "in 7 min and 1 ms: when it can be renewed": (in_ms("7m", 1), 121, True),
    "in 5 min 1 s: when it can be renewed": (in_ms("5m1s"), 1, True),
    "in 5 min and 1 ms: in the next second": (in_ms("5m", 1), 1, True),
}


@pytest.mark.parametrize("is_renewed", [False, True], ids=["fresh", "renewed"])
@pytest.mark.parametrize(("expires_at", "due_in_s", "is_soon"), DUE.values(), ids=DUE)
def test_next_run_is_30_min_before_expiry_within_a_day_and_not_past(
    parity: Parity, expires_at: int, due_in_s: int, is_soon: bool, is_renewed: bool
) -> None:
    parity.credentials(expires_at=0 if is_renewed else expires_at)
    if is_renewed:
        parity.claude.renews(expires_at=expires_at)
    run = refresh(parity)
    assert [timer.when_s for timer in run.timers] == [parity.now_s + due_in_s]
    assert run.messages[-2:-1] == [SOON] if is_soon else SOON not in run.messages


Recipe: TypeAlias = "Callable[[Parity], None]"
FAILURES: dict[str, tuple[dict[str, Any], Recipe, str]] = {
    "no credentials": (
        {}, lambda parity: parity.delete(CREDENTIALS), "{home}/.claude/.credentials.json not found",
    ),
    "no token": ({"token": None}, lambda _: None, "no accessToken in credentials"),
    "no claude": (
        {"expires_at": 0}, lambda parity: parity.remove("claude"),
        "claude binary not found in PATH or common locations",
    ),
    ".env is a directory": (
        {}, lambda parity: parity.directory(".env"),
        "{project}/.env is not a file and is not changed",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("login", "break_it", "problem"), FAILURES.values(), ids=FAILURES)
def test_retry_5_min_after_a_failure_is_in_the_warning(
    parity: Parity, login: dict[str, Any], break_it: Recipe, problem: str
) -> None:
    parity.credentials(**login)
    break_it(parity)
    parity.systemd.pending()
    run = refresh(parity, 1)
    problem = problem.format(home=parity.home, project=parity.project)
    assert run.messages[-3:] == [
        f"ERROR: {problem}",
        f"WARN: scheduling retry in 5 min after: {problem}",
        "Scheduled next refresh at 2026-01-02T03:09:05+00:00",
    ]
    assert [(timer.unit, timer.when_s) for timer in run.timers] == [(UNIT, parity.now_s + RETRY_S)]


def test_retry_is_not_later_than_the_renewal(parity: Parity) -> None:
    parity.credentials(expires_in="7m")
    parity.directory(".env")
    run = refresh(parity, 1)
    assert [timer.when_s for timer in run.timers] == [parity.now_s + 2 * 60]


# --- The unit name ---

NAMES: dict[str, tuple[dict[int, str], list[int], bool]] = {
    # The existing units, the names that are tried, and whether failed units are reset in between.
    # Names are numbered as in Parity.units.
    "free": ({}, [0], False),
    "pending": ({0: "pending"}, [0], False),
    "-alt pending": ({1: "pending"}, [0], False),
    "both pending": ({0: "pending", 1: "pending"}, [0], False),
    "inside": ({0: "running"}, [0, 1], False),
    "inside, -alt pending": ({0: "running", 1: "pending"}, [0, 1], False),
    "inside -alt": ({1: "running"}, [0], False),
    "inside -alt, the other pending": ({0: "pending", 1: "running"}, [0], False),
    "failed": ({0: "failed"}, [0, 1], False),
    "-alt failed": ({1: "failed"}, [0], False),
    "inside -alt, the other failed": ({0: "failed", 1: "running"}, [0, 1, 2], False),
    "inside, -alt failed": ({0: "running", 1: "failed"}, [0, 1, 2], False),
    "inside, -alt lingers": ({0: "running", 1: "running"}, [0, 1, 2], False),
    "inside -alt-alt": ({0: "running", 2: "running"}, [0, 1], False),
    "-alt-alt pending": ({2: "pending"}, [0], False),
    "all pending": (dict.fromkeys((0, 1, 2), "pending"), [0], False),
    "inside, the others failed": (
        {0: "running", 1: "failed", 2: "failed"}, [0, 1, 2, 0, 1], True,
    ),
    "all failed": (dict.fromkeys((0, 1, 2), "failed"), [0, 1, 2, 0], True),
    "inside, -alt lingers, the third failed": (
        {0: "running", 1: "running", 2: "failed"}, [0, 1, 2, 0, 1, 2], True,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("before", "names", "is_reset"), NAMES.values(), ids=NAMES)
def test_exactly_one_timer_is_pending_under_a_free_name(
    parity: Parity, before: dict[int, str], names: list[int], is_reset: bool
) -> None:
    for unit, state in before.items():
        getattr(parity.systemd, state)(parity.units[unit])
    parity.credentials()
    run = refresh(parity)
    wanted = [parity.units[name] for name in names]
    assert tried(run) == wanted
    assert units(run) == wanted[-1:]
    assert run.timers[0].when_s == parity.now_s + DUE_IN_S
    assert run.calls("systemctl") == stops(parity.units, len(names), is_reset=is_reset)
    assert run.messages[-1] == SCHEDULED


def test_no_free_name_is_an_error(parity: Parity) -> None:
    for unit in parity.units:
        parity.systemd.running(unit)
    parity.credentials()
    run = refresh(parity)
    assert tried(run) == [*parity.units] * 2
    assert units(run) == []
    taken = f"Unit {parity.units[2]}.service was already loaded or has a fragment file."
    assert run.messages[-2:] == not_scheduled(1, f"Failed to start transient timer unit: {taken}")


def test_setting_names_the_unit(parity: Parity) -> None:
    parity.env["OAUTHKIT_UNIT"] = "my-unit"
    names = unit_names(parity.world.project, "my-unit")
    parity.systemd.pending(names[1])
    parity.systemd.running("my-unit")
    parity.systemd.pending(UNIT)  # another project's
    parity.credentials()
    run = refresh(parity)
    assert run.calls("systemctl") == [stop(names)] * 2
    assert tried(run) == [*names[:2]]
    assert units(run) == [UNIT, names[1]]
    assert run.timers[1].setenv["OAUTHKIT_UNIT"] == "my-unit"


INVALID_UNITS = ["a/b c", "ünit", "a@b", "-x", ".timer", "x" * 81, "a\nb\x1b[31m"]


@pytest.mark.parametrize("name", INVALID_UNITS)
def test_name_that_systemd_would_change_is_not_used(parity: Parity, name: str) -> None:
    parity.env["OAUTHKIT_UNIT"] = name
    parity.credentials()
    run = refresh(parity)
    shown = name.replace("\n", "?").replace("\x1b", "?")
    warning = f"WARN: OAUTHKIT_UNIT is not a valid unit name: {shown}. Using {UNIT}"
    assert [line for line in run.messages if "WARN" in line] == [warning]
    assert (run.exit_code, tried(run), units(run)) == (0, [UNIT], [UNIT])


def test_name_in_refresh_conf_that_systemd_would_change_is_not_used(parity: Parity) -> None:
    parity.file("scripts/oauth/refresh.conf", "OAUTHKIT_UNIT=a b\n", 0o600)
    parity.credentials()
    run = refresh(parity)
    assert f"WARN: OAUTHKIT_UNIT is not a valid unit name: a b. Using {UNIT}" in run.messages
    assert (run.exit_code, units(run)) == (0, [UNIT])


TRANSIENT = """# This is a transient unit file.
[Unit]
Description=NanoClaw OAuth token refresh

[Service]
Environment="OAUTHKIT_DOTENV={project}/.env"
ExecStart=
ExecStart="/usr/bin/bash" "{script}"
"""


@pytest.mark.parametrize("state", ["pending", "running"])
def test_timer_of_another_project_is_left_alone(parity: Parity, state: str) -> None:
    parity.credentials()
    getattr(parity.systemd, state)(UNIT)
    file = f"../run/systemd/transient/{UNIT}.service"
    script = "/srv/other/scripts/oauth/refresh.sh"
    parity.file(file, TRANSIENT.format(project=parity.project, script=script).encode())
    run = refresh(parity)
    own = parity.units[1]
    assert tried(run) == [own]
    assert set(units(run)) == {own, *([UNIT] if state == "pending" else [])}
    assert run.calls("systemctl") == []
    assert f"WARN: the unit {UNIT} does not belong to this project. Using {own}" in run.messages


@pytest.mark.parametrize("running", [1, 2])
def test_names_beside_the_timer_of_another_project(parity: Parity, running: int) -> None:
    parity.credentials()
    _, own, spare = parity.units
    names = [own, spare, f"{spare}-alt"]
    for name in names[:running]:
        parity.systemd.running(name)
    script = "/srv/other/scripts/oauth/refresh.sh"
    text = TRANSIENT.format(project=parity.project, script=script)
    parity.file(f"../run/systemd/transient/{UNIT}.service", text.encode())
    run = refresh(parity)
    assert tried(run) == names[: running + 1]
    assert units(run) == [names[running]]


@pytest.mark.parametrize(
    "name",
    ["project", "a b", "100%", "$HOME", "ä", "Bob's", 'a"b', "a;b", "a\\b", "a\nb\tc\rd"],
)
def test_own_timer_is_replaced(parity: Parity, name: str) -> None:
    parity.rename(project=name)
    parity.credentials()
    parity.systemd.pending(UNIT)
    escaped = str(parity.project).replace("%", "%%").replace("$", "$$")
    for character in "\\\"';$":
        escaped = escaped.replace(character, f"\\{character}")
    escaped = escaped.replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")
    text = TRANSIENT.format(project="/x", script=f"{escaped}/scripts/oauth/refresh.sh")
    for kind in ("service", "timer"):
        parity.file(f"../run/systemd/transient/{UNIT}.{kind}", text.encode())
    run = refresh(parity)
    assert units(run) == [UNIT]
    assert not [line for line in run.messages if "not this project" in line]


@pytest.mark.parametrize("written", ["\\$\\$", "$$$$"], ids=["systemd 252", "systemd 257"])
def test_own_timer_in_a_path_with_dollars_is_replaced(parity: Parity, written: str) -> None:
    parity.rename(project="$HOME $$")
    parity.credentials()
    parity.systemd.pending(UNIT)
    escaped = str(parity.project).replace("$", written)
    text = TRANSIENT.format(project="/x", script=f"{escaped}/scripts/oauth/refresh.sh")
    for kind in ("service", "timer"):
        parity.file(f"../run/systemd/transient/{UNIT}.{kind}", text.encode())
    run = refresh(parity)
    assert units(run) == [UNIT]
    assert not [line for line in run.messages if "not this project" in line]


def test_only_loaded_timers_are_stopped(parity: Parity) -> None:
    # Since systemd 262, systemctl stops none of several units if one is not loaded.
    parity.credentials()
    _, own, _ = parity.units
    script = parity.project / "scripts/oauth/refresh.sh"
    text = TRANSIENT.format(project=parity.project, script=script).encode()
    parity.systemd.running(UNIT)  # its timer has been stopped
    parity.systemd.pending(own)
    for file in (f"{UNIT}.service", f"{own}.service", f"{own}.timer"):
        parity.file(f"../run/systemd/transient/{file}", text)
    run = refresh(parity)
    stop = ["--user", "--no-block", "stop", f"{own}.timer"]
    assert run.calls("systemctl")[0] == stop
    assert units(run) == [own]


def test_timer_of_a_path_with_other_dollars_is_another_project_s(parity: Parity) -> None:
    parity.rename(project="$app")
    parity.credentials()
    parity.systemd.pending(UNIT)
    other = parity.project.with_name("ap$p")
    text = TRANSIENT.format(project="/x", script=f"{other}/scripts/oauth/refresh.sh")
    parity.file(f"../run/systemd/transient/{UNIT}.service", text.replace("$", "$$").encode())
    first, second = units(refresh(parity))
    assert first == UNIT
    assert second.startswith(f"{UNIT}-")


# The minutes that the token has left at each hop, and the seconds until the next hop.
HOPS = [(30, 300), (25, 300), (20, 300), (15, 300), (10, 300), (5, 300), (0, 27000)]


def test_chain_in_its_own_services_survives_a_failed_renewal(
    parity: Parity,
) -> None:
    parity.credentials(token="old", expires_in="35m")
    run = refresh(parity)
    assert [(timer.unit, timer.when_s - parity.now_s) for timer in run.timers] == [(UNIT, 300)]
    for hop, (left_min, wait_s) in enumerate(HOPS):
        parity.systemd.fires(run.timers[0].unit)
        parity.set_clock(run.timers[0].when_s)
        if left_min == 5:
            parity.claude.renews_nothing()
        if left_min == 0:
            parity.claude.renews(token="new")
        run = refresh(parity, exit_code=int(left_min == 5))
        expected = (parity.units[1 - hop % 2], parity.now_s + wait_s)
        assert [(timer.unit, timer.when_s) for timer in run.timers] == [expected], left_min
        assert run.dotenv == f"CLAUDE_CODE_OAUTH_TOKEN={'old' if left_min else 'new'}\n"


# --- The settings ---


def test_settings_are_passed_on_as_absolute_paths(parity: Parity) -> None:
    parity.set_cwd("~")
    parity.credentials(path="~/a config/.credentials.json")
    parity.directory("~/d $x")
    settings = {
        "CLAUDE_CONFIG_DIR": ("./a config//", "a config"),
        "OAUTHKIT_DOTENV": ("d $x/../d $x/e nv", "d $x/e nv"),
        "OAUTHKIT_LOG": ("logs é/log", "logs é/log"),
    }
    parity.env.update({name: given for name, (given, _) in settings.items()})
    parity.env.update(OAUTHKIT_UNIT="my-unit", OAUTHKIT_LIGHT="1", HOME=f"{parity.world.home}/")
    run = refresh(parity)
    assert run.timers[0].setenv == {
        "HOME": str(parity.home),
        "PATH": str(parity.world.bin),
        "OAUTHKIT_UNIT": "my-unit",
        "OAUTHKIT_LIGHT": "1",
        **{name: f"{parity.home}/{carried}" for name, (_, carried) in settings.items()},
    }


def test_path_is_passed_on_unchanged(parity: Parity) -> None:
    parity.credentials()
    parity.env["PATH"] = path = f"{parity.world.bin}:{parity.world.home}/a b//$c/.:~/bin::"
    run = refresh(parity)
    assert run.timers[0].setenv["PATH"] == path
    assert {call.env["PATH"] for call in run.all_calls} == {path}


def test_only_set_variables_are_passed_on(parity: Parity) -> None:
    parity.credentials()
    names = ("CLAUDE_CONFIG_DIR", "OAUTHKIT_DOTENV", "OAUTHKIT_LOG", "OAUTHKIT_UNIT",
             "OAUTHKIT_LIGHT")  # fmt: skip
    parity.env.update(dict.fromkeys(names, ""), OAUTHKIT_OTHER="x", ANTHROPIC_API_KEY="x")
    run = refresh(parity)
    assert run.timers[0].setenv == {"HOME": str(parity.home), "PATH": str(parity.world.bin)}
    assert units(run) == [UNIT]


# --- Without a timer: the exit status is unchanged ---

OUTCOMES = pytest.mark.parametrize("exit_code", [0, 1])


@OUTCOMES
def test_missing_systemd_run_is_a_warning_and_the_old_timer_is_kept(
    parity: Parity, exit_code: int
) -> None:
    parity.credentials(token=None if exit_code else "token")
    parity.systemd.pending()
    parity.remove("systemd-run")
    run = refresh(parity, exit_code)
    assert run.messages[-1] == "WARN: systemd-run not found, next refresh NOT scheduled"
    assert units(run) == [UNIT]


REFUSALS: dict[str, tuple[str, dict[str, Any], list[str]]] = {
    "exit 1": (
        "exits", {"exit": 1, "stderr": "Failed to start: Access denied\nsecond line\n"},
        not_scheduled(1, "Failed to start: Access denied", "second line"),
    ),
    "reason on stdout": ("exits", {"exit": 4, "stdout": "why\n"}, not_scheduled(4, "why")),
    "reason with a token": (
        "exits", {"exit": 1, "stderr": "sk-ant-oat01-made-up?\n"}, not_scheduled(1, "sk-ant-***?"),
    ),
    "no reason": ("exits", {"exit": 255}, not_scheduled(255)),
    "exit 126": ("exits", {"exit": 126}, not_scheduled(126)),
    "SIGKILL": ("dies_by_signal", {"number": 9}, not_scheduled(137)),
    "SIGTERM": ("dies_by_signal", {"number": 15}, not_scheduled(143)),
}  # fmt: skip


@OUTCOMES
@pytest.mark.parametrize(("how", "arguments", "lines"), REFUSALS.values(), ids=REFUSALS)
def test_failing_systemd_run_is_an_error_with_its_status_and_reason(
    parity: Parity, how: str, arguments: dict[str, Any], lines: list[str], exit_code: int
) -> None:
    parity.credentials(token=None if exit_code else "token")
    getattr(parity.systemd_run.always, how)(**arguments)
    run = refresh(parity, exit_code)
    assert run.messages[-len(lines) :] == lines
    assert not any(line.startswith("systemd-run:") for line in run.messages[: -len(lines)])
    assert tried(run) == [*parity.units] * 2
    assert run.calls("systemctl") == stops(parity.units, 6, is_reset=True)
    assert units(run) == []


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"\x7fELF\0\0\0\0", 126),
        pytest.param(
            b"#!/no/such/interpreter\n",
            127,
            marks=pytest.mark.xfail(
                release("bash") not in {"5.0", "5.1", "5.2"}, reason="126 since bash 5.3"
            ),
        ),
    ],
)
def test_systemd_run_that_cannot_be_started_is_an_error(
    parity: Parity, content: bytes, status: int
) -> None:
    parity.credentials()
    parity.file("../bin/systemd-run", content, 0o755)
    run = refresh(parity)
    assert run.messages[-1:] == not_scheduled(status)


def test_output_of_systemd_run_that_is_logged_is_limited(parity: Parity) -> None:
    parity.credentials()
    parity.file("../bin/systemd-run", "#!/bin/sh\nprintf %0100000d 0\nexit 1\n", 0o755)
    run = refresh(parity)
    assert run.messages[-1:] == not_scheduled(1)
    assert run.messages[-2] == f"systemd-run: {'0' * 100_000}"[: 16 * 1024]


def test_20_lines_of_systemd_run_are_logged(parity: Parity) -> None:
    parity.credentials()
    parity.tool("seq")
    parity.file("../bin/systemd-run", "#!/bin/sh\nseq 30\nexit 1\n", 0o755)
    run = refresh(parity)
    logged = [line for line in run.messages if line.startswith("systemd-run: ")]
    assert logged == [f"systemd-run: {number}" for number in range(1, 21)]


def test_failed_systemd_run_is_repeated_with_the_other_name(parity: Parity) -> None:
    parity.credentials()
    parity.systemd_run.fails(stderr="Failed for once\n")
    run = refresh(parity)
    assert units(run) == [parity.units[1]]
    assert "Failed for once" not in run.log


def test_free_name_is_used_without_systemctl(parity: Parity) -> None:
    parity.credentials()
    parity.remove("systemctl")
    run = refresh(parity)
    assert units(run) == [UNIT]
    assert run.messages[-1] == SCHEDULED


@OUTCOMES
def test_missing_bus_is_an_error(parity: Parity, exit_code: int) -> None:
    parity.credentials(token=None if exit_code else "token")
    parity.env["XDG_RUNTIME_DIR"] = str(parity.world.home / "nowhere")
    run = refresh(parity, exit_code)
    reason = "Failed to connect to bus: No such file or directory"
    assert run.messages[-2:] == not_scheduled(1, reason)
    assert run.call("systemd-run").env["XDG_RUNTIME_DIR"] == parity.env["XDG_RUNTIME_DIR"]


# --- The time in the log ---

# In POSIX format, because tzdata may be missing. Each pair of times spans a clock change.
BERLIN = "CET-1CEST,M3.5.0,M10.5.0/3"
NEW_YORK = "EST5EDT,M3.2.0,M11.1.0"
LORD_HOWE = "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0"
CLOCK_CHANGES = {
    "Berlin, spring": (BERLIN, "2026-03-29T01:50:00+01:00", "2026-03-29T03:20:00+02:00"),
    "Berlin, autumn": (BERLIN, "2026-10-25T02:10:00+02:00", "2026-10-25T02:40:00+01:00"),
    "New York, spring": (NEW_YORK, "2026-03-08T01:45:00-05:00", "2026-03-08T03:15:00-04:00"),
    "New York, autumn": (NEW_YORK, "2026-11-01T01:20:00-04:00", "2026-11-01T01:50:00-05:00"),
    "Lord Howe, autumn": (LORD_HOWE, "2026-04-05T01:40:00+11:00", "2026-04-05T02:40:00+10:30"),
}


@pytest.mark.parametrize(("zone", "now", "due"), CLOCK_CHANGES.values(), ids=CLOCK_CHANGES)
def test_logged_local_time_and_timer_are_the_same_instant(
    parity: Parity, zone: str, now: str, due: str
) -> None:
    parity.env["TZ"] = zone
    parity.set_clock(now)
    parity.credentials(expires_at=(epoch_s(due) + 1800) * 1000)
    run = refresh(parity)
    assert [timer.when_s for timer in run.timers] == [epoch_s(due)]
    assert run.log_lines[-1] == f"{now} Scheduled next refresh at {due}"


# --- The runtime directory ---

UNSET = pytest.mark.parametrize("unset", [{}, {"XDG_RUNTIME_DIR": ""}], ids=["unset", "empty"])
OTHER = "4711"  # another user
RuntimeIs: TypeAlias = "Callable[[bool], str]"


def with_run(form: Form, directory: str) -> Form:
    """Return the form in a mount namespace with its own /run that contains only `directory`."""
    unshare, mount, mkdir = (str(shutil.which(name)) for name in ("unshare", "mount", "mkdir"))
    user = [] if os.getuid() == 0 else ["--user", "--map-root-user"]
    prepare = f'{mount} -t tmpfs tmpfs /run && {mkdir} -p -m 0700 "/run$0" && exec "$@"'
    wrapper = [unshare, *user, "--mount", "--", "/bin/sh", "-c", prepare, directory]
    return replace(form, argv=lambda world: [*wrapper, *form.argv(world)])


@pytest.fixture
def runtime_is(parity: Parity) -> RuntimeIs:
    """Make /run/user/UID exist or not exist for both forms. Return its path."""

    def prepare(is_there: bool) -> str:
        directory = f"/user/{0 if os.getuid() else os.getuid()}"
        for name, form in parity.forms.items():
            parity.forms[name] = with_run(form, directory if is_there else f"/user/{OTHER}")
        probe = with_run(replace(parity.forms["bash"], argv=lambda _: ["/bin/true"]), directory)
        argv = probe.argv(parity.world)
        if subprocess.run(argv, check=False, capture_output=True, timeout=30).returncode != 0:
            pytest.skip("this machine does not allow mount namespaces")
        return f"/run{directory}"

    return prepare


@pytest.mark.parametrize("is_there", [True, False])
def test_user_does_not_come_from_the_environment(
    parity: Parity, runtime_is: RuntimeIs, is_there: bool
) -> None:
    """Bash does not set UID if the caller exports it."""
    runtime = runtime_is(is_there)
    parity.credentials()
    del parity.env["XDG_RUNTIME_DIR"]
    parity.env["UID"] = OTHER
    run = refresh(parity)
    for program in ("systemctl", "systemd-run"):
        assert run.call(program).env.get("XDG_RUNTIME_DIR") == (runtime if is_there else None)
        assert run.call(program).env["UID"] == OTHER


@UNSET
@pytest.mark.parametrize("is_there", [True, False])
def test_run_user_uid_is_the_default_runtime_directory(
    parity: Parity, runtime_is: RuntimeIs, unset: dict[str, str], is_there: bool
) -> None:
    runtime = runtime_is(is_there)
    parity.credentials()
    del parity.env["XDG_RUNTIME_DIR"]
    parity.env.update(unset)
    run = refresh(parity)
    expected = runtime if is_there else unset.get("XDG_RUNTIME_DIR")
    for program in ("systemctl", "systemd-run"):
        assert run.call(program).env.get("XDG_RUNTIME_DIR") == expected
    no_bus = not_scheduled(1, "Failed to connect to bus: No medium found")
    last = [SCHEDULED] if is_there else no_bus
    assert run.messages[-len(last) :] == last


def test_runtime_directory_in_the_environment_is_used(
    parity: Parity, runtime_is: RuntimeIs
) -> None:
    runtime_is(True)
    parity.credentials()
    run = refresh(parity)
    assert run.call("systemd-run").env["XDG_RUNTIME_DIR"] == str(parity.world.runtime)
