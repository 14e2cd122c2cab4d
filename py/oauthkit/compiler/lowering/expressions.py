"""Lower values, conditions and commands to bash words, tests and commands."""

from __future__ import annotations

from oauthkit.compiler import ir
from oauthkit.compiler.shell import ast as bash
from oauthkit.compiler.types import Type

_FLIPPED = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}


def literal(text: str) -> bash.Word:
    """Return a word with the literal `text`."""
    return bash.Word((bash.Literal(text),) if text else ())


# --- Words ---------------------------------------------------------------------------------------


def word(value: ir.Value) -> bash.Word:
    """Lower a value to one word. A command has several: see `arguments`."""
    return bash.Word(tuple(_joined(_parts(value))))


def _joined(parts: list[bash.Part]) -> list[bash.Part]:
    """Merge adjacent literals and remove empty ones."""
    joined: list[bash.Part] = []
    for part in parts:
        if isinstance(part, bash.Literal) and joined and isinstance(joined[-1], bash.Literal):
            joined[-1] = bash.Literal(joined[-1].text + part.text)
        elif part != bash.Literal(""):
            joined.append(part)
    return joined


def _parts(value: ir.Value) -> list[bash.Part]:
    match value:
        case ir.StrLiteral(text):
            return [bash.Literal(text)]
        case ir.IntLiteral(number):
            return [bash.Literal(str(number))]
        case ir.BoolLiteral(truth):
            return [bash.Literal("true" if truth else "false")]
        case ir.Name(name):
            return [bash.Parameter(name)]
        case ir.Join(parts):
            return [part for inner in parts for part in _parts(inner)]
        case ir.Arithmetic() | ir.Negative():
            return [bash.ArithmeticExpansion(arithmetic(value))]
        case ir.Environment(name, default, or_empty):
            return [bash.Parameter(name, ":-" if or_empty else "-", word(default))]
        case ir.RemoveAffix(text, affix, at_end):
            return [bash.Parameter(text.name, "%" if at_end else "#", word(affix))]
        case ir.Replace(text, old, new):
            return [bash.Parameter(text.name, "//", word(old), word(new))]
        case ir.PathJoin(path, name):
            # Only the root ends with a slash.
            return [bash.Parameter(path.name, "%", literal("/")), bash.Literal("/"), *_parts(name)]
    raise AssertionError(value)


def arguments(value: ir.Value) -> tuple[bash.Word, ...]:
    """Lower a value to words: a command to all its words, any other value to one."""
    if value.type is not Type.COMMAND:
        return (word(value),)
    if isinstance(value, ir.Name):
        return (bash.Word((bash.ArrayExpansion(value.name),)),)
    assert isinstance(value, ir.CommandLine)
    start = (
        (literal(value.program.value),)
        if isinstance(value.program, ir.StrLiteral)
        else arguments(value.program)
    )
    return start + tuple(part for inner in value.arguments for part in arguments(inner))


def arithmetic(value: ir.Value) -> bash.Arithmetic:
    """Lower a value of type Int inside $(( )) or (( ))."""
    match value:
        case ir.IntLiteral(number):
            return bash.Integer(number)
        case ir.Name(name):
            return bash.Variable(name)
        case ir.Negative(operand):
            return bash.Operation("-", None, arithmetic(operand))
        case ir.Arithmetic("//", left, ir.IntLiteral(divisor)):
            return _floor_divide(arithmetic(left), divisor)
        case ir.Arithmetic("%", left, ir.IntLiteral(divisor)):
            # In bash, a remainder has the sign of the dividend, in Python that of the divisor.
            d = bash.Integer(divisor)
            once = bash.Operation("%", arithmetic(left), d)
            if divisor > 2**62:  # if the sum below could overflow
                is_negative = bash.Operation("<", once, bash.Integer(0))
                return bash.Ternary(is_negative, bash.Operation("+", once, d), once)
            return bash.Operation("%", bash.Operation("+", once, d), d)
        case ir.Arithmetic(operator, left, right):
            return bash.Operation(operator, arithmetic(left), arithmetic(right))
    raise AssertionError(value)


def _floor_divide(dividend: bash.Arithmetic, divisor: int) -> bash.Arithmetic:
    """Divide and round down as Python does. bash rounds towards zero."""
    if divisor == 1:
        return dividend
    d, one = bash.Integer(divisor), bash.Integer(1)
    # Adding one before and subtracting one after never overflows 64 bits.
    below = bash.Operation("-", bash.Operation("/", bash.Operation("+", dividend, one), d), one)
    is_negative = bash.Operation("<", dividend, bash.Integer(0))
    return bash.Ternary(is_negative, below, bash.Operation("/", dividend, d))


# --- Commands ------------------------------------------------------------------------------------


