"""A directory of the sandbox on a small or read-only disk, or a mounted file."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.refresh.world import Parity

    from oauthkit.parity import Form, World

# For a test that puts a directory on a separate disk.
needs_mounts = pytest.mark.usefixtures("mounts")
PAGE = os.sysconf("SC_PAGE_SIZE")  # tmpfs counts in pages
# The directory below the disk stays the working directory, so that the disk's content can be copied
# back to it, where the kit finds it. Unwritten files keep their inode and time, and so count as
# untouched. The mount namespace is private, so nothing needs to be unmounted.
SCRIPT = """
place=$0 options=$1 remount=$2 mount=$3 cp=$4 find=$5 cwd=$6
shift 6
cd "$place" && "$mount" -t tmpfs -o "$options" tmpfs "$place" && "$cp" -a . "$place" || exit 98
test -z "$remount" || "$mount" -o "$remount" "$place" || exit 98
(cd "$cwd" && exec "$@")
status=$?
for tool in -u --attributes-only; do
  "$cp" -a "$tool" "$place/." . || exit 98
done
"$find" . -mindepth 1 -exec /bin/sh -c 'test ! -e "$0/$1"' "$place" {} \\; -delete || exit 98
exit "$status"
"""


def wrapper(*argv: str) -> list[str]:
    """Return the command that runs `argv` as root of a new mount namespace."""
    user = [] if os.getuid() == 0 else ["--user", "--map-root-user"]
    return [str(shutil.which("unshare")), *user, "--mount", "--", *argv]


@pytest.fixture(scope="session")
def mounts() -> None:
    """Skip the test (in CI: fail it) where mounts are not allowed."""
    mount = str(shutil.which("mount"))
    argv = wrapper(mount, "-t", "tmpfs", "-o", "size=1m", "tmpfs", "/mnt")
    if subprocess.run(argv, check=False, capture_output=True, timeout=30).returncode != 0:
        pytest.skip("this machine allows no mounts in a namespace: root is needed")


def put_on_disk(
    parity: Parity,
    name: str,
    pages: int = 1000,
    inodes: int = 1000,
    *,
    read_only: bool = False,
) -> None:
    """Put the directory `name` on a disk with space for this many pages and inodes.

    These include the directory's content, and one inode for the disk itself. 0 would mean no limit.
    """
    assert pages > 0
    options = f"mode=755,size={pages * PAGE},nr_inodes={inodes + 1}"
    tools = [str(shutil.which(tool)) for tool in ("mount", "cp", "find")]
    remount = "remount,ro" if read_only else ""
    cwd = parity.project
    directory = parity.world.path(name)
    start = wrapper("/bin/sh", "-c", SCRIPT, str(directory), options, remount, *tools, str(cwd))

    def on_disk(form: Form) -> Form:
        return replace(form, argv=lambda world: [*start, *form.argv(world)])

    parity.forms = {key: on_disk(form) for key, form in parity.forms.items()}


def mount_file(parity: Parity, source: str, target: str) -> None:
    """Mount the file `source` at `target`, another file."""
    script = '"$0" --bind "$1" "$2" && shift 2 && exec "$@"'
    start = wrapper("/bin/sh", "-c", script, str(shutil.which("mount")))

    def mounted(form: Form) -> Form:
        def argv(world: World) -> list[str]:
            places = [str(world.path(name)) for name in (source, target)]
            return [*start, *places, *form.argv(world)]

        return replace(form, argv=argv)

    parity.forms = {key: mounted(form) for key, form in parity.forms.items()}
