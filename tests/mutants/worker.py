"""Judges mutants in a closed room: reads their names from stdin, writes a verdict for each."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tests.fuzz import runner as fuzz_runner
from tests.fuzz.runner import Runner
from tests.mutants import closed, corpus, suite
from tests.mutants.bash_mutators import SCRIPT, bash_mutants
from tests.mutants.mutant import REPOSITORY, Mutant, is_valid
from tests.mutants.python_mutators import FILES as PYTHON_FILES
from tests.mutants.python_mutators import python_mutants
from tests.parity.oauth_world import SCRIPT_PLACE

from oauthkit.parity import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.fuzz.case import Case
    from tests.mutants.corpus import Corpus

FILES = (SCRIPT, *PYTHON_FILES)
ORIGINAL_SCRIPT = (REPOSITORY / SCRIPT).read_bytes()
# A run in which nothing hangs takes a twentieth of a second.
LIMIT_S = 6.0
INVALID = "invalid"
FELL_OVER = "the harness fell over"
# Who judges: the worlds; before them the test that is known to kill it; after them all tests.
WORLDS, KNOWN, SUITE = JURIES = ("worlds", "known", "suite")
MOST_MEMORY_BYTES = 4 * 1024**3
MOST_FILE_BYTES = 256 * 1024**2


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant. `stage` killed it, "" if none; `why` is what was seen first."""

    name: str
    stage: str = ""
    why: str = ""
    by: str = ""
    tried: int = 0
    seconds: float = 0.0


class Room:
    """The closed room of this process, and what stands in the places of the files in it."""

    def __init__(self, folder: Path) -> None:
        closed.close(folder)
        self.folder = folder
        self.originals = {file: (REPOSITORY / file).read_bytes() for file in FILES}
        (folder / "files").mkdir()
        for file in FILES:
            closed.cover(REPOSITORY / file, folder / "files" / Path(file).name)

    def put(self, file: str, source: bytes) -> None:
        """Puts another text in the place of a file."""
        (REPOSITORY / file).write_bytes(source)

    def restore(self) -> None:
        """Puts all files back."""
        for file, source in self.originals.items():
            self.put(file, source)


