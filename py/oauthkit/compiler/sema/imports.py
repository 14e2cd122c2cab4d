"""Analyze imports: which symbols they define, and which names are used without one."""

from __future__ import annotations

import ast
import sys

from oauthkit.compiler.diagnostics import suggestions
from oauthkit.compiler.diagnostics.help import code
from oauthkit.compiler.loader.resolver import UnusableModuleError
from oauthkit.compiler.reserved_names import MODULES, is_foreign_module
from oauthkit.compiler.sema.commands import FOREIGN_RUNNERS
from oauthkit.compiler.sema.scope import bound_names
from oauthkit.compiler.sema.symbols import Symbols

PLUMBUM_COMMANDS = "plumbum.cmd"
STAR = "`import *` is outside the dialect"


def read_import(symbols: Symbols, node: ast.Import) -> None:
    """Analyze `import a, b`."""
    for alias in node.names:
        name = alias.asname or alias.name.split(".")[0]
        if alias.name in MODULES and alias.asname is None:
            symbols.imports.add(alias.name)
        elif alias.name in MODULES:
            _reject_renaming(symbols, alias, f"import {alias.name}")
        else:
            _reject(symbols, alias, alias.name, "")
            symbols.rejected.add(name)


def read_import_from(symbols: Symbols, node: ast.ImportFrom) -> None:
    """Analyze `from module import a, b`."""
    module = node.module or ""
    if node.level:
        place = symbols.part(node, "." * node.level + module)
        way = code("write", _absolute(symbols, node))
        way = way.replace("write:", "write") if "…" in way else way
        symbols.report("D103", place, "relative imports are outside the dialect", way)
        symbols.rejected |= {*bound_names(node)}
        return
    if module in symbols.files:
        _read_file(symbols, node, module, symbols.files[module])
        return
    if not is_foreign_module(module) and module not in symbols.library.modules:
        message, help = suggestions.of_missing(module, {*sys.stdlib_module_names})
        symbols.report("D103", symbols.part(node, module), message, help)
        symbols.rejected |= {*bound_names(node)}
        return
    home = symbols.home
    for alias in node.names:
        _read_alias(symbols, module, alias, home)


def _absolute(symbols: Symbols, node: ast.ImportFrom) -> str:
    """Return the absolute form of a relative import."""
    package = symbols.module.split(".")[: -node.level]
    if node.module is None:
        return f"from {'.'.join([*package, node.names[0].name])} import …"
    return ast.unparse(ast.ImportFrom(".".join([*package, node.module]), node.names, 0))


def _read_file(
    symbols: Symbols, node: ast.ImportFrom, module: str, file: Symbols | UnusableModuleError
) -> None:
    """Analyze an import from a file of the program."""
    if isinstance(file, UnusableModuleError):
        symbols.report("D103", symbols.part(node, module), file.message, file.help)
        symbols.rejected |= {*bound_names(node)}
        return
    for alias in node.names:
        _read_name(symbols, module, alias, file)


def _read_name(symbols: Symbols, module: str, alias: ast.alias, file: Symbols) -> None:
    name = alias.name
    owns = (*file.functions, *file.constants, *file.commands)
    own = [found for found in owns if found not in file.imported_from]
    taken = (
        symbols.functions,
        symbols.constants,
        symbols.commands,
        symbols.builtins,
        symbols.imports,
    )
    if not file.is_python or name in file.rejected:
        symbols.rejected.add(alias.asname or name)
        return
    if name in (*file.imported_from, *file.builtins, *file.imports):
        what, way = f"{name} is not defined in {module}", _way_to(file, name)
    elif name == "*":
        needed = ", ".join([found for found in own if found != "main"][:2])
        way = "delete the import. The file has no such names"
        if needed:
            way = f"list the names: `from {module} import {needed}`"
        what = STAR
        symbols.rejected.update(owns, file.builtins, file.imports)
    elif name not in own:
        what = f"{module} has no {name}"
        way = f"it defines {', '.join(own) or 'nothing that can be imported'}"
    elif alias.asname is not None:
        _reject_renaming(symbols, alias, f"from {module} import {name}")
        return
    elif any(name in found for found in taken) and symbols.imported_from.get(name) != module:
        what, way = f"{name} is already defined", f"rename it in {module}, or here"
    else:
        _import_from_file(symbols, module, name, file)
        return
    symbols.report("D103", alias, what, way)
    symbols.rejected.add(alias.asname or name)


def _import_from_file(symbols: Symbols, module: str, name: str, file: Symbols) -> None:
    symbols.imported_from[name] = module
    if name in file.functions:
        symbols.functions[name] = file.functions[name]
    elif name in file.commands:
        symbols.commands[name] = file.commands[name]
    else:
        symbols.constants[name] = file.constants[name]
        if name in file.texts:
            symbols.texts[name] = file.texts[name]
        if name in file.tuples:
            symbols.tuples[name] = file.tuples[name]


