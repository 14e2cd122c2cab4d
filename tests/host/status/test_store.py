"""status on hosts that publish to a store or follow it."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest
from tests.support.host.doctor_host import (
    NOT_FOUND,
    examined,
    shown,
)
from tests.support.host.host_project import HOUR_S, OTHER, TOKEN, UNIT, command, quoted
from tests.support.host.store_host import (
    CONF,
    FOLLOW,
    conf,
    encrypt_record,
    following,
    publish,
    recipient_in,
    rows,
    store_of,
    without_store,
    write_unit,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.host.host_project import HostProject


def test_status_of_a_publisher(publisher: HostProject) -> None:
    publish(publisher, "beta", -60, issued_s=-60)
    shown_rows = rows(publisher)
    url, own, *records = shown_rows["Store"]
    assert url == f"dir:{store_of(publisher)}"
    assert own.startswith("published as alpha: ")
    assert own.endswith(", 1 min ago")
    assert records == ["alpha: 4 h 59 min left, in .env", "beta: expired 1 min ago"]
    assert "Follows" not in shown_rows
    assert "To do" not in shown_rows
    data = publisher.status()
    store = data["store"]
    assert (data["live"], store["problem"], store["follows"]) == (True, None, False)
    assert (store["host"], store["published_at_s"]) == ("alpha", publisher.ms(-60) / 1000)
    assert [(x["host"], x["usable"], x["used"]) for x in store["records"]] == [
        ("alpha", True, True),
        ("beta", False, False),
    ]


def test_status_of_a_follower(follower: HostProject) -> None:
    data = follower.status()
    assert (data["live"], data["warnings"], data["token"]["problem"]) == (True, [], None)
    assert data["token"]["expires_at_s"] == follower.ms(5 * HOUR_S) / 1000
    store = data["store"]
    assert (store["follows"], store["unit"], store["published_at_s"]) == (True, FOLLOW, None)
    assert [(x["host"], x["used"]) for x in store["records"]] == [("beta", True), ("gamma", False)]
    found = rows(follower)
    assert found["Follows"] == [f"{FOLLOW} is running"]
    assert found["Token"][0].partition("  ")[2].startswith("4 h 59 min left")
    assert not found.keys() & {"To do", "Next run", "Login", "Renewed"}


def test_token_of_a_record_that_is_gone_is_live_as_the_log_says(follower: HostProject) -> None:
    for file in store_of(follower).iterdir():
        file.unlink()
    data = follower.status()
    assert (data["live"], data["token"]["expires_at_s"]) == (True, follower.ms(5 * HOUR_S) / 1000)
    assert rows(follower)["Store"][1:] == ["no records"]
    # A token that a person has put there is not known to be live.
    follower.deliver("sk-ant-oat01-made-up-by-hand")
    os.utime(follower.dotenv, (follower.now_s, follower.now_s))
    assert not follower.status()["live"]


def test_bearer_file_of_a_follower(follower: HostProject) -> None:
    bearer = follower.project / "bearer.json"
    text = (
        f'{{"claudeAiOauth":{{"accessToken":"{OTHER}","expiresAt":{follower.ms(5 * HOUR_S)}}}}}\n'
    )
    bearer.write_text(text, encoding="utf-8")
    with (follower.project / CONF).open("a") as conf:
        conf.write("OAUTHKIT_BEARER=bearer.json\n")
    data = follower.status()
    assert (data["live"], data["bearer"]["carries_token"]) == (True, True)
    assert examined(follower)[1] == {}
    bearer.write_text(text.replace(OTHER, TOKEN), encoding="utf-8")
    assert not follower.status()["live"]
    assert examined(follower)[1] == {"bearer file": "it does not have the store's token"}


def test_follower_with_a_repeated_token(follower: HostProject) -> None:
    line = follower.dotenv.read_text("utf-8")
    follower.dotenv.write_text(line * 2, "utf-8")
    doctor = command("doctor", follower.project)
    text = ".env sets CLAUDE_CODE_OAUTH_TOKEN more than once"
    assert follower.status()["warnings"] == [f"{text}. To see the fix, run: {doctor}"]


def expired(host: HostProject) -> None:
    for name in ("beta", "gamma"):
        publish(host, name, 60)
    host.dotenv.unlink()


# What a follower's status says, and doctor's failed checks.
PROBLEMS: dict[str, tuple[Callable[[HostProject], object], str, set[str]]] = {
    "no unit": (
        lambda h: following(h, follow=NOT_FOUND), "no service follows the store", {"follower"},
    ),
    "failed": (lambda h: following(h, following="failed failed"), "is not running", {"follower"}),
    "restarting": (
        lambda h: following(h, following="activating auto-restart"), "is not running", {"follower"},
    ),
    "another project's": (
        lambda h: following(h, follow=shown(f"bash {h.project}2/scripts/oauth/follow.sh", h.bin)),
        "no service follows the store", {"follower"},
    ),
    "no .env": (lambda h: h.dotenv.unlink(), ".env does not have a token from the store", {".env"}),
    "no usable record": (
        expired, "the store has no record of a live token", {"records", ".env"},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("change", "text", "checks"), PROBLEMS.values(), ids=PROBLEMS)
def test_problem_of_a_follower(
    follower: HostProject, change: Callable[[HostProject], object], text: str, checks: set[str]
) -> None:
    change(follower)
    (warning,) = follower.status()["warnings"]
    assert text in warning
    assert examined(follower)[1].keys() == checks


def test_missing_store_with_a_live_token(follower: HostProject) -> None:
    without_store(follower)
    data = follower.status()
    assert data["live"]
    assert (
        data["store"]["problem"]
        == f"the store {store_of(follower)} is not a directory. Create or mount it"
    )
    assert rows(follower)["Store"] == [data["store"]["problem"]]


def test_publisher_that_has_not_published(publisher: HostProject) -> None:
    publish(publisher, "alpha")
    (warning,) = publisher.status()["warnings"]
    assert warning.startswith("the store does not have this host's token. ")


def test_missing_login_of_a_publisher_is_reported(publisher: HostProject) -> None:
    """A host with the units of install is not a follower."""
    unit = write_unit(publisher, f"{UNIT}-heal.timer")
    publisher.credentials.unlink()
    data = publisher.status()
    assert (data["store"]["follows"], data["live"]) == (False, False)
    assert "login" in examined(publisher)[1]
    write_unit(publisher, unit.name, publisher.home)  # another project's
    assert publisher.status()["store"]["follows"]


def test_follower_by_its_unit_although_there_is_a_login(follower: HostProject) -> None:
    follower.login(token="sk-ant-oat01-made-up-unused")
    assert not follower.status()["store"]["follows"]
    write_unit(follower, FOLLOW)
    data = follower.status()
    assert (data["store"]["follows"], data["live"]) == (True, True)


def test_metrics_of_the_store(follower: HostProject) -> None:
    publish(follower, "delta", issued_s=HOUR_S)
    text = follower.run("status", "--prometheus", "-").stdout
    label = f'{{project="{follower.project}"}}'
    assert f"oauthkit_store_reachable{label} 1.0\n" in text
    assert f"oauthkit_store_usable_records{label} 2.0\n" in text
    assert "oauthkit_store_published_seconds" not in text
    without_store(follower)
    text = follower.run("status", "--prometheus", "-").stdout
    assert f"oauthkit_store_reachable{label} 0.0\n" in text


def test_crontab_line_is_enough_for_a_follower(follower: HostProject) -> None:
    line = f"*/4 * * * * bash {quoted(follower.project)}/scripts/oauth/refresh.sh --ensure"
    follower.program("crontab", f'#!/bin/sh\necho "{line}"\n')
    following(follower, follow=NOT_FOUND)
    assert follower.status()["warnings"] == []
    assert rows(follower)["Follows"] == ["by a crontab line"]
    assert examined(follower)[1] == {}
    (follower.bin / "claude").unlink()
    (follower.bin / "systemctl").unlink()
    assert examined(follower)[1] == {}


def test_follower_that_is_not_a_unit(follower: HostProject) -> None:
    text = f"{follower.dotenv} already has this token (expires_at={follower.ms(5 * HOUR_S)})"
    following(follower, follow=NOT_FOUND)
    follower.lines((-700, text))
    os.utime(follower.dotenv, (follower.now_s - 700,) * 2)
    assert len(follower.status()["warnings"]) == 1
    assert examined(follower)[1].keys() == {"follower"}
    follower.lines((-500, text))
    assert follower.status()["warnings"] == []
    assert examined(follower)[1] == {}
    (follower.bin / "systemctl").unlink()
    assert follower.status()["warnings"] == []
    assert rows(follower)["Follows"] == [
        "something other than a unit read the store in the last 10 min"
    ]
    assert examined(follower)[1] == {}


# --- Encrypted records ---


def test_encrypted_record_of_a_publisher(publisher: HostProject, identity: Path) -> None:
    recipients = publisher.home / "keys.txt"
    recipients.write_text(recipient_in(identity) + "\n", encoding="utf-8")
    conf(publisher, f"OAUTHKIT_STORE_RECIPIENTS={recipients}\n")
    expires_at_ms = json.loads(publisher.credentials.read_text("utf-8"))["claudeAiOauth"][
        "expiresAt"
    ]
    own = publish(publisher, "alpha", token=TOKEN, expires_at_ms=expires_at_ms)
    encrypt_record(own, recipient_in(identity))
    assert rows(publisher)["Store"][2:] == ["alpha: 4 h 59 min left, encrypted"]
    publisher.deliver("")
    assert publisher.status()["store"]["records"][0]["used"] is False
    publisher.deliver(TOKEN)
    data = publisher.status()
    (record,) = data["store"]["records"]
    assert (data["warnings"], record["encrypted"], record["used"]) == ([], True, False)
    assert examined(publisher)[1] == {}
    encrypt_record(publish(publisher, "alpha", 4 * HOUR_S, TOKEN), recipient_in(identity))
    assert len(publisher.status()["warnings"]) == 1
    assert examined(publisher)[1].keys() == {"published"}
    recipients.unlink()
    assert examined(publisher)[1]["store"] == f"OAUTHKIT_STORE_RECIPIENTS: {recipients} not found"


def test_encrypted_record_of_a_follower(decrypting: HostProject) -> None:
    data = decrypting.status()
    (record,) = data["store"]["records"]
    assert (data["live"], data["warnings"]) == (True, [])
    assert (record["encrypted"], record["used"]) == (True, True)
    assert rows(decrypting)["Store"][1:] == ["beta: 4 h 59 min left, encrypted, in .env"]
    assert examined(decrypting)[1] == {}


def test_follower_whose_store_has_only_expiring_records(follower: HostProject) -> None:
    publish(follower, "beta", 60)
    publish(follower, "gamma", -60)
    doctor = command("doctor", follower.project)
    said = f"the store has no record of a live token. To see the fix, run: {doctor}"
    assert follower.status()["warnings"] == [said]
