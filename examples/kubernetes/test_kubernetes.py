"""The manifests are valid and agree; the hook and the writer do what their heads say."""

from __future__ import annotations

import base64
import copy
import json
import os
import re
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
from kubernetes_validate.utils import (  # type: ignore[import-untyped]
    resources_from_file,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = Path(__file__).parent
README = (HERE / "README.md").read_text("utf-8")
Manifest = dict[str, Any]
SECRET, KEY, LINKED = "claude-bearer", "bearer.json", "/run/oauth/bearer.json"
VARIABLE = "CLAUDE_CODE_OAUTH_TOKEN"
TOKEN = "sk-ant-oat01-made-up-Az09._~+/-="  # noqa: S105 made up
LOGIN = {"accessToken": TOKEN, "expiresAt": 1, "scopes": ["user:inference"]}
BEARER = json.dumps({"claudeAiOauth": LOGIN}) + "\n"
ENCODED = base64.b64encode(BEARER.encode()).decode()
LIMIT_S = 30


def manifests(name: str) -> list[Manifest]:
    found: list[Manifest] = resources_from_file(str(HERE / name))
    return found


WRITER = {manifest["kind"]: manifest for manifest in manifests("writer.yaml")}
AGENT = {manifest["kind"]: manifest for manifest in manifests("agent.yaml")}
DOCUMENTS = [*manifests("writer.yaml"), *manifests("agent.yaml")]
PODS = {
    "writer": WRITER["StatefulSet"]["spec"]["template"]["spec"],
    "agent": AGENT["Deployment"]["spec"]["template"]["spec"],
}
CONTAINERS = [
    pytest.param(container, id=f"{name} {container['name']}")
    for name, pod in PODS.items()
    for container in [*pod.get("initContainers", ()), *pod["containers"]]
]


# --- Manifests ---


# The oldest release whose schemas the library has, and the newest.
@pytest.mark.parametrize("version", ["1.25", kubernetes_validate.latest_version()])
@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document["kind"])
def test_manifest_is_valid(document: Manifest, version: str) -> None:
    kubernetes_validate.validate(document, version, strict=True)


