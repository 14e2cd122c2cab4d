"""oauthkit adopt on a hostile checkout: it runs no program, follows no link, and ends soon."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import struct
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from tests.support.host.adopt_checkout import OAUTH_TS, adopt, commit, contents, git, refused
from tests.support.refresh.world import REPOSITORY

from oauthkit.host.adopt import adopt as adopting
from oauthkit.host.adopt import git as untrusted
from oauthkit.host.adopt import survey as searching
from oauthkit.host.adopt.changes import MAX_DIFF_BYTES, MAX_DIFF_LINES, WRITTEN
from oauthkit.host.adopt.git import Git
from oauthkit.host.adopt.nanoclaw import OLD, SKILL
from oauthkit.host.errors import HostError
from oauthkit.host.project import CONF_FILE
from oauthkit.host.shipped_files import SCRIPT as NEW

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


# --- Programs that the checkout's configuration names ---


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """Create a filter or hook that leaves a marker."""
    path = tmp_path / "program"
    path.write_text(f"#!/bin/sh\necho x >'{tmp_path}/marker'\nexec cat\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def configure_fsmonitor(checkout: Path, program: Path) -> None:
    git(checkout, "config", "core.fsmonitor", str(program))


def configure_include(checkout: Path, program: Path) -> None:
    included = checkout / ".git/more"
    included.write_text(f'[core]\nfsmonitor = "{program}"\n', encoding="utf-8")
    git(checkout, "config", "include.path", str(included))


def configure_hooks_path(checkout: Path, program: Path) -> None:
    directory = checkout / ".git/odd"
    directory.mkdir()
    (directory / "post-index-change").symlink_to(program)
    git(checkout, "config", "core.hooksPath", str(directory))


def add_hook(checkout: Path, program: Path) -> None:
    directory = checkout / ".git/hooks"
    directory.mkdir(exist_ok=True)
    (directory / "post-index-change").symlink_to(program)


def configure_filter(checkout: Path, program: Path) -> None:
    (checkout / ".gitattributes").write_text("* filter=odd.name\n", encoding="utf-8")
    commit(checkout)
    git(checkout, "config", "filter.odd.name.clean", str(program))
    git(checkout, "config", "filter.odd.name.smudge", str(program))
    git(checkout, "config", "filter.odd.name.required", "true")


def configure_filter_without_name(checkout: Path, program: Path) -> None:
    (checkout / ".gitattributes").write_text("* filter=\n", encoding="utf-8")
    commit(checkout)
    with (checkout / ".git/config").open("a", encoding="utf-8") as config:
        config.write(f'[filter ""]\n\tclean = "{program}"\n')


def configure_process_filter(checkout: Path, program: Path) -> None:
    (checkout / ".git/info/attributes").write_text("* filter=long\n", encoding="utf-8")
    git(checkout, "config", "filter.long.process", str(program))


def add_submodule(checkout: Path, program: Path) -> None:
    """Add a submodule, which has its own configuration and filters."""
    sub = checkout / "sub"
    git(checkout, "init", "--quiet", "sub")
    (sub / ".gitattributes").write_text("* filter=own\n", encoding="utf-8")
    commit(sub)
    commit(checkout)
    os.utime(sub / ".gitattributes", (1, 1))
    git(sub, "config", "filter.own.clean", str(program))
    git(sub, "config", "core.fsmonitor", str(program))


def configure_everything(checkout: Path, program: Path) -> None:
    """Configure all kinds of programs, even for git commands that adopt does not use today."""
    for configure in (configure_fsmonitor, add_hook, configure_process_filter, add_submodule):
        configure(checkout, program)
    with (checkout / ".git/info/attributes").open("a", encoding="utf-8") as attributes:
        attributes.write("* diff=odd\n")
    for key in (
        "diff.external", "diff.odd.command", "diff.odd.textconv", "core.pager", "pager.status",
        "core.editor", "core.sshCommand", "core.askPass", "gpg.program", "credential.helper",
        "core.alternateRefsCommand", "core.gitProxy",
    ):  # fmt: skip
        git(checkout, "config", key, str(program))


@pytest.mark.parametrize(
    "configure",
    [
        configure_fsmonitor,
        configure_include,
        configure_hooks_path,
        add_hook,
        configure_filter,
        configure_filter_without_name,
        configure_process_filter,
        add_submodule,
        configure_everything,
    ],
)
def test_no_program_of_the_checkout_runs(
    checkout: Path, program: Path, configure: Callable[[Path, Path], None]
) -> None:
    configure(checkout, program)
    for path in checkout.glob("src/*"):  # git has to read them again
        os.utime(path, (1, 1))
    (program.parent / "marker").unlink(missing_ok=True)
    for arguments in (["--dry-run"], []):
        done = adopt(checkout, *arguments)
        assert (done.returncode, done.stderr) == (0, "")
        assert not (program.parent / "marker").exists()
    assert (checkout / NEW).exists()


def test_index_is_not_written(checkout: Path) -> None:
    index = (checkout / ".git/index").read_bytes()
    for path in checkout.glob("src/*"):  # git would refresh their times in the index
        os.utime(path, (1, 1))
    assert adopt(checkout, "--dry-run").returncode == 0
    assert (checkout / ".git/index").read_bytes() == index


def test_no_hook_runs_when_the_index_is_written(checkout: Path, program: Path) -> None:
    add_hook(checkout, program)
    hook = checkout / ".git/hooks/post-index-change"
    hook.parent.mkdir(exist_ok=True)
    hook.unlink(missing_ok=True)
    hook.symlink_to(program)
    (program.parent / "marker").unlink(missing_ok=True)
    for path in checkout.glob("src/*"):
        os.utime(path, (1, 1))
    Git(checkout)._run("update-index", "--refresh")
    assert not (program.parent / "marker").exists()


def test_no_program_of_a_remote_runs(checkout: Path, program: Path, tmp_path: Path) -> None:
    """Git requests missing objects of a partial clone from its remote."""
    for key, value in {
        "core.repositoryFormatVersion": "1",
        "extensions.partialClone": "origin",
        "remote.origin.promisor": "true",
        "remote.origin.url": str(tmp_path),
        "remote.origin.uploadpack": str(program),
        "protocol.allow": "always",
    }.items():
        git(checkout, "config", key, value)
    tree = git(checkout, "rev-parse", "HEAD:src").strip()
    (checkout / ".git/objects" / tree[:2] / tree[2:]).unlink()
    (checkout / ".git/index").unlink()
    refused(checkout, "oauthkit adopt: git ")
    assert not (tmp_path / "marker").exists()


def test_filters_that_were_not_run_are_named(checkout: Path) -> None:
    (checkout / ".gitattributes").write_text("*.txt filter=loud\n", encoding="utf-8")
    git(checkout, "config", "filter.loud.clean", "tr a-z A-Z")
    (checkout / "a.txt").write_text("text\n", encoding="utf-8")
    commit(checkout)
    os.utime(checkout / "a.txt", (1, 1))
    said = "not committed (the git filters loud were not run). Commit or stash them"
    refused(checkout, said)


def test_a_filter_that_cannot_be_disabled_is_named(checkout: Path, program: Path) -> None:
    git(checkout, "config", "filter.a=b.clean", str(program))
    refused(checkout, "'a=b'. Remove it from .git/config", "--force")


def test_git_that_hangs_is_killed(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(checkout / ".git/fifo")
    with (checkout / ".git/config").open("a", encoding="utf-8") as config:
        config.write("[include]\npath = fifo\n")
    monkeypatch.setattr(untrusted, "LIMIT_S", 0.5)
    with pytest.raises(HostError, match=r"git config in .* did not finish within 0\.5 s"):
        adopting.adopt(checkout, lambda _: None, is_dry=True, is_forced=True)


def test_lines_of_git_are_joined(checkout: Path, tmp_path: Path) -> None:
    """For example for a checkout of another user, whom git does not trust."""
    git_says = "fatal: dubious ownership\nTo add an exception, call:\n\n\tgit config\n"
    (tmp_path / "git").write_text(f"#!/bin/sh\ncat >&2 <<'X'\n{git_says}X\nexit 3\n", "utf-8")
    (tmp_path / "git").chmod(0o755)
    said = "failed: fatal: dubious ownership; To add an exception, call:; git config\n"
    refused(checkout, said, PATH=f"{tmp_path}:/usr/bin:/bin")


# --- Programs that the refresh would run ---


@pytest.mark.parametrize("is_link", [False, True])
def test_hooks_and_settings_are_named_before_the_refresh(
    checkout: Path, program: Path, *, is_link: bool
) -> None:
    hooks = checkout / "scripts/oauth/hooks"
    hooks.mkdir(parents=True)
    (hooks / "failed").symlink_to(program)
    for name, mode in {"renewed": 0o755, "recovered": 0o644, "other": 0o755}.items():
        shutil.copy(program, hooks / name)
        (hooks / name).chmod(mode)
    conf = checkout / CONF_FILE
    if is_link:
        conf.symlink_to("nowhere")
    else:
        conf.write_text("OAUTHKIT_DOTENV=/tmp/shared/.env\n", encoding="utf-8")
    commit(checkout)
    named = [CONF_FILE, "scripts/oauth/hooks/renewed", "scripts/oauth/hooks/failed"]
    expected = [f"read this before you run the refresh: {name}" for name in named]
    assert adopt(checkout, "--dry-run").stdout.splitlines()[-3:] == expected
    lines = adopt(checkout).stdout.splitlines()
    start = lines.index(expected[0])
    run = f"now run: bash '{checkout}/{NEW}'"
    assert [line for line in lines[start:] if "build" not in line][:4] == [*expected, run]
    assert adopt(checkout, "--force").stdout.splitlines()[:4] == ["nothing to change", *expected]
    assert not (program.parent / "marker").exists()


def test_tracked_files_that_a_refresh_would_write_are_named(checkout: Path, tmp_path: Path) -> None:
    login = tmp_path / "login"
    (checkout / "logs").mkdir()
    for name in (".env", "logs/oauth-refresh.log"):
        (checkout / name).symlink_to(login)
    git(checkout, "add", "--force", ".env", "logs")
    commit(checkout)
    lines = adopt(checkout).stdout.splitlines()
    assert "read this before you run the refresh: .env" in lines
    assert "read this before you run the refresh: logs/oauth-refresh.log" in lines


def test_all_files_beside_the_log_are_known() -> None:
    programs = (REPOSITORY / "py/oauthkit/program").glob("*.py")
    names = {
        name
        for program in programs
        for name in re.findall(r'"oauth-refresh\.([a-z-]+)"', program.read_text("utf-8"))
    }
    assert "revision" in names
    assert {f"logs/oauth-refresh.{name}" for name in names} <= {*WRITTEN}


@pytest.mark.parametrize("link", [".env", "logs", "logs/oauth-refresh.lock"])
def test_ignored_links_that_a_refresh_would_write_are_named(checkout: Path, link: str) -> None:
    (checkout / ".git/info/exclude").write_text(".env\nlogs\n", encoding="utf-8")
    (checkout / link).parent.mkdir(exist_ok=True)
    (checkout / link).symlink_to(checkout.parent / "mine")
    said = f"read this before you run the refresh: {link}"
    assert said in adopt(checkout).stdout.splitlines()


def test_ignored_files_that_a_refresh_would_write_are_not_named(checkout: Path) -> None:
    (checkout / ".git/info/exclude").write_text(".env\nlogs\n", encoding="utf-8")
    (checkout / "logs").mkdir()
    for name in (".env", "logs/oauth-refresh.log"):
        (checkout / name).touch()
    assert "read this" not in adopt(checkout).stdout


def test_files_that_a_build_copies_into_the_project_are_named(checkout: Path) -> None:
    copied = checkout / SKILL
    (copied / "scripts/oauth/hooks").mkdir(parents=True)
    (copied / "scripts/oauth/hooks/failed").touch(mode=0o755)
    (copied / CONF_FILE).touch()
    (copied / ".env").symlink_to(checkout.parent / "mine")
    commit(checkout)
    lines = adopt(checkout).stdout.splitlines()
    for name in (".env", CONF_FILE, "scripts/oauth/hooks/failed"):
        assert f"read this before you run the refresh: {SKILL}/{name}" in lines


def test_settings_that_adopt_changes_are_named(checkout: Path) -> None:
    """The other lines of refresh.conf are still the checkout's."""
    said = f"read this before you run the refresh: {CONF_FILE}"
    assert said not in adopt(checkout, "--light").stdout.splitlines()
    commit(checkout)
    assert said in adopt(checkout, "--unit", "mine").stdout.splitlines()


