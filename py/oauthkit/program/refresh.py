"""Keeps CLAUDE_CODE_OAUTH_TOKEN in a project's .env alive.

A fresh access token is copied from Claude Code's credentials to .env; one about to expire is
renewed first, by running the claude CLI; then the next run is armed with systemd-run --user.
"""

from __future__ import annotations

import os
import sys

from plumbum import LocalPath, local

from oauthkit.program.hooks import mark, tell
from oauthkit.program.process import log_output_file, run_within
from oauthkit.program.schedule import arm, outlasts, timer_with_settings
from oauthkit.shell import (
    CAPTURE,
    RETCODE,
    TF,
    Status,
    absolute,
    add_secret,
    complain,
    create_file,
    disable_core_dumps,
    file_size,
    find_program,
    is_b64token,
    is_foreign_link,
    log,
    now_ms,
    open_log,
    outlive_signals,
    own_temporary,
    parse_int,
    program,
    read_file,
    same_file,
    script_path,
    take_lock,
    user_id,
)

RENEW_BEFORE_MS = 5 * 60 * 1000

LOCK_WAIT_S = 120
CLAUDE_LIMIT_S = 55
LOG_LIMIT_BYTES = 1024 * 1024

TOKEN_LINE = "CLAUDE_CODE_OAUTH_TOKEN="
# A line of JSON for the type of claudeAiOauth; for an object three more: access token, expiry
# without its fraction, refresh token.
CREDENTIALS_FILTER = (
    "(.claudeAiOauth? // null) | type,\n"
    '(.accessToken, (.expiresAt | if type == "number" then trunc else . end), .refreshToken)?'
)
USAGE = "usage: refresh.sh [--ensure]"

cp = program("cp")
jq = program("jq")
mkdir = program("mkdir")
mv = program("mv")
readlink = program("readlink")
rm = program("rm")
stat = program("stat")
sync = program("sync")


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
    if status >= 126 or status == 3:  # 3: it cannot compile, that is ~/.jq
        return f"jq could not run or was killed (exit {status})", "", ""
    if status != 0:
        return f"{credentials} is not valid JSON (jq exit {status})", "", ""
    kind, _, rest = answer.partition("\n")
    token, _, rest = rest.partition("\n")
    expiry, _, refresh_token = rest.partition("\n")
    if "\n" in refresh_token:
        return f"{credentials} holds more than one JSON document", "", ""
    if kind != '"object"':
        return f"no claudeAiOauth object in {credentials}", "", ""
    if token == '""' or not token.startswith('"'):
        return "no accessToken in credentials", "", ""
    token = token.removeprefix('"')
    token = token.removesuffix('"')
    add_secret(token)
    refresh_token = refresh_token.removeprefix('"')
    add_secret(refresh_token.removesuffix('"'))
    if not is_b64token(token):
        # It would break .env: a newline or a $ in there is more than a wrong token.
        return "accessToken in credentials has a character that no access token has", "", ""
    return "", token, expiry


def is_live(problem: str, expiry: str) -> bool:
    """Whether what read_credentials gave is a token with more than 5 min left."""
    return problem == "" and outlasts(expiry, RENEW_BEFORE_MS)


def renew(credentials: LocalPath, home: str, output: str) -> tuple[str, str, str]:
    """Has claude renew the access token: what read_credentials gives, or why nothing was renewed.

    What counts is the file, never the exit status: with its token endpoint down claude exits 0.
    """
    for candidate in ("claude", f"{home}/.claude/local/claude", f"{home}/.local/bin/claude"):
        found = find_program(candidate)
        if found != "":
            break
    if found == "":
        return "claude binary not found in PATH or common locations", "", ""
    timeout = find_program("timeout")
    if timeout == "":
        return "timeout not found in PATH, it is needed to run claude", "", ""
    claude = absolute(found)
    renewal = program(claude)["-p", "ok"]
    status = run_within(CLAUDE_LIMIT_S, output, renewal["--no-session-persistence"])
    problem, token, expiry = read_credentials(credentials)
    # Older versions do not know the flag; 124 and 137 say that the limit was reached.
    if not is_live(problem, expiry) and status != 0 and status != 124 and status != 137:
        log_output_file("claude", output)
        status = run_within(CLAUDE_LIMIT_S, output, renewal)
        problem, token, expiry = read_credentials(credentials)
    renewed = is_live(problem, expiry)
    if not renewed or status != 0:
        log_output_file("claude", output)
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