def misspelt(value: Any, place: str = "") -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield the place of each field in a manifest, and what renames and restores the field."""
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from misspelt(item, f"{place}[{number}]")
    elif isinstance(value, dict):
        for name in list(value):
            yield from misspelt(value[name], f"{place}.{name}")

            def rename(before: str = name, after: str = f"{name}x") -> None:
                # The opposite, if it is called again.
                if after in value:
                    before, after = after, before
                value[after] = value.pop(before)

            yield f"{place}.{name}", rename


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document["kind"])
def test_misspelt_field_is_found(document: Manifest) -> None:
    changed = copy.deepcopy(document)
    missed, count = [], 0
    for place, rename in misspelt(changed):
        if place in {".apiVersion", ".kind"}:  # these select the schema
            continue
        count += 1
        rename()
        try:
            kubernetes_validate.validate(changed, kubernetes_validate.latest_version(), strict=True)
            missed.append(place)
        except kubernetes_validate.ValidationError:
            pass
        rename()
    assert changed == document
    assert count >= 2
    # Only names that are free in Kubernetes, too: of labels and resources.
    free = r".*\.(labels|matchLabels|requests|limits)\.\w+"
    assert [place for place in missed if not re.fullmatch(free, place)] == []


def test_role_allows_what_the_hook_asks_for() -> None:
    hook = (HERE / "renewed.sh").read_text("utf-8")
    assert f"\nsecret={SECRET}\n" in hook
    commands = re.sub(r"(?m)^ *#.*$", "", hook)
    assert WRITER["Secret"]["metadata"]["name"] == SECRET
    assert WRITER["Role"]["rules"] == [
        {
            "apiGroups": [""], "resources": ["secrets"], "resourceNames": [SECRET],
            "verbs": sorted(set(re.findall(r"\bkubectl (\w+) secret\b", commands))),
        },
    ]  # fmt: skip
    account = PODS["writer"]["serviceAccountName"]
    assert WRITER["ServiceAccount"]["metadata"]["name"] == account
    assert WRITER["RoleBinding"]["subjects"] == [{"kind": "ServiceAccount", "name": account}]
    role = WRITER["RoleBinding"]["roleRef"]
    assert (role["kind"], role["name"]) == ("Role", WRITER["Role"]["metadata"]["name"])


def test_applying_the_manifests_does_not_change_the_token() -> None:
    assert not {"data", "stringData"} & set(WRITER["Secret"])


def test_there_is_one_writer() -> None:
    spec = WRITER["StatefulSet"]["spec"]
    assert spec["replicas"] == 1
    (claim,) = spec["volumeClaimTemplates"]
    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]
    # A refresh that runs when the pod is ended has its 10 min.
    assert PODS["writer"]["terminationGracePeriodSeconds"] > 10 * 60 + 30


@pytest.mark.parametrize("pod", PODS.values(), ids=PODS)
def test_pod_has_what_it_names(pod: Manifest) -> None:
    claims = WRITER["StatefulSet"]["spec"]["volumeClaimTemplates"]
    volumes = {volume["name"] for volume in pod["volumes"]}
    if pod is PODS["writer"]:
        volumes |= {claim["metadata"]["name"] for claim in claims}
    for container in [*pod.get("initContainers", ()), *pod["containers"]]:
        assert {mount["name"] for mount in container["volumeMounts"]} == volumes
    for owner in (WRITER["StatefulSet"]["spec"], AGENT["Deployment"]["spec"]):
        labels = owner["template"]["metadata"]["labels"]
        assert owner["selector"]["matchLabels"] == labels


@pytest.mark.parametrize("pod", PODS.values(), ids=PODS)
def test_pod_does_not_run_as_root(pod: Manifest) -> None:
    security = pod["securityContext"]
    assert security["runAsNonRoot"] is True
    assert security["runAsUser"] == security["runAsGroup"] == security["fsGroup"] == 1000
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}


@pytest.mark.parametrize("container", CONTAINERS)
def test_container_is_restricted(container: Manifest) -> None:
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


@pytest.mark.parametrize("container", CONTAINERS)
def test_no_container_has_the_variable(container: Manifest) -> None:
    assert "envFrom" not in container
    assert VARIABLE not in {variable["name"] for variable in container["env"]}


def test_agent_reads_the_secret_through_a_link() -> None:
    pod = PODS["agent"]
    assert pod["automountServiceAccountToken"] is False
    (volume,) = (volume for volume in pod["volumes"] if "secret" in volume)
    assert volume["secret"] == {
        "secretName": SECRET, "defaultMode": 0o440, "items": [{"key": KEY, "path": KEY}],
    }  # fmt: skip
    (init,), (container,) = pod["initContainers"], pod["containers"]
    assert container["volumeMounts"] == init["volumeMounts"]
    (mount,) = (m for m in container["volumeMounts"] if m["name"] == volume["name"])
    assert f"{mount['mountPath']}/{KEY}" == LINKED
    assert mount["readOnly"] is True
    assert "subPath" not in mount
    assert init["command"][2].endswith(f"ln -sf {LINKED} ~/.claude/.credentials.json")


def test_image_has_what_the_writer_runs() -> None:
    text = (HERE / "Containerfile").read_text("utf-8")
    copied = dict(re.findall(r"(?m)^COPY (\S+) (\S+)$", text))
    root = HERE.parents[1]
    for source in copied:
        assert (root / source).is_file()
    scripts = "/opt/oauth/scripts/oauth"
    assert set(copied.values()) == {
        f"{scripts}/refresh.sh", f"{scripts}/hooks/renewed", "/opt/oauth/writer.sh",
    }  # fmt: skip
    for name in ("renewed.sh", "writer.sh"):
        assert (HERE / name).stat().st_mode & 0o777 == 0o755
    assert f"USER {PODS['writer']['securityContext']['runAsUser']}\n" in text


@pytest.mark.parametrize("name", sorted(path.name for path in HERE.iterdir() if path.is_file()))
def test_page_names_each_file(name: str) -> None:
    assert name in {"README.md", Path(__file__).name} or f"`{name}`" in README


def test_command_of_the_page_shows_the_expiry_alone() -> None:
    (command,) = re.findall(r"base64 -d \| (jq '[^']+')", README)
    done = subprocess.run(
        ["sh", "-c", command], input=BEARER, capture_output=True, text=True, check=True
    )
    assert done.stdout == '"1970-01-01T00:00:00Z"\n'


# --- The hook ---


class Hook:
    """The hook, with a stand-in for kubectl that records its arguments and its environment."""

    def __init__(self, root: Path) -> None:
        self.bearer = root / "bearer file"
        self.bearer.write_text(BEARER, "utf-8")
        self.record = root / "record"
        self.patch = root / "patch"
        self.tmp = root / "tmp"
        self.secret = root / "secret"
        self.secret.touch()
        self._bin = root / "bin"
        for directory in (self.tmp, self._bin):
            directory.mkdir()
        self.kubectl()

    def kubectl(self, **failures: int) -> None:
        """Write the stand-in. `failures` are the exit statuses of its commands."""
        statuses = "".join(f"{command}) exit {status} ;;\n" for command, status in failures.items())
        self._bin.joinpath("kubectl").write_text(
            f"""#!/bin/bash
{{ printf '%s\\n' "$@"; env; }} >>'{self.record}'
case $1 in
{statuses}get) cat '{self.secret}' ;;
patch)
  for argument in "$@"; do
    case $argument in --patch-file=*)
      stat -c %a "${{argument#*=}}" >'{self.patch}.mode'
      cp "${{argument#*=}}" '{self.patch}' ;;
    esac
  done ;;
