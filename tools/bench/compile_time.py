"""Measure how long the compiler takes for sources of increasing size. A slow run is not a failure.

scripts/bench --compile [--runs N]
"""

from __future__ import annotations

import argparse
import gc
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

from tools.bench import ending

from oauthkit.compiler.driver import compile_text, load_standard_library
from oauthkit.compiler.runtime_library import RuntimeLibrary

SIZES = (1000, 2000, 4000, 7000, 10000)
ABOUT = """\
CPU time for compiling a source of this many lines, without linters (median of {runs} rounds over
all sizes). If it grows linearly, the time per line is constant: "ratio" compares it with that of
the smallest source, round by round. Python's garbage collector is off, because it scans a growing
heap repeatedly; the last column is the time with it.
"""
HEAD = '''"""A program."""

from __future__ import annotations

import sys

from plumbum import local
from plumbum.commands import ERROUT

from oauthkit.shell import CAPTURE, RETCODE, TF, Status, absolute, parse_int, program

printf = program("printf")
sh = program("sh")
'''
# Each calls the one above it, so calls are as deep as possible.
FUNCTION = '''

# Number {0} of the constants.
LIMIT_{0} = {0}  # of them


def step_{0}(text: str, number: int) -> tuple[Status, str]:
    """Step {0}."""
    # what stands above
    status, answer = {1}
    head, _, tail = answer.partition(":")  # apart
    if status == 0 and head != "" and number * 2 - 1 > LIMIT_{0}:
        # a command
        command = printf["%s\\\\n", f"{{head}}-{{number}} $HOME"]
        if tail != "":
            command = command[tail, "it's"]
        code, said = (command >= ERROUT) & CAPTURE
    # neither
    elif "x" in text or text.startswith("*"):
        code = 1
        said = "{0}"
    else:
        code = (sh["-c", f"exit {{number}}"] > "/dev/null") & RETCODE
        said = local.env.get("LANG") or "C"
    while code > 0:
        code = code // 2
        said += f"{{code}}"
    ok = sh["-c", "true"] & TF
    if ok:
        return status, said
    path = absolute(text)
    return 1, f"{{path}}"
'''
MAIN = '''

def main(*arguments: str) -> Status:
    """The entry."""
    for argument in arguments:
        _, number = parse_int(argument)
        status, text = step_{0}(argument, number)
        print(f"{{status}} {{text}}")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
'''


def functions_source(lines: int) -> str:
    """Return about `lines` lines: functions with every construct. Each calls the one above it."""
    count = max(1, (lines - HEAD.count("\n") - MAIN.count("\n")) // FUNCTION.count("\n"))
    calls = ["sh[text] & CAPTURE", *(f"step_{number}(text, number)" for number in range(1, count))]
    steps = [FUNCTION.format(number, call) for number, call in enumerate(calls, 1)]
    return HEAD + "".join(steps) + MAIN.format(count)


def small_source(lines: int) -> str:
    """Return about `lines` lines: as many functions as possible."""
    count = max(1, (lines - HEAD.count("\n") - MAIN.count("\n")) // 6)
    steps = []
    for number in range(1, count + 1):
        call = "sh[text] & CAPTURE" if number == 1 else f"step_{number - 1}(text, number)"
        head = f"def step_{number}(text: str, number: int) -> tuple[Status, str]:"
        end = "    return status + number, answer"
        steps.append(f"\n\n{head}\n    status, answer = {call}\n{end}\n")
    return HEAD + "".join(steps) + MAIN.format(count)


def flat_source(lines: int) -> str:
    """Return about `lines` lines: one long function."""
    steps = "".join(
        f'    name_{number} = f"{{argument}} {number}"  # beside\n    print(name_{number})\n'
        for number in range(max(1, (lines - HEAD.count("\n") - MAIN.count("\n")) // 2))
    )
    function = "\n\ndef step_1(argument: str, number: int) -> tuple[Status, str]:\n"
    return HEAD + function + steps + "    return number, argument\n" + MAIN.format(1)


SHAPES: dict[str, Callable[[int], str]] = {
    "functions of 36 lines": functions_source,
    "functions of 3 lines": small_source,
    "one function": flat_source,
}


def measure(text: str, library: RuntimeLibrary, *, collects: bool = False) -> float:
    """Return the CPU time in ms of compiling `text`, with or without Python's garbage collector."""
    gc.collect()
    if not collects:
        gc.disable()
    try:
        begin = time.process_time()
        compile_text(text, "program.py", library)
        return (time.process_time() - begin) * 1000
    finally:
        gc.enable()


def report(shape: str, sizes: Sequence[int], runs: int) -> None:
    """Measure sources of one shape, and print a table."""
    library = load_standard_library()
    sources = [SHAPES[shape](size) for size in sizes]
    lines = [text.count("\n") for text in sources]
    times: list[list[float]] = [[] for _ in sources]
    for round_ in range(-1, runs):
        for taken, text in zip(times, sources, strict=True):
            time_ms = measure(text, library)
            if round_ >= 0:
                taken.append(time_ms)
    print(f"\n{shape}\n{'lines':>8}{'ms':>9}{'us per line':>13}{'ratio':>8}{'collecting, ms':>16}")
    for count, taken, text in zip(lines, times, sources, strict=True):
        ratios = [a / count / (b / lines[0]) for a, b in zip(taken, times[0], strict=True)]
        median = statistics.median(taken)
        collecting = statistics.median(measure(text, library, collects=True) for _ in range(runs))
        print(
            f"{count:8}{median:9.0f}{median / count * 1000:13.1f}{statistics.median(ratios):8.2f}"
            f"{collecting:16.0f}",
            flush=True,
        )


def generate_ms() -> float:
    """Return the wall time of `oauthkit generate --check`, which runs without linters."""
    begin = time.perf_counter()
    argv = [sys.executable, "-m", "oauthkit", "generate", "--check"]
    subprocess.run(argv, stdout=subprocess.DEVNULL, check=True)
    return (time.perf_counter() - begin) * 1000


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0, whatever the figures are."""
    parser = argparse.ArgumentParser(prog="scripts/bench --compile", description=__doc__)
    parser.add_argument("--runs", metavar="N", type=int, default=5, help="rounds (5)")
    parser.add_argument("--sizes", metavar="N", type=int, nargs="+", default=SIZES, help="lines")
    options = parser.parse_args(arguments)
    print(ABOUT.format(runs=options.runs), end="")
    for shape in SHAPES:
        report(shape, options.sizes, options.runs)
    times = [generate_ms() for _ in range(options.runs)]
    print(f"\noauthkit generate --check, wall time: {statistics.median(times):.0f} ms")
    return 0


if __name__ == "__main__":
    sys.exit(ending.run(main))
