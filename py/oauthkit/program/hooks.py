"""Run the project's hooks after a new token, the first failed run, and the next good one."""

from __future__ import annotations

from plumbum import LocalPath, local

from oauthkit.program.process import GRACE_S, log_output
from oauthkit.shell import RETCODE, absolute, create_file, log, program, run_limited

HOOK_LIMIT_S = 30

rm = program("rm")


def mark(failing: LocalPath, problem: str) -> str:
    """Keep a file from the first failed run to the next good one.

    Return the event at either end of that time, "failed" or "recovered", else "".
    """
    if problem != "" and not failing.exists():
        _, _ = create_file(failing, "", "", "")
        return "failed"
    if problem == "" and failing.exists():
        _ = rm["-f", failing] & RETCODE
        return "recovered"
    return ""


def tell(event: str, hooks: LocalPath) -> None:
    """Run the hook for an event ("" for none) if there is one, and log its result."""
    if event == "":
        return
    hook = absolute(f"{hooks}/{event}")
    if not hook.is_file() or not hook.access("x"):
        return
    local.env["OAUTHKIT_EVENT"] = event
    status, printed = run_limited(HOOK_LIMIT_S, GRACE_S, program(hook))
    if status == 0:
        log(f"Hook {event} succeeded")
    elif status == 124 or status == 137:
        log(f"WARN: hook {event} was ended after {HOOK_LIMIT_S} s, or by a signal (exit {status})")
    else:
        log(f"WARN: hook {event} failed (exit {status})")
    if status != 0:
        log_output(f"hook {event}", printed)
