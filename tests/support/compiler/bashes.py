"""The releases of bash that run the programs: the system's, and those from scripts/setup."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

TOOLS = Path(__file__).parents[3] / ".tools"


def release(bash: str) -> str:
    """Return the release of a bash, as in `5.2`."""
    argv = [bash, "--version"]
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    found = re.search(r"version (\d+\.\d+)", said)
    assert found is not None, said
    return found[1]


def releases() -> dict[str, str]:
    """Return the path of each bash by its release. The system's own takes precedence."""
    paths = [str(path) for path in TOOLS.glob("bash-*/bash")]
    found = {release(path): path for path in [*sorted(paths), shutil.which("bash") or "bash"]}
    return dict(sorted(found.items()))


BASHES = releases()
