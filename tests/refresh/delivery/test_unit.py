"""Put the token into the text of .env, and replace the file."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.support.refresh.fake_host import HOUR_MS, MINUTE_MS, NOW_MS, TOKEN
from tests.support.refresh.whole_run import RETRY, TOKEN_LINE, UPDATED, failing_mark, run

from oauthkit import shell
from oauthkit.program import delivery, links

if TYPE_CHECKING:
    from tests.support.refresh.fake_host import Host

NAME = "CLAUDE_CODE_OAUTH_TOKEN="
LINE = f"{NAME}{TOKEN}"
EXPIRY = str(NOW_MS + HOUR_MS)
LOGIN = f"{TOKEN}\n{EXPIRY}\nnull\n{{}}"
# Lines that are similar to the token's line, and bytes that are not UTF-8 (as surrogates).
NEARLY = ["CLAUDE_CODE_OAUTH_TOKEN", NAME, f" {NAME}", f"#{NAME}"]
PIECE = st.sampled_from([*NEARLY, "=", "a", "\r", "\x0b", "\udcff", "ü", "'", "$x", "\n", "\n\n"])
DOTENV = st.lists(PIECE, max_size=20).map("".join)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", f"{LINE}\n"),
        ("\n", f"\n{LINE}\n"),
        ("A=1", f"A=1\n{LINE}\n"),
        ("A=1\n", f"A=1\n{LINE}\n"),
        ("A=1\n\n", f"A=1\n\n{LINE}\n"),
        ("A=1\r\nB=2\r\n", f"A=1\r\nB=2\r\n{LINE}\n"),
        (NAME, LINE),
        (f"{NAME}\n", f"{LINE}\n"),
        (f"{NAME}old", LINE),
        (f"{NAME}old\nA=1", f"{LINE}\nA=1"),
        (f"A=1\n{NAME}old\n\nB=2\n", f"A=1\n{LINE}\n\nB=2\n"),
        (f"{NAME}1\nA=1\n{NAME}2\n{NAME}3\nB=2\n", f"{LINE}\nA=1\nB=2\n"),
        (f"{NAME}1\nA=1\n{NAME}2", f"{LINE}\nA=1\n"),
        (f"export {NAME}old\n", f"export {NAME}old\n{LINE}\n"),
        (f"#{NAME}old\n", f"#{NAME}old\n{LINE}\n"),
        (f" {NAME}old\n", f" {NAME}old\n{LINE}\n"),
        (f"X{NAME}old\n", f"X{NAME}old\n{LINE}\n"),
        ("CLAUDE_CODE_OAUTH_TOKENS=old\n", f"CLAUDE_CODE_OAUTH_TOKENS=old\n{LINE}\n"),
        ("a\x0bb\x0cc\x1cd\x85e\u2028f\n", f"a\x0bb\x0cc\x1cd\x85e\u2028f\n{LINE}\n"),
        ("\udcff\udc80\n", f"\udcff\udc80\n{LINE}\n"),
    ],
)
def test_with_token(text: str, wanted: str) -> None:
    assert delivery.with_token(text, TOKEN)[0] == wanted


@pytest.mark.parametrize(
    ("text", "event"),
    [
        (f"{LINE}\n", ""),
        (f"{LINE}\n{LINE}\n", ""),
        ("A=1\n", "renewed"),
        (f"{NAME}old\n{LINE}\n", "renewed"),
        (f"{LINE}\n{NAME}old\n", "renewed"),
    ],
)
def test_another_token_is_an_event(text: str, event: str) -> None:
    assert delivery.with_token(text, TOKEN)[1] == event


def lines_of(text: str) -> list[str]:
    """Return the lines of a text, each with its newline. The last one can lack it."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


