"""The pytest plugin: loading, fixture and options."""

from __future__ import annotations

import os
import re
import shlex
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.support.parity_kit.programs import find, scripts
from tests.support.parity_kit.pytest_runs import run_pytest, write_forms

import oauthkit.parity
from oauthkit.parity import Form, Pair, options, script
from oauthkit.parity.forms import find_tools

if TYPE_CHECKING:
    from oauthkit.parity import MakePair, Run

TESTS = """
import pytest

@pytest.fixture
def parity(make_pair):
    return make_pair("form.sh", "form.py")

def test_one_run(parity):
    parity.stand_in("tool").exits(0)
    assert parity.run("a").files["made"].content == b"x\\n"

def test_two_runs(parity):
    tool = parity.stand_in("tool")
    tool.exits(0)
    parity.run("first")
    tool.exits(0)
    parity.run("second")

def test_no_pair():
    pass
"""
LEFT_RUNNING = """
def test_left(parity):
    parity.stand_in("tool").hangs()
    print("PID", parity.spawn("bash", "a").pid)
    parity.wait_for_call("tool")
    assert False
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Create a directory with a program in two forms, and its tests."""
    write_forms(tmp_path)
    (tmp_path / "test_it.py").write_text(TESTS)
    return tmp_path


# --- Loading ---


def test_plugin_loads_no_additional_modules() -> None:
    code = (
        "import sys, pytest; before = {*sys.modules}; import oauthkit.parity.plugin\n"
        "print(*sorted({*sys.modules} - before))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == [
        "oauthkit", "oauthkit.parity", "oauthkit.parity.options", "oauthkit.parity.plugin",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "arguments",
    [
        ("-p", "oauthkit-parity"),
        ("-p", "oauthkit.parity.plugin"),
        ("--disable-plugin-autoload", "-p", "oauthkit-parity"),
        ("--disable-plugin-autoload", "-p", "oauthkit.parity.plugin"),
    ],
)
def test_plugin_is_loaded_only_once(directory: Path, arguments: tuple[str, ...]) -> None:
    (directory / "conftest.py").write_text('pytest_plugins = ["oauthkit.parity.plugin"]\n')
    ran = run_pytest(directory, "-k", "one_run", "--trace-config", *arguments, autoload=True)
    assert ran.status == 0, ran.output
    assert "parity:" not in ran.output
    assert ran.output.count("PLUGIN registered: <module 'oauthkit.parity.plugin'") == 1


def test_missing_sh_is_reported_with_an_install_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sh", None)
    with pytest.raises(ModuleNotFoundError) as error:
        scripts(tmp_path, "")
    assert str(error.value) == (
        "the Python package sh is not installed. Run "
        f"{shlex.quote(sys.executable)} -m pip install 'sh>=2.2'"
    )


def test_every_public_name_exists() -> None:
    found = {name: getattr(oauthkit.parity, name) for name in oauthkit.parity.__all__}
    assert {getattr(value, "__name__", "SHELL_VARIABLES") for value in found.values()} == {*found}
    with pytest.raises(AttributeError, match=r"module 'oauthkit.parity' has no attribute 'Pear'"):
        _ = oauthkit.parity.Pear  # type: ignore[attr-defined]


# --- The fixture and its forms ---


def test_two_pairs_of_one_test_are_separate(make_pair: MakePair, tmp_path: Path) -> None:
    write_forms(tmp_path)
    for number, status in enumerate((0, 1)):
        pair = make_pair(tmp_path / "form.sh", tmp_path / "form.py")
        pair.stand_in("tool").exits(status)
        assert pair.run("a").exit_code == status
        assert (tmp_path / f"pair-{number}" / "bash").is_dir()


def test_remaining_processes_end_with_the_test(directory: Path) -> None:
    (directory / "test_it.py").write_text(TESTS + LEFT_RUNNING)
    ran = run_pytest(directory, "-k", "left")
    found = re.search(r"^PID (\d+)$", ran.output, re.MULTILINE)
    assert found, ran.output
    assert str(directory).encode() not in read_environ(int(found[1]))


