"""Suggest what to write instead of Python and plumbum code that is outside the dialect."""

from __future__ import annotations

import ast
import builtins
import re
from typing import NamedTuple

from oauthkit.compiler.bash.names import BASH_VARIABLES, SHARED_VARIABLES
from oauthkit.compiler.constructs import is_format
from oauthkit.compiler.diagnostics import advice, replacements
from oauthkit.compiler.diagnostics.describe import describe, formatted, join_parts, tuple_of
from oauthkit.compiler.diagnostics.help import code
from oauthkit.compiler.diagnostics.site import Site
from oauthkit.compiler.types import ANNOTATIONS, Type


class Suggestion(NamedTuple):
    """What is wrong with Python code, and what to write instead."""

    message: str
    help: str


def of_call(node: ast.Call, site: Site) -> Suggestion:
    """Suggest a replacement for an unknown function or method."""
    name = ast.unparse(node.func)
    attribute = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    if name in advice.CALLS:
        if any(keyword.arg == "key" for keyword in node.keywords) and replacements.finds_files(
            node
        ):
            return Suggestion(f"{name} is outside the dialect", advice.BY_KEY)
        replace = replacements.CALLS.get(name)
        help = (replace and replace(site, node)) or advice.CALLS[name]
        if name == "int" and any(_has_quotient(part, site) for part in node.args):
            help = advice.FRACTION
        return Suggestion(f"{name} is outside the dialect", help)
    if re.fullmatch(r"os\.\w+", name) and attribute not in advice.METHODS:
        return Suggestion(f"{name} is outside the dialect", "run a program that does the same")
    if name.startswith("os.popen("):
        return Suggestion("os.popen is outside the dialect", advice.MODULES["subprocess"])
    module = name.partition(".")[0]
    if attribute and module in advice.MODULES and _is_unknown(node.func, site):
        return Suggestion(f"{name} is outside the dialect", advice.MODULES[module])
    if attribute:
        if attribute == "chdir" and [*map(ast.unparse, node.args)] == ["'/'"]:
            help = code("write", 'local.cwd.chdir("/")')
        else:
            replace = replacements.METHODS.get(attribute)
            help = (replace and replace(site, node)) or advice.METHODS.get(
                attribute, _near(attribute)
            )
        if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Dict):
            return Suggestion("a dictionary is outside the dialect", advice.DICTIONARIES)
        is_general = help == advice.SPLIT
        if is_general and [*map(ast.unparse, node.args)] == ["'\\n'"]:
            help = "iterate over the lines, as in `for line in text.splitlines():`"
        if name.startswith("os.path.") and "(" not in name:
            return Suggestion(f"{name} is outside the dialect", advice.OS_PATH)
        if attribute in advice.KNOWN_METHODS:
            count = "one argument" if attribute in advice.NEED_ONE else "no argument"
            if attribute == "access":
                count = '"r", "w" or "x", as in `path.access("w")`'
            return Suggestion(f"{attribute} does not take these arguments", f"it takes {count}")
        if attribute in advice.USED_DIFFERENTLY:
            return Suggestion(f"{attribute} cannot be used like this", help)
        return Suggestion(f"the method {attribute} is outside the dialect", help)
    match node.func:
        case ast.Call(func=ast.Attribute(attr="with_env" | "with_cwd" as method)):
            return Suggestion(f"the method {method} is outside the dialect", advice.METHODS[method])
    found = vars(builtins).get(name)
    if isinstance(found, type) and issubclass(found, BaseException):
        return Suggestion(f"{name} is outside the dialect", advice.STATEMENTS[ast.Raise])
    if found is not None:
        return Suggestion(f"{name} is outside the dialect", advice.CALLS_OTHERWISE)
    return Suggestion(
        f"{name} is not defined",
        "define it, import it from a runtime library, or bind a program at the top with `program`",
    )


