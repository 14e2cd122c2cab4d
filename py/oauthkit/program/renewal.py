"""Renew the token through the claude CLI: once per login, and with limits on its starts."""

from __future__ import annotations

from plumbum import LocalPath, local
from plumbum.commands import BaseCommand

from oauthkit.program.command_output import log_output, report_output
from oauthkit.program.credentials import (
    LOGIN_ENDED,
    RENEW_BEFORE_MS,
    access_token,
    expires_at,
    is_renewed,
    read_credentials,
)
from oauthkit.program.limits import CLAUDE_LIMIT_S, GRACE_S
from oauthkit.shell import (
    RETCODE,
    TF,
    Status,
    absolute,
    command_runs,
    create_file,
    end_command,
    find_program,
    finish_command,
    lock_directory,
    log,
    now_ms,
    own_temporary,
    parse_int,
    program,
    read_file,
    start_command,
    timestamp,
    unlock_directory,
)

LOGIN_WAIT_S = 120
# In this time, claude may fail 3 times, and is started at most once for a rejected token.
START_LIMIT_MS = 5 * 60 * 1000
MAX_FAILURES = 3
FAILURES = ".oauthkit-failures"
REJECTED = ".oauthkit-rejected"
# 2^20 bytes.
RESERVE_DOUBLINGS = 20
# How long a renewal by another session can take.
OTHER_LIMIT_S = 30

mv = program("mv")
rm = program("rm")
sleep = program("sleep")


def run_claude(credentials: LocalPath, rejected: str, claude: BaseCommand) -> tuple[Status, str]:
    """Run claude; return its exit status and output.

    With the API overloaded, claude renews the token at once, then retries its request for minutes.
    So it is ended 5 s after the last change of the credentials, if the token is renewed then.
    """
    _, before = read_file(credentials)
    status = start_command(CLAUDE_LIMIT_S, GRACE_S, claude)
    if status != 0:
        return status, ""
    last = before
    waited_s = 0
    while command_runs():
        _, content = read_file(credentials)
        if content != last:
            last = content
            waited_s = 0
        waited_s += 1
        if waited_s == GRACE_S and content != before:
            problem, login = read_credentials(credentials)
            if is_renewed(problem, login, rejected):
                end_command()
    return finish_command(GRACE_S)


def find_claude(home: LocalPath) -> tuple[str, LocalPath]:
    """Return an error ("" if there is none), and the path of claude."""
    for candidate in ("claude", f"{home}/.claude/local/claude", f"{home}/.local/bin/claude"):
        found = find_program(candidate)
        if found != "":
            break
    if found == "":
        return "claude binary not found in PATH or common locations", LocalPath("/")
    timeout = find_program("timeout")
    if timeout == "":
        return "timeout not found in PATH. It is needed to run claude", LocalPath("/")
    path = absolute(found)
    return "", path


def call_claude(
    credentials: LocalPath, claude: LocalPath, rejected: str
) -> tuple[Status, str, str, str]:
    """Run claude, again with fewer options if it fails: older versions do not know all of them.

    Return its exit status, its output, and what read_credentials returns.
    """
    status = 0
    printed = ""
    problem = ""
    login = ""
    for options in ("light", "all", "old"):
        if options == "light" and local.env.get("OAUTHKIT_LIGHT", "") != "1":
            continue
        renewal = program(claude)["-p", "ok"]
        if options != "old":
            renewal = renewal["--no-session-persistence"]
        if options == "light":  # send a short request to the cheapest model
            renewal = renewal[
                "--safe-mode", "--tools=", "--system-prompt=Say-ok.", "--model=haiku",
            ]  # fmt: skip
        log_output("claude", printed)
        status, printed = run_claude(credentials, rejected, renewal)
        problem, login = read_credentials(credentials)
        # 124 and 137 mean that the limit was reached.
        if status == 0 or status == 124 or status == 137 or is_renewed(problem, login, rejected):
            break
    return status, printed, problem, login