TEARDOWN = """
from contextlib import closing
import pytest
from oauthkit.parity import Pair, script

class Own(Pair):
    def __init__(self, directory):
        super().__init__(directory, [script("form.sh"), script("form.py")], {})

@pytest.fixture
def parity(make_pair):
    pair = make_pair("form.sh", "form.py")
    pair.stand_in("tool").exits(0)
    return pair

@pytest.fixture
def own(tmp_path):
    with closing(Own(tmp_path)) as pair:
        pair.stand_in("tool").when("a").exits(0)
        yield pair

@pytest.fixture
def broken(parity):
    raise LookupError("broken fixture")

def test_failure(parity):
    raise LookupError("failed test")

def test_failure_with_own_class(own):
    raise LookupError("failed test")

def test_error(broken):
    pass

def test_skip(parity):
    pytest.skip()

@pytest.mark.xfail
def test_xfail(parity):
    assert False

def test_exception_in_a_with_statement(tmp_path):
    with closing(Own(tmp_path)) as pair:
        pair.stand_in("tool").exits(0)
        raise LookupError("failed test")

def test_error_of_the_run(parity):
    parity.env["PATH"] = "/usr/bin"
    parity.run()

def test_no_run(parity):
    pass

def test_no_run_with_own_class(own):
    pass
"""


def test_teardown_adds_nothing_to_an_error(directory: Path) -> None:
    (directory / "test_it.py").write_text(TEARDOWN)
    ran = run_pytest(directory, "-rA")
    outcomes = re.findall(
        r"^(ERROR|FAILED|PASSED|SKIPPED|XFAIL)\b.*?::(\w+)", ran.output, re.MULTILINE
    )
    assert outcomes == [
        ("PASSED", "test_no_run"),
        ("PASSED", "test_no_run_with_own_class"),
        ("XFAIL", "test_xfail"),
        ("ERROR", "test_error"),
        ("ERROR", "test_no_run"),
        ("ERROR", "test_no_run_with_own_class"),
        ("FAILED", "test_failure"),
        ("FAILED", "test_failure_with_own_class"),
        ("FAILED", "test_exception_in_a_with_statement"),
        ("FAILED", "test_error_of_the_run"),
    ]
    assert "4 failed, 2 passed, 1 skipped, 1 xfailed, 3 errors" in ran.output
    assert len(re.findall(r"^E .*: calls were planned, but", ran.output, re.MULTILINE)) == 2


def read_environ(pid: int) -> bytes:
    """Return the environment of a process, or b"" if it is gone or a zombie."""
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""


def argv_of(path: Path, first_line: str) -> list[str]:
    """Return the argv that starts a script with this first line."""
    path.write_text(f"{first_line}\n")
    return script(path).argv(None)  # type: ignore[arg-type]


def test_script_is_started_by_the_interpreter_that_it_names(tmp_path: Path) -> None:
    path = tmp_path / "form"
    bash = str(find("bash"))
    assert argv_of(path, "#!/usr/bin/env bash") == [bash, str(path)]
    assert argv_of(path, "#!/bin/sh -eu") == ["/bin/sh", "-eu", str(path)]
    assert argv_of(path, "#! /usr/bin/env -S bash -e") == [bash, "-e", str(path)]
    for line in ("#!/usr/bin/env python3", "#!/usr/bin/python", "#!/opt/bin/python3.99"):
        assert argv_of(path, line) == [sys.executable, str(path)]
        assert script(path).name == "python"
    assert argv_of(path, "#!/usr/bin/env -S python3 -u") == [sys.executable, "-u", str(path)]
    assert script(path, "new").name == "new"


def test_unstartable_script_is_rejected_at_once(tmp_path: Path) -> None:
    path = tmp_path / "form"
    for line in ("", "# no program", "#!", "#!/usr/bin/env"):
        with pytest.raises(ValueError, match="the first line does not name an interpreter"):
            argv_of(path, line)
    with pytest.raises(FileNotFoundError, match="the interpreter no-such-shell is not installed"):
        argv_of(path, "#!/usr/bin/env no-such-shell")
    with pytest.raises(FileNotFoundError):
        script(tmp_path / "none")


