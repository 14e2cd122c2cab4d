"""Closed, full or unread stdin, stdout and stderr, crossed with the scenarios."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.support.refresh.forms import NO_HOME, redirected
from tests.support.refresh.scenarios import LOCK, every_scenario, meet
from tests.support.refresh.world import LOG

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.refresh.scenarios import Scenario
    from tests.support.refresh.world import Parity, RefreshRun

    from oauthkit.parity import Form

STREAMS = {
    "stdin closed": "<&-",
    "stdout and stderr closed": ">&- 2>&-",
    "all closed": "<&- >&- 2>&-",
    "stdout and stderr full": ">/dev/full 2>&1",
    "stdin that cannot be read": "<&1",
    "more than three": "3</dev/null 5>/dev/null 9</dev/null",
}
redirections = pytest.mark.parametrize("redirection", STREAMS.values(), ids=STREAMS)


def redirect(parity: Parity, redirection: str) -> None:
    """Start both forms with these redirections, as a shell does."""
    parity.forms = {name: redirected(form, redirection) for name, form in parity.forms.items()}


def assert_no_other_descriptor(run: RefreshRun) -> None:
    """Assert that commands inherit three descriptors only, and neither the lock nor the log."""
    for call in run.all_calls:
        assert sorted(call.descriptors) == [0, 1, 2], call.program
        assert call.descriptors[0] == os.devnull
        assert not [to for to in call.descriptors.values() if LOCK in to or LOG in to]


@redirections
@every_scenario
def test_streams(parity: Parity, scenario: Scenario, redirection: str) -> None:
    redirect(parity, redirection)
    assert_no_other_descriptor(meet(parity, scenario))


# --- stderr without a log ---


def no_home(parity: Parity) -> str:
    """Break HOME: one line on stderr, and no file is changed."""
    del parity.env["HOME"]
    return NO_HOME


def no_log(parity: Parity) -> str:
    """Break the log: one line on stderr, and no file is changed."""
    parity.directory(LOG)
    return f"oauthkit: the log {parity.world.project / LOG} cannot be written\n"


@redirections
@pytest.mark.parametrize("break_it", [no_home, no_log])
def test_line_on_stderr_is_printed_only_there(
    parity: Parity, redirection: str, break_it: Callable[[Parity], str]
) -> None:
    redirect(parity, redirection)
    line = break_it(parity)
    parity.credentials()
    run = parity.run()
    is_heard = "2>&" not in redirection
    assert (run.exit_code, run.stdout, run.stderr) == (1, "", line if is_heard else "")
    assert (run.programs, run.touched) == ([], [])


# --- A write that a signal would end ---

# A write to a FIFO whose reader is gone causes SIGPIPE.
NO_READER = '/usr/bin/mkfifo "$0"; exec 3<>"$0" >"$0" 2>"$0" 3<&-; /bin/rm "$0"'
# In blocks of 512 bytes. A process that writes beyond this limit gets SIGXFSZ.
FILE_LIMIT = 2000


def start_by(parity: Parity, script: str) -> None:
    """Start both forms from a shell that runs this code first. $0 is a path that it can use."""

    def started(form: Form) -> Form:
        return replace(
            form,
            argv=lambda world: [
                "/bin/sh", "-c", f'{script}; exec "$@"', str(world.control / "pipe"),
                *form.argv(world),
            ],
        )  # fmt: skip

    parity.forms = {name: started(form) for name, form in parity.forms.items()}


@every_scenario
def test_stdout_and_stderr_without_a_reader(parity: Parity, scenario: Scenario) -> None:
    start_by(parity, NO_READER)
    assert_no_other_descriptor(meet(parity, scenario))


@pytest.mark.parametrize("break_it", [no_home, no_log])
def test_line_on_stderr_without_a_reader(parity: Parity, break_it: Callable[[Parity], str]) -> None:
    start_by(parity, NO_READER)
    break_it(parity)
    parity.credentials()
    run = parity.run()
    assert (run.exit_code, run.programs, run.touched) == (1, [], [])


def test_log_size_limit_does_not_end_the_run(parity: Parity) -> None:
    start_by(parity, f"ulimit -f {FILE_LIMIT}")
    parity.credentials("sk-ant-oat01-made-up-new")
    parity.file(LOG, b"x" * (FILE_LIMIT * 512 - 11) + b"\n", 0o600)
    run = parity.run()
    assert run.exit_code == 0
    assert run.dotenv == "CLAUDE_CODE_OAUTH_TOKEN=sk-ant-oat01-made-up-new\n"
    assert len(run.timers) == 1
    assert len(run.log) == FILE_LIMIT * 512
