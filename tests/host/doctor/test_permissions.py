"""doctor: other users' write access to what a refresh trusts, and the directories in PATH."""

from __future__ import annotations

import grp
import json
import os
import pwd
import re
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from plumbum import local
from tests.support.host.doctor_host import SCRIPT, examined, fake_manager, shown
from tests.support.host.host_project import quoted
from tests.support.refresh.world import REPOSITORY

import oauthkit
from oauthkit.host.doctor import permissions
from oauthkit.host.path_info import MAX_LINKS, entries_to
from oauthkit.host.project import CONF_FILE, ProjectPaths, find_paths
from oauthkit.program import (
    refresh,
)

if TYPE_CHECKING:
    from tests.support.host.host_project import HostProject

OTHER = 4711  # an unused user and a group without members
HOOKS = "scripts/oauth/hooks"
PUBLISH = "scripts/oauth/publish.sh"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="chown needs root")


@pytest.fixture
def hooked(well: HostProject) -> HostProject:
    """Create a host without problems, and a hook and Claude's settings."""
    hook = well.project / HOOKS / "failed"
    hook.parent.mkdir()
    hook.write_text("#!/bin/sh\n", encoding="utf-8")
    hook.chmod(0o755)
    for name in ("settings.json", "settings.local.json"):
        (well.home / ".claude" / name).write_text("{}\n", encoding="utf-8")
    (well.home / ".claude.json").write_text("{}\n", encoding="utf-8")
    shutil.copy(REPOSITORY / PUBLISH, well.project / PUBLISH)
    assert examined(well)[1] == {}
    return well


# What others must not write, below the directory that contains project and home.
TRUSTED = {
    "project": "project",
    "logs": "project/logs",
    "scripts": "project/scripts",
    "scripts/oauth": "project/scripts/oauth",
    SCRIPT: f"project/{SCRIPT}",
    PUBLISH: f"project/{PUBLISH}",
    HOOKS: f"project/{HOOKS}",
    f"{HOOKS}/failed": f"project/{HOOKS}/failed",
    "home directory": "home",
    "Claude's directory": "home/.claude",
    "Claude's .claude.json": "home/.claude.json",
    "Claude's settings.json": "home/.claude/settings.json",
    "Claude's settings.local.json": "home/.claude/settings.local.json",
    "claude": "bin/claude",
    "jq": "bin/jq",
}


@pytest.mark.parametrize("mode", [0o757, 0o775, 0o1777])
@pytest.mark.parametrize(("name", "path"), TRUSTED.items(), ids=TRUSTED)
def test_what_others_can_write(hooked: HostProject, name: str, path: str, mode: int) -> None:
    changed = hooked.home.parent / path
    if mode == 0o775:
        if os.geteuid() != 0:
            pytest.skip("chown needs root")
        os.chown(changed, -1, OTHER)
    changed.chmod(mode)
    _, failed, fixes = examined(hooked)
    who = f"group {OTHER}" if mode == 0o775 else "everyone"
    assert failed == {f"permissions of {name}": f"{changed}: {who} can write to it"}
    assert fixes == {f"permissions of {name}": f"chmod go-w {quoted(changed)}"}
    subprocess.run(["/bin/sh", "-c", *fixes.values()], check=True)
    assert examined(hooked)[1] == {}


@needs_root
@pytest.mark.parametrize(("name", "path"), TRUSTED.items(), ids=TRUSTED)
def test_what_belongs_to_another_user(hooked: HostProject, name: str, path: str) -> None:
    changed = hooked.home.parent / path
    os.chown(changed, OTHER, -1)
    _, failed, fixes = examined(hooked)
    assert failed[f"permissions of {name}"] == f"{changed}: it belongs to user {OTHER}"
    fix = fixes[f"permissions of {name}"]
    if name == "home directory":
        assert fix == f"run oauthkit as user {OTHER}"
    elif changed.is_dir():
        assert fix == f"chown -h 0 {quoted(changed)} && chmod go-w {quoted(changed)}"
        subprocess.run(["/bin/sh", "-c", fix], check=True)
        assert examined(hooked)[1] == {}
    else:
        assert fix == f"check its owner before you change anything: ls -ld {quoted(changed)}"


