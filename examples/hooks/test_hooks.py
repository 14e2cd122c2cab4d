"""Each hook does what its comment says, and never passes the token in an argument."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.support.host.ntfy_server import add_curl, serving

HERE = Path(__file__).parent
README = (HERE / "README.md").read_text("utf-8")
SCRIPTS = sorted(path.name for path in HERE.glob("*.sh"))
TOKEN = "sk-ant-oat01-made-up-Az09._~+/-="  # noqa: S105 made up
HOST = os.uname().nodename
TOOLS = ("cat", "cp", "grep", "mv", "sed", "sh", "tail", "touch", "uname")
COMPOSE = shutil.which(
    "docker-compose",
    path=f"{HERE.parents[1] / '.tools/docker-compose'}:{os.environ['PATH']}",
)


class Hooks:
    """A project whose hooks find only programs that record their arguments."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.project = root / "nano claw"
        self.directory = self.project / "scripts/oauth/hooks"
        self.home = root / "home"
        self.bin = root / "bin"
        self.argv = root / "argv"
        self.stdin = root / "stdin"
        for directory in (self.directory, self.home, self.bin, self.project / "logs"):
            directory.mkdir(parents=True)
        self.dotenv = self.project / ".env"
        self.dotenv.write_text(f"A=1\nCLAUDE_CODE_OAUTH_TOKEN={TOKEN}\nB=2\n", "utf-8")
        for tool in TOOLS:
            self.program(tool, f'exec /usr/bin/{tool} "$@"')

    def program(self, name: str, text: str) -> None:
        """Put a program into PATH that records its name and arguments, and then runs `text`."""
        record = f"printf '%s\\n' {name} \"$@\" >>'{self.argv}'"
        (self.bin / name).write_text(f"#!/bin/sh\n{record}\n{text}\n", "utf-8")
        (self.bin / name).chmod(0o755)

    def run(
        self, script: str, event: str, reason: str = "", **settings: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a hook as a refresh does, after replacing the `settings` at the top of the script."""
        text = (HERE / script).read_text("utf-8")
        for name, value in settings.items():
            text, count = re.subn(rf"(?m)^{name}=\S+", f"{name}={value}", text)
            assert count == 1
        hook = self.directory / event
        hook.write_text(text, "utf-8")
        hook.chmod(0o755)
        env = {
            "HOME": str(self.home),
            "PATH": str(self.bin),
            "OAUTHKIT_EVENT": event,
            "OAUTHKIT_REASON": reason,
            "OAUTHKIT_DOTENV": str(self.dotenv),
        }
        done = subprocess.run(
            [hook], env=env, cwd="/", capture_output=True, text=True, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert TOKEN not in done.stdout + done.stderr
        assert TOKEN not in self.arguments()
        return done

    def arguments(self) -> str:
        """Return the record of all arguments."""
        return self.argv.read_text("utf-8") if self.argv.exists() else ""

    def calls(self, name: str) -> list[str]:
        """Return all lines recorded after a program's name: its arguments, if it ran last."""
        lines = self.arguments().splitlines()
        return lines[lines.index(name) + 1 :]


@pytest.fixture
def hooks(tmp_path: Path) -> Hooks:
    return Hooks(tmp_path)


def test_stand_in_records_a_token(hooks: Hooks) -> None:
    """Check that a token in an argument is recorded.

    Otherwise, the checks in Hooks.run could never fail.
    """
    subprocess.run([hooks.bin / "uname", TOKEN], check=False, capture_output=True)
    assert TOKEN in hooks.arguments()


@pytest.mark.parametrize("script", SCRIPTS)
def test_script_is_in_the_table(script: str) -> None:
    (row,) = re.findall(rf"(?m)^\| `{re.escape(script)}` \| (.+?) \|", README)
    text = (HERE / script).read_text("utf-8")
    (named,) = re.findall(r"(?m)^# Hooks?: ([a-z, -]+)\.", text)
    assert re.findall(r"`([a-z-]+)`", row) == named.split(", ")
    assert (HERE / script).stat().st_mode & 0o777 == 0o755
    assert text.startswith("#!/bin/sh\n# ")


def test_every_script_in_the_table_exists() -> None:
    assert sorted(re.findall(r"(?m)^\| `([a-z-]+\.sh)` \|", README)) == SCRIPTS


# --- OneCLI ---


def test_onecli(hooks: Hooks) -> None:
    add_curl(hooks.bin, hooks.argv)
    key = hooks.home / ".config/oauthkit/onecli-header"
    key.parent.mkdir(parents=True)
    key.write_text("Authorization: Bearer oc_made-up\n", "utf-8")
    with serving() as (address, requests):
        done = hooks.run("onecli.sh", "renewed", api=f"{address}/v1", id="the-id")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    (request,) = requests
    assert (request.method, request.path) == ("PATCH", "/v1/secrets/the-id")
    assert request.headers["Authorization"] == "Bearer oc_made-up"
    assert request.headers["Content-Type"] == "application/json"
    assert json.loads(request.body) == {"value": TOKEN}
    assert "oc_made-up" not in hooks.arguments()


def test_onecli_without_a_key(hooks: Hooks) -> None:
    add_curl(hooks.bin, hooks.argv)
    with serving(401) as (address, requests):
        done = hooks.run("onecli.sh", "renewed", api=address, id="the-id")
    assert [request.headers["Authorization"] for request in requests] == [None]
    assert (done.returncode, done.stdout) == (22, "")
    assert "401" in done.stderr


@pytest.mark.parametrize(
    "value", [None, "", 'a"b', "a b", f"{TOKEN}\nCLAUDE_CODE_OAUTH_TOKEN={TOKEN}"]
)
def test_onecli_without_a_token(hooks: Hooks, value: str | None) -> None:
    hooks.program("curl", "")
    line = "A=1" if value is None else f"CLAUDE_CODE_OAUTH_TOKEN={value}"
    hooks.dotenv.write_text(f"{line}\n", "utf-8")
    done = hooks.run("onecli.sh", "renewed")
    problem = f"{hooks.dotenv} does not have exactly one valid token"
    assert (done.returncode, done.stderr) == (1, f"{problem}\n")
    assert "curl" not in hooks.arguments().splitlines()


# --- Docker Compose ---


def test_docker_compose(hooks: Hooks) -> None:
    hooks.program("docker", f"pwd >'{hooks.stdin}'")
    done = hooks.run("docker-compose.sh", "renewed", services="'one two'")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert hooks.calls("docker") == [
        "compose", "up", "--detach", "--no-deps", "--force-recreate", "--timeout", "10",
        "one", "two",
    ]  # fmt: skip
    assert hooks.stdin.read_text("utf-8") == f"{hooks.project}\n"


@pytest.mark.skipif(COMPOSE is None, reason="Compose is not installed")
def test_compose_accepts_the_command(hooks: Hooks) -> None:
    none = f"unix://{hooks.root}/none"
    hooks.program("docker", f"shift\nDOCKER_HOST='{none}' exec '{COMPOSE}' \"$@\"")
    service = "services:\n  agent:\n    image: agent\n    env_file: .env\n"
    (hooks.project / "compose.yaml").write_text(service, "utf-8")
    done = hooks.run("docker-compose.sh", "renewed")
    assert done.returncode != 0
    # Compose parses the command line and the file, then connects.
    assert "Cannot connect to the Docker daemon" in done.stderr
    done = hooks.run("docker-compose.sh", "renewed", services="other")
    assert "no such service: other" in done.stderr


# --- ssh ---


def add_ssh(hooks: Hooks, *, limit_bytes: int = 1000) -> Path:
    """Add an ssh to PATH that runs the remote command in a local directory.

    Return the path of .env there.
    """
    there = hooks.root / "there"
    (there / "nanoclaw").mkdir(parents=True)
    text = f"""for last in "$@"; do :; done
/usr/bin/head -c {limit_bytes} | /usr/bin/tee '{hooks.stdin}' |
  (cd '{there}' && exec /bin/sh -c "$last")"""
    hooks.program("ssh", text)
    return there / "nanoclaw/.env"


@pytest.mark.parametrize("before", [None, "", "A=1\n", "CLAUDE_CODE_OAUTH_TOKEN=old\nA=1\n"])
def test_ssh(hooks: Hooks, before: str | None) -> None:
    there = add_ssh(hooks)
    if before is not None:
        there.write_text(before, "utf-8")
        there.chmod(0o640)
    done = hooks.run("ssh.sh", "renewed", host="agents")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    kept = "A=1\n" if before and "A=1" in before else ""
    assert there.read_text("utf-8") == f"{kept}CLAUDE_CODE_OAUTH_TOKEN={TOKEN}\n"
    assert there.stat().st_mode & 0o777 == (0o600 if before is None else 0o640)
    assert [*there.parent.iterdir()] == [there]
    assert hooks.calls("ssh")[:7] == [
        "-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "--", "agents",
    ]  # fmt: skip
    assert hooks.stdin.read_text("utf-8") == f"CLAUDE_CODE_OAUTH_TOKEN={TOKEN}\n"


@pytest.mark.parametrize("limit_bytes", [0, 30])
def test_ssh_connection_that_ends_early(hooks: Hooks, limit_bytes: int) -> None:
    there = add_ssh(hooks, limit_bytes=limit_bytes)
    there.write_text("CLAUDE_CODE_OAUTH_TOKEN=old\n", "utf-8")
    assert hooks.run("ssh.sh", "renewed", host="agents").returncode == 1
    assert there.read_text("utf-8") == "CLAUDE_CODE_OAUTH_TOKEN=old\n"
    assert [*there.parent.iterdir()] == [there]


def test_ssh_without_a_token(hooks: Hooks) -> None:
    add_ssh(hooks)
    hooks.dotenv.write_text("CLAUDE_CODE_OAUTH_TOKEN=\n", "utf-8")
    assert hooks.run("ssh.sh", "renewed", host="agents").returncode == 1
    assert "ssh" not in hooks.arguments().splitlines()


# --- Messages ---


@pytest.mark.parametrize(
    ("event", "priority", "text"),
    [
        ("failed", "high", "No live token: a reason"),
        ("recovered", "default", ".env has a live token again"),
        ("login-ending", "high", "The login ends soon. Run: claude auth login"),
        ("test", "low", "a reason"),
    ],
)
def test_ntfy(hooks: Hooks, event: str, priority: str, text: str) -> None:
    add_curl(hooks.bin, hooks.argv)
    key = hooks.home / ".config/oauthkit/ntfy-header"
    if event == "failed":
        key.parent.mkdir(parents=True)
        key.write_text("Authorization: Bearer tk_made-up\n", "utf-8")
    with serving() as (address, requests):
        done = hooks.run("ntfy.sh", event, "a reason", url=f"{address}/topic")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    (request,) = requests
    assert (request.method, request.path) == ("POST", "/topic")
    assert request.headers["Title"] == f"oauthkit on {HOST}"
    assert request.headers["Priority"] == priority
    login = "Bearer tk_made-up" if event == "failed" else None
    assert request.headers["Authorization"] == login
    assert request.body == f"{hooks.project}: {text}"
    assert "tk_made-up" not in hooks.arguments()


def test_mail(hooks: Hooks) -> None:
    hooks.program("sendmail", f"exec /usr/bin/cat >'{hooks.stdin}'")
    lines = [f"2026-01-01T00:00:00+00:00 line {number}\n" for number in range(30)]
    (hooks.project / "logs/oauth-refresh.log").write_text("".join(lines), "utf-8")
    done = hooks.run("mail.sh", "failed", "a `reason`\nBcc: x", to="you@example.org")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert hooks.calls("sendmail")[:3] == ["-i", "--", "you@example.org"]
    head, _, body = hooks.stdin.read_text("utf-8").partition("\n\n")
    assert head == (
        f"To: you@example.org\nSubject: oauthkit: failed on {HOST}\n"
        "Content-Type: text/plain; charset=UTF-8"
    )
    assert body == f"{hooks.project}\na `reason`\nBcc: x\n\n{''.join(lines[-20:])}"
