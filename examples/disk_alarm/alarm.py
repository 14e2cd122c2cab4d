#!/usr/bin/env python3
"""Send mail to root when a file system becomes full, and again after a day."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

DAY_S = 86400


def main(arguments: list[str]) -> int:
    """Send the mail if it is due. Return the exit status."""
    os.umask(0o077)
    limit = arguments[0] if arguments else "90"  # percent
    if len(arguments) > 1 or not re.fullmatch(r"[1-9][0-9]?", limit):
        print("usage: alarm [PERCENT]", file=sys.stderr)
        return 2
    state = Path(os.environ["HOME"], ".disk-alarm")  # the time and text of the last mail

    df = ["df", "--output=pcent,target", "--exclude-type=tmpfs"]
    done = subprocess.run(df, stdout=subprocess.PIPE, check=False)
    if done.returncode != 0:
        print("alarm: df failed", file=sys.stderr)
        return 1

    full = b""
    for line in done.stdout.split(b"\n"):
        used, _, place = line.strip(b" \t").partition(b" ")
        percent = used.removesuffix(b"%")
        # The heading is not a number, and neither is the usage of a file system without a size.
        if percent.isdigit() and int(percent) >= int(limit):
            full += percent + b"% " + place + b"\n"

    if not full:
        state.unlink(missing_ok=True)
        return 0

    now_s = int(time.time())
    if state.is_file():
        sent_s, _, sent = state.read_bytes().partition(b"\n")
        # The file may be empty if the disk was full. It then counts as missing.
        is_time = re.fullmatch(rb"[1-9][0-9]{0,14}", sent_s) is not None
        if is_time and sent == full and now_s - int(sent_s) < DAY_S:
            return 0

    subject = f"Disk alarm: {limit}% or more"
    if subprocess.run(["mail", "-s", subject, "root"], input=full, check=False).returncode != 0:
        print("alarm: mail failed", file=sys.stderr)
        return 1
    state.write_bytes(b"%d\n%b" % (now_s, full))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
