"""Replace code that makes, splits or tests paths."""

from __future__ import annotations

import ast
import re

from oauthkit.compiler.diagnostics.describe import as_fstring
from oauthkit.compiler.diagnostics.help import code
from oauthkit.compiler.diagnostics.replacements.common import Replacement, called, shown, succeeded
from oauthkit.compiler.diagnostics.replacements.environment import variable_text
from oauthkit.compiler.diagnostics.site import Site
from oauthkit.compiler.types import Type

# A pattern that is the same in Python and bash.
GLOB = re.compile(r"[A-Za-z0-9_.-]*\*[A-Za-z0-9_.-]*")


ACCESS = {"os.R_OK": "r", "os.W_OK": "w", "os.X_OK": "x"}


PATH_TESTS = {
    "os.path.exists": "exists", "os.path.isfile": "is_file", "os.path.isdir": "is_dir",
    "os.path.islink": "is_symlink",
}  # fmt: skip


def path_text(site: Site, node: ast.expr) -> str:
    """Return the help for a Path where a Str is needed."""
    text = as_fstring(shown(site, node))
    lines = site.assigned(node, Type.STR, lambda name: [f"{name} = {text}"])
    return code("use an f-string", lines, "convert it with an f-string")


def _of_path(site: Site, node: ast.Call) -> str:
    match node:
        case ast.Call(args=[ast.Constant(value=str())]) if site.statement is None:
            return "a constant cannot be a Path. Call absolute in the function that uses it"
        case ast.Call(args=[given], keywords=[]) if variable := variable_text(site, given):
            if site.statement is None:
                return f"make a Path in the function that uses it, as in `absolute({variable})`"
            return called(site, node, f"absolute({variable})", Type.PATH, "make a Path")
        case ast.Call(args=[ast.Constant(value=str() as text)]) if text.startswith("~"):
            return "absolute does not expand `~`. Read HOME with `local.env.get`"
        case ast.Call(args=[text], keywords=[]) if site.type_of(text) is Type.STR:
            return called(site, node, f"absolute({shown(site, text)})", Type.PATH, "make a Path")
        case ast.Call(args=[path], keywords=[]) if site.type_of(path) is Type.PATH:
            return code("it is a Path already", shown(site, path))
    return ""


def _of_join(site: Site, node: ast.Call) -> str:
    """Return the help for os.path.join of a Path and literals."""
    match node:
        case ast.Call(args=[ast.Name() as path, *names], keywords=[]) if names:
            texts = [name.value if isinstance(name, ast.Constant) else "" for name in names]
            is_plain = all(
                isinstance(text, str) and {"", ".", ".."}.isdisjoint(text.split("/"))
                for text in texts
            )
            is_operand = isinstance(site.parent(node), (ast.Attribute, ast.Subscript))
            if site.type_of(path) is Type.PATH and is_plain and not is_operand:
                whole = "/".join(map(str, texts))
                return code("join with /", f"{path.id} / {whole!r}")
    return ""


def _of_dirname(site: Site, node: ast.Call) -> str:
    match node:
        case ast.Call(args=[ast.Name() as path], keywords=[]) if site.type_of(path) is Type.PATH:
            return called(site, node, f"{path.id}.dirname", Type.PATH, "write")
    return ""


def _of_basename(site: Site, node: ast.Call) -> str:
    match node:
        case ast.Call(args=[ast.Name() as path], keywords=[]):
            if site.type_of(path) in (Type.STR, Type.PATH):
                return after_last_slash(site, node, path.id)
    return ""


def after_last_slash(site: Site, node: ast.expr, text: str) -> str:
    """Return the help for the last part of the path in the variable `text`."""
    lines = site.assigned(node, Type.STR, lambda name: [f'_, _, {name} = {text}.rpartition("/")'])
    return code("split it", lines)


def of_extension(site: Site, node: ast.expr, path: str, part: str) -> str:
    """Return the help for the "stem", "suffix" or "root" of the path in the variable `path`."""
    last, rest = site.fresh("last"), site.fresh("extension")

    def lines(name: str) -> list[str]:
        base = name if part == "stem" else site.fresh("stem")
        split = [f'_, _, {last} = {path}.rpartition("/")']
        if part == "stem":
            split += [f'{base}, _, _ = {last}.rpartition(".")']
            return [*split, f'if {base}.strip(".") == "":', f"    {base} = {last}"]
        split += [f'{base}, _, {rest} = {last}.rpartition(".")']
        first, found = '""', f'f".{{{rest}}}"'
        if part == "root":
            first, found = path, f"{path}.removesuffix({found})"
        return [
            *split,
            f"{name} = {first}",
            f'if {base}.strip(".") != "":',
            f"    {name} = {found}",
        ]

    known = ast.Name(path)
    return code("split it", site.assigned(node, Type.STR, lines, read_again=(known,)))


def _of_suffix(site: Site, node: ast.Call) -> str:
    """Return the help for `path.with_suffix(".log")`."""
    match node:
        case ast.Call(
            func=ast.Attribute(value=ast.Name(id=path) as owner),
            args=[ast.Constant(value=str() as suffix)],
            keywords=[],
        ) if site.type_of(owner) is Type.PATH and re.fullmatch(r"(\.\w+)?", suffix):
            last, stem = site.fresh("last"), site.fresh("stem")

            def lines(name: str) -> list[str]:
                return [
                    f'_, _, {last} = {path}.rpartition("/")',
                    f'{stem}, _, _ = {last}.rpartition(".")',
                    f'if {stem}.strip(".") == "":',
                    f"    {stem} = {last}",
                    f'{name} = absolute(f"{{{path}.dirname}}/{{{stem}}}{suffix}")',
                ]

            return code("split the name", site.assigned(node, Type.PATH, lines))
    return ""


