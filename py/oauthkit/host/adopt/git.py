"""Run git in a checkout whose files and configuration are not trusted."""

from __future__ import annotations

import os
import resource
import selectors
import subprocess
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from oauthkit.host.errors import HostError
from oauthkit.host.shell_commands import quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

LIMIT_S = 60
# A real checkout needs far less. But version 4 of git's index compresses prefixes: an index of 1 MB
# can have names of 100 MB, which git holds in memory and prints.
MAX_MEMORY_BYTES = 1 << 30
MAX_OUTPUT_BYTES = 16 << 20
MAX_ERROR_BYTES = 64 << 10
_BUFFER_BYTES = 64 << 10
# git's error for a directory outside any checkout.
NO_REPOSITORY = "not a git repository"
# These settings name programs that git would run (see git-config(1)). Settings for editors, pagers,
# diffs and signatures do so, too, but the commands used here do not read them.
SWITCHES = ("core.fsmonitor=false", "core.hooksPath=/dev/null")
ENVIRONMENT = {
    "LC_ALL": "C",  # for NO_REPOSITORY
    "GIT_OPTIONAL_LOCKS": "0",  # git status does not write the index, and starts no hook
    "GIT_TERMINAL_PROMPT": "0",
    # In a partial clone, git fetches missing objects with the programs that its remote names.
    # No protocol is called none; git before 2.45 ignores the second line.
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_NO_LAZY_FETCH": "1",
}
# A name with such a part is absolute, leads up, or is in git's own directory.
_WRONG_PARTS = {"", ".", "..", ".git"}
MAX_SHOWN = 200
# Paths on one command line, far below the system's limit.
CHUNK = 200


class Git:
    """Run git in one checkout, without running any program that the checkout names.

    Methods raise HostError if git fails, takes longer than LIMIT_S or prints more than
    MAX_OUTPUT_BYTES.
    """

    def __init__(self, checkout: Path) -> None:
        """Find the filters that must be disabled."""
        self.checkout = checkout
        self._switches = [*SWITCHES]
        self.filters = sorted(self._find_filters())
        for name in self.filters:
            if "=" in name:  # for git, the setting's name ends at the first =
                raise HostError(
                    f"{checkout} configures a git filter that cannot be disabled, because its name"
                    f" contains an equals sign: {name!r}. Remove it from .git/config"
                )
            # If a filter has no command and is not required, git does not change the content.
            self._switches += [f"filter.{name}.{key}=" for key in ("clean", "smudge", "process")]
            self._switches.append(f"filter.{name}.required=false")

    def _find_filters(self) -> Iterator[str]:
        """Yield the names of all configured filters, which .gitattributes can select.

        A name can be empty: `[filter ""]` is selected by the attribute `filter=`.
        """
        keys = self._run("config", "--null", "--name-only", "--get-regexp", r"^filter\.", ok=(0, 1))
        yield from {key.split(".", 1)[1].rpartition(".")[0] for key in _names(keys)}

    def top(self) -> str:
        """Return the root of the checkout's work tree."""
        return os.fsdecode(self._run("rev-parse", "--show-toplevel").removesuffix(b"\n"))

    def files(self, *which: str) -> list[str]:
        """Return what `git ls-files` lists: by default, the tracked files.

        Raise HostError if a name leads out of the work tree. git never adds such a name, but lists
        it if another program wrote the index.
        """
        names = list(dict.fromkeys(_names(self._run("ls-files", "-z", *which))))
        for name in names:
            if not _WRONG_PARTS.isdisjoint(name.removesuffix("/").split("/")):
                raise HostError(
                    f"{self.checkout} is not safe to change: its git index contains the unsafe"
                    f" path {name[:MAX_SHOWN]!r}. Clone it again"
                )
        return names

    def is_clean(self) -> bool:
        """Return whether `git status` reports no change.

        Submodules are ignored, because they have a configuration of their own. A file that a filter
        converts can appear changed, because filters are disabled.
        """
        flags = ("--untracked-files=all", "--ignore-submodules=all", "--no-renames")
        return not self._run("status", "--porcelain", *flags)

    def committed(self, paths: Iterable[str]) -> dict[str, str]:
        """Return the object IDs of the files at these paths in the last commit."""
        wanted, found = list(paths), {}
        for start in range(0, len(wanted), CHUNK):
            chunk = wanted[start : start + CHUNK]
            for entry in _names(self._run("ls-tree", "-z", "--full-tree", "HEAD", "--", *chunk)):
                described, _, path = entry.partition("\t")
                found[path] = described.split(" ")[2]
        return found

    def command(self, *arguments: str) -> str:
        """Return a shell command that runs git with this class's environment and options."""
        settings = [f"{name}={value}" for name, value in ENVIRONMENT.items()]
        return " ".join(map(quote, ["env", *settings, *self._argv(*arguments)]))

    def _argv(self, *arguments: str) -> list[str]:
        switches = [word for switch in self._switches for word in ("-c", switch)]
        return ["git", "--no-pager", "-C", str(self.checkout), *switches, *arguments]

    def _run(self, *arguments: str, ok: tuple[int, ...] = (0,)) -> bytes:
        # In a git hook or a rebase, GIT_DIR and others are set and name another repository.
        env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        env |= ENVIRONMENT
        argv = self._argv(*arguments)
        failed = f"git {arguments[0]} in {self.checkout}"
        try:
            status, stdout, stderr = _read_output(argv, env)
        except FileNotFoundError:
            raise HostError("git not found in PATH. Install it: apt-get install git") from None
        except TimeoutError:
            raise HostError(f"{failed} did not finish within {LIMIT_S} s") from None
        except OSError as error:  # for example, too many filters for a command line
            raise HostError(f"{failed} cannot be started: {error.strerror}") from None
        if len(stdout) > MAX_OUTPUT_BYTES:
            raise HostError(
                f"{failed} printed more than {MAX_OUTPUT_BYTES >> 20} MiB. Use a clean clone"
            )
        if status not in ok:
            lines = map(str.strip, stderr.decode("utf-8", "replace").splitlines())
            problem = "; ".join(filter(None, lines))
            fix = ""
            if NO_REPOSITORY in problem:
                fix = (
                    ". Run git init there and commit everything, or copy the files by hand: see"
                    ' "The script alone" in oauthkit\'s README.md'
                )
            raise HostError(f"{failed} failed: {problem}{fix}")
        return stdout


