"""The sandbox of the OAuth refresh: credentials, .env, log, and the programs that it calls."""

from __future__ import annotations

import json
import re
import shutil
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support.refresh.differences import ALLOWED
from tests.support.refresh.stand_ins import (
    claude,
    jq,
    systemctl,
    systemd_run,
    timeout,
    user_manager,
)

from oauthkit.parity import Form, Pair, Run
from oauthkit.parity.run import text
from oauthkit.program.command_output import OUTPUT_LIMIT_LINES
from oauthkit.shell import OUTPUT_LIMIT_BYTES, escape_unit

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from oauthkit.parity import World

ERROR_LINE = re.compile(r"\d{4}-\S+ (ERROR: .|.* next refresh NOT scheduled$)")
# How many lines of a failed claude are also written to stderr.
REPORT_LIMIT_LINES = 5
PRELOAD = Path(__file__).with_name("preload.py")
REPOSITORY = Path(__file__).resolve().parents[3]
SCRIPT = REPOSITORY / "scripts/oauth/refresh.sh"
SCRIPT_PLACE = "scripts/oauth/refresh.sh"
UNIT = "nanoclaw-oauth-refresh-next"

# The only real programs in PATH. bash is here because systemd-run looks up its command.
TOOLS = (
    "bash", "cat", "chmod", "chown", "cp", "dd", "dirname", "env", "flock", "id", "ln", "mkdir",
    "mktemp", "mv", "readlink", "realpath", "rm", "sleep", "stat", "sync", "timeout", "touch",
)  # fmt: skip

# Real programs that both forms start. The kit sees them only through `record_tools`.
RECORDED_TOOLS = (
    "chmod", "cp", "env", "mkdir", "mv", "readlink", "rm", "stat", "sync", "timeout",
)  # fmt: skip

CREDENTIALS = "~/.claude/.credentials.json"
LOG = "logs/oauth-refresh.log"
OMITTED: Any = object()


def unit_names(project: Path, unit: str = UNIT) -> tuple[str, str, str]:
    """Return the names of a project's units, in the order in which they are tried."""
    own = f"{unit}-{escape_unit(str(project))}"
    return unit, own, f"{own}--alt"


def stop(units: Sequence[str]) -> list[str]:
    """Return systemctl's arguments that stop these timers and one more of the project's."""
    names = [*units, f"{units[-1]}-alt"]
    return ["--user", "--no-block", "stop", *(f"{name}.timer" for name in names)]


def stops(units: Sequence[str], tries: int, *, is_reset: bool) -> list[list[str]]:
    """Return the calls to systemctl: each try stops the timers, and units are reset once."""
    reset = ["--user", "reset-failed", *(f"{unit}.service" for unit in units)]
    stopped = [stop(units)]
    return [*stopped * min(tries, 3), *[reset] * is_reset, *stopped * (tries - 3)]


def seconds(duration: float | str) -> int:
    """Parse a duration into seconds: a number, or text like `8h`, `-1h`, `5m1s`."""
    if not isinstance(duration, str):
        return int(duration)
    assert re.fullmatch(r"-?(\d+[dhms])+", duration), duration
    units_s = {"d": 86400, "h": 3600, "m": 60, "s": 1}
    total = sum(int(n) * units_s[unit] for n, unit in re.findall(r"(\d+)([dhms])", duration))
    return -total if duration.startswith("-") else total


@dataclass(frozen=True)
class Timer:
    """A pending timer of the stand-in for the user manager."""

    unit: str
    when_s: int
    command: list[str]
    setenv: dict[str, str]
    collect: bool
    description: str
    latest: str
    properties: list[str]
    service_properties: list[str]


