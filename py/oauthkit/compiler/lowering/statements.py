"""Lower statements, functions and whole programs to the bash AST."""

from __future__ import annotations

import re
from dataclasses import replace

from oauthkit.compiler import ir
from oauthkit.compiler.bash import ast as bash
from oauthkit.compiler.bash.names import (
    COMMAND_FAILED,
    FOREGROUND,
    IS_ITEM,
    PIPELINE_STATUS,
    READ_LINE,
    READ_STDIN,
    SORTED_GLOB,
    SPLIT_LINES,
    SPLIT_TEXT,
    TAKE_OUTPUT,
)
from oauthkit.compiler.lowering.expressions import (
    arguments,
    arithmetic,
    call,
    checked,
    literal,
    run,
    test,
    word,
)
from oauthkit.compiler.runtime_library import ISOLATE, RuntimeLibrary
from oauthkit.compiler.types import Signature, Type

# The variables in which functions return results. REPLY is for one Str or number.
REPLY = "REPLY"
REPLIES = "REPLIES"
# The function that runs the program. Constants are its local variables, so commands do not see
# them.
START = "start"
EXIT_COMMENTS = (
    "# A return would restore the caller's locale, with a warning if the system lacks it.",
)
KEEPS_STDIN_COMMENTS = ("# This redirection keeps the script's stdin, which is read below.",)
# bash would print its own message on the command's stderr if it cannot start the command.
FUNCTIONS = {
    FOREGROUND: f"""\
# Run a command with the script's stdin, stdout and stderr. Hide bash's own messages.
{FOREGROUND}() {{
  if type -P -- "$1" >/dev/null; then
    (exec -- "$@" 2>&3 3>&-)
  else
    (exec -- "$@" 3>&-) # the exit status is 126 or 127
  fi
}} 3>&2 2>/dev/null""",
    TAKE_OUTPUT: f"""\
# Set REPLY to a command's stdout, including trailing newlines.
{TAKE_OUTPUT}() {{
  REPLY=$(foreground "$@" 2>&3 3>&- && printf x) || return # $( ) removes trailing newlines
  REPLY=${{REPLY%x}}
}} 3>&2 2>/dev/null""",
    PIPELINE_STATUS: f"""\
# Return the exit status of a pipeline's last command that failed, or 0 if none failed.
{PIPELINE_STATUS}() {{
  local +x number status=0
  for number; do
    ((number == 0)) || status=$number
  done
  return "$status"
}}""",
    IS_ITEM: f"""\
# Return whether $1 is one of the other arguments.
{IS_ITEM}() {{
  local +x item
  for item in "${{@:2}}"; do
    [[ $item != "$1" ]] || return 0
  done
  return 1
}}""",
    COMMAND_FAILED: f"""\
# Report that the command $2 failed with exit status $1, and exit with this status.
{COMMAND_FAILED}() {{
  local +x reason=
  case $1 in
    126) reason=': it, or a program that it runs, cannot be executed' ;;
    127) reason=': it, or a program that it runs, was not found' ;;
  esac
  printf '%s\\n' "$2 failed with exit status $1$reason" >&2 2>/dev/null
  exit "$1"
}}""",
}
START_COMMENTS = [
    "# Runs the program. Local variables are not exported: if the caller has exported a variable",
    "# of the same name, commands see the caller's value. In the C locale every byte is a",
    "# character. FUNCNEST limits the depth of calls, GLOBIGNORE hides files from *, BASH_COMPAT",
    "# restores how older versions read quotes.",
]
PARTITION_COMMENTS = [
    "# Text is split by matches, because ${text%%x*} takes quadratic time for a long line."
]


