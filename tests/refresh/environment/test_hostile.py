"""The caller's umask, variables, functions and BASH_ENV, crossed with the scenarios."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.support.refresh import variables
from tests.support.refresh.forms import alone
from tests.support.refresh.scenarios import every_scenario, expect, meet
from tests.support.refresh.world import TOOLS

from oauthkit.parity import Allowed

if TYPE_CHECKING:
    from tests.support.refresh.scenarios import Scenario
    from tests.support.refresh.world import Parity, RefreshRun

    from oauthkit.parity import World

# Created by any of the caller's code that runs.
HACKED = "hacked"


def assert_no_caller_code_ran(run: RefreshRun) -> None:
    """Assert that no command hidden in a variable or a function has created its file."""
    assert not [name for name in run.files if name.rpartition("/")[2].startswith(HACKED)]


# --- umask ---


# All other tests use 022.
@every_scenario
@pytest.mark.parametrize("umask", [0o000, 0o077], ids=oct)
def test_umask(parity: Parity, scenario: Scenario, umask: int) -> None:
    parity.umask = umask
    run = meet(parity, scenario)  # checks the mode of every written file
    assert {call.umask for call in run.all_calls} == {0o077}
    if scenario.name == "renewed by claude":
        assert stat.S_IMODE(run.files["logs"].mode) == 0o700  # created by this run


# --- Variables ---

PROGRAM = sorted(variables.given() - variables.MEANT_TO_BE_READ - variables.OF_BASH)
HOSTILE = (f"a[$(>~/{HACKED})]", f"text `>~/{HACKED}`\n*", "08", "")


def test_all_names_in_the_program_are_exported() -> None:
    unknown = variables.used() - variables.given() - variables.OF_BASH - variables.MEANT_TO_BE_READ
    assert unknown == set(), "the pattern misses the assignments of these"
    some = "token REPLY REPLIES fd flags candidate name timer _group LOCK_WAIT_S CREDENTIALS_FILTER"
    assert {*some.split()} <= {*PROGRAM}
    assert len(PROGRAM) > 70


@every_scenario
@pytest.mark.parametrize("first", range(len(HOSTILE)))
def test_variables_of_the_program(parity: Parity, scenario: Scenario, first: int) -> None:
    # All variables get a value at once. Across the four tests, each variable gets each value.
    hostile = {n: HOSTILE[(first + i) % len(HOSTILE)] for i, n in enumerate(PROGRAM)}
    parity.env.update(hostile)
    run = meet(parity, scenario)
    for call in run.all_calls:
        assert hostile.items() <= call.env.items(), call.program
    assert_no_caller_code_ran(run)


@every_scenario
def test_variables_that_bash_passes_on(parity: Parity, scenario: Scenario) -> None:
    parity.env.update(variables.PASSED_ON)
    assert_no_caller_code_ran(meet(parity, scenario))


@every_scenario
def test_variables_that_bash_uses_itself(parity: Parity, scenario: Scenario) -> None:
    # POSIXLY_CORRECT prevents bash from reading the kit's clock: see test_settings.py, and "posix"
    # below. SHELLOPTS and BASHOPTS have the same effect; BASH_ENV sets the same options below.
    allow(parity, *variables.TAKEN)
    parity.env.update(variables.TAKEN)
    assert_no_caller_code_ran(meet(parity, scenario))


@every_scenario
def test_limit_of_nested_functions(parity: Parity, scenario: Scenario) -> None:
    parity.env["FUNCNEST"] = "1"
    meet(parity, scenario)


@every_scenario
def test_other_bash_argv0(parity: Parity, scenario: Scenario) -> None:
    # With this value, bash would use that program's path as its own, and schedule cat.
    allow(parity, "BASH_ARGV0")
    parity.env["BASH_ARGV0"] = "cat"
    form = parity.forms["bash"]
    bash = str(Path(form.argv(parity.world)[0]).resolve())
    parity.forms["bash"] = replace(form, own_command=lambda w: [bash, *form.own_command(w)[1:]])
    meet(parity, scenario)


def allow(parity: Parity, *names: str) -> None:
    """Allow the values that bash passes on for these variables. Everything else is compared."""
    reason = "bash sets them itself, or removes them from the environment."
    parity._allowed = (*parity._allowed, Allowed(reason, variables=frozenset(names)))


# --- Functions ---

# Commands of either form, and bash's builtins. Functions cannot replace keywords such as `[[`.
WORDS = {
    "[", "builtin", "cd", "command", "compgen", "declare", "eval", "exec", "exit", "export",
    "kill", "local", "mapfile", "printf", "pwd", "read", "return", "set", "shift", "shopt", "test",
    "trap", "true", "type", "ulimit", "umask", "unalias", "unset", "wait", ":", ".",
}  # fmt: skip
PROGRAMS = {*TOOLS, "claude", "jq", "systemctl", "systemd-run", "date", "ps", "sed", "which"}
# Without a command, because one of these functions could replace it.
BODY = '{{ >"$HOME/' + HACKED + '-{}"; ((0)); }}'


def harden_the_clock(world: World) -> None:
    """Make the kit's own BASH_ENV unset a variable although there is a function named unset."""
    path = world.control / "clock/bash_env"
    # In POSIX mode, special builtins take precedence over functions (bash(1), COMMAND EXECUTION).
    path.write_text(f"POSIXLY_CORRECT=1\n{path.read_text('ascii')}unset POSIXLY_CORRECT\n", "ascii")


