"""Names of variables and commands in the bash form, and bash's own variables."""

from __future__ import annotations

import re

from tests.support.refresh.world import SCRIPT

NAME = r"[A-Za-z_]\w*"
# Where a variable is assigned or declared.
GIVEN = (
    rf"(?<![\w$\"'{{-])({NAME})\+?=",
    rf"\bfor ({NAME}) in\b",
    rf"\bprintf -v ({NAME})\b",
    rf"\bmapfile -t ({NAME})\b",
)
# Builtins that take a list of names.
LISTS = (r"\blocal ((?:[-+]\w+ )*)(.*)", r"\bread ((?:-d '' |-\w+ )*)([\w ]+?)(?:;| <|\n| })")
# Where a variable is expanded. In arithmetic, a name is expanded without a $.
USED = (rf"\$({NAME})", rf"\$\{{[#!]?({NAME})")
ARITHMETIC = r"\(\((.+?)\)\)"

# The script uses the caller's values of these, or another axis passes them to commands.
MEANT_TO_BE_READ = frozenset({
    "HOME", "PATH", "LC_ALL", "XDG_RUNTIME_DIR", "CLAUDE_CONFIG_DIR", "OAUTHKIT_BEARER",
    "OAUTHKIT_DOTENV", "OAUTHKIT_LOG", "OAUTHKIT_UNIT", "OAUTHKIT_LIGHT", "OAUTHKIT_STORE",
    "CLAUDE_CODE_OAUTH_TOKEN",
    "BASH_COMPAT",  # bash itself reports a value that is not a version
    "OAUTHKIT_OUTPUT",  # kept in the environment from the failure to the hooks
})  # fmt: skip
# Variables that bash sets itself and the script reads.
OF_BASH = frozenset({
    "BASH", "BASH_REMATCH", "BASH_SOURCE", "BASH_VERSINFO", "BASH_VERSION", "EPOCHREALTIME",
    "EPOCHSECONDS", "IFS", "POSIXLY_CORRECT", "PWD", "SHELLOPTS", "UID",
})  # fmt: skip

# Variables that bash uses, but passes on unchanged.
PASSED_ON = {
    "BASH_ALIASES": "x", "BASH_ARGC": "x", "BASH_ARGV": "x", "BASH_CMDS": "x",
    "BASH_COMPAT": "4.2", "BASH_EXECUTION_STRING": "x", "BASH_LINENO": "x",
    "BASH_LOADABLES_PATH": "/x", "BASH_SOURCE": "x", "BASH_XTRACEFD": "2", "CDPATH": "/:/bin",
    "CHILD_MAX": "1", "COLUMNS": "1", "COMP_WORDS": "x", "COPROC": "x", "ENV": "/dev/full",
    "EUID": "5", "EXECIGNORE": "*", "FCEDIT": "x", "FIGNORE": "x", "FUNCNAME": "x",
    "GLOBIGNORE": "*", "GROUPS": "x", "HISTCONTROL": "x", "HISTFILE": "/x", "HOSTNAME": "x",
    "HOSTTYPE": "x", "INPUTRC": "/x", "INSIDE_EMACS": "x", "LINES": "1", "MACHTYPE": "x",
    "MAIL": "/x", "MAILCHECK": "x", "MAPFILE": "x", "OPTARG": "x", "OSTYPE": "x",
    "PROMPT_COMMAND": "false", "PS0": "x", "SECONDS": "x", "SHELL": "/x", "TERM": "dumb",
    "TIMEFORMAT": "x", "TMOUT": "1", "TMPDIR": "/nowhere", "UID": "5", "histchars": "abc",
    "DIRSTACK": "x", "NLSPATH": "x", "PIPESTATUS": "1",
}  # fmt: skip
# Variables that bash manages itself: commands get bash's own version.
TAKEN = {
    "BASH": "x", "BASHPID": "5", "BASH_COMMAND": "x", "BASH_REMATCH": "x", "BASH_SUBSHELL": "x",
    "BASH_VERSINFO": "x", "BASH_VERSION": "x", "EPOCHREALTIME": "1", "EPOCHSECONDS": "1",
    "HISTCMD": "5", "IFS": "/:=-", "LINENO": "x", "OPTERR": "x", "OPTIND": "7", "PPID": "5",
    "PS4": "$(>~/hacked)+ ", "RANDOM": "x", "SRANDOM": "x",
}  # fmt: skip


def code() -> str:
    """Return the script without comments and single-quoted text."""
    text = re.sub(r"(?m)(^|\s)#.*$", "", SCRIPT.read_text("utf-8"))
    return re.sub(r"(?<!\$)'[^'\n]*'", "''", text)


def given() -> set[str]:
    """Return every name that the script assigns."""
    text = code()
    names = {name for pattern in GIVEN for name in re.findall(pattern, text)}
    for pattern in LISTS:
        for _, words in re.findall(pattern, text):
            without_items = re.sub(r"=\([^)]*", "=", words)  # those of an array
            names |= {*re.findall(rf"(?<!\S){NAME}", without_items)}
    return names - {"_"}  # bash's own variable, whatever its inherited value


def used() -> set[str]:
    """Return every name that the script expands."""
    text = code()
    names = {name for pattern in USED for name in re.findall(pattern, text)}
    for expression in re.findall(ARITHMETIC, text):
        names |= {*re.findall(rf"(?<![\w$#{{]){NAME}", expression)}
    return names


def functions() -> set[str]:
    """Return every function that the script defines."""
    return {*re.findall(rf"(?m)^({NAME})\(\)", code())}
