"""Step 5: the bytes, mode and owner of .env."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from tests.support.refresh.small_disk import mount_file, needs_mounts
from tests.support.refresh.world import record_tools
from tests.support.runtime_library.bash_bodies import call_in_bash, few, texts

import oauthkit
from oauthkit.parity.clock import DEFAULT_NOW_S
from oauthkit.program import delivery

if TYPE_CHECKING:
    from tests.support.refresh.world import Parity, RefreshRun

    from oauthkit.parity import Started, World

TOKEN = "sk-ant-oat01-made-up-new"
NAME = "CLAUDE_CODE_OAUTH_TOKEN="
LINE = f"{NAME}{TOKEN}"
OLD = f"{NAME}sk-ant-oat01-made-up-old"
EXPIRES_AT_MS = (DEFAULT_NOW_S + 8 * 3600) * 1000

FRESH = "Token still fresh (remaining_ms=28800000), syncing to .env"
UPDATED = f"Updated .env with token (expires_at={EXPIRES_AT_MS})"
SCHEDULED = "Scheduled next refresh at 2026-01-02T10:34:05+00:00"
RETRY_SCHEDULED = "Scheduled next refresh at 2026-01-02T03:09:05+00:00"


def delivered(parity: Parity, *warnings: str) -> RefreshRun:
    """Run both forms, which must deliver TOKEN silently and log that with these warnings."""
    parity.credentials(token=TOKEN)
    run = parity.run()
    assert (run.exit_code, run.stdout, run.stray_stderr) == (0, "", "")
    assert run.messages == [FRESH, UPDATED, *warnings, SCHEDULED]
    assert len(run.timers) == 1
    return run


def open_to_others(parity: Parity) -> str:
    """Return the warning for a .env that other users can access."""
    path = parity.world.project / ".env"
    return f"WARN: other users have access to the token. Set mode 600 for {path}"


def refused(parity: Parity, problem: str) -> RefreshRun:
    """Run both forms, which must keep .env because of `problem` and schedule a retry in 5 min."""
    parity.credentials(token=TOKEN)
    run = parity.run()
    assert (run.exit_code, run.stdout, run.stray_stderr) == (1, "", "")
    assert run.messages == [
        FRESH,
        f"ERROR: {problem}",
        f"WARN: scheduling retry in 5 min after: {problem}",
        RETRY_SCHEDULED,
    ]
    assert [timer.when_s for timer in run.timers] == [parity.now_s + 300]
    assert not [name for name in run.touched if not name.startswith("logs/")]
    return run


def test_login_as_dotenv_is_rejected(parity: Parity) -> None:
    parity.env["OAUTHKIT_DOTENV"] = login = f"{parity.home}/.claude/.credentials.json"
    refused(parity, f"{login} is Claude Code's credentials file and is not changed")


# --- The bytes of .env ---

ODD_LINES = (
    b"AMP=a&b&\\&\nBACK=\\1\\n\\\nDOLLAR=$x ${y} $(touch z)\nQUOTE='a\" `touch z`\nGLOB=* ? [a] ~\n"
    b"PERCENT=%s%d%%\nTAB=\t  trailing \n\n   \nHASH=# no comment\n!history -n\n"
)
LOOK_ALIKES = "".join(
    f"{line}\n"
    for line in (
        f"#{OLD}", f"export {OLD}", f"X{OLD}", f" {OLD}", f"\t{OLD}", f"'{OLD}'", OLD.lower(),
        "CLAUDE_CODE_OAUTH_TOKEN_2=x", "CLAUDE_CODE_OAUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN =x",
        "CLAUDE_CODE_OAUTH_TOKEN: x", f"A={OLD}",
    )
).encode()  # fmt: skip
UTF_8 = "\ufeffÄ=ö€😀\u2028\x85\n".encode()
CONTROLS = b"A=\x01\x0b\x0c\x1c\x1e\x7f\n"
MANY_LINES = "".join(f"NAME_{number}=value {number}\n" for number in range(500)).encode()
LONG_LINE = b"LONG=" + b"0123456789abcdef" * 7680 + b"\n"
NEW, OUT = LINE.encode(), OLD.encode()

REWRITES = {
    "empty": (b"", NEW + b"\n"),
    "only a newline": (b"\n", b"\n" + NEW + b"\n"),
    "no token line": (b"A=1\nB=2\n", b"A=1\nB=2\n" + NEW + b"\n"),
    "no token line and no final newline": (b"A=1\nB=2", b"A=1\nB=2\n" + NEW + b"\n"),
    "final empty lines": (b"A=1\n\n\n", b"A=1\n\n\n" + NEW + b"\n"),
    "first": (OUT + b"\nA=1\nB=2\n", NEW + b"\nA=1\nB=2\n"),
    "middle": (b"A=1\n" + OUT + b"\nB=2\n", b"A=1\n" + NEW + b"\nB=2\n"),
    "last": (b"A=1\n" + OUT + b"\n", b"A=1\n" + NEW + b"\n"),
    "last without newline": (b"A=1\n" + OUT, b"A=1\n" + NEW),
    "alone without newline": (OUT, NEW),
    "no value": (b"A=1\n" + NAME.encode() + b"\nB=2\n", b"A=1\n" + NEW + b"\nB=2\n"),
    "odd old value": (NAME.encode() + b"'a=b' # $(x)\nB=2\n", NEW + b"\nB=2\n"),
    "twice": (b"A=1\n" + OUT + b"\nB=2\n" + OUT + b"\nC=3\n", b"A=1\n" + NEW + b"\nB=2\nC=3\n"),
    "twice, the new one first": (NEW + b"\nA=1\n" + OUT + b"\n", NEW + b"\nA=1\n"),
    "twice, the new one last": (OUT + b"\nA=1\n" + NEW + b"\nB=2\n", NEW + b"\nA=1\nB=2\n"),
    "three times, the last without newline": (
        OUT + b"\n" + OUT + b"\nA=1\n" + OUT, NEW + b"\nA=1\n",
    ),
    "CRLF": (b"A=1\r\nB=2\r\n", b"A=1\r\nB=2\r\n" + NEW + b"\n"),
    "CRLF on the token's line, too": (
        b"A=1\r\n" + OUT + b"\r\nB=2\r\n", b"A=1\r\n" + NEW + b"\nB=2\r\n",
    ),
    "CR after the right token": (NEW + b"\r\nA=1\r\n", NEW + b"\nA=1\r\n"),
    "CR alone is not a newline": (b"A=1\r" + OUT + b"\r", b"A=1\r" + OUT + b"\r\n" + NEW + b"\n"),
    "not UTF-8": (b"A=\xff\xfe\n\xc3\n" + OUT + b"\n\xff", b"A=\xff\xfe\n\xc3\n" + NEW + b"\n\xff"),
    "invalid UTF-8 in the token's line": (NAME.encode() + b"\xff\n\xff\n", NEW + b"\n\xff\n"),
    "UTF-8 with a BOM": (UTF_8, UTF_8 + NEW + b"\n"),
    "control characters": (CONTROLS + OUT + b"\n" + CONTROLS, CONTROLS + NEW + b"\n" + CONTROLS),
    "special characters of shells and sed": (
        ODD_LINES + OUT + b"\n" + ODD_LINES, ODD_LINES + NEW + b"\n" + ODD_LINES,
    ),
    "look-alikes": (LOOK_ALIKES, LOOK_ALIKES + NEW + b"\n"),
    "look-alikes around it": (
        LOOK_ALIKES + OUT + b"\n" + LOOK_ALIKES, LOOK_ALIKES + NEW + b"\n" + LOOK_ALIKES,
    ),
    "lines of 120 KiB": (LONG_LINE + OUT + b"\n" + LONG_LINE, LONG_LINE + NEW + b"\n" + LONG_LINE),
    "1000 lines": (MANY_LINES + OUT + b"\n" + MANY_LINES, MANY_LINES + NEW + b"\n" + MANY_LINES),
}  # fmt: skip


@pytest.mark.parametrize(("before", "after"), REWRITES.values(), ids=REWRITES)
def test_token_line_is_replaced_or_added_and_other_bytes_are_kept(
    parity: Parity, before: bytes, after: bytes
) -> None:
    parity.dotenv(before, mode=0o400)
    run = delivered(parity)
    assert run.dotenv_bytes == after
    assert run.files[".env"].mode == 0o400
    assert ".env" in run.touched


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777], ids="{:03o}".format)
def test_new_file_is_0600_whatever_the_umask_of_the_caller(parity: Parity, umask: int) -> None:
    parity.umask = umask
    run = delivered(parity)
    assert run.dotenv == f"{LINE}\n"
    assert run.files[".env"].mode == 0o600
    assert run.files[".env"].owner == (os.getuid(), os.getgid())


UNCHANGED = {
    "alone": NEW + b"\n",
    "alone without newline": NEW,
    "first": NEW + b"\nA=1\n",
    "last without newline": b"A=1\n" + NEW,
    "between CRLF and invalid UTF-8": b"A=1\r\n" + NEW + b"\n\xff\r\n",
    "with a look-alike": NEW + b"\n" + LOOK_ALIKES,
}


@pytest.mark.parametrize("content", UNCHANGED.values(), ids=UNCHANGED)
def test_nothing_is_written_if_nothing_would_change(parity: Parity, content: bytes) -> None:
    parity.credentials(token=TOKEN)
    parity.dotenv(content, mode=0o640)
    run = parity.run()
    assert (run.exit_code, run.stdout, run.stray_stderr) == (0, "", "")
    assert run.dotenv_bytes == content
    assert not [name for name in run.touched if not name.startswith("logs/")]
    assert run.messages == [
        FRESH,
        f"{parity.project}/.env already has this token (expires_at={EXPIRES_AT_MS})",
        SCHEDULED,
    ]


# --- Mode and owner ---


@pytest.mark.parametrize("mode", [0o400, 0o600, 0o640, 0o644, 0o666, 0o660], ids="{:04o}".format)
@pytest.mark.parametrize("umask", [0o000, 0o077], ids="umask {:03o}".format)
def test_mode_is_kept(parity: Parity, mode: int, umask: int) -> None:
    parity.umask = umask
    parity.dotenv(f"A=1\n{OLD}\n", mode=mode)
    run = delivered(parity, *[open_to_others(parity)] * (mode & 0o77 != 0))
    assert run.dotenv == f"A=1\n{LINE}\n"
    assert run.files[".env"].mode == mode


# Without CAP_DAC_OVERRIDE, which the kit removes, even root needs write permission.
@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize(("owner", "mode"), [((1234, 0), 0o660), ((0, 1234), 0o600)])
def test_owner_is_kept(parity: Parity, owner: tuple[int, int], mode: int) -> None:
    parity.dotenv(f"{OLD}\n", mode=mode)
    parity.step(lambda world: os.chown(world.project / ".env", *owner))
    run = delivered(parity, *[open_to_others(parity)] * (mode == 0o660))
    assert run.dotenv == f"{LINE}\n"
    assert (run.files[".env"].owner, run.files[".env"].mode) == (owner, mode)


# --- Symbolic links ---

LINKS = {
    "relative": ({".env": "shared/env"}, "shared/env"),
    "outside the project": ({".env": "../home/env"}, "~/env"),
    "absolute": ({".env": "{project}/shared/env"}, "shared/env"),
    "chain": ({".env": "one", "one": "shared/two", "shared/two": "../last"}, "last"),
    "through a linked directory": ({".env": "alias/env", "alias": "shared"}, "shared/env"),
    "odd name": ({".env": "shared/-a $b\n*"}, "shared/-a $b\n*"),
}


def make_links(parity: Parity, links: dict[str, str]) -> None:
    """Create symbolic links by name, with the project's directory filled in."""
    parity.directory("shared")
    for name, target in links.items():
        parity.symlink(name, target.replace("{project}", str(parity.world.project)))


