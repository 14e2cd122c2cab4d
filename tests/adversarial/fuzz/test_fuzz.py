"""Random worlds in which the forms do not differ. A planted difference is found."""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
import termios
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as with_seed
from tests.adversarial.fuzz import runner as runner_module
from tests.adversarial.fuzz.case import (
    BIN,
    CREDENTIALS,
    DEFAULT_NOW_S,
    HOME,
    PROJECT,
    ROOT,
    Act,
    Case,
    Item,
)
from tests.adversarial.fuzz.credentials import oauth
from tests.adversarial.fuzz.drive import Tally, new_seed, search, seed_of
from tests.adversarial.fuzz.kinds import kind_of, messages_of
from tests.adversarial.fuzz.runner import BASH, PYTHON, Runner, UnsafeCaseError
from tests.adversarial.fuzz.strategies import SERVICE, TOKEN_LINE, cases
from tests.support.refresh.small_disk import needs_mounts
from tests.support.refresh.stand_ins import user_manager
from tests.support.refresh.world import SCRIPT, UNIT, unit_names

import oauthkit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SEED = 20260102  # what it draws also depends on the modules that hypothesis finds constants in
CHUNKS = 2
WORLDS = 250  # per chunk
WARM_WORLDS = 40
MOST_WORLDS = 2000  # a mutant must be found within this number; on average, 100 are enough
REGRESSIONS = sorted(Path(__file__).with_name("regressions").glob("*.json"))
PACKAGE = Path(oauthkit.__file__).parent

EXPIRY = b"%d" % ((DEFAULT_NOW_S + 28800) * 1000)
GOOD = Item(CREDENTIALS, content=oauth(b'"made-up"', EXPIRY))
DUE = Item(CREDENTIALS, content=oauth(b'"made-up"', b"0"))
CLAUDE = Item(f"{BIN}/claude", "program", mode=0o755)


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """Create a directory, if possible in memory: a world needs hundreds of file operations."""
    memory = Path("/dev/shm")
    made = memory / f"oauthkit-fuzz-test-{os.getpid()}" if memory.is_dir() else tmp_path / "fuzz"
    made.mkdir()
    yield made
    shutil.rmtree(made)


@pytest.fixture
def runner(directory: Path) -> Iterator[Runner]:
    with Runner(directory) as runner:
        yield runner


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_forms_are_equal_in_random_worlds(
    runner: Runner, chunk: int, record_property: Callable[[str, object], None]
) -> None:
    tally = Tally()
    found = search(runner, seed_of(new_seed(), chunk), WORLDS, tally)
    assert found is None, f"{found.report}\n\n{found.case.to_json()}"
    record_property("worlds", tally.worlds)
    assert tally.worlds == WORLDS
    reached = [kind for kind in tally.kinds if kind.startswith(("fresh", "renewed", "rejected"))]
    deep = sum(tally.kinds[kind] for kind in reached)
    assert deep > WORLDS / 6, tally.kinds
    assert len(tally.kinds) >= 8, tally.kinds


@pytest.mark.parametrize("file", REGRESSIONS, ids=lambda file: file.stem)
def test_world_with_a_past_difference(runner: Runner, file: Path) -> None:
    assert runner.difference(Case.from_json(file.read_text("ascii"))) == ""


