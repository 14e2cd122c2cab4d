"""The kit detects every kind of difference, and other failures."""

from __future__ import annotations

import os
import re
import signal
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.support.parity_kit.programs import VARIABLES, bash_form, report_of, scripts, tools, twins
from tests.support.refresh.differences import ALLOWED

from oauthkit.parity import Allowed, Call, Entry, Form, Outcome, Pair, World, options
from oauthkit.parity.compare import compare
from oauthkit.parity.format_values import readable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from oauthkit.parity import Run


def test_equal_programs_give_one_result(tmp_path: Path) -> None:
    pair = twins(tmp_path)
    run = pair.run()
    pair.close()
    assert (run.exit_code, run.stdout, run.stderr) == (3, "out\n", "err\n")
    assert run.programs == ["tool", "other"]
    assert run.calls("tool") == [["one", "two words"]]
    assert run.files["made"] == Entry("file", 0o640, (os.getuid(), os.getgid()), b"one\ntwo\n")
    assert run.files["link"].target == "made"
    assert run.files["directory"].kind == "directory"
    assert run.touched == ["made"]


# Each row breaks the Python form once: where, how, and how the report shows the difference (its
# title and, if they say more, the values of bash and Python).
BREAKS = {
    "exit status": ("before", "status = 4", "exit status", "3", "4"),
    "stdout": ("before", "sys.stdout.write('more\\n')", "stdout, line 1", "(none)", "'more\\n'"),
    "newline": ("after", "sys.stderr.write('\\n')", "stderr, line 2", "(none)", "'\\n'"),
    "argument": (
        "before", "first.append('3')", "call 1, tool: argument 3", "tool one 'two words'",
        "tool one 'two words' 3",
    ),
    "word splitting": (
        "before", "first[1:] = ['one two', 'words']", "call 1, tool: arguments 1, 2",
        "tool one 'two words'", "tool 'one two' words",
    ),
    "empty argument": (
        "before", "first.append('')", "call 1, tool: argument 3", "tool one 'two words'",
        "tool one 'two words' ''",
    ),
    "byte": ("before", "first[2] = b'two words\\xff'", "call 1, tool: argument 2"),
    "stdin": ("before", "options = {'input': b'a'}", "call 1, tool: stdin", "''", "'a'"),
    "cwd": ("before", "options['cwd'] = '/'", "call 1, tool: cwd", "'", "'/'"),
    "new variable": (
        "before", "os.environ['NEW'] = '1'", "call 1, tool: environment NEW", "(not set)", "'1'",
    ),
    "missing variable": (
        "before", "del os.environ['TZ']", "call 1, tool: environment TZ", "'UTC'", "(not set)",
    ),
    "other value": ("before", "os.environ['LANG'] = 'C'", "call 1, tool: environment LANG"),
    "leaked descriptor": (
        "before",
        "leak = os.open('made', os.O_CREAT | os.O_RDONLY); options['pass_fds'] = (leak,)",
        "call 1, tool: file descriptor 3", "(closed)", "/",
    ),
    "redirection": (
        "before", "options['stdout'] = subprocess.DEVNULL",
        "call 1, tool: file descriptor 1", "/", "/dev/null",
    ),
    "umask": ("before", "os.umask(0o077)", "call 1, tool: umask", "0022", "0077"),
    "path": ("before", "first[0] = os.environ['PATH'] + '/../bin/tool'", "call 1, tool: path"),
    "missing file": ("after", "os.unlink('made')", "file project/made", "file 0640", "(none)"),
    "new file": ("after", "open('new', 'w').close()", "file project/new", "(none)", "file 0644"),
    "new directory": ("after", "os.mkdir('new')", "file project/new", "(none)", "directory 0755"),
    "file mode": ("after", "os.chmod('made', 0o600)", "file project/made: mode", "0640", "0600"),
    "directory mode": ("after", "os.chmod('directory', 0o700)", "file project/directory: mode"),
    "content": (
        "after", "open('made', 'a').write('3')",
        "file project/made: content, line 3", "(none)", "'3'",
    ),
    "CR": (
        "after", "open('made', 'wb').write(b'one\\r\\ntwo\\n')",
        "file project/made: content, line 1", "'one\\n'", "'one\\r\\n'",
    ),
    "link": (
        "after", "os.unlink('link'); os.symlink('x', 'link')",
        "file project/link: target", "'made'", "'x'",
    ),
    "kind": (
        "after", "os.rmdir('directory'); os.mkfifo('directory')",
        "file project/directory: kind", "'directory'", "'fifo'",
    ),
    "rewritten with the same content": (
        "after", "open('given', 'w').write('as it was\\n')",
        "files that were written", "[]", "['project/given']",
    ),
    "replaced by an identical file": (
        "after",
        "old = os.stat('given'); open('x', 'w').write('as it was\\n'); os.chmod('x', 0o644);"
        "os.utime('x', ns=(0, old.st_mtime_ns)); os.rename('x', 'given')",
        "files that were written", "[]", "['project/given']",
    ),
}  # fmt: skip
if os.getuid() == 0:  # only root can change the owner of a file
    BREAKS["owner"] = ("after", "os.chown('made', 1, 1)", "file project/made: owner", "(", "(1, 1)")


