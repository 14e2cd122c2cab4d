"""Run the project's hooks: after a new token, a failure, its end, and before the login ends."""

from __future__ import annotations

from plumbum import LocalPath, local

from oauthkit.program.command_output import log_output
from oauthkit.program.limits import GRACE_S, HOOK_LIMIT_S
from oauthkit.shell import (
    RETCODE,
    absolute,
    create_file,
    log,
    mask_secrets,
    now_ms,
    parse_int,
    program,
    read_file,
    replace_controls,
    run_limited,
    timestamp,
)

HOOKS = "scripts/oauth/hooks"
EVENTS = ("renewed", "failed", "recovered", "login-ending")
DAY_MS = 24 * 60 * 60 * 1000

rm = program("rm")


def track_failure(failing: LocalPath, problem: str, kind: str) -> str:
    """Keep a file with the failure's kind from the first failed run to the next successful one.

    Return "failed" when the failure starts, "recovered" when it ends, else "". The kind is
    "rejected" if the API rejects the token, else "". Such a failure does not end when the same
    token is delivered again. If a failure of the other kind follows it, return "failed" again.
    """
    _, last = read_file(failing)
    is_failing = failing.exists()
    if problem == "":
        if not is_failing or (kind == "rejected" and last == "rejected"):
            return ""
        _ = rm["-f", failing] & RETCODE
        if kind == "rejected":  # the token is still rejected
            _, _ = create_file(failing, kind, "", "")
            return ""
        return "recovered"
    if is_failing and (kind == "rejected" or last != "rejected"):
        return ""
    if is_failing:
        _ = rm["-f", failing] & RETCODE
    _, _ = create_file(failing, kind, "", "")
    return "failed"


def track_login_end(state: LocalPath, login_end: str) -> bool:
    """Log a warning once when 3 days of the login are left, and once when 1 day is.

    Return whether the hook login-ending must run. `login_end` is what login_ends_at returns. The
    file `state` keeps what was reported. Return False if it cannot be written: otherwise, the hook
    would run each time.
    """
    if login_end == "":
        return False
    status, ends_at_ms = parse_int(login_end)
    if status != 0 or ends_at_ms <= 0:
        log("WARN: refreshTokenExpiresAt in credentials is not a time in ms and is ignored")
        return False
    now = now_ms()
    left_ms = ends_at_ms - now
    if left_ms > 3 * DAY_MS:
        return False
    days = 3
    if left_ms <= DAY_MS:
        days = 1
    report = f"{ends_at_ms} {days}"
    _, last = read_file(state)
    if report == last:
        return False
    _ = rm["-f", state] & RETCODE
    written, _ = create_file(state, report, "", "")
    when = timestamp(ends_at_ms // 1000)
    if left_ms <= 0:
        log(f"WARN: the login ended at {when}. Run 'claude auth login'")
    else:
        log(f"WARN: the login ends at {when}. Run 'claude auth login' before then")
    return written == 0


def prepare_hooks(problem: str, expiry: str, login_end: str, dotenv: LocalPath) -> None:
    """Set the hooks' environment, except OAUTHKIT_EVENT.

    report_output may have set OAUTHKIT_OUTPUT before.
    """
    reason = replace_controls(problem, "")
    reason = mask_secrets(reason)
    local.env["OAUTHKIT_REASON"] = reason
    local.env["OAUTHKIT_OUTPUT"] = local.env.get("OAUTHKIT_OUTPUT", "")
    local.env["OAUTHKIT_EXPIRES_AT"] = expiry
    status, _ = parse_int(login_end)
    if status != 0:
        login_end = ""
    local.env["OAUTHKIT_LOGIN_ENDS_AT"] = login_end
    local.env["OAUTHKIT_DOTENV"] = f"{dotenv}"


def run_hook(event: str, hooks: LocalPath) -> None:
    """Run the hook for an event ("" for none) if there is one, and log its result."""
    if event == "":
        return
    hook = absolute(f"{hooks}/{event}")
    if not hook.is_file() or not hook.access("x"):
        return
    local.env["OAUTHKIT_EVENT"] = event
    status, printed = run_limited(HOOK_LIMIT_S, GRACE_S, program(hook))
    if status == 0:
        log(f"Hook '{event}' succeeded")
    elif status == 124 or status == 137:
        log(
            f"WARN: hook '{event}' was ended after {HOOK_LIMIT_S} s, or by a signal (exit {status})"
        )
    else:
        log(f"WARN: hook '{event}' failed (exit {status})")
    if status != 0:
        log_output(f"hook '{event}'", printed)
