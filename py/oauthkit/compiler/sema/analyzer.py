"""From the text of a program to its typed tree."""

from __future__ import annotations

import ast
import warnings
from pathlib import PurePath

from oauthkit.compiler.diagnostics import suggestions as ways_out
from oauthkit.compiler.diagnostics.describe import is_condition, with_article
from oauthkit.compiler.diagnostics.report import CompileError, Diagnostic
from oauthkit.compiler.ir import Constant, Function, Program
from oauthkit.compiler.loader.program import File, Files, Modules
from oauthkit.compiler.runtime_library import Vocabulary
from oauthkit.compiler.sema.conditions import Expressions
from oauthkit.compiler.sema.imports import check_imports, check_order, read_import, read_import_from
from oauthkit.compiler.sema.statements import Statements
from oauthkit.compiler.sema.symbols import Names, Scope, bound_names
from oauthkit.compiler.sema.whole_program import Checks
from oauthkit.compiler.shell.names import BASH_BUILTINS, BASH_WORDS, PROGRAM_BUILTINS
from oauthkit.compiler.source import Comments, Source, Span
from oauthkit.compiler.types import Signature, Type, fits_bash, read_annotation

# How many levels an expression may have: the compiler, as Python, goes down all of them at once.
DEEPEST = 100
# How many blocks may stand one inside the other.
MOST_BLOCKS = 40


def read_program(text: str, path: str, vocabulary: Vocabulary, modules: Modules) -> Program:
    """The typed tree of the program `text`; `path` is shown in messages, `modules` finds what it
    imports from files of its own.

    Raises CompileError with every refusal in it.
    """
    frontends: list[_Frontend] = []

    def read(names: Names) -> File:
        frontends.append(_Frontend(names))
        return frontends[-1].read(_parsed(names.source))

    files = Files(modules, vocabulary, read)
    main = files.add(Source(path, text))
    entry = frontends[0].entry
    checks = Checks(files.files, files.reached(entry))
    checks.recursion()
    checks.environment()
    checks.programs()
    checks.other_files()
    if not entry and not files.diagnostics:
        main.names.report(
            "D101", Span(1, 0, 1, 0), "the program has no entry",
            'end with: if __name__ == "__main__": sys.exit(main(*sys.argv[1:]))',
        )  # fmt: skip
    if not files.diagnostics:  # what was refused may have used a name
        checks.unused()
    if files.diagnostics:
        raise CompileError(files.diagnostics)
    return _program(files, entry)


def _program(files: Files, entry: str) -> Program:
    """The program that all files make: of those that others import from only what it needs."""
    main = files.files[-1]
    program = Program(main.doc, [], [], entry, set())
    for file, reached in zip(files.files, files.reached(entry), strict=True):
        constants = [constant for constant in file.constants if constant.name in reached]
        functions = [item for item in file.functions if item.signature.name in reached]
        if constants and len(files.files) > 1:
            constants[0].blank = True
        if functions and len(files.files) > 1:
            doc = [] if file is main else [f"# {line}".rstrip() for line in file.doc.splitlines()]
            name = PurePath(file.names.source.path).name
            functions[0].heading = [f"# --- {name} ---", *doc, ""]
        program.constants += constants
        program.functions += functions
        for item in functions:
            program.words |= file.words[item.signature.name]
    return program


def _parsed(source: Source) -> ast.Module:
    try:
        with warnings.catch_warnings():  # Python says them when it runs the program
            warnings.simplefilter("ignore")
            module = ast.parse(source.text)
            _check_depth(source, module)
            compile(source.text, source.path, "exec", dont_inherit=True)
    except (RecursionError, MemoryError, ValueError) as error:
        problem = Diagnostic(source, "D001", Span(1, 0, 1, 1), str(error), "make it simpler")
        raise CompileError([problem]) from None
    except SyntaxError as error:
        raise CompileError([_unreadable(source, error)]) from None
    return module


def _check_depth(source: Source, module: ast.Module) -> None:
    problems = []
    for node in ast.walk(module):
        level: list[ast.AST] = [node] if isinstance(node, ast.stmt) else []
        depth = 0
        while level and depth <= DEEPEST:
            below = (child for parent in level for child in ast.iter_child_nodes(parent))
            level = [child for child in below if not isinstance(child, ast.stmt)]
            depth += 1
        if level:
            what = "an expression is nested too deeply"
            help = "give a part of it a name"
            problems.append(Diagnostic(source, "D102", source.span(node), what, help))
    deep = _too_deep(module)
    if deep is not None:
        what = f"this is the {MOST_BLOCKS + 1}st block, one inside the other"
        help = "put some of them into a function of their own"
        problems.append(Diagnostic(source, "D101", source.span(deep), what, help))
    if problems:
        raise CompileError(problems)