@needs_root
def test_link_that_replaces_a_directory_before_it_gets_a_new_owner(hooked: HostProject) -> None:
    changed, victim = hooked.project / "scripts/oauth", hooked.home.parent / "victim"
    victim.touch()
    for path in (changed, victim):
        os.chown(path, OTHER, -1)
    fix = examined(hooked)[2]["permissions of scripts/oauth"]
    changed.rename(changed.with_name("aside"))
    changed.symlink_to(victim)
    subprocess.run(["/bin/sh", "-c", fix.removeprefix("sudo ")], check=True)
    assert victim.stat().st_uid == OTHER


@pytest.mark.parametrize("mode", [0o604, 0o640])
def test_lock_that_others_can_hold(well: HostProject, mode: int) -> None:
    lock = well.project / "logs/oauth-refresh.lock"
    lock.touch()
    lock.chmod(mode)
    name = "permissions of the lock"
    _, failed, fixes = examined(well)
    assert failed == {
        name: f"{lock}: other users can open it, and lock it so that no run can start"
    }
    assert fixes == {name: f"chmod go= {quoted(lock)}"}
    subprocess.run(["/bin/sh", "-c", *fixes.values()], check=True)
    assert examined(well)[1] == {}


@needs_root
def test_lock_of_another_user_that_others_can_hold(well: HostProject) -> None:
    lock = well.project / "logs/oauth-refresh.lock"
    lock.touch()
    lock.chmod(0o644)
    os.chown(lock, OTHER, -1)
    fix = examined(well)[2]["permissions of the lock"]
    assert fix == f"check its owner before you change anything: ls -ld {quoted(lock)}"


def test_directory_of_a_dotenv_elsewhere(well: HostProject) -> None:
    directory = well.home / "shared"
    directory.mkdir()
    well.dotenv.rename(directory / "env")
    well.dotenv.symlink_to(directory / "env")
    assert examined(well)[1] == {}
    directory.chmod(0o777)
    assert examined(well)[1] == {
        "permissions of the directory of .env": f"{directory}: everyone can write to it"
    }


@pytest.mark.parametrize("name", ["bearer", "bearer/file"])
def test_bearer_file_that_others_can_write(well: HostProject, name: str) -> None:
    changed, file = well.home / name, well.home / "bearer/file"
    file.parent.mkdir()
    login = json.loads(well.credentials.read_text("utf-8"))["claudeAiOauth"]
    oauth = {name: login[name] for name in ("accessToken", "expiresAt")}
    file.write_text(json.dumps({"claudeAiOauth": oauth}, separators=(",", ":")), "utf-8")
    (well.project / CONF_FILE).write_text(f"OAUTHKIT_BEARER={file}\n", "utf-8")
    assert examined(well)[1] == {}
    changed.chmod(0o777)
    role = "the bearer file" if changed == file else "the directory of the bearer file"
    _, failed, fixes = examined(well)
    assert failed == {f"permissions of {role}": f"{changed}: everyone can write to it"}
    assert fixes == {f"permissions of {role}": f"chmod go-w {quoted(changed)}"}


@pytest.mark.parametrize("name", [".claude/local", ".local/bin"])
def test_claude_that_is_not_in_path(well: HostProject, name: str) -> None:
    """Another user who can write to one of its directories can put a program there."""
    directories = [well.home / ".claude/local", well.home / ".local/bin"]
    for directory in directories:
        directory.mkdir(parents=True)
    claude = well.home / name / "claude"
    shutil.copy(well.bin / "claude", claude)
    for path in (*directories, claude):
        path.chmod(0o777)
    assert examined(well)[1] == {}
    (well.bin / "claude").unlink()
    last = directories.index(claude.parent)
    places = [*directories[: last + 1], claude]
    said = {f"permissions of ~/{path.relative_to(well.home)}": path for path in places}
    _, failed, fixes = examined(well)
    assert failed == {key: f"{path}: everyone can write to it" for key, path in said.items()}
    own = {key: f"chmod go-w {quoted(path)}" for key, path in said.items()}
    if os.getuid() == 0:  # only when no other user can put a link there
        inspect = f"check its owner before you change anything: ls -ld {quoted(claude)}"
        own |= {f"permissions of ~/{name}/claude": inspect}
    assert fixes == own
    for _ in range(2):
        for fix in fixes.values():
            if fix.startswith("chmod "):
                subprocess.run(["/bin/sh", "-c", fix], check=True)
        _, failed, fixes = examined(well)
    assert failed == {}


