"""Run a program under ptrace(2), and kill it at one system call: `python -IS tracer.py --help`.

strace(1) can inject a signal, too. But it counts calls per process and per system call, so one call
of one process in a tree cannot be named.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

USAGE = """\
usage: tracer.py RECORD KILL FROM ARGV...

Write the system calls of the program ARGV and its descendants to the file RECORD, one JSON array
per line: process (0 is the program, the others follow in the order of their start), the call's
number within the process, the program's name, the call's name, its path or text argument. The last
line is the program's wait status. Counting starts when a process opens the path FROM (- for none).

KILL is - or PROCESS:CALL:VICTIMS. The process is stopped as it enters that call, before the call
has an effect. The victims get SIGKILL: `all` processes, only that one (`self`), or the `main` one.
Then the remaining processes are stopped, and `killed` is printed. A line on stdin continues them.
"""

# Constants of ptrace(2), with their values from linux/ptrace.h.
TRACEME, CONT, GETEVENTMSG, SYSCALL = 0, 7, 0x4201, 24
SETOPTIONS, GET_SYSCALL_INFO = 0x4200, 0x420E
# SYSGOOD, FORK, VFORK, CLONE, EXEC, and EXITKILL: nothing outlives this program.
OPTIONS = 1 | 2 | 4 | 8 | 16 | 0x100000
FORK_EVENTS = (1, 2, 3)
WALL = 0x40000000
PR_SET_CHILD_SUBREAPER = 36
ENTRY = 1
SYSCALL_STOP = signal.SIGTRAP | 0x80
TEXT_BYTES = 160
# The index of each call's path argument. write(2)'s text is truncated.
PATHS = {
    "open": 0, "openat": 1, "execve": 0, "unlink": 0, "unlinkat": 1, "rename": 0, "renameat": 1,
    "renameat2": 1, "chmod": 0, "chown": 0, "fchmodat": 1, "fchownat": 1, "write": 1,
}  # fmt: skip

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


class Info(ctypes.Structure):
    """struct ptrace_syscall_info: the same on every architecture (since Linux 5.3)."""

    _fields_ = (
        ("op", ctypes.c_uint8),
        ("pad", ctypes.c_uint8 * 3),
        ("arch", ctypes.c_uint32),
        ("instruction", ctypes.c_uint64),
        ("stack", ctypes.c_uint64),
        ("number", ctypes.c_uint64),
        ("arguments", ctypes.c_uint64 * 6),
    )


class Process:
    """One traced process or thread, and the number of its calls since counting started."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.calls = 0
        self.is_new = True  # its first stop was requested by the tracer


def ptrace(request: int, pid: int, address: int = 0, data: int = 0) -> None:
    """Make one request to the kernel. Raise OSError if it fails."""
    if libc.ptrace(request, pid, address, data) == -1:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


class CallNames(dict[int, str]):
    """The names of system calls by number, from libseccomp."""

    def __init__(self) -> None:
        super().__init__()
        self._resolve = ctypes.CDLL("libseccomp.so.2").seccomp_syscall_resolve_num_arch
        self._resolve.restype = ctypes.c_char_p

    def __missing__(self, number: int) -> str:
        name = self._resolve(0, number)  # 0: SCMP_ARCH_NATIVE
        self[number] = name.decode() if name else f"call {number}"
        return self[number]