# --- The index ---


def write_index(checkout: Path, version: int, entries: bytes, count: int) -> None:
    """Write an index that git itself would not write: gitformat-index(5)."""
    content = struct.pack(">4sII", b"DIRC", version, count) + entries
    checksum = hashlib.sha1(content, usedforsecurity=False).digest()
    (checkout / ".git/index").write_bytes(content + checksum)


def entry(blob: str, name_bytes: int) -> bytes:
    """Return an entry of an index, up to its name."""
    fixed = struct.pack(">10I", *[0] * 6, 0o100644, 0, 0, 0)
    return fixed + bytes.fromhex(blob) + struct.pack(">H", min(name_bytes, 0xFFF))


@pytest.mark.parametrize("name", ["../victim", "{}/victim", "src//a", "src/./a", ".git/config"])
def test_a_name_that_leads_out_of_the_checkout(checkout: Path, name: str) -> None:
    victim = checkout.parent / "victim"
    victim.write_text(f"{OLD}\n", encoding="utf-8")
    name = name.format(checkout.parent)
    blob = git(checkout, "rev-parse", "HEAD:src/other.ts").strip()
    content = entry(blob, len(name)) + name.encode()
    write_index(checkout, 2, content + b"\0" * (8 - len(content) % 8), 1)
    assert name in git(checkout, "ls-files")
    for arguments in (["--force"], ["--force", "--dry-run"]):
        said = f"is not safe to change: its git index contains the unsafe path {name!r}. "
        said += "Clone it again\n"
        refused(checkout, said, *arguments)
    assert victim.read_text("utf-8") == f"{OLD}\n"


