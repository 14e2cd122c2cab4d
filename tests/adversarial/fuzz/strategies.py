"""Draw whole worlds for both forms. Most have readable credentials."""

from __future__ import annotations

import os
import posixpath
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import strategies as st
from tests.adversarial.fuzz import credentials
from tests.adversarial.fuzz.case import (
    BIN,
    CREDENTIALS,
    DEFAULT_NOW_S,
    HOME,
    PROJECT,
    ROOT,
    Act,
    Case,
    Item,
)
from tests.adversarial.fuzz.draws import chance, pick, picks
from tests.support.refresh.world import SCRIPT, SCRIPT_PLACE, UNIT, unit_names

from oauthkit.program.schedule import unit_name

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

# Clock changes in Berlin, New York and on Lord Howe Island in 2026.
CLOCK_CHANGES_S = (1774746000, 1792890000, 1772953200, 1793512800, 1775314800, 1791039600)
AROUND_CHANGES_S = (0, -1, 1, -86400, -3600, -1800, -300, 3599, 3600, 7200)
FAR_S = (0, 1, 2**31 - 1, 2**31, 2**32, 4102444800, 99999999999, 253402300799 - 90000)
ZONES = (
    "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Etc/GMT+12",
    "", ":Europe/Berlin", "nonsense/zone", "<-03>3", "EST5EDT,M3.2.0,M11.1.0", "XXX-14:59:59",
)  # fmt: skip
PROJECTS = (
    "with two  spaces", " space around ", "'single' \"double\"", "$HOME ${x} $(touch y) `touch z`",
    "new\nline", "newline at the end\n", "-rf", "--help", "naïve-Ünïcödé-😀", "a*b?[c]{d,e}", "~",
    "back\\slash\\", "%s %d %%", "semi;colon & pipe | (bracket)", "#hash !bang", "tab\there", "a=b",
    "...", "*", "\udcff\udc80", "$$",
)  # fmt: skip
HOMES = ("at home ", "'\"$HOME`*", "home\n", "é", "\udcff")
HOSTILE = (
    "$(touch x)", "`touch x`", "*", "a\nb", "-x", "--", "a b", "~", "~/x", "$HOME", "'", '"', "\\",
    "%s", "a/../b", "./a//b/", "\udcff", "é", "0", "$$", "a.service", "a.timer", "@", "x@y", ".",
    "a" * 300,
)  # fmt: skip
PLACES = (f"{PROJECT}/other", f"{HOME}/o", f"{PROJECT}/new/sub/o", f"{ROOT}/x/", "", "o")
LOCALES = ("C", "C.UTF-8", "POSIX", "")
LOCALE_NAMES = ("LC_ALL", "LC_CTYPE", "LANG", "LC_NUMERIC", "LC_TIME", "LANGUAGE")
MISSING_LOCALES = ("xx_YY", "en_XX.UTF-8", "de_DE.ISO-8859-15")
# Names that bash, Python or the programs use, but not the program itself. OPTIND is not included,
# because dash, which runs the stand-ins, does not start with an invalid one. BASH_ARGV0 is not
# included, because it changes bash's own name, which is then scheduled.
SPECIAL_NAMES = (
    "IFS", "RANDOM", "SECONDS", "EPOCHSECONDS", "EPOCHREALTIME", "BASHPID", "BASH_REMATCH",
    "BASH_SOURCE", "BASH_COMMAND", "CDPATH", "GLOBIGNORE", "TIMEFORMAT", "PS4", "ENV",
    "OLDPWD", "PWD", "SHELL", "FUNCNAME", "LINENO", "MAPFILE", "COLUMNS", "TMPDIR", "HISTFILE",
    "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN", "CLAUDE_CODE_SIMPLE",
    "CLAUDECODE", "OAUTHKIT_X", "BASH_FUNC_jq%%", "BASH_FUNC_printf%%", "BASH_FUNC_claude%%",
    "BASH_FUNC_local%%", "no.name", "x-y", "1", "é",
)  # fmt: skip
VALUES = (
    "",
    "1",
    "*",
    "0",
    "x",
    "$(touch x)",
    "a[$(touch x)0]",
    "() {  printf 'pwned\n'; }",
    "\udcff",
)
FUNCTIONS = ("() {  printf 'pwned\n'; }", "() {  exit 7\n}")
EXITS = (1, 2, 5, 97, 124, 125, 126, 127, 128, 137, 255)
SIGNALS = (9, 15, 13, 1, 2)
ENDS = (*[(0, 0)] * 16, *((status, 0) for status in EXITS), *((0, number) for number in SIGNALS))
ANSWERS = (
    b"", b'"object"\n', b'"object"\n"x"\n', b'"object"\n"x"\n1\n\n', b"\xff\n",
    b'"object"\n"x"\n1\nnull\n\n', b'"object"\n"x"\n1\n"y"\n"object"\n',
    b'"obj\0ect"\n"x"\n9\n"y"\n', b'"object"\n"x\n5\n"y',
)  # fmt: skip
OUTPUTS = (
    b"ok\n", b"API Error: 500\n", b"no newline", b"sk-ant-oat01-abc/+=. and sk-ant-\n",
    b"\n\n\na\n",
    b"\x1b[31mred\x1b[0m\r\n", b"\xff\xfe\0\x01", b"a\0b\n", b"line\n" * 25, b"x" * 9000,
    b"%s\\n'\n",
    b"sk-ant-\xff", "ä€😀\n".encode(),
)  # fmt: skip
TOOLS = (
    "flock",
    "cp",
    "sync",
    "mv",
    "rm",
    "mkdir",
    "timeout",
    "chmod",
    "readlink",
)
HOOKS = ("renewed", "failed", "recovered", "login-ending")
BEARER = f"{PROJECT}/bearer/.credentials.json"
BEARERS = (
    *[BEARER] * 6, f"{ROOT}/bearer", "b", "bearer/../b/", f"{PROJECT}/no/such/directory/b", PROJECT,
    f"{PROJECT}/bearer", f"{PROJECT}/.env", f"{PROJECT}/./.env", CREDENTIALS, "",
    *HOSTILE,
)  # fmt: skip
BEARER_START = b'{"claudeAiOauth":{"accessToken":'
BEARER_TEXTS = (
    b'{"claudeAiOauth":{"accessToken":"old","expiresAt":1}}\n', b"", b"\n", b"A=1\n", b"{}",
    b'{"claudeAiOauth":{"accessToken":"old","refreshToken":"x","expiresAt":1}}', BEARER_START,
    b' {"claudeAiOauth":{"accessToken":"old"}}', BEARER_START + b"\0", BEARER_START + b"\xff\r\n",
    BEARER_START + b" " * 256 * 1024, b"\xef\xbb\xbf" + BEARER_START + b'"old"}}',
)  # fmt: skip
CONF = f"{PROJECT}/scripts/oauth/refresh.conf"
CONF_NAMES = (
    "CLAUDE_CONFIG_DIR", "OAUTHKIT_DOTENV", "OAUTHKIT_BEARER", "OAUTHKIT_LOG", "OAUTHKIT_UNIT",
    "OAUTHKIT_LIGHT",
)  # fmt: skip
CONF_PATHS = (
    f"{PROJECT}/other", f"{HOME}/.claude", "bearer/.credentials.json", ".env", "logs/x.log", "cfg",
    f"{PROJECT}/no/such/o", f"{ROOT}/a b", "my-unit", "1", "0",
)  # fmt: skip
CONF_VALUES = (*HOSTILE, "", " ", '"x"', "'x'", "~/x", "x # y", "x=y", "x ", "\x1b[31m", "//x/..")
CONF_LINES = (
    "", "# comment", " # comment", "#", "=", "==", "=x", "OAUTHKIT_UNIT", "export OAUTHKIT_UNIT=x",
    " OAUTHKIT_UNIT=x", "OAUTHKIT_UNIT =x", "OAUTHKIT_X=1", "PATH=x", "HOME=x", "IFS=x", "a[0]=x",
    "BASH_ENV=x", "oauthkit_unit=x", "$(touch x)", "`touch x`=1", "\ufeffOAUTHKIT_UNIT=x", "\r",
    "é=é", "\udcff=\udcff", "*", "OAUTHKIT_UNIT=" + "u" * 3000, "n" * 3000, "\tOAUTHKIT_LIGHT=1",
)  # fmt: skip
CONF_ENDS = (
    "\n",
    "\n",
    "\n",
    "",
    "\r\n",
    "\n\n",
    "\0",
    "\n" * 200,
    "# x\n" * 201,
    "#" * 256 * 1024,
)
STATES = (
    "", "x", "1 2 3", " ", "\n", "9" * 400, "\0", "\udcff", "{expiry}", "{expiry} x", "{expiry} -1",
    "{expiry} {now}", "{expiry} {now}\n", "{expiry} 0{now}", "{expiry} {almost}",
    "{expiry} {later}", "{expiry} {over}", "{end} 3", "{end} 1", "{end} 2", " {end} 1", "{end}  1",
)  # fmt: skip
SERVICE = """# This is a transient unit file.
[Service]
ExecStart=
ExecStart="/usr/bin/bash" "{}"
"""
TOKEN_LINE = b"CLAUDE_CODE_OAUTH_TOKEN="
LINES = (
    b"A=1", b"", b"# comment", TOKEN_LINE + b"old", TOKEN_LINE, TOKEN_LINE + b"b\r",
    b" CLAUDE_CODE_OAUTH_TOKEN=x", b"CLAUDE_CODE_OAUTH_TOKENX=x", b"export " + TOKEN_LINE + b"x",
    b"CLAUDE_CODE_OAUTH_TOKEN", b"\xff\xfe", b"B='$x `y` \\ *'", b"C=\r", b"\\", b"a\x1b\x7f\x01",
    "é€😀".encode(), b"x" * 3000, TOKEN_LINE + b"sk-ant-oat01-made-up", b"\xc3", b"*",
)  # fmt: skip
MODES = (0o600, 0o640, 0o644, 0o444, 0o000, 0o777, 0o4755, 0o200)
MEBIBYTE = 1024 * 1024
# A file name may have 255 bytes. This includes the lock's name.
LONGEST = 200