*) exit 99 ;;
esac
""",
            "utf-8",
        )
        self._bin.joinpath("kubectl").chmod(0o755)

    def run(self) -> subprocess.CompletedProcess[str]:
        """Run the hook, and check that it reveals nothing and leaves nothing behind."""
        done = subprocess.run(
            [HERE / "renewed.sh"],
            env={
                "PATH": f"{self._bin}:{os.environ['PATH']}",
                "TMPDIR": str(self.tmp),
                "OAUTHKIT_BEARER": str(self.bearer),
            },
            cwd="/", capture_output=True, text=True, check=False, umask=0o022,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        for shown in (done.stdout, done.stderr, self.recorded()):
            assert TOKEN not in shown
            assert ENCODED not in shown
        assert list(self.tmp.iterdir()) == []
        return done

    def recorded(self) -> str:
        """Return the arguments and the environment of all calls."""
        return self.record.read_text("utf-8") if self.record.exists() else ""


@pytest.fixture
def hook(tmp_path: Path) -> Hook:
    return Hook(tmp_path)


def test_stand_in_records_a_token(hook: Hook, tmp_path: Path) -> None:
    """Otherwise, the checks of the hook could not fail."""
    argv = [str(tmp_path / "bin/kubectl"), "patch", ENCODED]
    subprocess.run(argv, env={**os.environ, "NAME": TOKEN}, check=False, capture_output=True)
    assert TOKEN in hook.recorded()
    assert ENCODED in hook.recorded()


def test_hook_patches_with_a_file(hook: Hook) -> None:
    done = hook.run()
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(hook.patch.read_text("utf-8")) == {"data": {KEY: ENCODED}}
    assert Path(f"{hook.patch}.mode").read_text("utf-8") == "600\n"
    lines = hook.recorded().splitlines()
    start = lines.index("patch")
    assert lines[start : start + 4] == ["patch", "secret", SECRET, "--type=merge"]
    assert re.fullmatch(r"--patch-file=/\S+", lines[start + 4])


def test_hook_does_not_patch_an_equal_secret(hook: Hook) -> None:
    hook.secret.write_text(ENCODED, "utf-8")
    assert hook.run().returncode == 0
    assert not hook.patch.exists()


@pytest.mark.parametrize("command", ["get", "patch"])
@pytest.mark.parametrize(
    ("status", "message"), [(1, ""), (124, "kubectl was stopped after 12 s\n")]
)
def test_hook_fails_if_kubectl_fails(hook: Hook, command: str, status: int, message: str) -> None:
    """timeout(1) exits with 124. A hook that does is reported as ended after 30 s."""
    hook.kubectl(**{command: status})
    done = hook.run()
    assert (done.returncode, done.stderr) == (1, message)
    assert not hook.patch.exists()


@pytest.mark.parametrize(
    "content",
    [
        None, "", "{", "{}",
        json.dumps({"claudeAiOauth": {**LOGIN, "refreshToken": "sk-ant-ort01-made-up"}}),
    ],
)  # fmt: skip
def test_hook_rejects_what_is_not_a_bearer_file(hook: Hook, content: str | None) -> None:
    if content is None:
        hook.bearer.unlink()
    else:
        hook.bearer.write_text(content, "utf-8")
    done = hook.run()
    assert done.returncode == 1
    assert done.stderr.endswith(f"{hook.bearer} is not a bearer file\n")
    assert hook.recorded() == ""


def test_hook_that_is_ended_removes_the_patch(hook: Hook, tmp_path: Path) -> None:
    started = tmp_path / "started"
    stand_in = tmp_path / "bin/kubectl"
    wait = f"patch) touch '{started}'; sleep 1; exit 0 ;;\n*)"
    stand_in.write_text(f"#!/bin/sh\ncase $1 in {wait} exit 0 ;; esac\n", "utf-8")
    env = {
        "PATH": f"{stand_in.parent}:{os.environ['PATH']}", "TMPDIR": str(hook.tmp),
        "OAUTHKIT_BEARER": str(hook.bearer),
    }  # fmt: skip
    with subprocess.Popen([HERE / "renewed.sh"], env=env) as process:
        wait_for(started.exists)
        assert len(list(hook.tmp.iterdir())) == 1
        process.terminate()
        assert process.wait(LIMIT_S) == 1
    assert list(hook.tmp.iterdir()) == []


# --- The writer's main process ---


def wait_for(condition: Callable[[], bool]) -> None:
    end_s = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < end_s
        time.sleep(0.02)


class Writer:
    """The writer's main process, with stand-ins for the refresh, the hook and timeout."""

    def __init__(self, root: Path) -> None:
        self.root = root / "writer"
        hooks = self.root / "scripts/oauth/hooks"
        hooks.mkdir(parents=True)
        shutil.copy(HERE / "writer.sh", self.root)
        self.data = root / "data"
        self.bearer = self.data / "bearer/bearer.json"
        self.record = root / "record"
        self.record.touch()
        self._bin = root / "bin"
        self._bin.mkdir()
        self.program(self._bin / "timeout", 'shift 2; exec "$@"')
        self.program(self.root / "scripts/oauth/refresh.sh", "")
        self.program(hooks / "renewed", "")

    def program(self, path: Path, text: str) -> None:
        """Write a program that records its name and arguments, and then runs `text`."""
        note = f"printf '%s\\n' \"${{0##*/}} $*\" >>'{self.record}'"
        path.write_text(f"#!/bin/sh\n{note}\n{text}\n", "utf-8")
        path.chmod(0o755)

    def start(self, interval_s: float) -> subprocess.Popen[str]:
        """Start it in a container's environment, in a session of its own."""
        return subprocess.Popen(
            [self.root / "writer.sh"],
            env={
                "PATH": f"{self._bin}:{os.environ['PATH']}",
                "HOME": str(self.data / "home"),
                "OAUTHKIT_BEARER": str(self.bearer),
                "OAUTHKIT_DOTENV": str(self.data / "dotenv"),
                "INTERVAL_S": str(interval_s),
            },
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
            umask=0o022,
        )  # fmt: skip

    def calls(self) -> list[str]:
        """Return the calls so far."""
        return self.record.read_text("utf-8").splitlines()

    def end(self, process: subprocess.Popen[str]) -> str:
        """Send SIGTERM to the main process alone, as the kubelet does. Return the output."""
        process.terminate()
        try:
            assert process.wait(LIMIT_S) == 0
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # its sleep, which ends with a container
            output, _ = process.communicate()
        return output


