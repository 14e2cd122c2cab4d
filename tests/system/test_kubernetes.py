"""The pods of examples/kubernetes, with the real Claude Code CLI, kubectl and mounts."""

from __future__ import annotations

import base64
import copy
import json
import os
import shutil
import signal
import subprocess
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from kubernetes_validate.utils import (  # type: ignore[import-untyped]
    resources_from_file,
)
from tests.support.refresh.small_disk import needs_mounts
from tests.support.system.claude_loopback import TOKEN_PATH, Loopback, Pair, Plan
from tests.support.system.claude_project import CURRENT, claude_executable
from tests.support.system.claude_session import Session
from tests.support.system.kubernetes_api import KubernetesApi
from tests.support.system.pod import Pod

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples/kubernetes"
KUBECTL = shutil.which("kubectl", path=f"{ROOT / '.tools/kubectl'}:{os.environ['PATH']}")
FIRST, SECOND, THIRD = (
    Pair(f"sk-ant-oat01-made-up-{name}", f"sk-ant-ort01-made-up-{name}")
    for name in ("first", "second", "third")
)
SECRET = "claude-bearer"
SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
LINK = "/home/node/.claude/.credentials.json"
LIMIT_S = 60

pytestmark = [
    needs_mounts,
    pytest.mark.skipif(os.getuid() != 0, reason="only root can start a pod's containers"),
    pytest.mark.skipif(KUBECTL is None, reason="kubectl is not installed"),
]


@pytest.fixture
def loopback(tmp_path: Path) -> Iterator[Loopback]:
    with Loopback(Plan(FIRST, SECOND), tmp_path).running() as served:
        yield served
    assert served.rejected == [], "a request to another host"


