"""Check the last run and its hooks."""

from __future__ import annotations

import os
import re
import time
from typing import TYPE_CHECKING

from oauthkit.host import notify
from oauthkit.host.doctor import programs
from oauthkit.host.doctor.delivered import delivered_login
from oauthkit.host.doctor.finding import Finding
from oauthkit.host.lock_holder import is_locked
from oauthkit.host.path_info import changing, is_file
from oauthkit.host.status.failures import BAD_CREDENTIALS, fix_of, log_in
from oauthkit.host.status.log import failed_hooks, last_failure, read_log, unresolved_failure
from oauthkit.host.status.login import read_dotenv
from oauthkit.host.status.runs import failing_since_s
from oauthkit.host.status.text_output import clock
from oauthkit.program.hooks import EVENTS, HOOKS
from oauthkit.shell import find_program

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oauthkit.host.project import ProjectPaths

# Errors about files, which other checks of doctor also detect. The cause may be gone by now.
_ABOUT_FILES = re.compile(
    r"is not a (?:directory|file) |is not writable|cannot be written(?! and)|is a mount point"
    r"|NUL byte|is larger than 256 KiB|leads nowhere"
)


def runs(paths: ProjectPaths) -> Iterator[Finding]:
    """Check that the last run succeeded. If not, show the error and its fix."""
    entries = read_log(paths)
    login, dotenv = delivered_login(paths), read_dotenv(paths.dotenv)
    failure = last_failure(entries)
    if failing_since_s(paths, login, dotenv, entries, time.time()) is None:
        text = "the last run did not fail" if entries else "none in the log"
        if unresolved_failure(entries, is_locked=is_locked(paths.lock)) is not None:
            text = "the last run failed, but .env still has its token"
        yield Finding("runs", text)
        return
    if failure is None:
        text = f"they fail, but {paths.log} does not say why"
        yield Finding("runs", text, needs_refresh=True)
        return
    # The cause may be fixed already. If it is not, the same refresh would fail again.
    text, fix = f"they fail: {failure.text}", fix_of(failure, paths)
    name = failure.text.partition(" ")[0]
    if failure.text.startswith("claude binary not found"):
        fix = "" if programs.claude(paths).is_ok else fix  # it is there now
    elif name in {"jq", "timeout", "flock"} and " not found in PATH" in failure.text:
        fix = "" if find_program(name) else fix
    elif _ABOUT_FILES.search(failure.text) or BAD_CREDENTIALS.search(failure.text):
        fix = ""  # the checks of the files have the fix, unless the cause is gone
    yield Finding(
        "runs",
        text,
        fix,
        output=failure.output,
        log=str(paths.log),
        needs_refresh=" --rejected" not in fix,
        is_advice=fix != log_in(paths),
    )


def hooks(paths: ProjectPaths) -> Iterator[Finding]:
    """Check that the project's hooks can be run, and that none failed when it was last run."""
    failed = failed_hooks(read_log(paths))
    for event in EVENTS:
        hook = paths.project / HOOKS / event
        if is_file(hook) and not os.access(hook, os.X_OK):
            text = f"{hook} is not executable, so it is ignored"
            fix = changing(paths.project, hook, "chmod +x")
            yield Finding(f"hook '{event}'", text, fix, is_note=True)
        elif (interpreter := programs.missing_interpreter(hook)) and os.access(hook, os.X_OK):
            text = f"{hook} cannot run: {interpreter}"
            fix = "change its first line"
            if interpreter.endswith(programs.CR_LF):
                fix = changing(paths.project, hook, "sed -i 's/\\r$//'")
            elif interpreter.endswith(programs.BOM):
                fix = changing(paths.project, hook, r"sed -i '1s/^\xef\xbb\xbf//'")
            yield Finding(f"hook '{event}'", text, fix, is_note=True)
        elif event in failed and is_file(hook) and hook.stat().st_mtime <= failed[event].at_s:
            at = clock(failed[event].at_s, time.time())
            text = f"it failed when it was last run, at {at} ({failed[event].text})"
            fix = f"correct it. Its output is in {paths.log}"
            yield Finding(f"hook '{event}'", text, fix, True, failed[event].output)
    for problem, fix in notify.missing_programs(paths).items():
        yield Finding("notifications", problem, fix)