@pytest.fixture
def writer(tmp_path: Path) -> Writer:
    return Writer(tmp_path)


def test_writer_continues_after_failures(writer: Writer) -> None:
    scripts = writer.root / "scripts/oauth"
    bearer = f"mkdir -p '{writer.bearer.parent}'; echo 1 >'{writer.bearer}'"
    writer.program(scripts / "refresh.sh", f"{bearer}; exit 1")
    writer.program(scripts / "hooks/renewed", "exit 1")
    process = writer.start(0.1)
    wait_for(lambda: len(writer.calls()) >= 6)
    output = writer.end(process)
    assert writer.calls()[:6] == [
        f"timeout --kill-after=30 10m bash {scripts}/refresh.sh --ensure",
        "refresh.sh --ensure", "renewed ",
    ] * 2  # fmt: skip
    assert "The Secret is not up to date. Next try in 1 min\n" in output


def test_writer_without_a_login_starts_no_hook(writer: Writer) -> None:
    process = writer.start(0.1)
    wait_for(lambda: len(writer.calls()) >= 4)
    assert writer.end(process) == ""
    assert not any(call.startswith("renewed") for call in writer.calls())
    for directory in (writer.data, writer.bearer.parent, writer.data / "home"):
        assert directory.stat().st_mode & 0o777 == 0o700


def test_writer_ends_at_once_between_refreshes(writer: Writer) -> None:
    process = writer.start(3600)
    wait_for(lambda: len(writer.calls()) == 2)
    time.sleep(0.2)
    before_s = time.monotonic()
    writer.end(process)
    assert time.monotonic() - before_s < 5


def test_writer_ends_after_the_refresh_that_runs(writer: Writer) -> None:
    go, done = writer.root / "go", writer.root / "done"
    text = f"while [ ! -e '{go}' ]; do sleep 0.05; done; touch '{done}'"
    writer.program(writer.root / "scripts/oauth/refresh.sh", text)
    process = writer.start(3600)
    wait_for(lambda: len(writer.calls()) == 2)
    process.terminate()
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1)
    go.touch()
    writer.end(process)
    assert done.exists()
    assert len(writer.calls()) == 2
