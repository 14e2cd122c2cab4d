"""Whole reports of failed comparisons."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.support.parity_kit.programs import scripts

from oauthkit.parity.format_values import alike, collapse, command, exit_status, numbers, readable

if TYPE_CHECKING:
    from pathlib import Path

LINES = "for i in {1..200}; do printf 'line %d of 200\\n' $i; done >out\n"
PYTHON_LINES = "open('out', 'w').writelines(f'line {i} of 200\\n' for i in range(1, 201))\n"
CALL = "import os, subprocess\ndef call(*argv): subprocess.run(argv)\n"

# A realistic mistake in one of two forms.
PROGRAMS = {
    "missing quotes": (
        "subject='disk full'; mail -s $subject root",
        f"{CALL}call('mail', '-s', 'disk full', 'root')",
    ),
    "other order": (
        "df -P; rsync -a a b; mail root; rsync -a b c; sync",
        f"{CALL}call('df', '-P'); call('rsync', '-a', 'b', 'c'); call('rsync', '-a', 'a', 'b')\n"
        "call('mail', 'root'); call('sync')",
    ),
    "file mode": (
        "printf x >state; chmod 0600 state",
        "open('state', 'w').write('x')",
    ),
    "one byte in 200 lines": (
        LINES,
        f"{PYTHON_LINES}text = open('out').read()\n"
        "open('out', 'w').write(text.replace('line 87 of', 'line 87 0f'))",
    ),
    "one byte in a long line": (
        "printf '%0300d1%0300d' 0 0 >out",
        "open('out', 'w').write('0' * 300 + '2' + '0' * 300)",
    ),
    "lines that one form lacks": (
        "printf '1\\n2\\n3\\n4\\n5\\n' >out; printf 'a\\n'",
        "open('out', 'w').write('1\\n5\\n6\\n'); print('a'); print('b'); print('c')",
    ),
    "variable": (
        "LC_ALL=C mail root",
        f"{CALL}os.environ['TZ'] = 'Europe/Berlin'; call('mail', 'root')",
    ),
    "exit status": (
        "printf 'alarm: no mail\\n' >&2; exit 3",
        "import os, sys\nprint('alarm: no mail', file=sys.stderr, flush=True)\n"
        "os.kill(os.getpid(), 15)",
    ),
    "invisible characters": (
        "mail 'a b' 'é' '' 'п'; printf 'x\\n' >out",
        f"{CALL}call('mail', 'a\\u00a0b', 'e\\u0301', 'p'); open('out', 'w').write('x \\r\\n')",
    ),
    "characters that look the same": (
        "printf 'to: p\\u0430ypal\\n' >out",
        "open('out', 'w').write('to: paypal\\n')",
    ),
    "bytes": (
        "mail $'\\xff'; printf '\\xe9' >out",
        f"{CALL}call('mail', b'\\xfe'); open('out', 'w').write('é')",
    ),
    "unplanned program": (
        "mail root; curl -s http://localhost; exit 0",
        f"{CALL}call('mail', 'root')\n"
        "try: call('curl')\nexcept FileNotFoundError as error: print(error)",
    ),
}

# The report.
REPORTS = {
    "missing quotes": r"""
bash and python differ in 1 place.

1. call 1, mail: argument 2
     bash    mail -s disk full root
     python  mail -s 'disk full' root
                     ^
""",
    "other order": r"""
bash and python differ in 1 place.

1. calls, in order
     both    df -P
     python  rsync -a b c
     both    rsync -a a b
     both    mail root
     bash    rsync -a b c
     both    sync
""",
    "file mode": r"""
bash and python differ in 1 place.

1. file project/state: mode
     bash    0600
     python  0644
""",
    "one byte in 200 lines": r"""
bash and python differ in 1 place.

1. file project/out: content, line 87
     bash    'line 87 of 200\n'
     python  'line 87 0f 200\n'
                      ^
""",
    "one byte in a long line": r"""
bash and python differ in 1 place.

1. file project/out: content, byte 301
     bash    ...000000000000000000000000000000100000000000000000000000000000000000000000000...
     python  ...000000000000000000000000000000200000000000000000000000000000000000000000000...
                                              ^
""",
    "lines that one form lacks": r"""