@pytest.mark.parametrize(("links", "target"), LINKS.values(), ids=LINKS)
@pytest.mark.parametrize("content", ["A=1\n", None], ids=["existing", "dangling"])
def test_symbolic_link_is_kept_and_its_target_gets_the_token(
    parity: Parity, links: dict[str, str], target: str, content: str | None
) -> None:
    make_links(parity, links)
    if content is not None:
        parity.file(target, content, mode=0o400)
    run = delivered(parity)
    for name, leads_to in links.items():
        assert run.files[name].kind == "symlink"
        assert run.files[name].target == leads_to.replace("{project}", str(parity.project))
    assert run.files[target].content.decode() == f"{content or ''}{LINE}\n"
    assert run.files[target].mode == (0o600 if content is None else 0o400)
    assert [name for name in run.touched if not name.startswith("logs/")] == [target]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can create another user's link")
@pytest.mark.parametrize("content", ["A=1\n", None], ids=["existing", "missing"])
def test_symbolic_link_of_another_user_is_not_followed(parity: Parity, content: str | None) -> None:
    if content is not None:
        parity.file("theirs", content, mode=0o666)
    parity.symlink(".env", "theirs")
    path = parity.world.project / ".env"
    parity.step(lambda w: os.chown(w.project / ".env", 1234, 1234, follow_symlinks=False))
    run = refused(
        parity, f"{path} is, or leads to, another user's symbolic link and is not followed"
    )
    assert (run.files["theirs"].content.decode() if content else "theirs" not in run.files) in (
        content,
        True,
    )


