"""Define the command line: oauthkit COMMAND.

python -m oauthkit COMMAND does the same. Use it only in trusted directories: see __main__.py.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import shlex
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plumbum import cli

from oauthkit import __version__
from oauthkit.console import OUT, complain, describe_error
from oauthkit.usage import separate_command, usage_message

if TYPE_CHECKING:
    from collections.abc import Callable

    from plumbum import LocalPath

    from oauthkit.compiler.driver import Compilation
    from oauthkit.host.project import ProjectPaths

PACKAGE = Path(__file__).parent
# The programs from which scripts are generated.
PROGRAMS = ("refresh", "publish", "follow")
SCRIPTS = "scripts/oauth"
LINT_HELP = "also check the script with ShellCheck and shfmt (the extra oauthkit[lint])"


class OAuthKit(cli.Application):
    """Keeps a live Claude Code access token in a project's .env; compiles Python to bash."""

    PROGNAME = "oauthkit"
    VERSION = __version__
    SUBCOMMAND_HELPMSG = ""  # the list has each command's first line

    def main(self, *arguments: str) -> int:
        """Show the help, or report an unknown command. Return 2 without a valid command."""
        if self.nested_command is not None:
            return 0
        if arguments:
            complain(f"oauthkit: unknown command {arguments[0]}. See oauthkit --help")
            return 2
        self.help()
        return 2


class ProjectCommand(cli.Application):
    """A command that works on one project."""

    given_project: Any = cli.SwitchAttr(
        "--project", str, argname="DIR", help="the project (default: the current directory)"
    )

    @property
    def project(self) -> str:
        """Return the project as given on the command line."""
        return "." if self.given_project is None else str(self.given_project)

    def check_project(self) -> bool:
        """Return whether --project was given or the current directory looks like a project.

        If not, report it: a command must not create .env in an arbitrary directory.
        """
        from oauthkit.program.start import is_project  # noqa: PLC0415
        from oauthkit.shell import absolute  # noqa: PLC0415

        # `absolute` exits if the current directory no longer exists.
        if self.given_project is not None or is_project(directory := absolute(".")):
            return True
        complain(f"{self.PROGNAME}: {str(directory)!r} is not a project. Pass --project DIR")
        return False

    def run_program(self, program: Callable[[LocalPath], int]) -> int:
        """Run a program on the project, as its script does. Return 2 if that is not a project."""
        from oauthkit.host.child import PATHS  # noqa: PLC0415 each command loads what it needs
        from oauthkit.shell import absolute  # noqa: PLC0415

        project = absolute(self.project)
        if not self.project or not os.path.isdir(project):  # noqa: PTH112 - does not raise
            shown = str(project) if self.project else ""
            complain(f"{self.PROGNAME}: {shown!r} is not a directory. Pass --project DIR")
            return 2
        if not self.check_project():
            return 2
        try:
            os.getcwd()  # noqa: PTH109 - raises if it no longer exists
        except OSError:
            # Use / as the current directory. If a setting is a relative path, it cannot be
            # resolved, and `absolute` exits first.
            for name in PATHS:
                absolute(os.environ.get(name) or "/")
            os.chdir("/")
        # Resolve links, as the script does: a project has one timer, whichever path is given.
        return program(absolute(os.path.realpath(project)))

    def run_on_project(self, work: Callable[[ProjectPaths], int]) -> int:
        """Find the project's paths, and pass them to `work`."""
        from oauthkit.host.project import find_paths  # noqa: PLC0415

        return report_errors(self, lambda: work(find_paths(self.project)))


