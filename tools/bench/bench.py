"""Measure both forms, and optionally another script. Print figures. A slow run is not a failure."""

from __future__ import annotations

import argparse
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.bench_world import (
    OLD_TOKEN,
    REAL_TOOLS,
    TOKEN,
    BenchWorld,
    ToolMissingError,
    noted_calls,
)
from tools.bench import ending
from tools.bench.process_count import StraceUnavailableError, Trace, find_strace, trace

if TYPE_CHECKING:
    from collections.abc import Sequence

WARM_UP_ROUNDS = 2
OTHER_LINES = ("# kept as it is\nPORT=3000\n", "LOG_LEVEL=info\n")
BASH, PYTHON, ORIGINAL = "bash form", "Python form", "original"
BARE, BASELINE = "bash baseline", "Python baseline"
ABOUT = """\
Wall time of one run, in ms: each contestant has its own temporary project, and they take turns
(A B C D, then D C B A), so that a ratio compares neighbours in time (median of the ratios
of {runs} rounds, not the ratio of the medians). systemd-run and systemctl are /bin/sh scripts that
exit with 0.
bash baseline: a script that only runs the commands that the bash form starts in this case, with the
same arguments: the time that a form which starts them one after another needs at least.
Python baseline: `python -c 'from plumbum import local'`, then the commands that the Python
form starts in this case, with the same arguments, one after another, started by this benchmark.
Processes: the first one and every successful clone(2) except threads, counted with strace{counted}.
Flushing .env to disk (sync) costs {sync_ms:.1f} ms here, which the original does not do.
"""


class WrongOutcomeError(Exception):
    """A contestant did not do its work, so its time is meaningless."""


@dataclass(frozen=True)
class Case:
    """The conditions of a measurement: the run's options, and the content of .env before it."""

    name: str
    options: tuple[str, ...]
    token_before: str
    most_processes: int  # of the bash form


CASES = (
    Case("fresh token, .env has an old one", (), OLD_TOKEN, 9),
    Case("fresh token, .env already has it", (), TOKEN, 6),
    Case("--ensure, .env has a fresh token", ("--ensure",), TOKEN, 2),
)


@dataclass
class Contestant:
    """Something to measure: the commands that it runs in sequence, in its own world."""

    name: str
    world: BenchWorld
    commands: list[list[str]]
    temporaries: list[Path] = field(default_factory=list)  # created without a program
    times_ms: list[float] = field(default_factory=list)
    trace: Trace | None = None


def dotenv_text(token: str) -> str:
    """Return a small .env with `token` in the middle."""
    return f"{OTHER_LINES[0]}CLAUDE_CODE_OAUTH_TOKEN={token}\n{OTHER_LINES[1]}"


def reset(case: Case, world: BenchWorld) -> None:
    """Restore the world's state before the first run."""
    world.dotenv.write_text(dotenv_text(case.token_before), encoding="utf-8")
    world.dotenv.chmod(0o600)  # as a refresh creates it
    world.log.write_text("", encoding="utf-8")


def prepare(case: Case, contestant: Contestant) -> None:
    """Reset the contestant's world, and create the files that its commands need."""
    reset(case, contestant.world)
    for path in contestant.temporaries:
        path.write_text(dotenv_text(TOKEN), encoding="utf-8")
        path.chmod(0o600)


def check(case: Case, contestant: Contestant) -> None:
    """Raise WrongOutcomeError unless the run has the results of a refresh."""
    world = contestant.world
    log = world.log.read_text(encoding="utf-8")
    wanted = dotenv_text(TOKEN)
    if contestant.name not in (BARE, BASELINE) and (
        world.dotenv.read_text(encoding="utf-8") != wanted
        or ("Scheduled next refresh at " in log) is bool(case.options)
    ):
        raise WrongOutcomeError(f"{contestant.name}, {case.name}: no refresh. Its log:\n{log}")


