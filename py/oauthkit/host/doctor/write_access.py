"""Checks of what a refresh has to write: its log, what lies beside it, and .env."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from oauthkit.host.doctor.checks import Finding
from oauthkit.host.path_info import (
    FILE,
    FOLDER,
    inspecting,
    leads_away,
    look,
    opening,
    quoted,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oauthkit.host.project import Places

_IN_FOLDER = os.W_OK | os.X_OK


def logs(places: Places) -> Iterator[Finding]:
    """Whether a refresh can write its log and what lies beside it; else it ends at once."""
    folder = places.log.parent
    files = {
        "log": (places.log, os.R_OK | os.W_OK),
        "lock": (folder / "oauth-refresh.lock", os.W_OK),
    }
    found = [*_folder("logs", folder, places)]
    for name, (file, wanted) in files.items():
        found += _file(name, file, wanted, places)
    yield from found or [Finding("logs", str(folder))]


def delivery(places: Places) -> Iterator[Finding]:
    """Whether another token can be put beside .env, and renamed to it."""
    folder = Path(os.path.realpath(places.dotenv)).parent
    if look(folder).is_nothing:  # no run makes it
        if leads_away(places.dotenv, places.project):
            fix = inspecting(places.dotenv)
        else:
            fix = f"mkdir -p {quoted(folder)}"
        yield Finding("folder of .env", f"{folder} not found", fix)
        return
    found = [*_folder("folder of .env", folder, places)]
    if leads_away(places.dotenv, places.project):
        start, fix = f"{places.dotenv} leads out of the project", inspecting(places.dotenv)
        found = [replace(x, text=f"{start}: {x.text}", mend=fix) for x in found]
    yield from found or [Finding("folder of .env", str(folder))]


def _folder(name: str, folder: Path, places: Places) -> Iterator[Finding]:
    """Find what keeps a refresh from creating files in a directory, or the directory itself."""
    there = folder
    while look(there).is_nothing:
        there = there.parent
    sight = look(there)
    if sight.problem:
        yield Finding(name, sight.problem, opening(there, _IN_FOLDER, places.project) or sight.mend)
    elif sight.kind != FOLDER:
        text = f"{there} is not a folder but a {sight.kind}: no run can write there"
        yield Finding(name, text, f"mv {quoted(there)} {quoted(there)}.old")
    elif mend := opening(there, _IN_FOLDER, places.project):
        yield Finding(name, f"{there} cannot be written, so that every run fails", mend)


def _file(name: str, file: Path, wanted: int, places: Places) -> Iterator[Finding]:
    """Find what keeps a refresh from opening a file, if it is there."""
    sight = look(file)
    mend = opening(file, wanted, places.project)
    if sight.kind not in {"", FILE, "device"}:
        yield Finding(name, f"{file} is not a file but a {sight.kind}", f"rm -d {quoted(file)}")
    elif sight.kind and mend:
        yield Finding(name, f"{file} cannot be written, so that every run fails", mend)