@pytest.mark.parametrize("row", BREAKS.values(), ids=BREAKS)
def test_every_kind_of_difference_is_found(tmp_path: Path, row: tuple[str, ...]) -> None:
    place, change, title, *sides = row
    pair = twins(tmp_path, **{place: change})
    pair.stand_ins["other"].queue[0].optional()
    report = report_of(pair)
    assert re.match(r"bash and python differ in \d+ places?\.\n", report)
    bash, python = sides or ("", "")
    shown = rf"\d+\. {re.escape(title)}\n     bash    {re.escape(bash)}"
    assert re.search(rf"{shown}.*\n     python  {re.escape(python)}", report), report
    for name in ("bash", "python"):
        assert f"{name:<8}{tmp_path}/{name}" in report
        assert (tmp_path / name / "project").is_dir()


def test_allowed_variables_are_not_differences(tmp_path: Path) -> None:
    change = "os.environ.update(PWD='/x', OLDPWD='/y', SHLVL='7', _='z')"
    with_allowance = twins(tmp_path, before=change)
    assert with_allowance.run().call("tool").env["SHLVL"] == "1"
    with_allowance.close()


OUTCOME = Outcome(
    Form("bash", lambda _: [], lambda _: ["bash", "script"]), World(None), 0, b"", b"",  # type: ignore[arg-type]
    [Call("tool", "/bin/tool", ["--", "bash", "script"], {"A": "1"}, "/", 0o22, {0: "/dev/null"},
          b"", [], False)],
    {"file": Entry("file", 0o644, (0, 0), b"text")}, ["file"], {"units": {"x": ["bash", "script"]}},
)  # fmt: skip
OTHER: dict[str, Any] = {
    "program": "other", "path": "/usr/bin/tool", "argv": ["a", "--", "bash", "script"],
    "env": {}, "cwd": "/x", "umask": 0, "descriptors": {}, "stdin": None, "repeated_env": ["A"],
    "kind": "directory", "mode": 0o600, "owner": (1, 1), "content": b"", "target": "x",
    "exit_code": 1, "stdout": b"\n", "stderr": b"\n", "calls": [], "files": {}, "touched": [],
    "state": {},
}  # fmt: skip


def altered(what: type) -> dict[str, Callable[[], Outcome]]:
    """Return for each field of a dataclass an outcome that differs in this field only."""

    def alter(name: str) -> Outcome:
        value = {name: OTHER[name]}
        if what is Call:
            return replace(OUTCOME, calls=[replace(OUTCOME.calls[0], **value)])
        if what is Entry:
            return replace(OUTCOME, files={"file": replace(OUTCOME.files["file"], **value)})
        return replace(OUTCOME, **value)

    # These four identify the run, and where it failed.
    names = [
        f.name for f in fields(what) if f.name not in {"form", "world", "problems", "unplanned"}
    ]
    return {name: lambda name=name: alter(name) for name in names}  # type: ignore[misc]


@pytest.mark.parametrize("kind", [Call, Entry, Outcome])
def test_every_field_is_compared(kind: type) -> None:
    assert compare(OUTCOME, OUTCOME, ()) == []
    unseen = [name for name, alter in altered(kind).items() if not compare(OUTCOME, alter(), ())]
    assert unseen == []


