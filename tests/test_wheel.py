"""The compiler and the parity kit work in environments that have only the wheel."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from tests.support.parity_kit.manual import write_project
from tests.support.parity_kit.pytest_runs import run_pytest

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "examples/disk_alarm"

# The report if the quotes in `mail -s "$subject" root` are missing.
REPORT = r"""
bash and python differ in 1 place.

1. call 2, mail: argument 2
     bash    mail -s Disk alarm: 90% or more root
     python  mail -s 'Disk alarm: 90% or more' root
                     ^

The sandboxes are kept (calls and streams: in the directory control):
     bash    DIRECTORY/bash
     python  DIRECTORY/python"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = tmp_path_factory.mktemp("built")
    execute(ROOT, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(built))
    [wheel] = built.iterdir()
    return wheel


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Path:
    """Return the interpreter of an environment that has only oauthkit[parity]."""
    return make_environment(tmp_path_factory.mktemp("environment"), wheel, "parity")


def make_environment(directory: Path, wheel: Path, extra: str) -> Path:
    """Create a virtual environment with the wheel, offline. Return its interpreter.

    The packages that the wheel requires with an extra are those of this test's environment. There
    are no others.
    """
    execute(directory, "-m", "venv", "--without-pip", "venv")
    python = directory / "venv/bin/python"
    pip = ("-m", "pip", "--python", str(python), "install", "--quiet", "--no-index", "--no-deps")
    execute(directory, *pip, "--disable-pip-version-check", str(wheel))
    [packages] = (directory / "venv/lib").glob("python*/site-packages")
    [metadata] = packages.glob("oauthkit-*.dist-info")
    for name in required(Distribution.at(metadata), extra):
        for file in distribution(name).files or ():
            top = file.parts[0]
            if top != ".." and not (packages / top).exists():
                (packages / top).symlink_to(str(distribution(name).locate_file(top)))
    return python


def required(root: Distribution, extra: str) -> set[str]:
    """Return the names of the distributions that one requires with an extra, and their own."""
    found: set[str] = set()
    rest = [(root, extra)]
    while rest:
        one, its_extra = rest.pop()
        for requirement in map(Requirement, one.requires or ()):
            marker = requirement.marker
            is_needed = marker is None or marker.evaluate({"extra": its_extra})
            if is_needed and requirement.name not in found:
                found.add(requirement.name)
                rest.append((distribution(requirement.name), ""))
    return found


def execute(directory: Path, *arguments: str, python: str = sys.executable) -> None:
    """Run Python with these arguments. Raise AssertionError with its output if that fails."""
    done = subprocess.run(
        [python, *arguments], cwd=directory, check=False, timeout=300, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={"HOME": str(directory), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_manual_runs_in_an_empty_directory(tmp_path: Path, python: Path) -> None:
    write_project(tmp_path)
    ran = run_pytest(tmp_path, python=str(python), autoload=True)
    assert ran.status == 0, ran.output
    plugins = re.search(r"^plugins: (.*)$", ran.output, re.MULTILINE)
    assert plugins, ran.output
    assert re.fullmatch(r"oauthkit-[\w.+]+", plugins[1])
    execute(
        tmp_path, "-c", "import sh, plumbum; import importlib.util as u\n"
        "assert not u.find_spec('hypothesis') and not u.find_spec('xdist')",
        python=str(python),
    )  # fmt: skip


def test_example_runs_with_the_wheel_and_fails_if_broken(tmp_path: Path, python: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(EXAMPLE, copy, ignore=shutil.ignore_patterns("__pycache__"))

    ran = run_pytest(copy, "--trace-config", python=str(python), autoload=True)
    assert ran.status == 0, ran.output
    assert re.search(r"^plugins: .*\boauthkit-\d", ran.output, re.MULTILINE)
    assert re.search(rf"oauthkit.parity.plugin' from '{python.parents[1]}/", ran.output)
    passed = re.search(r"=+ (\d+) passed in ", ran.output)
    assert passed, ran.output
    assert int(passed[1]) == 20

    script = copy / "alarm.sh"
    text = script.read_text()
    assert text.count('"$subject"') == 1
    script.write_text(text.replace('"$subject"', "$subject"))
    ran = run_pytest(copy, "--basetemp=kept", python=str(python), autoload=True)
    assert ran.status == 1
    assert "10 failed, 10 passed" in ran.output
    shown = re.search(r"_+ test_full_disk_is_mailed _+\n.*?\n(E .*?)\n\n", ran.output, re.DOTALL)
    assert shown, ran.output
    report = re.sub("(?m)^E {0,7}", "", shown[1]).removeprefix("AssertionError: ")
    directory = f"{copy}/kept/test_full_disk_is_mailed0/pair-0"
    assert report.replace(directory, "DIRECTORY") == REPORT[1:]


def test_compiler_needs_only_the_package(tmp_path: Path, wheel: Path) -> None:
    python = make_environment(tmp_path, wheel, "")
    execute(
        tmp_path, "-c", "import plumbum, importlib.util as u\n"
        "assert not any(map(u.find_spec, ('pytest', 'rich', 'sh', 'watchfiles')))",
        python=str(python),
    )  # fmt: skip
    example = ROOT / "examples/backup"
    program = tmp_path / "backup.py"
    shutil.copy(example / "backup.py", program)
    compiling = ("-m", "oauthkit", "compile", "backup.py", "-o", "backup.sh")
    execute(tmp_path, *compiling, python=str(python))
    assert (tmp_path / "backup.sh").read_bytes() == (example / "backup.sh").read_bytes()
    execute(tmp_path, *compiling, "--check", python=str(python))
