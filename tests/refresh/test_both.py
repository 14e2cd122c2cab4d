"""A few whole refreshes: what the kit lets a scenario say."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from tests.support.refresh.world import UNIT

if TYPE_CHECKING:
    from tests.support.refresh.world import Parity

    from oauthkit.parity import Started, World

NOW = "2026-01-02T03:04:05+00:00"


def test_fresh_token_is_delivered(parity: Parity) -> None:
    parity.credentials(token="fresh", expires_in="8h")
    run = parity.run()
    assert (run.exit_code, run.stdout, run.stderr) == (0, "", "")
    assert run.dotenv == "CLAUDE_CODE_OAUTH_TOKEN=fresh\n"
    assert run.files[".env"].mode == 0o600
    assert run.programs == ["jq", "systemctl", "systemd-run"]
    assert run.log_lines[0] == (f"{NOW} Token still fresh (remaining_ms=28800000), syncing to .env")
    assert [timer.unit for timer in run.timers] == [UNIT]
    assert run.timers[0].when_s == parity.now_s + 8 * 3600 - 30 * 60


def test_expired_token_is_renewed(parity: Parity) -> None:
    parity.credentials(token="old", expires_in="-1h")
    parity.claude.renews(token="new", expires_in="8h")
    run = parity.run()
    assert run.exit_code == 0
    assert run.dotenv == "CLAUDE_CODE_OAUTH_TOKEN=new\n"
    assert run.calls("claude") == [["-p", "ok", "--no-session-persistence"]]
    assert run.call("claude").cwd == "/"
    assert run.call("claude").descriptors[0] == "/dev/null"


def test_missing_jq_arms_a_retry(parity: Parity) -> None:
    parity.credentials()
    parity.dotenv("A=1\n")
    parity.remove("jq")
    run = parity.run()
    assert run.exit_code == 1
    assert run.dotenv == "A=1\n"
    assert ".env" not in run.touched
    assert run.timers[0].when_s == parity.now_s + 300


def test_second_run_from_inside_the_service_takes_the_other_name(parity: Parity) -> None:
    parity.credentials(expires_in="8h")
    parity.run()
    parity.systemd.fires()
    parity.set_clock(parity.now_s + 7 * 3600)
    run = parity.run()
    assert [timer.unit for timer in run.timers] == [f"{UNIT}-alt"]
    assert run.log_lines[-1].startswith("2026-01-02T10:04:05+00:00 Scheduled next refresh at ")


def test_ensure_does_nothing_for_a_delivered_token(parity: Parity) -> None:
    parity.credentials(token="fresh")
    parity.dotenv("CLAUDE_CODE_OAUTH_TOKEN=fresh\n")
    run = parity.run("--ensure")
    assert run.exit_code == 0
    assert run.programs == ["jq"]
    assert run.touched == []


def test_odd_project_name_and_no_logs(parity: Parity) -> None:
    parity.rename(project="a $b 'c' \"d\" é")
    parity.missing_logs()
    parity.credentials()
    run = parity.run()
    assert run.exit_code == 0
    assert len(run.timers) == 1


def test_hanging_claude_is_ended_and_the_log_shows_on_a_terminal(parity: Parity) -> None:
    parity.credentials(expires_in="-1h")
    parity.shortens_time_limits(0.3)
    parity.claude.renews_nothing(stdout="sk-ant-oat01-secret is stale\n").then.hangs()
    run = parity.run(terminal=True)
    assert run.exit_code == 1
    assert "claude: sk-ant-*** is stale" in run.messages
    assert run.stderr.splitlines() == run.log_lines


def test_process_left_behind_delays_nothing(parity: Parity) -> None:
    parity.credentials(expires_in="-1h")
    parity.claude.leaves_child_behind(seconds=60).then.renews(token="new")
    run = parity.run()
    assert run.exit_code == 0
    assert not [d for d in run.call("claude").descriptors.values() if "oauth-refresh.lock" in d]


def test_unreadable_credentials_are_named(parity: Parity) -> None:
    parity.credentials(mode=0)
    run = parity.run()
    assert run.exit_code == 1
    assert f"ERROR: {parity.home}/.claude/.credentials.json is not readable" in run.messages


def test_killed_run_leaves_the_old_file(parity: Parity) -> None:
    parity.credentials(expires_in="-1h")
    parity.dotenv("CLAUDE_CODE_OAUTH_TOKEN=old\n")
    parity.claude.waits()

    def kill_while_it_renews(started: Started, _world: World) -> None:
        parity.wait_for_call("claude")
        started.send(signal.SIGKILL)
        parity.sign()

    run = parity.run(meanwhile=kill_while_it_renews)
    assert run.exit_code == -signal.SIGKILL
    assert run.dotenv == "CLAUDE_CODE_OAUTH_TOKEN=old\n"


def test_callers_at_the_same_moment_renew_once(parity: Parity) -> None:
    parity.credentials(token="old", expires_in="-1h")
    parity.claude.renews(token="new")
    started = [parity.spawn(form) for form in ("bash", "python") * 3]
    run = parity.settle()
    assert run.dotenv == "CLAUDE_CODE_OAUTH_TOKEN=new\n"
    assert len(run.calls("claude")) == 1
    assert {one.wait().exit_code for one in started} == {0}