@cache
def program_names() -> tuple[str, ...]:
    """Return the names of all variables in the generated script."""
    text = SCRIPT.read_text("utf-8")
    found = set(re.findall(r"\b([A-Za-z_][A-Za-z0-9_]*)=", text))
    for line in re.findall(r"local \+x(.*)", text):
        found |= set(re.findall(r"(?:^|\s)([A-Za-z_][A-Za-z0-9_]*)(?=\s|$|=)", line))
    # In POSIX mode, bash does not read BASH_ENV, so it would use the real clock.
    # bash itself reports an invalid BASH_COMPAT.
    settings = {"HOME", "PATH", "XDG_RUNTIME_DIR", "LC_ALL", "CLAUDE_CONFIG_DIR"}
    settings |= {"BASH_COMPAT", "POSIXLY_CORRECT"}
    return tuple(sorted(name for name in found - settings if not name.startswith("OAUTHKIT_")))


def cases() -> SearchStrategy[Case]:
    """Draw whole worlds, which shrink towards an ordinary one."""
    return _case()


@st.composite
def _case(draw: DrawFn) -> Case:
    base = _base(draw)
    base = _settings(draw, base)
    base = _renewal(draw, base)
    if chance(draw, 30):
        base = _bearer(draw, base)
    base = _dotenv(draw, base)
    if chance(draw, 15):
        base = _conf(draw, base)
    if base.arguments == ("--rejected",) or chance(draw, 8):
        base = _states(draw, base)
    if chance(draw, 25):
        base = _log(draw, base)
    if chance(draw, 25):
        base = _environment(draw, base)
    if chance(draw, 30):
        base = _systemd(draw, base)
    if chance(draw, 25):
        base = _tools(draw, base)
    if chance(draw, 20):
        base = _hooks(draw, base)
    if _uses_locks(base) and chance(draw, 8):
        base = _other_run(draw, base)
    return _without_early_sigint(base)


