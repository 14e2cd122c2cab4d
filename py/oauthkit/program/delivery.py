"""Write the token to .env in one step, and change nothing else there."""

from __future__ import annotations

from plumbum import LocalPath

from oauthkit.program.credentials import is_live, read_credentials
from oauthkit.shell import (
    CAPTURE,
    RETCODE,
    TF,
    absolute,
    create_file,
    is_foreign_link,
    log,
    program,
    read_file,
    same_file,
)

mv = program("mv")
readlink = program("readlink")
rm = program("rm")
sync = program("sync")


def with_token(text: str, token: str) -> tuple[str, str]:
    """Return the content of .env with the token in it, every other byte unchanged, and the event.

    The event is "renewed" if there was another token or none, else "".
    """
    result = ""
    event = ""
    placed = False
    rest = "\n" + text  # a line starts after a newline
    while True:
        before, found, rest = rest.partition("\nCLAUDE_CODE_OAUTH_TOKEN=")
        result += before
        if found == "":
            break
        old, newline, rest = rest.partition("\n")
        rest = newline + rest
        if old != token:
            event = "renewed"
        if not placed:
            result += found + token
            placed = True
        elif newline == "":
            result += "\n"  # of the line before
    result = result.removeprefix("\n")
    if placed:
        return result, event
    if result != "" and not result.endswith("\n"):
        result += "\n"
    return result + "CLAUDE_CODE_OAUTH_TOKEN=" + token + "\n", "renewed"


def follow(path: LocalPath) -> tuple[str, LocalPath]:
    """Return an error ("" if there is none), and the file that a symbolic link leads to."""
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
        # The target's name ends in a newline, which CAPTURE has removed.
        return f"{path} is a symbolic link that leads nowhere", path
    return "", target


def replace(
    dotenv: LocalPath, target: LocalPath, temporary: LocalPath, old: str, text: str
) -> tuple[str, str]:
    """Replace the content `old` of `target` by `text` in one step.

    Return an error, and the mode of the old file.
    """
    status, mode = create_file(temporary, text, target, old)
    if status == 2:
        return f"{dotenv} is a file of another user, it is not touched", ""
    if status == 0 and (sync[temporary] & TF) and (mv["-f", "-T", temporary, target] & TF):
        return "", mode
    _, mounts = read_file(LocalPath("/proc/self/mountinfo"))
    escaped = target.replace(" ", "\\040")  # proc_pid_mountinfo(5)
    if f" {escaped} " in mounts:
        return f"{dotenv} is a mount point and cannot be replaced, mount its directory instead", ""
    return f"{dotenv} cannot be written, it is as it was", ""


def deliver(
    dotenv: LocalPath, target: LocalPath, temporary: LocalPath, token: str, expiry: str
) -> tuple[str, str]:
    """Write the token to .env atomically. Return an error, and the event.

    The error is "" if .env now has the token. The event is "renewed" if its token has changed,
    else "".
    `target` is the file that .env leads to; `temporary` is renamed over it.
    """
    text = ""
    if target.exists():
        status, text = read_file(target)
        if status == 2:
            return f"{dotenv} has a NUL byte, it is not touched", ""
        if status == 3:
            return f"{dotenv} is larger than 256 KiB, it is not touched", ""
        if status != 0:
            return f"{dotenv} cannot be read, it is not touched", ""
    wanted, event = with_token(text, token)
    if wanted == text:
        log(f"{dotenv} already has this token (expires_at={expiry})")
        return "", ""
    problem, mode = replace(dotenv, target, temporary, text, wanted)
    if problem != "":
        _ = rm["-f", temporary] & RETCODE
        _, found = read_file(target)
        if found != wanted:  # mv may have failed after the rename
            return problem, ""
    log(f"Updated .env with token (expires_at={expiry})")
    if mode != "" and not mode.endswith("00"):
        log(f"WARN: other users have access to the token, run: chmod 600 {dotenv}")
    return "", event


def is_delivered(credentials: LocalPath, dotenv: LocalPath) -> bool:
    """Return whether .env has the credentials' token, and that has more than 5 min left."""
    problem, token, expiry = read_credentials(credentials)
    if not is_live(problem, expiry):
        return False
    _, text = read_file(dotenv)
    wanted, _ = with_token(text, token)
    return wanted == text  # False if .env cannot be read: its text is ""
