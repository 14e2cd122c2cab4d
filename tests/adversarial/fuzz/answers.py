"""Answer the stand-ins' calls in a fuzzed world.

A stand-in is three lines of sh. It prints its process id, then blocks while it opens a FIFO. The
harness then reads everything about it from /proc. This takes 1 ms, and a Python process 10 ms.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import time
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, cast

from tests.support.refresh.stand_ins import jq, systemctl, systemd_run, user_manager

from oauthkit.parity import Call, UnplannedError
from oauthkit.parity.recorder import ACCESS_MODES, UNPLANNED_STATUS

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from oauthkit.parity import recorder

REQUEST, REPLY = "request", "reply"
SHELL = shutil.which("dash") or shutil.which("bash") or "/bin/sh"
PROGRAM_TEXT = """\
#!{shell}
echo "$$" >{control}/request
. {control}/reply
"""
MODELS: dict[str, Callable[[recorder.Call], int]] = {
    "jq": jq.reads,
    "systemctl": systemctl.obeys,
    "systemd-run": systemd_run.arms,
}
# Programs with planned calls. All others are real, unless the case plans them.
PLANNED = ("claude", "sleep", *MODELS)
BLOCK_LIMIT_S = 60.0  # it may be delayed on a busy machine
ANSWER = b"ok\n"
# When the timers elapse that are pending before a run. New ones are earlier.
PENDING_S = 4_000_000_000
UNPRINTABLE = re.compile(rb"[^ -$&-\[\]-~]")


class StuckError(Exception):
    """A stand-in does not wait for its answer."""


@dataclass
class Asked:
    """A call as the programs' models see it, in place of `recorder.Call`."""

    call: Call
    now_s: int
    kept: dict[str, Any]
    stdout: bytes = b""
    stderr: bytes = b""
    argv: list[str] = field(init=False)
    env: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.argv = self.call.argv
        self.env = self.call.env

    def state(self, name: str, default: Any) -> Any:
        """Return the value that was kept under `name`, or `default`."""
        return self.kept.get(name, default)

    def keep(self, name: str, value: Any) -> None:
        """Keep `value` under `name`. It is compared after the run."""
        self.kept[name] = value

    def lock(self) -> AbstractContextManager[None]:
        """Do nothing, because calls are answered one at a time."""
        return nullcontext()

    def print(self, stdout: bytes = b"", stderr: bytes = b"") -> None:
        """Collect the stand-in's output."""
        self.stdout += stdout
        self.stderr += stderr

    def refuse(self, what: str) -> NoReturn:
        """Report that the model has no answer."""
        raise UnplannedError(f"not supported by the stand-in: {what}")


def program_text(control: Path) -> bytes:
    """Return the text of the stand-ins."""
    return PROGRAM_TEXT.format(shell=SHELL, control=shlex.quote(str(control))).encode()


def inspect(pid: int) -> Call:
    """Return the call of a waiting stand-in. Raise StuckError if it does not wait."""
    status = _wait_until_blocked(pid)
    words = [_text(word) for word in _read(pid, "cmdline").split(b"\0")[:-1]]
    pairs = []
    for entry in _read(pid, "environ").split(b"\0"):
        name, _, value = entry.partition(b"=")
        if entry:
            pairs.append((_text(name), _text(value)))
    found = [name for name, _ in pairs]
    descriptors = _descriptors(pid)
    return Call(
        program=words[1].rpartition("/")[2],
        path=words[1],
        argv=words[2:],
        env=dict(sorted(pairs)),
        cwd=_text(os.fsencode(Path(f"/proc/{pid}/cwd").readlink())),
        umask=int(status.partition(b"Umask:")[2].split()[0], 8),
        descriptors=descriptors,
        stdin=b"" if descriptors.get(0) == os.devnull else _stdin(pid, descriptors),
        repeated_env=sorted({name for name in found if found.count(name) > 1}),
        unplanned=False,
    )


