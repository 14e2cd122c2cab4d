"""Names that bash reserves. A program cannot use them for functions or variables."""

from __future__ import annotations

# Reserved words, variables that bash sets or reads itself, and builtins (bash(1)). Such a name
# would have another meaning in bash.
BASH_WORDS = frozenset(
    "if then else elif fi case esac for select while until do done in function time coproc".split()
)
BASH_BUILTINS = frozenset(
    """alias bg bind break builtin caller cd command compgen complete compopt continue declare
    dirs disown echo enable eval exec exit export false fc fg getopts hash help history jobs kill
    let local logout mapfile popd printf pushd pwd read readarray readonly return set shift shopt
    source suspend test times trap true type typeset ulimit umask unalias unset wait
    . : [""".split()
)
BASH_VARIABLES = frozenset(
    """BASH BASHOPTS BASHPID BASH_ALIASES BASH_ARGC BASH_ARGV BASH_ARGV0 BASH_CMDS BASH_COMMAND
    BASH_COMPAT BASH_ENV BASH_EXECUTION_STRING BASH_LINENO BASH_LOADABLES_PATH BASH_REMATCH
    BASH_SOURCE BASH_SUBSHELL BASH_VERSINFO BASH_VERSION BASH_XTRACEFD CDPATH CHILD_MAX COLUMNS
    COMP_CWORD COMP_KEY COMP_LINE COMP_POINT COMP_TYPE COMP_WORDBREAKS COMP_WORDS COMPREPLY COPROC
    DIRSTACK EMACS ENV EPOCHREALTIME EPOCHSECONDS EUID EXECIGNORE FCEDIT FIGNORE FUNCNAME FUNCNEST
    GLOBIGNORE GLOBSORT GROUPS HISTCMD HISTCONTROL HISTFILE HISTFILESIZE HISTIGNORE HISTSIZE
    HISTTIMEFORMAT HOME HOSTFILE HOSTNAME HOSTTYPE IFS IGNOREEOF INPUTRC INSIDE_EMACS LANG LC_ALL
    LC_COLLATE LC_CTYPE LC_MESSAGES LC_NUMERIC LC_TIME LINENO LINES MACHTYPE MAIL MAILCHECK
    MAILPATH MAPFILE OLDPWD OPTARG OPTERR OPTIND OSTYPE PATH PIPESTATUS POSIXLY_CORRECT PPID
    PROMPT_COMMAND PROMPT_DIRTRIM PS0 PS1 PS2 PS3 PS4 PWD RANDOM READLINE_ARGUMENT READLINE_LINE
    READLINE_MARK READLINE_POINT REPLY SECONDS SHELL SHELLOPTS SHLVL SRANDOM TERM TIMEFORMAT TMOUT
    TMPDIR TZ UID auto_resume histchars""".split()
)
# Variables that bash does not set itself. They keep the caller's values.
SHARED_VARIABLES = frozenset({"HOME", "LANG", "PATH", "TMPDIR", "TZ"})
# Builtins that behave like the programs of the same name.
PROGRAM_BUILTINS = frozenset({"echo", "false", "kill", "printf", "pwd", "test", "true"})
# Functions that the compiler defines.
QUIET = "quiet"
FOREGROUND = "foreground"
TAKE_OUTPUT = "take_output"
COMMAND_FAILED = "command_failed"
PIPELINE_STATUS = "pipeline_status"
IS_ITEM = "is_item"
GENERATED = frozenset(
    {"isolate", "start", QUIET, FOREGROUND, TAKE_OUTPUT, COMMAND_FAILED, PIPELINE_STATUS, IS_ITEM}
)
# Functions of the runtime library for constructs of the dialect.
READ_STDIN = "read_stdin"
COUNT_CHARACTERS = "count_characters"
SPLIT_LINES = "split_lines"
SORTED_GLOB = "sorted_glob"
SPLIT_TEXT = "split_text"
STRIP_TEXT = "strip_text"
SLICE_TEXT = "slice_text"
DIVIDE = "divide"
PAD_NUMBER = "pad_number"
PAD_TEXT = "pad_text"
# A builtin. A program that calls it keeps its stdin.
READ_LINE = "read_line"