class Judge:
    """Finds the first thing that tells a mutant from the original."""

    def __init__(self, room: Room, cases: Corpus, name: str = "worlds") -> None:
        self._room = room
        self._corpus = cases
        self._folder = room.folder / name
        self._folder.mkdir()
        self._runner = Runner(self._folder)
        self._expected: dict[tuple[str, int], Outcome] = {}
        self._controls: dict[tuple[str, ...], str] = {}

    def judge(self, mutant: Mutant, jury: str = WORLDS, tests: Sequence[str] = ()) -> Verdict:
        """The verdict on one mutant, of a jury of JURIES or of certain tests of the suite."""
        start_s = time.monotonic()
        if not is_valid(mutant):
            return Verdict(mutant.name, INVALID)
        known = [] if jury == WORLDS else tests or suite.killer(mutant)
        self._room.put(mutant.file, mutant.source)
        try:
            stage, why, by, tried = "suite", "", "", 0
            if known:
                why, by = self._suite(mutant, known)
            if not why and not tests:
                stage, (why, by, tried) = "worlds", self._worlds(mutant)
                if by.startswith(FELL_OVER):  # a mutant before it may have brought it down
                    why, by, tried = self._worlds(mutant)
            if not why and not tests and jury == SUITE:
                stage, (why, by) = "suite", self._suite(mutant)
        finally:
            self._room.restore()
        seconds = round(time.monotonic() - start_s, 2)
        return Verdict(mutant.name, stage if why else "", why, by, tried, seconds)

    def _suite(self, mutant: Mutant, tests: Sequence[str] = ()) -> tuple[str, str]:
        """What `suite.run` finds; nothing if that fails with the original, too."""
        why, by = suite.run(mutant, self._room.folder, tests)
        if not why:
            return "", ""
        failed = tuple(tests) or (by,)
        if failed not in self._controls:
            self._room.restore()
            self._controls[failed] = suite.run(mutant, self._room.folder, failed)[0]
            self._room.put(mutant.file, mutant.source)
        if self._controls[failed]:
            return "", f"{FELL_OVER}: fails with the original, too: {by}: {self._controls[failed]}"
        return why, by

    def _expect(self, form: str, number: int) -> Outcome:
        """What the other form does, none of whose files is changed while `form` is judged."""
        other = "python" if form == "bash" else "bash"
        found = self._expected.get((other, number))
        if found is None:
            found = _run(self._runner, other, self._corpus.covered[number].case)
            self._expected[other, number] = found
        return found

    def _worlds(self, mutant: Mutant) -> tuple[str, str, int]:
        """What differs from the other form, in which case, and how many were tried."""
        order = self._corpus.order(mutant)
        # A runner has the Python form loaded since its start.
        changed = self._runner if mutant.form == "bash" else Runner(self._folder)
        is_whole = False
        try:
            for tried, number in enumerate(order, 1):
                why = self._differs(changed, mutant, number)
                # Once more: what is seen once only is no proof.
                if why and (why.startswith("hangs") or self._differs(changed, mutant, number)):
                    is_whole = True
                    return why, f"case {number}", tried
            is_whole = True
        except (OSError, RuntimeError, EOFError, ValueError) as error:
            return "", f"{FELL_OVER}: {error!r}", 0  # which is no proof
        finally:
            if changed is not self._runner:
                _close(changed)
            elif not is_whole:
                _close(changed)
                self._runner = Runner(self._folder)
        return "", "", len(order)

    def _differs(self, changed: Runner, mutant: Mutant, number: int) -> str:
        expected = self._expect(mutant.form, number)
        changed._script = mutant.source if mutant.form == "bash" else ORIGINAL_SCRIPT
        try:
            outcome = _run(changed, mutant.form, self._corpus.covered[number].case)
        finally:
            changed._script = ORIGINAL_SCRIPT
        _forgive_script(outcome, mutant)
        hangs = any("did not end" in problem for problem in outcome.problems)
        pair = (outcome, expected) if mutant.form == "bash" else (expected, outcome)
        text = changed.compared(self._corpus.covered[number].case, *pair)
        return ("hangs: " if hangs else "") + " ".join(text.split())[:200] if text else ""


def unchanged() -> Mutant:
    """The bash form as it is, which has to survive all worlds; and with it the Python form."""
    return Mutant(
        "bash", SCRIPT, "unchanged", 0, 0, 0, "", "", "", 0, "unchanged", "", ORIGINAL_SCRIPT
    )


def _forgive_script(outcome: Outcome, mutant: Mutant) -> None:
    """Takes the changed script, which is a file of the world, for the original."""
    name = f"{outcome.world.project_name}/{SCRIPT_PLACE}"
    entry = outcome.files.get(name)
    if mutant.form == "bash" and entry is not None and entry.content == mutant.source:
        outcome.files[name] = replace(entry, content=ORIGINAL_SCRIPT)


def _run(runner: Runner, form: str, case: Case) -> Outcome:
    return runner.run_bash(case) if form == "bash" else runner.run_python(case)


def _close(runner: Runner) -> None:
    server = runner._server
    with suppress(OSError):
        if server.stdin:
            server.stdin.close()
    try:
        server.wait(2)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
    if server.stdout:
        server.stdout.close()


def _reap() -> None:
    """Waits for what mutants left behind; as the first process this one inherits it."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def main(folder: Path) -> None:
    """Serves until stdin ends. A request is what `Judge.judge` takes, a name for the mutant."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # the first process of a namespace outlives it
    room = Room(folder)
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY_BYTES, MOST_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (MOST_FILE_BYTES, MOST_FILE_BYTES))
    fuzz_runner.LIMIT_S = LIMIT_S
    known = {mutant.name: mutant for mutant in (unchanged(), *bash_mutants(), *python_mutants())}
    judge = Judge(room, corpus.load())
    print("ready", flush=True)
    for line in sys.stdin:
        name, jury, tests = json.loads(line)
        verdict = judge.judge(known[name], jury, tests)
        print(json.dumps(asdict(verdict)), flush=True)
        _reap()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