def test_tools_by_name(tmp_path: Path, make_pair: MakePair) -> None:
    assert find_tools("bash") == {"bash": find("bash")}
    with pytest.raises(FileNotFoundError, match="not in PATH: no-such-1, no-such-2"):
        find_tools("no-such-1", "bash", "no-such-2")
    write_forms(tmp_path)
    pair = make_pair(tmp_path / "form.sh", tmp_path / "form.py", tools=["true"])
    pair.tool("tool", find("false"))
    assert pair.run("a").exit_code == 1
    pair.tool("tool", pair.world.bin / "true")
    assert pair.run("a").exit_code == 0
    with pytest.raises(FileNotFoundError, match="not in PATH: no-such"):
        pair.tool("no-such")


@pytest.mark.parametrize("names", [(), ("bash",), ("bash", "bash"), ("a", "b", "c")])
def test_pair_has_two_forms(tmp_path: Path, names: tuple[str, ...]) -> None:
    forms = [Form(name, lambda _: []) for name in names]
    with pytest.raises(ValueError, match="two forms with different names"):
        Pair(tmp_path, forms, {})


@pytest.mark.parametrize("name", ["", "world", "a/b", "..", "bash-run-1"])
def test_invalid_directory_name(tmp_path: Path, name: str) -> None:
    forms = [Form(each, lambda _: []) for each in ("bash", name)]
    with pytest.raises(ValueError, match="a form's name is also its directory's name"):
        Pair(tmp_path, forms, {})


def test_shell_variables_are_allowed_by_default(tmp_path: Path, make_pair: MakePair) -> None:
    write_forms(tmp_path)
    pair = make_pair(tmp_path / "form.sh", tmp_path / "form.py", allowed=[])
    pair.stand_in("tool").exits(0)
    with pytest.raises(AssertionError, match="call 1, tool: environment SHLVL"):
        pair.run("a")


# --- Options ---


def test_only_one_form_runs_and_the_summary_reports_it(directory: Path) -> None:
    (directory / "form.py").write_text("#!/usr/bin/env python3\nnonsense(\n")
    ran = run_pytest(directory, "--parity-only", "bash")
    assert ran.status == 0
    head, _, rest = ran.output.partition("collected 3 items")
    assert "\nparity: NOTHING IS COMPARED: only bash runs (--parity-only)\n" in head
    assert re.search(r"\n=+ parity: NOTHING IS COMPARED: only bash runs .*=+\n", rest)
    ran = run_pytest(directory, "--parity-only=python")
    assert (ran.status, ran.output.count("SyntaxError")) == (1, 2)
    assert ran.output.count("NOTHING IS COMPARED: only python runs") == 2


def test_single_form_must_make_the_planned_calls(directory: Path) -> None:
    (directory / "form.sh").write_text("#!/usr/bin/env bash\n")
    ran = run_pytest(directory, "--parity-only", "bash", "-k", "two_runs")
    assert ran.status == 1
    assert "bash: planned calls that never happened: 1 of tool" in ran.output


@pytest.mark.parametrize("more", [(), ("-n2",)])
def test_unknown_form_is_a_usage_error(directory: Path, more: tuple[str, ...]) -> None:
    ran = run_pytest(directory, "--parity-only", "zsh", *more)
    assert ran.status == pytest.ExitCode.USAGE_ERROR
    message = "--parity-only zsh: no such form; this pair has bash and python"
    assert re.search(rf"\n=+ parity: {message} =+\n", ran.output)
    assert ran.output.count(f"\n{message}\n") == 2  # once for each test that has a pair
    assert "Traceback" not in ran.output
    assert "1 passed, 2 errors" in ran.output


