"""The results of a run, for a test to check."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from oauthkit.parity.outcome import Call, Entry, Outcome
    from oauthkit.parity.world import World


class Run:
    """The results of a run. Both forms agree, so each result exists once."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.exit_code = outcome.exit_code
        self.stdout_bytes = outcome.stdout
        self.stderr_bytes = outcome.stderr
        self.all_calls: list[Call] = outcome.calls
        self.state: dict[str, Any] = outcome.state

    @property
    def stdout(self) -> str:
        """Return the output on stdout, as text."""
        return text(self.stdout_bytes)

    @property
    def stderr(self) -> str:
        """Return the output on stderr, as text."""
        return text(self.stderr_bytes)

    @property
    def programs(self) -> list[str]:
        """Return the names of the called stand-ins, in order."""
        return [call.program for call in self.all_calls]

    def calls(self, program: str) -> list[list[str]]:
        """Return the arguments of each call to `program`."""
        return [call.argv for call in self.all_calls if call.program == program]

    def call(self, program: str, number: int = 0) -> Call:
        """Return the record of one call to `program`, by default the first.

        Raises LookupError if there was no such call.
        """
        made = [call for call in self.all_calls if call.program == program]
        if not -len(made) <= number < len(made):
            raise LookupError(f"no call {number} of {program}: it was called {len(made)} times")
        return made[number]

    @property
    def files(self) -> dict[str, Entry]:
        """Return the file tree, by the names that a test uses: `.env`, `~/.claude`, `/bin/jq`."""
        return {name_of(self.outcome.world, n): e for n, e in self.outcome.files.items()}

    @property
    def touched(self) -> list[str]:
        """Return the files that were created or written, even with the same content as before."""
        return [name_of(self.outcome.world, name) for name in self.outcome.touched]


def text(data: bytes) -> str:
    """Decode UTF-8. Invalid bytes become surrogate escapes."""
    return data.decode("utf-8", "surrogateescape")


def name_of(world: World, path: str) -> str:
    """Return a test's name for a path relative to the world's root."""
    for directory, prefix in ((world.project_name, ""), (world.home_name, "~/")):
        if path.startswith(f"{directory}/"):
            return prefix + path[len(directory) + 1 :]
    return f"/{path}"