def test_own_command_is_allowed_only_where_declared_and_exact() -> None:
    allowed = [Allowed("", own_command_of="tool")]
    own = ["python", "-m", "module"]
    right = replace(
        OUTCOME,
        form=Form("python", lambda _: [], lambda _: own),
        calls=[replace(OUTCOME.calls[0], argv=["--", *own])],
        state={"units": {"x": own}},
    )
    assert compare(OUTCOME, right, allowed) == []
    assert len(compare(OUTCOME, right, ())) == 2
    assert compare(OUTCOME, right, [Allowed("", own_command_of="other")])
    for almost in (["python", "-m", "other"], [*own, "more"], own[:-1], []):
        wrong = replace(right, calls=[replace(right.calls[0], argv=["--", *almost])])
        assert compare(OUTCOME, wrong, allowed), almost


def test_wrong_own_command_of_both_forms_is_reported(tmp_path: Path) -> None:
    start = bash_form("tool --user -- bash wrong").argv
    forms = [Form(name, start, lambda _world: ["bash", "right"]) for name in ("one", "other")]
    allowed = [VARIABLES, Allowed("it schedules itself", own_command_of="tool")]
    pair: Pair[Run] = Pair(tmp_path, forms, tools("bash"), allowed)
    pair.stand_in("tool").exits(0)
    report = report_of(pair)
    assert "both: tool must get, after --, the form's own command" in report
    assert "expected ['bash', 'right']\n      got      ['bash', 'wrong']" in report


KILLED = r"form: line 1: +\d+ Killed +tool"


def killed(directory: Path, python: str) -> Pair[Run]:
    """Return a pair whose bash form reports a killed tool."""
    pair = scripts(directory, "tool\nexit 3", f"import subprocess, sys\n{python}\nsys.exit(3)")
    pair.stand_in("tool").dies_by_signal(signal.SIGKILL)
    return pair


@pytest.mark.parametrize("pattern", [KILLED, re.compile(KILLED)])
def test_allowed_line_of_stderr(tmp_path: Path, pattern: str | re.Pattern[str]) -> None:
    pair = killed(tmp_path, "subprocess.run(['tool'])")
    run = pair.run(allowed=[Allowed("bash reports it", stderr=pattern)])
    assert (run.exit_code, run.stderr) == (3, "")
    assert re.fullmatch(f"{KILLED}\n", (tmp_path / "bash/control/stderr").read_text())
    pair.stand_in("tool").dies_by_signal(signal.SIGKILL)
    assert "1. stderr\n     bash    'form: line 1: " in report_of(pair)  # allowed in one run only


@pytest.mark.parametrize(
    "more",
    [
        "form: line 1: 1 Killed tool, later",
        "form: line 1: 1 Killed tool\r",
        "a\rform: line 1: 1 Killed tool",
        "\udcff",
    ],
)
def test_other_lines_of_stderr_are_compared(tmp_path: Path, more: str) -> None:
    python = f"subprocess.run(['tool']); sys.stderr.buffer.write({os.fsencode(more)!r})"
    pair = killed(tmp_path, python)
    with pytest.raises(AssertionError) as failure:
        pair.run(allowed=[Allowed("bash reports it", stderr=KILLED)])
    pair.close()
    assert str(failure.value).startswith("bash and python differ in 1 place.\n\n1. stderr")
    for line in os.fsencode(more).splitlines(keepends=True):
        assert f"     python  {readable(line)}\n" in str(failure.value)


def test_allowed_line_that_is_missing_is_reported(tmp_path: Path) -> None:
    pair = scripts(tmp_path, "printf 'a\n' >&2")
    with pytest.raises(AssertionError) as failure:
        pair.run(allowed=[Allowed("of a", stderr="a"), Allowed("of b", stderr="b|c")])
    pair.close()
    assert str(failure.value).startswith(
        "both: no line of stderr matches 'b|c', which is allowed\n      of b\n\nThe sandboxes"
    )


