"""The limit that is the same for all programs that a run starts."""

from __future__ import annotations

# Seconds from a program's SIGTERM to its SIGKILL.
GRACE_S = 5
