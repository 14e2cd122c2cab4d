"""Start Python forms as forks of a process that has already imported their packages.

This is a program. Its arguments are the descriptor of a socket, and a Python file that imports what
the forms need. A request starts a form. The answers are the form's process id, and later its exit
status. In a fork, `main` returns, and the form runs as the interpreter's own program.
"""

# ruff: noqa: PTH109, PTH120, PTH123, PTH208
# PTH: only what every Python form imports anyway may be loaded here.

from __future__ import annotations

import ctypes
import gc
import marshal
import os
import runpy
import select
import signal
import socket
import sys
import time
from contextlib import suppress
from importlib import import_module
from typing import Any

FIRST_DESCRIPTOR, LAST_DESCRIPTOR = 3, 1 << 20
# linux/capability.h, linux/prctl.h
CAPABILITY_VERSION = 0x20080522
ROOT_OVERRIDES = (1, 2)  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
PR_CAPBSET_DROP = 24
# sched.h, sys/mount.h
CLONE_NEWNS = 0x00020000
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
# Python changes the dispositions of these signals at startup. exec keeps ignored ones ignored.
CHANGED = (signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ)


def prepare(how: dict[str, Any]) -> None:
    """Give this new process a form's namespace, streams, directory, umask and signals.

    The keys of `how`: `mounted` is the world to mount at `root` in a new namespace, or "".
    `streams` are the paths of stdin, stdout and stderr, or none. `cwd` and `umask` are set. With
    `has_overrides`, root keeps the right to ignore file modes.
    """
    if how["mounted"]:
        _enter(how["mounted"], how["root"])
    for number, path in enumerate(how["streams"]):
        opened = os.open(path, os.O_WRONLY | os.O_APPEND if number else os.O_RDONLY)
        os.dup2(opened, number)
        os.close(opened)
    os.chdir(how["cwd"])
    os.umask(how["umask"])
    # sh ignores SIGHUP for background processes. The caller may ignore others, as a shell does for
    # commands that it starts with &.
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def _enter(directory: bytes, root: bytes) -> None:
    """Mount `directory` at `root` in a new mount namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    _check(libc.unshare(CLONE_NEWNS))
    _check(libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None))
    flags = MS_BIND | MS_REC  # with the mounts that a test has added
    _check(libc.mount(directory, root, None, flags, None))


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


# --- The server ---


def main(channel: socket.socket, file: str) -> dict[str, Any]:
    """Serve requests. Return a request in the fork that becomes its form."""
    preloaded = runpy.run_path(file)
    with open("/proc/self/environ", "rb") as environ:
        given = {entry.partition(b"=")[0] for entry in environ.read().split(b"\0")}
    # Python sets LC_CTYPE if the locale is C (PEP 538).
    coerced = {name: value for name, value in os.environb.items() if name not in given}
    gc.collect()
    gc.freeze()
    # A number identifies a form, because the kernel reuses process ids.
    number = 0
    running: dict[int, tuple[int, int]] = {}
    poll = select.poll()
    poll.register(channel, select.POLLIN)
    while True:
        for ready, _ in poll.poll():
            if ready != channel.fileno():
                ended, pid = running.pop(ready)
                poll.unregister(ready)
                os.close(ready)
                status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                channel.send(marshal.dumps((ended, pid, status)))
                continue
            data = channel.recv(1 << 20)
            if not data:
                os._exit(0)  # the test runner has ended
            pid = os.fork()
            if pid == 0:
                request: dict[str, Any] = marshal.loads(data)  # noqa: S302 - from the kit
                request |= {"restart": preloaded.get("restart"), "coerced": coerced}
                return request
            descriptor = os.pidfd_open(pid)
            number += 1
            running[descriptor] = (number, pid)
            poll.register(descriptor, select.POLLIN)
            channel.send(marshal.dumps((number, pid, None)))


# --- The form ---


def become(request: dict[str, Any]) -> tuple[str, bool]:
    """Turn this fork into a form. Return its module or script, and whether it is a module.

    If its start could differ from that of a new interpreter, start one.
    """
    os.setsid()
    prepare(request)
    os.closerange(FIRST_DESCRIPTOR, LAST_DESCRIPTOR)
    if os.geteuid() == 0 and not request["has_overrides"]:
        _drop_root_overrides()
    argv, env = request["argv"], request["env"]
    shown = _areas(argv, [name + b"=" + value for name, value in env.items()])
    is_module = argv[1] == b"-m"
    words = [os.fsdecode(word) for word in argv[2 if is_module else 1 :]]
    search = _search_path(words[0], is_module, os.fsdecode(env.get(b"PYTHONPATH", b"")))
    if not shown or not search or not _is_unaffected(search):
        for number in CHANGED:
            signal.signal(number, signal.SIG_DFL)
        os.execve(argv[0], argv, env)  # noqa: S606 - without a shell
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environb.update(env | request["coerced"])
    for place, data in shown:
        ctypes.memmove(place, data, len(data))
    time.tzset()
    sys.path[:0] = search
    sys.argv = words
    sys.orig_argv[:] = map(os.fsdecode, argv)
    sys.modules.pop("sitecustomize", None)
    with suppress(ModuleNotFoundError):
        import_module("sitecustomize")
    if request["restart"] is not None:
        request["restart"]()
    return words[0], is_module


def _search_path(program: str, is_module: bool, python_path: str) -> list[str]:
    """Return what Python adds to sys.path, or nothing if the current directory is deleted."""
    try:
        first = os.getcwd() if is_module else os.path.dirname(os.path.realpath(program))
    except FileNotFoundError:
        return []
    return [first, *filter(None, python_path.split(":"))]


def _is_unaffected(search: list[str]) -> bool:
    """Return whether these directories contain no file named like a preloaded module."""
    names = {name.partition(".")[0] for name in sys.modules} - {"sitecustomize", "__main__"}
    found: list[str] = []
    for directory in filter(os.path.isdir, search):
        try:
            found += os.listdir(directory)
        except PermissionError:
            return False
    return names.isdisjoint(entry.partition(".")[0] for entry in found)


def _areas(argv: list[bytes], env: list[bytes]) -> list[tuple[int, bytes]]:
    """Return the addresses from which /proc shows argv and the environment, and their new content.

    Return nothing if there is not enough space. See proc(5), arg_start to env_end.
    """
    with open("/proc/self/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()
    found = []
    for first, words in ((45, argv), (47, env)):
        start, end = int(fields[first]), int(fields[first + 1])
        data = b"".join(word + b"\0" for word in words)
        if len(data) > end - start:
            return []
        found.append((start, data.ljust(end - start, b"\0")))
    return found


def _drop_root_overrides() -> None:
    """Drop the capabilities with which root ignores file modes, as setpriv(1) does."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0)
    sets = (ctypes.c_uint32 * 6)()
    _check(libc.capget(header, sets))
    for number in ROOT_OVERRIDES:
        _check(libc.prctl(PR_CAPBSET_DROP, number, 0, 0, 0))
        for place in range(3):  # effective, permitted, inheritable
            sets[place] &= ~(1 << number)
    _check(libc.capset(header, sets))


if __name__ == "__main__":
    del sys.path[0]  # this file's directory
    _program, _is_module = become(main(socket.socket(fileno=int(sys.argv[1])), sys.argv[2]))
    if _is_module:
        runpy.run_module(_program, run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(_program, run_name="__main__")
