"""The names of temporary files, and their removal, are the same in both forms."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

from plumbum import LocalPath, local
from tests.support.runtime_library.bash_bodies import (
    call_in_bash,
)

from oauthkit import shell


def test_many_old_temporaries_are_removed_at_once(place: Path) -> None:
    (place / "rm").write_text('#!/bin/sh\necho >>"$0.calls"\nexec /bin/rm "$@"\n', encoding="utf-8")
    (place / "rm").chmod(0o755)
    local.env["PATH"] = f"{place}:/usr/bin:/bin"
    for form in ("bash", "python"):
        for number in range(30):
            (place / f"x.oauthkit.{number:016}").touch()
        for _ in range(2):  # the second call does not start rm
            if form == "bash":
                call_in_bash("own_temporary", [f"{place}/x"], env={"PATH": local.env["PATH"]})
            else:
                shell.own_temporary(LocalPath(f"{place}/x"))
    assert sorted(file.name for file in place.iterdir()) == ["rm", "rm.calls"]
    assert (place / "rm.calls").read_text(encoding="utf-8") == "\n\n"


def test_limit_for_old_temporaries_per_rm(place: Path) -> None:
    """More might exceed the limit for a process's arguments: execve(2), E2BIG."""
    (place / "rm").write_text('#!/bin/sh\necho $# >>"$0.calls"\nexec /bin/rm "$@"\n', "utf-8")
    (place / "rm").chmod(0o755)
    local.env["PATH"] = f"{place}:/usr/bin:/bin"
    for form in ("bash", "python"):
        for number in range(1002):
            (place / f"x.oauthkit.{number:016}").touch()
        for left in (2, 0):
            if form == "bash":
                call_in_bash("own_temporary", [f"{place}/x"], env={"PATH": local.env["PATH"]})
            else:
                shell.own_temporary(LocalPath(f"{place}/x"))
            assert len([*place.glob("x.oauthkit.*")]) == left
    with_option = ["1001", "3"]
    assert (place / "rm.calls").read_text("utf-8").split() == with_option * 2


def test_own_temporary(place: Path) -> None:
    local.env["PATH"] = "/usr/bin:/bin"
    target = place / "a *[b]?"
    kept = [
        "a *[b]?",
        "a *[b]?.oauthkit",
        "a *[b]?.oauthkit.1767323045000000x",
        "a *[b]?.oauthkit.",
        "a *[b]?.oauthkit.20260102",
        "a *b?.oauthkit.1767323045000000",
    ]
    swept = ["a *[b]?.oauthkit.0000000000000001", "a *[b]?.oauthkit.1767323045000000"]
    names = []
    for form in ("bash", "python"):
        for name in (*kept, *swept):
            (place / name).write_text("", encoding="utf-8")
        before = time.time_ns() // 1000
        found = (
            call_in_bash("own_temporary", [str(target)])[0].reply
            if form == "bash"
            else shell.own_temporary(LocalPath(str(target)))
        )
        assert sorted(file.name for file in place.iterdir()) == sorted(kept)
        directory, name = os.path.split(found)
        assert directory == str(place)
        assert name.startswith("a *[b]?.oauthkit.")
        assert before <= int(name.rpartition(".")[2]) <= time.time_ns() // 1000
        names.append(found)
    assert names[0] != names[1]
    missing = str(place / "no-directory" / "x")
    assert shell.own_temporary(LocalPath(missing)).startswith(f"{missing}.oauthkit.")
    assert call_in_bash("own_temporary", [missing])[0].reply.startswith(f"{missing}.oauthkit.")


def test_temporary_name_removes_nothing(place: Path) -> None:
    target, old = place / "x", place / "x.oauthkit.0000000000000001"
    old.touch()
    for found in (
        call_in_bash("temporary_name", [str(target)])[0].reply,
        shell.temporary_name(LocalPath(str(target))),
    ):
        assert re.fullmatch(re.escape(f"{target}.oauthkit.") + "[0-9]{16}", found)
    assert old.exists()