def test_allowed_line_of_a_form_that_does_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(options, "current", options.Options(only="python"))
    pair = killed(tmp_path, "subprocess.run(['tool'])")
    assert pair.run(allowed=[Allowed("bash reports it", stderr=KILLED)]).exit_code == 3
    pair.close()


def test_line_of_stderr_cannot_be_allowed_for_all_runs(tmp_path: Path) -> None:
    forms = [bash_form("", name) for name in ("one", "other")]
    with pytest.raises(ValueError, match=r"applies to one run\. Pass it to Pair\.run"):
        Pair(tmp_path, forms, {}, [Allowed("", stderr="a")])


def test_differences_that_one_run_allows(tmp_path: Path) -> None:
    pair = twins(tmp_path, before="os.environ['NEW'] = '1'")
    new = Allowed("set by Python alone", variables=frozenset({"NEW"}))
    assert pair.run(allowed=[new]).exit_code == 3
    pair.close()
    start = bash_form("tool --user -- bash wrong").argv
    forms = [Form(name, start, lambda _world: ["bash", "right"]) for name in ("one", "other")]
    pair = Pair(tmp_path / "2", forms, tools("bash"), [VARIABLES])
    pair.stand_in("tool").exits(0)
    with pytest.raises(AssertionError, match="must get, after --, the form's own command"):
        pair.run(allowed=[Allowed("it schedules itself", own_command_of="tool")])
    pair.close()


def test_list_of_allowed_differences_is_short() -> None:
    assert len(ALLOWED) == 2
    assert [entry.own_command_of for entry in ALLOWED] == ["systemd-run", ""]
    assert [entry.variables for entry in ALLOWED] == [set(), {"_", "SHLVL", "PWD", "OLDPWD"}]
    assert all(entry.reason for entry in ALLOWED)


# --- Failures, even if both forms have them ---


def test_call_without_a_plan(tmp_path: Path) -> None:
    pair = scripts(tmp_path, "tool a 'b c'")
    pair.stand_in("tool")
    expected = "both: unplanned call: tool a 'b c'\n      call 1 of tool; none was planned; "
    assert f"{expected}it got exit status 97\n" in report_of(pair)


def test_call_beyond_the_plan(tmp_path: Path) -> None:
    pair = scripts(tmp_path, "tool; tool")
    pair.stand_in("tool").exits(0)
    expected = "both: unplanned call: tool\n      call 2 of tool; 1 planned: exits(exit=0); "
    assert f"{expected}it got exit status 97\n" in report_of(pair)


def test_missing_planned_call(tmp_path: Path) -> None:
    pair = scripts(tmp_path, "tool")
    tool = pair.stand_in("tool")
    tool.exits(0)
    tool.prints("x" * 50).then.hangs(seconds=1)
    tool.exits(0).optional()
    assert report_of(pair).startswith(
        "both: planned calls that never happened: 1 of tool\n"
        "      1 made; 3 planned: exits(exit=0), then prints(stdout=b'" + "x" * 38 + "...)"
        ".then.hangs(seconds=1), then exits(exit=0).optional()\n"
    )


def test_plan_without_a_run(tmp_path: Path) -> None:
    pair = scripts(tmp_path, "tool")
    pair.stand_in("tool").exits(0)
    with pytest.raises(AssertionError, match="calls were planned, but there was no run: tool"):
        pair.close()


def test_process_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oauthkit.parity.runner.LEFTOVER_GRACE_S", 0.1)
    until_it_runs = "until read -rd '' name </proc/$!/cmdline && [[ $name == sleep ]]; do :; done"
    report = report_of(scripts(tmp_path, f"setsid sleep 300 >/dev/null & {until_it_runs}"))
    assert re.search(r"bash: left processes behind:\n +\d+: sleep 300", report)


def test_run_exceeds_its_time_limit(tmp_path: Path) -> None:
    pair = scripts(tmp_path, "tool; sleep 300")
    pair.stand_in("tool").ignores_sigterm()
    pair.limit_s = 0.5
    report = report_of(pair)
    assert "bash: did not finish within 0.5 s and was killed" in report
    tool = re.escape(str(pair.world.bin / "tool"))
    assert re.search(rf"\d+: \S+ -IS {tool}\n", report)
