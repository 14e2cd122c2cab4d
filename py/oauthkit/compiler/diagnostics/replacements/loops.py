"""Suggest how to loop over something that a for loop of the dialect cannot iterate over."""

from __future__ import annotations

import ast

from oauthkit.compiler.constructs import is_stdin_read
from oauthkit.compiler.diagnostics import advice
from oauthkit.compiler.diagnostics.describe import tuple_of
from oauthkit.compiler.diagnostics.help import code
from oauthkit.compiler.diagnostics.replacements.common import at_the_top, bound_name, operand, shown
from oauthkit.compiler.diagnostics.replacements.paths import of_glob
from oauthkit.compiler.diagnostics.replacements.splits import can_be_appended
from oauthkit.compiler.diagnostics.site import Site
from oauthkit.compiler.types import Type

ASCENDING = "sorted always sorts in ascending order"


def of_loop(node: ast.For, site: Site) -> str:
    """Suggest how to loop over something that a for loop of the dialect cannot iterate over."""
    match node.iter:
        case ast.Call(func=function) if ast.unparse(function) == "os.walk":
            return advice.FIND
        case ast.Name():
            if help := of_characters(site, node):
                return help
        case ast.Call(func=ast.Name(id="sorted"), args=[found]) | found if _are_below(found):
            return advice.FIND
        case ast.Call(func=ast.Name(id="sorted")) if help := of_sorted_words(site, node):
            return help
        case ast.Call(
            func=ast.Name(id="sorted"),
            args=[ast.Tuple(elts=items) | ast.List(elts=items)],
            keywords=[],
        ) if items and all(isinstance(x, ast.Constant) and type(x.value) is str for x in items):
            ordered = sorted(items, key=lambda item: str(ast.literal_eval(item)))
            return code("write the items in this order", tuple_of(ordered))
        case ast.Attribute() | ast.Subscript(value=ast.Attribute()) if "sys.argv" in ast.unparse(
            node.iter
        ):
            return advice.ATTRIBUTES["sys.argv"]
        case ast.Attribute() | ast.Call(func=ast.Attribute()) if "sys.stdin" in ast.unparse(
            node.iter
        ):
            return of_split_loop(site, node) or advice.STDIN
        case ast.List(elts=items) | ast.Set(elts=items) if items:
            if not any(isinstance(item, ast.Starred) for item in items):
                if isinstance(node.iter, ast.Set):
                    items = [*{ast.unparse(item): item for item in items}.values()]
                return code("write the items in parentheses", tuple_of(items))
        case ast.Call(func=ast.Attribute(attr="split"), args=[ast.Constant(value=str() as given)]):
            is_plain = len(given) == 1 and not given.isspace()
            return of_split_loop(site, node) or (advice.SPLIT if is_plain else advice.SEPARATOR)
        case ast.Call(func=ast.Attribute(attr="split")):
            return of_split_loop(site, node) or advice.SPLIT
        case ast.Call(func=function) if ast.unparse(function) == "glob.glob":
            return advice.FILES
        case (
            ast.Call(func=ast.Attribute(value=owner, attr="glob"), args=[pattern])
            | ast.BinOp(left=owner, op=ast.FloorDiv(), right=pattern)
        ):
            files = _files(owner, pattern)
            return f"sort the files, as in `{files}`"
        case ast.Call(
            func=ast.Name(id="sorted"),
            args=[ast.Call(func=ast.Attribute(value=owner, attr="glob"), args=[pattern])],
            keywords=[],
        ):
            return code("write", of_glob(site, owner, pattern), advice.FILES)
        case ast.Call(
            func=ast.Name(id="sorted"),
            args=[
                ast.Call(func=ast.Attribute(value=text, attr="splitlines"), args=[], keywords=[])
                | ast.Call(
                    func=ast.Attribute(value=text, attr="split"),
                    args=[ast.Constant(value=str())],
                    keywords=[],
                ) as items
            ],
            keywords=[] | [ast.keyword(arg="reverse", value=ast.Constant(value=True))] as order,
        ):
            return of_sorted_lines(site, node, text, items.args, '"-r"' if order else "")
        case (
            ast.Call(
                func=ast.Name(id="sorted"),
                args=[ast.Call(func=ast.Attribute(value=owner, attr="iterdir" | "list"), args=[])],
                keywords=[],
            )
            | ast.Call(func=ast.Attribute(value=owner, attr="iterdir" | "list"), args=[])
        ):
            files = _files(owner, ast.Constant("*"))
            return f"sort the files, as in `{files}`, which leaves out hidden files"
        case ast.Call(func=ast.Attribute(attr="readlines")) | ast.Call(func=ast.Name(id="open")):
            return advice.READLINES
        case ast.Subscript(slice=ast.Slice()) if help := _of_slice(site, node):
            return help
        case ast.Subscript(value=ast.Call(func=ast.Attribute(value=owner, attr="splitlines"))):
            return (
                "select lines with the programs head and tail, bound at the top, as in"
                f' `for line in (head["-n", "5"] << {ast.unparse(owner)})().splitlines():`'
            )
        case ast.Call(
            func=ast.Name(id="reversed"),
            args=[ast.Call(func=ast.Attribute(value=owner, attr="splitlines"))],
        ):
            return (
                'reverse them with `lines = f"{line}\\n{lines}"` in a loop over'
                f" `{ast.unparse(owner)}.splitlines()`, and iterate over `lines.splitlines()`"
            )
        case ast.Call(func=ast.Name(id="reversed"), args=[items]):
            return _of_reversed(site, node, items)
        case ast.Call(func=ast.Name(id="list" | "tuple" | "iter"), args=[items], keywords=[]) if (
            _is_repeatable(site, items)
        ):
            return code("remove the call", shown(site, items))
        case ast.Call(func=ast.Name(id="filter" | "map"), args=[_, items]) | (
            ast.GeneratorExp(generators=[ast.comprehension(iter=items)])
            | ast.ListComp(generators=[ast.comprehension(iter=items)])
        ):
            return f"iterate over `{shown(site, items)}`, and test or change each item in the loop"
        case ast.Call(func=ast.Name(id="sorted"), keywords=[ast.keyword(arg="key"), *_]):
            return advice.BY_KEY if finds_files(node.iter) else "run the program sort on the lines"
        case ast.Call() | ast.Name() if site.result_of(node.iter) is Type.STR:
            lines = f"for {ast.unparse(node.target)} in {shown(site, node.iter)}.splitlines():"
            return f"a Str is not a list. If it has lines, iterate over them, as in `{lines}`"
        case ast.Subscript(value=text, slice=ast.Slice()) if site.result_of(text) is Type.STR:
            return (
                "a slice of a Str cuts characters. If the Str has lines, iterate over"
                f" `{shown(site, text)}.splitlines()`, and count them in the loop"
            )
        case ast.Call() if "os.listdir(" in ast.unparse(node.iter):
            return advice.FILES
    return (
        "iterate over a tuple, `range(3)`, `text.splitlines()`,"
        ' `sorted(directory // "*.log")`, or the arguments of main'
    )


