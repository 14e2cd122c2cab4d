"""The tests that judge a mutant, in order: likely and quick ones first."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

from tests.adversarial.mutants import bash_mutators, python_mutators
from tests.adversarial.mutants.mutant import REPOSITORY, Mutant

# The arguments of one run of pytest, or the files of one run of bats.
Stage = list[str]

# For each function the tests that killed most of its mutants, written by scripts/mutate --learn.
KILLERS = Path(__file__).with_name("killers.json")
MOST_KILLERS = 3
BUILTINS = "tests/runtime_library"
# The tests of the builtins that the refresh does not use.
CONFORMANCE = "tests/compiler/conformance/test_conformance.py"
WHOLE_RUN = "tests/refresh/test_unit.py"
WATCH_TESTS = (
    "commands/test_watch",
    "commands/test_watch_rejected",
    "commands/test_watch_limits",
    "commands/test_watch_process",
    "commands/test_watch_every_call",
    "commands/test_watch_race",
)
# For each file, its tests in tests/host.
HOST_TESTS = {
    "ipc": WATCH_TESTS,
    "watch": WATCH_TESTS,
    "run": ("commands/test_run", "commands/test_run_rejection", "commands/test_run_output"),
    "settings_writer": ("test_settings_writer", "commands/test_install", "adopt/test_adopt"),
}
# The functions that tests/fleet concerns, too.
FLEET = "publish|is_follower|run_follower|refresh|make_absolute|timer_with_settings"
FLEET_TESTS = ("publish", "follow", "ensure")
# The tests of the store's time limits.
LIMIT_TESTS = ("unit", "etcd", "publish")
# The subjects of tests/refresh that concern a function.
SUBJECTS = (
    ("read_credentials|parse_int|is_b64token|access_token|expires_at", "credentials"),
    ("live_token", "renewal credentials"),
    ("renew|call_claude|find_claude|await_other|is_live|is_renewed|outlasts", "renewal"),
    ("renew_once", "renewal lock_log"),
    ("limit_failures|recorded_failures|next_try_ms|record_start", "renewal"),
    ("limit_rejected_starts|was_rejected|rejected_token|token_in", "rejected"),
    ("bearer|deliver_bearer|deliver_all|rename_file", "bearer delivery"),
    ("run_within|(log|report)_output|(mask|add)_secrets?", "renewal hooks"),
    ("run_limited|run_claude|(start|end|finish)_command|command_runs|outlive_signals"
     "|_(signal_group|spawn)", "signals renewal environment"),
    ("with_token|follow|resolve|rename_over|sweep|(read|write)_target|is_mount_point|write_problem|deliver_token|own_temporary|temporary_name|is_own_link"
     "|same_file|(read|write|create)_file", "delivery"),
    ("is_foreign", "delivery lock_log"),
    ("is_delivered", "ensure delivery bearer"),
    ("timer_with_settings|next_run_ms|start_timer|schedule|(is_)?unit_name|owner_of|escape_unit|own_command"
     "|is_pending|timestamp|user_id|now_ms", "schedule"),
    ("failure_kind|track_failure|prepare_hooks|run_hook|track_login_end|login_ends_at", "hooks"),
    ("check_log_path|lock_project|take_project_lock|take_lock|(un)?lock_directory|open_log|log_error|log_size"
     "|_open_to_append|log|replace_controls|complain",
     "lock_log"),
    ("refresh", "settings hooks rejected ensure schedule"),
    ("find_program|absolute|script_(path|project)|main|is_project|set_up|paths|make_absolute|read_setting"
     "|read_settings|(get|set)_env", "settings"),
    ("|isolate|start|remove_other_logins|forget_functions|disable_core_dumps",
     "environment settings signals"),
)  # fmt: skip
# The same for the constants of a file.
CONSTANTS = {
    "credentials": "credentials bearer",
    "delivery": "delivery bearer",
    "hooks": "hooks",
    "links": "delivery lock_log",
    "lock_log": "lock_log",
    "command_output": "renewal hooks",
    "limits": "renewal hooks",
    "refresh": "settings hooks rejected ensure schedule",
    "renewal": "renewal rejected lock_log",
    "schedule": "schedule",
    "settings": "settings",
    "start": "settings",
    "state_files": "lock_log hooks",
}


def stages(mutant: Mutant) -> list[Stage]:
    """Return the runs that judge a mutant. The first one that fails kills it."""
    if mutant.file in python_mutators.HOST:
        return [[f"tests/host/{name}.py"] for name in HOST_TESTS[Path(mutant.file).stem]]
    constants = CONSTANTS.get(Path(mutant.file).stem, "").split() if not mutant.function else []
    subjects = constants or _subjects(mutant.function)
    scripts = _files(subjects, "*.bats")
    parity = [*_files(subjects, "test_both.py"), *_files(subjects, "test_hostile*.py")]
    if re.fullmatch(FLEET, mutant.function):
        parity += [[f"tests/fleet/test_{name}.py"] for name in FLEET_TESTS]
    if Path(mutant.file).stem == "limits":
        parity += [[f"tests/fleet/test_{name}.py"] for name in LIMIT_TESTS]
    if mutant.function == "disable_core_dumps":
        parity.append(["tests/test_security.py"])
    named = [[BUILTINS, "-k", mutant.function]] if mutant.function else []
    language = [] if subjects else [[CONFORMANCE]]
    if mutant.file == bash_mutators.LIBRARY:
        return [*named, [BUILTINS], *language, *scripts, *parity]
    first = [file for (file,) in _files(subjects, "test_unit.py")] or [WHOLE_RUN]
    if mutant.file == python_mutators.LIBRARY:
        first += [f"{BUILTINS}/test_unit.py", f"{BUILTINS}/test_commands.py"]
        first += [file for (file,) in language]
        scripts = []  # the script is the same
    else:
        named = []
    units = [*_files_below("tests/refresh", "test_unit.py"), *_files_below(BUILTINS)]
    rest = [stage for stage in units if stage[0] not in first]
    return [*named, first, *rest, *scripts, *parity]


def _subjects(function: str) -> list[str]:
    for pattern, words in SUBJECTS:
        if re.fullmatch(pattern, function):
            return words.split()
    return []


def _files(subjects: list[str], pattern: str) -> list[Stage]:
    """Return the files of these subjects in order, each as a stage."""
    return [
        stage for subject in subjects for stage in _files_below(f"tests/refresh/{subject}", pattern)
    ]


def _files_below(directory: str, pattern: str = "test_*.py") -> list[Stage]:
    found = (REPOSITORY / directory).rglob(pattern)
    return [[file] for file in sorted(str(path.relative_to(REPOSITORY)) for path in found)]


class Killers:
    """The tests that killed other mutants of the same function. They run first."""

    def __init__(self) -> None:
        learned = json.loads(KILLERS.read_text("utf-8")) if KILLERS.exists() else {}
        self._counts = {
            place: Counter({test: 1 for test in tests if _exists(test)})
            for place, tests in learned.items()
        }

    def add(self, mutant: Mutant, test: str) -> None:
        """Count a test that killed a mutant. All cases of a parametrized test count as one."""
        test = test if ".bats" in test else test.partition("[")[0]
        if "::" in test:
            self._counts.setdefault(mutant.location, Counter())[test] += 1

    def stages(self, mutant: Mutant) -> list[Stage]:
        """Return the runs of the tests that killed most mutants of the function."""
        tests = self._most(mutant.location)
        pytest = [test for test in tests if ".bats" not in test]
        return [*([pytest] if pytest else []), *([test] for test in tests if ".bats" in test)]

    def save(self) -> None:
        """Write killers.json."""
        found = {place: self._most(place) for place in sorted(self._counts)}
        KILLERS.write_text(json.dumps(found, indent=1) + "\n", "utf-8")

    def _most(self, place: str) -> list[str]:
        return [test for test, _ in self._counts.get(place, Counter()).most_common(MOST_KILLERS)]


def _exists(test: str) -> bool:
    """Return whether a learned test still exists. pytest fails for an unknown name."""
    name, _, title = test.partition("::")
    file = REPOSITORY / name
    text = file.read_text("utf-8") if file.exists() else ""
    return (f'@test "{title}"' if name.endswith(".bats") else f"def {title}(") in text