def _without_early_sigint(case: Case) -> Case:
    """Return the case without SIGINT for jq before the lock is taken.

    bash would then kill itself with SIGINT, too (subst.c, command_substitute). Later, SIGINT is
    trapped. Ctrl-C always stops both.
    """
    if case.arguments != ("--ensure",):
        return case
    acts = [replace(a, signal=15) if (a.program, a.signal) == ("jq", 2) else a for a in case.acts]
    return replace(case, acts=tuple(acts))


def _add(case: Case, *items: Item) -> Case:
    return replace(case, items=case.items + items)


def _set(case: Case, name: str, value: str | None) -> Case:
    return replace(case, env=(*case.env, (name, value)))


def _place(case: Case, setting: str, default: str) -> str:
    """Return the path in a setting, or "" if nothing can be created there."""
    value = dict(case.env).get(setting) or default
    is_absolute = value.startswith((ROOT, PROJECT, HOME))
    place = posixpath.normpath(value if is_absolute else f"{case.cwd}/{value}")
    taken = {case.cwd, f"{ROOT}/{case.project}", f"{ROOT}/{case.home}"}
    return place if "/" in place and place not in taken and len(place) < LONGEST else ""


def _base(draw: DrawFn) -> Case:
    case = Case()
    if chance(draw, 40):
        case = replace(case, now_s=_now_s(draw))
        case = _set(case, "TZ", pick(draw, (*ZONES, None)))
    # Only a name with a space reveals a missing quote.
    if chance(draw, 35):
        case = replace(case, project=pick(draw, PROJECTS))
    if chance(draw, 20):
        case = replace(case, home=pick(draw, HOMES))
    if chance(draw, 15):
        case = replace(case, cwd=pick(draw, (HOME, ROOT, f"{PROJECT}/scripts")))
    if chance(draw, 15):
        case = replace(case, umask=pick(draw, (0, 0o077, 0o027, 0o777)))
    if chance(draw, 30):
        case = replace(case, arguments=(pick(draw, ("--ensure", "--rejected")),))
    if chance(draw, 5):
        case = replace(case, descriptors=tuple(picks(draw, (3, 9, 10, 11, 63, 255), 3)))
    if chance(draw, 4):
        case = replace(case, closed=tuple(sorted(picks(draw, (0, 1, 2), 3))))
    return case


