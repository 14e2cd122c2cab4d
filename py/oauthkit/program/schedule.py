"""Schedule the next run with a transient timer of the systemd user manager."""

from __future__ import annotations

from plumbum import LocalPath, local
from plumbum.commands import ERROUT, BaseCommand

from oauthkit.program.command_output import log_output
from oauthkit.program.credentials import RENEW_BEFORE_MS, outlasts
from oauthkit.program.renewal import next_try_ms
from oauthkit.program.settings import SETTINGS
from oauthkit.shell import (
    CAPTURE,
    RETCODE,
    Status,
    absolute,
    escape_unit,
    find_program,
    get_env,
    is_unit_name,
    log,
    log_error,
    now_ms,
    own_command,
    parse_int,
    program,
    read_file,
    timestamp,
    user_id,
)

SCHEDULE_BEFORE_MS = 30 * 60 * 1000
RETRY_MS = 5 * 60 * 1000
LONGEST_WAIT_MS = 24 * 60 * 60 * 1000
SHORTEST_WAIT_MS = 1000
# systemd ignores a calendar time that has passed when it reads it. For a time this near, the timer
# also counts from its own start.
NEAR_MS = 30 * 1000
DEFAULT_UNIT = "nanoclaw-oauth-refresh-next"

systemctl = program("systemctl")
systemd_run = program("systemd-run")


def timer_with_settings() -> BaseCommand:
    """Return the systemd-run command that passes this run's settings on to the next one.

    A service inherits only the user manager's environment, and a PATH without ~/.local/bin.
    """
    # systemd ends a run that hangs, and restarts one that was killed. SIGPIPE is restored, because
    # bash's children inherit an ignored one. Python imports from the working directory, so that
    # must be one that others cannot write.
    timer = systemd_run[
        "--user", "--quiet", "--collect", "--description=NanoClaw OAuth token refresh",
        "--timer-property=AccuracySec=1s", "--property=RuntimeMaxSec=10min",
        "--property=Restart=on-abnormal", "--property=RestartSec=7min",
        "--property=IgnoreSIGPIPE=no", "--property=WorkingDirectory=/", "--property=LimitCORE=0",
        f"--setenv=HOME={local.env.get('HOME', '')}",
        f"--setenv=PATH={local.env.get('PATH', '')}",
    ]  # fmt: skip
    for name in SETTINGS:
        value = get_env(name)
        if value != "":
            timer = timer[f"--setenv={name}={value}"]
    return timer


def next_run_ms(problem: str, expiry: str, try_ms: int) -> int:
    """Return when the next run is due, in ms since the epoch.

    That is 30 min before the expiry, at most 24 h from now. After a failure, or with 30 min or less
    left, it is 5 min from now, or earlier: when the token may be renewed, or at `try_ms`, which is
    what next_try_ms returns. Runs until then must not postpone the next one.
    """
    _, expires_at_ms = parse_int(expiry)
    now = now_ms()
    due_ms = expires_at_ms - SCHEDULE_BEFORE_MS
    if problem != "" or due_ms <= now:
        due_ms = now + RETRY_MS
        # The clock has whole seconds: in the one before, a token would still be fresh.
        renewal_ms = expires_at_ms - RENEW_BEFORE_MS + 999
        if renewal_ms > now and renewal_ms < due_ms:
            due_ms = renewal_ms
        if try_ms > now and try_ms < due_ms:
            due_ms = try_ms
    if due_ms > now + LONGEST_WAIT_MS:
        due_ms = now + LONGEST_WAIT_MS
    if due_ms < now + SHORTEST_WAIT_MS:
        due_ms = now + SHORTEST_WAIT_MS
    return due_ms


def unit_name(setting: str) -> str:
    """Return the unit's name in OAUTHKIT_UNIT without suffix, or "" if systemd would change it."""
    unit = setting.removesuffix(".timer")  # systemd-run would remove it
    unit = unit.removesuffix(".service")
    if not is_unit_name(unit):
        return ""
    return unit


def owner_of(unit: str, project: LocalPath) -> str:
    """Return whose timer or service has this name: "own", "other", or "" if the name is unused.

    systemd keeps a user's transient units in files (systemd.unit(5), UNIT FILE LOAD PATH). Without
    that directory, return "own".
    """
    directory = absolute(f"{local.env.get('XDG_RUNTIME_DIR', '')}/systemd")
    if not directory.is_dir():
        return "own"
    service = absolute(f"{directory}/transient/{unit}.service")
    status, text = read_file(service)
    if status != 0:
        return ""
    # In the file, some characters have a backslash before them, % is doubled, and $ is written
    # twice, or four times by systemd 257. A newline, tab or CR is \n, \t or \r. Paths with other
    # control characters are not recognized.
    text = text.replace("\\", "")
    text = text.replace("%%", "%")
    shown = project.replace("\\", "")
    shown = shown.replace("\n", "n")
    shown = shown.replace("\t", "t")
    shown = shown.replace("\r", "r")
    for dollar in ("$$", "$$$$"):
        written = shown.replace("$", dollar)
        script = f'"{written}/scripts/'  # oauth/refresh.sh, or the script that it replaces
        option = f' "--project={written}"'
        if script in text or option in text:
            return "own"
    return "other"


