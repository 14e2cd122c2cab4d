"""Lower values, conditions and commands to bash words, tests and commands."""

from __future__ import annotations

from collections.abc import Callable

from oauthkit.compiler import ir
from oauthkit.compiler.bash import ast as bash
from oauthkit.compiler.bash.names import (
    COMMAND_FAILED,
    FOREGROUND,
    IS_ITEM,
    PIPELINE_STATUS,
    TAKE_OUTPUT,
)
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
        case ir.Name(name, kind):
            assert kind is not Type.ERROR, "a rejected value without a diagnostic"
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
        case ir.Name(ir.COUNT):
            return bash.Parameter(ir.COUNT)
        case ir.Name(name, kind):
            assert kind is not Type.ERROR, "a rejected value without a diagnostic"
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


def run(
    what: ir.Run, around: tuple[bash.Redirection, ...], name: str | None = None
) -> bash.Group | bash.SimpleCommand:
    """Lower a command that runs. If its output is captured, assign that to `name`.

    `around` are the redirections of all commands: as in Python, they do not inherit descriptors
    that builtins hold open. bash's own messages are hidden, for example that a command was killed,
    or that a file cannot be opened.
    """
    if what.stdin is not None:
        around = tuple(item for item in around if item.operator != "<")
    null = word(ir.NULL)
    discarded = (bash.Redirection(">", null),) if what.stdout == ir.NULL else ()
    stages = what.command.stages if isinstance(what.command, ir.Pipeline) else (what,)
    if what.is_foreground and what.is_plain:  # the functions hide bash's messages
        function = TAKE_OUTPUT if what.is_exact else FOREGROUND
        words = (literal(function), *_words(what))
        return bash.SimpleCommand(words, (*discarded, *around))
    # The functions hide bash's messages, except those about redirections and NUL bytes.
    is_bare = what.stdout is not None and not any(stage.order for stage in stages)
    if what.stderr == ir.INHERITED and is_bare:
        hidden = [*discarded]
    elif what.stderr == ir.INHERITED:
        hidden = [*discarded, bash.Redirection("3>&2"), bash.Redirection("2>", null)]
        around = tuple(item for item in around if item != bash.Redirection("3>&-"))
    elif what.stdout == ir.NULL:
        hidden = [bash.Redirection(">", null), bash.Redirection("2>&1")]
    else:
        hidden = [bash.Redirection("2>", null)]
    is_hidden = what.stderr == ir.INHERITED and not is_bare
    commands = [_stage(stage, what.is_foreground, is_hidden) for stage in stages]
    first = stages[0]
    if first.stdin is not None and first.is_text:
        printf = (literal("printf"), literal("%s"), _file(first.stdin))
        commands.insert(0, bash.SimpleCommand(printf))
    command: bash.SimpleCommand | bash.Pipeline = commands[0]
    if len(stages) > 1:
        # A command that does not read all of its text is not an error.
        start = 1 if first.is_text else None
        statuses = bash.Word((bash.ArrayExpansion("PIPESTATUS", start),))
        status = bash.SimpleCommand((literal(PIPELINE_STATUS), statuses))
        command = bash.Pipeline(tuple(commands), status)
    elif len(commands) > 1:
        command = bash.Pipeline(tuple(commands))
    if name is None:
        return bash.Group(command, (*hidden, *around))
    substitution = bash.CommandSubstitution(command, keeps_trailing_newlines=what.is_exact)
    assignment = bash.Assignment(name, bash.Word((substitution,)))
    return bash.Group(assignment, (*hidden, *around))


def _program(what: ir.Run) -> list[bash.Part]:
    """Return the name of the program that a command runs."""
    program = what.command
    while isinstance(program, ir.CommandLine):
        program = program.program
    assert not isinstance(program, ir.Pipeline)
    if isinstance(program, ir.Name) and program.type is Type.COMMAND:
        return [bash.Parameter(program.name, index=0)]
    return _parts(program)


