"""Keeps CLAUDE_CODE_OAUTH_TOKEN in a project's .env alive.

A fresh access token is copied from Claude Code's credentials to .env; one about to expire is
renewed first, by running the claude CLI; then the next run is armed with systemd-run --user.
"""

from __future__ import annotations

import os
import sys

from plumbum import LocalPath, local
from plumbum.commands import ERROUT, BaseCommand

from oauthkit.shell import (
    CAPTURE,
    RETCODE,
    TF,
    Status,
    absolute,
    complain,
    file_size,
    find_program,
    is_b64token,
    log,
    mask_secrets,
    now_ms,
    open_log,
    outlive_signals,
    own_command,
    own_temporary,
    parse_int,
    program,
    read_file,
    run_limited,
    script_path,
    take_lock,
    timestamp,
    write_file,
)

RENEW_BEFORE_MS = 5 * 60 * 1000
SCHEDULE_BEFORE_MS = 30 * 60 * 1000
RETRY_MS = 5 * 60 * 1000
LONGEST_WAIT_MS = 24 * 60 * 60 * 1000
# A calendar time that has passed when systemd reads it never fires.
SHORTEST_WAIT_MS = 30 * 1000

LOCK_WAIT_S = 120
CLAUDE_LIMIT_S = 55
CLAUDE_GRACE_S = 5
LOG_LIMIT_BYTES = 1024 * 1024
OUTPUT_LIMIT_LINES = 20
# A program that crashes may print a line of its minified source, which can be a megabyte long.
OUTPUT_LIMIT_BYTES = 8 * 1024

TOKEN_LINE = "CLAUDE_CODE_OAUTH_TOKEN="
# A line of JSON for the type of claudeAiOauth; for an object two more: token and whole expiry.
CREDENTIALS_FILTER = (
    "(.claudeAiOauth? // null) | type, "
    '(.accessToken, (.expiresAt | if type == "number" then trunc else . end))?'
)
USAGE = "usage: refresh.sh [--ensure]"

cp = program("cp")
env = program("env")
head = program("head")
jq = program("jq")
mkdir = program("mkdir")
mv = program("mv")
readlink = program("readlink")
rm = program("rm")
sync = program("sync")
systemctl = program("systemctl")
systemd_run = program("systemd-run")


def read_credentials(credentials: LocalPath) -> tuple[str, str, str]:
    """What is wrong with the credentials ("" if nothing), the access token, the expiry as text."""
    if not credentials.exists():
        return f"{credentials} not found", "", ""
    if not credentials.is_file():
        return f"{credentials} is not a file", "", ""
    if not credentials.access("r"):
        return f"{credentials} is not readable", "", ""
    status, answer = jq["-c", CREDENTIALS_FILTER, credentials] & CAPTURE
    if status == 127:
        return "jq not found in PATH, it is needed to read the credentials", "", ""
    if status >= 126:
        return f"jq could not run or was killed (exit {status})", "", ""
    if status != 0:
        return f"{credentials} is not valid JSON (jq exit {status})", "", ""
    kind, _, rest = answer.partition("\n")
    token, _, expiry = rest.partition("\n")
    if "\n" in expiry:
        return f"{credentials} holds more than one JSON document", "", ""
    if kind != '"object"':
        return f"no claudeAiOauth object in {credentials}", "", ""
    if token == '""' or not token.startswith('"'):
        return "no accessToken in credentials", "", ""
    token = token.removeprefix('"')
    token = token.removesuffix('"')
    if not is_b64token(token):
        # It would break .env: a newline or a $ in there is more than a wrong token.
        return "accessToken in credentials has a character that no access token has", "", ""
    return "", token, expiry


def outlasts(expiry: str, duration_ms: int) -> bool:
    """Whether a token with this expiry has more than `duration_ms` left."""
    _, expires_at_ms = parse_int(expiry)
    now = now_ms()
    return expires_at_ms - now > duration_ms


def log_output(source: str, text: str) -> None:
    """Logs what a failed program printed, line by line, with every access token masked."""
    rest = mask_secrets(text)
    lines = 0
    while rest != "" and lines < OUTPUT_LIMIT_LINES:
        line, _, rest = rest.partition("\n")
        log(f"{source}: {line}")
        lines += 1


def log_claude_output(output: str) -> None:
    """Logs what claude printed: the reason of a failure is often on its stdout."""
    _, text = head["-c", OUTPUT_LIMIT_BYTES, output] & CAPTURE
    log_output("claude", text)


def run_claude(output: str, renewal: BaseCommand) -> Status:
    """Runs claude for at most a minute, with what it prints in the file `output`."""
    _ = rm["-f", output] & RETCODE  # of the try before, or of a run that was killed
    return run_limited(CLAUDE_LIMIT_S, CLAUDE_GRACE_S, output, renewal)


