"""Write the code that replaces a call, an index or an attribute outside the dialect.

Each function returns the help, or "" if no code in the dialect does the same.
"""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Callable, Sequence
from contextlib import suppress

from oauthkit.compiler.diagnostics.describe import (
    as_fstring,
    condition_for,
    formatted,
    is_format,
    join_parts,
    with_article,
)
from oauthkit.compiler.diagnostics.site import Site, code
from oauthkit.compiler.types import Type

SPLIT_TEXT = "split the text"
FIND_PART = 'find the part in a loop ("" if it is missing)'
SLICES = "use a slice, `text[start:end]`. It has no step: to reverse a text, run the program rev"
# A pattern that is the same in Python and bash.
GLOB = re.compile(r"[A-Za-z0-9_.-]*\*[A-Za-z0-9_.-]*")
ACCESS = {"os.R_OK": "r", "os.W_OK": "w", "os.X_OK": "x"}
PATH_TESTS = {
    "os.path.exists": "exists", "os.path.isfile": "is_file", "os.path.isdir": "is_dir",
    "os.path.islink": "is_symlink",
}  # fmt: skip
ENVIRONMENTS = {"os.environ", "local.env"}
ENVIRONMENT_READS = ("os.environ.get", "os.getenv", "local.env.get")


def shown(site: Site, node: ast.expr) -> str:
    """Return an expression as it is written in the program."""
    segment = ast.get_source_segment(site.source.text, node)
    return ast.unparse(node) if segment is None or "\n" in segment else segment


def operand(site: Site, node: ast.expr) -> str:
    """Return an expression, in parentheses if it has operators."""
    plain = (ast.Name, ast.Constant, ast.Call, ast.Attribute, ast.Subscript, ast.JoinedStr)
    text = shown(site, node)
    return text if isinstance(node, plain) else f"({text})"


def called(site: Site, node: ast.expr, call: str, kind: Type, intro: str = "write") -> str:
    """Return the help for the call to a function, which must be a statement of its own."""
    return code(intro, site.assigned(node, kind, lambda name: [f"{name} = {call}"]))


def checked(site: Site, node: ast.expr, call: str, kind: Type, intro: str) -> str:
    """Return the help for parse_int or read_file, with its check."""
    status = site.fresh("status")
    failure = site.failure(status)

    def lines(name: str) -> list[str]:
        wrong = _not_a_number(name) if kind is Type.INT else "the file cannot be read"
        test = f"if {status} != 0:"
        return [f"{status}, {name} = {call}", test, f"    {said(wrong)}", f"    return {failure}"]

    return code(intro, site.assigned(node, kind, lines)) if failure else ""


def _not_a_number(name: str) -> str:
    """Return the message about a text that is not the number for a variable."""
    return f"{'the text' if name.startswith('number') else name} is not a number"


def said(message: str) -> str:
    """Return the code that prints a message to stderr."""
    return f'print("{message}", file=sys.stderr)'


def bound(site: Site, node: ast.expr, program: str) -> str:
    """Return the help for a program that is not bound at the top level."""
    name = site.programs.get(program)
    if name is not None:
        return code("write", name)
    match site.statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value) if value is node:
            return f'bind it at the top instead: `{name} = program("{program}")`'
    name = site.fresh(program)
    return f'bind it at the top: `{name} = program("{program}")`. Here: `{name}`'


def _of_int(site: Site, node: ast.Call) -> str:
    if len(node.args) + len(node.keywords) > 1:
        return (
            "parse_int reads decimal numbers. For another base, run the program printf first, as in"
            ' `printf("%d", f"0{text}")` for base 8, and `printf("%d", f"0x{text}")` for base 16'
        )
    variable = variable_text(site, node.args[0]) if len(node.args) == 1 else ""
    if site.statement is None:
        if variable:
            return f"read it in a function, as in `status, number = parse_int({variable}.strip())`"
        return "write the number, or call parse_int in a function"
    if variable:
        parsed = f"parse_int({variable}.strip())"
        return checked(site, node, parsed, Type.INT, "convert it, and check the status")
    match node:
        case ast.Call(args=[test], keywords=[]) if _is_test(site, test):
            choice = f"1 if {shown(site, test)} else 0"
            lines = site.assigned(node, Type.INT, lambda name: [f"{name} = {choice}"])
            return code("use a conditional expression", lines)
        case ast.Call(args=[ast.Constant(value=str() as written)], keywords=[]):
            with suppress(ValueError):
                number = int(written)
                return code("write the number", str(number)) if abs(number) < 1 << 63 else ""
            return ""
        case ast.Call(args=[text], keywords=[]) if site.type_of(text) in (Type.STR, Type.PATH):
            given = shown(site, text)
            is_text = isinstance(text, (ast.Name, ast.Call)) and site.type_of(text) is Type.STR
            strip = ".strip()" if is_text and not given.endswith(".strip()") else ""
            call = f"parse_int({given}{strip})"
            return checked(site, node, call, Type.INT, "convert it, and check the status")
        case ast.Call(args=[ast.Call() as call], keywords=[]) if site.result_of(call) is Type.STR:
            given = shown(site, call)
            stripped = f"parse_int({given if given.endswith('.strip()') else f'{given}.strip()'})"
            return checked(site, node, stripped, Type.INT, "convert it, and check the status")
        case ast.Call(args=[ast.Call() as call], keywords=[]) if ast.unparse(call) == "time.time()":
            return code("write", "now_ms() // 1000")
        case ast.Call(args=[ast.Subscript() as index], keywords=[]) if site.can_fail:
            return _of_int_of_split(site, node, index)
        case ast.Call(args=[number], keywords=[]) if site.type_of(number) is Type.INT:
            return code("it is an Int already", shown(site, number))
        case ast.Call(args=[ast.BinOp() as number], keywords=[]) if _is_int(site, number):
            return "the result is already an Int. Remove the call"
    return ""


def variable_text(site: Site, node: ast.expr) -> str:
    """Return local.env.get for `os.environ.get("NAME")`, also with a default, or ""."""
    match node:
        case ast.Call(
            func=function, args=[ast.Constant(value=str()) as name, *rest], keywords=[]
        ) if ast.unparse(function) in ENVIRONMENT_READS and len(rest) < 2:
            match rest:
                case [ast.Constant(value=int() as number)] if not isinstance(number, bool):
                    default = repr(str(number))
                case [text] if site.type_of(text) is Type.STR:
                    default = shown(site, text)
                case []:
                    default = _no_text(site, name)
                case _:
                    return ""
            return f"local.env.get({shown(site, name)}, {default})"
    return ""


def _no_text(site: Site, literal: ast.expr) -> str:
    """Return an empty text in the quotes of a literal: both may be inside an f-string."""
    return "''" if shown(site, literal).startswith("'") else '""'