class SettingsOptions(cli.Application):
    """The options that write settings to the project's refresh.conf."""

    unit: Any = cli.SwitchAttr(
        "--unit",
        str,
        argname="NAME",
        help="name the timers NAME (sets OAUTHKIT_UNIT in scripts/oauth/refresh.conf)",
    )
    bearer: Any = cli.SwitchAttr(
        "--bearer",
        str,
        argname="PATH",
        help="also write the login, without its refresh token, to PATH, relative to the project"
        " (sets OAUTHKIT_BEARER in scripts/oauth/refresh.conf)",
    )
    store: Any = cli.SwitchAttr(
        "--store",
        str,
        argname="URL",
        help="publish the token in this store or, with install --follow, follow this store (sets"
        " OAUTHKIT_STORE in scripts/oauth/refresh.conf)",
    )
    light: Any = cli.Flag(
        "--light",
        help="renew with a small request to the cheapest model (sets OAUTHKIT_LIGHT in"
        " scripts/oauth/refresh.conf)",
    )

    def settings(self) -> dict[str, str]:
        """Return the selected settings. Raise UsageError if a value cannot be written."""
        from oauthkit.host.settings_writer import selected  # noqa: PLC0415

        return selected(self.unit, self.bearer, store=self.store, is_light=bool(self.light))


def report_errors(command: cli.Application, work: Callable[[], int]) -> int:
    """Do the work and return its exit status. Report errors: 2 for a usage error, 1 otherwise.

    Unexpected OSErrors are reported the same way.
    """
    from oauthkit.host.errors import HostError, UsageError  # noqa: PLC0415

    try:
        return work()
    except HostError as error:
        complain(f"{command.PROGNAME}: {error}")
        return 2 if isinstance(error, UsageError) else 1
    except OSError as error:
        complain(f"{command.PROGNAME}: {describe_error(error)}")
        return 2 if error.errno == errno.ENAMETOOLONG else 1


@OAuthKit.subcommand("refresh")
class Refresh(ProjectCommand):
    """Puts a live access token into the project's .env, and schedules the next run."""

    DESCRIPTION_MORE = (
        "Exit status: 0 if .env, and the bearer file if there is one, have a live token; 1 if not"
        " (see the log's last ERROR, other than one about systemd-run); 2 for a usage error."
    )
    ensure = cli.Flag(
        "--ensure", help="do nothing if .env already has a token with more than 5 min left"
    )
    rejected = cli.Flag(
        "--rejected",
        excludes=["--ensure"],
        help="renew the token in .env even if it is live, because the API has rejected it",
    )
    fingerprint: Any = cli.SwitchAttr(
        "--fingerprint",
        str,
        argname="HEX",
        requires=["--rejected"],
        help="the first 16 hex digits of the rejected token's SHA-256. If .env already has another"
        " token, do the same as --ensure",
    )

    def main(self) -> int:
        """Run the program on the project."""
        from oauthkit.program.refresh import refresh  # noqa: PLC0415 each command loads what it needs

        def work() -> int:
            return self.run_program(lambda project: refresh(project, self._mode(project)))

        if self.fingerprint is None:
            return work()
        if not re.fullmatch("[0-9a-fA-F]{16}", self.fingerprint):
            problem = f"--fingerprint {self.fingerprint!r} is not 16 hex digits"
            complain(f"{self.PROGNAME}: {problem}. See oauthkit refresh --help")
            return 2
        return report_errors(self, work)

    def _mode(self, project: str) -> str:
        if not self.rejected:
            return "ensure" if self.ensure else ""
        if self.fingerprint is None:
            return "rejected"
        from oauthkit.host.project import find_paths  # noqa: PLC0415
        from oauthkit.host.status.login import read_dotenv  # noqa: PLC0415

        found = read_dotenv(find_paths(project).dotenv).fingerprint
        is_rejected = found == self.fingerprint.lower()
        return "rejected" if is_rejected else "ensure"


@OAuthKit.subcommand("publish")
class Publish(ProjectCommand):
    """Publishes this host's access token in the store OAUTHKIT_STORE, for other hosts."""

    DESCRIPTION_MORE = "Exit status: 0 if the store has the token; 1 if not; 2 for a usage error."

    def main(self) -> int:
        """Run the program on the project."""
        from oauthkit.program.publish import publish  # noqa: PLC0415

        return self.run_program(publish)


