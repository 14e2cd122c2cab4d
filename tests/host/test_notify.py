"""oauthkit install --notify and --test-notify: the hooks that send messages."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.support import forked
from tests.support.host.doctor_host import SCRIPT
from tests.support.host.host_project import SAME_CODE, command, quoted
from tests.support.host.ntfy_server import add_curl, serving
from tests.support.refresh.world import REPOSITORY

from oauthkit.host import notify
from oauthkit.host.errors import UsageError
from oauthkit.host.project import CONF_FILE, find_paths

if TYPE_CHECKING:
    from tests.support.host.host_project import HostProject

EVENTS = ("failed", "recovered", "login-ending")
MAIL = "mailto:me@example.org"
# Records argv and stdin.
RECORD = """#!/bin/sh
printf '%s\\n' "${0##*/}" "$@" >>"$HOME/argv"
cat >>"$HOME/stdin"
"""
TOOLS = ("cat", "date", "dd", "sleep", "timeout", "tr", "uname")
HOST = os.uname().nodename


@pytest.fixture
def ready(live: HostProject) -> HostProject:
    """Create a host whose user manager accepts everything, and which has programs for hooks."""
    live.program("systemctl", "#!/bin/sh\n")
    live.program("loginctl", "#!/bin/sh\necho yes\n")
    live.program("sendmail", RECORD)
    live.program("page", RECORD)
    for tool in TOOLS:
        (live.bin / tool).symlink_to(f"/usr/bin/{tool}")
    return live


def hooks(project: HostProject) -> Path:
    return project.project / "scripts/oauth/hooks"


def written(project: HostProject) -> dict[str, str]:
    return {file.name: file.read_text("utf-8") for file in hooks(project).iterdir()}


def test_huge_hook_is_not_read_whole(ready: HostProject) -> None:
    assert ready.run("install", "--notify", "page").returncode == 0
    for event in ("failed", "recovered"):
        os.truncate(hooks(ready) / event, 1 << 40)
    assert ready.run("doctor").stderr == ""
    assert ready.run("install", "--notify", "page").stderr == ""


@pytest.mark.parametrize(
    ("link", "options"),
    [
        (link, options)
        for options in (("--notify", "page"), ("--light",), ("--store", "dir:/s"))
        for link in ("scripts", "scripts/oauth", "scripts/oauth/hooks")
        if link != "scripts/oauth/hooks" or options[0] == "--notify"
    ],
)
def test_install_does_not_write_through_a_link_in_the_project(
    ready: HostProject, link: str, options: tuple[str, ...]
) -> None:
    place, target = ready.project / link, ready.home / "other"
    target.mkdir()
    if place.exists():
        shutil.rmtree(place)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(target)
    done = ready.run("install", *options)
    assert (done.returncode, done.stdout) == (1, "")
    said = f"oauthkit install: {place} is a symbolic link to {target}. oauthkit does not write"
    assert done.stderr == f"{said} through links in a project. Remove the link\n"
    assert [*target.rglob("*")] == []


def sent(project: HostProject, name: str = "stdin") -> str:
    return (project.home / name).read_text("utf-8")


def run_hook(
    project: HostProject, event: str, reason: str = "", **env: str
) -> subprocess.CompletedProcess[str]:
    """Run a hook as a refresh does."""
    settings = {
        "HOME": str(project.home),
        "PATH": str(project.bin),
        "TZ": "UTC0",
        "OAUTHKIT_EVENT": event,
        "OAUTHKIT_REASON": reason,
        "OAUTHKIT_EXPIRES_AT": "",
        "OAUTHKIT_LOGIN_ENDS_AT": "",
        "OAUTHKIT_DOTENV": str(project.dotenv),
        **env,
    }
    return subprocess.run(
        [hooks(project) / event], env=settings, cwd="/", capture_output=True, text=True,
        check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip


# --- Writing the hooks ---


@pytest.mark.parametrize("where", [MAIL, "ntfy:my_topic-1", "page --to 'a b'"])
def test_hooks_are_written(ready: HostProject, where: str) -> None:
    ready.program("curl", RECORD)
    done = ready.run("install", "--notify", where)
    assert (done.returncode, done.stderr) == (0, "")
    assert written(ready).keys() == {*EVENTS}
    for event in EVENTS:
        assert (hooks(ready) / event).stat().st_mode & 0o7777 == 0o755
        assert f"wrote {hooks(ready) / event}\n" in done.stdout
    assert f"{command('install', ready.project, '--test-notify')}\n" in done.stdout
    assert "note: " not in done.stdout


@pytest.mark.parametrize("where", [MAIL, "ntfy:topic", "page --to 'a b'"])
def test_hooks_pass_the_linters(where: str) -> None:
    text = notify.parse(where).hook()
    lines = [line for line in text.splitlines() if len(line) > 100]
    assert lines == []
    for argv in (
        ["shellcheck", "--norc", "-"],
        ["shfmt", "--diff", "-i", "2", "-ci", "-ln", "posix"],
    ):
        beside = Path(sys.executable).with_name(argv[0])
        argv[0] = str(beside) if beside.exists() else argv[0]
        done = subprocess.run(argv, input=text, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_same_channel_again_changes_nothing(ready: HostProject) -> None:
    assert ready.run("install", "--notify", MAIL).returncode == 0
    before = {event: (hooks(ready) / event).stat().st_ino for event in EVENTS}
    done = ready.run("install", "--notify", MAIL)
    assert done.returncode == 0
    assert {event: (hooks(ready) / event).stat().st_ino for event in EVENTS} == before
    assert done.stdout.count(" is up to date\n") == len(EVENTS) + 2  # two units
    # install restores the mode of a hook that the refresh would ignore.
    (hooks(ready) / "failed").chmod(0o644)
    assert ready.run("install", "--notify", MAIL).returncode == 0
    assert (hooks(ready) / "failed").stat().st_mode & 0o7777 == 0o755


def test_install_without_the_option_keeps_the_hooks(ready: HostProject) -> None:
    ready.run("install", "--notify", MAIL)
    before = written(ready)
    assert ready.run("install").returncode == 0
    assert written(ready) == before


def test_another_channel_replaces_the_hooks(ready: HostProject) -> None:
    ready.run("install", "--notify", MAIL)
    renewed = hooks(ready) / "renewed"
    renewed.write_text("#!/bin/sh\n", "utf-8")
    # A refresh that is starting the old hook reads it to its end.
    with (hooks(ready) / "failed").open(encoding="utf-8") as old:
        assert ready.run("install", "--notify", "page").returncode == 0
        assert old.read() == notify.parse(MAIL).hook()
    texts = written(ready)
    assert texts.pop("renewed") == "#!/bin/sh\n"
    assert {*texts.values()} == {notify.parse("page").hook()}


@pytest.mark.parametrize("kind", ["file", "edited", "link", "dangling", "directory"])
@pytest.mark.parametrize("cron", [(), ("--cron",)])
def test_hook_of_the_user_is_kept(ready: HostProject, kind: str, cron: tuple[str, ...]) -> None:
    own = hooks(ready) / "recovered"
    own.parent.mkdir(parents=True)
    text = notify.parse(MAIL).hook()
    if kind == "directory":
        own.mkdir()
    elif kind == "dangling":
        own.symlink_to("nowhere")
    elif kind == "link":
        (ready.home / "mine").write_text(text, "utf-8")
        own.symlink_to(ready.home / "mine")
    else:
        without = "\n".join(x for x in text.splitlines() if "Written by" not in x)
        own.write_text("#!/bin/sh\n" if kind == "file" else without, "utf-8")
    before = own.lstat().st_ino, own.lstat().st_mtime_ns
    done = ready.run("install", "--notify", MAIL, "--light", *cron)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"oauthkit install: {own} was not written by oauthkit install --notify and is not replaced."
        " Move it away, or add the message to it\n"
    )
    assert [file.name for file in hooks(ready).iterdir()] == ["recovered"]
    assert (own.lstat().st_ino, own.lstat().st_mtime_ns) == before
    assert not (ready.home / ".config").exists()
    assert not (ready.project / "scripts/oauth/refresh.conf").exists()


def test_without_a_manager_no_hook_is_written(ready: HostProject) -> None:
    ready.program("systemctl", "#!/bin/sh\nexit 1\n")
    assert ready.run("install", "--notify", MAIL).returncode == 1
    assert not hooks(ready).exists()


def test_directory_that_cannot_be_created(ready: HostProject) -> None:
    hooks(ready).parent.mkdir(parents=True)
    hooks(ready).touch()
    done = ready.run("install", "--notify", MAIL)
    assert done.returncode == 1
    problem = f"{hooks(ready) / 'failed'} cannot be written: File exists"
    assert done.stderr == f"oauthkit install: {problem}\n"


def test_hooks_with_cron(ready: HostProject) -> None:
    (ready.bin / "page").unlink()
    done = ready.run("install", "--cron", "--notify", "page")
    assert done.returncode == 0
    assert done.stdout.startswith("*/4 * * * * ")
    assert done.stdout.count("\n") == 1
    assert f"wrote {hooks(ready) / 'failed'}\n" in done.stderr
    assert "note: page not found in PATH" in done.stderr
    assert written(ready).keys() == {*EVENTS}


@pytest.mark.parametrize(
    ("where", "note"),
    [
        ("ntfy:topic", "curl not found in PATH, so the hooks cannot send messages."
         " Install it, for example: {as_root}apt-get install curl"),
        ("notify-send -u critical", "notify-send not found in PATH, so the hooks cannot send"
         " messages. Install it, for example: {as_root}apt-get install libnotify-bin"),
        ("/none/page", "/none/page not found in PATH, so the hooks cannot send messages."
         " Install it"),
    ],
)  # fmt: skip
def test_missing_program_is_a_note(ready: HostProject, where: str, note: str) -> None:
    done = ready.run("install", "--notify", where)
    assert (done.returncode, done.stderr) == (0, "")
    shown = note.format(as_root="" if os.geteuid() == 0 else "sudo ")
    assert f"note: {shown}\n" in done.stdout
    assert written(ready).keys() == {*EVENTS}


def test_missing_sendmail_is_a_note(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def missing() -> list[str]:
        lines: list[str] = []
        notify._report_missing("sendmail", lines.append)
        return lines

    monkeypatch.setenv("PATH", str(tmp_path / "none"))
    monkeypatch.setattr(notify, "SENDMAIL_DIRECTORIES", str(tmp_path))
    (line,) = missing()
    assert line.endswith("apt-get install msmtp-mta")
    (tmp_path / "sendmail").touch(mode=0o755)
    assert missing() == []


# --- The argument ---


@pytest.mark.parametrize(
    ("where", "problem"),
    [
        ("", "is empty or has a control character"),
        (" ", "is empty or has a control character"),
        ("page\na", "is empty or has a control character"),
        ("mailto:me@example.org\nBcc: x", "is empty or has a control character"),
        ("mailto:me@example.org\x1b", "is empty or has a control character"),
        ("mailto:\u202eme@example.org", "is empty or has a control character"),
        ("mailto:", "'' is not a mail address"),
        ("mailto:-f@example.org", "'-f@example.org' is not a mail address"),
        ("mailto:|rm", "'|rm' is not a mail address"),
        ("mailto:/etc/x", "'/etc/x' is not a mail address"),
        ("mailto:a@b, c@d", "'a@b, c@d' is not a mail address"),
        ("mailto:a@b?cc=c@d", "'a@b?cc=c@d' is not a mail address"),
        ("mailto:A <a@b>", "'A <a@b>' is not a mail address"),
        ("ntfy:", "'' is neither a topic"),
        ("ntfy:a topic", "'a topic' is neither a topic"),
        (f"ntfy:{'a' * 65}", "is neither a topic"),
        ("ntfy:https://ntfy.example.org", "is neither a topic"),
        ("ntfy:https://me:pw@ntfy.example.org/a", "is neither a topic"),
        ("ntfy:https://ntfy.example.org/a?auth=b", "is neither a topic"),
        ("ntfy:https://ntfy.example.org/[a-z]", "is neither a topic"),
        ("ntfy:file:///etc/passwd", "is neither a topic"),
        ("smtp:me@example.org", "unknown kind: use a command, mailto:ADDRESS, ntfy:TOPIC or"),
        ("https://ntfy.sh/topic", "unknown kind: use a command, mailto:ADDRESS, ntfy:TOPIC or"),
        ("page 'a", "no closing quotation"),
        ("'' a", "'' is not a program"),
        ("-x", "'-x' is not a program"),
        ("ntfy", "'ntfy' is not a program. Did you mean ntfy:TOPIC?"),
        ("mailto", "'mailto' is not a program. Did you mean mailto:ADDRESS?"),
        ("me@example.org", "is not a program. For a mail, use mailto:me@example.org"),
        ("./page a", "hooks run in /, so use an absolute path for './page'"),
        ("'~/bin/page'", "hooks run in /, so use an absolute path for '~/bin/page'"),
    ],
)  # fmt: skip
def test_argument_that_is_rejected(ready: HostProject, where: str, problem: str) -> None:
    done = ready.run("install", "--notify", where)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"oauthkit install: --notify {where!r}"), done.stderr
    assert problem in done.stderr
    assert done.stderr.count("\n") == 1
    assert not hooks(ready).exists()
    assert not (ready.home / ".config").exists()


@pytest.mark.parametrize(
    "where",
    ["mailto:root", "mailto:a.b+c_d'e$f`g@mail.example.org", "ntfy:https://[::1]:8080/a-b_c",
     "ntfy:http://ntfy.lan/topic", "/opt/a:b/page", "page a:b"],
)  # fmt: skip
def test_argument_that_is_accepted(where: str) -> None:
    notify.parse(where)


def test_bytes_that_are_not_utf8_are_rejected() -> None:
    with pytest.raises(UsageError):
        notify.parse("page \udcff")


# --- What is sent ---


def test_mail(ready: HostProject) -> None:
    address = "a'b$HOME`id`@example.org"
    ready.run("install", "--notify", f"mailto:{address}")
    done = run_hook(ready, "failed", "the `id` $HOME \\ reason")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert sent(ready, "argv").splitlines() == ["sendmail", "-i", "--", address]
    assert sent(ready) == (
        f"To: {address}\nSubject: oauthkit: failed on {HOST}\n"
        "Content-Type: text/plain; charset=UTF-8\n\n"
        f"oauthkit: failed on {HOST}: {ready.project}: the `id` $HOME \\ reason\n"
    )


@pytest.mark.parametrize("length", [1000, 1001])
def test_message_has_what_claude_printed_if_it_is_short(ready: HostProject, length: int) -> None:
    ready.run("install", "--notify", MAIL)
    output = "claude: a\nclaude: 401 sk-ant-***\n"
    output = output.ljust(length, "x")
    assert run_hook(ready, "failed", "a reason.", OAUTHKIT_OUTPUT=output).returncode == 0
    shown = f" {output}".replace("\n", " ") if length == 1000 else ""
    assert sent(ready).endswith(f": {ready.project}: a reason.{shown}\n")


def test_sendmail_is_also_found_outside_of_path(
    ready: HostProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notify, "SENDMAIL_DIRECTORIES", quoted(ready.home))
    (ready.bin / "sendmail").rename(ready.home / "sendmail")
    hooks(ready).mkdir(parents=True)
    (hooks(ready) / "failed").write_text(notify.parse(MAIL).hook(), "utf-8")
    (hooks(ready) / "failed").chmod(0o755)
    done = run_hook(ready, "failed", "a reason")
    assert (done.returncode, done.stderr) == (0, "")
    assert "a reason" in sent(ready)


def test_nothing_can_add_a_header_to_a_mail(ready: HostProject) -> None:
    ready.run("install", "--notify", MAIL)
    bad = "failed\r\nBcc: x@example.org\n\n"
    ready.program("uname", "#!/bin/sh\nprintf 'a\\nBcc: y@example.org\\r\\n\\nb'\n")
    (hooks(ready) / bad.replace("/", "")).symlink_to(hooks(ready) / "failed")
    done = run_hook(ready, bad, bad)
    assert done.returncode == 0, done.stderr
    head, _, body = sent(ready).partition("\n\n")
    assert [line.partition(":")[0] for line in head.split("\n")] == [
        "To", "Subject", "Content-Type",
    ]  # fmt: skip
    assert "\r" not in sent(ready)
    assert body.count("\n") == 1


def test_ntfy(ready: HostProject) -> None:
    add_curl(ready.bin, ready.home / "argv")
    with serving() as (address, requests):
        assert ready.run("install", "--notify", f"ntfy:{address}/my-topic").returncode == 0
        done = run_hook(ready, "failed", "a reason: ü @file")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    (request,) = requests
    assert (request.method, request.path) == ("POST", "/my-topic")
    assert request.headers["Title"] == f"oauthkit: failed on {HOST}"
    assert request.body == f"oauthkit: failed on {HOST}: {ready.project}: a reason: ü @file"
    argv = sent(ready, "argv")
    assert "a reason" not in argv
    limit = argv.splitlines()
    assert limit[limit.index("--max-time") + 1] == "20"


def test_ntfy_server_rejects_the_message(ready: HostProject) -> None:
    add_curl(ready.bin, ready.home / "argv")
    with serving(403) as (address, requests):
        ready.run("install", "--notify", f"ntfy:{address}/topic")
        done = run_hook(ready, "failed", "a reason")
    assert len(requests) == 1
    assert (done.returncode, done.stdout) == (22, "")
    assert "403" in done.stderr


def test_topic_without_a_server_uses_ntfy_sh(ready: HostProject) -> None:
    ready.program("curl", RECORD)
    ready.run("install", "--notify", "ntfy:my_topic")
    assert run_hook(ready, "failed", "a reason").returncode == 0
    assert sent(ready, "argv").splitlines()[-1] == "https://ntfy.sh/my_topic"


def test_command_gets_the_message_as_its_last_argument(ready: HostProject) -> None:
    ready.run("install", "--notify", "page '$HOME' \"a b\" `id` ~ ; * |cat")
    done = run_hook(ready, "failed", "a\nreason\x1b[31m")
    assert done.returncode == 0, done.stderr
    message = f"oauthkit: failed on {HOST}: {ready.project}: a?reason?[31m"
    words = ["$HOME", "a b", "`id`", "~", ";", "*", "|cat"]
    assert sent(ready, "argv").splitlines() == ["page", *words, message]
    assert sent(ready) == ""


@pytest.mark.parametrize("word", ["exit", "if", "A=1", "eval"])
def test_command_is_a_program(ready: HostProject, word: str) -> None:
    """The shell does not treat the word as a builtin, keyword or assignment."""
    ready.program(word, RECORD)
    ready.run("install", "--notify", word)
    done = run_hook(ready, "failed", "a reason")
    assert (done.returncode, done.stderr) == (0, "")
    assert sent(ready, "argv").startswith(f"{word}\n")


def test_message_of_each_event(ready: HostProject) -> None:
    ready.run("install", "--notify", "page")
    assert run_hook(ready, "recovered").returncode == 0
    ends = run_hook(ready, "login-ending", OAUTHKIT_LOGIN_ENDS_AT="1767225600000")
    assert (ends.returncode, ends.stderr) == (0, "")
    assert sent(ready, "argv").splitlines()[1::2] == [
        f"oauthkit: recovered on {HOST}: {ready.project}: .env has a live token again",
        f"oauthkit: login-ending on {HOST}: {ready.project}: the login ends at"
        " 2026-01-01 00:00 UTC. On that host, run: claude auth login",
    ]


def test_hook_exits_with_the_status_of_the_command(ready: HostProject) -> None:
    ready.program("page", "#!/bin/sh\necho sorry >&2\nexit 7\n")
    ready.run("install", "--notify", "page")
    done = run_hook(ready, "failed", "a reason")
    assert (done.returncode, done.stderr) == (7, "sorry\n")


# --- A refresh ---


@pytest.mark.parametrize("form", ["bash", "python"])
@pytest.mark.parametrize("name", ["page", "none"])
def test_refresh_runs_the_hook(host: HostProject, form: str, name: str) -> None:
    for tool in {*TOOLS, "ln", "mktemp", "readlink"}:
        if not (host.bin / tool).exists():
            (host.bin / tool).symlink_to(f"/usr/bin/{tool}")
    host.program("page", RECORD)
    host.program("claude", "#!/bin/sh\nexit 1\n")
    host.program("loginctl", "#!/bin/sh\necho yes\n")
    host.login(-60)
    assert host.run("install", "--cron", "--notify", name).returncode == 0
    shutil.copy(REPOSITORY / SCRIPT, host.project / SCRIPT)
    argv = ["bash", str(host.project / SCRIPT)]
    if form == "python":
        argv = [sys.executable, "-m", "oauthkit", "refresh", f"--project={host.project}"]
    env = {"HOME": str(host.home), "PATH": str(host.bin), **SAME_CODE}
    done = forked.run_text(argv, Path("/"), env)
    assert done.returncode == 1
    log = host.log.read_text("utf-8")
    if name == "page":
        assert " Hook 'failed' succeeded\n" in log
        (message,) = sent(host, "argv").splitlines()[1:]
        assert message.startswith(
            f"oauthkit: failed on {HOST}: {host.project}: claude CLI refresh failed (exit 1)."
        )
    else:
        assert " WARN: hook 'failed' failed (exit 127)\n" in log
        assert "none: not found\n" in log


# --- The test message ---


def test_test_message(ready: HostProject) -> None:
    assert ready.run("install", "--notify", "page").returncode == 0
    before = {*ready.bin.parent.rglob("*")}
    done = ready.run("install", "--test-notify")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{hooks(ready) / 'failed'} succeeded (exit 0)\n"
    (message,) = sent(ready, "argv").splitlines()[1:]
    assert message == (
        f"oauthkit: test on {HOST}: {ready.project}: this is a test of oauthkit install --notify"
    )
    # It installs nothing.
    after = {*ready.bin.parent.rglob("*")}
    assert {file.name for file in after - before} == {"argv", "stdin"}
    assert before <= after


def test_test_notify_runs_the_hook_like_a_refresh(ready: HostProject) -> None:
    hooks(ready).mkdir(parents=True)
    text = (
        "#!/bin/sh\npwd\ncat\nfor x in EVENT DOTENV EXPIRES_AT; do eval echo \\$OAUTHKIT_$x; done\n"
    )
    (hooks(ready) / "failed").write_text(
        f"{text}echo $CLAUDE_CODE_OAUTH_TOKEN-$CLAUDECODE\n", "utf-8"
    )
    (hooks(ready) / "failed").chmod(0o755)
    token = "made-up-token"
    done = ready.run("install", "--test-notify", CLAUDE_CODE_OAUTH_TOKEN=token, CLAUDECODE="1")
    assert done.returncode == 0
    said = [line.removeprefix("output: ") for line in done.stdout.splitlines()[:-1]]
    assert said == ["/", "test", str(ready.dotenv), "", "-"]


def test_test_message_that_fails(ready: HostProject) -> None:
    ready.program(
        "page", "#!/bin/sh\necho sorry sk-ant-oat01-made-up\nprintf '\\033[31m' >&2\nexit 7\n"
    )
    ready.run("install", "--notify", "page")
    done = ready.run("install", "--test-notify")
    assert (done.returncode, done.stderr) == (1, "")
    hook = hooks(ready) / "failed"
    assert done.stdout == (
        f"output: sorry sk-ant-***\noutput: \ufffd[31m\n{hook} failed (exit 7)\n"
    )


@pytest.mark.parametrize("control", ["", "\x01", "\x1b", "\x9b"])
def test_test_message_masks_the_login(ready: HostProject, control: str) -> None:
    token = "made-up-token-of-another-form"
    ready.login(token=token)
    (ready.bin / "jq").symlink_to("/usr/bin/jq")
    ready.program("page", f"#!/bin/sh\necho '{token[:9]}{control}{token[9:]}'\nexit 7\n")
    ready.run("install", "--notify", "page")
    done = ready.run("install", "--test-notify")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout == f"output: ***\n{hooks(ready) / 'failed'} failed (exit 7)\n"


def test_hook_that_hangs_is_ended(ready: HostProject, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in this process, to shorten the limit."""
    hooks(ready).mkdir(parents=True)
    (hooks(ready) / "failed").write_text("#!/bin/sh\npwd\nexec sleep 60\n", "utf-8")
    (hooks(ready) / "failed").chmod(0o755)
    monkeypatch.setenv("HOME", str(ready.home))
    monkeypatch.setattr(notify, "HOOK_LIMIT_S", 1)
    lines: list[str] = []
    assert notify.send_test(find_paths(str(ready.project)), lines.append) == 1
    assert lines == ["output: /", f"{hooks(ready) / 'failed'} failed (exit 124, after 1 s)"]


