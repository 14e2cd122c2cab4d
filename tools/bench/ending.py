"""End a benchmark quietly if its output pipe is closed."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def run(main: Callable[[], int]) -> int:
    """Return the exit status of `main`, or that of a program that SIGPIPE has ended."""
    try:
        status = main()
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # for the flush at exit
        return 128 + signal.SIGPIPE
    return status
