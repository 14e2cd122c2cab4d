"""Measure followers of a real etcd cluster: from put to .env, requests, memory. Print figures."""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.system.etcd_cluster import Cluster, missing_programs
from tests.support.system.etcd_host import Host

if TYPE_CHECKING:
    from collections.abc import Sequence

PUBLISHER, FOLLOWER = 11, 12
LIMIT_S = 120
# To count requests, the 5 min between two reads are divided by this.
SPEED = 300
ABOUT = """\
Three members of etcd with TLS, each in a network namespace of its own. All followers are on one
host. From put to .env: from the start of `etcdctl put` to the rename of each follower's .env, over
{rounds} puts. Memory: the proportional set size (PSS) of one waiting follower and its children.
Requests: one follower's requests per hour, measured at {speed} times the normal speed.
"""
# Runs `timeout -k GRACE LIMIT COMMAND` with a shorter limit, and notes the requests of etcdctl.
TIMEOUT = f"""\
#!/bin/bash
options=()
if [[ $1 == --foreground ]]; then options=("$1") && shift; fi
case "$4 $5" in
  'etcdctl '*) echo "$5" >>"$HOME/requests" ;;
esac
limit=$3
[[ $5 != watch ]] || limit=$(($3 / {SPEED}))
exec /usr/bin/timeout "${{options[@]}}" -k "$2" "$limit" "${{@:4}}"
"""


def wait_for_rename(path: Path, old_ns: int) -> float:
    """Wait until a file is replaced by a rename. Return the time of that in s since the epoch."""
    end_s = time.monotonic() + LIMIT_S
    while time.monotonic() < end_s:
        if path.exists() and (found := path.stat()).st_mtime_ns > old_ns:
            return found.st_ctime_ns / 1e9
        time.sleep(0.01)
    raise TimeoutError(f"{path} has not changed")


def process_tree(pid: int) -> list[int]:
    """Return the pids of a process and all its descendants."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text("ascii").split():
            found += process_tree(int(child))
    return found


def memory_mib(pid: int) -> dict[str, float]:
    """Return the PSS of a process and its descendants, by program."""
    sizes: dict[str, float] = {}
    for member in process_tree(pid):
        name = Path(f"/proc/{member}/comm").read_text("utf-8").strip()
        lines = Path(f"/proc/{member}/smaps_rollup").read_text("ascii").splitlines()
        pss = next(line for line in lines if line.startswith("Pss:"))
        sizes[name] = sizes.get(name, 0) + int(pss.split()[1]) / 1024
    return sizes


def delays_s(cluster: Cluster, root: Path, form: str, count: int, rounds: int) -> list[float]:
    """Return the times from put to .env of each follower and put."""
    root.mkdir()
    publisher = Host(cluster, root / f"publisher{count}", PUBLISHER, form)
    followers = [Host(cluster, root / str(number), FOLLOWER, form) for number in range(count)]
    for host in followers:
        host.env["OAUTHKIT_STORE"] = publisher.env["OAUTHKIT_STORE"]
    publisher.publish("0", 600)
    for host in followers:
        host.start()
    found: list[float] = []
    try:
        for host in followers:
            wait_for_rename(host.dotenv, 0)
        time.sleep(2)
        print(f"{form}, {count} follower(s): {memory_text(followers[0])}", flush=True)
        for number in range(1, rounds + 1):
            old_ns = max(host.dotenv.stat().st_mtime_ns for host in followers)
            record = publisher.record(str(number), 600 + number)
            started_s = time.time()
            cluster.etcdctl("put", f"{publisher.prefix}/alpha", stdin=record)
            found += [wait_for_rename(host.dotenv, old_ns) - started_s for host in followers]
            time.sleep(2)
    finally:
        for host in followers:
            host.end()
    return found


def memory_text(host: Host) -> str:
    assert host.process is not None
    sizes = memory_mib(host.process.pid)
    listed = ", ".join(f"{name} {size:.1f}" for name, size in sizes.items())
    return f"{sum(sizes.values()):.1f} MiB ({listed})"


def requests_per_hour(cluster: Cluster, root: Path, form: str) -> dict[str, int]:
    """Return the requests of an idle follower in an hour, by etcdctl's command."""
    root.mkdir()
    publisher, follower = (Host(cluster, root, n, form) for n in (PUBLISHER, FOLLOWER))
    publisher.publish("idle", 3600)
    tools = root / "tools"
    tools.mkdir()
    (tools / "timeout").write_text(TIMEOUT, encoding="ascii")
    (tools / "timeout").chmod(0o755)
    follower.start(first_in_path=tools)
    try:
        wait_for_rename(follower.dotenv, 0)
        noted = follower.home / "requests"
        before = noted.read_text("ascii").split()
        cycle_s = 300 / SPEED
        time.sleep(12 * cycle_s)
        after = noted.read_text("ascii").split()[len(before) :]
    finally:
        follower.end()
    # A cycle also includes the second before each watch, and the pass itself.
    cycles = after.count("watch")
    return {name: round(12 * after.count(name) / cycles) for name in ("get", "watch")}


def main(argv: Sequence[str] | None = None) -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="scripts/bench --fleet", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="puts for each number of followers")
    parser.add_argument("--followers", type=int, nargs="*", default=[1, 10, 50])
    parser.add_argument("--forms", nargs="*", default=["bash", "python"])
    arguments = parser.parse_args(argv)
    if missing := missing_programs():
        parser.exit(1, f"bench: not installed: {', '.join(missing)}. Run scripts/setup\n")
    print(ABOUT.format(rounds=arguments.rounds, speed=SPEED))
    with tempfile.TemporaryDirectory(prefix="oauthkit-bench-") as directory:
        root = Path(directory)
        cluster = Cluster(root)
        try:
            for form in arguments.forms:
                for count in arguments.followers:
                    found = delays_s(
                        cluster, root / f"{form}{count}", form, count, arguments.rounds
                    )
                    last = sorted(found)[min(len(found) - 1, int(len(found) * 0.99))]
                    print(
                        f"{form}, {count} follower(s): from put to .env median"
                        f" {statistics.median(found):.2f} s, 99 % within {last:.2f} s",
                        flush=True,
                    )
                print(
                    f"{form}: {requests_per_hour(cluster, root / form, form)} per hour", flush=True
                )
        finally:
            cluster.end()
    return 0


if __name__ == "__main__":
    os.umask(0o077)
    raise SystemExit(main())