def test_warm_and_cold_python_forms_are_equal(
    runner: Runner, record_property: Callable[[str, object], None]
) -> None:
    worlds: list[Case] = []

    @with_seed(SEED)
    @settings(
        max_examples=WARM_WORLDS, database=None, deadline=None, phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(cases())
    def is_alike(case: Case) -> None:
        worlds.append(case)
        assert runner.compared(case, runner.run_python(case), runner.run_cold(case)) == ""

    is_alike()
    assert len(worlds) >= WARM_WORLDS
    record_property("worlds_warm_and_cold", len(worlds))


@pytest.mark.parametrize(
    "case",
    [
        Case(items=(GOOD,), env=(("LANG", None),)),
        Case(items=(GOOD,), env=(("LANG", "C"), ("LC_CTYPE", "POSIX"))),
        Case(items=(GOOD,), env=(("LC_ALL", "C"), ("TZ", "Australia/Lord_Howe"))),
        Case(items=(GOOD,), env=(("LC_CTYPE", "xx_YY"), ("LANG", None), ("TZ", None))),
        Case(items=(GOOD,), closed=(0, 1, 2), descriptors=(3, 9, 255)),
        Case(items=(GOOD,), closed=(1,), env=(("HOME", ""),)),
        Case(items=(GOOD,), home="\udcff", project="\udcff\n", umask=0),
        Case(items=(DUE, CLAUDE), cwd=HOME, env=(("OAUTHKIT_LOG", "\udcff/l"),)),
    ],
    ids=str,
)
def test_warm_and_cold_python_forms_start_alike(runner: Runner, case: Case) -> None:
    assert runner.compared(case, runner.run_python(case), runner.run_cold(case)) == ""


# --- Differences are found ---

MUTANTS = {
    "a dropped quote": (b'-T "$temporary" "$target";', b'-T $temporary "$target";'),
    "a swapped comparison": (b"left_ms <= RENEW_BEFORE_MS", b"left_ms < RENEW_BEFORE_MS"),
    "another log word": (b"Scheduled next refresh at", b"Scheduled the next refresh at"),
    "a dropped redirection": (
        b"systemctl --user --no-block",
        b"systemctl </dev/zero --user --no-block",
    ),
    "another umask": (b"umask 077", b"umask 027"),
}


@pytest.mark.parametrize(("right", "wrong"), MUTANTS.values(), ids=MUTANTS)
def test_script_mutant_is_found(directory: Path, right: bytes, wrong: bytes) -> None:
    text = SCRIPT.read_bytes()
    assert text.count(right) >= 1
    script = directory / "refresh.sh"
    script.write_bytes(text.replace(right, wrong))
    with Runner(directory, script=script) as runner:
        found = search(runner, SEED, MOST_WORLDS, Tally(), shrink=False)
    assert found is not None
    assert "bash and python differ" in found.report


def test_package_mutant_is_found_and_plain_copy_is_accepted(directory: Path) -> None:
    package = directory / "package"
    shutil.copytree(PACKAGE, package / "oauthkit", ignore=shutil.ignore_patterns("__pycache__"))
    case = Case(items=(GOOD, Item(f"{PROJECT}/.env", content=b"A=1")))
    with Runner(directory, package=package) as runner:
        assert runner.difference(case) == ""
        assert runner.compared(case, runner.run_python(case), runner.run_cold(case)) == ""
    program = package / "oauthkit/program/delivery.py"
    text = program.read_text("utf-8")
    program.write_text(text.replace('result += "\\n"', 'result += ""'), "utf-8")
    assert program.read_text("utf-8") != text
    with Runner(directory, package=package) as runner:
        assert ".env" in runner.difference(case)


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("sleep 30", "did not finish within 1 s"),
        ("sleep 30 & exit 0", "left processes behind"),
        ("jq -c . x; exit 0", "unplanned use of a stand-in: jq"),
    ],
)
def test_misbehaving_form_is_reported(
    directory: Path, monkeypatch: pytest.MonkeyPatch, program: str, words: str
) -> None:
    monkeypatch.setattr(runner_module, "LIMIT_S", 1.0)
    script = directory / "refresh.sh"
    script.write_text(program, "ascii")
    with Runner(directory, script=script) as runner:
        outcome = runner.run_bash(Case())
    assert words in "\n".join(outcome.problems)


