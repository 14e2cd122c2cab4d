"""Unusual values of HOME, project and PATH, and ways to start a form."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.support.refresh.forms import python
from tests.support.refresh.scenarios import FAILING, LOCK, every_scenario, meet
from tests.support.refresh.world import LOG, SCRIPT_PLACE

if TYPE_CHECKING:
    from tests.support.refresh.scenarios import Scenario
    from tests.support.refresh.world import Parity

# --- HOME and project ---

# The names of both directories, and the text of HOME.
PLACES = {
    "space": ("my home ", " my  project", "{}"),
    "newline": ("ho\nme\n", "pro\n\nject\n", "{}"),
    "slashes": ("home", "project", "//{}//"),
    "dots": ("home", "project", "{}/./../project/logs/../../home/."),
    "signs": ("$HOME '\"`*?[a]", "-n %s \\n$(>x)*?{a,b}~", "{}"),
}


@every_scenario
@pytest.mark.parametrize(("home", "project", "written"), PLACES.values(), ids=PLACES)
def test_home_and_project(
    parity: Parity, scenario: Scenario, home: str, project: str, written: str
) -> None:
    parity.rename(project=project, home=home)
    parity.directory("logs")  # an existing directory for the dots, until the scenario removes it
    parity.env["HOME"] = written.format(parity.world.home)
    run = meet(parity, scenario)
    if run.timers:
        assert run.timers[0].setenv["HOME"] == str(parity.home)
        command = run.timers[0].command[1]
        assert command == f"{parity.project}/{SCRIPT_PLACE}".replace("$", "$$")
    places = {name for name in run.files if not name.startswith(("/", "~/", "scripts"))}
    assert places <= {".env", "logs", LOG, LOCK, FAILING, *scenario.files}


# --- PATH ---

# {bin} is the directory of the programs. Relative members start at /, where commands run.
PATHS = {
    "relative directory first": "made-up:./made-up:{bin}",
    "empty members": ":{bin}::",
    "slashes and dots": "//{bin}/../bin/.///",
    "no programs first": "{home}/missing:{bin}/jq:{home}/a\nb c:{home}/dirs:{home}/files:{bin}",
}
STOOD_IN = ("claude", "jq", "systemctl", "systemd-run")
USED = (*STOOD_IN, "bash", "cp", "env", "flock", "mkdir", "mv", "rm", "sync", "timeout")


@every_scenario
@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_path(parity: Parity, scenario: Scenario, path: str) -> None:
    for name in USED:
        parity.directory(f"~/dirs/{name}")
        parity.file(f"~/files/{name}", "#!/bin/false\n", 0o644)
        # An empty PATH means the project, in which the forms are started.
        parity.file(name, "#!/bin/false\n", 0o755)
        parity.file(f"made-up/{name}", "#!/bin/false\n", 0o755)
    parity.env["PATH"] = path.format(bin=parity.world.bin, home=parity.world.home)
    run = meet(parity, scenario)
    assert {call.env["PATH"] for call in run.all_calls} == {parity.env["PATH"]}
    assert [timer.setenv["PATH"] for timer in run.timers] == [parity.env["PATH"]] * len(run.timers)


# "delivered, --ensure" is not delivered without jq: it is a full run like the others.
@every_scenario
@pytest.mark.parametrize("path", ["", ":made-up"], ids=["empty", "empty members"])
def test_path_without_programs(parity: Parity, scenario: Scenario, path: str) -> None:
    parity.env["PATH"] = path
    scenario.arrange(parity)
    parity.directory("logs")  # mkdir is missing, too
    for planned in parity.claude.queue:
        planned.optional()
    run = parity.run(*scenario.arguments)
    assert (run.exit_code, run.stdout, run.stray_stderr) == (1, "", "")
    assert run.programs == []
    assert [line for line in run.messages if line.startswith("ERROR: ")]
    assert run.timers == []
    assert run.dotenv_bytes == scenario.before


# --- How a form is called ---

# The working directory, the script for bash, and the project for the Python form.
CALLS = {
    "from its own directory": ("scripts/oauth", "refresh.sh", "../.."),
    "through a link": ("~/bin", "refresh", "../../project/"),
    "through a linked directory": ("~", "tools/../oauth/refresh.sh", "../project/logs/.."),
    "found in PATH": ("~", "refresh.sh", "{}//"),
}


@every_scenario
@pytest.mark.parametrize(("cwd", "script", "project"), CALLS.values(), ids=CALLS)
def test_call(parity: Parity, scenario: Scenario, cwd: str, script: str, project: str) -> None:
    parity.symlink("~/bin/refresh", f"../../project/{SCRIPT_PLACE}")
    parity.symlink("~/tools", f"{parity.world.project}/scripts/oauth")
    parity.env["PATH"] += f":{parity.world.project}/scripts/oauth"
    parity.set_cwd(cwd)
    bash = parity.forms["bash"]
    parity.forms["bash"] = replace(bash, argv=lambda world: [bash.argv(world)[0], script])
    parity.forms["python"] = replace(parity.forms["python"], argv=python("--project", project))
    meet(parity, scenario)  # the kit checks that each schedules itself by its absolute path
