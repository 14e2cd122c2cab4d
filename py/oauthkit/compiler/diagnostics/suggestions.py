"""Suggest what to write instead of Python and plumbum code that is outside the dialect."""

from __future__ import annotations

import ast
import re
from typing import NamedTuple

from oauthkit.compiler.diagnostics.describe import as_text, describe, joined


class Suggestion(NamedTuple):
    """What is wrong with Python code, and what to write instead."""

    message: str
    help: str


# Placeholders in the tables: {0} is the first argument, {text} an f-string of it, {owner} the name
# left of the last dot (or `text`), {part} a literal separator, {second} the second argument or "".
PROGRAM = 'run a program: {0} = program("{0}") at the top, and status = {0}[…] & RETCODE'
STDOUT = "print(text)"
LINES = 'split one by one: while rest != "": part, _, rest = rest.partition({part})'
PATH_TEST = "use two steps: path = absolute({0}), then test path.%s()"
ENVIRONMENT = "local.env.get({0}, {second})"

# Functions, by their whole name.
CALLS = {
    "int": "status, number = parse_int({0})",
    "str": "use an f-string: {text}",
    "repr": "use an f-string: {text}",
    "format": "use an f-string: {text}",
    "bool": 'compare it: text != "", or number != 0',
    "float": "use integers in a smaller unit: status, number = parse_int({0})",
    "len": 'there is no equivalent: compare {0} == "", or split the text with partition',
    "range": "count in a loop: number = 0, while number < limit:, number += 1",
    "enumerate": "count in the loop: number += 1",
    "min": "compare with if: if first < second:",
    "max": "compare with if: if first < second:",
    "abs": "test with if: if number < 0: number = -number",
    "dict": "use a name for each value, or choose with if and elif",
    "list": 'use a name for each value, or iterate over them: for item in ("a", "b"):',
    "set": 'use a name for each value, or iterate over them: for item in ("a", "b"):',
    "tuple": 'use a name for each value, or iterate over them: for item in ("a", "b"):',
    "sorted": 'use sort: sort = program("sort")',
    "sum": "add in a loop: total += number",
    "any": "compare one by one: first or second",
    "all": "compare one by one: first and second",
    "zip": "loop over one of them",
    "map": "write a for loop",
    "filter": "write a for loop",
    "isinstance": "the compiler knows each type: remove the call",
    "type": "the compiler knows each type: remove the call",
    "local.env.update": 'local.env["NAME"] = "x"',
    "os.environ.setdefault": 'if "NAME" not in local.env: local.env["NAME"] = "x"',
    "os.environ.pop": 'local.env.pop({0}, "")',
    "local.env.pop": 'local.env.pop({0}, "") on a line of its own, and its value before it:'
    ' text = local.env.get({0}, "")',
    "os.putenv": 'local.env["NAME"] = "x"',
    "open": "status, text = read_file({0}) reads, status = write_file({0}, text) writes",
    "input": 'status, text = read_file("/dev/stdin")',
    "LocalPath": "path = absolute({0})",
    "Path": "path = absolute({0})",
    "local.path": "path = absolute({0})",
    "os.path.abspath": "path = absolute({0})",
    "os.path.join": "absolute makes a Path, and / joins: path = absolute({0})",
    "os.path.dirname": "use two steps: path = absolute({0}), directory = path.dirname",
    "os.path.basename": 'split it: _, _, name = text.rpartition("/")',
    "os.path.exists": PATH_TEST % "exists",
    "os.path.isfile": PATH_TEST % "is_file",
    "os.path.isdir": PATH_TEST % "is_dir",
    "os.path.islink": PATH_TEST % "is_symlink",
    "os.access": 'use two steps: path = absolute({0}), then test path.access("r")',
    "os.path.samefile": "same = same_file({0}, {second})",
    "os.path.getsize": '_, size = program("stat")["-c", "%s", {0}] & CAPTURE',
    "os.environ.get": ENVIRONMENT,
    "os.getenv": ENVIRONMENT,
    "os.getcwd": 'path = absolute(".")',
    "os.umask": "use a literal: os.umask(0o077)",
    "os.chdir": 'only / is a directory that always exists: local.cwd.chdir("/")',
    "os.getpid": "there is no equivalent",
    "os.getuid": "uid = user_id()",
    "local.which": "path = find_program({0})",
    "shutil.which": "path = find_program({0})",
    "local.get": 'bind it at the top: name = program({0})',
    "local.cmd": 'bind it at the top: name = program("name")',
    "sys.stdout.write": STDOUT,
    "sys.stderr.write": "print(text, file=sys.stderr)",
    "sys.stdin.read": 'status, text = read_file("/dev/stdin")',
    "sys.exit": "return a Status to main, and in main write: return {0}",
    "exit": "return a Status to main, and in main write: return {0}",
    "quit": "return a Status to main, and in main write: return {0}",
    "os._exit": "return a Status to main, and in main write: return {0}",
    "os.remove": PROGRAM.replace("{0}", "rm"),
    "os.unlink": PROGRAM.replace("{0}", "rm"),
    "os.mkdir": PROGRAM.replace("{0}", "mkdir"),
    "os.makedirs": PROGRAM.replace("{0}", "mkdir"),
    "os.rename": PROGRAM.replace("{0}", "mv"),
    "os.replace": PROGRAM.replace("{0}", "mv"),
    "os.listdir": 'use ls: ls = program("ls"), and status, text = ls[…] & CAPTURE',
    "os.system": 'bind a program at the top, and run it: status = name["argument"] & RETCODE',
    "os.kill": PROGRAM.replace("{0}", "kill"),
}  # fmt: skip
# Methods, by their last name.
METHODS = {
    "strip": "CAPTURE removes newlines at the end; otherwise: text = {owner}.removesuffix({part})",
    "rstrip": "CAPTURE removes newlines at the end; otherwise: text = {owner}.removesuffix({part})",
    "lstrip": "remove a known prefix: text = {owner}.removeprefix({part})",
    "split": LINES,
    "rsplit": LINES,
    "splitlines": LINES,
    "join": "an f-string joins texts: f\"{{first}} {{second}}\"",
    "format": "an f-string joins texts: f\"{{first}} {{second}}\"",
    "find": "test {0} in {owner}, or split it: head, _, tail = {owner}.partition({part})",
    "index": "test {0} in {owner}, or split it: head, _, tail = {owner}.partition({part})",
    "isdigit": "status, number = parse_int({owner})",
    "encode": "a Str holds any bytes but NUL: remove the call",
    "decode": "a Str holds any bytes but NUL: remove the call",
    "append": "there are no lists; a Command takes more arguments: command = command[{0}]",
    "read": "status, text = read_file({owner})",
    "read_text": "status, text = read_file({owner})",
    "write": "status = write_file({owner}, text)",
    "write_text": "status = write_file({owner}, text)",
    "delete": PROGRAM.replace("{0}", "rm"),
    "unlink": PROGRAM.replace("{0}", "rm"),
    "mkdir": PROGRAM.replace("{0}", "mkdir"),
    "copy": PROGRAM.replace("{0}", "cp"),
    "move": PROGRAM.replace("{0}", "mv"),
    "rename": PROGRAM.replace("{0}", "mv"),
    "touch": PROGRAM.replace("{0}", "touch"),
    "run": "status, text = {owner} & CAPTURE",
    "popen": "a command with a time limit: status, text = run_limited(limit_s, grace_s, {owner})",
    "run_fg": "status = {owner} & RETCODE",
    "with_env": 'set it before: local.env["NAME"] = "x"',
    "chdir": 'write local.cwd.chdir("/")',
}  # fmt: skip
METHODS_OTHERWISE = (
    "values have removeprefix, removesuffix, replace; conditions have startswith, endswith, exists,"
    " is_file, is_dir, is_symlink, access"
)
NEED_ONE = ("startswith", "endswith", "access", "removeprefix", "removesuffix", "replace")
KNOWN_METHODS = (*NEED_ONE, "exists", "is_file", "is_dir", "is_symlink")
# Attributes that are not methods, by their whole or last name.
ATTRIBUTES = {
    "sys.argv": "declare def main(*arguments: str) -> Status: and write for argument in arguments:",
    "os.environ": 'local.env.get("NAME", "")',
    "local.env": 'local.env.get("NAME", "")',
    "local.cwd": 'path = absolute(".")',
    "sys.stdin": 'status, text = read_file("/dev/stdin")',
    "os.sep": '"/"',
    "name": 'split the text: _, _, name = text.rpartition("/")',
    "stem": 'split the text: name, _, _ = text.rpartition(".")',
    "suffix": 'split the text: _, _, suffix = text.rpartition(".")',
    "parent": "directory = {owner}.dirname",
}
# Modules outside the dialect, by their first name.
MODULES = {
    "argparse": "iterate over the arguments of main: for argument in arguments:",
    "collections": "there are no lists and dictionaries: use names and if",
    "datetime": "from oauthkit.shell import timestamp, now_ms",
    "glob": 'use find: find = program("find")',
    "json": 'use jq: jq = program("jq")',
    "logging": "from oauthkit.shell import open_log, log",
    "pathlib": "from oauthkit.shell import absolute: it makes a Path of a text",
    "random": 'use shuf: shuf = program("shuf")',
    "re": 'split texts with partition, or use grep: grep = program("grep")',
    "shutil": "from oauthkit.shell import find_program, or run cp, mv and rm as programs",
    "signal": "from oauthkit.shell import outlive_signals",
    "subprocess": 'bind a program, name = program("name"), and run it: name["x"] & CAPTURE',
    "tempfile": 'use mktemp: mktemp = program("mktemp")',
    "time": 'from oauthkit.shell import now_ms; and sleep = program("sleep")',
    "typing": "annotations are str, int, bool, LocalPath, BaseCommand, Status, and tuples of them",
}
# Exceptions of plumbum.
RAISED = ("CommandNotFound", "ProcessExecutionError", "ProcessLineTimedOut", "ProcessTimedOut")
STATEMENTS = {
    ast.AsyncFunctionDef: "write a plain def at the top of the program",
    ast.Assert: "test with if, and return a Status that is not 0",
    ast.ClassDef: "write functions",
    ast.Delete: 'only variables of the environment can be deleted: local.env.pop("NAME", "")',
    ast.FunctionDef: "move it to the top level",
    ast.Global: "pass the value as an argument, and return it",
    ast.Import: "move it to the top level",
    ast.ImportFrom: "move it to the top level",
    ast.Match: "write if, elif and else",
    ast.Raise: "return a Status that is not 0",
    ast.Try: "there are no exceptions: test the status of each command with if",
    ast.With: "status, text = read_file(path) reads, status = write_file(path, text) writes a file",
}
# Context managers of plumbum.
CONTEXTS = {
    "local.cwd": (
        'use env -C: env = program("env"), and status = env["-C", directory, "ls"] & RETCODE'
    ),
    "local.env": 'set it for all later commands: local.env["NAME"] = "x"',
    "local.tempdir": 'use mktemp: mktemp = program("mktemp")',
}
STATEMENTS_OTHERWISE = (
    "the dialect has assignments, calls, if, while, for over a literal, break, continue, return"
)
EXPRESSIONS = {
    ast.Dict: "use a name for each value, or choose with if and elif",
    ast.DictComp: "write a for loop",
    ast.GeneratorExp: "write a for loop",
    ast.Lambda: "define a function: def name(text: str) -> str:",
    ast.List: 'use a name for each value, or iterate over them: for item in ("a", "b"):',
    ast.ListComp: "write a for loop",
    ast.Set: 'use a name for each value, or iterate over them: for item in ("a", "b"):',
    ast.SetComp: "write a for loop",
    ast.Tuple: 'use a name for each value, or iterate over them: for item in ("a", "b"):',
}
EXPRESSIONS_OTHERWISE = (
    "use names, literals, f-strings, arithmetic, local.env.get, methods of the dialect"
)
LITERALS = {
    "NoneType": 'use "" or a Status instead of None: text = ""',
    "bytes": "write it as text, without the b",
    "float": "use integers in a smaller unit, such as milliseconds",
}


