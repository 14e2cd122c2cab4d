"""How a benchmark ends when nobody reads what it prints any more."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def run(main: Callable[[], int]) -> int:
    """The exit status of `main`, or that of a program that a closed pipe has ended."""
    try:
        status = main()
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is still to be flushed at the end
        return 128 + signal.SIGPIPE
    return status
