"""The time limit that all programs of a run share."""

from __future__ import annotations

# Seconds from a program's SIGTERM to its SIGKILL.
GRACE_S = 5
