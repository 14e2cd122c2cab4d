"""Both forms under a real systemd user manager: their timers start the next run."""

from __future__ import annotations

import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TYPE_CHECKING

import pytest
from tests.support.system.systemd_manager import UserManager, running_manager, wait_until
from tests.support.system.systemd_project import (
    FORMS,
    HOP_DEADLINE_S,
    LONG_LIFE_S,
    TOKEN_PREFIX,
    UNIT,
    Project,
    start,
)

if TYPE_CHECKING:
    from pathlib import Path

FAILED = "ERROR: claude CLI refresh failed (exit 1). User may need to run 'claude login'."
RENEWED = "Claude CLI refreshed token successfully"
FRESH = "Token still fresh ("
SCHEDULED = " Scheduled next refresh at "


def seen_after(project: Project, number: int) -> bool:
    """Wait for the end of run `number` and check its results.

    Return False if the machine was so slow that the next run started before the timers were read.
    """
    wait_until(
        lambda: len(project.log_lines(SCHEDULED)) > number,
        deadline_s=HOP_DEADLINE_S,
        what=lambda: f"run {number} scheduled the next one\n{project.report()}",
    )
    end_s = time.monotonic() + HOP_DEADLINE_S
    while time.monotonic() < end_s:
        # The order matters: if no run is in progress when the units are read, and none started
        # before the count, then what was read belongs to this run.
        dotenv = project.dotenv.read_text(encoding="utf-8")
        oauth = json.loads(project.credentials.read_text(encoding="utf-8"))["claudeAiOauth"]
        pending = project.pending()
        runs = len(project.runs())
        assert runs > number, f"run {number} did not find the shim\n{project.report()}"
        if runs > number + 1:
            return False
        if pending is not None:
            assert len(pending) == 1, f"after run {number}: {pending}\n{project.report()}"
            assert dotenv == f"CLAUDE_CODE_OAUTH_TOKEN={oauth['accessToken']}\n"
            return True
    raise AssertionError(f"run {number} does not end\n{project.report()}")


def follow(project: Project, *, hops: int) -> None:
    """Wait for `hops` more runs by timers. One timer must be pending after each."""
    number = len(project.runs())
    last = number + 3 * hops
    while hops > 0:
        assert number < last, f"the machine is too slow for lead_s\n{project.report()}"
        hops -= seen_after(project, number)
        number += 1


def log_of_runs(project: Project) -> list[list[str]]:
    """Return the log's lines of each complete run. A run ends with the line of the next time."""
    runs: list[list[str]] = [[]]
    for line in project.log_lines():
        runs[-1].append(line)
        if SCHEDULED in line:
            runs.append([])
    return runs[:-1]


def check_runs(project: Project, forms: list[str], *, ended: str = "") -> None:
    """Check each run of a chain: where it ran, which timer it started, and what it wrote.

    The service `ended` stays loaded after its run, because systemd will start it again.
    """
    logs = log_of_runs(project)
    taken: set[str] = set()
    runs = project.runs()[: len(logs)]
    assert [run.form for run in runs] == forms[: len(runs)], project.report()
    for number, (run, log) in enumerate(zip(runs, logs, strict=True)):
        logged_s = datetime.fromisoformat(log[-1].split(SCHEDULED)[1]).timestamp()
        assert logged_s == run.asked_s, project.report()
        assert run.dotenv == f"CLAUDE_CODE_OAUTH_TOKEN={run.token}\n", project.report()
        taken = {run.service} | (taken | {run.service}) & {ended}
        name = next(name for name in project.names if f"{name}.service" not in taken)
        assert f"--unit={name}" in run.argv, f"run {number}\n{project.report()}"
    for call in project.claude_calls():
        if call["run"] < len(runs):
            caller = runs[call["run"]]
            where = (call["service"], call["invocation_id"])
            assert where == (caller.service, caller.invocation_id), project.report()


def check_services(project: Project, numbers: range) -> None:
    """Check that systemd started each of these runs separately."""
    services = [project.runs()[number].service for number in numbers]
    assert set(services) == {f"{name}.service" for name in project.names[:2]}
    invocations = {project.runs()[number].invocation_id for number in numbers}
    assert "" not in invocations
    assert len(invocations) == len(numbers), project.report()