def _wait_until_blocked(pid: int) -> bytes:
    """Return the process's status, once it sleeps. It only sleeps when it opens the FIFO."""
    deadline_s = time.monotonic() + BLOCK_LIMIT_S
    while time.monotonic() < deadline_s:
        status = _read(pid, "status")
        if b"\nState:\tS" in status:
            return status
        time.sleep(0.00005)
    raise StuckError(f"{pid}: {status.decode(errors='replace')}")


def _descriptors(pid: int) -> dict[int, str]:
    """Return the inherited descriptors, with the names that the kit's recorder uses."""
    pipes: dict[str, str] = {}
    found = {}
    directory = f"/proc/{pid}/fd"
    for number in sorted(map(int, os.listdir(directory))):  # noqa: PTH208
        flags = int(_read(pid, f"fdinfo/{number}").split(b"flags:")[1].split()[0], 8)
        if flags & os.O_CLOEXEC:
            continue  # opened after the start: the stand-in's text
        target = _text(os.fsencode(Path(f"{directory}/{number}").readlink()))
        mode = "append" if flags & os.O_APPEND else ACCESS_MODES[flags & os.O_ACCMODE]
        if target.startswith(("pipe:", "socket:")):
            name = f"{target.partition(':')[0]} {len(pipes) + 1}"
            target = pipes.setdefault(target, name)
        elif target.startswith("/dev/pts/"):
            target = "terminal"
        found[number] = target if target == os.devnull else f"{target} ({mode})"
    return found


def _stdin(pid: int, descriptors: dict[int, str]) -> bytes | None:
    """Return the content of a file on stdin, or None: /dev/zero would never end."""
    if 0 not in descriptors or not Path(f"/proc/{pid}/fd/0").is_file():
        return None
    position = int(_read(pid, "fdinfo/0").split(b"pos:")[1].split()[0])
    return _read(pid, "fd/0")[position:]


def _read(pid: int, name: str) -> bytes:
    with open(f"/proc/{pid}/{name}", "rb", buffering=0) as file:  # noqa: PTH123
        return file.read() or b""


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


# --- The answer ---


def reply(
    stdout: bytes = b"", stderr: bytes = b"", exit_status: int = 0, signal_number: int = 0
) -> bytes:
    """Return the lines of sh that print the output and end the stand-in."""
    lines = []
    for redirection, data in ((b"", stdout), (b" >&2", stderr)):
        if data:
            lines.append(b"{ printf '%b'%b; } 2>/dev/null" % (_printf(data), redirection)
                         if not redirection else b"printf '%b' >&2" % _printf(data))  # fmt: skip
    lines.append(b"kill -%d $$" % signal_number if signal_number else b"exit %d" % exit_status)
    return b"\n".join(lines) + b"\n"


def _printf(data: bytes) -> bytes:
    """Return `data` as a format of printf, safe in single quotes."""
    return UNPRINTABLE.sub(lambda found: b"\\%03o" % found[0][0], data).replace(b"'", b"\\047")


def pass_on(program: str) -> bytes:
    """Return the line of sh that executes the real program, or that reports it missing."""
    real = shutil.which(program)
    return b'exec %b "$@"\n' % os.fsencode(real) if real else reply(exit_status=127)


def modelled(asked: Asked) -> bytes:
    """Return the answer of the program's model. Raise UnplannedError if it has none."""
    # In place of the recorder's, which would read this process's own arguments.
    status = MODELS[asked.call.program](cast("recorder.Call", asked))
    return reply(asked.stdout, asked.stderr, status)


def unplanned() -> bytes:
    """Return the answer to an unplanned call."""
    return reply(exit_status=UNPLANNED_STATUS)


def units(planned: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    """Return the user manager's state with these pending, running or failed units."""
    state: dict[str, Any] = {"timers": {}, "services": {}}
    for name, what in planned:
        if what == "failed":
            state["services"][name] = "failed"
            continue
        timer = {
            "is_pending": True, "when_s": PENDING_S, "command": ["/bin/true"], "setenv": {},
            "collect": True, "description": "", "latest": "", "properties": [],
            "service_properties": [],
        }  # fmt: skip
        state["timers"][name] = timer
        if what == "running":
            user_manager.fire(state, name)
    return {user_manager.STATE: state}