def _now_s(draw: DrawFn) -> int:
    how = draw(st.integers(0, 2))
    if how == 0:
        return draw(st.integers(DEFAULT_NOW_S, DEFAULT_NOW_S + 400 * 86400))
    if how == 1:
        return pick(draw, FAR_S)
    return pick(draw, CLOCK_CHANGES_S) + pick(draw, AROUND_CHANGES_S)


def _settings(draw: DrawFn, case: Case) -> Case:
    """Draw HOME and the settings, which determine the credentials' path."""
    place = CREDENTIALS
    if chance(draw, 8):
        home = pick(draw, ("{}/", "{}/x/..", "/{}//", "relative", "{}/./", "", None))
        if home == "relative":
            home = case.home if case.cwd == ROOT else f"../{case.home}"
        case = _set(case, "HOME", home and home.replace("{}", HOME))
    if chance(draw, 15):
        config = pick(draw, (f"{HOME}/cfg", "cfg", f"{HOME}/a/../cfg/", f"{ROOT}/a b", "", "$x*"))
        case = _set(case, "CLAUDE_CONFIG_DIR", config)
        directory = _place(case, "CLAUDE_CONFIG_DIR", f"{HOME}/.claude")
        place = f"{directory}/.credentials.json"
    for name in ("OAUTHKIT_DOTENV", "OAUTHKIT_LOG"):
        if chance(draw, 10):
            case = _set(case, name, pick(draw, PLACES + HOSTILE))
    if chance(draw, 12):
        case = _set(case, "OAUTHKIT_UNIT", pick(draw, ("my-unit", "", *HOSTILE)))
    if chance(draw, 12):
        case = _set(case, "OAUTHKIT_LIGHT", pick(draw, ("1", "0", "", *HOSTILE)))
    case = replace(case, credentials=place)
    return _credentials(draw, case)


def _credentials(draw: DrawFn, case: Case) -> Case:
    place = case.credentials
    content = credentials.document(draw, case.now_s)
    case = _add(case, Item(place, content=content, mode=0o600))
    if chance(draw, 7):
        other = f"{ROOT}/elsewhere"
        case = _add(case, *pick(draw, (
            (Item(place, "missing"),),
            (Item(place, "missing"), Item(place, "directory", mode=0o700)),
            (Item(place, content=content, mode=0o000),),
            (Item(other, content=content), Item(place, "symlink", target=other)),
            (Item(place, "symlink", target=other),),
            (Item(place, "symlink", target=".credentials.json"),),
            (Item(place.rpartition("/")[0], "directory", mode=0o000),),
        )))  # fmt: skip
    if chance(draw, 2):
        case = replace(case, real_jq=True)
    elif chance(draw, 4):
        acts = [_jq_act(draw) for _ in range(draw(st.integers(0, 3)))]
        case = replace(case, acts=(*case.acts, *acts))
    elif chance(draw, 6):  # another project renews the token after it was read
        renewed = credentials.fresh(draw, case.now_s)
        case = replace(case, acts=(*case.acts, Act("jq", model=True, credentials=renewed)))
    return case


def _jq_act(draw: DrawFn) -> Act:
    if draw(st.booleans()):
        return Act("jq", model=True)
    exit_status, number = _end(draw)
    return Act("jq", exit_status, number, pick(draw, ANSWERS), pick(draw, (b"", b"jq: error\n")))


def _end(draw: DrawFn) -> tuple[int, int]:
    """Draw an exit status and a signal. Half of the programs exit with 0. The others fail."""
    return pick(draw, ENDS)


