"""Run both forms in the same scenes, and show side by side what they did. See scripts/demo.

It needs only the standard library and what `scripts/setup run` installs.
"""

from __future__ import annotations

import difflib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

SCRIPT = Path(__file__).parents[1] / "scripts" / "oauth" / "refresh.sh"
# Made-up tokens.
OLD, NEW = "sk-ant-oat01-OLD", "sk-ant-oat01-NEW"
HOUR_S = 60 * 60
# A stand-in takes less than a second. A form that hangs must not hang the demo.
LIMIT_S = 60

# Each stand-in records its arguments, then runs its own lines.
STAND_IN = """\
#!/usr/bin/env bash
printf '%s\\0' "$#" {name} "$@" >>{calls}
{lines}
"""
# Like the real one, it empties the credentials if its login is rejected.
CLAUDE = """\
if [[ -e {refused} ]]; then
  printf '{{"claudeAiOauth":{{"accessToken":"","expiresAt":0}}}}' >{credentials}
  printf 'Login expired\\n'
  exit 1
fi
printf '{{"claudeAiOauth":{{"accessToken":"{token}","expiresAt":{expires_at_ms}}}}}' >{credentials}
"""
# A frozen clock for Python. The file in BASH_ENV does the same for bash.
SITECUSTOMIZE = "import time\n\ntime.time = lambda: {now_s}\n"
CLOCK = "unset EPOCHSECONDS\nEPOCHSECONDS={now_s}\n"


@dataclass(frozen=True)
class Scene:
    """One run: the state before it, and its options."""

    title: str
    token: str
    expires_in_s: int
    arguments: tuple[str, ...] = ()
    login_refused: bool = False


SCENES = (
    Scene("The access token has expired: claude renews it", OLD, -HOUR_S),
    Scene("The next run finds it fresh, and in .env already", NEW, 8 * HOUR_S),
    Scene(
        "--ensure, before a container starts: one look is enough", NEW, 8 * HOUR_S, ("--ensure",)
    ),
    Scene("Expired, and the login is rejected: .env stays", NEW, -HOUR_S, login_refused=True),
)


@dataclass
class Outcome:
    """The results of one run."""

    status: int
    calls: list[list[str]]
    before: str
    after: str
    mode: str
    log: list[str]
    said: str


