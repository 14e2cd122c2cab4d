"""Plan what stand-ins do, call by call."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oauthkit.parity import recorder, stand_in_behaviours

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import ModuleType

# The name of a behaviour, with its arguments. One call can perform several.
Step = tuple[str, dict[str, Any]]

# The maximum length of a planned argument in a report.
SHOWN_CHARACTERS = 40


class Planned:
    """A planned call. `then` adds a behaviour to it. `optional` allows a run without it."""

    def __init__(self, stand_in: StandIn, steps: list[Step]) -> None:
        self._stand_in = stand_in
        self.steps = steps
        self.is_optional = False

    @property
    def then(self) -> Planner:
        """Plan another behaviour of the same call, after those planned so far."""
        return Planner(self._stand_in, self._continue)

    def optional(self) -> Planned:
        """Allow a run without this call."""
        self.is_optional = True
        return self

    def __str__(self) -> str:
        calls = (
            f"{name}({', '.join(f'{key}={_short(value)}' for key, value in arguments.items())})"
            for name, arguments in self.steps
        )
        return ".then.".join(calls) + (".optional()" if self.is_optional else "")

    def _continue(self, step: Step) -> Planned:
        self.steps.append(step)
        return self


class Planner:
    """A stand-in's behaviours as methods: `claude.then.hangs()`."""

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


class StandIn:
    """A program in the sandbox that records its calls and does what the test plans.

    The behaviours are the functions of `module` and of `oauthkit.parity.stand_in_behaviours`.
    Called as a method, each plans one call: `jq.exits(5)`. `always` plans all further calls.
    Without it, a further call fails the test.
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
        self.queue: list[Planned] = []
        self._always = Planned(self, [(always, {})]) if always else None

    def __getattr__(self, name: str) -> Callable[..., Planned]:
        return getattr(Planner(self, self._append), name)  # type: ignore[no-any-return]

    @property
    def always(self) -> Planner:
        """Plan what all further calls do."""
        return Planner(self, self._set_always)

    def never(self) -> None:
        """Cancel `always`, so that a further call fails the test."""
        self._always = None

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
        for key, value in prepared.items():
            if isinstance(value, Path):
                prepared[key] = str(value)
            elif isinstance(value, str) and self._takes_bytes(behaviour, key):
                prepared[key] = value.encode("utf-8", "surrogateescape")
        return prepared

    def _takes_bytes(self, behaviour: str, key: str) -> bool:
        parameter = self.signature(behaviour).parameters.get(key)
        return parameter is not None and parameter.annotation == "bytes"

    def plan(self) -> tuple[list[list[Step]], Any]:
        """Return the plan in the recorder's format."""
        return [planned.steps for planned in self.queue], self._always and self._always.steps

    def planned(self) -> str:
        """Describe the plan for a report."""
        if not self.queue:
            return "none was planned"
        return f"{len(self.queue)} planned: {', then '.join(map(str, self.queue))}"

    def missing(self, made: int) -> int:
        """Return how many planned calls are missing after `made` calls."""
        return sum(not planned.is_optional for planned in self.queue[made:])

    def program(self, control: Path) -> bytes:
        """Return the text of the stand-in's executable."""
        names = [module.__name__ for module in self.modules]
        directories = sorted({str(_import_root(module)) for module in self.modules})
        directories.append(str(Path(recorder.__file__).parent))
        loads = "".join(
            f"import {_import_name(name)} as module_{number}\n" for number, name in enumerate(names)
        )
        modules = ", ".join(f"module_{number}" for number in range(len(names)))
        # Not a virtual environment's Python, whose path can be too long for a first line, or
        # contain a space. A stand-in needs only the standard library.
        python = Path(sys.executable).resolve()
        return (
            f"#!{python} -IS\n"
            f"import sys\nsys.path += {directories!r}\n"
            f"{loads}import recorder\n"
            f"recorder.perform({self.name!r}, {str(control)!r}, ({modules},))\n"
        ).encode("utf-8", "surrogateescape")

    def _append(self, step: Step) -> Planned:
        planned = Planned(self, [step])
        self.queue.append(planned)
        return planned

    def _set_always(self, step: Step) -> Planned:
        self._always = Planned(self, [step])
        return self._always


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."


def _import_name(name: str) -> str:
    # Importing it as part of the package oauthkit.parity would be slow.
    return name.rpartition(".")[2] if name == stand_in_behaviours.__name__ else name


def _import_root(module: ModuleType) -> Path:
    path = Path(str(module.__file__))
    depth = _import_name(module.__name__).count(".")
    return path.parents[depth]


def plan_data(now_s: int, stand_ins: Iterable[StandIn]) -> dict[str, Any]:
    """Return the content of a sandbox's plan file."""
    return {"now_s": now_s, "programs": {s.name: s.plan() for s in stand_ins}}