def renew(credentials: LocalPath, home: str, output: str) -> tuple[str, str, str]:
    """Has claude renew the access token: what read_credentials gives, or why nothing was renewed.

    What counts is the file, never the exit status: with its token endpoint down claude exits 0.
    """
    claude = find_program("claude")
    for candidate in (f"{home}/.claude/local/claude", f"{home}/.local/bin/claude"):
        if claude == "":
            claude = find_program(candidate)
    if claude == "":
        return "claude binary not found in PATH or common locations", "", ""
    timeout = find_program("timeout")
    if timeout == "":
        return "timeout not found in PATH, it is needed to run claude", "", ""
    # Each of these variables makes claude ignore the credentials file, or refuse to start.
    renewal = env[
        "-u", "CLAUDE_CODE_OAUTH_TOKEN", "-u", "ANTHROPIC_API_KEY", "-u", "ANTHROPIC_AUTH_TOKEN",
        "-u", "CLAUDE_CODE_SIMPLE", "-u", "CLAUDECODE", claude, "-p", "ok",
    ]  # fmt: skip
    status = run_claude(output, renewal["--no-session-persistence"])
    problem, token, expiry = read_credentials(credentials)
    renewed = problem == "" and outlasts(expiry, RENEW_BEFORE_MS)
    # Older versions do not know the flag; 124 and 137 say that the limit was reached.
    if not renewed and status != 0 and status != 124 and status != 137:
        log_claude_output(output)
        status = run_claude(output, renewal)
        problem, token, expiry = read_credentials(credentials)
        renewed = problem == "" and outlasts(expiry, RENEW_BEFORE_MS)
    if not renewed or status != 0:
        log_claude_output(output)
    _ = rm["-f", output] & RETCODE

    if renewed:
        log("Claude CLI refreshed token successfully")
        if status != 0:
            log(f"WARN: claude exited {status} after it had renewed the token")
        return "", token, expiry
    if problem != "":
        log(f"WARN: {problem}")
        return "no accessToken after CLI refresh", "", ""
    if status != 0:
        problem = f"claude CLI refresh failed (exit {status}). User may need to run 'claude login'."
        return problem, "", ""
    return "claude exited 0 and renewed nothing, is its token endpoint down?", "", ""


def live_token(credentials: LocalPath, home: str, output: str) -> tuple[str, str, str]:
    """A token with more than 5 min left, renewed if need be: what read_credentials gives."""
    problem, token, expiry = read_credentials(credentials)
    if problem != "":
        return problem, "", ""
    status, expires_at_ms = parse_int(expiry)
    if status != 0:
        log("WARN: no expiresAt in credentials, forcing refresh")
    now = now_ms()
    left_ms = expires_at_ms - now
    if left_ms > RENEW_BEFORE_MS:
        log(f"Token still fresh (remaining_ms={left_ms}), syncing to .env")
        return "", token, expiry
    log(f"Token expired or expiring soon (remaining_ms={left_ms}), invoking claude CLI to refresh")
    return renew(credentials, home, output)


def with_token(text: str, token: str) -> str:
    """The content of .env with the token in it: every other byte stays as it is."""
    result = ""
    placed = False
    rest = text
    while rest != "":
        line, newline, rest = rest.partition("\n")
        if not line.startswith(TOKEN_LINE):
            result += line + newline
        elif not placed:
            result += TOKEN_LINE + token + newline
            placed = True
    if placed:
        return result
    if result != "" and not result.endswith("\n"):
        result += "\n"
    return result + TOKEN_LINE + token + "\n"


def follow(path: LocalPath) -> tuple[Status, LocalPath]:
    """The file that `path` is or, as a symbolic link, leads to; the status is not 0 if to none."""
    if not path.is_symlink():
        return 0, path
    status, answer = readlink["-f", path] & CAPTURE
    if status != 0:
        return status, path
    target = absolute(answer)
    return 0, target