def _renewal(draw: DrawFn, case: Case) -> Case:
    """Draw where claude is, and what it does."""
    place = f"{BIN}/claude"
    if chance(draw, 20):
        place = pick(draw, (f"{HOME}/.claude/local/claude", f"{HOME}/.local/bin/claude", ""))
    if chance(draw, 5):
        case = _add(case, *pick(draw, (
            (Item(f"{BIN}/claude", "directory", mode=0o755),),
            (Item(f"{BIN}/claude", content=b"not executable"),),
            (Item(f"{BIN}/claude", "symlink", target="nowhere"),),
            (Item(f"{HOME}/.claude/local/claude", "directory", mode=0o755),),
        )))  # fmt: skip
        place = place.replace(BIN, f"{HOME}/.local/bin")
    if place:
        case = _add(case, Item(place, "program", mode=0o755))
    acts = [_claude_act(draw, case) for _ in range(draw(st.integers(1, 2)))]
    if chance(draw, 8):
        case, waits = _other_session(draw, case)
        acts += waits
    return replace(case, acts=(*case.acts, *acts))


def _other_session(draw: DrawFn, case: Case) -> tuple[Case, list[Act]]:
    """Draw a Claude Code session that holds its lock, and what it does each second."""
    lock = f"{case.credentials.rpartition('/')[0]}/.oauth_refresh.lock"
    case = _add(case, Item(lock, pick(draw, ("directory", "file")), mode=0o700))
    case = _add(case, Item(f"{BIN}/sleep", "missing"), Item(f"{BIN}/sleep", "program", mode=0o755))
    acts = [Act("sleep") for _ in range(draw(st.integers(0, 3)))]
    if chance(draw, 70):
        how = credentials.fresh if chance(draw, 70) else credentials.document
        acts.append(Act("sleep", credentials=how(draw, case.now_s)))
    return case, acts


def _uses_locks(case: Case) -> bool:
    """Return whether both forms can wait for locks, with the real flock(1) and timeout(1)."""
    places = {item.place for item in case.items}
    is_replaced = not places.isdisjoint({f"{BIN}/flock", f"{BIN}/timeout"})
    # A delivery would list the credentials' directory, which looks like the wait for the lock.
    variables = dict(case.env)
    return not is_replaced and "PATH" not in variables and CREDENTIALS not in variables.values()


def _other_run(draw: DrawFn, case: Case) -> Case:
    """Draw what another project's run does while the form waits for the login's lock."""
    how = credentials.fresh if chance(draw, 70) else credentials.document
    content = how(draw, case.now_s) if chance(draw, 80) else None
    return replace(case, other_run=(Act("", credentials=content, removes=chance(draw, 6)),))


def _claude_act(draw: DrawFn, case: Case) -> Act:
    exit_status, number = _end(draw)
    stdout, stderr = pick(draw, (b"", *OUTPUTS)), pick(draw, (b"", b"", *OUTPUTS))
    if chance(draw, 1):  # 5 s in each form
        return Act("claude", credentials=credentials.fresh(draw, case.now_s), hangs=True)
    how = draw(st.integers(0, 6))
    content = credentials.fresh(draw, case.now_s) if how < 3 else None
    if how in {3, 4}:
        content = credentials.document(draw, case.now_s)
    return Act("claude", exit_status, number, stdout, stderr, content, removes=chance(draw, 6))


def _dotenv(draw: DrawFn, case: Case) -> Case:
    place = _place(case, "OAUTHKIT_DOTENV", f"{PROJECT}/.env")
    if not place:
        return case
    if chance(draw, 70):
        lines = [pick(draw, LINES) for _ in range(draw(st.integers(0, 6)))]
        content = b"\n".join(lines) + pick(draw, (b"\n", b"", b"\r\n", b"\n\n"))
        if chance(draw, 75 if case.arguments else 30):
            content = _with_known_token(case, content)
        if chance(draw, 8):
            content = draw(st.binary(max_size=40))
        mode = pick(draw, MODES) if chance(draw, 20) else 0o600
        case = _add(case, Item(place, content=content, mode=mode))
    if chance(draw, 12):
        to, directory = f"{ROOT}/real.env", place.rpartition("/")[0]
        case = _add(case, *pick(draw, (
            (Item(to, content=b"A=1\nB"), Item(place, "symlink", target=to)),
            (
                Item(f"{directory}/real.env", content=b"A"),
                Item(place, "symlink", target="real.env"),
            ),
            (Item(to, "symlink", target="again"), Item(f"{ROOT}/again", content=TOKEN_LINE),
             Item(place, "symlink", target=to)),
            (Item(place, "symlink", target=f"{ROOT}/no/where"),),
            (Item(place, "symlink", target=f"{ROOT}/new.env"),),
            (Item(place, "symlink", target=ROOT),),
            (Item(place, "symlink", target=place),),
            (Item(place, "mount"),),
            (Item(place, "missing"), Item(place, "directory", mode=0o755)),
            (Item(directory, "directory", mode=0o555),),
        )))  # fmt: skip
    if chance(draw, 8):
        ends = (
            "",
            ".1",
            f".{case.now_s}000000",
            ".x",
            ".1x",
            ".99999999999999999999",
            ". 1",
            ".1\n",
        )
        left = f"{place}.oauthkit{pick(draw, ends)}"
        case = _add(case, *pick(draw, (
            (Item(left, content=b"half", mode=0o600),),
            (Item(left, "symlink", target=f"{ROOT}/elsewhere"),),
            (Item(left, "directory", mode=0o755),),
        )))  # fmt: skip
    return case


