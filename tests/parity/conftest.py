"""The fixture of the parity scenarios: both forms of the refresh in twin sandboxes."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from tests.parity.oauth_world import Parity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def parity(tmp_path: Path, record_property: Callable[[str, object], None]) -> Iterator[Parity]:
    with closing(Parity(tmp_path)) as parity:
        yield parity
    # Counted in the summary if the test passes, and if it has compared anything.
    record_property("scenarios", int(parity.comparisons > 0))