def of_call(node: ast.Call) -> Suggestion:
    """Suggest a replacement for an unknown function or method."""
    name = ast.unparse(node.func)
    attribute = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    first = node.args[0] if node.args else None
    is_literal = isinstance(first, ast.Constant) and isinstance(first.value, str)
    shown = "text" if first is None else ast.unparse(first)
    part = '"\\n"' if attribute == "splitlines" else shown if is_literal else '" "'
    owner = _owner(node.func)
    second = ast.unparse(node.args[1]) if len(node.args) > 1 else '""'
    words = {"text": as_text(shown), "owner": owner, "part": part, "second": second}
    if name in CALLS:
        shown = (
            {"sys.exit": "1", "exit": "1", "quit": "1"}.get(name, shown) if first is None else shown
        )
        return Suggestion(f"{name} is outside the dialect", CALLS[name].format(shown, **words))
    if attribute:
        help = METHODS.get(attribute, METHODS_OTHERWISE)
        return Suggestion(
            f"the method {attribute} is outside the dialect", help.format(shown, **words)
        )
    return Suggestion(f"{name} is not known here", "define it, or import it from a runtime library")


def of_print(node: ast.Call) -> str:
    """Suggest how to print no text, or more than one."""
    if not node.args:
        return 'write print("")'
    parts: list[ast.expr] = []
    for argument in node.args:
        parts += [ast.Constant(" ")] if parts else []
        is_text = isinstance(argument, ast.Constant) and isinstance(argument.value, str)
        parts.append(argument if is_text else ast.FormattedValue(argument, -1))
    return f"join it: print({joined(parts)})"


