"""The environment and the arguments: what a caller may pass on, on purpose or not."""

from __future__ import annotations

import re
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.support.refresh.forms import NO_HOME, alone, python, redirected
from tests.support.refresh.world import SAFE_PATH, SCRIPT, SCRIPT_PLACE, record_tools

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.refresh.world import Parity, RefreshRun


TOKEN = "sk-ant-oat01-made-up-new"
LINE = f"CLAUDE_CODE_OAUTH_TOKEN={TOKEN}\n"
FRESH_RUN = [
    "Token still fresh (remaining_ms=28800000), syncing to .env",
    "Updated .env with token (expires_at=1767351845000)",
    "Scheduled next refresh at 2026-01-02T10:34:05+00:00",
]
RENEWED_RUN = [
    "Token expired or expiring soon (remaining_ms=-3600000), invoking claude CLI to refresh",
    "Claude CLI refreshed token successfully",
    *FRESH_RUN[1:],
]
FORMS = pytest.mark.parametrize("form", ["bash", "python"])


def delivers(parity: Parity, *args: str) -> RefreshRun:
    """A silent run that copies a fresh token to the project's .env."""
    parity.credentials(token=TOKEN)
    run = parity.run(*args)
    assert (run.exit_code, run.stdout, run.stderr) == (0, "", "")
    assert run.messages == FRESH_RUN
    assert run.dotenv == LINE
    assert len(run.timers) == 1
    return run


def renews(parity: Parity) -> RefreshRun:
    """A run, silent on stdout, that has an expired token renewed and delivers the new one."""
    parity.credentials(token="sk-ant-oat01-made-up-old", expires_in="-1h")
    parity.claude.renews(token=TOKEN)
    parity.dotenv("A=* $x\n")
    run = parity.run()
    assert (run.exit_code, run.stdout) == (0, "")
    assert run.messages == RENEWED_RUN
    assert run.dotenv == f"A=* $x\n{LINE}"
    return run


def assert_no_token_in_any_environment(run: RefreshRun) -> None:
    """No program that the run started was given an access token, in whatever variable."""
    for call in run.all_calls:
        found = {name for name, value in call.env.items() if "sk-ant-" in value}
        assert found == set(), f"{call.program} {call.argv}"
        assert call.repeated_env == []


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
def test_project_that_is_no_folder_is_wrong_usage(parity: Parity, project: str) -> None:
    alone(parity, "python", python("--project", f"{{}}/{project}"))
    run = parity.run()
    assert (run.exit_code, run.stdout) == (2, "")
    assert str(parity.project / project).replace("logs/../", "") in run.stderr
    assert (run.programs, run.touched) == ([], [])


# --- What the caller has exported ---


@pytest.mark.parametrize(
    "locale",
    [{"LC_ALL": "C"}, {"LC_ALL": "POSIX"}, {"LC_ALL": "C.UTF-8"}, {"LC_ALL": ""},
     {"LANG": ""}, {"LANG": "C", "LC_CTYPE": "C.UTF-8"}],
    ids=str,
)  # fmt: skip
def test_locale_changes_nothing(parity: Parity, locale: dict[str, str]) -> None:
    parity.rename(project="naïve-😀-\udcff", home="é")
    del parity.env["LANG"]
    parity.env.update({name: value for name, value in locale.items() if value})
    parity.file("~/.claude/kept", b"")
    parity.dotenv(b"\xc3\n\xff\xfe=\xe2\x82\n")
    parity.credentials(token=TOKEN)
    # systemd-run accepts no value that is no UTF-8, but HOME and PATH are such.
    run = parity.run()
    assert (run.exit_code, run.stdout, run.stderr) == (0, "", "")
    assert run.messages == FRESH_RUN
    assert run.dotenv_bytes == b"\xc3\n\xff\xfe=\xe2\x82\n" + LINE.encode()
    given = {name for name in run.call("jq").env if name.startswith(("LANG", "LC_"))}
    assert given == {name for name, value in locale.items() if value}