def _bearer(draw: DrawFn, case: Case) -> Case:
    """Draw OAUTHKIT_BEARER, its directory, and the existing file."""
    case = _set(case, "OAUTHKIT_BEARER", pick(draw, BEARERS))
    place = _place(case, "OAUTHKIT_BEARER", "")
    if not place or place in {PROJECT, case.credentials}:
        return case
    directory = place.rpartition("/")[0]
    if chance(draw, 95) and place.startswith(BEARER):
        case = _add(case, Item(directory, "directory", mode=0o755))
    if chance(draw, 50) and "/no/such/" not in place:
        mode = pick(draw, MODES) if chance(draw, 20) else 0o600
        content = (
            pick(draw, BEARER_TEXTS) if chance(draw, 70) else credentials.fresh(draw, case.now_s)
        )
        held = next((item.content for item in case.items if item.place == case.credentials), b"")
        known = re.match(rb'{"claudeAiOauth":{"accessToken":("[^"]*"),"expiresAt":([0-9]+)', held)
        if known and chance(draw, 50 if case.arguments else 15):
            content = credentials.oauth(known[1], known[2]) + b"\n"
        case = _add(case, Item(place, content=content, mode=mode))
    if chance(draw, 12):
        to = f"{ROOT}/real-bearer"
        case = _add(case, *pick(draw, (
            (Item(to, content=BEARER_TEXTS[0]), Item(place, "symlink", target=to)),
            (Item(place, "symlink", target=f"{ROOT}/no/where"),),
            (Item(place, "symlink", target=case.credentials),),
            (Item(place, "mount"),),
            (Item(place, "missing"), Item(place, "directory", mode=0o755)),
            (Item(directory, "directory", mode=0o555),),
            (Item(f"{place}.oauthkit.1767323044999999", content=b"half", mode=0o600),),
            (Item(f"{place}.oauthkit.1767323044999999", "symlink", target=f"{ROOT}/elsewhere"),),
            (Item(f"{place}.oauthkit.1767323044999999", "directory", mode=0o755),),
        )))  # fmt: skip
    return case


def _conf(draw: DrawFn, case: Case) -> Case:
    """Draw refresh.conf. Most of its lines are settings."""
    lines = []
    for _ in range(draw(st.integers(0, 5))):
        if chance(draw, 40):
            lines.append(pick(draw, CONF_LINES))
        else:
            values = CONF_PATHS if chance(draw, 70) else CONF_VALUES
            lines.append(f"{pick(draw, CONF_NAMES)}={pick(draw, values)}")
    text = pick(draw, ("\n", "\n", "\r\n")).join(lines) + pick(draw, CONF_ENDS)
    mode = pick(draw, MODES) if chance(draw, 8) else 0o644
    case = _add(case, Item(CONF, "text", os.fsencode(text), mode))
    if f"={BEARER.removeprefix(f'{PROJECT}/')}" in text and chance(draw, 90):
        case = _add(case, Item(BEARER.rpartition("/")[0], "directory", mode=0o755))
    if chance(draw, 6):
        case = _add(case, Item(CONF, "missing"))
        case = _add(case, pick(draw, (
            Item(CONF, "directory", mode=0o755),
            Item(CONF, "symlink", target="nowhere"),
            Item(CONF, "symlink", target="refresh.conf"),
            Item(CONF, "symlink", target="refresh.sh"),
        )))  # fmt: skip
    return case