bash and python differ in 3 places.

1. stdout, line 2
     bash    (none)
     python  'b\n'
     python  'c\n'

2. file project/out: content, lines 2 to 4
     bash    '2\n'
     bash    '3\n'
     bash    '4\n'
     python  (none)

3. file project/out: content, line 6
     bash    (none)
     python  '6\n'
""",
    "variable": r"""
bash and python differ in 2 places.

1. call 1, mail: environment LC_ALL
     bash    'C'
     python  (not set)

2. call 1, mail: environment TZ
     bash    'UTC'
     python  'Europe/Berlin'
""",
    "exit status": r"""
bash and python differ in 1 place.

1. exit status
     bash    3
     python  -15 (SIGTERM)

stderr of both:
     alarm: no mail
""",
    "invisible characters": r"""
bash and python differ in 2 places.

1. call 1, mail: argument 1
     bash    mail 'a b' 'é' '' 'п'
     python  mail 'a\u00a0b' 'e\u0301' p
                    ^

2. file project/out: content
     bash    'x\n'
     python  'x \r\n'
""",
    "characters that look the same": r"""
bash and python differ in 1 place.

1. file project/out: content
     bash    'to: pаypal\n'
     python  'to: paypal\n'
                   ^ U+0430 against U+0061
""",  # noqa: RUF001 - that is the point
    "bytes": r"""
bash and python differ in 2 places.

1. call 1, mail: argument 1
     bash    mail '\xff'
     python  mail '\xfe'

2. file project/out: content
     bash    '\xe9'
     python  'é'
""",
    "unplanned program": r"""
bash and python differ in 2 places.

1. stdout
     bash    ''
     python  '[Errno 2] No such file or directory: \'curl\'\n'

2. stderr
     bash    'form: line 1: curl: command not found\n'
     python  ''
""",
}

KEPT = """
The sandboxes are kept (calls and streams: in the directory control):
     bash    DIRECTORY/bash
     python  DIRECTORY/python"""


def report_of(directory: Path, bash: str, python: str) -> str:
    """Return the report of a run, with DIRECTORY in place of its path."""
    pair = scripts(directory, bash, python)
    for program in ("df", "mail", "rsync", "sync"):
        pair.stand_in(program).always.exits(0)
    with pytest.raises(AssertionError) as failure:
        pair.run()
    pair.close()
    return str(failure.value).replace(str(directory), "DIRECTORY")


@pytest.mark.parametrize("mistake", PROGRAMS)
def test_report(tmp_path: Path, mistake: str) -> None:
    assert report_of(tmp_path, *PROGRAMS[mistake]) == REPORTS[mistake][1:] + KEPT


def test_report_of_unplanned_and_missing_calls(tmp_path: Path) -> None:
    pair = scripts(tmp_path, "mail 'disk full' root", f"{CALL}call('mail', 'disk full', 'me')")
    pair.stand_in("mail")
    pair.stand_in("df").prints("90% /\n").then.exits(1)
    with pytest.raises(AssertionError) as failure:
        pair.run()
    pair.close()
    expected = r"""
bash: unplanned call: mail 'disk full' root
      call 1 of mail; none was planned; it got exit status 97
both: planned calls that never happened: 1 of df
      0 made; 1 planned: prints(stdout=b'90% /\n').then.exits(exit=1)
python: unplanned call: mail 'disk full' me
      call 1 of mail; none was planned; it got exit status 97

bash and python differ in 2 places.

1. exit status
     bash    97
     python  0

2. call 1, mail: argument 2
     bash    mail 'disk full' root
     python  mail 'disk full' me
                              ^
"""
    assert str(failure.value).replace(str(tmp_path), "DIRECTORY") == expected[1:] + KEPT


def test_report_of_many_differences_is_short(tmp_path: Path) -> None:
    bash = "mail; for i in {1..40}; do printf '%d\n' $i; done; for i in {1..40}; do >f$i; done"
    report = report_of(tmp_path, bash, "print('x' * 3000)")
    assert (
        """
     bash    '7\\n'
     bash    ... 32 more
     bash    '40\\n'
     python  'xxxxxx"""
        in report
    )
    assert "\n... and 31 more\n" in report
    assert len(report.splitlines()) < 100
    assert max(map(len, report.splitlines())) < 225


