"""Links to dotfiles, files that are in the way, and links that cannot be created."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from oauthkit.parity import Pair, Run

if TYPE_CHECKING:
    from collections.abc import Callable

ORIGINAL = ".20260102-030405.orig"


@pytest.fixture
def parity(make_port: Callable[..., Pair[Run]]) -> Pair[Run]:
    pair = make_port("date", "ln", "mv")
    for name in (".bashrc", ".my config", ".vimrc.swp", ".git/config", "README"):
        pair.file(f"repo/{name}", f"{name}\n")
    return pair


def test_each_dotfile_is_linked(parity: Pair[Run]) -> None:
    run = parity.run("repo")
    assert (run.exit_code, run.stdout, run.stderr) == (0, "  2 linked,   0 failed\n", "")
    for name in (".bashrc", ".my config"):
        assert run.files[f"~/{name}"].target == str(parity.project / "repo" / name)
    assert not {"~/.git", "~/.vimrc.swp", "~/README"} & set(run.files)


def test_second_run_changes_nothing(parity: Pair[Run]) -> None:
    parity.run("repo")
    run = parity.run("repo")
    assert (run.exit_code, run.stdout) == (0, "  0 linked,   0 failed\n")


def test_file_in_the_way_is_kept(parity: Pair[Run]) -> None:
    parity.file("~/.my config", "old\n")
    parity.symlink("~/.bashrc", "nowhere")
    run = parity.run("repo")
    assert (run.exit_code, run.stderr) == (0, "")
    assert f"{parity.home}/.my config is kept as" in run.stdout
    assert run.files[f"~/.my config{ORIGINAL}"].content == b"old\n"
    assert run.files[f"~/.bashrc{ORIGINAL}"].target == "nowhere"


def test_dry_run_changes_nothing(parity: Pair[Run]) -> None:
    run = parity.run("repo", "--dry-run")
    home = parity.home
    assert run.stdout == (
        f"would link {home}/.bashrc\nwould link {home}/.my config\n  0 linked,   0 failed\n"
    )
    assert "~/.bashrc" not in run.files


def test_link_fails(parity: Pair[Run]) -> None:
    parity.remove("ln")
    parity.stand_in("ln").fails(stderr="ln: read-only file system\n")
    parity.stand_in("ln").exits(0)
    run = parity.run("repo")
    assert (run.exit_code, run.stdout) == (1, "  1 linked,   1 failed\n")
    assert run.stderr == "ln: read-only file system\n"


def test_ln_is_not_installed(parity: Pair[Run]) -> None:
    parity.remove("ln")
    run = parity.run("repo")
    assert (run.exit_code, run.stdout) == (1, "  0 linked,   2 failed\n")
    assert run.stderr == "exit status 127: not found, or killed\n" * 2


@pytest.mark.parametrize(
    ("arguments", "exit_code", "error"),
    [
        ((), 2, "usage: dotfiles [--dry-run] REPOSITORY\n"),
        (("",), 2, "usage: dotfiles [--dry-run] REPOSITORY\n"),
        (("repo", "more"), 2, "unexpected argument more\n"),
        (("-n",), 2, "unexpected argument -n\n"),
        (("miss ing",), 1, "miss ing is not a directory\n"),
    ],
)
def test_wrong_arguments(
    parity: Pair[Run], arguments: tuple[str, ...], exit_code: int, error: str
) -> None:
    run = parity.run(*arguments)
    assert (run.exit_code, run.stdout) == (exit_code, "")
    assert error in run.stderr