def with_token(text: str, token: str) -> tuple[str, str]:
    """The content of .env with the token in it, every other byte as it is; "renewed" if there was
    another token or none, else "".
    """
    result = ""
    event = ""
    placed = False
    rest = text
    while rest != "":
        line, newline, rest = rest.partition("\n")
        if not line.startswith(TOKEN_LINE):
            result += line + newline
            continue
        if line != TOKEN_LINE + token:
            event = "renewed"
        if not placed:
            result += TOKEN_LINE + token + newline
            placed = True
    if placed:
        return result, event
    if result != "" and not result.endswith("\n"):
        result += "\n"
    return result + TOKEN_LINE + token + "\n", "renewed"


def follow(path: LocalPath) -> tuple[str, LocalPath]:
    """Return the file that `path` is or, as a symbolic link, leads to, behind what is wrong."""
    if not path.is_symlink():
        return "", path
    if is_foreign_link(path):
        return f"{path} is a symbolic link of another user, it is not followed", path
    status, answer = readlink["-f", path] & CAPTURE
    if status == 1:
        return f"{path} is a symbolic link that leads nowhere", path
    if status != 0:
        return f"readlink could not follow {path} (exit {status})", path
    target = absolute(answer)
    if path.exists() and not same_file(path, target):
        # The target's name ends in a newline, which is not in the answer.
        return f"{path} is a symbolic link that leads nowhere", path
    return "", target


def keep_attributes(dotenv: LocalPath, target: LocalPath, temporary: LocalPath) -> tuple[str, str]:
    """Give the new file `temporary` the owner, group and mode of `target`: what went wrong, and the
    mode in octal digits.

    A file of another user is rejected: that user could read the token. root keeps the owner.
    """
    status, answer = stat["-c", "%u %g %a", target, temporary] & CAPTURE
    if status != 0:
        return f"stat could not read the owner and mode of {dotenv} (exit {status})", ""
    wanted, _, found = answer.partition("\n")
    owner, _, rest = wanted.partition(" ")
    _, _, mode = rest.partition(" ")
    if found == wanted:
        return "", mode
    uid = user_id()
    if uid != 0 and owner != "0" and owner != f"{uid}":
        return f"{dotenv} is a file of another user, it is not touched", ""
    if not (cp["--attributes-only", "--preserve=mode,ownership", target, temporary] & TF):
        return f"{dotenv} cannot be written, it is as it was", ""
    # Another user who can write in the directory may have exchanged the file.
    _, copied = stat["-c", "%a", temporary] & CAPTURE
    if copied != mode:
        return f"{dotenv} cannot be written, it is as it was", ""
    return "", mode


def replace(
    dotenv: LocalPath, target: LocalPath, temporary: LocalPath, text: str
) -> tuple[str, str]:
    """Replace the content of `target` in one step: what went wrong, and the mode of an old file."""
    problem = f"{dotenv} cannot be written, it is as it was"
    if create_file(temporary, text) != 0:
        return problem, ""
    mode = ""
    if target.exists():
        kept, mode = keep_attributes(dotenv, target, temporary)
        if kept != "":
            return kept, ""
    if (sync[temporary] & TF) and (mv["-f", "-T", temporary, target] & TF):
        return "", mode
    return problem, ""


def deliver(
    dotenv: LocalPath, target: LocalPath, temporary: LocalPath, token: str, expiry: str
) -> tuple[str, str]:
    """Write the token to .env in one step: what went wrong ("" if .env carries it now), and the
    event, "renewed" if .env has changed, else "".

    `target` is what .env leads to if it is a symbolic link; `temporary` is renamed over that.
    """
    text = ""
    if target.exists():
        status, text = read_file(target)
        if status == 2:
            return f"{dotenv} has a NUL byte, it is not touched", ""
        if status != 0:
            return f"{dotenv} cannot be read, it is not touched", ""
    wanted, event = with_token(text, token)
    if wanted == text:
        log(f"{dotenv} already has this token (expires_at={expiry})")
        return "", ""
    problem, mode = replace(dotenv, target, temporary, wanted)
    if problem != "":
        _ = rm["-f", temporary] & RETCODE
        _, found = read_file(target)
        if found != wanted:  # mv may have ended badly after it had done its work
            return problem, ""
    log(f"Updated .env with token (expires_at={expiry})")
    if mode != "" and not mode.endswith("0"):
        log(f"WARN: other users have access to the token, run: chmod 600 {dotenv}")
    return "", event


