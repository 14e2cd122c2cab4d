"""String literals keep all bytes in every position."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.support.compiler.bashes import BASHES
from tests.support.compiler.literals import escaped
from tests.support.compiler.programs import library, program

from oauthkit.compiler.driver import compile_text

# A program may contain all characters except NUL and surrogates. Input may contain any bytes.
SPECIAL = " \t\n\\'\"$`*?[]{}()<>|&;#~!=:%@^-+,./aZ09_\r\x01\x7fü€"
TEXT = st.text(
    st.one_of(
        st.sampled_from(SPECIAL),
        st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"),
    ),
    max_size=8,
)
BYTES = st.lists(st.one_of(st.integers(1, 255), st.sampled_from(SPECIAL.encode())), max_size=8).map(
    bytes
)

FUNCTIONS = """CONSTANT = {x}
JOINED = f"{{CONSTANT}}-" + {y}


def same(text: str) -> str:
    return text


def halves(text: str) -> tuple[str, Status, str]:
    return text, 0, {x}


def through(command: BaseCommand) -> str:
    _, text = command[{x}, "."] & CAPTURE
    return text
"""
# Positions of a Str, and the resulting value of t. x and y are literals. fx and fy are the same
# literals in an f-string. g contains input bytes. n is a file name.
POSITIONS = (
    ("t = {x}", "{x}"),
    ("t = {x} + g + {y}", "{x}{g}{y}"),
    ('t = f"{fx}{{g}}{fy}"', "{x}{g}{y}"),
    ("t = {y}\nt += {x}\nt += g", "{y}{x}{g}"),
    ("t = CONSTANT", "{x}"),
    ("t = JOINED", "{x}-{y}"),
    ("t = same({x})", "{x}"),
    ("t = same(g)", "{g}"),
    ("t, _, u = halves(g)", "{g}"),
    ("t = u", "{x}"),
    ("for t in ({x},):\n    pass", "{x}"),
    ("for t in (g, {x} + g):\n    pass", "{x}{g}"),
    ('t = local.env.get("GIVEN", "")', "{g}"),
    ('t = local.env.get("NOPE", {x})', "{x}"),
    ('t = local.env.get("EMPTY", {x})', ""),
    ('t = local.env.get("EMPTY") or {x}', "{x}"),
    ('t = local.env.get("EMPTY") or g', "{g}"),
    ('local.env["SET"] = {x}\n_, t = sh["-c", \'printf %s. "$SET"\'] & CAPTURE', "{x}."),
    ('local.env["SET"] = g\nt = local.env.get("SET", "none")', "{g}"),
    ('_, t = printf["%s.", {x}, g] & CAPTURE', "{x}.{g}."),
    ('c = printf["%s", {x}]\nc = c[g, "."]\n_, t = c & CAPTURE', "{x}{g}."),
    ('_, t = sh["-c", \'printf %s. "$@"\', "sh", printf[{x}, g]] & CAPTURE', "printf.{x}.{g}."),
    # bash 5.1 loses a byte 1 in `local -a command=("$@")`.
    ('h = g.replace("\\x01", "?")\nt = through(printf["%s", h])', "{h}{x}."),
    ("_ = write_file(n, {x} + g)\n_, t = read_file(n)", "{x}{g}"),
    ('_ = (printf["%s", {x}] > {n}) & RETCODE\n_, t = read_file(n)', "{x}"),
    ('_ = (printf["%s", g] >> n) & RETCODE\n_, t = read_file(n)', "{x}{g}"),
    ('_ = (sh["-c", "cat <copy >&2"] >= {n}) & RETCODE\n_, t = read_file({n})', "{g}"),
    ('_ = write_file("in", {x} + ".")\n_, t = (cat < "in") & CAPTURE', "{x}."),
    ("t = between.removeprefix({x})", "|{g}|{y}"),
    ("t = between.removesuffix({y})", "{x}|{g}|"),
    ("t = given.removeprefix(g)", "="),
    ('t = "<|>"\nt = t.replace("|", {x})', "<{x}>"),
    ('t = "<|>"\nt = t.replace("|", g)', "<{g}>"),
    ('t = "="\nif {x} == CONSTANT and g == same_g:\n    t = "!"', "!"),
    ('if g in between and {y} in between and "|" in between:\n    t = "in"', "in"),
    ('if between.startswith({x}) and between.endswith({y}):\n    t = "at"', "at"),
    ('if {x}.startswith({x}) and given.startswith(g):\n    t = "yes"', "yes"),
    ('if not (CONSTANT != {x} or not {y} == {y}):\n    t = "same"', "same"),
)


def body_of(places: dict[str, str]) -> str:
    lines = ['g = ""', "for g in arguments:", "    pass", 'same_g = local.env.get("GIVEN", "")']
    lines += ["between = {x} + '|' + g + '|' + {y}".format(**places), "given = g + '='"]
    lines += ["n = {n}".format(**places), "_ = write_file('copy', g)"]
    for code, _ in POSITIONS:
        lines += [*code.format(**places).split("\n"), 'print(f"{t}>")']
    return "\n".join(lines)


@settings(deadline=None, max_examples=50)
@given(TEXT, TEXT, BYTES)
@example("", "", b"")
@example("-n", "!", b"\xff\x80\n")
@example("'\"\\", "$(id)`id`", b"&\\1$'x'")
@example("*", "[a]?", b"*[")
@example("~", "}{a,b}", b"~/\xc3")
@example("\n\n", "\\", b"\n")
def test_any_text_in_any_position(x: str, y: str, g: bytes) -> None:
    braces = {"f" + key: escaped(text).replace("{", "{{").replace("}", "}}")
              for key, text in (("x", x), ("y", y))}  # fmt: skip
    literals = {key: f'"{escaped(text)}"' for key, text in (("x", x), ("y", y))}
    name = f'"n{escaped(x.replace("/", "_"))}"'
    places = {**literals, **braces, "n": name}
    text = program(body_of(places), FUNCTIONS.format(**places))
    raw = {"x": x, "y": y, "g": g.decode("utf-8", "surrogateescape")}
    raw["h"] = raw["g"].replace("\x01", "?")
    wanted = "".join(result.format(**raw) + ">\n" for _, result in POSITIONS)
    with tempfile.TemporaryDirectory() as directory:
        script = Path(directory) / "program.sh"
        script.write_text(compile_text(text, "p.py", library()), "utf-8", newline="")
        for bash in BASHES.values():
            result = subprocess.run(
                [os.fsencode(bash), os.fsencode(script), g],
                env={b"PATH": os.fsencode(os.defpath), b"GIVEN": g, b"EMPTY": b""},
                cwd=directory, capture_output=True, check=True,
            )  # fmt: skip
            assert result.stderr == b""
            assert result.stdout == wanted.encode("utf-8", "surrogateescape")
