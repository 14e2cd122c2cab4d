"""scripts/oauth/README.md lists exactly the program's log lines, settings and times."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from oauthkit import shell
from oauthkit.program import (
    command_output,
    credentials,
    delivery,
    hooks,
    limits,
    lock_log,
    refresh,
    renewal,
    schedule,
    start,
)

ROOT = Path(__file__).parents[2]
README = (ROOT / "scripts/oauth/README.md").read_text(encoding="utf-8")
FILES = [
    ast.parse(path.read_text(encoding="utf-8"))
    for path in sorted((ROOT / "py/oauthkit/program").glob("*.py"))
]
MODULES = (
    refresh,
    start,
    lock_log,
    credentials,
    renewal,
    delivery,
    schedule,
    hooks,
    command_output,
    limits,
)
CONSTANTS = {name: value for module in MODULES for name, value in vars(module).items()}
FUNCTIONS = {
    node.name: node for file in FILES for node in file.body if isinstance(node, ast.FunctionDef)
}

# The functions that return a problem as a text, or as the first of several results.
RETURNS_PROBLEM = (
    "read_credentials",
    "find_claude",
    "read_records",
    "store_error",
    "open_directory",
    "list_directory",
    "open_etcd",
    "etcd_error",
    "age_problem",
    "hidden_setting",
    "read_key_file",
    "decrypt_records",
    "host_name",
    "renew",
    "renew_once",
    "live_token",
    "limit_rejected_starts",
    "limit_failures",
    "record_start",
    "follow",
    "write_problem",
    "write_target",
    "deliver_token",
    "deliver_bearer",
)


def literal_text(node: ast.expr) -> str | None:
    """Return a literal text with {} for each value in it, or None for other expressions."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(literal_text(part) or "{}" for part in parts)
        case ast.FormattedValue(value=value):
            return literal_text(value)
        case ast.Name(id=name) if isinstance(CONSTANTS.get(name), str):
            return str(CONSTANTS[name])
    return None


def problems(function: ast.FunctionDef) -> set[str]:
    """Return the problems that `function` returns or assigns."""
    values: list[ast.expr] = []
    for node in ast.walk(function):
        match node:
            case ast.Return(value=ast.Tuple(elts=[first, *_])) if function.name in RETURNS_PROBLEM:
                values.append(first)
            case ast.Return(value=ast.expr() as value) if function.name in RETURNS_PROBLEM:
                values.append(value)
            case ast.Assign(targets=[ast.Name(id="problem" | "bearer_problem")], value=value):
                values.append(value)
    return {f"ERROR: {text}" for value in values if (text := literal_text(value))}


def logged(function: ast.FunctionDef) -> set[str]:
    """Return the lines that `function` logs, including those with a program's output."""
    found = set()
    for node in ast.walk(function):
        match node:
            case ast.Call(func=ast.Name(id="log" | "log_error"), args=[argument]):
                found.add(literal_text(argument) or "{}")
            case ast.Call(func=ast.Name(id="log_output"), args=[argument, _]):
                if source := literal_text(argument):
                    found.add(f"{source}: {{}}")
            case (
                ast.Return(value=ast.JoinedStr() as value)
                | ast.AugAssign(target=ast.Name(id="errors"), value=ast.JoinedStr() as value)
            ) if function.name in {"read_settings", "read_setting"}:
                # It returns one line for each error. refresh logs them.
                found.add(f"WARN: {literal_text(value)}".removesuffix("\n"))
    return found


# Lines whose text another function returns. It is collected there.
GENERIC = {"ERROR: {}", "{}: {}"}
MESSAGES = sorted(
    set[str]().union(*(problems(node) | logged(node) for node in FUNCTIONS.values())) - GENERIC
)


def section(title: str) -> str:
    return README.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def first_cells(title: str) -> list[str]:
    """Return the code in the first cell of each table row in a section."""
    return re.findall(r"^\| `([^`]+)`", section(title), re.MULTILINE)


def pattern(message: str) -> re.Pattern[str]:
    """Return a pattern for the README's form of `message`, with capitals for each value."""
    return re.compile("([A-Z]+|[0-9]+)".join(map(re.escape, message.split("{}"))))


def test_collection_finds_messages() -> None:
    assert len(MESSAGES) > 30
    assert "ERROR: {} not found" in MESSAGES
    assert "ERROR: no accessToken in credentials" in MESSAGES
    assert "ERROR: {} cannot be written and is unchanged" in MESSAGES
    assert "Scheduled next refresh at {}" in MESSAGES
    assert "systemd-run: {}" in MESSAGES


@pytest.mark.parametrize("message", MESSAGES)
def test_each_message_is_explained(message: str) -> None:
    assert any(pattern(message).fullmatch(line) for line in first_cells("Log lines"))


@pytest.mark.parametrize("line", first_cells("Log lines"))
def test_each_explained_line_is_logged(line: str) -> None:
    assert any(pattern(message).fullmatch(line) for message in MESSAGES)


