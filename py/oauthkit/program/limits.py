"""The time limits of the programs that a run starts."""

from __future__ import annotations

CLAUDE_LIMIT_S = 55
HOOK_LIMIT_S = 30
PUBLISH_LIMIT_S = 10
# etcdctl itself ends most requests after 5 s.
ETCDCTL_LIMIT_S = 30
AGE_LIMIT_S = 5
# A store on a network can hang.
READ_LIMIT_S = 30
# From a program's SIGTERM to its SIGKILL.
GRACE_S = 5
