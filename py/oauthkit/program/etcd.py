"""A store in etcd v3: each host's record is the value of the key PREFIX/HOST.

All requests are made by etcdctl, which has its settings in variables: ETCDCTL_ENDPOINTS, and
ETCDCTL_CACERT, ETCDCTL_CERT and ETCDCTL_KEY for TLS.
"""

from __future__ import annotations

from plumbum import local
from plumbum.commands import ERROUT

from oauthkit.program.limits import ETCDCTL_LIMIT_S, GRACE_S
from oauthkit.shell import CAPTURE, RETCODE, Status, is_unit_name, now_ms, parse_int, program

# The longest wait for a change. A connection can fail without an error, so etcd is then read again.
WATCH_S = 5 * 60
RETRY_S = 60
# Linux limits the size of a variable (execve(2)), and hooks get the error in one.
ERROR_LIMIT = 4096

etcdctl = program("etcdctl")
setpriv = program("setpriv")
sleep = program("sleep")
timeout = program("timeout")


def open_etcd(store: str) -> tuple[str, str]:
    """Set the endpoints of `store`, etcd:URL,URL…/PREFIX. Return an error, and PREFIX with a slash.

    The error is "" if there is none.
    """
    problem = f"OAUTHKIT_STORE is {store}. It must be etcd:https://HOST:PORT/PREFIX"
    urls = store.removeprefix("etcd:")
    head, separator, tail = urls.rpartition("://")
    last, _, prefix = tail.partition("/")
    endpoints = head + separator + last
    rest = endpoints
    while True:
        url, comma, rest = rest.partition(",")
        address = url.removeprefix("https://")
        address = address.removeprefix("http://")
        # An IPv6 address is in brackets.
        host = address.removeprefix("[")
        host, _, port = host.partition("]")
        host += port
        if address == url or not is_unit_name(host) or "\\" in host:
            return problem, ""
        if comma == "":
            break
    prefix = prefix.removesuffix("/")
    rest = prefix.removeprefix("/")
    while True:
        name, slash, rest = rest.partition("/")
        if not is_unit_name(name) or "\\" in name:
            return problem, ""
        if slash == "":
            break
    local.env["ETCDCTL_ENDPOINTS"] = endpoints
    local.env["ETCDCTL_API"] = "3"
    return "", f"{prefix}/"


def etcd_error(command: str, status: Status, printed: str) -> str:
    """Return the error in an etcdctl command's exit status and output, or "" if there is none."""
    if status == 0:
        return ""
    if status == 127:
        return "etcdctl not found in PATH"
    if status == 124 or status == 137:
        return f"etcdctl {command} was stopped after {ETCDCTL_LIMIT_S} s"
    _, _, reason = printed.rpartition("\n")
    reason = reason.removeprefix("Error: ")
    if len(reason) > ERROR_LIMIT:
        reason = f"its error has more than {ERROR_LIMIT} characters"
    return f"etcdctl {command} failed (exit {status}): {reason}"


def etcd_get(key: str) -> tuple[str, str]:
    """Return an error ("" if there is none), and the value of a key, or "" if it does not exist."""
    get = timeout[
        "-k",
        GRACE_S,
        ETCDCTL_LIMIT_S,
        etcdctl["get", "--write-out=simple", "--print-value-only", "--", key],
    ]
    status, printed = (get >= ERROUT) & CAPTURE
    problem = etcd_error("get", status, printed)
    # A record is one line. etcdctl may print warnings before it.
    _, _, value = printed.rpartition("\n")
    return problem, value


def etcd_list(prefix: str) -> tuple[str, str]:
    """Return an error ("" if there is none), and the keys that start with `prefix` as JSON.

    etcdctl may print warnings before the line of JSON.
    """
    get = etcdctl["get", "--prefix", "--write-out=json", "--", prefix]
    status, printed = (timeout["-k", GRACE_S, ETCDCTL_LIMIT_S, get] >= ERROUT) & CAPTURE
    problem = etcd_error("get", status, printed)
    return problem, printed


def etcd_put(key: str, value: str, expiry_ms: int) -> str:
    """Set a key, which etcd deletes at `expiry_ms`. Return an error, or "" if there is none."""
    left_ms = now_ms()
    left_ms = expiry_ms - left_ms
    grant = etcdctl["lease", "grant", "--write-out=simple", left_ms // 1000]
    grant = timeout["-k", GRACE_S, ETCDCTL_LIMIT_S, grant]
    status, printed = (grant >= ERROUT) & CAPTURE
    problem = etcd_error("lease grant", status, printed)
    if problem != "":
        return problem
    # Example: lease 694d77aa9e38260f granted with TTL(28800s)
    _, found, rest = printed.rpartition("lease ")
    lease, _, _ = rest.partition(" ")
    if found == "" or not is_unit_name(lease):
        return "etcdctl lease grant did not print a lease ID"
    put = timeout["-k", GRACE_S, ETCDCTL_LIMIT_S, etcdctl["put", f"--lease={lease}", "--", key]]
    status, printed = ((put << value) >= ERROUT) & CAPTURE
    return etcd_error("put", status, printed)


def wait_for_etcd(prefix: str, revision: str) -> Status:
    """Wait until a key has changed since `revision`, for at most 5 min.

    Wait at least 1 s, so that a burst of changes causes one read per second. Wait 1 min if etcd
    could not be read, so `revision` is "". Return 0, or the exit status of sleep if it fails.
    """
    status = sleep[1] & RETCODE
    if status != 0:
        return status
    unknown, read = parse_int(revision)
    # etcdctl starts a command at each change, with the record in its environment. An empty name
    # makes it exit at the first change instead.
    watch = etcdctl["watch", "--prefix", f"--rev={read + 1}", prefix, "--", ""]
    if unknown == 0:
        # In the foreground, a signal to the process group of the follower also ends the watch.
        watch = timeout["--foreground", "-k", GRACE_S, WATCH_S, watch]
        # The kernel ends the watch if the follower's process dies.
        status, event = setpriv["--pdeathsig", "TERM", watch] & CAPTURE
        if status == 124 or event != "":
            return 0
    return sleep[RETRY_S] & RETCODE
