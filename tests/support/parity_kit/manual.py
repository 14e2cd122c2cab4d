"""The examples of docs/parity.md."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
TEXT = (ROOT / "docs/parity.md").read_text(encoding="utf-8")
FENCES = re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
NOTE_SH, NOTE_PY = (text for _, text in FENCES[:2])
TESTS = [text for language, text in FENCES[2:] if language == "python"]
STAND_INS = [text for text in TESTS if text.startswith("def answers(")]
[REPORT] = [text for language, text in FENCES if language == "text"]


def write_project(directory: Path) -> None:
    """Write the page's files, as its reader would."""
    (directory / "note.sh").write_text(NOTE_SH)
    (directory / "note.py").write_text(NOTE_PY)
    (directory / "note_stand_ins.py").write_text("".join(STAND_INS))
    tests = "\n\n".join(text for text in TESTS if text not in STAND_INS)
    (directory / "test_note.py").write_text(tests)