@settings(deadline=None, max_examples=300)
@given(DOTENV)
@example(f"{NAME}1\n{NAME}2")
def test_every_other_line_is_kept(text: str) -> None:
    lines = lines_of(text)
    places = [number for number, line in enumerate(lines) if line.startswith(NAME)]
    others = [line for line in lines if not line.startswith(NAME)]
    if not places and others and not others[-1].endswith("\n"):
        others[-1] += "\n"
    place = places[0] if places else len(others)
    result, _ = delivery.with_token(text, TOKEN)
    found = lines_of(result)
    assert found.pop(place).removesuffix("\n") == LINE
    assert found == others
    assert delivery.with_token(result, TOKEN) == (result, "")


def deliver(host: Host, target: Path | None = None) -> str:
    os.umask(0o077)  # as refresh sets it first
    place = host.dotenv if target is None else target
    temporary = place.with_name(f"{place.name}.oauthkit.1")
    host.monkeypatch.setattr(delivery, "own_temporary", lambda _: host.path(temporary))
    names = (host.path(place.with_name(f"{place.name}.oauthkit.{n}")) for n in (2, 3, 4))
    host.monkeypatch.setattr(delivery, "temporary_name", lambda _: next(names))
    problem, event = delivery.deliver_token(
        host.path(host.dotenv), host.path(host.credentials), LOGIN
    )
    is_written = problem == "" and UPDATED in host.lines()[-2:]
    assert event == ("renewed" if is_written else "")
    return problem


def files(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir() if path.name != "logs")


def test_new_file(host: Host) -> None:
    host.real("chmod", "sync", "mv")
    assert deliver(host) == ""
    assert host.dotenv.read_text(encoding="utf-8") == f"{LINE}\n"
    assert host.names() == ["chmod", "sync", "mv"]
    assert host.lines() == [UPDATED]
    assert files(host.project) == [".env"]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o400])
def test_mode_and_other_bytes_are_kept(host: Host, mode: int) -> None:
    host.real("stat", "cp", "sync", "mv")
    host.dotenv.write_bytes(b"A=\xff\r\nCLAUDE_CODE_OAUTH_TOKEN=old\n\x01")
    host.dotenv.chmod(mode)
    inode = host.dotenv.stat().st_ino
    assert deliver(host) == ""
    assert host.dotenv.read_bytes() == f"A=\udcff\r\n{LINE}\n\x01".encode(
        "utf-8", "surrogateescape"
    )
    assert host.dotenv.stat().st_mode & 0o7777 == mode
    assert host.dotenv.stat().st_ino != inode  # renamed over, not written in place
    kept = ["cp"] if mode != 0o600 else []  # a new file gets mode 600 without chmod
    assert host.names() == ["stat", *kept, "sync", "mv"]
    assert files(host.project) == [".env"]


def test_token_is_in_no_argument(host: Host) -> None:
    host.real("stat", "cp", "sync", "mv")
    host.dotenv.write_text("A=1\n", encoding="utf-8")
    assert deliver(host) == ""
    assert not any(TOKEN in word for command in host.commands() for word in command)
    assert TOKEN not in "".join(host.lines())


def test_nothing_is_written_when_nothing_would_change(host: Host) -> None:
    host.dotenv.write_text(f"A=1\n{LINE}\n", encoding="utf-8")
    before = host.dotenv.stat()
    assert deliver(host) == ""
    after = host.dotenv.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert host.names() == []
    assert host.lines() == [f"{host.dotenv} already has this token (expires_at={EXPIRY})"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"A=\0", "has a NUL byte and is not changed"), (None, "is not a file and is not changed")],
)
def test_rejected_content(host: Host, content: bytes | None, problem: str) -> None:
    if content is None:
        host.dotenv.mkdir()
    else:
        host.dotenv.write_bytes(content)
    assert deliver(host) == f"{host.dotenv} {problem}"
    assert host.names() == []
    assert host.lines() == []
    assert content is None or host.dotenv.read_bytes() == content


def test_file_that_cannot_be_read(host: Host) -> None:
    host.dotenv.write_text("A=1\n", encoding="utf-8")
    host.monkeypatch.setattr(delivery, "read_file", lambda _path: (1, ""))
    assert deliver(host) == f"{host.dotenv} cannot be read and is not changed"
    assert host.dotenv.read_text(encoding="utf-8") == "A=1\n"
    assert host.names() == []


