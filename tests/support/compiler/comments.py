"""A program with a comment in every position."""

from __future__ import annotations

from tests.support.compiler.programs import program

FUNCTIONS = '''# --- Section ---

# about join
def join(
    text: str,  # what text is
    # about number
    number: int,
) -> str:  # beside def
    # above the docstring
    """Joins."""  # beside the docstring
    # below the docstring

    # with a blank line
    return f"{text}{number}"  # what comes back
    # below the last

    # at the very end

# --- Section 2 ---


def nothing() -> None:
    """Does nothing."""
    # but this


def show(text: str) -> None:
    print(text)
    # it goes
    return  # here
'''
BODY = """# the first
ok = true & TF  # a decision
count = 1  # one

# alone

text = join("a", count)  # two
if count == 1:  # beside if
    # first in if
    print("a")
    # last in if

    # and after a blank line
# above elif

# above elif, too
elif (  # in elif
    count == 2
    # inside
    and count != 3
):  # beside elif
    print("b")  # beside print
    if ok:  # beside an inner if
        pass  # beside pass
        # last in the inner if
    # last in elif
# above else

else:  # beside else
    # first in else

    print(text)
    # last in else
# after if
while count < 5:  # beside while
    # first in while
    count += 1
    # last in while
for name in ("a", "b"):  # beside for
    # first in for
    print(name)
# above a call
nothing()
_ = printf[
    "%s",  # x
    # about y
    "y",
] & RETCODE  # run
if count == 9: print("nine")  # all on one line
if count == 1:
    print("one")
else:
    # above an if in else
    if count == 2:
        print("two")
    # below an if in else
show("x"); show("y")  # beside two
status = count - 5  # noqa: F841
print(f"{status}")
# the end"""
TEXT = program(BODY, FUNCTIONS)