def lower(program: ir.Program, library: RuntimeLibrary, origin: str) -> bash.Script:
    """Return the script for `program`. `origin` names what the script was generated from."""
    builtins = library.with_callees(program.builtins)
    descriptors = {item.descriptor for item in builtins if item.descriptor is not None}
    used = {name for item in builtins for name in item.state}
    state = tuple(name for name in library.state if name in used)
    closed = tuple(bash.Redirection(f"{number}>&-") for number in sorted(descriptors))
    reads_stdin = any(item.signature.name in {READ_STDIN, READ_LINE} for item in builtins)
    lowering = _Lowering([*ir.walk(program.functions)], closed, state, reads_stdin=reads_stdin)
    functions = [lowering.function(function) for function in program.functions]
    comments = [*START_COMMENTS, *(PARTITION_COMMENTS if lowering.has_partition else [])]
    signatures = [item.signature for item in builtins] + [f.signature for f in program.functions]
    has_arrays = lowering.has_lists or any(signature.returns_array for signature in signatures)
    return bash.Script(
        header=[f"# {line}".rstrip() for line in program.doc.splitlines()],
        origin=origin,
        prologue=library.prologue.split("\n"),
        start=(comments, lowering.start(program, has_arrays, library.isolates)),
        builtins=[
            *(text for name, text in FUNCTIONS.items() if name in lowering.functions),
            *(item.bash for item in builtins),
        ],
        functions=functions,
        constants=frozenset(constant.name for constant in program.constants),
    )