def of_attribute(node: ast.Attribute) -> Suggestion:
    """Suggest a replacement for an attribute that is not called."""
    name = ast.unparse(node)
    if node.attr in KNOWN_METHODS:
        return Suggestion(f"{name} is not called", f"write {name}({'…' * (node.attr in NEED_ONE)})")
    help = ATTRIBUTES.get(name) or ATTRIBUTES.get(node.attr) or EXPRESSIONS_OTHERWISE
    return Suggestion(f"{name} is outside the dialect", help.format(owner=_owner(node)))


def of_index(node: ast.Subscript) -> Suggestion | None:
    """Suggest a replacement for an index of local, local.env, os.environ or sys.argv."""
    owner, index = ast.unparse(node.value), ast.unparse(node.slice)
    if owner in ("os.environ", "local.env"):
        return Suggestion(f"{owner}[…] is not read in the dialect", f'local.env.get({index}, "")')
    if owner == "local":
        return Suggestion(
            "local[…] is outside the dialect", f"bind it at the top: name = program({index})"
        )
    return of_attribute(node.value) if owner == "sys.argv" else None  # type: ignore[arg-type]


def of_expression(node: ast.expr, asked: str = "") -> Suggestion:
    """Suggest a replacement for another expression. `asked` is the condition of an IfExp."""
    help = EXPRESSIONS.get(type(node), EXPRESSIONS_OTHERWISE)
    match node:
        case ast.Attribute():
            return of_attribute(node)
        case ast.Constant(value=value):
            help = LITERALS.get(type(value).__name__, EXPRESSIONS_OTHERWISE)
        case ast.IfExp(body=body, orelse=other):
            first, second = ast.unparse(body), ast.unparse(other)
            help = f"write if {asked}: name = {first}, and else: name = {second}"
        case ast.NamedExpr(target=target, value=value):
            help = f"assign it first, on a line of its own: {target.id} = {ast.unparse(value)}"
    return Suggestion(f"{describe(node)} is outside the dialect", help)