def call(what: ir.Call) -> bash.SimpleCommand:
    """Lower a call to a function."""
    words = [literal(what.function.name)]
    for value in what.arguments:
        words += arguments(value)
    return bash.SimpleCommand(tuple(words))


def run(what: ir.Run, closed: tuple[int, ...], name: str | None = None) -> bash.Group:
    """Lower a command that runs. If its output is captured, assign that to `name`.

    As in Python, it does not inherit the file descriptors `closed`. bash's own messages are hidden,
    for example that a command was killed, or that a file cannot be opened.
    """
    streams: dict[str, bash.Redirection] = {}
    if what.stdin is not None:
        streams["stdin"] = bash.Redirection("<", word(what.stdin))
    if what.stdout is not None and what.stdout != ir.NULL:
        streams["stdout"] = bash.Redirection(">>" if what.append else ">", word(what.stdout))
    if what.stderr is not None and what.stderr != ir.NULL:
        streams["stderr"] = bash.Redirection("2>", word(what.stderr))
    own = [streams[name] for name in what.order if name in streams]
    if "stderr" in streams and own[-1] != streams["stderr"]:
        # bash's message about a redirection that fails must not be written to that file.
        own[own.index(streams["stderr"])] = bash.Redirection("3>", streams["stderr"].target)
        own += [bash.Redirection("2>&3"), bash.Redirection("3>&-")]
    if what.stderr is None and what.stdout != ir.NULL:
        own.append(bash.Redirection("2>&1"))  # after the redirection of stdout
    null = word(ir.NULL)
    if what.stdout == ir.NULL:
        around = [bash.Redirection(">", null), bash.Redirection("2>&1")]
    else:
        around = [bash.Redirection("2>", null)]
    around += [bash.Redirection(f"{number}>&-") for number in closed]
    command = bash.SimpleCommand(arguments(what.command), tuple(own))
    if name is None:
        return bash.Group(command, tuple(around))
    captured = bash.Word((bash.CommandSubstitution(command),))
    return bash.Group(bash.Assignment(name, captured), tuple(around))


# --- Tests ---------------------------------------------------------------------------------------


def test(condition: ir.Condition, closed: tuple[int, ...]) -> bash.Test:
    """Lower a condition to a test."""
    match condition:
        case ir.Compare(operator, left, right):
            if left.type.is_text and ir.StrLiteral("") in (left, right):
                return bash.Unary(
                    "-z" if operator == "==" else "-n",
                    word(right if left == ir.StrLiteral("") else left),
                )
            if left.type.is_text:
                return bash.Binary(word(left), operator, word(right))
            return bash.ArithmeticTest(
                bash.Operation(operator, arithmetic(left), arithmetic(right))
            )
        case ir.Contains(needle, text):
            inside = bash.Word((bash.Glob(), *word(needle).parts, bash.Glob()))
            return bash.Binary(word(text), "==", inside)
        case ir.Affix(text, affix, at_end):
            parts = word(affix).parts
            pattern = (bash.Glob(), *parts) if at_end else (*parts, bash.Glob())
            return bash.Binary(word(text), "==", bash.Word(pattern))
        case ir.FileTest(flag, path):
            return bash.Unary(flag, word(path))
        case ir.IsSet(name):
            return bash.Unary("-v", literal(name))
        case ir.IsTrue(ir.BoolLiteral(truth)):
            return bash.SimpleCommand((literal("true" if truth else "false"),))
        case ir.Not(ir.IsTrue(ir.BoolLiteral(truth))):
            return bash.SimpleCommand((literal("false" if truth else "true"),))
        case ir.IsTrue(value):
            return bash.Binary(word(value), "==", literal("true"))
        case ir.Succeeds(ir.Call() as what):
            return call(what)
        case ir.Succeeds(ir.Run() as what):
            return run(what, closed)
        case ir.Not(operand):
            return _negated(test(operand, closed))
        case ir.BoolOp(operands, either):
            return bash.AndOrList(tuple(test(o, closed) for o in operands), either)
    raise AssertionError(condition)


def _negated(inner: bash.Test) -> bash.Test:
    """Negate a test, without ! if there is an opposite operator."""
    match inner:
        case bash.Binary(left, operator, right):
            return bash.Binary(left, _FLIPPED[operator], right)
        case bash.ArithmeticTest(bash.Operation(operator, left, right)) if operator in _FLIPPED:
            return bash.ArithmeticTest(bash.Operation(_FLIPPED[operator], left, right))
        case bash.Unary("-z" | "-n" as flag, inner_word):
            return bash.Unary("-n" if flag == "-z" else "-z", inner_word)
        case bash.Negation(test):
            return test
    return bash.Negation(inner)
