"""A form forked from a preloaded process runs like one started by exec."""

from __future__ import annotations

import signal
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.support.parity_kit.programs import tools

from oauthkit.parity import Form, Pair, Run, preload

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oauthkit.parity import Started, World

PRELOAD = """
import os
import json
import locale
import resource

def restart():
    os.environ["RESTARTED"] = "1"
    del os.environ["RESTARTED"]
"""
# Print everything that a process can observe about its start.
STATE = """
import json, locale, os, resource, signal, sys, time
def read(name):
    with open(f"/proc/self/{name}", "rb") as file:
        return file.read().rstrip(b"\\0")
seen = [f"{n} {os.readlink('/proc/self/fd/' + n)}" for n in "012"]
status = [line for line in read("status").decode().splitlines()
          if line.startswith(("Sig", "Cap", "Uid", "Gid", "Groups", "Umask", "NoNew"))
          and not line.startswith("SigQ")]
own = [sys.stdin, sys.stdout, sys.stderr]
print(*[
    sys.argv, sys.orig_argv, sys.path, sys.flags, sys.executable, sys.prefix, sys.warnoptions,
    sys._xoptions, __name__, __spec__ and __spec__.name, json.__name__,
    dict(os.environ), sorted(read("environ").split(b"\\0")), read("cmdline"), os.getcwd(),
    seen, sorted(os.listdir("/proc/self/fd"))[:3], status,
    [signal.getsignal(n) for n in sorted(signal.valid_signals())],
    [f"{s.encoding} {s.errors} {s.line_buffering} {s.isatty()}" for s in own],
    os.getpgrp() == os.getpid(), os.getsid(0) == os.getpid(), time.time(), time.tzname,
    locale.setlocale(locale.LC_ALL), [resource.getrlimit(n) for n in range(16)],
    os.getpriority(os.PRIO_PROCESS, 0), sys.getrecursionlimit(), sys.excepthook,
    sys.dont_write_bytecode,
], sep="\\n")
"""


