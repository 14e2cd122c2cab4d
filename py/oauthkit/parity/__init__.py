"""Runs two forms of one program in twin sandboxes and accepts no difference between them."""

from __future__ import annotations

from oauthkit.parity.compare import Allowed, Difference
from oauthkit.parity.outcome import Call, Entry, Outcome
from oauthkit.parity.pair import Pair, Run
from oauthkit.parity.plans import Planned, StandIn
from oauthkit.parity.recorder import UnplannedError
from oauthkit.parity.runner import Form, Started
from oauthkit.parity.world import World

__all__ = [
    "Allowed",
    "Call",
    "Difference",
    "Entry",
    "Form",
    "Outcome",
    "Pair",
    "Planned",
    "Run",
    "StandIn",
    "Started",
    "UnplannedError",
    "World",
]
