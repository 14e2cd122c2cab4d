"""Compile a few lines as a function body."""

from __future__ import annotations

import re
import textwrap

from tests.support.compiler.programs import library, program

from oauthkit.compiler.driver import compile_text
from oauthkit.compiler.lint import verify

# A name may have a value in its declaration, unless it is an array.
DECLARED = re.compile(r" (\w+)(?=[ \n]|=\(\))")
PROBE = re.compile(r"^probe\(\) \{\n((?:  local .*\n)*)((?:.*\n)*?)  return 0\n\}", re.MULTILINE)


def body_of(python: str, functions: str, uses: str) -> str:
    """Compile `python` as a function body. Return the bash lines below its declarations.

    The function has a parameter x and returns the status 0. It follows `functions`. `uses` is
    main's body. Each name that is declared without a value must be set in the function.
    """
    text = textwrap.indent(python, "    ")
    function = f"\n\ndef probe(x: str) -> Status:\n{text}\n    return 0\n"
    script = compile_text(program(uses, functions + function), "program.py", library())
    verify(script, lints=True)
    found = PROBE.search(script)
    assert found is not None
    for name in DECLARED.findall(found[1].replace("local", "")):
        assert re.search(rf"\b{name}\+?=| {name} in ", found[2]), name
    return textwrap.dedent(found[2]).rstrip("\n")