class Tracer:
    """Follows the processes of one program from system call to system call."""

    def __init__(self, record: str, kill: str, count_from: str) -> None:
        self._record = open(record, "w", encoding="utf-8")  # noqa: PTH123, SIM115
        place, _, self._victims = kill.rpartition(":")
        self._place = tuple(int(part) for part in place.split(":")) if place else ()
        self._from = count_from
        self._counts = count_from == "-"
        # Calls before the program starts another one are ignored.
        self._stops_at_calls = self._counts
        self._names = CallNames()
        self._info = Info()
        self._processes: dict[int, Process] = {}
        self._programs: dict[int, str] = {}
        self._main = 0
        self._is_over = False  # after the kill, calls are not counted

    def run(self, argv: list[str]) -> None:
        """Run the program and its descendants until they exit."""
        libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self._main = os.fork()
        if self._main == 0:
            start_traced(argv)
        self._add(self._main)
        os.waitpid(self._main, WALL)
        ptrace(SETOPTIONS, self._main, 0, OPTIONS)
        self._processes[self._main].is_new = False
        self._resume(self._main)
        main_status = 0
        while True:
            try:
                pid, status = os.waitpid(-1, WALL)
            except ChildProcessError:
                break
            if os.WIFSTOPPED(status):
                self._stopped(pid, status)
            elif pid == self._main:
                main_status = status
        self._record.write(f"{main_status}\n")
        self._record.close()

    def _add(self, pid: int) -> None:
        if pid not in self._processes:
            self._processes[pid] = Process(len(self._processes))

    def _resume(self, pid: int, number: int = 0) -> None:
        request = SYSCALL if self._stops_at_calls else CONT
        with contextlib.suppress(ProcessLookupError):  # killed meanwhile
            ptrace(request, pid, 0, number)

    def _stopped(self, pid: int, status: int) -> None:
        self._add(pid)
        process = self._processes[pid]
        number, event = os.WSTOPSIG(status), status >> 16
        if number == SYSCALL_STOP:
            if not self._is_over and self._entered(pid, process):
                self._kill(pid)
                return
            self._resume(pid)
        elif event:
            if event in FORK_EVENTS:
                message = ctypes.c_ulong()
                ptrace(GETEVENTMSG, pid, 0, ctypes.addressof(message))
                self._add(message.value)
            else:
                self._programs.pop(pid, None)  # it has executed another program
                self._stops_at_calls |= pid != self._main and not self._is_over
            self._resume(pid)
        elif process.is_new and number == signal.SIGSTOP:
            process.is_new = False
            self._resume(pid)
        else:
            self._resume(pid, number)

    def _entered(self, pid: int, process: Process) -> bool:
        """Record a call that is being entered. Return whether to kill at this call."""
        size = ctypes.sizeof(self._info)
        try:
            ptrace(GET_SYSCALL_INFO, pid, size, ctypes.addressof(self._info))
        except ProcessLookupError:
            return False
        if self._info.op != ENTRY:
            return False
        name = self._names[self._info.number]
        if not self._counts and name not in ("open", "openat"):
            return False
        text = self._text(pid, name)
        if not self._counts and text.rstrip("/") != self._from:
            return False
        self._counts = True
        place = (process.number, process.calls)
        process.calls += 1
        program = self._program(pid)
        self._record.write(json.dumps([*place, program, name, text]) + "\n")
        return place == self._place

    def _text(self, pid: int, name: str) -> str:
        if name not in PATHS:
            return ""
        length = self._info.arguments[2] if name == "write" else TEXT_BYTES
        try:
            with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:  # noqa: PTH123
                memory.seek(self._info.arguments[PATHS[name]])
                data = memory.read(min(length, TEXT_BYTES))
        except (OSError, ValueError, OverflowError):
            return "?"
        if name != "write":
            data = data.partition(b"\0")[0]
        return data.decode("utf-8", "backslashreplace")

    def _program(self, pid: int) -> str:
        if pid not in self._programs:
            try:
                with open(f"/proc/{pid}/comm", encoding="utf-8") as file:  # noqa: PTH123
                    self._programs[pid] = file.read().rstrip("\n")
            except OSError:
                return "?"
        return self._programs[pid]

    def _kill(self, pid: int) -> None:
        live = [other for other in self._processes if is_alive(other)]
        victims = {"all": live, "self": [pid], "main": [self._main]}[self._victims]
        for victim in victims:
            os.kill(victim, signal.SIGKILL)
        for victim in victims:
            wait_until_dead(victim)
        self._is_over = True
        self._stops_at_calls = False
        os.write(1, b"killed\n")  # remaining processes have stopped at their next call
        os.read(0, 1)
        if pid not in victims:
            self._resume(pid)


def is_alive(pid: int) -> bool:
    """Return whether the process exists and is not a zombie."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def wait_until_dead(pid: int) -> None:
    """Wait until the process is a zombie or gone, and its files are closed."""
    while is_alive(pid):
        os.sched_yield()


def start_traced(argv: list[str]) -> NoReturn:
    """Execute the program, in a new session, traced by the parent."""
    os.setsid()
    ptrace(TRACEME, 0)
    os.kill(os.getpid(), signal.SIGSTOP)
    os.execv(argv[0], argv)  # noqa: S606 - an argv, without a shell


def main() -> None:
    """Run the tracer with these arguments."""
    if len(sys.argv) < 5:
        sys.stderr.write(USAGE)
        sys.exit(2)
    Tracer(*sys.argv[1:4]).run(sys.argv[4:])


if __name__ == "__main__":
    main()
