"""docs/status.md lists exactly the fields and metrics."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tests.support.host.store_host import publish, with_store
from tests.support.refresh.world import REPOSITORY

if TYPE_CHECKING:
    from tests.support.host.host_project import HostProject

PAGE = (REPOSITORY / "docs/status.md").read_text(encoding="utf-8")


def named(title: str) -> set[str]:
    """Return the code in the first cells of the table in a section."""
    section = PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| (`[^|]+`) \|", section, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def fields(data: dict[str, Any], prefix: str = "") -> set[str]:
    found = set()
    for name, value in data.items():
        is_object = isinstance(value, dict) and name != "last_error"
        found |= fields(value, f"{prefix}{name}.") if is_object else {f"{prefix}{name}"}
    return found


def test_every_field_is_named(live: HostProject) -> None:
    assert fields(live.status()) == named("--json")


def test_the_version_is_the_one_of_the_page(live: HostProject) -> None:
    assert f"| `version` | {live.status()['version']} |" in PAGE


def test_every_field_of_the_store_is_named(well: HostProject) -> None:
    publish(with_store(well), "beta")
    row = next(line for line in PAGE.splitlines() if line.startswith("| `store` |"))
    store = well.status()["store"]
    assert {*store, *store["records"][0], "null", "store", ".env"} == {*re.findall("`(.*?)`", row)}


def test_every_metric_is_named(well: HostProject) -> None:
    live = with_store(well)
    publish(live, "alpha")
    live.login(refreshTokenExpiresAt=live.ms(86400))
    live.failing.touch()
    text = live.run("status", "--prometheus", "-").stdout
    assert set(re.findall(r"^(\w+)\{", text, re.MULTILINE)) == named("--prometheus FILE")