class _Lowering:
    def __init__(
        self,
        nodes: list[object],
        closed: tuple[bash.Redirection, ...],
        state: tuple[str, ...],
        *,
        reads_stdin: bool,
    ) -> None:
        commands = [node for node in nodes if isinstance(node, ir.Run)]
        foreground = [run for run in commands if run.is_foreground]
        pipelines = any(isinstance(run.command, ir.Pipeline) for run in commands)
        self.functions = {
            *([FOREGROUND] if foreground else []),
            *([PIPELINE_STATUS] if pipelines else []),
            *([IS_ITEM] if any(isinstance(node, ir.IsItem) for node in nodes) else []),
            *(TAKE_OUTPUT for run in foreground if run.is_exact and run.is_plain),
        }
        self.keeps_stdin = reads_stdin or any(run.stdin == ir.INHERITED for run in commands)
        null = (bash.Redirection("<", word(ir.NULL)),) if self.keeps_stdin else ()
        self.around = (*null, *closed)  # the redirections of all commands
        self.state = state  # variables in which builtins keep values between two calls
        self.results: tuple[Type, ...] = ()
        self.has_partition = False
        self.has_lists = False  # whether a construct returns an array
        self.arrays: set[str] = set()  # names that were arrays in the functions above

    # --- The top of the script -------------------------------------------------------------------

    def start(self, program: ir.Program, has_arrays: bool, isolates: bool) -> bash.FunctionCommand:
        """Return the function that the script calls: locale, state, constants, then the entry."""
        state = bash.Locals(
            (
                bash.Assignment("LC_ALL", literal("C")),
                bash.Assignment("FUNCNEST", literal("0")),
                bash.Assignment("GLOBIGNORE", literal("")),
                bash.Assignment("BASH_COMPAT", literal("")),
                *(bash.Assignment(name, literal("")) for name in self.state),
            ),
            (REPLY,),
            (REPLIES,) if has_arrays else (),
        )
        lines = [bash.Line(state)]
        if isolates and self.keeps_stdin:
            # ISOLATE changes the script's stdin, unless its own stdin is redirected.
            isolate = replace(_command(ISOLATE), redirections=self.around[:1])
            lines.append(bash.Line(isolate, KEEPS_STDIN_COMMENTS))
        elif isolates:
            lines.append(bash.Line(_command(ISOLATE)))
        for node in program.constants:
            if isinstance(node.value, tuple):
                items = tuple(map(word, node.value))
                constant = bash.Assignment(node.name, items, keyword="local +x -ar")
            else:
                constant = bash.Assignment(node.name, word(node.value), keyword="local +x -r")
            blank = node.blank or node is program.constants[0]
            lines.append(bash.Line(constant, tuple(node.comments), node.beside, blank))
        main = next(f for f in program.functions if f.signature.name == program.entry)
        given = (bash.Word((bash.ArrayExpansion("@"),)),) if main.signature.takes_arguments else ()
        entry = bash.SimpleCommand((literal(program.entry), *given))
        leave = bash.Line(_command("exit"), EXIT_COMMENTS)
        return bash.FunctionCommand(START, (*lines, bash.Line(entry, blank=True), leave))

    def function(self, node: ir.Function) -> tuple[list[str], bash.FunctionCommand]:
        """Return the comments above a function, and the function."""
        doc = [f"# {line.strip()}".rstrip() for line in node.doc.splitlines()]
        self.results = node.signature.results
        lines = (*self._locals(node), *self.body(node.body))
        function = bash.FunctionCommand(node.signature.name, lines)
        return node.heading + node.comments + doc, function

    def _locals(self, node: ir.Function) -> list[bash.Line]:
        lines: list[bash.Line] = []
        given: list[bash.Assignment] = []
        for position, (name, kind) in enumerate(node.signature.parameters, 1):
            if kind is Type.COMMAND:
                start = None if position == 1 else position
                rest = bash.Word((bash.ArrayExpansion("@", start),))
                given.append(bash.Assignment(name, (rest,)))
            else:
                given.append(bash.Assignment(name, bash.Word((bash.Parameter(str(position)),))))
        scalars = tuple(name for name, kind in node.variables.items() if kind is not Type.COMMAND)
        arrays = tuple(name for name, kind in node.variables.items() if kind is Type.COMMAND)
        # ShellCheck treats a parameter and an array of the same name in a function above as one
        # variable (SC2178), unless the parameter is declared without a value first.
        late = [i for i in given if isinstance(i.value, bash.Word) and i.name in self.arrays]
        given = [item for item in given if item not in late]
        scalars = (*(item.name for item in late), *scalars)
        if given or scalars or arrays:
            lines.append(bash.Line(bash.Locals(tuple(given), scalars, arrays)))
        self.arrays -= set(scalars)
        self.arrays |= {*arrays, *(i.name for i in given if not isinstance(i.value, bash.Word))}
        return lines + [bash.Line(item) for item in late]

    # --- Statements ------------------------------------------------------------------------------

    def block(self, nodes: list[ir.Statement]) -> list[bash.Line]:
        """Return the lines of a block. Comments stay at the first command of their statement."""
        lines: list[bash.Line] = []
        for node in nodes:
            commands = self.statement(node)
            for index, command in enumerate(commands):
                lines.append(
                    bash.Line(
                        command,
                        tuple(node.comments) if index == 0 else (),
                        node.beside if index == 0 else None,
                        node.blank and index == 0,
                    )
                )
        return lines

    def body(self, nodes: list[ir.Statement]) -> bash.Body:
        """Return the lines of a nested block. Add `:` if it has no command, for bash's syntax."""
        lines = self.block(nodes)
        if all(isinstance(line.command, bash.Comment) for line in lines):
            lines.append(bash.Line(_command(":")))
        return tuple(lines)

    def statement(self, node: ir.Statement) -> list[bash.Command]:
        """Return the commands for one statement."""
        match node:
            case ir.Assign(name, ir.Dirname(path)):
                return [
                    bash.Assignment(name, _parameter(path.name, "%", "/", bash.Glob())),
                    bash.Assignment(name, _parameter(name, ":-", "/")),
                ]
            case ir.Assign(name, value):
                return [self._assign(name, value)]
            case ir.Append(name, ir.CommandLine() as line):
                return [bash.Assignment(name, arguments(line)[1:], append=True)]
            case ir.Append(name, value):
                return [bash.Assignment(name, word(value), append=True)]
            case ir.AssignCondition(name, condition):
                yes, no = (bash.Line(bash.Assignment(name, literal(t))) for t in ("true", "false"))
                first = bash.Branch(self._test(condition), (yes,))
                return [bash.IfCommand((first, bash.Branch(None, (no,))))]
            case ir.Bind():
                return self._bind(node)
            case ir.Checked(what, name):
                self.functions.add(COMMAND_FAILED)
                return checked(what, self.around, name)
            case ir.Partition():
                self.has_partition = True
                return _partition(node)
            case ir.Print(text, stderr, ends_line):
                where = (bash.Redirection(">&2"),) if stderr else ()
                form = literal(r"%s\n" if ends_line else "%s")
                return [bash.SimpleCommand((literal("printf"), form, word(text)), where)]
            case ir.SetEnvironment(name, value):
                return [bash.Assignment(name, word(value), keyword="export")]
            case ir.UnsetEnvironment(name):
                return [_command("unset", "-v", name)]
            case ir.ChangeToRoot():
                return [_command("cd", "/")]
            case ir.SetUmask(mask):
                return [_command("umask", f"{mask:03o}")]
            case ir.If(branches):
                return [bash.IfCommand(tuple(map(self._branch, branches)))]
            case ir.While(ir.IsTrue(ir.BoolLiteral(True)), body):
                return [bash.WhileCommand(None, self.body(body))]
            case ir.While(condition, body):
                return [bash.WhileCommand(self._test(condition), self.body(body))]
            case ir.For():
                return self._for(node)
            case ir.Jump(keyword):
                return [_command(keyword)]
            case ir.Pass():
                return [_command(":")]
            case ir.Comment():
                return [bash.Comment()]
            case ir.Return():
                return self._return(node)
        raise AssertionError(node)

    def _for(self, node: ir.For) -> list[bash.Command]:
        before: list[bash.Command] = []
        body = self.body(node.body)
        match node.items:
            case ir.Numbers(counter, start, stop, step):
                if node.name not in (counter, "_"):
                    body = (bash.Line(self._assign(node.name, ir.Name(counter, Type.INT))), *body)
                bounds = arithmetic(start), arithmetic(stop)
                return [bash.ArithmeticForCommand(counter, *bounds, step, body)]
            case ir.Arguments(first):
                index = None if first == 1 else first
                over: tuple[bash.Word, ...] = (bash.Word((bash.ArrayExpansion("@", index),)),)
            case tuple() as items:
                over = tuple(map(word, items))
            case ir.ConstantItems(name):
                over = (bash.Word((bash.ArrayExpansion(name),)),)
            case ir.Lines(text):
                before = [_call(SPLIT_LINES, text)]
            case ir.Parts(text, separator):
                before = [_call(SPLIT_TEXT, text, *([separator] if separator else []))]
            case ir.Matches(directory, pattern):
                before = [_call(SORTED_GLOB, directory, pattern)]
        if before:
            self.has_lists = True
            over = (bash.Word((bash.ArrayExpansion(REPLIES),)),)
        return [*before, bash.ForCommand(node.name, over, body)]

    def _test(self, condition: ir.Condition) -> bash.Test:
        return test(condition, self.around, self.block)

    def _branch(self, node: ir.Branch) -> bash.Branch:
        condition = None if node.condition is None else self._test(node.condition)
        return bash.Branch(condition, self.body(node.body), tuple(node.comments), node.beside)

    def _assign(self, name: str, value: ir.Value) -> bash.Command:
        if value.type is Type.COMMAND:
            return bash.Assignment(name, arguments(value))
        return bash.Assignment(name, word(value))

    def _bind(self, node: ir.Bind) -> list[bash.Command]:
        status: list[bash.Command] = []
        if node.status is not None:
            status = [bash.Assignment(node.status, bash.Word((bash.Parameter("?"),)))]
        if isinstance(node.what, ir.Run):
            what = node.what
            if what.stdout is None and node.names[0] is None:
                what = replace(what, stdout=ir.NULL)
            name = node.names[0] if node.names else None
            command = run(what, self.around, name)
            return [_plain(command) if status else command, *status]
        return [call(node.what), *status, *_replies(node.what.function, node.names)]

    def _return(self, node: ir.Return) -> list[bash.Command]:
        leave = _command("return")
        if node.call is not None:
            return [call(node.call), leave]
        if node.condition is not None:
            if isinstance(node.condition, ir.IsTrue) and isinstance(
                node.condition.value, ir.BoolLiteral
            ):
                return [_command("return", "0" if node.condition.value.value else "1")]
            return [bash.TestCommand(self._test(node.condition)), leave]
        if not node.values:
            return [leave]
        replies = [
            v for v, kind in zip(node.values, self.results, strict=True) if kind is not Type.STATUS
        ]
        statuses = [
            v for v, kind in zip(node.values, self.results, strict=True) if kind is Type.STATUS
        ]
        commands: list[bash.Command] = []
        if len(replies) == 1:
            is_command = replies[0].type is Type.COMMAND
            commands.append(self._assign(REPLIES if is_command else REPLY, replies[0]))
        elif replies:
            commands.append(bash.Assignment(REPLIES, tuple(map(word, replies))))
        if statuses:
            leave = bash.SimpleCommand((literal("return"), word(statuses[0])))
        return [*commands, leave]


