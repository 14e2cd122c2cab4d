"""Settings of hypothesis for a search for one difference."""

from __future__ import annotations

from hypothesis import HealthCheck, Phase, Verbosity, settings


def search_settings(count: int, *, does_shrink: bool = True) -> settings:
    """Return settings that draw `count` examples from the seed alone, and print nothing."""
    return settings(
        max_examples=count,
        database=None,
        deadline=None,
        derandomize=False,
        phases=(Phase.generate, *[Phase.shrink] * does_shrink),
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
        report_multiple_bugs=False,
        print_blob=False,
    )
