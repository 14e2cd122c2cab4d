"""age(1) and made-up keys for it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.support.system.systemd_manager import skip_or_fail

PROGRAMS = ("age", "age-keygen")


def require_age() -> None:
    """Skip the test if age is not installed. Fail it with OAUTHKIT_REQUIRE_E2E=1."""
    if missing := [name for name in PROGRAMS if not shutil.which(name)]:
        skip_or_fail(f"not installed: {', '.join(missing)}. Run scripts/setup")


def make_identity() -> tuple[str, str]:
    """Return the content of a new identity file, and its recipient."""
    identity = subprocess.run(["age-keygen"], check=True, capture_output=True, text=True).stdout
    made = subprocess.run(
        ["age-keygen", "-y"], input=identity, check=True, capture_output=True, text=True
    )
    return identity, made.stdout.strip()


def encrypt(text: str, recipient: str) -> str:
    """Return the armor of `text`."""
    command = ["age", "--armor", "--recipient", recipient]
    return subprocess.run(command, input=text, check=True, capture_output=True, text=True).stdout


def decrypt(armor: str, identity: Path) -> str:
    """Return the text in an armor."""
    command = ["age", "--decrypt", "-i", str(identity)]
    return subprocess.run(command, input=armor, check=True, capture_output=True, text=True).stdout
