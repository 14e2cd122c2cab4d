"""Pushes to the deployed branch, to other branches, and a deployment that fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from oauthkit.parity import Call, Pair, Run

if TYPE_CHECKING:
    from collections.abc import Callable

OLD = "1" * 40
NEW = "2" * 40
NONE = "0" * 40


@pytest.fixture
def parity(make_port: Callable[..., Pair[Run]]) -> Pair[Run]:
    pair = make_port()
    pair.directory("my site")
    pair.env["GIT_DIR"] = "."
    return pair


def configure(parity: Pair[Run], **settings: str) -> None:
    """Answer each request for a setting; git exits with 1 for those that are not set."""
    for name in ("directory", "branch", "command"):
        plan = parity.stand_in("git").when("config", "--get", f"deploy.{name}")
        if name in settings:
            plan.always.prints(f"{settings[name]}\n")
        else:
            plan.always.fails()


def update(old: str, new: str, ref: str) -> bytes:
    return f"{old} {new} {ref}\n".encode()


def calls(run: Run) -> list[Call]:
    """Return all calls except those that read the settings."""
    return [call for call in run.all_calls if call.argv[0] != "config"]


def test_pushed_branch_is_checked_out(parity: Pair[Run]) -> None:
    configure(parity, directory="my site")
    parity.stand_in("git").when("log", ...).prints("  2222222 Fix the menu\n")
    parity.stand_in("git").when("checkout", ...).exits(0)
    run = parity.run(stdin=update(OLD, NEW, "refs/heads/main"))
    site = parity.project / "my site"
    shown = f"deploying main to {site}\n  2222222 Fix the menu\n"
    assert (run.exit_code, run.stdout, run.stderr) == (0, shown, "")
    log, checkout = calls(run)
    assert log.argv == ["log", "--max-count=10", "--format=  %h %s", f"{OLD}..{NEW}"]
    assert checkout.argv == ["checkout", "--quiet", "--force", "main"]
    assert (checkout.env["GIT_WORK_TREE"], checkout.env["GIT_DIR"]) == (str(site), ".")


def test_command_runs_in_the_directory(parity: Pair[Run]) -> None:
    configure(parity, directory="my site", branch="stable", command="make 'all of it'")
    parity.stand_in("git").when("log", ...).exits(0)
    parity.stand_in("git").when("checkout", ...).exits(0)
    parity.stand_in("sh").exits(3, stdout="built\n", stderr="disk full\n")
    run = parity.run(stdin=update(NONE, NEW, "refs/heads/stable"))
    assert (run.exit_code, run.stderr) == (3, "disk full\n")
    assert run.stdout.endswith("built\n")
    log, _, make = calls(run)
    assert log.argv[-1] == NEW  # the branch is new: there is no old commit
    assert (make.argv, make.cwd) == (["-c", "make 'all of it'"], str(parity.project / "my site"))
    assert not {"GIT_DIR", "GIT_WORK_TREE"} & set(make.env)


def test_other_updates_are_not_deployed(parity: Pair[Run]) -> None:
    configure(parity, directory="my site")
    updates = update(OLD, NEW, "refs/heads/größe") + update(OLD, NONE, "refs/heads/main")
    run = parity.run(stdin=updates)
    site = parity.project / "my site"
    assert run.stdout == (
        f"refs/heads/größe is not deployed\nmain was deleted: {site} is unchanged\n"
    )
    assert (run.exit_code, calls(run)) == (0, [])


def test_checkout_fails(parity: Pair[Run]) -> None:
    configure(parity, directory="my site", command="make")
    parity.stand_in("git").when("log", ...).exits(0)
    parity.stand_in("git").when("checkout", ...).exits(128, stderr="fatal: bad object\n")
    run = parity.run(stdin=update(OLD, NEW, "refs/heads/main"))
    error = "fatal: bad object\nmain cannot be checked out\n"
    assert (run.exit_code, run.stderr) == (128, error)


def test_log_fails(parity: Pair[Run]) -> None:
    configure(parity, directory="my site")
    parity.stand_in("git").when("log", ...).exits(128, stderr="fatal: bad revision\n")
    run = parity.run(stdin=update(OLD, NEW, "refs/heads/main"))
    error = "fatal: bad revision\ngit failed with exit status 128\n"
    assert (run.exit_code, run.stderr) == (128, error)


@pytest.mark.parametrize("settings", [{}, {"directory": "missing"}, {"directory": ""}])
def test_no_directory(parity: Pair[Run], settings: dict[str, str]) -> None:
    configure(parity, **settings)
    parity.stand_in("git").when("config", "--get", "deploy.branch").never()
    parity.stand_in("git").when("config", "--get", "deploy.command").never()
    run = parity.run(stdin=update(OLD, NEW, "refs/heads/main"))
    error = f"deploy.directory is not a directory: '{settings.get('directory', '')}'\n"
    assert (run.exit_code, run.stdout, run.stderr) == (1, "", error)


def test_unexpected_argument(parity: Pair[Run]) -> None:
    run = parity.run("main")
    assert (run.exit_code, run.stderr) == (2, "usage: push_deploy < UPDATES\n")
