"""Check a project: the login, .env, the bearer file, and the project's other files."""

from __future__ import annotations

import os
import re
import stat
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from plumbum import LocalPath

from oauthkit.host.adopt.git import Git
from oauthkit.host.commands import notify
from oauthkit.host.doctor import programs
from oauthkit.host.doctor.finding import Finding
from oauthkit.host.errors import HostError
from oauthkit.host.lock_holder import is_locked
from oauthkit.host.path_info import (
    clearing,
    inspect_path,
    inspection_hint,
    is_file,
    leads_nowhere,
    may_change,
    may_remove,
    quoted,
    read,
    real_path,
    require_no_links,
)
from oauthkit.host.project import CONF, other_user
from oauthkit.host.shell_commands import command, quote
from oauthkit.host.shipped_files import SCRIPT, STORE_SCRIPTS, shipped_path
from oauthkit.host.status.failures import (
    BAD_CREDENTIALS,
    Failure,
    bearer_fix,
    fix_of,
    log_in,
    log_in_and_refresh,
)
from oauthkit.host.status.log import (
    can_mark_failure,
    failed_hooks,
    is_manual_token,
    last_failure,
    log_problem,
    read_log,
    unresolved_failure,
)
from oauthkit.host.status.login import (
    OVERRIDING,
    VARIABLE,
    Login,
    read_dotenv,
    read_login,
)
from oauthkit.host.status.model import LOGIN_WARNING_S
from oauthkit.host.status.store import followed_login, is_follower, read_store
from oauthkit.host.status.text_output import clock, span
from oauthkit.host.systemd.start_command import leads_elsewhere
from oauthkit.program.delivery import BEARER_START, is_mount_point
from oauthkit.program.hooks import HOOKS
from oauthkit.program.start import is_project
from oauthkit.shell import find_program, read_file, same_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oauthkit.host.project import ProjectPaths

# claude holds its lock for a few seconds during a renewal.
OLD_LOCK_S = 10 * 60
# Errors about files, which this module's checks also detect. The cause may be gone by now.
_ABOUT_FILES = re.compile(
    r"is not a (?:directory|file) |is not writable|cannot be written(?! and)|is a mount point"
    r"|NUL byte|is larger than 256 KiB|leads nowhere"
)
EVENTS = ("renewed", "failed", "recovered", "login-ending")


def project(paths: ProjectPaths) -> Finding:
    """Check that the directory is a project, in which a refresh may create .env."""
    directory = str(paths.project)
    if user := other_user(paths):
        text = f"{directory} belongs to {user}, and root has no login of its own. Become that user"
        return Finding("project", text, f"su - {quote(user)}")
    if is_project(LocalPath(directory)):
        return Finding("project", directory)
    # is_project is also false if the directory cannot be searched.
    scripts = inspect_path(paths.project / "scripts")
    if scripts.problem:
        return Finding("project", scripts.problem, scripts.fix)
    text = f"{directory} has no .env, scripts/oauth, package.json or .git"
    fix = (
        f"pass the project with --project. If this is the project, run {command('refresh', paths)}"
    )
    return Finding("project", text, fix)


def login(paths: ProjectPaths) -> Iterator[Finding]:
    """Check that the credentials can be read, and that the login has not ended."""
    login = read_login(paths.credentials)
    ends_at_s = login.login_ends_at_s
    if login.problem:
        yield Finding("login", login.problem, login.fix or log_in(paths))
    elif ends_at_s is not None and ends_at_s < time.time():
        yield Finding("login", "it has ended", log_in(paths))
    elif not login.can_be_renewed:
        text = f"{paths.credentials} has no refresh token, so claude cannot renew the token"
        yield Finding("login", text, log_in_and_refresh(paths))
    elif ends_at_s is None:
        yield Finding("login", str(paths.credentials))
    else:
        left_s = ends_at_s - time.time()
        text = f"{paths.credentials}, ends in {span(left_s)}"
        is_ending = left_s < LOGIN_WARNING_S
        fix = log_in(paths) if has_manual_token(paths) else log_in_and_refresh(paths)
        fix = fix if is_ending else ""
        yield Finding("login", text, fix, is_note=is_ending)


