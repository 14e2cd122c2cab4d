"""alarm.sh and alarm.py do the same: the same calls, the same mail, the same files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import disk_stand_ins
import pytest

if TYPE_CHECKING:
    from oauthkit.parity import MakePair, Pair, Run

DAY_S = 86400


@pytest.fixture
def parity(make_pair: MakePair) -> Pair[Run]:
    pair = make_pair("alarm.sh", "alarm.py", tools=["rm"])
    pair.stand_in("df", disk_stand_ins)
    pair.stand_in("mail")
    return pair


def test_no_mail_without_a_full_disk(parity: Pair[Run]) -> None:
    parity.stand_in("df").shows({"/": "89%", "/home": "9%", "/proc": "-"})
    run = parity.run()
    assert run.exit_code == 0
    assert run.calls("df") == [["--output=pcent,target", "--exclude-type=tmpfs"]]
    assert run.touched == []  # no mail is planned, so one would fail the test


def test_full_disk_is_mailed(parity: Pair[Run]) -> None:
    parity.stand_in("df").shows({"/": "90%", "/home": "40%", "/mnt/a  \\b": "100%"})
    parity.stand_in("mail").exits(0)
    run = parity.run()
    assert run.calls("mail") == [["-s", "Disk alarm: 90% or more", "root"]]
    assert run.call("mail").stdin == b"90% /\n100% /mnt/a  \\b\n"
    state = run.files["~/.disk-alarm"]
    assert state.content == b"%d\n90%% /\n100%% /mnt/a  \\b\n" % parity.now_s
    assert state.mode == 0o600


def test_next_mail_after_a_day(parity: Pair[Run]) -> None:
    parity.stand_in("df").always.shows({"/": "95%"})
    parity.stand_in("mail").exits(0)
    parity.run()
    parity.set_clock(parity.now_s + DAY_S - 1)
    assert parity.run().calls("mail") == []
    parity.set_clock(parity.now_s + 1)
    parity.stand_in("mail").exits(0)
    assert len(parity.run().calls("mail")) == 1


def test_second_full_disk_is_mailed_at_once(parity: Pair[Run]) -> None:
    parity.file("~/.disk-alarm", f"{parity.now_s}\n95% /\n", mode=0o600)
    parity.stand_in("df").shows({"/": "95%", "/home": "99%"})
    parity.stand_in("mail").exits(0)
    assert parity.run().call("mail").stdin == b"95% /\n99% /home\n"


@pytest.mark.parametrize(
    "state", ["", "\n", "x\n95% /\n", "a[$(touch ~/x)]\n95% /\n", "9" * 20 + "\n95% /\n"]
)
def test_invalid_state_is_ignored(parity: Pair[Run], state: str) -> None:
    parity.file("~/.disk-alarm", state, mode=0o600)
    parity.stand_in("df").shows({"/": "95%"})
    parity.stand_in("mail").exits(0)
    run = parity.run()
    assert run.call("mail").stdin == b"95% /\n"
    assert run.files["~/.disk-alarm"].content == b"%d\n95%% /\n" % parity.now_s
    assert "~/x" not in run.files


def test_state_is_removed_when_space_is_free_again(parity: Pair[Run]) -> None:
    parity.file("~/.disk-alarm", f"{parity.now_s}\n95% /\n")
    parity.stand_in("df").shows({"/": "50%"})
    assert "~/.disk-alarm" not in parity.run().files


def test_failed_mail_is_sent_by_the_next_run(parity: Pair[Run]) -> None:
    parity.stand_in("df").always.shows({"/": "95%"})
    parity.stand_in("mail").fails(1, stderr="mail: no such user\n")
    run = parity.run()
    assert (run.exit_code, run.stderr) == (1, "mail: no such user\nalarm: mail failed\n")
    parity.stand_in("mail").exits(0)
    assert parity.run().exit_code == 0


@pytest.mark.parametrize("status", [1, 127])
def test_failing_df_is_reported(parity: Pair[Run], status: int) -> None:
    parity.stand_in("df").exits(status, stdout="99% /\n")
    run = parity.run()
    assert (run.exit_code, run.stderr) == (1, "alarm: df failed\n")


@pytest.mark.parametrize(("limit", "is_mailed"), [("50", True), ("51", False)])
def test_other_limit(parity: Pair[Run], limit: str, is_mailed: bool) -> None:
    parity.stand_in("df").shows({"/": "50%"})
    parity.stand_in("mail").exits(0).optional()
    assert bool(parity.run(limit).calls("mail")) == is_mailed


@pytest.mark.parametrize("arguments", [("0",), ("100",), ("",), ("9x",), ("90", "/")])
def test_usage_error(parity: Pair[Run], arguments: tuple[str, ...]) -> None:
    run = parity.run(*arguments)
    assert (run.exit_code, run.stderr, run.programs) == (2, "usage: alarm [PERCENT]\n", [])
