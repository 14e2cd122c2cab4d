"""The real Claude Code CLI, run by both forms against endpoints on loopback."""

from __future__ import annotations

import json
import re
import shlex
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from tests.support.refresh.small_disk import needs_mounts, wrapper
from tests.support.system.claude_loopback import (
    MESSAGES_PATH,
    TOKEN_HOSTS,
    TOKEN_PATH,
    Loopback,
    Pair,
    Plan,
)
from tests.support.system.claude_project import CURRENT, OLD, Project, Run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOGIN = Pair("sk-ant-oat01-made-up-first", "sk-ant-ort01-made-up-first")
RENEWED = Pair("sk-ant-oat01-made-up-second", "sk-ant-ort01-made-up-second")
DOTENV_BEFORE = "NAME=value\nCLAUDE_CODE_OAUTH_TOKEN=sk-ant-oat01-made-up-before\nOTHER=1"
DOTENV_RENEWED = f"NAME=value\nCLAUDE_CODE_OAUTH_TOKEN={RENEWED.access}\nOTHER=1"
SUCCESS = "Claude CLI refreshed token successfully"
RETRY_S = 300
# The exit status at the limit is 124, or 137 if claude did not finish within its grace period.
FAILED = r"claude CLI refresh failed \(exit {}\)\. User may need to run 'claude login'\."
# claude has 55 s and 5 s of grace. The rest is for all other steps on a busy machine.
LIMIT_S = 55 + 5 + 30
# A renewed token ends claude 5 s later. Without that, it would take 55 s.
RENEWED_LIMIT_S = 10
# Put the login $1 on a disk of 2 MiB, leave $2 bytes of it, and run the rest.
FULL_DISK = """
directory=${1%/*} login=$(cat "$1") && mount -t tmpfs -o size=2m tmpfs "$directory" || exit 98
printf %s "$login" >"$1" && ! head -c 3M /dev/zero >"$directory/full" 2>/dev/null || exit 98
truncate "--size=-$2" "$directory/full" || exit 98
shift 2
exec "$@"
"""


@pytest.fixture
def loopback(tmp_path: Path) -> Iterator[Loopback]:
    with Loopback(Plan(LOGIN, RENEWED), tmp_path).running() as served:
        yield served
    assert served.rejected == [], "a request to another host"


@pytest.fixture(params=["bash", "python"])
def project(request: pytest.FixtureRequest, tmp_path: Path, loopback: Loopback) -> Project:
    made = Project(tmp_path, request.param, loopback)
    made.dotenv.write_text(DOTENV_BEFORE)
    made.dotenv.chmod(0o600)
    return made


def assert_renewed(project: Project, run: Run) -> None:
    """Assert that .env has the renewed token, and the next run is due 30 min before it expires."""
    assert run.exit_status == 0, run.story
    assert project.dotenv.read_text() == DOTENV_RENEWED
    assert SUCCESS in run.log, run.story
    assert run.errors == [], run.story
    assert run.left_behind == [], run.story
    assert run.armed_at_s == project.login()["expiresAt"] // 1000 - 30 * 60
    # Each renewal invalidates the refresh token that it used.
    (asked,) = project.loopback.asked(TOKEN_PATH)
    assert asked.host in TOKEN_HOSTS
    assert asked.json["grant_type"] == "refresh_token"
    assert asked.json["refresh_token"] == LOGIN.refresh


def assert_no_warning(run: Run) -> None:
    """Assert that the log has no warning, except that claude needed more than its 5 s.

    It gets 5 s after the renewal, and needs longer on a busy machine.
    """
    late = "WARN: claude exited 124 after it had renewed the token"
    assert [warning for warning in run.warnings if warning != late] == [], run.story


def assert_failed(project: Project, run: Run, error: str, *more: str) -> None:
    """Assert that the run failed with one ERROR, left .env alone, and is repeated in 5 min.

    `error` is a pattern. `more` are the warnings before the one that names the retry.
    """
    assert run.exit_status == 1, run.story
    assert project.dotenv.read_text() == DOTENV_BEFORE
    assert len(run.errors) == 1, run.story
    assert re.fullmatch(f"ERROR: {error}", run.errors[0]), run.story
    assert SUCCESS not in run.log, run.story
    assert run.left_behind == [], run.story
    assert run.warnings[:-1] == [f"WARN: {warning}" for warning in more], run.story
    assert abs(run.armed_at_s - (time.time() + RETRY_S)) < 30, run.story
    assert project.log_file.with_name("oauth-refresh.failing").exists()


# The next two mostly wait, one of them for a minute, so they start first.


