"""Untrusted names and contents cannot control a terminal or forge a line."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.host.adopt_checkout import commit, git
from tests.support.host.doctor_host import NOT_FOUND, SCRIPT, fake_manager
from tests.support.host.host_project import SAME_CODE, HostProject

from oauthkit.console import printable
from oauthkit.host.adopt.nanoclaw import OLD
from oauthkit.host.shell_commands import quote

# ESC, newline, C1 as text and as a byte that is not UTF-8, bidirectional override and isolate, DEL.
HOSTILE = "a\x1b]0;x\x07b\nFAIL  forged: x\n\x9b31m\udc9bc\u202ed\u2066e\x7f"
PROGRAM = '''"""A program."""
import sys

from oauthkit.shell import Status


def main(*arguments: str) -> Status:
    """Print a line."""
    print("x")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
'''
NOT_SHOWN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def check(*streams: bytes) -> str:
    """Return the output after checking that it is safe to display."""
    text = b"".join(streams).decode("utf-8")
    assert not NOT_SHOWN.search(text), ascii(text)
    assert not re.search("^FAIL  forged", text, re.MULTILINE), ascii(text)
    return text


@pytest.fixture
def odd(live: HostProject) -> HostProject:
    """Create a project whose name contains control characters."""
    directory = live.project.with_name(HOSTILE)
    live.project.rename(directory)
    live.project, live.dotenv = directory, directory / ".env"
    live.log = directory / "logs/oauth-refresh.log"
    live.program("bash", '#!/bin/sh\nexec /bin/bash "$@"\n')
    return live


def run(host: HostProject, *arguments: str, **env: str) -> str:
    argv = [sys.executable, "-m", "oauthkit", arguments[0], f"--project={host.project}"]
    argv += arguments[1:]
    settings = {"HOME": str(host.home), "PATH": str(host.bin), "COLUMNS": "500", **SAME_CODE}
    done = subprocess.run(argv, env={**settings, **env}, capture_output=True, check=False)
    return check(done.stdout, done.stderr)


def test_names_in_the_output_of_doctor(odd: HostProject) -> None:
    (odd.project / SCRIPT).parent.mkdir(parents=True)
    (odd.project / SCRIPT).touch()
    odd.dotenv.chmod(0o644)
    name = HOSTILE.encode("ascii", "replace").decode()
    fake_manager(odd, argv=f"/bin/bash /{name}/{SCRIPT}", heal=NOT_FOUND)
    shown = run(odd, "doctor")
    assert "FAIL  script: " in shown
    assert "FAIL  .env's mode: " in shown


def test_link_target_in_the_output_of_doctor_and_status(live: HostProject) -> None:
    live.dotenv.unlink()
    live.dotenv.symlink_to(HOSTILE)
    (live.project / HOSTILE).symlink_to(HOSTILE)
    assert "a link that leads to itself" in run(live, "status")
    assert "a link that leads nowhere" in run(live, "doctor")
    (live.project / HOSTILE).unlink()
    (live.project / HOSTILE).mkdir()
    for command in ("status", "doctor"):
        assert "is not a file but a directory" in run(live, command)


@pytest.mark.parametrize("form", [[], ["--json"], ["--prometheus", "-"]])
def test_names_in_the_output_of_status(odd: HostProject, form: list[str]) -> None:
    assert run(odd, "status", *form)
    odd.lines((-60, f"ERROR: {HOSTILE.encode('ascii', 'replace').decode()}"))
    odd.failing = odd.log.with_name("oauth-refresh.failing")
    odd.failing.touch()
    odd.dotenv.unlink()
    odd.dotenv.mkdir()
    assert run(odd, "status", *form)


def test_names_in_the_output_of_install(odd: HostProject) -> None:
    odd.program("systemctl", "#!/bin/sh\n")
    config = str(odd.project)
    assert "wrote " in run(odd, "install", XDG_CONFIG_HOME=config)
    assert "is up to date" in run(odd, "install", XDG_CONFIG_HOME=config)
    assert "removed " in run(odd, "uninstall", XDG_CONFIG_HOME=config)
    assert "a path has characters that a crontab cannot contain" in run(odd, "install", "--cron")
    assert "--watch needs a checkout of NanoClaw" in run(odd, "install", "--watch")
    assert run(odd, "install", XDG_CONFIG_HOME=config)
    shutil.move(odd.project, odd.project.with_name("moved"))
    odd.project = odd.project.with_name("moved")
    shown = run(odd, "install", XDG_CONFIG_HOME=str(odd.project))
    assert "which does not exist. If it was moved" in shown


def test_name_of_a_program_in_the_output_of_run(odd: HostProject) -> None:
    assert ": No such file or directory" in run(odd, "run", "--", f"./{HOSTILE}")


@pytest.mark.parametrize("command", ["doctor", "no-such", "explain", "compile", "adopt"])
def test_arguments_in_messages_of_usage_errors(tmp_path: Path, command: str) -> None:
    for argument in (HOSTILE, f"--{HOSTILE}"):
        argv = [sys.executable, "-m", "oauthkit", command, argument]
        if command == "no-such":
            argv = [*argv[:3], argument]
        env = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", **SAME_CODE}
        done = subprocess.run(argv, env=env, capture_output=True, check=False)
        assert done.returncode in {1, 2}
        assert check(done.stdout, done.stderr)


def test_program_in_the_output_of_compile(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text('def main() -> int:\n    x = "\x1b]0;\x9b\u202e" + 1\n', "utf-8")
    argv = [sys.executable, "-m", "oauthkit", "compile", "x.py"]
    env = {"PATH": "/usr/bin:/bin", **SAME_CODE}
    done = subprocess.run(argv, env=env, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 1
    assert ' "\ufffd]0;\ufffd\ufffd" + 1\n' in check(done.stdout, done.stderr)


def test_stale_script_in_the_output_of_compile(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text(PROGRAM, "utf-8")
    (tmp_path / "x.sh").write_text(f"{HOSTILE}\nx\n".replace("\udc9b", ""), "utf-8")
    argv = [sys.executable, "-m", "oauthkit", "compile", "x.py", "--output=x.sh", "--check"]
    env = {"PATH": "/usr/bin:/bin", **SAME_CODE}
    done = subprocess.run(argv, env=env, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 1
    shown = check(done.stdout, done.stderr)
    assert shown.startswith("--- x.sh (current)\n+++ x.sh (generated)\n@@ -")
    assert "\n-a\ufffd]0;x\ufffdb\n" in shown


def test_names_and_contents_in_the_output_of_adopt(tmp_path: Path) -> None:
    directory = tmp_path / HOSTILE
    forged = "a\n--- a/forged\n+++ b/forged\x1b[2J"
    (directory / "scripts").mkdir(parents=True)
    (directory / "src").mkdir()
    (directory / forged).parent.mkdir(parents=True)
    (directory / OLD).touch()
    (directory / forged).write_text(f"bash {OLD}\t\x1b[2J\x9b\u202e\r+++ b/forged\n", "utf-8")
    (directory / "src" / HOSTILE).write_text("./refresh-oauth.sh\n", "utf-8")
    git(directory, "init", "--quiet")
    commit(directory)
    env = {**os.environ, "HOME": str(tmp_path / "home")}
    for more in (["--dry-run", "--force"], [], ["--force"]):
        argv = [sys.executable, "-m", "oauthkit", "adopt", *more, str(directory)]
        done = subprocess.run(argv, env=env, capture_output=True, check=False)
        assert done.returncode == 1
        shown = check(done.stdout, done.stderr)
        assert not re.search(r"^\+\+\+ b/forged", shown, re.MULTILINE)
        if "--dry-run" in more:
            name = printable(forged)
            assert f"--- a/{name}\n+++ b/{name}\n" in shown
            assert "\n+bash scripts/oauth/refresh.sh\t\ufffd[2J" in shown
            assert "not understood, left unchanged: src/a" in shown


@pytest.mark.parametrize("word", [HOSTILE, "it's\n\\", "\u202e'x'", "\x1b1\x01f", "a b", "é'"])
def test_quoted_word_of_a_command_is_unchanged(word: str) -> None:
    quoted = quote(word)
    assert quoted.isprintable()
    argv = ["bash", "-c", f"printf %s {quoted}"]
    assert subprocess.run(argv, capture_output=True, check=True).stdout == os.fsencode(word)


def test_quoted_word_runs_nothing_in_a_shell_without_ansi_quotes() -> None:
    """In dash, $'…' is a $ and a word in single quotes, where backslashes are literal."""
    quoted = quote("\x01'; echo ran; #")
    assert "'" not in quoted[2:-1]
    argv = ["/bin/sh", "-c", f": {quoted}"]
    assert subprocess.run(argv, capture_output=True, check=False).stdout == b""