def _read_output(argv: list[str], env: dict[str, str]) -> tuple[int, bytes, bytes]:
    """Run a program. Return its exit status, and the starts of its stdout and stderr.

    It can use up to MAX_MEMORY_BYTES, and is killed when its stdout exceeds MAX_OUTPUT_BYTES. Raise
    TimeoutError if it does not finish within LIMIT_S.
    """
    end_s = time.monotonic() + LIMIT_S
    stdout, stderr = bytearray(), bytearray()
    with (
        subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env
        ) as process,
        selectors.DefaultSelector() as selector,
    ):
        _limit_memory(process.pid)
        if process.stdout and process.stderr:
            selector.register(process.stdout, selectors.EVENT_READ, (stdout, MAX_OUTPUT_BYTES + 1))
            selector.register(process.stderr, selectors.EVENT_READ, (stderr, MAX_ERROR_BYTES))
        try:
            while selector.get_map() and len(stdout) <= MAX_OUTPUT_BYTES:
                ready = selector.select(max(0, end_s - time.monotonic()))
                if time.monotonic() >= end_s:
                    raise TimeoutError
                for key, _ in ready:
                    content, limit = key.data
                    data = os.read(key.fd, _BUFFER_BYTES)
                    content += data[: limit - len(content)]
                    if not data:
                        selector.unregister(key.fileobj)
            if not selector.get_map():
                process.wait(max(0, end_s - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise TimeoutError from None
        finally:
            process.kill()
    return process.returncode, bytes(stdout), bytes(stderr)


def _limit_memory(pid: int) -> None:
    with suppress(ProcessLookupError):  # it has already exited
        _, hard = resource.prlimit(pid, resource.RLIMIT_DATA)
        soft = MAX_MEMORY_BYTES if hard == resource.RLIM_INFINITY else min(MAX_MEMORY_BYTES, hard)
        resource.prlimit(pid, resource.RLIMIT_DATA, (soft, hard))


def _names(output: bytes) -> Iterator[str]:
    return (os.fsdecode(name) for name in output.split(b"\0") if name)