def test_an_untracked_repository(checkout: Path) -> None:
    """For git, its name ends with a slash."""
    git(checkout, "init", "--quiet", "other")
    assert git(checkout, "ls-files", "--others") == "other/\n"
    done = adopt(checkout, "--force")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (6_000, "git ls-files in {} printed more than 16 MiB. Use a clean clone\n"),
        (60_000, "git ls-files in {} failed: fatal: Out of memory"),
    ],
)
def test_an_index_of_long_names(checkout: Path, count: int, said: str) -> None:
    """In version 4 of the index, each name has one character more than the one before."""
    blob = git(checkout, "rev-parse", "HEAD:src/other.ts").strip()
    entries = (entry(blob, size) + b"\0a\0" for size in range(1, count + 1))
    write_index(checkout, 4, b"".join(entries), count)
    assert (checkout / ".git/index").stat().st_size < 4_000_000
    refused(checkout, said.format(checkout), "--force")


@pytest.mark.parametrize("stream", [1, 2])
def test_git_with_endless_output(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stream: int
) -> None:
    (tmp_path / "git").write_text(f"#!/bin/sh\nexec yes >&{stream}\n", "utf-8")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(untrusted, "LIMIT_S", 2)
    said = {1: r"printed more than 16 MiB", 2: r"did not finish within 2 s"}[stream]
    with pytest.raises(HostError, match=rf"git config in .* {said}"):
        adopting.adopt(checkout, lambda _: None, is_dry=True, is_forced=True)


