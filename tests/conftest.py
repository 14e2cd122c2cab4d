"""For every test: an empty HOME, none of the user's settings, and no skips in CI."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
import zlib
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

REQUIRE = "OAUTHKIT_REQUIRE_E2E"
SEED = "OAUTHKIT_TEST_SEED"
SHARE = "OAUTHKIT_TEST_SHARE"
KEPT = (REQUIRE, SEED, SHARE, "OAUTHKIT_TEST_CLAUDE")
SAMPLED_FILES = ("refresh/*/test_hostile*.py", "faults/test_kills_*.py")
LIMIT_S = 300  # far more than any test takes on a busy machine
LONGEST = "test_sampled_mutants_are_killed"
# Variables that would lead a test, or a program that it starts, to the user's login, session bus or
# settings.
PRIVATE_PREFIXES = ("CLAUDE", "ANTHROPIC_", "OAUTHKIT_", "XDG_", "DBUS_")


def _isolate() -> str:
    """Give this process and its children an empty HOME. Return its path."""
    for name in list(os.environ):
        if name.startswith(PRIVATE_PREFIXES) and name not in KEPT:
            del os.environ[name]
    home = tempfile.mkdtemp(prefix="oauthkit-test-home-")
    os.environ["HOME"] = home
    return home


# At import, not in a fixture: the conftest files below this directory and every test module are
# imported later and may read HOME. Each xdist worker runs this code itself.
_HOME = _isolate()
_NO_SKIPS = os.environ.get(REQUIRE) == "1"


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Limit the time of each test. The limit is not in pyproject.toml: examples need no plugin."""
    if config.option.timeout is None and "PYTEST_TIMEOUT" not in os.environ:
        config.option.timeout = LIMIT_S


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With OAUTHKIT_TEST_SHARE=N, deselect all but one in N of the tests in SAMPLED_FILES.

    Put LONGEST first.
    """
    share, seed = int(os.environ.get(SHARE, "1")), os.environ.get(SEED, "")
    dropped = {
        item
        for item in items
        if any(map(item.path.match, SAMPLED_FILES))
        and zlib.crc32(f"{seed} {item.nodeid}".encode()) % share
    }
    config.hook.pytest_deselected(items=[*dropped])
    items[:] = [item for item in items if item not in dropped]
    # If it started last, it would run alone for minutes.
    items.sort(key=lambda item: item.name != LONGEST)


def pytest_unconfigure() -> None:
    """Remove this process's HOME."""
    shutil.rmtree(_HOME, ignore_errors=True)


@pytest.fixture(autouse=True)
def _same_zone() -> Generator[None]:
    """Fail a test that changes the process's time zone: later tests would use it."""
    before = time.tzname, time.timezone
    yield
    assert (time.tzname, time.timezone) == before, "the test changed the time zone"


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip into a failure if skips are not allowed. Expected failures are not affected."""
    if not _NO_SKIPS or not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
    report.outcome = "failed"
    report.longrepr = f"{reason} ({REQUIRE}=1 allows no skip)"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Reject the skip of a test, by a mark or in the test."""
    report = yield
    _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Reject the skip of a whole module, such as that of `pytest.importorskip`."""
    report = yield
    _refuse_skip(report)
    return report