@pytest.mark.timeout(60)
def test_form_exits_before_the_wait(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    receive = Runner._receive

    def receives_late(self: Runner) -> object:
        pipe = self._server.stdout
        assert pipe is not None
        waiting = bytearray(4)
        # Until both messages are in the pipe (the process id takes 9 bytes). The second call then
        # finds only the end of the run, without waiting.
        while not late and int.from_bytes(waiting, sys.byteorder) <= 9:
            time.sleep(0.01)
            fcntl.ioctl(pipe, termios.FIONREAD, waiting)
        late.append(True)
        return receive(self)

    late: list[bool] = []
    monkeypatch.setattr(Runner, "_receive", receives_late)
    script = directory / "refresh.sh"
    script.write_text("exit 3", "ascii")
    with Runner(directory, script=script) as runner:
        assert runner.run_bash(Case()).exit_code == 3


def test_calls_are_recorded_exactly(runner: Runner) -> None:
    acts = (Act("claude", exit=3, stdout=b"a'\\\0%s\xff\n", stderr=b"e\n"),)
    outcome = runner.run_bash(Case(items=(DUE, CLAUDE), acts=acts, env=(("X", "a\nb"),)))
    assert [call.program for call in outcome.calls] == [
        "jq", "jq", "claude", "jq", "claude", "jq", "systemctl", "systemd-run",
    ]  # fmt: skip
    claude = outcome.calls[2]
    assert claude.argv == ["-p", "ok", "--no-session-persistence"]
    assert (claude.cwd, claude.umask, claude.stdin, claude.env["X"]) == ("/", 0o077, b"", "a\nb")
    # A process that reads the pipe keeps the output.
    assert claude.descriptors == {0: "/dev/null", 1: "pipe 1 (write)", 2: "pipe 1 (write)"}
    log = outcome.files["project/logs/oauth-refresh.log"].content
    assert b" claude: a'\\%s\xff\n" in log
    assert kind_of(outcome) == "failed: claude renewed nothing"


@needs_mounts
def test_file_that_is_a_mount_point(runner: Runner) -> None:
    dotenv = f"{PROJECT}/.env"
    case = Case(items=(GOOD, Item(dotenv, content=b"A=1\n"), Item(dotenv, "mount")))
    assert runner.difference(case) == ""
    # Only root can mount.
    expected = "failed: mount point" if os.geteuid() == 0 else "fresh, delivered"
    assert kind_of(runner.run_python(case)) == expected


BEARER = f"{PROJECT}/bearer/credentials.json"
CONF = f"{PROJECT}/scripts/oauth/refresh.conf"
# Worlds that CI's random draws rarely reach: the items, and a text in the log.
RARE = {
    "bearer link": ([Item(BEARER, "symlink", target="elsewhere")], "is a symbolic link"),
    "bearer directory": ([Item(BEARER, "directory", mode=0o755)], "is not a file"),
    "quotes": ([Item(CONF, content=b"OAUTHKIT_LIGHT='1'\n")], "quotes and ~ have no meaning"),
    "NUL": ([Item(CONF, content=b"OAUTHKIT_LIGHT=1\n\0")], "has a NUL byte"),
    "1 MiB": ([Item(CONF, content=b"#" * 2**20)], "is larger than 256 KiB"),
    "201 lines": ([Item(CONF, content=b"#\n" * 201)], "only the first 200 lines are read"),
}


@pytest.mark.parametrize("kind", RARE)
def test_rare_worlds(runner: Runner, kind: str) -> None:
    items, text = RARE[kind]
    directory = Item(BEARER.rpartition("/")[0], "directory", mode=0o755)
    case = Case(items=(GOOD, directory, *items), env=(("OAUTHKIT_BEARER", BEARER),))
    assert text in rare_log(runner, case)


def test_bearer_file_that_is_the_login(runner: Runner) -> None:
    case = Case(items=(GOOD,), env=(("OAUTHKIT_BEARER", CREDENTIALS),))
    assert "is Claude Code's credentials file" in rare_log(runner, case)


@needs_mounts
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_bearer_file_that_is_a_mount_point(runner: Runner) -> None:
    directory = Item(BEARER.rpartition("/")[0], "directory", mode=0o755)
    items = (GOOD, directory, Item(BEARER), Item(BEARER, "mount"))
    case = Case(items=items, env=(("OAUTHKIT_BEARER", BEARER),))
    assert "is a mount point and cannot be replaced" in rare_log(runner, case)


def rare_log(runner: Runner, case: Case) -> str:
    """Return the log of a run in this world, in which the forms must not differ."""
    assert runner.difference(case) == ""
    return runner.run_python(case).files["project/logs/oauth-refresh.log"].content.decode()


DOTENV = f"{PROJECT}/.env"
DIRECTORY = BEARER.rpartition("/")[0]
WITH_BEARER = (("OAUTHKIT_BEARER", BEARER),)
DELIVERED = (
    GOOD,
    Item(DOTENV, content=TOKEN_LINE + b"made-up\n"),
    Item(BEARER, content=GOOD.content + b"\n"),
)
LOGIN_END = b',"refreshTokenExpiresAt":%d' % ((DEFAULT_NOW_S + 2 * 86400) * 1000)
ENDED = oauth(b'""', b"0")  # as claude leaves it when its login is rejected
OTHER_SESSION = (
    Item(f"{HOME}/.claude/.oauth_refresh.lock", "directory", mode=0o700),
    Item(f"{BIN}/sleep", "missing"),
    Item(f"{BIN}/sleep", "program", mode=0o755),
)
RENEWS_NOTHING = Act("claude")
EXPIRES = f"(expires_at={EXPIRY.decode()})"
UPDATED = f"Updated .env with token {EXPIRES}"
LOGIN_ENDED = "The login has ended: run 'claude auth login'"
NOTHING_RENEWED = "ERROR: claude exited 0 and renewed nothing. Is its token endpoint down?"
ARMED = "systemctl systemd-run"
# Worlds that CI's draws may never reach: the case, the called programs, and lines of the log.
UNDRAWN: dict[str, tuple[Case, str, list[str]]] = {
    "ensured": (Case(items=DELIVERED, env=WITH_BEARER, arguments=("--ensure",)), "jq", []),
    "all files up to date": (
        Case(items=DELIVERED, env=WITH_BEARER),
        f"jq {ARMED}",
        [f"{BEARER} is up to date {EXPIRES}", f"{DOTENV} already has this token {EXPIRES}"],
    ),
    "login ends in 2 days": (
        Case(
            items=(
                Item(CREDENTIALS, content=oauth(b'"made-up"', EXPIRY, LOGIN_END)),
                Item(f"{PROJECT}/scripts/oauth/hooks/login-ending", "program", mode=0o755),
            ),
            acts=(Act("login-ending"),),
        ),
        f"jq {ARMED} login-ending",
        [
            UPDATED,
            "WARN: the login ends at 2026-01-04T03:04:05+00:00."
            " Run 'claude auth login' before then",
            "Hook 'login-ending' succeeded",
        ],
    ),
    "login has ended": (
        Case(items=(Item(CREDENTIALS, content=ENDED), CLAUDE)),
        f"jq {ARMED}",
        [f"ERROR: no accessToken in credentials. {LOGIN_ENDED}"],
    ),
    "login ends during the renewal": (
        Case(items=(DUE, CLAUDE), acts=(Act("claude", credentials=ENDED),)),
        f"jq jq claude jq {ARMED}",
        [f"ERROR: no accessToken after CLI refresh. {LOGIN_ENDED}"],
    ),
    "no bearer directory": (
        Case(items=(GOOD,), env=WITH_BEARER),
        f"jq {ARMED}",
        [f"ERROR: {BEARER} cannot be written: {DIRECTORY} is not a directory", UPDATED],
    ),
    # The runner starts the forms without root's right to ignore modes.
    "bearer directory is not writable": (
        Case(items=(GOOD, Item(DIRECTORY, "directory", mode=0o555)), env=WITH_BEARER),
        f"jq {ARMED}",
        [f"ERROR: {BEARER} cannot be written: {DIRECTORY} is not writable", UPDATED],
    ),
    "another session renews": (
        Case(
            items=(DUE, CLAUDE, *OTHER_SESSION),
            acts=(RENEWS_NOTHING, Act("sleep"), Act("sleep", credentials=GOOD.content)),
        ),
        f"jq jq claude jq sleep jq sleep jq {ARMED}",
        ["Claude CLI refreshed token successfully", UPDATED],
    ),
    "another session renews nothing": (
        Case(items=(DUE, CLAUDE, *OTHER_SESSION), acts=(RENEWS_NOTHING,)),
        f"jq jq claude jq {'sleep jq ' * 30}{ARMED}",
        [NOTHING_RENEWED],
    ),
}


@pytest.mark.parametrize("kind", UNDRAWN)
def test_undrawn_worlds(runner: Runner, kind: str) -> None:
    case, programs, lines = UNDRAWN[kind]
    assert runner.difference(case) == ""
    outcome = runner.run_python(case)
    assert [call.program for call in outcome.calls] == programs.split()
    expected = [line.replace(PROJECT, str(outcome.world.project)) for line in lines]
    messages = messages_of(outcome)
    assert [line for line in messages or () if line in expected] == expected
    assert outcome.exit_code == any(line.startswith("ERROR") for line in lines)
    if not lines:
        assert (messages, outcome.touched) == (None, [])


def test_unit_of_another_project(runner: Runner) -> None:
    service = f"{ROOT}/run/systemd/transient/{UNIT}.service"
    text = SERVICE.format("/srv/other/scripts/oauth/refresh.sh").encode()
    case = Case(items=(GOOD, Item(service, content=text)), units=((UNIT, "pending"),))
    assert runner.difference(case) == ""
    outcome = runner.run_python(case)
    _, own, _ = unit_names(outcome.world.project)
    warning = f"WARN: the unit {UNIT} does not belong to this project. Using {own}"
    assert warning in (messages_of(outcome) or ())
    assert set(outcome.state[user_manager.STATE]["timers"]) == {UNIT, own}


def test_directory_that_is_not_a_project(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare all except stderr.

    The texts differ by design: the script finds its project by its own path, and the Python form by
    the current directory or --project.
    """
    bash = replace(BASH, argv=lambda w: [BASH.argv(w)[0], f"{w.home}/a/b/refresh.sh"])
    python = replace(PYTHON, argv=lambda _: [sys.executable, "-m", "oauthkit", "refresh"])
    monkeypatch.setattr(runner_module, "BASH", bash)
    monkeypatch.setattr(runner_module, "PYTHON", python)
    copy = Item(f"{HOME}/a/b/refresh.sh", content=SCRIPT.read_bytes(), mode=0o755)
    case = Case(items=(GOOD, copy), cwd=HOME)
    outcomes = [runner.run_bash(case), runner.run_python(case)]
    for outcome, fix in zip(outcomes, ("Move this script to", "Pass --project DIR"), strict=True):
        assert f"is not a project. {fix}".encode() in outcome.stderr
        assert (outcome.exit_code, outcome.calls, outcome.touched) == (2, [], [])
        outcome.stderr = b""
    assert runner.compared(case, *outcomes) == ""


@pytest.mark.parametrize(
    ("renewed", "expected"),
    [(GOOD.content, b" claude exited 124 "), (None, b" failed (exit 143)")],
)
def test_claude_hangs(
    runner: Runner, monkeypatch: pytest.MonkeyPatch, renewed: bytes | None, expected: bytes
) -> None:
    monkeypatch.setattr(runner_module, "HANG_S", 20.0 if renewed else 0.5)
    hanging = Act("claude", credentials=renewed, hangs=True)
    acts = (hanging,) if renewed else (Act("claude", exit=1), hanging)
    case = Case(items=(DUE, CLAUDE), acts=acts)
    assert runner.difference(case) == ""
    log = runner.run_python(case).files["project/logs/oauth-refresh.log"].content
    assert expected in log


@pytest.mark.parametrize(
    ("renewed", "expected"),
    [(GOOD.content, "renewed by another run, delivered"), (None, "failed: claude renewed nothing")],
)
def test_another_run_holds_the_logins_lock(
    runner: Runner, renewed: bytes | None, expected: str
) -> None:
    case = Case(items=(DUE, CLAUDE), other_run=(Act("", credentials=renewed),))
    assert runner.difference(case) == ""
    assert kind_of(runner.run_python(case)) == expected
    assert kind_of(runner.run_bash(case)) == expected


# --- Cases ---


def test_case_survives_a_json_round_trip() -> None:
    case = Case(
        project="\udcff\n", env=(("A", None), ("B", "\udc80")), items=(GOOD, DUE), closed=(1,),
        acts=(Act("claude", credentials=b"\0\xff"), Act("jq")), other_run=(Act(""),),
        units=(("x", "failed"),),
    )  # fmt: skip
    assert Case.from_json(case.to_json()) == case


@pytest.mark.parametrize(
    "change",
    [
        {"env": (("PATH", None),)},
        {"env": (("PATH", "bin"),)},
        {"env": (("PATH", f"{BIN}:/usr/bin"),)},
        {"env": (("PATH", f"{ROOT}/../bin"),)},
        {"items": (Item(f"{ROOT}/../x"),)},
        {"items": (Item("/x"),)},
        {"cwd": "/"},
    ],
    ids=str,
)
def test_case_that_could_leave_its_sandbox_is_rejected(
    runner: Runner, change: dict[str, object]
) -> None:
    with pytest.raises(UnsafeCaseError):
        runner.run_bash(replace(Case(), **change))  # type: ignore[arg-type]
