"""The pytest plugin: the fixture make_pair, and two command-line options."""

from __future__ import annotations

import math
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from oauthkit.parity import options

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence
    from pathlib import Path

    from oauthkit.parity.compare import Allowed
    from oauthkit.parity.pair import Pair
    from oauthkit.parity.run import Run
    from oauthkit.parity.runner import Form

# pytest can load this module by the entry point's name, and by its own after -p.
NAMES = ("oauthkit-parity", "oauthkit.parity.plugin")


class MakePair(Protocol):
    """The fixture `make_pair`."""

    def __call__(
        self,
        *forms: Form | str | Path,
        tools: Iterable[str] | Mapping[str, Path] = (),
        forward: Iterable[str] = (),
        allowed: Sequence[Allowed] | None = None,
    ) -> Pair[Run]:
        """Return a Pair of these forms in its own directory. It is closed after the test.

        A form may be the path of a script, relative to the directory of the test's file: see
        `script`. `tools` are the real programs in the sandbox's PATH, by name or with their paths.
        Calls to those in `forward` are recorded, too: see `Pair.forward`.
        `allowed` are the differences that are accepted, by default SHELL_VARIABLES.
        """


@pytest.fixture
def make_pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakePair]:
    """Create pairs of two forms of one program, as in `make_pair("a.sh", "a.py")`."""
    # Imported here, because most test runs do not use it.
    from oauthkit.parity.forms import SHELL_VARIABLES, find_tools, script  # noqa: PLC0415
    from oauthkit.parity.pair import Pair  # noqa: PLC0415
    from oauthkit.parity.runner import Form  # noqa: PLC0415

    here = request.path.parent
    pairs: list[Any] = []
    with ExitStack() as stack:

        def make(
            *forms: Form | str | Path,
            tools: Iterable[str] | Mapping[str, Path] = (),
            forward: Iterable[str] = (),
            allowed: Sequence[Allowed] | None = None,
        ) -> Pair[Run]:
            directory = tmp_path / f"pair-{len(pairs)}"
            directory.mkdir()
            pair: Pair[Run] = Pair(
                directory,
                [form if isinstance(form, Form) else script(here / form) for form in forms],
                tools if isinstance(tools, Mapping) else find_tools(*tools),
                [SHELL_VARIABLES] if allowed is None else allowed,
            )
            pairs.append(stack.enter_context(closing(pair)))
            for name in forward:
                pair.forward(name)
            return pair

        yield make


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the two options."""
    group = parser.getgroup("parity", "two forms of one program (oauthkit.parity)")
    group.addoption(
        options.KEEP,
        action="store_true",
        help="keep the sandboxes of every run, even of passed tests, and list them at the end",
    )
    group.addoption(
        options.ONLY, default="", metavar="FORM", help="run only this form, and compare nothing"
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Record whether the test has already failed, for a Pair's teardown."""
    report = yield
    options.current.has_passed = report.passed
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Pass the options to every Pair. Keep sandboxes where pytest does not remove them."""
    keep, only = bool(config.getoption(options.KEEP)), str(config.getoption(options.ONLY))
    if not keep and not only:
        return
    options.current = options.Options(only, keep)
    # pytest removes the directories of passed tests and of old runs, except with --basetemp.
    if keep and not config.getoption("basetemp", None):
        config.option.basetemp = tempfile.mkdtemp(prefix="parity-")
    config.pluginmanager.register(OptionHooks(), "oauthkit-parity-options")


class OptionHooks:
    """pytest's hooks that are needed if one of the options is given."""

    def __init__(self) -> None:
        self.kept: dict[str, list[str]] = {}
        self.misuse = ""

    def pytest_report_header(self) -> list[str]:
        """Report before the first test if nothing is compared."""
        return [f"parity: {_nothing_compared()}"] if options.current.only else []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Add the summary's data to the report, because another process may write the summary."""
        report = yield
        if call.excinfo is not None and call.excinfo.errisinstance(options.UnknownFormError):
            report.longrepr = vars(report)["parity_misuse"] = str(call.excinfo.value)
        if report.when == "teardown":
            vars(report)["parity_kept"] = [str(path) for path in options.current.kept]
            options.current.kept.clear()
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Collect the summary's data from each report."""
        if kept := getattr(report, "parity_kept", []):
            self.kept[report.nodeid] = kept
        self.misuse = self.misuse or getattr(report, "parity_misuse", "")

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Exit with a usage error if --parity-only names an unknown form."""
        if self.misuse:
            session.exitstatus = pytest.ExitCode.USAGE_ERROR

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """List the kept sandboxes, and report again if nothing was compared."""
        if options.current.keep:
            terminalreporter.section("parity: sandboxes kept")
            for test, sandboxes in self.kept.items():
                terminalreporter.line(test)
                for line in _directories(sandboxes):
                    terminalreporter.line(f"     {line}")
            if not self.kept:
                terminalreporter.line("none: no form was run")
        if options.current.only:
            title = self.misuse or _nothing_compared()
            terminalreporter.section(f"parity: {title}", yellow=True, bold=True)

    def pytest_unconfigure(self) -> None:
        """Reset the options, because this process may use a Pair later."""
        options.current = options.Options()


def _nothing_compared() -> str:
    return f"NOTHING IS COMPARED: only {options.current.only} runs ({options.ONLY})"


def _directories(sandboxes: Sequence[str]) -> list[str]:
    """Return a line for each run with its sandboxes, in a shell's syntax: DIR/{bash,python}."""
    runs: dict[tuple[float, str, str], list[str]] = {}
    for sandbox in sandboxes:
        directory, _, name = sandbox.rpartition("/")
        form, run, number = name.rpartition(options.EARLIER_RUN)
        key = (int(number), directory, run + number) if run else (math.inf, directory, "")
        runs.setdefault(key, []).append(form or name)
    return [
        f"{directory}/{names[0] if len(names) == 1 else '{' + ','.join(names) + '}'}{run}"
        for (_, directory, run), names in sorted(runs.items())
    ]


def pytest_plugin_registered(
    plugin: object, plugin_name: str, manager: pytest.PytestPluginManager
) -> None:
    """Prevent this module from being loaded again under its other name."""
    if plugin is sys.modules[__name__]:
        for name in NAMES:
            if name != plugin_name:
                manager.set_blocked(name)
