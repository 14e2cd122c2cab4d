"""The result is the same whether both forms run at once in mount namespaces, or in turn."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.support.parity_kit.programs import VARIABLES, bash_form, python_form, scripts, tools

from oauthkit.parity import Pair, namespaces, runner

if TYPE_CHECKING:
    from oauthkit.parity import Run, Started, World

NEEDED = pytest.mark.skipif(
    not namespaces.are_possible() and os.environ.get("OAUTHKIT_REQUIRE_E2E") != "1",
    reason="mount namespaces cannot be created here",
)
both_ways = pytest.mark.parametrize(
    "at_once", [pytest.param(True, marks=NEEDED), False], ids=["at once", "in turn"]
)


@pytest.fixture
def way(at_once: bool, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setattr(namespaces, "are_possible", lambda: at_once)
    return at_once


@NEEDED
def test_forms_run_at_the_same_time(tmp_path: Path) -> None:
    # Each waits for the other at a FIFO outside the sandbox. If they ran one after the other, the
    # first would wait forever.
    os.mkfifo(tmp_path / "fifo")
    meet = tmp_path / "fifo"
    forms = (
        bash_form(f"read -r word <'{meet}'; printf '%s\\n' met"),
        python_form(f"open({str(meet)!r}, 'w').write('word\\n'); print('met')"),
    )
    pair: Pair[Run] = Pair(tmp_path / "pair", forms, {}, [VARIABLES])
    assert pair.run().stdout == "met\n"
    pair.close()


@both_ways
@pytest.mark.usefixtures("way")
def test_each_form_has_its_own_world_at_the_same_path(tmp_path: Path) -> None:
    pair = scripts(
        tmp_path,
        'printf "%s\\n" "$HOME"; read -r line <given; printf "%s\\n" "$line" >>grown; cat grown',
        "import os; print(os.environ['HOME']); line = open('given').read(); "
        "open('grown', 'a').write(line); print(open('grown').read(), end='')",
    )
    pair.file("given", "a line\n")
    assert pair.run().stdout == f"{pair.home}\na line\n"
    run = pair.run()
    assert run.stdout == f"{pair.home}\na line\na line\n"
    assert run.touched == ["grown"]
    assert not pair.world.root.exists()
    pair.close()


@both_ways
@pytest.mark.usefixtures("way")
def test_streams_have_their_paths_in_the_world(tmp_path: Path) -> None:
    pair = scripts(tmp_path, "tool 3>&-", "import subprocess; subprocess.run(['tool'], stdin=0)")
    pair.stand_in("tool").prints("said\n")
    call = pair.run().call("tool")
    control = pair.world.control
    assert {n: call.descriptors[n].rpartition(" (")[0] for n in (0, 1, 2)} == {
        0: str(control / "stdin"), 1: str(control / "stdout"), 2: str(control / "stderr"),
    }  # fmt: skip
    pair.close()


@both_ways
@pytest.mark.usefixtures("way")
def test_only_the_hanging_form_is_killed(tmp_path: Path) -> None:
    pair = scripts(tmp_path, "sleep 600", "print('done')")
    pair.limit_s = 1.0
    with pytest.raises(AssertionError) as failure:
        pair.run()
    text = str(failure.value)
    assert "bash: did not finish within 1 s and was killed; still running:" in text
    assert "python: did not finish" not in text
    assert "(SIGKILL)" in text


@both_ways
@pytest.mark.usefixtures("way")
def test_remaining_process_is_reported_with_its_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oauthkit.parity.runner.LEFTOVER_GRACE_S", 0.2)
    pair = scripts(tmp_path, "setsid sleep 600 & exit 0", "pass")
    with pytest.raises(AssertionError) as failure:
        pair.run()
    text = str(failure.value)
    assert "bash: left processes behind:" in text
    assert "python: left processes" not in text
    ours = [p for p in Path("/proc").glob("[0-9]*/environ") if _has(p, pair.world.control)]
    assert ours == []


def _has(environ: Path, control: Path) -> bool:
    try:
        return os.fsencode(control) in environ.read_bytes()
    except OSError:
        return False


def test_process_is_found_during_an_exec(tmp_path: Path) -> None:
    pair = scripts(tmp_path, "exit 0", "pass")
    again = tmp_path / "again"
    again.write_text('exec /bin/sh "$0"\n', "utf-8")
    env = {"MARK": f"{pair.world.control}/"}
    with subprocess.Popen(["/bin/sh", str(again)], env=env) as process:
        found = [runner.processes(pair.world) for _ in range(500)]
        process.kill()
    assert [pids for pids in found if list(pids) != [process.pid]] == []
    pair.close()


@NEEDED
@both_ways
@pytest.mark.usefixtures("way")
def test_process_in_its_own_namespace_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oauthkit.parity.runner.LEFTOVER_GRACE_S", 0.2)
    pair = scripts(tmp_path, "exec unshare --mount sleep 600", "pass")
    pair.tool("unshare")
    pair.limit_s = 1.0
    with pytest.raises(AssertionError, match="bash: did not finish within 1 s") as failure:
        pair.run()
    assert "sleep 600" in str(failure.value)
    left = scripts(tmp_path / "left", "setsid unshare --mount sleep 600 & sleep 0.3", "pass")
    left.tool("unshare")
    with pytest.raises(AssertionError, match="bash: left processes behind"):
        left.run()


@NEEDED
def test_form_sees_a_mount_that_a_step_made(tmp_path: Path) -> None:
    pair = scripts(tmp_path, "cat small/file")
    pair.directory("small")

    def mount(world: World) -> None:
        small = world.project / "small"
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(small)], check=True)
        (small / "file").write_text("on a disk of its own\n", "utf-8")

    pair.step(mount)
    try:
        assert pair.run().stdout == "on a disk of its own\n"
    finally:
        for name in ("bash", "bash-again"):
            subprocess.run(["umount", str(tmp_path / name / "project/small")], check=True)
    pair.close()


@both_ways
@pytest.mark.usefixtures("way")
def test_lock_is_held_in_each_world(tmp_path: Path) -> None:
    pair = scripts(tmp_path, "exec 9>>lock; flock -n 9 || printf 'held\\n'")
    pair.holds_lock("lock")
    assert pair.run().stdout == "held\n"
    assert pair.run().stdout == ""
    pair.close()


@both_ways
@pytest.mark.usefixtures("way")
def test_on_a_terminal(tmp_path: Path) -> None:
    pair = scripts(tmp_path, "[[ -t 1 && -t 2 ]] && printf 'yes\\n'")
    assert pair.run(terminal=True).stdout == "yes\n"
    pair.close()


def test_forms_run_in_turn_with_meanwhile(tmp_path: Path) -> None:
    pair: Pair[Run] = Pair(
        tmp_path / "pair", (bash_form("cat sign"), bash_form("cat sign", "again")),
        tools("cat"), [VARIABLES],
    )  # fmt: skip
    seen: list[str] = []

    def write(_started: Started, world: World) -> None:
        seen.append((world.project / "given").read_text("utf-8"))
        (world.project / "sign").write_text("go\n", "utf-8")

    pair.step(lambda world: os.mkfifo(world.project / "sign"))
    pair.file("given", "here")
    assert pair.run(meanwhile=write).stdout == "go\n"
    assert seen == ["here", "here"]
    pair.close()


def test_forms_run_in_turn_without_unshare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    namespaces.are_possible.cache_clear()
    monkeypatch.setenv("PATH", str(tmp_path))
    try:
        assert not namespaces.are_possible()
    finally:
        namespaces.are_possible.cache_clear()


@NEEDED
def test_namespace_is_invisible_to_others(tmp_path: Path) -> None:
    before = Path("/proc/self/mountinfo").read_text("utf-8")
    pair = scripts(tmp_path, "cat /proc/self/mountinfo >/dev/null")
    pair.run()
    pair.close()
    assert Path("/proc/self/mountinfo").read_text("utf-8") == before
