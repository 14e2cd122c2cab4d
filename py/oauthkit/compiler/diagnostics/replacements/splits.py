"""Replace calls of split, whose result is a list in CPython."""

from __future__ import annotations

import ast
from collections.abc import Callable

from oauthkit.compiler.diagnostics.help import code
from oauthkit.compiler.diagnostics.replacements.common import Replacement, operand, shown
from oauthkit.compiler.diagnostics.site import Site
from oauthkit.compiler.types import Type

SPLIT_TEXT = "split the text"


FIND_PART = 'find the part in a loop ("" if it is missing)'


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
                    if not (site.is_text(owner) and site.can_hold((head.id, tail.id), Type.STR)):
                        return ""
                    text = operand(site, owner)
                    found, part = site.fresh("separator"), shown(site, literal)
                    partition = method.replace("split", "partition")
                    if not site.failure("1"):
                        empty = head.id if method == "rsplit" else tail.id
                        line = f"{head.id}, _, {tail.id} = {text}.{partition}({part})"
                        return code(f"split it once ({empty} is empty if {part} is missing)", line)
                    left, right, wrong = head.id, tail.id, f'{found} == ""'
                    if not rest:  # Python fails if there are more than two parts
                        if method == "rsplit":
                            left = left if left != "_" else site.fresh("first")
                        else:
                            right = right if right != "_" else site.fresh("rest")
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
            and site.can_hold((first, rest), Type.STR)
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
            are_names = all(name.isidentifier() for name in names)
            if not (are_names and site.can_hold(names, Type.STR)) or len({*names}) < len(names):
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
            are_names = all(name.isidentifier() for name in names)
            if not (are_names and site.can_hold(names, Type.STR)):
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


def of_split_index(site: Site, node: ast.Subscript) -> str:
    """Return the help for `text.split(":")[0]`, `text.split()[4]` and `text.partition(":")[2]`."""
    found = part_of_split(site, node)
    if found is None:
        return ""
    intro, lines = found
    read_again = () if intro == SPLIT_TEXT else (node,)  # in a loop
    return code(intro, site.assigned(node, Type.STR, lines, read_again=read_again))


def part_of_split(site: Site, node: ast.Subscript) -> tuple[str, Callable[[str], list[str]]] | None:
    """Return the help's introduction, and a function that returns its lines."""
    match node:
        case ast.Subscript(
            value=ast.Call(
                func=ast.Attribute(value=owner, attr="partition" | "rpartition")
            ) as call,
            slice=ast.Constant(value=int() as index),
        ) if index in range(3) and site.result_of(owner) in (Type.STR, Type.PATH):
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
        ) if site.result_of(owner) is Type.STR and ast.unparse(index) not in ("True", "False"):
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
    """Return whether a separator can be appended to a Str that is then split.

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


METHODS: dict[str, Replacement] = {
    "split": _of_split,
    "rsplit": _of_split,
}