@pytest.mark.parametrize("name", ["mine", "new"])
def test_link_swapped_in_during_readlink_is_not_followed(parity: Parity, name: str) -> None:
    """Simulate another user's link that leads to this user's file only while readlink(1) runs."""
    parity.file("mine", "A=1\n")
    parity.directory("shared")
    parity.symlink(".env", "shared/env")
    path = parity.world.project / ".env"
    readlink = parity.stand_in("readlink")
    readlink.when("-f", str(path)).prints(f"{parity.world.project}/{name}\n")
    readlink.always.forwards()
    problem = f"{path} is a symbolic link that changed while it was followed. It is not used"
    run = refused(parity, problem)
    assert run.files["mine"].content == b"A=1\n"
    assert "new" not in run.files


@pytest.mark.skipif(os.getuid() != 0, reason="only root can create another user's link")
def test_link_to_a_link_of_another_user_is_not_followed(parity: Parity) -> None:
    make_links(parity, {".env": "shared/env", "shared/env": "../mine"})
    parity.file("mine", "A=1\n", mode=0o644)
    path = parity.world.project / ".env"
    parity.step(lambda w: os.chown(w.project / "shared/env", 1234, 1234, follow_symlinks=False))
    run = refused(
        parity, f"{path} is, or leads to, another user's symbolic link and is not followed"
    )
    assert run.files["mine"].content == b"A=1\n"