# --- Links ---


@pytest.mark.parametrize(
    ("link", "is_outside"),
    [
        ("scripts/oauth", True),
        ("scripts/oauth", False),
        (NEW, True),
        ("container", True),
        ("container/skills/refresh-oauth", True),
    ],
)
def test_nothing_is_written_through_a_link(
    checkout: Path, tmp_path: Path, link: str, *, is_outside: bool
) -> None:
    target = (tmp_path if is_outside else checkout) / "target"
    target.mkdir()
    (target / "mine").write_text("mine\n", encoding="utf-8")
    git(checkout, "rm", "-r", "--quiet", "container")
    (checkout / link).parent.mkdir(parents=True, exist_ok=True)
    (checkout / link).symlink_to(target / "mine" if link == NEW else target)
    (checkout / "container").mkdir(exist_ok=True)
    commit(checkout)
    said = f"{checkout / link} is a symbolic link to {target}"
    for arguments in ([], ["--force"]):
        refused(checkout, said, *arguments)
    assert contents(target) == {str(target / "mine"): b"mine\n"}


def test_links_in_a_loop_and_in_a_long_chain(checkout: Path) -> None:
    (checkout / "loop").symlink_to("loop")
    (checkout / "chain0").symlink_to("src/other.ts")
    for number in range(1500):
        (checkout / f"chain{number + 1}").symlink_to(f"chain{number}")
    commit(checkout)
    done = adopt(checkout)
    assert (done.returncode, done.stderr) == (0, "")


