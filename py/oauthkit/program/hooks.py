"""Tells what came of a run: the mark of a time of failures, and the hooks of the project."""

from __future__ import annotations

from plumbum import LocalPath, local

from oauthkit.program.process import log_output_file, run_within
from oauthkit.shell import RETCODE, absolute, create_file, log, program

HOOK_LIMIT_S = 30

rm = program("rm")


def mark(failing: LocalPath, problem: str) -> str:
    """Marks the time from the first failed run to the next good one: the event at either end of it,
    "failed" or "recovered", else "".
    """
    if problem != "" and not failing.exists():
        _ = create_file(failing, "")
        return "failed"
    if problem == "" and failing.exists():
        _ = rm["-f", failing] & RETCODE
        return "recovered"
    return ""


def tell(event: str, hooks: LocalPath, output: LocalPath) -> None:
    """Runs the hook for an event ("" for none) if there is one, and logs what came of it.

    What it prints is kept in the file `output` until then.
    """
    if event == "":
        return
    hook = absolute(f"{hooks}/{event}")
    if not hook.is_file() or not hook.access("x"):
        return
    local.env["OAUTHKIT_EVENT"] = event
    status = run_within(HOOK_LIMIT_S, output, program(hook))
    if status == 0:
        log(f"Hook {event} succeeded")
    elif status == 124 or status == 137:
        log(f"WARN: hook {event} was ended after {HOOK_LIMIT_S} s, or by a signal (exit {status})")
    else:
        log(f"WARN: hook {event} failed (exit {status})")
    if status != 0:
        log_output_file(f"hook {event}", output)
    _ = rm["-f", output] & RETCODE
