"""oauthkit run: the command gets a live token, and its output and exit status are its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from tests.host.host_project import OTHER, SAME_CODE, TOKEN, HostProject

from oauthkit.host.running import is_refusal

NEW = "sk-ant-oat01-made-up-new"
TOOLS = ("bash", "cat", "cp", "env", "flock", "head", "jq", "mkdir", "mv", "rm", "sh", "sleep",
         "sync", "timeout", "touch", "tr")  # fmt: skip
# Renews as Claude Code does: it writes the credentials.
CLAUDE = """#!/bin/sh
echo run >>"$HOME/claude-calls"
printf '{"claudeAiOauth":{"accessToken":"%s","expiresAt":%s}}' {token} {expires_at_ms} \\
  >"$HOME/.claude/.credentials.json"
"""


@pytest.fixture
def host(live: HostProject) -> HostProject:
    """A host with the programs that a refresh runs, and a claude that renews."""
    for tool in TOOLS:
        (live.bin / tool).symlink_to(f"/usr/bin/{tool}")
    claude = CLAUDE.replace("{token}", NEW).replace("{expires_at_ms}", str(live.ms(8 * 3600)))
    live.program("claude", claude)
    live.program("systemctl", "#!/bin/sh\n")
    live.program("systemd-run", "#!/bin/sh\n")
    return live


def run(
    host: HostProject, script: str, *, stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    """`oauthkit run -- sh -c SCRIPT`."""
    return subprocess.run(
        argv(host, script), env=env(host), input=stdin, capture_output=True, check=False
    )


def argv(host: HostProject, script: str) -> list[str]:
    project = f"--project={host.project}"
    return [sys.executable, "-m", "oauthkit", "run", project, "--", "sh", "-c", script]


def env(host: HostProject) -> dict[str, str]:
    settings = {"HOME": str(host.home), "PATH": str(host.bin), "CLAUDE_CODE_OAUTH_TOKEN": OTHER}
    return settings | SAME_CODE


def renewals(host: HostProject) -> int:
    file = host.home / "claude-calls"
    return len(file.read_text("utf-8").splitlines()) if file.exists() else 0


SHOW = 'printf %s "$CLAUDE_CODE_OAUTH_TOKEN" >"$HOME/seen"'


def seen(host: HostProject) -> str:
    return (host.home / "seen").read_text("utf-8")


def test_a_live_token_is_handed_over_with_no_refresh(host: HostProject) -> None:
    before = host.log.read_bytes()
    done = run(host, f"{SHOW}; exit 7")
    assert (done.returncode, done.stdout, done.stderr) == (7, b"", b"")
    assert seen(host) == TOKEN
    assert host.log.read_bytes() == before


def test_a_dead_token_is_renewed_before(host: HostProject) -> None:
    host.login(-60)
    done = run(host, SHOW)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert (seen(host), renewals(host)) == (NEW, 1)


def test_without_a_live_token_it_goes_on_and_says_so(host: HostProject) -> None:
    host.login(token="")
    done = run(host, "echo done")
    assert (done.returncode, done.stdout) == (0, b"done\n")
    assert b"oauthkit run: no live token, going on all the same" in done.stderr
    assert b"sk-ant" not in done.stderr


def test_output_and_input_are_untouched(host: HostProject) -> None:
    every = bytes(range(256)) * 1000
    done = run(host, "cat; cat /proc/self/cmdline >&2", stdin=every)
    assert (done.returncode, done.stdout) == (0, every)
    assert done.stderr == b"cat\0/proc/self/cmdline\0"


def test_output_comes_as_it_is_written(host: HostProject) -> None:
    process = subprocess.Popen(
        argv(host, "echo first; read -r _; echo second"), env=env(host),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == b"first\n"
    assert process.poll() is None
    process.stdin.write(b"\n")
    process.stdin.close()
    assert process.stdout.read() == b"second\n"
    assert process.wait() == 0
    process.stdout.close()


def runs(host: HostProject) -> int:
    return len((host.home / "runs").read_text("utf-8").splitlines())


@pytest.mark.parametrize(
    "said",
    [
        "echo 'API Error: 401 OAuth token has expired' >&2",
        """echo '{"type":"result","is_error":true,"result":"API Error: 401 x"}'""",
    ],
)
def test_after_a_refusal_it_is_run_once_more_with_the_token_of_that_moment(
    host: HostProject, said: str
) -> None:
    # Another claude renews the token while the command runs, and with that revokes this one.
    renewed = f'[ -e "$HOME/claude-calls" ] || {{ claude; {said}; exit 3; }}'
    done = run(host, f'echo run >>"$HOME/runs"; {renewed}; {SHOW}')
    assert done.returncode == 0, done.stderr
    assert b"the token was refused: refreshing, then once more" in done.stderr
    assert (runs(host), seen(host)) == (2, NEW)


def test_it_is_run_once_more_only_once(host: HostProject) -> None:
    done = run(host, "echo run >>$HOME/runs; echo authentication_error >&2; exit 4")
    assert (done.returncode, runs(host)) == (4, 2)


@pytest.mark.parametrize(
    "said",
    [
        "echo 'API Error: 401'",
        "echo 'HTTP 500: the page said 401 times' >&2",
        """echo '{"type":"result","is_error":false,"result":"API Error: 401"}'""",
        """echo '{"error":"disk full"}'""",
    ],
)
def test_what_only_talks_of_it_is_not_run_again(host: HostProject, said: str) -> None:
    done = run(host, f"echo run >>$HOME/runs; {said}; exit 5")
    assert (done.returncode, runs(host), renewals(host)) == (5, 1, 0)


def test_what_succeeds_is_not_run_again(host: HostProject) -> None:
    done = run(host, "echo run >>$HOME/runs; echo authentication_error >&2")
    assert (done.returncode, runs(host)) == (0, 1)


DOCUMENTS: dict[bytes, bool] = {
    b'{"error": {"type": "authentication_error", "message": "x"}}': True,
    b'{"type": "error", "error": {"type": "authentication_error"}}\n': True,
    b'x\n{"error": "OAuth token has expired"}\ny': True,
    b'[{"type": "system"}, {"is_error": true, "result": "Failed to authenticate"}]': True,
    b'{"error": null, "result": "authentication_error"}': False,
    b'{"result": "API Error: 401"}': False,
    b'"authentication_error"': False,
    b"authentication_error": False,
    b"\xff{": False,
    b"[" * 5000: False,
}


@pytest.mark.parametrize(("stdout", "refused"), DOCUMENTS.items())
def test_what_counts_on_stdout(stdout: bytes, refused: bool) -> None:
    assert is_refusal(stdout, b"") is refused


# --- Exit statuses and signals ---


@pytest.mark.parametrize(
    ("command", "status"), [("no-such-program", 127), ("/", 126), ("./none", 127)]
)
def test_command_that_cannot_be_run(host: HostProject, command: str, status: int) -> None:
    start = [*argv(host, "")[:5], "--", command]
    done = subprocess.run(start, env=env(host), capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (status, b"")
    assert done.stderr.startswith(f"oauthkit run: {command}: ".encode())


def test_no_command_is_wrong_usage(live: HostProject) -> None:
    done = live.run("run")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "oauthkit run: no command: oauthkit run -- COMMAND …\n"


def test_death_by_a_signal(host: HostProject) -> None:
    assert run(host, "kill -KILL $$").returncode == 128 + signal.SIGKILL


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
def test_signals_are_handed_on(host: HostProject, number: int) -> None:
    name = signal.Signals(number).name.removeprefix("SIG")
    script = f"trap 'echo got; exit 9' {name}; echo ready; while :; do sleep 0.05; done"
    process = subprocess.Popen(argv(host, script), env=env(host), stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    os.kill(process.pid, number)
    assert process.stdout.read() == b"got\n"
    assert process.wait() == 9
    process.stdout.close()
