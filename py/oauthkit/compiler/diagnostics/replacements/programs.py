"""Replace calls for which the dialect runs a program, and the end of the program."""

from __future__ import annotations

import ast
from contextlib import suppress

from oauthkit.compiler.diagnostics.help import code
from oauthkit.compiler.diagnostics.replacements.common import (
    Replacement,
    at_the_top,
    bound_name,
    called,
    operand,
    said,
    shown,
    with_test,
)
from oauthkit.compiler.diagnostics.replacements.conditions import is_test
from oauthkit.compiler.diagnostics.site import Site
from oauthkit.compiler.types import Type

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


def _of_which(site: Site, node: ast.Call) -> str:
    match node:
        case ast.Call(args=[name], keywords=[]) if site.type_of(name) is Type.STR:
            call = f"find_program({shown(site, name)})"
            if ast.unparse(node.func) != "local.which":
                found = site.assigned(node, Type.STR, lambda name: [f"{name} = {call}"])
                return code("write", with_test(site, node, found))

            def lines(name: str) -> list[str]:
                wrong = f"    {said('the program is not installed')}"
                return [f"{name} = {call}", f'if {name} == "":', wrong, "    return 1"]

            if site.can_fail:
                found = with_test(site, node, site.assigned(node, Type.STR, lines))
                return code("find it, and check the result", found)
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
            captured = "`& CAPTURE` returns the status and the output without trailing newlines"
            if names[2] != "_":
                example = f"{names[0]}, {names[1]} = ({run} >= ERROUT) & CAPTURE"
                return f"{captured}. With ERROUT, it also captures stderr, as in `{example}`"
            if not is_checked:
                return f"{captured}, as in `{names[0]}, {names[1]} = {run} & CAPTURE`"
            return code("write", f"{names[1]} = {run}()") if names[0] == "_" else ""
    return ""


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
    return code(f"run the program test{at_the_top(site, 'test')}", way)


def _of_strftime(_: Site, node: ast.Call) -> str:
    """Return the help for time.strftime with one argument."""
    match node.args:
        case [ast.Constant(value=str() as form)] if "'" not in form and '"' not in form:
            return (
                "run the program date, bound at the top with `program`, as in"
                f' `date("+{form}").strip()`'
            )
    return ""


def _of_getuid(site: Site, node: ast.Call) -> str:
    return called(site, node, "user_id()", Type.INT)


def of_exit(site: Site, node: ast.Call) -> str:
    """Return the help for sys.exit and `raise SystemExit`."""
    is_statement = isinstance(site.statement, (ast.Expr, ast.Raise))
    if not (site.is_main and is_statement) or node.keywords:
        return ""
    match node.args:
        case [] | [ast.Constant(value=None)]:
            return code("write", "return 0")
        case [value] if (status := _literal_int(value)) is not None:
            return code("write", f"return {status & 255}")
        case [value] if site.result_of(value) in (Type.INT, Type.STATUS) or _is_int_choice(
            site, value
        ):
            return code("write", f"return {shown(site, value)}")
        case [value] if is_test(site, value):
            return code("write", f"return 1 if {shown(site, value)} else 0")
        case [text] if site.type_of(text) is Type.STR:
            lines = [f"print({shown(site, text)}, file=sys.stderr)", "return 1"]
            return code("write", lines)
        case [_]:
            return (
                "return the status as an Int, as in `return 1`. If this is a message, print it with"
                " `file=sys.stderr`, and `return 1`"
            )
    return ""


def _literal_int(node: ast.expr) -> int | None:
    """Return the value of an integer literal, also of a negative one, or None."""
    with suppress(ValueError, TypeError):
        value = ast.literal_eval(node)
        return value if isinstance(value, int) else None
    return None


def _is_int_choice(site: Site, node: ast.expr) -> bool:
    """Return whether a conditional expression chooses one of two Ints."""
    match node:
        case ast.IfExp(body=body, orelse=other):
            return all(site.type_of(choice) is Type.INT for choice in (body, other))
    return False


CALLS: dict[str, Replacement] = {
    "time.strftime": _of_strftime,
    "os.getuid": _of_getuid,
    "local.which": _of_which,
    "shutil.which": _of_which,
    "sys.exit": of_exit,
    "exit": of_exit,
    "quit": of_exit,
    **{name: _of_program for name in PROGRAMS if "." in name},
}
METHODS: dict[str, Replacement] = {
    "isatty": _of_isatty,
    "run": _of_run,
    **{name: _of_program for name in PROGRAMS if "." not in name},
}
