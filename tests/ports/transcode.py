#!/usr/bin/env python3
"""Convert a directory's FLAC files to MP3. Skip those that are converted already."""

from __future__ import annotations

import sys

from plumbum import LocalPath
from plumbum.commands import ERROUT

from oauthkit.shell import CAPTURE, RETCODE, Status, absolute, find_program, program

USAGE = "usage: transcode [--bitrate=RATE] SOURCE TARGET"
DEFAULT_BITRATE = "320k"
LOG = "transcode.log"
# ffmpeg's exit status after Ctrl-C.
INTERRUPTED = 255

du = program("du")
ffmpeg = program("ffmpeg")
mkdir = program("mkdir")
mv = program("mv")
rm = program("rm")
sed = program("sed")


def count_files(source: LocalPath) -> int:
    """Return how many FLAC files the directory has."""
    count = 0
    for _ in sorted(source // "*.flac"):
        count += 1
    return count


def convert(flac: LocalPath, mp3: LocalPath, bitrate: str, log: LocalPath) -> Status:
    """Convert one file. Rename the output when it is complete."""
    part = f"{mp3}.part"
    encoder = ffmpeg[
        "-nostdin", "-loglevel", "warning", "-y", "-i", flac, "-codec:v", "copy",
        "-b:a", bitrate, "-f", "mp3", part,
    ]  # fmt: skip
    status = ((encoder >= ERROUT) >> log) & RETCODE(FG=True)
    if status == 0:
        status = mv["--", part, mp3] & RETCODE
    if status != 0:
        _ = rm["-f", "--", part] & RETCODE
    return status


def convert_all(source: LocalPath, target: LocalPath, bitrate: str) -> Status:
    """Convert each file that has no MP3 in `target` yet. Return 1 if one fails.

    Return at once after Ctrl-C.
    """
    log = target / LOG
    total = count_files(source)
    number = 0
    failed = 0
    for flac in sorted(source // "*.flac"):
        number += 1
        text = flac.removesuffix(".flac")
        _, _, name = text.rpartition("/")
        mp3 = absolute(f"{target}/{name}.mp3")
        if mp3.exists():
            state = "exists"
        else:
            status = convert(flac, mp3, bitrate, log)
            if status == INTERRUPTED:
                return status
            state = "converted" if status == 0 else f"failed, status {status}"
            failed += 0 if status == 0 else 1
        print(f"[{number:3}/{total:3}] {name:<24} {state}")
    if failed > 0:
        print(f"{failed} of {total} failed: see {log}", file=sys.stderr)
        return 1
    status, size = (du["-sh", "--", target] | sed["s/[[:space:]].*//"]) & CAPTURE
    if status == 0:
        print(f"{target}: {size}")
    return 0


def main(*arguments: str) -> Status:
    """Parse the command line."""
    bitrate = DEFAULT_BITRATE
    first = ""
    second = ""
    for argument in arguments:
        if argument.startswith("--bitrate="):
            bitrate = argument.removeprefix("--bitrate=")
        elif argument == "" or argument.startswith("-") or second != "":
            print(f"unexpected argument '{argument}'\n{USAGE}", file=sys.stderr)
            return 2
        elif first == "":
            first = argument
        else:
            second = argument
    if second == "":
        print(USAGE, file=sys.stderr)
        return 2
    source = absolute(first)
    target = absolute(second)
    if not source.is_dir():
        print(f"{source} is not a directory", file=sys.stderr)
        return 1
    if find_program("ffmpeg") == "":
        print("ffmpeg not found in PATH", file=sys.stderr)
        return 1
    mkdir("-p", "--", target)
    return convert_all(source, target, bitrate)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
