"""The shipped files are found in the wheel and in the checkout."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.refresh.world import REPOSITORY

from oauthkit.host import shipped_files
from oauthkit.host.shipped_files import CHECKOUT_FILES, shipped_path

if TYPE_CHECKING:
    import pytest


def test_shipped_file_is_in_the_wheel_or_in_the_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in CHECKOUT_FILES:
        assert shipped_path(name).read_bytes() == (REPOSITORY / name).read_bytes()
    module = tmp_path / "oauthkit/host/shipped_files.py"
    monkeypatch.setattr(shipped_files, "__file__", str(module))
    in_wheel = tmp_path / "oauthkit/_data/SKILL.md"
    in_wheel.parent.mkdir(parents=True)
    in_wheel.touch()
    assert shipped_path("container/skills/refresh-oauth/SKILL.md") == in_wheel