@pytest.mark.parametrize("answer", ["rate_limited", "overloaded"])
def test_failing_api_does_not_prevent_delivery(
    project: Project, loopback: Loopback, answer: str
) -> None:
    loopback.plan.messages = answer
    run = project.refresh()
    assert_renewed(project, run)
    assert len(loopback.asked(MESSAGES_PATH)) > 1, "claude gave up before the limit"
    assert run.took_s < RENEWED_LIMIT_S
    assert len(run.called("claude")) == 1
    assert len(run.warnings) == 1, run.story
    assert re.search(r"\b(124|137)\b", run.warnings[0]), run.story


def test_hanging_endpoint_ends_at_the_limit_and_the_next_run_renews(
    project: Project, loopback: Loopback
) -> None:
    loopback.plan.token_endpoint = "hangs"
    run = project.refresh()
    assert_failed(project, run, FAILED.format("(124|137)"))
    assert run.took_s < LIMIT_S
    assert len(run.called("claude")) == 1
    assert project.login()["refreshToken"] == LOGIN.refresh

    loopback.plan.token_endpoint = "renews"
    loopback.requests.clear()
    assert_renewed(project, project.refresh())
    assert not project.log_file.with_name("oauth-refresh.failing").exists()


def test_no_network(project: Project, loopback: Loopback) -> None:
    # Port 1 (tcpmux) is reserved and has no listener, so connect(2) fails with ECONNREFUSED.
    run = project.refresh({"HTTPS_PROXY": "http://127.0.0.1:1"})
    assert_failed(project, run, FAILED.format("(124|137)"))
    assert run.took_s < LIMIT_S
    assert len(run.called("claude")) == 1
    assert loopback.requests == []


@needs_mounts
@pytest.mark.parametrize("free", ["0", "12k"])
def test_full_disk_does_not_cost_the_login(project: Project, loopback: Loopback, free: str) -> None:
    # claude would use up the refresh token, and could not save its successor.
    fill = wrapper("sh", "-c", FULL_DISK, "sh", str(project.credentials), free)
    run = project.refresh(wrapper=fill)
    assert_failed(project, run, r"/.* cannot be written, and claude could not save the login\..*")
    assert run.called("claude") == []
    assert loopback.asked(TOKEN_PATH) == []
    assert_renewed(project, project.refresh())


def test_expired_token_is_renewed(project: Project) -> None:
    run = project.refresh()
    assert_renewed(project, run)
    assert run.called("claude") == [["-p", "ok", "--no-session-persistence"]]
    assert_no_warning(run)
    assert project.login()["refreshToken"] == RENEWED.refresh


@pytest.mark.parametrize("version", [CURRENT, OLD], ids=["current", OLD])
def test_empty_config_dir_is_ignored(project: Project, version: str) -> None:
    # claude itself uses it as the directory in which it runs.
    project.use_claude(version)
    assert_renewed(project, project.refresh({"CLAUDE_CONFIG_DIR": ""}))


def test_fresh_token_is_delivered_without_claude(project: Project, loopback: Loopback) -> None:
    project.expires_in(8 * 3600)
    credentials = project.credentials.read_bytes()
    run = project.refresh()
    assert run.exit_status == 0, run.story
    assert run.called("claude") == []
    assert project.dotenv.read_text() == DOTENV_RENEWED.replace(RENEWED.access, LOGIN.access)
    assert loopback.requests == []
    assert project.credentials.read_bytes() == credentials
    assert run.armed_at_s == project.login()["expiresAt"] // 1000 - 30 * 60


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CLAUDE_CODE_OAUTH_TOKEN", "sk-ant-oat01-made-up-stale"),
        ("ANTHROPIC_API_KEY", "sk-ant-api03-made-up-stale"),
        ("ANTHROPIC_AUTH_TOKEN", "sk-ant-oat01-made-up-stale"),
        ("CLAUDE_CODE_SIMPLE", "1"),
    ],
)
def test_variable_that_shadows_the_login_does_not_reach_claude(
    project: Project, loopback: Loopback, name: str, value: str
) -> None:
    run = project.refresh({name: value})
    assert_renewed(project, run)
    # With a key in its environment, the CLI renews, then uses the key, and retries for minutes.
    for request in loopback.asked(MESSAGES_PATH):
        assert request.headers["authorization"] == f"Bearer {RENEWED.access}"
        assert "x-api-key" not in request.headers
    assert_no_warning(run)


def test_rejected_login(project: Project, loopback: Loopback) -> None:
    loopback.plan.token_endpoint = "invalid_grant"
    run = project.refresh()
    ended = "The login has ended: run 'claude auth login'"
    cause = f"no accessToken in credentials. {ended}"
    assert_failed(project, run, f"no accessToken after CLI refresh. {ended}", cause)
    # The CLI empties a login that the endpoint rejects, and prints the reason on stdout.
    assert (project.login()["accessToken"], project.login()["refreshToken"]) == ("", "")
    reason = "Failed to authenticate: OAuth session expired and could not be refreshed"
    assert sum(reason in line for line in run.log) == len(run.called("claude")), run.story
    assert len(loopback.asked(TOKEN_PATH)) == 1