@pytest.mark.parametrize("kind", ["none", "directory", "dangling"])
def test_test_message_without_a_hook(ready: HostProject, kind: str) -> None:
    hook = hooks(ready) / "failed"
    if kind == "directory":
        hook.mkdir(parents=True)
    if kind == "dangling":
        hooks(ready).mkdir(parents=True)
        hook.symlink_to("nowhere")
    done = ready.run("install", "--test-notify")
    assert (done.returncode, done.stdout) == (1, "")
    fix = command("install", ready.project, "--notify")
    assert done.stderr == f"oauthkit install: there is no hook {hook}. Write it: {fix} WHERE\n"


def test_test_message_of_a_hook_that_is_not_executable(ready: HostProject) -> None:
    ready.run("install", "--notify", "page")
    hook = hooks(ready) / "failed"
    hook.chmod(0o644)
    done = ready.run("install", "--test-notify")
    assert (done.returncode, done.stdout) == (1, "")
    problem = f"{hook} is not executable, so a refresh ignores it. Run: chmod +x {quoted(hook)}"
    assert done.stderr == f"oauthkit install: {problem}\n"


def test_test_message_without_timeout(ready: HostProject) -> None:
    ready.run("install", "--notify", "page")
    (ready.bin / "timeout").unlink()
    done = ready.run("install", "--test-notify")
    assert (done.returncode, done.stdout) == (1, "")
    fix = "apt-get install coreutils" if os.geteuid() == 0 else "sudo apt-get install coreutils"
    problem = f"timeout not found in PATH. Install it: {fix}"
    assert done.stderr == f"oauthkit install: {problem}\n"