@pytest.fixture
def forks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Collect the process ids of the forks."""
    found: list[int] = []
    start = preload.Server.start

    def record_start(self: preload.Server, *args: object) -> preload.Fork:
        fork = start(self, *args)  # type: ignore[arg-type]
        found.append(fork.pid)
        return fork

    monkeypatch.setattr(preload.Server, "start", record_start)
    return found


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair[Run]]:
    """Return a pair that runs one script in both ways: started by exec, and forked."""
    (tmp_path / "imports.py").write_text(PRELOAD)

    def argv(world: World) -> list[str]:
        return [sys.executable, str(world.project / "main.py")]

    started = Form("exec", argv)
    forked = Form("fork", argv, preload=tmp_path / "imports.py")
    made: Pair[Run] = Pair(tmp_path / "pair", (started, forked), tools("sleep"))
    with closing(made) as pair:
        yield pair


def as_module(pair: Pair[Run]) -> None:
    for name, form in pair.forms.items():
        pair.forms[name] = replace(form, argv=lambda _: [sys.executable, "-m", "main"])


@pytest.mark.parametrize("is_module", [True, False], ids=["module", "script"])
@pytest.mark.parametrize("has_locale", [True, False], ids=["UTF-8", "C"])
def test_start_is_the_same(
    pair: Pair[Run], forks: list[int], is_module: bool, has_locale: bool
) -> None:
    pair.file("main.py", STATE)
    pair.env["TZ"] = "EST5EDT"
    pair.env["ODD"] = "\udcff"
    pair.umask = 0o027
    if is_module:
        as_module(pair)
    if not has_locale:
        del pair.env["LANG"]
        pair.env["PYTHONDONTWRITEBYTECODE"] = "1"
    run = pair.run("one", "two words")
    assert "'one', 'two words'" in run.stdout
    assert "('EST', 'EDT')" in run.stdout
    assert ("'LC_CTYPE': 'C.UTF-8'" in run.stdout) is not has_locale
    assert len(forks) == 1


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PYTHONHASHSEED", "1"),
        ("LC_ALL", "C"),
        ("LANG", "C"),
        ("PYTHONUTF8", "0"),
        ("LARGE", "x" * 70_000),
    ],
)
def test_other_environments(pair: Pair[Run], forks: list[int], variable: str, value: str) -> None:
    pair.file("main.py", STATE)
    pair.env[variable] = value
    pair.run()
    assert not forks


@pytest.mark.parametrize(
    ("search", "is_possible"), [("/a:/b", True), ("/a:/a", False), ("relative", False), ("", False)]
)
def test_search_path_that_python_changes(search: str, *, is_possible: bool) -> None:
    env = {"LANG": "C.UTF-8", "PYTHONPATH": search}
    assert preload.is_possible([sys.executable, "main.py"], env) is is_possible


def test_environment_larger_than_the_padding_is_passed_by_exec(
    pair: Pair[Run], forks: list[int]
) -> None:
    pair.file("main.py", STATE)
    pair.env["LARGE"] = "x" * 40_000
    pair.run()
    assert len(forks) == 1


def test_module_in_the_directory_comes_first(pair: Pair[Run], forks: list[int]) -> None:
    pair.file("main.py", STATE)
    pair.file("json.py", "print('mine')")
    as_module(pair)
    assert pair.run().stdout.startswith("mine\n")
    assert len(forks) == 1


def test_deleted_directory(pair: Pair[Run]) -> None:
    pair.file("main.py", STATE.replace("os.getcwd()", "0"))
    pair.directory("deleted")
    pair.file("remove.py", "import os; os.rmdir('deleted')")
    pair.set_cwd("deleted")
    pair.run()


@pytest.mark.parametrize(
    ("program", "status"),
    [
        ("import sys; sys.exit(3)", 3),
        ("import sys; sys.exit('text')", 1),
        ("raise SystemExit", 0),
        ("import os; os._exit(7)", 7),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM),
        ("import os, signal; os.kill(os.getpid(), signal.SIGINT)", -signal.SIGINT),
        ("import atexit; atexit.register(print, 'end')", 0),
        ("import sys; sys.stdout.write('unflushed')", 0),
        ("import os; print('lost'); os.close(1)", 120),
        ("import threading, time; threading.Timer(0.2, print, ['late']).start()", 0),
    ],
)
def test_exit_status_is_the_same(
    pair: Pair[Run], forks: list[int], program: str, status: int
) -> None:
    pair.file("main.py", program)
    # Suppress the traceback, because it names the files that run the program.
    if status == -signal.SIGINT:
        program = f"import sys; sys.excepthook = lambda *_: None; {program}"
        pair.file("main.py", program)
    assert pair.run().exit_code == status
    assert len(forks) == 1


def test_stand_ins_see_the_same(pair: Pair[Run]) -> None:
    pair.file(
        "main.py",
        "import subprocess, time\n"
        "subprocess.run(['tool', 'one'])\n"
        "subprocess.run(['tool', 'two'], stdin=subprocess.DEVNULL)\n"
        "time.sleep(2)\n"
        "print(time.time())\n",
    )
    pair.virtual_sleep()
    pair.stand_in("tool").always.exits(0)
    run = pair.run()
    assert run.programs == ["tool", "tool", "sleep"]
    assert run.stdout == "1767323047.0\n"


def test_signal_and_time_limit(pair: Pair[Run]) -> None:
    pair.file("main.py", "import time; print('started', flush=True); time.sleep(60)")

    def terminate(started: Started, world: World) -> None:
        while not (world.control / "stdout").read_bytes():
            pass
        started.send(signal.SIGTERM)

    assert pair.run(meanwhile=terminate).exit_code == -signal.SIGTERM
    pair.limit_s = 0.5
    with pytest.raises(AssertionError, match=r"fork: did not finish within 0.5 s") as caught:
        pair.run()
    assert str(caught.value).count("project/main.py\n") == 2


def test_concurrent_forks_keep_their_statuses(pair: Pair[Run], forks: list[int]) -> None:
    pair.file(
        "main.py", "import sys, time; time.sleep(float(sys.argv[1])); sys.exit(sys.argv[2] == 'x')"
    )
    started = [
        pair.spawn("fork", delay, word) for delay, word in (("0.3", "x"), ("0", "y"), ("0.1", "x"))
    ]
    assert [one.wait().exit_code for one in started] == [1, 0, 1]
    pair.settle()
    assert len(forks) == 3
