"""doctor on hosts that publish to a store or follow it."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from tests.support.host.doctor_host import NOT_FOUND, examined, expected_fix, fake_manager, shown
from tests.support.host.host_project import HOUR_S, SUDO, command, quoted
from tests.support.host.store_host import (
    CONF,
    FOLLOW,
    conf,
    encrypt_record,
    following,
    publish,
    refreshed,
    rows,
    store_of,
    without_store,
    write_unit,
)
from tests.support.system.age_keys import make_identity

from oauthkit.host.systemd.unit_texts import _MARK

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.host.host_project import HostProject


def etcd(host: HostProject, *hosts: str) -> None:
    """Set up an etcd store with these hosts' records, which the host follows."""
    keys = [
        {
            "key": base64.b64encode(f"/fleet/{name}".encode()).decode(),
            "value": base64.b64encode(publish(host, name).read_bytes()).decode(),
        }
        for name in hosts
    ]
    answer = json.dumps({"header": {"revision": 7}, "kvs": keys})
    host.program("etcdctl", f"#!/bin/sh\necho '{answer}'\n")
    text = (host.project / CONF).read_text("utf-8")
    url = "etcd:https://a:2379,https://b:2379/fleet"
    text = text.replace(f"dir:{store_of(host)}", url.replace("/fleet", "//fleet"))
    (host.project / CONF).write_text(text, encoding="utf-8")


def test_store_in_etcd(follower: HostProject) -> None:
    etcd(follower, "beta", "delta")
    data = follower.status()
    assert (data["live"], data["warnings"]) == (True, [])
    assert [(x["host"], x["used"]) for x in data["store"]["records"]] == [
        ("beta", True),
        ("delta", True),
    ]
    assert examined(follower)[1] == {}
    conf(follower, f"ETCDCTL_CACERT={follower.home}/ca.pem\n")
    assert examined(follower)[1:] == (
        {"store": f"ETCDCTL_CACERT: {follower.home}/ca.pem not found"},
        {"store": "set ETCDCTL_CACERT to another path"},
    )
    (follower.home / "ca.pem").touch()
    follower.program(
        "openssl", '#!/bin/sh\n[ "$*" != "x509 -checkend 0 -noout -in $HOME/ca.pem" ]\n'
    )
    text = f"ETCDCTL_CACERT: {follower.home}/ca.pem is not a certificate, or has expired"
    assert examined(follower)[1] == {"store": text}
    follower.program("openssl", "#!/bin/sh\n")
    follower.program("etcdctl", "#!/bin/sh\necho 'Error: context deadline exceeded'\nexit 1\n")
    problem = "etcdctl get failed (exit 1): context deadline exceeded"
    assert follower.status()["store"]["problem"] == problem
    assert examined(follower)[1] == {"store": problem}
    (follower.bin / "setpriv").unlink()
    assert examined(follower)[2]["setpriv"] == expected_fix("setpriv", "util-linux")
    follower.program("setpriv", "#!/bin/sh\n")
    (follower.bin / "etcdctl").unlink()
    assert examined(follower)[2] == {"etcdctl": f"{SUDO}apt-get install etcd-client"}


def test_nothing_is_wrong(publisher: HostProject) -> None:
    done = publisher.run("doctor")
    assert (done.returncode, done.stderr) == (0, "")
    store = f"store: dir:{store_of(publisher)}, with 1 records, 1 of them usable"
    assert f" ok   {store}\n" in done.stdout
    assert " ok   published: the record alpha has the login's token\n" in done.stdout


def test_follower_needs_neither_claude_nor_a_login(follower: HostProject) -> None:
    (follower.bin / "claude").unlink()
    done = follower.run("doctor")
    assert (done.returncode, done.stderr) == (0, "")
    assert f" ok   follower: {FOLLOW} runs\n" in done.stdout
    assert "claude" not in done.stdout.replace(str(follower.home / ".claude"), "")


def occupied(host: HostProject) -> None:
    without_store(host)
    store_of(host).write_text("x", encoding="utf-8")


def invalid(host: HostProject) -> None:
    text = (host.project / CONF).read_text("utf-8").replace("=dir:/", "=ftp:/")
    (host.project / CONF).write_text(text, encoding="utf-8")


def no_publish_script(host: HostProject) -> None:
    (host.project / "scripts/oauth/publish.sh").unlink()


def changed_mode(mode: int) -> Callable[[HostProject], None]:
    return lambda host: store_of(host).chmod(mode)


