"""The behaviour of the stand-in for df. It runs inside the stand-in, so import little."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from oauthkit.parity.recorder import Call


def shows(call: Call, table: dict[str, str]) -> int:
    """Print the usage of each file system, by its mount point."""
    columns = [("Use%", "Mounted on"), *((used, place) for place, used in table.items())]
    call.print("".join(f"{used:>4} {place}\n" for used, place in columns).encode())
    return 0