def _of_splitext(site: Site, node: ast.Call) -> str:
    """Return the help for `root, extension = os.path.splitext(path)`."""
    match site.statement, node.args:
        case ast.Assign(
            targets=[ast.Tuple(elts=[ast.Name(id=root), ast.Name(id=extension)])], value=value
        ), [given] if value is node and site.result_of(given) is Type.STR:
            pass
        case _:
            return ""
    path = given.id if isinstance(given, ast.Name) else site.fresh("path")
    names = (root, extension)
    if extension in (path, root, "_"):
        return ""
    if not site.can_hold(names, Type.STR):
        return ""
    last, stem, end = (site.fresh(name) for name in ("last", "stem", "end"))
    lines = [
        *([f"{path} = {shown(site, given)}"] if not isinstance(given, ast.Name) else []),
        f'_, _, {last} = {path}.rpartition("/")',
        f'{stem}, _, {end} = {last}.rpartition(".")',
        *([f"{root} = {path}"] if root not in (path, "_") else []),
        f'{extension} = ""',
        f'if {stem}.strip(".") != "":',
        f'    {extension} = f".{{{end}}}"',
        *([f"    {root} = {path}.removesuffix({extension})"] if root != "_" else []),
    ]
    return code("split it", lines)


LEXICAL = "`absolute` removes `..` and a / at the end"


def _of_path_test(site: Site, node: ast.Call) -> str:
    """Return the help for os.path.exists and the like, and for os.access."""
    function = ast.unparse(node.func)
    test = f"{PATH_TESTS.get(function, '')}()"
    if function == "os.access":
        mode = ACCESS.get(ast.unparse(node.args[1])) if len(node.args) == 2 else None
        test = f'access("{mode}")' if mode else ""
    if not test or not node.args or node.keywords:
        return ""
    kind = site.type_of(node.args[0])
    given = shown(site, node.args[0])
    if kind is Type.PATH and isinstance(node.args[0], ast.Name):
        return code("write", f"{given}.{test}")
    if kind is not Type.STR:
        return ""
    path = site.fresh("path")
    result = f"{path}.{test}"
    intro = f"make a Path first ({LEXICAL})"
    match node.args[0]:
        case ast.Constant(value=""):
            return "no file has an empty name. `absolute` returns the working directory for it"
        case ast.Constant():
            intro = "make a Path first"
        case ast.Name() if exact := _exact_path_test(site, node, f'{given} != "" and {result}'):
            return code(intro, [f"{path} = absolute({given})", exact])
        case _:
            intro = f"make a Path first ({LEXICAL}, and makes an empty Str the working directory)"
    match site.statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value) if value is node:
            return code(intro, [f"{path} = absolute({given})", f"{name} = {result}"])
    lines = site.assigned(
        node,
        Type.PATH,
        lambda name: [f"{name} = absolute({given})"],
        name=path,
        use=f"{{}}.{test}",
    )
    return code(intro, lines)


def _exact_path_test(site: Site, node: ast.Call, test: str) -> str:
    """Return the statement with a test that is also false for an empty Str, or ""."""
    match site.statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value) if value is node:
            return f"{name} = {test}"
        case ast.If(test=whole) if whole is node and not site.is_elif():
            return f"if {test}:"
        case ast.If(test=ast.UnaryOp(op=ast.Not(), operand=operand)) if (
            operand is node and not site.is_elif()
        ):
            return f"if not ({test}):"
    return ""


def _of_samefile(site: Site, node: ast.Call) -> str:
    arguments = ", ".join(shown(site, argument) for argument in node.args)
    return code("write", f"same_file({arguments})") if len(node.args) == 2 else ""


def of_getcwd(site: Site, node: ast.expr) -> str:
    """Return the help for os.getcwd() and local.cwd."""
    return called(site, node, 'absolute(".")', Type.PATH)


def of_chdir(site: Site, node: ast.Call) -> str:
    """Return the help for os.chdir and local.cwd.chdir."""
    match node:
        case ast.Call(args=[path], keywords=[]) if site.type_of(path) in (Type.STR, Type.PATH):
            failure = f"change_directory({shown(site, path)}) != 0"
            return succeeded(site, node, failure, "change it, and check the status")
    return ""


def of_glob(site: Site, owner: ast.expr, pattern: ast.expr) -> str:
    """Return the code for `sorted(directory.glob("*.log"))`, or ""."""
    match pattern:
        case ast.Constant(value=str() as text) if GLOB.fullmatch(text):
            if site.type_of(owner) is Type.PATH:
                return f"sorted({shown(site, owner)} // {shown(site, pattern)})"
    return ""


CALLS: dict[str, Replacement] = {
    "LocalPath": _of_path,
    "Path": _of_path,
    "local.path": _of_path,
    "os.path.abspath": _of_path,
    "os.path.join": _of_join,
    "os.path.dirname": _of_dirname,
    "os.path.basename": _of_basename,
    "os.path.exists": _of_path_test,
    "os.access": _of_path_test,
    "os.path.isfile": _of_path_test,
    "os.path.isdir": _of_path_test,
    "os.path.islink": _of_path_test,
    "os.path.splitext": _of_splitext,
    "os.path.samefile": _of_samefile,
    "os.getcwd": of_getcwd,
    "os.chdir": of_chdir,
}
METHODS: dict[str, Replacement] = {
    "with_suffix": _of_suffix,
}