def _read_alias(symbols: Symbols, module: str, alias: ast.alias, home: dict[str, str]) -> None:
    name = alias.asname or alias.name
    if module == PLUMBUM_COMMANDS:
        help = f'bind the program at the top: `{name} = program("{alias.name}")`'
        if alias.name == "*":
            help = 'bind each program at the top, as in `grep = program("grep")`'
        elif "_" in alias.name:  # plumbum looks for each of these when the program runs
            others = " or ".join(alias.name.replace("_", sign) for sign in "-.")
            help = (
                f"bind the program at the top with `program`, by its exact name: {alias.name}, or"
                f" {others} if there is no {alias.name}"
            )
        symbols.report("D103", alias, f"{module} is outside the dialect", help)
        symbols.commands[name] = alias.name
    elif alias.name in FOREIGN_RUNNERS:
        symbols.report(
            "D103", alias, f"{alias.name} is outside the dialect",
            f"run commands with `& TF`, `& RETCODE` or `& CAPTURE` of {symbols.library.module}",
        )  # fmt: skip
    elif alias.name == "*":
        exported = [name for name, place in home.items() if place == module]
        symbols.report(
            "D103", alias, STAR,
            f"list the names: `from {module} import {', '.join(exported[:2])}`",
        )  # fmt: skip
        _import(symbols, exported)
    elif home.get(alias.name) != module:
        _reject(symbols, alias, module, alias.name)
        if alias.name in home and alias.asname is None:
            _import(symbols, [alias.name])
        else:
            symbols.rejected.add(name)
    elif alias.asname is not None:
        _reject_renaming(symbols, alias, f"from {module} import {alias.name}")
    elif name in symbols.imported_from:
        symbols.report(
            "D103", alias, f"{name} is already defined",
            f"rename it in {symbols.imported_from[name]}, or remove this import",
        )  # fmt: skip
    else:
        _import(symbols, [alias.name])


def _import(symbols: Symbols, names: list[str]) -> None:
    symbols.builtins.update(name for name in names if name in symbols.library.builtins)
    symbols.imports.update(name for name in names if name not in symbols.library.builtins)


def _reject_renaming(symbols: Symbols, alias: ast.alias, way: str) -> None:
    symbols.report(
        "D103", alias, "`as` in an import is outside the dialect",
        f"remove `as`, and use its own name. Write `{way}`",
    )  # fmt: skip
    symbols.rejected.add(alias.asname or alias.name)


def _reject(symbols: Symbols, alias: ast.alias, module: str, name: str) -> None:
    library = symbols.library
    if name and module in library.modules:
        builtins = [word for word, found in library.builtins.items() if found.module == module]
        help = suggestions.of_builtin(name, builtins)
        if place := symbols.home.get(name):
            help = f"write: `from {place} import {name}`"
        symbols.report("D103", alias, f"{module} has no builtin {name}", help)
        return
    suggestion = suggestions.of_import(module, name, symbols.home, {*sys.stdlib_module_names})
    symbols.report("D103", alias, suggestion.message, suggestion.help)


def _way_to(symbols: Symbols, name: str) -> str:
    """Return the import of a name that is not defined in a file."""
    home = symbols.home | symbols.imported_from
    return code(
        "import it", f"from {home[name]} import {name}" if name in home else f"import {name}"
    )


def check_order(symbols: Symbols, module: ast.Module) -> None:
    """Report each import below another statement, because Python sets its names only there.

    Imports with other errors are not reported again.
    """
    reported = {found.span.line for found in symbols.diagnostics if found.source is symbols.source}
    is_doc = ast.get_docstring(module, clean=False) is not None
    first: ast.stmt | None = None
    for node in module.body[is_doc:]:
        if not isinstance(node, (ast.Import, ast.ImportFrom)):
            first = first or node
        elif first is not None and reported.isdisjoint(
            range(node.lineno, (node.end_lineno or node.lineno) + 1)
        ):
            what = node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
            place = (ast.get_source_segment(symbols.source.text, first) or "").partition("\n")[0]
            symbols.report(
                "D103", node, f"the import of {what} is below other statements",
                f"move it above {place}",
            )  # fmt: skip


def check_imports(symbols: Symbols, module: ast.Module) -> None:
    """Report names that are used without their import, each once."""
    home = symbols.home
    missing = ({*home, *MODULES} - symbols.imports) - symbols.builtins - symbols.rejected
    missing -= {*symbols.functions, *symbols.commands, *symbols.constants}
    uses = [node for node in ast.walk(module) if isinstance(node, ast.Name)]
    # A variable can have the name of a builtin. Other variables were reported.
    missing -= {node.id for node in uses if isinstance(node.ctx, ast.Store)}
    missing -= {inner.arg for inner in ast.walk(module) if isinstance(inner, ast.arg)}
    for node in uses:
        if node.id in missing:
            symbols.report("D301", node, f"{node.id} is not imported", _way_to(symbols, node.id))
            missing.discard(node.id)
            _import(symbols, [node.id])
