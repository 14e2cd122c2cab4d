"""Check the project: its directory, settings, and scripts."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from plumbum import LocalPath

from oauthkit.host.doctor.finding import Finding
from oauthkit.host.errors import HostError
from oauthkit.host.path_info import (
    clearing,
    inspect_path,
    inspection_hint,
    may_change,
    may_remove,
    quoted,
    read,
    real_path,
    require_no_links,
)
from oauthkit.host.project import CONF, other_user
from oauthkit.host.shell_commands import command, quote
from oauthkit.host.shipped_files import SCRIPT, STORE_SCRIPTS, shipped_path
from oauthkit.host.systemd.start_command import leads_elsewhere
from oauthkit.program.start import is_project

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oauthkit.host.project import ProjectPaths


def project(paths: ProjectPaths) -> Finding:
    """Check that the directory is a project, in which a refresh may create .env."""
    directory = str(paths.project)
    if user := other_user(paths):
        text = f"{directory} belongs to {user}, and root has no login of its own. Become that user"
        return Finding("project", text, f"su - {quote(user)}")
    if is_project(LocalPath(directory)):
        return Finding("project", directory)
    # is_project is also false if the directory cannot be searched.
    scripts = inspect_path(paths.project / "scripts")
    if scripts.problem:
        return Finding("project", scripts.problem, scripts.fix)
    text = f"{directory} has no .env, scripts/oauth, package.json or .git"
    fix = (
        f"pass the project with --project. If this is the project, run {command('refresh', paths)}"
    )
    return Finding("project", text, fix)


def settings(paths: ProjectPaths) -> Iterator[Finding]:
    """Show the settings that are not the default, and the errors in refresh.conf."""
    for setting in paths.changed_settings:
        text = f"{setting.name}={setting.value}, from {setting.origin}"
        fix = ""
        if setting.name == "OAUTHKIT_LIGHT" and setting.value != "1":
            text += ": only 1 has an effect"
            is_in_conf = setting.origin == CONF
            fix = edit_command(paths) if is_in_conf else "unset OAUTHKIT_LIGHT"
        yield Finding("setting", text, fix, is_note=bool(fix))
    for problem in paths.settings_problems:
        yield Finding("setting", problem, read(paths.conf).fix or edit_command(paths))


def edit_command(paths: ProjectPaths) -> str:
    """Return the command that edits refresh.conf."""
    return f"${{EDITOR:-vi}} {quoted(paths.conf)}"


def script(paths: ProjectPaths) -> Iterator[Finding]:
    """Check that the project's scripts are this version's scripts.

    The script's refresh needs the other scripts only if there is a store.
    """
    is_script = False
    for name in (SCRIPT, *STORE_SCRIPTS):
        script, ours = paths.project / name, shipped_path(name)
        content = read(script)
        if not content.kind and not content.fix:
            if name == SCRIPT:
                yield Finding("script", f"{script} does not exist", is_note=True)
            elif is_script and paths.store:
                yield Finding("script", f"{script} does not exist", _copying(paths, name))
            continue
        is_script = is_script or name == SCRIPT
        if content.problem:
            yield Finding("script", content.problem, content.fix)
        elif leads_elsewhere(paths.project, name):
            text = f"{script} leads to {real_path(script)}, and does not refresh this project"
            can_replace = script.is_symlink() and may_remove(script)
            fix = f"{clearing(script)} && cp {quoted(ours)} {quoted(script)}"
            yield Finding("script", text, fix if can_replace else inspection_hint(script))
        elif content.data == ours.read_bytes():
            yield Finding("script", str(script))
        else:
            text = f"{script} differs from this version's script"
            yield Finding("script", text, _copying(paths, name))


def _copying(paths: ProjectPaths, name: str) -> str:
    """Return the command that copies this version's script to the project.

    If the path contains a link, or the script is another user's, return advice to inspect it.
    """
    script = paths.project / name
    with suppress(HostError):
        require_no_links(paths.project, Path(name))
        changed = script if os.path.lexists(script) else script.parent
        if may_change(changed):
            return f"cp {quoted(shipped_path(name))} {quoted(script)}"
    return inspection_hint(script)