@OAuthKit.subcommand("follow")
class Follow(ProjectCommand):
    """Keeps a live access token from the store OAUTHKIT_STORE in the project's .env."""

    DESCRIPTION_MORE = (
        "Without options, it runs until a signal ends it. Exit status: 0 if .env has a live token;"
        " 1 if not (see the log's last ERROR); 2 for a usage error."
    )
    once = cli.Flag("--once", help="read the store once, and exit", excludes=["--rejected"])
    rejected = cli.Flag(
        "--rejected",
        excludes=["--once"],
        help="replace the token in .env, because the API has rejected it, and exit",
    )

    def main(self) -> int:
        """Run the program on the project."""
        from oauthkit.program.follow import follow_once, follow_store  # noqa: PLC0415

        if self.once or self.rejected:
            mode = "rejected" if self.rejected else "once"
            return self.run_program(lambda project: follow_once(project, mode))
        return self.run_program(follow_store)


@OAuthKit.subcommand("status")
class Status(ProjectCommand):
    """Shows the token's remaining time, whether .env has it, the next run, and failures."""

    DESCRIPTION_MORE = (
        "Exit status: 0 if .env, and the bearer file if there is one, have a live token; 1 if not,"
        " or if the state cannot be shown; 2 for a usage error. Changes nothing, does not run"
        " claude, and never shows the token."
    )
    json = cli.Flag("--json", help="print the status as JSON (schema: docs/status.md)")
    every = cli.Flag(
        "--all",
        excludes=["--project", "--json", "--prometheus"],
        help="show a line for each of this user's projects that has a timer, a unit or a crontab"
        " line",
    )
    prometheus: Any = cli.SwitchAttr(
        "--prometheus",
        str,
        argname="FILE",
        excludes=["--json"],
        help="write metrics to FILE atomically, for node_exporter's textfile collector; if FILE"
        " is -, print them",
    )

    def main(self) -> int:
        """Collect the state, and show it in the selected format."""
        from oauthkit.host.status.output import report, report_all  # noqa: PLC0415

        if self.every:
            return report_errors(self, report_all)
        # status may suggest a refresh, which would create .env in an arbitrary directory. So
        # report only on a project.
        return self.run_on_project(
            lambda paths: (
                report(paths, is_json=bool(self.json), metrics_file=self.prometheus)
                if self.check_project()
                else 2
            )
        )


@OAuthKit.subcommand("install")
class Install(ProjectCommand, SettingsOptions):
    """Installs user units that start a run when the user manager starts, and every hour."""

    DESCRIPTION_MORE = (
        "Exit status: 0 if the units are installed and the first run succeeded, or the test message"
        " was sent; 1 if something failed; 2 for a usage error."
    )
    form: Any = cli.SwitchAttr(
        "--form",
        str,
        argname="bash|python",
        help="what to run (default: bash if the project has scripts/oauth/refresh.sh, otherwise"
        " python)",
    )
    linger = cli.Flag(
        "--linger", help="start the timers at boot, and keep them after the last logout"
    )
    watch = cli.Flag(
        "--watch", help="also install a unit that refreshes when a container asks for it"
    )
    follow = cli.Flag(
        "--follow",
        excludes=["--cron", "--light", "--watch"],
        help="on a host without a login, install a unit that follows the store, instead of the"
        " timers",
    )
    cron = cli.Flag(
        "--cron",
        excludes=["--watch", "--linger"],
        help="print a crontab line instead of installing units, for a host without systemd",
    )
    notify: Any = cli.SwitchAttr(
        "--notify",
        str,
        argname="WHERE",
        help="also write hooks that send a message when a refresh fails or works again, and before"
        " the login ends. WHERE is mailto:ADDRESS, ntfy:TOPIC, ntfy:https://SERVER/TOPIC, or a"
        " command that gets the message as its last argument",
    )
    test_notify = cli.Flag(
        "--test-notify",
        excludes=[
            "--bearer",
            "--cron",
            "--follow",
            "--form",
            "--light",
            "--linger",
            "--notify",
            "--store",
            "--unit",
            "--watch",
        ],
        help="run the `failed` hook as a test; install nothing",
    )

    def main(self) -> int:
        """Install the units, print the crontab line, or send a test message."""
        from oauthkit.host import notify  # noqa: PLC0415
        from oauthkit.host.commands import install, install_cron, install_follower  # noqa: PLC0415

        if self.form not in (None, "bash", "python"):
            problem = f"--form must be bash or python, not {self.form!r}"
            complain(f"oauthkit install: {problem}. See oauthkit install --help")
            return 2

        def work(paths: ProjectPaths) -> int:
            if self.test_notify:
                return notify.send_test(paths, OUT.line)
            settings = self.settings()
            channel = None if self.notify is None else notify.parse_option(self.notify)
            if self.cron:
                return install_cron.install_cron(paths, self.form, settings, channel)
            if self.follow:
                return install_follower.install_follower(
                    paths,
                    self.form,
                    linger=bool(self.linger),
                    say=OUT.line,
                    settings=settings,
                    channel=channel,
                )
            return install.install(
                paths,
                self.form,
                linger=bool(self.linger),
                watch=bool(self.watch),
                say=OUT.line,
                settings=settings,
                channel=channel,
            )

        return self.run_on_project(work) if self.check_project() else 2