@pytest.mark.parametrize("failing", ["stat", "cp", "sync", "mv"])
def test_step_fails(host: Host, failing: str) -> None:
    steps = ["stat", "cp", "sync", "mv"]
    for name in steps:
        if name == failing:
            host.fake(name, status=1)
        else:
            host.real(name)
    host.fake("ls", status=1)  # it decides whether cp is needed after all
    host.real("rm", "readlink")
    host.dotenv.write_text("A=1\n", encoding="utf-8")
    host.dotenv.chmod(0o640)
    assert deliver(host) == f"{host.dotenv} cannot be written and is unchanged"
    done = steps[: steps.index(failing) + 1] + (["ls"] if failing == "cp" else [])
    assert host.names() == [*done, "rm", "readlink"]
    assert host.dotenv.read_text(encoding="utf-8") == "A=1\n"
    assert files(host.project) == [".env"]
    assert host.lines() == []


def test_mv_fails_after_the_rename(host: Host) -> None:
    host.real("stat", "cp", "sync", "rm")
    host.dotenv.write_text("A=1\n", encoding="utf-8")
    host.dotenv.chmod(0o600)

    def move(_: object) -> None:
        host.dotenv.with_name(".env.oauthkit.1").replace(host.dotenv)

    host.fake("mv", status=137, does=move)
    assert deliver(host) == ""
    assert host.dotenv.read_text(encoding="utf-8") == f"A=1\n{LINE}\n"
    assert host.lines() == [UPDATED]


def remove_temporary(host: Host) -> None:
    (temporary,) = host.project.glob(".env.oauthkit.*")
    temporary.unlink()


@pytest.mark.parametrize("step", ["stat", "sync", "mv"])
def test_temporary_that_another_project_removes_is_created_again(host: Host, step: str) -> None:
    host.dotenv.write_text("A=1\n", encoding="utf-8")
    host.dotenv.chmod(0o600)
    for name in ("stat", "sync", "mv"):
        if name == step:
            host.fake(name, status=1, does=lambda _: remove_temporary(host))
        host.real(name)
    host.real("stat", "sync")
    assert deliver(host) == ""
    assert host.dotenv.read_text(encoding="utf-8") == f"A=1\n{LINE}\n"
    assert files(host.project) == [".env"]


@pytest.mark.parametrize("mode", [0o600, 0o640])
def test_other_project_has_delivered_the_same_token(host: Host, mode: int) -> None:
    host.dotenv.write_text("A=1\n", encoding="utf-8")
    host.dotenv.chmod(mode)
    host.real("stat", "cp", "rm")

    def deliver_first(_: object) -> None:
        remove_temporary(host)
        host.dotenv.write_text(f"A=1\n{LINE}\n", encoding="utf-8")

    host.fake("sync", status=1, does=deliver_first)
    assert deliver(host) == ""
    warning = f"WARN: other users have access to the token. Set mode 600 for {host.dotenv}"
    assert host.lines() == [UPDATED, *[warning] * (mode == 0o640)]


@pytest.mark.parametrize("times", [1, 2, 3])
def test_name_that_another_project_uses_is_replaced_twice(host: Host, times: int) -> None:
    host.dotenv.write_text("A=1\n", encoding="utf-8")
    host.dotenv.chmod(0o600)
    host.real("stat", "sync", "mv", "rm", "readlink")
    for number in range(times):
        host.dotenv.with_name(f".env.oauthkit.{number}").write_text("other's", encoding="utf-8")
    names = (host.path(host.dotenv.with_name(f".env.oauthkit.{n}")) for n in range(4))
    for builtin in ("own_temporary", "temporary_name"):
        host.monkeypatch.setattr(delivery, builtin, lambda _: next(names))
    paths = host.path(host.dotenv), host.path(host.credentials)
    problem, _ = delivery.deliver_token(*paths, LOGIN)
    is_failure = times == 3
    assert problem == (f"{host.dotenv} cannot be written and is unchanged" if is_failure else "")
    text = host.dotenv.read_text(encoding="utf-8")
    assert text == ("A=1\n" if is_failure else f"A=1\n{LINE}\n")
    assert files(host.project) == [".env", *(f".env.oauthkit.{n}" for n in range(times))]