def _has_quotient(node: ast.expr, site: Site) -> bool:
    """Return whether arithmetic contains a division with /, which can be a fraction."""
    match node:
        case ast.BinOp(left=left, op=ast.Div()) if site.type_of(left) is not Type.PATH:
            return True
        case ast.BinOp(left=left, right=right):
            return _has_quotient(left, site) or _has_quotient(right, site)
        case ast.UnaryOp(operand=inner):
            return _has_quotient(inner, site)
    return False


def of_builtin(name: str, names: list[str]) -> str:
    """Return the help for a builtin that does not exist."""
    import difflib  # noqa: PLC0415

    written = {str(kind.value): annotation for annotation, kind in ANNOTATIONS.items()}
    if name in written:
        return f"the annotation of a {name} is `{written[name]}`"
    if name == "append_file":
        return f"to append, {advice.APPEND}"
    found = difflib.get_close_matches(name, names, n=1)
    return f"did you mean `{found[0]}`?" if found else f"its builtins are {', '.join(names)}"


def _is_unknown(node: ast.expr, site: Site) -> bool:
    """Return whether the first name in an expression is not defined."""
    while isinstance(node, (ast.Attribute, ast.Call)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return isinstance(node, ast.Name) and site.type_of(node) is Type.ERROR


def _near(attribute: str) -> str:
    """Suggest the method of the dialect whose name is nearly `attribute`, or list all."""
    import difflib  # noqa: PLC0415

    found = difflib.get_close_matches(
        attribute, (*advice.KNOWN_METHODS, *advice.USED_DIFFERENTLY), n=1
    )
    return f"did you mean `{found[0]}`?" if found else advice.METHODS_OTHERWISE


def of_attribute(node: ast.Attribute, site: Site) -> Suggestion:
    """Suggest a replacement for an attribute that is not called."""
    name = ast.unparse(node)
    if node.attr in advice.NEED_ONE:
        return Suggestion(f"{name} is not called", "call it with its argument in parentheses")
    if node.attr in advice.KNOWN_METHODS:
        return Suggestion(f"{name} is not called", code("call it", f"{name}()"))
    help = (
        advice.ATTRIBUTES.get(name)
        or advice.ATTRIBUTES.get(node.attr)
        or advice.EXPRESSIONS_OTHERWISE
    )
    if isinstance(node.value, ast.Call):
        help = advice.CALLS.get(ast.unparse(node.value.func), help)
    if node.attr in ("days", "seconds"):
        help = advice.SECONDS
    if node.attr.startswith("st_"):
        form = {"st_size": "%s", "st_mtime": "%Y"}.get(node.attr)
        help = advice.STAT.format(form) if form else advice.PROGRAM.format("stat")
    if name == "local.cwd":
        help = replacements.of_getcwd(site, node) or help
    elif isinstance(node.value, ast.Name) and site.type_of(node.value) is Type.PATH:
        if node.attr == "parent":
            help = replacements.called(site, node, f"{node.value.id}.dirname", Type.PATH) or help
        elif node.attr in ("name", "basename"):
            help = replacements.after_last_slash(site, node, node.value.id) or help
        elif node.attr in ("stem", "suffix"):
            help = replacements.of_extension(site, node, node.value.id, node.attr) or help
    return Suggestion(f"{name} is outside the dialect", help)


def of_index(node: ast.Subscript, site: Site) -> Suggestion | None:
    """Suggest a replacement for an index of local, local.env, os.environ, sys.argv or a split."""
    owner = ast.unparse(node.value)
    if owner in ("os.environ", "local.env"):
        help = replacements.of_variable(site, node) or advice.ATTRIBUTES["local.env"]
        return Suggestion(f"{owner}[…] is outside the dialect", help)
    if owner == "local":
        help = advice.CALLS["local.get"]
        if not isinstance(node.slice, ast.Constant):
            help += ". For a path that is a value, write `program(absolute(path))` in the function."
            help += ' The program env runs a name that is a value, as in `env["--", name]`'
        match node.slice:
            case ast.Constant(value=str() as program) if program.isidentifier():
                help = replacements.bound(site, node, program)
        return Suggestion("local[…] is outside the dialect", help)
    if owner == "sys.argv" and ast.unparse(node.slice) == "0":
        return Suggestion(
            "sys.argv[0] is outside the dialect",
            "write the program's name, or call script_path, which returns the path of the script",
        )
    if owner == "sys.argv":
        return of_attribute(node.value, site)  # type: ignore[arg-type]
    part = replacements.of_split_index(site, node)
    match node:
        case ast.Subscript(
            value=ast.Call(func=function, args=[ast.Name(id=path) as given]),
            slice=ast.Constant(value=int() as index),
        ) if (
            ast.unparse(function) == "os.path.splitext"
            and index in (0, 1)
            and site.type_of(given) is Type.STR
        ):
            kind = ("root", "suffix")[index]
            part = replacements.of_extension(site, node, path, kind)
    match node.value:
        case ast.Call(func=ast.Attribute(attr=method)) if part:
            return Suggestion(f"the result of {method} cannot be indexed", part)
    return None


def of_expression(node: ast.expr, site: Site) -> Suggestion:
    """Suggest a replacement for another expression."""
    help = advice.EXPRESSIONS.get(type(node), advice.EXPRESSIONS_OTHERWISE)
    match node:
        case ast.Attribute():
            return of_attribute(node, site)
        case ast.IfExp() if site.statement is None:
            help = replacements.of_variable_choice(site, node) or "choose it in a function"
        case ast.Constant(value=value):
            help = advice.LITERALS.get(type(value).__name__, advice.EXPRESSIONS_OTHERWISE)
        case ast.NamedExpr(target=target, value=value):
            lines = site.assigned(
                node,
                site.result_of(value),
                lambda name: [f"{name} = {replacements.shown(site, value)}"],
                known=target.id,
            )
            help = code("assign it first", lines, "assign it on a line of its own")
            if isinstance(site.statement, ast.While):
                help = "use `while True:`. Assign it there, and leave the loop with `break`"
    return Suggestion(f"{describe(node)} is outside the dialect", help)


def of_statement(node: ast.stmt, site: Site | None = None) -> Suggestion:
    """Suggest a replacement for a statement. `site` is None at the top level."""
    help = advice.STATEMENTS.get(type(node), advice.STATEMENTS_OTHERWISE)
    match node:
        case ast.Import(names=[ast.alias(name=module)]) | ast.ImportFrom(module=str(module)) if (
            module in advice.MODULES
        ):
            help = advice.MODULES[module]
        case ast.Assign(
            targets=[ast.Subscript(value=owner, slice=ast.Constant() as key)], value=value
        ) if _is_environment(owner) and site is not None:
            kind = site.type_of(value)
            if key.value in BASH_VARIABLES - SHARED_VARIABLES:
                help = of_environment(str(key.value), value)
            elif kind is Type.STR:
                help = code("write", f"local.env[{ast.unparse(key)}] = {ast.unparse(value)}")
            else:
                help = f"set it to a Str, as in `local.env[{ast.unparse(key)}] = text`"
        case ast.AugAssign(
            target=ast.Subscript(value=owner, slice=ast.Constant(value=str()) as key),
            op=ast.Add(),
            value=value,
        ) if site is not None and site.type_of(value) is Type.STR:
            if _is_environment(owner) or ast.unparse(owner) == "local.env":
                name = replacements.shown(site, key)
                text = f'local.env.get({name}, "") + {replacements.shown(site, value)}'
                help = code("write", f"local.env[{name}] = {text}")
        case (
            ast.Assign(targets=[ast.Subscript(value=owner)])
            | ast.AugAssign(target=ast.Subscript(value=owner))
        ) if not _is_environment(owner):
            help = advice.DICTIONARIES
        case ast.Delete(targets=[ast.Subscript(value=owner, slice=ast.Constant() as key)]) if (
            _is_environment(owner) and site is not None
        ):
            help = code("write", f'local.env.pop({ast.unparse(key)}, "")')
        case ast.With(
            items=[
                ast.withitem(
                    context_expr=ast.Call(
                        func=ast.Name(id="open"), args=[_, ast.Constant(value="a")]
                    )
                )
            ]
        ):
            help = advice.APPEND
        case ast.With(
            items=[
                ast.withitem(
                    context_expr=ast.Call(func=ast.Name(id="open"), args=[file, *mode], keywords=[])
                )
            ]
        ) if site is not None and [*map(ast.unparse, mode)] in ([], ["'r'"], ["'w'"]):
            name = replacements.shown(site, file)
            help = f"read a file of at most 256 KiB with `status, text = read_file({name})`. Return"
            help += " the status if it is not 0. Otherwise, iterate over `text.splitlines()`"
            if [*map(ast.unparse, mode)] == ["'w'"]:
                help = f"write the file with `if write_file({name}, text) != 0:`, and return 1"
                help += " in that branch"
        case ast.Raise(exc=ast.Call(func=ast.Name(id="SystemExit")) as end) if site is not None:
            help = replacements.of_exit(site, end) or advice.MAIN_STATUS
        case ast.Raise(exc=ast.Name(id="SystemExit")) if site is not None:
            help = code("write", "return 0") if site.is_main else advice.MAIN_STATUS
        case ast.Try(handlers=[], body=body) if not any(
            isinstance(inner, (ast.Return, ast.Break, ast.Continue, ast.Raise))
            or (isinstance(inner, ast.Call) and ast.unparse(inner.func) in ("sys.exit", "exit"))
            for part in body
            for inner in ast.walk(part)
        ):
            help = advice.FINALLY
        case ast.Try() if site is not None:
            help = replacements.of_try(site, node) or help
        case ast.With(items=[ast.withitem(context_expr=ast.Call(func=function)), *_]):
            help = advice.CONTEXTS.get(ast.unparse(function), help)
    if isinstance(node, ast.With) and site is not None:
        help = replacements.of_open(site, node) or help
    return Suggestion(f"{describe(node)} is outside the dialect", help)


def _is_environment(node: ast.expr) -> bool:
    name = ast.unparse(node)
    return name == "os.environ" or name.endswith(".env")


def of_top(node: ast.stmt) -> Suggestion:
    """Suggest a replacement for a statement at the top level of a program."""
    if type(node) in advice.STATEMENTS:
        return of_statement(node)
    if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
        return Suggestion(
            "TYPE_CHECKING is outside the dialect",
            "move the import out of the if, to the top level",
        )
    match node:
        case ast.Assign(targets=[ast.Tuple()], value=ast.Tuple()):
            return Suggestion(
                "several assignments on one line are not allowed at the top level",
                "write each constant on a line of its own",
            )
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        return Suggestion(
            "a call is not allowed at the top level",
            'move it into main. The program begins with `if __name__ == "__main__":` and'
            " `sys.exit(main(*sys.argv[1:]))`",
        )
    return Suggestion(
        f"{describe(node)} is not allowed at the top level",
        "move it into a function. The top level has imports, constants, `program(…)`, functions and"
        " the entry",
    )


def of_environment(name: str, value: ast.expr | None) -> str:
    """Suggest how to pass a variable that bash owns to a program. None unsets it."""
    match value:
        case None:
            words = f"'-u', {name!r}"
        case ast.Constant(value=str() as text):
            words = repr(f"{name}={text}")
        case ast.JoinedStr(values=parts):
            words = join_parts([ast.Constant(f"{name}="), *parts])
        case _:
            words = join_parts([ast.Constant(f"{name}="), ast.FormattedValue(value, -1)])
    return f"pass it to the command with the program env, as in `env[{words}, 'sort']`"


def of_membership(left: ast.expr, right: ast.expr, is_in: bool, site: Site) -> Suggestion | None:
    """Suggest a replacement for `left in right` where right is not text."""
    match right:
        case ast.Tuple(elts=[]) | ast.List(elts=[]):
            return Suggestion("`in` needs at least one item", "remove the comparison")
        case ast.List(elts=items) | ast.Set(elts=items):
            sign = "in" if is_in else "not in"
            kinds = {site.result_of(left), *map(site.type_of, items)}
            can_compare = kinds <= {Type.STR, Type.PATH} or kinds == {Type.INT}
            way = (
                f"{replacements.shown(site, left)} {sign} {tuple_of(items)}" if can_compare else ""
            )
            return Suggestion(
                f"`in` does not search {describe(right)}",
                code("write the items in parentheses", way, "use items of one type"),
            )
        case ast.Call(func=ast.Name(id="range"), args=bounds):
            way, intro = "", "compare the number with both ends"
            parts = [left, *bounds]
            if len(bounds) in (1, 2) and all(
                isinstance(x, (ast.Name, ast.Constant)) for x in parts
            ):
                kinds = {site.type_of(part) for part in parts}
                name, *ends = [replacements.shown(site, part) for part in parts]
                first, stop = ends if len(ends) > 1 else ("0", *ends)
                way = f"({first} <= {name} and {name} < {stop})" if kinds == {Type.INT} else ""
                way = way if is_in or not way else f"not {way}"
            return Suggestion("`in` does not search a range", code(intro, way, intro))
        case ast.Attribute() if ast.unparse(right) == "os.environ":
            sign = "in" if is_in else "not in"
            return Suggestion(
                "os.environ is outside the dialect",
                code("write", f"{ast.unparse(left)} {sign} local.env"),
            )
    return None


def of_identity(
    node: ast.expr, left: ast.expr, right: ast.expr, is_not: bool, site: Site
) -> Suggestion:
    """Suggest a replacement for `left is right`."""
    sign = "!=" if is_not else "=="
    if isinstance(right, ast.Constant) and right.value is None:
        match left:
            case ast.Call(
                func=function,
                args=[ast.Constant(value=str()) as name]
                | [ast.Constant(value=str()) as name, ast.Constant(value=None)],
                keywords=[],
            ) if ast.unparse(function) in replacements.ENVIRONMENT_READS:
                test = f"{replacements.shown(site, name)} {'in' if is_not else 'not in'} local.env"
                return Suggestion("there is no None in the dialect", code("write", test))
        return Suggestion("there is no None in the dialect", advice.NO_NONE)
    if isinstance(right, ast.Constant) and isinstance(right.value, bool):
        shown = replacements.shown(site, left)
        way = f"not {shown}" if right.value is is_not else shown
        can_test = isinstance(left, ast.Name) and site.type_of(left) is Type.BOOL
        help = code("test it directly", way if can_test else "", "test it directly, or with `not`")
        return Suggestion("`is` is outside the dialect", help)
    help = replacements.compared(site, node, [(left, sign, right)], "")
    return Suggestion("`is` is outside the dialect", help or f"compare the values with `{sign}`")


def of_literal(node: ast.BinOp, site: Site) -> Suggestion | None:
    """Suggest a replacement for * and % with a Str."""
    repeated = "a Str cannot be repeated"
    match node:
        case ast.BinOp(
            left=ast.Constant(value=str() as text),
            op=ast.Mult(),
            right=ast.Constant(value=int() as times),
        ) if len(text) * times < 100:
            return Suggestion(repeated, code("write it out", f"{text * times!r}"))
        case ast.BinOp(
            left=ast.Name() as name, op=ast.Mult(), right=ast.Constant(value=int() as times)
        ) if site.type_of(name) is Type.STR and times in range(2, 6):
            parts: list[ast.expr] = [ast.FormattedValue(name, -1)] * times
            text = join_parts(parts)
            match site.statement:
                case ast.AugAssign(op=ast.Mult()):
                    text = f"{name.id} = {text}"
            return Suggestion(repeated, code("use an f-string", text))
        case ast.BinOp(left=left, op=ast.Mult(), right=right) if Type.STR in (
            site.result_of(left),
            site.result_of(right),
        ):
            return Suggestion(repeated, "add to it in a loop with `+=`")
        case ast.BinOp(left=ast.Constant(value=str() as text), op=ast.Mod(), right=given):
            help = code("use an f-string", _filled(text, given, site), "use an f-string")
            return Suggestion("% does not format text", help)
        case ast.BinOp(left=left, op=ast.Mod()) if site.type_of(left) is Type.STR:
            return Suggestion("% does not format text", "use an f-string")
    return None


def of_import(module: str, name: str, home: dict[str, str], standard: set[str]) -> Suggestion:
    """Suggest a replacement for an import. `home` maps each name of the dialect to its module."""
    whole = f"{module}.{name}" if name else module
    message = f"{whole} is outside the dialect"
    top = module.split(".", maxsplit=1)[0]
    if whole.startswith("plumbum.cli"):
        return Suggestion(message, advice.ARGUMENTS)
    if top == "plumbum" and name in advice.RAISED:
        return Suggestion(message, advice.STATEMENTS[ast.Try])
    if name in home:
        help = code("write", f"from {home[name]} import {name}")
        return Suggestion(f"{name} is imported from {module}", help)
    place = module if module in set(home.values()) or top != "plumbum" else top
    if place in set(home.values()) and name:
        return Suggestion(message, f"remove it. {place} has {_from(home, place)}")
    if top in advice.MODULES:
        return Suggestion(message, advice.MODULES[top])
    if top in standard:
        return Suggestion(message, "remove it. The dialect has plumbum, oauthkit.shell, os and sys")
    if module in home.values():
        help = f"import the builtins that you need, with `from {module} import …`"
    else:
        help = (
            "packages from PyPI cannot be compiled. From a file of your own, import each function,"
            f" with `from {module} import …`"
        )
    return Suggestion(message, help)


def of_missing(module: str, standard: set[str]) -> Suggestion:
    """Suggest a replacement for an import from a module that is not in the program's directory."""
    top = module.split(".", maxsplit=1)[0]
    if top in advice.MODULES or top in standard:
        return of_import(module, "", {}, standard)
    return Suggestion(
        f"there is no module {module} in the program's directory",
        "packages from PyPI cannot be compiled. Your own functions can be in"
        f" {module.replace('.', '/')}.py in the program's directory",
    )


def _filled(text: str, given: ast.expr, site: Site) -> str:
    """Return the f-string for `text % given`, or "" if its format is not plain."""
    values = given.elts if isinstance(given, ast.Tuple) else [given]
    pieces = re.split("%(-?[0-9]*)([sdi])", text.replace("%%", "\0"))
    literals, sizes, formats = pieces[::3], pieces[1::3], pieces[2::3]
    if len(formats) != len(values) or any("%" in literal for literal in literals):
        return ""
    literals = [literal.replace("\0", "%") for literal in literals]
    parts: list[ast.expr] = [ast.Constant(literals[0])]
    for value, size, wanted, literal in zip(values, sizes, formats, literals[1:], strict=True):
        kind = site.type_of(value)
        kinds = (Type.INT, Type.STATUS, *((Type.STR, Type.PATH) if wanted == "s" else ()))
        spec = size.replace("-", "<") if kind is Type.INT or size[:1] in ("", "-") else f">{size}"
        is_zero = wanted == "s" and size.startswith("0")
        if kind not in kinds or is_zero or (spec and not is_format(kind, spec)):
            return ""
        parts += [formatted(value, spec), ast.Constant(literal)]
    return join_parts(parts)


def _from(home: dict[str, str], module: str) -> str:
    return ", ".join(name for name, place in home.items() if place == module)
