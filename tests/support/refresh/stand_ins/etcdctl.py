"""Stands in for etcdctl 3.4: answers get, lease grant and put as a server with few keys does."""

from __future__ import annotations

import binascii

TYPE_CHECKING = False
if TYPE_CHECKING:
    from oauthkit.parity.recorder import Call

HEADER = b'{"header":{"cluster_id":1,"member_id":2,"revision":%d,"raft_term":2}'
VARIABLES = ("ETCDCTL_ENDPOINTS", "ETCDCTL_API")


def serves(
    call: Call, records: dict[str, bytes] | None = None, revision: int = 7, warning: bytes = b""
) -> int:
    """Answers requests for the keys in `records`. Prints `warning` on stderr before."""
    given = records or {}
    call.print(stderr=warning)
    if not all(name in call.env for name in VARIABLES):
        call.refuse(f"without {VARIABLES}")
    match call.argv:
        case ["get", "--write-out=simple", "--print-value-only", "--", key]:
            if key in given:
                call.print(given[key] + b"\n")
        case ["get", "--prefix", "--write-out=json", "--", prefix]:
            found = [
                _pair(key, value) for key, value in sorted(given.items()) if key.startswith(prefix)
            ]
            keys = b',"kvs":[%s],"count":%d' % (b",".join(found), len(found)) if found else b""
            call.print(HEADER % revision + keys + b"}\n")
        case ["lease", "grant", "--write-out=simple", ttl_s] if ttl_s.isdecimal():
            call.print(b"lease 694d77aa9e38260f granted with TTL(%ds)\n" % int(ttl_s))
        case ["put", "--lease=694d77aa9e38260f", "--", _]:
            call.print(b"OK\n")
        case _:
            call.refuse(f"{call.argv}")
    return 0


def _pair(key: str, value: bytes) -> bytes:
    # etcdctl leaves out an empty value.
    pair = b'{"key":"%s","create_revision":2,"mod_revision":2,"version":1' % _base64(key.encode())
    return pair + (b',"value":"%s"' % _base64(value) if value else b"") + b"}"


def _base64(data: bytes) -> bytes:
    return binascii.b2a_base64(data, newline=False)
