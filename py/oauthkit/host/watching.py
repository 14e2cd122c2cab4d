"""Refreshes when a container asks for it through the IPC folder of NanoClaw.

What lies in that folder was written by a container, and is trusted with nothing: not with its kind,
its length, its name, or with being the same at a second look. Nothing there ends the watch: what is
wrong with a file or a folder is said once, and the look goes on with the next.
"""

from __future__ import annotations

import fcntl
import io
import json
import os
import secrets
import signal
import socket
import stat
import sys
import threading
import time
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from oauthkit.extras import not_installed
from oauthkit.host import child
from oauthkit.host.places import HostError, NoFolderError
from oauthkit.host.wording import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from oauthkit.host.places import Places

    Say = Callable[[str], None]

REQUEST = "refresh_oauth"
# No request is longer, and no more of a file is read.
LARGEST_BYTES = 64 * 1024
# At a look, as each is open until it was served; for the others there is the next look.
MOST_TAKEN = 64
# A request that was taken keeps its folder, under a name that nobody else reads.
CLAIMED = ".oauthkit-{}.claimed"
# A file that is younger may still be written.
SETTLE_S = 5.0
# How often is looked again while something may still be written, or nothing can be watched.
LOOK_S = 1.0
# How often is looked with no sign of a change: a sign may be lost.
IDLE_S = 5.0


@dataclass
class Watcher:
    """The requests of the folders below some `data/ipc`: folder/GROUP/tasks/NAME.json."""

    folders: Sequence[Path]
    say: Say
    named: set[tuple[str, int]] = field(default_factory=set)  # what is wrong, each said once
    seen: set[tuple[str, int]] = field(default_factory=set)  # in this look
    stuck: set[Path] = field(default_factory=set)  # served, but cannot be removed
    held: dict[Path, int] = field(default_factory=dict)  # taken, and not ended: with its lock

    def claim(self) -> tuple[list[Path], bool]:
        """Takes every request that is there, and says whether a file may not be finished yet.

        Only a whole JSON document with the type REQUEST is one; all else is left as it is. What
        was taken is locked: of several watchers one serves it, and if that one is killed, another.
        """
        is_early = False
        self.seen = set()
        for folder in self.folders:
            for tasks in (group / "tasks" for group in self._found(folder)):
                with self._whatever_comes(tasks):
                    if not tasks.is_symlink():  # a container could have it lead anywhere
                        is_early = self._look_into(tasks) or is_early
        self.named &= self.seen  # what is gone need not be remembered
        return sorted(self.held), is_early

    def _look_into(self, tasks: Path) -> bool:
        """Takes the requests of a folder; gives whether there may soon be more."""
        is_early = False
        files = self._found(tasks)
        takers = ((CLAIMED.format("*"), self._take_over), ("*.json", self._take))
        for file, take in ((x, take) for name, take in takers for x in files if x.match(name)):
            if len(self.held) >= MOST_TAKEN:
                return True
            with self._whatever_comes(file):
                is_early = take(file) or is_early
        return is_early

    def _found(self, folder: Path) -> list[Path]:
        """What is in a folder now, nothing if that cannot be said."""
        found: list[Path] = []
        with self._whatever_comes(folder):
            found += sorted(folder.iterdir())
        return found

    @contextmanager
    def _whatever_comes(self, path: Path) -> Iterator[None]:
        """Says once what is wrong with a path, whatever it is, and goes on."""
        try:
            yield
        except (FileNotFoundError, NotADirectoryError):  # it is gone by now
            return
        except Exception as error:  # noqa: BLE001 - nobody who can write there may end the watch
            why = error.strerror if isinstance(error, OSError) else error
            self._say_once(path, 0, f"cannot be looked at, and is left: {why}")

    def ended(self, taken: Sequence[Path]) -> None:
        """Removes requests that were served; one that cannot be removed is not served again."""
        for file in taken:
            try:
                file.unlink(missing_ok=True)
            except OSError as error:
                self.stuck.add(file)
                self.say(printable(f"{file} cannot be removed: {error.strerror}"))
            os.close(self.held.pop(file))

    def _take(self, file: Path) -> bool:
        """Takes a file that is a request; gives whether one that is not may become one soon."""
        descriptor = self._open(file)
        if descriptor is None:
            return False
        try:
            kind = self._kind(file, descriptor)
            if kind != REQUEST:
                return kind is None
            if not lock(descriptor):  # another watcher is at it
                return True
            return self._rename(file, descriptor)
        finally:
            if descriptor not in self.held.values():
                os.close(descriptor)

    def _take_over(self, claimed: Path) -> bool:
        """Takes what an earlier watcher had taken and not ended, unless that one still lives.

        Gives whether what is no request may become one soon.
        """
        if claimed in self.held or claimed in self.stuck:
            return False
        descriptor = self._open(claimed)
        if descriptor is None:
            return False
        try:
            if not lock(descriptor) or not is_still(claimed, descriptor):
                return False
            kind = self._kind(claimed, descriptor)
            if kind == REQUEST:
                self.held[claimed] = descriptor
            elif kind is not None:
                made_ns = os.fstat(descriptor).st_mtime_ns
                self._say_once(claimed, made_ns, "is no request, and is left")
            return kind is None
        finally:
            if descriptor not in self.held.values():
                os.close(descriptor)

    def _open(self, file: Path) -> int | None:
        """A descriptor of a regular file; None, which is said once, for what cannot be read."""
        made_ns = 0
        try:
            made_ns = file.lstat().st_mtime_ns
            descriptor = open_regular(file)
        except FileNotFoundError:  # taken by somebody else
            return None
        except OSError as error:
            self._say_once(file, made_ns, f"cannot be read, and is left: {error.strerror}")
            return None
        if descriptor is None:
            self._say_once(file, made_ns, "is no regular file, and is left")
        return descriptor

    def _rename(self, file: Path, descriptor: int) -> bool:
        """Takes a request by a name that nobody else reads; gives whether it may be one soon.

        Another file, or other content, may have come in its place since it was read: then it is
        put back.
        """
        claimed = file.with_name(CLAIMED.format(secrets.token_hex(8)))
        try:
            file.rename(claimed)
        except FileNotFoundError:  # somebody else was quicker
            return False
        except OSError as error:
            made_ns = os.fstat(descriptor).st_mtime_ns
            self._say_once(file, made_ns, f"cannot be taken: {error.strerror}")
            return False
        kind = self._kind(file, descriptor)
        if kind == REQUEST and is_still(claimed, descriptor):
            self.held[claimed] = descriptor
            return False
        try:
            put_back(claimed, file)
        except OSError as error:
            self.say(printable(f"{claimed} cannot be put back to {file.name}: {error.strerror}"))
        return kind is None

    def _kind(self, file: Path, descriptor: int) -> str | None:
        """The type of a task, "" if it is none of ours or broken, None if it is to be awaited."""
        made_ns = os.fstat(descriptor).st_mtime_ns
        try:
            content = read(descriptor)
            if len(content) <= LARGEST_BYTES:
                return type_of(content)
            wrong = f"has more than {LARGEST_BYTES // 1024} KiB, and is left"
        except (ValueError, RecursionError) as error:
            wrong = f"is no JSON, and is left: {error}"
        if abs(time.time() - made_ns / 1e9) < SETTLE_S:
            return None
        self._say_once(file, made_ns, wrong)
        return ""

    def _say_once(self, file: Path, made_ns: int, what: str) -> None:
        key = (str(file), made_ns)
        self.seen.add(key)
        if key not in self.named:
            self.named.add(key)
            self.say(printable(f"{file} {what}"))