DANGLING_LINKS = {
    "to itself": {".env": ".env"},
    "loop": {".env": "shared/b", "shared/b": "../.env"},
    "into a missing directory": {".env": "missing/env"},
    "through a file": {".env": "scripts/oauth/refresh.sh/env"},
}


@pytest.mark.parametrize("links", DANGLING_LINKS.values(), ids=DANGLING_LINKS)
def test_dangling_link_is_rejected(parity: Parity, links: dict[str, str]) -> None:
    make_links(parity, links)
    dotenv = parity.world.project / ".env"
    run = refused(parity, f"{dotenv} is a symbolic link that leads nowhere")
    assert run.files[".env"].target == links[".env"]
    assert "missing" not in run.files


# --- Rejected files ---


def test_link_to_a_name_with_a_final_newline_is_rejected(parity: Parity) -> None:
    make_links(parity, {".env": "kept\n"})
    parity.file("kept\n", b"A=1\n")
    parity.file("kept", b"B=1\n")
    run = refused(parity, f"{parity.project}/.env is a symbolic link that leads nowhere")
    assert (run.files["kept\n"].content, run.files["kept"].content) == (b"A=1\n", b"B=1\n")


@pytest.mark.parametrize("is_link", [False, True], ids=["itself", "behind a symbolic link"])
def test_directory_is_rejected(parity: Parity, is_link: bool) -> None:
    directory = "shared" if is_link else ".env"
    parity.directory(directory, 0o755)
    if is_link:
        parity.symlink(".env", directory)
    run = refused(parity, f"{parity.world.project}/.env is not a file and is not changed")
    assert (run.files[directory].kind, run.files[directory].mode) == ("directory", 0o755)


