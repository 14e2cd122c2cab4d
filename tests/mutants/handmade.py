"""Worlds thought of by hand: the main turns of a run, plain, and where every name is odd."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from tests.fuzz.case import BIN, CREDENTIALS, DEFAULT_NOW_S, HOME, PROJECT, ROOT, Act, Case, Item
from tests.fuzz.runner import BASH_VARIABLES
from tests.fuzz.strategies import HOOKS, program_names
from tests.parity.oauth_world import UNIT, UNITS

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW_MS = DEFAULT_NOW_S * 1000
HOUR_MS = 3600 * 1000
TOKEN = "sk-ant-oat01-made-up"
CLAUDE = Item(f"{BIN}/claude", "program", mode=0o755)
MISSING = ("systemd-run", "systemctl", "jq", "claude", "flock", "timeout", "sync", "mv", "cp")
# One that unquoted would be several words, and match names.
ODD = "a  *? [x]"
LOUD = b"first sk-ant-oat01-abc/+=. \x1b[31m\nsecond\n" + b"line\n" * 30


def credentials(left_ms: int, token: str = TOKEN) -> bytes:
    """Credentials whose token lasts so long from now."""
    oauth = {"accessToken": token, "expiresAt": NOW_MS + left_ms}
    return json.dumps({"claudeAiOauth": oauth}).encode()


def handmade() -> list[Case]:
    """All of them."""
    plain = [*_scenarios()]
    return [*plain, *map(_odd, plain), *map(_exported, plain), *_borders()]


def _scenarios() -> Iterator[Case]:
    fresh = Item(CREDENTIALS, content=credentials(8 * HOUR_MS), mode=0o600)
    stale = Item(CREDENTIALS, content=credentials(-HOUR_MS, "old"), mode=0o600)
    dotenv = Item(f"{PROJECT}/.env", content=b"A=1\nCLAUDE_CODE_OAUTH_TOKEN=x\nB=2", mode=0o640)
    delivered = replace(dotenv, content=f"CLAUDE_CODE_OAUTH_TOKEN={TOKEN}\n".encode())
    renews = Act("claude", credentials=credentials(9 * HOUR_MS), stdout=b"ok\n")
    refuses = Act("claude", exit=1, stdout=LOUD, stderr=b"error: unknown option\n")
    usual = Case(items=(fresh, CLAUDE))
    yield usual
    yield replace(usual, items=(fresh, CLAUDE, dotenv))
    yield replace(usual, items=(fresh, CLAUDE, delivered), arguments=("--ensure",))
    yield replace(usual, items=(fresh, CLAUDE, dotenv), arguments=("--ensure",))
    yield replace(usual, items=(stale, CLAUDE, delivered), arguments=("--ensure",), acts=(renews,))
    yield replace(usual, items=(stale, CLAUDE, dotenv), acts=(renews,))
    yield replace(usual, items=(stale, CLAUDE, dotenv), acts=(refuses, renews))
    yield replace(usual, items=(stale, CLAUDE, dotenv), acts=(refuses, replace(refuses, exit=3)))
    yield replace(usual, items=(stale, CLAUDE, dotenv), acts=(replace(renews, exit=2),))
    yield replace(usual, items=(stale, CLAUDE, dotenv), acts=(Act("claude", stdout=b"hm\n"),))
    yield replace(usual, items=(stale, CLAUDE, dotenv), acts=(Act("claude", exit=1, removes=True),))
    for place in (f"{HOME}/.claude/local/claude", f"{HOME}/.local/bin/claude"):
        yield replace(usual, items=(stale, replace(CLAUDE, place=place)), acts=(renews,))
    yield replace(usual, items=(stale, dotenv))
    target = f"{ROOT}/real  .env"
    link = Item(f"{PROJECT}/.env", "symlink", target=target)
    yield replace(usual, items=(fresh, Item(target, content=b"A=1\n"), link))
    yield replace(usual, items=(fresh, replace(link, target=f"{ROOT}/no/where")))
    running = tuple((unit, "running") for unit in UNITS)
    yield replace(usual, units=tuple((unit, "failed") for unit in UNITS))
    yield replace(usual, units=running)
    yield replace(usual, units=running[:2])
    yield replace(usual, units=((UNIT, "pending"), *running[1:]))
    failed = Act("systemd-run", exit=1, stderr=LOUD, stdout=b"out\n")
    yield replace(usual, acts=(failed,) * 6)
    yield replace(
        usual, acts=(failed, failed, replace(failed, exit=127), replace(failed, exit=126))
    )
    for name in MISSING:
        yield replace(usual, items=(stale, dotenv, CLAUDE, Item(f"{BIN}/{name}", "missing")),
                      acts=(renews,))  # fmt: skip
    for name in ("head", "rm"):
        yield replace(usual, items=(stale, dotenv, CLAUDE, Item(f"{BIN}/{name}", "missing")),
                      acts=(refuses, refuses))  # fmt: skip
    yield replace(usual, items=())
    yield replace(usual, items=(replace(fresh, content=b"{"),))
    yield replace(usual, items=(fresh, replace(dotenv, content=b"A\0")))
    yield replace(
        usual, items=(fresh, Item(f"{PROJECT}/logs/oauth-refresh.log", content=b"y" * 2**20))
    )
    big = Item(f"{PROJECT}/logs/oauth-refresh.log", content=b"y" * (2**20 + 1))
    yield replace(usual, items=(fresh, big, Item(f"{PROJECT}/logs/oauth-refresh.failing")))
    yield replace(usual, items=(stale, big, CLAUDE), acts=(refuses, refuses))
    yield from _with_hooks(replace(usual, items=(fresh, CLAUDE, dotenv)))
    yield from _with_hooks(replace(usual, items=(fresh, CLAUDE, delivered)))
    yield from _with_hooks(replace(usual, items=(stale, CLAUDE, dotenv), acts=(refuses, refuses)))


def _with_hooks(case: Case) -> Iterator[Case]:
    """The same with hooks that end well, badly, by their limit; that are none; after a failure."""
    hooks = tuple(
        Item(f"{PROJECT}/scripts/oauth/hooks/{name}", "program", mode=0o755) for name in HOOKS
    )
    for end in (Act(""), *(Act("", exit=n, stdout=LOUD) for n in (3, 124, 137))):
        acts = (*case.acts, *(replace(end, program=name) for name in HOOKS))
        yield replace(case, items=(*case.items, *hooks), acts=acts)
    failing = Item(f"{PROJECT}/logs/oauth-refresh.failing")
    left = Item(f"{PROJECT}/logs/oauth-refresh.output", content=b"left over\n")
    acts = (*case.acts, *(Act(name, exit=1) for name in HOOKS))
    secrets = (("CLAUDE_CODE_OAUTH_TOKEN", "a"), ("ANTHROPIC_AUTH_TOKEN", "b"))
    yield replace(case, items=(*case.items, *hooks, failing, left), acts=acts, env=secrets)
    yield replace(case, items=(*case.items, *(replace(hook, mode=0o644) for hook in hooks)))
    folders = (Item(hook.place, "folder", mode=0o755) for hook in hooks)
    yield replace(case, items=(*case.items, *folders, failing))


def _odd(case: Case) -> Case:
    """The same, with names that are several words and match files."""
    place = f"{HOME}/{ODD}/.credentials.json"
    items = [
        replace(item, place=place)
        if item.place == CREDENTIALS
        else replace(
            item,
            place=item.place.replace(f"{PROJECT}/.env", f"{ROOT}/e {ODD}").replace(
                f"{PROJECT}/logs/oauth-refresh.log", f"{ROOT}/{ODD}/log {ODD}"
            ),
        )
        for item in case.items
    ]
    return replace(
        case,
        project=f"p {ODD}",
        home=f"h {ODD}",
        credentials=place,
        items=tuple(items),
        env=(
            *case.env,
            ("CLAUDE_CONFIG_DIR", f"{HOME}/{ODD}"),
            ("OAUTHKIT_DOTENV", f"{ROOT}/e {ODD}"),
            ("OAUTHKIT_LOG", f"{ROOT}/{ODD}/log {ODD}"),
            ("OAUTHKIT_UNIT", f"u {ODD}"),
            ("XDG_RUNTIME_DIR", f"{ROOT}/r {ODD}"),
        ),
        units=tuple((name.replace(UNIT, "u--a---\\x2a\\x3f"), what) for name, what in case.units),
    )


def _exported(case: Case) -> Case:
    """The same, started by one who has exported every name of the program."""
    names = [name for name in program_names() if name not in {*BASH_VARIABLES, "POSIXLY_CORRECT"}]
    return replace(case, env=(*case.env, *((name, f"the caller's {name}") for name in names)))


def _borders() -> Iterator[Case]:
    """Tokens that last just so long."""
    for base in (0, 5 * 60_000, 30 * 60_000, 30 * 60_000 + 30_000, 24 * HOUR_MS + 30 * 60_000):
        for by in (-1000, -1, 0, 1, 1000):
            item = Item(CREDENTIALS, content=credentials(base + by))
            renews = Act("claude", credentials=credentials(base + by, "new"))
            yield Case(items=(item, CLAUDE), acts=(renews, renews))
