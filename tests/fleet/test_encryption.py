"""Records that are encrypted with age(1), in both forms: with the real age, and with stand-ins."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.support.refresh.stand_ins import etcdctl
from tests.support.refresh.world import LOG, REPOSITORY
from tests.support.system.age_keys import decrypt, encrypt, make_identity, require_age

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.refresh.world import Parity, RefreshRun

    from oauthkit.parity import Form

HOUR_S = 3600
TOKEN = "sk-ant-oat01-made-up-old"
RECORD = "~/store/alpha.json"
KEYS = "age1made-up\n"
ARMOR = "-----BEGIN AGE ENCRYPTED FILE-----\nbWFkZSB1cAo=\n-----END AGE ENCRYPTED FILE-----\n"
# The reason differs between versions of age.
UNDECRYPTABLE = r"cannot be decrypted \(age exit 1: [a-z].+\)"
HANGS = Path(__file__).with_name("hangs_in_child.sh")
# An identity file that is encrypted with a passphrase.
PROTECTED = """-----BEGIN AGE ENCRYPTED FILE-----
YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IHNjcnlwdCBuZElIZVB6SzI3UVdNZzFx
TmN2ODVRIDE4CkdVbkVyR3FWM2V4dFMrY0lPODMrQ2xNVU9raXYyaWt0Q084L2l2
M3ZNOGcKLS0tIFZOMFB5WG5tZTNucGFMaFFmNnBscnVaeW5MQ3N5VExPRGxGRG1X
Z1hjQ1EKN/6ERUwinb358B9PxZIrQHjxjDnClCN5J/AWNcpycsVFEC2BDOuLsEY8
6LGWVhlx8/mPeiW+XUSq/X37l0yD1XAXSvxkbqJiHcmsZo/I/wacw5euIlnf96+g
jGb44EaIpD80FUj1dspwGzO0ESxNdqNAuiPHgtsATqoqsy0M3y/QgHDpGJ9CqBC7
1oVoTLl6zVUPS8oQRBT0BGdXFQbfB3GBz2gsjHKyLDPGimr7y8y9h7u71P1sqcMb
EDjPxJIRpXmst97q9A93ZXWj5UhWnw6evSGHuR1e
-----END AGE ENCRYPTED FILE-----
"""


def token(name: str) -> str:
    return f"sk-ant-oat01-made-up-{name}"


def add_tools(parity: Parity, *names: str) -> None:
    for name in names:
        parity.tool(name, Path(str(shutil.which(name))))


# --- Publish -------------------------------------------------------------------------------------


@pytest.fixture
def encrypting(publisher: Parity) -> Parity:
    """The host alpha, which encrypts its record. A stand-in for age prints ARMOR."""
    with_recipients(publisher)
    return publisher


def with_recipients(parity: Parity) -> None:
    add_tools(parity, "setsid", "sha256sum")
    parity.stand_in("age").always.prints(ARMOR.encode())
    parity.file("~/keys.txt", KEYS)
    parity.env["OAUTHKIT_STORE_RECIPIENTS"] = f"{parity.home}/keys.txt"


def publish(parity: Parity, exit_code: int = 0, problem: str = "") -> RefreshRun:
    """Publish. Check that age gets no token in its arguments or environment."""
    run = parity.run()
    expected = f"oauthkit: {problem}\n" if problem else ""
    assert (run.exit_code, run.stdout, run.stderr) == (exit_code, "", expected)
    for call in run.all_calls:
        assert "sk-ant" not in f"{call.argv} {call.env}"
    return run


def clear_record(parity: Parity) -> dict[str, Any]:
    return {
        "version": 1,
        "host": "alpha",
        "issued_at_ms": parity.now_s * 1000,
        "access_token": TOKEN,
        "expires_at_ms": (parity.now_s + 8 * HOUR_S) * 1000,
        "scopes": ["user:inference", "user:profile"],
        "subscription_type": "max",
    }


def test_only_host_and_times_are_readable(encrypting: Parity) -> None:
    run = publish(encrypting)
    (call,) = [call for call in run.all_calls if call.program == "age"]
    assert call.argv == ["--armor", "-R", f"{encrypting.home}/keys.txt"]
    assert json.loads(call.stdin or b"") == clear_record(encrypting)
    assert run.touched == [RECORD]
    entry = run.files[RECORD]
    record = json.loads(entry.content)
    digest = record.pop("digest")
    expiry_ms = (encrypting.now_s + 8 * HOUR_S) * 1000
    assert (entry.mode, record) == (
        0o600,
        {
            "version": 1,
            "host": "alpha",
            "issued_at_ms": encrypting.now_s * 1000,
            "expires_at_ms": expiry_ms,
            "encrypted": ARMOR.rstrip("\n"),
        },
    )
    content = f'"expires_at_ms":{expiry_ms},"encrypted":{json.dumps(ARMOR.rstrip())}'
    assert digest == hashlib.sha256(f"{TOKEN}\n{expiry_ms}\n{KEYS}\n{content}".encode()).hexdigest()


def test_current_record_is_not_encrypted_again(encrypting: Parity) -> None:
    publish(encrypting)
    encrypting.set_clock(encrypting.now_s + 60)
    run = publish(encrypting)
    assert (run.touched, run.calls("age")) == ([], [])


def replace_in_record(old: bytes, new: bytes) -> Callable[[Parity, bytes], None]:
    def change(parity: Parity, content: bytes) -> None:
        assert old in content
        parity.file(RECORD, content.replace(old, new), 0o600)

    return change


OUTDATED: dict[str, Callable[[Parity, bytes], None]] = {
    "another recipient": lambda p, _: p.file("~/keys.txt", f"{KEYS}age1other\n"),
    "another token": lambda p, _: p.credentials("sk-ant-oat01-made-up-new"),
    "another expiry": lambda p, _: p.credentials(expires_in="9h"),
    "another text": replace_in_record(b"bWFk", b"bWFl"),
    "longer life": replace_in_record(b'"expires_at_ms":1', b'"expires_at_ms":2'),
    "another host's": replace_in_record(b'"alpha"', b'"beta"'),
    "from the future": replace_in_record(b'"issued_at_ms":1', b'"issued_at_ms":2'),
    "incomplete": replace_in_record(b"}", b""),
    "empty": lambda p, _: p.file(RECORD, ""),
}


@pytest.mark.parametrize("change", OUTDATED.values(), ids=OUTDATED)
def test_outdated_record_is_replaced(
    encrypting: Parity, change: Callable[[Parity, bytes], None]
) -> None:
    content = publish(encrypting).files[RECORD].content
    change(encrypting, content)
    run = publish(encrypting)
    assert len(run.calls("age")) == 1
    again = publish(encrypting)
    assert (again.touched, again.calls("age")) == ([], [])


def test_record_is_encrypted_once_there_are_recipients(encrypting: Parity) -> None:
    recipients = encrypting.env.pop("OAUTHKIT_STORE_RECIPIENTS")
    assert b"sk-ant" in publish(encrypting).files[RECORD].content
    encrypting.env["OAUTHKIT_STORE_RECIPIENTS"] = recipients
    assert b"sk-ant" not in publish(encrypting).files[RECORD].content
    del encrypting.env["OAUTHKIT_STORE_RECIPIENTS"]
    assert json.loads(publish(encrypting).files[RECORD].content) == clear_record(encrypting)


def test_warnings_of_age_are_not_in_the_record(encrypting: Parity) -> None:
    content = publish(encrypting).files[RECORD].content
    encrypting.delete(RECORD)
    encrypting.stand_in("age").always.exits(0, b"age: warning: text\n" + ARMOR.encode())
    assert publish(encrypting).files[RECORD].content == content


@pytest.mark.parametrize(
    ("printed", "status", "problem"),
    [
        (b"", 0, "age printed something else"),
        (b"garbage\0\x1b[1m\n", 0, "age printed something else"),
        (ARMOR[:-6].encode(), 0, "age printed something else"),
        (b"age: error: malformed recipient at line 1\nage: report it\n", 1,
         "age exit 1: malformed recipient at line 1"),
        (b'{"access_token":"sk-ant-oat01-made-up-old"}', 9, "age exit 9"),
    ],
)  # fmt: skip
def test_age_that_fails_publishes_nothing(
    encrypting: Parity, printed: bytes, status: int, problem: str
) -> None:
    encrypting.stand_in("age").always.exits(status, printed)
    shown = f"the record cannot be encrypted ({problem})"
    assert publish(encrypting, 1, shown).touched == []


def test_record_that_followers_would_ignore_is_not_published(encrypting: Parity) -> None:
    """With 600 recipients, age prints about 80 KB."""
    content = publish(encrypting).files[RECORD].content
    body = ARMOR.encode().replace(b"bWFk", b"bWFk" + (64 * 1024 - len(content)) * b"A")
    for size, problem in (
        (64 * 1024, ""),
        (64 * 1024 + 1, "the record is larger than 64 KiB, and followers would ignore it. Use fewer"
         " recipients"),
    ):  # fmt: skip
        encrypting.delete(RECORD)
        encrypting.stand_in("age").always.prints(body)
        run = publish(encrypting, int(problem != ""), problem)
        if problem:
            assert RECORD not in run.files
        else:
            assert len(run.files[RECORD].content) == size
        body = body.replace(b"bWFk", b"bWFkA")


def test_missing_age(encrypting: Parity) -> None:
    encrypting.remove("age")
    assert (
        publish(encrypting, 1, "the record cannot be encrypted (age not found in PATH)").touched
        == []
    )


def test_age_that_hangs(encrypting: Parity) -> None:
    encrypting.stand_in("age").always.hangs()
    encrypting.shortens_time_limits()
    assert (
        publish(encrypting, 1, "the record cannot be encrypted (age was stopped after 5 s)").touched
        == []
    )


@pytest.mark.parametrize(
    ("prepare", "problem"),
    [
        (lambda p: p.delete("~/keys.txt"), "not found"),
        (lambda p: p.file("~/keys.txt", ""), "is empty"),
        (lambda p: p.file("~/keys.txt", "a\0b"), "cannot be read"),
        (lambda p: p.directory("~/keys.txt"), "cannot be read"),
    ],
)
def test_recipients_that_cannot_be_read(
    publisher: Parity, prepare: Callable[[Parity], None], problem: str
) -> None:
    publish(publisher)  # in clear text
    with_recipients(publisher)
    publisher.delete("~/keys.txt")
    prepare(publisher)
    file = f"{publisher.home}/keys.txt"
    run = publish(publisher, 1, f"OAUTHKIT_STORE_RECIPIENTS: {file} {problem}")
    assert (run.touched, run.calls("age")) == ([], [])


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("OAUTHKIT_STORE_RECIPIENTS=~/keys.txt", "quotes and ~ have no meaning here"),
        ("OAUTHKIT_STORE_RECIPIENTS=keys.txt # all", "it has $, a comment or extra spaces"),
        ("OAUTHKIT_STORE_RECIPIENT=keys.txt", "there is no such setting"),
        ("OAUTHKIT_STORE_RECIPIENTS=", "it has no value"),
    ],
)
def test_typo_in_the_settings_publishes_nothing_in_clear_text(
    encrypting: Parity, line: str, error: str
) -> None:
    encrypting.file("scripts/oauth/refresh.conf", f"{line}\n")
    conf = encrypting.project / "scripts/oauth/refresh.conf"
    run = encrypting.run()  # the environment has the recipients
    assert (run.exit_code, b"sk-ant" in run.files[RECORD].content) == (0, False)
    encrypting.delete(RECORD)
    del encrypting.env["OAUTHKIT_STORE_RECIPIENTS"]
    shown = "an error in refresh.conf may hide OAUTHKIT_STORE_RECIPIENTS. Fix refresh.conf"
    problem = f"{conf} line 1 is ignored: {error}\noauthkit: {shown}"
    assert publish(encrypting, 1, problem).touched == []


def test_record_in_etcd_is_encrypted(encrypting: Parity) -> None:
    encrypting.env["OAUTHKIT_STORE"] = "etcd:https://a:2379/fleet"
    stand_in = encrypting.stand_in("etcdctl", etcdctl, always="serves")
    record = publish(encrypting).call("etcdctl", 2).stdin or b""
    assert b'"encrypted":"' in record
    assert b"sk-ant" not in record
    stand_in.always.serves(records={"fleet/alpha": record})
    assert len(publish(encrypting).calls("etcdctl")) == 1


def test_record_without_a_digest_is_always_replaced(encrypting: Parity) -> None:
    encrypting.remove("sha256sum")
    for _ in range(2):
        run = publish(encrypting)
        assert len(run.calls("age")) == 1
        assert json.loads(run.files[RECORD].content)["digest"] == ""


@pytest.mark.parametrize("is_in_conf", [False, True])
def test_relative_path_of_the_recipients(encrypting: Parity, *, is_in_conf: bool) -> None:
    encrypting.file("keys.txt", KEYS)
    if is_in_conf:
        del encrypting.env["OAUTHKIT_STORE_RECIPIENTS"]
        conf = "OAUTHKIT_STORE_RECIPIENTS=keys.txt\n"
        encrypting.file("scripts/oauth/refresh.conf", conf)
        encrypting.set_cwd("scripts")
    else:
        encrypting.env["OAUTHKIT_STORE_RECIPIENTS"] = "keys.txt"
    assert publish(encrypting).call("age").argv[-1] == f"{encrypting.project}/keys.txt"


def test_settings_are_kept_for_the_timer(refresher: Parity) -> None:
    with_recipients(refresher)
    refresher.env["OAUTHKIT_STORE_IDENTITY"] = "/identity.txt"
    run = refresher.run()
    timer = run.call("systemd-run").argv
    assert f"--setenv=OAUTHKIT_STORE_RECIPIENTS={refresher.home}/keys.txt" in timer
    assert "--setenv=OAUTHKIT_STORE_IDENTITY=/identity.txt" in timer
    assert b'"encrypted":"' in run.files[RECORD].content


def test_failed_encryption_does_not_fail_the_refresh(refresher: Parity) -> None:
    with_recipients(refresher)
    refresher.file("scripts/oauth/refresh.conf", "OAUTHKIT_STORE_RECIPIENTS=no.txt\n")
    del refresher.env["OAUTHKIT_STORE_RECIPIENTS"]
    run = refresher.run()
    assert (run.exit_code, run.stderr) == (0, "")
    assert run.messages[-2:] == [
        f"publish: oauthkit: OAUTHKIT_STORE_RECIPIENTS: {refresher.project}/no.txt not found",
        "WARN: the token was not published (exit 1)",
    ]
    assert run.dotenv == f"CLAUDE_CODE_OAUTH_TOKEN={TOKEN}\n"


# --- Follow --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def key() -> tuple[str, str]:
    require_age()
    return make_identity()


@pytest.fixture
def decrypting(follower: Parity, key: tuple[str, str]) -> Parity:
    """A host without a login, which decrypts records with the real age."""
    add_tools(follower, "age", "setsid")
    follower.file("~/identity.txt", key[0], 0o600)
    follower.env["OAUTHKIT_STORE_IDENTITY"] = f"{follower.home}/identity.txt"
    return follower


def values_of(parity: Parity, name: str, left_s: int, **changes: Any) -> dict[str, Any]:
    return {
        "version": 1,
        "host": name,
        "issued_at_ms": parity.now_s * 1000,
        "access_token": token(name),
        "expires_at_ms": (parity.now_s + left_s) * 1000,
        **changes,
    }


def put(parity: Parity, name: str, values: dict[str, Any]) -> None:
    parity.file(f"~/store/{name}.json", json.dumps(values) + "\n", 0o600)


def put_encrypted(
    parity: Parity,
    name: str,
    recipient: str,
    left_s: int = HOUR_S,
    outside: dict[str, Any] | None = None,
    **changes: Any,
) -> None:
    """Write a record with an encrypted one in it. `outside` changes what can be read."""
    values = values_of(parity, name, left_s, **changes)
    shown = values_of(parity, name, left_s)
    del shown["access_token"]
    armor = encrypt(json.dumps(values), recipient)
    put(parity, name, {**shown, "encrypted": armor, **(outside or {})})


def follow(parity: Parity, exit_code: int = 0) -> RefreshRun:
    parity.delete(LOG)
    run = parity.run("--once")
    assert (run.exit_code, run.stdout, run.stray_stderr) == (exit_code, "", "")
    assert b"sk-ant" not in run.log.encode("utf-8", "surrogateescape")
    return run


def errors(run: RefreshRun) -> list[str]:
    return [line for line in run.messages if line.startswith("ERROR")]


def has(run: RefreshRun, host: str) -> None:
    assert run.dotenv == f"CLAUDE_CODE_OAUTH_TOKEN={token(host)}\n"


def test_encrypted_token_is_delivered(decrypting: Parity, key: tuple[str, str]) -> None:
    decrypting.directory("bearer")
    decrypting.env["OAUTHKIT_BEARER"] = f"{decrypting.project}/bearer/.credentials.json"
    put_encrypted(decrypting, "a", key[1], scopes=["user:inference"])
    put_encrypted(decrypting, "b", key[1], 2 * HOUR_S, scopes=["user:inference"])
    run = follow(decrypting)
    has(run, "b")
    assert errors(run) == []
    assert json.loads(run.files["bearer/.credentials.json"].content) == {
        "claudeAiOauth": {
            "accessToken": token("b"),
            "expiresAt": (decrypting.now_s + 2 * HOUR_S) * 1000,
            "scopes": ["user:inference"],
        }
    }
    put_encrypted(decrypting, "a", key[1], 8 * HOUR_S)
    has(follow(decrypting), "b")  # it has more than 30 min left


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("OAUTHKIT_STORE_IDENTITY=~/identity.txt", "quotes and ~ have no meaning here"),
        ("OAUTHKIT_STORE_IDENTTY=/identity.txt", "there is no such setting"),
        ("OAUTHKIT_STORE_IDENTITY=", "it has no value"),
    ],
)
def test_records_in_clear_text_are_ignored_after_a_typo_in_the_settings(
    decrypting: Parity, key: tuple[str, str], line: str, error: str
) -> None:
    put(decrypting, "clear", values_of(decrypting, "clear", 8 * HOUR_S))
    put_encrypted(decrypting, "a", key[1])
    decrypting.file("scripts/oauth/refresh.conf", f"{line}\n")
    conf = decrypting.project / "scripts/oauth/refresh.conf"
    warning = f"WARN: {conf} line 1 is ignored: {error}"
    run = follow(decrypting)  # the environment has the identity
    has(run, "a")
    assert run.messages[0] == warning
    del decrypting.env["OAUTHKIT_STORE_IDENTITY"]
    hidden = "an error in refresh.conf may hide OAUTHKIT_STORE_IDENTITY. Fix refresh.conf"
    expiry_ms = (decrypting.now_s + HOUR_S) * 1000
    run = follow(decrypting)
    has(run, "a")
    still = f"The token in .env is still live (expires_at={expiry_ms})"
    assert run.messages == [warning, f"WARN: {hidden}. {still}"]
    decrypting.delete(".env")
    run = follow(decrypting, 1)
    assert (run.messages, ".env" in run.files) == ([warning, f"ERROR: {hidden}"], False)


@pytest.mark.parametrize("is_in_conf", [False, True])
def test_relative_path_of_the_identity(
    decrypting: Parity, key: tuple[str, str], *, is_in_conf: bool
) -> None:
    put_encrypted(decrypting, "a", key[1])
    decrypting.file("identity.txt", key[0], 0o600)
    if is_in_conf:
        del decrypting.env["OAUTHKIT_STORE_IDENTITY"]
        decrypting.file("scripts/oauth/refresh.conf", "OAUTHKIT_STORE_IDENTITY=identity.txt\n")
        decrypting.set_cwd("scripts")
    else:
        decrypting.env["OAUTHKIT_STORE_IDENTITY"] = "identity.txt"
    has(follow(decrypting), "a")


def test_only_what_is_encrypted_counts(decrypting: Parity, key: tuple[str, str]) -> None:
    later = {"expires_at_ms": (decrypting.now_s + 9 * HOUR_S) * 1000}
    put_encrypted(decrypting, "a", key[1])
    put_encrypted(decrypting, "b", key[1], 300, later)
    put_encrypted(decrypting, "c", key[1], 2 * HOUR_S, host="b")
    put_encrypted(decrypting, "d", key[1], 2 * HOUR_S, {"access_token": token("e")}, version=2)
    issued_at_ms = (decrypting.now_s + HOUR_S) * 1000
    put_encrypted(decrypting, "f", key[1], 2 * HOUR_S, issued_at_ms=issued_at_ms)
    run = follow(decrypting)
    has(run, "a")
    assert [line.partition(", but")[0] for line in errors(run)] == [
        "ERROR: the record of c is for another host and is ignored",
        "ERROR: the record of d has an unsupported version and is ignored",
        "ERROR: the record of f was issued at 2026-01-02T04:04:05+00:00",
    ]


def test_encrypted_record_cannot_contain_another(decrypting: Parity, key: tuple[str, str]) -> None:
    put_encrypted(decrypting, "a", key[1], encrypted=ARMOR, access_token=None)
    run = follow(decrypting, 1)
    assert errors(run)[0] == "ERROR: the record of a has no valid access_token and is ignored"


@pytest.mark.parametrize(
    ("encrypted", "problem"),
    [
        (ARMOR, UNDECRYPTABLE),
        ("garbage\n", UNDECRYPTABLE),
        ("", "has no valid encrypted text"),
        (7, "has no valid encrypted text"),
        (False, "has no valid encrypted text"),
        ("a\0", "has no valid encrypted text"),
        ("a,b", "has no valid encrypted text"),
        ("\x1b[1m\na", "has no valid encrypted text"),
    ],
)  # fmt: skip
def test_record_that_is_not_decrypted_does_not_affect_others(
    decrypting: Parity, key: tuple[str, str], encrypted: Any, problem: str
) -> None:
    put_encrypted(decrypting, "a", key[1])
    values = values_of(decrypting, "b", 2 * HOUR_S)
    del values["access_token"]
    put(decrypting, "b", {**values, "encrypted": encrypted})
    run = follow(decrypting)
    has(run, "a")
    (error,) = errors(run)
    assert re.fullmatch(f"ERROR: the record of b {problem} and is ignored", error)


def test_record_for_other_hosts_is_ignored(decrypting: Parity, key: tuple[str, str]) -> None:
    put_encrypted(decrypting, "a", key[1])
    put_encrypted(decrypting, "b", make_identity()[1], 2 * HOUR_S)
    run = follow(decrypting)
    has(run, "a")
    (error,) = errors(run)
    assert re.fullmatch(f"ERROR: the record of b {UNDECRYPTABLE} and is ignored", error)


def test_record_in_clear_text_is_ignored_with_an_identity(
    decrypting: Parity, key: tuple[str, str]
) -> None:
    put_encrypted(decrypting, "a", key[1])
    put(decrypting, "b", values_of(decrypting, "b", 2 * HOUR_S))
    run = follow(decrypting)
    has(run, "a")
    assert errors(run) == [
        "ERROR: the record of b is not encrypted (OAUTHKIT_STORE_IDENTITY is set) and is ignored"
    ]


def test_encrypted_record_without_an_identity(decrypting: Parity, key: tuple[str, str]) -> None:
    del decrypting.env["OAUTHKIT_STORE_IDENTITY"]
    put(decrypting, "a", values_of(decrypting, "a", HOUR_S))
    put_encrypted(decrypting, "b", key[1], 2 * HOUR_S)
    run = follow(decrypting)
    has(run, "a")
    assert errors(run) == [
        "ERROR: the record of b is encrypted (OAUTHKIT_STORE_IDENTITY is not set) and is ignored"
    ]


def test_errors_do_not_fill_the_log(decrypting: Parity, key: tuple[str, str]) -> None:
    put_encrypted(decrypting, "a", key[1])
    for number in range(25):
        put(decrypting, f"b{number}", values_of(decrypting, f"b{number}", HOUR_S))
    run = follow(decrypting)
    has(run, "a")
    assert len(errors(run)) == 20


def in_terminal(form: Form) -> Form:
    """Return the form with a terminal of its own, where age could ask for a passphrase."""
    sh, script = str(shutil.which("sh")), str(shutil.which("script"))
    wrapper = [sh, "-c", f'exec {script} -E never -qec "$*" /dev/null', "sh"]
    return replace(form, argv=lambda world: [*wrapper, *form.argv(world)])


def test_age_does_not_ask_for_a_passphrase(decrypting: Parity, key: tuple[str, str]) -> None:
    put_encrypted(decrypting, "a", key[1])
    decrypting.file("~/identity.txt", PROTECTED, 0o600)
    decrypting.forms = {name: in_terminal(form) for name, form in decrypting.forms.items()}
    run = decrypting.run("--once")
    assert "passphrase for" not in run.stdout
    error = f"ERROR: the record of a {UNDECRYPTABLE} and is ignored"
    assert re.fullmatch(error, run.messages[0])
    assert "passphrase" in run.messages[0]


# What is wrong with age or the identity, and the follower's message.
UNUSABLE: dict[str, tuple[Callable[[Parity], None], str]] = {
    "no age": (
        lambda p: p.remove("age"), "age not found in PATH",
    ),
    "hanging age": (
        lambda p: p.tool("age", HANGS),
        "age was stopped after 5 s",
    ),
    "no identity": (
        lambda p: p.delete("~/identity.txt"),
        "OAUTHKIT_STORE_IDENTITY: {home}/identity.txt not found",
    ),
    "empty": (
        lambda p: p.file("~/identity.txt", "", 0o600),
        "OAUTHKIT_STORE_IDENTITY: {home}/identity.txt is empty",
    ),
    "directory": (
        lambda p: p.directory("~/identity.txt"),
        "OAUTHKIT_STORE_IDENTITY: {home}/identity.txt cannot be read",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("change", "problem"), UNUSABLE.values(), ids=UNUSABLE)
def test_last_token_stays_without_age_or_identity(
    decrypting: Parity,
    key: tuple[str, str],
    change: Callable[[Parity], None],
    problem: str,
) -> None:
    put_encrypted(decrypting, "a", key[1])
    put_encrypted(decrypting, "b", key[1])
    has(follow(decrypting), "a")
    decrypting.delete("~/identity.txt" if "identity.txt" in problem else "~/none")
    change(decrypting)
    decrypting.shortens_time_limits(3)
    run = follow(decrypting)
    has(run, "a")
    expiry_ms = (decrypting.now_s + HOUR_S) * 1000
    shown = problem.format(home=decrypting.home)
    assert run.messages == [
        f"WARN: {shown}. The token in .env is still live (expires_at={expiry_ms})"
    ]
    decrypting.set_clock(decrypting.now_s + HOUR_S)
    assert follow(decrypting, 1).messages == [f"ERROR: {shown}"]


def test_age_that_prints_garbage(decrypting: Parity, key: tuple[str, str]) -> None:
    put_encrypted(decrypting, "a", key[1])
    put_encrypted(decrypting, "b", key[1])
    decrypting.stand_in("age").always.prints(b'garbage\0\x1b[1m\n"$(id)"')
    run = follow(decrypting, 1)
    store = f"dir:{decrypting.home}/store"
    assert run.messages == [
        "ERROR: the record of a is not a JSON object and is ignored",
        "ERROR: the record of b is not a JSON object and is ignored",
        f"ERROR: {store} has no record of a live token",
    ]


def test_warnings_of_age_are_not_in_the_token(decrypting: Parity, key: tuple[str, str]) -> None:
    put_encrypted(decrypting, "a", key[1])
    record = json.dumps(values_of(decrypting, "a", HOUR_S))
    decrypting.stand_in("age").always.exits(0, f"age: warning: text\n{record}\n".encode())
    has(follow(decrypting), "a")


# --- Both, with the real age ---------------------------------------------------------------------


@pytest.mark.parametrize("form", ["bash", "python"])
def test_every_recipient_can_decrypt_the_record(
    publisher: Parity, tmp_path: Path, form: str
) -> None:
    """Each form runs alone, because age prints another text each time."""
    require_age()
    add_tools(publisher, "age", "setsid", "sha256sum")
    publisher.forms = {form: publisher.forms[form]}
    keys = [make_identity() for _ in range(2)]
    publisher.file("~/keys.txt", "".join(f"# a host\n{recipient}\n" for _, recipient in keys))
    publisher.env["OAUTHKIT_STORE_RECIPIENTS"] = f"{publisher.home}/keys.txt"
    record = json.loads(publish(publisher).files[RECORD].content)
    assert "sk-ant" not in str(record)
    for identity, _ in keys:
        file = tmp_path / "identity.txt"
        file.write_text(identity)
        assert json.loads(decrypt(record["encrypted"], file)) == clear_record(publisher)
    assert publish(publisher).touched == []


@pytest.mark.parametrize("line", ["age1made-up", "AGE-SECRET-KEY-1MADEUP"])
def test_wrong_recipient(publisher: Parity, line: str) -> None:
    require_age()
    add_tools(publisher, "age", "setsid", "sha256sum")
    publisher.file("~/keys.txt", f"{line}\n")
    publisher.env["OAUTHKIT_STORE_RECIPIENTS"] = f"{publisher.home}/keys.txt"
    run = publisher.run()
    assert (run.exit_code, run.touched) == (1, [])
    error = r"oauthkit: the record cannot be encrypted \(age exit 1: .*keys\.txt.*\)\n"
    assert re.fullmatch(error, run.stderr)


def commands_of_page() -> list[str]:
    """Return the blocks of commands in docs/fleet.md: for a follower, and for a publisher."""
    page = (REPOSITORY / "docs/fleet.md").read_text("utf-8")
    section = page.partition("\n## Encrypt the records\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"(?:^    .+\n)+", section, re.MULTILINE)
    return [block for block in blocks if "mkdir" in block]


def test_commands_of_the_page_work(tmp_path: Path) -> None:
    require_age()
    store = tmp_path / "store"
    store.mkdir(0o700)
    for host in ("alpha", "gamma"):
        scripts = tmp_path / host / "project/scripts/oauth"
        scripts.mkdir(parents=True)
        for name in ("publish.sh", "follow.sh"):
            shutil.copy(REPOSITORY / "scripts/oauth" / name, scripts)
        conf = f"OAUTHKIT_STORE=dir:{store}\nOAUTHKIT_HOST={host}\n"
        (scripts / "refresh.conf").write_text(conf, encoding="utf-8")
    login = {"accessToken": TOKEN, "expiresAt": (int(time.time()) + HOUR_S) * 1000}
    file = tmp_path / "alpha/.claude/.credentials.json"
    file.parent.mkdir()
    file.write_text(json.dumps({"claudeAiOauth": login}), encoding="utf-8")

    def run(host: str, commands: str) -> str:
        env = {"HOME": str(tmp_path / host), "PATH": os.environ["PATH"]}
        done = subprocess.run(
            ["bash", "-ec", commands], cwd=tmp_path / host / "project", env=env, check=True,
            capture_output=True, text=True,
        )  # fmt: skip
        return done.stdout + done.stderr

    for_follower, for_publisher = commands_of_page()
    key = re.search(r"Public key: (age1\w+)", run("gamma", for_follower))
    assert key is not None
    identity = tmp_path / "gamma/.config/oauthkit/identity.txt"
    assert identity.stat().st_mode & 0o777 == 0o600
    run("alpha", for_publisher.replace("age1…", key[1]))
    assert TOKEN not in (store / "alpha.json").read_text("utf-8")
    run("gamma", "bash scripts/oauth/follow.sh --once")
    dotenv = tmp_path / "gamma/project/.env"
    assert dotenv.read_text("utf-8") == f"CLAUDE_CODE_OAUTH_TOKEN={TOKEN}\n"