def dotenv(paths: ProjectPaths) -> Iterator[Finding]:
    """Check that .env has a live token."""
    dotenv, login = paths.dotenv, delivered_login(paths)
    if leads_nowhere(dotenv):
        directory = real_path(dotenv).parent
        text, fix = f"{dotenv} is a link that leads nowhere", clearing(dotenv)
        if inspect_path(directory).is_nothing:  # for example, it is not mounted yet
            text = f"{dotenv} is a link to {real_path(dotenv)}, whose directory does not exist"
            fix = f"create or mount {quoted(directory)}. To move the link away instead, run: {fix}"
        yield Finding(".env", text, fix)
        return
    found, source = read_dotenv(dotenv), _source(paths)
    expires_at_s = login.expires_at_s
    real = real_path(dotenv)
    link = f", a link to {real}" if os.path.islink(dotenv) else ""  # noqa: PTH114 - raises nothing
    is_near = any(real.is_relative_to(real_path(place)) for place in (paths.project, paths.home))
    fix = "" if is_near or not link else inspection_hint(dotenv)
    if found.problem:
        # A refresh creates a missing file, even if a link leads out of the project to it.
        fix = found.fix or ("" if inspect_path(real).is_nothing else fix)
        yield Finding(".env", found.problem, fix, needs_refresh=not fix)
    elif problem := _replacement_problem(dotenv):
        yield Finding(".env", problem, Failure(0, problem).fix)
    elif not login.token or not found.carries(login.token):
        if has_manual_token(paths):
            text = f"it has a token that is not the {source} token. A refresh would replace it"
            yield Finding(".env", text, is_note=True)
        elif login.problem and len(found.tokens) == 1:
            text = f"{dotenv}{link}: not compared, because the {source} token is not known"
            yield Finding(".env", text, is_note=True)
        else:
            text = found.repetition_problem or f"does not have the {source} token"
            yield Finding(".env", f"it {text}{link}", fix, needs_refresh=not fix)
    elif expires_at_s is None:
        yield Finding(".env", "its token's expiry is unknown", fix, needs_refresh=not fix)
    elif expires_at_s <= time.time():
        yield Finding(".env", "its token has expired", fix, needs_refresh=not fix)
    else:
        yield Finding(".env", f"{dotenv}{link}")
    usual = paths.project / ".env"
    if dotenv != usual and not same_file(str(dotenv), str(usual)) and read_dotenv(usual).tokens:
        text = f"{usual} has a token, too, which no run updates. OAUTHKIT_DOTENV is {dotenv}"
        yield Finding("other .env", text, is_note=True)


def _replacement_problem(file: Path) -> str:
    """Return why a refresh cannot replace a file with a new version, or "" if it can."""
    status, _ = read_file(str(file))
    if status == 2:
        return f"{file} has a NUL byte"
    if status == 3:
        return f"{file} is larger than 256 KiB"
    is_mounted = is_mount_point(LocalPath(str(file)))
    return f"{file} is a mount point and cannot be replaced" if is_mounted else ""


def settings(paths: ProjectPaths) -> Iterator[Finding]:
    """Show the settings that are not the default, and the errors in refresh.conf."""
    for setting in paths.changed_settings:
        text = f"{setting.name}={setting.value}, from {setting.origin}"
        fix = ""
        if setting.name == "OAUTHKIT_LIGHT" and setting.value != "1":
            text += ": only 1 has an effect"
            is_in_conf = setting.origin == CONF
            fix = edit_command(paths) if is_in_conf else "unset OAUTHKIT_LIGHT"
        yield Finding("setting", text, fix, is_note=bool(fix))
    for problem in paths.settings_problems:
        yield Finding("setting", problem, read(paths.conf).fix or edit_command(paths))


def edit_command(paths: ProjectPaths) -> str:
    """Return the command that edits refresh.conf."""
    return f"${{EDITOR:-vi}} {quoted(paths.conf)}"


def bearer(paths: ProjectPaths) -> Iterator[Finding]:
    """Check that the bearer file has a live token, and is not the login."""
    name, file = "bearer file", paths.bearer
    if file is None:
        return
    move = bearer_fix(paths)
    others = (
        (paths.credentials, "Claude Code's credentials file"),
        (paths.dotenv, "the same file as .env"),
    )
    for other, what in others:
        if file == other or same_file(str(file), str(other)):
            yield Finding(name, f"{file} is {what}", move)
            return
    if leads_nowhere(file):
        yield Finding(name, f"{file} is a link that leads nowhere", clearing(file))
        return
    if os.path.islink(file):  # noqa: PTH114 - raises nothing
        text = f"{file} is a symbolic link. The bearer file must not be one"
        yield Finding(name, text, move)
        return
    content, login, found = read(file), delivered_login(paths), read_login(file)
    expires_at_s = found.expires_at_s
    is_login = b'"refreshToken"' in content.data
    if is_login or (content.data and not content.data.startswith(BEARER_START.encode())):
        text = "has a refresh token, so it is a login" if is_login else "is not a bearer file"
        yield Finding(name, f"{file} {text}. A refresh does not touch it", move)
    elif problem := _replacement_problem(file):
        yield Finding(name, problem, Failure(0, problem).fix)
    elif found.problem:
        yield Finding(name, found.problem, found.fix, needs_refresh=not found.fix)
    elif not login.token or (found.token, expires_at_s) != (login.token, login.expires_at_s):
        yield Finding(name, f"it does not have the {_source(paths)} token", needs_refresh=True)
    elif expires_at_s is None or expires_at_s <= time.time():
        state = "expiry is unknown" if expires_at_s is None else "token has expired"
        yield Finding(name, f"its {state}", needs_refresh=True)
    else:
        yield Finding(name, str(file))


