"""A temporary project under a user manager, with stand-ins for systemd-run and claude.

As a program (`python systemd_project.py STATE_DIRECTORY NAME ARGUMENT...`), it is the stand-in
NAME. Then it may only import the standard library.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.support.system.systemd_manager import UserManager

REFRESH_SH = Path(__file__).resolve().parents[3] / "scripts" / "oauth" / "refresh.sh"
UNIT = "nanoclaw-oauth-refresh-next"
TOKEN_PREFIX = "sk-ant-oat01-made-up-"
# More than the 5 minutes after which a token counts as renewed, and less than the 30 minutes with
# which a run waits for expiry. The next run is scheduled in 5 minutes and finds the token expired.
SHORT_LIFE_S = 420
FORMS = ("bash", "python")
# Generous, because other processes use the machine, too.
HOP_DEADLINE_S = 180
LONG_LIFE_S = 8 * 3600


@dataclass(frozen=True)
class Run:
    """The shim's observations when a run scheduled its next timer."""

    argv: list[str]  # from the product, without systemd-run itself
    asked_s: int | None  # the requested @EPOCH
    exit: int
    form: str  # the caller, "bash" or "python", by the ancestors' argv
    service: str  # the caller's unit, or ""
    invocation_id: str
    token: str  # in the credentials file at that time
    dotenv: str
    dotenv_version: list[int]  # inode and mtime_ns, which differ after any write

    @property
    def unit(self) -> str:
        """Return the requested unit name, without suffix."""
        (option,) = [word for word in self.argv if word.startswith("--unit=")]
        return option.removeprefix("--unit=")