@pytest.mark.parametrize("form", FORMS)
def test_ten_hops_survive_a_failing_renewal(
    manager: UserManager, tmp_path: Path, form: str
) -> None:
    project = Project(manager, tmp_path / "project", form)
    project.login(life_s=-60)
    project.save_plan(leads_s={"0": 5}, lives_s={"5": None, "8": LONG_LIFE_S})
    start(project)
    seen_after(project, 0)
    follow(project, hops=10)

    runs, log = project.runs(), log_of_runs(project)
    check_runs(project, [form] * len(runs))
    check_services(project, range(1, 11))
    assert runs[0].service == ""
    calls = [(call["run"], call["exit"]) for call in project.claude_calls() if call["run"] <= 10]
    assert dict(calls) == {0: 0, 1: 0, 2: 0, 3: 0, 4: 0, 5: 1, 6: 0, 7: 0, 8: 0}
    for number in (0, 1, 2, 3, 4, 6, 7, 8):
        assert runs[number].token == f"{TOKEN_PREFIX}{number}"
        assert any(line.endswith(RENEWED) for line in log[number]), project.report()
        assert not any("ERROR" in line for line in log[number]), project.report()
    assert sum(line.endswith(FAILED) for line in log[5]) == 1, project.report()
    assert runs[5].dotenv_version == runs[4].dotenv_version
    for number in (9, 10):
        assert any(FRESH in line for line in log[number]), project.report()


@pytest.mark.parametrize(("first", "second"), [FORMS, FORMS[::-1]], ids=["to-python", "to-bash"])
def test_each_form_continues_the_chain_of_the_other(
    manager: UserManager, tmp_path: Path, first: str, second: str
) -> None:
    project = Project(manager, tmp_path / "project", first)
    project.login(life_s=-60)
    # The first form's last timer would elapse long after the test. One timer remains only if the
    # second form stops it. The hops continue only if that timer is new.
    project.save_plan(leads_s={"3": 900, "4": 5})
    start(project)
    assert seen_after(project, 3), project.report()
    start(project, second)
    seen_after(project, 4)
    follow(project, hops=3)
    check_runs(project, [first] * 4 + [second] * 40)
    check_services(project, range(1, 4))
    check_services(project, range(5, 8))


@pytest.mark.parametrize("form", FORMS)
def test_simultaneous_manual_runs_leave_one_timer(
    manager: UserManager, tmp_path: Path, form: str
) -> None:
    project = Project(manager, tmp_path / "project", form)
    project.login(life_s=LONG_LIFE_S)
    project.save_plan(lead_s=900)
    with ThreadPoolExecutor() as pool:
        done = list(pool.map(lambda _: project.start(), range(3)))
    assert [run.returncode for run in done] == [0, 0, 0], f"{done}\n{project.report()}"
    assert len(project.runs()) == 3, project.report()
    assert project.pending() == [f"{UNIT}.timer"], project.report()


def leave_failed(project: Project, *units: str) -> None:
    """Let services of this project fail and stay loaded, as they do without --collect."""
    manager, names = project.manager, [f"{unit}.service" for unit in units]
    missing = str(project.script.with_name("missing.sh"))
    for name in names:
        run = ["systemd-run", "--user", "--quiet", f"--unit={name}", "--", "bash", missing]
        assert manager.run(run).returncode == 0
    wait_until(
        lambda: {u.name for u in manager.units(*names) if u.active == "failed"} == set(names),
        deadline_s=20,
        what=lambda: f"failed: {names}, but there is {manager.units(*names)}",
    )


@pytest.mark.parametrize("form", FORMS)
def test_failed_units_of_every_name_do_not_prevent_scheduling(
    manager: UserManager, tmp_path: Path, form: str
) -> None:
    project = Project(manager, tmp_path / "project", form)
    project.login(life_s=-60)
    project.save_plan(leads_s={"0": 6})
    leave_failed(project, *project.names)
    start(project)
    leave_failed(project, *project.names[1:])
    follow(project, hops=1)
    check_runs(project, [form] * 40)


def zone_that_turns_back(at_s: float, *, hours_east: int) -> str:
    """Return a TZ value (POSIX, tzset(3)) whose summer time ends half an hour before `at_s`.

    The local time at `at_s` then occurs twice.
    """
    wall = time.gmtime(at_s - 1800 + (hours_east + 1) * 3600)
    turn = f"{wall.tm_yday - 1}/{wall.tm_hour}:{wall.tm_min:02}:{wall.tm_sec:02}"
    return f"STD{-hours_east}DST{-hours_east - 1},0/0,{turn}"


