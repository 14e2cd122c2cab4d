"""The command line as it is given, and what is said of one that is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def no_folder(output: str, target: Path) -> str:
    """What is said where the folder of `--output` is not there."""
    return f"--output {output!r}: there is no folder {target.parent}"


def separated(argv: list[str]) -> list[str]:
    """The command line with -- before the command of `oauthkit run`, which has its own switches."""
    if argv[1:2] != ["run"]:
        return argv
    index = 2
    while index < len(argv) and argv[index].startswith("-") and argv[index] != "--":
        index += 2 if argv[index] == "--project" else 1
    return argv if argv[index : index + 1] == ["--"] else [*argv[:index], "--", *argv[index:]]


def complaint(text: str, command: str) -> str:
    """What plumbum prints for wrong usage, without all the help that follows it there."""
    said, rule, _ = text.partition("\n------\n")
    if not rule:
        return text
    what = " ".join(said.partition(": ")[2].split())
    return f"{command}: {what[:1].lower()}{what[1:]}: see {command} --help\n"
