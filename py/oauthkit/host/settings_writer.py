"""Write settings to a project's scripts/oauth/refresh.conf, which program/settings.py reads."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from oauthkit.host.errors import HostError, UsageError
from oauthkit.host.path_info import FILE, inspect_path, read, require_no_links, write_file
from oauthkit.host.project import CONF_FILE
from oauthkit.host.status.store import url_error
from oauthkit.host.systemd.client import name_problem
from oauthkit.program.schedule import unit_name
from oauthkit.program.settings import LINE_LIMIT
from oauthkit.shell import FILE_LIMIT_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from oauthkit.host.project import ProjectPaths

NEW_MODE = 0o644
_OPTIONS = {
    "OAUTHKIT_UNIT": "--unit",
    "OAUTHKIT_BEARER": "--bearer",
    "OAUTHKIT_STORE": "--store",
}


def selected(
    unit: str | None, bearer: str | None, *, store: str | None = None, is_light: bool
) -> dict[str, str]:
    """Return the settings that the options select. Raise UsageError if a value is not supported."""
    settings = {}
    for (name, option), value in zip(_OPTIONS.items(), (unit, bearer, store), strict=True):
        if value is None:
            continue
        if problem := _problem(value):
            raise UsageError(f"{option}: the value {value!r} {problem}")
        settings[name] = value
    if store is not None and (problem := url_error(store)):
        raise UsageError(f"--store: {problem}")
    if unit is not None and (problem := name_problem(unit)):
        raise UsageError(f"--unit: {problem}")
    if unit is not None:  # the units' files have the name without .timer or .service
        settings["OAUTHKIT_UNIT"] = unit_name(unit)
    if is_light:
        settings["OAUTHKIT_LIGHT"] = "1"
    return settings


def options(settings: Mapping[str, str]) -> list[str]:
    """Return the options that select these settings."""
    given = [(_OPTIONS[name], value) for name, value in settings.items() if name in _OPTIONS]
    light = ["--light"] if "OAUTHKIT_LIGHT" in settings else []
    return [*(word for option in given for word in option), *light]


def _problem(value: str) -> str:
    """Return why refresh.conf cannot contain a value, or "". read_settings ignores such a line."""
    if not value:
        return "is empty"
    if "\n" in value or "\0" in value or value.endswith("\r"):
        return "contains a newline or a NUL byte. Remove it"
    if value[0] in "\"'":
        return "starts with a quote, which refresh.conf does not support. Remove the quotes"
    if value[0] == "~":
        return "starts with ~, which refresh.conf does not expand. Use an absolute path"
    if "$" in value:
        return "contains $, but refresh.conf does not expand variables. Use a literal value"
    if value.startswith(" ") or value.endswith(" "):
        return "starts or ends with a space. Remove it"
    if " #" in value:
        return "contains a space before #, which looks like a comment. Use another value"
    return ""


def with_settings(content: bytes, settings: Mapping[str, str]) -> bytes:
    """Return the content of refresh.conf with the settings applied and other lines unchanged.

    The first line for a name is replaced, and further ones are dropped. Raise HostError if a
    refresh would not read the result.
    """
    lines = content.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    missing = {name.encode(): value for name, value in settings.items()}
    names = {*missing}
    result = []
    for line in lines:
        name, equals, _ = line.partition(b"=")
        if not equals or name not in names:
            result.append(line)
        elif name in missing:
            result.append(name + b"=" + os.fsencode(missing.pop(name)))
    result += [name + b"=" + os.fsencode(value) for name, value in missing.items()]
    if len(result) > LINE_LIMIT:
        raise HostError(f"refresh.conf has more than {LINE_LIMIT} lines. Remove some of them")
    new = b"".join(line + b"\n" for line in result)
    if b"\0" in new:
        raise HostError("refresh.conf contains a NUL byte. Remove it, or remove the file")
    if len(new) > FILE_LIMIT_BYTES:
        raise HostError(
            f"refresh.conf is larger than {FILE_LIMIT_BYTES >> 10} KiB. Make it smaller"
        )
    return new


def require_no_override(settings: Mapping[str, str]) -> None:
    """Raise HostError if the environment would take precedence over one of the settings."""
    for name, value in settings.items():
        given = os.environ.get(name)
        if given and given != value:
            raise HostError(
                f"{name} is {given!r} in this environment, which takes precedence over"
                f" refresh.conf: unset {name}"
            )


def write(paths: ProjectPaths, settings: Mapping[str, str], say: Callable[[str], None]) -> None:
    """Write settings to the project's refresh.conf atomically. Raise HostError if that fails."""
    file = paths.conf
    require_no_links(paths.project, Path(CONF_FILE))
    info = inspect_path(file)
    found = read(file) if info.kind else None
    if problem := info.problem or (found.problem if found else ""):
        fix = info.fix or (found.fix if found else "")
        raise HostError(": ".join(filter(None, [problem, fix])))
    before = found.data if found else b""
    after = with_settings(before, settings)
    if after == before:
        say(f"{file} is up to date")
        return
    mode = stat.S_IMODE(file.stat().st_mode) if info.kind == FILE else NEW_MODE
    write_file(file, after, mode)
    say(f"wrote {file}: {', '.join(f'{name}={value}' for name, value in settings.items())}")