class RefreshRun(Run):
    """The outcome of both forms of the refresh."""

    @property
    def log(self) -> str:
        """Return the log's text, or "" if there is no log."""
        entry = self.files.get(LOG)
        return text(entry.content) if entry else ""

    @property
    def log_lines(self) -> list[str]:
        """Return the log's lines with their times."""
        return self.log.splitlines()

    @property
    def log_errors(self) -> str:
        """Return the log's lines that are also written to stderr.

        These are errors, the report that no run is scheduled, and a failed claude's last lines.
        """
        lines = self.log.splitlines(keepends=True)
        places = self._reported_lines()
        return "".join(
            line for place, line in enumerate(lines) if ERROR_LINE.match(line) or place in places
        )

    @property
    def stray_stderr(self) -> str:
        """Return the lines on stderr that do not belong there, and claude's that are missing.

        If stderr cannot be written, the errors are missing, too.
        """
        lines = self.stderr.splitlines(keepends=True)
        strays = [line for line in lines if not ERROR_LINE.match(line)]
        log = self.log.splitlines(keepends=True)
        for place in self._reported_lines():
            if log[place] in strays:
                strays.remove(log[place])
            elif any(map(ERROR_LINE.match, lines)):
                strays.append(f"not on stderr: {log[place]}")
        return "".join(strays)

    def _reported_lines(self) -> range:
        """Return the positions of claude's last lines in the log, if its last attempt failed."""
        lines = self.messages
        calls = self.calls("claude")
        output = [place for place, line in enumerate(lines) if line.startswith("claude: ")]
        if not calls or not output:
            return range(0)
        after = output[-1] + 1
        # The state of the credentials can come before the error.
        problem = [line for line in lines[after : after + 2] if not line.startswith("WARN: ")]
        if not problem or not problem[0].startswith("ERROR: "):
            return range(0)
        printed = self.state.get(claude.PRINTED, {}).get(" ".join(calls[-1]), b"")
        kept = printed[:OUTPUT_LIMIT_BYTES].replace(b"\0", b"").rstrip(b"\n")
        logged = min(len(kept.split(b"\n")), OUTPUT_LIMIT_LINES) if kept else 0
        return range(after - min(logged, REPORT_LIMIT_LINES), after)

    @property
    def messages(self) -> list[str]:
        """Return the log's lines without their times."""
        return [line.partition(" ")[2] for line in self.log_lines]

    @property
    def dotenv_bytes(self) -> bytes | None:
        """Return the bytes of .env, or None if it is not a file."""
        entry = self.files.get(".env")
        while entry is not None and entry.kind == "symlink":
            entry = self.file_at(entry.target)
        return entry.content if entry is not None and entry.kind == "file" else None

    @property
    def dotenv(self) -> str | None:
        """Return the text of .env, with surrogate escapes."""
        return None if self.dotenv_bytes is None else text(self.dotenv_bytes)

    def file_at(self, target: str) -> Any:
        """Return the entry that a symbolic link in the project leads to."""
        world = self.outcome.world
        path = world.project / target
        return self.outcome.files.get(str(path.relative_to(world.root)))

    @property
    def timers(self) -> list[Timer]:
        """Return the timers that are pending after the run."""
        timers = self.state.get(user_manager.STATE, {"timers": {}})["timers"]
        return [
            Timer(name, **{key: value for key, value in timer.items() if key != "is_pending"})
            for name, timer in timers.items()
            if timer["is_pending"]
        ]


class UserManager:
    """Presets of the stand-in for the systemd user manager. Units are named without a suffix."""

    def __init__(self, change: Callable[[Callable[[dict[str, Any]], None]], None]) -> None:
        self._change = change

    def pending(self, unit: str = UNIT, when_s: int = 4_000_000_000) -> None:
        """Make UNIT.timer pending."""
        self._change(lambda state: user_manager.start_timer(state, unit, _timer(when_s)))

    def running(self, unit: str = UNIT, *, collect: bool = True) -> None:
        """Elapse UNIT.timer, and start UNIT.service. The refresh is started inside it."""

        def run(state: dict[str, Any]) -> None:
            user_manager.start_timer(state, unit, {**_timer(0), "collect": collect})
            user_manager.fire(state, unit)

        self._change(run)

    def failed(self, unit: str = UNIT) -> None:
        """Make UNIT.service fail without --collect, so that it keeps its name."""
        self._change(lambda state: state["services"].update({unit: "failed"}))

    def fires(self, unit: str = UNIT) -> None:
        """Stop every earlier service, and elapse the pending UNIT.timer."""

        def fire(state: dict[str, Any]) -> None:
            for name in [name for name, what in state["services"].items() if what == "running"]:
                user_manager.finish(state, name, has_failed=False)
            user_manager.fire(state, unit)

        self._change(fire)


def _timer(when_s: int) -> dict[str, Any]:
    return {
        "is_pending": True, "when_s": when_s, "command": ["/bin/true"], "setenv": {},
        "collect": True, "description": "", "latest": "", "properties": [],
        "service_properties": [],
    }  # fmt: skip


