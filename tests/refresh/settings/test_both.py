"""HOME, the project and the arguments of a run."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.support.refresh.forms import NO_HOME, alone, python
from tests.support.refresh.runs import FORMS, delivers
from tests.support.refresh.world import SAFE_PATH, SCRIPT_PLACE

if TYPE_CHECKING:
    from tests.support.refresh.world import Parity

# --- HOME ---


@pytest.mark.parametrize("home", [None, ""], ids=["unset", "empty"])
@pytest.mark.parametrize("arguments", [[], ["--ensure"]], ids=["", "--ensure"])
def test_without_home_there_is_one_clear_line_and_nothing_is_touched(
    parity: Parity, home: str | None, arguments: list[str]
) -> None:
    parity.credentials()
    parity.missing_logs()
    parity.dotenv("A=1\n")
    del parity.env["HOME"]
    if home is not None:
        parity.env["HOME"] = home
    run = parity.run(*arguments)
    assert (run.exit_code, run.stdout, run.stderr) == (1, "", NO_HOME)
    assert (run.programs, run.touched, run.timers) == ([], [], [])
    assert "logs" not in run.files


HOMES = {
    "slash at the end": ("home", "{}/"),
    "doubled slashes": ("home", "/{}//"),
    "space": ("at home ", "{}"),
    "quotes, $ and a glob": ("'\"$HOME`*", "{}"),
    "newline at the end": ("home\n", "{}"),
    "é": ("é", "{}"),
    "relative": ("home", "../home"),
}


@pytest.mark.parametrize(("name", "value"), HOMES.values(), ids=HOMES)
def test_home_may_be_written_in_any_way(parity: Parity, name: str, value: str) -> None:
    parity.rename(home=name)
    parity.env["HOME"] = value.format(parity.world.home)
    run = delivers(parity)
    assert run.calls("jq")[0][-1] == f"{parity.home}/.claude/.credentials.json"
    assert run.timers[0].setenv["HOME"] == str(parity.home)


# --- The project ---

PROJECTS = [
    "with two  spaces", " space around ", "'single' \"double\"", "$HOME ${x} $(touch y) `touch z`",
    "new\nline", "newline at the end\n", "-rf", "--help", "naïve-Ünïcödé-😀", "a*b?[c]{d,e}", "~",
    "back\\slash\\", "%s %d %%", "semi;colon & pipe | (bracket)", "#hash !bang", "tab\there", "a=b",
    "...", "*",
]  # fmt: skip


@pytest.mark.parametrize("name", PROJECTS)
def test_project_may_have_any_name(parity: Parity, name: str) -> None:
    parity.rename(project=name)
    parity.missing_logs()
    run = delivers(parity)
    assert {entry for entry in run.files if not entry.startswith(("/", "~/", "scripts"))} == {
        ".env", "logs", "logs/oauth-refresh.lock", "logs/oauth-refresh.log",
    }  # fmt: skip
    assert run.timers[0].command[1] == f"{parity.project}/{SCRIPT_PLACE}".replace("$", "$$")


PROJECT_ARGUMENTS = {
    "slash at the end": (".", ["--project", "{}/"]),
    "one word": ("~", ["--project={}"]),
    "relative": ("~", ["--project", "../project"]),
    "relative, one word": ("~", ["--project=../project/./"]),
    "doubled slashes and dots": ("~", ["--project", "{}//scripts/..//"]),
    "dot": (".", ["--project", "."]),
    "none: this folder": (".", []),
    "parent": ("scripts", ["--project=.."]),
}


@pytest.mark.parametrize(("cwd", "arguments"), PROJECT_ARGUMENTS.values(), ids=PROJECT_ARGUMENTS)
def test_python_form_finds_the_project_by_its_argument(
    parity: Parity, cwd: str, arguments: list[str]
) -> None:
    parity.set_cwd(cwd)
    parity.forms["python"] = replace(parity.forms["python"], argv=python(*arguments))
    delivers(parity)  # the kit checks that it schedules itself with the plain absolute path


def test_project_that_is_a_link_is_kept_as_it_was_said(parity: Parity) -> None:
    parity.symlink("~/link", "../project")
    alone(parity, "python", lambda w: python("--project", f"{w.home}/link")(w))
    own = [sys.executable, *SAFE_PATH, "-m", "oauthkit", "refresh"]
    own += [f"--project={parity.world.home}/link"]
    parity.forms["python"] = replace(parity.forms["python"], own_command=lambda _: own)
    delivers(parity)


SCRIPT_CALLS = {
    "from the project": (".", "scripts/oauth/refresh.sh"),
    "from its own folder": ("scripts/oauth", "refresh.sh"),
    "from another folder": ("~", "../project/scripts/oauth/refresh.sh"),
    "through dots and doubled slashes": ("~", ".././project//scripts/../scripts/oauth/refresh.sh"),
    "through a link": (".", "{home}/bin/refresh"),
    "through a relative link": ("~/bin", "refresh"),
    "through a link to a link": ("~", "again"),
    "through a linked folder": ("~", "tools/refresh.sh"),
    "through a linked folder, up and down": ("~", "tools/../oauth/refresh.sh"),
    "found in PATH": ("~", "refresh.sh"),
    "through a linked project": ("~", "linked project/scripts/oauth/refresh.sh"),
}


@pytest.mark.parametrize(("cwd", "script"), SCRIPT_CALLS.values(), ids=SCRIPT_CALLS)
def test_bash_form_finds_the_project_by_its_own_real_path(
    parity: Parity, cwd: str, script: str
) -> None:
    parity.symlink("~/bin/refresh", f"../../project/{SCRIPT_PLACE}")
    parity.symlink("~/again", "bin/refresh")
    parity.symlink("~/tools", f"{parity.world.project}/scripts/oauth")
    parity.symlink("~/linked project", "../project")
    parity.env["PATH"] += f":{parity.world.project}/scripts/oauth"
    parity.set_cwd(cwd)
    form = parity.forms["bash"]
    script = script.format(home=parity.world.home)
    parity.forms["bash"] = replace(form, argv=lambda world: [form.argv(world)[0], script])
    delivers(parity)  # the kit checks that it schedules its real path


def test_bash_form_is_a_program_of_its_own(parity: Parity) -> None:
    script = str(parity.world.project / SCRIPT_PLACE)
    alone(parity, "bash", lambda _: [script])
    own = [str(parity.world.bin / "bash"), script]  # as `env bash` finds it
    parity.forms["bash"] = replace(parity.forms["bash"], own_command=lambda _: own)
    delivers(parity)


# --- Arguments ---

WRONG = [
    ["--bogus"],
    ["more"],
    ["--ensure", "--bogus"],
    ["--ensure", "--ensure"],
    ["--ensure=yes"],
    [""],
    ["-e"],
    ["--", "x"],
]


@FORMS
@pytest.mark.parametrize("arguments", WRONG, ids=" ".join)
def test_wrong_usage_is_exit_status_2_and_nothing_is_touched(
    parity: Parity, form: str, arguments: list[str]
) -> None:
    alone(parity, form)
    parity.credentials()
    run = parity.run(*arguments)
    assert run.exit_code == 2
    assert (bool(run.stderr), run.stdout) == (True, "")
    assert (run.programs, run.touched) == ([], [])


@pytest.mark.parametrize(
    ("form", "text"),
    [("bash", r"usage: refresh\.sh \[--ensure\]\n"), ("python", r"(?s).*--ensure.*--project.*")],
)
def test_help_is_exit_status_0_and_nothing_is_touched(parity: Parity, form: str, text: str) -> None:
    alone(parity, form)
    parity.credentials()
    run = parity.run("--help")
    assert (run.exit_code, run.stderr) == (0, "")
    assert re.fullmatch(text, run.stdout)
    assert (run.programs, run.touched) == ([], [])


@pytest.mark.parametrize("project", ["missing", "scripts/oauth/refresh.sh", "logs/../missing"])
def test_project_that_is_not_a_directory_is_wrong_usage(parity: Parity, project: str) -> None:
    alone(parity, "python", python("--project", f"{{}}/{project}"))
    run = parity.run()
    assert (run.exit_code, run.stdout) == (2, "")
    assert str(parity.project / project).replace("logs/../", "") in run.stderr
    assert (run.programs, run.touched) == ([], [])