@pytest.mark.parametrize("other", [["--notify", "page"], ["--cron"], ["--linger"], ["--light"]])
def test_test_notify_excludes_other_options(ready: HostProject, other: list[str]) -> None:
    done = ready.run("install", "--test-notify", *other)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"['{other[0]}']" in done.stderr
    assert not (ready.home / ".config").exists()


def test_test_notify_has_the_settings_of_the_project(ready: HostProject) -> None:
    conf = ready.project / CONF_FILE
    conf.parent.mkdir(parents=True, exist_ok=True)
    conf.write_text("OAUTHKIT_LOG=logs/mine.log\n", "utf-8")
    hook = hooks(ready) / "failed"
    hook.parent.mkdir(parents=True, exist_ok=True)
    hook.write_text("#!/bin/sh\necho $OAUTHKIT_LOG\n", "utf-8")
    hook.chmod(0o755)
    assert (
        f"output: {ready.project}/logs/mine.log\n" in ready.run("install", "--test-notify").stdout
    )


def test_new_hooks_report_the_end_of_the_login_again(ready: HostProject) -> None:
    mark = ready.log.with_name("oauth-refresh.login-ending")
    mark.write_text("1 3", "utf-8")
    ready.run("install", "--notify", "page")
    assert not mark.exists()
    mark.write_text("1 3", "utf-8")
    ready.run("install", "--notify", "page")  # the hooks are up to date, and have reported it
    assert mark.exists()