class World:
    """A temporary HOME and project at a fixed path, so that both forms run in the same place."""

    def __init__(self, directory: Path, now_s: int) -> None:
        self.now_s = now_s
        self.home = directory / "home"
        self.project = directory / "project"
        self.programs = directory / "programs"
        self.clock = directory / "clock"
        self.calls = directory / "calls"
        self.refused = directory / "login-refused"
        self.credentials = self.home / ".claude" / ".credentials.json"
        self.dotenv = self.project / ".env"
        self.log = self.project / "logs" / "oauth-refresh.log"
        self.script = self.project / "scripts" / "oauth" / "refresh.sh"
        for path in (self.credentials.parent, self.script.parent, self.programs, self.clock):
            path.mkdir(parents=True)
        shutil.copy(SCRIPT, self.script)
        self.dotenv.write_text(f"ASSISTANT_NAME=Andy\nCLAUDE_CODE_OAUTH_TOKEN={OLD}\n")
        (self.clock / "sitecustomize.py").write_text(SITECUSTOMIZE.format(now_s=now_s))
        (self.clock / "bash").write_text(CLOCK.format(now_s=now_s))
        self._stand_ins()

    def _stand_ins(self) -> None:
        renewal = CLAUDE.format(
            refused=shlex.quote(str(self.refused)),
            token=NEW,
            expires_at_ms=(self.now_s + 8 * HOUR_S) * 1000,
            credentials=shlex.quote(str(self.credentials)),
        )
        real_jq = shlex.quote(str(shutil.which("jq")))
        bodies = {
            "claude": renewal,
            "jq": f'exec {real_jq} "$@"',
            "systemd-run": "",
            "systemctl": "",
        }
        for name, lines in bodies.items():
            path = self.programs / name
            calls = shlex.quote(str(self.calls))
            path.write_text(STAND_IN.format(name=name, calls=calls, lines=lines))
            path.chmod(0o755)

    def run(self, scene: Scene, command: list[str]) -> Outcome:
        """Set the scene, run `command` in it, and return the results."""
        self.credentials.write_text(
            f'{{"claudeAiOauth":{{"accessToken":"{scene.token}",'
            f'"expiresAt":{(self.now_s + scene.expires_in_s) * 1000}}}}}'
        )
        if scene.login_refused:
            self.refused.touch()
        self.calls.write_bytes(b"")
        before = self.dotenv.read_text()
        known = len(self._log_lines())
        result = subprocess.run(
            [*command, *scene.arguments],
            # Only the caller's PATH is inherited, after the directory of the stand-ins.
            env={
                "HOME": str(self.home),
                "PATH": f"{self.programs}:{os.environ.get('PATH', os.defpath)}",
                "BASH_ENV": str(self.clock / "bash"),
                "PYTHONPATH": str(self.clock),
                "PYTHONDONTWRITEBYTECODE": "1",
            },
            cwd=self.project,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
            start_new_session=True,  # Ctrl-C signals only the demo: see Stop
        )
        return Outcome(
            result.returncode,
            self._recorded(),
            before,
            self.dotenv.read_text(),
            oct(self.dotenv.stat().st_mode & 0o777),
            self._log_lines()[known:],
            result.stdout + result.stderr,
        )

    def _log_lines(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []

    def _recorded(self) -> list[list[str]]:
        fields = self.calls.read_text().split("\0")[:-1]
        calls = []
        while fields:
            end = int(fields[0]) + 2
            calls.append(fields[1:end])
            fields = fields[end:]
        return calls


# --- Output --------------------------------------------------------------------------------------


class Page:
    """Writes to stdout in two columns, with colour if it is a terminal."""

    def __init__(self) -> None:
        self.width = max(80, min(100, shutil.get_terminal_size((96, 24)).columns))
        self.column = (self.width - 3) // 2
        self.colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")

    def line(self, text: str = "", style: str = "") -> None:
        """Write one line. If colours are on, use the style of this SGR number."""
        print(f"\033[{style}m{text}\033[0m" if style and self.colour else text)

    def text(self, text: str) -> None:
        """Write a paragraph over the whole width."""
        for line in textwrap.wrap(text, self.width):
            self.line(line)

    def row(self, left: str, right: str, style: str = "") -> None:
        """Write `left` and `right`, each wrapped to its column, with `!` between if they differ."""
        sides = [self._wrapped(left), self._wrapped(right)]
        between = " | " if left == right else " ! "
        for index in range(max(map(len, sides))):
            cells = [side[index] if index < len(side) else "" for side in sides]
            self.line(f"{cells[0]:<{self.column}}{between}{cells[1]}".rstrip(), style)

    def _wrapped(self, text: str) -> list[str]:
        indent = " " * (len(text) - len(text.lstrip()) + 2)
        wrapped = textwrap.wrap(
            text, self.column, subsequent_indent=indent, break_on_hyphens=False, tabsize=4
        )
        return wrapped or [""]


def shown_calls(outcome: Outcome, world: World) -> list[str]:
    """Return the calls in a readable form: with names for paths, and without long arguments."""
    lines = []
    for name, *arguments in outcome.calls:
        shown, own = arguments, list[str]()
        if name == "jq":
            shown = [arguments[0], "FILTER", *arguments[2:]]
        if name == "systemd-run":
            own = arguments[arguments.index("--") :]
            options = ("--on-calendar=", "--unit=")
            shown = ["--user", "...", *(word for word in arguments if word.startswith(options))]
        lines.append("  " + " ".join([name, *shown]).replace(str(world.home), "~"))
        if own:
            own[1] = Path(own[1]).name
            lines.append("    " + " ".join(own).replace(str(world.project), "PROJECT"))
    return lines or ["  none"]


def shown_dotenv(outcome: Outcome) -> list[str]:
    """Return the lines of .env, with marks for removed and added lines."""
    difference = difflib.ndiff(outcome.before.splitlines(), outcome.after.splitlines())
    lines = [f"  {line}" for line in difference if not line.startswith("?")]
    return lines if outcome.before != outcome.after else [*lines, "  (unchanged)"]


def shown_log(outcome: Outcome, world: World) -> list[str]:
    """Return the log's new lines, without their times."""
    lines = [f"  {line.partition(' ')[2]}" for line in outcome.log]
    return [line.replace(str(world.project), "PROJECT") for line in lines] or ["  nothing"]


def comparable(outcome: Outcome) -> Outcome:
    """Return `outcome` without the expected difference: the command that starts the next run."""
    calls = [
        call[: call.index("--")] if call[0] == "systemd-run" else call for call in outcome.calls
    ]
    return replace(outcome, calls=calls)


def show(page: Page, number: int, scene: Scene, outcomes: list[Outcome], world: World) -> None:
    """Show one scene, with both forms side by side."""
    page.line()
    page.line(f"{number}. {scene.title}", "1")
    page.line("-" * page.width, "2")
    ensure = "".join(f" {argument}" for argument in scene.arguments)
    page.line(
        f"{'bash scripts/oauth/refresh.sh' + ensure:<{page.column}} | "
        f"python -m oauthkit refresh{ensure}", "36",
    )  # fmt: skip
    parts = [
        ("calls", [shown_calls(outcome, world) for outcome in outcomes]),
        (".env", [shown_dotenv(outcome) for outcome in outcomes]),
        ("log", [shown_log(outcome, world) for outcome in outcomes]),
    ]
    for title, (left, right) in parts:
        page.row(title, title, "2")
        for first, second in zip_longest(left, right, fillvalue=""):
            style = {"+": "32", "-": "31"}.get(first[2:3], "") if title == ".env" else ""
            page.row(first, second, style)
    left_status, right_status = (f"exit status {outcome.status}" for outcome in outcomes)
    page.row(left_status, right_status)


# --- The demo ------------------------------------------------------------------------------------


class Stop:
    """Signals that end the demo at once, but in a `with` block only in `check`.

    A run in progress is not interrupted, because its children could write to the temporary
    directory while that is being removed.
    """

    def __init__(self) -> None:
        self.waits = False
        self.number = 0
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._note)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.number = number
        if not self.waits:
            self.check()

    def check(self) -> None:
        """End the demo if a signal has arrived."""
        if self.number:
            sys.exit(128 + self.number)

    def __enter__(self) -> None:
        self.waits = True

    def __exit__(self, *_error: object) -> None:
        self.waits = False
        self.check()


