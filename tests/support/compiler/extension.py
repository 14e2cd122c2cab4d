"""A runtime library beside a program, a program that uses it, and oauthkit compile."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.compiler.programs import program

WORDS_PY = '''"""Words."""

def shout(text: str) -> str:
    """`text`, louder."""
    return f"{text}!"
'''
WORDS_BASH = """# Words.

# --- Builtins ---

# $1, louder.
shout() {
  REPLY=$1!
}
"""
USES_WORDS = program("text = shout(' hello ')\nprint(text)").replace(
    "from oauthkit.shell", "from words import shout\n\nfrom oauthkit.shell"
)


def oauthkit(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "oauthkit", "compile", *arguments]
    return subprocess.run(argv, cwd=directory, capture_output=True, text=True, check=False)