def test_temporary_that_is_always_removed_ends_the_attempts(host: Host) -> None:
    host.dotenv.write_text("A=1\n", encoding="utf-8")
    host.dotenv.chmod(0o600)

    names = set()

    def remove(_: object) -> None:
        names.update(files(host.project))
        remove_temporary(host)

    for _ in range(3):
        host.real("stat")
        host.fake("sync", status=1, does=remove)
    host.real("rm", "readlink")
    assert deliver(host) == f"{host.dotenv} cannot be written and is unchanged"
    assert host.names() == ["stat", "sync"] * 3 + ["rm", "readlink"]
    assert len(names) == 4, (
        "each attempt needs a new name, because another user may know the last one"
    )


def test_disk_is_full(host: Host) -> None:
    host.real("rm", "readlink")
    host.monkeypatch.setattr(delivery, "create_file", lambda *_: (1, ""))
    assert deliver(host) == f"{host.dotenv} cannot be written and is unchanged"
    assert host.names() == ["rm", "readlink"]
    assert files(host.project) == []


def test_concurrent_change_is_not_lost(host: Host) -> None:
    host.real("rm", "readlink")
    host.dotenv.write_text("A=1\n", encoding="utf-8")
    read = shell.read_file

    def read_and_change(path: str) -> tuple[int, str]:
        found = read(path)
        host.dotenv.write_text("A=2\n", encoding="utf-8")
        return found

    host.monkeypatch.setattr(delivery, "read_file", read_and_change)
    assert (
        deliver(host)
        == f"{host.dotenv} has been changed by another program in the meantime and is not replaced"
    )
    assert host.dotenv.read_text(encoding="utf-8") == "A=2\n"


@pytest.mark.parametrize("content", [b"\0", b"A" * 2**18 + b"\n"], ids=["NUL", "too large"])
def test_unusable_file_that_appears_in_the_meantime_is_kept(host: Host, content: bytes) -> None:
    """Its text is "", as if the file did not exist."""
    host.real("chmod", "rm", "readlink")

    def appear(_: object) -> None:
        host.dotenv.write_bytes(content)

    host.fake("sync", does=appear)
    assert deliver(host) == f"{host.dotenv} cannot be written and is unchanged"
    assert host.dotenv.read_bytes() == content
    assert files(host.project) == [".env"]


def test_error_names_the_link_and_the_directory_of_its_target(host: Host) -> None:
    host.real("readlink", "readlink", "stat", "rm", "readlink")
    target = host.project / "missing" / "env"
    host.monkeypatch.setattr(delivery, "follow", lambda _: ("", host.path(target)))
    assert (
        deliver(host, target)
        == f"{host.dotenv} cannot be written: {target.parent} is not a directory"
    )


def test_link_to_the_credentials_in_place_of_dotenv_gives_nothing_away(host: Host) -> None:
    """Another user who can write to the directory replaces .env twice."""
    host.real("rm", "readlink")
    host.dotenv.write_text("A=1\n", encoding="utf-8")
    read = shell.read_file

    def read_another(_path: str) -> tuple[int, str]:
        return read(str(host.credentials))

    host.monkeypatch.setattr(delivery, "read_file", read_another)
    assert deliver(host) == f"{host.dotenv} cannot be written and is unchanged"
    assert host.dotenv.read_text(encoding="utf-8") == "A=1\n"
    assert files(host.project) == [".env"]


def test_directory_is_missing(host: Host) -> None:
    host.real("rm", "readlink")
    host.dotenv = host.project / "no" / "directory" / ".env"
    problem = f"{host.dotenv} cannot be written: {host.dotenv.parent} is not a directory"
    assert deliver(host) == problem