def _is_test(site: Site, node: ast.expr) -> bool:
    """Return whether an expression is a Bool in the dialect, too."""
    match node:
        case ast.BoolOp(values=values):
            return all(_is_test(site, value) for value in values)
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            return _is_test(site, inner)
    return isinstance(node, ast.Compare) or site.type_of(node) is Type.BOOL


def of_condition(site: Site, node: ast.expr) -> str:
    """Return the help for a condition that is a part of an expression, or "" to assign it first."""
    if help := of_and_or(site, node):
        return help
    if not _is_test(site, node):
        return "use if and else"
    parts = ast.walk(site.statement) if site.statement else ()
    parent = next((x for x in parts if node in ast.iter_child_nodes(x)), None)
    if isinstance(parent, ast.BinOp):
        if Type.INT not in (site.result_of(parent.left), site.result_of(parent.right)):
            return "use if and else"
        choice = f"1 if {shown(site, node)} else 0"
        lines = site.assigned(node, Type.INT, lambda name: [f"{name} = {choice}"])
        return code("choose a number first", lines, "use if and else")
    return "" if isinstance(parent, ast.Call) else "use if and else"


def _of_int_of_split(site: Site, node: ast.Call, index: ast.Subscript) -> str:
    """Return the help for `int(text.split()[4])`."""
    found = _part_of_split(site, index)
    if found is None:
        return ""
    intro, part = found
    text, status = site.fresh("text"), site.fresh("status")

    def lines(name: str) -> list[str]:
        wrong = f"    {said(_not_a_number(name))}"
        check = [f"if {status} != 0:", wrong, "    return 1"]
        return [*part(text), f"{status}, {name} = parse_int({text}.strip())", *check]

    help = f"{intro}, convert the part, and check the status"
    return code(help, site.assigned(node, Type.INT, lines))


def _is_int(site: Site, node: ast.expr) -> bool:
    """Return whether an expression is an Int, even if a part of it must be assigned first."""
    match node:
        case ast.BinOp(left=left, op=operator, right=right):
            is_known = isinstance(operator, (ast.Add, ast.Sub, ast.Mult, ast.FloorDiv, ast.Mod))
            return is_known and _is_int(site, left) and _is_int(site, right)
    return site.result_of(node) is Type.INT


def to_number(site: Site, node: ast.expr) -> str:
    """Return the help for a text that is used as a number."""
    text = shown(site, node)
    match node:
        case ast.Constant(value=str() as written):
            is_number = re.fullmatch("-?[0-9]{1,18}", written) is not None
            return code("write a number", str(int(written)) if is_number else "", "use an Int here")
    if site.type_of(node) is Type.PATH:
        return "a Path is not a number. To remove a leading directory, use removeprefix on its text"
    is_plain = isinstance(node, (ast.Name, ast.Call)) and site.result_of(node) is Type.STR
    if is_plain and not text.endswith(".strip()"):
        text += ".strip()"  # a command's output ends with a newline
    return checked(site, node, f"parse_int({text})", Type.INT, "convert it, and check the status")


def conversion(site: Site, node: ast.expr, found: Type, wanted: Type) -> str:
    """Return the help for a value of the type `found` where `wanted` is expected."""
    text = shown(site, node)
    if wanted is Type.PATH and isinstance(node, ast.Constant) and node.value == "":
        if not isinstance(site.statement, ast.Return):
            return "there is no empty Path. absolute would make it the working directory"
        if Type.STATUS in site.results:
            return 'return any Path with a failing Status, as in `return 1, LocalPath("/")`'
        return "there is no empty Path. Also return a Status, as in `tuple[Status, LocalPath]`"
    if wanted is Type.PATH and found is Type.STR:
        lines = site.assigned(node, Type.PATH, lambda name: [f"{name} = absolute({text})"])
        return code("make a Path", lines, "make a Path with absolute")
    if wanted is Type.STR and isinstance(node, ast.Constant) and found is Type.INT:
        return code("write it as text", repr(str(node.value)))
    if wanted is Type.INT and found is Type.BOOL:
        match site.statement:
            case ast.AugAssign(target=ast.Name(id=name), op=ast.Add(), value=value) if (
                value is node
            ):
                return code("choose the number", f"{name} += 1 if {text} else 0")
        return f"choose a number, as in `1 if {text} else 0`"
    if wanted is Type.STR and (found.is_number or found is Type.PATH):
        return code("use an f-string", as_fstring(text), "use an f-string")
    if wanted is Type.STR and found is Type.COMMAND:
        return "run it with `& CAPTURE`, which returns its output"
    if wanted is Type.STR and found is Type.BOOL:
        return "choose the text with if and else"
    return f"use {with_article(wanted)} here"


def path_text(site: Site, node: ast.expr) -> str:
    """Return the help for a Path where a Str is needed."""
    text = as_fstring(shown(site, node))
    lines = site.assigned(node, Type.STR, lambda name: [f"{name} = {text}"])
    return code("use an f-string", lines, "convert it with an f-string")


def _of_str(site: Site, node: ast.Call) -> str:
    match node:
        case ast.Call(args=[value], keywords=[]):
            kind = site.type_of(value)
            # repr adds quotes to a text
            is_shown = kind.is_number or ast.unparse(node.func) != "repr"
            if kind not in (Type.BOOL, Type.COMMAND, Type.ERROR) and is_shown:
                text = as_fstring(shown(site, value))
                if site.retyped(node, Type.STR):
                    lines = site.assigned(node, Type.STR, lambda name: [f"{name} = {text}"])
                    return code("use an f-string, and a new name", lines)
                return code("use an f-string", text)
    return ""


def _of_bool(site: Site, node: ast.Call) -> str:
    match node:
        case ast.Call(args=[ast.Name(id=name) as value], keywords=[]):
            kind = site.type_of(value)
            if kind in (Type.STR, Type.PATH, Type.INT, Type.STATUS):
                test = condition_for(kind, name)
                if isinstance(site.statement, ast.Return) and site.can_fail:
                    return code("choose the Status", f"1 if {test} else 0")
                return code("compare it", test)
    return ""


def _of_extreme(site: Site, node: ast.Call) -> str:
    """Return the help for min and max of two numbers."""
    sign = "<" if ast.unparse(node.func) == "min" else ">"
    match node:
        case ast.Call(args=[first, second], keywords=[]) if (
            site.type_of(first) is site.type_of(second) is Type.INT
        ):
            a, b = shown(site, first), shown(site, second)
            lines = site.assigned(
                node,
                Type.INT,
                lambda name: [f"{name} = {a}", f"if {b} {sign} {name}:", f"    {name} = {b}"],
                read_again=(first, second),
            )
            return code("compare with if", lines)
        case ast.Call(args=[ast.Name(id=name), ast.Call() as call], keywords=[]) if (
            site.type_of(ast.Name(name)) is Type.INT
            and site.result_of(call) in (Type.INT, Type.STATUS)
            and site.assigns(node, name)
        ):
            result = site.fresh("result")
            lines = [f"{result} = {shown(site, call)}", f"if {result} {sign} {name}:"]
            return code("compare with if", [*lines, f"    {name} = {result}"])
    return ""


