"""Follow symbolic links, but not those of other users."""

from __future__ import annotations

from plumbum import LocalPath

from oauthkit.shell import CAPTURE, absolute, is_foreign_link, program, same_file

MOST_LINKS = 40  # as the kernel follows (path_resolution(7))

readlink = program("readlink")


def is_foreign(path: LocalPath) -> bool:
    """Return whether `path` is a link of another user, or leads to one. Also True if unknown.

    Links among the parent directories of the path are not detected. doctor checks those.
    """
    link = path
    links = 0
    while link.is_symlink() and links < MOST_LINKS:
        if is_foreign_link(link):
            return True
        links += 1
        _, text = readlink[link] & CAPTURE
        if text == "":
            return True
        if not text.startswith("/"):
            parent = link.dirname
            text = f"{parent}/{text}"
        before, _, name = text.rpartition("/")
        while before != "" and name in ("", "."):  # a / or /. at the end
            before, _, name = before.rpartition("/")
        # absolute would remove a .. without following the link before it.
        _, directory = readlink["-f", f"{before}/"] & CAPTURE
        link = absolute(f"{directory}/{name}")
    return False


def follow(path: LocalPath) -> tuple[str, LocalPath]:
    """Return an error ("" if there is none), and the file that a symbolic link leads to."""
    if not path.is_symlink():
        return "", path
    status, answer = readlink["-f", path] & CAPTURE
    if status == 1:
        return f"{path} is a symbolic link that leads nowhere", path
    if status != 0:
        return f"readlink could not follow {path} (exit {status})", path
    if is_foreign(path):
        return f"{path} is, or leads to, another user's symbolic link and is not followed", path
    target = absolute(answer)
    if path.exists() and not same_file(path, target):
        # The target's name ends in a newline, which CAPTURE has removed.
        return f"{path} is a symbolic link that leads nowhere", path
    return "", target