# Not those that the script needs to be rid of the others: set, shopt, compgen, mapfile, unset.
FUNCTIONS = (
    "jq", "printf", "claude", "log", "cd", "exec", "local", "read", "command", "test", "umask",
    "main", "isolate", "systemd-run", "timeout", "env", "which", "wait", "exit", "kill",
)  # fmt: skip


@pytest.mark.parametrize("name", [*FUNCTIONS, "all of them"])
def test_functions_of_the_caller_stand_in_for_nothing(parity: Parity, name: str) -> None:
    alone(parity, "bash")  # only bash takes functions from the environment
    body = f"() {{ builtin printf '%s\\n' '{name} of the caller' >&2; return 1; }}"
    for function in FUNCTIONS if name == "all of them" else (name,):
        parity.env[f"BASH_FUNC_{function}%%"] = body
    run = renews(parity)
    assert run.stderr == ""


def test_functions_of_the_caller_reach_the_same_programs_from_both_forms(parity: Parity) -> None:
    parity.env["BASH_FUNC_jq%%"] = "() { exit 1; }"
    assert renews(parity).stderr == ""


# Every name to which the script, or a function of it, gives a value, and some words more.
TEXT = SCRIPT.read_text("utf-8")
NAMES = {
    *re.findall(r"(?<![\w$\"'{-])([A-Za-z_]\w*)\+?=", TEXT),
    *re.findall(r"(?<!\S)[A-Za-z_]\w*", " ".join(re.findall(r"local (?:\+x |-a )*(.*)", TEXT))),
}
MEANT_TO_BE_READ = {
    "HOME", "PATH", "LC_ALL", "IFS", "XDG_RUNTIME_DIR", "CLAUDE_CONFIG_DIR", "OAUTHKIT_DOTENV",
    "OAUTHKIT_LOG", "OAUTHKIT_UNIT", "CLAUDE_CODE_OAUTH_TOKEN", "POSIXLY_CORRECT",
    "BASH_COMPAT",  # bash itself complains of a value that is no version
}  # fmt: skip


def test_names_of_the_program_are_known() -> None:
    known = (
        "token problem REPLY REPLIES text wanted answer rest result line expiry status printed "
        "RETRY_MS placed _secrets _script limit_s group fd flags timer"
    )
    assert {*known.split()} - NAMES == set()


def test_variables_of_the_caller_are_no_variables_of_the_program(
    parity: Parity, tmp_path: Path
) -> None:
    record_tools(parity, tmp_path)
    exported = dict.fromkeys(sorted(NAMES - MEANT_TO_BE_READ), "of the caller")
    parity.env.update(exported)
    run = renews(parity)
    assert run.stderr == ""
    assert_no_token_in_any_environment(run)
    for call in run.all_calls:
        assert {n: call.env.get(n) for n in exported} == exported, call.program


@pytest.mark.parametrize(
    "variables",
    [{"LC_ALL": "C"}, {"GLOBIGNORE": "*"}, {"CDPATH": "/"}, {"TMOUT": "1"}, {"BASH_XTRACEFD": "2"},
     {"ENV": "/dev/full"}, {"EXECIGNORE": "*"}, {"COLUMNS": "1"}, {"TMPDIR": "/nowhere"},
     {"TIMEFORMAT": ""}, {"BASH_COMPAT": "4.2"}, {"PYTHONWARNINGS": "error"}, {"PYTHONUTF8": "0"},
     {"A.B": "x", "C-D": "y", "\u00e9": "z"}, {"BLOCKSIZE": "1"}, {"QUOTING_STYLE": "c"}],
    ids=str,
)  # fmt: skip
def test_variables_that_a_program_reads_change_nothing(
    parity: Parity, variables: dict[str, str]
) -> None:
    parity.env.update(variables)
    run = renews(parity)
    assert run.stderr == ""
    assert {n: run.call("claude").env.get(n) for n in variables} == variables


