"""get_env and set_env behave the same in both forms."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.runtime_library.bash_bodies import (
    LIBRARY,
)

ENVIRONMENT = {"SET": "a $b 'c'", "EMPTY": "", "_x1": "y", "a-b": "z", "é": "z"}

NAMES = [
    *ENVIRONMENT, "NONE", "", "1", "a b", "UID", "RANDOM", "REPLY", "BASH_VERSION", "SET[0]",
    "SET\n", "a[$(touch ran)]", "HOME[$(touch ran)]",
]  # fmt: skip

GET_ENV = {
    "bash": 'main() {\n  for name; do get_env "$name"; printf "%s|" "$REPLY"; done\n}\nmain "$@"\n',
    "python": "import sys; from oauthkit.shell import get_env\n"
    "for name in sys.argv[1:]:\n    print(get_env(name), end='|')\n",
}

SET_ENV = {
    "bash": 'main() {\n  local +x NEW\n  for name; do set_env "$name" 1; done\n}\n'
    'main "$@"\nexec /usr/bin/env\n',
    "python": "import sys, plumbum; from oauthkit.shell import set_env\n"
    "for name in sys.argv[1:]:\n    set_env(name, '1')\n"
    "print(plumbum.local['/usr/bin/env'](), end='')\n",
}


def run_with_environment(form: str, texts: dict[str, str], names: list[str], place: Path) -> str:
    """Run one of the texts with `names` as arguments, and return its output."""
    argv = [sys.executable, "-c", texts[form]]
    if form == "bash":
        argv = ["/bin/bash", "-c", LIBRARY.read_text("utf-8") + texts[form], "bash"]
    environment = ENVIRONMENT | {"PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [*argv, *names], cwd=place, env=environment, capture_output=True, check=True
    )
    assert done.stderr == b""
    assert not (place / "ran").exists()
    return done.stdout.decode()


@pytest.mark.parametrize("form", GET_ENV)
def test_get_env_of_any_text(place: Path, form: str) -> None:
    """In bash, a subscript would be evaluated, and its command would run."""
    found = run_with_environment(form, GET_ENV, NAMES, place).split("|")
    assert found == ["a $b 'c'", "", "y", *[""] * (len(NAMES) - 2)]


@pytest.mark.parametrize("form", SET_ENV)
def test_set_env_of_any_text(place: Path, form: str) -> None:
    names = ["x-y", "", "1", "a b", "SET[0]", "a[$(touch ran)]", "NEW"]
    lines = run_with_environment(form, SET_ENV, names, place).splitlines()
    values = dict(line.split("=", 1) for line in lines)
    assert values["SET"] == ENVIRONMENT["SET"]
    assert {name: values.get(name) for name in names} == dict.fromkeys(names) | {"NEW": "1"}
