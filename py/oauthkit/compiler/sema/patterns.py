"""Check file name patterns."""

from __future__ import annotations

import re

# A set of characters, such as [abc] or [0-9].
_SET = re.compile(r"\[(?:[A-Za-z0-9]-[A-Za-z0-9]|[A-Za-z0-9_.])+\]")
_RANGE = re.compile("(.)-(.)")


def pattern_problem(pattern: str | None) -> tuple[str, str] | None:
    """Return why bash may match different names than Python, and what to write instead.

    In the script's C locale, bash matches bytes. Python matches characters. The results are equal
    for * and for sets of ASCII characters. A pattern of None is not known.
    """
    if pattern is None:
        help = 'write it here, as in `sorted(directory // "*.log")`. Or use `"*"`, and test each'
        help += ' file in the loop, as in `f"{path}".endswith(suffix)`'
        return "a pattern must be a literal", help
    if "**" in pattern:
        return (
            "in plumbum, ** also searches subdirectories",
            "write * to match the files in one directory, or run the program find",
        )
    if "/" in pattern:
        return (
            "a pattern cannot have a /",
            'join the directory first, as in `directory / "x" // "*.log"`',
        )
    if "?" in pattern:
        return "? matches a byte in bash and a character in Python", "use * or a set such as [0-9]"
    sets = _SET.findall(pattern)
    is_reversed = any(low > high for found in sets for low, high in _RANGE.findall(found))
    if is_reversed or {*_SET.sub("", pattern)} & {*"[]\\"}:
        return (
            "bash and Python read this pattern differently",
            "use * and sets of ASCII letters, digits, `_` and `.`, as in [abc]",
        )
    if "*" not in pattern and not sets:
        return "a pattern needs a * or a set such as [0-9]", "test a single file with `.exists()`"
    return None
