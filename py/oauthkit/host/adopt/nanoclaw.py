"""What adopt knows about NanoClaw: its kinds of checkout, and how it calls the refresh."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from oauthkit.host.errors import HostError

# The script that this refresh replaces.
OLD = "scripts/refresh-oauth.sh"
LOOKS_LIKE = ("package.json", "src", "container")
# Some checkouts keep the refresh in a skill. Each build copies it from there.
SKILL = ".claude/skills/add-refresh-oauth/add"
# NanoClaw 2 and newer: a gateway puts the token into the containers' requests.
ONECLI = '"@onecli-sh/sdk"'
ONECLI_SKILL = ".claude/skills/add-onecli/"  # since NanoClaw 2.4, in place of that dependency
# How the host calls the refresh, in TypeScript. docs/host.md has the same lines.
CALL = (
    "const refresh = (...how: string[]) =>",
    "  promisify(execFile)('bash', ['scripts/oauth/refresh.sh', ...how],",
    "    { timeout: 600_000, killSignal: 'SIGKILL' })",
    "    .catch(console.error);",
)
REQUEST = "refresh_oauth"
# What shows that a source makes a call, and the line to add if none does.
CALLS = {
    "--ensure": "await refresh('--ensure');    // before a container is started",
    "--rejected": "await refresh('--rejected');  // after an authentication error in a container;"
    " then start it again",
    REQUEST: "if (task.type === 'refresh_oauth') await refresh('--ensure');  // for a task"
    " in data/ipc: see the skill",
}


def require_nanoclaw(checkout: Path) -> None:
    """Raise HostError for a directory that does not look like a checkout of NanoClaw."""
    missing = [name for name in LOOKS_LIKE if not (checkout / name).exists()]
    if missing:
        raise HostError(
            f"{checkout} does not look like a checkout of NanoClaw: there is no"
            f" {' and no '.join(missing)}. Give another directory, or use --force"
        )


def prefixes(checkout: Path) -> list[str]:
    """Return the directories that get the shipped files: the root ("") and the skill's, if any."""
    return ["", f"{SKILL}/"] if (checkout / SKILL).is_dir() else [""]


def in_project(file: str) -> str:
    """Return the path to which the build copies a skill's file, or any other path unchanged."""
    return file.removeprefix(f"{SKILL}/")


def is_source(file: str) -> bool:
    """Return whether a file is code of the host: in src, or in a skill's src."""
    return "src" in PurePosixPath(file).parts[:-1]


def is_record(file: str) -> bool:
    """Return whether a file is a record: a changelog, a plan, or a file in docs."""
    parts = PurePosixPath(file).parts
    return parts[-1].upper().startswith("CHANGELOG") or not {"docs", "plans"}.isdisjoint(parts[:-1])


def missing_calls(made: set[str]) -> list[str]:
    """Return the TypeScript for the calls that no source makes, as lines; [] if none is missing.

    `made` are the keys of CALLS that occur in the sources.
    """
    lines = [line for key, line in CALLS.items() if key not in made]
    return [*CALL, *lines] if lines else []