def _of_slice(site: Site, node: ast.For) -> str:
    """Return the help for a loop over the first or last items of something, or over the others."""
    match node.iter:
        case ast.Subscript(value=items, slice=ast.Slice(lower=lower, upper=upper, step=None)) if (
            _is_repeatable(site, items) and (lower is None) != (upper is None)
        ):
            bound = lower or upper
            assert bound is not None
        case _:
            return ""
    if isinstance(items, ast.Tuple):
        return _of_tuple_slice(items, lower, upper)
    match bound:
        case ast.Constant(value=int() as place) if type(place) is int and place < 1 << 31:
            limit, before = str(place), []
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() as place)) if (
            type(place) is int and 0 < place < 1 << 31
        ):
            count = site.fresh("count")
            limit = f"{count} - {place}"
            before = [f"{count} = 0", f"for _ in {shown(site, items)}:", f"    {count} += 1"]
        case _:
            return ""
    item = ast.unparse(node.target)
    is_read = lower is None and _is_read_elsewhere(site, node, item)
    if is_read or site.variable(item) is not None:  # it would have another value there
        return "count in the loop with `+=`, and leave it with `break`, or go on with `continue`"
    number = site.fresh("number")
    test, end = (
        (f"{number} > {limit}", "break") if lower is None else (f"{number} <= {limit}", "continue")
    )
    return code(
        "count in the loop",
        [
            *before,
            f"{number} = 0",
            f"for {item} in {shown(site, items)}:",
            f"    {number} += 1",
            f"    if {test}:",
            f"        {end}",
        ],
    )


