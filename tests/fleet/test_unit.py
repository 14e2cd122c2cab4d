"""Which record's token is delivered, compared with a model of the rules."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.refresh.fake_host import HOUR_MS, MINUTE_MS, NOW_MS

from oauthkit.program import credentials, directory, encryption, limits, store

if TYPE_CHECKING:
    from tests.support.refresh.fake_host import Host

# Around each limit of the rules.
LIVES_MS = st.sampled_from(
    [-1, 0, 5 * MINUTE_MS, 5 * MINUTE_MS + 1, 30 * MINUTE_MS, 30 * MINUTE_MS + 1, HOUR_MS]
)
ISSUED_MS = st.sampled_from([-HOUR_MS, 0, 5 * MINUTE_MS, 5 * MINUTE_MS + 1])


@dataclass(frozen=True)
class Record:
    host: str
    left_ms: int
    issued_in_ms: int
    token: str

    @property
    def lines(self) -> str:
        expiry, issued = NOW_MS + self.left_ms, NOW_MS + self.issued_in_ms
        return f"{self.host}\n{expiry}\n{issued}\n{self.token}\n{{}}"

    @property
    def counts(self) -> bool:
        """Return whether the token is live and the record is not from the future."""
        return self.left_ms > 5 * MINUTE_MS and self.issued_in_ms <= 5 * MINUTE_MS


def model(records: list[Record], current: str) -> str:
    """Return the token that the rules of docs/fleet.md select from sorted records."""
    live = [record for record in records if record.counts]
    kept = [
        record for record in live if record.token == current and record.left_ms > 30 * MINUTE_MS
    ]
    return (kept[-1:] or live[:1] or [Record("", 0, 0, "")])[0].token


def test_documented_limit_of_a_read() -> None:
    page = (Path(__file__).parents[2] / "docs/fleet.md").read_text("utf-8")
    assert f"| a read ends after {limits.READ_LIMIT_S} s, and then the store counts as" in page


RECORDS = st.lists(
    st.builds(
        Record,
        st.sampled_from(["a", "b", "c"]),
        LIVES_MS,
        ISSUED_MS,
        st.sampled_from(["first", "second", "third"]),
    ),
    max_size=4,
).map(lambda records: sorted(records, key=lambda record: (-record.left_ms, record.host)))


@pytest.mark.usefixtures("host")
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=1000
)
@given(RECORDS, st.sampled_from(["", "first", "second", "other"]))
def test_choice_follows_the_rules(records: list[Record], current: str) -> None:
    text = "\n".join(record.lines for record in records)
    login = store.choose_token(text, current, "")
    assert credentials.access_token(login) == model(records, current)
    if login:
        assert (*login.split("\n"),)[2:] == ("null", "{}")
        assert credentials.outlasts(credentials.expires_at(login), 5 * MINUTE_MS)


def test_errors_of_records_are_logged(host: Host) -> None:
    late = Record("b", HOUR_MS, 5 * MINUTE_MS + 1, "second")
    text = f"!the record of a is bad\n{late.lines}"
    assert store.choose_token(text, "", "") == ""
    assert host.lines() == [
        "ERROR: the record of a is bad and is ignored",
        "ERROR: the record of b was issued at 2026-01-02T03:09:05+00:00, but this host's time is"
        " 2026-01-02T03:04:05+00:00",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "dir:",
        "dir:a",
        "/a",
        "consul:http://a/b",
        "dir:/a/no",
        "etcd:",
        "etcd:a:2379/p",
        "etcd:http://a:2379",
        "etcd:http://a:2379/",
        "etcd:http://a:2379//",
        "etcd:http://a/b c",
        "etcd:http://a/b;c",
        "etcd:http://a b/c",
        "etcd:http:///b",
        "etcd:http://a,/b",
        "etcd:http://a,b:1/c",
        "etcd:[::1]:2379/p",
        "etcd:http://a/b//c",
        "etcd:http://-a/b",
        "etcd:http://a/-b",
        "etcd:http://a\\b/c",
        "etcd:http://a/b\nc",
        "etcd:http://https://a/b",
    ],
)
def test_wrong_store(host: Host, text: str) -> None:
    assert store.read_records(text)[0] != ""
    assert host.names() == []


# --- Encrypted records ---


@pytest.mark.parametrize(
    ("status", "printed", "error"),
    [
        (0, "age: error: x", ""),
        (127, "", "age not found in PATH"),
        (124, "", "age was stopped after 5 s"),
        (137, "", "age was stopped after 5 s"),
        (1, "", "age exit 1"),
        (1, "first\nsecond", "age exit 1"),  # it could be a part of the record
        (1, "text\nage: error: first\nage: report", "age exit 1: first"),
    ],
)
def test_error_of_age(status: int, printed: str, error: str) -> None:
    assert encryption.age_error(status, printed) == error


@pytest.mark.usefixtures("host")
def test_records_in_clear_text_and_errors_are_kept() -> None:
    text = "!an error\na\n7\n6\ntoken\n{}\n!another error\n"
    assert store.decrypt_records(text, "") == ("", text)
    assert store.decrypt_records(text.removesuffix("\n"), "") == ("", text)


@pytest.mark.usefixtures("host")
def test_encrypted_record_without_an_identity_is_an_error() -> None:
    assert store.decrypt_records("a\n7\n6\n\narmor", "") == (
        "",
        "!the record of a is encrypted (OAUTHKIT_STORE_IDENTITY is not set)\n",
    )


RECORD = (
    f'{{"version":1,"host":"a","issued_at_ms":{NOW_MS},'
    f'"access_token":"token","expires_at_ms":7,"scopes":[]}}\n'
)


@pytest.mark.usefixtures("host")
@pytest.mark.parametrize(
    ("old", "new", "is_current"),
    [
        ("", "", True),
        (',"scopes":[]', "", True),
        ("\n", "", True),
        ("}\n", "", False),
        ('"a"', '"b"', False),
        ('"token"', '"other"', False),
        (":7", ":8", False),
        (":7", ":77", False),
        (f"{NOW_MS}", f"{NOW_MS + 1000}", False),
        (f"{NOW_MS}", "x", False),
    ],
)
def test_current_record(old: str, new: str, *, is_current: bool) -> None:
    record = RECORD.replace(old, new) if old else RECORD
    assert store.is_current(record, "a", "token\n7\nnull\n{}", "") is is_current


def write_record(host: Host, taken: int) -> str:
    """Write a record when the first `taken` names for its temporary file exist."""
    file = host.path(host.root / "a.json")
    names = [host.root / f"a.json.oauthkit.{number}" for number in range(4)]
    for name in names[:taken]:
        name.write_text("other's", encoding="utf-8")
    new_names = iter(map(host.path, names))
    for builtin in ("own_temporary", "temporary_name"):
        host.monkeypatch.setattr(directory, builtin, lambda _: next(new_names))
    problem = directory.write_record(file, "{}")
    assert [name for name in names if name.exists()] == names[:taken]
    return problem


@pytest.mark.parametrize("taken", [0, 1, 2])
def test_temporary_name_in_use_is_replaced_twice(host: Host, taken: int) -> None:
    host.real("chmod", "sync", "mv")
    assert write_record(host, taken) == ""
    assert (host.root / "a.json").read_text("utf-8") == "{}\n"


def test_write_fails_after_three_used_names(host: Host) -> None:
    host.real("rm")
    assert write_record(host, 3) == f"{host.root}/a.json cannot be written"
    assert not (host.root / "a.json").exists()
