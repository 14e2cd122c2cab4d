"""Collect the outcome of a run for comparison: its calls, the file tree, and its output."""

from __future__ import annotations

import ast
import marshal
import os
import stat
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oauthkit.parity import recorder
from oauthkit.parity.format_values import command, numbers
from oauthkit.parity.world import UNTOUCHED_NS, read, walk

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oauthkit.parity.runner import Finished, Form
    from oauthkit.parity.stand_ins import StandIn
    from oauthkit.parity.world import World

UNPLANNED_CALL = "unplanned call: "
# Replaces the content of a form's own file, unless the form changes the file.
OWN_FILE = b"(a file of the form itself)"
KINDS = (
    (stat.S_ISREG, "file"),
    (stat.S_ISDIR, "directory"),
    (stat.S_ISLNK, "symlink"),
    (stat.S_ISFIFO, "fifo"),
    (stat.S_ISSOCK, "socket"),
)


@dataclass(frozen=True)
class Call:
    """One call to a stand-in. Bytes that are not UTF-8 are surrogate escapes.

    `path` is the name by which the program was called. `descriptors` maps each open descriptor to
    its target and mode, for example `/a/file (append)`. `stdin` is None if it could not be read.
    """

    program: str
    path: str
    argv: list[str]
    env: dict[str, str]
    cwd: str
    umask: int
    descriptors: dict[int, str]
    stdin: bytes | None
    repeated_env: list[str]
    unplanned: bool


@dataclass(frozen=True)
class Entry:
    """An entry of the file tree. Files have `content`, and symbolic links have a `target`."""

    kind: str
    mode: int
    owner: tuple[int, int]
    content: bytes = b""
    target: str = ""


@dataclass
class Outcome:
    """Everything that one form did in one run, and the problems of the run itself."""

    form: Form
    world: World
    exit_code: int
    stdout: bytes
    stderr: bytes
    calls: list[Call]
    files: dict[str, Entry]
    touched: list[str]
    state: dict[str, Any]
    problems: list[str] = field(default_factory=list)


def inodes(world: World) -> dict[str, int]:
    """Return the inode of each file. A replaced file has a different one afterwards."""
    return {e.path: e.inode() for e in walk(world) if e.is_file(follow_symlinks=False)}


def observe(
    form: Form,
    world: World,
    finished: Finished,
    before: dict[str, int],
    stand_ins: Iterable[StandIn],
) -> Outcome:
    """Return the outcome of a run, read from its world."""
    files, touched = _tree(world, before)
    for name, source in form.files.items():
        path = os.path.relpath(world.path(name), world.root)
        if path in files and files[path].content == source.read_bytes():
            files[path] = replace(files[path], content=OWN_FILE)
    calls = read_calls(world)
    problems = [*finished.problems, *_plan_problems(world, calls, stand_ins)]
    return Outcome(
        form, world, finished.exit_code, finished.stdout, finished.stderr,
        calls, files, touched, _state(world.control), problems,
    )  # fmt: skip


def read_calls(world: World) -> list[Call]:
    """Return the calls recorded so far, in order."""
    path = world.control / recorder.CALLS
    if not path.exists():
        return []
    calls = []
    # The last line may not be complete yet: a read may see a part of a write.
    for line in path.read_text("ascii").split("\n")[:-1]:
        record = ast.literal_eval(line)
        pairs = record["env"]
        record["env"] = dict(pairs)
        names = [name for name, _ in pairs]
        repeated = sorted({name for name in names if names.count(name) > 1})
        calls.append(Call(repeated_env=repeated, **record))
    return calls


def _tree(world: World, before: dict[str, int]) -> tuple[dict[str, Entry], list[str]]:
    files = {}
    touched = []
    for found in walk(world):
        info = found.stat(follow_symlinks=False)
        kind = next((name for test, name in KINDS if test(info.st_mode)), "device")
        name = os.path.relpath(found.path, world.root)
        files[name] = Entry(
            kind,
            stat.S_IMODE(info.st_mode),
            (info.st_uid, info.st_gid),
            read(found.path) if kind == "file" else b"",
            str(Path(found.path).readlink()) if kind == "symlink" else "",
        )
        is_same = before.get(found.path) == info.st_ino and info.st_mtime_ns == UNTOUCHED_NS
        if kind == "file" and not is_same:
            touched.append(name)
    return files, sorted(touched)


def _state(control: Path) -> dict[str, Any]:
    directory = control / recorder.STATE
    if not directory.exists():
        return {}
    # marshal is safe here: the stand-ins wrote these files with this interpreter.
    return {
        file.name: marshal.loads(file.read_bytes())  # noqa: S302
        for file in sorted(directory.iterdir())
    }


def _counts(control: Path) -> dict[str, dict[int, int]]:
    path = control / recorder.COUNTS
    data = path.read_bytes() if path.exists() else recorder.NO_COUNTS
    return marshal.loads(data)  # type: ignore[no-any-return] # noqa: S302


def _longer_plan(stand_in: StandIn, argv: list[str]) -> str:
    """Return the plan that would match these arguments with a final `...`, or ""."""
    for pattern, _, _ in stand_in.plan():
        if pattern and not recorder.fits(pattern, argv) and recorder.fits([*pattern, None], argv):
            shown = ("..." if argument is None else repr(argument) for argument in pattern)
            return f"when({', '.join(shown)}, ...)"
    return ""


def _plan_problems(world: World, calls: list[Call], stand_ins: Iterable[StandIn]) -> list[str]:
    problems = []
    answered = _counts(world.control)
    for stand_in in stand_ins:
        made = [call for call in calls if call.program == stand_in.name]
        unplanned: dict[str, list[int]] = {}
        hints = {}
        for number, call in enumerate(made, 1):
            if call.unplanned:
                text = command([stand_in.name, *call.argv])
                unplanned.setdefault(text, []).append(number)
                hints[text] = _longer_plan(stand_in, call.argv)
        problems += [
            f"{UNPLANNED_CALL}{text}\n"
            f"      {numbers('call', places)} of {stand_in.name}; {stand_in.planned()}; "
            f"it got exit status {recorder.UNPLANNED_STATUS}"
            + (hints[text] and f"\n      to allow more arguments, plan: {hints[text]}")
            for text, places in unplanned.items()
        ]
        missing = stand_in.missing(answered.get(stand_in.name, {}))
        if missing:
            problems.append(
                f"planned calls that never happened: {missing} of {stand_in.name}\n"
                f"      {len(made)} made; {stand_in.planned()}"
            )
    crashes = world.control / recorder.CRASHES
    if crashes.exists():
        problems.append("unplanned use of a stand-in: " + crashes.read_text("utf-8", "replace"))
    return problems
