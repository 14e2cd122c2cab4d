"""Read the token from Claude Code's credentials, and renew it through the claude CLI."""

from __future__ import annotations

from plumbum import LocalPath, local
from plumbum.commands import BaseCommand

from oauthkit.program.process import GRACE_S, log_output
from oauthkit.shell import (
    CAPTURE,
    RETCODE,
    Status,
    absolute,
    add_secret,
    command_runs,
    end_command,
    find_program,
    finish_command,
    is_b64token,
    lock_directory,
    log,
    now_ms,
    parse_int,
    program,
    read_file,
    start_command,
    unlock_directory,
)

RENEW_BEFORE_MS = 5 * 60 * 1000
CLAUDE_LIMIT_S = 55
LOGIN_WAIT_S = 120
# How long a renewal by somebody else may take.
OTHER_LIMIT_S = 30

# Prints the type of claudeAiOauth and, for an object, the access token, the expiry without its
# fraction, and the refresh token. Each is one line of JSON.
CREDENTIALS_FILTER = (
    "(.claudeAiOauth? // null) | type,\n"
    '(.accessToken, (.expiresAt | if type == "number" then trunc else . end), .refreshToken)?'
)

LOGIN_ENDED = "The login has ended: run 'claude auth login'"

jq = program("jq")
sleep = program("sleep")


def read_credentials(credentials: LocalPath) -> tuple[str, str, str]:
    """Return an error ("" if there is none), the access token, and the expiry as text."""
    if not credentials.exists():
        return f"{credentials} not found", "", ""
    if not credentials.is_file():
        return f"{credentials} is not a file", "", ""
    if not credentials.access("r"):
        return f"{credentials} is not readable", "", ""
    status, answer = jq["-c", CREDENTIALS_FILTER, credentials] & CAPTURE
    if status == 127:
        return "jq not found in PATH, it is needed to read the credentials", "", ""
    if status >= 126 or status == 3:  # 3: a compile error, which can only be in ~/.jq
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
    if token == '""':  # as claude leaves it when its login is refused
        return f"no accessToken in credentials. {LOGIN_ENDED}", "", ""
    if not token.startswith('"'):
        return "no accessToken in credentials", "", ""
    token = token.removeprefix('"')
    token = token.removesuffix('"')
    add_secret(token)
    refresh_token = refresh_token.removeprefix('"')
    add_secret(refresh_token.removesuffix('"'))
    if not is_b64token(token):
        # A newline or a $ would change the meaning of .env.
        return "accessToken in credentials has a character that no access token has", "", ""
    return "", token, expiry


def outlasts(expiry: str, duration_ms: int) -> bool:
    """Return whether a token with this expiry has more than `duration_ms` left."""
    _, expires_at_ms = parse_int(expiry)
    now = now_ms()
    return expires_at_ms - now > duration_ms


def is_live(problem: str, expiry: str) -> bool:
    """Return whether read_credentials returned a token with more than 5 min left."""
    return problem == "" and outlasts(expiry, RENEW_BEFORE_MS)


def run_claude(credentials: LocalPath, claude: BaseCommand) -> tuple[Status, str]:
    """Run claude; return its exit status and output.

    With the API overloaded, claude renews the token at once, then retries its request for minutes.
    So it is ended 5 s after the credentials have changed, if they have a live token then.
    """
    _, before = read_file(credentials)
    status = start_command(CLAUDE_LIMIT_S, GRACE_S, claude)
    if status != 0:
        return status, ""
    waited_s = 0
    while command_runs():
        _, content = read_file(credentials)
        if content != before:
            waited_s += 1
        if waited_s == GRACE_S:
            problem, _, expiry = read_credentials(credentials)
            if is_live(problem, expiry):
                end_command()
            before = content
            waited_s = 0
    return finish_command(GRACE_S)


def find_claude(home: str) -> tuple[str, LocalPath]:
    """Return an error ("" if there is none), and the path of claude."""
    for candidate in ("claude", f"{home}/.claude/local/claude", f"{home}/.local/bin/claude"):
        found = find_program(candidate)
        if found != "":
            break
    if found == "":
        return "claude binary not found in PATH or common locations", LocalPath("/")
    timeout = find_program("timeout")
    if timeout == "":
        return "timeout not found in PATH, it is needed to run claude", LocalPath("/")
    path = absolute(found)
    return "", path


