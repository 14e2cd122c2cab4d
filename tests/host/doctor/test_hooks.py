"""oauthkit doctor's checks of hooks."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from tests.support.host.doctor_host import examined
from tests.support.host.host_project import (
    HOUR_S,
    SUDO,
    quoted,
)

from oauthkit.host import notify

if TYPE_CHECKING:
    from tests.support.host.host_project import HostProject


def test_hook_that_failed_is_named(well: HostProject) -> None:
    hook = well.project / "scripts/oauth/hooks/failed"
    hook.parent.mkdir()
    hook.write_text("#!/bin/sh\n", "utf-8")
    hook.chmod(0o755)
    os.utime(hook, (well.now_s - HOUR_S,) * 2)
    well.lines(
        (-50, "Hook 'failed' succeeded"), (-40, "Hook 'recovered' succeeded"),
        (-30, "WARN: hook 'failed' failed (exit 127)"),
        (-30, "hook 'failed': notify-send: not found"),
    )  # fmt: skip
    at = well.stamp(-30)[11:16]
    said = f"""\
{at} (exit 127)
      hook 'failed': notify-send: not found
      fix: correct it. Its output is in {well.log}
"""
    shown = well.run("doctor").stdout
    assert said in shown
    # Just after midnight, the date comes before the time.
    assert "note  hook 'failed': it failed when it was last run, at " in shown
    os.utime(hook)  # it was changed
    assert " hook" not in well.run("doctor").stdout
    os.utime(hook, (well.now_s - HOUR_S,) * 2)
    well.lines((-20, "Hook 'failed' succeeded"))
    assert " hook" not in well.run("doctor").stdout


def test_hook_that_is_not_executable_is_named(well: HostProject) -> None:
    hooks = well.project / "scripts/oauth/hooks"
    hooks.mkdir()
    for name in ("renewed", "failed", "other"):
        (hooks / name).write_text("#!/bin/sh\n", "utf-8")
    (hooks / "failed").chmod(0o755)
    (hooks / "recovered").mkdir()
    done = well.run("doctor")
    assert (done.returncode, done.stderr) == (0, "")
    said = f"""\
note  hook 'renewed': {hooks}/renewed is not executable, so it is ignored
      fix: chmod +x {quoted(hooks / "renewed")}
"""
    assert said in done.stdout
    assert done.stdout.count("hook 'renewed':") == done.stdout.count("hook ") == 1


def test_hook_without_its_interpreter_is_named(well: HostProject) -> None:
    hook = well.project / "scripts/oauth/hooks/failed"
    hook.parent.mkdir()
    hook.write_text("#!/no/such/sh -u\n" + "true\n" * 100, "utf-8")
    hook.chmod(0o755)
    text = f"note  hook 'failed': {hook} cannot run: /no/such/sh does not exist\n"
    assert text in well.run("doctor").stdout
    hook.write_text("#! /bin/sh\n", "utf-8")
    assert "hook 'failed'" not in well.run("doctor").stdout


@pytest.mark.parametrize("first", ["/bin/sh", "/bin/sh -u", "/usr/bin/env /bin/sh"])
def test_hook_with_the_line_ends_of_windows(well: HostProject, first: str) -> None:
    hook = well.project / "scripts/oauth/hooks/failed"
    hook.parent.mkdir()
    hook.write_bytes(f"#!{first}\r\ntrue\r\n".encode())
    hook.chmod(0o755)
    text = f"""\
note  hook 'failed': {hook} cannot run: its first line ends with CR LF, not LF
      fix: """
    before, is_named, after = well.run("doctor").stdout.partition(text)
    assert (is_named, "hook 'failed'" in before) == (text, False)
    subprocess.run(["/bin/sh", "-c", after.partition("\n")[0]], check=True)
    assert "hook 'failed'" not in well.run("doctor").stdout
    subprocess.run([hook], check=True)


def test_hook_with_a_byte_order_mark(well: HostProject) -> None:
    hook = well.project / "scripts/oauth/hooks/failed"
    hook.parent.mkdir()
    hook.write_bytes(b"\xef\xbb\xbf#!/bin/sh\n")
    hook.chmod(0o755)
    text = f"{hook} cannot run: its first line starts with a byte order mark\n      fix: "
    fix = well.run("doctor").stdout.partition(text)[2].partition("\n")[0]
    subprocess.run(["/bin/sh", "-c", fix], check=True)
    assert hook.read_bytes() == b"#!/bin/sh\n"


def test_hook_whose_interpreter_is_not_in_path_is_named(well: HostProject) -> None:
    hook = well.project / "scripts/oauth/hooks/renewed"
    hook.parent.mkdir()
    for first, name in {"env no-such": "no-such", "env -S no-such -u": "no-such"}.items():
        hook.write_text(f"#!/usr/bin/{first}\n", "utf-8")
        hook.chmod(0o755)
        text = f"note  hook 'renewed': {hook} cannot run: {name} not found in PATH\n"
        assert text in well.run("doctor").stdout
    hook.write_text("#!/usr/bin/env jq\n", "utf-8")
    assert "hook 'renewed'" not in well.run("doctor").stdout


@pytest.mark.parametrize(
    ("where", "name", "package"),
    [
        ("ntfy:topic", "curl", "curl"),
        ("page --to me", "page", ""),
        ("/none/page", "/none/page", ""),
    ],
)
def test_hooks_that_lack_their_program_are_named(
    well: HostProject, where: str, name: str, package: str
) -> None:
    hooks = well.project / "scripts/oauth/hooks"
    hooks.mkdir()
    for event in ("failed", "recovered"):
        (hooks / event).write_text(notify.parse(where).hook(), "utf-8")
        (hooks / event).chmod(0o755)
    # install did not write this hook, so doctor does not know what it needs.
    (hooks / "login-ending").write_text("#!/bin/sh\nno-such\n", "utf-8")
    (hooks / "login-ending").chmod(0o755)
    done = well.run("doctor")
    assert (done.returncode, done.stderr) == (1, "")
    fix = f"{SUDO}apt-get install {package}" if package else f"install the program {name}"
    text = f"{name} not found in PATH, so the hooks cannot send messages"
    assert f"FAIL  notifications: {text}\n      fix: {fix}\n" in done.stdout
    assert "note  hook" not in done.stdout
    if "/" not in name:
        well.program(name, "#!/bin/sh\n")
        assert examined(well)[1] == {}