def test_fifo_is_rejected_and_does_not_block(parity: Parity) -> None:
    parity.limit_s = 10
    parity.step(lambda world: os.mkfifo(world.project / ".env", 0o600))
    run = refused(parity, f"{parity.world.project}/.env is not a file and is not changed")
    assert run.files[".env"].kind == "fifo"


NUL_PLACES = (b"\0A=1\n", b"A=\0\n" + OUT + b"\n", b"A=1\n\0", b"\0", NEW + b"\n\0")


@pytest.mark.parametrize("content", NUL_PLACES)
def test_file_with_a_nul_byte_is_rejected(parity: Parity, content: bytes) -> None:
    parity.dotenv(content)
    run = refused(parity, f"{parity.world.project}/.env has a NUL byte and is not changed")
    assert run.dotenv_bytes == content


@pytest.mark.parametrize("mode", [0o000, 0o200], ids="{:04o}".format)
def test_unreadable_file_is_rejected(parity: Parity, mode: int) -> None:
    parity.dotenv(f"{OLD}\n", mode=mode)
    run = refused(parity, f"{parity.world.project}/.env cannot be read and is not changed")
    assert run.dotenv == f"{OLD}\n"
    assert run.files[".env"].mode == mode


@pytest.mark.parametrize("content", [f"{OLD}\n", None], ids=["existing", "missing"])
def test_unwritable_directory_is_named(parity: Parity, content: str | None) -> None:
    if content is not None:
        parity.file("conf/.env", content, mode=0o600)
    parity.directory("conf", 0o555)
    parity.env["OAUTHKIT_DOTENV"] = "conf/.env"
    conf = parity.world.project / "conf"
    run = refused(parity, f"{conf}/.env cannot be written: {conf} is not writable")
    found = {name: e.content for name, e in run.files.items() if name.startswith("conf/")}
    assert found == ({} if content is None else {"conf/.env": content.encode()})


# --- Atomic replacement, and killed runs ---


def kill_at(parity: Parity, program: str) -> RefreshRun:
    """Run both forms, and kill them with SIGKILL while `program` waits. Then restore `program`."""
    parity.credentials(token=TOKEN)
    parity.stand_in(program).waits().then.fails()

    def kill(started: Started, _world: World) -> None:
        parity.wait_for_call(program)
        started.send(signal.SIGKILL)
        started.wait()
        parity.sign()

    run = parity.run(meanwhile=kill)
    assert run.exit_code == -signal.SIGKILL
    parity.tool(program)
    return run


@pytest.mark.parametrize("program", ["cp", "sync", "mv"])
@pytest.mark.parametrize("login_is_lost", [False, True], ids=["successful run", "failing run"])
def test_killed_run_keeps_the_old_file_and_the_next_one_cleans_up(
    parity: Parity, program: str, login_is_lost: bool
) -> None:
    parity.dotenv(f"A=1\n{OLD}\n", mode=0o640)
    run = kill_at(parity, program)
    assert run.dotenv == f"A=1\n{OLD}\n"
    left = [name for name in run.files if name.startswith(".env") and name != ".env"]
    assert program == "cp" or len(left) == 1
    # A user who cannot read .env cannot read its replacement, either.
    assert [run.files[name].mode & ~0o640 for name in left] == [0] * len(left)

    if login_is_lost:
        parity.delete("~/.claude/.credentials.json")
    run = parity.run()
    assert run.exit_code == int(login_is_lost)
    assert run.dotenv == f"A=1\n{OLD if login_is_lost else LINE}\n"
    assert [name for name in run.files if name.startswith(".env")] == [".env"]


def test_leftover_beside_a_link_target_is_removed(parity: Parity) -> None:
    make_links(parity, {".env": "shared/env"})
    parity.file("shared/env", f"{OLD}\n", mode=0o600)
    run = kill_at(parity, "mv")
    assert len([name for name in run.files if name.startswith("shared/env")]) == 2
    run = parity.run()
    assert [name for name in run.files if name.startswith("shared/env")] == ["shared/env"]
    assert run.files["shared/env"].content.decode() == f"{LINE}\n"


def test_symbolic_link_in_place_of_the_leftover_is_not_followed(parity: Parity) -> None:
    parity.dotenv(f"{OLD}\n")
    parity.file("victim", "precious\n")
    run = kill_at(parity, "mv")
    [left] = [name for name in run.files if name.startswith(".env.")]
    parity.symlink(left, "victim")
    run = parity.run()
    assert run.files["victim"].content == b"precious\n"
    assert left not in run.files
    assert run.dotenv == f"{LINE}\n"


