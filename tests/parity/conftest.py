"""The fixture of the parity scenarios: both forms of the refresh in twin sandboxes."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from tests.parity.oauth_world import Parity

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def parity(tmp_path: Path) -> Iterator[Parity]:
    with closing(Parity(tmp_path)) as parity:
        yield parity
