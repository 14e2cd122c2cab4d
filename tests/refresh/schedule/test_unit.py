"""Schedule the next run: its time, its settings, and its unit name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from plumbum import LocalPath, local
from tests.support.refresh.fake_host import HOUR_MS, MINUTE_MS, NOW_MS, NOW_S, SAFE_PATH, UNIT

from oauthkit.program import schedule
from oauthkit.shell import escape_unit, program

if TYPE_CHECKING:
    from tests.support.refresh.fake_host import Host

SOON = "WARN: token expires in <30 min, scheduling retry in 5 min"
IN_5_MIN, IN_24_H, IN_1_S = 5 * MINUTE_MS, 24 * HOUR_MS, 1000


def names(host: Host, unit: str = UNIT) -> list[str]:
    """Return the unit names of a project, in the order in which they are tried."""
    own = f"{unit}-{escape_unit(str(host.project))}"
    return [unit, own, f"{own}--alt"]


def stop(units: list[str]) -> list[str]:
    """Return the argv that stops these timers and one more timer of the project."""
    timers = [f"{unit}.timer" for unit in (*units, f"{units[-1]}-alt")]
    return ["systemctl", "--user", "--no-block", "stop", *timers]


def warnings(host: Host, problem: str, expiry: str) -> list[str]:
    """Return the lines about the next run if systemd-run is missing."""
    project, credentials = host.path(host.project), host.path(host.credentials)
    schedule.schedule(project, credentials, problem, expiry, program("systemd-run"))
    *lines, last = host.lines()
    assert last == "WARN: systemd-run not found, next refresh NOT scheduled"
    return lines


@pytest.mark.parametrize(
    ("remaining_ms", "wait_ms", "warned"),
    [
        (-HOUR_MS, IN_5_MIN, True),
        (0, IN_5_MIN, True),
        (MINUTE_MS, IN_5_MIN, True),
        (5 * MINUTE_MS - 999, IN_5_MIN, True),
        (5 * MINUTE_MS, IN_1_S, True),
        (5 * MINUTE_MS + 1, IN_1_S, True),
        (5 * MINUTE_MS + 1001, IN_1_S + 1000, True),
        (10 * MINUTE_MS - 1000, IN_5_MIN - 1, True),
        (10 * MINUTE_MS, IN_5_MIN, True),
        (30 * MINUTE_MS, IN_5_MIN, True),
        (30 * MINUTE_MS + 1, IN_1_S, False),
        (30 * MINUTE_MS + IN_1_S - 1, IN_1_S, False),
        (30 * MINUTE_MS + IN_1_S, IN_1_S, False),
        (30 * MINUTE_MS + IN_1_S + 1, IN_1_S + 1, False),
        (8 * HOUR_MS, 8 * HOUR_MS - 30 * MINUTE_MS, False),
        (24 * HOUR_MS + 30 * MINUTE_MS - 1, IN_24_H - 1, False),
        (24 * HOUR_MS + 30 * MINUTE_MS, IN_24_H, False),
        (24 * HOUR_MS + 30 * MINUTE_MS + 1, IN_24_H, False),
        (999_999_999_999_999 - NOW_MS, IN_24_H, False),
    ],
)
def test_next_run(host: Host, remaining_ms: int, wait_ms: int, warned: bool) -> None:
    expiry = str(NOW_MS + remaining_ms)
    assert schedule.next_run_ms("", expiry, 0) == NOW_MS + wait_ms
    assert warnings(host, "", expiry) == ([SOON] if warned else [])


@pytest.mark.parametrize("expiry", ["", "null", '"0009"', "1e+30"])
def test_next_run_without_an_expiry(host: Host, expiry: str) -> None:
    assert schedule.next_run_ms("", expiry, 0) == NOW_MS + IN_5_MIN
    assert warnings(host, "", expiry) == [SOON]


def test_next_run_after_a_failure_is_not_later_than_the_renewal(host: Host) -> None:
    expiry = str(NOW_MS + 7 * MINUTE_MS)
    assert schedule.next_run_ms("this is wrong", expiry, 0) == NOW_MS + 2 * MINUTE_MS + 999
    assert warnings(host, "this is wrong", expiry)


def test_next_run_after_a_failure(host: Host) -> None:
    expiry = str(NOW_MS + 8 * HOUR_MS)
    assert schedule.next_run_ms("this is wrong", expiry, 0) == NOW_MS + IN_5_MIN
    warned = warnings(host, "this is wrong", expiry)
    assert warned == ["WARN: scheduling retry in 5 min after: this is wrong"]


@pytest.mark.usefixtures("host")
@pytest.mark.parametrize(
    ("try_in_ms", "wait_ms"), [(-1, IN_5_MIN), (0, IN_5_MIN), (1000, IN_1_S), (IN_5_MIN, IN_5_MIN)]
)
def test_next_run_is_not_later_than_the_next_try(try_in_ms: int, wait_ms: int) -> None:
    assert schedule.next_run_ms("this is wrong", "", NOW_MS + try_in_ms) == NOW_MS + wait_ms


STORE_SETTINGS = (
    "OAUTHKIT_STORE", "OAUTHKIT_HOST", "OAUTHKIT_STORE_RECIPIENTS", "OAUTHKIT_STORE_IDENTITY",
    "ETCDCTL_CACERT", "ETCDCTL_CERT", "ETCDCTL_KEY",
)  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "carried"),
    [
        ({}, []),
        ({"CLAUDE_CONFIG_DIR": "/a b"}, ["CLAUDE_CONFIG_DIR=/a b"]),
        ({"OAUTHKIT_DOTENV": "/x"}, ["OAUTHKIT_DOTENV=/x"]),
        ({"OAUTHKIT_BEARER": "/x"}, ["OAUTHKIT_BEARER=/x"]),
        ({"OAUTHKIT_LOG": "/x"}, ["OAUTHKIT_LOG=/x"]),
        ({"OAUTHKIT_UNIT": "x"}, ["OAUTHKIT_UNIT=x"]),
        ({"OAUTHKIT_LIGHT": "1"}, ["OAUTHKIT_LIGHT=1"]),
        *(({name: "x"}, [f"{name}=x"]) for name in STORE_SETTINGS),
        (dict.fromkeys(["CLAUDE_CONFIG_DIR", "OAUTHKIT_DOTENV", "OAUTHKIT_LOG"], ""), []),
        (
            {"OAUTHKIT_UNIT": "u", "OAUTHKIT_DOTENV": "/x", "ANTHROPIC_API_KEY": "k"},
            ["OAUTHKIT_DOTENV=/x", "OAUTHKIT_UNIT=u"],
        ),
    ],
)
def test_settings_are_passed_on(host: Host, settings: dict[str, str], carried: list[str]) -> None:
    local.env.update(settings)
    local.env["HOME"] = str(host.home)
    command = schedule.timer_with_settings()
    assert command.formulate() == [
        "systemd-run", "--user", "--quiet", "--collect",
        "--description=NanoClaw OAuth token refresh",
        "--timer-property=AccuracySec=1s", "--property=RuntimeMaxSec=10min",
        "--property=Restart=on-abnormal", "--property=RestartSec=7min",
        "--property=IgnoreSIGPIPE=no",
        "--property=WorkingDirectory=/",
        "--property=LimitCORE=0",
        f"--setenv=HOME={host.home}", f"--setenv=PATH={host.bin}",
        *[f"--setenv={word}" for word in carried],
    ]  # fmt: skip


@pytest.fixture
def armable(host: Host) -> Host:
    """A host with systemd-run, but without a directory for this user in /run."""
    host.install("systemd-run")
    host.monkeypatch.setattr("os.getuid", lambda: 4_000_000_000)
    return host


def arm(host: Host, due_ms: int = NOW_MS + HOUR_MS) -> None:
    command = program("systemd-run")["--user", "--setenv=A=a b"]
    project, credentials = host.path(host.project), host.path(host.credentials)
    schedule.schedule(project, credentials, "", str(due_ms + 30 * MINUTE_MS), command)


def tried(host: Host) -> list[str]:
    """Return the unit names that systemd-run got, in order."""
    words = [word for call in host.calls("systemd-run") for word in call]
    return [word.removeprefix("--unit=") for word in words if word.startswith("--unit=")]


def test_timer_command(armable: Host) -> None:
    host = armable
    host.monkeypatch.setattr("sys.executable", "/py thon$")
    host.project = host.root / "pro$ject"
    host.fake("systemctl")
    host.fake("systemd-run")
    arm(host, NOW_MS + HOUR_MS + 999)
    asked = [
        "--user", "--setenv=A=a b", f"--on-calendar=@{NOW_S + 3600}", "--on-active=25h",
        f"--unit={UNIT}", "--", "/py thon$", *SAFE_PATH, "-m", "oauthkit", "refresh",
        f"--project={host.root}/pro$$ject",
    ]  # fmt: skip
    assert host.commands() == [
        stop(names(host)),
        ["systemd-run", *asked],
    ]
    assert host.lines() == ["Scheduled next refresh at 2026-01-02T04:04:05+00:00"]


@pytest.mark.parametrize("stopped", [0, 1, 5, 127])
def test_stopping_a_missing_unit_is_not_a_failure(armable: Host, stopped: int) -> None:
    armable.fake("systemctl", status=stopped)
    armable.fake("systemd-run")
    arm(armable)
    assert len(armable.lines()) == 1
    assert armable.lines()[0].startswith("Scheduled ")


@pytest.mark.parametrize("failures", range(1, 6))
def test_another_name_is_used_when_one_is_taken(armable: Host, failures: int) -> None:
    host = armable
    for _ in range(failures + 1 + (failures > 2)):
        host.fake("systemctl")
    for _ in range(failures):
        host.fake("systemd-run", status=1, complains="taken\n")
    host.fake("systemd-run")
    arm(host)
    units = names(host)
    assert tried(host) == [*units, *units][: failures + 1]
    reset = ["systemctl", "--user", "reset-failed", *(f"{unit}.service" for unit in units)]
    for number, command in enumerate(host.commands()):  # there is never a second timer
        assert command[0] == "systemctl" or host.commands()[number - 1] == stop(units)
    resets = [number for number, command in enumerate(host.commands()) if command == reset]
    assert resets == ([6] if failures > 2 else [])  # between the two rounds
    assert [line.partition(" at ")[0] for line in host.lines()] == ["Scheduled next refresh"]


def test_every_name_is_taken(armable: Host) -> None:
    host = armable
    for status in (0, 1, 0, 1, 0, 1, 0):
        host.fake("systemctl", status=status)
    for number in range(6):
        host.fake(
            "systemd-run", status=5 + number, complains=f"complaint {number} sk-ant-x\nmore\n"
        )
    arm(host)
    assert tried(host) == names(host) * 2
    assert host.lines() == [
        "systemd-run: complaint 5 sk-ant-***",
        "systemd-run: more",
        "ERROR: systemd-run failed (exit 10), next refresh NOT scheduled",
    ]


@pytest.mark.parametrize(("status", "logged"), [(125, ["systemd-run: why"]), (126, []), (127, [])])
def test_only_stderr_of_systemd_run_itself_is_logged(
    armable: Host, status: int, logged: list[str]
) -> None:
    for _ in range(7):
        armable.fake("systemctl")
    for _ in range(6):
        armable.fake("systemd-run", status=status, complains="why\n")
    arm(armable)
    error = f"ERROR: systemd-run failed (exit {status}), next refresh NOT scheduled"
    assert armable.lines() == [*logged, error]


def test_configured_unit_name(armable: Host) -> None:
    local.env["OAUTHKIT_UNIT"] = "mine"
    for _ in range(2):
        armable.fake("systemctl")
    armable.fake("systemd-run", status=1)
    armable.fake("systemd-run")
    arm(armable)
    units = names(armable, "mine")
    assert armable.commands()[::2] == [stop(units)] * 2
    assert tried(armable) == units[:2]


TRANSIENT = """# This is a transient unit file.
[Unit]
Description=NanoClaw OAuth token refresh

