"""Describe Python code and types in messages, without the names of ast classes."""

from __future__ import annotations

import ast

from oauthkit.compiler.types import Signature, Type

EXPRESSIONS = {
    "Attribute": "an attribute", "Await": "await", "BinOp": "an operator",
    "BoolOp": "`and` or `or`",
    "Call": "a call", "Compare": "a comparison", "Constant": "this literal",
    "Dict": "a dictionary", "DictComp": "a comprehension", "FormattedValue": "an f-string",
    "GeneratorExp": "a generator", "IfExp": "a conditional expression",
    "Interpolation": "a t-string", "JoinedStr": "an f-string", "Lambda": "a lambda",
    "List": "a list", "ListComp": "a comprehension", "Name": "a name",
    "NamedExpr": "an assignment with :=",
    "Set": "a set", "SetComp": "a comprehension", "Slice": "a slice", "Starred": "a *",
    "Subscript": "an index", "TemplateStr": "a t-string", "Tuple": "a tuple",
    "Yield": "yield", "YieldFrom": "yield from",
}  # fmt: skip
OPERATORS = {
    "Add": "+", "And": "and", "BitAnd": "&", "BitOr": "|", "BitXor": "^", "Div": "/", "Eq": "==",
    "FloorDiv": "//", "Gt": ">", "GtE": ">=", "In": "in", "Invert": "~", "Is": "is",
    "IsNot": "is not", "LShift": "<<", "Lt": "<", "LtE": "<=", "MatMult": "@", "Mod": "%",
    "Mult": "*", "Not": "not", "NotEq": "!=", "NotIn": "not in", "Or": "or", "Pow": "**",
    "RShift": ">>", "Sub": "-", "UAdd": "+", "USub": "-",
}  # fmt: skip
STATEMENTS = {
    "AnnAssign": "an annotation without a value", "Assert": "assert", "Assign": "this assignment",
    "AsyncFor": "async for", "AsyncFunctionDef": "an async function", "AsyncWith": "async with",
    "AugAssign": "this assignment", "Break": "break", "ClassDef": "a class",
    "Continue": "continue", "Delete": "del", "Expr": "this expression",
    "For": "this loop", "FunctionDef": "a function inside a function", "Global": "global",
    "If": "this if", "Import": "an import inside a function",
    "ImportFrom": "an import inside a function", "Match": "match", "Nonlocal": "nonlocal",
    "Pass": "pass", "Raise": "raise", "Return": "return", "Try": "try", "TryStar": "try",
    "TypeAlias": "type", "While": "this loop", "With": "with",
}  # fmt: skip
LITERALS = {
    "NoneType": "None", "bytes": "a bytes literal", "complex": "a complex number",
    "ellipsis": "...", "float": "a floating-point number",
}  # fmt: skip


def describe(node: ast.AST) -> str:
    """Return a description of a node, as the subject of a sentence."""
    if isinstance(node, ast.Constant):
        return LITERALS.get(type(node.value).__name__, EXPRESSIONS["Constant"])
    if isinstance(node, ast.UnaryOp):
        return f"the operator {describe(node.op)}"
    name = type(node).__name__
    return EXPRESSIONS.get(name) or OPERATORS.get(name) or STATEMENTS.get(name) or "this"


def with_article(kind: Type) -> str:
    """Return a type with its article."""
    return f"an {kind.value}" if kind.value[0] in "AEIOU" else f"a {kind.value}"


def list_types(kinds: tuple[Type, ...]) -> str:
    """Return the results of a function in words: "a Status and a Str", or "nothing"."""
    if not kinds:
        return "nothing"
    *others, last = map(with_article, kinds)
    return f"{', '.join(others)} and {last}" if others else last


def describe_results(function: Signature) -> str:
    """Return what a function returns: "read_file returns a Status and a Str"."""
    return f"{function.name} returns {list_types(function.results)}"


def condition_for(kind: Type, shown: str) -> str:
    """Return the dialect's equivalent of `if shown:`."""
    return {
        Type.STR: f'{shown or "text"} != ""',
        Type.PATH: f'{shown or "path"} != ""',
        Type.COMMAND: f"{shown or 'command'} & TF",
        Type.BOOL: shown,
        Type.ERROR: shown,
    }.get(kind, f"{shown or 'number'} != 0")


def as_fstring(shown: str) -> str:
    """Return an f-string that consists of one expression, or "" if Python 3.11 has none."""
    if "\\" in shown or ("'" in shown and '"' in shown):
        return ""
    mark = "'" if '"' in shown else '"'
    return f"f{mark}{{{shown}}}{mark}"


def formatted(value: ast.expr, spec: str) -> ast.expr:
    """Return {value:spec} for an f-string. A literal without a spec is returned unchanged."""
    if not spec and isinstance(value, ast.Constant) and isinstance(value.value, str):
        return value
    return ast.FormattedValue(value, -1, ast.JoinedStr([ast.Constant(spec)]) if spec else None)


def absolute_of(node: ast.expr) -> str:
    """Return the call to `absolute` that replaces a chain such as directory / a / b."""
    parts: list[ast.expr] = []
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        match node.right:
            case ast.JoinedStr(values=names):
                pass
            case ast.Constant(value=str()) as name:
                names = [name]
            case ast.Call(func=ast.Name(id="str"), args=[name], keywords=[]) | name:
                names = [ast.FormattedValue(name, -1)]
        parts = [ast.Constant("/"), *names, *parts]
        node = node.left
    return f"absolute({join_parts([ast.FormattedValue(node, -1), *parts])})"


def outermost_join(statement: ast.stmt | None, node: ast.expr) -> ast.expr:
    """Return the longest chain of / in `statement` that begins with `node`."""
    for outer in ast.walk(statement) if statement else ():
        match outer:
            case ast.BinOp(left=left, op=ast.Div()) if left is node:
                return outermost_join(statement, outer)
    return node


def join_parts(parts: list[ast.expr]) -> str:
    """Return an f-string of these parts, or a plain literal if all are literals."""
    texts = [part.value for part in parts if isinstance(part, ast.Constant)]
    if len(texts) == len(parts):
        return repr("".join(map(str, texts)))
    try:
        return ast.unparse(ast.JoinedStr(parts))
    except ValueError:
        # Before Python 3.12, ast.unparse fails if a part has a backslash. Show an example instead.
        return 'f"{first} {second}"'


def tuple_of(items: list[ast.expr]) -> str:
    """Return the code of a tuple."""
    return ast.unparse(ast.Tuple(items, ast.Load()))
