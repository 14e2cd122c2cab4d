"""All downloads of CI and scripts/setup are pinned, and their hashes are checked."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

REPOSITORY = Path(__file__).parents[1]
REQUIREMENTS = REPOSITORY / "requirements"
WORKFLOWS = sorted((REPOSITORY / ".github/workflows").glob("*.y*ml"))
# The extras that each lock contains.
EXTRAS = {"run": "", "dev": "dev"}
PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
# A shell that runs what curl or wget downloads: through a pipe, <( ) or $( ).
PIPED_INTO_SHELL = re.compile(
    r"\b(?:curl|wget)\b[^\n|;]*\|\s*(?:sudo\s+|env\s+)?(?:/\S*/)?(?:ba|da|k|z)?sh\b"
    r"""|\b(?:ba|da|k|z)?sh\b[^\n|;]{0,20}[<$]\(\s*(?:curl|wget)\b"""
)


def locked(name: str) -> dict[str, list[Requirement]]:
    """Return a lock file's requirements by project name. Each has hashes."""
    found: dict[str, list[Requirement]] = {}
    text = (REQUIREMENTS / f"{name}.lock").read_text("utf-8")
    for entry in text.replace("\\\n", " ").splitlines():
        pin, *hashes = entry.split(" --hash=sha256:")
        assert hashes, entry
        assert all(re.fullmatch(r"[0-9a-f]{64}", value.strip()) for value in hashes), entry
        requirement = Requirement(pin)
        assert re.fullmatch(r"==[\w.]+", str(requirement.specifier)), entry
        found.setdefault(normalized(requirement.name), []).append(requirement)
    return found


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def applies(requirement: Requirement, python: str) -> bool:
    """Return whether a requirement's marker is true on Linux with this version of Python."""
    environment: dict[str, str] = {**default_environment()}  # type: ignore[dict-item]
    environment |= {"python_version": python, "python_full_version": f"{python}.0"}
    return requirement.marker is None or requirement.marker.evaluate(environment)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_actions_and_images_are_pinned(workflow: Path) -> None:
    text = workflow.read_text("utf-8")
    used = re.findall(r"^[\s-]*uses:\s*(.*)", text, re.MULTILINE)
    images = re.findall(r"^[\s-]*(?:image|container):[ \t]*(\S.*)", text, re.MULTILINE)
    assert used
    for action in used:
        assert re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d[\d.]*", action), action
    for image in images:
        if image == "${{ matrix.image }}":  # the matrix lists the images
            continue
        assert re.fullmatch(r"[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}", image), image


def test_ci_runs_on_each_supported_python() -> None:
    text = (REPOSITORY / ".github/workflows/ci.yml").read_text("utf-8")
    assert f"python: {json.dumps(PYTHONS)}\n" in text
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["requires-python"] == f">={PYTHONS[0]}"


def test_release_publishes_without_a_secret_and_compares_the_script() -> None:
    text = (REPOSITORY / ".github/workflows/release.yml").read_text("utf-8")
    build, publish = text.split("\n  publish:\n")
    assert "oauthkit generate --check\n" in build
    assert 'cmp "wheel/oauthkit/_data/$name.sh" "scripts/oauth/$name.sh"\n' in build
    assert "secrets." not in text
    # The job that may publish does not run code of this repository.
    assert "id-token" not in build
    assert "\n    permissions:\n      id-token: write\n    steps:\n" in publish
    assert publish.startswith("    needs: build\n")
    assert not re.search(r"\brun:|checkout", publish)


def test_urls_of_a_release_are_valid(tmp_path: Path) -> None:
    text = (REPOSITORY / ".github/workflows/release.yml").read_text("utf-8")
    (step,) = re.findall(r"- name: Add project.urls\n {8}run: \|\n((?: {10}.*\n)+)", text)
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
    env = {"GITHUB_SERVER_URL": "https://example.org", "GITHUB_REPOSITORY": "o/r"}
    subprocess.run(["/bin/bash", "-ec", step], cwd=tmp_path, env=env, check=True)
    project = tomllib.loads((tmp_path / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["name"] == "oauthkit"
    assert project["urls"] == {
        "Repository": "https://example.org/o/r",
        "Issues": "https://example.org/o/r/issues",
        "Changelog": "https://example.org/o/r/blob/main/CHANGELOG.md",
    }


@pytest.mark.parametrize("name", EXTRAS)
@pytest.mark.parametrize("python", PYTHONS)
def test_locks_satisfy_pyproject(name: str, python: str) -> None:
    project: dict[str, Any] = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
    wanted = [
        *project["project"]["dependencies"],
        *project["build-system"]["requires"],
        *project["project"]["optional-dependencies"].get(EXTRAS[name], ()),
        "pip",
    ]
    lock = locked(name)
    for requirement in map(Requirement, wanted):
        pins = [
            pin
            for pin in lock.get(normalized(requirement.name), ())
            if not applies(requirement, python) or applies(pin, python)
        ]
        assert len(pins) == 1, f"{requirement}: run scripts/lock"
        (version,) = (specifier.version for specifier in pins[0].specifier)
        assert requirement.specifier.contains(version), f"{requirement}: run scripts/lock"


def test_run_and_dev_locks_agree() -> None:
    """A marker may be missing in dev, because more packages need the requirement there."""
    dev, run = (
        {name: {str(pin.specifier) for pin in pins} for name, pins in locked(lock).items()}
        for lock in ("dev", "run")
    )
    assert {name: dev[name] for name in run} == run


def test_npm_lock_satisfies_package_json() -> None:
    package = json.loads((REQUIREMENTS / "npm/package.json").read_text("utf-8"))
    packages = json.loads((REQUIREMENTS / "npm/package-lock.json").read_text("utf-8"))["packages"]
    assert packages.pop("")["dependencies"] == package["dependencies"]
    for name, spec in package["dependencies"].items():
        assert packages[f"node_modules/{name}"]["version"] == spec.rpartition("@")[2], name
    for name, entry in packages.items():
        assert entry["integrity"].startswith("sha512-"), name
    for machine in ("x64", "arm64"):
        native = f"node_modules/@anthropic-ai/claude-code-linux-{machine}"
        assert any(name.endswith(native) for name in packages), machine


def test_locks_do_not_name_a_registry() -> None:
    for lock in REQUIREMENTS.glob("*.lock"):
        assert "://" not in lock.read_text("utf-8"), lock
    packages = json.loads((REQUIREMENTS / "npm/package-lock.json").read_text("utf-8"))["packages"]
    for entry in packages.values():
        entry.pop("funding", None)
    assert "://" not in json.dumps(packages)


def test_setup_installs_only_what_is_locked() -> None:
    setup = (REPOSITORY / "scripts/setup").read_text("utf-8").replace("\\\n", " ")
    lines = [line.strip() for line in setup.splitlines() if not line.strip().startswith("#")]
    calls = [line for line in lines if line.startswith("pip_install ")]
    assert calls == [
        'pip_install --require-hashes "${wheels[@]}" --requirement "$lock"',
        "pip_install --no-deps --no-build-isolation --editable .",
    ]
    assert sum("pip install" in line for line in lines) == 2  # in pip_install and its message
    npm = [line for line in lines if re.search(r"(?<!['/])\bnpm \w", line)]
    assert len(npm) == 1
    assert " npm ci " in npm[0]
    assert " --ignore-scripts " in npm[0]
    assert "requirements/*.lock" in setup.partition("\nrecipe() {")[2].partition("\n}")[0]


def test_workflows_install_nothing_else() -> None:
    files = [*REPOSITORY.glob(".github/workflows/*.yml"), *REPOSITORY.glob(".ci/*")]
    lines = [line for file in files for line in file.read_text("utf-8").splitlines()]
    assert [line for line in lines if re.search(r"\bpipx? install|\bnpm (i|install)\b", line)] == []


def test_setup_accepts_only_signed_debian_packages() -> None:
    setup = (REPOSITORY / "scripts/setup").read_text("utf-8")
    assert "'deb [signed-by=%s] %s %s main\\n' \"$keyring\"" in setup
    for option in (
        "APT::Get::AllowUnauthenticated",
        "Acquire::AllowInsecureRepositories",
        "Acquire::AllowWeakRepositories",
        "Acquire::AllowDowngradeToInsecureRepositories",
    ):
        assert f"-o {option}=false" in setup
    assert not re.search(r"trusted=yes|allow-unauthenticated|--force-yes", setup)


def test_nothing_that_is_downloaded_runs_in_a_shell() -> None:
    argv = ["git", "-C", str(REPOSITORY), "ls-files", "-z"]
    names = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split("\0")
    files = [REPOSITORY / name for name in names if name]
    assert REPOSITORY / "README.md" in files
    for file in files:
        if file.is_file() and file != Path(__file__):
            found = PIPED_INTO_SHELL.findall(file.read_bytes().decode("utf-8", "replace"))
            assert not found, file


@pytest.mark.parametrize(
    "line",
    [
        "curl -fsSL https://example.org/install.sh | bash",
        "wget -qO- https://example.org/x | sudo sh",
        "curl x | /bin/sh -s",
        'sh -c "$(curl -fsSL https://example.org/x)"',
        "bash <(curl -fsSL https://example.org/x)",
    ],
)
def test_downloads_piped_to_a_shell_are_found(line: str) -> None:
    assert PIPED_INTO_SHELL.search(line)