@pytest.mark.parametrize("form", FORMS)
def test_scheduled_instant_is_exact_in_every_time_zone(tmp_path: Path, form: str) -> None:
    expected_s = time.time() + LONG_LIFE_S - 1800
    with running_manager(
        tmp_path / "home", zone=zone_that_turns_back(expected_s, hours_east=5)
    ) as manager:
        project = Project(manager, tmp_path / "project", form)
        expires_at_ms = project.login(life_s=LONG_LIFE_S)
        zone = zone_that_turns_back(expected_s, hours_east=-7)
        done = project.start(env=project.environment(shim=False, TZ=zone))
        assert done.returncode == 0, project.report()
        wanted_us = (expires_at_ms // 1000 - 1800) * 1_000_000
        timers = {k: v for k, v in manager.timers().items() if k.startswith(UNIT)}
        assert timers == {f"{UNIT}.timer": wanted_us}, project.report()
        logged = project.log_lines(SCHEDULED)[-1].split(SCHEDULED)[1]
        assert datetime.fromisoformat(logged).timestamp() * 1_000_000 == wanted_us


@pytest.mark.parametrize("form", FORMS)
def test_clock_set_back_does_not_delay_the_next_run_forever(
    manager: UserManager, tmp_path: Path, form: str
) -> None:
    project = Project(manager, tmp_path / "project", form)
    project.login(life_s=-60)
    lives_s = {"0": LONG_LIFE_S, "1": LONG_LIFE_S}
    project.save_plan(lives_s=lives_s, set_back=[0, 1], leads_s={"2": 900})
    start(project)
    assert seen_after(project, 2), project.report()
    assert project.runs()[1].service == f"{UNIT}.service", project.report()
    assert project.pending() == [f"{UNIT}.timer"], project.report()


@pytest.mark.parametrize("form", FORMS)
def test_hanging_run_is_ended_and_schedules_the_next_run(
    manager: UserManager, tmp_path: Path, form: str
) -> None:
    project = Project(manager, tmp_path / "project", form)
    project.login(life_s=-60)
    # The first run schedules the second one's service. A slow machine must reach jq in that time.
    project.save_plan(properties={"0": {"RuntimeMaxSec": "10s"}}, hangs=[1])
    start(project)
    follow_on(project, SCHEDULED, count=4)
    hung = log_of_runs(project)[1]
    assert hung[0].endswith("ERROR: jq could not run or was killed (exit 143)"), project.report()
    assert hung[-1].partition(SCHEDULED)[1], project.report()
    # Its timer starts the next run before systemd would restart its service.
    check_services(project, range(1, 3))
    check_runs(project, [form] * 40, ended=f"{UNIT}.service")


@pytest.mark.parametrize("form", FORMS)
def test_run_killed_before_scheduling_is_restarted(
    manager: UserManager, tmp_path: Path, form: str
) -> None:
    project = Project(manager, tmp_path / "project", form)
    project.login(life_s=-60)
    project.save_plan(properties={"0": {"RestartSec": "500ms"}}, kills=[1])
    start(project)
    follow_on(project, SCHEDULED, count=3)
    calls = [call for call in project.claude_calls() if call["run"] == 1]
    # The same unit was started a second time, although no timer was pending.
    assert [call["service"] for call in calls] == [f"{UNIT}.service"] * 2, project.report()
    assert calls[0]["invocation_id"] != calls[1]["invocation_id"]
    assert project.runs()[1].invocation_id == calls[1]["invocation_id"], project.report()
    assert project.runs()[1].dotenv == f"CLAUDE_CODE_OAUTH_TOKEN={TOKEN_PREFIX}1\n"


@pytest.mark.parametrize("form", FORMS)
def test_run_of_a_stopped_service_schedules_the_next_run(
    manager: UserManager, tmp_path: Path, form: str
) -> None:
    project = Project(manager, tmp_path / "project", form)
    project.login(life_s=-60)
    project.save_plan(slow=[1], leads_s={"1": 900})
    start(project)
    wait_until(
        lambda: len(project.claude_calls()) > 1,
        deadline_s=HOP_DEADLINE_S,
        what=lambda: f"claude in the second run\n{project.report()}",
    )
    # The value in systemd during the run, not only the requested one.
    names = "--property=WorkingDirectory,LimitCORE,LimitCORESoft"
    shown = set(manager.systemctl("show", names, f"{UNIT}.service").splitlines())
    assert shown == {"WorkingDirectory=/", "LimitCORE=0", "LimitCORESoft=0"}
    main = manager.systemctl("show", "--property=MainPID", "--value", f"{UNIT}.service").strip()
    limits = manager.run(["cat", f"/proc/{main}/limits"]).stdout
    assert re.search(r"(?m)^Max core file size +0 +0 ", limits), limits
    # Stopping its timer waits for the end of the service. The run must not wait for that.
    began_s = time.monotonic()
    manager.systemctl("stop", f"{UNIT}.service")
    assert time.monotonic() - began_s < 60, "systemd had to kill the run"
    assert project.log_lines(SCHEDULED)[1:], project.report()
    assert project.pending() == [f"{project.names[1]}.timer"], project.report()


@pytest.mark.parametrize("form", FORMS)
def test_service_that_waits_for_claude_s_child_does_not_stop_the_chain(
    manager: UserManager, tmp_path: Path, form: str
) -> None:
    project = Project(manager, tmp_path / "project", form)
    project.login(life_s=-60)
    project.save_plan(leaves=[1])
    start(project)
    follow_on(project, SCHEDULED, count=5)
    # That service stays loaded for 90 s: systemd-system.conf(5), DefaultTimeoutStopSec=.
    assert project.log_lines("NOT scheduled") == [], project.report()
    services = [run.service for run in project.runs()[:5]]
    first, second, third = (f"{name}.service" for name in project.names)
    assert services == ["", first, second, third, second], project.report()


def follow_on(project: Project, text: str, *, count: int) -> None:
    """Wait until the log has `count` lines with `text`, and one timer is pending or has elapsed."""
    wait_until(
        lambda: len(project.log_lines(text)) >= count,
        deadline_s=HOP_DEADLINE_S,
        what=lambda: f"{count} times {text!r}\n{project.report()}",
    )
    pending = project.pending()
    assert pending is None or len(pending) == 1, project.report()


@pytest.mark.parametrize("form", FORMS)
def test_caller_without_a_bus_address_schedules(
    manager: UserManager, tmp_path: Path, form: str
) -> None:
    project = Project(manager, tmp_path / "project", form)
    project.login(life_s=LONG_LIFE_S)
    bare = project.environment(shim=False)
    del bare["XDG_RUNTIME_DIR"], bare["DBUS_SESSION_BUS_ADDRESS"]
    assert project.start(env=bare).returncode == 0, project.report()
    assert project.pending() == [f"{UNIT}.timer"], project.report()


@pytest.mark.parametrize("form", FORMS)
def test_hooks_of_scheduled_runs_get_the_outcome(
    manager: UserManager, tmp_path: Path, form: str
) -> None:
    project = Project(manager, tmp_path / "project", form)
    recorded = tmp_path / "recorded"
    for event in ("renewed", "failed", "recovered"):
        hook = project.script.parent / "hooks" / event
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(
            "#!/bin/sh\n"
            "ignored=$(sed -n 's/^SigIgn:.//p' /proc/self/status)\n"  # SIGPIPE would be
            'echo "${0##*/} $OAUTHKIT_EVENT ${OAUTHKIT_REASON%%(*}'
            f' ${{CLAUDE_CODE_OAUTH_TOKEN-none}} $ignored" >>"{recorded}"\n'
            "exec sleep 0.1\n",
            encoding="utf-8",
        )
        hook.chmod(0o755)
    project.login(life_s=-60)
    project.save_plan(lives_s={"1": None, "3": LONG_LIFE_S})
    start(project)
    follow(project, hops=3)
    reason = FAILED.removeprefix("ERROR: ").partition("(")[0]
    none = "0" * 16
    assert recorded.read_text(encoding="utf-8").splitlines()[:5] == [
        f"renewed renewed  none {none}",
        f"failed failed {reason} none {none}",
        f"renewed renewed  none {none}",
        f"recovered recovered  none {none}",
        f"renewed renewed  none {none}",
    ], project.report()
    ends = [line.partition(" ")[2] for line in project.log_lines("Hook ")]
    assert ends[:2] == ["Hook 'renewed' succeeded", "Hook 'failed' succeeded"], project.report()


def await_runs(project: Project, count: int) -> None:
    """Wait until this number of runs have scheduled the next one."""
    wait_until(
        lambda: len(project.log_lines(SCHEDULED)) >= count,
        deadline_s=HOP_DEADLINE_S,
        what=lambda: f"{count} runs\n{project.report()}",
    )


@pytest.mark.parametrize("forms", [FORMS, FORMS[::-1]], ids=["bash first", "python first"])
def test_chains_of_two_projects_with_one_unit_name_continue(
    manager: UserManager, tmp_path: Path, forms: tuple[str, str]
) -> None:
    projects = []
    for number, form in enumerate(forms):
        config = tmp_path / f"config {number}"
        settings = {"CLAUDE_CONFIG_DIR": str(config)}
        project = Project(manager, tmp_path / f"p{number}", form, config=config, settings=settings)
        projects.append(project)
    # While the second project starts, the first one's timer uses the name.
    projects[0].login(life_s=8 * 3600)
    projects[1].login(life_s=-60)
    for project in projects:
        start(project)
    assert projects[1].log_lines("does not belong to this project"), projects[1].report()
    projects[0].login(life_s=-60)
    start(projects[0])
    for project in projects:
        await_runs(project, 7)
        assert len([run for run in project.runs() if run.service]) >= 5, project.report()
        used = {name for name in project.names for run in project.runs() if name == run.unit}
        assert len(used) > 1, project.report()
    # Both projects' units start with this name. None means that a run is in progress.
    wait_until(
        lambda: projects[0].pending() is not None and len(projects[0].pending() or ()) == 2,
        deadline_s=HOP_DEADLINE_S,
        what=lambda: f"one timer for each project\n{projects[0].report()}",
    )


@pytest.mark.parametrize("form", FORMS)
def test_chain_with_settings_only_in_refresh_conf(
    manager: UserManager, tmp_path: Path, form: str
) -> None:
    config = tmp_path / "config"
    project = Project(manager, tmp_path / "project", form, unit="mine", config=config)
    bearer = tmp_path / "bearer" / ".credentials.json"
    bearer.parent.mkdir()
    project.dotenv = project.root / "other.env"
    project.log = project.root / "my logs" / "refresh.log"
    text = (
        f"OAUTHKIT_UNIT=mine\nCLAUDE_CONFIG_DIR={config}\nOAUTHKIT_DOTENV=other.env\n"
        f"OAUTHKIT_BEARER={bearer}\nOAUTHKIT_LOG=my logs/refresh.log\n"
    )
    (project.script.parent / "refresh.conf").write_text(text, encoding="utf-8")
    project.save_plan(dotenv=str(project.dotenv))
    project.login(life_s=-60)
    start(project)
    follow(project, hops=5)
    assert not (project.root / ".env").exists()
    token = json.loads(project.credentials.read_text("utf-8"))["claudeAiOauth"]["accessToken"]
    delivered = json.loads(bearer.read_text("utf-8"))["claudeAiOauth"]
    assert delivered["accessToken"] == token
    assert "refreshToken" not in delivered
    assert not any("--setenv=OAUTHKIT" in word for run in project.runs() for word in run.argv)


@pytest.mark.parametrize("form", FORMS)
def test_token_is_renewed_when_5_min_are_left(
    manager: UserManager, tmp_path: Path, form: str
) -> None:
    project = Project(manager, tmp_path / "project", form)
    project.login(life_s=300 + 6)
    # Without the shim, the timer elapses at the requested time.
    assert project.start(env=project.environment(shim=False)).returncode == 0, project.report()
    assert project.claude_calls() == [], project.report()
    wait_until(
        lambda: bool(project.log_lines(RENEWED)),
        deadline_s=HOP_DEADLINE_S,
        what=lambda: f"a renewal\n{project.report()}",
    )
    (due,) = project.log_lines("Token expired or expiring soon")
    left_ms = int(due.partition("remaining_ms=")[2].partition(")")[0])
    assert 300_000 - 15_000 < left_ms <= 300_000, project.report()  # a busy machine delays it