def test_end_of_the_login_is_announced_after_a_renewal(project: Project) -> None:
    ends_at_ms = (int(time.time()) + 2 * 86400) * 1000
    document = json.loads(project.credentials.read_bytes())
    document["claudeAiOauth"]["refreshTokenExpiresAt"] = ends_at_ms
    project.credentials.write_text(json.dumps(document))
    hook = project.directory / "scripts/oauth/hooks/login-ending"
    hook.parent.mkdir()
    hook.write_text('#!/bin/sh\necho "$OAUTHKIT_LOGIN_ENDS_AT" >"$HOME/told"\n')
    hook.chmod(0o755)
    run = project.refresh()
    assert_renewed(project, run)
    assert project.login()["refreshTokenExpiresAt"] == ends_at_ms  # the CLI keeps it
    assert sum("WARN: the login ends at " in line for line in run.log) == 1, run.story
    assert (project.home / "told").read_text() == f"{ends_at_ms}\n"


@pytest.mark.parametrize("outage", ["down", "broken"])
def test_broken_endpoint_and_expired_token(
    project: Project, loopback: Loopback, outage: str
) -> None:
    loopback.plan.token_endpoint = outage
    run = project.refresh()
    assert_failed(project, run, FAILED.format("1"))
    assert any("401 OAuth token has expired" in line for line in run.log), run.story
    assert project.login()["refreshToken"] == LOGIN.refresh
    assert loopback.asked(TOKEN_PATH) != []


@pytest.mark.parametrize("outage", ["down", "broken"])
def test_claude_exits_0_without_a_renewal(
    project: Project, loopback: Loopback, outage: str
) -> None:
    # The token expires in a few minutes: claude tries to renew it, fails, and continues with it.
    project.expires_in(200)
    loopback.plan.accepted.add(LOGIN.access)
    loopback.plan.token_endpoint = outage
    run = project.refresh()
    assert_failed(project, run, "claude exited 0 and renewed nothing.*")
    assert run.called("claude") == [["-p", "ok", "--no-session-persistence"]]
    assert loopback.asked(TOKEN_PATH) != []
    assert loopback.asked(MESSAGES_PATH) != []


def test_hooks_and_mcp_servers_of_the_project_do_not_run(project: Project) -> None:
    hook, server = project.directory / "hook ran", project.directory / "server ran"
    command = {"type": "command", "command": f"touch {shlex.quote(str(hook))}"}
    settings = {
        "hooks": {"SessionStart": [{"hooks": [command]}]},
        "enableAllProjectMcpServers": True,
    }
    (project.directory / ".claude").mkdir()
    (project.directory / ".claude" / "settings.json").write_text(json.dumps(settings))
    servers = {"trap": {"command": "touch", "args": [str(server)]}}
    (project.directory / ".mcp.json").write_text(json.dumps({"mcpServers": servers}))

    run = project.refresh()
    assert_renewed(project, run)
    assert not hook.exists()
    assert not server.exists()

    # The trap works: if the CLI is started in the project, it runs both.
    assert project.run_claude() == "ok\n"
    assert hook.exists()
    assert server.exists()


def test_old_claude_is_run_again_without_the_unknown_flag(project: Project) -> None:
    project.use_claude(OLD)
    run = project.refresh()
    assert_renewed(project, run)
    assert run.called("claude") == [["-p", "ok", "--no-session-persistence"], ["-p", "ok"]]
    complaint = "error: unknown option '--no-session-persistence'"
    (complained,) = (at for at, line in enumerate(run.log) if complaint in line)
    assert complained < run.log.index(SUCCESS)


def test_simultaneous_callers_of_both_forms_renew_once(tmp_path: Path, loopback: Loopback) -> None:
    project = Project(tmp_path, "bash", loopback)
    with ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(lambda form: project.refresh(form=form), ["bash", "python"] * 2))
    assert [run.exit_status for run in runs] == [0] * 4, [run.story for run in runs]
    assert project.dotenv.read_text() == f"CLAUDE_CODE_OAUTH_TOKEN={RENEWED.access}\n"
    assert len(loopback.asked(TOKEN_PATH)) == 1
    assert project.login()["accessToken"] == RENEWED.access


@pytest.mark.parametrize(
    "name", ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_SIMPLE"]
)
def test_empty_variable_does_not_override_the_token(
    tmp_path: Path, loopback: Loopback, name: str
) -> None:
    """So `oauthkit doctor` ignores it. A container has only these variables."""
    project = Project(tmp_path, "bash", loopback)
    project.credentials.unlink()
    loopback.plan.accepted.add(LOGIN.access)
    project.run_claude({"CLAUDE_CODE_OAUTH_TOKEN": LOGIN.access, name: ""})
    used = {request.headers["authorization"] for request in loopback.asked(MESSAGES_PATH)}
    assert used == {f"Bearer {LOGIN.access}"}
