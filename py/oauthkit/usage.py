"""Prepare the command line, and format usage errors."""

from __future__ import annotations


def separate_command(argv: list[str]) -> list[str]:
    """Insert -- before the command of `oauthkit run`, so that its switches are not parsed here."""
    if argv[1:2] != ["run"]:
        return argv
    index = 2
    while index < len(argv) and argv[index].startswith("-") and argv[index] != "--":
        index += 2 if argv[index] == "--project" else 1
    return argv if argv[index : index + 1] == ["--"] else [*argv[:index], "--", *argv[index:]]


def usage_message(text: str, command: str, *, has_project: bool) -> str:
    """Shorten plumbum's usage error to one line, without the help text below it.

    `has_project`: the command has the option --project. Users often pass a project without it.
    """
    error, rule, _ = text.partition("\n------\n")
    if not rule:
        return text
    problem = " ".join(error.partition(": ")[2].split())
    fix = f"See {command} --help"
    if has_project and problem.startswith("Expected at most 0 positional arguments"):
        fix += ". Pass a project as --project DIR"
    return f"{command}: {problem[:1].lower()}{problem[1:]}. {fix}\n"
