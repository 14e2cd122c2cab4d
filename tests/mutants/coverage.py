"""Which lines of both forms a case runs: the forms, made to tell."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from tests.fuzz.runner import Runner
from tests.mutants.bash_mutators import SCRIPT
from tests.mutants.mutant import REPOSITORY, read_source
from tests.mutants.python_mutators import FILES, VOCABULARY

if TYPE_CHECKING:
    from tests.fuzz.case import Case

# The first in place of the second, on the same line; every place must be there.
BASH_CHANGES = (
    ("# Keeps CLAUDE", "exec 99>>'{trace}'; BASH_XTRACEFD=99; PS4='+@$LINENO@'; set -x # Keeps"),
    ("set -u +aCefkmvx", "set -u +aCefkmv"),
    ("if ((fd > 2))", "if ((fd > 2 && fd != 99))"),
)
TRACER = """\
import sys, os as _os; _seen = set(); _file = _os.open({trace!r}, 1089, 0o600)
def _trace(frame, event, _argument):
    place = (frame.f_code.co_filename.rpartition('/')[2], frame.f_lineno)
    if place[0] not in {names!r}:
        return None
    if place not in _seen:
        _seen.add(place)
        _os.write(_file, b'%s %d\\n' % (place[0].encode(), place[1]))
    return _trace
if not sys.argv[0].endswith('warm.py'):  # that one is no run
    sys.settrace(_trace)
"""
NAMES = tuple(file.rpartition("/")[2] for file in FILES)
PYTHON_PLACE = "from __future__ import annotations\n"


def traced_script(trace: Path) -> str:
    """The bash form that writes each line's number to `trace`."""
    text = read_source(SCRIPT)
    for old, new in BASH_CHANGES:
        assert text.count(old) == 1, old
        text = text.replace(old, new.format(trace=trace))
    return text


def traced_vocabulary(trace: Path) -> str:
    """The module shell that writes the number of each line of the Python form to `trace`."""
    text = read_source(VOCABULARY)
    assert text.count(PYTHON_PLACE) == 1
    code = f"exec({TRACER.format(trace=str(trace), names=NAMES)!r})"
    return text.replace(PYTHON_PLACE, f"{PYTHON_PLACE.rstrip()}; {code}\n")


class Coverage:
    """Runs cases in forms that tell; `cover` puts a text in the place of a file of the project."""

    def __init__(self, folder: Path) -> None:
        self._trace = folder / "trace"
        script = folder / "traced.sh"
        script.write_bytes(traced_script(self._trace).encode("latin-1"))
        (REPOSITORY / VOCABULARY).write_bytes(traced_vocabulary(self._trace).encode("latin-1"))
        self._runner = Runner(folder, script)

    def close(self) -> None:
        """Ends what was started."""
        self._runner.close()

    def lines(self, case: Case) -> dict[str, set[int]]:
        """The lines of each file that the case runs; what an import runs is not in it."""
        self._trace.write_bytes(b"")
        self._runner.run_bash(case)
        found = {SCRIPT: {int(n) for n in re.findall(rb"@(\d+)@", self._trace.read_bytes())}}
        self._trace.write_bytes(b"")
        self._runner.run_python(case)
        for file in FILES:
            name = file.rpartition("/")[2].encode()
            numbers = re.findall(rb"(?m)^%b (\d+)$" % name, self._trace.read_bytes())
            found[file] = {*map(int, numbers)}
        return found
