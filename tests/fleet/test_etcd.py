"""etcd as the store, in both forms, with a stand-in for etcdctl."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from tests.support.refresh.stand_ins import etcdctl
from tests.support.refresh.world import LOG

if TYPE_CHECKING:
    from tests.support.refresh.world import Parity, RefreshRun

    from oauthkit.parity.stand_ins import StandIn

HOUR_S = 3600
STORE = "etcd:https://a:2379,https://[::1]:2379/agents/oauth"
PREFIX = "agents/oauth/"
LEASE = "694d77aa9e38260f"
REVISION = "logs/oauth-refresh.revision"
TOKEN = "sk-ant-oat01-made-up-old"
# The limit for both forms together.
LIMIT_S = 20


def etcd(parity: Parity, store: str = STORE) -> StandIn:
    parity.env["OAUTHKIT_STORE"] = store
    return parity.stand_in("etcdctl", etcdctl, always="serves")


def record_of(parity: Parity, name: str, left_s: int = HOUR_S, **changes: Any) -> bytes:
    """Return the record of a host whose token has this much time left."""
    return (
        json.dumps(
            {
                "version": 1,
                "host": name,
                "issued_at_ms": parity.now_s * 1000,
                "access_token": f"sk-ant-oat01-made-up-{name}",
                "expires_at_ms": (parity.now_s + left_s) * 1000,
                "scopes": ["user:inference", "user:profile"],
                "subscription_type": "max",
                **changes,
            },
            separators=(",", ":"),
        )
        + "\n"
    ).encode()


def run_form(parity: Parity, *arguments: str, exit_code: int = 0) -> RefreshRun:
    """Run the program. Check that no call has a token in its arguments or environment."""
    parity.delete(LOG)
    run = parity.run(*arguments)
    assert (run.exit_code, run.stdout) == (exit_code, "")
    assert "sk-ant" not in run.stderr
    for call in run.all_calls:
        assert "sk-ant" not in f"{call.argv} {call.env}"
    return run


# --- Publish -------------------------------------------------------------------------------------


def test_record_is_put_with_a_lease_until_its_token_expires(publisher: Parity) -> None:
    etcd(publisher)
    run = run_form(publisher)
    key = f"{PREFIX}alpha"
    assert run.stderr == ""
    assert run.calls("etcdctl") == [
        ["get", "--write-out=simple", "--print-value-only", "--", key],
        ["lease", "grant", "--write-out=simple", str(8 * HOUR_S)],
        ["put", f"--lease={LEASE}", "--", key],
    ]
    put = run.call("etcdctl", 2)
    assert put.env["ETCDCTL_ENDPOINTS"] == "https://a:2379,https://[::1]:2379"
    assert put.stdin == record_of(publisher, "alpha", 8 * HOUR_S, access_token=TOKEN).rstrip()
    assert run.touched == []


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_current_record_is_not_put_again(publisher: Parity, end: bytes) -> None:
    record = record_of(publisher, "alpha", 8 * HOUR_S, access_token=TOKEN).rstrip() + end
    etcd(publisher).always.serves(records={f"{PREFIX}alpha": record})
    assert len(run_form(publisher).calls("etcdctl")) == 1


def test_warnings_before_the_record_are_ignored(publisher: Parity) -> None:
    record = record_of(publisher, "alpha", 8 * HOUR_S, access_token=TOKEN).rstrip()
    stand_in = etcd(publisher)
    stand_in.always.serves(records={f"{PREFIX}alpha": record}, warning=b"a warning\n")
    assert len(run_form(publisher).calls("etcdctl")) == 1


@pytest.mark.parametrize("record", [b"", b"x", b'{"version":1}\n'])
def test_other_record_is_replaced(publisher: Parity, record: bytes) -> None:
    etcd(publisher).always.serves(records={f"{PREFIX}alpha": record})
    assert len(run_form(publisher).calls("etcdctl")) == 3


@pytest.mark.parametrize("request_number", [0, 1, 2])
def test_failed_request_is_an_error(publisher: Parity, request_number: int) -> None:
    stand_in = etcd(publisher)
    for _ in range(request_number):
        stand_in.serves()
    errors = b'{"level":"warn"}\nError: context deadline exceeded\n'
    stand_in.fails(stderr=errors)
    run = run_form(publisher, exit_code=1)
    command = ("get", "lease grant", "put")[request_number]
    assert run.stderr == (
        f"oauthkit: etcdctl {command} failed (exit 1): context deadline exceeded\n"
    )
    assert len(run.calls("etcdctl")) == request_number + 1


@pytest.mark.parametrize("printed", [b"", b"x\n", b"lease \n", b"lease $(id) granted\n"])
def test_lease_without_an_id_is_an_error(publisher: Parity, printed: bytes) -> None:
    stand_in = etcd(publisher)
    stand_in.serves()
    stand_in.prints(printed)
    run = run_form(publisher, exit_code=1)
    assert run.stderr == "oauthkit: etcdctl lease grant did not print a lease ID\n"


def test_publish_without_etcdctl(publisher: Parity) -> None:
    publisher.env["OAUTHKIT_STORE"] = STORE
    run = run_form(publisher, exit_code=1)
    assert run.stderr == "oauthkit: etcdctl not found in PATH\n"


@pytest.mark.parametrize(
    "store",
    ["etcd:", "etcd:a:2379/b", "etcd:http://a:2379", "etcd:http://a/b c", "etcd:http://a/b;c"],
)
def test_wrong_url(publisher: Parity, store: str) -> None:
    etcd(publisher, store)
    run = run_form(publisher, exit_code=1)
    problem = f"OAUTHKIT_STORE is {store}. It must be etcd:https://HOST:PORT/PREFIX"
    assert run.stderr == f"oauthkit: {problem}\n"
    assert run.calls("etcdctl") == []


def test_settings_of_etcdctl_are_in_refresh_conf(publisher: Parity) -> None:
    etcd(publisher)
    publisher.file("scripts/oauth/refresh.conf", "ETCDCTL_CACERT=ca.crt\nETCDCTL_KEY=/etc/key\n")
    env = run_form(publisher).call("etcdctl").env
    assert env["ETCDCTL_CACERT"] == f"{publisher.project}/ca.crt"
    assert env["ETCDCTL_KEY"] == "/etc/key"


# --- Follow --------------------------------------------------------------------------------------


def test_live_token_is_delivered(follower: Parity) -> None:
    records = {
        f"{PREFIX}a": record_of(follower, "a"),
        f"{PREFIX}b": record_of(follower, "b", 2 * HOUR_S),
        "agents/oauth-2/c": record_of(follower, "c", 3 * HOUR_S),
    }
    etcd(follower).always.serves(records=records)
    run = run_form(follower, "--once")
    assert run.dotenv == "CLAUDE_CODE_OAUTH_TOKEN=sk-ant-oat01-made-up-b\n"
    assert run.calls("etcdctl") == [["get", "--prefix", "--write-out=json", "--", PREFIX]]
    assert run.files[REVISION].content == b"7"
    assert run.messages == [f"Updated .env with token (expires_at={follower.now_s + 7200}000)"]
    assert run_form(follower, "--once").touched == [LOG]


def test_warnings_before_the_answer_are_ignored(follower: Parity) -> None:
    warnings = b'text\n{"level":"warn","msg":"retrying"}\n[]\n7\n'
    records = {f"{PREFIX}a": record_of(follower, "a")}
    etcd(follower).always.serves(records=records, warning=warnings)
    assert run_form(follower, "--once").dotenv is not None


def test_store_without_records(follower: Parity) -> None:
    etcd(follower)
    run = run_form(follower, "--once", exit_code=1)
    assert run.messages == [f"ERROR: {STORE} has no record of a live token"]


@pytest.mark.parametrize(
    ("key", "record", "problem"),
    [
        ("b", b"", "the record of b is empty"),
        ("b", b"x", "the record of b is not a JSON object"),
        ("b", b"\xff\x00", "the record of b is not a JSON object"),
        ("b", b"x" * 65 * 1024, "the record of b is larger than 64 KiB"),
        ("b", b"x" * 2 * 1024 * 1024, "the record of b is larger than 64 KiB"),
        ("", b"x", 'the record of "" has an invalid name'),
        ("b/c", b"x", 'the record of "b/c" has an invalid name'),
        ("b\nc\n", b"x", 'the record of "b\\nc\\n" has an invalid name'),
        ("\x1b[1m", b"x", 'the record of "\\u001b[1m" has an invalid name'),
        ("$(id)", b"x", 'the record of "$(id)" has an invalid name'),
        ("b", {"host": "a"}, "the record of b is for another host"),
    ],
)
def test_damaged_record_is_reported(
    follower: Parity, key: str, record: bytes | dict[str, Any], problem: str
) -> None:
    if isinstance(record, dict):
        record = record_of(follower, "b", 2 * HOUR_S, **record)
    records = {f"{PREFIX}a": record_of(follower, "a"), PREFIX + key: record}
    etcd(follower).always.serves(records=records)
    run = run_form(follower, "--once")
    assert run.dotenv == "CLAUDE_CODE_OAUTH_TOKEN=sk-ant-oat01-made-up-a\n"
    assert run.messages[0] == f"ERROR: {problem} and is ignored"


@pytest.mark.parametrize(
    ("printed", "status", "problem"),
    [
        (b"Error: context deadline exceeded\n", 1,
         "etcdctl get failed (exit 1): context deadline exceeded"),
        (b"Error: etcdserver: permission denied\n", 1,
         "etcdctl get failed (exit 1): etcdserver: permission denied"),
        (b"", 5, "etcdctl get failed (exit 5): "),
        (b"", 0, "the records in {} cannot be read (jq exit 0)"),
        (b"garbage\0\x1b[1m\n", 0, "the records in {} cannot be read (jq exit 0)"),
        (b'{"kvs":[]}\n', 0, "the records in {} cannot be read (jq exit 0)"),
        (b'{"header":{"revision":7},"kvs":{"key":7}}\n', 0,
         "the records in {} cannot be read (jq exit 5)"),
    ],
)  # fmt: skip
def test_last_token_is_kept_while_etcd_fails(
    follower: Parity, printed: bytes, status: int, problem: str
) -> None:
    stand_in = etcd(follower)
    stand_in.always.serves(records={f"{PREFIX}a": record_of(follower, "a")})
    run_form(follower, "--once")
    stand_in.always.exits(status, printed)
    dotenv = "CLAUDE_CODE_OAUTH_TOKEN=sk-ant-oat01-made-up-a\n"
    expiry_ms = (follower.now_s + HOUR_S) * 1000
    run = run_form(follower, "--once")
    assert run.dotenv == dotenv
    shown = problem.format(STORE)
    assert run.messages == [
        f"WARN: {shown}. The token in .env is still live (expires_at={expiry_ms})"
    ]
    assert run_form(follower, "--once").messages == []
    follower.set_clock(follower.now_s + HOUR_S)
    assert run_form(follower, "--once", exit_code=1).messages == [f"ERROR: {shown}"]


@pytest.mark.parametrize("text", [b"x", b"\xc3\x80", b"sk-ant-a b"], ids=["x", "UTF-8", "token"])
def test_long_error_of_etcdctl_takes_linear_time(follower: Parity, text: bytes) -> None:
    """Its last line has 300 kB. Quadratic time would be more than a minute."""
    etcd(follower).always.exits(1, b"Error: " + text * (300_000 // len(text)))
    follower.stand_in("failed", place="scripts/oauth/hooks/failed").always.exits(0)
    start_s = time.monotonic()
    run = follower.run("--once")
    assert time.monotonic() - start_s < LIMIT_S
    problem = "etcdctl get failed (exit 1): its error has more than 4096 characters"
    assert run.messages == [f"ERROR: {problem}", "Hook 'failed' succeeded"]
    assert run.call("failed").env["OAUTHKIT_REASON"] == problem


def test_hook_gets_no_token_in_the_reason(follower: Parity) -> None:
    etcd(follower).always.exits(1, f"Error: no \x1b[31m{TOKEN}\n".encode())
    follower.stand_in("failed", place="scripts/oauth/hooks/failed").always.exits(0)
    run = follower.run("--once")
    assert TOKEN not in f"{run.stderr} {run.log}"
    reason = "etcdctl get failed (exit 1): no [31msk-ant-***"
    assert run.call("failed").env["OAUTHKIT_REASON"] == reason


def test_long_error_of_etcdctl_is_not_printed(publisher: Parity) -> None:
    etcd(publisher).fails(stderr=b"Error: " + b"\xc2\x85" * 50_000)
    run = run_form(publisher, exit_code=1)
    problem = "etcdctl get failed (exit 1): its error has more than 4096 characters"
    assert run.stderr == f"oauthkit: {problem}\n"


def test_token_in_an_error_of_etcdctl_is_masked(publisher: Parity) -> None:
    """A server may repeat the record that it rejects."""
    token = "made-up-token-of-another-kind"
    publisher.credentials(token)
    stand_in = etcd(publisher)
    stand_in.serves()
    stand_in.serves()
    stand_in.fails(stderr=f"Error: rejected {token[:9]}\x1b{token[9:]} {TOKEN}\n".encode())
    run = publisher.run()
    problem = "etcdctl put failed (exit 1): rejected *** sk-ant-***"
    assert (run.exit_code, run.stderr) == (1, f"oauthkit: {problem}\n")


START = b'{"version":1,"host":"alpha","issued_at_ms":'


@pytest.mark.parametrize("value", [b"x", b'"issued_at_ms":', START], ids=["x", "key", "start"])
def test_large_value_of_another_writer_is_replaced(publisher: Parity, value: bytes) -> None:
    """A publisher reads the old record first. The refresh kills it after 10 s."""
    record = value * (1_400_000 // len(value))
    etcd(publisher).always.serves(records={f"{PREFIX}alpha": record})
    start_s = time.monotonic()
    assert len(run_form(publisher).calls("etcdctl")) == 3
    assert time.monotonic() - start_s < LIMIT_S


def test_etcdctl_that_hangs_is_an_error(follower: Parity) -> None:
    etcd(follower).always.hangs()
    follower.shortens_time_limits()
    run = run_form(follower, "--once", exit_code=1)
    assert run.messages == ["ERROR: etcdctl get was stopped after 30 s"]


def test_follow_without_etcdctl(follower: Parity) -> None:
    follower.env["OAUTHKIT_STORE"] = STORE
    run = run_form(follower, "--once", exit_code=1)
    assert run.messages == ["ERROR: etcdctl not found in PATH"]


def test_thousand_records(follower: Parity) -> None:
    records = {
        f"{PREFIX}host-{number}": record_of(follower, f"host-{number}", HOUR_S + number)
        for number in range(1000)
    }
    etcd(follower).always.serves(records=records)
    run = run_form(follower, "--once")
    assert run.dotenv == "CLAUDE_CODE_OAUTH_TOKEN=sk-ant-oat01-made-up-host-999\n"


def test_certificates_are_kept_for_the_timer(refresher: Parity) -> None:
    etcd(refresher)
    refresher.env["ETCDCTL_CERT"] = f"{refresher.home}/client.crt"
    run = run_form(refresher)
    timer = run.call("systemd-run").argv
    assert f"--setenv=ETCDCTL_CERT={refresher.home}/client.crt" in timer
    assert f"--setenv=OAUTHKIT_STORE={STORE}" in timer
    assert run.messages[-1].startswith("Scheduled next refresh at ")