@OAuthKit.subcommand("uninstall")
class Uninstall(ProjectCommand):
    """Removes the units that install wrote, and stops the pending timers."""

    DESCRIPTION_MORE = (
        "Exit status: 0 if they are removed; 1 if something failed; 2 for a usage error."
    )

    def main(self) -> int:
        """Stop, disable and remove the units."""
        from oauthkit.host.commands import uninstall  # noqa: PLC0415
        from oauthkit.host.path_info import inspect_path  # noqa: PLC0415

        if self.given_project:
            project = Path(os.path.abspath(self.project))  # noqa: PTH100 - does not follow links
            if inspect_path(project).is_nothing:
                return report_errors(self, lambda: uninstall.uninstall_removed(project, OUT.line))
        if not self.check_project():
            return 2
        return self.run_on_project(lambda paths: uninstall.uninstall(paths, OUT.line))


@OAuthKit.subcommand("doctor")
class Doctor(ProjectCommand):
    """Checks everything that a refresh needs on this host, and shows how to fix what fails."""

    DESCRIPTION_MORE = (
        "Exit status: 0 if nothing needs to be fixed; 1 if something does; 2 for a usage error."
        " Changes nothing, and does not run claude."
    )

    def main(self) -> int:
        """Print the result of each check as soon as it is known."""
        import shutil  # noqa: PLC0415

        from oauthkit.host.doctor import doctor  # noqa: PLC0415

        def work(paths: ProjectPaths) -> int:
            is_healthy = True
            # Without a terminal or COLUMNS, do not wrap lines.
            columns = shutil.get_terminal_size((1_000_000, 1)).columns
            for finding in doctor.examine(paths):
                for line in finding.lines(columns):
                    OUT.line(line)
                is_healthy = is_healthy and finding.is_ok
            return 0 if is_healthy else 1

        return self.run_on_project(work)


@OAuthKit.subcommand("run")
class Run(ProjectCommand):
    """Runs COMMAND with a live token in its environment, and once more if the token is rejected."""

    USAGE = "    oauthkit run [--project DIR] COMMAND…\n"
    DESCRIPTION_MORE = (
        "Put --project before COMMAND. All arguments after COMMAND are passed to COMMAND.\n\n"
        "Exit status: that of COMMAND; 127 if it is not found, 126 if it cannot be executed,"
        " 128 + N if signal N ended it; 1 if COMMAND exited with 0, but its output was lost; 2 for"
        " a usage error."
    )

    def main(self, *command: str) -> int:
        """Refresh if necessary, and run the command."""
        from oauthkit.host.commands import run  # noqa: PLC0415

        if not command:
            complain("oauthkit run: no command. See oauthkit run --help")
            return 2
        if not self.check_project():
            return 2
        return self.run_on_project(lambda paths: run.run(paths, command))


@OAuthKit.subcommand("watch")
class Watch(ProjectCommand):
    """Refreshes when a container asks for it: a refresh_oauth task in data/ipc/*/tasks."""

    USAGE = "    oauthkit watch [--project DIR] [DIRECTORY…]\n"
    DESCRIPTION_MORE = (
        "A DIRECTORY is the data/ipc of a checkout (default: the project's own). A request in any"
        " of them refreshes the project. Tasks of other types are left alone. After a refresh,"
        " the next request waits for up to 1 min, or 5 min if the refresh failed.\n\n"
        "Runs until SIGTERM or Ctrl-C. Exit status: 0; 1 if it cannot watch, for example because"
        " another process watches the directory; 2 for a usage error."
    )

    def main(self, *directories: str) -> int:
        """Watch until a signal ends it."""
        from oauthkit.host.commands import watch  # noqa: PLC0415

        if not self.check_project():
            return 2
        return self.run_on_project(lambda paths: watch.watch(paths, directories))