def delivered_login(paths: ProjectPaths) -> Login:
    """Return the login whose token .env must have. For a follower, it has the store's token."""
    if is_follower(paths):
        return followed_login(paths, read_store(paths))
    return read_login(paths.credentials)


def _source(paths: ProjectPaths) -> str:
    return "store's" if is_follower(paths) else "credentials'"


def has_manual_token(paths: ProjectPaths) -> bool:
    """Return whether .env has a token that a user put there by hand."""
    login, tokens = delivered_login(paths), read_dotenv(paths.dotenv).tokens
    token_differs = not login.token or tokens != (login.token.encode(),)
    return token_differs and is_manual_token(paths, tokens, read_log(paths))


def runs(paths: ProjectPaths) -> Iterator[Finding]:
    """Check that the last run succeeded. If not, show the error and its fix."""
    entries, login = read_log(paths), delivered_login(paths)
    failure = last_failure(entries)
    unresolved = unresolved_failure(entries, is_locked=is_locked(paths.lock))
    # A run that cannot take the lock does not create `paths.failing`.
    is_delivered = bool(login.token) and read_dotenv(paths.dotenv).carries(login.token)
    is_expired = login.expires_at_s is not None and login.expires_at_s <= time.time()
    is_over = (
        (is_delivered and not is_expired and not log_problem(paths) and can_mark_failure(paths))
        or has_manual_token(paths)
        or unresolved is None
    )
    if is_over and not is_file(paths.failing):
        text = "the last run did not fail" if entries else "none in the log"
        if unresolved is not None:
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


def modes(paths: ProjectPaths) -> Iterator[Finding]:
    """Check that other users cannot read a token, or the key that decrypts it."""
    files = [
        (".env's mode", paths.dotenv),
        ("login's mode", paths.credentials),
        *(
            ("identity's mode", Path(setting.value))
            for setting in paths.changed_settings
            if setting.name == "OAUTHKIT_STORE_IDENTITY"
        ),
    ]
    for name, file in files:
        try:
            found = file.stat()
        except OSError:
            continue  # another check reports it
        if not stat.S_ISREG(found.st_mode):
            continue  # another check reports this, too
        mode = stat.S_IMODE(found.st_mode)
        if mode & 0o077:
            is_own = found.st_uid == os.geteuid()
            fix = _changing(paths, file, "chmod go=") if is_own else inspection_hint(file)
            yield Finding(name, f"{mode:04o}: other users have access to this file", fix)
        else:
            yield Finding(name, f"{mode:04o}")


def ignored_by_git(paths: ProjectPaths) -> Iterator[Finding]:
    """Check that git ignores .env, so that no commit can include the token."""
    name, project, ignore = ".env and git", paths.project, paths.project / ".gitignore"
    is_link = os.path.islink(project / ".env")  # noqa: PTH114 - git stores a link's target path
    if paths.dotenv != project / ".env" or is_link or not os.path.lexists(project / ".git"):
        return
    with suppress(HostError):  # git is missing or fails
        git = Git(project)
        is_tracked = bool(git.files("--", ".env"))
        if not is_tracked and not git.files("--others", "--exclude-standard", "--", ".env"):
            return
        fix = inspection_hint(ignore)
        is_link = os.path.islink(ignore)  # noqa: PTH114 - it could lead to a hook
        if not os.path.lexists(ignore) or (may_change(ignore, project) and not is_link):
            # The file's last line may have no newline.
            fix = f"printf '\\n/.env\\n' >>{quoted(ignore)}"
            if is_tracked:  # -f: the last refresh may have changed it
                fix = f"{git.command('rm', '--cached', '-f', '.env')} && {fix}"
        text = "tracks it" if is_tracked else "does not ignore it"
        yield Finding(name, f"git {text}, so a commit can include the token", fix, is_note=True)


def variables(paths: ProjectPaths) -> Iterator[Finding]:
    """Check for variables that override the token."""
    for name in OVERRIDING:
        if os.environ.get(name):
            text = "set in this shell, where it overrides the token"
            yield Finding(name, text, f"unset {name}", is_note=True)
    dotenv = read_dotenv(paths.dotenv)
    for name in dotenv.overriding:
        text = "set in .env, where it overrides the token"
        yield Finding(name, text, _commenting_out(paths, name))
    if dotenv.other_spellings:
        text = "in .env with export or spaces: a refresh leaves that line, but some readers use it"
        yield Finding(VARIABLE, text, _commenting_out(paths, VARIABLE, f"/^{VARIABLE}=/!"))


