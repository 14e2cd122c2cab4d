"""Mistakes of the first day, with the grade of the compiler's answer to each."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from tests.support.compiler.helping import check_same, diagnostics, helped
from tests.support.compiler.pasting import paste
from tests.support.compiler.programs import run_both, run_python

# The help's code, pasted, compiles and does what the program does in CPython.
SAME = "same"
# The message names the construct, and the help says what to use instead, without code.
NAMED = "named"
# The program was rejected once. It compiles now.
ACCEPTED = "accepted"

# grade, code, lines at the top, the body of main, and for NAMED a word of the message and one of
# the help
MISTAKES = [
    (SAME, "D104", "", "x = '41'\nn = int(x) + 1\nprint(f'{n}')", "", ""),
    (SAME, "D104", "", "size = 12\nprint('size: ' + str(size))", "", ""),
    (ACCEPTED, "", "", "size = 12\nprint('size:', size)", "", ""),
    (ACCEPTED, "", "", "print('a')\nprint()\nprint('b')", "", ""),
    (SAME, "D305", "", "name = local.env.get('GREETING', '')\nif name:\n    print(name)", "", ""),
    (SAME, "D305", "", "if not local.env.get('NO_SUCH'):\n    print('unset')", "", ""),
    (SAME, "D102", "", "home = os.environ['HOME']\nprint(home)", "", ""),
    (ACCEPTED, "", "", "mode = 'full'\nif mode in ('full', 'part'):\n    print(mode)", "", ""),
    (ACCEPTED, "", "", "n = 1\nword = 'file' if n == 1 else 'files'\nprint(f'{n} {word}')", "", ""),
    (SAME, "D102", "", "name = ''\nname = name or 'nobody'\nprint(name)", "", ""),
    (ACCEPTED, "", "", "for number in range(1, 4):\n    print(f'{number}')", "", ""),
    (SAME, "D101", "", "for name in ['a', 'b']:\n    print(name)", "", ""),
    (SAME, "D104", "", "entry = 'key=value'\nkey, value = entry.split('=')\nprint(key + value)", "", ""),
    (SAME, "D102", "", "line = 'root:x:0'\nuser = line.split(':')[0]\nprint(user)", "", ""),
    (ACCEPTED, "", "", "path = '/bin:/usr/bin'\nfor part in path.split(':'):\n    print(part)", "", ""),
    (ACCEPTED, "", "", "a, b = 'left', 'right'\nprint(b + a)", "", ""),
    (SAME, "D104", "", "name = '/etc'\nif not os.path.isdir(name):\n    print('no directory')\nprint('end')", "", ""),
    (SAME, "D104", "", "name = 'no/such/file'\nos.remove(name)\nprint('removed')", "", ""),
    (SAME, "D104", "", "text = open('no-such-file').read()\nprint(text)", "", ""),
    (SAME, "D103", "from plumbum.cmd import uname", "_, name = uname['-s'] & CAPTURE\nprint(name)", "", ""),
    (SAME, "D102", "uname = local['uname']", "_, name = uname['-s'] & CAPTURE\nprint(name)", "", ""),
    (SAME, "D305", "", "if write_file('no/such/file', 'x'):\n    print('cannot write')\n    sys.exit(1)", "", ""),
    (SAME, "D104", "", "print('wrong usage')\nsys.exit(2)", "", ""),
    (ACCEPTED, "", "", "name = 'anna'\nif len(name) > 3:\n    print('long')", "", ""),
    (ACCEPTED, "", "", "for line in sys.stdin.read().splitlines():\n    print(line)", "", ""),
    (SAME, "D104", "", "os.chdir('/no/such')\nprint('changed')", "", ""),
    (NAMED, "D101", "", "for name in sorted(os.listdir('/')):\n    print(name)", "sorted", "files"),
    (NAMED, "D104", "", "name = input()\nprint(name)", "input", "read_line"),
    (NAMED, "D101", "", "for line in sys.stdin:\n    print(line)", "sys.stdin", "splitlines()"),
    (NAMED, "D101", "", "try:\n    _ = cat['f'] & RETCODE\nexcept OSError:\n    print('failed')", "try", "status"),
    (NAMED, "D101", "", "with open('f') as file:\n    print(file.read())", "with", "read_file"),
    (NAMED, "D102", "", "sizes = {'a': 1}\nprint(f\"{sizes['a']}\")", "dictionary", "variable for each value"),
    (NAMED, "D103", "from docopt import docopt", "print('x')", "docopt", "arguments of main"),
    (NAMED, "D103", "from plumbum.cmd import pg_dump", "_ = pg_dump & RETCODE", "plumbum.cmd", "pg_dump"),
    (NAMED, "D105", "lister = program('ls -l')", "_ = lister & RETCODE", "arguments", "lister['-l']"),
    (NAMED, "D202", "", "print('a')\n_ = (printf['b'] > '/dev/stdout') & RETCODE", "/dev/stdout", "& FG"),
    (ACCEPTED, "", "", "text = ' x '\nprint(text.strip())", "", ""),
]  # fmt: skip
GRADES = {SAME: 17, NAMED: 10, ACCEPTED: 10}

HEAD = """from __future__ import annotations

import os
import sys

from plumbum import local
from oauthkit.shell import CAPTURE, RETCODE, Status, program, write_file
{top}

cat = program("cat")
printf = program("printf")


def main(*arguments: str) -> Status:
{body}
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
"""


def whole(top: str, body: str) -> str:
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    text = HEAD.format(top=top, body=lines)
    return text.replace("    return 0\n", "") if body.splitlines()[-1] == "sys.exit(2)" else text


@pytest.mark.parametrize(("grade", "code", "top", "body", "construct", "instead"), MISTAKES)
def test_mistake_of_the_first_day(
    grade: str, code: str, top: str, body: str, construct: str, instead: str, tmp_path: Path
) -> None:
    text = whole(top, body)
    if grade == ACCEPTED:
        python, bash = run_both(tmp_path, text)
        assert bash == python
        assert python.stdout
        return
    first = diagnostics(text)[0]
    assert first.code == code
    if grade == NAMED:
        assert construct in first.message
        assert instead in first.help
        assert paste(text, first) == []
        return
    programs = helped(text)
    assert programs, first.help
    meant = run_python(tmp_path, text)
    assert meant.stdout or meant.status
    check_same(tmp_path, meant, programs)


def test_number_of_mistakes_per_grade() -> None:
    assert Counter(mistake[0] for mistake in MISTAKES) == GRADES
