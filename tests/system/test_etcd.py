"""Publish and follow with a real etcd cluster of three members, and TLS, in both forms.

Each member, the publisher and the follower are in network namespaces of their own.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.support.system.age_keys import make_identity, require_age
from tests.support.system.etcd_cluster import Cluster, missing_programs
from tests.support.system.etcd_host import Host
from tests.support.system.systemd_manager import skip_or_fail

if TYPE_CHECKING:
    from collections.abc import Iterator

PUBLISHER, FOLLOWER = 11, 12
MINUTE_S = 60
HOUR_S = 3600


@pytest.fixture(scope="module")
def running_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    if missing := missing_programs():
        skip_or_fail(f"not installed: {', '.join(missing)}. Run scripts/setup")
    cluster = Cluster(tmp_path_factory.mktemp("etcd"))
    yield cluster
    cluster.end()


@pytest.fixture
def cluster(running_cluster: Cluster) -> Cluster:
    """A cluster with all its members."""
    running_cluster.heal()
    return running_cluster


@pytest.fixture(params=["bash", "python"])
def publisher(request: pytest.FixtureRequest, cluster: Cluster, tmp_path: Path) -> Host:
    return Host(cluster, tmp_path, PUBLISHER, request.param)


@pytest.fixture
def follower(publisher: Host, cluster: Cluster, tmp_path: Path) -> Iterator[Host]:
    host = Host(cluster, tmp_path, FOLLOWER, publisher.form)
    yield host
    host.end()
    cluster.network.connect(FOLLOWER)


def start_following(publisher: Host, follower: Host) -> str:
    """Start a follower that has delivered a token and waits. Return the token's line in .env."""
    line = publisher.publish("first", 20 * MINUTE_S)
    follower.start()
    follower.wait_for(line)
    follower.watch_request()
    return line


def test_new_tokens_are_delivered_without_the_leader(
    cluster: Cluster, publisher: Host, follower: Host
) -> None:
    start_following(publisher, follower)
    cluster.kill(cluster.leader())
    follower.wait_for(publisher.publish("second", HOUR_S))
    assert not any(line.startswith(("WARN", "ERROR")) for line in follower.messages())
    record = cluster.etcdctl("get", "--prefix", "--print-value-only", f"{publisher.prefix}/")
    assert "sk-ant-oat01-made-up-second" in record.stdout
    assert "sk-ant-ort01" not in record.stdout


def test_encrypted_token_is_delivered(
    cluster: Cluster, publisher: Host, follower: Host, tmp_path: Path
) -> None:
    require_age()
    identity, recipient = make_identity()
    (tmp_path / "identity.txt").write_text(identity, encoding="utf-8")
    (tmp_path / "keys.txt").write_text(recipient, encoding="utf-8")
    publisher.env["OAUTHKIT_STORE_RECIPIENTS"] = str(tmp_path / "keys.txt")
    follower.env["OAUTHKIT_STORE_IDENTITY"] = str(tmp_path / "identity.txt")
    start_following(publisher, follower)
    follower.wait_for(publisher.publish("second", HOUR_S))
    assert not any(line.startswith(("WARN", "ERROR")) for line in follower.messages())
    key = f"{publisher.prefix}/alpha"
    record = cluster.etcdctl("get", "--print-value-only", key).stdout
    assert '"encrypted":' in record
    assert "sk-ant" not in record
    assert publisher.run("publish").returncode == 0
    assert cluster.etcdctl("get", "--print-value-only", key).stdout == record


def test_change_between_the_list_and_the_watch_is_not_lost(
    cluster: Cluster, publisher: Host, follower: Host
) -> None:
    publisher.publish("first", 20 * MINUTE_S)
    done = follower.run("follow", "--once")
    assert done.returncode == 0, done.stderr
    revision = int((follower.project / "logs/oauth-refresh.revision").read_text("ascii"))
    listed = cluster.etcdctl("get", "--prefix", "--write-out=json", f"{publisher.prefix}/").stdout
    assert revision == json.loads(listed)["header"]["revision"]
    follower.start()
    request = follower.watch_request()
    assert f"--rev={revision + 1} " in request
    assert request.endswith(" --  ")  # the empty name of a command: none gets the record


def test_follower_that_was_cut_off_takes_the_new_token(
    cluster: Cluster, publisher: Host, follower: Host
) -> None:
    line = start_following(publisher, follower)
    cluster.network.connect(FOLLOWER, is_connected=False)
    new = publisher.publish("second", HOUR_S)
    time.sleep(3)
    assert follower.dotenv.read_text("utf-8") == line
    cluster.network.connect(FOLLOWER)
    follower.wait_for(new)


def test_compaction_does_not_end_a_watch(cluster: Cluster, publisher: Host, follower: Host) -> None:
    start_following(publisher, follower)
    for number in range(5):
        cluster.etcdctl("put", "elsewhere", str(number))
    status = json.loads(cluster.etcdctl("get", "elsewhere", "--write-out=json").stdout)
    cluster.etcdctl("compaction", "--physical", str(status["header"]["revision"]))
    follower.wait_for(publisher.publish("second", HOUR_S))


def test_record_is_not_trusted_because_its_lease_was_extended(
    cluster: Cluster, publisher: Host, follower: Host
) -> None:
    publisher.publish("short", 5 * MINUTE_S + 8)
    cluster.kill(1, 2, 3)
    time.sleep(8)
    cluster.heal()
    keys = cluster.etcdctl("get", "--prefix", "--keys-only", f"{publisher.prefix}/").stdout
    assert f"{publisher.prefix}/alpha" in keys
    done = follower.run("follow", "--once")
    assert done.returncode == 1
    assert "has no record of a live token" in done.stderr
    assert not follower.dotenv.exists()


def test_last_token_is_kept_without_a_quorum(
    cluster: Cluster, publisher: Host, follower: Host
) -> None:
    line = publisher.publish("first", 20 * MINUTE_S)
    assert follower.run("follow", "--once").returncode == 0
    cluster.kill(1, 3)
    publisher.log_in("second", HOUR_S)
    done = publisher.run("publish")
    assert done.returncode == 1
    assert "failed (exit 1)" in done.stderr
    for _ in range(2):
        done = follower.run("follow", "--once")
        assert (done.returncode, done.stderr) == (0, "")
    assert follower.dotenv.read_text("utf-8") == line
    warnings = [text for text in follower.messages() if text.startswith("WARN")]
    assert len(warnings) == 1
    assert "etcdctl get failed (exit 1)" in warnings[0]
    cluster.heal()
    new = publisher.publish("second", HOUR_S)
    assert follower.run("follow", "--once").returncode == 0
    assert follower.dotenv.read_text("utf-8") == new


@pytest.mark.parametrize("kind", ["wrong", "expired", "missing"])
def test_client_without_a_valid_certificate_is_rejected(
    cluster: Cluster, publisher: Host, follower: Host, kind: str
) -> None:
    line = publisher.publish("first", 20 * MINUTE_S)
    assert follower.run("follow", "--once").returncode == 0
    if kind == "expired":
        cluster.certificates.make("expired", "ca", days=-1)
    follower.env |= cluster.certificates.settings(kind)
    publisher.env |= cluster.certificates.settings(kind)
    publisher.log_in("second", HOUR_S)
    done = publisher.run("publish")
    assert done.returncode == 1
    assert done.stderr.startswith("oauthkit: etcdctl get failed (exit ")
    done = follower.run("follow", "--once")
    assert done.returncode == 0
    assert follower.dotenv.read_text("utf-8") == line
    assert follower.messages()[-1].startswith("WARN: etcdctl get failed (exit ")