def _of_abs(site: Site, node: ast.Call) -> str:
    match node:
        case ast.Call(args=[number], keywords=[]) if site.type_of(number) is Type.INT:
            given = shown(site, number)
            lines = site.assigned(
                node,
                Type.INT,
                lambda name: [f"{name} = {given}", f"if {name} < 0:", f"    {name} = -{name}"],
            )
            return code("compare with if", lines)
    return ""


def _of_rounding(site: Site, node: ast.Call) -> str:
    """Return the help for math.ceil and math.floor of a quotient."""
    match node:
        case ast.Call(
            args=[ast.BinOp(left=number, op=ast.Div(), right=ast.Constant(value=int() as divisor))],
            keywords=[],
        ) if divisor > 0 and site.type_of(number) is Type.INT:
            text = operand(site, number)
            if ast.unparse(node.func) == "math.ceil":
                text = f"({text} + {divisor - 1})"
            quotient = f"{text} // {divisor}"
            return code("write", quotient if site.is_whole(node) else f"({quotient})")
    return ""


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


def _of_strftime(_: Site, node: ast.Call) -> str:
    """Return the help for time.strftime with one argument."""
    match node.args:
        case [ast.Constant(value=str() as form)] if "'" not in form and '"' not in form:
            return (
                "run the program date, bound at the top with `program`, as in"
                f' `date("+{form}").strip()`'
            )
    return ""


def _of_setdefault(site: Site, node: ast.Call) -> str:
    match site.statement, node.args:
        case ast.Expr(value=value), [ast.Constant(value=str()) as name, text] if (
            value is node and site.type_of(text) is Type.STR
        ):
            key = shown(site, name)
            lines = [f"if {key} not in local.env:", f"    local.env[{key}] = {shown(site, text)}"]
            return code("write", lines)
    return ""


def _of_update(site: Site, node: ast.Call) -> str:
    """Return the help for local.env.update(NAME="x")."""
    match site.statement:
        case ast.Expr(value=value) if value is node and not node.args:
            pairs = [(given.arg, given.value) for given in node.keywords]
            if all(name is not None and site.type_of(text) is Type.STR for name, text in pairs):
                lines = [f'local.env["{name}"] = {shown(site, text)}' for name, text in pairs]
                return code("set each variable", lines)
    return ""


def _of_pop(site: Site, node: ast.Call) -> str:
    """Return the help for the removal of an environment variable."""
    match node.args:
        case [ast.Constant(value=str()) as name, *rest]:
            key = shown(site, name)
            default = shown(site, rest[0]) if rest else '""'
            if isinstance(site.statement, ast.Expr) and site.statement.value is node:
                return code("write", f'local.env.pop({key}, "")')
            if rest and site.type_of(rest[0]) is not Type.STR:
                return ""
            lines = site.assigned(
                node,
                Type.STR,
                lambda name: [
                    f"{name} = local.env.get({key}, {default})",
                    f'local.env.pop({key}, "")',
                ],
            )
            return code("read its value first", lines)
    return ""


def of_get(site: Site, node: ast.Call) -> str:
    """Return the help for local.env.get without a default, and for os.environ.get."""
    match node.args:
        case [ast.Constant(value=str()) as name, *rest]:
            empty = _no_text(site, name)
            default = shown(site, rest[0]) if rest else empty
            if rest and site.type_of(rest[0]) is not Type.STR:
                return ""
            variable = f"local.env.get({shown(site, name)}, {default})"
            match site.statement:
                case ast.If(test=ast.UnaryOp(op=ast.Not(), operand=operand)) if (
                    operand is node and not site.is_elif()
                ):
                    return code("write", f"if {variable} == {empty}:")
            return code("write", f"{variable} != {empty}" if site.is_tested(node) else variable)
    return ""


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
            if site.type_of(path) is Type.PATH and is_plain:
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
    intro = "make a Path first"
    match node.args[0]:
        case ast.Constant(value=""):
            return "no file has an empty name. `absolute` returns the working directory for it"
        case ast.Constant():
            pass
        case ast.Name() if exact := _exact_path_test(site, node, f'{given} != "" and {result}'):
            return code(intro, [f"{path} = absolute({given})", exact])
        case _:
            intro += " (an empty text becomes the working directory)"
    match site.statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value) if value is node:
            return code(intro, [f"{path} = absolute({given})", f"{name} = {result}"])
    lines = site.assigned(node, Type.PATH, lambda name: [f"{name} = absolute({given})"], name=path)
    if lines:
        lines[-1] = lines[-1].replace(path, result, 1)
    return code(intro, lines)


def _exact_path_test(site: Site, node: ast.Call, test: str) -> str:
    """Return the statement with a test that is also false for an empty text, or ""."""
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


def _of_getuid(site: Site, node: ast.Call) -> str:
    return called(site, node, "user_id()", Type.INT)


def _with_test(site: Site, node: ast.expr, lines: list[str]) -> list[str]:
    """Append `!= ""` to the replacement if `node` is a whole condition."""
    if lines and site.is_condition(node):
        return [*lines[:-1], lines[-1].removesuffix(":") + ' != "":']
    return lines


def _of_which(site: Site, node: ast.Call) -> str:
    match node:
        case ast.Call(args=[name], keywords=[]) if site.type_of(name) is Type.STR:
            call = f"find_program({shown(site, name)})"
            if ast.unparse(node.func) != "local.which":
                found = site.assigned(node, Type.STR, lambda name: [f"{name} = {call}"])
                return code("write", _with_test(site, node, found))

            def lines(name: str) -> list[str]:
                wrong = f"    {said('the program is not installed')}"
                return [f"{name} = {call}", f'if {name} == "":', wrong, "    return 1"]

            if site.can_fail:
                found = _with_test(site, node, site.assigned(node, Type.STR, lines))
                return code("find it, and check the result", found)
    return ""


def _of_stream(site: Site, node: ast.Call) -> str:
    """Return the help for sys.stdout.write, and for sys.stderr.write of a line."""
    if len(node.args) != 1 or site.type_of(node.args[0]) is not Type.STR:
        return ""
    where = ", file=sys.stderr" if "stderr" in ast.unparse(node.func) else ""
    match node.args:
        case [ast.Constant(value=str() as text)] if text.endswith("\n"):
            return code("write", f"print({text[:-1]!r}{where})")
        case [ast.JoinedStr(values=[*parts, ast.Constant(value=str() as text)])] if text.endswith(
            "\n"
        ):
            line = join_parts([*parts, ast.Constant(text[:-1])])
            return code("write", f"print({line}{where})")
        case [ast.BinOp(left=left, op=ast.Add(), right=ast.Constant(value="\n"))]:
            return code("write", f"print({shown(site, left)}{where})")
        case [text] if not where and isinstance(site.statement, ast.Expr):
            return code("write", f'print({shown(site, text)}, end="")')
    return ""


