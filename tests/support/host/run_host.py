"""A host on which `oauthkit run` can renew."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support import forked
from tests.support.host.host_project import OTHER, SAME_CODE, HostProject

if TYPE_CHECKING:
    import subprocess

NEW = "sk-ant-oat01-made-up-new"
TOOLS = ("bash", "cat", "chmod", "cp", "dd", "env", "flock", "head", "jq", "mkdir", "mv", "rm",
         "sh", "sleep", "stat", "sync", "timeout", "touch", "tr")  # fmt: skip
# Renews as Claude Code does: it writes the credentials.
CLAUDE = """#!/bin/sh
echo run >>"$HOME/claude-calls"
printf '{"claudeAiOauth":{"accessToken":"%s","expiresAt":%s}}' {token} {expires_at_ms} \\
  >"$HOME/.claude/.credentials.json"
"""


def renewing(live: HostProject) -> HostProject:
    """Add the programs that a refresh runs, and a claude that renews."""
    for tool in TOOLS:
        (live.bin / tool).symlink_to(f"/usr/bin/{tool}")
    claude = CLAUDE.replace("{token}", NEW).replace("{expires_at_ms}", str(live.ms(8 * 3600)))
    live.program("claude", claude)
    live.program("systemctl", "#!/bin/sh\n")
    live.program("systemd-run", "#!/bin/sh\n")
    return live


def run(
    host: HostProject, script: str, *, stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    """Run `oauthkit run -- sh -c SCRIPT`."""
    return forked.run(argv(host, script), Path("/"), env(host), stdin)


def argv(host: HostProject, script: str) -> list[str]:
    project = f"--project={host.project}"
    return [sys.executable, "-m", "oauthkit", "run", project, "--", "sh", "-c", script]


def env(host: HostProject) -> dict[str, str]:
    settings = {"HOME": str(host.home), "PATH": str(host.bin), "CLAUDE_CODE_OAUTH_TOKEN": OTHER}
    return settings | SAME_CODE