# A problem of a publisher, the check that finds it, and its fix ("" if the command is run).
WRONG: dict[str, tuple[Callable[[HostProject], object], str, str | None]] = {
    "missing": (without_store, "store", ""),
    "a file": (occupied, "store", ""),
    "unreadable": (changed_mode(0o300), "store", ""),
    "not searchable": (changed_mode(0o600), "store", ""),
    "not writable": (changed_mode(0o500), "store", ""),
    "another kind": (invalid, "store", "${EDITOR:-vi} "),
    "no find": (lambda h: (h.bin / "find").unlink(), "find", expected_fix("find", "findutils")),
    "no token": (lambda h: publish(h, "alpha").unlink(), "published", ""),
    "another token": (lambda h: publish(h, "alpha"), "published", ""),
    "damaged": (lambda h: publish(h, "beta", access_token=1), "record", ""),
    "empty": (lambda h: publish(h, "beta").write_text(""), "record", ""),
    "future": (
        lambda h: publish(h, "beta", issued_s=HOUR_S), "clocks",
        f"on the host whose clock is wrong: {SUDO}timedatectl set-ntp true",
    ),
    "no publish.sh": (no_publish_script, "script", ""),
}  # fmt: skip


@pytest.mark.parametrize(("change", "name", "fix"), WRONG.values(), ids=WRONG)
def test_problem_of_a_publisher_and_its_fix(
    publisher: HostProject, change: Callable[[HostProject], object], name: str, fix: str
) -> None:
    publisher.without_override()
    change(publisher)
    _, failed, fixes = examined(publisher)
    assert failed.keys() == {name}
    if fix:
        assert fixes[name].startswith(fix)
        return
    env = {"HOME": str(publisher.home), "PATH": os.environ["PATH"]}
    subprocess.run(["/bin/sh", "-c", fixes[name]], check=True, cwd="/", env=env)
    if name == "store" and not [*store_of(publisher).iterdir()]:  # it is new
        assert publisher.run("publish").returncode == 0
    assert examined(publisher)[1] == {}


def test_store_that_others_can_write(publisher: HostProject) -> None:
    directory = store_of(publisher)
    directory.chmod(0o777)
    _, failed, fixes = examined(publisher)
    assert failed == {"permissions of the store": f"{directory}: everyone can write to it"}
    subprocess.run(["/bin/sh", "-c", *fixes.values()], check=True)
    assert examined(publisher)[1] == {}


def test_authority_that_others_can_write(publisher: HostProject) -> None:
    file = publisher.home / "ca.crt"
    file.touch()
    with (publisher.project / CONF).open("a", encoding="utf-8") as conf:
        conf.write(f"ETCDCTL_CACERT={file}\n")
    assert "permissions of ETCDCTL_CACERT" not in examined(publisher)[1]
    file.chmod(0o666)
    _, failed, fixes = examined(publisher)
    assert failed["permissions of ETCDCTL_CACERT"] == f"{file}: everyone can write to it"
    assert fixes["permissions of ETCDCTL_CACERT"] == f"chmod go-w {quoted(file)}"


def test_record_that_this_user_cannot_remove(follower: HostProject) -> None:
    follower.without_override()
    publish(follower, "bad", version=2)
    store_of(follower).chmod(0o500)
    _, failed, fixes = examined(follower)
    assert failed == {"record": "the record of bad has an unsupported version and is ignored"}
    assert fixes["record"] == ("remove that record. The next full run of its host writes it again")


def test_name_of_the_host(publisher: HostProject) -> None:
    text = (publisher.project / CONF).read_text("utf-8").replace("=alpha", "=a/b")
    (publisher.project / CONF).write_text(text, encoding="utf-8")
    assert examined(publisher)[2] == {
        "host name": f"write OAUTHKIT_HOST=NAME to {quoted(publisher.project / CONF)}"
    }
    assert rows(publisher)["To do"][0].startswith("a/b is not a valid host name. ")


def test_fixes_of_a_follower(follower: HostProject) -> None:
    install = command("install", follower.project, "--follow")
    following(follower, follow=NOT_FOUND)
    assert examined(follower)[2] == {"follower": install}
    following(follower, following="activating auto-restart")
    assert examined(follower)[2] == {"follower": install}
    following(follower, enabled="disabled")
    assert examined(follower)[2] == {"follower": install}
    python = f"/x/python -P -m oauthkit follow --project={follower.project}"
    following(follower, follow=shown(python, follower.bin), enabled="disabled")
    assert examined(follower)[2] == {"follower": f"{install} --form python"}
    refreshed(follower)
    uninstall = command("uninstall", follower.project)
    assert examined(follower)[2] == {"timer": f"{uninstall} && {install}"}
    other = shown(f"bash {follower.project}2/scripts/oauth/follow.sh", follower.bin)
    following(follower, follow=other)
    assert examined(follower)[2]["follower"] == f"{install} --unit oauth-refresh-project"


