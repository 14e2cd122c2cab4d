"""oauthkit install --follow and --store with obstacles, with a planned user manager."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from tests.support.host.doctor_host import NOT_FOUND, SCRIPT, fake_manager, shown
from tests.support.host.host_project import HOUR_S, UNIT, command
from tests.support.host.store_host import (
    CONF,
    FOLLOW,
    following,
    publish,
    store_of,
    with_store,
    write_unit,
)

from oauthkit.host.child import python_command
from oauthkit.host.commands import install
from oauthkit.host.errors import HostError
from oauthkit.host.project import find_paths

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.host.host_project import HostProject


ENV = "Set HOME and XDG_CONFIG_HOME to the values of the shell that installed them"


@pytest.fixture
def bare(well: HostProject) -> HostProject:
    """A host without a login. Its project has no store and no unit yet, and the manager obeys."""
    with_store(well)
    publish(well, "beta")
    following(well, follow=NOT_FOUND)
    for name in ("refresh.conf", "publish.sh", "follow.sh"):
        (well.project / "scripts/oauth" / name).unlink()
    text = (well.bin / "systemctl").read_text("utf-8")
    record = f'echo "$*" >>"{well.home}/asked"\n'
    obeys = "case $3 in daemon-reload|enable|restart|show-environment) exit 0 ;; esac\n"
    well.program("systemctl", text.replace("#!/bin/sh\n", f"#!/bin/sh\n{record}{obeys}"))
    well.program("loginctl", "#!/bin/sh\necho no\n")
    return well


def url(host: HostProject) -> str:
    return f"dir:{store_of(host)}"


def unit(host: HostProject) -> Path:
    return host.home / ".config/systemd/user" / FOLLOW


def changes(host: HostProject) -> list[str]:
    """Return the calls to systemctl that change something."""
    lines = (host.home / "asked").read_text("utf-8").splitlines()
    words = [line.removeprefix("--user --no-pager ") for line in lines]
    return [line for line in words if line.split()[0] in {"daemon-reload", "enable", "restart"}]


def test_script_settings_and_unit_are_written(bare: HostProject) -> None:
    done = bare.run("install", "--follow", "--store", url(bare))
    assert (done.returncode, done.stderr) == (0, "")
    scripts = bare.project / "scripts/oauth"
    assert done.stdout.splitlines() == [
        f"wrote {bare.project / CONF}: OAUTHKIT_STORE={url(bare)}",
        f"wrote {scripts}/publish.sh",
        f"wrote {scripts}/follow.sh",
        f"wrote {unit(bare)}",
        f"enabled {FOLLOW}: it follows {url(bare)}",
        "the units start at your login and end with your last logout: loginctl enable-linger"
        " changes that",
    ]
    assert (scripts / "follow.sh").stat().st_mode & 0o777 == 0o755
    assert changes(bare) == ["daemon-reload", f"enable --quiet {FOLLOW}", f"restart {FOLLOW}"]
    line = f'"{bare.bin}/bash" "{scripts}/follow.sh"'
    lines = unit(bare).read_text("utf-8").splitlines()
    assert {f"ExecStart={line}", f'ExecStartPre=-{line} "--once"', "Restart=always"} <= {*lines}
    assert {"WorkingDirectory=/", "LimitCORE=0", "IgnoreSIGPIPE=no"} <= {*lines}
    assert f'Environment="PATH={bare.bin}"' in lines
    assert unit(bare).stat().st_mode & 0o777 == 0o600
    assert "StandardOutput" not in "".join(lines)


def test_python_form_imports_nothing_from_a_directory(bare: HostProject) -> None:
    (bare.project / SCRIPT).unlink()
    assert bare.run("install", "--follow", "--store", url(bare)).returncode == 0
    argv = [*python_command(), "follow", f"--project={bare.project}"]
    line = " ".join(f'"{word}"' for word in argv)
    assert f"\nExecStart={line}\n" in unit(bare).read_text("utf-8")
    assert not (bare.project / "scripts/oauth/follow.sh").exists()
    assert bare.run("install", "--follow", "--form", "bash").returncode == 0
    assert "/scripts/oauth/follow.sh" in unit(bare).read_text("utf-8")
    done = bare.run("install", "--follow", "--form", "python")
    assert f"\nExecStart={line}\n" in unit(bare).read_text("utf-8"), done


def test_second_install_changes_nothing(bare: HostProject) -> None:
    bare.run("install", "--follow", "--store", url(bare))
    own = bare.project / "scripts/oauth/publish.sh"
    own.write_text("# my own\n", encoding="utf-8")
    files = [unit(bare), bare.project / CONF, own]
    before = [file.stat().st_mtime_ns for file in files]
    done = bare.run("install", "--follow", "--store", url(bare))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("is up to date") == 2
    assert [file.stat().st_mtime_ns for file in files] == before


def test_no_live_token_is_reported(bare: HostProject) -> None:
    bare.dotenv.unlink()
    done = bare.run("install", "--follow", "--store", url(bare))
    assert (done.returncode, done.stderr) == (1, "")
    status = command("status", bare.project)
    assert f".env has no live token yet: {status} shows the reason\n" in done.stdout
    assert unit(bare).exists()


def test_unused_login_is_named(bare: HostProject) -> None:
    bare.login()
    done = bare.run("install", "--follow", "--store", url(bare))
    assert done.returncode == 0
    assert f"note: {bare.credentials} has a login, which this project does not use. " in done.stdout


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "OAUTHKIT_STORE is not set. Set it with --store URL"),
        (["--store", "ftp:/x"], "--store: OAUTHKIT_STORE is ftp:/x. It must be dir:/PATH"),
        (["--store", "dir:relative"], "--store: OAUTHKIT_STORE is dir:relative. It must be dir:/P"),
        (["--store", "dir:/a #b"], "--store: the value 'dir:/a #b' contains a space before #"),
        (["--store", "etcd:a/b"], "--store: OAUTHKIT_STORE is etcd:a/b. It must be etcd:https://"),
        (["--store", ""], "--store: the value '' is empty"),
        (["--store", "dir:/x", "--watch"], "--watch"),
        (["--store", "dir:/x", "--cron"], "--cron"),
        (["--store", "dir:/x", "--light"], "--light"),
        (["--store", "dir:/x", "--test-notify"], "--test-notify"),
    ],
)
def test_wrong_usage(bare: HostProject, arguments: list[str], problem: str) -> None:
    done = bare.run("install", "--follow", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert problem in done.stderr
    assert not unit(bare).exists()
    assert not (bare.project / CONF).exists()


def has_refresh(host: HostProject, suffix: str) -> str:
    return (
        f"{UNIT}{suffix} refreshes this project, and a follower would write the same .env. Remove"
        f" it first: {command('uninstall', host.project)}"
    )


def refreshed(host: HostProject) -> str:
    argv = f"/bin/bash {host.project}/{SCRIPT}"
    fake_manager(host, timers={f"{UNIT}.timer": HOUR_S}, show=shown(argv, host.bin), heal=NOT_FOUND)
    text = (host.bin / "systemctl").read_text("utf-8")
    obeys = "case $3 in show-environment) exit 0 ;; esac\n"
    host.program("systemctl", text.replace("#!/bin/sh\n", f"#!/bin/sh\n{obeys}"))
    return has_refresh(host, ".timer")


def healed(host: HostProject) -> str:
    write_unit(host, f"{UNIT}-heal.timer")
    return has_refresh(host, "-heal.timer")


def elsewhere(host: HostProject) -> str:
    """Its unit was installed with another HOME."""
    file = host.home / "other" / FOLLOW
    file.parent.mkdir()
    file.touch()
    shows = shown(f"/bin/bash {host.project}/scripts/oauth/follow.sh", host.bin)
    name = "*-follow.service) echo LoadState=not-found ;;"
    text = (host.bin / "systemctl").read_text("utf-8")
    assert name in text
    own = name.replace("echo LoadState=not-found", f"{shows}; echo FragmentPath='{file}'")
    host.program("systemctl", text.replace(name, own))
    return f"the project's units are in {file.parent}, not in {unit(host).parent}. {ENV}"


def by_cron(host: HostProject) -> str:
    line = f"*/4 * * * * bash {host.project}/{SCRIPT} --ensure"
    host.program("crontab", f'#!/bin/sh\necho "{line}"\n')
    return "a crontab line refreshes this project. Remove it first: crontab -e"


def anothers(host: HostProject) -> str:
    other = host.home / "other"
    other.mkdir()
    write_unit(host, FOLLOW, other)
    fix = command("install", host.project, "--follow", "--unit", "oauth-refresh-project")
    return f"{unit(host)} belongs to the project '{other}'. Use another name for this one: {fix}"


def without_manager(host: HostProject) -> str:
    (host.bin / "systemctl").unlink()
    start = command("follow", host.project)
    return (
        "systemctl is not in PATH: this host has no systemd. Start this with the host's own"
        f" supervisor instead: OAUTHKIT_STORE={url(host)} {start}"
    )


@pytest.mark.parametrize(
    "obstacle", [refreshed, healed, elsewhere, by_cron, anothers, without_manager]
)
def test_obstacle(bare: HostProject, obstacle: object) -> None:
    assert callable(obstacle)
    problem = obstacle(bare)
    done = bare.run("install", "--follow", "--store", url(bare))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"oauthkit install: {problem}\n"
    assert not (bare.project / CONF).exists()


def test_unit_name_cannot_change_under_the_unit(bare: HostProject) -> None:
    write_unit(bare, FOLLOW)
    done = bare.run("install", "--follow", "--store", url(bare), "--unit", "other")
    assert done.returncode == 1
    assert f"{unit(bare)} is installed for this project, with an earlier unit name" in done.stderr


def test_refresh_is_not_installed_beside_a_follower(bare: HostProject) -> None:
    write_unit(bare, FOLLOW)
    done = bare.run("install")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"oauthkit install: {FOLLOW} follows a store for this project. To refresh it with a login"
        f" instead, remove that unit first: {command('uninstall', bare.project)}\n"
    )


def test_store_of_a_publisher(bare: HostProject) -> None:
    """The scripts are written only if the unit runs the project's script."""
    bare.login()
    bare.program("systemctl", "#!/bin/sh\n")
    done = bare.run("install", "--store", url(bare))
    assert (done.returncode, done.stderr) == (0, "")
    scripts = bare.project / "scripts/oauth"
    assert f"wrote {scripts}/publish.sh\nwrote {scripts}/follow.sh\n" in done.stdout
    assert (bare.project / CONF).read_text("utf-8") == f"OAUTHKIT_STORE={url(bare)}\n"
    assert not unit(bare).exists()
    for name in ("refresh.sh", "publish.sh", "follow.sh"):
        (scripts / name).unlink()
    assert bare.run("install", "--store", url(bare)).returncode == 0
    assert [file.name for file in scripts.iterdir()] == ["refresh.conf"]


def test_scripts_are_not_written_through_a_link(bare: HostProject) -> None:
    scripts, elsewhere = bare.project / "scripts", bare.home / "elsewhere"
    scripts.rename(elsewhere)
    scripts.symlink_to(elsewhere)
    before = sorted(elsewhere.rglob("*"))
    with pytest.raises(HostError, match="is a symbolic link to"):
        install.copy_scripts(find_paths(str(bare.project)), print)
    assert sorted(elsewhere.rglob("*")) == before


def test_store_that_does_not_exist_is_no_obstacle(bare: HostProject) -> None:
    """It may be mounted later."""
    store_of(bare).rename(store_of(bare).with_name("other"))
    bare.dotenv.unlink()
    done = bare.run("install", "--follow", "--store", url(bare))
    assert (done.returncode, done.stderr) == (1, "")
    assert unit(bare).exists()
    assert os.access(unit(bare), os.R_OK)