@OAuthKit.subcommand("adopt")
class Adopt(SettingsOptions):
    """Moves NanoClaw checkouts from their scripts/refresh-oauth.sh to scripts/oauth/refresh.sh."""

    USAGE = "    oauthkit adopt [SWITCHES] CHECKOUT…\n"
    DESCRIPTION_MORE = (
        "Writes the script, its README and the containers' skill, changes the lines that name the"
        " old script, and removes the old script. Reports what it does not understand, and leaves"
        " it unchanged.\n\n"
        "Exit status: 0 if everything is done; 1 if something failed or was left unchanged; 2 for a"
        " usage error."
    )
    dry = cli.Flag("--dry-run", help="show the diff, and change nothing")
    force = cli.Flag(
        "--force",
        help="continue even if there are uncommitted changes, or CHECKOUT does not look like"
        " NanoClaw, or does not read the token from .env",
    )

    def main(self, checkout: str, *checkouts: str) -> int:
        """Change each checkout, or show the diff. Return the largest exit status."""
        from oauthkit.host.adopt.adopt import adopt  # noqa: PLC0415

        def work(place: str) -> int:
            if checkouts:
                OUT.line(f"== {place}")
            return adopt(
                Path(place),
                OUT.line,
                is_dry=bool(self.dry),
                is_forced=bool(self.force),
                settings=self.settings(),
            )

        every = (checkout, *checkouts)
        return max(report_errors(self, partial(work, place)) for place in every)


def run_compilation(
    compilation: Compilation, who: str, target: Path | None, *, check: bool, lints: bool
) -> int:
    """Run a compilation. Make diagnostics and diff printable, because they quote the program."""
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
    """Writes the scripts in scripts/oauth from the programs in py/oauthkit/program."""

    DESCRIPTION_MORE = (
        "Exit status: 0 if the scripts are up to date; 1 if one is out of date or was rejected; 2"
        " for a usage error."
    )
    check = cli.Flag(
        "--check", help="write nothing; exit with 1 and show a diff if a script is out of date"
    )
    output: Any = cli.SwitchAttr(
        "--output",
        str,
        argname="DIR",
        help=f"where to write the scripts (default: {SCRIPTS} in this checkout)",
    )
    lint = cli.Flag("--lint", help=LINT_HELP)

    def main(self) -> int:
        """Compile the programs, and write or compare the scripts."""
        from oauthkit.compiler.driver import Compilation  # noqa: PLC0415

        directory = Path(self.output) if self.output is not None else PACKAGE.parents[1] / SCRIPTS
        if self.output is None and not directory.is_dir():
            fix = (
                "Pass --output DIR, or run in a checkout: scripts/setup && .venv/bin/oauthkit"
                " generate"
            )
            complain(f"oauthkit generate: oauthkit is not running from a checkout. {fix}")
            return 1
        if not os.path.isdir(directory):  # noqa: PTH112 - does not raise
            complain(f"oauthkit generate: --output: {self.output} is not a directory")
            return 2
        status = 0
        for name in PROGRAMS:
            shown = f"py/oauthkit/program/{name}.py"
            compilation = Compilation(
                PACKAGE / f"program/{name}.py",
                shown,
                shown,
                "python -m oauthkit generate",
                PACKAGE.parent,
            )
            target = directory / f"{name}.sh"
            check, lints = bool(self.check), bool(self.lint)
            done = run_compilation(
                compilation, "oauthkit generate", target, check=check, lints=lints
            )
            status = status or done
        return status