def test_follower_with_an_earlier_name(follower: HostProject) -> None:
    earlier = follower.home / ".config/systemd/user/earlier-follow.service"
    earlier.parent.mkdir(parents=True)
    earlier.write_text(f"{_MARK}{str(follower.project)!r}\n[Unit]\n", "utf-8")
    uninstall = command("uninstall", follower.project)
    install = command("install", follower.project, "--follow")
    assert examined(follower)[2] == {"units": f"{uninstall} && {install}"}


def test_env_of_a_follower_is_fixed_by_one_pass(follower: HostProject) -> None:
    follower.dotenv.unlink()
    fix = command("follow", follower.project, "--once")
    assert examined(follower)[2] == {".env": fix}
    publish(follower, "beta", 60)
    publish(follower, "gamma", 60)
    _, failed, fixes = examined(follower)
    assert fixes[".env"] == fix
    assert failed[".env"].endswith(". First apply the fixes above")
    publish(follower, "gamma")
    env: dict[str, Any] = {"HOME": str(follower.home), "PATH": str(follower.bin)}
    subprocess.run(["/bin/sh", "-c", fix], check=True, cwd="/", env=env)
    assert examined(follower)[1] == {}


# --- Encrypted records ---


def test_identity_that_others_can_read(decrypting: HostProject, identity: Path) -> None:
    identity.chmod(0o640)
    _, failed, fixes = examined(decrypting)
    origin = " (OAUTHKIT_STORE_IDENTITY: refresh.conf)"
    assert failed == {"identity's mode": f"0640: other users have access to this file{origin}"}
    assert fixes == {"identity's mode": f"chmod go= {quoted(identity)}"}


def without_identity(host: HostProject) -> None:
    text = (host.project / CONF).read_text("utf-8").partition("OAUTHKIT_STORE_IDENTITY")[0]
    (host.project / CONF).write_text(text, encoding="utf-8")


def misspelled_identity(host: HostProject) -> None:
    text = (host.project / CONF).read_text("utf-8").replace("IDENTITY=", "IDENTTY=")
    (host.project / CONF).write_text(text, encoding="utf-8")


# A problem with encrypted records, a failed check and its fix.
KEY_PROBLEMS: dict[str, tuple[Callable[[HostProject], object], str, str]] = {
    "no age": (
        lambda h: (h.bin / "age").unlink(), "age", expected_fix("age", "age"),
    ),
    "no identity": (
        lambda h: (h.home / "identity.txt").unlink(), "store",
        "set OAUTHKIT_STORE_IDENTITY to another path",
    ),
    "not set": (
        without_identity, "record", "set OAUTHKIT_STORE_IDENTITY in scripts/oauth/refresh.conf",
    ),
    "misspelled": (
        misspelled_identity, "store",
        "edit scripts/oauth/refresh.conf. oauthkit doctor names the line",
    ),
    "clear text": (
        lambda h: publish(h, "gamma"), "record",
        "set OAUTHKIT_STORE_RECIPIENTS on that host, and refresh there",
    ),
    "for other hosts": (
        lambda h: encrypt_record(publish(h, "gamma"), make_identity()[1]), "record",
        "add this host's key to that host's OAUTHKIT_STORE_RECIPIENTS, and refresh there",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("change", "name", "fix"), KEY_PROBLEMS.values(), ids=KEY_PROBLEMS)
def test_problem_with_encrypted_records(
    decrypting: HostProject, change: Callable[[HostProject], object], name: str, fix: str
) -> None:
    change(decrypting)
    assert examined(decrypting)[2][name] == fix


# --- A login or a store that is gone ---


def test_publisher_whose_login_is_gone(publisher: HostProject) -> None:
    """A refresh with --ensure then follows the store, until this host's own record expires."""
    fake_manager(publisher, heal=NOT_FOUND, follow=NOT_FOUND)
    publisher.credentials.unlink()
    text = f"this host has published a token, but {publisher.credentials} does not exist"
    fix = f"claude auth login && {command('refresh', publisher.project)}"
    assert publisher.status()["warnings"][-1] == f"{text}. Run: {fix}"
    _, failed, fixes = examined(publisher)
    assert (failed["login"], fixes["login"]) == (text, fix)
    publisher.dotenv.unlink()
    assert examined(publisher)[2][".env"] == command("refresh", publisher.project)
    assert "timer" not in failed  # a timer starts a refresh, as before
    write_unit(publisher, FOLLOW)
    assert "login" not in examined(publisher)[1]


def test_follower_whose_store_is_gone(follower: HostProject) -> None:
    store_of(follower).rename(follower.home / "away")
    assert examined(follower)[1:] == (
        {"store": f"{store_of(follower)} not found"},
        {"store": "mount it, or correct OAUTHKIT_STORE"},
    )
    data = follower.status()
    (warning,) = data["warnings"]
    assert (data["live"], str(store_of(follower)) in warning) == (True, True)