def open_regular(file: Path) -> int | None:
    """A descriptor of a regular file, to be read; None for all else.

    It waits for nobody, as a pipe would have it, and follows no link.
    """
    if not stat.S_ISREG(file.lstat().st_mode):  # to open a device may already do something
        return None
    descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    is_regular = False
    try:
        is_regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
    finally:
        if not is_regular:
            os.close(descriptor)
    return descriptor if is_regular else None


def read(descriptor: int) -> bytes:
    """The content of a file, up to a byte past LARGEST_BYTES."""
    return os.pread(descriptor, LARGEST_BYTES + 1, 0)


def type_of(content: bytes) -> str:
    """The type of a task, "" if it has none; ValueError or RecursionError if it is no JSON."""
    document = json.loads(content)
    kind = document.get("type") if isinstance(document, dict) else None
    return kind if isinstance(kind, str) else ""


def lock(descriptor: int) -> bool:
    """Locks a file until its descriptor is closed, or this process ends; False if another has."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks: two watchers might serve a request twice
        return True
    return True


def is_still(file: Path, descriptor: int) -> bool:
    """Whether a name still leads to the file that was opened."""
    try:
        return os.path.samestat(file.lstat(), os.fstat(descriptor))
    except OSError:
        return False


def put_back(claimed: Path, file: Path) -> None:
    """Gives a file its name again, unless a newer one has it: that had come in its place."""
    try:
        os.link(claimed, file, follow_symlinks=False)
    except FileExistsError:
        if not claimed.is_dir() or claimed.is_symlink():
            claimed.unlink()
    except OSError:  # a folder, or a file of another user, gets no second name
        claimed.rename(file)
    else:
        claimed.unlink()


def say(text: str) -> None:
    """Prints a line right away; a reader of stdout that is gone ends nothing."""
    # Not sys.stdout: the command line collects what goes there.
    if sys.__stdout__ is None:
        return
    with suppress(OSError):  # a full disk may have room later
        print(text, file=sys.__stdout__, flush=True)


def watch(places: Places, given: Sequence[str]) -> int:
    """Refreshes for each request until SIGTERM or SIGINT: 0. Many at once make one refresh.

    What is `given` is watched, without any the data/ipc of the project. HostError if it is not
    there, or watchfiles is not installed.
    """
    try:
        import watchfiles  # noqa: F401, PLC0415 - whether it is there is to be known at once
    except ModuleNotFoundError:
        raise HostError(not_installed("watchfiles")) from None

    folders = [Path(folder) for folder in given] or [places.project / "data/ipc"]
    for folder in folders:
        if not folder.is_dir():
            error = NoFolderError if given else HostError
            raise error(f"{str(folder)!r} is not a folder: give the data/ipc of NanoClaw")
    if isinstance(sys.__stdout__, io.TextIOWrapper):
        sys.__stdout__.reconfigure(errors="replace")  # a name must not end it
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    watcher = Watcher(folders, say)
    # Before the first refresh, which may take longer than systemd waits.
    notify("READY=1")
    say(printable(f"watching {', '.join(map(str, folders))}"))
    is_early, next_s = _serve(watcher, places), time.monotonic() + IDLE_S
    for is_changed in _looks(folders, stop):
        if is_changed or is_early or time.monotonic() >= next_s:
            is_early = _serve(watcher, places)
            next_s = time.monotonic() + IDLE_S
    notify("STOPPING=1")
    if sys.__stdout__ is not None:
        try:
            sys.__stdout__.flush()
        except OSError:
            # For the flush at the end, which would make another exit status of it.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno())
    return 0


def _looks(folders: Sequence[Path], stop: threading.Event) -> Iterator[bool]:
    """Ends each wait with whether something has changed, until `stop`.

    A watch that ends, or whose folders are others by now, is begun anew. Each folder is watched for
    itself, as a link below it could lead a watch of all that is there to the whole file system.
    """
    import watchfiles  # noqa: PLC0415 - only what watches needs it

    while not stop.is_set():
        watched = _watched(folders)
        changes = watchfiles.watch(
            *watched, stop_event=stop, debounce=200, step=50, rust_timeout=int(LOOK_S * 1000),
            yield_on_timeout=True, raise_interrupt=False, watch_filter=None, recursive=False,
        )  # fmt: skip
        is_first = True  # what came before the watch began was seen by nobody
        try:
            with closing(changes):
                for changed in changes:
                    yield is_first or bool(changed)
                    is_first = False
                    if _watched(folders) != watched:
                        break
        except Exception:  # noqa: BLE001 - nobody who can write there may end the watch
            # A folder is gone or closed, or a name in it is no UTF-8.
            stop.wait(LOOK_S)
            yield True


def _watched(folders: Sequence[Path]) -> dict[Path, tuple[int, int] | None]:
    """The folders, their groups and the tasks of these, and what each is by now, None for gone."""
    found = dict.fromkeys(folders)
    for folder in folders:
        with suppress(OSError):
            groups = [group for group in folder.iterdir() if group.is_dir()]
            tasks = [group / "tasks" for group in groups]
            found |= dict.fromkeys([*groups, *(path for path in tasks if _is_plain_folder(path))])
    return {path: _inode(path) for path in found}


def _is_plain_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except OSError:
        return False


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _serve(watcher: Watcher, places: Places) -> bool:
    """Refreshes once for all requests that are there; whether to look again soon."""
    taken, is_early = watcher.claim()
    if not taken:
        return is_early
    status = child.refresh(places)
    watcher.ended(taken)
    outcome = "refreshed" if status == 0 else f"refresh failed (exit {status})"
    watcher.say(f"{outcome} for {len(taken)} request{'s' if len(taken) > 1 else ''}")
    return is_early


def notify(state: str) -> None:
    """Tells systemd, if it has started this (sd_notify(3)) and still listens."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.connect(f"\0{address[1:]}" if address.startswith("@") else address)
        sender.sendall(state.encode())