[Service]
Environment="OAUTHKIT_DOTENV={project}/.env"
ExecStart=
ExecStart="/usr/bin/bash" "{owner}"
"""


@pytest.mark.parametrize(
    ("owner", "is_foreign"),
    [
        ("{project}/scripts/oauth/refresh.sh", False),
        ("--project={project}", False),
        ("{project}/scripts/refresh-oauth.sh", False),
        ("{project}/sub/scripts/oauth/refresh.sh", True),
        ("{project}2/scripts/oauth/refresh.sh", True),
        ("/mnt{project}/scripts/oauth/refresh.sh", True),
        ("/srv/other/scripts/oauth/refresh.sh", True),
        ("--project=/srv/other", True),
    ],
)
def test_unit_of_another_project_is_left_alone(armable: Host, owner: str, is_foreign: bool) -> None:
    runtime = armable.root / "runtime"
    local.env["XDG_RUNTIME_DIR"] = str(runtime)
    file = runtime / "systemd/transient" / f"{UNIT}.service"
    file.parent.mkdir(parents=True)
    command = owner.format(project=armable.project)
    file.write_text(TRANSIENT.format(owner=command, project=armable.project), encoding="utf-8")
    file.with_suffix(".timer").touch()
    armable.fake("systemctl")
    armable.fake("systemd-run")
    arm(armable)
    own = names(armable)
    stopped = [] if is_foreign else [["systemctl", "--user", "--no-block", "stop", f"{UNIT}.timer"]]
    assert armable.commands()[:-1] == stopped
    assert tried(armable) == [own[1] if is_foreign else UNIT]
    warning = f"WARN: the unit {UNIT} does not belong to this project. Using {own[1]}"
    assert armable.lines()[:-1] == [warning] * is_foreign


def test_service_without_its_timer_is_not_stopped(armable: Host) -> None:
    """If one of several units is not loaded, systemctl stops none of them (systemd 262)."""
    runtime = armable.root / "runtime"
    local.env["XDG_RUNTIME_DIR"] = str(runtime)
    file = runtime / "systemd/transient" / f"{UNIT}.service"
    file.parent.mkdir(parents=True)
    own = f"{armable.project}/scripts/oauth/refresh.sh"
    file.write_text(TRANSIENT.format(owner=own, project=armable.project), encoding="utf-8")
    armable.fake("systemd-run")
    arm(armable)
    assert armable.names() == ["systemd-run"]


def test_three_names_of_a_project_whose_first_name_is_taken(armable: Host) -> None:
    runtime = armable.root / "runtime"
    local.env["XDG_RUNTIME_DIR"] = str(runtime)
    file = runtime / "systemd/transient" / f"{UNIT}.service"
    file.parent.mkdir(parents=True)
    file.write_text(TRANSIENT.format(owner="/srv/x/scripts/a", project="/srv/x"), encoding="utf-8")
    armable.fake("systemctl")
    for _ in range(6):
        armable.fake("systemd-run", status=1)
    arm(armable)
    _, own, spare = names(armable)
    units = [own, spare, f"{spare}-alt"]
    assert tried(armable) == units * 2
    assert armable.calls("systemctl") == [
        ["--user", "reset-failed", *(f"{unit}.service" for unit in units)]
    ]


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("a\\b", "a\\\\b"), ('a"b', 'a\\"b'), ("a%b", "a%%b"), ("a$b", "a$$b"),
        ("a\nb", "a\\nb"), ("a\tb", "a\\tb"), ("a\rb", "a\\rb"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("argument", ["{}/scripts/oauth/refresh.sh", "--project={}"])
def test_owner_whose_name_systemd_escapes(
    host: Host, name: str, written: str, argument: str
) -> None:
    transient = host.root / "systemd/transient"
    transient.mkdir(parents=True)
    local.env["XDG_RUNTIME_DIR"] = str(host.root)
    text = TRANSIENT.format(project="/srv", owner=argument.format(f"/srv/{written}"))
    (transient / "unit.service").write_text(text, encoding="utf-8", newline="")
    project = LocalPath(f"/srv/{name}")
    assert schedule.owner_of("unit", project) == "own"
    assert schedule.owner_of("unit", LocalPath(f"{project}x")) == "other"


def test_timer_of_the_script_that_this_replaces_is_its_own(armable: Host) -> None:
    runtime = armable.root / "runtime"
    local.env["XDG_RUNTIME_DIR"] = str(runtime)
    file = runtime / "systemd/transient" / f"{UNIT}.service"
    file.parent.mkdir(parents=True)
    script = f"{armable.project}/scripts/refresh-oauth.sh"  # without an interpreter before it
    file.write_text(f'[Service]\nExecStart=\nExecStart="{script}"\n', encoding="utf-8")
    file.with_suffix(".timer").touch()
    armable.fake("systemctl")
    armable.fake("systemd-run")
    arm(armable)
    assert armable.commands()[0] == ["systemctl", "--user", "--no-block", "stop", f"{UNIT}.timer"]
    assert tried(armable) == [UNIT]


@pytest.mark.parametrize("suffix", [".timer", ".service"])
def test_suffix_of_the_unit_s_name_is_removed(armable: Host, suffix: str) -> None:
    local.env["OAUTHKIT_UNIT"] = f"mine{suffix}"
    armable.fake("systemctl")
    armable.fake("systemd-run")
    arm(armable)
    assert tried(armable) == ["mine"]


@pytest.mark.parametrize(
    ("setting", "name"),
    [
        ("mine", "mine"), ("mine.timer", "mine"), ("mine.service", "mine"), ("a.b", "a.b"),
        ("x" * 80 + ".timer", "x" * 80), ("x" * 81, ""), (".timer", ""), ("a b", ""), ("", ""),
    ],
)  # fmt: skip
def test_unit_name(setting: str, name: str) -> None:
    assert schedule.unit_name(setting) == name


def test_invalid_unit_name_is_a_warning(armable: Host) -> None:
    local.env["OAUTHKIT_UNIT"] = "a b"
    armable.fake("systemctl")
    armable.fake("systemd-run")
    arm(armable)
    warning = f"WARN: OAUTHKIT_UNIT is not a valid unit name: a b. Using {UNIT}"
    assert (armable.lines()[0], tried(armable)) == (warning, [UNIT])


def test_timer_of_a_nested_project_named_alt_is_not_stopped(armable: Host) -> None:
    armable.fake("systemctl")
    armable.fake("systemd-run")
    arm(armable)
    nested = f"{UNIT}-{escape_unit(str(armable.project / 'alt'))}.timer"
    assert nested not in armable.commands()[0]


def test_unused_name_is_not_stopped(armable: Host) -> None:
    """Another project can take the name between the check and the stop."""
    (armable.root / "runtime/systemd").mkdir(parents=True)
    local.env["XDG_RUNTIME_DIR"] = str(armable.root / "runtime")
    armable.fake("systemctl")
    armable.fake("systemd-run")
    arm(armable)
    assert armable.names() == ["systemd-run"]
    assert tried(armable) == [UNIT]


def test_name_that_two_long_paths_share_is_not_stopped(armable: Host) -> None:
    runtime = armable.root / "runtime"
    local.env["XDG_RUNTIME_DIR"] = str(runtime)
    own = names(armable)
    (runtime / "systemd/transient").mkdir(parents=True)
    text = TRANSIENT.format(owner="/srv/other/scripts/oauth/refresh.sh", project="/srv/other")
    for name in own:
        file = runtime / "systemd/transient" / f"{name}.service"
        file.write_text(text, encoding="utf-8")
    armable.fake("systemd-run")
    arm(armable)
    assert armable.names() == ["systemd-run"]


@pytest.mark.parametrize(
    ("wait_s", "longest"), [(29, "29s"), (30, "25h"), (1, "1s"), (86_000, "25h")]
)
def test_near_time_is_also_relative_to_the_start(armable: Host, wait_s: int, longest: str) -> None:
    armable.fake("systemctl")
    armable.fake("systemd-run")
    arm(armable, NOW_MS + wait_s * 1000)
    call = armable.calls("systemd-run")[0]
    assert f"--on-calendar=@{NOW_S + wait_s}" in call
    assert f"--on-active={longest}" in call


def test_no_systemd_run(host: Host) -> None:
    arm(host)
    assert host.names() == []
    assert host.lines() == ["WARN: systemd-run not found, next refresh NOT scheduled"]


@pytest.mark.parametrize(
    ("setting", "is_there", "wanted"),
    [
        (None, True, "{runtime}"),
        ("", True, "{runtime}"),
        ("/given", True, "/given"),
        (None, False, None),
        ("", False, ""),
        ("/given", False, "/given"),
    ],
)
def test_runtime_directory(
    armable: Host, setting: str | None, is_there: bool, wanted: str | None
) -> None:
    host = armable
    runtime = host.root / "runtime"
    if is_there:
        runtime.mkdir()
    if setting is not None:
        local.env["XDG_RUNTIME_DIR"] = setting
    # With /run/user/ before it, the name of a directory that a test can create.
    host.monkeypatch.setattr("os.getuid", lambda: f"../..{runtime}")
    recorders = [host.fake("systemctl"), host.fake("systemd-run")]
    arm(host)
    for recorder in recorders:
        how = recorder.calls[0].kwargs
        assert how is not None
        found = how["env"].get("XDG_RUNTIME_DIR")
        assert found == (None if wanted is None else wanted.format(runtime=runtime))


def test_default_runtime_directory_is_systemd_s(armable: Host) -> None:
    armable.monkeypatch.setattr(LocalPath, "is_dir", lambda _self: True)
    recorder = armable.fake("systemd-run")
    arm(armable)
    how = recorder.calls[0].kwargs
    assert how is not None
    assert how["env"]["XDG_RUNTIME_DIR"] == "/run/user/4000000000"


@pytest.mark.parametrize("due_ms", [NOW_MS + HOUR_MS, NOW_MS + HOUR_MS + 999])
def test_due_time_is_truncated_to_the_second(armable: Host, due_ms: int) -> None:
    armable.fake("systemctl")
    armable.fake("systemd-run")
    arm(armable, due_ms)
    assert f"--on-calendar=@{NOW_S + 3600}" in armable.calls("systemd-run")[0]


def test_due_time_is_relative_to_the_moment_of_scheduling(armable: Host) -> None:
    """Stopping a timer can take some time, and a calendar time in the past never elapses."""
    late_ms = NOW_MS + 2 * HOUR_MS
    armable.fake(
        "systemctl",
        does=lambda _: armable.monkeypatch.setattr(schedule, "now_ms", lambda: late_ms),
    )
    armable.fake("systemd-run")
    arm(armable, NOW_MS + HOUR_MS)
    assert f"--on-calendar=@{(late_ms + IN_5_MIN) // 1000}" in armable.calls("systemd-run")[0]
