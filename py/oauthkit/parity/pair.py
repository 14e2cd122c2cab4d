"""Run two forms of one program in identical sandboxes. Tests work with a Pair."""

from __future__ import annotations

import fcntl
import marshal
import re
import shutil
import sys
import tempfile
import time
from contextlib import ExitStack
from copy import copy as copy_object
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar

from oauthkit.extras import install_command
from oauthkit.parity import namespaces, options, recorder
from oauthkit.parity.clock import DEFAULT_NOW_S, epoch_s, write_frozen_clock
from oauthkit.parity.compare import Allowed, compare, own_command_problems, without_allowed_lines
from oauthkit.parity.forms import find_tools
from oauthkit.parity.outcome import Outcome, inodes, observe, read_calls
from oauthkit.parity.report import report
from oauthkit.parity.run import Run
from oauthkit.parity.runner import STDIN_TEXT, Finished, Form, Settings, Started, end
from oauthkit.parity.stand_ins import StandIn, clock_program, plan_data
from oauthkit.parity.suggest import HARMLESS, suggestions, words
from oauthkit.parity.world import World, age, copy, put_directory, put_file, put_symlink, remove

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import ModuleType


RunType = TypeVar("RunType", bound=Run)


class Pair(Generic[RunType]):
    """Two forms, and the sandbox in which each of them runs.

    A test's changes are recorded, and applied to each form's sandbox. Both forms see the same path.
    Paths are relative to the project, or start with `~/`. `tools` are the real programs in
    PATH. pytest's options `--parity-only` and `--parity-keep` apply to every pair.
    """

    def __init__(
        self,
        directory: Path,
        forms: Sequence[Form],
        tools: Mapping[str, Path],
        allowed: Sequence[Allowed] = (),
        run_type: type[RunType] = Run,  # type: ignore[assignment]
    ) -> None:
        __tracebackhide__ = True
        _require_sh()
        directory = directory.resolve()
        self.world = World(directory / "world")
        self.forms = {form.name: form for form in forms}
        names = [form.name for form in forms]
        if len(names) != 2 or len(self.forms) != 2:
            raise ValueError(
                f"a pair needs two forms with different names, not {names}: name one with"
                ' script("old.sh", name="old")'
            )
        if any(re.fullmatch(r"(?!world$)\w[\w.+-]*(?<!-run-\d)", name) is None for name in names):
            raise ValueError(f"a form's name is also its directory's name. Invalid: {names}")
        if any(entry.stderr for entry in allowed):
            raise ValueError("Allowed(stderr=...) applies to one run. Pass it to Pair.run")
        self._options = options.current
        self._names = self._options.chosen(names)
        self.stand_ins: dict[str, StandIn] = {}
        self.env = {
            "HOME": str(self.world.home),
            "LANG": "C.UTF-8",
            "PATH": str(self.world.bin),
            "TZ": "UTC",
            "XDG_RUNTIME_DIR": str(self.world.runtime),
        }
        self.umask = 0o022
        self.limit_s = 30.0
        self._directory = directory
        self._tools = dict(tools)
        self._allowed = allowed
        self._run_type = run_type
        self._now_s = DEFAULT_NOW_S
        self._has_virtual_sleep = False
        self._unplanned_status = recorder.UNPLANNED_STATUS
        self._cwd = "."
        self._clock: dict[str, str] = {}
        self._steps: list[Callable[[World], None]] = []
        self._done = dict.fromkeys(self.forms, 0)
        self._locks: list[str] = []
        self._spawned: list[Started] = []
        self._before: dict[str, int] = {}
        self._has_failed = False
        self._runs = 0
        self.comparisons = 0  # the number of runs in which the forms agreed

    # --- The sandbox ---

    def step(self, action: Callable[[World], None]) -> None:
        """Record an action for each world, performed before the next run."""
        self._steps.append(action)

    def file(self, name: str | Path, content: bytes | str = b"", mode: int = 0o644) -> None:
        """Create a file with this content and mode, and its parent directories."""
        data = content if isinstance(content, bytes) else content.encode("utf-8", "surrogateescape")
        self.world.path(name)
        self.step(lambda world: put_file(world.path(name), data, mode))

    def directory(self, name: str | Path, mode: int = 0o755) -> None:
        """Create a directory with this mode."""
        self.world.path(name)
        self.step(lambda world: put_directory(world.path(name), mode))

    def symlink(self, name: str | Path, target: str | Path) -> None:
        """Create a symbolic link. `target` is not resolved."""
        self.world.path(name)
        self.step(lambda world: put_symlink(world.path(name), str(target)))

    def delete(self, name: str | Path) -> None:
        """Delete a file or a directory, if it exists."""
        self.world.path(name)
        self.step(lambda world: remove(world.path(name)))

    def chmod(self, name: str | Path, mode: int) -> None:
        """Change the mode of a file or directory."""
        self.world.path(name)
        self.step(lambda world: world.path(name).chmod(mode))

    def remove(self, *programs: str) -> None:
        """Remove stand-ins or tools from PATH."""
        for program in programs:
            if program not in self._tools and program not in self.stand_ins:
                raise ValueError(f"{program} is not in the sandbox's PATH")
            self.step(lambda world, name=program: remove(world.bin / name))  # type: ignore[misc]

    def tool(self, name: str, target: Path | None = None) -> None:
        """Add a real program to PATH. It replaces a stand-in of the same name.

        The default `target` is the program in the test runner's PATH. Raises FileNotFoundError if
        there is none.
        """
        path = find_tools(name)[name] if target is None else target
        self._tools[name] = path
        self.step(lambda world: _put_tool(world, name, path))

    def forward(self, name: str, target: Path | None = None) -> StandIn:
        """Add a stand-in that records each call, and then runs the real program.

        The default `target` is the program in the test runner's PATH. Raises FileNotFoundError if
        there is none.
        """
        stand_in = self.stand_in(name)
        stand_in.always.forwards(program="" if target is None else target)
        return stand_in

    def stand_in(
        self,
        name: str,
        module: ModuleType | None = None,
        always: str | None = None,
        place: str | Path | None = None,
        prepare: Callable[[dict[str, Any]], dict[str, Any]] = lambda arguments: arguments,
    ) -> StandIn:
        """Add a stand-in for `name` to PATH, or at `place`. Return it, to plan its behaviour."""
        stand_in = self.stand_ins.get(name) or StandIn(name, module, always, prepare)
        self.stand_ins[name] = stand_in

        def install(world: World) -> None:
            path = world.bin / name if place is None else world.path(place)
            put_file(path, stand_in.program(world.control), 0o755)

        self.step(install)
        return stand_in

    def holds_lock(self, name: str | Path) -> None:
        """Hold the exclusive flock(2) of a file during the next run."""
        self.file(name, mode=0o600)
        self._locks.append(str(name))

    def rename(self, project: str | None = None, home: str | None = None) -> None:
        """Rename the directories of the project and of HOME. Only possible before the first run."""
        if self.world.root.exists() or any(map(Path.exists, map(self._kept, self.forms.values()))):
            raise ValueError("the directories cannot be renamed after the first run")
        if project is not None:
            self.world = replace(self.world, project_name=project)
        if home is not None:
            self.world = replace(self.world, home_name=home)
            self.env["HOME"] = str(self.world.home)

    @property
    def project(self) -> Path:
        """Return the project's directory, while a form runs."""
        return self.world.project

    @property
    def home(self) -> Path:
        """HOME, while a form runs."""
        return self.world.home

    @property
    def now_s(self) -> int:
        """Return the time of the next run, in seconds since the epoch."""
        return self._now_s

    def set_clock(self, instant: int | str) -> None:
        """Set the clock: seconds since the epoch, or text like 2026-01-02T03:04:05Z."""
        self._now_s = epoch_s(instant)

    def virtual_sleep(self) -> None:
        """Make sleeps return at once and advance the clock, from the next run on.

        This applies to sleep(1) and to Python's `time.sleep`. `Run.calls("sleep")` has the
        durations in seconds. Each run starts at `now_s`.
        """
        self._has_virtual_sleep = True
        self.step(
            lambda world: put_file(
                world.bin / "sleep", clock_program("sleep", world.control, "sleeps"), 0o755
            )
        )

    def set_cwd(self, name: str | Path) -> None:
        """Set the working directory of the forms. The default is the project."""
        self._cwd = str(name)

    # --- Runs ---

    def run(
        self,
        *args: str,
        terminal: bool = False,
        stdin: bytes = STDIN_TEXT,
        allowed: Sequence[Allowed] = (),
        meanwhile: Callable[[Started, World], None] | None = None,
    ) -> RunType:
        """Run both forms, each in its own world at the same path, and compare them.

        They run at the same time if the kit may create mount namespaces and there is no
        `meanwhile`, otherwise in turn. `meanwhile` is called once for each form after its start.
        Raises AssertionError with a report if they differ, or if something unplanned happened. A
        second run continues in the worlds of the first one. With `terminal`, stdout and stderr are
        terminals. `allowed` are differences that are accepted in this run only.
        """
        __tracebackhide__ = True
        self._runs += 1
        # A test may have replaced or removed a form.
        chosen = [form for name, form in self.forms.items() if name in self._names]
        how = {"terminal": terminal, "stdin": stdin}
        if meanwhile is None and len(chosen) > 1 and namespaces.are_possible():
            outcomes = self._run_at_once(chosen, args, how)
        else:
            outcomes = [self._run_alone(form, args, how, meanwhile) for form in chosen]
        self._forget_plans()
        accepted = [*self._allowed, *allowed]
        for form, outcome in zip(chosen, outcomes, strict=True):
            outcome.problems += own_command_problems(outcome, accepted, [form])
        first, *others = outcomes = without_allowed_lines(outcomes, accepted)
        differences = [d for other in others for d in compare(first, other, accepted)]
        kept = [self._kept(form) for form in chosen]
        result = self._result(outcomes, report(outcomes, differences, kept))
        self.comparisons += len(outcomes) > 1
        return result

    def _run_alone(
        self,
        form: Form,
        args: Sequence[str],
        how: Mapping[str, Any],
        meanwhile: Callable[[Started, World], None] | None,
    ) -> Outcome:
        self._enter(form)
        self._prepare(form.name)
        with ExitStack() as stack:
            self._lock(stack)
            started = Started(form, self.world, args, replace(self._settings(), **how))
            if meanwhile is not None:
                meanwhile(started, self.world)
            finished = started.wait()
        finished.problems += started.end_rest()
        outcome = observe(form, self.world, finished, self._before, self.stand_ins.values())
        self._leave(form)
        return outcome

    def _run_at_once(
        self, chosen: Sequence[Form], args: Sequence[str], how: Mapping[str, Any]
    ) -> list[Outcome]:
        before = {}
        with ExitStack() as stack:
            for form in chosen:
                self._enter(form)
                self._prepare(form.name)
                self._lock(stack)
                settings = replace(self._settings(), **how)
                before[form] = self._before
                self._leave(form)
            self.world.root.mkdir()  # each form's world is mounted there
            started = [
                Started(form, self.world, args, settings, mounted=self._kept(form))
                for form in chosen
            ]
            finished = [one.wait() for one in started]
            for one, done in zip(started, finished, strict=True):
                done.problems += one.end_rest()
            self.world.root.rmdir()
        outcomes = []
        for form, done in zip(chosen, finished, strict=True):
            self._kept(form).rename(self.world.root)
            outcomes.append(observe(form, self.world, done, before[form], self.stand_ins.values()))
            self.world.root.rename(self._kept(form))
        return outcomes

    def _lock(self, stack: ExitStack) -> None:
        for name in self._locks:
            file = stack.enter_context(self.world.path(name).open("ab"))
            fcntl.flock(file, fcntl.LOCK_EX)

    def suggest(self, *args: str, stdin: bytes = STDIN_TEXT) -> NoReturn:
        """Run the forms without a comparison, and print the stand-ins and tools that they need.

        Unplanned calls get exit status 0 and no output. Real programs run only if you named them,
        or if they only read or create something. Raises AssertionError, because a test with
        `suggest` tests nothing. The next `run` starts in a new world.
        """
        __tracebackhide__ = True
        if self._runs:
            raise ValueError("suggest is only possible before the first run")
        # A copy, so that this pair's plans and worlds do not change.
        text = copy_object(self)._suggestions(args, stdin)  # noqa: SLF001 - of the same class
        sys.stdout.write(f"{text}\n")
        raise AssertionError(
            "suggest compares nothing. Copy the lines that it printed into the test, and call run"
        )

    def _suggestions(self, args: Sequence[str], stdin: bytes) -> str:
        self._directory.mkdir(parents=True, exist_ok=True)
        self._directory = Path(tempfile.mkdtemp(prefix="suggest-", dir=self._directory))
        self._done, self._steps = {**self._done}, [*self._steps]
        self._unplanned_status = 0
        self.stand_ins = {**self.stand_ins}
        forms = [self.forms[name] for name in self._names]
        tools = []
        for name in sorted(words(forms, self.world) - {*self._tools, *self.stand_ins}):
            if name == "sleep":
                self.virtual_sleep()
            elif name in HARMLESS and shutil.which(name):
                self.forward(name)
                tools.append(name)
            else:
                self.stand_in(name)
        outcomes = [self._run_alone(form, args, {"stdin": stdin}, None) for form in forms]
        return suggestions(outcomes, tools, self.world)

    def spawn(self, form: str, *args: str, terminal: bool = False) -> Started:
        """Start one form in a world that all spawned forms share, and do not wait for it."""
        if any(other.files != self.forms[form].files for other in self.forms.values()):
            raise ValueError("forms with files of their own cannot share a world, as `spawn` needs")
        if not self._spawned:
            name = next(iter(self.forms))
            self._runs += 1
            self._enter(self.forms[name])
            self._prepare(name)
        settings = replace(self._settings(), terminal=terminal)
        prefix = f"{len(self._spawned)}-"
        started = Started(self.forms[form], self.world, args, settings, name=prefix)
        self._spawned.append(started)
        return started

    def settle(self) -> RunType:
        """Wait for all spawned forms. Return their combined results and the highest exit code."""
        __tracebackhide__ = True
        ends = [started.wait() for started in self._spawned]
        finished = Finished(
            max(done.exit_code for done in ends),
            b"".join(done.stdout for done in ends),
            b"".join(done.stderr for done in ends),
            [*(problem for done in ends for problem in done.problems), *end(self.world)],
        )
        form = next(iter(self.forms.values()))
        outcome = observe(form, self.world, finished, self._before, self.stand_ins.values())
        outcome.problems += own_command_problems(outcome, self._allowed, [*self.forms.values()])
        self._spawned.clear()
        self._forget_plans()
        self._leave(form)
        return self._result([outcome], report([outcome], [], [self._kept(form)]))

    def sign(self, name: str = "go") -> None:
        """Let the stand-ins that wait for this sign continue."""
        (self.world.control / f"sign-{name}").touch()

    def wait_for_call(self, program: str, count: int = 1, limit_s: float = 30.0) -> None:
        """Wait until a stand-in was called `count` times in the current world."""
        deadline_s = time.monotonic() + limit_s
        while sum(call.program == program for call in read_calls(self.world)) < count:
            if time.monotonic() > deadline_s:
                raise AssertionError(f"{program} was not called within {limit_s:g} s")
            time.sleep(0.01)

    def close(self) -> None:
        """End all remaining processes. Raise AssertionError if calls were planned without a run.

        If the test has already failed, or an exception passes through, raise nothing.
        """
        __tracebackhide__ = True
        if self.world.root.exists():
            end(self.world)
        if self._has_failed or not options.current.has_passed or sys.exc_info()[0] is not None:
            return
        unused = [name for name, stand_in in self.stand_ins.items() if stand_in.pending()]
        if unused:
            raise AssertionError(f"calls were planned, but there was no run: {', '.join(unused)}")

    def read_state(self, world: World, name: str, default: Any) -> Any:
        """Return the value that `world`'s stand-ins keep under `name`, or `default`. For a step."""
        path = world.control / recorder.STATE / name
        return marshal.loads(path.read_bytes()) if path.exists() else default  # noqa: S302

    def write_state(self, world: World, name: str, value: Any) -> None:
        """Set the value that `world`'s stand-ins keep under `name`. It must be plain data."""
        path = world.control / recorder.STATE / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(marshal.dumps(value))

    # --- Inside ---

    def _enter(self, form: Form) -> None:
        kept = self._kept(form)
        if not kept.exists():
            links = {name: path for name, path in self._tools.items() if name != "date"}
            self.world.make(links)
            if "date" in self._tools:
                _put_tool(self.world, "date", self._tools["date"])
            for name, source in form.files.items():
                put_file(self.world.path(name), source.read_bytes(), 0o755)
            return
        if self._options.keep:  # the next run uses the original
            before = kept.with_name(f"{form.name}{options.EARLIER_RUN}{self._runs - 1}")
            copy(kept, before)
            self._options.kept.append(before)
        kept.rename(self.world.root)

    def _leave(self, form: Form) -> None:
        kept = self._kept(form)
        self.world.root.rename(kept)
        if self._options.keep and kept not in self._options.kept:
            self._options.kept.append(kept)

    def _kept(self, form: Form) -> Path:
        return self._directory / form.name

    def _prepare(self, name: str) -> None:
        control = self.world.control
        for left in (recorder.CALLS, recorder.COUNTS, recorder.CHILDREN, recorder.CRASHES):
            (control / left).unlink(missing_ok=True)
        self._clock = write_frozen_clock(control, self._now_s, is_virtual=self._has_virtual_sleep)
        plan = plan_data(self._now_s, self.stand_ins.values(), self._unplanned_status)
        (control / recorder.PLAN).write_bytes(marshal.dumps(plan))
        for step in self._steps[self._done[name] :]:
            step(self.world)
        self._done[name] = len(self._steps)
        age(self.world)
        self._before = inodes(self.world)

    def _settings(self) -> Settings:
        # With PATH unset or changed, a form would find unplanned programs.
        for directory in self.env.get("PATH", "/").split(":"):
            self.world.path(directory)
        cwd = Path("/") if self._cwd == "/" else self.world.path(self._cwd)
        return Settings({**self.env, **self._clock}, cwd, self.umask, self.limit_s)

    def _forget_plans(self) -> None:
        self._locks.clear()
        for stand_in in self.stand_ins.values():
            stand_in.forget()

    def _result(self, outcomes: list[Outcome], message: str) -> RunType:
        __tracebackhide__ = True
        if message:
            self._has_failed = True
            raise AssertionError(message)
        return self._run_type(outcomes[0])


def _put_tool(world: World, name: str, path: Path) -> None:
    """Add a real program to PATH. date(1) shows the frozen clock."""
    if name == "date":
        text = clock_program(name, world.control, "shows_time", program=str(path))
        put_file(world.bin / name, text, 0o755)
    else:
        put_symlink(world.bin / name, str(path))


def _require_sh() -> None:
    __tracebackhide__ = True
    try:
        import sh  # noqa: F401, PLC0415 - for the runner, to report a missing package at once
    except ModuleNotFoundError:
        message = f"the Python package sh is not installed. Run {install_command('sh')}"
        raise ModuleNotFoundError(message, name="sh") from None