def measure(contestant: Contestant) -> float:
    """Return the wall time of one run in ms, from its first process to the end of its last."""
    environment = contestant.world.environment()
    null = subprocess.DEVNULL
    begin = time.perf_counter()
    statuses = [
        subprocess.call(
            command,
            env=environment,
            cwd=contestant.world.project,
            stdin=null,
            stdout=null,
            stderr=null,
        )
        for command in contestant.commands
    ]
    end = time.perf_counter()
    if any(statuses):
        raise WrongOutcomeError(f"{contestant.name}: exit statuses {statuses}")
    return (end - begin) * 1000


def external_commands(case: Case, world: BenchWorld, form: str) -> list[list[str]]:
    """Return the commands that a form runs in this case, recorded by wrappers in PATH."""
    directory = world.root / "noting"
    tools = {*REAL_TOOLS, "jq", "systemctl", "systemd-run"} - {"uname"}  # part of the import
    notes = world.note_calls(tools, directory)
    reset(case, world)
    environment = {**world.environment(), "PATH": f"{directory}:{world.bin}"}
    argv = world.form(form, *case.options)
    subprocess.run(argv, env=environment, cwd=world.project, check=True)
    return noted_calls(notes)


def temporaries(commands: Sequence[Sequence[str]]) -> list[Path]:
    """Return the files that a form has created when it starts these commands."""
    return [Path(command[1]) for command in commands if command[0] == "sync"]


def bare_script(commands: Sequence[Sequence[str]], world: BenchWorld) -> list[str]:
    """Return the argv of a script that only runs these commands."""
    script = world.script.with_name("bare.sh")
    lines = [f"exec 9>>{shlex.quote(str(world.logs / 'bare.lock'))} >/dev/null 2>&1"]
    lines += map(shlex.join, commands)
    script.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return [str(world.bin / "bash"), str(script)]


def contestants(
    case: Case, root: Path, *, real_jq: bool, original: Path | None
) -> list[Contestant]:
    """Return all contestants of this case, each with its world below `root`."""

    def world(name: str) -> BenchWorld:
        return BenchWorld(root / name.replace(" ", "-"), real_jq=real_jq)

    bash, python, bare, baseline = map(world, (BASH, PYTHON, BARE, BASELINE))
    start = [sys.executable, "-c", "from plumbum import local"]
    of_bash = external_commands(case, bare, "bash")
    of_python = external_commands(case, baseline, "python")
    found = [
        Contestant(BASH, bash, [bash.bash_form(*case.options)]),
        Contestant(PYTHON, python, [python.python_form(*case.options)]),
        Contestant(BARE, bare, [bare_script(of_bash, bare)], temporaries(of_bash)),
        Contestant(BASELINE, baseline, [start, *of_python], temporaries(of_python)),
    ]
    if original is not None and not case.options:  # it has no options
        place = world(ORIGINAL)
        script = place.script.with_name("original.sh")
        script.write_bytes(original.read_bytes())
        script.chmod(0o755)
        found.insert(1, Contestant(ORIGINAL, place, [[str(place.bin / "bash"), str(script)]]))
    return found


def race(case: Case, field_: Sequence[Contestant], runs: int, *, counted: bool) -> None:
    """Run every contestant `runs` times in turn, and once more to count its processes."""
    for round_ in range(-WARM_UP_ROUNDS, runs):
        for contestant in field_ if round_ % 2 == 0 else reversed(field_):
            prepare(case, contestant)
            time_ms = measure(contestant)
            check(case, contestant)
            if round_ >= 0:
                contestant.times_ms.append(time_ms)
    for contestant in field_ if counted else ():
        if len(contestant.commands) == 1:
            prepare(case, contestant)
            world = contestant.world
            contestant.trace = trace(
                contestant.commands[0], env=world.environment(), cwd=world.project
            )
            check(case, contestant)


def ratios(one: Contestant, other: Contestant) -> list[float]:
    """Return the ratio of the times of `one` and `other` in each round."""
    return [a / b for a, b in zip(one.times_ms, other.times_ms, strict=True)]