def test_symbolic_link_is_kept(host: Host) -> None:
    host.real("stat", "cp", "sync", "mv", "readlink")
    target = host.root / "elsewhere" / "settings"
    target.parent.mkdir()
    target.write_text("A=1\n", encoding="utf-8")
    host.dotenv.symlink_to("../elsewhere/settings")
    problem, followed = links.follow(host.path(host.dotenv))
    assert (problem, str(followed)) == ("", str(target))
    assert deliver(host, target) == ""
    assert host.dotenv.readlink().parts[0] == ".."
    assert target.read_text(encoding="utf-8") == f"A=1\n{LINE}\n"
    assert files(target.parent) == ["settings"]


def test_no_link_is_followed_without_a_process(host: Host) -> None:
    assert links.follow(host.path(host.dotenv)) == ("", str(host.dotenv))
    assert host.names() == []


def test_dangling_link(host: Host) -> None:
    host.real("readlink", "stat")
    host.dotenv.symlink_to(host.dotenv)
    problem, followed = links.follow(host.path(host.dotenv))
    assert problem == f"{host.dotenv} is a symbolic link that leads nowhere"
    assert followed == str(host.dotenv)


def test_directory_that_replaces_dotenv_gets_no_token(host: Host) -> None:
    host.real("chmod", "mv", "readlink", "rm")
    host.fake("sync", does=lambda _: host.dotenv.mkdir())
    assert deliver(host) == f"{host.dotenv} cannot be written and is unchanged"
    assert files(host.dotenv) == []


@pytest.mark.parametrize("status", [2, 127])
def test_link_is_rejected_if_readlink_fails(host: Host, status: int) -> None:
    host.real("stat")
    host.dotenv.symlink_to("settings")
    host.fake("readlink", status=status, prints="/elsewhere\n")
    problem, followed = links.follow(host.path(host.dotenv))
    assert problem == f"readlink could not follow {host.dotenv} (exit {status})"
    assert followed == str(host.dotenv)


def test_target_whose_name_ends_in_a_newline_is_rejected(host: Host) -> None:
    host.real("readlink", "stat")
    (host.project / "settings\n").touch()
    host.dotenv.symlink_to("settings\n")
    problem, followed = links.follow(host.path(host.dotenv))
    assert problem == f"{host.dotenv} is a symbolic link that leads nowhere"
    assert followed == str(host.dotenv)


@pytest.mark.parametrize(
    ("name", "escaped"),
    [
        (".env", ".env"),
        ("a b", "a\\040b"),
        ("a\\b \\040", "a\\134b\\040\\134040"),
        ("a\tb\nc", "a\\011b\\012c"),
        ("link/x", "directory/x"),
    ],
)
def test_mount_point_is_named(host: Host, name: str, escaped: str) -> None:
    """A mounted file cannot be the target of a rename: rename(2), EBUSY."""
    host.real("readlink", "rm")
    (host.project / "directory").mkdir()
    (host.project / "link").symlink_to("directory")
    host.dotenv = host.project / name
    read = shell.read_file
    shown = f"{host.project}/{escaped}"
    mounts = f"30 25 8:1 /x {shown} rw - ext4 /dev/sda1 rw\n"

    def read_or_list_mounts(path: str) -> tuple[int, str]:
        return (0, mounts) if path == "/proc/self/mountinfo" else read(path)

    host.monkeypatch.setattr(delivery, "read_file", read_or_list_mounts)
    host.monkeypatch.setattr(delivery, "create_file", lambda *_: (1, ""))
    problem = "is a mount point and cannot be replaced. Mount its directory instead"
    assert deliver(host) == f"{host.dotenv} {problem}"


def test_link_of_another_user_is_not_followed(host: Host) -> None:
    host.real("readlink")
    host.dotenv.symlink_to(host.root / "settings")
    host.monkeypatch.setattr(links, "is_own_link", lambda _path: False)
    problem, _ = links.follow(host.path(host.dotenv))
    assert (
        problem
        == f"{host.dotenv} is, or leads to, another user's symbolic link and is not followed"
    )