@pytest.mark.parametrize("command", ["install", "uninstall"])
def test_without_a_manager(ready: HostProject, command: str) -> None:
    ready.run("install", "--notify", "page")
    ready.program("systemctl", "#!/bin/sh\nexit 1\n")
    if command == "install":
        done = ready.run("install", "--notify", "page", "--bearer", "b/c", "--light")
        assert " --cron --bearer b/c --light --notify page) | crontab -\n" in done.stderr
    else:
        done = ready.run("uninstall")
        assert done.stdout.startswith("kept the hooks that send notifications. To remove them: rm ")
    assert done.returncode == 1


# --- uninstall ---


def test_uninstall_names_the_hooks_that_it_keeps(ready: HostProject) -> None:
    ready.run("install", "--notify", MAIL)
    (hooks(ready) / "recovered").write_text("#!/bin/sh\n", "utf-8")
    done = ready.run("uninstall")
    assert (done.returncode, done.stderr) == (0, "")
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("kept the hooks")]
    said, _, removal = line.partition(": ")
    assert said == "kept the hooks that send notifications. To remove them"
    assert written(ready).keys() == {*EVENTS}
    subprocess.run(shlex.split(removal), check=True)
    assert written(ready).keys() == {"recovered"}
    (hooks(ready) / "recovered").unlink()
    assert "the hooks" not in ready.run("uninstall").stdout
