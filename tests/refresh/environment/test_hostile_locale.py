"""LC_ALL and TZ, crossed with the scenarios."""

from __future__ import annotations

import datetime as dt
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from tests.support.refresh.scenarios import (
    FULL_RUNS,
    every_full_run,
    every_scenario,
    meet,
    some_crossings,
)

from oauthkit.parity.clock import epoch_s

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.refresh.scenarios import Scenario
    from tests.support.refresh.world import Parity

# Its decimal separator is a comma, and its alphabet has the order r s z t u, so [a-z] lacks some
# letters.
ESTONIAN = "et_EE.UTF-8"
PROOF = "printf '%.1f ' 1,5; [[ s < z && z < t ]] && printf 'szt '; value=ä; printf ${#value}"


@pytest.fixture(scope="session")
def estonian(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Generate the Estonian locale, because few machines have it. Return its variables.

    Skip the test if the locale's source is missing. Debian has it in the package locales.
    """
    directory: Path = tmp_path_factory.mktemp("locales")
    localedef = shutil.which("localedef")
    if localedef is None:
        pytest.skip("localedef is missing: install libc-bin and locales")
    argv = [localedef, "-i", "et_EE", "-f", "UTF-8", str(directory / ESTONIAN)]
    made = subprocess.run(argv, env={}, capture_output=True, text=True, check=False, timeout=60)
    if made.returncode != 0:
        pytest.skip(f"cannot generate {ESTONIAN}: install locales ({made.stderr.strip()})")
    return {"LOCPATH": str(directory), "LC_ALL": ESTONIAN}


def test_estonian_locale_takes_effect(estonian: dict[str, str]) -> None:
    bash = str(shutil.which("bash"))
    proof = subprocess.run([bash, "-c", PROOF], env=estonian, capture_output=True, check=True)
    assert (proof.stdout, proof.stderr) == (b"1,5 szt 1", b"")


@every_scenario
@pytest.mark.parametrize("locale", ["unset", "C", "C.UTF-8"])
def test_locale(parity: Parity, scenario: Scenario, locale: str) -> None:
    del parity.env["LANG"]
    if locale != "unset":
        parity.env["LC_ALL"] = locale
    meet(parity, scenario)


@every_scenario
def test_locale_with_another_decimal_and_sort_order(
    parity: Parity, scenario: Scenario, estonian: dict[str, str]
) -> None:
    parity.env.update(estonian)
    run = meet(parity, scenario)
    assert {call.env["LC_ALL"] for call in run.all_calls} == {ESTONIAN}


# --- TZ ---

# In POSIX format, because tzdata may be missing: zone, instant of the change, offsets around it.
BERLIN = "CET-1CEST,M3.5.0,M10.5.0/3"
ST_JOHNS = "NST3:30NDT,M3.2.0,M11.1.0"
LORD_HOWE = "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0"  # changes by half an hour
DUBLIN = "IST-1GMT0,M10.5.0,M3.5.0/1"  # standard time in summer, set back by an hour in winter
CHANGES = {
    "Berlin, spring": (BERLIN, "2026-03-29T01:00:00Z", "+01:00", "+02:00"),
    "Berlin, autumn": (BERLIN, "2026-10-25T01:00:00Z", "+02:00", "+01:00"),
    "St. John's, autumn": (ST_JOHNS, "2026-11-01T04:30:00Z", "-02:30", "-03:30"),
    "Lord Howe, spring": (LORD_HOWE, "2026-10-03T15:30:00Z", "+10:30", "+11:00"),
    "Lord Howe, autumn": (LORD_HOWE, "2026-04-04T15:00:00Z", "+11:00", "+10:30"),
    "Dublin, autumn": (DUBLIN, "2026-10-25T01:00:00Z", "+01:00", "+00:00"),
}
# In Berlin, the clock also starts right after the change: in autumn, that local time is repeated.
MOMENTS = [(name, -1) for name in CHANGES] + [(name, 0) for name in CHANGES if "Berlin" in name]


def around(change: str, before: str, after: str) -> Callable[[int], str]:
    """Return a function that formats instants with the offset before or after a change."""
    zones = [dt.datetime.fromisoformat(f"2026-01-01T00:00{offset}") for offset in (before, after)]

    def local(instant_s: int) -> str:
        zone = zones[instant_s >= epoch_s(change)].tzinfo
        return dt.datetime.fromtimestamp(instant_s, zone).isoformat()

    return local


@some_crossings(FULL_RUNS, "moment", MOMENTS, "fresh token")
def test_change_of_the_clock(parity: Parity, scenario: Scenario, moment: tuple[str, int]) -> None:
    name, seconds = moment
    zone, change, before, after = CHANGES[name]
    parity.env["TZ"] = zone
    parity.set_clock(epoch_s(change) + seconds)
    run = meet(parity, scenario, around(change, before, after))
    # All timers are due after the change, so runs before the change schedule across it.
    assert run.log_lines[-1].endswith(after)
    assert run.log_lines[0].partition(" ")[0].endswith(before if seconds < 0 else after)


INVALID_ZONES = {"unset": None, "not a zone": "Nowhere/Land é", "not a zone file": "/etc/passwd"}


@every_full_run
@pytest.mark.parametrize("zone", INVALID_ZONES.values(), ids=INVALID_ZONES)
def test_invalid_time_zone(parity: Parity, scenario: Scenario, zone: str | None) -> None:
    del parity.env["TZ"]
    if zone is not None:
        parity.env["TZ"] = zone
    # Without TZ, the machine's zone applies, which date(1) knows.
    env = {} if zone is None else {"TZ": zone}

    def local(instant_s: int) -> str:
        argv = [str(shutil.which("date")), "-Iseconds", "-d", f"@{instant_s}"]
        return (
            subprocess.run(argv, env=env, capture_output=True, check=True).stdout.decode().strip()
        )

    meet(parity, scenario, local)