def _words(what: ir.Run) -> tuple[bash.Word, ...]:
    assert not isinstance(what.command, ir.Pipeline)
    return arguments(what.command)


def _stage(what: ir.Run, is_foreground: bool, is_hidden: bool) -> bash.SimpleCommand:
    """Lower one command. If stderr is hidden, descriptor 3 is the script's stderr."""
    words = _words(what)
    own = _redirections(what)
    if is_foreground:
        words = (literal(FOREGROUND), *words)
    if is_hidden:
        if what.stderr == ir.INHERITED:
            own.append(bash.Redirection("2>&3"))
        if bash.Redirection("3>&-") not in own:
            own.append(bash.Redirection("3>&-"))
    return bash.SimpleCommand(words, tuple(own))


def _redirections(what: ir.Run) -> list[bash.Redirection]:
    """Return the redirections that the program specifies for a command."""
    streams: dict[str, bash.Redirection] = {}
    if what.stdin is not None and what.stdin != ir.INHERITED and not what.is_text:
        streams["stdin"] = bash.Redirection("<", _file(what.stdin))
    if what.stdout not in (None, ir.NULL, ir.INHERITED):
        streams["stdout"] = bash.Redirection(">>" if what.append else ">", _file(what.stdout))
    if what.stderr not in (None, ir.NULL, ir.INHERITED):
        streams["stderr"] = bash.Redirection("2>", _file(what.stderr))
    own = [streams[name] for name in what.order if name in streams]
    if "stderr" in streams and own[-1] != streams["stderr"]:
        # bash's message about a redirection that fails must not be written to that file.
        own[own.index(streams["stderr"])] = bash.Redirection("3>", streams["stderr"].target)
        own += [bash.Redirection("2>&3"), bash.Redirection("3>&-")]
    if what.stderr is None and what.stdout != ir.NULL:
        own.append(bash.Redirection("2>&1"))  # after the redirection of stdout
    return own


def checked(
    what: ir.Run, around: tuple[bash.Redirection, ...], name: str | None
) -> list[bash.Command]:
    """Lower a command whose failure ends the script. Assign its output to `name`, if there is one.

    $( ) removes trailing newlines. So the script appends an x to the output, and removes it later.
    """
    stages = what.command.stages if isinstance(what.command, ir.Pipeline) else (what,)
    parts = [part for stage in stages for part in (bash.Literal(" | "), *_program(stage))][1:]
    shown = bash.Word(tuple(_joined(parts)))
    status = bash.Word((bash.Parameter("?"),))
    failed = bash.SimpleCommand((literal(COMMAND_FAILED), status, shown))
    command = bash.AndOrList((run(what, around, name), failed), either=True)
    if name is None:
        return [bash.TestCommand(command)]
    text = bash.Word((bash.Parameter(name, "%", literal("x")),))
    if what.is_plain:
        text = bash.Word((bash.Parameter("REPLY"),))
    return [bash.TestCommand(command), bash.Assignment(name, text)]


def _file(target: ir.Value | ir.Inherited | None) -> bash.Word:
    assert target is not None
    assert not isinstance(target, ir.Inherited)
    return word(target)


# --- Tests ---------------------------------------------------------------------------------------


def test(
    condition: ir.Condition,
    around: tuple[bash.Redirection, ...],
    block: Callable[[list[ir.Statement]], list[bash.Line]],
) -> bash.Test:
    """Lower a condition to a test. `block` lowers the statements inside it."""
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
        case ir.IsItem(value, name):
            items = bash.Word((bash.ArrayExpansion(name),))
            return bash.SimpleCommand((literal(IS_ITEM), word(value), items))
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
            return run(what, around)
        case ir.Not(operand):
            return _negated(test(operand, around, block))
        case ir.BoolOp(operands, either):
            return bash.AndOrList(tuple(test(o, around, block) for o in operands), either)
        case ir.StatementCondition(before, inner):
            last = bash.Line(bash.TestCommand(test(inner, around, block)))
            return bash.CompoundList((*block([*before]), last))
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
