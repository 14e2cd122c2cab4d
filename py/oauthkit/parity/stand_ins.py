"""Plan what stand-ins do, call by call."""

from __future__ import annotations

import inspect
import re
import sys
from enum import IntEnum
from pathlib import Path
from types import EllipsisType
from typing import TYPE_CHECKING, Any

from oauthkit.parity import clock_programs, recorder, stand_in_behaviours
from oauthkit.parity.forms import find_tools

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from types import ModuleType

# The name of a behaviour, with its arguments. One call can perform several.
Step = tuple[str, dict[str, Any]]

# An argument, a pattern for one, or `...` for any number of them.
Argument = str | bytes | int | Path | re.Pattern[str] | EllipsisType

ANYTHING = (...,)

# The maximum length of a planned argument in a report.
SHOWN_CHARACTERS = 40


class Planned:
    """A planned call. `then` adds a behaviour to it. `optional` allows a run without it."""

    def __init__(self, answers: Answers, steps: list[Step]) -> None:
        self._answers = answers
        self.steps = steps
        self.is_optional = False

    @property
    def then(self) -> Planner:
        """Plan another behaviour for the same call, after those planned so far."""
        return Planner(self._answers.stand_in, self._continue)

    def optional(self) -> Planned:
        """Allow a run without this call."""
        self.is_optional = True
        return self

    def __str__(self) -> str:
        calls = (
            f"{name}({', '.join(f'{key}={_short(value)}' for key, value in arguments.items())})"
            for name, arguments in self.steps
        )
        optional = ".optional()" if self.is_optional else ""
        return f"{self._answers}{'.then.'.join(calls)}{optional}"

    def _continue(self, step: Step) -> Planned:
        self.steps.append(step)
        return self


class Planner:
    """A stand-in's behaviours as methods, as in `claude.always.hangs()`."""

    def __init__(self, stand_in: StandIn, plan: Callable[[Step], Planned]) -> None:
        self._stand_in = stand_in
        self._plan = plan

    def __getattr__(self, name: str) -> Callable[..., Planned]:
        signature = self._stand_in.signature(name)

        def plan(*args: Any, **kwargs: Any) -> Planned:
            try:
                bound = signature.bind(*args, **kwargs)
            except TypeError as error:
                raise TypeError(f"{self._stand_in.name}.{name}{signature}: {error}") from None
            return self._plan((name, self._stand_in.prepare(name, dict(bound.arguments))))

        return plan


class Answers:
    """The planned answers to the calls whose arguments match a pattern.

    Each behaviour is a method that plans one call, as in StandIn.
    """

    def __init__(self, stand_in: StandIn, pattern: Sequence[Argument]) -> None:
        self.stand_in = stand_in
        self.pattern = tuple(map(_argument, pattern))
        self.queue: list[Planned] = []
        self._always: Planned | None = None

    def __getattr__(self, name: str) -> Callable[..., Planned]:
        return getattr(Planner(self.stand_in, self._append), name)  # type: ignore[no-any-return]

    @property
    def always(self) -> Planner:
        """Plan what all further calls do."""
        return Planner(self.stand_in, self._set_always)

    def never(self) -> None:
        """Cancel `always`, so that a further call fails the test."""
        self._always = None

    def plan(self) -> tuple[list[Any], list[list[Step]], list[Step] | None]:
        """Return the plan in the recorder's format."""
        pattern = [_plain(argument) for argument in self.pattern]
        queue = [planned.steps for planned in self.queue]
        return pattern, queue, None if self._always is None else self._always.steps

    def planned(self) -> str:
        """Describe the plan for a report."""
        texts = [str(planned) for planned in self.queue]
        if self._always and self.pattern != ANYTHING:
            texts.append(f"{self}always.{str(self._always).removeprefix(str(self))}")
        return ", then ".join(texts)

    def missing(self, made: int) -> int:
        """Return how many planned calls are missing after `made` calls."""
        return sum(not planned.is_optional for planned in self.queue[made:])

    def __str__(self) -> str:
        if self.pattern == ANYTHING:
            return ""
        shown = ("..." if argument is ... else repr(argument) for argument in self.pattern)
        return f"when({', '.join(shown)})."

    def _append(self, step: Step) -> Planned:
        planned = Planned(self, [step])
        self.queue.append(planned)
        return planned

    def _set_always(self, step: Step) -> Planned:
        self._always = Planned(self, [step])
        return self._always