def of_statement(node: ast.stmt) -> Suggestion:
    """Suggest a replacement for a statement."""
    help = STATEMENTS.get(type(node), STATEMENTS_OTHERWISE)
    match node:
        case ast.Assign(targets=[ast.Subscript(value=owner, slice=key)], value=value) if (
            ast.unparse(owner) == "os.environ" or ast.unparse(owner).endswith(".env")
        ):
            help = f"local.env[{ast.unparse(key)}] = {ast.unparse(value)}"
        case ast.Delete(targets=[ast.Subscript(value=owner, slice=key)]) if ast.unparse(
            owner
        ) == "os.environ" or ast.unparse(owner).endswith(".env"):
            help = f'local.env.pop({ast.unparse(key)}, ""), which ignores an unset variable'
        case ast.With(items=[ast.withitem(context_expr=ast.Call(func=function)), *_]):
            help = CONTEXTS.get(ast.unparse(function), help)
    return Suggestion(f"{describe(node)} is outside the dialect", help)


def of_top(node: ast.stmt) -> Suggestion:
    """Suggest a replacement for a statement at the top level of a program."""
    if type(node) in STATEMENTS:
        return of_statement(node)
    return Suggestion(
        f"{describe(node)} is not allowed at the top level",
        "move it into a function: the top level has imports, constants, program(…), functions and"
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
            words = joined([ast.Constant(f"{name}="), *parts])
        case _:
            words = joined([ast.Constant(f"{name}="), ast.FormattedValue(value, -1)])
    return f"pass it with env = program(\"env\") at the top: env[{words}, 'sort']"


def of_loop(node: ast.expr) -> str:
    """Suggest how to loop over something that is not a tuple literal."""
    match node:
        case ast.Attribute() | ast.Subscript(value=ast.Attribute()) if "sys.argv" in ast.unparse(
            node
        ):
            return ATTRIBUTES["sys.argv"]
        case ast.List(elts=items) | ast.Set(elts=items) if items:
            return f"write the items in parentheses: {_tuple(items)}"
        case ast.Call(func=ast.Name(id="range")):
            return CALLS["range"]
        case ast.Call(func=ast.Attribute(attr="split" | "splitlines")):
            return of_call(node).help
    return 'write for name in ("first", "second"), or in main loop over its arguments'


def of_membership(left: ast.expr, right: ast.expr, is_in: bool) -> Suggestion | None:
    """Suggest a replacement for `left in right` where right is not text."""
    match right:
        case ast.Tuple(elts=items) | ast.List(elts=items) | ast.Set(elts=items) if items:
            sign, word = ("==", " or ") if is_in else ("!=", " and ")
            way = word.join(f"{ast.unparse(left)} {sign} {ast.unparse(item)}" for item in items)
            return Suggestion("`in` searches a text", f"compare one by one: {way}")
        case ast.Attribute() if ast.unparse(right) == "os.environ":
            sign = "in" if is_in else "not in"
            return Suggestion(
                "os.environ is outside the dialect", f"{ast.unparse(left)} {sign} local.env"
            )
    return None


def of_identity(left: ast.expr, right: ast.expr, is_not: bool) -> Suggestion:
    """Suggest a replacement for `left is right`."""
    sign = "!=" if is_not else "=="
    if isinstance(right, ast.Constant) and right.value is None:
        way = f'use "" or a Status instead of None: {ast.unparse(left)} {sign} ""'
        return Suggestion("there is no None in the dialect", way)
    return Suggestion(
        "`is` is outside the dialect", f"{ast.unparse(left)} {sign} {ast.unparse(right)}"
    )


def of_literal(node: ast.BinOp) -> Suggestion | None:
    """Suggest a replacement for * and % with a literal text."""
    match node:
        case ast.BinOp(
            left=ast.Constant(value=str() as text),
            op=ast.Mult(),
            right=ast.Constant(value=int() as times),
        ):
            return Suggestion("a text cannot be repeated", f"write it out: {text * times!r}")
        case (
            ast.BinOp(left=ast.Constant(value=str()), op=ast.Mult())
            | ast.BinOp(op=ast.Mult(), right=ast.Constant(value=str()))
        ):
            return Suggestion("a text cannot be repeated", "add to it in a loop: text += part")
        case ast.BinOp(left=ast.Constant(value=str() as text), op=ast.Mod(), right=given):
            return Suggestion("% does not format text", f"use an f-string: {_filled(text, given)}")
    return None


def of_import(module: str, name: str, home: dict[str, str], standard: set[str]) -> Suggestion:
    """Suggest a replacement for an import. `home` maps each name of the dialect to its module."""
    whole = f"{module}.{name}" if name else module
    message = f"{whole} is outside the dialect"
    top = module.split(".", maxsplit=1)[0]
    if top == "plumbum" and name in RAISED:
        return Suggestion(message, STATEMENTS[ast.Try])
    if name in home:
        return Suggestion(f"{name} is not in {module}", f"from {home[name]} import {name}")
    place = module if module in set(home.values()) or top != "plumbum" else top
    if place in set(home.values()) and name:
        return Suggestion(message, f"remove it: {place} has {_from(home, place)}")
    if top in MODULES:
        return Suggestion(message, MODULES[top])
    if top in standard:
        return Suggestion(message, "remove it: the dialect has plumbum, oauthkit.shell, os and sys")
    if not name and module:
        return Suggestion(message, f"import the builtins that you need: from {module} import …")
    return Suggestion(
        message,
        "to import your own functions, put them into"
        f" {module.replace('.', '/')}.py in the program's directory",
    )


def _filled(text: str, given: ast.expr) -> str:
    """Return the f-string for `text % given`."""
    values = given.elts if isinstance(given, ast.Tuple) else [given]
    pieces = re.split("%[sdi]", text)
    if len(pieces) != len(values) + 1 or any("%" in piece for piece in pieces):
        return as_text(ast.unparse(values[0]))
    parts: list[ast.expr] = [ast.Constant(pieces[0])]
    for value, piece in zip(values, pieces[1:], strict=True):
        is_text = isinstance(value, ast.Constant) and isinstance(value.value, str)
        parts += [value if is_text else ast.FormattedValue(value, -1), ast.Constant(piece)]
    return joined(parts)


def _from(home: dict[str, str], module: str) -> str:
    return ", ".join(name for name, place in home.items() if place == module)


def _owner(node: ast.expr) -> str:
    owner = node.value if isinstance(node, ast.Attribute) else None
    return owner.id if isinstance(owner, ast.Name) else "text"


def _tuple(items: list[ast.expr]) -> str:
    return ast.unparse(ast.Tuple(items, ast.Load()))


def absolute(left: ast.expr, right: ast.expr) -> str:
    """Return the call to `absolute` that replaces left / right."""
    parts: list[ast.expr] = [ast.FormattedValue(left, -1), ast.Constant("/")]
    parts += right.values if isinstance(right, ast.JoinedStr) else [ast.FormattedValue(right, -1)]
    if isinstance(right, ast.Constant):
        parts[-1] = right
    return f"absolute({joined(parts)})"