def manifests(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = resources_from_file(str(EXAMPLE / name))
    return found


@pytest.fixture
def api() -> Iterator[KubernetesApi]:
    with KubernetesApi(manifests("writer.yaml")).running() as server:
        yield server
    assert server.forbidden == []


def wait_for(writer: subprocess.Popen[str], condition: Callable[[], bool]) -> None:
    """Wait until a condition is true, while the writer runs."""
    end_s = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < end_s
        assert writer.poll() is None
        time.sleep(0.05)


class Cluster:
    """The writer's pod and an agent's pod, with what they find outside the cluster."""

    def __init__(self, directory: Path, loopback: Loopback, api: KubernetesApi) -> None:
        self.loopback, self.api = loopback, api
        assert KUBECTL is not None
        claude = claude_executable(CURRENT)
        tools = directory / "image"
        tools.mkdir()
        for script, place in (("renewed.sh", "scripts/oauth/hooks/renewed"), ("writer.sh", "")):
            target = tools / "oauth" / (place or script)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(EXAMPLE / script, target)
        shutil.copy(ROOT / "scripts/oauth/refresh.sh", tools / "oauth/scripts/oauth")
        account = tools / "account"
        account.mkdir()
        for name, content in api.files("oauth-writer").items():
            (account / name).write_bytes(content)
        common = {
            "/opt/bin/claude": claude,
            "/opt/ca.pem": loopback.ca_file,
        }
        if Path("/usr/bin/systemd-run").exists():  # there is none in a container
            common["/usr/bin/systemd-run"] = Path("/dev/null")
        (self.stateful_set,) = (m for m in manifests("writer.yaml") if m["kind"] == "StatefulSet")
        (deployment,) = manifests("agent.yaml")
        self.writer = Pod(
            self.stateful_set["spec"]["template"]["spec"],
            directory / "writer",
            {
                **common,
                "/opt/bin/kubectl": Path(KUBECTL).resolve(),
                "/opt/oauth": tools / "oauth",
                SERVICE_ACCOUNT: account,
            },
        )
        self.agent = Pod(deployment["spec"]["template"]["spec"], directory / "agent", common)
        (claim,) = self.stateful_set["spec"]["volumeClaimTemplates"]
        self.data = self.writer.add_volume(claim["metadata"]["name"])
        self.credentials = self.data / "home/.claude/.credentials.json"
        self.log = self.data / "logs/oauth-refresh.log"

    def log_in(self, left_s: int) -> None:
        """Write a login to the volume, as `claude auth login` in the pod does."""
        pair = self.loopback.plan.current
        login = {
            "accessToken": pair.access, "refreshToken": pair.refresh,
            "expiresAt": (int(time.time()) + left_s) * 1000,
            "scopes": ["user:inference"], "subscriptionType": "max",
        }  # fmt: skip
        self.credentials.parent.mkdir(parents=True, exist_ok=True)
        new = self.credentials.with_name("new")
        new.write_text(json.dumps({"claudeAiOauth": login}), encoding="utf-8")
        new.chmod(0o600)
        for path in (self.data / "home", self.credentials.parent, new):
            os.chown(path, self.writer.user, self.writer.group)
        new.replace(self.credentials)

    def network(self) -> dict[str, str]:
        """Return the variables that lead to the stand-ins. The kubelet sets the last two."""
        return {
            "HTTPS_PROXY": self.loopback.proxy_url,
            "NODE_EXTRA_CA_CERTS": "/opt/ca.pem",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT": str(self.api.port),
        }

    def start_writer(self) -> subprocess.Popen[str]:
        """Start the writer's main process. It starts a refresh each second."""
        (container,) = self.writer.spec["containers"]
        return subprocess.Popen(
            self.writer.command(container, "/opt/oauth/writer.sh"),
            env={**Pod.environment(container), **self.network(), "INTERVAL_S": "1"},
            cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, start_new_session=True,
        )  # fmt: skip

    def published(self) -> str:
        """Return the bearer file in the Secret, or "" if there is none."""
        data = self.api.secrets[SECRET].get("data", {})
        return base64.b64decode(data.get("bearer.json", "")).decode()

    def has_published(self, pair: Pair) -> bool:
        """Return whether the Secret has an access token."""
        return pair.access in self.published()

    def logged(self) -> str:
        """Return the refresh's log."""
        return self.log.read_text("utf-8") if self.log.exists() else ""

    def start_session(self) -> Session:
        """Start an agent's session, after its init container."""
        (link,) = self.agent.spec["initContainers"]
        (container,) = self.agent.spec["containers"]
        done = self.agent.run(link, *link["command"])
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        environment = {**Pod.environment(container), **self.network()}
        assert "CLAUDE_CODE_OAUTH_TOKEN" not in environment
        return Session.start(self.agent.command(container, "claude"), environment)


def end(process: subprocess.Popen[str]) -> str:
    """End the writer as the kubelet does, and return its output."""
    process.send_signal(signal.SIGTERM)
    try:
        output, _ = process.communicate(timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    assert process.returncode == 0, output
    return output


def test_running_session_picks_up_each_new_token(
    tmp_path: Path, loopback: Loopback, api: KubernetesApi
) -> None:
    cluster = Cluster(tmp_path, loopback, api)
    volume = cluster.agent.secrets["bearer"]
    with pytest.raises(KeyError):  # no agent starts without a token
        volume.update(api.secrets[SECRET])
    cluster.log_in(2 * 3600)
    loopback.plan.accepted = {FIRST.access}
    writer = cluster.start_writer()
    try:
        wait_for(writer, partial(cluster.has_published, FIRST))
        volume.update(api.secrets[SECRET])
        session = cluster.start_session()
        try:
            assert session.ask()["is_error"] is False
            for pair in (SECOND, THIRD):
                loopback.plan.renewed = pair
                cluster.log_in(-60)
                wait_for(writer, partial(cluster.has_published, pair))
                volume.update(api.secrets[SECRET])
                loopback.plan.accepted = {pair.access}  # the API rejects the old token
                result = session.ask()
                assert result["is_error"] is False, result
        finally:
            session.end()
    finally:
        output = end(writer)
    assert len(loopback.asked(TOKEN_PATH)) == 2  # by the writer, for each expiry
    assert "sk-ant" not in output
    assert output.count("WARN: systemd-run not found, next refresh NOT scheduled\n") == 3
    assert "refreshToken" not in cluster.published()
    assert {(call.verb, call.resource, call.name) for call in api.calls} == {
        ("get", "secrets", SECRET), ("patch", "secrets", SECRET),
    }  # fmt: skip
    assert sum(call.verb == "patch" for call in api.calls) == 3
    assert cluster.credentials.stat().st_mode & 0o777 == 0o600
    # The session has written beside the link, not through it.
    link = cluster.agent.directory / "home/.claude/.credentials.json"
    assert str(link.readlink()) == "/run/oauth/bearer.json"
    assert sorted(path.name for path in volume.directory.iterdir())[1:] == ["..data", "bearer.json"]


def test_token_that_could_not_be_patched_is_patched_later(
    tmp_path: Path, loopback: Loopback, api: KubernetesApi
) -> None:
    cluster = Cluster(tmp_path, loopback, api)
    cluster.log_in(2 * 3600)
    api.is_down = True
    writer = cluster.start_writer()
    try:
        wait_for(writer, lambda: "hook 'renewed' failed" in cluster.logged())
        assert cluster.published() == ""
        api.is_down = False
        wait_for(writer, partial(cluster.has_published, FIRST))
    finally:
        end(writer)
    assert loopback.requests == []


@pytest.mark.parametrize("verb", ["get", "patch"])
def test_writer_needs_each_verb_of_its_role(tmp_path: Path, loopback: Loopback, verb: str) -> None:
    changed = manifests("writer.yaml")
    (rule,) = (rule for m in changed if m["kind"] == "Role" for rule in m["rules"])
    rule["verbs"].remove(verb)
    with KubernetesApi(changed).running() as api:
        cluster = Cluster(tmp_path, loopback, api)
        cluster.log_in(2 * 3600)
        writer = cluster.start_writer()
        try:
            wait_for(writer, lambda: "(Forbidden)" in cluster.logged())
        finally:
            end(writer)
        assert cluster.published() == ""
        assert {(call.verb, call.name) for call in api.forbidden} == {(verb, SECRET)}


def secret_of(pair: Pair) -> dict[str, Any]:
    """Return the Secret that the writer makes of a login."""
    login = {
        "accessToken": pair.access, "expiresAt": (int(time.time()) + 3600) * 1000,
        "scopes": ["user:inference"],
    }  # fmt: skip
    content = base64.b64encode(json.dumps({"claudeAiOauth": login}).encode()).decode()
    return {"metadata": {"name": SECRET}, "data": {"bearer.json": content}}


def set_read_only(container: dict[str, Any], volume: str) -> None:
    """Mount a volume read-only."""
    (mount,) = (mount for mount in container["volumeMounts"] if mount["name"] == volume)
    mount["readOnly"] = True


def test_session_with_a_read_only_home_takes_up_a_new_token(
    tmp_path: Path, loopback: Loopback, api: KubernetesApi
) -> None:
    """The page says so. Nothing is saved then."""
    cluster = Cluster(tmp_path, loopback, api)
    (container,) = cluster.agent.spec["containers"]
    container["volumeMounts"] = copy.deepcopy(container["volumeMounts"])
    set_read_only(container, "home")
    volume = cluster.agent.secrets["bearer"]
    volume.update(secret_of(FIRST))
    loopback.plan.accepted = {FIRST.access}
    session = cluster.start_session()
    try:
        assert session.ask()["is_error"] is False
        volume.update(secret_of(SECOND))
        loopback.plan.accepted = {SECOND.access}
        assert session.ask()["is_error"] is False
    finally:
        session.end()
    home = cluster.agent.directory / "home"
    assert [path for path in home.rglob("*") if path.is_file()] == []


def test_claude_needs_a_writable_tmp(
    tmp_path: Path, loopback: Loopback, api: KubernetesApi
) -> None:
    cluster = Cluster(tmp_path, loopback, api)
    (container,) = cluster.agent.spec["containers"]
    container["volumeMounts"] = copy.deepcopy(container["volumeMounts"])
    set_read_only(container, "tmp")
    done = cluster.agent.run(container, "claude", "-p", "ok", **cluster.network())
    assert done.returncode != 0
    assert "EROFS" in done.stderr


def test_containers_are_confined(tmp_path: Path, loopback: Loopback, api: KubernetesApi) -> None:
    cluster = Cluster(tmp_path, loopback, api)
    (container,) = cluster.agent.spec["containers"]
    for place, is_writable in {
        "/opt": False, "/usr": False, "/run/oauth": False, "/": False,
        "/home/node": True, "/tmp": True,
    }.items():  # fmt: skip
        done = cluster.agent.run(container, "touch", f"{place}/new")
        assert (done.returncode == 0) == is_writable, place
    done = cluster.agent.run(container, "id")
    assert done.stdout.startswith("uid=1000")
    assert "0(root)" not in done.stdout