def test_reordered_calls_are_compared_with_their_counterparts(tmp_path: Path) -> None:
    report = report_of(tmp_path, "mail a; mail b", f"{CALL}call('mail', 'b'); call('mail', 'a')")
    expected = r"""
bash and python differ in 2 places.

1. calls, in order
     python  mail b
     both    mail a
     bash    mail b

2. call 1, mail: stdin
     bash    'This is the stdin of whoever started the form.\n'
     python  ''
"""
    assert report == expected[1:] + KEPT


def test_equal_calls_in_the_middle_are_omitted(tmp_path: Path) -> None:
    same = "for i in {1..20}; do mail $i; done"
    python = f"{CALL}for i in range(1, 21): call('mail', str(i))\ncall('sync')"
    assert """
     both    mail 1
     both    mail 2
     both    ... 16 more
     both    mail 19
     both    mail 20
     python  sync
""" in report_of(tmp_path, same, python)


def test_difference_of_several_calls_is_shown_once(tmp_path: Path) -> None:
    bash = "for i in 1 2 3 4 5; do mail $i; done; umask 077; mail 6; umask 022; mail 7"
    python = (
        f"{CALL}os.environ['LC_ALL'] = 'C'\nfor i in range(1, 8):\n"
        "    if i == 7: del os.environ['LC_ALL']\n"
        "    if i in (1, 3): os.umask(0)\n"
        "    call('mail', str(i))\n    os.umask(0o022)"
    )
    assert (
        report_of(tmp_path, bash, python).replace(KEPT, "")
        == """\
bash and python differ in 3 places.

1. calls 1 to 6, mail: environment LC_ALL
     bash    (not set)
     python  'C'

2. calls 1, 3, mail: umask
     bash    0022
     python  0000

3. call 6, mail: umask
     bash    0077
     python  0022
"""
    )


def test_repeats_are_collapsed(tmp_path: Path) -> None:
    bash = (
        "for i in {1..30}; do df; sync; done; for i in {1..5}; do mail me; done; mail root\n"
        "printf 'a\\n%.0s' {1..9}; printf 'b\\nc\\nd\\n%.0s' {1..4}"
    )
    python = (
        f"{CALL}for i in range(30): call('df'); call('sync')\n"
        "for i in range(4): call('mail', 'you')\ncall('mail', 'root')\n"
        "print('a\\n' * 9 + 'b\\nc\\nd\\n' * 4, end='')"
    )
    assert (
        report_of(tmp_path, bash, python).replace(KEPT, "")
        == """\
bash and python differ in 1 place.

1. calls, in order
     both    df
     both    sync
     both    ... these 2 lines 29 more times
     bash    mail me
     bash    ... 4 more times
     python  mail you
     python  ... 3 more times
     both    mail root

stdout of both:
     a
     ... 8 more times
     b
     c
     d
     ... these 3 lines 3 more times
"""
    )


def test_equal_unplanned_calls_are_listed_once(tmp_path: Path) -> None:
    pair = scripts(tmp_path, "for i in {1..40}; do mail a; done; mail b; mail a")
    pair.stand_in("mail").exits(0)
    with pytest.raises(AssertionError) as failure:
        pair.run()
    pair.close()
    assert str(failure.value).startswith(
        "both: unplanned call: mail a\n"
        "      calls 2 to 40, 42 of mail; 1 planned: exits(exit=0); it got exit status 97\n"
        "both: unplanned call: mail b\n      call 41 of mail; "
    )


def test_pattern_for_fewer_arguments_is_named(tmp_path: Path) -> None:
    pair = scripts(tmp_path, "git log --oneline; git tag x; git log")
    pair.stand_in("git").when("log").exits(0)
    pair.stand_in("git").when("tag", "y").exits(0)
    with pytest.raises(AssertionError) as failure:
        pair.run()
    pair.close()
    hints = [line for line in str(failure.value).splitlines() if "to allow more arguments" in line]
    assert hints == ["      to allow more arguments, plan: when('log', ...)"]


