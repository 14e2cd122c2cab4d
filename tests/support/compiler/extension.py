"""A runtime library beside a program, a program that uses it, and oauthkit compile."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support import forked
from tests.support.compiler.programs import program

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

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
    return forked.run_text(argv, directory, os.environ)
