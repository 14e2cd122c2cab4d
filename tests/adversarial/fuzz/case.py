"""One random world as plain data: the state before the run, and the stand-ins' behaviour."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any

DEFAULT_NOW_S = 1767323045
# Placeholders for the sandbox's directories in all texts of a case.
ROOT, PROJECT, HOME, BIN = "@ROOT@", "@PROJECT@", "@HOME@", "@BIN@"
CREDENTIALS = f"{HOME}/.claude/.credentials.json"


@dataclass(frozen=True)
class Item:
    """Something in the sandbox.

    `kind` is file, text, directory, symlink, program, mount or missing. In the content of a text,
    the sandbox's directories have the names above. A program is a stand-in with the name `content`.
    A mount makes the file at `place` a mount point, if the runner is root. A missing item is
    removed.
    """

    place: str
    kind: str = "file"
    content: bytes = b""
    mode: int = 0o644
    target: str = ""


@dataclass(frozen=True)
class Act:
    """A stand-in's action in one call. Each call to a program uses its next act.

    With `model`, the stand-in behaves like its program. `credentials` is the new content of the
    credentials file, or None. A `signal` other than 0 ends it. With `kills`, the form is killed
    while it waits for the stand-in. With `hangs`, the stand-in runs until the form ends it. After
    20 s, the runner does.
    """

    program: str
    exit: int = 0
    signal: int = 0
    stdout: bytes = b""
    stderr: bytes = b""
    credentials: bytes | None = None
    removes: bool = False
    model: bool = False
    kills: bool = False
    hangs: bool = False


@dataclass(frozen=True)
class Case:
    """A world. Text that is not UTF-8 has surrogate escapes. Times are in s since the epoch.

    In `env`, None unsets a variable. `units` are names of units with their states: pending, running
    or failed. `descriptors` are inherited open ones. `closed` are the standard streams that are not
    open. `other_run` is what another project's run does to the credentials, if there is such a run.
    That run holds the login's lock until the form waits for it.
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
    other_run: tuple[Act, ...] = ()
    units: tuple[tuple[str, str], ...] = ()
    descriptors: tuple[int, ...] = ()
    closed: tuple[int, ...] = ()
    real_jq: bool = False

    def to_json(self) -> str:
        """Return the case as JSON, for `from_json`."""
        return json.dumps({k: _plain(v) for k, v in asdict(self).items()}, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Case:
        """Parse a case from JSON. Raise TypeError or ValueError if it is invalid."""
        data = {key: _frozen(value) for key, value in json.loads(text).items()}
        for name, kind in (("items", Item), ("acts", Act), ("other_run", Act)):
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
    """Return the names of a case's fields."""
    return [field.name for field in fields(Case)]
