"""Stands in for systemctl: stops and resets units as systemd 252 does."""

from __future__ import annotations

from tests.support.refresh.stand_ins import user_manager
from tests.support.refresh.stand_ins.user_manager import RefusedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from oauthkit.parity.recorder import Call

FLAGS = ("--user", "--quiet", "-q", "--no-block")
# systemctl(1), EXIT STATUS: 5 is LSB's "program is not installed". Here: no such unit.
NOT_LOADED_STATUS = {"stop": 5, "reset-failed": 1}


def obeys(call: Call) -> int:
    """Performs the command, or prints the real program's error."""
    words = [word for word in call.argv if word not in FLAGS]
    verb, units = (words[0], words[1:]) if words else ("", [])
    if "--user" not in call.argv or verb not in NOT_LOADED_STATUS:
        call.refuse(f"{call.argv}")
    if not units and verb == "reset-failed":
        call.refuse("reset-failed of every unit")
    if not units:
        call.print(stderr=b"Too few arguments.\n")
        return 1
    complaint = user_manager.bus_error(call)
    if complaint:
        call.print(stderr=complaint)
        return 1
    status = 0
    with call.lock():
        state = user_manager.load(call)
        for name in units:
            try:
                unit = user_manager.mangle(name, ".service")
                if verb == "reset-failed":
                    user_manager.reset_failed(state, unit)
                elif state["services"].get(unit.rpartition(".")[0]) and unit.endswith(".service"):
                    call.refuse(f"stopping {unit}, of which this run may be part")
                else:
                    user_manager.stop(state, unit)
            except RefusedError as error:
                call.print(stderr=f"{error}\n".encode("utf-8", "surrogateescape"))
                status = NOT_LOADED_STATUS[verb]
        call.keep(user_manager.STATE, state)
    return status
