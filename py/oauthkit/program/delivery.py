"""Write the token to .env and to the bearer file, each atomically."""

from __future__ import annotations

from plumbum import LocalPath, local

from oauthkit.program.credentials import (
    access_token,
    bearer,
    expires_at,
    is_live,
    read_credentials,
)
from oauthkit.program.links import follow
from oauthkit.program.rename import rename_file
from oauthkit.shell import (
    CAPTURE,
    RETCODE,
    TF,
    Status,
    absolute,
    create_file,
    log,
    log_error,
    own_temporary,
    program,
    read_file,
    same_file,
    temporary_name,
)

BEARER_START = '{"claudeAiOauth":{"accessToken":'

mv = program("mv")
readlink = program("readlink")
rm = program("rm")
sync = program("sync")


def with_token(text: str, token: str) -> tuple[str, str]:
    """Return the content of .env with the token in it, and the event. Other bytes are unchanged.

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
            result += "\n"  # ends the previous line
    result = result.removeprefix("\n")
    if placed:
        return result, event
    if result != "" and not result.endswith("\n"):
        result += "\n"
    return result + "CLAUDE_CODE_OAUTH_TOKEN=" + token + "\n", "renewed"


def token_in(text: str) -> str:
    """Return the access token in the content of .env, or "" if there is none."""
    text = "\n" + text  # a line starts after a newline
    before, _, rest = text.partition("\nCLAUDE_CODE_OAUTH_TOKEN=")
    if before == text:
        return ""
    token, _, _ = rest.partition("\n")
    return token


def sweep(dotenv: LocalPath, bearer_file: str) -> None:
    """Remove the temporary files that killed runs have left beside .env and the bearer file.

    `bearer_file` is "" if there is none.
    """
    _, target = follow(dotenv)
    _ = own_temporary(target)
    if bearer_file != "":
        path = absolute(bearer_file)
        _ = own_temporary(path)


def read_target(
    path: LocalPath, target: LocalPath, credentials: LocalPath
) -> tuple[str, LocalPath, str]:
    """Return an error ("" if there is none), a temporary path, and the file's content.

    `target` is the file to which `path` leads. Errors name `path`.
    """
    problem = ""
    temporary = own_temporary(target)
    text = ""
    if same_file(target, credentials):
        problem = f"{path} is Claude Code's credentials file and is not changed"
    elif target.exists():
        status, text = read_file(target)
        if status == 2:
            problem = f"{path} has a NUL byte and is not changed"
        elif status == 3:
            problem = f"{path} is larger than 256 KiB and is not changed"
        elif not target.is_file():
            problem = f"{path} is not a file and is not changed"
        elif status != 0:
            problem = f"{path} cannot be read and is not changed"
    return problem, temporary, text


def is_mount_point(path: LocalPath) -> bool:
    """Return whether something is mounted at `path`."""
    status, real = readlink["-f", path] & CAPTURE
    _, mounts = read_file(LocalPath("/proc/self/mountinfo"))
    real = real.replace("\\", "\\134")  # proc_pid_mountinfo(5)
    real = real.replace(" ", "\\040")
    real = real.replace("\t", "\\011")
    real = real.replace("\n", "\\012")
    return status == 0 and f" {real} r" in mounts  # before the options, which start with rw or ro


def rename_over(target: LocalPath, temporary: LocalPath, old: str, text: str) -> tuple[Status, str]:
    """Create `temporary` with `text`, and rename it over `target`, which has the content `old`.

    Return a status, and the mode of the old file. The status is that of create_file, 5 if the file
    is too large for the next run, or 6 if it was not renamed.
    """
    status, mode = create_file(temporary, text, target, old)
    if status != 0:
        return status, mode
    size, _ = read_file(temporary)
    if size == 3:
        return 5, mode
    if sync[temporary] & TF:
        read, now = read_file(target)
        is_same = now == old and read < 2
        # A container may be able to write to the directory of a bearer file.
        if is_same and text.startswith(BEARER_START):
            if rename_file(temporary, target):
                return 0, mode
        elif is_same and (mv["-f", "-T", temporary, target] & TF):
            return 0, mode
    return 6, mode


def write_problem(path: LocalPath, target: LocalPath, status: Status) -> str:
    """Return the error for a failed rename_over, by its `status`.

    `target` is the file to which `path` leads. Errors name `path`.
    """
    if status == 2:
        return f"{path} is a file of another user and is not changed"
    if status == 3:
        return f"{path} belongs to a group that this user is not in and is not changed"
    if status == 5:
        return f"{path} would be larger than 256 KiB and is not changed"
    if is_mount_point(target):
        return f"{path} is a mount point and cannot be replaced. Mount its directory instead"
    directory = target.dirname
    if not directory.is_dir():
        return f"{path} cannot be written: {directory} is not a directory"
    if not directory.access("w"):
        return f"{path} cannot be written: {directory} is not writable"
    return f"{path} cannot be written and is unchanged"


def write_target(
    path: LocalPath, target: LocalPath, temporary: LocalPath, old: str, text: str
) -> tuple[str, str]:
    """Replace the content `old` of `target`, to which `path` leads, with `text` atomically.

    Return an error, and the mode of the old file. `temporary` is the name of the first temporary
    file. A retry uses another name.
    """
    for _ in ("first", "second", "third"):
        status, mode = rename_over(target, temporary, old, text)
        if status == 0:
            return "", mode
        _, found = read_file(target)
        # Another project's run that delivers to the same file may have taken the name, or removed
        # the file. So may another user, who now knows the name. Retry with a new one.
        if status != 4 and temporary.exists():
            break
        temporary = temporary_name(target)
        if found != old:
            break
    _ = rm["-f", temporary] & RETCODE
    if found == text:  # mv may have failed after the rename
        return "", mode
    if found != old:
        return f"{path} has been changed by another program in the meantime and is not replaced", ""
    problem = write_problem(path, target, status)
    return problem, ""


def deliver_token(path: LocalPath, credentials: LocalPath, login: str) -> tuple[str, str]:
    """Write the token to .env. Return an error ("" if .env now has it), and the event.

    The event is "renewed" if its token has changed, else "".
    """
    problem, target = follow(path)
    if problem != "":
        _ = own_temporary(target)
        return problem, ""
    problem, temporary, text = read_target(path, target, credentials)
    if problem != "":
        return problem, ""
    token = access_token(login)
    expiry = expires_at(login)
    wanted, event = with_token(text, token)
    if wanted == text:
        log(f"{path} already has this token (expires_at={expiry})")
        return "", ""
    problem, mode = write_target(path, target, temporary, text, wanted)
    if problem != "":
        return problem, ""
    log(f"Updated .env with token (expires_at={expiry})")
    if mode != "" and not mode.endswith("00"):
        log(f"WARN: other users have access to the token. Set mode 600 for {path}")
    return "", event


def deliver_bearer(path: LocalPath, credentials: LocalPath, login: str) -> tuple[str, str]:
    """Write the login to the bearer file, without its refresh token.

    Return an error ("" if the file now has it), and the event (deliver_token).
    """
    # Links are not followed: a container that can write the directory could choose the target.
    if path.is_symlink():
        _ = own_temporary(path)
        return f"{path} is a symbolic link. The bearer file must not be one", ""
    problem, temporary, text = read_target(path, path, credentials)
    if problem != "":
        return problem, ""
    if text != "" and not text.startswith(BEARER_START):
        return f"{path} is not a bearer file and is not changed", ""
    if '"refreshToken"' in text:
        return f"{path} has a refresh token, so it is a login and is not changed", ""
    token = access_token(login)
    expiry = expires_at(login)
    record = bearer(login)
    wanted = record + "\n"
    if wanted == text:
        log(f"{path} is up to date (expires_at={expiry})")
        return "", ""
    problem, _ = write_target(path, path, temporary, text, wanted)
    if problem != "":
        return problem, ""
    log(f"Updated {path} with token (expires_at={expiry})")
    if f'"{token}"' in text:
        return "", ""
    return "", "renewed"


def is_delivered(credentials: LocalPath, dotenv: LocalPath, bearer_file: str) -> bool:
    """Return whether .env and the bearer file have the credentials' live token.

    `bearer_file` is "" if there is none.
    """
    problem, login = read_credentials(credentials)
    if not is_live(problem, login):
        return False
    token = access_token(login)
    _, text = read_file(dotenv)
    wanted, _ = with_token(text, token)
    if wanted != text:  # an unreadable .env has the text ""
        return False
    if bearer_file == "":
        return True
    path = absolute(bearer_file)
    _, text = read_file(path)
    record = bearer(login)
    return text == record + "\n" and not path.is_symlink()


def deliver_all(credentials: LocalPath, dotenv: LocalPath, login: str) -> tuple[str, str]:
    """Write the login to the bearer file, if there is one, and its token to .env.

    Log the errors. Return the last one, and the event (deliver_token). An error in one file does
    not affect the other.
    """
    bearer_problem = ""
    bearer_event = ""
    if local.env.get("OAUTHKIT_BEARER", "") != "":
        bearer_file = absolute(local.env.get("OAUTHKIT_BEARER", ""))
        if bearer_file == dotenv or same_file(bearer_file, dotenv):
            bearer_problem = f"OAUTHKIT_BEARER and OAUTHKIT_DOTENV are the same file: {dotenv}"
        else:
            bearer_problem, bearer_event = deliver_bearer(bearer_file, credentials, login)
        if bearer_problem != "":
            log_error(f"ERROR: {bearer_problem}")
    problem, event = deliver_token(dotenv, credentials, login)
    if problem != "":
        log_error(f"ERROR: {problem}")
    if problem == "":
        problem = bearer_problem
    if event == "":
        event = bearer_event
    return problem, event
