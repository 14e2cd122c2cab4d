"""A store, and a host that publishes to it or follows it, with a simulated user manager."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING, Any

from tests.support.host.doctor_host import NOT_FOUND, SCRIPT, fake_manager, shown
from tests.support.host.host_project import HOUR_S, OTHER, UNIT
from tests.support.refresh.world import REPOSITORY
from tests.support.system.age_keys import encrypt

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.host.host_project import HostProject

FOLLOW = f"{UNIT}-follow.service"
CONF = "scripts/oauth/refresh.conf"
# The real programs that `publish` and `follow` start.
TOOLS = ("bash", "cat", "chmod", "cp", "dd", "find", "flock", "jq", "mkdir", "mv", "readlink", "rm",
         "setpriv", "sh", "sleep", "stat", "sync", "timeout", "uname")  # fmt: skip


def store_of(host: HostProject) -> Path:
    """Return the directory of the host's store."""
    return host.home.parent / "store"


def with_store(host: HostProject) -> HostProject:
    """Name the host alpha, and give it a store and the programs and scripts that it needs."""
    for tool in TOOLS:
        (host.bin / tool).unlink(missing_ok=True)
        (host.bin / tool).symlink_to(shutil.which(tool) or tool)
    store_of(host).mkdir(mode=0o700)
    conf = f"OAUTHKIT_STORE=dir:{store_of(host)}\nOAUTHKIT_HOST=alpha\n"
    (host.project / CONF).write_text(conf, encoding="utf-8")
    for name in ("publish.sh", "follow.sh"):
        shutil.copy(REPOSITORY / "scripts/oauth" / name, host.project / "scripts/oauth")
    return host


def publish(
    host: HostProject,
    name: str,
    left_s: float = 5 * HOUR_S,
    token: str = OTHER,
    issued_s: float = -60,
    **changes: Any,
) -> Path:
    """Write a host's record, and return its path."""
    record = {
        "version": 1, "host": name, "access_token": token,
        "expires_at_ms": host.ms(left_s), "issued_at_ms": host.ms(issued_s), **changes,
    }  # fmt: skip
    file = store_of(host) / f"{name}.json"
    file.write_text(json.dumps(record), encoding="utf-8")
    return file


def following(host: HostProject, **plan: Any) -> HostProject:
    """Remove the login. The unit of install --follow runs, unless `plan` says otherwise."""
    host.credentials.unlink(missing_ok=True)
    host.lines((-HOUR_S, f"Updated .env with token (expires_at={host.ms(5 * HOUR_S)})"))
    host.deliver(OTHER)
    os.utime(host.dotenv, (host.now_s - HOUR_S,) * 2)
    host.dotenv.chmod(0o600)
    service = shown(f"/bin/bash {host.project}/scripts/oauth/follow.sh", host.bin)
    plan = {"timers": {}, "heal": NOT_FOUND, "show": NOT_FOUND, "follow": service, **plan}
    fake_manager(host, **plan)
    return host


def write_unit(host: HostProject, name: str, project: Path | None = None) -> Path:
    """Write a unit file with only the first line that install writes for a project."""
    file = host.home / ".config/systemd/user" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    start = "# Written by oauthkit install, removed by oauthkit uninstall. Project: "
    file.write_text(f"{start}'{project or host.project}'\n", encoding="utf-8")
    return file


def refreshed(host: HostProject) -> None:
    """Follow a store while a refresh timer is pending."""
    following(
        host,
        timers={f"{UNIT}.timer": HOUR_S},
        show=shown(f"/bin/bash {host.project}/{SCRIPT}", host.bin),
    )


def rows(host: HostProject) -> dict[str, list[str]]:
    """Return the lines that status shows, by their labels."""
    found: dict[str, list[str]] = {}
    label = ""
    for line in host.run("status", COLUMNS="200").stdout.splitlines():
        label = line[:10].strip() or label
        found.setdefault(label, []).append(line[10:])
    return found


def without_store(host: HostProject) -> None:
    """Move the store away."""
    store_of(host).rename(store_of(host).with_name("other"))


def conf(host: HostProject, line: str) -> None:
    """Append a line to refresh.conf."""
    with (host.project / CONF).open("a") as file:
        file.write(line)


def recipient_in(identity: Path) -> str:
    """Return the public key in an identity file."""
    return identity.read_text("utf-8").partition("public key: ")[2].partition("\n")[0]


def encrypt_record(file: Path, recipient: str) -> None:
    """Encrypt the record in a file."""
    text = file.read_text("utf-8")
    record = json.loads(text)
    del record["access_token"]
    record["encrypted"] = encrypt(text, recipient)
    file.write_text(json.dumps(record), encoding="utf-8")