def of_exit(site: Site, node: ast.Call) -> str:
    """Return the help for sys.exit and `raise SystemExit`."""
    is_statement = isinstance(site.statement, (ast.Expr, ast.Raise))
    if not (site.is_main and is_statement) or node.keywords:
        return ""
    match node.args:
        case [] | [ast.Constant(value=None)]:
            return code("write", "return 0")
        case [value] if site.type_of(value) is Type.INT:
            return code("write", f"return {shown(site, value)}")
        case [text] if site.type_of(text) is Type.STR:
            lines = [f"print({shown(site, text)}, file=sys.stderr)", "return 1"]
            return code("write", lines)
        case [_]:
            return "print the message with `file=sys.stderr`, and `return 1`"
    return ""


def _of_split(site: Site, node: ast.Call) -> str:
    """Return the help for `first, second = text.split(":")`."""
    match site.statement:
        case ast.Assign(
            targets=[ast.Tuple(elts=[ast.Name(), ast.Name()] as targets)], value=value
        ) if value is node and _is_once_at_spaces(node):
            return _of_first_word(site, node, targets)
        case ast.Assign(targets=[ast.Tuple(elts=targets)], value=value) if (
            value is node and not node.args
        ):
            return _of_all_words(site, node, targets)
        case ast.Assign(targets=[ast.Tuple(elts=[_, _, _, *_] as targets)], value=value):
            return _of_many_parts(site, node, targets) if value is node else ""
    match node:
        case ast.Call(
            func=ast.Attribute(value=owner, attr=("split" | "rsplit") as method),
            args=[ast.Constant(value=str() as separator) as literal, *rest],
            keywords=limit,
        ) if separator and [*map(ast.unparse, (*rest, *limit))] in ([], ["1"], ["maxsplit=1"]):
            rest += [keyword.value for keyword in limit]
            match site.statement:
                case ast.Assign(
                    targets=[ast.Tuple(elts=[ast.Name() as head, ast.Name() as tail])], value=value
                ) if value is node:
                    if not site.is_text(owner):
                        return ""
                    text = operand(site, owner)
                    found, part = site.fresh("separator"), shown(site, literal)
                    partition = method.replace("split", "partition")
                    if not site.failure("1"):
                        empty = head.id if method == "rsplit" else tail.id
                        line = f"{head.id}, _, {tail.id} = {text}.{partition}({part})"
                        return code(f"split it once ({empty} is empty if {part} is missing)", line)
                    left = head.id if head.id != "_" else site.fresh("first")
                    right = tail.id if tail.id != "_" else site.fresh("rest")
                    wrong = f'{found} == ""'
                    if not rest:  # Python fails if there are more than two parts
                        wrong += f" or {part} in {left if method == 'rsplit' else right}"
                    lines = [
                        f"{left}, {found}, {right} = {text}.{partition}({part})",
                        f"if {wrong}:",
                        f"    return {site.failure('1')}",
                    ]
                    return code("split it once, and check the separator", lines)
    return ""


def _is_once_at_spaces(node: ast.Call) -> bool:
    """Return whether a call is split(None, 1) or split(maxsplit=1)."""
    given = [*map(ast.unparse, (*node.args, *node.keywords))]
    return given in (["None", "1"], ["maxsplit=1"], ["None", "maxsplit=1"])


def _of_first_word(site: Site, node: ast.Call, targets: list[ast.expr]) -> str:
    """Return the help for `first, rest = text.split(None, 1)`."""
    first, rest = map(ast.unparse, targets)
    match node.func:
        case ast.Attribute(value=owner, attr="split") if (
            site.failure("1")
            and site.is_text(owner)
            and len({first, rest}) == 2
            and all(site.variable(name) in (None, Type.STR) for name in (first, rest))
        ):
            rest = rest if rest != "_" else site.fresh("rest")
            text = site.fresh("text")
            lines = [
                f"{text} = {operand(site, owner)}.lstrip()",
                f'{first}, _, {rest} = {text}.partition(" ")',
                f"{rest} = {rest}.lstrip()",
                f'if {rest} == "":',
                f"    return {site.failure('1')}",
            ]
            return code("if spaces separate the words, split at the first one", lines)
    return ""


def _of_all_words(site: Site, node: ast.Call, targets: list[ast.expr]) -> str:
    """Return the help for `a, b = text.split()`."""
    match node:
        case ast.Call(func=ast.Attribute(value=owner, attr="split"), keywords=[]) if (
            site.failure("1") and site.result_of(owner) is Type.STR
        ):
            names = [*map(ast.unparse, targets)]
            is_free = all(site.variable(name) in (None, Type.STR) for name in names)
            are_names = all(name.isidentifier() for name in names)
            if not (are_names and is_free) or len({*names}) < len(names):
                return ""
            text, word, count = (site.fresh(name) for name in ("text", "word", "count"))
            begin = [f"{text} = {shown(site, owner)}"]
            if isinstance(owner, ast.Name) and owner.id not in names:
                begin, text = [], owner.id
            lines = [*begin, *(f'{name} = ""' for name in names if name != "_"), f"{count} = 0"]
            lines += [f"for {word} in {text}.split():", f"    {count} += 1"]
            for number, name in enumerate(names, 1):
                if name != "_":
                    lines += [f"    if {count} == {number}:", f"        {name} = {word}"]
            lines += [f"if {count} != {len(names)}:", f"    return {site.failure('1')}"]
            return code("assign the words in a loop, and check how many there are", lines)
    return ""


def _of_many_parts(site: Site, node: ast.Call, targets: list[ast.expr]) -> str:
    """Return the help for `a, b, c = text.split(",")`."""
    match node:
        case ast.Call(
            func=ast.Attribute(value=owner, attr="split"),
            args=[ast.Constant(value=str() as separator) as literal],
            keywords=[],
        ) if separator and site.failure("1") and site.result_of(owner) is Type.STR:
            names, part = [*map(ast.unparse, targets)], shown(site, literal)
            if not all(name.isidentifier() for name in names):
                return ""
            rest, found = site.fresh("rest"), site.fresh("separator")
            names[-1] = names[-1] if names[-1] != "_" else site.fresh("last")
            sources = [operand(site, owner), *[rest] * (len(names) - 2)]
            lines = [
                f"{name}, _, {rest} = {source}.partition({part})"
                for name, source in zip(names[:-2], sources, strict=False)
            ]
            lines.append(f"{names[-2]}, {found}, {names[-1]} = {rest}.partition({part})")
            wrong = f'{found} == "" or {part} in {names[-1]}'
            lines += [f"if {wrong}:", f"    return {site.failure('1')}"]
            return code("split the text, and check the number of parts", lines)
    return ""


