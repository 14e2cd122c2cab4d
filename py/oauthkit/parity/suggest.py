"""Suggest the stand-ins and tools that two forms need."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from oauthkit.parity.format_values import collapse, exit_status
from oauthkit.parity.outcome import UNPLANNED_CALL

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from oauthkit.parity.outcome import Outcome
    from oauthkit.parity.runner import Form
    from oauthkit.parity.world import World

# Programs that only read or create something. `suggest` runs these and no others, because a form
# would not get far without them.
HARMLESS = frozenset(
    {
        "basename", "cat", "cut", "date", "dirname", "expr", "false", "grep", "head", "ls", "mkdir",
        "mktemp", "readlink", "realpath", "seq", "stat", "tail", "touch", "tr", "true", "wc",
    }
)  # fmt: skip
WORD = re.compile(r"\w[\w.+-]*", re.ASCII)
LONGEST_NAME = 64
SHOWN_LINES = 10


def words(forms: Iterable[Form], world: World) -> set[str]:
    """Return each word in the forms' commands and files, because it may name a program."""
    texts = []
    for form in forms:
        _, *arguments = form.argv(world)
        files = [*form.files.values(), *map(Path, arguments)]
        texts += [*arguments, *(_text(file) for file in files)]
    found = {word.rstrip(".+-") for text in texts for word in WORD.findall(text)}
    return {word for word in found if len(word) <= LONGEST_NAME}


def suggestions(outcomes: Sequence[Outcome], tools: Iterable[str], world: World) -> str:
    """Return the lines of a test that plan what the forms called in `world`.

    `tools` are real programs.
    """
    lines = []
    called = {call.program for outcome in outcomes for call in outcome.calls}
    if found := sorted(called & {*tools}):
        lines.append(f"make_pair(..., tools={found})")
    if any(call.program == "sleep" and not call.path for o in outcomes for call in o.calls):
        lines.append("parity.virtual_sleep()")
    counts: dict[str, list[int]] = {}
    for index, outcome in enumerate(outcomes):
        for call in outcome.calls:
            if call.unplanned:
                arguments = ", ".join(_argument(text, world) for text in call.argv)
                text = f"parity.stand_in({call.program!r}).when({arguments})"
                counts.setdefault(text, [0] * len(outcomes))[index] += 1
    names = [outcome.form.name for outcome in outcomes]
    lines += [_plan(text, numbers, names) for text, numbers in counts.items()]
    for outcome in outcomes:
        lines.append(f"# {outcome.form.name} exited with {exit_status(outcome.exit_code)}")
        for problem in outcome.problems:
            if not problem.startswith(UNPLANNED_CALL):
                lines += [f"# {line}" for line in problem.splitlines()]
        shown = collapse(outcome.stderr.decode("utf-8", "backslashreplace").splitlines())
        lines += [f"#     {line}" for line, _ in shown[-SHOWN_LINES:]]
    return "\n".join(lines)


def _argument(text: str, world: World) -> str:
    """Format an argument for a test, with `{parity.project}` in place of this run's directory."""
    shown = repr(text)
    for path, name in ((world.project, "project"), (world.home, "home")):
        if str(path) in text:
            if not shown.startswith("f"):
                shown = "f" + repr(text.replace("{", "{{").replace("}", "}}"))
            shown = shown.replace(str(path), f"{{parity.{name}}}")
    return shown


def _plan(text: str, numbers: Sequence[int], names: Sequence[str]) -> str:
    """Return the line that plans a call, with a comment unless each form makes the call once."""
    always = ".always" if max(numbers) > 1 else ""
    line = f"{text}{always}.exits(0)"
    if len({*numbers}) > 1:
        shown = (f"{name}: {number}" for name, number in zip(names, numbers, strict=True))
        return f"{line}  # calls of {', '.join(shown)}"
    return f"{line}  # {numbers[0]} calls" if always else line


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8", "replace") if file.is_file() else ""
    except (OSError, ValueError):
        return ""  # an argument that is not a path
