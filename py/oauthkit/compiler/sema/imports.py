"""The imports of a program: what they bring, and what is used without one."""

from __future__ import annotations

import ast
import sys

from oauthkit.compiler.diagnostics import suggestions as ways_out
from oauthkit.compiler.dialect import IMPORTS, MODULES, PRIMITIVES
from oauthkit.compiler.loader.program import UnfitModuleError
from oauthkit.compiler.sema.commands import FOREIGN_RUNNERS
from oauthkit.compiler.sema.symbols import Names, bound_names

PLUMBUM_COMMANDS = "plumbum.cmd"
STAR = "* brings names that nobody can see"


def read_import(names: Names, node: ast.Import) -> None:
    """Reads `import a, b`."""
    for alias in node.names:
        name = alias.asname or alias.name.split(".")[0]
        if alias.name in MODULES and alias.asname is None:
            names.imports.add(alias.name)
        elif alias.name in MODULES:
            _refuse_other_name(names, alias, f"import {alias.name}")
        else:
            _refuse(names, alias, alias.name, "")
            names.refused.add(name)


def read_import_from(names: Names, node: ast.ImportFrom) -> None:
    """Reads `from module import a, b`."""
    module = node.module or ""
    if node.level:
        place = names.part(node, "." * node.level + module)
        way = f"write {_absolute(names, node)}"
        names.report("D103", place, "an import relative to a package", way)
        names.refused |= {*bound_names(node)}
        return
    home = _home(names)
    known = {place for place in home.values() if place not in MODULES}
    is_unknown = module not in known and module.split(".")[0] not in ("plumbum", *MODULES)
    if is_unknown and _read_file(names, node, module):
        return
    if is_unknown:
        name = node.names[0].name
        what = f"{module} is outside the dialect"
        way = ways_out.of_import(module, name, {}, {*sys.stdlib_module_names}).help
        if _is_file(names, f"{module}.{name}"):
            what = f"{module} is a folder"
            way = f"import from the file in it: from {module}.{name} import …"
        names.report("D103", names.part(node, module), what, way)
        names.refused |= {*bound_names(node)}
        return
    for alias in node.names:
        _read_alias(names, module, alias, home)


def _absolute(names: Names, node: ast.ImportFrom) -> str:
    """A relative import as it has to be written."""
    package = names.module.split(".")[: -node.level]
    if node.module is None:
        return f"from {'.'.join([*package, node.names[0].name])} import …"
    return ast.unparse(ast.ImportFrom(".".join([*package, node.module]), node.names, 0))


def _is_file(names: Names, module: str) -> bool:
    try:
        return names.load(module) is not None
    except UnfitModuleError:
        return True


def _read_file(names: Names, node: ast.ImportFrom, module: str) -> bool:
    """Reads an import from a file of the program's own; whether `module` is one."""
    try:
        file = names.load(module)
    except UnfitModuleError as error:
        names.report("D103", names.part(node, module), error.what, error.way)
        names.refused |= {*bound_names(node)}
        return True
    if file is None:
        return False
    for alias in node.names:
        _read_name(names, module, alias, file)
    return True


def _read_name(names: Names, module: str, alias: ast.alias, file: Names) -> None:
    name = alias.name
    owns = (*file.functions, *file.constants, *file.commands)
    own = [found for found in owns if found not in file.brought]
    taken = (names.functions, names.constants, names.commands, names.words, names.imports)
    if not file.is_read or name in file.refused:
        names.refused.add(alias.asname or name)
        return
    if name in (*file.brought, *file.words, *file.imports):
        what, way = f"{name} is not {module}'s own", _way_to(file, name)
    elif name == "*":
        needed = ", ".join([found for found in own if found != "main"][:2])
        what, way = STAR, f"name what you need: from {module} import {needed or '…'}"
        names.refused.update(owns, file.words, file.imports)
    elif name not in own:
        what = f"{module} has no {name}"
        way = f"it has {', '.join(own) or 'nothing that could be imported'}"
    elif alias.asname is not None:
        _refuse_other_name(names, alias, f"from {module} import {name}")
        return
    elif any(name in found for found in taken) and names.brought.get(name) != module:
        what, way = f"{name} has a meaning already", f"rename it in {module}, or here"
    else:
        _bring_from_file(names, module, name, file)
        return
    names.report("D103", alias, what, way)
    names.refused.add(alias.asname or name)


def _bring_from_file(names: Names, module: str, name: str, file: Names) -> None:
    names.brought[name] = module
    if name in file.functions:
        names.functions[name] = file.functions[name]
    elif name in file.commands:
        names.commands[name] = file.commands[name]
    else:
        names.constants[name] = file.constants[name]
        if name in file.texts:
            names.texts[name] = file.texts[name]