def _states(draw: DrawFn, case: Case) -> Case:
    """Draw the state of earlier runs: when claude was started, and the last login-ending hook."""
    place = _place(case, "OAUTHKIT_LOG", f"{PROJECT}/logs/oauth-refresh.log")
    if not place:
        return case
    held = next((item.content for item in case.items if item.place == case.credentials), b"")
    expiry = re.search(rb'"expiresAt":([0-9]+)', held)
    end = re.search(rb'"refreshTokenExpiresAt":([0-9]+)', held)
    now_ms = case.now_s * 1000
    known = {
        "expiry": expiry[1].decode() if expiry else "1",
        "end": end[1].decode() if end else "1",
        "now": now_ms, "almost": now_ms - 299_000, "over": now_ms - 300_000, "later": now_ms + 1,
    }  # fmt: skip
    for name in picks(draw, ("rejected", "failures", "login-ending"), 2):
        state = f"{place.rpartition('/')[0]}/oauth-refresh.{name}"
        if name != "login-ending":
            state = f"{case.credentials.rpartition('/')[0]}/.oauthkit-{name}"
        if chance(draw, 90):
            content = os.fsencode(pick(draw, STATES).format(**known))
            mode = pick(draw, MODES) if chance(draw, 10) else 0o600
            case = _add(case, Item(state, content=content, mode=mode))
        else:
            case = _add(case, pick(draw, (
                Item(state, "directory", mode=0o755),
                Item(state, "symlink", target="nowhere"),
                Item(state, "symlink", target=f"{ROOT}/elsewhere"),
            )))  # fmt: skip
    return case


def _with_known_token(case: Case, content: bytes) -> bytes:
    """Return the content of .env with the credentials' token."""
    held = next((item.content for item in case.items if item.place == case.credentials), b"")
    found = re.search(rb'"accessToken":"([A-Za-z0-9._~+/=-]+)"', held)
    others = [line for line in content.splitlines() if not line.startswith(TOKEN_LINE)]
    return b"\n".join([*others, TOKEN_LINE + found[1], b""]) if found else content


def _log(draw: DrawFn, case: Case) -> Case:
    place = _place(case, "OAUTHKIT_LOG", f"{PROJECT}/logs/oauth-refresh.log")
    if not place:
        return case
    directory = place.rpartition("/")[0]
    full = MEBIBYTE + pick(draw, (-1, 0, 1)) if chance(draw, 6) else 5
    beside = f"{directory}/oauth-refresh"
    return _add(case, *pick(draw, (
        (Item(place, content=b"x\0\n" + b"y" * (full - 3)),),
        (Item(place, content=b"\xff" * full, mode=0o600),),
        (Item(f"{beside}.failing"),),
        (Item(f"{beside}.failing", mode=0o000),),
        (Item(f"{beside}.failing", "directory", mode=0o755),),
        (Item(f"{beside}.failing", "symlink", target="nowhere"),),
        (Item(f"{beside}.lock", content=b"", mode=0o000),),
        (Item(f"{beside}.lock", "directory", mode=0o755),),
        (Item(f"{beside}.lock", "symlink", target=f"{ROOT}/lock"),),
        (Item(f"{beside}.lock", "symlink", target=f"{ROOT}/no/lock"),),
        (Item(f"{place}.1", content=b"older"), Item(place, content=b"y" * full)),
        (Item(f"{place}.1", "directory", mode=0o755), Item(place, content=b"y" * full)),
        (Item(place, "directory", mode=0o755),),
        (Item(place, "symlink", target=f"{ROOT}/elsewhere"),),
        (Item(place, "symlink", target=f"{ROOT}/no/where"),),
        (Item(place, mode=0o444),),
        (Item(place, mode=0o000),),
        (Item(f"{PROJECT}/logs", content=b"a file"),),
        (Item(f"{PROJECT}/logs", "symlink", target="no-such-directory"),),
        (Item(f"{PROJECT}/logs", "directory", mode=0o555),),
        (Item(place), Item(f"{PROJECT}/logs", "directory", mode=0o777)),
    )))  # fmt: skip


def _environment(draw: DrawFn, case: Case) -> Case:
    known = program_names() if draw(st.booleans()) else SPECIAL_NAMES
    for found in picks(draw, known, 4):
        values = (*FUNCTIONS, *VALUES) if found.startswith("BASH_FUNC_") else VALUES
        case = _set(case, found, pick(draw, values))
    if chance(draw, 30):
        variable = pick(draw, LOCALE_NAMES)
        # bash reports an unknown LC_ALL before the script starts.
        missing = () if variable == "LC_ALL" else MISSING_LOCALES
        case = _set(case, variable, pick(draw, (*LOCALES, *missing, None)))
    if chance(draw, 15):
        runtime = (None, "", f"{ROOT}/no-such-directory", f"{ROOT}/run/", "relative")
        case = _set(case, "XDG_RUNTIME_DIR", pick(draw, runtime))
    if chance(draw, 15):
        paths = ("", ":", f"{BIN}:", f":{BIN}", f"{BIN}/", f"{ROOT}/no:{BIN}", f"{HOME}:{BIN}::",
                 f"no-such:{BIN}", f"~/bin:{BIN}", f"{BIN}//.", f"{BIN}:{BIN}")  # fmt: skip
        case = _set(case, "PATH", pick(draw, paths))
    return case


