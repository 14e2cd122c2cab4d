"""Rename a file in one step."""

from __future__ import annotations

from plumbum import LocalPath
from plumbum.commands import ERROUT

from oauthkit.shell import CAPTURE, TF, program

mv = program("mv")


def rename_file(old: LocalPath, new: LocalPath) -> bool:
    """Rename `old` to `new`, which it replaces. Return whether that worked.

    Whoever owns the directory can make rename(2) fail with EXDEV (XFS, project quotas). mv(1) would
    then copy by name, even directories, and through links that replace what it has created.
    """
    status, text = (mv["--no-copy", "-f", "-T", old, new] >= ERROUT) & CAPTURE
    if status != 0 and "no-copy" in text:  # an mv that does not have the option
        return mv["-f", "-T", old, new] & TF
    return status == 0