def deliver(
    dotenv: LocalPath, target: LocalPath, temporary: LocalPath, token: str, expiry: str
) -> str:
    """Puts the token into .env in one step; what went wrong, or "" if .env carries it now.

    `target` is what .env leads to if it is a symbolic link; `temporary` is renamed over that.
    """
    text = ""
    if target.exists():
        status, text = read_file(target)
        if status == 2:
            return f"{dotenv} has a NUL byte, it is not touched"
        if status != 0:
            return f"{dotenv} cannot be read, it is not touched"
    wanted = with_token(text, token)
    if wanted == text and target.exists():
        log(f"{dotenv} already has this token (expires_at={expiry})")
        return ""
    keep_mode = cp["--attributes-only", "--preserve=mode,ownership", target, temporary]
    written = (
        write_file(temporary, wanted) == 0
        and (not target.exists() or (keep_mode & TF))
        and (sync[temporary] & TF)
        and (mv["-f", "-T", temporary, target] & TF)
    )
    if not written:
        _ = rm["-f", temporary] & RETCODE
        _, text = read_file(target)
        if text != wanted:  # mv may have ended badly after it had done its work
            return f"{dotenv} cannot be written, it is as it was"
    log(f"Updated .env with token (expires_at={expiry})")
    return ""


def is_delivered(credentials: LocalPath, dotenv: LocalPath) -> bool:
    """Whether .env already has the token of the credentials, with more than 5 min left."""
    problem, token, expiry = read_credentials(credentials)
    if problem != "" or not outlasts(expiry, RENEW_BEFORE_MS):
        return False
    _, text = read_file(dotenv)
    wanted = with_token(text, token)
    return wanted == text  # never so for a .env that cannot be read: its text is ""


def timer_with_settings(home: LocalPath, dotenv: LocalPath, log_file: LocalPath) -> BaseCommand:
    """The systemd-run command that carries this run's settings over to the next one.

    A service of the user manager inherits nothing else, and a PATH without ~/.local/bin.
    """
    # systemd ends what hangs, restarts what was killed, and waits 25 h at most (a clock set back).
    timer = systemd_run[
        "--user", "--quiet", "--collect", "--description=NanoClaw OAuth token refresh",
        "--on-active=25h", "--timer-property=AccuracySec=1s", "--property=RuntimeMaxSec=10min",
        "--property=Restart=on-abnormal", "--property=RestartSec=7min", f"--setenv=HOME={home}",
        f"--setenv=PATH={local.env.get('PATH', '')}",
    ]  # fmt: skip
    if local.env.get("CLAUDE_CONFIG_DIR", "") != "":
        timer = timer[f"--setenv=CLAUDE_CONFIG_DIR={local.env.get('CLAUDE_CONFIG_DIR', '')}"]
    if local.env.get("OAUTHKIT_DOTENV", "") != "":
        timer = timer[f"--setenv=OAUTHKIT_DOTENV={dotenv}"]
    if local.env.get("OAUTHKIT_LOG", "") != "":
        timer = timer[f"--setenv=OAUTHKIT_LOG={log_file}"]
    if local.env.get("OAUTHKIT_UNIT", "") != "":
        timer = timer[f"--setenv=OAUTHKIT_UNIT={local.env.get('OAUTHKIT_UNIT', '')}"]
    return timer


def next_run_ms(problem: str, expiry: str) -> int:
    """When the next run is due, in ms since the epoch: 30 min before the expiry if all is well."""
    _, expires_at_ms = parse_int(expiry)
    now = now_ms()
    if problem != "" or expires_at_ms - now <= SCHEDULE_BEFORE_MS:
        return now + RETRY_MS
    due_ms = expires_at_ms - SCHEDULE_BEFORE_MS
    if due_ms > now + LONGEST_WAIT_MS:
        due_ms = now + LONGEST_WAIT_MS
    if due_ms < now + SHORTEST_WAIT_MS:
        due_ms = now + SHORTEST_WAIT_MS
    return due_ms


def arm(project: LocalPath, problem: str, expiry: str, timer: BaseCommand) -> None:
    """Arms the next run, in place of every timer of this unit that is still pending."""
    if problem != "":
        log(f"WARN: scheduling retry in 5 min after: {problem}")
    elif not outlasts(expiry, SCHEDULE_BEFORE_MS):
        log("WARN: token expires in <30 min, scheduling retry in 5 min")
    found = find_program("systemd-run")
    if found == "":
        log("WARN: systemd-run not found, next refresh NOT scheduled")
        return
    runtime = absolute(f"/run/user/{os.getuid()}")
    if local.env.get("XDG_RUNTIME_DIR", "") == "" and runtime.is_dir():
        local.env["XDG_RUNTIME_DIR"] = runtime

    unit = local.env.get("OAUTHKIT_UNIT") or "nanoclaw-oauth-refresh-next"
    # If this very service is being stopped, its timer's turn comes when it has ended: no waiting.
    stop = systemctl["--user", "--no-block", "stop"]
    reset = systemctl["--user", "reset-failed"]
    for name in (unit, f"{unit}-alt", f"{unit}-alt-alt"):
        stop = stop[f"{name}.timer"]
        reset = reset[f"{name}.service"]
    next_run = own_command(project)
    status = 1
    complaint = ""
    due_s = 0
    for attempt in ("first", "second"):
        # A name is taken while its timer runs this very program, and while its service lingers.
        for name in (unit, f"{unit}-alt", f"{unit}-alt-alt"):
            if status != 0:
                # A systemd-run that failed may have armed a timer before it was killed.
                _ = stop & RETCODE
                due_ms = next_run_ms(problem, expiry)  # not before: stopping may take its time
                due_s = due_ms // 1000
                named = timer[f"--on-calendar=@{due_s}", f"--unit={name}", "--", next_run]
                status, complaint = (named >= ERROUT) & CAPTURE
        if attempt == "first" and status != 0:
            _ = reset & RETCODE  # a failed unit keeps its name until it is reset
    if status != 0:
        if status < 126:
            log_output("systemd-run", complaint)
        log(f"ERROR: systemd-run failed (exit {status}), next refresh NOT scheduled")
        return
    due = timestamp(due_s)
    log(f"Scheduled next refresh at {due}")


