"""Hypothesis settings for finding a single difference."""

from __future__ import annotations

from hypothesis import HealthCheck, Phase, Verbosity, settings


def search_settings(count: int, *, shrink: bool = True) -> settings:
    """Return settings that draw `count` examples from the seed only, and print nothing."""
    return settings(
        max_examples=count,
        database=None,
        deadline=None,
        derandomize=False,
        phases=(Phase.generate, *[Phase.shrink] * shrink),
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
        report_multiple_bugs=False,
        print_blob=False,
    )