@pytest.mark.parametrize(("count", "whose"), [(40, "own"), (41, "missing")])
def test_longest_chain_of_links(host: Host, count: int, whose: str) -> None:
    first = host.root / "link 0"
    for number in range(count):
        (host.root / f"link {number}").symlink_to(f"link {number + 1}")
    (host.root / f"link {count}").touch()
    assert first.exists() is (whose == "own")
    host.real(*["readlink", "readlink", "stat"] * count)
    assert links.resolve(host.path(first)) == (whose, str(host.root / "link 40"))


@pytest.mark.parametrize("text", ["real/", "real//", "real/.", "real/./"])
def test_link_whose_text_ends_in_a_slash_or_dot(host: Host, text: str) -> None:
    (host.root / "real").mkdir()
    (host.root / "link").symlink_to(text)
    host.real("readlink", "readlink", "stat")
    assert links.resolve(host.path(host.root / "link")) == ("own", str(host.root / "real"))


@pytest.mark.parametrize("text", ["/", "/."])
def test_link_to_the_root_directory(host: Host, text: str) -> None:
    (host.root / "link").symlink_to(text)
    host.real("readlink", "stat")
    assert links.resolve(host.path(host.root / "link")) == ("own", "/")


@pytest.mark.parametrize("text", ["real/", "real/."])
def test_link_that_leads_to_a_link_through_a_slash(host: Host, text: str) -> None:
    (host.root / "end").mkdir()
    (host.root / "real").symlink_to("end")
    (host.root / "link").symlink_to(text)
    host.real("readlink")
    host.monkeypatch.setattr(links, "is_own_link", lambda link: not str(link).endswith("/real"))
    found = links.resolve(host.path(host.root / "link"))
    assert found == ("foreign", str(host.root / "real"))


@pytest.mark.parametrize("text", ["none/deeper/x", "/none/deeper/x", "file/x"])
def test_link_into_a_directory_that_does_not_exist(host: Host, text: str) -> None:
    (host.root / "file").touch()
    (host.root / "link").symlink_to(text)
    host.real("readlink", "readlink", "stat")
    assert links.resolve(host.path(host.root / "link")) == ("missing", str(host.root / "link"))


def test_link_that_changes_while_it_is_followed(host: Host) -> None:
    host.real("readlink")
    (host.root / "settings").touch()
    host.dotenv.symlink_to(host.root / "settings")
    host.monkeypatch.setattr(links, "resolve", lambda _: ("own", host.path(host.root / "other")))
    problem, followed = links.follow(host.path(host.dotenv))
    assert problem == (
        f"{host.dotenv} is a symbolic link that changed while it was followed. It is not used"
    )
    assert followed == host.path(host.dotenv)


def test_link_that_cannot_be_read_is_foreign(host: Host) -> None:
    host.dotenv.symlink_to(host.root / "settings")
    host.monkeypatch.setattr(links, "is_own_link", lambda _path: True)
    host.fake("readlink", status=1)
    assert links.is_foreign(host.path(host.dotenv))


def test_link_to_a_link_of_another_user_is_not_followed(host: Host) -> None:
    """The second one is found from a link in a directory that is a link itself."""
    host.real("readlink")
    shared, real = host.root / "shared", host.root / "real" / "project"
    shared.mkdir()
    real.mkdir(parents=True)
    (host.root / "way").symlink_to(real)
    (real / ".env").symlink_to("../../shared/env")
    (shared / "env").symlink_to(host.credentials)
    host.monkeypatch.setattr(
        links, "is_own_link", lambda link: not str(link).endswith("shared/env")
    )
    path = host.path(host.root / "way" / ".env")
    problem, followed = links.follow(path)
    assert problem == f"{path} is, or leads to, another user's symbolic link and is not followed"
    assert followed == path
    assert links.is_foreign(path)
    (shared / "env").unlink()
    (shared / "env").touch()
    assert links.follow(path) == ("", str(shared / "env"))


