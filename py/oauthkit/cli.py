"""Define the command line: oauthkit COMMAND.

python -m oauthkit COMMAND does the same. It is for directories that are trusted: see __main__.py.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plumbum import cli

from . import __version__
from .console import OUT, complain, refusal
from .usage import complaint, no_folder, separated

if TYPE_CHECKING:
    from collections.abc import Callable

    from .compiler.driver import Compilation
    from .host.project import Places

# The program, and the script that is generated from it.
PACKAGE = Path(__file__).parent
PROGRAM = PACKAGE / "program/refresh.py"
PROGRAM_NAME = "py/oauthkit/program/refresh.py"
SCRIPT_NAME = "scripts/oauth/refresh.sh"
LINT_HELP = "also check the script with ShellCheck and shfmt (the extra oauthkit[lint])"


class OAuthKit(cli.Application):
    """Keeps the Claude Code access token of a project's .env alive; compiles plumbum to bash."""

    PROGNAME = "oauthkit"
    VERSION = __version__

    def main(self, *words: str) -> int:
        """Shows the help without a command, names one that there is not, and gives 2."""
        if self.nested_command is not None:
            return 0
        if words:
            complain(f"oauthkit: there is no command {words[0]}: see oauthkit --help")
            return 2
        self.help()
        return 2


class OfProject(cli.Application):
    """A command of a project."""

    project: Any = cli.SwitchAttr("--project", str, ".", argname="DIR", help="the project")

    def do(self, work: Callable[[Places], int]) -> int:
        """Finds the places of the project and does the work."""
        from .host.project import find_places  # noqa: PLC0415

        return told(self, lambda: work(find_places(self.project)))


def told(command: cli.Application, work: Callable[[], int]) -> int:
    """Does the work; an error is said, and 2 given for wrong usage, else 1.

    So is what the system refuses of a path, and nobody has thought of.
    """
    from .host.errors import HostError, NoFolderError  # noqa: PLC0415

    try:
        return work()
    except HostError as error:
        complain(f"{command.PROGNAME}: {error}")
        return 2 if isinstance(error, NoFolderError) else 1
    except OSError as error:
        complain(f"{command.PROGNAME}: {refusal(error)}")
        return 2 if error.errno == errno.ENAMETOOLONG else 1


@OAuthKit.subcommand("refresh")
class Refresh(OfProject):
    """Makes the project's .env carry a live access token, and arms the next run."""

    DESCRIPTION_MORE = (
        "Exit status: 0 if .env carries one; 1 if it could not be made so: the log's last ERROR"
        " that is not of systemd-run says why; 2 for wrong usage."
    )
    ensure = cli.Flag("--ensure", help="do nothing if .env already carries a token with 5 min left")

    def main(self) -> int:
        """Runs the program on the project."""
        from .host.child import PATHS  # noqa: PLC0415 each command loads what it needs
        from .program.refresh import refresh  # noqa: PLC0415
        from .shell import absolute  # noqa: PLC0415

        project = absolute(self.project)
        if not self.project or not os.path.isdir(project):  # noqa: PTH112 - raises nothing
            shown = str(project) if self.project else ""
            complain(f"oauthkit refresh: {shown!r} is not a folder: give --project DIR")
            return 2
        try:
            os.getcwd()  # noqa: PTH109 - whether there is one
        except OSError:
            # It is gone. Nothing is to be found from there, so that it may be another one.
            for name in PATHS:
                absolute(os.environ.get(name) or "/")
            os.chdir("/")
        return refresh(project, bool(self.ensure))


