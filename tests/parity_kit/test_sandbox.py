"""The sandbox: recipes, plans, records and kinds of runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.support.parity_kit.programs import VARIABLES, scripts

from oauthkit.parity import recorder
from oauthkit.parity.outcome import read_calls

if TYPE_CHECKING:
    from pathlib import Path


def test_clock_stands_still_in_both_forms(tmp_path: Path) -> None:
    pair = scripts(
        tmp_path,
        'printf "%s %(%FT%T%z)T\\n" "$EPOCHSECONDS" "$EPOCHSECONDS"',
        "import time; now = time.time(); "
        "print(int(now), time.strftime('%FT%T%z', time.localtime(now)))",
    )
    assert pair.run().stdout == "1767323045 2026-01-02T03:04:05+0000\n"
    pair.set_clock("2026-07-01T12:00:00Z")
    pair.env["TZ"] = "Europe/Berlin"
    assert pair.run().stdout == "1782907200 2026-07-01T14:00:00+0200\n"
    pair.close()


def test_environment_is_not_inherited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "of the test runner")
    pair = scripts(tmp_path, "tool")
    pair.stand_in("tool").exits(0)
    pair.env["EXTRA"] = "a b\n\udcff"
    del pair.env["HOME"]
    env = pair.run().call("tool").env
    pair.close()
    assert set(env) - VARIABLES.variables == {
        "BASH_ENV", "EXTRA", "LANG", "PATH", "PYTHONPATH", "TZ", "XDG_RUNTIME_DIR",
    }  # fmt: skip
    assert env["EXTRA"] == "a b\n\udcff"


@pytest.mark.parametrize("path", ["/usr/bin", "", None])
def test_real_programs_are_unavailable(tmp_path: Path, path: str | None) -> None:
    pair = scripts(tmp_path, "tool")
    del pair.env["PATH"]
    if path is not None:
        pair.env["PATH"] = f"{pair.world.bin}:{path}" if path else ""
    if path == "":
        assert pair.run().exit_code == 127  # the project itself, which is empty
    else:
        with pytest.raises(ValueError, match="outside the sandbox"):
            pair.run()
    pair.close()


@pytest.mark.parametrize("name", ["/etc/passwd", "../../x", "~/../../x"])
def test_file_outside_the_sandbox_is_rejected(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="outside the sandbox"):
        scripts(tmp_path, "").file(name)


def test_modes_apply_to_root(tmp_path: Path) -> None:
    pair = scripts(tmp_path, "cat hidden || printf 'no\\n'; printf x >fixed/file || printf 'no\\n'")
    pair.file("hidden", "secret", mode=0)
    pair.directory("fixed", mode=0o555)
    run = pair.run()
    pair.close()
    assert run.stdout == "no\nno\n"
    assert run.files["hidden"].content == b"secret"
    assert run.files["hidden"].mode == 0


def test_second_run_continues_in_the_same_world(tmp_path: Path) -> None:
    pair = scripts(tmp_path, "printf x >>file; tool")
    tool = pair.stand_in("tool")
    tool.exits(1)
    assert pair.run().files["file"].content == b"x"
    pair.file("other", "y")
    tool.exits(2)
    run = pair.run()
    pair.close()
    assert (run.exit_code, run.files["file"].content, run.files["other"].content) == (
        2,
        b"xx",
        b"y",
    )
    assert len(run.calls("tool")) == 1
    with pytest.raises(ValueError, match="cannot be renamed"):
        pair.rename(project="other")


def test_recipe(tmp_path: Path) -> None:
    pair = scripts(tmp_path, "printf '%s\\n' * ~/*; type cat sleep")
    pair.rename(project="a 'b' $c", home="at home")
    pair.directory("directory", 0o700)
    pair.file("~/text", "é", 0o604)
    pair.symlink("link", "to nowhere")
    pair.file("gone")
    pair.delete("gone")
    pair.file("file")
    pair.chmod("file", 0o755)
    pair.remove("cat")
    pair.set_cwd("~/..")
    run = pair.run()
    pair.close()
    assert "type: cat: not found" in run.stderr
    assert run.files["~/text"].content == "é".encode()
    assert run.files["link"].target == "to nowhere"
    assert run.files["file"].mode == 0o755
    assert "gone" not in run.files
    assert run.stdout.splitlines()[0] == "a 'b' $c"


def test_terminal(tmp_path: Path) -> None:
    script = "[[ -t 1 && -t 2 ]] && printf 'a\\nb\\n' && printf 'c\\n' >&2"
    pair = scripts(tmp_path, script)
    assert pair.run().exit_code == 1
    run = pair.run(terminal=True)
    pair.close()
    assert (run.exit_code, run.stdout, run.stderr) == (0, "a\nb\n", "c\n")


def test_lock_held_during_one_run(tmp_path: Path) -> None:
    pair = scripts(tmp_path, "flock -n file true")
    pair.holds_lock("file")
    assert pair.run().exit_code == 1
    pair.delete("file")
    pair.file("file")
    assert pair.run().exit_code != 1
    pair.close()


def test_inherited_descriptors_and_environment_are_recorded(tmp_path: Path) -> None:
    commands = "tool </dev/null 3>>file 2>&1 | cat; printf abc | tool | cat; tool <&-; tool"
    pair = scripts(tmp_path, commands)
    pair.stand_in("tool").always.exits(0)
    run = pair.run(stdin=b"of the caller")
    pair.close()
    first, piped, closed, inherited = (run.call("tool", number) for number in range(4))
    project = f"{tmp_path}/world/project"
    assert first.descriptors == {
        0: "/dev/null", 1: "pipe 1 (write)", 2: "pipe 1 (write)", 3: f"{project}/file (append)",
    }  # fmt: skip
    assert (piped.stdin, closed.stdin, inherited.stdin) == (b"abc", None, b"of the caller")
    assert 0 not in closed.descriptors
    assert [piped.descriptors[number] for number in (0, 1)] == ["pipe 1 (read)", "pipe 2 (write)"]
    assert (first.cwd, first.umask, first.path) == (project, 0o022, f"{tmp_path}/world/bin/tool")


def test_several_forms_at_once_share_a_world(tmp_path: Path) -> None:
    pair = scripts(tmp_path, "tool; printf x >>file")
    pair.stand_in("tool").always.waits("start")
    started = [pair.spawn(name) for name in [*pair.forms] * 2]
    pair.wait_for_call("tool", count=4)
    pair.sign("start")
    run = pair.settle()
    pair.close()
    assert [one.wait().exit_code for one in started] == [0, 0, 0, 0]
    assert run.files["file"].content == b"xxxx"


def test_call_whose_record_is_incomplete_is_not_read(tmp_path: Path) -> None:
    """A test that waits for a call can read the file while a stand-in writes to it."""
    pair = scripts(tmp_path, "tool")
    pair.stand_in("tool").always.waits("start")
    started = pair.spawn(next(iter(pair.forms)))
    pair.wait_for_call("tool")
    with (pair.world.control / recorder.CALLS).open("a") as file:
        file.write("{'program': 'tool', 'argv': ['")
    assert [call.program for call in read_calls(pair.world)] == ["tool"]
    pair.sign("start")
    pair.settle()
    pair.close()
    assert started.wait().exit_code == 0