def is_delivered(credentials: LocalPath, dotenv: LocalPath) -> bool:
    """Whether .env already has the token of the credentials, with more than 5 min left."""
    problem, token, expiry = read_credentials(credentials)
    if not is_live(problem, expiry):
        return False
    _, text = read_file(dotenv)
    wanted, _ = with_token(text, token)
    return wanted == text  # never so for a .env that cannot be read: its text is ""


def begin(log_file: LocalPath) -> Status:
    """Open the log and take the lock for the rest of the run: 0, or 1 if there is no run."""
    logs = log_file.dirname
    if not logs.exists():
        _ = mkdir["-p", logs] & RETCODE
    if is_foreign_link(logs) or is_foreign_link(log_file):
        complain(f"oauthkit: the log {log_file} leads through a symbolic link of another user")
        return 1
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
    # Again: this run or the one that held the lock may have renamed it.
    _ = open_log(log_file)
    return 0


def refresh(project: LocalPath, ensure: bool) -> Status:
    """Makes .env carry a live access token: 0 if it does, 1 if the log's last ERROR says why not.

    With `ensure`, nothing is done if it already does.
    """
    os.umask(0o077)
    disable_core_dumps()
    if local.env.get("HOME", "") == "":
        complain("oauthkit: HOME is not set, it leads to claude's credentials")
        return 1
    # claude runs in another folder, and takes that for an empty CLAUDE_CONFIG_DIR.
    home = absolute(local.env.get("HOME", ""))
    local.env["HOME"] = home
    config = absolute(local.env.get("CLAUDE_CONFIG_DIR") or f"{home}/.claude")
    if local.env.get("CLAUDE_CONFIG_DIR", "") != "":
        local.env["CLAUDE_CONFIG_DIR"] = config
    else:
        local.env.pop("CLAUDE_CONFIG_DIR", "")
    credentials = config / ".credentials.json"
    dotenv = absolute(local.env.get("OAUTHKIT_DOTENV") or f"{project}/.env")
    log_file = absolute(local.env.get("OAUTHKIT_LOG") or f"{project}/logs/oauth-refresh.log")
    timer = timer_with_settings(home, dotenv, log_file)
    # Each of these makes claude ignore the credentials file, or refuse to start; some have a token,
    # which is none of a hook's business.
    local.env.pop("CLAUDE_CODE_OAUTH_TOKEN", "")
    local.env.pop("ANTHROPIC_API_KEY", "")
    local.env.pop("ANTHROPIC_AUTH_TOKEN", "")
    local.env.pop("CLAUDE_CODE_SIMPLE", "")
    local.env.pop("CLAUDECODE", "")
    # In the project, claude would run the project's own hooks and MCP servers.
    local.cwd.chdir("/")
    if ensure and is_delivered(credentials, dotenv):
        return 0

    if begin(log_file) != 0:
        return 1
    followed, target = follow(dotenv)
    temporary = own_temporary(target)
    logs = log_file.dirname
    output = logs / "oauth-refresh.output"
    problem, token, expiry = live_token(credentials, home, output)
    if problem == "":
        problem = followed
    event = ""
    if problem == "":
        problem, event = deliver(dotenv, target, temporary, token, expiry)
    if problem != "":
        log(f"ERROR: {problem}")
    turn = mark(logs / "oauth-refresh.failing", problem)
    # On every path that got here: a login repaired by hand must heal the rest by itself.
    arm(project, problem, expiry, timer)

    # What hooks are told, beside the event.
    local.env["OAUTHKIT_REASON"] = problem
    local.env["OAUTHKIT_EXPIRES_AT"] = expiry
    local.env["OAUTHKIT_DOTENV"] = dotenv
    hooks = project / "scripts/oauth/hooks"
    tell(event, hooks, output)
    tell(turn, hooks, output)
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
            complain(f"oauthkit: unexpected argument {argument}\n{USAGE}")
            return 2
        ensure = True
    script = script_path()
    project = absolute(f"{script}/../../..")
    return refresh(project, ensure)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