@pytest.mark.parametrize(
    ("user", "owner", "is_refused"),
    [(1000, 0, False), (1000, 1001, True), (1000, 10, True), (0, 7, False)],
)
def test_file_of_another_user_is_not_touched(
    host: Host, user: int, owner: int, is_refused: bool
) -> None:
    host.dotenv.write_text("A=1\n", encoding="utf-8")
    host.real("rm")
    host.monkeypatch.setattr("os.getuid", lambda: user)
    host.monkeypatch.setattr("os.getgroups", lambda: [5])
    host.fake("stat", prints=f"1:2 {owner} 5 640\n1:2 {owner} 5 640\n1:3 {user} 5 600\n")
    if not is_refused:
        host.fake("cp")
        host.real("sync", "mv")
    problem = f"{host.dotenv} is a file of another user and is not changed"
    assert deliver(host) == (problem if is_refused else "")
    assert (TOKEN in host.dotenv.read_text(encoding="utf-8")) is not is_refused
    assert files(host.project) == [".env"]


@pytest.mark.parametrize(
    ("mode", "is_refused"), [(640, True), (620, True), (604, True), (644, False)]
)
def test_file_of_another_group_is_not_touched(host: Host, mode: int, is_refused: bool) -> None:
    host.dotenv.write_text("A=1\n", encoding="utf-8")
    host.real("rm")
    host.monkeypatch.setattr("os.getuid", lambda: 1000)
    host.monkeypatch.setattr("os.getgroups", lambda: [1000])
    host.fake("stat", prints=f"1:2 1000 5 {mode}\n1:2 1000 5 {mode}\n1:3 1000 1000 600\n")
    if not is_refused:
        host.fake("cp")
        host.real("sync", "mv")
    problem = f"{host.dotenv} belongs to a group that this user is not in and is not changed"
    assert deliver(host) == (problem if is_refused else "")
    assert (TOKEN in host.dotenv.read_text(encoding="utf-8")) is not is_refused
    assert files(host.project) == [".env"]


@pytest.mark.parametrize(
    ("mode", "is_open"),
    [(0o600, False), (0o700, False), (0o660, True), (0o640, True), (0o604, True)],
)
def test_file_readable_by_others_gets_a_warning(host: Host, mode: int, is_open: bool) -> None:
    host.real("stat", "cp", "sync", "mv")
    host.dotenv.write_text("A=1\n", encoding="utf-8")
    host.dotenv.chmod(mode)
    assert deliver(host) == ""
    warning = f"WARN: other users have access to the token. Set mode 600 for {host.dotenv}"
    assert host.lines() == [UPDATED, *[warning] * is_open]


@pytest.mark.parametrize(
    ("remaining_ms", "text", "delivered"),
    [
        (5 * MINUTE_MS + 1, f"A=1\n{LINE}\n", True),
        (5 * MINUTE_MS, f"A=1\n{LINE}\n", False),
        (HOUR_MS, f"{NAME}other\n", False),
        (HOUR_MS, f"{LINE}\n{NAME}other\n", False),
        (HOUR_MS, "", False),
        (HOUR_MS, f"{LINE}\n\0", False),
        (HOUR_MS, None, False),
    ],
)
def test_is_delivered(host: Host, remaining_ms: int, text: str | None, delivered: bool) -> None:
    host.credentials_are(TOKEN, remaining_ms)
    if text is not None:
        host.dotenv.write_text(text, encoding="utf-8")
    found = delivery.is_delivered(host.path(host.credentials), host.path(host.dotenv), "")
    assert found is delivered
    assert host.lines() == []


def test_is_not_delivered_without_credentials(host: Host) -> None:
    host.credentials.unlink()
    host.dotenv.write_text(f"{LINE}\n", encoding="utf-8")
    assert not delivery.is_delivered(host.path(host.credentials), host.path(host.dotenv), "")


