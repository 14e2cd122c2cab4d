"""A release of Debian in a directory: make it, and run commands in it."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
RELEASES = ROOT / ".tools/releases"
INSIDE = "/oauthkit"
PYTHON_VERSION = ("python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])")
# What scripts/setup needs and does not install. It installs everything else.
PACKAGES = ("ca-certificates", "git", "procps", "python3", "rust-coreutils")
RUST_PROGRAMS = "/usr/lib/cargo/bin/coreutils"
NAMES = {"bookworm": "Debian 12", "trixie": "Debian 13", "sid": "Debian sid"}

# Process 1 in the release. Each program of the Rust coreutils hides the GNU one with its name. The
# release is a mount point, not a chroot: the kernel allows user namespaces only in the former.
# $1 is the release's directory, $2 the checkout, $3 the directory of the Rust programs or empty.
ENTER = """
set -eu
root=$1 checkout=$2 rust=$3
shift 3
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mkdir -p "$root/wheels" "$checkout/.tools/releases/wheels"
mount --bind -o ro "$checkout/.tools/releases/wheels" "$root/wheels"
for tool in "$checkout"/.tools/*/; do
  name=${tool%/} && name=${name##*/}
  [[ $name != releases ]] || continue
  mkdir -p "$root/oauthkit/.tools/$name"
  mount --bind -o ro "$tool" "$root/oauthkit/.tools/$name"
done
if [[ $rust ]]; then
  for program in "$root$rust"/*; do
    hidden=$root/usr/bin/${program##*/}
    [[ ! -e $hidden ]] || mount --bind "$program" "$hidden"
  done
fi
cd "$root"
pivot_root . .
umount -l .
cd /oauthkit
"$@"
"""
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "DEBIAN_FRONTEND": "noninteractive",
    "OAUTHKIT_REQUIRE_E2E": "1",
    "PIP_NO_INDEX": "1",
    "PIP_FIND_LINKS": "/wheels",
    "PIP_ROOT_USER_ACTION": "ignore",
}


class UnavailableError(Exception):
    """A release cannot be made here. The text is the reason and the fix."""


@dataclass(frozen=True)
class Release:
    """A release with one kind of coreutils, named as on the command line: `sid` or `sid+rust`."""

    name: str

    @property
    def codename(self) -> str:
        return self.name.partition("+")[0]

    @property
    def rust(self) -> bool:
        return self.name.endswith("+rust")

    @property
    def title(self) -> str:
        return NAMES[self.codename] + (", Rust" if self.rust else "")

    @property
    def directory(self) -> Path:
        return RELEASES / self.codename

    def argv(self, command: list[str]) -> list[str]:
        """Return an argv that runs `command` in the release, in a copy of this checkout."""
        namespaces = ["--mount", "--propagation=private", "--pid", "--fork", "--kill-child"]
        rust = RUST_PROGRAMS if self.rust else ""
        enter = ["bash", "-c", ENTER, "enter", str(self.directory), str(ROOT), rust]
        # Tests need default signal actions. bash starts background jobs with some signals ignored.
        signals = ["env", "--default-signal=INT,QUIT,HUP"]
        return [*signals, "unshare", *namespaces, *enter, *command]

    @contextmanager
    def start(self, command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
        """Start `command` in the release. Append its output to `log`. At the end, kill the rest."""
        with log.open("ab") as output:
            process = subprocess.Popen(
                self.argv(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=ENVIRONMENT,
                start_new_session=True,
            )
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def read(self, command: list[str]) -> str:
        """Return what `command` prints in the release."""
        done = subprocess.run(
            self.argv(command), capture_output=True, text=True, env=ENVIRONMENT, check=False
        )
        return done.stdout.strip()

    def make(self, log: Path) -> None:
        """Make the release if it does not exist, copy the checkout into it, and run scripts/setup.

        Raises UnavailableError.
        """
        if not self.directory.is_dir():
            bootstrap(self.codename, log)
        copy_checkout(self.directory / INSIDE[1:])
        shutil.copyfile("/etc/resolv.conf", self.directory / "etc/resolv.conf")
        download_wheels(self.read([*PYTHON_VERSION]), log)
        with self.start(["scripts/setup", "test"], log) as process:
            status = process.wait()
        if status:
            raise UnavailableError(f"scripts/setup failed: see {log}")


def check_host() -> None:
    """Check that releases can be made and entered here. Raises UnavailableError."""
    if os.geteuid() != 0:
        raise UnavailableError("only root can make and enter a release. Run it as root")
    if shutil.which("debootstrap") is None:
        raise UnavailableError("debootstrap not found. Install it: apt-get install debootstrap")
    mirror()


def mirror() -> str:
    """Return the mirror of Debian that this system's apt uses. Raises UnavailableError."""
    argv = ["apt-get", "indextargets", "--format", "$(ORIGIN) $(REPO_URI)"]
    argv += ["Created-By: Packages", "Component: main"]
    try:
        found = subprocess.run(argv, capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        found = ""
    for line in found.splitlines():
        if line.startswith("Debian "):
            return line.removeprefix("Debian ")
    raise UnavailableError("apt has no mirror of Debian. Run this on Debian, after apt-get update")


def bootstrap(codename: str, log: Path) -> None:
    """Make a release in its directory with debootstrap. Raises UnavailableError."""
    work = RELEASES / f"{codename}.unfinished"
    shutil.rmtree(work, ignore_errors=True)
    include = f"--include={','.join(PACKAGES)}"
    argv = ["debootstrap", "--variant=minbase", include, codename, str(work), mirror()]
    with log.open("ab") as output:
        done = subprocess.run(argv, stdout=output, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        raise UnavailableError(f"debootstrap failed: see {log}")
    work.rename(RELEASES / codename)


def copy_checkout(target: Path) -> None:
    """Replace the copy in `target` by the files of this checkout. Keep its .venv and .tools."""
    target.mkdir(exist_ok=True)
    for path in target.iterdir():
        if path.is_dir() and not path.is_symlink():
            if path.name not in {".venv", ".tools"}:
                shutil.rmtree(path)
        else:
            path.unlink()
    argv = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in names:
        if name and os.path.lexists(ROOT / name):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name, follow_symlinks=False)


def download_wheels(python: str, log: Path) -> None:
    """Download the locked wheels for a version of Python. Raises UnavailableError."""
    lock = ROOT / "requirements/dev.lock"
    stamp = RELEASES / f"wheels-{python}.lock"
    if stamp.exists() and stamp.read_bytes() == lock.read_bytes():
        return
    argv = [str(ROOT / ".venv/bin/python"), "-m", "pip", "download", "--quiet", "--no-deps"]
    argv += ["--require-hashes", "--only-binary=:all:", "--python-version", python]
    argv += ["--requirement", str(lock), "--dest", str(RELEASES / "wheels")]
    with log.open("ab") as output:
        done = subprocess.run(argv, stdout=output, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        raise UnavailableError(f"pip download failed: see {log}")
    shutil.copyfile(lock, stamp)