@OAuthKit.subcommand("status")
class Status(OfProject):
    """Shows the token's life, whether .env carries it, the next run, and what fails."""

    DESCRIPTION_MORE = (
        "Exit status: 0 if .env carries a live token; 1 if not, or if it cannot be shown; 2 for"
        " wrong usage. Changes nothing, runs no claude, and never shows the token."
    )
    json = cli.Flag("--json", help="print it as JSON: docs/status.md has the schema")
    prometheus: Any = cli.SwitchAttr(
        "--prometheus",
        str,
        argname="FILE",
        excludes=["--json"],
        help="write metrics to FILE in one step, for node_exporter's textfile collector; - prints"
        " them",
    )

    def main(self) -> int:
        """Collects the state and shows it in the wanted form."""
        from .host.status.output import report  # noqa: PLC0415

        return self.do(
            lambda places: report(places, is_json=bool(self.json), metrics_file=self.prometheus)
        )


@OAuthKit.subcommand("install")
class Install(OfProject):
    """Puts user units in place that start the chain when the user manager starts, and heal it."""

    DESCRIPTION_MORE = (
        "Exit status: 0 if all is in place and the first run was good; 1 if something could not be"
        " done, or that run failed; 2 for wrong usage."
    )
    form: Any = cli.SwitchAttr(
        "--form",
        str,
        argname="bash|python",
        help="what to run (default: scripts/oauth/refresh.sh of the project, if it has one)",
    )
    linger = cli.Flag("--linger", help="have the timers start at boot and outlive the last logout")
    watch = cli.Flag("--watch", help="also a unit that refreshes when a container asks for it")
    cron = cli.Flag(
        "--cron",
        excludes=["--watch", "--linger"],
        help="print a line for the crontab of a host without systemd, and do nothing else",
    )

    def main(self) -> int:
        """Writes, enables and starts, or prints the line."""
        from .host.commands import install  # noqa: PLC0415
        from .host.systemd import units  # noqa: PLC0415

        if self.form not in (None, "bash", "python"):
            said = f"--form takes bash or python, and not {self.form!r}"
            complain(f"oauthkit install: {said}: see oauthkit install --help")
            return 2

        def work(places: Places) -> int:
            if self.cron:
                OUT.write(units.crontab(units.command_of(places, self.form)))
                return 0
            return install.install(
                places, self.form, linger=bool(self.linger), watch=bool(self.watch), say=OUT.line
            )

        return self.do(work)


@OAuthKit.subcommand("uninstall")
class Uninstall(OfProject):
    """Takes the units of install away, and stops the timers that wait."""

    DESCRIPTION_MORE = (
        "Exit status: 0 if they are gone; 1 if something could not be done; 2 for wrong usage."
    )

    def main(self) -> int:
        """Disables, removes and stops."""
        from .host.commands import install  # noqa: PLC0415

        return self.do(lambda places: install.uninstall(places, OUT.line))


@OAuthKit.subcommand("doctor")
class Doctor(OfProject):
    """Checks all that a refresh needs of this host; each failing check with what mends it."""

    DESCRIPTION_MORE = (
        "Exit status: 0 if nothing is to be mended; 1 if something is; 2 for wrong usage. Changes"
        " nothing, and runs no claude."
    )

    def main(self) -> int:
        """Prints every check as it is done."""
        from .host.doctor import doctor  # noqa: PLC0415

        def work(places: Places) -> int:
            is_well = True
            for finding in doctor.examine(places):
                for line in finding.lines():
                    OUT.line(line)
                is_well = is_well and finding.is_well
            return 0 if is_well else 1

        return self.do(work)


@OAuthKit.subcommand("run")
class Run(OfProject):
    """Runs COMMAND with a live token in its environment, and once more if that is refused.

    What COMMAND prints, and its exit status, are its own: oauthkit run [--project DIR] COMMAND …
    """

    DESCRIPTION_MORE = (
        "Exit status: that of COMMAND; 127 if there is none of that name, 126 if it cannot be"
        " executed, 128 + N if signal N ended it; 1 if it ended with 0 and what it wrote was lost;"
        " 2 for wrong usage."
    )

    def main(self, *command: str) -> int:
        """Refreshes if need be, runs, and perhaps both once more."""
        from .host.commands import run  # noqa: PLC0415

        if not command:
            complain("oauthkit run: no command: see oauthkit run --help")
            return 2
        return self.do(lambda places: run.run(places, command))