class StandIn:
    """A program in the sandbox that records its calls and does what the test plans.

    The behaviours are the functions of `module` and of `oauthkit.parity.stand_in_behaviours`.
    Called as a method, each plans one call: `jq.exits(5)`. `always` plans all further calls.
    `when` plans calls with certain arguments. A call without a plan fails the test.
    """

    def __init__(
        self,
        name: str,
        module: ModuleType | None = None,
        always: str | None = None,
        prepare: Callable[[dict[str, Any]], dict[str, Any]] = lambda arguments: arguments,
    ) -> None:
        self.name = name
        self.modules = (module, stand_in_behaviours) if module else (stand_in_behaviours,)
        self._prepare = prepare
        self._anything = Answers(self, ANYTHING)
        self._chosen: list[Answers] = []
        if always:
            getattr(self.always, always)()

    def __getattr__(self, name: str) -> Callable[..., Planned]:
        return getattr(self._anything, name)  # type: ignore[no-any-return]

    @property
    def always(self) -> Planner:
        """Plan what all further calls do."""
        return self._anything.always

    def never(self) -> None:
        """Cancel `always`, so that a further call fails the test."""
        self._anything.never()

    def when(self, *arguments: Argument) -> Answers:
        """Return an object that plans the answers to calls with these arguments, in any order.

        A regular expression matches one whole argument, and `...` any number of arguments. A call
        gets the first matching answer that is left, in the order in which the test names the
        patterns. Answers without a pattern come last.
        """
        answers = Answers(self, arguments)
        for known in self._answers():
            if known.pattern == answers.pattern:
                return known
        self._chosen.append(answers)
        return answers

    def signature(self, behaviour: str) -> inspect.Signature:
        """Return a behaviour's parameters. Raise AttributeError if there is no such behaviour."""
        for module in self.modules:
            function = getattr(module, behaviour, None)
            if inspect.isfunction(function) and not behaviour.startswith("_"):
                signature = inspect.signature(function)
                return signature.replace(parameters=list(signature.parameters.values())[1:])
        names = sorted(
            {
                name
                for module in self.modules
                for name, value in vars(module).items()
                if inspect.isfunction(value) and not name.startswith("_")
            }
        )
        known = ", ".join(names)
        raise AttributeError(
            f"the stand-in for {self.name} has no behaviour {behaviour!r}; it has {known}"
        )

    def prepare(self, behaviour: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Convert arguments to plain data for the plan file."""
        prepared = self._prepare(arguments)
        if behaviour == recorder.FORWARDS and not prepared.get("program"):
            prepared["program"] = find_tools(self.name)[self.name]
        for key, value in prepared.items():
            if isinstance(value, Path):
                prepared[key] = str(value)
            elif isinstance(value, IntEnum):  # such as signal.SIGTERM
                prepared[key] = int(value)
            elif isinstance(value, str) and self._takes_bytes(behaviour, key):
                prepared[key] = value.encode("utf-8", "surrogateescape")
        return prepared

    def _takes_bytes(self, behaviour: str, key: str) -> bool:
        parameter = self.signature(behaviour).parameters.get(key)
        return parameter is not None and parameter.annotation == "bytes"

    @property
    def queue(self) -> list[Planned]:
        """Return the next run's planned calls without a pattern, in order."""
        return self._anything.queue

    def plan(self) -> list[Any]:
        """Return the plan in the recorder's format, in order of precedence."""
        return [answers.plan() for answers in self._answers()]

    def planned(self) -> str:
        """Describe the plan for a report."""
        texts = list(filter(None, (answers.planned() for answers in self._answers())))
        return f"{len(self.pending())} planned: {', '.join(texts)}" if texts else "none was planned"

    def pending(self) -> list[Planned]:
        """Return the planned calls of the next run."""
        return [planned for answers in self._answers() for planned in answers.queue]

    def forget(self) -> None:
        """Drop the planned calls, but keep what `always` has planned."""
        for answers in self._answers():
            answers.queue.clear()

    def missing(self, answered: Mapping[int, int]) -> int:
        """Return how many planned calls are missing.

        `answered` maps the index of an answer to the number of calls that had it.
        """
        return sum(
            answers.missing(answered.get(index, 0)) for index, answers in enumerate(self._answers())
        )

    def program(self, control: Path) -> bytes:
        """Return the text of the stand-in's executable."""
        modules = ", ".join(f"module_{number}" for number in range(len(self.modules)))
        return _program(self.modules, f"perform({self.name!r}, {str(control)!r}, ({modules},))")

    def _answers(self) -> list[Answers]:
        return [*self._chosen, self._anything]


def _argument(argument: object) -> str | re.Pattern[str] | EllipsisType:
    if isinstance(argument, bytes):
        return argument.decode("utf-8", "surrogateescape")
    if isinstance(argument, (str, EllipsisType)):
        return argument
    if isinstance(argument, re.Pattern) and isinstance(argument.pattern, str):
        return argument
    if isinstance(argument, (int, Path)) and not isinstance(argument, bool):
        return str(argument)
    raise TypeError(
        f"{argument!r} is not an argument. Use a str, bytes, int, Path, re.compile(...) or ..."
    )


def _plain(argument: str | re.Pattern[str] | EllipsisType) -> str | tuple[str, int] | None:
    """Convert an element of a pattern to the recorder's format."""
    if isinstance(argument, re.Pattern):
        return argument.pattern, argument.flags
    return None if isinstance(argument, EllipsisType) else argument


def clock_program(name: str, control: Path, behaviour: str, **arguments: str) -> bytes:
    """Return the text of an executable that uses the clock, but does not record its calls."""
    function = f"module_0.{behaviour}"
    return _program(
        (clock_programs,), f"behave({name!r}, {str(control)!r}, {function}, {arguments!r})"
    )


def _program(modules: Sequence[ModuleType], action: str) -> bytes:
    """Return the text of an executable that imports these modules, and calls the recorder."""
    names = [module.__name__ for module in modules]
    directories = sorted({str(_import_root(module)) for module in modules})
    directories.append(str(Path(recorder.__file__).parent))
    loads = "".join(
        f"import {_import_name(name)} as module_{number}\n" for number, name in enumerate(names)
    )
    # Not a virtual environment's Python, whose path can contain a space, or be too long for a #!
    # line. A stand-in needs only the standard library.
    python = Path(sys.executable).resolve()
    return (
        f"#!{python} -IS\n"
        f"import sys\nsys.path += {directories!r}\n"
        f"{loads}import recorder\n"
        f"recorder.{action}\n"
    ).encode("utf-8", "surrogateescape")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."


def _import_name(name: str) -> str:
    # Importing it as part of the package oauthkit.parity would be slow.
    is_own = name.rpartition(".")[0] == __name__.rpartition(".")[0]
    return name.rpartition(".")[2] if is_own else name


def _import_root(module: ModuleType) -> Path:
    path = Path(str(module.__file__))
    depth = _import_name(module.__name__).count(".")
    return path.parents[depth]


def plan_data(
    now_s: int,
    stand_ins: Iterable[StandIn],
    unplanned_status: int = recorder.UNPLANNED_STATUS,
) -> dict[str, Any]:
    """Return the content of a sandbox's plan file."""
    programs = {stand_in.name: stand_in.plan() for stand_in in stand_ins}
    return {"now_s": now_s, "programs": programs, "unplanned_status": unplanned_status}