def is_pending(unit: str, project: LocalPath) -> bool:
    """Return whether systemd has this project's timer with this name, so that it can be stopped.

    If one of several units is not loaded, systemctl stops none of them since systemd 262.
    """
    owner = owner_of(unit, project)
    if owner != "own":
        return False
    directory = absolute(f"{local.env.get('XDG_RUNTIME_DIR', '')}/systemd")
    timer = absolute(f"{directory}/transient/{unit}.timer")
    return timer.exists() or not directory.is_dir()


def start_timer(
    project: LocalPath, unit: str, problem: str, expiry: str, try_ms: int, timer: BaseCommand
) -> tuple[Status, str, int]:
    """Replace the project's pending timers with a new one, under the first unused name.

    Return the status of systemd-run, its output, and the due time in seconds since the epoch.
    """
    suffix = escape_unit(project)
    own = f"{unit}-{suffix}"
    # An escaped path does not have two hyphens in a row.
    spare = f"{own}--alt"
    last = f"{spare}-alt"
    first = unit
    second = own
    third = spare
    owner = owner_of(unit, project)
    if owner == "other":
        log(f"WARN: the unit {unit} does not belong to this project. Using {own}")
        first = own
        second = spare
        third = last
    reset = systemctl["--user", "reset-failed"]
    for name in (first, second, third):
        reset = reset[f"{name}.service"]
    next_run = own_command(project)
    for attempt in ("first", "second"):
        if attempt == "second":
            # A failed unit keeps its name until it is reset.
            _ = reset & RETCODE
        # A name is in use while its timer has started this run, or while its service still runs.
        for name in (first, second, third):
            # Do not wait: if this service is being stopped, systemd stops its timer only after its
            # end.
            stop = systemctl["--user", "--no-block", "stop"]
            is_any_pending = False
            # Check the owners only now: a failed systemd-run may have started a timer before it was
            # killed, and another project may have taken a name that was unused.
            for used in (unit, own, spare, last):
                if is_pending(used, project):
                    stop = stop[f"{used}.timer"]
                    is_any_pending = True
            if is_any_pending:
                _ = stop & RETCODE
            due_ms = next_run_ms(problem, expiry, try_ms)  # after the stop, which may take long
            due_s = due_ms // 1000
            now = now_ms()
            # If the clock is set back, wait at most 25 h.
            longest = "25h"
            if due_ms < now + NEAR_MS:
                longest_s = due_s - now // 1000
                longest = f"{longest_s}s"
            named = timer[
                f"--on-calendar=@{due_s}", f"--on-active={longest}", f"--unit={name}", "--",
                next_run,
            ]  # fmt: skip
            status, complaint = (named >= ERROUT) & CAPTURE
            if status == 0:
                return 0, complaint, due_s
    return status, complaint, due_s


def schedule(
    project: LocalPath, credentials: LocalPath, problem: str, expiry: str, timer: BaseCommand
) -> None:
    """Schedule the next run, and log the outcome."""
    if problem != "":
        log(f"WARN: scheduling retry in 5 min after: {problem}")
    elif not outlasts(expiry, SCHEDULE_BEFORE_MS):
        log("WARN: token expires in <30 min, scheduling retry in 5 min")
    found = find_program("systemd-run")
    if found == "":
        log_error("WARN: systemd-run not found, next refresh NOT scheduled")
        return
    uid = user_id()
    runtime = LocalPath("/run/user") / str(uid)
    if local.env.get("XDG_RUNTIME_DIR", "") == "" and runtime.is_dir():
        local.env["XDG_RUNTIME_DIR"] = f"{runtime}"
    setting = local.env.get("OAUTHKIT_UNIT") or DEFAULT_UNIT
    unit = unit_name(setting)
    if unit == "":
        unit = DEFAULT_UNIT
        log(f"WARN: OAUTHKIT_UNIT is not a valid unit name: {setting}. Using {unit}")
    try_ms = next_try_ms(credentials)
    status, complaint, due_s = start_timer(project, unit, problem, expiry, try_ms, timer)
    if status == 0:
        due = timestamp(due_s)
        log(f"Scheduled next refresh at {due}")
        return
    if status < 126:
        log_output("systemd-run", complaint)
    log_error(f"ERROR: systemd-run failed (exit {status}), next refresh NOT scheduled")