def _of_tuple_slice(items: ast.Tuple, lower: ast.expr | None, upper: ast.expr | None) -> str:
    try:
        first = ast.literal_eval(lower) if lower else None
        end = ast.literal_eval(upper) if upper else None
        kept = items.elts[first:end]
    except (TypeError, ValueError):  # not literals, or not integers
        return ""
    return code("write the items", tuple_of(kept)) if kept else ""


def _is_read_elsewhere(site: Site, node: ast.For, name: str) -> bool:
    """Return whether the program reads a variable of this name outside a loop."""
    return any(
        isinstance(part, ast.Name) and part.id == name and isinstance(part.ctx, ast.Load)
        for part in ast.walk(ast.parse(site.source.text))
        if not node.lineno <= getattr(part, "lineno", 0) <= (node.end_lineno or 0)
    )


def _is_repeatable(site: Site, node: ast.expr) -> bool:
    """Return whether a loop can iterate over an expression, also twice with the same items."""
    match node:
        case ast.Call(
            func=ast.Attribute(value=ast.Name() as text, attr="splitlines" | "split"),
            args=[],
            keywords=[],
        ):
            return site.type_of(text) is Type.STR
        case ast.Tuple(elts=items):
            kinds = {site.type_of(item) for item in items}
            return kinds in ({Type.STR}, {Type.INT}) and _are_literals(items)
    return _are_files(site, node)


def _are_literals(items: list[ast.expr]) -> bool:
    return all(isinstance(item, ast.Constant) for item in items)


def _of_reversed(site: Site, node: ast.For, items: ast.expr) -> str:
    """Return the help for `for item in reversed(…):`."""
    match items:
        case ast.Call(func=ast.Name(id="range"), args=[ast.Name() | ast.Constant() as stop]) if (
            site.type_of(stop) is Type.INT
        ):
            first = f"{shown(site, stop)} - 1"
            if isinstance(stop, ast.Constant) and isinstance(stop.value, int):
                first = str(stop.value - 1)
            return code("count down", f"range({first}, -1, -1)")
        case ast.Tuple(elts=[_, *_] as elements) | ast.List(elts=[_, *_] as elements):
            kinds = {site.type_of(element) for element in elements}
            if kinds in ({Type.STR}, {Type.INT}) and _are_literals(elements):
                return code("write the items in this order", tuple_of(elements[::-1]))
        case ast.Call(func=ast.Name(id="sorted"), args=[_], keywords=[]) if _are_files(site, items):
            return _reversed_files(site, node, items)
    return advice.CALLS["reversed"]


def _are_below(node: ast.expr) -> bool:
    """Return whether an expression searches a directory and those below it."""
    match node:
        case ast.Call(func=ast.Attribute(attr="rglob" | "walk")):
            return True
        case (
            ast.Call(func=ast.Attribute(attr="glob"), args=[ast.Constant(value=str() as pattern)])
            | ast.BinOp(op=ast.FloorDiv(), right=ast.Constant(value=str() as pattern))
        ):
            return "**" in pattern
    return False


def _files(owner: ast.expr, pattern: ast.expr) -> str:
    return f"sorted({ast.unparse(owner)} // {ast.unparse(pattern)})"


