"""health_check.sh and health_check.py behave the same; the check and the alert are stand-ins."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from oauthkit.parity import MakePair, Pair, Run

TOOLS = ["cat", "dd", "env", "flock", "mkdir", "mv", "stat", "sync", "timeout"]
NOW = "2026-01-02T03:04:05+00:00"
DIRECTORY = "~/.local/state/health_check"
# Most tests use these arguments: a single try, so no retries.
ONCE = ("--tries=1", "--alert=page", "web")


@pytest.fixture
def parity(make_pair: MakePair) -> Pair[Run]:
    pair = make_pair("health_check.sh", "health_check.py", tools=TOOLS)
    pair.stand_in("probe")
    pair.stand_in("page")
    return pair


def text(run: Run, ending: str, directory: str = DIRECTORY) -> str:
    return run.files[f"{directory}/web.{ending}"].content.decode()


def is_down(parity: Pair[Run]) -> None:
    """Create the state after an alert."""
    parity.file(f"{DIRECTORY}/web.state", "down 2026-01-01T00:00:00+00:00\nexit 1\n", mode=0o600)


def test_check_that_succeeds(parity: Pair[Run]) -> None:
    parity.stand_in("probe").exits(0, stdout="all well\n", stderr="and warm\n")
    run = parity.run(*ONCE, "probe", "-fsS", "https://example.org/a b?c=d&e")
    assert (run.exit_code, run.stdout, run.stderr) == (0, "", "")
    assert run.calls("probe") == [["-fsS", "https://example.org/a b?c=d&e"]]
    assert text(run, "state") == f"up {NOW}\n\n"
    assert text(run, "output") == "all well\nand warm\n"
    assert text(run, "log") == ""
    assert run.files[f"{DIRECTORY}/web.state"].mode == 0o600


def test_alert_is_called_once_per_change(parity: Pair[Run]) -> None:
    alerts = []
    for status in (0, 7, 7, 0, 0, 7):
        parity.stand_in("probe").exits(status)
        parity.stand_in("page").exits(0).optional()
        parity.set_clock(parity.now_s + 60)
        run = parity.run(*ONCE, "probe")
        assert run.exit_code == min(status, 1)
        alerts.append(run.calls("page"))
    assert alerts == [
        [],
        [["web", "down", "exit 7"]],
        [],
        [["web", "up"]],
        [],
        [["web", "down", "exit 7"]],
    ]


def test_state_has_the_time_and_reason_of_the_failure(parity: Pair[Run]) -> None:
    parity.stand_in("probe").fails(22, stderr="no route\n")
    parity.stand_in("page").exits(0, stdout="paged\n")
    run = parity.run(*ONCE, "probe")
    assert (run.exit_code, run.stderr) == (1, "")
    assert text(run, "state") == f"down {NOW}\nexit 22\n"
    assert text(run, "log") == f"{NOW} down: exit 22\n{NOW} web is down: calling page\n"
    assert (text(run, "output"), text(run, "alert")) == ("no route\n", "paged\n")


def test_retries_with_growing_waits(parity: Pair[Run]) -> None:
    for status in (1, 2, 3):
        parity.stand_in("probe").exits(status, stdout=f"{status}\n")
    parity.stand_in("probe").exits(0, stdout="well\n")
    run = parity.run("--tries=4", "--wait=10", "--alert=page", "web", "probe")
    assert (run.exit_code, run.programs) == (0, ["probe"] * 4)
    assert text(run, "log").splitlines() == [
        f"{NOW} try 1 of 4: exit 1, next try in 10 ms",
        f"{NOW} try 2 of 4: exit 2, next try in 20 ms",
        f"{NOW} try 3 of 4: exit 3, next try in 40 ms",
    ]
    assert text(run, "output") == "well\n"


def test_waits_match_the_configuration(parity: Pair[Run]) -> None:
    parity.stand_in("probe").fails(1)
    parity.stand_in("probe").exits(0)
    start_s = time.monotonic()
    parity.run("--tries=2", "--wait=250", "--alert=page", "web", "probe")
    assert time.monotonic() - start_s > 0.25


def test_check_that_takes_too_long(parity: Pair[Run]) -> None:
    parity.stand_in("probe").hangs()
    parity.stand_in("page").exits(0)
    run = parity.run("--limit=1", *ONCE, "probe")
    assert run.calls("page") == [["web", "down", "took more than 1 s"]]


@pytest.mark.parametrize(
    ("number", "reason"),
    [(6, "killed by signal 6"), (9, "killed by signal 9, perhaps because it took more than 10 s")],
)
def test_check_that_is_killed(parity: Pair[Run], number: int, reason: str) -> None:
    parity.stand_in("probe").dies_by_signal(number)
    parity.stand_in("page").exits(0)
    assert parity.run(*ONCE, "probe").calls("page") == [["web", "down", reason]]


def test_missing_check(parity: Pair[Run]) -> None:
    parity.stand_in("page").exits(0)
    run = parity.run(*ONCE, "no-such-check")
    assert run.calls("page") == [["web", "down", "not found"]]


def test_check_that_is_not_executable(parity: Pair[Run]) -> None:
    parity.file("check", "no program")
    parity.stand_in("page").exits(0)
    run = parity.run(*ONCE, "./check")
    assert run.calls("page") == [["web", "down", "cannot be run"]]


@pytest.mark.parametrize(("status", "word"), [(0, "up"), (1, "down")])
def test_failed_alert_is_called_again(parity: Pair[Run], status: int, word: str) -> None:
    if word == "up":
        is_down(parity)
    parity.stand_in("probe").always.exits(status)
    parity.stand_in("page").fails(5)
    run = parity.run(*ONCE, "probe")
    assert (run.exit_code, run.stderr) == (1, "health_check: the alert failed: exit 5\n")
    assert text(run, "log").splitlines()[-1].endswith("exit 5. The next run calls it again")
    parity.stand_in("page").exits(0)
    run = parity.run(*ONCE, "probe")
    assert (run.exit_code, run.call("page").argv[:2]) == (status, ["web", word])
    assert text(run, "state").startswith(f"{word} {NOW}\n")


def test_missing_alert(parity: Pair[Run]) -> None:
    parity.remove("page")
    parity.stand_in("probe").fails(1)
    run = parity.run(*ONCE, "probe")
    assert (run.exit_code, run.stderr) == (1, "health_check: the alert failed: not found\n")
    assert f"{DIRECTORY}/web.state" not in run.files


@pytest.mark.parametrize(
    "arguments", [("a b", "it's", '"$HOME"'), ("two\nlines", "*", ""), ("--", "-x")]
)
def test_odd_arguments(parity: Pair[Run], arguments: tuple[str, ...]) -> None:
    parity.stand_in("probe").exits(0)
    assert parity.run(*ONCE, "probe", *arguments).calls("probe") == [[*arguments]]


@pytest.mark.parametrize("name", ["a b", 'it\'s "*"', "two\nlines", "-dash", "ü"])
def test_odd_directory_and_odd_programs(parity: Pair[Run], name: str) -> None:
    probe, page = f"./{name}/probe", f"./{name}/page"
    parity.stand_in("probe", place=probe).fails(3)
    parity.stand_in("page", place=page).exits(0)
    run = parity.run("--tries=1", f"--directory={name}/state", f"--alert={page}", "web", probe)
    assert (run.exit_code, run.calls("page")) == (1, [["web", "down", "exit 3"]])
    assert text(run, "state", f"{name}/state") == f"down {NOW}\nexit 3\n"


def test_two_dashes_end_the_options(parity: Pair[Run]) -> None:
    parity.stand_in("probe").exits(0)
    run = parity.run("--alert=page", "--", "web", "probe", "--", "-x")
    assert (run.exit_code, run.calls("probe")) == (0, [["--", "-x"]])


def test_variables_can_be_set_for_the_check(parity: Pair[Run]) -> None:
    parity.stand_in("probe").exits(0)
    run = parity.run(*ONCE, "PORT=8080", "probe")
    assert run.call("probe").env["PORT"] == "8080"


def test_variables_without_a_command_are_rejected(parity: Pair[Run]) -> None:
    run = parity.run(*ONCE, "PORT=8080")
    assert (run.exit_code, run.programs, run.touched) == (2, [], [])
    assert run.stderr.startswith("health_check: --alert, NAME and COMMAND are required\n")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (
            ("--alert=./a=b", "web", "probe"),
            "./a=b contains an equals sign, so env would parse it as a variable",
        ),
        (
            ("--alert=page", "web", "./a=b"),
            "./a=b contains an equals sign, so env would parse it as a variable",
        ),
        (
            ("--alert=page", "web", "A=1", "/x/a=b", "c"),
            "/x/a=b contains an equals sign, so env would parse it as a variable",
        ),
    ],
)
def test_program_with_an_equals_sign_is_rejected(
    parity: Pair[Run], arguments: tuple[str, ...], problem: str
) -> None:
    run = parity.run(*arguments)
    assert (run.exit_code, run.programs, run.touched) == (2, [], [])
    assert run.stderr.startswith(f"health_check: {problem}\n")


def test_command_arguments_can_contain_an_equals_sign(parity: Pair[Run]) -> None:
    parity.stand_in("probe").exits(0)
    run = parity.run(*ONCE, "A=/x=y", "probe", "./a=b", "c=d")
    assert (run.exit_code, run.calls("probe")) == (0, [["./a=b", "c=d"]])
    assert run.call("probe").env["A"] == "/x=y"


@pytest.mark.parametrize("home", [None, ""])
def test_without_home_the_directory_is_required(parity: Pair[Run], home: str | None) -> None:
    if home is None:
        del parity.env["HOME"]
    else:
        parity.env["HOME"] = home
    run = parity.run(*ONCE, "probe")
    assert (run.exit_code, run.programs, run.touched) == (2, [], [])
    assert run.stderr.startswith("health_check: HOME is not set. Use --directory=DIR\n")
    parity.stand_in("probe").exits(0)
    run = parity.run("--directory=state", *ONCE, "probe")
    assert (run.exit_code, text(run, "state", "state")) == (0, f"up {NOW}\n\n")


def test_directory_from_the_environment(parity: Pair[Run]) -> None:
    parity.env["XDG_STATE_HOME"] = str(parity.home / "state")
    parity.stand_in("probe").exits(0)
    assert "~/state/health_check/web.state" in parity.run(*ONCE, "probe").files
    parity.env["XDG_STATE_HOME"] = "relative"  # is ignored
    parity.stand_in("probe").exits(0)
    assert f"{DIRECTORY}/web.state" in parity.run(*ONCE, "probe").files


@pytest.mark.parametrize("content", [b"", b"up", b"sideways 1\n", b"do\0wn \n", b"\xff"])
def test_invalid_state_is_replaced(parity: Pair[Run], content: bytes) -> None:
    parity.file(f"{DIRECTORY}/web.state", content)
    parity.stand_in("probe").fails(1)
    parity.stand_in("page").exits(0)
    assert text(parity.run(*ONCE, "probe"), "state") == f"down {NOW}\nexit 1\n"


@pytest.mark.parametrize(
    ("program", "problem"),
    [
        ("mv", "web.state cannot be replaced: mv exit 1"),
        ("sync", "web.state.new cannot be written: sync exit 1"),
    ],
)
def test_failure_to_replace_the_state_is_reported(
    parity: Pair[Run], program: str, problem: str
) -> None:
    parity.stand_in(program).fails(1)
    is_down(parity)
    before = parity.home / ".local/state/health_check"
    parity.stand_in("probe").exits(0)
    parity.stand_in("page").exits(0)
    run = parity.run(*ONCE, "probe")
    assert (run.exit_code, run.stderr) == (1, f"health_check: {before}/{problem}\n")
    assert text(run, "log").endswith(f"ERROR: {before}/{problem}\n")
    assert text(run, "state").startswith("down ")


def test_failure_to_write_the_state_is_reported(parity: Pair[Run]) -> None:
    parity.directory(f"{DIRECTORY}/web.state.new")
    parity.stand_in("probe").exits(0)
    run = parity.run(*ONCE, "probe")
    fresh = parity.home / ".local/state/health_check/web.state.new"
    assert (run.exit_code, run.stderr) == (1, f"health_check: {fresh} cannot be written\n")
    assert text(run, "log") == f"{NOW} ERROR: {fresh} cannot be written\n"


def test_state_is_synced_before_it_is_renamed(parity: Pair[Run]) -> None:
    parity.stand_in("sync").exits(0)
    parity.stand_in("mv").exits(0)
    parity.stand_in("probe").exits(0)
    run = parity.run(*ONCE, "probe")
    state = f"{parity.home}/.local/state/health_check/web.state"
    assert run.programs == ["probe", "sync", "mv"]
    assert run.calls("sync") == [[f"{state}.new"]]
    assert run.calls("mv") == [["-f", "-T", f"{state}.new", state]]


def test_directory_that_cannot_be_written(parity: Pair[Run]) -> None:
    parity.directory(DIRECTORY, mode=0o500)
    run = parity.run(*ONCE, "probe")
    log = parity.home / ".local/state/health_check/web.log"
    assert (run.exit_code, run.programs) == (1, [])
    assert run.stderr == f"health_check: {log} cannot be written\n"


def test_second_run_does_nothing(parity: Pair[Run]) -> None:
    parity.holds_lock(f"{DIRECTORY}/web.lock")
    run = parity.run(*ONCE, "probe")
    assert (run.exit_code, run.programs) == (1, [])
    assert text(run, "log") == f"{NOW} WARN: another run is still in progress\n"


# Without stat, the log is opened with fewer checks.
@pytest.mark.parametrize("program", [tool for tool in TOOLS if tool != "stat"])
def test_missing_programs(parity: Pair[Run], program: str) -> None:
    parity.remove(program)
    parity.stand_in("probe").exits(0).optional()
    parity.stand_in("page").exits(0).optional()
    assert parity.run(*ONCE, "probe").exit_code == 1


@pytest.mark.parametrize("program", ["cat", "dd", "flock", "timeout"])
def test_missing_program_is_named(parity: Pair[Run], program: str) -> None:
    parity.remove(program)
    run = parity.run(*ONCE, "probe")
    assert (run.exit_code, run.programs) == (1, [])
    assert run.stderr == f"health_check: {program} not found in PATH\n"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((), "--alert, NAME and COMMAND are required"),
        (("--alert=page", "web"), "--alert, NAME and COMMAND are required"),
        (("web", "probe"), "--alert, NAME and COMMAND are required"),
        (("--tries=0", "web", "probe"), "--tries=0 is not a number from 1 to 3600"),
        (("--limit=9999", "web", "probe"), "--limit=9999 is not a number from 1 to 3600"),
        (("--wait=a", "web", "probe"), "--wait=a is not a number from 1 to 3600"),
        *(
            ((name, "probe"), f"{name} is neither an option nor a NAME of letters, digits, _ and -")
            for name in ("-x", "a/b", "..", "", "two\nlines", "web\n", "ü")
        ),
        *(
            (
                ("--alert=page", "--", name, "web", "probe"),
                f"{name} is neither an option nor a NAME of letters, digits, _ and -",
            )
            for name in (
                "--",
                "--help",
                "--tries=1",
                "--limit=1",
                "--wait=1",
                "--alert=a",
                "--directory=a",
            )
        ),
    ],
)
def test_usage_error(parity: Pair[Run], arguments: tuple[str, ...], problem: str) -> None:
    run = parity.run(*arguments)
    assert run.exit_code == 2
    assert run.stderr.startswith(f"health_check: {problem}\nusage: health_check ")
    assert (run.touched, run.programs) == ([], [])


def test_help(parity: Pair[Run]) -> None:
    run = parity.run("--help")
    assert (run.exit_code, run.stderr) == (0, "")
    assert "--directory=DIR" in run.stdout
    assert "60 s" in run.stdout
    assert "1 to 3600" in run.stdout