@pytest.mark.parametrize("program", ["cp", "sync", "mv"])
def test_failed_step_keeps_the_old_file(parity: Parity, program: str) -> None:
    parity.dotenv(f"{OLD}\n", mode=0o640)
    parity.stand_in(program).fails()
    run = refused(parity, f"{parity.world.project}/.env cannot be written and is unchanged")
    assert run.dotenv == f"{OLD}\n"
    assert [name for name in run.files if name.startswith(".env")] == [".env"]


@pytest.mark.parametrize("content", [None, "A=1\n"], ids=["new", "existing"])
@pytest.mark.parametrize("now", [b"A=2\n", b"A=\0\n"])
def test_change_during_the_delivery_is_kept(
    parity: Parity, content: str | None, now: bytes
) -> None:
    if content is not None:
        parity.dotenv(content)
    parity.credentials(token=TOKEN)
    path = parity.world.project / ".env"
    parity.stand_in("sync").writes(str(path), now)
    problem = f"{path} has been changed by another program in the meantime and is not replaced"
    if content is None and b"\0" in now:  # it cannot be read
        problem = f"{path} cannot be written and is unchanged"
    run = parity.run()
    assert (run.exit_code, f"ERROR: {problem}" in run.messages) == (1, True)
    assert run.files[".env"].content == now
    assert [name for name in run.files if name.startswith(".env")] == [".env"]


def test_new_content_is_on_disk_before_it_is_renamed(parity: Parity) -> None:
    record_tools(parity)
    parity.dotenv(f"{OLD}\n")
    run = delivered(parity)
    assert [name for name in run.programs if name in {"sync", "mv"}] == ["sync", "mv"]
    [[written]] = run.calls("sync")
    assert written.startswith(f"{parity.project}/.env.")
    assert run.calls("mv")[0][-2:] == [written, f"{parity.project}/.env"]


# --- The path of .env, and the token's secrecy ---

PLACES = {
    "absolute": ("{home}/conf/.env", "~/conf/.env"),
    "relative to the caller's directory": ("conf/env", "~/conf/env"),
    "with dots and doubled slashes": ("./conf//x/../.env", "~/conf/.env"),
    "with spaces": ("{home}/my conf/a b", "~/my conf/a b"),
    "with $ and quotes": ("{home}/$conf/a'b\"`c", "~/$conf/a'b\"`c"),
    "with a literal tilde": ("~/env", "~/~/env"),
}


def test_setting_relative_to_an_inaccessible_directory(parity: Parity) -> None:
    parity.directory("conf/closed", mode=0)
    parity.set_cwd("conf/closed")
    parity.env["OAUTHKIT_DOTENV"] = "../env"
    parity.env["PWD"] = "/somewhere/else"
    run = delivered(parity)
    assert run.files["conf/env"].content.decode() == f"{LINE}\n"


def test_setting_in_an_inaccessible_directory_is_named_as_written(parity: Parity) -> None:
    parity.directory("conf/closed\n", mode=0)  # logged as a ?
    parity.set_cwd("conf/closed\n")
    parity.env["OAUTHKIT_DOTENV"] = "env"
    closed = f"{parity.project}/conf/closed?"
    refused(parity, f"{closed}/env cannot be written: {closed} is not writable")


@pytest.mark.parametrize(("setting", "place"), PLACES.values(), ids=PLACES)
def test_setting_names_the_path_of_dotenv(parity: Parity, setting: str, place: str) -> None:
    parity.directory(place.rpartition("/")[0])
    parity.directory("~/conf/x")
    parity.set_cwd("~")
    parity.env["OAUTHKIT_DOTENV"] = setting.format(home=parity.world.home)
    run = delivered(parity)
    assert run.files[place].content.decode() == f"{LINE}\n"
    assert ".env" not in run.files
    absolute = place.replace("~", str(parity.home), 1)
    assert run.timers[0].setenv["OAUTHKIT_DOTENV"] == absolute


