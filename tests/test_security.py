"""SECURITY.md names a test for each defence, and each of these tests exists."""

from __future__ import annotations

import ast
import json
import os
import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
POLICY = (REPOSITORY / "SECURITY.md").read_text("utf-8")
# `tests/….py::test_name` or `tests/….bats` "title".
REFERENCE = re.compile(r'`(tests/[\w/]+\.py)::(\w+)`|`(tests/[\w/]+\.bats)` "([^"|]+)"')
HEADING = ("| threat | defence | test |", "| --- | --- | --- |")
LIMIT_S = 60
# Without systemd-run, no next run is scheduled.
TOOLS = (
    "bash", "cat", "chmod", "cp", "dd", "flock", "head", "jq", "mkdir", "mv", "readlink", "rm",
    "sleep", "stat", "sync", "timeout", "tr", "yes",
)  # fmt: skip
CLAUDE = """\
#!/bin/sh
{ ulimit -S -c; ulimit -H -c; } >"$HOME/core"
yes 'a word' | tr '\\n' ' ' | head -c 8000000
exit 1
"""
FORMS = {
    "python": [sys.executable, "-m", "oauthkit", "refresh", "--project"],
    "bash": ["bash"],
}


def references(text: str) -> list[tuple[str, str]]:
    """Return the tests that a text names: path, and function or title."""
    return [(found[1] or found[3], found[2] or found[4]) for found in REFERENCE.finditer(text)]


def exists(path: str, name: str) -> bool:
    """Return whether a file has a test of this name. The file is read, not run."""
    file = REPOSITORY / path
    if not file.is_file():
        return False
    text = file.read_text("utf-8")
    if file.suffix == ".bats":
        titles = re.findall(r"""^@test (["'])(.*)\1 \{$""", text, re.MULTILINE)
        return name in [title for _, title in titles]
    functions = [node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
    return name.startswith("test_") and name in [function.name for function in functions]


def test_named_tests_exist() -> None:
    named = references(POLICY)
    assert [f"{path}: {name}" for path, name in named if not exists(path, name)] == []


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("tests/test_supply_chain.py", "test_actions"),  # the beginning of a name
        ("tests/test_supply_chain.py", "locked"),
        ("tests/none.py", "test_actions_and_images_are_pinned"),
        ("tests/refresh/delivery/script.bats", "a missing .env is made"),
    ],
)
def test_missing_test_is_noticed(path: str, name: str) -> None:
    assert not exists(path, name)


def test_each_defence_names_a_test() -> None:
    defences = POLICY.partition("\n## Defences\n")[2].partition("\n## ")[0]
    lines = [line for line in defences.splitlines() if line.startswith("|")]
    rows = [line for line in lines if line not in HEADING]
    assert rows
    for row in rows:
        _, threat, defence, tests, _ = row.split("|")
        assert references(tests), row
        assert not references(threat + defence), row
        # The cell has only these two forms of references, because others would not be checked.
        assert re.fullmatch(r"[ ,]*", REFERENCE.sub("", tests)), row


@pytest.mark.parametrize("form", FORMS)
def test_refresh_disables_core_dumps_and_bounds_output(tmp_path: Path, form: str) -> None:
    """Both apply to claude, which has the tokens in memory and may print anything."""
    if resource.getrlimit(resource.RLIMIT_CORE)[1] == 0:
        pytest.skip("core dumps are already disabled here, beyond this process's control")
    tools, home, project = (tmp_path / name for name in ("bin", "home", "project"))
    script = project / "scripts/oauth/refresh.sh"
    for directory in (tools, home / ".claude", script.parent):
        directory.mkdir(parents=True)
    shutil.copy(REPOSITORY / "scripts/oauth/refresh.sh", script)
    for name in TOOLS:
        (tools / name).symlink_to(str(shutil.which(name)))
    (tools / "claude").write_text(CLAUDE, encoding="utf-8")
    (tools / "claude").chmod(0o755)
    login = {"claudeAiOauth": {"accessToken": "made-up-access-token", "expiresAt": 1}}
    (home / ".claude/.credentials.json").write_text(json.dumps(login), encoding="utf-8")
    environment = {"HOME": str(home), "PATH": str(tools), "PROJECT": str(project)}
    if "PYTHONPATH" in os.environ:
        environment["PYTHONPATH"] = os.environ["PYTHONPATH"]
    raise_limit = 'ulimit -S -c "$(ulimit -H -c)"; exec "$@"'
    argv = [*FORMS[form], str(project if form == "python" else script)]
    done = subprocess.run(
        ["/bin/sh", "-c", raise_limit, "sh", *argv],
        env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        timeout=LIMIT_S,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert (home / "core").read_text("utf-8").split() == ["0", "0"]
    log = (project / "logs/oauth-refresh.log").read_text("utf-8")
    printed = [line for line in log.splitlines() if " claude: " in line]
    assert {len(line.partition("claude: ")[2]) for line in printed} == {8192}
