"""One random world as plain data: what both forms find, and what the stand-ins do."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any

DEFAULT_NOW_S = 1767323045
# What stands for a folder of the sandbox in every text of a case.
ROOT, PROJECT, HOME, BIN = "@ROOT@", "@PROJECT@", "@HOME@", "@BIN@"
CREDENTIALS = f"{HOME}/.claude/.credentials.json"


@dataclass(frozen=True)
class Item:
    """Something in the sandbox. `kind` is file, text, folder, symlink, program or missing.

    In the content of a text, the sandbox's folders have the names above. A program is a stand-in
    that is called `content`; a missing one is taken away again.
    """

    place: str
    kind: str = "file"
    content: bytes = b""
    mode: int = 0o644
    target: str = ""


@dataclass(frozen=True)
class Act:
    """What a stand-in does in one call; those of one program are used up in their order.

    `model` lets it do what the program it stands for would do; `credentials` is what it makes of
    the credentials file, if it is not None. A `signal` that is not 0 ends it.
    """

    program: str
    exit: int = 0
    signal: int = 0
    stdout: bytes = b""
    stderr: bytes = b""
    credentials: bytes | None = None
    removes: bool = False
    model: bool = False


@dataclass(frozen=True)
class Case:
    """A world. Text that is no UTF-8 has surrogate escapes; times are in seconds since the epoch.

    In `env`, None unsets a variable; `units` are names of units and what they are: pending,
    running or failed. `descriptors` are open ones that the caller left to the form, `closed` those
    of stdin, stdout and stderr that are not open.
    """

    now_s: int = DEFAULT_NOW_S
    umask: int = 0o022
    project: str = "project"
    home: str = "home"
    cwd: str = PROJECT
    arguments: tuple[str, ...] = ()
    env: tuple[tuple[str, str | None], ...] = ()
    items: tuple[Item, ...] = ()
    credentials: str = CREDENTIALS
    acts: tuple[Act, ...] = ()
    units: tuple[tuple[str, str], ...] = ()
    descriptors: tuple[int, ...] = ()
    closed: tuple[int, ...] = ()
    real_jq: bool = False

    def to_json(self) -> str:
        """The case as a text of JSON, from which `from_json` makes an equal one."""
        return json.dumps({k: _plain(v) for k, v in asdict(self).items()}, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Case:
        """The case that such a text stands for; TypeError or ValueError if it is none."""
        data = {key: _frozen(value) for key, value in json.loads(text).items()}
        for name, kind in (("items", Item), ("acts", Act)):
            data[name] = tuple(kind(**dict(item)) for item in data.get(name, ()))
        return cls(**data)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"bytes": value.decode("latin-1")}
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        if value.keys() == {"bytes"}:
            return value["bytes"].encode("latin-1")
        return {key: _frozen(item) for key, item in value.items()}
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value


def names() -> list[str]:
    """The names of all that a case says."""
    return [field.name for field in fields(Case)]