def of_characters(site: Site, node: ast.For) -> str:
    """Return the help for `for character in text:`."""
    if site.holds_lines(node.iter):
        return code("iterate over its items", f"{shown(site, node.iter)}[1:].splitlines()")
    match node:
        case ast.For(target=ast.Name(id=character), iter=ast.Name(id=text) as owner) if (
            site.type_of(owner) is Type.STR
            and text not in {character, *_changed(node)}
            and site.can_hold([character], Type.STR)
        ):
            index = site.fresh("index")
            lines = [
                f"{index} = -1",
                f"while {index} + 1 < len({text}):",
                f"    {index} += 1",
                f"    {character} = {text}[{index}:{index} + 1]",
            ]
            by_line = f"iterate over `{text}.splitlines()`"
            return code(f"for each line, {by_line}. For each character, count in a loop", lines)
    return ""


def _changed(node: ast.For) -> set[str]:
    """Return the names that the body of a loop assigns."""
    return {
        inner.id
        for part in node.body
        for inner in ast.walk(part)
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store)
    }


def of_split_loop(site: Site, node: ast.For) -> str:
    """Return the help for `for part in text.split(":"):`."""
    match node:
        case ast.For(
            target=ast.Name(id=part),
            iter=ast.Call(
                func=ast.Attribute(value=text, attr="split"),
                args=[ast.Constant(value=str() as separator)],
                keywords=[],
            ),
        ) if (
            can_be_appended(separator)
            and (is_stdin_read(text) or site.result_of(text) is Type.STR)
            and site.can_hold([part], Type.STR)
        ):
            rest = site.fresh("rest")
            begin = [f"{rest} = {shown(site, text)}", f"{rest} += {separator!r}"]
            if isinstance(text, ast.Name):
                begin = [f"{rest} = {text.id} + {separator!r}"]
            lines = [
                *begin,
                f'while {rest} != "":',
                f"    {part}, _, {rest} = {rest}.partition({separator!r})",
            ]
            return code("split it in a while loop", lines)
    return ""


def of_enumerate(site: Site, node: ast.For, arguments: str | None) -> str:
    """Return the help for `for number, item in enumerate(…):`. `arguments` are those of main."""
    match node:
        case ast.For(
            target=ast.Tuple(elts=[ast.Name(id=number), ast.Name(id=item)]),
            iter=ast.Call(
                func=ast.Name(id="enumerate"),
                args=[items] | [items, ast.Constant(value=int())] as given,
                keywords=[] | [ast.keyword(arg="start", value=ast.Constant(value=int()))] as named,
            ),
        ):
            names = [name for part in node.body for name in ast.walk(part)
                     if isinstance(name, ast.Name) and name.id == number]  # fmt: skip
            is_read = names != [] and all(isinstance(name.ctx, ast.Load) for name in names)
            is_text = (
                isinstance(items, ast.Call)
                and isinstance(items.func, ast.Attribute)
                and (items.func.attr, items.args, items.keywords) == ("splitlines", [], [])
                and site.type_of(items.func.value) is Type.STR
            )
            is_arguments = isinstance(items, ast.Name) and items.id == arguments
            is_known = is_text or is_arguments or _are_files(site, items)
            if is_read and is_known and site.variable(number) is None:
                starts = [*given[1:], *(keyword.value for keyword in named)]
                before = (ast.literal_eval(starts[0]) if starts else 0) - 1
                lines = [f"{number} = {before}", f"for {item} in {shown(site, items)}:"]
                return code("count in the loop", [*lines, f"    {number} += 1"])
    return ""


def _are_files(site: Site, node: ast.expr) -> bool:
    """Return whether `node` is `sorted(directory // "*.log")`, which a loop can iterate over."""
    match node:
        case ast.Call(
            func=ast.Name(id="sorted"),
            args=[ast.BinOp(left=ast.Name() as owner, op=ast.FloorDiv(), right=pattern)],
            keywords=[],
        ):
            return of_glob(site, owner, pattern) != ""
    return False


