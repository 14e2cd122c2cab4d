"""Call a builtin's bash body many times in one process."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from hypothesis import settings
from hypothesis import strategies as st

import oauthkit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

few = settings(deadline=None, max_examples=25)

LIBRARY = Path(oauthkit.__file__).parent / "shell.bash"
# The environment of builtins in a generated script: bytes are characters, REPLY is local. $1 is the
# runtime library, $2 the file of the arguments, $3 their number per call, $4 the builtin, $5 the
# log, $6 a secret.
DRIVER = """\
. "$1"
call_all() {
  local +x LC_ALL=C REPLY _script= _secrets=$5 status
  local -a REPLIES=() words=()
  local -i i
  if [[ -n $4 ]]; then
    exec 8>>"$4"
  fi
  mapfile -d '' -t words <"$1"
  for ((i = 0; i < ${#words[@]}; i += $2)); do
    REPLY=
    "$3" "${words[@]:i:$2}"
    status=$?
    printf '%s\\0' "$status" "$REPLY"
  done
}
if declare -F start >/dev/null; then # a script: its constants are local to its start
  main() { call_all "$@"; }
  start "${@:2}"
else
  call_all "${@:2}"
fi
"""


class Result(NamedTuple):
    """A builtin's exit status and its REPLY."""

    status: int
    reply: str


def call_in_bash(
    builtin: str,
    calls: Sequence[str | tuple[str, ...]],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    log: str = "",
    secret: str = "",
    source: str | None = None,
) -> list[Result]:
    """Return the result of each call. Raise AssertionError if bash prints an error.

    A call is an argument or a tuple of arguments. All calls have the same number of arguments.
    `builtin` is a builtin, or a function in the script `source`.
    """
    groups = [(call,) if isinstance(call, str) else call for call in calls]
    (arity,) = {len(group) for group in groups}
    with tempfile.TemporaryDirectory(prefix="oauthkit-twins-") as directory:
        arguments, functions = Path(directory, "arguments"), Path(directory, "functions")
        arguments.write_bytes(
            b"".join(os.fsencode(text) + b"\0" for group in groups for text in group)
        )
        functions.write_text(LIBRARY.read_text("utf-8") if source is None else source, "utf-8")
        argv = ["/bin/bash", "--noprofile", "--norc", "-c", DRIVER, "bash", str(functions)]
        done = subprocess.run(
            [*argv, str(arguments), str(arity), builtin, log, secret],
            cwd=cwd,
            env={"PATH": "/usr/bin:/bin", **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=120,
        )
    assert (done.returncode, done.stderr) == (0, b""), done.stderr.decode()
    words = [os.fsdecode(part) for part in done.stdout.split(b"\0")[:-1]]
    assert len(words) == 2 * len(groups)
    return [Result(int(words[i]), words[i + 1]) for i in range(0, len(words), 2)]


def texts(pieces: list[str], *, longest: int = 12) -> st.SearchStrategy[list[str]]:
    """Draw lists of texts that consist of these pieces and any other characters except NUL."""
    other = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
    piece = st.one_of(st.sampled_from([*pieces, "\udcff", "\n"]), other)
    return st.lists(st.lists(piece, max_size=longest).map("".join), min_size=1, max_size=150)


@contextmanager
def files_with(contents: Sequence[bytes]) -> Iterator[list[str]]:
    """Create files with these contents; yield their paths."""
    with tempfile.TemporaryDirectory(prefix="oauthkit-twins-") as directory:
        paths = [f"{directory}/{number}" for number in range(len(contents))]
        for path, content in zip(paths, contents, strict=True):
            Path(path).write_bytes(content)
        yield paths


def run_python(program: str, *arguments: str) -> str:
    """Return the output of a Python program, within 30 s."""
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env={},
        stdout=subprocess.PIPE,
        timeout=30,
        check=True,
    )
    return done.stdout.decode()


def call_with_ifs(builtin: str, *call: str, functions: str = "", log: str = "") -> Result:
    """Call a bash body with an IFS that would split its values if they were unquoted."""
    source = LIBRARY.read_text("utf-8") + 'IFS=" 0123456789"\n' + functions
    env = {"PATH": "/usr/bin:/bin", "TZ": "UTC0"}
    (result,) = call_in_bash(builtin, [call], source=source, env=env, log=log)
    return result


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the flock(2) of a directory or file."""
    descriptor = os.open(path, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    yield
    os.close(descriptor)