@OAuthKit.subcommand("compile")
class Compile(cli.Application):
    """Compiles a program in the dialect (docs/dialect.md) to a bash script."""

    DESCRIPTION_MORE = (
        "Exit status: 0 if the script was written or printed, or is up to date; 1 if the program"
        " was rejected or the script is out of date; 2 for a usage error."
    )
    check = cli.Flag(
        "--check", help="write nothing; exit with 1 and show a diff if --output is out of date"
    )
    output: Any = cli.SwitchAttr(
        ["-o", "--output"], str, argname="FILE", help="the script (default: stdout)"
    )
    lint = cli.Flag("--lint", help=LINT_HELP)

    def main(self, file: str) -> int:
        """Compile the program, and write, compare or print the script."""
        from oauthkit.compiler.driver import Compilation  # noqa: PLC0415

        program = Path(file)
        target = None if self.output is None else Path(self.output)
        try:
            wrong = self._usage_problem(file, target)
        except OSError as error:  # for example, a name is too long
            wrong = f"{error.filename}: {error.strerror}"
        if wrong:
            complain(f"oauthkit compile: {wrong}")
            return 2
        # Python looks for modules in the program's directory, not in that of a link to it.
        if program.resolve().parent != program.parent.resolve():
            program = program.resolve()
        # Use only the file names, so that the script does not depend on the directory.
        output = [] if target is None else ["-o", target.name]
        command = shlex.join(["oauthkit", "compile", program.name, *output])
        compilation = Compilation(program, str(program), program.name, command, program.parent)
        check, lints = bool(self.check), bool(self.lint)
        return run_compilation(compilation, "oauthkit compile", target, check=check, lints=lints)

    def _usage_problem(self, file: str, target: Path | None) -> str:
        if self.check and target is None:
            return "--check needs --output FILE"
        program = Path(file)
        if not program.is_file():
            return f"{file!r} is not a file"
        if self.output == "" or (target and target.exists() and not target.is_file()):
            return f"--output {self.output!r} is not a file"
        if target and not target.parent.is_dir():
            return f"--output {self.output!r}: there is no directory {target.parent}"
        if not all(map(str.isprintable, (program.name, target.name if target else ""))):
            # The script's header contains both, each on one line.
            return "a file name has characters that are not printable"
        if target and target.exists() and target.samefile(program):
            return "--output is the program itself"
        return ""


@OAuthKit.subcommand("explain")
class Explain(cli.Application):
    """Explains the compiler's error codes, each with a rejected and an accepted example."""

    DESCRIPTION_MORE = "Without CODES, lists all codes. Exit status: 0, or 2 for an unknown code."

    def main(self, *codes: str) -> int:
        """Print the pages, or the list."""
        from oauthkit.compiler.diagnostics import explain as explanations  # noqa: PLC0415
        from oauthkit.compiler.diagnostics.report import CODES  # noqa: PLC0415

        if not codes:
            print(*(f"{name}  {text}" for name, text in CODES.items()), sep="\n")
            return 0
        for code in codes:
            if code.upper() not in CODES:
                complain(f"oauthkit explain: unknown code {code}. See oauthkit explain")
                return 2
        pages = explanations.load()
        print("\n\n\n".join(pages[code.upper()].render() for code in codes))
        return 0


def main() -> None:
    """Run the console script. Never returns."""
    # If the locale's encoding is not UTF-8, Python cannot pass every character to a child process.
    # Restart in UTF-8 mode (PEP 540).
    if sys.getfilesystemencoding() != "utf-8" and sys.executable:
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606
    # Commands that report progress write to OUT. Collect all other output, including plumbum's,
    # so that OUT reports write errors for it, too.
    printed = io.StringIO()
    app: cli.Application | None = None
    try:
        with contextlib.redirect_stdout(printed):
            app, status = OAuthKit.run(separate_command(sys.argv), exit=False)
    except KeyboardInterrupt:
        status = 130
    text = printed.getvalue()
    if status == 2 and app is not None:
        has_project = isinstance(app, ProjectCommand)
        text = usage_message(text, str(app.PROGNAME), has_project=has_project)
    if status == 2 and text:
        for line in text.removesuffix("\n").split("\n"):
            complain(line)
    else:
        OUT.write(text)
    sys.exit(OUT.status or status)