def of_arguments(site: Site, node: ast.expr) -> str:
    """Return the help for `first, second = arguments`."""
    match site.statement:
        case ast.Assign(targets=[ast.Tuple(elts=targets)], value=value) if (
            value is node and site.can_fail
        ):
            all_of, names = ast.unparse(node), [*map(ast.unparse, targets)]
            taken = {all_of, *site.programs.values()}
            if not taken.isdisjoint(names) or any(
                not name.isidentifier() or site.variable(name) not in (None, Type.STR)
                for name in names
            ):
                return ""
            wrong = f"    {said(f'{len(names)} arguments are needed')}"
            lines = [f"if len({all_of}) != {len(names)}:", wrong, "    return 1"]
            lines += [f"{name} = {all_of}[{i}]" for i, name in enumerate(names)]
            return code("check the number of arguments, then assign each one", lines)
    for part in ast.walk(site.statement) if site.statement else ():
        match part:
            case ast.Subscript(
                value=value, slice=ast.Slice(lower=ast.Constant(), upper=None, step=None)
            ) if value is node:
                rest = shown(site, part)
                return f"iterate over it where it is used, as in `for argument in {rest}:`"
            case ast.Subscript(
                value=value, slice=ast.Name() | ast.BinOp(op=ast.Add() | ast.Sub())
            ) if value is node:
                return (
                    f"an index is a number, as in `{ast.unparse(node)}[0]`. To find an argument,"
                    f" iterate over all, as in `for argument in {ast.unparse(node)}:`"
                )
            case ast.Subscript(
                value=value, slice=ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=1))
            ) if value is node and site.can_fail:
                return _of_last_argument(site, part, ast.unparse(node))
            case ast.Call(func=ast.Name(id="sorted"), args=[value]) if value is node:
                return (
                    "if none contains a line end, put each into a text, on a line of its own. Sort"
                    ' its lines with the program env, as in `(env["LC_ALL=C", "sort"] << text)()`'
                )
    return ""


def _of_last_argument(site: Site, node: ast.Subscript, arguments: str) -> str:
    """Return the help for `arguments[-1]`."""

    def lines(name: str) -> list[str]:
        wrong = f"    {said('an argument is needed')}"
        check = [f"if len({arguments}) == 0:", wrong, "    return 1", f'{name} = ""']
        return [*check, f"for {argument} in {arguments}:", f"    {name} = {argument}"]

    argument = site.fresh("argument")
    found = site.assigned(node, Type.STR, lines, name="last")
    return code("check the number of arguments, then take the last one in a loop", found)


def _of_count(site: Site, node: ast.Call) -> str:
    """Return the help for `text.count(",")`."""
    match node:
        case ast.Call(
            func=ast.Attribute(value=owner),
            args=[ast.Constant(value=str() as part) as literal],
            keywords=[],
        ) if len(part) == 1 and part.isascii() and not part.isspace() and part != "\0":
            if site.result_of(owner) is Type.STR:
                text = f"{operand(site, owner)}.split({shown(site, literal)})"

                def lines(name: str) -> list[str]:
                    return [f"{name} = -1", f"for _ in {text}:", f"    {name} += 1"]

                found = site.assigned(node, Type.INT, lines, read_again=(owner,))
                return code("count the parts in a loop, except the first", found)
    return ""


def of_power(site: Site, node: ast.BinOp) -> str:
    """Return the help for `number ** 2`, `number >> 1` and `number << 1`."""
    match node:
        case ast.BinOp(left=left, op=operator, right=ast.Constant(value=int() as count)) if (
            site.type_of(left) is Type.INT and 0 < count < 63
        ):
            number, result = operand(site, left), ""
            if isinstance(operator, ast.Pow) and count < 4 and isinstance(left, ast.Name):
                result = " * ".join([number] * count)
            elif isinstance(operator, ast.RShift):
                result = f"{number} // {2**count}"
            elif isinstance(operator, ast.LShift):
                result = f"{number} * {2**count}"
            is_inner = result != "" and not site.is_whole(node)
            if not isinstance(site.statement, ast.AugAssign):
                return code("write", f"({result})" if is_inner else result)
    return ""


def of_bool_update(site: Site, node: ast.BinOp) -> str:
    """Return the help for `flag |= test` and `flag &= test`, which always evaluate the test."""
    word = {ast.BitOr: "or", ast.BitAnd: "and"}.get(type(node.op))
    match site.statement:
        case ast.AugAssign(target=ast.Name(id=name), value=ast.Compare() as test) if (
            word and site.variable(name) is Type.BOOL
        ):
            return code("write", f"{name} = {shown(site, test)} {word} {name}")
    return ""


def of_split_index(site: Site, node: ast.Subscript) -> str:
    """Return the help for `text.split(":")[0]`, `text.split()[4]` and `text.partition(":")[2]`."""
    found = _part_of_split(site, node)
    if found is None:
        return ""
    intro, lines = found
    read_again = () if intro == SPLIT_TEXT else (node,)  # in a loop
    return code(intro, site.assigned(node, Type.STR, lines, read_again=read_again))


def _part_of_split(
    site: Site, node: ast.Subscript
) -> tuple[str, Callable[[str], list[str]]] | None:
    """Return the help's introduction, and a function that returns its lines."""
    match node:
        case ast.Subscript(
            value=ast.Call(
                func=ast.Attribute(value=owner, attr="partition" | "rpartition")
            ) as call,
            slice=ast.Constant(value=int() as index),
        ) if index in range(3) and site.result_of(owner) is Type.STR:
            before, after = ["_"] * index, ["_"] * (2 - index)
            return SPLIT_TEXT, lambda name: [
                f"{', '.join([*before, name, *after])} = {shown(site, call)}"
            ]
        case ast.Subscript(
            value=ast.Call(
                func=ast.Attribute(value=owner, attr="split"), args=arguments, keywords=[]
            ),
            slice=ast.Constant(value=int())
            | ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=1)) as index,
        ) if site.result_of(owner) in (Type.STR, Type.PATH):
            place, text = ast.literal_eval(index), operand(site, owner)
            match arguments:
                case [ast.Constant(value=str() as separator) as literal, *limit] if separator and [
                    *map(ast.unparse, limit)
                ] in ([], ["1"]):
                    part = shown(site, literal)
                    lines = _partitioned(site, text, part, place, is_limited=limit != [])
                    if lines is not None:
                        return SPLIT_TEXT, lines
                    is_plain = len(separator) == 1 and separator.isascii()
                    if not limit and is_plain and not separator.isspace():
                        return FIND_PART, _nth_part(site, text, part, place)
                case []:
                    return FIND_PART, _nth_part(site, text, "", place)
    return None


def _partitioned(
    site: Site, text: str, part: str, place: int, *, is_limited: bool
) -> Callable[[str], list[str]] | None:
    """Return a function for the lines that get a part with partition, or None."""
    if place == 1 and site.failure("1"):
        found, rest = site.fresh("separator"), site.fresh("rest")

        def second(name: str) -> list[str]:
            after = name if is_limited else rest
            last = [] if is_limited else [f"{name}, _, _ = {rest}.partition({part})"]
            first = f"_, {found}, {after} = {text}.partition({part})"
            return [first, f'if {found} == "":', f"    return {site.failure('1')}", *last]

        return second
    if place == 0:
        return lambda name: [f"{name}, _, _ = {text}.partition({part})"]
    if place == -1 and not is_limited and can_be_appended(ast.literal_eval(part)):
        return lambda name: [f"_, _, {name} = {text}.rpartition({part})"]
    return None


