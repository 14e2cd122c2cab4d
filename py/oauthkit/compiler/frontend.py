"""From the text of a program to its typed tree."""

from __future__ import annotations

import ast

from .diagnostics import CompileError, Diagnostic
from .expressions import Expressions
from .names import BASH_BUILTINS, BASH_WORDS, PROGRAM_BUILTINS, Names, Scope
from .source import Comments, Source, Span
from .statements import Statements
from .tree import Constant, Function, Program
from .types import Signature, Type, fits_bash, read_annotation
from .vocabulary import PRIMITIVES, Vocabulary

# What may be imported besides the vocabulary: names that the compiler knows.
IMPORTS = {
    "__future__": {"annotations"},
    "plumbum": {"local", "LocalPath"},
    "plumbum.commands": {"ERROUT", "BaseCommand"},
}
MODULES = {"os", "sys"}
# How many levels an expression may have: the compiler, as Python, goes down all of them at once.
DEEPEST = 100


def read_program(text: str, path: str, vocabulary: Vocabulary) -> Program:
    """The typed tree of the program `text`; `path` is shown in messages.

    Raises CompileError with every refusal in it.
    """
    source = Source(path, text)
    try:
        module = ast.parse(text)
        _check_depth(source, module)
        compile(text, path, "exec", dont_inherit=True)
    except (RecursionError, MemoryError, ValueError) as error:
        problem = Diagnostic("D001", Span(1, 0, 1, 1), str(error), "make it simpler")
        raise CompileError(source, [problem]) from None
    except SyntaxError as error:
        line, column = error.lineno or 1, max(0, (error.offset or 1) - 1)
        raise CompileError(
            source,
            [
                Diagnostic(
                    "D001",
                    Span(line, column, line, column + 1),
                    str(error.msg),
                    "see what python says",
                )
            ],
        ) from None
    program = _Frontend(Names(source, vocabulary)).read(module)
    if program.diagnostics:
        raise CompileError(source, program.diagnostics)
    return program.tree


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
            problems.append(Diagnostic("D102", source.span(node), what, help))
    if problems:
        raise CompileError(source, problems)