# --- Sizes ---


def test_a_large_file_is_named(checkout: Path) -> None:
    (checkout / "src/big.ts").write_text(f"{'x' * 2_000_000}{OLD}", encoding="utf-8")
    (checkout / "big.png").write_bytes(b"\0" + b"x" * 2_000_000)
    commit(checkout)
    done = adopt(checkout)
    assert (done.returncode, done.stderr) == (1, "")
    named = [line for line in done.stdout.splitlines() if "big" in line]
    assert named == ["not searched: src/big.ts: it is larger than 1 MiB"]


@pytest.mark.parametrize(
    "text",
    [
        OAUTH_TS + f"execFile('bash', [script], {{ timeout: {'9' * 5000} }});\n",
        OLD + "\n" + "".join(f"{number % 101}\n" for number in range(300_000)) + OLD,
        # The worst case for difflib: each unchanged line is a block, and as frequent as possible
        # without being popular.
        "".join(f"{number // 2 % 50}\n{OLD}\n" for number in range(MAX_DIFF_LINES // 2)),
        "'scripts'" + " " * 1_000_000 + OLD,
    ],
    ids=["a long number", "popular lines", "many changes", "blanks"],
)
def test_worst_case_texts_take_only_seconds(checkout: Path, text: str) -> None:
    (checkout / "src/oauth.ts").write_text(text, encoding="utf-8")
    commit(checkout)
    for arguments in (["--dry-run"], []):
        done = adopt(checkout, *arguments)
        assert done.stderr == ""
    assert OLD not in (checkout / "src/oauth.ts").read_text("utf-8")


@pytest.mark.parametrize(
    ("lines", "line"),
    [(MAX_DIFF_LINES, ""), (1, "x" * (MAX_DIFF_BYTES - 100))],
    ids=["lines", "bytes"],
)
def test_a_diff_that_is_too_long_is_not_shown(checkout: Path, lines: int, line: str) -> None:
    text = f"{line}\n" * (lines - 1) + f"{line} {OLD}\n"
    for extra in ("", line[:100] + "\n"):
        (checkout / "src/oauth.ts").write_text(text + extra, encoding="utf-8")
        commit(checkout)
        shown = adopt(checkout, "--dry-run").stdout
        diff = shown.split("\n", 5)[5]  # without the summary
        (said,) = [x for x in diff.splitlines() if "src/oauth.ts" in x and "+++" not in x]
        if extra:
            size = len(text + extra)
            count = lines + 1
            assert said == f"src/oauth.ts: changed, too long to show: {count} lines, {size} bytes"
            assert "+++ b/src/oauth.ts" not in shown
        else:
            assert said == "--- a/src/oauth.ts"


def test_many_mentions_are_counted(checkout: Path) -> None:
    for number in range(1000):
        (checkout / f"src/odd{number:04}.ts").write_text("refresh-oauth.sh\n", encoding="utf-8")
    commit(checkout)
    done = adopt(checkout)
    assert done.returncode == 1
    left = [line for line in done.stdout.splitlines() if line.startswith("not understood")]
    assert left[-1] == "not understood, left unchanged: 900 more"
    assert len(left) == 101


def link_names(checkout: Path, text: str, count: int) -> None:
    """Commit a file, and more names of it."""
    (checkout / "src/big.ts").write_text(text, encoding="utf-8")
    for number in range(1, count):
        (checkout / f"src/big{number:03}.ts").hardlink_to(checkout / "src/big.ts")
    commit(checkout)


def test_lines_that_are_not_printed_take_no_memory(checkout: Path) -> None:
    link_names(checkout, "refresh.sh\n" + "timeout\n" * 100_000, 8)
    tracemalloc.start()
    try:
        said: list[str] = []
        adopting.adopt(checkout, said.append, is_dry=True, is_forced=False)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert said[-1].endswith(": timeout (and 99999 more lines)")
    assert peak < 30_000_000


def test_many_names_of_one_large_file(checkout: Path) -> None:
    link_names(checkout, f"{OLD}\n{'x' * 1_000_000}\n", 40)
    said = f"the files that call {OLD} have more than 32 MiB. Use a clean clone"
    refused(checkout, said)
    refused(checkout, said, "--force", "--dry-run")


@pytest.mark.parametrize("start", ["", "\0"], ids=["text", "binary"])
def test_bytes_to_search_are_limited(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, start: str
) -> None:
    link_names(checkout, f"{start}{'x' * 1_000_000}\n", 4)
    monkeypatch.setattr(searching, "MAX_SEARCHED_BYTES", 2 << 20)
    said: list[str] = []
    assert adopting.adopt(checkout, said.append, is_dry=True, is_forced=False) == 1
    named = [line for line in said if line.startswith("not searched: ")]
    assert named == [
        f"not searched: src/{name}.ts: 2 MiB have been searched already"
        for name in ("big003", "ipc", "oauth", "other")
    ]


def test_pipe_in_place_of_a_file_is_reported(checkout: Path) -> None:
    for name in ("src/other.ts", "dist/x.js"):
        (checkout / name).unlink(missing_ok=True)
        (checkout / name).parent.mkdir(exist_ok=True)
        os.mkfifo(checkout / name)
    done = adopt(checkout, "--force")
    assert (done.returncode, done.stderr) == (1, "")
    assert "not searched: src/other.ts: it is not a regular file\n" in done.stdout


@pytest.mark.parametrize("name", [NEW, "container/skills/refresh-oauth/SKILL.md"])
def test_pipe_in_place_of_a_written_file(checkout: Path, name: str) -> None:
    (checkout / name).unlink(missing_ok=True)
    (checkout / name).parent.mkdir(exist_ok=True)
    os.mkfifo(checkout / name)
    before = {*contents(checkout)}
    done = adopt(checkout, "--force")
    assert done.returncode == 1
    assert done.stderr.endswith(f"{name} cannot be read: it is not a regular file\n")
    assert {*contents(checkout)} == before


def test_a_diff_can_be_applied(checkout: Path) -> None:
    """The shown diff is the change, even if a file's number of lines changes."""
    lines = [f"line {number}" for number in range(60)]
    for number in (0, 4, 20, 59):
        lines[number] = f"run('{OLD}')"
    (checkout / "src/oauth.ts").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (checkout / NEW).parent.mkdir()
    (checkout / NEW).write_text("#!/usr/bin/env bash\nold\n\n", encoding="utf-8")
    (checkout / NEW).chmod(0o755)
    commit(checkout)
    shown = adopt(checkout, "--dry-run").stdout
    (checkout / ".git/diff").write_text(shown, encoding="utf-8")
    git(checkout, "apply", ".git/diff")
    applied = contents(checkout)
    git(checkout, "reset", "--quiet", "--hard")
    git(checkout, "clean", "-qfd")
    adopt(checkout)
    assert contents(checkout) == applied
    wanted = git(checkout, "diff", "--", "src/oauth.ts")
    assert all(hunk in shown for hunk in re.findall(r"^@@ .* @@", wanted, re.MULTILINE))