def _too_deep(module: ast.Module) -> ast.stmt | None:
    """The first statement that stands inside of too many blocks."""
    found: list[tuple[ast.stmt, int]] = [(node, 0) for node in module.body]
    for node, blocks in found:
        if blocks > MOST_BLOCKS:
            return node
        found += (  # an elif stands in the column of its if
            (child, blocks + (child.col_offset > node.col_offset))
            for child in ast.iter_child_nodes(node)
            if isinstance(child, ast.stmt)
        )
    return None


def _unreadable(source: Source, error: SyntaxError) -> Diagnostic:
    line, column = error.lineno or 1, max(0, (error.offset or 1) - 1)
    is_short = error.end_lineno == line and (error.end_offset or 0) > column + 1
    span = Span(line, column, line, (error.end_offset or 0) - 1 if is_short else column + 1)
    there = source.lines[line - 1][column : span.end_column] if line <= len(source.lines) else ""
    message = str(error.msg)
    if message == "invalid syntax" and there.strip():
        message = f"Python cannot read {there!r} here"
    help = "mend this line, or a bracket or text left open above"
    return Diagnostic(source, "D001", span, message, help)


class _Frontend:
    """Reads one file."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self.diagnostics = names.diagnostics
        self.file = File(names)
        self.entry = ""
        self.comments = Comments(names.source, 1)  # at the top; imports and commands have no twin
        self.above: dict[str, list[str]] = {}  # the comments above each function

    def read(self, module: ast.Module) -> File:
        for index, node in enumerate(module.body):
            if self.entry:
                self.names.report(
                    "D101", node, "this stands below the entry", "let the entry be the last"
                )
            self._top(node, is_doc=index == 0)
            self.comments.above((node.end_lineno or node.lineno) + 1)
        check_order(self.names, module)
        check_imports(self.names, module)
        starts = [node.lineno for node in module.body[1:]]
        ends = dict(zip(module.body, [*starts, len(self.names.source.lines) + 1], strict=False))
        self.file.functions = [self._function(node, ends[node]) for node in self.file.definitions]
        self.file.doc = self._doc(module)
        return self.file

    # --- The top of the program ------------------------------------------------------------------

    def _top(self, node: ast.stmt, is_doc: bool) -> None:
        self.comments.below(node.lineno, column=1)  # those at the end of a function
        match node:
            case ast.Expr(value=ast.Constant(value=str())) if is_doc:
                pass
            case ast.Import():
                read_import(self.names, node)
            case ast.ImportFrom():
                read_import_from(self.names, node)
            case ast.Assign(targets=[ast.Name(id=name) as target], value=value):
                self._assign(target, name, value, node)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                self.names.report(
                    "D101", node.annotation, f"the constant {name} has an annotation",
                    f"leave it out: {name} = {self.names.shown(value)}",
                )  # fmt: skip
                self.names.refused.add(name)
            case ast.FunctionDef():
                self._define(node)
            case ast.If(test=test) if ast.unparse(test) == "__name__ == '__main__'":
                self._entry(node)
            case _:
                way = ways_out.of_top(node)
                self.names.report("D101", node, way.message, way.help)
                self.names.refused |= {*bound_names(node)}

    def _assign(self, target: ast.Name, name: str, value: ast.expr, node: ast.Assign) -> None:
        match value:
            case ast.Call(func=ast.Name(id="program")):
                self._bind_command(target, name, value)
            case ast.Subscript(value=bare) if self._program(bare):
                program = self._program(bare)
                self.names.report(
                    "D105", value, f"{name} is bound to a program with arguments",
                    f'bind the program alone: {name} = program("{program}"); and in a function'
                    f" write {name}[{self.names.shown(value.slice)}]",
                )  # fmt: skip
                self.names.commands[name] = program
            case (
                ast.Subscript(value=ast.Name(id="local"))
                | ast.Attribute(value=ast.Name(id="local"))
            ) if self._program(value):
                program = self._program(value)
                self.names.report(
                    "D102", value, f"{self.names.shown(value)} is outside the dialect",
                    f'write {name} = program("{program}")',
                )  # fmt: skip
                self.names.commands[name] = program
            case _:
                self._constant(target, name, value, node)

    def _program(self, node: ast.expr) -> str:
        """The program that program("x"), local["x"] or local.x stands for; "" if it is no such."""
        match node:
            case ast.Call(func=ast.Name(id="program"), args=[ast.Constant(value=str() as program)]):
                return program
            case ast.Subscript(
                value=ast.Name(id="local"), slice=ast.Constant(value=str() as program)
            ):
                return program
            case ast.Attribute(value=ast.Name(id="local"), attr=program) if program not in (
                "env",
                "cwd",
                "path",
                "which",
            ):
                return program
        return ""

    def _bind_command(self, target: ast.Name, name: str, call: ast.Call) -> None:
        self.names.check_new(target, name, "command")
        argument = call.args[0] if len(call.args) == 1 and not call.keywords else None
        if not isinstance(argument, ast.Constant) or not isinstance(argument.value, str):
            self.names.report(
                "D105", call, "program needs a literal name", f'write {name} = program("{name}")'
            )
            self.names.commands[name] = name
            return
        self._check_text(argument)
        words = {*self.names.vocabulary.words, "isolate", "start", ""}
        if argument.value in BASH_WORDS | (BASH_BUILTINS - PROGRAM_BUILTINS) | words:
            self.names.report(
                "D401", argument, f"{argument.value!r} is no program in bash",
                "run a program of another name, or by its path",
            )  # fmt: skip
        self.names.commands[name] = argument.value

    def _constant(self, target: ast.Name, name: str, value: ast.expr, node: ast.Assign) -> None:
        told = len(self.diagnostics)
        self.names.check_new(target, name, "constant")
        self.file.places[name] = target
        self.file.values[name] = value
        at_run_time = self._at_run_time(value)
        if at_run_time is not None:
            self.names.report(
                "D303", at_run_time,
                f"{self.names.shown(at_run_time)} is known only when the program runs: it is no"
                " constant", f"name it in a function: {name.lower()} = {self.names.shown(value)}",
            )  # fmt: skip
            self.names.constants[name] = Type.ERROR
            return
        reader = Expressions(self.names, Scope({}))
        result = reader.value(value)
        self.names.constants[name] = result.type
        if result.type is Type.ERROR or len(self.diagnostics) > told:
            self.names.constants[name] = Type.ERROR
            return
        if result.type not in (Type.STR, Type.INT):
            self.names.report(
                "D303", value, f"{with_article(result.type)} is no constant",
                f"write {self.names.shown(value)} where {name} is used",
            )  # fmt: skip
        elif name != name.upper():
            self.names.report(
                "D402", target, f"the constant {name} looks like a variable",
                f"call it {name.upper()}",
            )  # fmt: skip
        text = reader.known_text(result)
        if text is not None and result.type is Type.STR:
            self.names.texts[name] = text
        above, blank = self.comments.above(node.lineno)
        inside, beside = self.comments.within(node.lineno, node.end_lineno or node.lineno)
        self.file.constants.append(Constant(name, result, above + inside, beside, blank))

    def _at_run_time(self, value: ast.expr) -> ast.expr | None:
        """The part of a value that has to run, if there is one."""
        for inner in ast.walk(value):
            match inner:
                case ast.Call(func=ast.Name(id=name)) if self.names.function(name) is not None:
                    return inner
                case ast.BinOp(op=ast.BitAnd(), right=ast.Name(id="TF" | "RETCODE" | "CAPTURE")):
                    return inner
        return value if is_condition(value) else None

    def _define(self, node: ast.FunctionDef) -> None:
        self.names.check_new(self.names.part(node, node.name), node.name, "function")
        before = len(self.diagnostics)
        self._check_parameters(node)
        parameters = []
        for parameter in node.args.args:
            types = read_annotation(parameter.annotation)
            if types is None or len(types) != 1:
                self._refuse_annotation(parameter, f"{parameter.arg} of {node.name}")
                types = (Type.ERROR,)
            # A Status that was handed over has been taken: inside it is a number as any other.
            kind = Type.INT if types[0] is Type.STATUS else types[0]
            parameters.append((parameter.arg, kind))
        for argument, (name, kind) in list(zip(node.args.args, parameters, strict=True))[:-1]:
            if kind is Type.COMMAND:
                self.names.report(
                    "D105", argument, f"the Command {name} is not the last parameter",
                    "put it last: its arguments fill the rest of the line",
                )  # fmt: skip
                break
        results = read_annotation(node.returns)
        if results is None or not fits_bash(results):
            place = node.returns or self.names.part(node, node.name)
            if node.name == "main":
                self.names.report(
                    "D306", place, "main does not say that it gives a Status",
                    "write def main(*arguments: str) -> Status:",
                )  # fmt: skip
            else:
                self._refuse_annotation(place, f"the result of {node.name}")
            results = (Type.ERROR,)
        self.names.functions[node.name] = Signature(
            node.name, tuple(parameters), results, node.args.vararg is not None
        )
        if len(self.diagnostics) > before:
            self.names.refused.add(node.name)  # what calls hand over and take is not known
        self.file.definitions.append(node)
        self.above[node.name] = self.comments.above(node.lineno)[0]

    def _check_parameters(self, node: ast.FunctionDef) -> None:
        """Refuses decorators, and parameters that bash cannot have: the first of them."""
        given = node.args
        extra: list[tuple[ast.AST, str, str]] = [
            *((d, f"{node.name} has a decorator", "leave it out") for d in node.decorator_list),
            *(
                (default, f"a parameter of {node.name} has a default",
                 f"leave it out, and hand {self.names.shown(default)} over where it is meant")
                for default in [*given.defaults, *(d for d in given.kw_defaults if d is not None)]
            ),
            *(
                (argument, f"the parameter {argument.arg} of {node.name} has a kind of its own",
                 "plain parameters alone, without / and *")
                for argument in [*given.posonlyargs, *given.kwonlyargs, given.kwarg]
                if argument is not None
            ),
        ]  # fmt: skip
        if given.vararg and (given.args or node.name != "main"):
            extra.append(
                (given.vararg, f"{node.name} takes any number of arguments",
                 "only main does: def main(*arguments: str) -> Status:")
            )  # fmt: skip
        for place, message, help in extra[:1]:
            self.names.report("D101", place, message, help)

    def _refuse_annotation(self, node: ast.AST | Span, what: str) -> None:
        self.names.report(
            "D306", node, f"{what} has no type that bash could have",
            "annotate it: str, int, bool, LocalPath, BaseCommand, Status, None, or a tuple of them"
            " with one Status at most, no bool, and a BaseCommand beside nothing but a Status",
        )  # fmt: skip

    def _entry(self, node: ast.If) -> None:
        match node.body:
            case [ast.Expr(value=ast.Call(args=[ast.Call(func=ast.Name(id=name))]) as call)] if (
                ast.unparse(call) == f"sys.exit({name}(*sys.argv[1:]))"
                and name in self.names.functions.keys() - self.names.refused
                and self.names.functions[name].results == (Type.STATUS,)
                and self.names.functions[name].takes_arguments
            ):
                self.entry = name
            case [ast.Expr() as call] if not {*_names(call)}.isdisjoint(self.names.refused):
                self.entry = "main"  # its header was refused
            case _:
                self.names.report(
                    "D101", node.body[0], "this is no entry of a program",
                    "write sys.exit(main(*sys.argv[1:])), below a"
                    " def main(*arguments: str) -> Status:",
                )  # fmt: skip

    # --- Functions -------------------------------------------------------------------------------

    def _function(self, node: ast.FunctionDef, end: int) -> Function:
        """Reads a function; below it, code goes on at the line `end`."""
        signature = self.names.functions[node.name]
        scope = self.file.scopes[node.name] = Scope(dict(signature.parameters))
        for parameter in node.args.args:
            self.names.check_new(parameter, parameter.arg, "variable")
        if node.args.vararg is not None:
            scope.arguments = node.args.vararg.arg
            self.names.check_new(node.args.vararg, scope.arguments, "variable")
        for other in [*node.args.posonlyargs, *node.args.kwonlyargs, node.args.kwarg]:
            if other is not None:
                scope.forgive(other.arg)
        comments = Comments(self.names.source, node.lineno)
        header_end = self.names.source.header_end(node.lineno, node.body)
        inside, beside = comments.within(node.lineno, min(header_end, node.body[0].lineno - 1))
        above = [*self.above[node.name], *inside, *([] if beside is None else [beside])]
        self.names.words_used = self.file.words[node.name] = set()
        body = Statements(self.names, scope, signature, comments).block(node.body, end)
        if signature.results and scope.known is not None and Type.ERROR not in signature.results:
            self.names.report(
                "D307", self.names.part(node, node.name), f"{node.name} can end without a result",
                "end every path with return",
            )  # fmt: skip
        return Function(signature, self._doc(node), above, scope.variables, body)

    def _doc(self, node: ast.Module | ast.FunctionDef) -> str:
        text = ast.get_docstring(node)
        if text is None:
            return ""
        first = node.body[0]
        assert isinstance(first, ast.Expr)
        self._check_text(first.value)
        return text

    def _check_text(self, node: ast.expr) -> None:
        """Refuses a literal that stands where no value does, if bash cannot hold it."""
        Expressions(self.names, Scope({})).value(node)


def _names(node: ast.AST) -> list[str]:
    return [inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)]