def verdict(value: float, target: float) -> str:
    """Return a target and whether it was met."""
    return f"target: at most {target:g}: {'met' if value <= target else 'missed'}"


def print_table(title: str, field_: Sequence[Contestant]) -> None:
    """Print each contestant's times."""
    print(f"\n{title}")
    print(f"  {'':24}{'median':>9}{'min':>9}{'max':>9}{'processes':>11}")
    for contestant in field_:
        times = contestant.times_ms
        processes = len(contestant.trace.processes) if contestant.trace is not None else "-"
        print(
            f"  {contestant.name:24}{statistics.median(times):9.1f}{min(times):9.1f}"
            f"{max(times):9.1f}{processes:>11}"
        )


def print_targets(case: Case, field_: Sequence[Contestant]) -> None:
    """Print each figure that has a target."""
    by_name = {contestant.name: contestant for contestant in field_}
    pairs = [
        (BASH, ORIGINAL, 0.5), (BARE, ORIGINAL, None), (BASH, BARE, None), (PYTHON, BASELINE, 1.3)
    ]  # fmt: skip
    for name, other, target in pairs:
        if other in by_name:
            found = ratios(by_name[name], by_name[other])
            median = statistics.median(found)
            judged = "" if target is None else f"; {verdict(median, target)}"
            spread = f"(from {min(found):.2f} to {max(found):.2f})"
            print(f"  {name} / {other}: {median:.2f} {spread}{judged}")
    counted = by_name[BASH].trace
    if counted is not None:
        processes = counted.processes
        print(
            f"  {BASH}: {len(processes)} processes ({' '.join(processes)}); "
            f"{verdict(len(processes), case.most_processes)}"
        )


def sync_ms(directory: Path) -> float:
    """Return the time for writing a small file and flushing it to disk, in ms."""
    times = []
    for number in range(10):
        begin = time.perf_counter()
        with (directory / f"flushed-{number}").open("wb") as file:
            file.write(b"x" * 200)
            file.flush()
            os.fsync(file.fileno())
        times.append((time.perf_counter() - begin) * 1000)
    return statistics.median(times)


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""

    def positive(text: str) -> int:
        number = int(text)
        if number < 1:
            raise ValueError
        return number

    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--against", metavar="FILE", type=Path, help="the script to compare with")
    parser.add_argument("--runs", metavar="N", type=positive, default=30, help="rounds (30)")
    # scripts/bench handles it, if it is the first argument.
    parser.add_argument(
        "--compile",
        action="store_true",
        help="measure only the compiler: see scripts/bench --compile --help",
    )
    options = parser.parse_args(arguments)
    if options.compile:
        parser.error("--compile: it has to come first")
    if options.against is not None and not options.against.is_file():
        parser.error(f"--against: {options.against} is not a file")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0 regardless of the figures, or 1 if something could not be measured."""
    options = parse_arguments(arguments)
    try:
        find_strace()
        counted, note = True, ""
    except StraceUnavailableError as why:
        counted, note = False, f" - not here: {why}"
    try:
        with tempfile.TemporaryDirectory(prefix="oauthkit-bench-") as directory:
            root = Path(directory)
            print(ABOUT.format(runs=options.runs, counted=note, sync_ms=sync_ms(root)), end="")
            if options.against is None:
                print("There is nothing to compare with. To name a script: --against FILE.")
            for real_jq in (True, False):
                for number, case in enumerate(CASES):
                    place = root / f"{number}-{real_jq}"
                    entrants = contestants(case, place, real_jq=real_jq, original=options.against)
                    race(case, entrants, options.runs, counted=counted)
                    kind = "the real jq" if real_jq else "a stand-in for jq (/bin/sh)"
                    print_table(f"{case.name}; {kind}", entrants)
                    print_targets(case, entrants)
                    sys.stdout.flush()
    except (WrongOutcomeError, ToolMissingError, StraceUnavailableError) as error:
        print(f"scripts/bench: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(ending.run(main))
