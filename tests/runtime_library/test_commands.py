"""CAPTURE, RETCODE and TF return the exit statuses of real programs as bash does."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from plumbum import local
from plumbum.commands import ERROUT

from oauthkit import shell
from oauthkit.shell import CAPTURE, RETCODE, TF, program

if TYPE_CHECKING:
    from plumbum.commands import BaseCommand

sh = program("sh")
missing = program("no-such-program")


@pytest.fixture(autouse=True)
def tools(place: Path) -> Path:
    """Create a directory in PATH with sh and env. A test can add programs."""
    directory = place / "bin"
    directory.mkdir()
    for name in ("sh", "env", "cat"):
        found = shutil.which(name, path="/usr/bin:/bin")
        assert found is not None
        (directory / name).symlink_to(found)
    return directory


def statuses(command: BaseCommand) -> int:
    """Return a command's exit status, after checking that CAPTURE, RETCODE and TF agree."""
    status: int = command & RETCODE
    assert (command & CAPTURE)[0] == status
    assert (command & TF) is (status == 0)
    return status


@pytest.mark.parametrize("status", [0, 1, 2, 126, 127, 128, 255])
def test_exit_status(status: int) -> None:
    assert statuses(sh["-c", f"exit {status}"]) == status


@pytest.mark.parametrize(("signal", "status"), [("TERM", 143), ("KILL", 137), ("HUP", 129)])
def test_death_by_a_signal(signal: str, status: int) -> None:
    assert statuses(sh["-c", f"kill -{signal} $$"]) == status


def test_missing_program() -> None:
    assert statuses(missing) == 127
    assert statuses(program("/no/such/program")["x"]) == 127
    assert missing & CAPTURE == (127, "")


@pytest.mark.parametrize("kind", ["directory", "plain file"])
def test_program_that_cannot_be_executed(tools: Path, kind: str) -> None:
    path = tools / "thing"
    if kind == "directory":
        path.mkdir()
    else:
        path.write_text("#!/bin/sh\n", encoding="utf-8")
        path.chmod(0o644)
    assert statuses(program("thing")) == 126
    assert statuses(program(str(path))) == 126


def test_program_is_looked_up_when_it_runs(tools: Path) -> None:
    late = program("late")
    assert statuses(late) == 127
    (tools / "late").write_text("#!/bin/sh\nexit 3\n", encoding="utf-8")
    (tools / "late").chmod(0o755)
    assert statuses(late) == 3


def test_redirection_that_fails(place: Path) -> None:
    command = sh["-c", "exit 3"] > f"{place}/no-directory/file"
    assert command & RETCODE == 1
    assert command & TF is False


def test_nothing_is_captured_where_a_redirection_fails(place: Path) -> None:
    command = sh["-c", "echo out"] < f"{place}/no-such-file"
    assert command & CAPTURE == (1, "")


def test_missing_program_with_a_good_redirection(place: Path) -> None:
    assert (missing > f"{place}/file") & RETCODE == 127


@pytest.mark.parametrize(
    ("printed", "text"),
    [
        ("", ""),
        (r"a\n", "a"),
        (r"\n a \n\n\n", "\n a "),
        (r"a\000b\n\000", "ab"),
        (r"a\000\n", "a"),
        (r"a\r\n", "a\r"),
        (r"\377\303\n", "\udcff\udcc3"),
        (r"\303\274", "ü"),
    ],
)
def test_captured_text(printed: str, text: str) -> None:
    assert sh["-c", f"printf '{printed}'"] & CAPTURE == (0, text)


def test_output_is_captured_regardless_of_the_status() -> None:
    assert sh["-c", "echo why; exit 4"] & CAPTURE == (4, "why")


def test_stderr_is_captured_only_where_it_is_sent(capfd: pytest.CaptureFixture[str]) -> None:
    command = sh["-c", "echo out; echo err >&2"]
    assert command & CAPTURE == (0, "out")
    assert (command >= ERROUT) & CAPTURE == (0, "out\nerr")
    assert command & RETCODE == 0
    assert command & TF is True
    assert capfd.readouterr() == ("", "")


def test_words_reach_the_program_unchanged() -> None:
    words = ["", " a  b ", "'", '"', "$HOME", "*", "\n", "\\", "ü\udcff", "-n", "~"]
    command = sh["-c", 'printf "<%s>" "$@"', "sh", words]
    assert command & CAPTURE == (0, "".join(f"<{word}>" for word in words))


def test_stdin_is_empty(place: Path) -> None:
    (place / "typed").write_text("of the caller\n", encoding="utf-8")
    before = os.dup(0)
    try:
        with (place / "typed").open("rb") as typed:
            os.dup2(typed.fileno(), 0)
            assert sh["-c", "cat"] & CAPTURE == (0, "")
            assert sh["-c", "[ -e /proc/self/fd/0 ] && ! read line"] & TF is True
            assert typed.read() == b"of the caller\n"
    finally:
        os.dup2(before, 0)
        os.close(before)


def test_no_descriptor_is_inherited(place: Path) -> None:
    with (place / "file").open("wb") as file:
        command = sh["-c", f"[ -e /proc/self/fd/{file.fileno()} ]"]
        assert command & TF is False