def _plain(command: bash.Group | bash.SimpleCommand) -> bash.Group | bash.SimpleCommand:
    """Prefix `test` with `command`. ShellCheck reports $? after a bare `test` (SC2319)."""
    match command:
        case bash.Group(bash.SimpleCommand(words) as inner) if words[0] == literal("test"):
            return replace(command, command=replace(inner, words=(literal("command"), *words)))
    return command


def _command(*words: str) -> bash.SimpleCommand:
    return bash.SimpleCommand(tuple(map(literal, words)))


def _call(name: str, *values: ir.Value) -> bash.SimpleCommand:
    """Return a call to a construct's function."""
    return bash.SimpleCommand((literal(name), *map(word, values)))


def _parameter(name: str, operator: str, text: str, *more: bash.Part) -> bash.Word:
    argument = bash.Word((bash.Literal(text), *more))
    return bash.Word((bash.Parameter(name, operator, argument),))


def _replies(function: Signature, names: tuple[str | None, ...]) -> list[bash.Command]:
    """Return the assignments of results from REPLY or REPLIES to names."""
    commands: list[bash.Command] = []
    for index, (name, kind) in enumerate(zip(names, function.replies, strict=False)):
        if name is None:
            continue
        if kind is Type.COMMAND:
            commands.append(bash.Assignment(name, (bash.Word((bash.ArrayExpansion(REPLIES),)),)))
        else:
            source = bash.Parameter(REPLY)
            if len(function.replies) > 1:
                source = bash.Parameter(REPLIES, index=index)
            commands.append(bash.Assignment(name, bash.Word((source,))))
    return commands