def test_new_file_is_private_from_the_start(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        descriptor = shell._open_privately(str(tmp_path / "new"), os.O_WRONLY | os.O_CREAT)
    finally:
        os.umask(before)
    mode = os.fstat(descriptor).st_mode
    os.close(descriptor)
    assert mode & 0o777 == 0o600


def test_delivery_fails(ready: Host) -> None:
    host = ready
    host.dotenv.mkdir()
    host.credentials_are(TOKEN, HOUR_MS)
    assert run(host) == 1
    assert f"ERROR: {host.dotenv} is not a file and is not changed" in host.lines()
    assert host.lines()[-1] == RETRY
    assert failing_mark(host).exists()


def test_run_fails_if_dotenv_is_a_dangling_link(ready: Host) -> None:
    host = ready
    host.dotenv.symlink_to(host.dotenv)
    host.credentials_are(TOKEN, HOUR_MS)
    assert run(host) == 1
    assert f"ERROR: {host.dotenv} is a symbolic link that leads nowhere" in host.lines()
    assert host.lines()[-1] == RETRY


@pytest.mark.parametrize("kind", ["file", "link"])
@pytest.mark.parametrize("status", [0, 5])
def test_leftover_temporary_is_removed(ready: Host, kind: str, status: int) -> None:
    host = ready
    target = host.root / "elsewhere"
    target.write_text("A=1\n", encoding="utf-8")
    host.dotenv.symlink_to(target)
    temporary = host.root / "elsewhere.oauthkit.1767323044999999"
    others = [host.root / f"elsewhere.oauthkit{end}" for end in ("", ".", ".1a", ".bak")]
    for file in others:
        file.write_text("of the user", encoding="utf-8")
    if kind == "file":
        temporary.write_text("half of a token", encoding="utf-8")
    else:
        temporary.symlink_to("/no/such/file")
    host.jq_prints(f'"object"\n"{TOKEN}"\n{NOW_MS + HOUR_MS}\n', status=status)
    assert run(host) == (1 if status else 0)
    assert not temporary.is_symlink()
    assert not temporary.exists()
    assert all(file.exists() for file in others)
    assert target.read_text(encoding="utf-8") == ("A=1\n" if status else f"A=1\n{TOKEN_LINE}")


def test_leftover_temporary_beside_a_dangling_link_is_removed(ready: Host) -> None:
    host = ready
    host.dotenv.symlink_to(host.dotenv)
    temporary = host.project / ".env.oauthkit.1767323044999999"
    temporary.write_text("half of a token", encoding="utf-8")
    host.credentials_are(TOKEN, HOUR_MS)
    assert run(host) == 1
    assert not temporary.exists()


def test_login_itself_is_not_touched(host: Host) -> None:
    text = host.credentials.read_bytes()
    host.dotenv.hardlink_to(host.credentials)
    assert deliver(host) == f"{host.dotenv} is Claude Code's credentials file and is not changed"
    assert host.credentials.read_bytes() == text


@pytest.mark.parametrize("is_too_large", [False, True])
def test_file_that_becomes_too_large_is_not_written(host: Host, *, is_too_large: bool) -> None:
    host.real("stat", "cp", "sync", "mv", "rm")
    text = "#" * (256 * 1024 - len(f"{LINE}\n") - 1 + is_too_large) + "\n"
    host.dotenv.write_text(text, encoding="ascii")
    problem = f"{host.dotenv} would be larger than 256 KiB and is not changed"
    assert deliver(host) == (problem if is_too_large else "")
    assert host.dotenv.read_text("ascii") == (text if is_too_large else f"{text}{LINE}\n")
    assert [path.name for path in host.dotenv.parent.glob(".env*")] == [".env"]


def test_large_file_is_not_touched(host: Host) -> None:
    host.dotenv.write_text("#" * (256 * 1024 + 1), encoding="ascii")
    assert deliver(host) == f"{host.dotenv} is larger than 256 KiB and is not changed"
