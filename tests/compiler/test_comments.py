"""All comments of a program are in the script, in order and in place."""

from __future__ import annotations

import io
import tokenize

from tests.support.compiler.comments import TEXT
from tests.support.compiler.programs import library, program

from oauthkit.compiler.driver import compile_text
from oauthkit.compiler.lint import verify

SCRIPT = compile_text(TEXT, "program.py", library())

# From the first function to the end of main.
WANTED = """# --- Section ---

# about join
# what text is
# about number
# beside def
# Joins.
join() {
  local +x text=$1 number=$2
  # above the docstring
  # beside the docstring
  # below the docstring

  # with a blank line
  REPLY="$text$number" # what comes back
  # below the last

  # at the very end
}

# --- Section 2 ---

# Does nothing.
nothing() {
  # but this
  :
}

show() {
  local +x text=$1
  printf '%s\\n' "$text"
  # it goes
  # here
}

main() {
  local +x ok count text name status
  # the first
  if { true; } >/dev/null 2>&1; then # a decision
    ok=true
  else
    ok=false
  fi
  count=1 # one

  # alone

  join a "$count" # two
  text=$REPLY
  if ((count == 1)); then # beside if
    # first in if
    printf '%s\\n' a
    # last in if

    # and after a blank line
  # above elif

  # above elif, too
  # in elif
  # inside
  elif ((count == 2 && count != 3)); then # beside elif
    printf '%s\\n' b                       # beside print
    if [[ $ok == true ]]; then            # beside an inner if
      :                                   # beside pass
      # last in the inner if
    fi
    # last in elif
  # above else
  else # beside else
    # first in else

    printf '%s\\n' "$text"
    # last in else
  fi
  # after if
  while ((count < 5)); do # beside while
    # first in while
    count=$((count + 1))
    # last in while
  done
  for name in a b; do # beside for
    # first in for
    printf '%s\\n' "$name"
  done
  # above a call
  nothing
  # x
  # about y
  { printf '%s' y; } >/dev/null 2>&1 # run
  if ((count == 9)); then
    printf '%s\\n' nine # all on one line
  fi
  if ((count == 1)); then
    printf '%s\\n' one
  else
    # above an if in else
    if ((count == 2)); then
      printf '%s\\n' two
    fi
    # below an if in else
  fi
  show x
  show y # beside two
  status=$((count - 5))
  printf '%s\\n' "$status"
  # the end
  return 0
}
"""


def comments(text: str) -> list[str]:
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return [token.string for token in tokens if token.type == tokenize.COMMENT]


def test_each_comment_is_in_its_place() -> None:
    start = SCRIPT.index("# --- Section ---")
    assert SCRIPT[start : SCRIPT.rindex('\nstart "$@"')] == WANTED


def test_all_comments_are_kept_in_order() -> None:
    wanted = [comment for comment in comments(TEXT) if "noqa" not in comment]
    place = 0
    for comment in wanted:
        place = SCRIPT.find(comment, place) + 1
        assert place > 0, comment


def test_linters_accept_the_comments() -> None:
    verify(SCRIPT, lints=True)


def test_trailing_comments_of_adjacent_lines_are_aligned() -> None:
    text = program(
        "a = 1  # one\nlong = 'ü'  # two\nb = 2\nc = 3  # three\nprint(f'{a}{long}{b}{c}')"
    )
    script = compile_text(text, "program.py", library())
    assert "  a=1      # one\n  long='ü' # two\n  b=2\n  c=3 # three\n" in script
    verify(script, lints=True)


def test_constants_keep_their_comments() -> None:
    above = "# --- Settings ---\n\nLIMIT = 5  # beside\n# above\nNAME = (  # in\n    'x'\n)"
    text = program("print(f'{LIMIT}{NAME}')", above)
    script = compile_text(text, "program.py", library())
    assert (
        "  # --- Settings ---\n\n"
        "  local +x -r LIMIT=5 # beside\n"
        "  # above\n  # in\n"
        "  local +x -r NAME=x\n"
    ) in script
    verify(script, lints=True)


def test_comments_are_not_linter_directives() -> None:
    """Trailing blanks and backslashes are removed, and ShellCheck directives are disabled."""
    functions = '''def show(text: str) -> None:
    """shellcheck: what this is.

    shellcheck disable=all
    """
    print(text)
'''
    lines = (
        "# blanks \t\u00a0 ",
        "x = 'x'  # a backslash\\",
        "# another \\ ",
        "show(x)  # a bell\x07",
        "# shellcheck: a note",
        "#shellcheck disable=SC2086",
        "print(x)  # shellcheck source=x",
        "# a \\ stays, and shellcheck, too",
    )
    script = compile_text(program("\n".join(lines), functions), "program.py", library())
    assert "## shellcheck: what this is.\n#\n## shellcheck disable=all\nshow() {\n" in script
    wanted = """  # blanks
  x=x # a backslash
  # another
  show "$x" # a bell
  ## shellcheck: a note
  ##shellcheck disable=SC2086
  printf '%s\\n' "$x" ## shellcheck source=x
  # a \\ stays, and shellcheck, too
"""
    assert wanted in script
    verify(script, lints=True)


def test_comments_of_removed_statements_are_kept() -> None:
    body = 'text = "a"\nprint(text)\n# above\n_, _, _ = text.partition("::")  # beside\nprint("b")'
    script = compile_text(program(body), "program.py", library())
    assert "  # above\n  # beside\n  printf '%s\\n' b\n" in script
