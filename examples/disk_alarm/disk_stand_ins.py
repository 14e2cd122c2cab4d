"""What a stand-in for df can do. It runs inside the stand-in: keep the imports few."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from oauthkit.parity.recorder import Call


def shows(call: Call, table: dict[str, str]) -> int:
    """Prints the use of each file system, by where it is mounted."""
    columns = [("Use%", "Mounted on"), *((used, place) for place, used in table.items())]
    call.print("".join(f"{used:>4} {place}\n" for used, place in columns).encode())
    return 0