@OAuthKit.subcommand("watch")
class Watch(OfProject):
    """Refreshes when a container asks for it: a refresh_oauth task in data/ipc/*/tasks.

    DIR is such a data/ipc (default: that of the project). Tasks of other types are left alone.
    After a refresh, requests wait for 1 min, after a failed one for 5 min.
    """

    DESCRIPTION_MORE = (
        "Runs until SIGTERM or Ctrl-C. Exit status: 0; 1 if it cannot watch, also if another one"
        " watches that directory; 2 for wrong usage."
    )

    def main(self, *folders: str) -> int:
        """Watch until a signal ends it."""
        from .host.commands import watch  # noqa: PLC0415

        return self.do(lambda places: watch.watch(places, folders))


@OAuthKit.subcommand("adopt")
class Adopt(cli.Application):
    """Moves a NanoClaw checkout from its scripts/refresh-oauth.sh to scripts/oauth/refresh.sh.

    Writes the script, its README and the skill of the containers, changes what names the old
    script, and removes that. What it does not understand it names and leaves.
    """

    DESCRIPTION_MORE = (
        "Exit status: 0 if all is done; 1 if something was left, or could not be done; 2 for wrong"
        " usage."
    )
    dry = cli.Flag("--dry-run", help="show the diff, change nothing")
    force = cli.Flag(
        "--force", help="even if changes are not committed, or it does not look like NanoClaw"
    )

    def main(self, checkout: str) -> int:
        """Change the checkout, or show how."""
        from .host.commands.adopt import adopt  # noqa: PLC0415

        how = {"is_dry": self.dry, "is_forced": self.force}
        switches = {name: bool(value) for name, value in how.items()}
        return told(self, lambda: adopt(Path(checkout), OUT.line, **switches))


def run_compilation(
    compilation: Compilation, who: str, target: Path | None, *, check: bool, lints: bool
) -> int:
    """Run a compilation, and print its diagnostics and its diff escaped: they quote the program."""
    printed, diagnostics = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(diagnostics):
        status = compilation.run(who, target, check=check, lints=lints)
    for line in diagnostics.getvalue().split("\n")[:-1]:
        complain(line)
    if check:
        for line in printed.getvalue().split("\n")[:-1]:
            OUT.line(line)
    else:
        OUT.write(printed.getvalue())  # the script
    return status


@OAuthKit.subcommand("generate")
class Generate(cli.Application):
    """Writes scripts/oauth/refresh.sh from py/oauthkit/program/refresh.py."""

    DESCRIPTION_MORE = (
        "Exit status: 0 if the script is up to date; 1 if it is stale or was rejected; 2 for wrong"
        " usage."
    )
    check = cli.Flag("--check", help="write nothing: exit 1 with a diff if the script is stale")
    output: Any = cli.SwitchAttr(
        "--output",
        str,
        argname="FILE",
        help=f"the script (default: {SCRIPT_NAME} of this checkout)",
    )
    lint = cli.Flag("--lint", help=LINT_HELP)

    def main(self) -> int:
        """Compiles, and writes or compares."""
        from .compiler.driver import Compilation  # noqa: PLC0415

        target = Path(self.output) if self.output is not None else PACKAGE.parents[1] / SCRIPT_NAME
        if self.output is None and not target.parent.is_dir():
            hint = (
                "give --output FILE, or in a checkout: scripts/setup; .venv/bin/oauthkit generate"
            )
            complain(f"oauthkit generate: this oauthkit is of no checkout: {hint}")
            return 1
        if not target.parent.is_dir():
            complain(f"oauthkit generate: {no_folder(self.output, target)}")
            return 2
        command = "python -m oauthkit generate"
        compilation = Compilation(PROGRAM, PROGRAM_NAME, PROGRAM_NAME, command, PACKAGE.parent)
        check, lints = bool(self.check), bool(self.lint)
        return run_compilation(compilation, "oauthkit generate", target, check=check, lints=lints)


