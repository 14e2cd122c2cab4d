"""date(1) and sleep(1) on the clock of the sandbox."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from tests.support.parity_kit.programs import find, scripts

if TYPE_CHECKING:
    from pathlib import Path

    from oauthkit.parity import Pair, Run

NOW = "2026-01-02T03:04:05Z"

# The arguments of date, and what it shows at NOW.
DATES = {
    "+%F' '%T.%N": "2026-01-02 03:04:05.000000000",
    "-u -Iseconds": "2026-01-02T03:04:05+00:00",
    "--utc --rfc-3339=date": "2026-01-02",
    "-Rd 2000-01-01": "Sat, 01 Jan 2000 00:00:00 +0000",
    "-d @86400 -Idate": "1970-01-02",
    "--date='2026-02-03 04:05:06 UTC' +%s": "1770091506",
    "-ud 'Jan  3 03:04:05 2027 GMT' +%s": "1798945445",
    "-d 'Fri, 02 Jan 2026 03:04:05 +0100' -u +%T": "02:04:05",
    "-d 'Sun Jan 3 03:04:05 UTC 2027' +%F": "2027-01-03",
    "--da yesterday +%F' '%T": "2026-01-01 03:04:05",
    "-d '+2 hours' +%F' '%T": "2026-01-02 05:04:05",
    "-d '30 days ago' +%F": "2025-12-03",
    "+%F -d 'next month'": "2026-02-02",
    "-ud now +%T": "03:04:05",
    "-d '1 day 2 hours' -- +%F' '%T": "2026-01-03 05:04:05",
    "-r old +%F": "1970-01-01",
}


@pytest.mark.parametrize("arguments", DATES)
def test_date_shows_the_frozen_clock(tmp_path: Path, arguments: str) -> None:
    pair = scripts(tmp_path, f"touch -d @0 old; date {arguments}")
    for name in ("touch", "date"):
        pair.tool(name)
    run = pair.run()
    pair.close()
    assert (run.stdout, run.stderr) == (f"{DATES[arguments]}\n", "")
    assert run.programs == []


def test_date_follows_set_clock_and_the_zone(tmp_path: Path) -> None:
    pair = scripts(tmp_path, "date -Iseconds; date -d '1 day' -Iseconds; date -d now -uIseconds")
    pair.tool("date", find("date"))
    pair.env["TZ"] = "Europe/Berlin"
    pair.set_clock("2026-03-28T10:00:00Z")
    assert pair.run().stdout.split() == [
        "2026-03-28T11:00:00+01:00", "2026-03-29T11:00:00+02:00", "2026-03-28T10:00:00+00:00",
    ]  # fmt: skip
    pair.close()


def test_forwarded_date_is_recorded(tmp_path: Path) -> None:
    pair = scripts(tmp_path, "date +%F; date -d monday")
    pair.forward("date").when("-d", "monday").prints("planned\n")
    run = pair.run()
    pair.close()
    assert run.stdout == "2026-01-02\nplanned\n"
    assert run.calls("date") == [["+%F"], ["-d", "monday"]]


@pytest.mark.parametrize(
    "text", ["yesterday", "+3 days", "2 weeks ago", "-90 min", "last year", "now", "1 month 2 days"]
)
def test_relative_times_are_those_of_the_real_date(tmp_path: Path, text: str) -> None:
    pair = scripts(tmp_path, f"date -d '{text}' +%s")
    pair.tool("date")
    start_s = int(time.time())
    pair.set_clock(start_s)
    shown = int(pair.run().stdout)
    pair.close()
    done = subprocess.run(
        ["date", "-d", text, "+%s"], capture_output=True, check=True, env={"TZ": "UTC"}
    )
    assert 0 <= int(done.stdout) - shown <= time.time() - start_s


@pytest.mark.parametrize(
    ("arguments", "refused"),
    [
        ("-d monday", "date -d 'monday'"),
        ("-d 10:00", "date -d '10:00'"),
        ("-d '1 day 10:00'", "date -d '1 day 10:00'"),
        ("-s @0", "date --set"),
        ("--file=dates", "date --file"),
    ],
)
def test_unsupported_times_fail_the_test(tmp_path: Path, arguments: str, refused: str) -> None:
    pair = scripts(tmp_path, f"date {arguments}")
    pair.tool("date")
    with pytest.raises(AssertionError) as failure:
        pair.run()
    pair.close()
    expected = f"both: unplanned use of a stand-in: date: not supported by the stand-in: {refused}"
    assert str(failure.value).startswith(expected)


def test_relative_time_in_an_hour_that_exists_twice_is_not_supported(tmp_path: Path) -> None:
    pair = scripts(tmp_path, "date -d '1 day'")
    pair.tool("date")
    pair.env["TZ"] = "Europe/Berlin"
    for time_of_day in ("00:30", "01:30"):
        pair.set_clock(f"2026-10-25T{time_of_day}:00Z")
        with pytest.raises(AssertionError, match="not supported by the stand-in: date -d '1 day'"):
            pair.run()
    pair.set_clock("2026-10-25T03:30:00Z")
    assert pair.run().exit_code == 0
    pair.close()


# --- sleep ---


BASH = """
printf '%s\\n' "$EPOCHSECONDS"
until ((EPOCHSECONDS >= 1767323145)); do tool; sleep 30; done
sleep 1m 0.5 .25s
printf '%s\\n' "$EPOCHSECONDS" "$EPOCHREALTIME"
tool
date +%s.%N
bash -c 'printf "%s\\n" "$EPOCHSECONDS"'
"""
PYTHON = """
import subprocess, time
def out(*words): print(*words, flush=True)
out(int(time.time()))
while time.time() < 1767323145:
    subprocess.run(["tool"], stdin=0)
    time.sleep(30)