def call_claude(credentials: LocalPath, claude: LocalPath) -> tuple[Status, str, str, str, str]:
    """Run claude, again with fewer options if it fails: older versions do not know all of them.

    Return its exit status, its output, and what read_credentials returns.
    """
    status = 0
    printed = ""
    problem = ""
    token = ""
    expiry = ""
    for options in ("light", "all", "old"):
        if options == "light" and local.env.get("OAUTHKIT_LIGHT", "") != "1":
            continue
        renewal = program(claude)["-p", "ok"]
        if options != "old":
            renewal = renewal["--no-session-persistence"]
        if options == "light":  # send little, to the cheapest model
            renewal = renewal[
                "--safe-mode", "--tools=", "--system-prompt=Say-ok.", "--model=haiku",
            ]  # fmt: skip
        log_output("claude", printed)
        status, printed = run_claude(credentials, renewal)
        problem, token, expiry = read_credentials(credentials)
        # 124 and 137 mean that the limit was reached.
        if is_live(problem, expiry) or status == 0 or status == 124 or status == 137:
            break
    return status, printed, problem, token, expiry


def await_other(
    credentials: LocalPath, problem: str, token: str, expiry: str
) -> tuple[str, str, str]:
    """Wait while another session of Claude Code renews the token.

    Return what read_credentials returns. The arguments are what it has returned before.
    """
    directory = credentials.dirname
    lock = directory / ".oauth_refresh.lock"  # which such a session holds
    waited_s = 0
    is_held = lock.exists()
    while is_held and waited_s < OTHER_LIMIT_S and not is_live(problem, expiry):
        _ = sleep["1"] & RETCODE
        waited_s += 1
        is_held = lock.exists()  # before the reading: the session may release it in between
        problem, token, expiry = read_credentials(credentials)
    return problem, token, expiry


def renew(credentials: LocalPath, home: str) -> tuple[str, str, str]:
    """Start claude, which renews the access token. Return what read_credentials returns.

    The error says why nothing was renewed. Only the file counts, not the exit status: claude exits
    with 0 even if its token endpoint is down.
    """
    problem, claude = find_claude(home)
    if problem != "":
        return problem, "", ""
    status, printed, problem, token, expiry = call_claude(credentials, claude)
    if status == 0 and not is_live(problem, expiry):
        problem, token, expiry = await_other(credentials, problem, token, expiry)
    renewed = is_live(problem, expiry)
    if not renewed or status != 0:
        log_output("claude", printed)

    if renewed:
        log("Claude CLI refreshed token successfully")
        if status != 0:
            log(f"WARN: claude exited {status} after it had renewed the token")
        return "", token, expiry
    if problem != "":
        log(f"WARN: {problem}")
        if problem.endswith(LOGIN_ENDED):
            return f"no accessToken after CLI refresh. {LOGIN_ENDED}", "", ""
        return "no accessToken after CLI refresh", "", ""
    if status != 0:
        problem = f"claude CLI refresh failed (exit {status}). User may need to run 'claude login'."
        return problem, "", ""
    return "claude exited 0 and renewed nothing, is its token endpoint down?", "", ""


def renew_alone(credentials: LocalPath, home: str, before: str) -> tuple[str, str, str]:
    """Renew the token unless another project has done so; return what read_credentials returns.

    `before` is the content in which the token was about to expire. Projects that share a login
    wait for each other: the first one's claude renews the token for all of them.
    """
    directory = credentials.dirname
    locked = lock_directory(directory, LOGIN_WAIT_S)
    problem = ""
    token = ""
    expiry = ""
    _, content = read_file(credentials)
    if content != before:
        problem, token, expiry = read_credentials(credentials)
    if is_live(problem, expiry):
        log("The token was renewed by another run")
    elif locked == 3:
        problem = f"a signal ended the wait for the lock of {directory}"
    else:
        if locked == 1:  # anybody who can read the directory can hold it
            log(f"WARN: other processes have held the lock of {directory} for {LOGIN_WAIT_S} s")
        elif locked != 0:
            log(f"WARN: {directory} cannot be locked")
        problem, token, expiry = renew(credentials, home)
    unlock_directory()
    return problem, token, expiry


def live_token(credentials: LocalPath, home: str) -> tuple[str, str, str]:
    """Return what read_credentials returns, after a renewal if the token has 5 min left or less."""
    _, content = read_file(credentials)
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
    return renew_alone(credentials, home, content)