class _Frontend:
    def __init__(self, names: Names) -> None:
        self.names = names
        self.diagnostics = names.diagnostics
        self.constants: list[Constant] = []
        self.definitions: list[ast.FunctionDef] = []
        self.entry = ""
        self.calls: dict[str, set[str]] = {}
        self.scopes: dict[str, Scope] = {}
        self.comments = Comments(names.source, 1)  # at the top; imports and commands have no twin
        self.places: dict[str, ast.AST] = {}  # where each constant takes its value
        self.above: dict[str, list[str]] = {}  # the comments above each function
        self.tree: Program

    def read(self, module: ast.Module) -> _Frontend:
        for index, node in enumerate(module.body):
            if self.entry:
                self.names.report(
                    "D101", node, "this stands below the entry", "let the entry be the last"
                )
            self._top(node, is_doc=index == 0)
            self.comments.above((node.end_lineno or node.lineno) + 1)
        self._check_imports(module)
        starts = [node.lineno for node in module.body[1:]]
        ends = dict(zip(module.body, [*starts, len(self.names.source.lines) + 1], strict=False))
        for node in self.definitions:
            self.names.check_function(node)
        functions = [self._function(node, ends[node]) for node in self.definitions]
        self._check_recursion()
        self._check_environment(functions)
        if not self.entry and not self.diagnostics:
            self.names.report(
                "D101", Span(1, 0, 1, 0), "the program has no entry",
                'end with: if __name__ == "__main__": sys.exit(main(*sys.argv[1:]))',
            )  # fmt: skip
        if not self.diagnostics:  # what was refused may have used a name
            self._check_used()
        self.tree = Program(
            self._doc(module),
            self.constants,
            functions,
            self.entry,
            self.names.words_used,
            self.names.commands_used,
        )
        return self

    # --- The top of the program ------------------------------------------------------------------

    def _top(self, node: ast.stmt, is_doc: bool) -> None:
        self.comments.below(node.lineno, column=1)  # those at the end of a function
        match node:
            case ast.Expr(value=ast.Constant(value=str())) if is_doc:
                pass
            case ast.Import(names=modules):
                for module in modules:
                    if module.name not in MODULES or module.asname:
                        self._refuse_import(node, module.name)
                    self.names.imports.add(module.name)
            case ast.ImportFrom():
                self._import(node)
            case ast.Assign(
                targets=[ast.Name(id=name)],
                value=ast.Call(func=ast.Name(id="program"), args=[argument]),
            ):
                self._bind_command(node, name, argument)
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                self._constant(node, name, value)
            case ast.FunctionDef():
                self._define(node)
            case ast.If(test=test) if ast.unparse(test) == "__name__ == '__main__'":
                self._entry(node)
            case _:
                self.names.report(
                    "D101", node, "this cannot stand at the top of a program",
                    "there stand imports, constants, program(…), functions and the entry",
                )  # fmt: skip

    def _refuse_import(self, node: ast.stmt, name: str) -> None:
        self.names.report(
            "D103", node, f"{name} is outside the dialect",
            f"import from plumbum or {self.names.vocabulary.module}, or name the module of your own"
            " words with --vocabulary",
        )  # fmt: skip

    def _import(self, node: ast.ImportFrom) -> None:
        vocabulary = self.names.vocabulary
        for alias in node.names:
            if alias.asname is not None:
                self.names.report("D103", node, f"{alias.name} gets another name", "leave out `as`")
            elif node.module in vocabulary.modules:
                words = [name for name, w in vocabulary.words.items() if w.module == node.module]
                if alias.name in words:
                    self.names.words.add(alias.name)
                elif alias.name in PRIMITIVES and node.module == vocabulary.module:
                    self.names.imports.add(alias.name)
                else:
                    self.names.report(
                        "D103", node, f"{node.module} has no word {alias.name}",
                        f"its words are {', '.join(words)}",
                    )  # fmt: skip
            elif alias.name in IMPORTS.get(node.module or "", ()):
                self.names.imports.add(alias.name)
            else:
                self._refuse_import(node, f"{node.module}.{alias.name}")

    def _bind_command(self, node: ast.Assign, name: str, argument: ast.expr) -> None:
        if not isinstance(argument, ast.Constant) or not isinstance(argument.value, str):
            self.names.report(
                "D105", argument, "program needs a literal name", 'write program("jq")'
            )
            return
        self._check_text(argument)
        self.names.check_new(node, name, "command")
        words = {*self.names.vocabulary.words, "isolate", "start", ""}
        if argument.value in BASH_WORDS | (BASH_BUILTINS - PROGRAM_BUILTINS) | words:
            self.names.report(
                "D401", argument, f"{argument.value!r} is no program in bash",
                "run a program of another name, or by its path",
            )  # fmt: skip
        self.names.commands[name] = argument.value

    def _constant(self, node: ast.Assign, name: str, value: ast.expr) -> None:
        self.names.check_new(node, name, "constant")
        if name != name.upper():
            self.names.report(
                "D402",
                node,
                f"the constant {name} looks like a variable",
                f"call it {name.upper()}",
            )
        reader = Expressions(self.names, Scope({}))
        result = reader.value(value)
        if result.type not in (Type.STR, Type.INT, Type.ERROR):
            self.names.report(
                "D303", value, f"a {result.type.value} is no constant", "constants are Str or Int"
            )
        self.names.constants[name] = result.type
        self.places[name] = node.targets[0]
        text = reader.known_text(result)
        if text is not None and result.type is Type.STR:
            self.names.texts[name] = text
        above, blank = self.comments.above(node.lineno)
        inside, beside = self.comments.within(node.lineno, node.end_lineno or node.lineno)
        self.constants.append(Constant(name, result, above + inside, beside, blank))

    def _define(self, node: ast.FunctionDef) -> None:
        self.names.check_new(node, node.name, "function")
        arguments = node.args
        extra = [*arguments.posonlyargs, *arguments.kwonlyargs, *arguments.defaults]
        if extra or arguments.kwarg or node.decorator_list:
            self.names.report(
                "D101", node, f"{node.name} has parameters that bash cannot have, or a decorator",
                "plain parameters with a type, without defaults",
            )  # fmt: skip
        if arguments.vararg and (arguments.args or node.name != "main"):
            self.names.report(
                "D101", node, f"{node.name} takes any number of arguments",
                "only main does: def main(*arguments: str) -> Status",
            )  # fmt: skip
        parameters = []
        for parameter in arguments.args:
            types = read_annotation(parameter.annotation)
            if types is None or len(types) != 1:
                self._refuse_annotation(parameter, f"{parameter.arg} of {node.name}")
                types = (Type.ERROR,)
            # A Status that was handed over has been taken: inside it is a number as any other.
            kind = Type.INT if types[0] is Type.STATUS else types[0]
            parameters.append((parameter.arg, kind))
        if Type.COMMAND in [kind for _, kind in parameters[:-1]]:
            self.names.report(
                "D105", node, f"{node.name} takes a Command that is not its last parameter",
                "put it last: its arguments fill the rest of the line",
            )  # fmt: skip
        results = read_annotation(node.returns)
        if results is None or not fits_bash(results):
            self._refuse_annotation(node, f"the result of {node.name}")
            results = (Type.ERROR,)
        self.names.functions[node.name] = Signature(
            node.name, tuple(parameters), results, arguments.vararg is not None
        )
        self.definitions.append(node)
        self.above[node.name] = self.comments.above(node.lineno)[0]

    def _refuse_annotation(self, node: ast.AST, what: str) -> None:
        self.names.report(
            "D306", node, f"{what} has no type that bash could have",
            "annotate it: str, int, bool, LocalPath, BaseCommand, Status, None, or a tuple of them"
            " with one Status at most, no bool, and a BaseCommand beside nothing but a Status",
        )  # fmt: skip

    def _entry(self, node: ast.If) -> None:
        match node.body:
            case [ast.Expr(value=ast.Call(args=[ast.Call(func=ast.Name(id=name))]) as call)] if (
                ast.unparse(call) == f"sys.exit({name}(*sys.argv[1:]))"
                and name in self.names.functions
                and self.names.functions[name].results == (Type.STATUS,)
                and self.names.functions[name].takes_arguments
            ):
                self.entry = name
            case _:
                self.names.report(
                    "D101", node.body[0], "this is no entry of a program",
                    "write sys.exit(main(*sys.argv[1:])), with a main that gives a Status",
                )  # fmt: skip

    # --- Functions -------------------------------------------------------------------------------

    def _function(self, node: ast.FunctionDef, end: int) -> Function:
        """Reads a function; below it, code goes on at the line `end`."""
        signature = self.names.functions[node.name]
        scope = self.scopes[node.name] = Scope(dict(signature.parameters))
        for parameter in node.args.args:
            self.names.check_new(parameter, parameter.arg, "variable")
        if node.args.vararg is not None:
            scope.arguments = node.args.vararg.arg
        comments = Comments(self.names.source, node.lineno)
        header_end = self.names.source.header_end(node.lineno, node.body)
        inside, beside = comments.within(node.lineno, min(header_end, node.body[0].lineno - 1))
        above = [*self.above[node.name], *inside, *([] if beside is None else [beside])]
        body = Statements(self.names, scope, signature, comments).block(node.body, end)
        if signature.results and scope.known is not None:
            self.names.report(
                "D307", node, f"{node.name} can end without a result",
                "end every path with return",
            )  # fmt: skip
        self.calls[node.name] = {
            inner.func.id
            for inner in ast.walk(node)
            if isinstance(inner, ast.Call) and isinstance(inner.func, ast.Name)
        }
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

    def _check_imports(self, module: ast.Module) -> None:
        """Refuses what the compiler knows and Python, without its import, does not."""
        known = {*MODULES, *PRIMITIVES, *(name for names in IMPORTS.values() for name in names)}
        for node in ast.walk(module):
            if isinstance(node, ast.Name) and node.id in known - self.names.imports:
                self.names.report("D301", node, f"{node.id} is not imported", f"import {node.id}")
                known.discard(node.id)

    def _check_recursion(self) -> None:
        # What calls only functions that end cannot call itself: in a right program nothing is left.
        left = {name: len(called & self.calls.keys()) for name, called in self.calls.items()}
        callers: dict[str, list[str]] = {name: [] for name in left}
        for name, called in self.calls.items():
            for other in called & self.calls.keys():
                callers[other].append(name)
        queue = [name for name, count in left.items() if count == 0]
        while queue:
            name = queue.pop()
            del left[name]
            for caller in callers[name]:
                left[caller] -= 1
                if left[caller] == 0:
                    queue.append(caller)
        for node in self.definitions:
            if node.name not in left:
                continue
            if any(node.name in self._reached(called) for called in self.calls[node.name]):
                self.names.report(
                    "D403", node, f"{node.name} calls itself, directly or not", "write it as a loop"
                )

    def _check_environment(self, functions: list[Function]) -> None:
        taken = set(self.names.constants)
        for function in functions:
            taken |= {*function.variables, *(name for name, _ in function.signature.parameters)}
        for name in sorted(taken & self.names.environment):
            self.names.report(
                "D402", Span(1, 0, 1, 0), f"{name} is a name of the program and of the environment",
                "in bash they would be one: rename the one in the program",
            )  # fmt: skip

    def _check_used(self) -> None:
        """Refuses what nobody uses: it is a slip, or a rest of what once was."""

        def report(node: ast.AST, what: str, help: str) -> None:
            self.names.report("D308", node, f"{what} is never used", help)

        for name, place in self.places.items():
            if name not in self.names.used:
                report(place, f"the constant {name}", "delete it")
        reached = self._reached(self.entry)
        for node in self.definitions:
            if node.name not in reached:
                report(node, f"the function {node.name}", "delete it, or call it")
            scope = self.scopes[node.name]
            for parameter in node.args.args:
                if parameter.arg not in scope.used:
                    report(
                        parameter, f"the parameter {parameter.arg}",
                        f"delete it, here and where {node.name} is called",
                    )  # fmt: skip
            for name, place in scope.places.items():
                if name not in scope.used and name not in scope.parameters:
                    report(place, name, "write _ in its place, or delete this")

    def _reached(self, name: str) -> set[str]:
        """The functions and words that the function `name` calls, directly or not, and itself."""
        reached = set()
        queue = [name]
        while queue:
            name = queue.pop()
            if name not in reached:
                reached.add(name)
                queue += self.calls.get(name, ())
        return reached
