"""The pytest plugin: a fixture that makes pairs of sandboxes and cleans up after them."""

from __future__ import annotations

from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from oauthkit.parity.compare import Allowed
    from oauthkit.parity.pair import Pair, Run
    from oauthkit.parity.runner import Form


class MakePair(Protocol):
    """Makes a Pair of sandboxes for these forms; what they run is ended with the test."""

    def __call__(
        self, forms: Sequence[Form], tools: Mapping[str, Path], allowed: Sequence[Allowed] = ()
    ) -> Pair[Run]:
        """A Pair in a folder of its own."""


@pytest.fixture
def make_pair(tmp_path: Path) -> Iterator[MakePair]:
    """Makes pairs of sandboxes in the test's own folder: see oauthkit.parity.Pair."""
    from oauthkit.parity.pair import Pair  # noqa: PLC0415 - not for tests that never use it

    with ExitStack() as stack:
        pairs: list[Any] = []

        def make(
            forms: Sequence[Form], tools: Mapping[str, Path], allowed: Sequence[Allowed] = ()
        ) -> Pair[Run]:
            folder = tmp_path / f"pair-{len(pairs)}"
            folder.mkdir()
            pairs.append(stack.enter_context(closing(Pair(folder, forms, tools, allowed))))
            return pairs[-1]  # type: ignore[no-any-return]

        yield make