def _systemd(draw: DrawFn, case: Case) -> Case:
    unit = unit_name(dict(case.env).get("OAUTHKIT_UNIT") or "") or UNIT
    names = picks(draw, unit_names(Path(PROJECT), unit), 3)
    units = [(name, pick(draw, ("pending", "running", "failed"))) for name in names]
    acts = [_systemd_act(draw) for _ in range(draw(st.integers(0, 7)))]
    case = replace(case, units=tuple(units), acts=(*case.acts, *acts))
    if chance(draw, 40):
        escaped = case.project.replace("%", "%%").replace("$", "\\$\\$")
        escaped = escaped.replace("\n", "\\n").replace("\t", "\\t")
        script = f"{ROOT}/{escaped}/{SCRIPT_PLACE}"
        option = f"--project={ROOT}/{escaped}"
        owners = (
            script,
            option,
            "/srv/other/scripts/oauth/refresh.sh",
            f"{option}2",
            f"/x{script}",
            "",
        )
        text = SERVICE.format(pick(draw, owners)) + pick(draw, ("", "", "\0", "x" * 256 * 1024))
        service = f"{ROOT}/run/systemd/transient/{unit}.service"
        case = _add(case, Item(service, "text", os.fsencode(text), pick(draw, (0o644, 0o000))))
    if chance(draw, 10):
        missing = pick(draw, ("systemd-run", "systemctl", "jq"))
        case = _add(case, Item(f"{BIN}/{missing}", "missing"))
    return case


def _systemd_act(draw: DrawFn) -> Act:
    program = pick(draw, ("systemd-run", "systemctl", ""))
    if not program:
        return Act("systemd-run", model=True)
    exit_status, number = _end(draw)
    stdout = pick(draw, (b"", b"", *OUTPUTS))
    stderr = pick(draw, (b"", b"Failed to start transient timer unit.\n", *OUTPUTS))
    return Act(program, exit_status, number, stdout, stderr)


def _tools(draw: DrawFn, case: Case) -> Case:
    """Replace other programs with stand-ins. Some of them fail or are missing."""
    for name in picks(draw, TOOLS, 3):
        place = f"{BIN}/{name}"
        how = pick(draw, ("recorded", "fails", "dies", "missing", "mode"))
        if name == "flock" and how != "mode":
            how = "missing"  # only the bash form starts it, but both search for it
        if how == "missing":
            case = _add(case, Item(place, "missing"))
            continue
        mode = 0o644 if how == "mode" else 0o755
        case = _add(case, Item(place, "missing"), Item(place, "program", mode=mode))
        if how == "recorded":
            continue
        act = Act(name, exit=pick(draw, EXITS), stderr=b"it failed\n", stdout=b"out\n")
        if how == "dies":
            # As an asynchronous command of bash, timeout inherits an ignored SIGINT. The real one
            # catches it, so its command gets the default action again, in both forms.
            act = replace(act, signal=pick(draw, SIGNALS[:-1] if name == "timeout" else SIGNALS))
        later = [Act(name, model=True)] * draw(st.integers(0, 2))
        case = replace(case, acts=(*case.acts, *later, act, act))
    return case


def _hooks(draw: DrawFn, case: Case) -> Case:
    """Draw the hooks' files. Most are executable, and half of those exit with 0."""
    for name in picks(draw, HOOKS, 3):
        place = f"{PROJECT}/scripts/oauth/hooks/{name}"
        kind = pick(
            draw, ("program", "program", "program", "program", "directory", "file", "symlink")
        )
        mode = 0o755 if chance(draw, 85) else pick(draw, MODES)
        case = _add(case, Item(place, kind, mode=mode, target="nowhere"))
        exit_status, number = _end(draw)
        stdout, stderr = pick(draw, (b"", *OUTPUTS)), pick(draw, (b"", b"", *OUTPUTS))
        act = Act(name, exit_status, number, stdout, stderr)
        case = replace(case, acts=(*case.acts, act))
    return case
