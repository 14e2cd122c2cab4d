"""From the text of a program to its typed tree."""

from __future__ import annotations

import ast

from .diagnostics import CompileError, Diagnostic
from .expressions import Expressions
from .names import BASH_BUILTINS, BASH_WORDS, PROGRAM_BUILTINS, Names, Scope
from .source import Source, Span
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


def read_program(text: str, path: str, vocabulary: Vocabulary) -> Program:
    """The typed tree of the program `text`; `path` is shown in messages.

    Raises CompileError with every refusal in it.
    """
    source = Source(path, text)
    try:
        module = ast.parse(text)
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


class _Frontend:
    def __init__(self, names: Names) -> None:
        self.names = names
        self.diagnostics = names.diagnostics
        self.constants: list[Constant] = []
        self.definitions: list[ast.FunctionDef] = []
        self.entry = ""
        self.calls: dict[str, set[str]] = {}
        self.tree: Program

    def read(self, module: ast.Module) -> _Frontend:
        for index, node in enumerate(module.body):
            if self.entry:
                self.names.report(
                    "D101", node, "this stands below the entry", "let the entry be the last"
                )
            self._top(node, is_doc=index == 0)
        self._check_imports(module)
        functions = [self._function(node) for node in self.definitions]
        self._check_recursion()
        self._check_environment(functions)
        if not self.entry and not self.diagnostics:
            self.names.report(
                "D101", Span(1, 0, 1, 0), "the program has no entry",
                'end with: if __name__ == "__main__": sys.exit(main(*sys.argv[1:]))',
            )  # fmt: skip
        self.tree = Program(
            ast.get_docstring(module) or "",
            self.constants,
            functions,
            self.entry,
            self.names.words_used,
            self.names.commands_used,
        )
        return self

    # --- The top of the program ------------------------------------------------------------------

    def _top(self, node: ast.stmt, is_doc: bool) -> None:
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
        result = Expressions(self.names, Scope({})).value(value)
        if result.type not in (Type.STR, Type.INT, Type.ERROR):
            self.names.report(
                "D303", value, f"a {result.type.value} is no constant", "constants are Str or Int"
            )
        comments = self.names.source.comments_above(node.lineno)
        blank = self.names.source.is_blank(node.lineno - len(comments) - 1)
        self.names.constants[name] = result.type
        self.constants.append(Constant(name, result, comments, blank))

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
            self.names.check_new(parameter, parameter.arg, "variable")
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

    def _function(self, node: ast.FunctionDef) -> Function:
        signature = self.names.functions[node.name]
        scope = Scope(dict(signature.parameters))
        if node.args.vararg is not None:
            scope.arguments = node.args.vararg.arg
        reader = Statements(self.names, scope, signature)
        body = reader.block(node.body)
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
        comments = self.names.source.comments_above(node.lineno)
        return Function(signature, ast.get_docstring(node) or "", comments, scope.variables, body)

    def _check_imports(self, module: ast.Module) -> None:
        """Refuses what the compiler knows and Python, without its import, does not."""
        known = {*MODULES, *PRIMITIVES, *(name for names in IMPORTS.values() for name in names)}
        for node in ast.walk(module):
            if isinstance(node, ast.Name) and node.id in known - self.names.imports:
                self.names.report("D301", node, f"{node.id} is not imported", f"import {node.id}")
                known.discard(node.id)

    def _check_recursion(self) -> None:
        for node in self.definitions:
            reached: set[str] = set()
            queue = list(self.calls[node.name])
            while queue:
                name = queue.pop()
                if name not in reached:
                    reached.add(name)
                    queue += self.calls.get(name, ())
            if node.name in reached:
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
