"""Draw from prebuilt strategies, since building and checking one costs more than a draw."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hypothesis.strategies import DrawFn

T = TypeVar("T")


def pick(draw: DrawFn, values: Sequence[T]) -> T:
    """Return one of the values. It shrinks towards the first."""
    return values[draw(st.integers(0, len(values) - 1))]


def chance(draw: DrawFn, percent: int) -> bool:
    """Return True in this percentage of draws. It shrinks towards False."""
    return draw(st.integers(0, 99)) >= 100 - percent


def picks(draw: DrawFn, values: Sequence[T], most: int) -> list[T]:
    """Return up to `most` different values."""
    found: list[T] = []
    for _ in range(draw(st.integers(0, most))):
        value = pick(draw, values)
        if value not in found:
            found.append(value)
    return found
