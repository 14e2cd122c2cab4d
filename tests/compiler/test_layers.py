"""The compiler's stages import each other in one direction."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "py/oauthkit"
COMPILER = PACKAGE / "compiler"
# Each stage imports only from itself and from stages above it.
STAGES = [
    [
        "source",
        "types",
        "evaluation_order",
        "constructs",
        "reserved_names",
        "ir",
        "bash.ast",
        "bash.names",
    ],
    ["diagnostics"],
    ["runtime_library"],
    ["loader"],
    ["sema"],
    ["lowering"],
    ["bash"],
    ["lint"],
    ["driver"],
]
# The compiler's imports from the rest of the package.
OUTSIDE = {
    ("lint", "oauthkit.extras.not_installed"),
    ("driver", "oauthkit.atomic.replace_file"),
}
# The program in the dialect.
PROGRAM = PACKAGE / "program"


def imported(path: Path) -> Iterator[str]:
    """Yield every module that a file imports, anywhere in the file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 or PACKAGE / "compiler" not in path.parents, path
            module = node.module or ""
            base = f"oauthkit.{module}".rstrip(".") if node.level else module
            yield from (f"{base}.{alias.name}" for alias in node.names)


def stage(module: str) -> int:
    """Return the stage of a module: the longest name in STAGES that it starts with."""
    name = module.removeprefix("oauthkit.compiler.")
    found = [
        (len(entry), index)
        for index, entries in enumerate(STAGES)
        for entry in entries
        if f"{name}.".startswith(f"{entry}.")
    ]
    assert found, f"{module} has no stage"
    return max(found)[1]


def modules() -> list[str]:
    """Return the compiler's modules, without __init__ modules."""
    paths = sorted(COMPILER.rglob("*.py"))
    names = [".".join(path.relative_to(COMPILER).with_suffix("").parts) for path in paths]
    return [name for name in names if not name.endswith("__init__")]


@pytest.mark.parametrize("module", modules())
def test_stage_imports_only_from_earlier_stages(module: str) -> None:
    path = COMPILER / f"{module.replace('.', '/')}.py"
    own = stage(module)
    for name in imported(path):
        if name.startswith("oauthkit.compiler."):
            assert stage(name) <= own, f"{module} imports {name}"
        elif name.split(".")[0] == "oauthkit":
            assert (module, name) in OUTSIDE, f"{module} imports {name}"


def test_compiler_subpackages_only_collect_names() -> None:
    """Their __init__.py may import and collect names, but defines no functions or classes."""
    for path in COMPILER.glob("*/**/__init__.py"):
        doc, *rest = ast.parse(path.read_text(encoding="utf-8")).body
        assert isinstance(doc, ast.Expr), path
        assert all(isinstance(node, ast.ImportFrom | ast.Assign) for node in rest), path
        assert not any(isinstance(node, ast.Call) for node in ast.walk(ast.Module(rest, []))), path


@pytest.mark.parametrize(
    "path", [*sorted(PROGRAM.glob("*.py")), PACKAGE / "shell.py"], ids=lambda path: path.name
)
def test_program_imports_only_plumbum_the_runtime_library_and_itself(path: Path) -> None:
    own = {"oauthkit.program", "oauthkit.shell"} if path.parent == PROGRAM else set()
    for name in imported(path):
        top = name.split(".")[0]
        if top == "oauthkit":
            assert ".".join(name.split(".")[:2]) in own, f"{path.name} imports {name}"
        else:
            assert top == "plumbum" or top in sys.stdlib_module_names, f"{path.name} imports {name}"


@pytest.mark.parametrize("path", sorted((PACKAGE / "parity").rglob("*.py")), ids=lambda p: p.name)
def test_parity_kit_does_not_import_the_program(path: Path) -> None:
    foreign = {f"oauthkit.{name}" for name in ("program", "compiler", "host")}
    for name in imported(path):
        assert ".".join(name.split(".")[:2]) not in foreign, f"{path.name} imports {name}"