def of_sorted_files(site: Site, node: ast.Call) -> str:
    """Return the help for `sorted(directory // "*.log", reverse=True)` and other keywords."""
    match site.statement, node.keywords:
        case ast.For(iter=called) as loop, [
            ast.keyword(arg="reverse", value=ast.Constant(value=True))
        ] if called is node:
            return _reversed_files(site, loop, node)
    return f"{ASCENDING}. Remove the keywords. {advice.BY_KEY[0].upper()}{advice.BY_KEY[1:]}"


def _reversed_files(site: Site, loop: ast.For, files: ast.Call) -> str:
    """Return the help for a loop over files in descending order."""
    path, paths, line = ast.unparse(loop.target), site.fresh("paths"), site.fresh("line")
    lines = [
        f'{paths} = ""',
        f"for {path} in sorted({shown(site, files.args[0])}):",
        f'    {paths} = f"{{{path}}}\\n{{{paths}}}"',
        f"for {line} in {paths}.splitlines():",
        f"    {path} = absolute({line})",
    ]
    return code(f"{ASCENDING}. If no name contains a line end, reverse the order", lines)


def of_sorted_words(site: Site, node: ast.For) -> str:
    """Return the help for `for word in sorted(text.split()):`, also with set(), or ""."""
    match node.iter:
        case ast.Call(
            func=ast.Name(id="sorted"),
            args=[ast.Call(func=ast.Name(id="set"), args=[words], keywords=[])],
            keywords=[],
        ):
            options = ', "-u"'
        case ast.Call(func=ast.Name(id="sorted"), args=[words], keywords=[]):
            options = ""
        case _:
            return ""
    match words:
        case ast.Call(func=ast.Attribute(value=text, attr="split"), args=[], keywords=[]) if (
            site.result_of(text) is Type.STR
        ):
            lines, word = site.fresh("lines"), site.fresh("word")
            return code(
                f"run env{at_the_top(site, 'env')}",
                [
                    f'{lines} = ""',
                    f"for {word} in {shown(site, words)}:",
                    f'    {lines} += f"{{{word}}}\\n"',
                    _sorted_loop(site, node, lines, options),
                ],
            )
    return ""


def _sorted_loop(site: Site, node: ast.For, text: str, options: str = "") -> str:
    """Return the first line of a loop over the lines of `text`, sorted as Python does."""
    command = f'{bound_name(site, "env")}["LC_ALL=C", "sort"{options}] << {text}'
    return f"for {ast.unparse(node.target)} in ({command})().splitlines():"


def of_sorted_lines(
    site: Site, node: ast.For, text: ast.expr, separators: list[ast.expr], option: str
) -> str:
    """Return the help for a loop over a Str's sorted lines, or over its sorted parts."""
    if site.result_of(text) is not Type.STR:
        return "run the program sort on the text"
    sort, lines = shown(site, text), []
    about = "newlines are the only line ends"
    if separators:  # the part behind the last separator counts, even if it is empty
        sort = site.fresh("lines")
        lines = [f"{sort} = {shown(site, text)}"]
        separator = ast.literal_eval(separators[0])
        if separator != "\n":
            about = "no part contains a line end"
            if len(separator) != 1:
                return "run the program sort on the lines of the text"
            lines = [f'{sort} = {operand(site, text)}.replace({separator!r}, "\\n")']
        lines.append(f'{sort} += "\\n"')
    lines.append(_sorted_loop(site, node, sort, f", {option}" if option else ""))
    return code(f"if {about}, run env{at_the_top(site, 'env')}", lines)


def finds_files(node: ast.AST) -> bool:
    """Return whether an expression finds files by a pattern, or lists a directory."""
    for inner in ast.walk(node):
        match inner:
            case ast.BinOp(op=ast.FloorDiv(), right=ast.Constant(value=str())):
                return True
            case ast.Call(func=ast.Attribute(attr="glob" | "rglob" | "iterdir" | "listdir")):
                return True
    return False