@pytest.mark.parametrize(
    "variables",
    [{"IFS": "/:=-"}, {"IFS": ""}, {"PS4": "$(touch z)+ "}, {"BASH": "x"}, {"BASH_SOURCE": "x"},
     {"UID": "5", "PIPESTATUS": "1", "OPTIND": "7", "LINENO": "1", "SECONDS": "x", "PWD": "/x"}],
    ids=str,
)  # fmt: skip
def test_variables_that_bash_sets_itself_change_nothing(
    parity: Parity, variables: dict[str, str]
) -> None:
    alone(parity, "bash")  # which hands on what it makes of them
    parity.env.update(variables)
    assert renews(parity).stderr == ""


SHELL_OPTIONS = (
    "allexport", "errexit", "errtrace", "functrace", "hashall", "histexpand", "history", "keyword",
    "monitor", "noclobber", "noglob", "nounset", "physical", "pipefail",
)  # fmt: skip
BASH_OPTIONS = (
    "cdable_vars", "compat43", "dotglob", "execfail", "expand_aliases", "extglob", "failglob",
    "globstar", "inherit_errexit", "lastpipe", "localvar_inherit", "localvar_unset", "nocasematch",
    "nullglob", "sourcepath", "xpg_echo",
)  # fmt: skip


@pytest.mark.parametrize(
    ("variable", "options"),
    [
        *(("SHELLOPTS", option) for option in SHELL_OPTIONS),
        ("SHELLOPTS", ":".join(SHELL_OPTIONS)),
        ("BASHOPTS", ":".join(BASH_OPTIONS)),
    ],
)
def test_shell_options_of_the_caller_change_nothing(
    parity: Parity, tmp_path: Path, variable: str, options: str
) -> None:
    alone(parity, "bash")  # which hands on what it makes of them
    record_tools(parity, tmp_path)
    parity.env[variable] = options
    run = renews(parity)
    assert run.stderr == ""
    assert_no_token_in_any_environment(run)


@FORMS
@pytest.mark.parametrize("variable", [{"POSIXLY_CORRECT": "1"}, {"SHELLOPTS": "posix"}], ids=str)
def test_posix_mode_of_the_caller_changes_nothing(
    parity: Parity, variable: dict[str, str], form: str
) -> None:
    alone(parity, form)  # in this mode bash reads no BASH_ENV, and so has no clock but the real one
    parity.env.update(variable)
    parity.set_clock(int(time.time()))
    parity.credentials(expires_in="-1h")
    parity.claude.renews(token=TOKEN)
    run = parity.run()
    assert (run.exit_code, run.stdout, run.stderr) == (0, "", "")
    assert run.dotenv == LINE
    assert [timer.when_s for timer in run.timers] == [parity.now_s + 8 * 3600 - 1800]
    assert not any("POSIXLY_CORRECT" in call.env for call in run.all_calls)


@pytest.mark.parametrize("options", ["xtrace", "verbose", "xtrace:allexport"])
def test_tracing_shell_of_the_caller_is_not_shown_the_token(
    parity: Parity, tmp_path: Path, options: str
) -> None:
    alone(parity, "bash")  # it traces what comes before it can switch that off
    record_tools(parity, tmp_path)
    parity.env["SHELLOPTS"] = options
    run = renews(parity)
    assert "BASH_VERSION" in run.stderr  # or this test would be blind
    assert "sk-ant-" not in run.stderr
    assert_no_token_in_any_environment(run)


CLOSED = {"stdin": "<&-", "stdout": ">&-", "stderr": "2>&-", "all": "<&- >&- 2>&-"}


@pytest.mark.parametrize("redirection", CLOSED.values(), ids=CLOSED)
def test_closed_descriptors_change_nothing(parity: Parity, redirection: str) -> None:
    parity.forms = {name: redirected(form, redirection) for name, form in parity.forms.items()}
    run = renews(parity)
    assert run.stderr == ""
    assert {call.descriptors[0] for call in run.all_calls} == {"/dev/null"}
    assert [sorted(call.descriptors) for call in run.all_calls] == [[0, 1, 2]] * len(run.all_calls)
