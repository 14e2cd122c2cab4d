"""Rejected imports, and names that imports reserve."""

from __future__ import annotations

import pytest
from tests.support.compiler.modules import GREETINGS, rejection_lines
from tests.support.compiler.modules import MAIN as PROGRAM
from tests.support.compiler.programs import TAIL, library
from tests.support.compiler.rejections import MAIN, accept, rejections, under_caret

from oauthkit.compiler.driver import compile_text

# Definitions that redefine a name of the dialect.
KNOWN = [
    ("ERROUT = 5\n", "ERROUT"),
    ("CAPTURE = 4\n", "CAPTURE"),
    ("str = program('echo')\n", "str"),
    ("os = program('printf')\n", "os"),
    ("os = 5\n", "os"),
    ("tuple = program('echo')\n", "tuple"),
    ("__name__ = program('x')\n", "__name__"),
    ("def local() -> None:\n    pass\n", "local"),
    ("def LocalPath(a: str) -> str:\n    return a\n", "LocalPath"),
    ("def f(sys: str) -> None:\n    print(sys)\n", "sys: str"),
    ("def f() -> None:\n    BaseCommand = 1\n    print(f'{BaseCommand}')\n", "BaseCommand"),
    ("def main(*os: str) -> Status:\n    for o in os:\n        print(o)\n    return 0\n",
     "os: str"),
]  # fmt: skip


# The code between the first imports and a late one, and the late import.
LATE = [
    ("HOME_DIR = local.env.get('X', '')", "from plumbum import local"),
    ("true = program('true')", "from oauthkit.shell import program"),
    ("def f(path: LocalPath) -> None:\n    print(path)", "from plumbum import LocalPath"),
    ("LIMIT = 5  # at most", "import os"),
]


@pytest.mark.parametrize(("top", "caret"), KNOWN)
@pytest.mark.parametrize("head", ["", "import os\n\nfrom plumbum import LocalPath, local\n"])
def test_dialect_names_cannot_be_redefined(top: str, caret: str, head: str) -> None:
    main = "" if "main" in top else f"\n\n{MAIN}"
    needed = "import sys\n\nfrom oauthkit.shell import Status, program\n"
    error = rejections(f"from __future__ import annotations\n\n{needed}{head}\n\n{top}{main}{TAIL}")
    (found,) = error.diagnostics
    assert (found.code, under_caret(error)) == ("D402", caret)
    assert found.message == f"{caret.split(':', maxsplit=1)[0]} is reserved by the dialect"
    assert found.help.startswith("rename the ")


@pytest.mark.parametrize(("above", "late"), LATE)
def test_imports_come_first(above: str, late: str) -> None:
    start = "import sys\n\nfrom oauthkit.shell import Status\n"
    error = rejections(f"{start}\n{above}\n{late}\n\n\n{MAIN}{TAIL}")
    (found,) = [found for found in error.diagnostics if found.code == "D103"]
    module = late.split()[1]
    assert found.message == f"the import of {module} is below other statements"
    first = above.splitlines()[0].partition("  #")[0]
    assert found.help == f"move it above {first}"
    accept(f"{start}{late}\n\n{above}\n\n\n{MAIN}{TAIL}")


def test_imports_can_share_a_line() -> None:
    compile_text(
        f"'A doc.'; import sys; from oauthkit.shell import Status\n{MAIN}{TAIL}",
        "p.py",
        library(),
    )


def test_star_import_gives_one_error() -> None:
    main = PROGRAM.replace("greetings import greeting, printf", "greetings import *")
    main = main.replace("print(", "there = for_others(text)\n    if there:\n        print(")
    said = "hello.py:7:27: D103: `import *` is outside the dialect"
    way = "= help: list the names: `from kit.greetings import greeting, for_others`"
    assert rejection_lines(main) == [said, way]


@pytest.mark.parametrize(
    ("relative", "way"),
    [
        (".marks import MARK, marked", ": `from kit.marks import MARK, marked`"),
        ("..kit.marks import MARK, marked", ": `from kit.marks import MARK, marked`"),
        (". import marks", " `from kit.marks import …`"),
    ],
)
def test_suggestion_for_a_relative_import_names_the_file(relative: str, way: str) -> None:
    greetings = GREETINGS.replace("kit.marks import MARK, marked", relative)
    place, help = rejection_lines(**{"kit/greetings": greetings})[:2]
    assert place == "kit/greetings.py:10:6: D103: relative imports are outside the dialect"
    assert help == f"= help: write{way}"