# Characters that have no special meaning in a bracket expression.
_PLAIN_SEPARATOR = re.compile(r"[A-Za-z0-9_:;,.=/ \n\t]")


def _partition(node: ir.Partition) -> list[bash.Command]:
    """Split a Str at its first or last separator, in linear time.

    ${text%%character*}, ${text##*separator} and ${text#"$head"} take quadratic time.
    """
    return _at_last_separator(node) if node.last else _at_first_separator(node)


def _at_last_separator(node: ir.Partition) -> list[bash.Command]:
    """Match the text from its start through the last separator."""
    text, separator = node.text.name, node.separator.value
    commands: list[bash.Command] = [
        bash.TestCommand(bash.MatchThrough(bash.Word((bash.Parameter(text),)), separator))
    ]
    matched = "BASH_REMATCH"
    if node.tail is not None:
        length = bash.Parameter(matched, index=0, length=True)
        commands.append(bash.Assignment(node.tail, _slice(text, length)))
    if node.middle is not None:
        part = bash.Slice(bash.Integer(-len(separator.encode())))
        middle = bash.Parameter(matched, index=0, slice=part)
        commands.append(bash.Assignment(node.middle, bash.Word((middle,))))
    if node.head is not None:
        mark = bash.Word((bash.Literal(separator),))
        head = bash.Parameter(matched, "%", mark, index=0)
        commands.append(bash.Assignment(node.head, bash.Word((head,))))
    return commands


def _at_first_separator(node: ir.Partition) -> list[bash.Command]:
    """Find the head: by a match for one plain character, else by ${text%%separator*}.

    The length of the head is the offset of the other parts.
    """
    text, separator = node.text.name, node.separator.value
    step = bash.Integer(len(separator.encode()))
    head = node.head
    commands: list[bash.Command] = []
    if _PLAIN_SEPARATOR.fullmatch(separator):
        match = bash.MatchUntil(bash.Word((bash.Parameter(text),)), separator)
        commands.append(bash.TestCommand(match))
        found = bash.Parameter("BASH_REMATCH", index=0)
        length = bash.Parameter("BASH_REMATCH", index=0, length=True)
        if head is not None and head != text:
            commands.append(bash.Assignment(head, bash.Word((found,))))
            length = bash.Parameter(head, length=True)
    else:
        mark = bash.Word((bash.Literal(separator), bash.Glob()))
        name = REPLY if head is None or head == text else head
        commands.append(bash.Assignment(name, bash.Word((bash.Parameter(text, "%%", mark),))))
        found = bash.Parameter(name)
        length = bash.Parameter(name, length=True)
    others = [
        (node.middle, _slice(text, length, step)),
        (node.tail, _slice(text, bash.Operation("+", length, step))),
    ]
    # Assign last to the variable that is being split.
    others.sort(key=lambda pair: pair[0] == text)
    commands += [bash.Assignment(name, part) for name, part in others if name is not None]
    if head == text:
        commands.append(bash.Assignment(text, bash.Word((found,))))
    return commands


def _slice(name: str, offset: bash.Arithmetic, length: bash.Arithmetic | None = None) -> bash.Word:
    return bash.Word((bash.Parameter(name, slice=bash.Slice(offset, length)),))