def can_be_appended(text: str) -> bool:
    """Return whether a separator can be appended to a text that is then split.

    One that ends with its own beginning may be found too early, as "aa" in "a" + "aa".
    """
    return text != "" and not any(text.endswith(text[:n]) for n in range(1, len(text)))


def _nth_part(site: Site, text: str, part: str, place: int) -> Callable[[str], list[str]]:
    """Return a function for the lines that find a part in a loop."""
    item, number = site.fresh("part"), site.fresh("number")

    def lines(name: str) -> list[str]:
        if place < 0:
            return [f'{name} = ""', f"for {name} in {text}.split({part}):", "    pass"]
        return [
            f'{name} = ""',
            f"{number} = -1",
            f"for {item} in {text}.split({part}):",
            f"    {number} += 1",
            f"    if {number} == {place}:",
            f"        {name} = {item}",
        ]

    return lines


def _of_join_text(site: Site, node: ast.Call) -> str:
    """Return the help for ", ".join((a, b))."""
    match node:
        case ast.Call(
            func=ast.Attribute(value=ast.Constant(value=str() as separator)),
            args=[ast.Tuple(elts=items) | ast.List(elts=items)],
            keywords=[],
        ) if all(site.type_of(item) is Type.STR for item in items):
            parts: list[ast.expr] = []
            for item in items:
                parts += [ast.Constant(separator)] if parts else []
                is_text = isinstance(item, ast.Constant)
                parts.append(item if is_text else ast.FormattedValue(item, -1))
            return code("use an f-string", join_parts(parts))
    return ""


def _of_format(site: Site, node: ast.Call) -> str:
    """Return the help for "{}: {}".format(a, b)."""
    match node:
        case ast.Call(
            func=ast.Attribute(value=ast.Constant(value=str() as text)), args=values, keywords=[]
        ):
            try:
                fields = [*string.Formatter().parse(text)]
            except ValueError:
                return ""
            kinds = (Type.STR, Type.INT, Type.PATH, Type.STATUS)
            left = [*values]
            parts: list[ast.expr] = []
            for literal, name, spec, conversion in fields:
                parts.append(ast.Constant(literal))
                if name is None:
                    continue
                kind = site.type_of(left[0]) if left else Type.ERROR
                if name or conversion or kind not in kinds or (spec and not is_format(kind, spec)):
                    return ""
                parts.append(formatted(left.pop(0), spec or ""))
            return "" if left else code("use an f-string", join_parts(parts))
    return ""


def _of_read(site: Site, node: ast.Call) -> str:
    """Return the help for path.read() and open(path).read()."""
    match node:
        case ast.Call(
            func=ast.Attribute(
                value=ast.Call(func=ast.Name(id="open"), args=[path], keywords=[])
                | (ast.Name() as path)
            ),
            args=[],
            keywords=[],
        ) if site.type_of(path) in (Type.STR, Type.PATH):
            call = f"read_file({shown(site, path)})"
            return checked(site, node, call, Type.STR, "read it, and check the status")
    return ""


def _of_write(site: Site, node: ast.Call) -> str:
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name() as path), args=[text], keywords=[]) if (
            site.type_of(path) is Type.PATH and site.type_of(text) is Type.STR
        ):
            call = f"write_file({path.id}, {shown(site, text)})"
            return _succeeded(site, node, f"{call} != 0", "write it, and check the status")
    return ""


def _succeeded(site: Site, node: ast.Call, failure: str, intro: str) -> str:
    """Return the help for a statement that raises an exception if it fails."""
    match site.statement:
        case ast.Expr(value=value) if value is node and site.can_fail:
            return code(intro, [f"if {failure}:", "    return 1"])
    return ""


# The program, and its options, for each replaced function of os and method of a Path.
PROGRAMS = {
    "os.remove": ("rm", '"--"'),
    "os.unlink": ("rm", '"--"'),
    "os.mkdir": ("mkdir", '"--"'),
    "os.makedirs": ("mkdir", '"-p", "--"'),
    "os.rename": ("mv", '"-fT", "--"'),
    "os.replace": ("mv", '"-fT", "--"'),
    "delete": ("rm", '"-rf", "--"'),
    "unlink": ("rm", '"-f", "--"'),
    "mkdir": ("mkdir", '"-p", "--"'),
    "touch": ("touch", '"--"'),
    "move": ("mv", '"--"'),
}


def _of_program(site: Site, node: ast.Call) -> str:
    """Return the help for what a program does: os.remove, path.mkdir and the like."""
    assert isinstance(node.func, ast.Attribute)
    function, paths, keywords = ast.unparse(node.func), node.args, node.keywords
    if function == "os.makedirs":
        if [ast.unparse(keyword) for keyword in keywords] != ["exist_ok=True"]:
            return ""
        keywords = []
    elif function not in PROGRAMS:
        function, paths = node.func.attr, [node.func.value, *paths]
        if site.type_of(node.func.value) is not Type.PATH:
            return ""
    name, words = PROGRAMS[function]
    if keywords or len(paths) != 1 + (name == "mv"):
        return ""
    if not all(site.type_of(path) in (Type.STR, Type.PATH) for path in paths):
        return ""
    given = ", ".join(shown(site, path) for path in paths)
    is_statement = isinstance(site.statement, ast.Expr) and site.statement.value is node
    intro = f"run {name}{at_the_top(site, name)}"
    return code(intro, f"{bound_name(site, name)}({words}, {given})") if is_statement else ""


def _of_case(site: Site, node: ast.Call) -> str:
    """Return the help for text.upper() and text.lower(), for ASCII letters only."""
    letters = {"upper": '"a-z", "A-Z"', "lower": '"A-Z", "a-z"'}
    match node:
        case ast.Call(func=ast.Attribute(value=owner, attr=method), args=[], keywords=[]) if (
            site.result_of(owner) is Type.STR
        ):
            call = f"({bound_name(site, 'tr')}[{letters[method]}] << {operand(site, owner)})()"
            return code(f"for ASCII letters, run tr{at_the_top(site, 'tr')}", call)
    return ""


def of_chdir(site: Site, node: ast.Call) -> str:
    """Return the help for os.chdir and local.cwd.chdir."""
    match node:
        case ast.Call(args=[path], keywords=[]) if site.type_of(path) in (Type.STR, Type.PATH):
            failure = f"change_directory({shown(site, path)}) != 0"
            return _succeeded(site, node, failure, "change it, and check the status")
    return ""


