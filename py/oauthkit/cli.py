"""The command line: oauthkit COMMAND, the same as python -m oauthkit COMMAND."""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import signal
import sys
from pathlib import Path
from typing import Any, TextIO

from plumbum import cli

from . import __version__

# The program, its vocabulary, and where the script that is generated from them is kept.
PACKAGE = Path(__file__).parent
PROGRAM = PACKAGE / "refresh.py"
PROGRAM_NAME = "py/oauthkit/refresh.py"
SCRIPT_NAME = "scripts/oauth/refresh.sh"


class OAuthKit(cli.Application):
    """Keeps the Claude Code access token of a project's .env alive; compiles plumbum to bash."""

    PROGNAME = "oauthkit"
    VERSION = __version__

    def main(self, *words: str) -> int:
        """Shows the help without a command, names one that there is not, and gives 2."""
        if self.nested_command is not None:
            return 0
        if words:
            print(f"oauthkit: there is no command {words[0]}: see oauthkit --help", file=sys.stderr)
            return 2
        self.help()
        return 2


@OAuthKit.subcommand("refresh")
class Refresh(cli.Application):
    """Makes the project's .env carry a live access token, and arms the next run."""

    DESCRIPTION_MORE = (
        "Exit status: 0 if .env carries one; 1 if it could not be made so: the log's last ERROR"
        " that is not of systemd-run says why; 2 for wrong usage."
    )
    project: Any = cli.SwitchAttr(
        "--project", str, argname="DIR", help="the project (default: this folder)"
    )
    ensure = cli.Flag("--ensure", help="do nothing if .env already carries a token with 5 min left")

    def main(self) -> int:
        """Runs the program on the project."""
        from .refresh import refresh  # noqa: PLC0415 each command loads what it needs
        from .shell import absolute  # noqa: PLC0415

        project = absolute(self.project if self.project is not None else ".")
        if not project.is_dir():
            print(
                f"oauthkit refresh: {project} is not a folder: give --project DIR", file=sys.stderr
            )
            return 2
        return refresh(project, bool(self.ensure))


@OAuthKit.subcommand("generate")
class Generate(cli.Application):
    """Writes scripts/oauth/refresh.sh from py/oauthkit/refresh.py."""

    DESCRIPTION_MORE = (
        "Exit status: 0 if the script is up to date; 1 if it is stale or was refused; 2 for wrong"
        " usage."
    )
    check = cli.Flag("--check", help="write nothing: exit 1 with a diff if the script is stale")
    output: Any = cli.SwitchAttr(
        "--output",
        str,
        argname="FILE",
        help=f"the script (default: {SCRIPT_NAME} of this checkout)",
    )

    def main(self) -> int:
        """Compiles, and writes or compares."""
        from .compiler.build import Build, load_standard_vocabulary  # noqa: PLC0415

        target = Path(self.output) if self.output is not None else PACKAGE.parents[1] / SCRIPT_NAME
        if self.output is None and not target.parent.is_dir():
            print("oauthkit generate: this is no checkout: give --output FILE", file=sys.stderr)
            return 2
        command = "python -m oauthkit generate"
        build = Build(PROGRAM, PROGRAM_NAME, PROGRAM_NAME, command, load_standard_vocabulary)
        return build.run("oauthkit generate", target, check=bool(self.check))


@OAuthKit.subcommand("compile")
class Compile(cli.Application):
    """Compiles a program in the dialect (docs/dialect.md) to a bash script."""

    DESCRIPTION_MORE = (
        "Exit status: 0 if the script was written, shown, or is up to date; 1 if the program was"
        " refused or the script is stale; 2 for wrong usage. Needs ShellCheck and shfmt."
    )
    check = cli.Flag("--check", help="write nothing: exit 1 with a diff if --output is stale")
    output: Any = cli.SwitchAttr(
        ["-o", "--output"], str, argname="FILE", help="the script; without it, it is shown"
    )
    vocabulary: Any = cli.SwitchAttr(
        "--vocabulary",
        str,
        argname="MODULE",
        list=True,
        help="words besides those of oauthkit.shell: MODULE.py and MODULE.bash, beside the program"
        " or where Python finds modules",
    )

    def main(self, file: str) -> int:
        """Compiles, and writes, compares or shows."""
        from .compiler.build import Build, load_vocabularies  # noqa: PLC0415

        program = Path(file)
        target = None if self.output is None else Path(self.output)
        try:
            wrong = self._wrong_usage(file, target)
        except OSError as error:  # a name that is too long, a folder that is closed
            wrong = f"{error.filename}: {error.strerror}"
        if wrong:
            print(f"oauthkit compile: {wrong}", file=sys.stderr)
            return 2
        # By their names alone: the script is the same whatever folder it was made from.
        words = [word for module in self.vocabulary for word in ("--vocabulary", module)]
        output = [] if target is None else ["-o", target.name]
        command = shlex.join(["oauthkit", "compile", program.name, *words, *output])
        build = Build(
            program,
            file,
            program.name,
            command,
            lambda: load_vocabularies(program.parent, self.vocabulary),
        )
        return build.run("oauthkit compile", target, check=bool(self.check))

    def _wrong_usage(self, file: str, target: Path | None) -> str:
        if self.check and target is None:
            return "--check needs --output FILE"
        program = Path(file)
        if not program.is_file():
            return f"{file!r} is no file"
        if self.output == "" or (target and target.exists() and not target.is_file()):
            return f"--output {self.output!r} is no file"
        if not all(map(str.isprintable, (program.name, target.name if target else ""))):
            # They stand in the head of the script, each within one line.
            return "a name has characters that cannot be shown"
        if target and target.exists() and target.samefile(program):
            return "--output is the program itself"
        return ""


@OAuthKit.subcommand("explain")
class Explain(cli.Application):
    """Explains codes of the compiler, each with an example that is refused and one that is not."""

    DESCRIPTION_MORE = (
        "Without a code: all of them, a line each. Exit status: 0, or 2 for a code that there is"
        " not."
    )

    def main(self, *codes: str) -> int:
        """Prints the pages, or the list."""
        from .compiler import explanations  # noqa: PLC0415
        from .compiler.diagnostics import CODES  # noqa: PLC0415

        if not codes:
            print(*(f"{name}  {text}" for name, text in CODES.items()), sep="\n")
            return 0
        for code in codes:
            if code.upper() not in CODES:
                print(
                    f"oauthkit explain: there is no code {code}: see oauthkit explain",
                    file=sys.stderr,
                )
                return 2
        pages = explanations.load()
        print("\n\n\n".join(pages[code.upper()].page() for code in codes))
        return 0


def main() -> None:
    """The entry point of the console script: never returns."""
    # plumbum shows wrong usage on stdout, together with its help.
    shown = io.StringIO()
    try:
        with contextlib.redirect_stdout(shown):
            _, status = OAuthKit.run(exit=False)
    except KeyboardInterrupt:
        status = 130
    if shown.getvalue():
        status = _show(shown.getvalue(), sys.stderr if status == 2 else sys.stdout) or status
    sys.exit(status)


def _show(text: str, stream: TextIO | None) -> int:
    """Prints `text`: 0, or the exit status to end with if that cannot be done."""
    if stream is None:  # it was closed by the caller
        return 0
    try:
        # A script is UTF-8 in every locale.
        stream.buffer.write(text.encode("utf-8", "surrogateescape"))
        stream.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())  # for the flush at the end
        if isinstance(error, BrokenPipeError):
            return 128 + signal.SIGPIPE
        print(f"oauthkit: the output cannot be written: {error.strerror}", file=sys.stderr)
        return 1
    return 0
