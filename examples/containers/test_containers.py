"""The files mount the bearer file's directory read-only, and their own tools accept them."""

from __future__ import annotations

import configparser
import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs/containers.md"
FILES = ("Containerfile", "docker-run.sh", "podman-run.sh", "compose.yaml", "agent.container")
VARIABLE = "CLAUDE_CODE_OAUTH_TOKEN"
# The programs that scripts/setup has extracted, then those of the system.
TOOLS = [HERE.parents[1] / ".tools" / name for name in ("docker", "docker-compose", "quadlet")]
SEARCHED = ":".join([*map(str, TOOLS), os.environ["PATH"], "/usr/libexec/podman"])
DOCKER, COMPOSE, PODMAN, QUADLET = (
    shutil.which(name, path=SEARCHED) for name in ("docker", "docker-compose", "podman", "quadlet")
)


def text(name: str) -> str:
    return (HERE / name).read_text("utf-8")


def run(*argv: str, **env: str) -> subprocess.CompletedProcess[str]:
    settings = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **env}
    return subprocess.run(argv, env=settings, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", FILES)
def test_page_names_each_file(name: str) -> None:
    assert f"(../examples/containers/{name})" in PAGE.read_text("utf-8")


@pytest.mark.parametrize("name", FILES)
def test_no_file_sets_the_variable(name: str) -> None:
    code = [line for line in text(name).splitlines() if not line.lstrip().startswith("#")]
    assert VARIABLE not in "\n".join(code)
    assert not any("env_file" in line or "--env" in line or "Environment" in line for line in code)


def test_image_has_the_link() -> None:
    (link,) = re.findall(r"^RUN .*ln -s (\S+) (\S+)$", text("Containerfile"), re.MULTILINE)
    assert link == ("/run/oauth/bearer.json", "~/.claude/.credentials.json")


def base_image(directory: Path) -> Path:
    """Return an archive of a small base image: a shell, mkdir and ln, and programs that do nothing.

    Its user is that of the image in the Containerfile.
    """
    programs = directory / "bin"
    programs.mkdir(parents=True)
    for name in ("sh", "mkdir", "ln"):
        program = str(shutil.which(name))
        shutil.copy(program, programs / name)
        for library in re.findall(r"/\S+", run("ldd", program).stdout):
            (directory / library[1:]).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, directory / library[1:])
    for name in ("npm", "usermod"):
        (programs / name).write_text("#!/bin/sh\n", "ascii")
        (programs / name).chmod(0o755)
    (directory / "etc").mkdir()
    (directory / "etc/passwd").write_text("node:x:1000:1000::/home/node:/bin/sh\n", "ascii")
    (directory / "home/node").mkdir(parents=True)
    (directory / "home/node").chmod(0o777)
    archive = directory.with_suffix(".tar")
    done = run("tar", "-C", str(directory), "-cf", str(archive), ".")
    assert done.returncode == 0, done.stderr
    return archive


@pytest.mark.skipif(PODMAN is None, reason="Podman is not installed")
@pytest.mark.skipif(os.geteuid() != 0, reason="root is needed to build an image without a network")
@pytest.mark.parametrize(
    ("word", "other", "problem"),
    [
        ("", "", ""),
        ("WORKDIR", "WORKDRI", 'Unknown instruction: "WORKDRI"'),
        ("USER node", "USER", "USER requires exactly one argument"),
    ],
)
def test_podman_builds_the_image(tmp_path: Path, word: str, other: str, problem: str) -> None:
    assert PODMAN is not None
    file = tmp_path / "Containerfile"
    file.write_text(text("Containerfile").replace(word, other), "utf-8")
    settings = {"HOME": str(tmp_path), "PATH": SEARCHED}
    base = base_image(tmp_path / "base")
    with tempfile.TemporaryDirectory() as short:  # Podman rejects a path of more than 50 bytes
        places = [f"--{name}={short}/{name}" for name in ("root", "runroot", "tmpdir")]
        podman = (PODMAN, *places, "--storage-driver=vfs", "--cgroup-manager=cgroupfs")
        done = run(*podman, "import", str(base), "localhost/node:22-slim", **settings)
        assert done.returncode == 0, done.stderr
        build = ("build", "--isolation=chroot", "--pull=never", f"--file={file}", str(tmp_path))
        done = run(*podman, *build, **settings)
    assert (done.returncode == 0) == (problem == ""), done.stderr
    assert problem in done.stderr


@pytest.mark.parametrize("tool", ["docker", "podman"])
def test_run_script_mounts_the_directory(tmp_path: Path, tool: str) -> None:
    stand_in = tmp_path / tool
    stand_in.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n', "utf-8")
    stand_in.chmod(0o755)
    project = tmp_path / "nano claw"
    project.mkdir()
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = run(str(HERE / f"{tool}-run.sh"), str(project), "claude", "a b", PATH=path)
    assert (done.returncode, done.stderr) == (0, "")
    argv = done.stdout.splitlines()
    mount = f"type=bind,source={project}/data/bearer,target=/run/oauth,readonly"
    assert argv[argv.index("--mount") + 1] == mount
    assert argv[-3:] == ["agent", "claude", "a b"]
    assert ("--userns=keep-id:uid=1000,gid=1000" in argv) == (tool == "podman")
    assert run(str(HERE / f"{tool}-run.sh"), PATH=path).returncode == 1


