"""Calls that are recorded and forwarded to the real program."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.support.parity_kit.programs import find, scripts
from tests.support.parity_kit.pytest_runs import write_forms

if TYPE_CHECKING:
    from pathlib import Path

    from oauthkit.parity import MakePair

OTHER_CALLS = "import subprocess\nfor name in ('a', 'a/b'): subprocess.run(['mkdir', name])"


def test_different_calls_with_the_same_effect_are_reported(tmp_path: Path) -> None:
    run = scripts(tmp_path / "1", "mkdir -p a/b", OTHER_CALLS).run()
    assert run.files["a/b"].kind == "directory"
    pair = scripts(tmp_path / "2", "mkdir -p a/b", OTHER_CALLS)
    pair.forward("mkdir")
    with pytest.raises(AssertionError) as failure:
        pair.run()
    pair.close()
    assert """
1. calls, in order
     bash    mkdir -p a/b
     python  mkdir a
     python  mkdir a/b
""" in str(failure.value)


def test_forwarding_preserves_the_call(tmp_path: Path) -> None:
    show = 'env; printf "%s\\n" "$0" "$@" "$(umask)" "$PWD"; cat; exit 7'
    script = "umask 027; cd ~; printf b | VAR=$'\\xff' bash -c 'CODE' name 'a b' $'\\xfe'"
    recorded, direct = (
        scripts(tmp_path / name, script.replace("CODE", show.replace("'", "")))
        for name in ("recorded", "direct")
    )
    direct.tool("bash")
    recorded.forward("bash").always.forwards()
    for pair in (recorded, direct):
        pair.tool("env")
    expected = direct.run()
    run = recorded.run()
    assert run.exit_code == expected.exit_code == 7
    assert "\na b\n" in run.stdout
    assert run.stdout.endswith("\nb")
    assert differing_lines(run.stdout.replace("/recorded/", "/direct/"), expected.stdout) <= {
        "_",
        "SHLVL",
    }
    assert run.call("bash").argv[2:] == ["name", "a b", "\udcfe"]
    for pair in (recorded, direct):
        pair.close()


def differing_lines(left: str, right: str) -> set[str]:
    """Return the names of the variables in the lines that only one text has."""
    lines = {*left.splitlines()} ^ {*right.splitlines()}
    return {line.partition("=")[0] for line in lines}


def test_forwarding_does_not_consume_stdin(tmp_path: Path) -> None:
    script = (
        "printf '1\\n2\\n' | while read -r line; do mkdir \"$line\"; done; "
        "cat <given; printf 3 | cat; read -r line; cat"
    )
    pair = scripts(tmp_path, script)
    pair.file("given", "0\n")
    for name in ("mkdir", "cat"):
        pair.forward(name)
    run = pair.run(stdin=b"4\n5\n")
    pair.close()
    assert run.stdout == "0\n35\n"
    assert {"1", "2"} <= {*run.files}
    assert [call.stdin for call in run.all_calls] == [None, None, b"0\n", None, b"5\n"]


def test_forwarding_preserves_sigpipe(tmp_path: Path) -> None:
    script = 'yes | head -n 1; printf "%s\\n" "${PIPESTATUS[@]}"'
    pair = scripts(tmp_path, script)
    pair.tool("head")
    pair.forward("yes")
    run = pair.run()
    pair.close()
    assert (run.stdout, run.stderr) == ("y\n141\n0\n", "")


def test_planned_call_is_not_forwarded(tmp_path: Path) -> None:
    pair = scripts(tmp_path, "mkdir a; mkdir b || mkdir c; printf x | mkdir d")
    mkdir = pair.forward("mkdir")
    mkdir.when("b").fails(stderr="full\n")
    mkdir.when("d").exits(0)
    run = pair.run()
    pair.close()
    assert {name: name in run.files for name in "abcd"} == {
        "a": True, "b": False, "c": True, "d": False,
    }  # fmt: skip
    assert [call.stdin for call in run.all_calls][-1] == b"x"
    assert run.stderr == "full\n"


def test_forward_to_another_program(tmp_path: Path, make_pair: MakePair) -> None:
    write_forms(tmp_path)
    pair = make_pair(tmp_path / "form.sh", tmp_path / "form.py", forward=["true"])
    pair.forward("tool", find("false"))
    assert pair.run("a").exit_code == 1
    pair.stand_in("tool").always.forwards(program=str(find("true")))
    assert pair.run("a").exit_code == 0
    assert [*pair.stand_ins] == ["true", "tool"]
    with pytest.raises(FileNotFoundError, match="not in PATH: no-such"):
        pair.forward("no-such")
