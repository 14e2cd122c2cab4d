"""Follow symbolic links, but not those of other users."""

from __future__ import annotations

from plumbum import LocalPath

from oauthkit.shell import CAPTURE, absolute, is_own_link, program, same_file

MOST_LINKS = 40  # as the kernel follows (path_resolution(7))

readlink = program("readlink")


def resolve(path: LocalPath) -> tuple[str, LocalPath]:
    """Follow a chain of links. Return "own" and its end if the user or root owns each link.

    Return "foreign" and the first link that is foreign or cannot be read, or "missing" and the last
    link if the system would not follow the chain to its end.
    Links among the parent directories of the path are not checked. doctor checks those.
    """
    link = path
    links = 0
    while link.is_symlink() and links < MOST_LINKS:
        links += 1
        _, text = readlink[link] & CAPTURE
        # Check the owner after reading the link: another user can replace a link, but cannot create
        # one that this user owns.
        if text == "" or not is_own_link(link):
            return "foreign", link
        if not text.startswith("/"):
            parent = link.dirname
            text = f"{parent}/{text}"
        before, _, name = text.rpartition("/")
        while before != "" and name in ("", "."):  # a / or /. at the end
            before, _, name = before.rpartition("/")
        # absolute would remove a .. without following the link before it.
        _, directory = readlink["-f", f"{before}/"] & CAPTURE
        if directory == "":
            return "missing", link
        link = absolute(f"{directory}/{name}")
    if link.is_symlink():
        return "missing", link
    return "own", link


def is_foreign(path: LocalPath) -> bool:
    """Return whether `path` is a link of another user, or leads to one. Also True if unknown."""
    whose, _ = resolve(path)
    return whose == "foreign"


def follow(path: LocalPath) -> tuple[str, LocalPath]:
    """Return an error ("" if there is none), and the file that a symbolic link leads to."""
    if not path.is_symlink():
        return "", path
    status, answer = readlink["-f", path] & CAPTURE
    if status == 1:
        return f"{path} is a symbolic link that leads nowhere", path
    if status != 0:
        return f"readlink could not follow {path} (exit {status})", path
    whose, end = resolve(path)
    target = absolute(answer)
    if whose == "foreign":
        return f"{path} is, or leads to, another user's symbolic link and is not followed", path
    # Another user's link may have been there only while `readlink -f` ran.
    if end != target:
        return f"{path} is a symbolic link that changed while it was followed. It is not used", path
    if path.exists() and not same_file(path, target):
        # The target's name ends in a newline, which CAPTURE has removed.
        return f"{path} is a symbolic link that leads nowhere", path
    return "", target
