"""A signal does not end a run. It ends the command that the run waits for."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
from tests.support.refresh.fixtures import SIGNALS
from tests.support.runtime_library.bash_bodies import run_python

from oauthkit import shell
from oauthkit.program import lock_log
from oauthkit.shell import program

if TYPE_CHECKING:
    from tests.support.refresh.fake_host import Host


class Done:
    """A command that has exited by itself."""

    pid = 4242

    def poll(self) -> int:
        """Return its exit status."""
        return 0

    def wait(self) -> int:
        """Return its exit status."""
        return 0


class Ended:
    """A command that is running and can be ended several times."""

    pid = 4242

    def poll(self) -> int:
        """Return a status, so that a wait ends immediately."""
        return 0

    def wait(self) -> int:
        """Return the status of a command that SIGTERM ended."""
        for number in SIGNALS:
            signal.raise_signal(number)
        return -signal.SIGTERM


def test_signal_does_not_end_a_run_that_has_begun(host: Host) -> None:
    ended: list[int] = []
    for number in SIGNALS:
        signal.signal(number, lambda caught, _: ended.append(caught))
    host.real("stat")
    assert lock_log.lock_project(host.path(host.log_file), host.path(host.credentials)) == 0
    for number in SIGNALS:
        signal.raise_signal(number)
    assert ended == []


def test_signal_before_the_first_command_of_a_process() -> None:
    program = (
        "import signal\nfrom oauthkit import shell\nshell.outlive_signals()\n"
        "shell._signal_group = lambda *_: print('sent')\n"
        "signal.raise_signal(signal.SIGTERM)\nprint('alive')"
    )
    assert run_python(program) == "alive\n"


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.usefixtures("host")
def test_ignored_signal_stays_ignored(number: int) -> None:
    signal.signal(number, signal.SIG_IGN)
    shell.outlive_signals()
    assert [n for n in SIGNALS if signal.getsignal(n) == signal.SIG_IGN] == [number]


@pytest.mark.parametrize("number", SIGNALS)
def test_signal_while_no_command_runs_is_not_forwarded(host: Host, number: int) -> None:
    shell.outlive_signals()
    signal.raise_signal(number)
    assert host.signals == []


def test_signal_is_forwarded_once_to_the_running_command(host: Host) -> None:
    host.monkeypatch.setattr(shell, "_spawn", lambda _argv, _output: Ended())
    groups: list[tuple[int, int]] = []

    def signal_group(group: int, number: int) -> bool:
        groups.append((group, number))
        return number == signal.SIGTERM

    host.monkeypatch.setattr(shell, "_signal_group", signal_group)
    shell.outlive_signals()
    assert shell.run_limited(55, 5, program("x"))[0] == 124
    assert [entry for entry in groups if entry[1] != 0] == [
        (Ended.pid, signal.SIGTERM),
        (Ended.pid, signal.SIGKILL),
    ]
    signal.raise_signal(SIGNALS[0])  # the command has exited, so another process may have its ID
    assert groups[-1] == (Ended.pid, signal.SIGKILL)


def test_signal_before_the_command_has_a_process_group_is_sent_to_itself(host: Host) -> None:
    host.monkeypatch.setattr(shell, "_spawn", lambda _argv, _output: Ended())
    host.monkeypatch.setattr(shell, "_signal_group", lambda _group, _number: False)
    sent: list[tuple[int, int]] = []

    def kill(pid: int, number: int) -> None:
        sent.append((pid, number))
        raise ProcessLookupError  # it has just exited

    host.monkeypatch.setattr("os.kill", kill)
    shell.outlive_signals()
    assert shell.run_limited(55, 5, program("x"))[0] == 124
    assert sent == [(Ended.pid, signal.SIGTERM)]


def test_signal_after_the_command_has_ended_is_not_forwarded(host: Host) -> None:
    host.monkeypatch.setattr(shell, "_spawn", lambda _argv, _output: Done())
    shell.outlive_signals()
    assert shell.run_limited(55, 5, program("x"))[0] == 0
    signal.raise_signal(SIGNALS[0])
    assert host.signals == []


def test_grace_period_does_not_use_cpu_time(host: Host) -> None:
    host.monkeypatch.setattr(shell, "_spawn", lambda _argv, _output: Ended())
    answers = iter([True, True, False])  # the group exists for the first two checks
    host.monkeypatch.setattr(
        shell, "_signal_group", lambda _group, number: number != 0 or next(answers)
    )
    shell.outlive_signals()
    assert shell.run_limited(55, 5, program("x"))[0] == 124
    assert host.slept_s == pytest.approx(0.2)


def test_run_survives_signals_once_it_has_the_lock(host: Host) -> None:
    host.real("stat")
    assert lock_log.lock_project(host.path(host.log_file), host.path(host.credentials)) == 0
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.raise_signal(number)