def _read_alias(names: Names, module: str, alias: ast.alias, home: dict[str, str]) -> None:
    name = alias.asname or alias.name
    if module == PLUMBUM_COMMANDS:
        program = alias.name.replace("_", "-")
        names.report(
            "D103", alias, f"{alias.name} of {module} is outside the dialect",
            f'bind it below the imports: {name} = program("{program}")',
        )  # fmt: skip
        names.commands[name] = program
    elif alias.name in FOREIGN_RUNNERS:
        names.report(
            "D103", alias, f"{alias.name} is outside the dialect",
            f"a command is run with & TF, & RETCODE or & CAPTURE of {names.vocabulary.module}",
        )  # fmt: skip
    elif alias.name == "*":
        brought = [name for name, place in home.items() if place == module]
        names.report(
            "D103", alias, STAR,
            f"name what you need: from {module} import {', '.join(brought[:2])}",
        )  # fmt: skip
        _bring(names, brought)
    elif home.get(alias.name) != module:
        _refuse(names, alias, module, alias.name)
        if alias.name in home and alias.asname is None:
            _bring(names, [alias.name])
        else:
            names.refused.add(name)
    elif alias.asname is not None:
        _refuse_other_name(names, alias, f"from {module} import {alias.name}")
    elif name in names.brought:
        names.report(
            "D103", alias, f"{name} has a meaning already",
            f"rename it in {names.brought[name]}, or leave this import out",
        )  # fmt: skip
    else:
        _bring(names, [alias.name])


def _bring(names: Names, brought: list[str]) -> None:
    names.words.update(name for name in brought if name in names.vocabulary.words)
    names.imports.update(name for name in brought if name not in names.vocabulary.words)


def _refuse_other_name(names: Names, alias: ast.alias, way: str) -> None:
    names.report("D103", alias, f"{alias.name} gets another name", f"leave out `as`: {way}")
    names.refused.add(alias.asname or alias.name)


def _refuse(names: Names, alias: ast.alias, module: str, name: str) -> None:
    vocabulary = names.vocabulary
    if name and module in vocabulary.modules:
        words = [word for word, found in vocabulary.words.items() if found.module == module]
        place = _home(names).get(name)
        way_out = f"from {place} import {name}" if place else f"its words are {', '.join(words)}"
        names.report("D103", alias, f"{module} has no word {name}", way_out)
        return
    way = ways_out.of_import(module, name, _home(names), {*sys.stdlib_module_names})
    names.report("D103", alias, way.message, way.help)


def _home(names: Names) -> dict[str, str]:
    """Where each name that can be imported comes from."""
    vocabulary = names.vocabulary
    return {
        **{name: module for module, found in IMPORTS.items() for name in sorted(found)},
        **dict.fromkeys(PRIMITIVES, vocabulary.module),
        **{name: word.module for name, word in vocabulary.words.items()},
    }


def _way_to(names: Names, name: str) -> str:
    """The import that brings a name that a file has, or could have, by an import."""
    home = _home(names) | names.brought
    return f"from {home[name]} import {name}" if name in home else f"import {name}"


def check_order(names: Names, module: ast.Module) -> None:
    """Refuses each import below something else: in Python a name has no meaning above its import.

    Not one that was refused before.
    """
    told = {found.span.line for found in names.diagnostics if found.source is names.source}
    is_doc = ast.get_docstring(module, clean=False) is not None
    first: ast.stmt | None = None
    for node in module.body[is_doc:]:
        if not isinstance(node, (ast.Import, ast.ImportFrom)):
            first = first or node
        elif first is not None and told.isdisjoint(
            range(node.lineno, (node.end_lineno or node.lineno) + 1)
        ):
            what = node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
            place = (ast.get_source_segment(names.source.text, first) or "").partition("\n")[0]
            names.report(
                "D103", node, f"the import of {what} stands below other statements",
                f"move it up above {place}",
            )  # fmt: skip


def check_imports(names: Names, module: ast.Module) -> None:
    """Refuses what the compiler knows and Python, without its import, does not: each name once."""
    home = _home(names)
    missing = ({*home, *MODULES} - names.imports) - names.words - names.refused
    missing -= {*names.functions, *names.commands, *names.constants}
    uses = [node for node in ast.walk(module) if isinstance(node, ast.Name)]
    # Those of variables: a word of the vocabulary can be one, all others were refused.
    missing -= {node.id for node in uses if isinstance(node.ctx, ast.Store)}
    missing -= {inner.arg for inner in ast.walk(module) if isinstance(inner, ast.arg)}
    for node in uses:
        if node.id in missing:
            names.report("D301", node, f"{node.id} is not imported", _way_to(names, node.id))
            missing.discard(node.id)
            _bring(names, [node.id])