def test_environment_is_local_env() -> None:
    local.env["ANOTHER"] = "a b\n\udcff"
    _, text = sh["-c", 'printf "%s" "$ANOTHER"'] & CAPTURE
    assert text == "a b\n\udcff"


@pytest.mark.parametrize("extra", [":{bin}/", ":/no//such/./x/", "::", ":a/../bin", ":~"])
def test_path_reaches_every_program_unchanged(tools: Path, extra: str) -> None:
    path = f"{tools}{extra.format(bin=tools)}"
    local.env["PATH"] = path
    for _ in range(2):
        assert sh["-c", 'printf "%s" "$PATH"'] & CAPTURE == (0, path)
    assert local.env["PATH"] == path


def test_missing_path_has_a_safe_default() -> None:
    text = "from oauthkit.shell import CAPTURE, program; print((program('env') & CAPTURE)[1])"
    done = subprocess.run(
        [sys.executable, "-c", text], env={}, cwd="/tmp", stdout=subprocess.PIPE, check=True
    )
    assert done.stdout == b"PATH=/bin:/usr/bin\n"
    prologue = (Path(shell.__file__).with_suffix(".bash")).read_text().partition("# --- Words")[0]
    done = subprocess.run(
        ["/usr/bin/bash", "-c", f"{prologue}\nenv"], env={}, stdout=subprocess.PIPE, check=True
    )
    assert b"PATH=/bin:/usr/bin\n" in done.stdout


def test_ignored_sigchld_does_not_hide_the_status() -> None:
    text = "from oauthkit.shell import RETCODE, program; print(program('false') & RETCODE)"
    argv = ["/usr/bin/env", "--ignore-signal=CHLD", sys.executable, "-c", text]
    done = subprocess.run(argv, env={"PATH": "/usr/bin"}, stdout=subprocess.PIPE, check=True)
    assert done.stdout == b"1\n"


# In the C locale, Python adds LC_CTYPE to its own environment (PEP 538).
@pytest.mark.parametrize("given", [{}, {"LC_ALL": "C"}, {"LANG": "C"}, {"LC_CTYPE": "C"}])
def test_python_adds_nothing_to_the_environment(tools: Path, given: dict[str, str]) -> None:
    environment = {"PATH": str(tools), "HOME": "/", **given}
    text = (
        "from oauthkit.shell import CAPTURE, program;"
        "print(sorted((program('env') & CAPTURE)[1].split('\\n')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", text], env=environment, stdout=subprocess.PIPE, check=True
    )
    wanted = sorted(f"{name}={value}" for name, value in environment.items())
    assert done.stdout.decode().strip() == str(wanted)


def test_environment_is_used_unchanged_without_proc(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: str) -> None:
        raise FileNotFoundError

    local.env["LC_CTYPE"] = "C.UTF-8"
    before = local.env.getdict()
    assert before["PATH"] == str(place / "bin")
    monkeypatch.setattr(shell, "open", refuse, raising=False)
    shell._forget_coerced_locale()
    assert local.env.getdict() == before


def test_variables_that_bash_exports_reach_no_program(tools: Path) -> None:
    body = "() {  :; }"
    kept = {"PATH": str(tools), "BASH_FUNC_x": body, "x%%": body, "BASH_FUNC_y%%": "no body"}
    given = {**kept, "POSIXLY_CORRECT": "y", "BASH_FUNC_env%%": body, "BASH_FUNC_f%%": body}
    text = "from oauthkit.shell import CAPTURE, program; print((program('env') & CAPTURE)[1])"
    done = subprocess.run(
        [sys.executable, "-c", text], env=given, stdout=subprocess.PIPE, check=True
    )
    names = {line.partition("=")[0] for line in done.stdout.decode().splitlines()}
    assert names == kept.keys()
    prologue = (Path(shell.__file__).with_suffix(".bash")).read_text().partition("# --- Words")[0]
    done = subprocess.run(
        ["/usr/bin/bash", "-c", f"{prologue}\nenv"], env=given, stdout=subprocess.PIPE, check=True
    )
    names = {line.partition("=")[0] for line in done.stdout.decode().splitlines()}
    assert names & given.keys() == kept.keys()


def test_child_has_the_working_directory(place: Path) -> None:
    os.chdir(place / "bin")
    assert sh["-c", "pwd"] & CAPTURE == (0, str(place / "bin"))


def test_print_writes_the_original_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    streams = [io.TextIOWrapper(io.BytesIO(), "utf-8", errors="strict") for _ in range(2)]
    for name, stream in zip(("stdout", "stderr"), streams, strict=True):
        monkeypatch.setattr(sys, name, stream)
    shell._keep_bytes()
    for stream in streams:
        print("a\udcffü", file=stream, flush=True)
        assert stream.buffer.getvalue() == b"a\xff\xc3\xbc\n"
    monkeypatch.setattr(sys, "stdout", None)  # closed by the caller
    shell._keep_bytes()


def test_print_keeps_bytes_from_the_start() -> None:
    code = "import oauthkit.shell, sys; print('\\udcff', file=sys.stderr)"
    argv = [sys.executable, "-c", code]
    assert subprocess.run(argv, capture_output=True, check=True).stderr == b"\xff\n"