def perform(directory: Path, now_s: int, stop: Stop) -> tuple[World, list[list[Outcome]]]:
    """Run every scene with both forms, one after the other in the same place."""
    played = []
    for form in ("bash", "python"):
        world = World(directory / "world", now_s)
        command = ["bash", str(world.script)]
        if form == "python":
            command = [sys.executable, "-m", "oauthkit", "refresh", f"--project={world.project}"]
        outcomes = []
        for scene in SCENES:
            stop.check()
            outcomes.append(world.run(scene, command))
        played.append(outcomes)
        shutil.rmtree(directory / "world")
    return world, [list(outcomes) for outcomes in zip(*played, strict=True)]


def demo(stop: Stop) -> int:
    """Run the demo. Return 0 if the results of both forms are equal, else 1."""
    if shutil.which("jq") is None:
        print("demo: jq not found in PATH. Install it: sudo apt-get install -y jq", file=sys.stderr)
        return 1
    page = Page()
    now_s = int(time.time())
    page.line(
        "One refresh, two forms: a Python program, and the bash script it is compiled to.", "1"
    )
    page.text(
        "HOME is a temporary directory. claude, systemd-run and systemctl are stand-ins that "
        "record their calls. jq is real, and the tokens are made up. The clock is frozen at "
        f"{time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(now_s))}, "
        "so that the logs can be compared byte for byte."
    )
    sys.stdout.flush()
    with stop, tempfile.TemporaryDirectory(prefix="oauthkit-demo-") as directory:
        world, scenes = perform(Path(directory), now_s, stop)
    for number, (scene, outcomes) in enumerate(zip(SCENES, scenes, strict=True), 1):
        show(page, number, scene, outcomes, world)
    wrong = [
        number
        for number, (left, right) in enumerate(scenes, 1)
        if comparable(left) != comparable(right)
    ]
    page.line()
    if wrong:
        page.line(f"NOT identical: scene {', '.join(map(str, wrong))}.", "1;31")
        return 1
    page.line(f"Identical in all {len(scenes)} scenes: calls, .env, log, exit status.", "1;32")
    page.text(
        "Every argument was compared, even if it is not shown. Only the command after -- may "
        "differ, because each form schedules itself."
    )
    return 0


def main() -> int:
    """Return the demo's exit status. Exit with 128 + N on signal N."""
    stop = Stop()
    try:
        status = demo(stop)
        sys.stdout.flush()
    except BrokenPipeError:  # `scripts/demo | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status


if __name__ == "__main__":
    sys.exit(main())
