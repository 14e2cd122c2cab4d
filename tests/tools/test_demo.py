"""scripts/demo shows what happened, removes its files, and stops its processes."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LIMIT_S = 60
ESCAPE = "\033["


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return a directory with a copy of the demo's input, so that a test can change it."""
    if shutil.which("jq") is None:
        pytest.skip("jq not found in PATH. Install it: sudo apt-get install -y jq")
    for name in ("tools/demo.py", "scripts/oauth/refresh.sh"):
        (tmp_path / name).parent.mkdir(parents=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "home").mkdir()
    (tmp_path / "tmp").mkdir()
    return tmp_path


def environment(place: Path, **settings: str) -> dict[str, str]:
    return {
        "HOME": str(place / "home"),
        "TMPDIR": str(place / "tmp"),
        "PATH": os.environ["PATH"],
        **settings,
    }


def command(place: Path) -> list[str]:
    return [sys.executable, str(place / "tools/demo.py")]


def run(place: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(place),
        env=environment(place, **settings),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


def left_behind(place: Path) -> list[Path]:
    return [*(place / "home").iterdir(), *(place / "tmp").iterdir()]


def test_forms_agree_and_clean_up(place: Path) -> None:
    result = run(place, COLUMNS="80")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Identical in all 4 scenes" in result.stdout
    assert result.stderr == ""
    assert left_behind(place) == []
    for shown in (
        "  claude -p ok",
        "+ CLAUDE_CODE_OAUTH_TOKEN=",
        "Claude CLI refreshed token",
        "exit status 1 ",
    ):
        assert shown in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert ESCAPE not in result.stdout


@pytest.mark.parametrize(
    ("part", "other"),
    [
        ("successfully", "well"),  # the log
        ("-p ok", "-p no"),  # a call
        ("  return 1\n  fi\n  return 0", "  return 3\n  fi\n  return 0"),  # the exit status
        ('result+="$found$token"', 'result+="$found$token "'),  # .env
    ],
)
def test_difference_is_shown(place: Path, part: str, other: str) -> None:
    script = place / "scripts/oauth/refresh.sh"
    text = script.read_text()
    if part not in text:
        pytest.fail(f"the script no longer contains {part!r}")
    script.write_text(text.replace(part, other))
    result = run(place)
    assert result.returncode == 1, result.stdout
    assert re.search(r"^NOT identical: scene [1-4]", result.stdout, re.MULTILINE)
    assert " ! " in result.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_leaves_nothing_behind(place: Path, number: signal.Signals) -> None:
    process = subprocess.Popen(
        command(place),
        env=environment(place),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        deadline_s = time.monotonic() + LIMIT_S
        while not list((place / "tmp").glob("oauthkit-demo-*/world/calls")):
            assert process.poll() is None
            assert time.monotonic() < deadline_s
            time.sleep(0.01)
        process.send_signal(number)
        said, _ = process.communicate(timeout=LIMIT_S)
        assert process.returncode == 128 + number, said
    finally:
        process.kill()
        process.communicate()
    assert "exit status" not in said
    assert left_behind(place) == []


def on_terminal(place: Path, **settings: str) -> str:
    """Return the demo's output on a terminal."""
    parent, child = os.openpty()
    with subprocess.Popen(
        command(place),
        env=environment(place, TERM="xterm", **settings),
        stdin=subprocess.DEVNULL,
        stdout=child,
        stderr=child,
    ) as process:
        os.close(child)
        output = b""
        try:
            while chunk := os.read(parent, 65536):
                output += chunk
        except OSError:
            pass  # on Linux: the last writer has closed the terminal
        finally:
            os.close(parent)
        assert process.wait(LIMIT_S) == 0
    return output.decode()


def test_colour_only_on_a_terminal_without_no_color(place: Path) -> None:
    assert ESCAPE in on_terminal(place)
    assert ESCAPE not in on_terminal(place, NO_COLOR="1")


def test_closed_pipe_causes_no_traceback(place: Path) -> None:
    quoted = " ".join(f"'{word}'" for word in command(place))
    result = subprocess.run(
        ["bash", "-c", f"{quoted} | head -n 1"],
        env=environment(place),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert result.stdout.startswith("One refresh, two forms")
    assert result.stderr == ""
    assert left_behind(place) == []


def test_missing_jq_is_reported_with_an_install_command(place: Path) -> None:
    result = run(place, PATH=str(place))
    assert result.returncode == 1
    assert result.stderr == "demo: jq not found in PATH. Install it: sudo apt-get install -y jq\n"


@pytest.mark.parametrize(("argument", "status"), [("--help", 0), ("-h", 0), ("x", 2)])
def test_usage(argument: str, status: int) -> None:
    result = subprocess.run(
        [str(ROOT / "scripts/demo"), argument], capture_output=True, text=True, check=False
    )
    assert result.returncode == status
    said, silent = (result.stdout, result.stderr) if status == 0 else (result.stderr, result.stdout)
    assert said.startswith("usage: scripts/demo")
    assert silent == ""