def _commenting_out(paths: ProjectPaths, name: str, but: str = "") -> str:
    """Return the command that comments out lines of .env.

    Lines are not deleted, because .env may have the only copy of a key.
    """
    pattern = f"/^[[:blank:]]*(export[[:blank:]]+)?{name}[[:blank:]]*=/s/^/# /"
    code = f"{but}{{{pattern}}}" if but else pattern
    return _changing(paths, paths.dotenv, f"sed -i -E '{code}'")


def lock_of_claude(paths: ProjectPaths) -> Iterator[Finding]:
    """Check for a killed claude's lock directory. The next claude would wait for it."""
    config = paths.credentials.parent
    for lock in (Path(f"{paths.credentials}.lock"), Path(f"{config}.lock")):
        try:
            found = lock.lstat()
        except OSError:
            continue
        age_s = time.time() - found.st_mtime
        if stat.S_ISDIR(found.st_mode) and age_s > OLD_LOCK_S:
            text = f"{lock} is {age_s / 60:.0f} min old"
            yield Finding("claude's lock", text, _changing(paths, lock, "rmdir"))
            return
    yield Finding("claude's lock", "no stale lock")


def script(paths: ProjectPaths) -> Iterator[Finding]:
    """Check that the project's scripts are this version's scripts.

    The script's refresh needs the other scripts only if there is a store.
    """
    is_script = False
    for name in (SCRIPT, *STORE_SCRIPTS):
        script, ours = paths.project / name, shipped_path(name)
        content = read(script)
        if not content.kind and not content.fix:
            if name == SCRIPT:
                yield Finding("script", f"{script} does not exist", is_note=True)
            elif is_script and paths.store:
                yield Finding("script", f"{script} does not exist", _copying(paths, name))
            continue
        is_script = is_script or name == SCRIPT
        if content.problem:
            yield Finding("script", content.problem, content.fix)
        elif leads_elsewhere(paths.project, name):
            text = f"{script} leads to {real_path(script)}, and does not refresh this project"
            can_replace = script.is_symlink() and may_remove(script)
            fix = f"{clearing(script)} && cp {quoted(ours)} {quoted(script)}"
            yield Finding("script", text, fix if can_replace else inspection_hint(script))
        elif content.data == ours.read_bytes():
            yield Finding("script", str(script))
        else:
            text = f"{script} differs from this version's script"
            yield Finding("script", text, _copying(paths, name))


def _copying(paths: ProjectPaths, name: str) -> str:
    """Return the command that copies this version's script to the project.

    If the path contains a link, or the script is another user's, return advice to inspect it.
    """
    script = paths.project / name
    with suppress(HostError):
        require_no_links(paths.project, Path(name))
        changed = script if os.path.lexists(script) else script.parent
        if may_change(changed):
            return f"cp {quoted(shipped_path(name))} {quoted(script)}"
    return inspection_hint(script)


def hooks(paths: ProjectPaths) -> Iterator[Finding]:
    """Check that the project's hooks can be run, and that none failed when it was last run."""
    failed = failed_hooks(read_log(paths))
    for event in EVENTS:
        hook = paths.project / HOOKS / event
        if is_file(hook) and not os.access(hook, os.X_OK):
            text = f"{hook} is not executable, so it is ignored"
            fix = _changing(paths, hook, "chmod +x")
            yield Finding(f"hook '{event}'", text, fix, is_note=True)
        elif (interpreter := programs.missing_interpreter(hook)) and os.access(hook, os.X_OK):
            text = f"{hook} cannot run: {interpreter}"
            fix = "change its first line"
            if interpreter.endswith(programs.CR_LF):
                fix = _changing(paths, hook, "sed -i 's/\\r$//'")
            elif interpreter.endswith(programs.BOM):
                fix = _changing(paths, hook, r"sed -i '1s/^\xef\xbb\xbf//'")
            yield Finding(f"hook '{event}'", text, fix, is_note=True)
        elif event in failed and is_file(hook) and hook.stat().st_mtime <= failed[event].at_s:
            at = clock(failed[event].at_s, time.time())
            text = f"it failed when it was last run, at {at} ({failed[event].text})"
            fix = f"correct it. Its output is in {paths.log}"
            yield Finding(f"hook '{event}'", text, fix, True, failed[event].output)
    for problem, fix in notify.missing_programs(paths).items():
        yield Finding("notifications", problem, fix)


def _changing(paths: ProjectPaths, path: Path, command: str) -> str:
    """Return a command with the file that it changes, or advice to inspect the file first."""
    if may_change(path, paths.project):
        return f"{command} {quoted(real_path(path))}"
    return inspection_hint(path)
