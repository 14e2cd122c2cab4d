"""A stand-in records calls byte for byte."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from tests.support.parity_kit.programs import bash_form, python_form, scripts, tools

from oauthkit.parity import SHELL_VARIABLES, Pair

if TYPE_CHECKING:
    from pathlib import Path

    from oauthkit.parity import Run

EVERY_BYTE = bytes(range(1, 256))
IMPORTS = "import os, sys\n"


def execs(argv: str, env: str = "os.environb") -> str:
    """Return a program that executes the stand-in with these arguments and this environment."""
    return f"{IMPORTS}os.execvpe(b'tool', {argv}, {env})"


def twins(directory: Path, one: str, other: str) -> Pair[Run]:
    """Return two Python programs that call the same stand-in."""
    forms = (python_form(one, "one"), python_form(other, "other"))
    pair: Pair[Run] = Pair(directory, forms, tools(), [SHELL_VARIABLES])
    pair.stand_in("tool").always.exits(0)
    return pair


def test_every_byte_of_an_argument(tmp_path: Path) -> None:
    arguments = [
        EVERY_BYTE,
        b"",
        b"\n",
        b"a\n",
        b"\n\n",
        b"",
        b"\xff",
        b"\xc3\xa9",
        b"-n",
        b"a\\0b",
    ]
    program = execs(f"[b'tool', *{arguments!r}]")
    pair = twins(tmp_path, program, program)
    assert [*map(os.fsencode, pair.run().call("tool").argv)] == arguments
    pair.close()


# These are equal if arguments are joined with a separator, or empty ones are dropped.
ALIKE = [
    ("['a b']", "['a', 'b']"),
    ("['a\\nb']", "['a', 'b']"),
    ("['a', '']", "['a']"),
    ("['', 'a']", "['a', '']"),
    ("['', '']", "['']"),
    ("['']", "[]"),
    ("['a\\n']", "['a']"),
    ("[b'\\xff']", "[b'\\xfe']"),
    ("['\\\\n']", "['\\n']"),
    ("['é']", "['e\\u0301']"),
    ("[b'\\xff']", "['ÿ']"),
]


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_similar_arguments_are_distinguished(tmp_path: Path, one: str, other: str) -> None:
    pair = twins(tmp_path, execs(f"['tool', *{one}]"), execs(f"['tool', *{other}]"))
    with pytest.raises(AssertionError, match=r"1\. call 1, tool: argument"):
        pair.run()
    pair.close()


def test_every_byte_of_a_variable(tmp_path: Path) -> None:
    program = execs("[b'tool']", f"{{**os.environb, b'ODD': {EVERY_BYTE!r}, b'a b.c': b''}}")
    pair = twins(tmp_path, program, program)
    env = pair.run().call("tool").env
    pair.close()
    assert env["ODD"].encode("utf-8", "surrogateescape") == EVERY_BYTE
    assert env["a b.c"] == ""


@pytest.mark.parametrize(
    ("one", "other"),
    [("''", "None"), ("'a\\n'", "'a'"), ("'a'", "'A'"), ("'\\udcff'", "'\\udcfe'"), ("' '", "''")],
)
def test_similar_variables_are_distinguished(tmp_path: Path, one: str, other: str) -> None:
    program = execs("['tool']", "{**os.environ, **({'ODD': ODD} if ODD is not None else {})}")
    pair = twins(tmp_path, f"ODD = {one}\n{program}", f"ODD = {other}\n{program}")
    with pytest.raises(AssertionError, match=r"in 1 place\.\n\n1\. call 1, tool: environment ODD"):
        pair.run()
    pair.close()


# No program does this on purpose, but a caller's environment may contain duplicates, and shells
# differ.
TWICE = """
import ctypes, os
entries = [f"{name}={value}" for name, value in os.environ.items()] + NEW
envp = (ctypes.c_char_p * (len(entries) + 1))(*(os.fsencode(entry) for entry in entries), None)
path = os.fsencode(os.environ["PATH"] + "/tool")
ctypes.CDLL(None).execve(path, (ctypes.c_char_p * 2)(path, None), envp)
"""


def test_duplicate_variable(tmp_path: Path) -> None:
    twice, once = f"NEW = ['A=1', 'A=1']{TWICE}", f"NEW = ['A=1']{TWICE}"
    pair = twins(tmp_path / "same", twice, twice)
    assert pair.run().call("tool").repeated_env == ["A"]
    pair.close()
    pair = twins(tmp_path / "other", twice, once)
    with pytest.raises(AssertionError, match=r"1\. call 1, tool: repeated_env"):
        pair.run()
    pair.close()


def test_every_byte_of_stdin(tmp_path: Path) -> None:
    data = bytes(range(256)) * 1000
    program = "import subprocess; subprocess.run(['tool'], input=bytes(range(256)) * 1000)"
    pair = twins(tmp_path, program, program)
    assert pair.run().call("tool").stdin == data
    pair.close()


@pytest.mark.parametrize(
    ("one", "other"), [("b'a'", "b'a\\n'"), ("b''", "b'\\0'"), ("b'\\xff'", "b'\\xfe'")]
)
def test_similar_stdin_is_distinguished(tmp_path: Path, one: str, other: str) -> None:
    program = "import subprocess; subprocess.run(['tool'], input="
    pair = twins(tmp_path, f"{program}{one})", f"{program}{other})")
    with pytest.raises(AssertionError, match=r"in 1 place\.\n\n1\. call 1, tool: stdin"):
        pair.run()
    pair.close()


@pytest.mark.parametrize("name", ["a b", "a\nb", "\udcff", "é"])
def test_working_directory_can_have_any_name(tmp_path: Path, name: str) -> None:
    pair = scripts(tmp_path, "tool")
    pair.stand_in("tool").exits(0)
    pair.directory(name)
    pair.set_cwd(name)
    assert pair.run().call("tool").cwd == f"{pair.project}/{name}"
    pair.close()


def test_removed_working_directory(tmp_path: Path) -> None:
    pair = scripts(tmp_path, 'cd gone && rmdir "$PWD" && tool')
    pair.tool("rmdir")
    pair.directory("gone")
    pair.stand_in("tool").exits(0)
    assert pair.run().call("tool").cwd == "deleted"
    pair.close()


def test_how_each_descriptor_was_opened(tmp_path: Path) -> None:
    script = "tool 3<given 4>made 5>>log 6<>both 7>&4 8<&- 9>/dev/null >out 2>&1"
    pair = scripts(tmp_path, script)
    pair.file("given")
    pair.stand_in("tool").exits(0)
    found = pair.run().call("tool").descriptors
    pair.close()
    control, project = pair.world.control, pair.project
    assert found == {
        0: f"{control}/stdin (read)", 1: f"{project}/out (write)", 2: f"{project}/out (write)",
        3: f"{project}/given (read)", 4: f"{project}/made (write)", 5: f"{project}/log (append)",
        6: f"{project}/both (read and write)", 7: f"{project}/made (write)", 9: "/dev/null",
    }  # fmt: skip


@pytest.mark.parametrize("other", ["tool 3>>f", "tool 3<>f", "tool 3>g", "tool 4>f", "tool"])
def test_similar_descriptors_are_distinguished(tmp_path: Path, other: str) -> None:
    forms = [
        bash_form(f">f; >g; {each}", name) for name, each in (("one", "tool 3>f"), ("two", other))
    ]
    pair: Pair[Run] = Pair(tmp_path, forms, tools(), [SHELL_VARIABLES])
    pair.stand_in("tool").exits(0)
    with pytest.raises(AssertionError, match=r"1\. call 1, tool: file descriptor 3"):
        pair.run()
    pair.close()


def test_all_calls_of_concurrent_processes_are_recorded(tmp_path: Path) -> None:
    script = "for i in {1..12}; do tool $i & done; wait"
    pair = scripts(tmp_path, script)
    pair.stand_in("tool").always.exits(0)
    pair.spawn("bash")
    run = pair.settle()
    pair.close()
    assert sorted(int(argv[0]) for argv in run.calls("tool")) == [*range(1, 13)]


def test_arguments_of_the_forms_themselves(tmp_path: Path) -> None:
    program = f"{IMPORTS}os.write(1, repr([os.fsencode(a) for a in sys.argv[1:]]).encode())"
    forms = [python_form(program, name) for name in ("one", "other")]
    pair: Pair[Run] = Pair(tmp_path, forms, tools(), [])
    run = pair.run("", "a\nb", "\udcff", "é", "*", "-n")
    pair.close()
    expected = [b"", b"a\nb", b"\xff", "é".encode(), b"*", b"-n"]
    assert run.stdout == repr(expected)