def findings(host: HostProject, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setenv("HOME", str(host.home))
    with local.env(PATH=str(host.bin)):
        found = [*permissions.writers(find_paths(str(host.project)))]
    return {finding.name: finding.text for finding in found if not finding.is_ok}


@pytest.mark.parametrize("name", ["lib", "lib/oauthkit"])
def test_package_that_others_can_write(
    hooked: HostProject, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    package, changed = hooked.home / "lib/oauthkit", hooked.home / name
    package.mkdir(parents=True)
    monkeypatch.setattr(oauthkit, "__file__", f"{package}/__init__.py")
    if os.geteuid() == 0:
        os.chown(package, OTHER, OTHER)  # whoever has installed it
    assert findings(hooked, monkeypatch) == {}
    changed.chmod(0o777)
    role = "oauthkit" if changed == package else "the directory of oauthkit"
    said = {f"permissions of {role}": f"{changed}: everyone can write to it"}
    assert findings(hooked, monkeypatch) == said


@needs_root
def test_program_of_the_overflow_uid(hooked: HostProject, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a user namespace, the system's programs belong to it."""
    os.chown(hooked.bin / "jq", OTHER, OTHER)
    assert findings(hooked, monkeypatch).keys() == {"permissions of jq"}
    monkeypatch.setattr(permissions, "_owners_of_system", lambda: {0, OTHER})
    assert findings(hooked, monkeypatch) == {}


@needs_root
@pytest.mark.parametrize("name", [".env", "logs", SCRIPT])
def test_link_that_another_user_has_made(well: HostProject, name: str) -> None:
    link, target = well.project / name, well.home / "target"
    link.rename(target)
    link.symlink_to(target)
    named = {f"link in place of {name}"}
    assert not named & examined(well)[1].keys()
    os.chown(link, OTHER, OTHER, follow_symlinks=False)
    _, failed, fixes = examined(well)
    (text,) = (failed[key] for key in named)
    assert text == f"{link} is a link to {target} that user {OTHER} created"
    subprocess.run(["/bin/sh", "-c", *(fixes[key] for key in named)], check=True)
    assert target.exists()
    assert not named & examined(well)[1].keys()


def test_directory_above_the_project(well: HostProject) -> None:
    parent = well.project.parent
    before = parent.stat().st_mode
    parent.chmod(0o1777)  # like /tmp
    assert examined(well)[1] == {}
    parent.chmod(0o777)
    _, failed, fixes = examined(well)
    assert failed == {
        "permissions on the way to project": f"{parent}: everyone can write to it",
        "PATH": f"{well.bin} depends on {parent}: everyone can write to it",
    }
    fix = fixes["permissions on the way to project"]
    assert fix == f"chmod go-w {quoted(parent)}"
    subprocess.run(["/bin/sh", "-c", fix], check=True)
    assert examined(well)[1] == {}
    parent.chmod(before)


@needs_root
def test_directory_of_another_user_above_the_project(well: HostProject) -> None:
    os.chown(well.project.parent, OTHER, -1)
    fixes = examined(well)[2]
    fix = f"move {quoted(well.project)} to a directory that only you can write"
    assert fixes["permissions on the way to project"] == fix


# --- Paths through links ---

# What a refresh reads, writes or runs, below the directory that holds project and home.
BY_LINKS = {
    "project": "project",
    ".env": "project/.env",
    "log": "project/logs/oauth-refresh.log",
    "lock": "project/logs/oauth-refresh.lock",
    "logs": "project/logs",
    "scripts/oauth": "project/scripts/oauth",
    SCRIPT: f"project/{SCRIPT}",
    HOOKS: f"project/{HOOKS}",
    f"{HOOKS}/failed": f"project/{HOOKS}/failed",
    "Claude's directory": "home/.claude",
    "login": "home/.claude/.credentials.json",
    "Claude's settings.json": "home/.claude/settings.json",
}


class LinkedPath:
    """A path that two links of the user lead to: the second one lies in `between`."""

    def __init__(self, path: Path, root: Path) -> None:
        self.path = path
        self.above = root / "above"
        self.between = self.above / "between"
        self.link = self.between / "link"
        self.end = root / "end/here"
        for directory in (self.between, self.end.parent):
            directory.mkdir(parents=True, mode=0o755)
        if path.exists():
            path.rename(self.end)
        else:
            self.end.touch(0o600)
        self.link.symlink_to("../../end/here")
        path.symlink_to(self.link)


@pytest.fixture(params=[*BY_LINKS])
def role(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def linked(hooked: HostProject, role: str) -> LinkedPath:
    found = LinkedPath(hooked.home.parent / BY_LINKS[role], hooked.home / "linked")
    assert failed_permissions(hooked)[0] == {}
    return found


def failed_permissions(host: HostProject) -> tuple[dict[str, str], dict[str, str]]:
    """Return the failed checks of permissions and links, with their messages and their fixes."""
    _, failed, fixes = examined(host)
    names = [name for name in failed if name.startswith(("permissions", "link"))]
    return {name: failed[name] for name in names}, {name: fixes[name] for name in names}


@pytest.mark.parametrize("name", ["above", "between"])
def test_directory_that_a_link_leads_through(
    hooked: HostProject, linked: LinkedPath, role: str, name: str
) -> None:
    directory: Path = getattr(linked, name)
    directory.chmod(0o1777)
    assert failed_permissions(hooked)[0] == {}  # the link there cannot be exchanged
    directory.chmod(0o777)
    failed, fixes = failed_permissions(hooked)
    finding = f"permissions on the way to {role}"
    assert failed == {finding: f"{directory}: everyone can write to it"}
    assert fixes == {finding: f"chmod go-w {quoted(directory)}"}
    subprocess.run(["/bin/sh", "-c", *fixes.values()], check=True)
    assert failed_permissions(hooked)[0] == {}


@needs_root
def test_mode_of_a_directory_that_others_can_replace_is_not_changed(
    hooked: HostProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They could put a link in its place: chmod(1) follows it."""
    linked = LinkedPath(hooked.dotenv, hooked.home / "linked")
    linked.above.chmod(0o777)
    linked.between.chmod(0o777)
    monkeypatch.setenv("HOME", str(hooked.home))
    paths = find_paths(str(hooked.project))
    fixes = [finding.fix for finding in permissions._on_way(".env", hooked.dotenv, paths)]
    hint = f"check its owner before you change anything: ls -ld {quoted(linked.between)}"
    assert fixes == [f"chmod go-w {quoted(linked.above)}", hint]


@needs_root
@pytest.mark.parametrize("name", ["above", "between"])
@pytest.mark.parametrize("mode", [0o755, 0o1777])
def test_directory_of_another_user_that_a_link_leads_through(
    hooked: HostProject, linked: LinkedPath, role: str, name: str, mode: int
) -> None:
    directory: Path = getattr(linked, name)
    directory.chmod(mode)
    os.chown(directory, OTHER, -1)
    failed, fixes = failed_permissions(hooked)
    finding = f"permissions on the way to {role}"
    assert failed == {finding: f"{directory}: it belongs to user {OTHER}"}
    assert fixes == {
        finding: f"check its owner before you change anything: ls -ld {quoted(directory)}"
    }


@needs_root
def test_link_of_another_user_on_the_way(
    hooked: HostProject, linked: LinkedPath, role: str
) -> None:
    os.chown(linked.link, OTHER, OTHER, follow_symlinks=False)
    failed, fixes = failed_permissions(hooked)
    finding = f"link on the way to {role}"
    assert failed == {finding: f"{linked.link} is a link to {linked.end} that user {OTHER} created"}
    assert fixes == {finding: f"rm {quoted(linked.link)}"}


@needs_root
def test_link_of_another_user_is_not_followed(tmp_path: Path) -> None:
    """Its target may have thousands of components, and doctor checks many paths."""
    open_directory = tmp_path / "open"
    open_directory.mkdir()
    open_directory.chmod(0o777)
    link = tmp_path / "link"
    link.symlink_to("open/../" * 200)
    path = link / "open/file"
    assert {place for place, _, _ in permissions._foreign_on_way(path)} == {open_directory}
    os.chown(link, OTHER, OTHER, follow_symlinks=False)
    assert [place for place, _, _ in permissions._foreign_on_way(path)] == [link]


@needs_root
@pytest.mark.parametrize("kind", ["directory", "link"])
def test_way_out_of_home(hooked: HostProject, kind: str) -> None:
    """Inspect a path outside the project and the home before you change it."""
    linked = LinkedPath(hooked.dotenv, hooked.home.parent / "elsewhere")
    if kind == "directory":
        linked.between.chmod(0o777)
        place, finding = linked.between, "permissions on the way to .env"
        said = f"{place}: everyone can write to it"
        shown = [place]
    else:
        os.chown(linked.link, OTHER, OTHER, follow_symlinks=False)
        place, finding = linked.link, "link on the way to .env"
        said = f"{place} is a link to {linked.end} that user {OTHER} created"
        shown = [place, linked.end]
    failed, fixes = failed_permissions(hooked)
    assert failed == {finding: said}
    paths = " ".join(quoted(str(path)) for path in shown)
    assert fixes == {finding: f"check its owner before you change anything: ls -ld {paths}"}


def test_directory_of_a_setting(hooked: HostProject) -> None:
    """OAUTHKIT_DOTENV, OAUTHKIT_LOG and CLAUDE_CONFIG_DIR may lead through links, too."""
    linked = LinkedPath(hooked.home / "env", hooked.home / "linked")
    linked.end.unlink()
    linked.end.mkdir()
    linked.between.chmod(0o777)
    settings = {
        "OAUTHKIT_DOTENV": f"{hooked.home}/env/.env",
        "OAUTHKIT_LOG": f"{hooked.home}/env/log",
        "CLAUDE_CONFIG_DIR": f"{hooked.home}/env",
    }
    said = f"{linked.between}: everyone can write to it\n"
    assert said not in hooked.run("doctor").stdout
    for name, value in settings.items():
        environment = f'{hooked.bin}" "{name}={value}'  # the units have the same setting
        unit = shown(f"/bin/bash {hooked.project}/{SCRIPT}", environment)
        fake_manager(hooked, heal=unit, show=unit)
        assert said in hooked.run("doctor", **{name: value}).stdout


@pytest.mark.parametrize("is_there", [True, False])
def test_sticky_directory_protects_what_is_there(hooked: HostProject, is_there: bool) -> None:
    linked = LinkedPath(hooked.log, hooked.home / "linked")
    if not is_there:
        linked.end.unlink()
    linked.end.parent.chmod(0o1777)
    failed, fixes = failed_permissions(hooked)
    finding = "permissions on the way to log"
    said = {} if is_there else {finding: f"{linked.end.parent}: everyone can write to it"}
    assert failed == said
    if not is_there:  # the mode of /tmp must not be changed
        hint = f"check its owner before you change anything: ls -ld {quoted(linked.end.parent)}"
        assert fixes == {finding: hint}


def test_change_of_a_sticky_directory_of_the_system_is_not_suggested(hooked: HostProject) -> None:
    """Root owns /tmp, but root's doctor must not suggest a change of its mode."""
    directory = hooked.home.parent / "tmp"
    directory.mkdir()
    directory.chmod(0o1777)
    fake_manager(hooked, settings=f"OAUTHKIT_DOTENV={directory}/.env")
    lines = hooked.run("doctor", OAUTHKIT_DOTENV=f"{directory}/.env").stdout.splitlines()
    at = lines.index(
        f"FAIL  permissions of the directory of .env: {directory}: everyone can write to it"
    )
    assert (
        lines[at + 1]
        == f"      fix: check its owner before you change anything: ls -ld {quoted(directory)}"
    )


def test_entries_to_a_path(tmp_path: Path) -> None:
    base = tmp_path.resolve()
    (base / "a/b").mkdir(parents=True)
    (base / "a/b/up").symlink_to("../../c/./d")
    (base / "c").symlink_to(base / "a")
    (base / "a/d").symlink_to("missing/..//e")
    found = [*entries_to(base / "a/b/up/f")]
    parents = [*reversed(base.parents[:-1]), base]
    assert found[: len(parents)] == parents
    rest = [path.relative_to(base) for path in found if path not in parents]
    expected = ["a", "a/b", "a/b/up", "c", "a", "a/d", "a/missing", "a/e", "a/e/f"]
    assert rest == [Path(name) for name in expected]


@pytest.mark.parametrize("count", [MAX_LINKS, MAX_LINKS + 1])
def test_entries_to_a_path_of_many_links(tmp_path: Path, count: int) -> None:
    """They end where open(2) fails."""
    (tmp_path / "0").touch()
    for number in range(count):
        (tmp_path / f"{number + 1}").symlink_to(f"{number}")
    found = [*entries_to(tmp_path.resolve() / f"{count}")]
    if count <= MAX_LINKS:
        (tmp_path / f"{count}").stat()
        assert found[-1].name == "0"
    else:
        with pytest.raises(OSError, match="Too many levels"):
            (tmp_path / f"{count}").stat()
        assert found[-1].name == "1"


@needs_root
@pytest.mark.parametrize("mode", [0o755, 0o1777, 0o777])
@pytest.mark.parametrize("uid_map", ["0 0 4294967295", "0 1000 1"], ids=["host", "namespace"])
def test_directory_of_the_overflow_uid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uid_map: str, mode: int
) -> None:
    """In a user namespace, / and others belong to it. On the host, it can be a real user."""
    for name, text in {"_UID_MAP": uid_map, "_OVERFLOW_UID": f"{OTHER}"}.items():
        (tmp_path / name).write_text(f"{text}\n", encoding="ascii")
        monkeypatch.setattr(permissions, name, tmp_path / name)
    parent = tmp_path / "parent"
    (parent / "project").mkdir(parents=True)
    os.chown(parent, OTHER, -1)
    parent.chmod(mode)
    monkeypatch.setenv("PATH", str(parent))
    project = parent / "project"
    paths = ProjectPaths(project, project, project, project, project, "unit")
    above = [text for _, _, text in permissions._foreign_on_way(project)]
    in_path = [x.text for x in permissions.search_path(paths) if not x.is_ok]
    if uid_map.startswith("0 0"):
        assert above == in_path == [f"{parent}: it belongs to user {OTHER}"]
    else:
        said = [] if mode == 0o755 else [f"{parent}: everyone can write to it"]
        assert above == (said if mode == 0o777 else [])
        assert in_path == said


@needs_root
def test_link_of_the_overflow_uid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be the system's own, such as /bin, but the refresh rejects one in place of .env."""
    monkeypatch.setattr(permissions, "_owners_of_system", lambda: {0, OTHER})
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    os.chown(link, OTHER, OTHER, follow_symlinks=False)
    assert [place for place, _, _ in permissions._foreign_on_way(link / "file")] == []
    assert [place for place, _, _ in permissions._foreign_on_way(link)] == [link]


def people(
    monkeypatch: pytest.MonkeyPatch, path: Path, group: str, listed: list[str], primary: list[str]
) -> None:
    """Change a path's owner to this user, me, and its group to one with these members."""
    uid = os.getuid() or 4000  # another rule applies to root's files
    if os.geteuid() == 0:
        os.chown(path, uid, -1)
    path.chmod(0o775)
    users = [SimpleNamespace(pw_name="me", pw_uid=uid, pw_gid=77)]
    users += [SimpleNamespace(pw_name=name, pw_uid=uid + 1, pw_gid=77) for name in primary]
    monkeypatch.setattr(os, "getuid", lambda: uid)
    monkeypatch.setattr(pwd, "getpwall", lambda: users)
    found = SimpleNamespace(gr_name=group, gr_mem=listed, gr_gid=77)
    monkeypatch.setattr(grp, "getgrgid", lambda _: found)


@pytest.mark.parametrize(
    ("group", "listed", "primary", "is_safe"),
    [
        ("me", [], [], True),
        ("me", ["me"], [], True),
        ("me", ["you"], [], False),
        ("me", [], ["you"], False),
        ("staff", [], [], False),
    ],
)
def test_private_group_is_the_user_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, group: str, listed: list[str],
    primary: list[str], is_safe: bool,
) -> None:  # fmt: skip
    """With umask 002, the default of many systems, every directory has mode 0775."""
    people(monkeypatch, tmp_path, group, listed, primary)
    said = "" if is_safe else f"group {group} can write to it"
    assert permissions.other_writer(tmp_path) == said


def test_access_control_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    people(monkeypatch, tmp_path, "me", [], [])
    assert permissions.other_writer(tmp_path) == ""
    monkeypatch.setattr(os, "getxattr", lambda *_: b"")
    said = "others can write to it, by its access control list"
    assert permissions.other_writer(tmp_path) == said


# --- PATH ---


def test_programs_of_the_refresh_are_searched() -> None:
    directory = Path(refresh.__file__).parent
    source = "".join(path.read_text("utf-8") for path in directory.glob("*.py"))
    started = set(re.findall(r'\bprogram\("([a-z0-9-]+)"\)', source))
    assert len(started) > 7
    assert started - {*permissions.PROGRAMS} == set()


def in_path(host: HostProject, path: str) -> list[str]:
    """Return doctor's failed findings about a PATH, with their fixes."""
    lines = host.run("doctor", PATH=path).stdout.splitlines()
    found = [i for i, line in enumerate(lines) if line.startswith("FAIL  PATH: ")]
    return [line for i in found for line in lines[i : i + 2]]


def test_programs_of_the_project_are_named(well: HostProject) -> None:
    modules = well.project / "node_modules/.bin"
    modules.mkdir(parents=True)
    for name in ("jq", "claude", "eslint"):
        (modules / name).write_text("#!/bin/sh\n", "utf-8")
        (modules / name).chmod(0o755)
    assert in_path(well, f"{modules}:{well.bin}") == [
        f"FAIL  PATH: it finds claude, jq in {modules}, inside the project",
        f"      fix: remove {quoted(modules)} from PATH",
    ]
    assert in_path(well, f"{well.bin}:{modules}") == []
    # A link in another directory is found, too.
    (well.home / "bin").mkdir()
    (well.home / "bin/jq").symlink_to(modules / "jq")
    assert in_path(well, f"{well.home}/bin:{well.bin}")[0] == (
        f"FAIL  PATH: it finds jq in {well.home}/bin, inside the project"
    )
    # If the home is the project, it contains the user's own programs.
    assert in_path(well, f"{modules}:{well.bin}") != []
    assert in_path_of_home(well, modules) == []


def in_path_of_home(well: HostProject, modules: Path) -> list[str]:
    well.home = well.project / "home"
    well.home.mkdir()
    return in_path(well, f"{modules}:{well.bin}")


@pytest.mark.parametrize(
    ("entry", "said", "fix"),
    [
        ("", "an empty entry depends on the current directory", "remove :: from PATH"),
        ("a b", "a b depends on the current directory", "remove 'a b' from PATH"),
    ],
)
def test_relative_entry(well: HostProject, entry: str, said: str, fix: str) -> None:
    found = in_path(well, f"{well.bin}:{entry}")
    assert found == [f"FAIL  PATH: {said}", f"      fix: {fix}"]


def test_entry_that_others_can_write(well: HostProject) -> None:
    directory = well.home / "programs"
    directory.mkdir()
    assert in_path(well, f"{well.bin}:{directory}:/no/such") == []
    directory.chmod(0o777)
    assert in_path(well, f"{well.bin}:{directory}") == [
        f"FAIL  PATH: {directory}: everyone can write to it",
        f"      fix: remove {quoted(directory)} from PATH",
    ]
    (well.bin / "jq").rename(directory / "jq")
    assert in_path(well, f"{well.bin}:{directory}")[1] == f"      fix: chmod go-w {directory}"


def test_entry_that_depends_on_what_others_can_write(well: HostProject) -> None:
    """A link can replace the entry, or a program in it."""
    linked = LinkedPath(well.home / "programs", well.home / "linked")
    linked.end.unlink()
    linked.end.mkdir()
    path = f"{well.bin}:{linked.path}"
    assert in_path(well, path) == []
    linked.between.chmod(0o777)
    said = f"{linked.between}: everyone can write to it"
    assert in_path(well, path) == [
        f"FAIL  PATH: {linked.path} depends on {said}",
        f"      fix: remove {linked.path} from PATH",
    ]
    (linked.between / "jq").symlink_to("/bin/true")
    (well.bin / "jq").unlink()
    (well.bin / "jq").symlink_to(linked.between / "jq")
    assert in_path(well, f"{well.bin}") == [
        f"FAIL  PATH: {well.bin} depends on {said}",
        f"      fix: remove {well.bin} from PATH",
    ]


def test_each_entry_is_named_once(well: HostProject) -> None:
    """In WSL, PATH has many entries in a file system that everyone can write to."""
    directory = well.home / "mnt/programs"
    directory.mkdir(parents=True)
    for path in (directory, directory.parent):
        path.chmod(0o777)
    assert in_path(well, f"{well.bin}:{directory}") == [
        f"FAIL  PATH: {directory}: everyone can write to it",
        f"      fix: remove {directory} from PATH",
    ]