def begin(log_file: LocalPath) -> Status:
    """Opens the log and takes the lock for the rest of the run: 0, or 1 if there is no run."""
    logs = log_file.dirname
    if not logs.exists():
        _ = mkdir["-p", logs] & RETCODE
    if open_log(log_file) != 0:
        complain(f"oauthkit: cannot write the log {log_file}")
        return 1
    lock = logs / "oauth-refresh.lock"
    locked = take_lock(lock, LOCK_WAIT_S)
    if locked == 1:
        log(f"ERROR: another refresh has held {lock} for {LOCK_WAIT_S} s")
    elif locked == 127:
        log(f"ERROR: flock not found in PATH, it is needed to lock {lock}")
    elif locked != 0:
        log(f"ERROR: {lock} cannot be locked")
    if locked != 0:
        return 1
    outlive_signals()
    size = file_size(log_file)
    if size > LOG_LIMIT_BYTES:
        _ = mv["-f", "-T", log_file, f"{log_file}.1"] & RETCODE
    return 0


def tell(failing: LocalPath, problem: str) -> None:
    """Logs what went wrong, and marks the time from the first failed run to the next good one."""
    if problem != "":
        log(f"ERROR: {problem}")
        if not failing.exists():
            _ = write_file(failing, "")
    elif failing.exists():
        _ = rm["-f", failing] & RETCODE


def refresh(project: LocalPath, ensure: bool) -> Status:
    """Makes .env carry a live access token: 0 if it does, 1 if the log's last ERROR says why not.

    With `ensure`, nothing is done if it already does.
    """
    os.umask(0o077)
    if local.env.get("HOME", "") == "":
        complain("oauthkit: HOME is not set, it leads to claude's credentials")
        return 1
    home = absolute(local.env.get("HOME", ""))
    config = absolute(local.env.get("CLAUDE_CONFIG_DIR") or f"{home}/.claude")
    if local.env.get("CLAUDE_CONFIG_DIR", "") != "":
        local.env["CLAUDE_CONFIG_DIR"] = config  # claude runs in another folder
    credentials = config / ".credentials.json"
    dotenv = absolute(local.env.get("OAUTHKIT_DOTENV") or f"{project}/.env")
    log_file = absolute(local.env.get("OAUTHKIT_LOG") or f"{project}/logs/oauth-refresh.log")
    timer = timer_with_settings(home, dotenv, log_file)
    # In the project, claude would run the project's own hooks and MCP servers.
    local.cwd.chdir("/")
    if ensure and is_delivered(credentials, dotenv):
        return 0

    if begin(log_file) != 0:
        return 1
    followed, target = follow(dotenv)
    temporary = own_temporary(target)
    logs = log_file.dirname
    problem, token, expiry = live_token(credentials, home, logs / "oauth-refresh.output")
    if problem == "" and followed != 0:
        problem = f"{dotenv} is a symbolic link that leads nowhere"
    if problem == "":
        problem = deliver(dotenv, target, temporary, token, expiry)
    tell(logs / "oauth-refresh.failing", problem)
    # On every path that got here: a login repaired by hand must heal the rest by itself.
    arm(project, problem, expiry, timer)
    if problem != "":
        return 1
    return 0


def main(*arguments: str) -> Status:
    """Reads the command line of the script."""
    ensure = False
    for argument in arguments:
        if argument == "--help":
            print(USAGE)
            return 0
        if argument != "--ensure" or ensure:
            complain(f"refresh: unknown argument {argument}\n{USAGE}")
            return 2
        ensure = True
    script = script_path()
    project = absolute(f"{script}/../../..")
    return refresh(project, ensure)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
