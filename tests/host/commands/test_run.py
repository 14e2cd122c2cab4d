"""oauthkit run: the command gets a live token, and keeps its exit status and signals."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from tests.support.host.host_project import TOKEN, HostProject, command
from tests.support.host.run_host import NEW, argv, env, run

from oauthkit.host import child
from oauthkit.host.commands import run as running
from oauthkit.host.project import find_paths


def renewals(host: HostProject) -> int:
    file = host.home / "claude-calls"
    return len(file.read_text("utf-8").splitlines()) if file.exists() else 0


SHOW = 'printf %s "$CLAUDE_CODE_OAUTH_TOKEN" >"$HOME/seen"'


def seen(host: HostProject) -> str:
    return (host.home / "seen").read_text("utf-8")


def test_live_token_is_passed_without_a_refresh(host: HostProject) -> None:
    before = host.log.read_bytes()
    done = run(host, f"{SHOW}; exit 7")
    assert (done.returncode, done.stdout, done.stderr) == (7, b"", b"")
    assert seen(host) == TOKEN
    assert host.log.read_bytes() == before


def test_expired_token_is_renewed_before_the_command(host: HostProject) -> None:
    host.login(-60)
    done = run(host, SHOW)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert (seen(host), renewals(host)) == (NEW, 1)


def test_command_runs_without_a_live_token_after_a_warning(host: HostProject) -> None:
    host.login(token="")
    done = run(host, "echo done")
    assert (done.returncode, done.stdout) == (0, b"done\n")
    hint = f"{command('status', host.project)} shows the reason"
    said = f"oauthkit run: the refresh failed. Running the command anyway. {hint}\n"
    assert done.stderr.decode().endswith(said)
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
def test_command_is_repeated_with_the_current_token_after_a_rejection(
    host: HostProject, said: str
) -> None:
    # Another claude renews the token while the command runs. This revokes the command's token.
    renewed = f'[ -e "$HOME/claude-calls" ] || {{ claude; {said}; exit 3; }}'
    done = run(host, f'echo run >>"$HOME/runs"; {renewed}; {SHOW}')
    assert done.returncode == 0, done.stderr
    assert b"the token was rejected: refreshing\n" in done.stderr
    assert done.stderr.endswith(
        b"oauthkit run: running the command once more, with the new token\n"
    )
    assert (runs(host), seen(host)) == (2, NEW)


def test_command_is_repeated_only_once(host: HostProject) -> None:
    done = run(host, 'echo run >>"$HOME/runs"; claude; echo authentication_error >&2; exit 4')
    assert (done.returncode, runs(host)) == (4, 2)


def test_rejected_token_that_looks_live_is_renewed(host: HostProject) -> None:
    reject = "{ echo authentication_error >&2; exit 4; }"
    done = run(host, f"echo run >>$HOME/runs; {SHOW}; [ -e $HOME/claude-calls ] || {reject}")
    assert (done.returncode, runs(host), renewals(host), seen(host)) == (0, 2, 1, NEW)
    assert "The API refuses the token" in host.log.read_text("utf-8")


def test_token_that_has_been_replaced_meanwhile_is_not_renewed(host: HostProject) -> None:
    (host.home / "new.env").write_text(f"CLAUDE_CODE_OAUTH_TOKEN={NEW}\n", "utf-8")
    replace = f"claude; cp $HOME/new.env '{host.dotenv}'; echo authentication_error >&2; exit 4"
    done = run(host, f"{SHOW}; [ -e $HOME/claude-calls ] || {{ {replace}; }}")
    assert (done.returncode, renewals(host), seen(host)) == (0, 1, NEW)
    assert done.stderr.splitlines() == [
        b"authentication_error",
        b"oauthkit run: the token was rejected: refreshing",
        b"oauthkit run: running the command once more, with the new token",
    ]


def test_command_is_not_repeated_with_the_rejected_token(host: HostProject) -> None:
    host.program("claude", "#!/bin/sh\n")
    done = run(host, "echo run >>$HOME/runs; echo authentication_error >&2; exit 4")
    assert (done.returncode, runs(host)) == (4, 1)
    assert done.stderr.endswith(b"there is no other token: the command is not run again\n")


def test_problem_of_dotenv_is_shown_with_its_fix(host: HostProject) -> None:
    host.dotenv.unlink()
    host.dotenv.mkdir()
    done = run(host, "exit 6")
    assert done.returncode == 6
    said = f"oauthkit run: {host.dotenv} is not a file but a directory: rmdir {host.dotenv}\n"
    assert done.stderr.decode().endswith(said)


def test_rejected_token_that_is_not_utf_8(host: HostProject) -> None:
    host.login(token="")
    host.dotenv.write_bytes(b"CLAUDE_CODE_OAUTH_TOKEN=made-up\xff\n")
    done = run(host, "echo run >>$HOME/runs; echo authentication_error >&2; exit 4")
    assert (done.returncode, runs(host)) == (4, 1)
    assert done.stderr.endswith(b"there is no other token: the command is not run again\n")


def test_token_with_a_nul_byte_counts_as_missing(host: HostProject) -> None:
    host.login(token="")
    host.deliver("sk-ant-made-up\0x")
    done = run(host, f"{SHOW}; exit 6")
    assert (done.returncode, seen(host)) == (6, "")
    assert b"sk-ant" not in done.stderr


@pytest.mark.parametrize(
    "said",
    [
        "echo 'API Error: 401'",
        "echo 'curl: (22) The requested URL returned error: HTTP 401' >&2",
        "echo 'docker: 401 Unauthorized; npm: OAuth authentication is off' >&2",
        "echo 'HTTP 500: the page said 401 times' >&2",
        """echo '{"type":"result","is_error":false,"result":"API Error: 401"}'""",
        """echo '{"error":"disk full"}'""",
    ],
)
def test_output_about_an_error_is_not_a_rejection(host: HostProject, said: str) -> None:
    done = run(host, f'echo run >>"$HOME/runs"; {said}; exit 5')
    assert (done.returncode, runs(host), renewals(host)) == (5, 1, 0)


@pytest.mark.parametrize("is_old", [False, True])
def test_rejection_is_found_only_in_the_last_256_kib(host: HostProject, *, is_old: bool) -> None:
    error = "authentication_error"
    count = 256 * 1024 - len(error) + is_old
    more = f"head -c {count} /dev/zero >&2"
    done = run(host, f'echo run >>"$HOME/runs"; claude; printf {error} >&2; {more}; exit 4')
    assert (done.returncode, runs(host)) == (4, 1 if is_old else 2)


def test_successful_command_is_not_repeated(host: HostProject) -> None:
    done = run(host, 'echo run >>"$HOME/runs"; echo authentication_error >&2')
    assert (done.returncode, runs(host)) == (0, 1)


# --- Exit statuses and signals ---


@pytest.mark.parametrize(
    ("command", "status"), [("no-such-program", 127), ("/", 126), ("./none", 127), ("", 127)]
)
def test_command_that_cannot_be_run(host: HostProject, command: str, status: int) -> None:
    start = [*argv(host, "")[:5], "--", command]
    done = subprocess.run(start, env=env(host), capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (status, b"")
    said = command or repr("")
    assert done.stderr.startswith(f"oauthkit run: {said}: ".encode())
    assert renewals(host) == 0


def test_foreground_check_closes_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = os.open(os.devnull, os.O_RDONLY)
    monkeypatch.setattr(os, "open", lambda *_: opened)
    assert running._is_in_foreground() is False
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(opened)


@pytest.mark.parametrize("dashes", [[], ["--"]])
@pytest.mark.parametrize("switch", [["--project={}"], ["--project", "{}"]])
def test_switches_after_the_command_are_its_own(
    host: HostProject, switch: list[str], dashes: list[str]
) -> None:
    words = [word.format(host.project) for word in switch]
    start = [sys.executable, "-m", "oauthkit", "run", *words, *dashes]
    more = ["sh", "-c", 'echo "$@"', "sh", "-x", "--project", "y", "--", "--help"]
    done = subprocess.run([*start, *more], env=env(host), capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == b"-x --project y -- --help\n"


def test_unknown_switch_of_run(host: HostProject) -> None:
    start = [sys.executable, "-m", "oauthkit", "run", "--no-such", "ls"]
    done = subprocess.run(start, env=env(host), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "oauthkit run: unknown switch --no-such. See oauthkit run --help\n"


def test_missing_command_is_a_usage_error(live: HostProject) -> None:
    done = live.run("run")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "oauthkit run: no command. See oauthkit run --help\n"


def test_death_by_a_signal(host: HostProject) -> None:
    assert run(host, "kill -KILL $$").returncode == 128 + signal.SIGKILL


def test_command_ended_by_a_signal_is_not_repeated(host: HostProject) -> None:
    end = "claude; echo authentication_error >&2; exit 9"
    wait = "echo ready; while :; do sleep 0.05; done"
    script = f"echo run >>\"$HOME/runs\"; trap '{end}' TERM; {wait}"
    process = subprocess.Popen(argv(host, script), env=env(host), stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    process.terminate()
    assert (process.wait(), runs(host)) == (9, 1)
    process.stdout.close()


def test_signal_between_the_two_runs_ends_it(host: HostProject) -> None:
    # The signal arrives when the refresh calls systemctl.
    kill = 'read -r pid <"$HOME/pid"; kill -TERM $pid'
    refused = "claude; echo authentication_error >&2; exit 4"
    script = f'echo run >>"$HOME/runs"; echo $PPID >"$HOME/pid"; {refused}'
    host.program("systemctl", f'#!/bin/sh\n[ ! -e "$HOME/pid" ] || {{ {kill}; }}\n')
    done = run(host, script)
    assert (done.returncode, runs(host)) == (128 + signal.SIGTERM, 1)
    # The signal would end the command before it does anything.
    assert b"running the command once more" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signal_during_the_first_refresh_is_delayed(
    host: HostProject, number: signal.Signals
) -> None:
    """The refresh must schedule the next run in any case."""
    host.login(-60)
    kill = f'read -r parent <"$HOME/pid"; kill -{number.value} $parent; sleep 1'
    claude = (host.bin / "claude").read_text("utf-8").replace("#!/bin/sh\n", f"#!/bin/sh\n{kill}\n")
    host.program("claude", claude)
    host.program("systemd-run", '#!/bin/sh\ntouch "$HOME/armed"\n')
    # Use a missing program: the signal would end a real one before it showed that it was started.
    words = shlex.join([*argv(host, "")[:5], "no-such-program"])
    shell = ["/bin/sh", "-c", f'echo $$ >"$HOME/pid"; exec {words}']
    done = subprocess.run(shell, env=env(host), capture_output=True, check=False)
    assert done.returncode == 128 + number
    said = f"oauthkit run: {number.name}: ending when the refresh is complete\n"
    assert done.stderr == said.encode()
    assert (host.home / "armed").exists()


def test_signal_at_the_start_of_the_command_is_forwarded(
    host: HostProject, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    start = subprocess.Popen

    def late(*arguments: Any, **more: Any) -> Any:
        os.kill(os.getpid(), signal.SIGUSR1)
        return start(*arguments, **more)

    monkeypatch.setattr(child, "refresh", lambda *_: 0)
    monkeypatch.setattr("oauthkit.host.commands.run.subprocess.Popen", late)
    monkeypatch.setenv("HOME", str(host.home))
    paths = find_paths(str(host.project))
    files = len([*Path("/proc/self/fd").iterdir()])
    assert running.run(paths, ["/bin/sleep", "30"]) == 128 + signal.SIGUSR1
    assert capfd.readouterr().err == ""
    assert len([*Path("/proc/self/fd").iterdir()]) == files
    assert signal.set_wakeup_fd(-1) == -1


def test_signal_at_the_second_start_of_the_command_is_forwarded(
    host: HostProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, starts = subprocess.Popen, []

    def late(*arguments: Any, **more: Any) -> Any:
        starts.append(arguments)
        if len(starts) == 2:
            os.kill(os.getpid(), signal.SIGUSR1)
        return start(*arguments, **more)

    def renew(_: object, *arguments: str) -> int:
        host.deliver(NEW if "--rejected" in arguments else TOKEN)
        return 0

    monkeypatch.setattr(child, "refresh", renew)
    monkeypatch.setattr("oauthkit.host.commands.run.subprocess.Popen", late)
    monkeypatch.setenv("HOME", str(host.home))
    refused = "echo authentication_error >&2; exit 4"
    script = f"[ $CLAUDE_CODE_OAUTH_TOKEN = {NEW} ] && exec sleep 30; {refused}"
    paths = find_paths(str(host.project))
    assert running.run(paths, ["/bin/sh", "-c", script]) == 128 + signal.SIGUSR1
    assert len(starts) == 2


def test_signal_that_does_not_interrupt_the_wait_is_forwarded(
    host: HostProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Simulate a signal just before waitpid(2): send it to another thread."""
    ready = host.home / "ready"

    def send() -> None:
        while not ready.exists():
            time.sleep(0.02)
        time.sleep(0.5)  # the main thread waits for the command
        signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)

    monkeypatch.setattr(child, "refresh", lambda *_: 0)
    monkeypatch.setenv("HOME", str(host.home))
    sender = threading.Thread(target=send)
    sender.start()
    command = ["/bin/sh", "-c", f"touch '{ready}'; exec sleep 30"]
    assert running.run(find_paths(str(host.project)), command) == 128 + signal.SIGUSR1
    sender.join()


def test_wait_uses_no_cpu_time(host: HostProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "refresh", lambda *_: 0)
    monkeypatch.setenv("HOME", str(host.home))
    before_s = time.process_time()
    assert running.run(find_paths(str(host.project)), ["/bin/sleep", "2"]) == 0
    assert time.process_time() - before_s < 1


def test_ignored_signal_stays_ignored(host: HostProject) -> None:
    script = "trap '' HUP; " + " ".join(map(shlex.quote, argv(host, "kill -HUP $$; exit 3")))
    done = subprocess.run(["/bin/sh", "-c", script], env=env(host), check=False)
    assert done.returncode == 3


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
def test_signals_are_forwarded(host: HostProject, number: int) -> None:
    name = signal.Signals(number).name.removeprefix("SIG")
    script = f"trap 'echo got; exit 9' {name}; echo ready; while :; do sleep 0.05; done"
    process = subprocess.Popen(argv(host, script), env=env(host), stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    os.kill(process.pid, number)
    assert process.stdout.read() == b"got\n"
    assert process.wait() == 9
    process.stdout.close()
