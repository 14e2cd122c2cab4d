"""A program and the files that it imports become one script."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.compiler.modules import FILES, GREETINGS, MAIN, MARKS, compiled, rejection_lines

from oauthkit.compiler.lint import verify
from oauthkit.compiler.loader.program import MAX_IMPORT_CHAIN


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "kit").mkdir()
    for name, text in {"hello.py": MAIN, **FILES}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def run(directory: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, cwd=directory, capture_output=True, text=True, check=False)


def oauthkit(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(directory, sys.executable, "-m", "oauthkit", "compile", *arguments)


def test_script_and_python_files_give_equal_results(directory: Path) -> None:
    made = oauthkit(directory, "hello.py", "-o", "hello.sh")
    assert (made.returncode, made.stderr) == (0, "")
    python, bash = run(directory, sys.executable, "hello.py"), run(directory, "bash", "hello.sh")
    assert python.stdout.startswith("$(mark)'hello $(mark)' world$(mark)'")
    assert (bash.stdout, bash.stderr, bash.returncode) == (python.stdout, "", 0)
    assert oauthkit(directory, "hello.py", "-o", "hello.sh", "--check").returncode == 0


def test_script_has_a_section_for_each_file() -> None:
    script = compiled()
    verify(script, lints=True)
    order = [
        "# Says hello.\n#\n", "MARK=", "  # How often.\n  local +x -r TIMES=2", "NAME=world",
        "# --- hello.py ---\n\n# Greets.\nmain() {",
        "# --- greetings.py ---\n# Greets.\n#\n# In more than one way.\n\n# What is said.\n",
        "greeting() {", "# --- marks.py ---\n# Marks.\n\n# The text between two marks.\nmarked() {",
        'start "$@"',
    ]  # fmt: skip
    places = [script.find(text) for text in order]
    assert -1 not in places, order[places.index(-1)]
    assert places == sorted(places)


def test_unneeded_parts_are_omitted() -> None:
    script = compiled()
    for name in ("for_others", "OPTIONAL", "find_program", "parse_int"):
        assert name not in script


def test_single_file_program_has_no_headings() -> None:
    alone = MAIN.replace("from kit.greetings import greeting, printf\n", "")
    alone = alone.replace("NAME =", 'printf = program("printf")\nNAME =')
    alone = alone.replace("from kit.marks import MARK\n", "").replace("greeting(NAME)", "NAME")
    assert "# ---" not in compiled(alone.replace(" + MARK", ""))


A = '"""A."""\n\nfrom oauthkit.shell import Status, parse_int, program\n'


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("import greeting,", "import greetin,", [
            "hello.py:7:27: D103: kit.greetings has no greetin",
            "= help: it defines greeting, for_others, TIMES, WORD, OPTIONAL, printf",
        ]),
        ("kit.marks import MARK", "kit.greetings import MARK", [
            "hello.py:8:27: D103: MARK is not defined in kit.greetings",
            "= help: import it: `from kit.marks import MARK`",
        ]),
        ("kit.marks import MARK", "kit.marks import MARK as SIGN", [
            "hello.py:8:23: D103: `as` in an import is outside the dialect",
            "= help: remove `as`, and use its own name. Write `from kit.marks import MARK`",
        ]),
        ("kit.marks import MARK", "kit.marks import *", [
            "hello.py:8:23: D103: `import *` is outside the dialect",
            "= help: list the names: `from kit.marks import marked, MARK`",
        ]),
        ("kit.marks import MARK", "kit.greetings import find_program", [
            "hello.py:8:27: D103: find_program is not defined in kit.greetings",
            "= help: import it: `from oauthkit.shell import find_program`",
        ]),
        ("kit.marks import MARK", "kit.marks import sys", [
            "hello.py:8:23: D103: sys is not defined in kit.marks",
            "= help: import it: `import sys`",
        ]),
        ("kit.marks import MARK", "kit import marks", [
            "hello.py:8:6: D103: kit is a directory",
            "= help: import from the file, as in `from kit.marks import …`",
        ]),
        ("from kit.marks import MARK", "from . import kit", [
            "hello.py:8:6: D103: relative imports are outside the dialect",
            "= help: write `from kit import …`",
        ]),
        ("from kit.marks import MARK", "import kit.marks", [
            "hello.py:8:8: D103: kit.marks is outside the dialect",
            "= help: packages from PyPI cannot be compiled. From a file of your own, import each"
            " function, with `from kit.marks import …`",
        ]),
        ("kit.marks import MARK", "kit.mark import MARK", [
            "hello.py:8:6: D103: there is no module kit.mark in the program's directory",
            "= help: packages from PyPI cannot be compiled. Your own functions can be in"
            " kit/mark.py in the program's directory",
        ]),
        ('NAME = "world"', 'greeting = "world"', [
            "hello.py:11:1: D402: greeting is already defined",
            "= help: rename the constant",
        ]),
        ('NAME = "world"', 'TIMES = "3"\nNAME = "world" + TIMES', [
            "hello.py:11:1: D402: TIMES is also defined in greetings.py",
            "= help: rename one of them. A script has one namespace",
        ]),
        ("text = greeting(NAME)", 'TIMES = ""\n    text = greeting(NAME + TIMES)', [
            "hello.py:16:5: D402: TIMES is also defined in greetings.py",
            "= help: rename one of them. A script has one namespace",
        ]),
        ('    """Greets."""\n', '    """Greets."""\n    _ = for_others("x")\n', [
            "hello.py:16:9: D104: for_others is not defined",
            "= help: define it, import it from a runtime library, or bind a program at the top with"
                " `program`",
        ]),
        ("def main", "def printf2(name: str) -> str:\n    return MARK + name\n\n\ndef main", [
            "hello.py:14:5: D308: the function printf2 is never called",
            "= help: delete it, or call it",
        ]),
    ],
)  # fmt: skip
def test_rejected_import_or_name(old: str, new: str, said: list[str]) -> None:
    assert old in MAIN
    assert rejection_lines(MAIN.replace(old, new))[:2] == said


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('NAME = "world"', 'NAME = "world"\nMARK = "x"'),
        ("    text =", '    MARK = "x"\n    text ='),
    ],
)
def test_assignment_to_an_imported_constant_gives_one_error(old: str, new: str) -> None:
    (said,) = rejection_lines(MAIN.replace(old, new))[::2]
    assert said.endswith("D402: MARK is a constant")


def test_unused_definitions_do_not_conflict() -> None:
    main = MAIN.replace('NAME = "', 'tool = program("for_others")\nNAME = "').replace(
        "text = greeting(NAME)",
        'optional = local.env.get("OPTIONAL", "x")\n    _ = tool[optional] & RETCODE\n'
        "    text = greeting(NAME)",
    )
    compiled(main.replace("import sys\n", "import sys\n\nfrom plumbum import local\n"))


def test_errors_name_their_file() -> None:
    lines = rejection_lines(
        MAIN.replace("kit.greetings import greeting", "a import greeting").replace(
            "print(", "put("
        ),
        a=A + "def greeting(name: str) -> str:\n    return name.upper()\n\n\nLOUD: int = 1\n"
        'printf = program("printf")\n',
    )
    assert [line.split(": ")[0] for line in lines if ": D" in line] == [
        "a.py:5:12", "a.py:8:7", "hello.py:18:5",
    ]  # fmt: skip


def test_only_the_syntax_error_of_a_file_is_reported() -> None:
    main = MAIN.replace("kit.greetings", "a")
    assert rejection_lines(main, a="def greeting(:\n")[:1] == [
        "a.py:1:14: D001: Python cannot parse ':' here"
    ]
    assert len(rejection_lines(main, a="def greeting(:\n")) == 2


def test_circular_imports_are_rejected() -> None:
    main = MAIN.replace("kit.greetings import greeting, printf", "a import greeting, printf")
    files = {
        "a": A + "from b import half\n\n\ndef greeting(name: str) -> str:\n    text = half(name)\n"
        '    return text\n\n\nprintf = program("printf")\n',
        "b": A + "from a import printf\n\n\ndef half(name: str) -> str:\n"
        '    _ = printf[name] & RETCODE\n    return name\n',
    }  # fmt: skip
    said = "b.py:4:6: D103: a also imports from this file"
    assert rejection_lines(main, **files)[:2] == [
        said,
        "= help: move the functions that both need into a separate file",
    ]


def test_dialect_names_cannot_be_redefined_in_any_file() -> None:
    main = MAIN.replace("kit.marks import MARK", "a import ERROUT").replace("MARK", "ERROUT")
    assert rejection_lines(main, a='ERROUT = "errors"\n') == [
        "a.py:1:1: D402: ERROUT is reserved by the dialect",
        "= help: rename the constant",
    ]


def test_import_cannot_redefine_a_name() -> None:
    own = MAIN.replace("kit.marks import MARK", "a import now_ms").replace("MARK", '"x"')
    own = own.replace("parse_int, program", "now_ms")
    assert rejection_lines(own, a=A + 'now_ms = program("date")\n') == [
        "hello.py:9:72: D103: now_ms is already defined",
        "= help: rename it in a, or remove this import",
    ]


def chain(length: int, last: str) -> dict[str, str]:
    """Return the files m1 to m`length`. Each contains `last` and imports from the next one."""
    text = f"def f{{0}}(flag: bool) -> bool:\n    other = {last}flag\n    return other\n"
    first = [f"from m{number + 1} import f{number + 1}\n" for number in range(1, length)]
    return {
        f"m{number}": f"{above}\n\n{text.format(number)}"
        for number, above in enumerate([*first, ""], 1)
    }


def test_import_depth_is_limited() -> None:
    main = MAIN.replace("kit.marks import MARK", "m1 import f1").replace("MARK", '"x"')
    main = main.replace(
        "    text =", "    flag = f1(True)\n    if flag:\n        return 3\n    text ="
    )
    compiled(main, **chain(MAX_IMPORT_CHAIN, 90 * "not "))
    for length in (MAX_IMPORT_CHAIN + 1, 1000):
        assert rejection_lines(main, **chain(length, "not ")) == [
            "m50.py:1:6: D103: m51 is the end of a chain of 51 imports",
            "= help: merge some of the files",
        ]


def test_functions_in_two_files_need_distinct_names() -> None:
    main = MAIN.replace("def main", "def marked(text: str) -> str:\n    return text\n\n\ndef main")
    main = main.replace("greeting(NAME)", "marked(NAME)\n    text = greeting(text)")
    said = "hello.py:14:5: D402: marked is also defined in marks.py"
    assert said in rejection_lines(main)


def test_function_named_like_another_file_s_program_is_rejected() -> None:
    main = MAIN.replace("greeting, printf", "greeting, printf_it").replace(
        'printf["%s", text]', "printf_it[text]"
    )
    marks = MARKS.replace(
        "def marked", "def tac(text: str) -> str:\n    return text\n\n\ndef marked"
    ).replace("    return MARK", "    text = tac(text)\n    return MARK")
    files = {"kit/marks": marks, "kit/greetings": GREETINGS.replace(
        'printf = program("printf")', 'printf_it = program("tac")')}  # fmt: skip
    assert rejection_lines(main, **files)[0] == (
        "kit/marks.py:10:5: D402: this program runs a program of the name tac"
    )


def test_environment_name_conflicts_with_a_name_in_another_file() -> None:
    marks = MARKS.replace("    return MARK", '    local.env["NAME"] = text\n    return MARK')
    marks = marks.replace('MARK = "', 'from plumbum import local\n\nMARK = "')
    assert rejection_lines(**{"kit/marks": marks})[0] == (
        "hello.py:11:1: D402: NAME is also an environment variable that the program uses"
    )


def test_non_text_file_is_named(directory: Path) -> None:
    (directory / "kit/marks.py").write_bytes(b"MARK = '\xff'\n")
    done = oauthkit(directory, "hello.py")
    assert done.returncode == 1
    assert "kit/marks.py is neither UTF-8 nor in the encoding that it declares" in done.stderr


@pytest.mark.parametrize(
    ("files", "what", "way"),
    [
        ({"kit/marks/__init__.py": ""},
         "kit.marks is also a package, which Python imports instead of kit/marks.py",
         "rename one of them"),
        ({"kit.py": MARKS},
         "kit is also a file, kit.py, which Python imports instead of the directory",
         "rename one of them"),
        ({"kit/__init__.py": "print('hello')\n"},
         "kit/__init__.py has code, which Python runs and bash does not",
         "leave only a docstring and __version__ in it, or delete it"),
    ],
)  # fmt: skip
def test_file_that_python_or_bash_would_reject(
    directory: Path, files: dict[str, str], what: str, way: str
) -> None:
    for name, text in files.items():
        (directory / name).parent.mkdir(exist_ok=True)
        (directory / name).write_text(text, encoding="utf-8")
    done = oauthkit(directory, "hello.py")
    assert done.returncode == 1
    assert f"D103: {what}\n" in done.stderr
    assert f"= help: {way}\n" in done.stderr


def test_module_with_a_bash_file_is_a_runtime_library(directory: Path) -> None:
    (directory / "kit/marks.bash").write_text("", encoding="utf-8")
    done = oauthkit(directory, "hello.py")
    assert (done.returncode, done.stderr) == (
        1,
        "oauthkit compile: marks.bash has no line that starts with '# --- Builtins ---'. Add one"
        " above its builtins, or rename the file: a module with a .bash file beside it is a runtime"
        " library\n",
    )


@pytest.mark.parametrize("module", ["errno", "wave", "xml.kit", "__main__"])
def test_name_of_a_standard_module_is_rejected(directory: Path, module: str) -> None:
    file = directory / f"{module.replace('.', '/')}.py"
    file.parent.mkdir(exist_ok=True)
    file.write_text(MARKS, encoding="utf-8")
    main = MAIN.replace("kit.marks", module)
    (directory / "hello.py").write_text(main, encoding="utf-8")
    done = oauthkit(directory, "hello.py")
    first = module.partition(".")[0]
    assert done.returncode == 1
    assert f"hello.py:8:6: D103: Python has its own module {first}\n" in done.stderr
    assert re.search(rf"= help: rename the (file|directory) {first}\n", done.stderr)


def test_package_can_have_a_docstring_and_a_version(directory: Path) -> None:
    text = '# A comment.\n"""A kit."""\n\n__version__ = "1"\n'
    (directory / "kit/__init__.py").write_text(text, encoding="utf-8")
    assert oauthkit(directory, "hello.py").returncode == 0


def test_modules_are_found_next_to_the_program_not_its_link(directory: Path) -> None:
    other = directory / "other"
    (other / "kit").mkdir(parents=True)
    (other / "kit/marks.py").write_text('MARK = "another"\n', encoding="utf-8")
    (other / "link.py").symlink_to(directory / "hello.py")
    made = oauthkit(other, "link.py", "-o", "hello.sh")
    assert (made.returncode, made.stderr) == (0, "")
    python, bash = run(other, sys.executable, "link.py"), run(other, "bash", "hello.sh")
    assert (bash.stdout, python.stderr) == (python.stdout, "")
    assert "another" not in bash.stdout


def test_import_from_the_program_is_reported_once(directory: Path) -> None:
    marks = MARKS.replace("import sys\n", "import sys\n\nfrom hello import NAME\n")
    (directory / "kit/marks.py").write_text(marks, encoding="utf-8")
    done = oauthkit(directory, "./hello.py")
    assert done.stderr.count(": D") == 1
    assert "kit/marks.py:5:6: D103: hello also imports from this file\n" in done.stderr