@every_scenario
def test_functions(parity: Parity, scenario: Scenario) -> None:
    for name in WORDS | PROGRAMS | variables.functions():
        parity.env[f"BASH_FUNC_{name}%%"] = f"() {BODY.format(name)}"
    parity.step(harden_the_clock)
    run = meet(parity, scenario)
    assert_no_caller_code_ran(run)
    for call in run.all_calls:
        assert not [name for name in call.env if name.startswith("BASH_FUNC_")]


# --- BASH_ENV ---

# Bash reads this file before the script, so it is input like any other. The exit status, .env, log,
# timer and all calls must be the same as without it. The file's output does not matter. Not tested,
# because they turn bash into a different shell: readonly variables and functions, disabled
# builtins, extdebug (which starts a debugger), and traps that change the script's data.
COMPATIBLE = tuple(f"compat{version}" for version in (31, 32, 40, 41, 42, 43, 44))
OPTIONS = (
    "assoc_expand_once cdable_vars dotglob execfail extglob failglob globstar "
    "inherit_errexit lastpipe localvar_inherit localvar_unset nocaseglob nocasematch nullglob "
    "sourcepath xpg_echo"
)
ALIASES = " ".join(
    f"{name}='>~/{HACKED}-alias; false'" for name in sorted((WORDS | PROGRAMS) - {"[", ":", "."})
)
DEFINITIONS = "\n".join(
    f"{name}() {BODY.format(name)}" for name in sorted(WORDS | PROGRAMS | variables.functions())
)
BASH_ENVS = {
    "options": "set -eEu -o pipefail; set -abCfhkmBHPT; set +B",
    "posix": "set -o posix",
    "shopt": "\n".join(f"shopt -s {name}" for name in (*OPTIONS.split(), *COMPATIBLE)),
    "aliases": f"shopt -s expand_aliases\nalias {ALIASES}",
    "functions": DEFINITIONS,
    "traps": "set -ET; trap ': \"$?\"' DEBUG ERR RETURN; trap 'exec 2>&-' EXIT",
    # Except for -x: variables that BASH_ENV exports are exported.
    "attributes": "shopt -s localvar_inherit; declare -i status REPLY=5; declare -u token=x rest; "
    "declare -l text; declare -A timer; declare -n answer=HOME",
    "separators": "IFS=/:; OPTIND=5; GLOBIGNORE='*'",
    "letters as separators": "IFS=abcdefghijklmnopqrstuvwxyz",
}


def reads_first(parity: Parity, text: str) -> None:
    """Make bash read `text` before the script, after the kit's own BASH_ENV with its clock."""

    def append(world: World) -> None:
        with (world.control / "clock/bash_env").open("a", encoding="utf-8") as file:
            file.write(f"{text}\n")

    parity.step(append)


@every_scenario
@pytest.mark.parametrize("text", BASH_ENVS.values(), ids=BASH_ENVS)
def test_bash_env(parity: Parity, scenario: Scenario, text: str) -> None:
    reads_first(parity, text)
    assert_no_caller_code_ran(meet(parity, scenario))


@every_scenario
def test_bash_env_that_prints(parity: Parity, scenario: Scenario) -> None:
    alone(parity, "bash")  # the Python form does not read this file
    reads_first(parity, "printf 'of BASH_ENV\\n'; printf 'too\\n' >&2; trap 'printf end' EXIT")
    scenario.arrange(parity)
    run = parity.run(*scenario.arguments)
    assert (run.stdout, run.stray_stderr) == ("of BASH_ENV\nend", "too\n")
    run.stdout_bytes = b""
    run.stderr_bytes = run.stderr_bytes.replace(b"too\n", b"", 1)
    expect(parity, run, scenario)