def of_glob(site: Site, owner: ast.expr, pattern: ast.expr) -> str:
    """Return the code for `sorted(directory.glob("*.log"))`, or ""."""
    match pattern:
        case ast.Constant(value=str() as text) if GLOB.fullmatch(text):
            if site.type_of(owner) is Type.PATH:
                return f"sorted({shown(site, owner)} // {shown(site, pattern)})"
    return ""


def of_variable(site: Site, node: ast.Subscript) -> str:
    """Return the help for os.environ["NAME"] and local.env["NAME"], which fail if it is not set."""
    match node.slice:
        case ast.Constant(value=str() as wanted) as key if wanted.isidentifier():
            variable = shown(site, key)
            if site.statement is None:
                return code("write", f'local.env.get({variable}, "")')

            def lines(name: str) -> list[str]:
                wrong = f"    {said(f'{wanted} is not set')}"
                test = [f"if {variable} not in local.env:", wrong, "    return 1"]
                return [*test, f'{name} = local.env.get({variable}, "")']

            found = _with_test(site, node, site.assigned(node, Type.STR, lines))
            return code("read it, and check that it is set", found if site.can_fail else [])
    return ""


def of_variable_choice(site: Site, node: ast.IfExp) -> str:
    """Return the help for `os.environ["X"] if "X" in os.environ else "a"`."""
    match node:
        case ast.IfExp(
            test=ast.Compare(
                left=ast.Constant(value=str() as tested), ops=[ast.In()], comparators=[where]
            ),
            body=ast.Subscript(value=owner, slice=ast.Constant(value=read) as name),
            orelse=text,
        ) if tested == read and {ast.unparse(where), ast.unparse(owner)} <= ENVIRONMENTS:
            if site.type_of(text) is Type.STR:
                return code("write", f"local.env.get({shown(site, name)}, {shown(site, text)})")
    return ""


def compared(
    site: Site, node: ast.expr, pairs: list[tuple[ast.expr, str, ast.expr]], word: str
) -> str:
    """Return the help for comparisons that are joined by `word`."""
    for left, _, right in pairs:
        kinds = {site.type_of(left), site.type_of(right)}
        kinds = {Type.INT if kind.is_number else kind for kind in kinds - {Type.ERROR}}
        if Type.ERROR in (site.type_of(left), site.type_of(right)) or len(kinds) > 1:
            return ""
    way = f" {word} ".join(f"{shown(site, a)} {sign} {shown(site, b)}" for a, sign, b in pairs)
    is_whole = len(pairs) == 1 or site.is_condition(node) or site.is_whole(node)
    return code(
        "compare one by one" if len(pairs) > 1 else "compare", way if is_whole else f"({way})"
    )


def of_or_and(site: Site, node: ast.BoolOp) -> str:
    """Return the help for `first or second` and `first and second` with texts or numbers."""
    match node:
        case ast.BoolOp(
            op=ast.Or(),
            values=[
                ast.Call(func=function, args=[ast.Constant(value=str()) as name], keywords=[]),
                text,
            ],
        ) if ast.unparse(function) in ENVIRONMENT_READS and site.result_of(text) is Type.STR:
            return code("write", f"local.env.get({shown(site, name)}) or {operand(site, text)}")
        case ast.BoolOp(
            op=ast.Or(),
            values=[variable, ast.Call(func=function, args=[message], keywords=[])],
        ) if ast.unparse(function) in ("sys.exit", "exit") and site.is_main:
            has_number = any(
                isinstance(part, ast.Constant) and isinstance(part.value, int)
                for part in ast.walk(variable)
            )
            read = "" if has_number else variable_text(site, variable)
            first = read or (shown(site, variable) if site.is_text(variable) else "")

            def or_exit(name: str) -> list[str]:
                last = [f"    print({shown(site, message)}, file=sys.stderr)", "    return 1"]
                return [f"{name} = {first}", f'if {name} == "":', *last]

            if first and site.type_of(message) is Type.STR:
                return code("use if", site.assigned(node, Type.STR, or_exit))
    kinds = {site.result_of(value) for value in node.values}
    is_number = kinds in ({Type.INT}, {Type.STATUS})
    kind = kinds.pop() if is_number else Type.STR
    values = [shown(site, x) if is_number else _operand(site, x) for x in node.values]
    sign = "==" if isinstance(node.op, ast.Or) else "!="
    test = f"{sign} 0" if is_number else f'{sign} ""'

    def lines(name: str) -> list[str]:
        first = [f"{name} = {values[0]}"] if values[0] != name else []
        tests = [[f"if {name} {test}:", f"    {name} = {value}"] for value in values[1:]]
        return sum(tests, first)

    if "" in values:
        return "use if and else"
    found = site.assigned(node, kind, lines, read_again=node.values[1:])
    return code("use if", found, "use if and else")


def of_and_or(site: Site, node: ast.expr) -> str:
    """Return the help for `test and "first" or "second"` and `text and "x"`, or ""."""
    match node:
        case ast.BoolOp(op=ast.And(), values=[test, last]) if (
            site.result_of(test) is Type.STR and site.result_of(last) is Type.STR
        ):
            choice = f'{shown(site, last)} if {operand(site, test)} != "" else ""'
            return code("use a conditional expression", choice)
        case ast.BoolOp(
            op=ast.Or(),
            values=[
                ast.BoolOp(
                    op=ast.And(),
                    values=[
                        ast.Compare() as test,
                        ast.Constant(value=str() | int() as first) as left,
                    ],
                ),
                ast.Constant(value=str() | int() as second) as right,
            ],
        ) if first and type(first) is type(second) and not isinstance(first, bool):
            choice = f"{shown(site, left)} if {shown(site, test)} else {shown(site, right)}"
            return code("use a conditional expression", choice)
    return ""


def _of_run(site: Site, node: ast.Call) -> str:
    """Return the help for command.run(), which returns the exit status, the output and stderr."""
    match node:
        case ast.Call(func=ast.Attribute(value=command), args=[], keywords=options) if (
            site.type_of(command) is Type.COMMAND
        ):
            run = operand(site, command)
        case _:
            return ""
    is_checked = not options
    if not is_checked and [*map(ast.unparse, options)] != ["retcode=None"]:
        return ""
    match site.statement:
        case ast.Expr(value=value) if value is node:
            return code("write", f"{run}()" if is_checked else f"_ = {run} & RETCODE")
        case ast.Assign(targets=[ast.Tuple(elts=[status, text, errors])], value=value) if (
            value is node
        ):
            names = [ast.unparse(name) for name in (status, text, errors)]
            if names[2] != "_":
                run = f"({run} >= ERROUT) & CAPTURE"
                return (
                    "`& CAPTURE` returns the status and the output. Stderr is discarded, or joins"
                    f" the output, as in `{names[0]}, {names[1]} = {run}`"
                )
            if not is_checked:
                return code("write", f"{names[0]}, {names[1]} = {run} & CAPTURE")
            return code("write", f"{names[1]} = {run}()") if names[0] == "_" else ""
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
    if any(site.variable(name) not in (None, Type.STR) for name in names):
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


