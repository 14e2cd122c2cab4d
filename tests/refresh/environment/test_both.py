"""The caller's exported variables and shell settings change nothing."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from tests.support.refresh.forms import alone, redirected
from tests.support.refresh.runs import (
    FORMS,
    FRESH_RUN,
    LINE,
    TOKEN,
    assert_no_token_in_any_environment,
    renews,
)
from tests.support.refresh.variables import MEANT_TO_BE_READ, OF_BASH, given
from tests.support.refresh.world import record_tools

if TYPE_CHECKING:
    from tests.support.refresh.world import Parity


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
    # systemd-run accepts only UTF-8 values, but HOME and PATH here are not UTF-8.
    run = parity.run()
    assert (run.exit_code, run.stdout, run.stray_stderr) == (0, "", "")
    assert run.messages == FRESH_RUN
    assert run.dotenv_bytes == b"\xc3\n\xff\xfe=\xe2\x82\n" + LINE.encode()
    passed = {name for name in run.call("jq").env if name.startswith(("LANG", "LC_"))}
    assert passed == {name for name, value in locale.items() if value}


def test_exported_functions_have_no_effect(parity: Parity) -> None:
    parity.env["BASH_FUNC_jq%%"] = "() { exit 1; }"
    assert renews(parity).stderr == ""


# Every name that the script or its functions assign.
NAMES = given()


def test_names_in_the_program_are_known() -> None:
    known = (
        "token problem REPLY REPLIES text wanted answer rest result line expiry status printed "
        "RETRY_MS placed _secrets _script limit_s fd flags timer"
    )
    assert {*known.split()} - NAMES == set()


def test_caller_s_variables_do_not_affect_the_program_s_own(parity: Parity) -> None:
    record_tools(parity)
    exported = dict.fromkeys(sorted(NAMES - MEANT_TO_BE_READ - OF_BASH), "of the caller")
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
    alone(parity, "bash")  # bash passes these on in its own form
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
    parity: Parity, variable: str, options: str
) -> None:
    alone(parity, "bash")  # bash passes these on in its own form
    record_tools(parity)
    parity.env[variable] = options
    run = renews(parity)
    assert run.stderr == ""
    assert_no_token_in_any_environment(run)


@FORMS
@pytest.mark.parametrize("variable", [{"POSIXLY_CORRECT": "1"}, {"SHELLOPTS": "posix"}], ids=str)
def test_posix_mode_of_the_caller_changes_nothing(
    parity: Parity, variable: dict[str, str], form: str
) -> None:
    alone(parity, form)  # in this mode bash ignores BASH_ENV, so it has only the real clock
    parity.env.update(variable)
    parity.set_clock(int(time.time()))
    parity.credentials(expires_in="-1h")
    parity.claude.renews(token=TOKEN)
    run = parity.run()
    assert (run.exit_code, run.stdout, run.stray_stderr) == (0, "", "")
    assert run.dotenv == LINE
    assert [timer.when_s for timer in run.timers] == [parity.now_s + 8 * 3600 - 1800]
    assert not any("POSIXLY_CORRECT" in call.env for call in run.all_calls)


@pytest.mark.parametrize("options", ["xtrace", "verbose", "xtrace:allexport"])
def test_caller_s_trace_does_not_show_the_token(parity: Parity, options: str) -> None:
    alone(parity, "bash")  # it traces the commands before the script can turn tracing off
    record_tools(parity)
    parity.env["SHELLOPTS"] = options
    run = renews(parity)
    assert "BASH_VERSION" in run.stderr  # otherwise this test could not fail
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