class Parity(Pair[RefreshRun]):
    """Both forms of the refresh, or of another program, in sandboxes of their own."""

    def __init__(self, directory: Path, program: str = "refresh") -> None:
        super().__init__(directory, forms_of(program), _tools(), ALLOWED, RefreshRun)
        self.script(program)
        self.directory("logs")
        self.claude = self.stand_in("claude", claude, prepare=_in_seconds)
        self.jq = self.stand_in("jq", jq, always="reads")
        self.systemd_run = self.stand_in("systemd-run", systemd_run, always="arms")
        self.systemctl = self.stand_in("systemctl", systemctl, always="obeys")
        self.systemd = UserManager(self._change_units)
        self.units = unit_names(self.world.project)

    def script(self, program: str) -> None:
        """Put the script of a program into the project."""
        name = f"{program}.sh"
        self.file(f"scripts/oauth/{name}", (SCRIPT.parent / name).read_bytes(), 0o755)

    def credentials(
        self,
        token: Any = "sk-ant-oat01-made-up-old",
        *,
        expires_in: int | str | None = None,
        expires_at: Any = OMITTED,
        omit: Collection[str] = (),
        raw: bytes | None = None,
        mode: int = 0o600,
        path: str = CREDENTIALS,
    ) -> None:
        """Write Claude Code's credentials: `raw`, or JSON with this token and `expires_at` (ms).

        The default expiry is in 8 h. `omit` names keys to leave out.
        """
        if raw is None:
            if expires_at is OMITTED:
                left_s = seconds("8h" if expires_in is None else expires_in)
                expires_at = (self.now_s + left_s) * 1000
            oauth = {
                "accessToken": token,
                "refreshToken": "sk-ant-ort01-made-up-old",
                "expiresAt": expires_at,
                "scopes": ["user:inference", "user:profile"],
                "subscriptionType": "max",
            }
            oauth = {key: value for key, value in oauth.items() if key not in omit}
            document = {"claudeAiOauth": oauth} if "claudeAiOauth" not in omit else {}
            raw = json.dumps(document, separators=(",", ":")).encode()
        self.file(path, raw, mode)

    def dotenv(self, content: bytes | str, mode: int = 0o600) -> None:
        """Write the project's .env."""
        self.file(".env", content, mode)

    def missing_logs(self) -> None:
        """Remove logs/ from the project."""
        self.delete("logs")

    def shortens_time_limits(self, limit_s: float = 0.5, grace_s: float = 0.5) -> None:
        """Replace the limits of timeout(1) with these."""
        self.stand_in("timeout", timeout).always.shortens(limit_s=limit_s, grace_s=grace_s)

    def _change_units(self, change: Callable[[dict[str, Any]], None]) -> None:
        def apply(world: World) -> None:
            units = self.read_state(world, user_manager.STATE, {"timers": {}, "services": {}})
            change(units)
            self.write_state(world, user_manager.STATE, units)

        self.step(apply)


@cache
def _tools() -> dict[str, Path]:
    return {name: Path(found) for name in TOOLS if (found := shutil.which(name))}


def _in_seconds(arguments: dict[str, Any]) -> dict[str, Any]:
    if "expires_in" in arguments:
        arguments["expires_in"] = seconds(arguments["expires_in"])
    return arguments


def _bash() -> str:
    bash = shutil.which("bash")
    assert bash is not None, "bash is not installed"
    return bash


SAFE_PATH = ["-P"] if sys.version_info >= (3, 11) else []


def forms_of(program: str) -> tuple[Form, Form]:
    """Return both forms of one of the programs from which scripts are generated."""

    def script(world: World) -> str:
        return str(world.project / f"scripts/oauth/{program}.sh")

    # The $ in the scheduled command is doubled, because systemd expands variables there.
    return (
        Form(
            "bash",
            argv=lambda world: [_bash(), script(world)],
            own_command=lambda world: [_bash(), script(world).replace("$", "$$")],
        ),
        Form(
            "python",
            argv=lambda world: [
                sys.executable, "-m", "oauthkit", program, "--project", str(world.project),
            ],
            own_command=lambda world: [
                sys.executable, *SAFE_PATH, "-m", "oauthkit", program,
                f"--project={world.project}".replace("$", "$$"),
            ],
            preload=PRELOAD,
        ),
    )  # fmt: skip


FORMS = forms_of("refresh")


def record_tools(parity: Parity) -> None:
    """Record the calls to the real programs that both forms start."""
    for name in RECORDED_TOOLS:
        parity.forward(name)
