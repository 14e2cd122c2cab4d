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


def usage_message(text: str, command: str) -> str:
    """Shorten plumbum's usage error to one line, without the help text below it."""
    error, rule, _ = text.partition("\n------\n")
    if not rule:
        return text
    problem = " ".join(error.partition(": ")[2].split())
    return f"{command}: {problem[:1].lower()}{problem[1:]}: see {command} --help\n"
