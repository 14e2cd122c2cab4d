"""Read the bearer file, and find out whether a refresh can replace a file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from plumbum import LocalPath

from oauthkit.host.path_info import clearing, leads_nowhere, read
from oauthkit.host.status.failures import Failure, bearer_fix
from oauthkit.host.status.login import Login, read_login
from oauthkit.program.delivery import BEARER_START, is_mount_point
from oauthkit.shell import read_file, same_file

if TYPE_CHECKING:
    from oauthkit.host.project import ProjectPaths


def read_bearer(paths: ProjectPaths) -> Login | None:
    """Return the token in the bearer file, or None if there is no such setting.

    `fix` is set if a refresh is not enough.
    """
    file = paths.bearer
    if file is None:
        return None
    move = bearer_fix(paths)
    others = (
        (paths.credentials, "Claude Code's credentials file"),
        (paths.dotenv, "the same file as .env"),
    )
    for other, what in others:
        if file == other or same_file(str(file), str(other)):
            return Login(f"{file} is {what}", fix=move)
    if leads_nowhere(file):
        return Login(f"{file} is a link that leads nowhere", fix=clearing(file))
    if os.path.islink(file):  # noqa: PTH114 - raises nothing
        return Login(f"{file} is a symbolic link. The bearer file must not be one", fix=move)
    data = read(file).data
    is_login = b'"refreshToken"' in data
    if is_login or (data and not data.startswith(BEARER_START.encode())):
        text = "has a refresh token, so it is a login" if is_login else "is not a bearer file"
        return Login(f"{file} {text}. A refresh does not touch it", fix=move)
    if problem := replacement_problem(file):
        return Login(problem, fix=Failure(0, problem).fix)
    return read_login(file)


def replacement_problem(file: Path) -> str:
    """Return why a refresh cannot replace a file with a new version, or "" if it can."""
    status, _ = read_file(str(file))
    if status == 2:
        return f"{file} has a NUL byte"
    if status == 3:
        return f"{file} is larger than 256 KiB"
    is_mounted = is_mount_point(LocalPath(str(file)))
    return f"{file} is a mount point and cannot be replaced" if is_mounted else ""