time.sleep(60.75)
out(int(time.time()))
out(f"{time.time():.6f}")
subprocess.run(["tool"], stdin=0)
subprocess.run(["date", "+%s.%N"])
out(time.time_ns() // 10**9)
"""


def virtual(directory: Path, bash: str, python: str | None = None) -> Pair[Run]:
    """Return a pair on a virtual clock."""
    pair = scripts(directory, bash, python)
    for name in ("bash", "date"):
        pair.tool(name)
    pair.stand_in("tool").always.exits(0)
    pair.virtual_sleep()
    return pair


def test_sleep_advances_the_clock_of_both_forms(tmp_path: Path) -> None:
    pair = virtual(tmp_path, BASH, PYTHON)
    start_s = time.monotonic()
    for _ in range(2):  # each run starts at the same time
        run = pair.run()
        assert run.stdout.splitlines() == [
            "1767323045", "1767323225", "1767323225.750000", "1767323225.750000000", "1767323225",
        ]  # fmt: skip
        assert run.programs == ["tool", "sleep"] * 4 + ["sleep", "tool"]
        assert run.calls("sleep") == [["30"]] * 4 + [["60.75"]]
    assert time.monotonic() - start_s < 60
    pair.close()


def test_sleeps_are_compared(tmp_path: Path) -> None:
    pair = virtual(tmp_path, "sleep 1; sleep 2", "import time\ntime.sleep(1)\ntime.sleep(2.5)")
    with pytest.raises(AssertionError, match="call 2, sleep: argument 1\n     bash    sleep 2\n"):
        pair.run()
    pair.close()


def test_stand_ins_see_the_virtual_time(tmp_path: Path) -> None:
    pair = virtual(tmp_path / "pair", "timeout 9 sleep 5; bash -c 'sleep 1'; date +%s")
    assert pair.run().stdout == "1767323051\n"
    pair.close()


def test_sleep_of_a_module_that_imported_the_function(tmp_path: Path) -> None:
    python = "from time import sleep, time\nsleep(2)\nsleep(0)\nprint(int(time()))"
    pair = virtual(tmp_path, "sleep 2; printf '%s\\n' \"$EPOCHSECONDS\"", python)
    assert pair.run().stdout == "1767323047\n"
    pair.close()


@pytest.mark.parametrize("error", ["-1", "'1'"])
def test_invalid_sleep_in_python(tmp_path: Path, error: str) -> None:
    python = f"import time\ntry: time.sleep({error})\nexcept (TypeError, ValueError): print('no')"
    pair = virtual(tmp_path, "printf 'no\\n'", python)
    assert pair.run().programs == []
    pair.close()


@pytest.mark.parametrize("arguments", ["", "infinity", "-1", "1x", "--help"])
def test_unsupported_sleep_fails_the_test(tmp_path: Path, arguments: str) -> None:
    pair = virtual(tmp_path, f"sleep {arguments}")
    with pytest.raises(AssertionError, match="both: unplanned use of a stand-in: sleep: not supp"):
        pair.run()
    pair.close()