@pytest.mark.skipif(DOCKER is None, reason="Docker is not installed")
@pytest.mark.parametrize("word", ["readonly", "read-only"])
def test_docker_accepts_the_command(tmp_path: Path, word: str) -> None:
    script = tmp_path / "docker-run.sh"
    script.write_text(text("docker-run.sh").replace("readonly", word), "utf-8")
    none = f"unix://{tmp_path}/none"
    done = run("bash", str(script), str(tmp_path), DOCKER_HOST=none, PATH=SEARCHED)
    assert done.returncode == 125
    # Docker parses the command line, then connects.
    assert ("Cannot connect to the Docker daemon" in done.stderr) == (word == "readonly")


@pytest.mark.skipif(PODMAN is None, reason="Podman is not installed")
@pytest.mark.parametrize(
    ("word", "other"),
    [("", ""), ("--rm", "--rmm"), ("--userns", "--usernz"), ("--mount", "--mont")],
)
def test_podman_accepts_the_options(tmp_path: Path, word: str, other: str) -> None:
    script = tmp_path / "podman-run.sh"
    script.write_text(text("podman-run.sh").replace(word, other), "utf-8")
    settings = {"CONTAINER_HOST": f"unix://{tmp_path}/none", "HOME": str(tmp_path)}
    done = run("bash", str(script), str(tmp_path), PATH=SEARCHED, **settings)
    assert done.returncode == 125
    # With a remote service, Podman parses the options before it connects.
    assert ("unable to connect to Podman socket" in done.stderr) == (word == "")
    assert (f"unknown flag: {other}" in done.stderr) == (word != "")


def test_compose_mounts_the_directory() -> None:
    lines = [line.strip().removeprefix("- ") for line in text("compose.yaml").splitlines()]
    start = lines.index("volumes:")
    assert lines[start + 1 : start + 7] == [
        "type: bind",
        'source: "${NANOCLAW:?the project}/data/bearer"',
        "target: /run/oauth",
        "read_only: true",
        "bind:",
        "create_host_path: false",
    ]


@pytest.mark.skipif(COMPOSE is None, reason="Compose is not installed")
def test_compose_accepts_the_file(tmp_path: Path) -> None:
    assert COMPOSE is not None
    command = (COMPOSE, "-f", str(HERE / "compose.yaml"), "config")
    done = run(*command, NANOCLAW=str(tmp_path), AGENT_UID="1234")
    assert done.returncode == 0, done.stderr
    found = " ".join(done.stdout.split())
    source = f"source: {tmp_path}/data/bearer target: /run/oauth"
    assert f"type: bind {source} read_only: true" in found
    assert re.search(r'UID: ["\']1234["\']', found)
    assert run(*command).returncode != 0  # without NANOCLAW


def unit(content: str) -> dict[str, dict[str, str]]:
    parser = configparser.ConfigParser(interpolation=None, delimiters="=")
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(content)
    return {name: dict(parser[name]) for name in parser.sections()}


def test_quadlet_mounts_the_directory() -> None:
    found = unit(text("agent.container"))
    assert found["Container"] == {
        "Image": "localhost/agent:latest",
        "UserNS": "keep-id:uid=1000,gid=1000",
        "Volume": "%h/nanoclaw/data/bearer:/run/oauth:ro",
    }
    refresh = "%h/nanoclaw/scripts/oauth/refresh.sh --ensure"
    assert found["Service"]["ExecStartPre"] == f"-/bin/bash {refresh}"


@pytest.mark.skipif(QUADLET is None, reason="Podman 4.4 or newer is not installed")
def test_quadlet_accepts_the_file(tmp_path: Path) -> None:
    shutil.copy(HERE / "agent.container", tmp_path)
    assert QUADLET is not None
    done = run(QUADLET, "-dryrun", "-user", QUADLET_UNIT_DIRS=str(tmp_path))
    assert done.returncode == 0, done.stderr
    (start,) = re.findall(r"^ExecStart=(.*)$", done.stdout, re.MULTILINE)
    assert " -v %h/nanoclaw/data/bearer:/run/oauth:ro " in start
    assert " --userns keep-id:uid=1000,gid=1000 " in start
    assert "unsupported key" not in done.stderr


# The page's statements about mounted directories and files. In a mount namespace, as in a
# container, with a link as in the image.
NAMESPACE = """
set -e
mount --bind "$1" "$2" && mount -o remount,bind,ro "$2"
ln -s "$3" "$4"
: >"$5"; while [ -e "$5" ]; do sleep 0.02; done
cat "$4"
if true 2>/dev/null >>"$4"; then echo writable; else echo read-only; fi
"""


@pytest.mark.parametrize("is_file", [False, True])
def test_replaced_file_is_visible_only_in_a_mounted_directory(
    tmp_path: Path, *, is_file: bool
) -> None:
    outside, inside = tmp_path / "data/bearer", tmp_path / "run/oauth"
    for directory in (outside, inside):
        directory.mkdir(parents=True)
    (outside / "bearer.json").write_text('"old"\n', "utf-8")
    (inside / "bearer.json").touch()
    name = "bearer.json" if is_file else ""
    flag = tmp_path / "flag"
    mounted = [str(outside / name), str(inside / name)]
    more = [str(inside / "bearer.json"), str(tmp_path / "link"), str(flag)]
    argv = ["unshare", "--map-root-user", "--mount", "sh", "-c", NAMESPACE, "sh", *mounted, *more]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, encoding="utf-8") as process:
        while not flag.exists():
            assert process.poll() is None
        (outside / "new").write_text('"new"\n', "utf-8")
        (outside / "new").replace(outside / "bearer.json")  # as a refresh does
        flag.unlink()
        shown, _ = process.communicate(timeout=60)
    token, access = shown.splitlines()
    assert json.loads(token) == ("old" if is_file else "new")
    assert access == "read-only"