def _of_isatty(site: Site, node: ast.Call) -> str:
    """Return the help for `sys.stdin.isatty()` and `os.isatty(0)`."""
    descriptors = {"sys.stdin": "0", "sys.stdout": "1", "sys.stderr": "2"}
    match node:
        case ast.Call(func=ast.Attribute(value=stream), args=[], keywords=[]):
            number = descriptors.get(ast.unparse(stream), "")
        case ast.Call(args=[ast.Constant(value=int() as descriptor)], keywords=[]) if (
            descriptor in range(3)
        ):
            number = str(int(descriptor))
        case _:
            number = ""
    way = f'{bound_name(site, "test")}["-t", "{number}"] & TF(FG=True)' if number else ""
    return code("run the program test", way)


def _operand(site: Site, node: ast.expr) -> str:
    """Return the code of a text, with a default for an environment variable, or ""."""
    match node:
        case ast.Call(func=function, args=[name], keywords=[]) if (
            ast.unparse(function) == "local.env.get"
        ):
            return f'local.env.get({shown(site, name)}, "")'
    return shown(site, node) if site.is_text(node) else ""


def of_character(site: Site, node: ast.Compare) -> str:
    """Return the help for `text[0] == "#"` and `text[-1] != "/"`, or ""."""
    match node:
        case ast.Compare(
            left=ast.Subscript(value=ast.Name(id=name) as text, slice=place),
            ops=[ast.Eq() | ast.NotEq() as operator],
            comparators=[ast.Constant(value=str() as part) as literal],
        ) if site.type_of(text) is Type.STR and len(part) == 1:
            method = {"0": "startswith", "-1": "endswith"}.get(ast.unparse(place))
            if method:
                negation = "not " if isinstance(operator, ast.NotEq) else ""
                return code("write", f"{negation}{name}.{method}({shown(site, literal)})")
    return ""


def of_literal_operands(site: Site, node: ast.BoolOp) -> str:
    """Return the help for `text == "a" or "b"` and `"a" and "b" in text`, else ""."""
    *first, last = node.values
    either = isinstance(node.op, ast.Or)

    def are_literals(parts: Sequence[ast.expr], *kinds: type) -> bool:
        return any(
            all(isinstance(part, ast.Constant) and type(part.value) is kind for part in parts)
            for kind in kinds
        )

    match node.values[0], last:
        case ast.Compare(left=ast.Name() as left, ops=[ast.Eq()], comparators=[value]), _ if (
            either and are_literals((value, *node.values[1:]), str, int)
        ):
            values = ", ".join(shown(site, part) for part in (value, *node.values[1:]))
            return code("write", f"{shown(site, left)} in ({values})")
        case _, ast.Compare(ops=[ast.In()], comparators=[ast.Name() as text]) if are_literals(
            (*first, last.left), str
        ):
            parts = [*first, last.left]
            joined = f" {'or' if either else 'and'} "
            return code("write", joined.join(f"{shown(site, x)} in {text.id}" for x in parts))
    return ""


def of_text_index(site: Site, node: ast.Subscript) -> str:
    """Return the help for `text[3]`: a slice, which can be empty."""
    if site.holds_lines(node.value):
        text = shown(site, node.value)
        if ast.unparse(node.slice) != "0":
            return f"take the items in a loop over `{text}[1:].splitlines()`"
        split = f'{text}[1:].partition("\\n")'
        lines = site.assigned(node, Type.STR, lambda name: [f"{name}, _, _ = {split}"])
        return code('take the first item, or "" without an item', lines, SPLIT_TEXT)
    place = ""
    match node.slice:
        case ast.Constant(value=int() as number) if not isinstance(number, bool):
            place = f"{number or ''}:{number + 1}"
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() as number)) if number:
            place = f"-{number}:{1 - number or ''}"
    text = f"{operand(site, node.value)}[{place}]" if place else ""
    if site.type_of(node.slice) is Type.INT and isinstance(node.slice, ast.Name):
        index, name = node.slice.id, shown(site, node.value)
        return f"use a slice, as in `{name}[{index}:{index} + 1]` if {index} is not negative"
    for part in ast.walk(site.statement) if site.statement else ():
        match part:
            case ast.Compare(left=left, ops=[ast.In() | ast.NotIn()]) if left is node and text:
                # An empty slice would be in any text.
                return f'use a slice and a tuple, as in `{text} in ("a", "b")`'
    return code("use a slice, which is empty if there is no such character", text, SLICES)


def at_the_top(site: Site, program: str) -> str:
    """Return the text that says where to bind a program, or "" if it is already bound.

    The text goes between an introduction and its code.
    """
    name = bound_name(site, program)
    return (
        "" if program in site.programs else f'. At the top: `{name} = program("{program}")`. Here'
    )


def bound_name(site: Site, program: str) -> str:
    """Return the name to which a program is bound, or a new one."""
    return site.programs.get(program) or site.fresh(program)


CALLS: dict[str, Callable[[Site, ast.Call], str]] = {
    "int": _of_int, "str": _of_str, "repr": _of_str, "format": _of_str, "bool": _of_bool,
    "math.ceil": _of_rounding, "math.floor": _of_rounding, "time.strftime": _of_strftime,
    "min": _of_extreme, "max": _of_extreme, "abs": _of_abs,
    "os.environ.setdefault": _of_setdefault, "local.env.update": _of_update,
    "os.environ.pop": _of_pop, "local.env.pop": _of_pop, "os.environ.get": of_get,
    "os.getenv": of_get, "LocalPath": _of_path, "Path": _of_path, "local.path": _of_path,
    "os.path.abspath": _of_path, "os.path.join": _of_join, "os.path.dirname": _of_dirname,
    "os.path.basename": _of_basename, "os.path.exists": _of_path_test, "os.access": _of_path_test,
    "os.path.isfile": _of_path_test, "os.path.isdir": _of_path_test,
    "os.path.islink": _of_path_test, "os.path.splitext": _of_splitext,
    "os.path.samefile": _of_samefile, "os.getcwd": of_getcwd,
    "os.getuid": _of_getuid, "local.which": _of_which, "shutil.which": _of_which,
    "sys.stdout.write": _of_stream, "sys.stderr.write": _of_stream, "sys.exit": of_exit,
    "exit": of_exit, "quit": of_exit, "os.chdir": of_chdir,
    **{name: _of_program for name in PROGRAMS if "." in name},
}  # fmt: skip
METHODS: dict[str, Callable[[Site, ast.Call], str]] = {
    "split": _of_split, "rsplit": _of_split, "join": _of_join_text, "format": _of_format,
    "count": _of_count, "read": _of_read, "read_text": _of_read, "write": _of_write,
    "write_text": _of_write, "with_suffix": _of_suffix,
    "upper": _of_case, "lower": _of_case, "isatty": _of_isatty, "run": _of_run,
    **{name: _of_program for name in PROGRAMS if "." not in name},
}  # fmt: skip