def test_collapsed_lines_stand_for_all_lines() -> None:
    lines = [*"aabbbcdcdcdeabcdabcdabcdabcdz", *"abcdeabcdeabcde"]
    shown = collapse(lines)
    assert sum(count for _, count in shown) == len(lines)
    assert [line for line, _ in shown] == [
        "a", "a", "b", "... 2 more times", "c", "d", "... these 2 lines 2 more times", "e",
        "a", "b", "c", "d", "... these 4 lines 3 more times", "z", *"abcdeabcdeabcde",
    ]  # fmt: skip
    assert collapse([]) == []


def test_omitted_lines_are_counted_before_they_are_collapsed(tmp_path: Path) -> None:
    bash = "for i in {1..9}; do mail $i; mail $i; mail $i; done"
    assert """
     bash    mail 1
     bash    ... 2 more times
     bash    mail 2
     bash    ... 2 more times
     bash    mail 3
     bash    ... 2 more times
     bash    mail 4
     bash    ... 15 more
     bash    ... 2 more times
""" in report_of(tmp_path, bash, f"{CALL}call('sync')")


def test_differing_arguments_of_a_long_command_are_shown(tmp_path: Path) -> None:
    files = " ".join(f"/a/file/with/a/long/name/{number}" for number in range(20))
    bash = f"rsync -a {files} here"
    python = f"{CALL}call('rsync', '-A', *'{files}'.split(), 'there')"
    assert """
1. call 1, rsync: argument 1
     bash    -a
     python  -A

2. call 1, rsync: argument 22
     bash    here
     python  there
""" in report_of(tmp_path, bash, python)


def test_report_of_one_form_alone(tmp_path: Path) -> None:
    pair = scripts(tmp_path, "mail; printf 'a\nb\n'")
    pair.stand_in("mail")
    pair.spawn("bash")
    with pytest.raises(AssertionError) as failure:
        pair.settle()
    pair.close()
    expected = """
bash: unplanned call: mail
      call 1 of mail; none was planned; it got exit status 97

stdout of bash:
     a
     b

The sandbox is kept (calls and streams: in the directory control):
     bash  DIRECTORY/bash"""
    assert str(failure.value).replace(str(tmp_path), "DIRECTORY") == expected[1:]


def test_no_two_values_look_alike() -> None:
    values = [
        "", " ", "  ", "\t", "\n", "\r", "\r\n", "\\n", "\\", "'", "\x00", "\x7f", "\x80", "\xff",
        "\xa0", "\u200b", "\u202e", "\ufeff", "\u2028", "é", "e\u0301", "\\xff", "\udcff", "\udc80",
        "\U000e0001", "a b", "a\xa0b", "'a' 'b'",
    ]  # fmt: skip
    shown = [readable(value) for value in values]
    assert len({*shown}) == len(values)
    assert all(text.isprintable() for text in shown)
    assert readable(b"\xff\xc3\xa9\n") == "'\\xffé\\n'" == readable("\udcffé\n")


def test_no_two_commands_look_alike() -> None:
    commands = [
        [], [""], ["", ""], ["a"], ["a", "b"], ["a b"], ["'a'", "b"], ["a", ""], ["", "a"],
        ["a\nb"], ["a\\nb"], ["$a"], ["*"], ["\udcff"], ["\xff"], ["'"], ["' '"], ["'", "'"],
    ]  # fmt: skip
    assert len({command(argv) for argv in commands}) == len(commands)
    assert command(["mail", "-s", "it's", ""]) == r"mail -s 'it\'s' ''"


def test_exit_statuses() -> None:
    assert [exit_status(number) for number in (0, 137, -9, -15, -200)] == [
        "0", "137", "-9 (SIGKILL)", "-15 (SIGTERM)", "-200",
    ]  # fmt: skip


def test_lists_of_numbers() -> None:
    lists = ([2], [2, 5], [1, 2, 3], [1, 2, 3, 4], [1, 3, 4, 5, 6, 9])
    assert [numbers("call", found) for found in lists] == [
        "call 2", "calls 2, 5", "calls 1, 2, 3", "calls 1 to 4", "calls 1, 3 to 6, 9",
    ]  # fmt: skip


def test_length_of_the_common_prefix() -> None:
    assert [alike("", "a"), alike("ab", "ab"), alike("ab", "ac"), alike(b"ab", b"abc")] == [
        0, 2, 1, 2,
    ]  # fmt: skip