@OAuthKit.subcommand("compile")
class Compile(cli.Application):
    """Compiles a program in the dialect (docs/dialect.md) to a bash script."""

    DESCRIPTION_MORE = (
        "Exit status: 0 if the script was written, shown, or is up to date; 1 if the program was"
        " rejected or the script is stale; 2 for wrong usage."
    )
    check = cli.Flag("--check", help="write nothing: exit 1 with a diff if --output is stale")
    output: Any = cli.SwitchAttr(
        ["-o", "--output"], str, argname="FILE", help="the script; without it, it is shown"
    )
    lint = cli.Flag("--lint", help=LINT_HELP)

    def main(self, file: str) -> int:
        """Compiles, and writes, compares or shows."""
        from .compiler.driver import Compilation  # noqa: PLC0415

        program = Path(file)
        target = None if self.output is None else Path(self.output)
        try:
            wrong = self._wrong_usage(file, target)
        except OSError as error:  # a name that is too long, a folder that is closed
            wrong = f"{error.filename}: {error.strerror}"
        if wrong:
            complain(f"oauthkit compile: {wrong}")
            return 2
        # Python looks for modules where the program is, not where a link to it is.
        if program.resolve().parent != program.parent.resolve():
            program = program.resolve()
        # By their names alone: the script is the same whatever folder it was made from.
        output = [] if target is None else ["-o", target.name]
        command = shlex.join(["oauthkit", "compile", program.name, *output])
        compilation = Compilation(program, str(program), program.name, command, program.parent)
        check, lints = bool(self.check), bool(self.lint)
        return run_compilation(compilation, "oauthkit compile", target, check=check, lints=lints)

    def _wrong_usage(self, file: str, target: Path | None) -> str:
        if self.check and target is None:
            return "--check needs --output FILE"
        program = Path(file)
        if not program.is_file():
            return f"{file!r} is no file"
        if self.output == "" or (target and target.exists() and not target.is_file()):
            return f"--output {self.output!r} is no file"
        if target and not target.parent.is_dir():
            return no_folder(self.output, target)
        if not all(map(str.isprintable, (program.name, target.name if target else ""))):
            # They stand in the head of the script, each within one line.
            return "a name has characters that cannot be shown"
        if target and target.exists() and target.samefile(program):
            return "--output is the program itself"
        return ""


@OAuthKit.subcommand("explain")
class Explain(cli.Application):
    """Explains codes of the compiler, each with a rejected and an accepted example."""

    DESCRIPTION_MORE = (
        "Without a code: lists all of them. Exit status: 0, or 2 for an unknown code."
    )

    def main(self, *codes: str) -> int:
        """Prints the pages, or the list."""
        from .compiler.diagnostics import explain as explanations  # noqa: PLC0415
        from .compiler.diagnostics.report import CODES  # noqa: PLC0415

        if not codes:
            print(*(f"{name}  {text}" for name, text in CODES.items()), sep="\n")
            return 0
        for code in codes:
            if code.upper() not in CODES:
                complain(f"oauthkit explain: there is no code {code}: see oauthkit explain")
                return 2
        pages = explanations.load()
        print("\n\n\n".join(pages[code.upper()].page() for code in codes))
        return 0


def main() -> None:
    """The entry point of the console script: never returns."""
    # What commands tell as they go goes through OUT. This is what else is printed: a text that is
    # all that a command is run for, and what plumbum has to say.
    printed = io.StringIO()
    app: cli.Application | None = None
    try:
        with contextlib.redirect_stdout(printed):
            app, status = OAuthKit.run(separated(sys.argv), exit=False)
    except KeyboardInterrupt:
        status = 130
    text = printed.getvalue()
    if status == 2 and app is not None:
        text = complaint(text, str(app.PROGNAME))
    if status == 2 and text:
        for line in text.removesuffix("\n").split("\n"):
            complain(line)
    else:
        OUT.write(text)
    sys.exit(OUT.status or status)
