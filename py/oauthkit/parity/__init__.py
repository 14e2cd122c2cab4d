"""Run two forms of one program in identical sandboxes, and compare everything that they do."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from oauthkit.parity.compare import Allowed, Difference
    from oauthkit.parity.forms import SHELL_VARIABLES, script
    from oauthkit.parity.outcome import Call, Entry, Outcome
    from oauthkit.parity.pair import Pair
    from oauthkit.parity.plugin import MakePair
    from oauthkit.parity.recorder import UnplannedError
    from oauthkit.parity.run import Run
    from oauthkit.parity.runner import Form, Started
    from oauthkit.parity.stand_ins import Answers, Planned, StandIn
    from oauthkit.parity.world import World

# The module of each name. Modules are loaded on first use, because pytest imports this package in
# every run, even if no test uses it.
_HOMES = {
    "SHELL_VARIABLES": "forms",
    "Allowed": "compare",
    "Answers": "stand_ins",
    "Call": "outcome",
    "Difference": "compare",
    "Entry": "outcome",
    "Form": "runner",
    "MakePair": "plugin",
    "Outcome": "outcome",
    "Pair": "pair",
    "Planned": "stand_ins",
    "Run": "run",
    "StandIn": "stand_ins",
    "Started": "runner",
    "UnplannedError": "recorder",
    "World": "world",
    "script": "forms",
}

__all__ = [
    "SHELL_VARIABLES",
    "Allowed",
    "Answers",
    "Call",
    "Difference",
    "Entry",
    "Form",
    "MakePair",
    "Outcome",
    "Pair",
    "Planned",
    "Run",
    "StandIn",
    "Started",
    "UnplannedError",
    "World",
    "script",
]


if not TYPE_CHECKING:  # otherwise, a type checker would accept every name

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