def test_missing_directory_of_the_setting_is_named_and_not_created(parity: Parity) -> None:
    dotenv = parity.env["OAUTHKIT_DOTENV"] = f"{parity.world.home}/missing/.env"
    directory = f"{parity.world.home}/missing"
    run = refused(parity, f"{dotenv} cannot be written: {directory} is not a directory")
    assert "~/missing" not in run.files


@pytest.mark.parametrize("is_due", [False, True], ids=["fresh", "renewed"])
def test_token_is_in_no_argument_no_environment_and_no_log(parity: Parity, is_due: bool) -> None:
    record_tools(parity)
    parity.dotenv(f"{OLD}\n", mode=0o640)
    parity.credentials(
        token=OLD[len(NAME) :] if is_due else TOKEN, expires_in="-1h" if is_due else "8h"
    )
    if is_due:
        parity.claude.renews(token=TOKEN, stdout=f"{TOKEN}\n", exit=1)
    run = parity.run()
    assert run.dotenv == f"{LINE}\n"
    assert {"cp", "stat", "sync", "mv"} <= {*run.programs}
    for call in run.all_calls:
        assert "sk-ant-oat" not in "\n".join([*call.argv, *call.env.values()]), call.program
    assert "sk-ant-oat" not in run.log
    assert ("claude: sk-ant-***" in run.messages) == is_due


@needs_mounts
def test_mounted_file_is_named_and_kept(parity: Parity) -> None:
    parity.credentials()
    parity.dotenv("A=1\n")
    parity.file("mounted", "B=2\n", 0o600)
    mount_file(parity, "mounted", ".env")
    run = parity.run()
    assert (run.exit_code, run.stdout, run.stray_stderr) == (1, "", "")
    problem = "is a mount point and cannot be replaced. Mount its directory instead"
    assert f"ERROR: {parity.world.path('.env')} {problem}" in run.messages
    contents = {name: entry.content for name, entry in run.files.items()}
    assert (contents["mounted"], contents[".env"]) == (b"B=2\n", b"A=1\n")
    assert [name for name in contents if name.startswith(".env")] == [".env"]


# --- Single functions ---

SCRIPT = Path(oauthkit.__file__).parents[2] / "scripts" / "oauth" / "refresh.sh"

PIECES = ["CLAUDE_CODE_OAUTH_TOKEN=", "#", "A=1", "\n\n", "\r", " ", "'", "\\", "*"]


def test_retry_with_another_temporary_name(place: Path) -> None:
    script = SCRIPT.read_text(encoding="utf-8")
    functions, _, _ = script.rpartition('\nstart "$@"\n')
    functions += "\ntemporary_name() {\n  REPLY=$1.free\n}\n"
    functions += 'both() {\n  write_target "$1" "$1" "$1.taken" "" new\n  REPLY=${REPLIES[0]}\n}\n'
    (place / "x.taken").write_text("another's", encoding="utf-8")
    env = {"PATH": "/usr/bin:/bin"}
    found = call_in_bash("both", [str(place / "x")], source=functions, env=env)
    assert [result.reply for result in found] == [""]
    files = {file.name: file.read_text(encoding="utf-8") for file in place.iterdir()}
    assert files == {"x": "new", "x.taken": "another's"}


@few
@given(texts(PIECES))
@example(["", "\n", "CLAUDE_CODE_OAUTH_TOKEN=", "A", "CLAUDE_CODE_OAUTH_TOKEN=1\nB\nCLAUDE_CODE_O"])
@example(["CLAUDE_CODE_OAUTH_TOKEN=tok&en\\1\n" * 2, "CLAUDE_CODE_OAUTH_TOKEN=tok&en\\1"])
def test_with_token(inputs: list[str]) -> None:
    script = SCRIPT.read_text(encoding="utf-8")
    functions, start, _ = script.rpartition('\nstart "$@"\n')
    assert start
    functions += '\nboth() {\n  with_token "$@"\n  REPLY="${REPLIES[1]}: ${REPLIES[0]}"\n}\n'
    calls = [(text, "tok&en\\1") for text in inputs]
    found = [result.reply for result in call_in_bash("both", calls, source=functions)]
    assert found == ["{1}: {0}".format(*delivery.with_token(*call)) for call in calls]