def await_other(credentials: LocalPath, problem: str, login: str, rejected: str) -> tuple[str, str]:
    """Wait while another session of Claude Code renews the token.

    Return what read_credentials returns; `problem` and `login` are what it has returned before.
    """
    directory = credentials.dirname
    lock = directory / ".oauth_refresh.lock"  # which such a session holds
    waited_s = 0
    is_held = lock.exists()
    while is_held and waited_s < OTHER_LIMIT_S and not is_renewed(problem, login, rejected):
        _ = sleep["1"] & RETCODE
        waited_s += 1
        is_held = lock.exists()  # before the reading: the session may release it in between
        problem, login = read_credentials(credentials)
    return problem, login


def record_start(state: LocalPath, text: str) -> str:
    """Replace the content of a file that limits how often claude is started. Return an error.

    On a full disk, claude must not be started: it would renew the login but could not save it.
    It writes other files before that, so 1 MiB must be free. If it is not, the old content is kept.
    """
    temporary = own_temporary(state)
    place = absolute(f"{state}.reserve")
    place = own_temporary(place)
    reserve = "."
    doubled = 0
    while doubled < RESERVE_DOUBLINGS:
        reserve += reserve
        doubled += 1
    status, _ = create_file(place, reserve, "", "")
    if status == 0:
        # A separate file, because another user may have replaced the first one with a link.
        status, _ = create_file(temporary, text, "", "")
    _ = rm["-f", place] & RETCODE
    if status == 0 and (mv["-f", "-T", temporary, state] & TF):
        return ""
    _ = rm["-f", temporary] & RETCODE
    return (
        f"{state} and 1 MiB cannot be written, and claude could not save the login."
        " It is not started"
    )


def recorded_failures(credentials: LocalPath) -> tuple[int, int]:
    """Return how often claude has failed with less than 5 min between two starts, and the last one.

    A file beside the credentials keeps the number of starts that have not succeeded, and the time
    of the last one in ms.
    """
    directory = credentials.dirname
    _, text = read_file(directory / FAILURES)
    count, _, last = text.partition(" ")
    _, failures = parse_int(count)
    _, last_ms = parse_int(last)
    now = now_ms()
    if last_ms > now or last_ms + START_LIMIT_MS <= now:
        return 0, 0
    return failures, last_ms


def next_try_ms(credentials: LocalPath) -> int:
    """Return until when limit_failures prevents the start of claude, in ms. 0 if it does not."""
    failures, last_ms = recorded_failures(credentials)
    if failures < MAX_FAILURES:
        return 0
    return last_ms + START_LIMIT_MS