@pytest.mark.parametrize("more", [(), ("-n2",), ("--basetemp=kept",)])
def test_sandboxes_of_every_run_are_kept(directory: Path, more: tuple[str, ...]) -> None:
    never = "tmp_path_retention_policy=none"
    ran = run_pytest(directory, "--parity-keep", "-o", never, *more)
    assert ran.status == 0
    _, _, summary = ran.output.partition("parity: sandboxes kept")
    lines = [line for line in summary.splitlines() if line.startswith(("test_it.py", "     "))]
    kept = {line: [] for line in lines if line.startswith("test")}  # type: dict[str, list[str]]
    for line in lines:
        if line.startswith("test"):
            test = line
        else:
            kept[test].append(line.strip())
    assert {*kept} == {"test_it.py::test_one_run", "test_it.py::test_two_runs"}
    [only] = kept["test_it.py::test_one_run"]
    first, second = kept["test_it.py::test_two_runs"]
    assert only.endswith("/pair-0/{bash,python}")
    assert first == f"{second}-run-1"
    for form in ("bash", "python"):
        contents = [made_in(directory, line, form) for line in (only, first, second)]
        assert contents == ["x\n", "x\n", "x\nx\n"]
        assert calls_in(directory, first, form) == ["first"]
        assert calls_in(directory, second, form) == ["second"]
    if "--basetemp=kept" in more:
        assert only.startswith(f"{directory}/kept/")


def sandbox(directory: Path, line: str, form: str) -> Path:
    """Return one of the sandboxes in a line of the summary."""
    return directory / line.replace("{bash,python}", form)


def made_in(directory: Path, line: str, form: str) -> str:
    return (sandbox(directory, line, form) / "project/made").read_text()


def calls_in(directory: Path, line: str, form: str) -> list[str]:
    text = (sandbox(directory, line, form) / "control/calls").read_text()
    return re.findall(r"'argv': \['(\w+)'\]", text)


def test_nothing_to_keep(directory: Path) -> None:
    ran = run_pytest(directory, "-k", "no_pair", "--parity-keep")
    assert "\nnone: no form was run\n" in ran.output


def test_options_end_with_the_session(directory: Path) -> None:
    # Two sessions in one process, as an editor or a watcher starts them.
    code = (
        "import pytest\nfrom oauthkit.parity import options\n"
        "pytest.main(['-q', '--parity-only', 'bash', '--parity-keep'])\n"
        "print('AFTER', options.current)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=directory, text=True, capture_output=True, check=False,
        timeout=60, env={"PATH": os.defpath, "TMPDIR": str(directory), "HOME": str(directory)},
    )  # fmt: skip
    assert "AFTER Options(only='', keep=False, kept=[], has_passed=True)" in done.stdout


def test_copy_equals_its_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(options, "current", options.Options(keep=True))
    pair: Pair[Run] = scripts(tmp_path, "printf x >>file; chmod 0400 file")
    pair.file("hidden/file", "secret", mode=0)
    pair.chmod("hidden", 0o300)
    pair.symlink("link", "to nowhere")
    pair.step(lambda world: os.mkfifo(world.path("fifo"), 0o640))
    before = pair.run()
    pair.chmod("file", 0o600)
    after = pair.run()
    pair.close()
    assert [path.name for path in pair._options.kept] == [
        "bash", "bash-again", "bash-run-1", "bash-again-run-1",
    ]  # fmt: skip
    copied = {name: described(tmp_path / "bash-run-1" / name) for name in before.outcome.files}
    assert copied == {name: entry_of(entry) for name, entry in before.outcome.files.items()}
    assert (before.files["file"].content, after.files["file"].content) == (b"x", b"xx")
    (tmp_path / "bash-run-1/project/hidden").chmod(0o700)  # otherwise, it could not be removed
    (tmp_path / "bash/project/hidden").chmod(0o700)
    (tmp_path / "bash-again/project/hidden").chmod(0o700)


def described(path: Path) -> tuple[Any, ...]:
    """Return a file's mode, kind and content."""
    info = path.lstat()
    kind = stat.S_IFMT(info.st_mode)
    mode = stat.S_IMODE(info.st_mode)
    if kind == stat.S_IFLNK:
        return mode, "symlink", str(path.readlink())
    if kind == stat.S_IFREG:
        path.chmod(0o600)
        return mode, "file", path.read_bytes()
    if kind == stat.S_IFDIR:
        path.chmod(0o700)
    return mode, {stat.S_IFDIR: "directory", stat.S_IFIFO: "fifo"}[kind], b""


def entry_of(entry: Any) -> tuple[Any, ...]:
    """Return mode, kind and content of an entry of the outcome."""
    return entry.mode, entry.kind, entry.target if entry.kind == "symlink" else entry.content