def test_messages_on_stderr_are_documented() -> None:
    said = {
        text
        for name in ("set_up", "check_log_path", "lock_project")
        for node in ast.walk(FUNCTIONS[name])
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "complain"
        if (text := literal_text(node.args[0]))
    }
    assert len(said) == 5
    spans = re.findall(r"`([^`]+)`", section("Log lines"))
    assert [text for text in said if not any(pattern(text).fullmatch(span) for span in spans)] == []


def settings() -> set[str]:
    """Return the names of the environment variables that the program reads."""
    found = set()
    for node in (node for file in FILES for node in ast.walk(file)):
        match node:
            case ast.Call(
                func=ast.Attribute(
                    value=ast.Attribute(value=ast.Name(id="local"), attr="env"), attr="get"
                ),
                args=[ast.Constant(value=str(name)), *_],
            ):
                found.add(name)
    return found - {"OAUTHKIT_OUTPUT"}  # the program sets it itself


def test_variables_of_hooks_are_documented() -> None:
    names = set(re.findall(r"env\['(OAUTHKIT_\w+)'\] = ", "".join(map(ast.unparse, FILES))))
    names -= settings() - {"OAUTHKIT_DOTENV"}
    assert len(names) == 6
    cells = re.findall(r"^\| `([\w-]+)` \|", section("Hooks"), re.MULTILINE)
    assert cells[:4] == ["renewed", "failed", "recovered", "login-ending"]
    assert {*cells[4:]} == names | {"OAUTHKIT_BEARER"}


def test_settings_match_the_program() -> None:
    assert set(first_cells("Settings")) == settings()


def test_variables_hidden_from_claude_are_listed() -> None:
    hidden = set(re.findall(r"env\.pop\('(\w+)'", "".join(map(ast.unparse, FILES))))
    assert len(hidden) >= 6
    named = set(re.findall(r"`([A-Z_]+)`", section("Settings").rpartition("|\n")[2]))
    assert named | {"OAUTHKIT_OUTPUT"} == hidden


@pytest.mark.parametrize(
    "time",
    [
        f"{credentials.RENEW_BEFORE_MS // 60_000} min",
        f"{schedule.SCHEDULE_BEFORE_MS // 60_000} min",
        f"{schedule.RETRY_MS // 60_000} min",
        f"{schedule.LONGEST_WAIT_MS // 3_600_000} h",
        f"{schedule.SHORTEST_WAIT_MS // 1000} s",
        f"{lock_log.LOCK_WAIT_S} s",
        f"{limits.CLAUDE_LIMIT_S} s",
        f"{limits.HOOK_LIMIT_S} s",
    ],
)
def test_times_match_the_program(time: str) -> None:
    assert f"| {time} |" in section("States and times")


def test_sizes_and_other_numbers_match_the_program() -> None:
    assert f"{limits.GRACE_S} s later SIGKILL" in README
    assert f"at most {command_output.OUTPUT_LIMIT_LINES} lines" in section("Log lines")
    assert f"{shell.OUTPUT_LIMIT_BYTES // 1024} KiB" in section("Log lines")
    assert f"Past {lock_log.LOG_LIMIT_BYTES // 1024**2} MiB" in section("Log lines")


SKILL = (ROOT / "container/skills/refresh-oauth/SKILL.md").read_text(encoding="utf-8")


def test_skill_has_a_description() -> None:
    front = re.match(r"---\nname: (.+)\ndescription: (.+)\n---\n\n# ", SKILL)
    assert front
    assert front[1] == "refresh-oauth"
    assert 100 < len(front[2]) <= 1024
    assert ": " not in front[2]  # would not be a plain scalar in YAML


@pytest.mark.parametrize("number", [0, 1])
def test_skill_commands_write_the_request(tmp_path: Path, number: int) -> None:
    commands = re.findall(r"^```bash\n(.*?)^```$", SKILL, re.MULTILINE | re.DOTALL)
    assert len(commands) == 2
    command = commands[number]
    assert command.count("/workspace/ipc/tasks/") == 1
    tasks = tmp_path / "tasks"
    tasks.mkdir()
    environment = {"PATH": os.environ["PATH"], "CLAUDE_CODE_OAUTH_TOKEN": "sk-ant-made-up"}
    command = command.replace("/workspace/ipc", str(tmp_path))
    done = subprocess.run(
        ["bash", "-ec", command], check=True, env=environment, capture_output=True
    )
    assert (done.stdout, done.stderr) == (b"", b"")
    (request,) = tasks.iterdir()
    assert re.fullmatch(r"refresh-oauth-[0-9]+\.json", request.name)
    fingerprint = hashlib.sha256(b"sk-ant-made-up").hexdigest()[:16]
    rejected = [{"rejected": fingerprint}, {}][number]
    assert json.loads(request.read_text()) == {"type": "refresh_oauth", **rejected}
