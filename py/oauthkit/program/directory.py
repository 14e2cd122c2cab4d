"""A store in a directory: each host's record is the file HOST.json.

The directory can be on NFS, shared by Syncthing or rsync, or a mounted Secret.
"""

from __future__ import annotations

from plumbum import LocalPath
from plumbum.commands import BaseCommand

from oauthkit.program.limits import GRACE_S, READ_LIMIT_S
from oauthkit.program.rename import rename_file
from oauthkit.shell import (
    CAPTURE,
    RETCODE,
    TF,
    Status,
    absolute,
    create_file,
    own_temporary,
    program,
    temporary_name,
)

# How often the directory is checked for changes, and how often it is read even without one.
POLL_S = 2
READ_S = 60
EMPTY = "!the record %f is empty\\n"
UNREADABLE = "!the record %f cannot be read\\n"
LARGE = "!the record %f is larger than 64 KiB\\n"
RECORDS_LIMIT = 2000
# The maximum number of characters in a listing: RECORDS_LIMIT records always fit. bash copies the
# rest of a text for each line that is taken from it.
LISTING_LIMIT = 260000
BLOCKS = "5"  # of 64 KiB: more than LISTING_LIMIT, so that a longer listing is noticed
HOST_PATTERN = ".*/[A-Za-z0-9:_][A-Za-z0-9:_.-]{0,79}[.]json"

dd = program("dd")
find = program("find")
rm = program("rm")
sleep = program("sleep")
sync = program("sync")
timeout = program("timeout")


def open_directory(store: str) -> tuple[str, LocalPath]:
    """Return an error ("" if there is none), and the directory of `store`, dir:/PATH."""
    directory = absolute(store.removeprefix("dir:"))
    if not directory.is_dir():
        return f"the store {directory} is not a directory. Create or mount it", directory
    return "", directory


def list_directory(directory: LocalPath) -> tuple[str, str]:
    """Return an error ("" if there is none), and the names of the records, a line each.

    A line that starts with ! is an error in one of them.
    """
    list_files = find[
        "-L", directory, "-maxdepth", "1", "-regextype", "posix-extended", "-type", "f",
        "-regex", HOST_PATTERN, "(", "!", "-readable", "-printf", UNREADABLE, "-o",
        "-size", "0", "-printf", EMPTY, "-o",  # in /proc, such files can be endless
        "-size", "+64k", "-printf", LARGE, "-o", "-printf", "%f\\n", ")",
    ]  # fmt: skip
    status, files = run_limited_find(list_files)
    if len(files) > LISTING_LIMIT:  # then find may also fail, because dd has ended
        return f"{directory} has more than {RECORDS_LIMIT} records", ""
    # find exits with 1 for a dangling link, for example.
    if status > 1 or not directory.access("r"):
        return f"{directory} cannot be read (find exit {status})", ""
    return "", files


def write_record(file: LocalPath, record: str) -> str:
    """Replace a record in one step. Return an error, or "" if there is none."""
    temporary = own_temporary(file)
    for _ in ("first", "second", "third"):
        # A new file, with mode 600: the old one may have been another user's.
        status, _ = create_file(temporary, f"{record}\n", "", "")
        if status == 0 and (sync[temporary] & TF) and rename_file(temporary, file):
            return ""
        # Another project's run may have taken the name, or removed the file (write_target).
        if status != 4 and temporary.exists():
            break
        temporary = temporary_name(file)
    _ = rm["-f", temporary] & RETCODE
    return f"{file} cannot be written"


def directory_state(directory: LocalPath) -> str:
    """Return each record's name, size, time and inode: the text changes when a record does.

    In a directory with more than RECORDS_LIMIT records, later ones can be left out.
    """
    _, seen = run_limited_find(
        find[
            "-L", directory, "-maxdepth", "1", "-regextype", "posix-extended",
            "-regex", HOST_PATTERN, "-printf", "%f %s %T@ %i\\n",
        ]
    )  # fmt: skip
    return seen


def run_limited_find(look: BaseCommand) -> tuple[Status, str]:
    """Run find for at most READ_LIMIT_S. Return its exit status, and the first part of its output.

    That part has up to BLOCKS blocks of 64 KiB.
    """
    first = dd["bs=64k", f"count={BLOCKS}", "iflag=fullblock", "status=none"]
    status, listing = (timeout["-k", GRACE_S, READ_LIMIT_S, look] | first) & CAPTURE
    return status, listing


def wait_for_directory(directory: LocalPath, seen: str) -> Status:
    """Wait until `directory_state` does not return `seen`, for at most 60 s.

    Return 0, or the exit status of sleep if it fails.
    """
    waited_s = 0
    while waited_s < READ_S:
        status = sleep[POLL_S] & RETCODE
        if status != 0:
            return status
        waited_s += POLL_S
        now_seen = directory_state(directory)
        if now_seen != seen:
            break
    return 0
