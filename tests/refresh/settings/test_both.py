"""HOME, the project, the arguments and refresh.conf of a run."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.support.refresh.forms import NO_HOME, alone, python
from tests.support.refresh.runs import FORMS, delivers
from tests.support.refresh.world import SCRIPT, SCRIPT_PLACE, UNIT

if TYPE_CHECKING:
    from tests.support.refresh.world import Parity, RefreshRun

# --- HOME ---


@pytest.mark.parametrize("home", [None, ""], ids=["unset", "empty"])
@pytest.mark.parametrize("arguments", [[], ["--ensure"]], ids=["", "--ensure"])
def test_missing_home_is_one_line_on_stderr_and_changes_nothing(
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
def test_home_can_be_written_in_any_form(parity: Parity, name: str, value: str) -> None:
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
def test_project_can_have_any_name(parity: Parity, name: str) -> None:
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
    "none: this directory": (".", []),
    "parent": ("scripts", ["--project=.."]),
}


@pytest.mark.parametrize(("cwd", "arguments"), PROJECT_ARGUMENTS.values(), ids=PROJECT_ARGUMENTS)
def test_python_form_finds_the_project_by_its_argument(
    parity: Parity, cwd: str, arguments: list[str]
) -> None:
    parity.set_cwd(cwd)
    parity.forms["python"] = replace(parity.forms["python"], argv=python(*arguments))
    delivers(parity)  # the kit checks that the form schedules its plain absolute path


def test_python_form_resolves_a_project_that_is_a_link(parity: Parity) -> None:
    parity.symlink("~/link", "../project")
    alone(parity, "python", lambda w: python("--project", f"{w.home}/link")(w))
    delivers(parity)  # with a timer for the real path


SCRIPT_CALLS = {
    "from the project": (".", "scripts/oauth/refresh.sh"),
    "from its own directory": ("scripts/oauth", "refresh.sh"),
    "from another directory": ("~", "../project/scripts/oauth/refresh.sh"),
    "through dots and doubled slashes": ("~", ".././project//scripts/../scripts/oauth/refresh.sh"),
    "through a link": (".", "{home}/bin/refresh"),
    "through a relative link": ("~/bin", "refresh"),
    "through a link to a link": ("~", "again"),
    "through a linked directory": ("~", "tools/refresh.sh"),
    "through a linked directory, up and down": ("~", "tools/../oauth/refresh.sh"),
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
    delivers(parity)  # the kit checks that the form schedules its real path


def test_bash_form_outside_a_project_does_nothing(parity: Parity) -> None:
    parity.file("~/a/b/refresh.sh", SCRIPT.read_bytes(), 0o755)
    form = parity.forms["bash"]
    alone(parity, "bash", lambda w: [form.argv(w)[0], f"{w.home}/a/b/refresh.sh"])
    parity.credentials()
    run = parity.run()
    problem = "is not a project. Move this script to a project's scripts/oauth"
    assert (run.exit_code, run.stderr) == (2, f"oauthkit: {parity.home} {problem}\n")
    assert (run.programs, run.touched) == ([], [])


def test_bash_form_is_executable(parity: Parity) -> None:
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
    ["--ensure", "--rejected"],
    ["--rejected", "--rejected"],
    ["--ensure=yes"],
    [""],
    ["-e"],
    ["--", "x"],
]


@FORMS
@pytest.mark.parametrize("arguments", WRONG, ids=" ".join)
def test_usage_error_is_exit_status_2_and_changes_nothing(
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
    [
        ("bash", r"usage: refresh\.sh \[--ensure \| --rejected\]\n"),
        ("python", r"(?s).*--ensure.*--project.*"),
    ],
)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_is_exit_status_0_and_changes_nothing(
    parity: Parity, form: str, text: str, option: str
) -> None:
    alone(parity, form)
    parity.credentials()
    run = parity.run(option)
    assert (run.exit_code, run.stderr) == (0, "")
    assert re.fullmatch(text, run.stdout)
    assert (run.programs, run.touched) == ([], [])


@pytest.mark.parametrize("project", ["missing", "scripts/oauth/refresh.sh", "logs/../missing"])
def test_project_that_is_not_a_directory_is_a_usage_error(parity: Parity, project: str) -> None:
    alone(parity, "python", python("--project", f"{{}}/{project}"))
    run = parity.run()
    assert (run.exit_code, run.stdout) == (2, "")
    assert str(parity.project / project).replace("logs/../", "") in run.stderr
    assert (run.programs, run.touched) == ([], [])


# --- refresh.conf ---

CONF = "scripts/oauth/refresh.conf"


def with_conf(parity: Parity, content: bytes | str) -> RefreshRun:
    """Run both forms with this refresh.conf and a fresh token."""
    parity.credentials()
    parity.file(CONF, content.encode() if isinstance(content, str) else content, 0o600)
    run = parity.run()
    assert (run.exit_code, run.stdout, run.stray_stderr) == (0, "", "")
    return run


def warnings(parity: Parity, run: RefreshRun) -> list[str]:
    """Return the warnings about refresh.conf, without its path."""
    start = f"WARN: {parity.project / CONF}"
    return [line.removeprefix(start) for line in run.messages if line.startswith(start)]


@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
def test_settings_in_the_file_are_used(parity: Parity, end: str) -> None:
    lines = ["# comment", "", "OAUTHKIT_DOTENV=my dir/.env", "OAUTHKIT_UNIT=mine"]
    parity.directory("my dir")
    run = with_conf(parity, ("\r\n" if end == "\r\n" else "\n").join(lines) + end)
    assert run.files["my dir/.env"].content == b"CLAUDE_CODE_OAUTH_TOKEN=sk-ant-oat01-made-up-old\n"
    assert ".env" not in run.files
    assert run.timers[0].unit == "mine"
    # The next run reads the file itself.
    assert sorted(run.timers[0].setenv) == ["HOME", "PATH"]
    assert warnings(parity, run) == []


def test_every_setting_can_be_in_the_file(parity: Parity) -> None:
    parity.credentials(path="~/other/.credentials.json", expires_in="-1h")
    parity.claude.renews(token="sk-ant-oat01-made-up-new")
    text = (
        f"CLAUDE_CONFIG_DIR={parity.home}/other\nOAUTHKIT_BEARER=bearer\nOAUTHKIT_LOG=my/log\n"
        "OAUTHKIT_LIGHT=1\n"
    )
    run = with_conf(parity, text)
    assert '"sk-ant-oat01-made-up-new"' in run.files["bearer"].content.decode()
    assert "Claude CLI refreshed token successfully" in run.files["my/log"].content.decode()
    assert "--safe-mode" in run.calls("claude")[0]
    assert run.files["my/oauth-refresh.lock"].mode == 0o600


def test_environment_takes_precedence_over_the_file(parity: Parity) -> None:
    parity.env["OAUTHKIT_UNIT"] = "from-the-environment"
    run = with_conf(parity, "OAUTHKIT_UNIT=from-the-file\n")
    assert run.timers[0].unit == "from-the-environment"


def test_empty_setting_in_the_environment_does_not_override_the_file(parity: Parity) -> None:
    parity.env["OAUTHKIT_UNIT"] = ""
    run = with_conf(parity, "OAUTHKIT_UNIT=from-the-file\n")
    assert run.timers[0].unit == "from-the-file"


def test_first_line_for_a_name_is_used(parity: Parity) -> None:
    run = with_conf(parity, "OAUTHKIT_UNIT=first\nOAUTHKIT_UNIT=second\n")
    assert run.timers[0].unit == "first"


def test_ensure_reads_the_file(parity: Parity) -> None:
    parity.credentials()
    parity.file(CONF, b"OAUTHKIT_DOTENV=other.env\nwrong\n", 0o600)
    parity.file("other.env", b"CLAUDE_CODE_OAUTH_TOKEN=sk-ant-oat01-made-up-old\n", 0o600)
    run = parity.run("--ensure")
    assert (run.exit_code, run.programs, run.touched) == (0, ["jq"], [])


NO_SETTING = " is ignored: there is no such setting"
NO_MEANING = " is ignored: quotes and ~ have no meaning here"
NO_VALUE = " is ignored: it has $, a comment or extra spaces"
NOT_READ = {
    "unknown name": (b"PATH=/x\n", [f" line 1{NO_SETTING}"]),
    "unknown name without a value": (b"OAUTHKIT_UNITS=\n", [f" line 1{NO_SETTING}"]),
    "no =": (b"\nOAUTHKIT_UNIT\n", [" line 2 is not NAME=VALUE and is ignored"]),
    "export": (b"export OAUTHKIT_UNIT=x\n", [f" line 1{NO_SETTING}"]),
    "blanks": (b" OAUTHKIT_UNIT=x\n", [f" line 1{NO_SETTING}"]),
    "double quotes": (b'OAUTHKIT_UNIT="x"\n', [f" line 1{NO_MEANING}"]),
    "single quotes": (b"OAUTHKIT_DOTENV='x y'\n", [f" line 1{NO_MEANING}"]),
    "tilde": (b"OAUTHKIT_DOTENV=~/x\n", [f" line 1{NO_MEANING}"]),
    "comment": (b"OAUTHKIT_DOTENV=x # y\n", [f" line 1{NO_VALUE}"]),
    "trailing blank": (b"OAUTHKIT_DOTENV=x \n", [f" line 1{NO_VALUE}"]),
    "leading blank": (b"OAUTHKIT_DOTENV= x\n", [f" line 1{NO_VALUE}"]),
    "variable": (b"OAUTHKIT_DOTENV=$HOME/x\n", [f" line 1{NO_VALUE}"]),
    "code": (b"a[$(touch x)]=1\n$(touch x)\n`touch x`=1\n",
             [f" line 1{NO_SETTING}", " line 2 is not NAME=VALUE and is ignored",
              f" line 3{NO_SETTING}"]),
    "control characters": (b"\x1b[31m=1\n\xff=1\n", [f" line {n}{NO_SETTING}" for n in (1, 2)]),
    "empty value": (b"OAUTHKIT_UNIT=\nOAUTHKIT_DOTENV=\nOAUTHKIT_STORE=\n", []),
    "empty key setting": (b"OAUTHKIT_STORE_RECIPIENTS=\r\n",
                          [" line 1 is ignored: it has no value"]),
    "NUL": (b"OAUTHKIT_UNIT=x\n\0", [" has a NUL byte and is ignored"]),
    "1 MiB": (b"#" * 2**20, [" is larger than 256 KiB and is ignored"]),
    "201 lines": (b"#\n" * 200 + b"OAUTHKIT_UNIT=x\n", [": only the first 200 lines are read"]),
}  # fmt: skip


@pytest.mark.parametrize("kind", NOT_READ)
def test_invalid_line_is_reported_and_ignored(parity: Parity, kind: str) -> None:
    content, lines = NOT_READ[kind]
    run = with_conf(parity, content)
    assert warnings(parity, run) == lines
    assert run.timers[0].unit == UNIT
    assert run.dotenv == "CLAUDE_CODE_OAUTH_TOKEN=sk-ant-oat01-made-up-old\n"
    assert "x" not in run.files


@pytest.mark.parametrize("is_link", [False, True])
def test_directory_or_dangling_link_is_ignored(parity: Parity, *, is_link: bool) -> None:
    parity.credentials()
    parity.symlink(CONF, "nowhere") if is_link else parity.directory(CONF)
    run = parity.run()
    assert warnings(parity, run) == [" cannot be read and is ignored"]
    assert run.exit_code == 0


def test_at_most_20_warnings_are_logged(parity: Parity) -> None:
    assert len(warnings(parity, with_conf(parity, "x\n" * 30))) == 20
