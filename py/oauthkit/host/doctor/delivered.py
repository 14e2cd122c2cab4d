"""Check .env and the bearer file, and who else can read or override the token."""

from __future__ import annotations

import os
import stat
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from oauthkit.host.adopt.git import Git
from oauthkit.host.doctor.finding import Finding
from oauthkit.host.errors import HostError
from oauthkit.host.path_info import (
    changing,
    clearing,
    inspect_path,
    inspection_hint,
    leads_nowhere,
    may_change,
    quoted,
    real_path,
)
from oauthkit.host.status import runs
from oauthkit.host.status.bearer import read_bearer, replacement_problem
from oauthkit.host.status.failures import Failure
from oauthkit.host.status.log import read_log
from oauthkit.host.status.login import OVERRIDING, VARIABLE, Login, read_dotenv, read_login
from oauthkit.host.status.store import followed_login, is_follower, read_store
from oauthkit.shell import same_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oauthkit.host.project import ProjectPaths


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
    elif problem := replacement_problem(dotenv):
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


def bearer(paths: ProjectPaths) -> Iterator[Finding]:
    """Check that the bearer file has a live token, and is not the login."""
    name, found = "bearer file", read_bearer(paths)
    if found is None:
        return
    login, expires_at_s = delivered_login(paths), found.expires_at_s
    if found.problem:
        yield Finding(name, found.problem, found.fix, needs_refresh=not found.fix)
    elif not login.token or (found.token, expires_at_s) != (login.token, login.expires_at_s):
        yield Finding(name, f"it does not have the {_source(paths)} token", needs_refresh=True)
    elif expires_at_s is None or expires_at_s <= time.time():
        state = "expiry is unknown" if expires_at_s is None else "token has expired"
        yield Finding(name, f"its {state}", needs_refresh=True)
    else:
        yield Finding(name, str(paths.bearer))


def delivered_login(paths: ProjectPaths) -> Login:
    """Return the login whose token .env must have. For a follower, it has the store's token."""
    if is_follower(paths):
        return followed_login(paths, read_store(paths))
    return read_login(paths.credentials)


def _source(paths: ProjectPaths) -> str:
    return "store's" if is_follower(paths) else "credentials'"


def has_manual_token(paths: ProjectPaths) -> bool:
    """Return whether .env has a token that a user put there by hand."""
    dotenv = read_dotenv(paths.dotenv)
    return runs.has_manual_token(paths, delivered_login(paths), dotenv, read_log(paths))


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
            fix = changing(paths.project, file, "chmod go=") if is_own else inspection_hint(file)
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
    return changing(paths.project, paths.dotenv, f"sed -i -E '{code}'")
