"""The real Claude Code CLI: rejected tokens, shared logins, light renewals, running sessions."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from tests.support.host.adopt_checkout import adopt, make_checkout
from tests.support.system.claude_loopback import MESSAGES_PATH, TOKEN_PATH, Loopback, Pair, Plan
from tests.support.system.claude_project import OLD, Project
from tests.support.system.claude_session import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FIRST, SECOND, THIRD = (
    Pair(f"sk-ant-oat01-made-up-{name}", f"sk-ant-ort01-made-up-{name}")
    for name in ("first", "second", "third")
)
FORMS = pytest.mark.parametrize("form", ["bash", "python"])


@pytest.fixture
def loopback(tmp_path: Path) -> Iterator[Loopback]:
    with Loopback(Plan(FIRST, SECOND), tmp_path).running() as served:
        yield served
    assert served.rejected == [], "claude sent a request to a host that is not served here"


@FORMS
def test_rejected_token_is_renewed_with_2_h_left(
    tmp_path: Path, loopback: Loopback, form: str
) -> None:
    project = Project(tmp_path, form, loopback)
    project.expires_in(2 * 3600)
    project.dotenv.write_text(f"CLAUDE_CODE_OAUTH_TOKEN={FIRST.access}\n")
    run = project.refresh(arguments=["--rejected"])
    assert run.exit_status == 0, run.story
    assert project.dotenv.read_text() == f"CLAUDE_CODE_OAUTH_TOKEN={SECOND.access}\n"
    assert len(run.called("claude")) == 1, run.story
    assert len(loopback.asked(TOKEN_PATH)) == 1
    # Another refresh with --rejected within 5 min does not start claude.
    run = project.refresh(arguments=["--rejected"])
    assert run.exit_status == 1, run.story
    assert run.called("claude") == [], run.story
    assert "claude was started in the last 5 min" in run.errors[0], run.story
    assert len(loopback.asked(TOKEN_PATH)) == 1


def test_run_renews_a_token_that_the_api_rejects(tmp_path: Path, loopback: Loopback) -> None:
    """The command is another Claude Code, whose HOME has no login, as in a container."""
    project = Project(tmp_path, "python", loopback)
    project.expires_in(2 * 3600)
    home = tmp_path / "container"
    home.mkdir()
    agent = [str(project.claude), "-p", "ok", "--output-format", "json"]
    status, output = project.run("env", f"HOME={home}", *agent)
    assert status == 0, output
    assert output.count('"is_error":true') == output.count('"is_error":false') == 1, output
    assert "oauthkit run: the token was rejected: refreshing" in output
    assert project.dotenv.read_text() == f"CLAUDE_CODE_OAUTH_TOKEN={SECOND.access}\n"
    assert len(loopback.asked(TOKEN_PATH)) == 1


def test_watch_renews_a_token_that_a_container_names_as_rejected(
    tmp_path: Path, loopback: Loopback
) -> None:
    project = Project(tmp_path, "python", loopback)
    project.expires_in(2 * 3600)
    project.dotenv.write_text(f"CLAUDE_CODE_OAUTH_TOKEN={FIRST.access}\n")
    tasks = project.directory / "data" / "ipc" / "main" / "tasks"
    tasks.mkdir(parents=True)
    rejected = hashlib.sha256(FIRST.access.encode()).hexdigest()[:16]
    request = {"type": "refresh_oauth", "rejected": rejected}
    (tasks / "request.json").write_text(json.dumps(request))
    argv = [sys.executable, "-m", "oauthkit", "watch", "--project", str(project.directory)]
    watcher = subprocess.Popen(argv, env=project.environment(), stdout=subprocess.PIPE, text=True)
    with watcher:
        try:
            assert watcher.stdout is not None
            assert watcher.stdout.readline().startswith("watching ")
            line = watcher.stdout.readline()
            assert line == "refreshed for 1 request: the token in .env was rejected\n"
        finally:
            watcher.terminate()
    assert project.dotenv.read_text() == f"CLAUDE_CODE_OAUTH_TOKEN={SECOND.access}\n"
    assert len(loopback.asked(TOKEN_PATH)) == 1


def test_three_projects_with_one_login_make_one_call(tmp_path: Path, loopback: Loopback) -> None:
    loopback.plan.token_delay_s = 12
    forms = ["bash", "python", "bash"]
    projects = [Project(tmp_path, form, loopback, f"p{i}") for i, form in enumerate(forms)]
    with ThreadPoolExecutor(3) as pool:
        runs = list(pool.map(lambda project: project.refresh(), projects))
    assert [run.exit_status for run in runs] == [0, 0, 0], [run.story for run in runs]
    assert len(loopback.asked(TOKEN_PATH)) == 1
    assert sum("Claude CLI refreshed token successfully" in run.log for run in runs) == 1
    assert max(len(run.called("claude")) for run in runs) == 1  # they share the record of calls
    for project in projects:
        assert project.dotenv.read_text() == f"CLAUDE_CODE_OAUTH_TOKEN={SECOND.access}\n"


@FORMS
def test_renewal_by_a_person_is_waited_for(tmp_path: Path, loopback: Loopback, form: str) -> None:
    loopback.plan.token_delay_s = 12
    loopback.plan.accepted.add(FIRST.access)
    project = Project(tmp_path, form, loopback)
    project.expires_in(200)  # claude continues with this token while another claude renews it
    with ThreadPoolExecutor(1) as pool:
        person = pool.submit(project.run_claude)
        while not loopback.asked(TOKEN_PATH):
            assert not person.done()
            time.sleep(0.05)
        run = project.refresh()
        assert person.result() == "ok\n"
    assert run.exit_status == 0, run.story
    assert run.errors == [], run.story
    assert len(loopback.asked(TOKEN_PATH)) == 1
    assert project.dotenv.read_text() == f"CLAUDE_CODE_OAUTH_TOKEN={SECOND.access}\n"


@FORMS
def test_light_renewal_sends_less(
    tmp_path: Path,
    loopback: Loopback,
    form: str,
    record_property: Callable[[str, object], None],
) -> None:
    def sent(settings: dict[str, str]) -> int:
        """Renew, and return the number of bytes that claude sent with its prompt."""
        loopback.plan = Plan(FIRST, SECOND)
        loopback.requests.clear()
        project.expires_in(-3600)
        run = project.refresh(settings)
        assert run.exit_status == 0, run.story
        assert len(run.called("claude")) == 1, run.story
        return sum(len(request.body) for request in loopback.asked(MESSAGES_PATH))

    project = Project(tmp_path, form, loopback)
    # The run ends claude after 5 s. On a busy machine, claude may not have sent the prompt by then.
    sizes = [
        next(filter(None, (sent(settings) for _ in range(3))), 0)
        for settings in ({"OAUTHKIT_LIGHT": "1"}, {})
    ]
    light, usual = sizes
    record_property("bytes, light and usual", sizes)
    assert 0 < light < usual / 20, sizes


@FORMS
def test_settings_that_adopt_wrote_are_used(tmp_path: Path, loopback: Loopback, form: str) -> None:
    """They are in refresh.conf, not in the environment."""
    project = Project(tmp_path, form, loopback)
    shutil.rmtree(project.directory)
    make_checkout(project.directory)
    done = adopt(project.directory, "--light", "--bearer", "data/bearer/.credentials.json")
    assert done.returncode == 0, done.stderr
    hint = "now create the bearer file's directory: "
    (create,) = (x.removeprefix(hint) for x in done.stdout.splitlines() if x.startswith(hint))
    subprocess.run(["sh", "-c", create], check=True)
    run = project.refresh()
    assert run.exit_status == 0, run.story
    assert "--safe-mode" in run.called("claude")[0], run.story
    bearer = json.loads((project.directory / "data/bearer/.credentials.json").read_bytes())
    assert bearer["claudeAiOauth"]["accessToken"] == SECOND.access
    assert project.dotenv.read_text() == f"CLAUDE_CODE_OAUTH_TOKEN={SECOND.access}\n"


@FORMS
def test_old_claude_renews_with_the_light_setting(
    tmp_path: Path, loopback: Loopback, form: str
) -> None:
    project = Project(tmp_path, form, loopback)
    project.use_claude(OLD)
    run = project.refresh({"OAUTHKIT_LIGHT": "1"})
    assert run.exit_status == 0, run.story
    assert project.dotenv.read_text() == f"CLAUDE_CODE_OAUTH_TOKEN={SECOND.access}\n"
    assert run.called("claude")[-1] == ["-p", "ok"], run.story


@FORMS
@pytest.mark.parametrize("is_swapped", [False, True], ids=["renamed file", "swapped link"])
def test_running_session_continues_with_each_new_token(
    tmp_path: Path, loopback: Loopback, form: str, is_swapped: bool
) -> None:
    project = Project(tmp_path, form, loopback)
    project.expires_in(2 * 3600)
    loopback.plan.accepted.add(FIRST.access)
    directory = tmp_path / "bearer"
    directory.mkdir()
    bearer = directory / "credentials.json"
    home = tmp_path / "container"
    (home / ".claude").mkdir(parents=True)
    if is_swapped:  # as the kubelet replaces a mounted Secret
        (directory / "..data").symlink_to("v0")
        link = directory / "..data/credentials.json"
    else:
        link = bearer
    (home / ".claude/.credentials.json").symlink_to(link)

    def refresh(version: int) -> None:
        run = project.refresh({"OAUTHKIT_BEARER": str(bearer)})
        assert run.exit_status == 0, run.story
        if is_swapped:
            (directory / f"v{version}").mkdir()
            (directory / f"v{version}/credentials.json").write_bytes(bearer.read_bytes())
            (directory / "new").symlink_to(f"v{version}")
            (directory / "new").replace(directory / "..data")

    refresh(0)
    session = Session(project, home)
    try:
        assert session.ask()["is_error"] is False
        for version, pair in enumerate((SECOND, THIRD), 1):
            loopback.plan.renewed = pair
            project.expires_in(-60)
            refresh(version)
            loopback.plan.accepted = {pair.access}  # the API rejects the old token from now on
            asked = len(loopback.asked(TOKEN_PATH))
            result = session.ask()
            assert result["is_error"] is False, result
            assert len(loopback.asked(TOKEN_PATH)) == asked == version
    finally:
        session.end()
    assert "refreshToken" not in bearer.read_text()
