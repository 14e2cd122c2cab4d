"""The example runs with the wheel, in its own environment."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from tests.support.parity_kit.pytest_runs import run_pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples/disk_alarm"

# The report if the quotes of `mail -s "$subject" root` are missing.
REPORT = r"""
bash and python differ in 1 place.

1. call 2, mail: argument 2
     bash    mail -s Disk alarm: 90% or more root
     python  mail -s 'Disk alarm: 90% or more' root
                     ^

The sandboxes are kept (calls and streams: in the directory control):
     bash    DIRECTORY/bash
     python  DIRECTORY/python"""


def environment_with_the_wheel(directory: Path) -> Path:
    """Create a virtual environment with the wheel, offline. Return its interpreter.

    All other packages are those of this test's environment.
    """
    built = directory / "built"
    execute(ROOT, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(built))
    [wheel] = built.iterdir()
    execute(directory, "-m", "venv", "--without-pip", "venv")
    python = directory / "venv/bin/python"
    pip = ("-m", "pip", "--python", str(python), "install", "--quiet", "--no-index", "--no-deps")
    execute(directory, *pip, "--disable-pip-version-check", str(wheel))
    others = directory / "others"
    others.mkdir()
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if "oauthkit" not in entry.name and entry.suffix != ".pth":
            (others / entry.name).symlink_to(entry)
    [packages] = (directory / "venv/lib").glob("python*/site-packages")
    (packages / "others.pth").write_text(f"{others}\n")
    return python


def execute(directory: Path, *arguments: str) -> None:
    """Run Python with these arguments. Raise AssertionError with its output if that fails."""
    done = subprocess.run(
        [sys.executable, *arguments], cwd=directory, check=False, timeout=300, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={"HOME": str(directory), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_example_runs_with_the_wheel_and_fails_if_broken(tmp_path: Path) -> None:
    python = environment_with_the_wheel(tmp_path)
    copy = tmp_path / "copy"
    shutil.copytree(EXAMPLE, copy, ignore=shutil.ignore_patterns("__pycache__"))

    ran = run_pytest(copy, "--trace-config", python=str(python), autoload=True)
    assert ran.status == 0, ran.output
    assert re.search(r"^plugins: .*\boauthkit-\d", ran.output, re.MULTILINE)
    assert re.search(rf"oauthkit.parity.plugin' from '{tmp_path}/venv/", ran.output)
    passed = re.search(r"=+ (\d+) passed in ", ran.output)
    assert passed, ran.output
    assert int(passed[1]) == 20

    script = copy / "alarm.sh"
    text = script.read_text()
    assert text.count('"$subject"') == 1
    script.write_text(text.replace('"$subject"', "$subject"))
    ran = run_pytest(copy, "--basetemp=kept", python=str(python))
    assert ran.status == 1
    assert "10 failed, 10 passed" in ran.output
    shown = re.search(r"_+ test_full_disk_is_mailed _+\n.*?\n(E .*?)\n\n", ran.output, re.DOTALL)
    assert shown, ran.output
    report = re.sub("(?m)^E {0,7}", "", shown[1]).removeprefix("AssertionError: ")
    directory = f"{copy}/kept/test_full_disk_is_mailed0/pair-0"
    assert report.replace(directory, "DIRECTORY") == REPORT[1:]