def limit_failures(credentials: LocalPath) -> str:
    """Return an error for 5 min after claude has failed 3 times.

    A container that requests refreshes must not use up the account's quota.
    """
    directory = credentials.dirname
    failures, last_ms = recorded_failures(credentials)
    if failures >= MAX_FAILURES:
        next_ms = last_ms + START_LIMIT_MS
        when = timestamp(next_ms // 1000)
        return f"claude has failed to renew the token {failures} times. Next try: {when}"
    now = now_ms()
    return record_start(directory / FAILURES, f"{failures + 1} {now}")


def renew(credentials: LocalPath, home: LocalPath, rejected: str) -> tuple[str, str]:
    """Start claude, which renews the access token. Return what read_credentials returns.

    The error says why nothing was renewed. Only the file counts, not the exit status: claude exits
    with 0 even if its token endpoint is down.
    """
    problem, claude = find_claude(home)
    if problem == "":
        problem = limit_failures(credentials)
    if problem != "":
        return problem, ""
    status, printed, problem, login = call_claude(credentials, claude, rejected)
    if status == 0:
        problem, login = await_other(credentials, problem, login, rejected)
    renewed = is_renewed(problem, login, rejected)
    if not renewed:
        report_output("claude", printed)
    elif status != 0:
        log_output("claude", printed)

    if renewed:
        directory = credentials.dirname
        _ = rm["-f", directory / FAILURES] & RETCODE
        log("Claude CLI refreshed token successfully")
        if status != 0:
            log(f"WARN: claude exited {status} after it had renewed the token")
        return "", login
    if problem != "":
        log(f"WARN: {problem}")
        if problem.endswith(LOGIN_ENDED):
            return f"no accessToken after CLI refresh. {LOGIN_ENDED}", ""
        return "no accessToken after CLI refresh", ""
    token = access_token(login)
    if token == rejected:
        return f"the API refuses the token, and claude did not renew it (exit {status})", login
    if status != 0:
        problem = f"claude CLI refresh failed (exit {status}). User may need to run 'claude login'."
        return problem, ""
    return "claude exited 0 and renewed nothing. Is its token endpoint down?", ""


def was_rejected(credentials: LocalPath, login: str) -> bool:
    """Return whether limit_rejected_starts recorded its last start for this login's token."""
    directory = credentials.dirname
    _, text = read_file(directory / REJECTED)
    expiry = expires_at(login)
    return expiry != "" and text.startswith(f"{expiry} ")


def limit_rejected_starts(credentials: LocalPath, login: str) -> str:
    """Return an error if claude was started in the last 5 min for a rejected token.

    A file beside the credentials keeps the token's expiry and the time of the start. A container
    that reports each token as rejected must not use up the account's quota.
    """
    directory = credentials.dirname
    state = directory / REJECTED
    expiry = expires_at(login)
    _, text = read_file(state)
    _, _, last = text.partition(" ")
    status, last_ms = parse_int(last)
    now = now_ms()
    wait_ms = last_ms + START_LIMIT_MS - now
    if status == 0 and wait_ms > 0 and wait_ms <= START_LIMIT_MS:
        next_ms = now + wait_ms
        when = timestamp(next_ms // 1000)
        return f"the API refuses the token. claude was started in the last 5 min. Next try: {when}"
    return record_start(state, f"{expiry} {now}")


def renew_once(credentials: LocalPath, home: LocalPath, rejected: str) -> tuple[str, str]:
    """Renew the token unless another project has done so; return what read_credentials returns.

    Projects that share a login wait for each other: the first one's claude renews the token for all
    of them.
    """
    directory = credentials.dirname
    locked = lock_directory(directory, LOGIN_WAIT_S)
    problem, login = read_credentials(credentials)
    if is_renewed(problem, login, rejected):
        log("The token was renewed by another run")
    elif locked == 3:
        problem = f"a signal ended the wait for the lock of {directory}"
    else:
        if locked == 1:  # anybody who can read the directory can hold it
            log(f"WARN: other processes have held the lock of {directory} for {LOGIN_WAIT_S} s")
        elif locked != 0:
            log(f"WARN: {directory} cannot be locked")
        problem = ""
        blocked_ms = next_try_ms(credentials)
        if rejected != "" and blocked_ms == 0:  # else claude is not started, so nothing is recorded
            problem = limit_rejected_starts(credentials, login)
            if problem == "":
                log("The API refuses the token, invoking claude CLI to refresh")
        if problem == "":
            problem, login = renew(credentials, home, rejected)
    unlock_directory()
    return problem, login


def live_token(credentials: LocalPath, home: LocalPath, rejected: str) -> tuple[str, str]:
    """Return what read_credentials returns, after a renewal if the token has 5 min left or less.

    Renew it in any case if it is `rejected`: the token that the API has rejected, else "".
    """
    problem, login = read_credentials(credentials)
    if problem != "":
        return problem, ""
    expiry = expires_at(login)
    status, expires_at_ms = parse_int(expiry)
    if status != 0:
        log("WARN: no expiresAt in credentials, forcing refresh")
    now = now_ms()
    left_ms = expires_at_ms - now
    token = access_token(login)
    if left_ms <= RENEW_BEFORE_MS:
        rejected = ""  # it has expired anyway
        log(
            f"Token expired or expiring soon (remaining_ms={left_ms}),"
            " invoking claude CLI to refresh"
        )
    elif token != rejected:
        log(f"Token still fresh (remaining_ms={left_ms}), syncing to .env")
        return "", login
    else:
        problem, _ = find_claude(home)
        if problem != "":
            return problem, login
    return renew_once(credentials, home, rejected)
