"""Draw from prebuilt strategies, since building and checking one costs more than a draw."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hypothesis.strategies import DrawFn

T = TypeVar("T")


def pick(draw: DrawFn, values: Sequence[T]) -> T:
    """One of the values; shrinks towards the first."""
    return values[draw(st.integers(0, len(values) - 1))]


def chance(draw: DrawFn, percent: int) -> bool:
    """True in so many of a hundred draws; shrinks towards False."""
    return draw(st.integers(0, 99)) >= 100 - percent


def picks(draw: DrawFn, values: Sequence[T], most: int) -> list[T]:
    """Up to `most` different ones of the values."""
    found: list[T] = []
    for _ in range(draw(st.integers(0, most))):
        value = pick(draw, values)
        if value not in found:
            found.append(value)
    return found