class Project:
    """A project directory, its HOME, its stand-ins, and the records of its runs.

    `form` is "bash" or "python". `config` is the directory of .credentials.json, by default the one
    in the manager's HOME. `settings` are the product's own (OAUTHKIT_…). Only manual runs get them,
    because timers must pass them on.
    """

    def __init__(
        self,
        manager: UserManager,
        root: Path,
        form: str,
        *,
        unit: str = UNIT,
        config: Path | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.manager = manager
        self.root = root
        self.form = form
        self.unit = unit
        self.settings = dict(settings or {})
        self.dotenv = Path(self.settings.get("OAUTHKIT_DOTENV", root / ".env"))
        self.log = Path(self.settings.get("OAUTHKIT_LOG", root / "logs" / "oauth-refresh.log"))
        self.script = root / "scripts" / "oauth" / "refresh.sh"
        self.state = root / "stand-ins"
        config = config or manager.home / ".claude"
        self.credentials = config / ".credentials.json"
        config.mkdir(parents=True, exist_ok=True)
        self.state.mkdir(parents=True)
        self.script.parent.mkdir(parents=True)
        if REFRESH_SH.exists():
            shutil.copy2(REFRESH_SH, self.script)
        self._write_stand_in("systemd-run", "shim")
        self._write_stand_in("claude", "bin")
        self._write_stand_in("jq", "bin")
        self.plan = {
            "systemd_run": shutil.which("systemd-run", path="/usr/bin:/bin") or "systemd-run",
            "jq": shutil.which("jq", path="/usr/local/bin:/usr/bin:/bin") or "jq",
            "credentials": str(self.credentials),
            "dotenv": str(self.dotenv),
            "lead_s": 2.5,  # from starting a timer to its elapse, in whole seconds
            "leads_s": {},  # the same for single runs, by number (0 is the first, by hand)
            "lives_s": {},  # of the token that claude gets in a run; null: claude fails
            "claude_prints": "",
            "properties": {},  # of the service that a run schedules, by the run's number
            "set_back": [],  # runs after which the requested time is far away
            "hangs": [],  # runs in which jq hangs
            "slow": [],  # runs in which claude is slow
            "leaves": [],  # runs in which claude starts a process that ignores SIGTERM
            "kills": [],  # runs that claude kills with SIGKILL, and survives
        }
        self.save_plan()

    def save_plan(self, **changes: object) -> None:
        """Save the plan of the stand-ins, which they follow from now on."""
        self.plan.update(changes)
        _replace(self.state / "plan.json", json.dumps(self.plan))

    def login(self, *, life_s: int, token: str = "login") -> int:
        """Write a login's credentials file. Return its expiresAt in ms."""
        return _write_credentials(self.credentials, TOKEN_PREFIX + token, life_s)

    def environment(self, *, shim: bool = True, **changes: str) -> dict[str, str]:
        """Return the environment of a manual run. It has the shim, which makes timers quick."""
        directories = [str(self.state / "bin"), self.manager.environment()["PATH"]]
        if shim:
            directories.insert(0, str(self.state / "shim"))
        return {
            **self.manager.environment(),
            "PATH": ":".join(directories),
            "TZ": "UTC0",
            **self.settings,
            **changes,
        }

    def start(
        self, form: str | None = None, *, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run the product once by hand, and wait for its end."""
        argv = ["bash", str(self.script)]
        if (form or self.form) == "python":
            argv = [sys.executable, "-m", "oauthkit", "refresh", "--project", str(self.root)]
        return self.manager.run(argv, env=self.environment() if env is None else env)

    @property
    def names(self) -> list[str]:
        """Return the names of its units, in the order in which they are tried."""
        own = str(self.root).strip("/").replace("-", r"\x2d").replace("/", "-")
        own = f"{self.unit}-{own}"
        return [self.unit, own, f"{own}--alt"]

    def runs(self) -> list[Run]:
        """Return all runs that have scheduled the next one, in order."""
        return [run for run in self.calls() if run.exit == 0]

    def calls(self) -> list[Run]:
        """Return all calls to systemd-run, including failed ones."""
        return [Run(**record) for record in _records(self.state / "systemd-run.jsonl")]

    def claude_calls(self) -> list[dict[str, Any]]:
        """Return all calls to claude: run (number), exit, invocation_id, service, argv, cwd."""
        return _records(self.state / "claude.jsonl")

    def log_lines(self, part: str = "") -> list[str]:
        """Return the log's lines that contain `part`."""
        if not self.log.exists():
            return []
        lines = self.log.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
        return [line for line in lines if part in line]

    def pending(self) -> list[str] | None:
        """Return this unit's pending timers, or None while a run is in progress."""
        units = self.manager.units(f"{self.unit}*")
        busy = {"active", "activating", "deactivating", "reloading"}
        for unit in units:
            if unit.name.endswith(".service") and unit.active in busy:
                return None
            if unit.name.endswith(".timer") and unit.sub == "running":
                return None  # elapsed, its service is about to start
        return [u.name for u in units if u.name.endswith(".timer") and u.sub == "waiting"]

    def report(self) -> str:
        """Return everything that is known, for the message of a failed test."""
        units = [f"{u.name} {u.active} {u.sub}" for u in self.manager.units(f"{self.unit}*")]
        calls = [f"{c.service or 'by hand'}: exit {c.exit} {c.argv}" for c in self.calls()]
        parts = {"units": units, "systemd-run": calls, "log": self.log_lines()}
        return "\n".join(f"--- {name}\n" + "\n".join(lines) for name, lines in parts.items())

    def _write_stand_in(self, name: str, directory: str) -> None:
        path = self.state / directory / name
        path.parent.mkdir(exist_ok=True)
        argv = [sys.executable, "-I", "-S", __file__, str(self.state), name]
        line = " ".join(shlex.quote(word) for word in argv)
        path.write_text(f'#!/bin/sh\nexec {line} "$@"\n', encoding="utf-8")
        path.chmod(0o755)


def start(project: Project, form: str | None = None) -> None:
    """Run the product once by hand. It must succeed and print nothing."""
    done = project.start(form)
    said = (done.returncode, done.stdout, done.stderr)
    assert said == (0, "", ""), f"{said}\n{project.report()}"


def _records(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    # A reader can find a part of the line that a run is writing.
    complete, _, _ = path.read_text(encoding="utf-8").rpartition("\n")
    return [json.loads(line) for line in complete.splitlines()]


def _append(path: Path, record: Mapping[str, object]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")


def _replace(path: Path, text: str) -> None:
    beside = path.with_name(path.name + ".new")
    beside.write_text(text, encoding="utf-8")
    beside.chmod(0o600)
    beside.replace(path)


def _write_credentials(path: Path, token: str, life_s: float) -> int:
    expires_at_ms = int((time.time() + life_s) * 1000)
    oauth = {"accessToken": token, "refreshToken": "made-up", "expiresAt": expires_at_ms}
    _replace(path, json.dumps({"claudeAiOauth": oauth}))
    return expires_at_ms


def _service() -> str:
    """Return the service unit in whose control group this process is, or ""."""
    groups = Path("/proc/self/cgroup").read_text(encoding="utf-8")
    found = re.search(r"^0::.*/([^/\n]+\.service)$", groups, re.MULTILINE)
    return found[1] if found else ""


def _calling_form() -> tuple[str, int]:
    """Return the form that is an ancestor of this process, and its process id, or "" and 0."""
    pid = os.getppid()
    while pid > 1:
        argv = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        if b"oauthkit" in argv:
            return "python", pid
        if any(word.endswith(b"refresh.sh") for word in argv):
            return "bash", pid
        pid = int(
            Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1]
        )
    return "", 0


def _slowness() -> float:
    """Return how much longer a test takes on this machine now.

    It is 1 for up to four processes per core, and at most 8. A test must see the timers between two
    runs.
    """
    return min(max(os.getloadavg()[0] / (os.cpu_count() or 1) / 4, 1.0), 8.0)


def stand_in_systemd_run(state: Path, plan: dict[str, Any], arguments: list[str]) -> int:
    """Start a timer with the real systemd-run that elapses in `lead_s`, not at the requested time.

    The token's life is shortened by the same time, so that the next run finds it as if it had
    waited.
    """
    stop = arguments.index("--") if "--" in arguments else len(arguments)
    options = [o for o in arguments[:stop] if not o.startswith("--timer-property=AccuracySec=")]
    asked_s: int | None = None
    number = sum(call["exit"] == 0 for call in _records(state / "systemd-run.jsonl"))
    lead_s = _slowness() * plan["leads_s"].get(str(number), plan["lead_s"])
    properties = plan["properties"].get(str(number), {})
    moved_to_s = int(time.time() + lead_s)
    for index, option in enumerate(options):
        if option.startswith("--on-calendar="):
            epoch = re.fullmatch(r"--on-calendar=@(\d+)", option)
            asked_s = int(epoch[1]) if epoch else None
            if number not in plan["set_back"]:
                options[index] = f"--on-calendar=@{moved_to_s}"
            options.insert(index + 1, "--timer-property=AccuracySec=100ms")
            break
    for index, option in enumerate(options):
        if number in plan["set_back"] and option.startswith("--on-active="):
            options[index] = f"--on-active={lead_s}s"  # as if it were over by then
        name, _, assignment = option.partition("=")
        if name == "--property" and (value := properties.get(assignment.split("=")[0])):
            options[index] = f"--property={assignment.split('=')[0]}={value}"
    done = subprocess.run([plan["systemd_run"], *options, *arguments[stop:]], check=False)
    oauth = json.loads(Path(plan["credentials"]).read_text(encoding="utf-8"))["claudeAiOauth"]
    dotenv = Path(plan["dotenv"])
    there = dotenv.exists()
    record = Run(
        argv=arguments,
        asked_s=asked_s,
        exit=done.returncode,
        form=_calling_form()[0],
        service=_service(),
        invocation_id=os.environ.get("INVOCATION_ID", ""),
        token=oauth["accessToken"],
        dotenv=dotenv.read_text(encoding="utf-8") if there else "",
        dotenv_version=[dotenv.stat().st_ino, dotenv.stat().st_mtime_ns] if there else [],
    )
    if done.returncode == 0 and asked_s is not None:
        life_s = oauth["expiresAt"] / 1000 - time.time() - (asked_s - moved_to_s)
        _write_credentials(Path(plan["credentials"]), oauth["accessToken"], life_s)
    _append(state / "systemd-run.jsonl", vars(record))
    return done.returncode


def stand_in_claude(state: Path, plan: dict[str, Any], arguments: list[str]) -> int:
    """Renew the token for this run's time in the plan, or fail if that is null."""
    run = sum(record["exit"] == 0 for record in _records(state / "systemd-run.jsonl"))
    life_s = plan["lives_s"].get(str(run), SHORT_LIFE_S)
    code = 1 if life_s is None else 0
    record = {
        "run": run,
        "exit": code,
        "argv": arguments,
        "cwd": str(Path.cwd()),
        "service": _service(),
        "invocation_id": os.environ.get("INVOCATION_ID", ""),
    }
    _append(state / "claude.jsonl", record)
    sys.stdout.write(plan["claude_prints"])
    if run in plan["slow"]:
        time.sleep(600)
    if run in plan["leaves"]:
        lasting = ["/bin/sh", "-c", "trap '' TERM; sleep 600"]
        quiet = subprocess.DEVNULL
        subprocess.Popen(lasting, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True)
    if run in plan["kills"]:
        _replace(state / "plan.json", json.dumps({**plan, "kills": []}))
        os.kill(_calling_form()[1], signal.SIGKILL)
        time.sleep(600)  # the service ends the processes that its main process leaves behind
    if life_s is not None:
        _write_credentials(Path(plan["credentials"]), f"{TOKEN_PREFIX}{run}", life_s)
    return code


def stand_in_jq(state: Path, plan: dict[str, Any], arguments: list[str]) -> int:
    """Run the real jq, or hang in the runs that the plan names."""
    if (
        sum(record["exit"] == 0 for record in _records(state / "systemd-run.jsonl"))
        in plan["hangs"]
    ):
        _replace(state / "plan.json", json.dumps({**plan, "hangs": []}))
        time.sleep(600)
    os.execv(plan["jq"], ["jq", *arguments])  # noqa: S606 - an argv, without a shell


def main() -> int:
    """Run the stand-in that the arguments name."""
    state = Path(sys.argv[1])
    plan = json.loads((state / "plan.json").read_text(encoding="utf-8"))
    stand_ins = {
        "systemd-run": stand_in_systemd_run, "claude": stand_in_claude, "jq": stand_in_jq,
    }  # fmt: skip
    return stand_ins[sys.argv[2]](state, plan, sys.argv[3:])


if __name__ == "__main__":
    sys.exit(main())
