"""Analyze the files of a program and merge them into one typed IR."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePath

from oauthkit.compiler.bash.names import BASH_BUILTINS, BASH_WORDS, GENERATED, PROGRAM_BUILTINS
from oauthkit.compiler.constructs import is_condition, modifier
from oauthkit.compiler.diagnostics import suggestions
from oauthkit.compiler.diagnostics.describe import list_types, tuple_of, with_article
from oauthkit.compiler.diagnostics.help import code
from oauthkit.compiler.diagnostics.report import CompileError
from oauthkit.compiler.ir import Constant, Function, Program, Value
from oauthkit.compiler.loader.comments import Comments
from oauthkit.compiler.loader.program import LoadedProgram, SourceFile
from oauthkit.compiler.loader.resolver import UnusableModuleError
from oauthkit.compiler.sema.checker import Checker
from oauthkit.compiler.sema.expressions import Expressions
from oauthkit.compiler.sema.imports import check_imports, check_order, read_import, read_import_from
from oauthkit.compiler.sema.scope import Scope, bound_names, counters
from oauthkit.compiler.sema.statements import Statements
from oauthkit.compiler.sema.symbols import AnalyzedFile, Symbols, environment_names
from oauthkit.compiler.sema.whole_program import Checks, reached
from oauthkit.compiler.source import Span
from oauthkit.compiler.types import Signature, Type, fits_bash, read_annotation


def analyze(loaded: LoadedProgram) -> Program:
    """Return the typed IR of a program. Raise CompileError with all its errors."""
    diagnostics = loaded.diagnostics
    environment: set[str] = set()
    trees = [file.tree for file in loaded.files if file.tree is not None]
    names = frozenset(name for tree in trees for name in environment_names(tree))
    analyzed: dict[str, Symbols] = {}
    files: list[AnalyzedFile] = []
    entry = ""
    for file in loaded.files:
        symbols = _symbols(file, loaded, analyzed, environment, names)
        analyzed[file.module] = symbols
        analyzer = _FileAnalyzer(symbols)
        assert file.tree is not None
        files.append(analyzer.analyze(file.tree))
        entry = analyzer.entry  # the last file has it
    needed = reached(files, entry)
    checks = Checks(files, needed)
    checks.recursion()
    checks.environment()
    checks.programs()
    checks.other_files()
    if not entry and not diagnostics:
        files[-1].symbols.report(
            "D101", Span(1, 0, 1, 0), "the program has no entry",
            'end with `if __name__ == "__main__":` and `sys.exit(main(*sys.argv[1:]))`',
        )  # fmt: skip
    if not diagnostics:  # a rejected statement may have used a name
        checks.unused()
    if diagnostics:
        raise CompileError(diagnostics)
    return _program(files, needed, entry)


def _symbols(
    file: SourceFile,
    loaded: LoadedProgram,
    analyzed: dict[str, Symbols],
    environment: set[str],
    names: frozenset[str],
) -> Symbols:
    """Return the symbols of a file whose imports are analyzed."""
    library, diagnostics = loaded.library, loaded.diagnostics
    imports: dict[str, Symbols | UnusableModuleError] = {}
    for module, found in file.imports.items():
        if isinstance(found, UnusableModuleError):
            imports[module] = found
        elif module in analyzed:
            imports[module] = analyzed[module]
        else:  # a file with syntax errors
            empty = Symbols(found.source, library, {}, diagnostics, environment, names, module)
            imports[module] = replace(empty, is_python=False)
    return Symbols(file.source, library, imports, diagnostics, environment, names, file.module)


def _program(files: list[AnalyzedFile], needed: list[list[str]], entry: str) -> Program:
    """Merge the files into one program, with only the needed parts of imported files.

    Constants are in the order of their files, because a value can use constants of other files. The
    functions of the entry's file come first. Callers precede callees, unless comments divide a
    file's functions into sections.
    """
    main = files[-1]
    program = Program(main.doc, [], [], entry, set())
    for file, names in zip(files, needed, strict=True):
        constants = [constant for constant in file.constants if constant.name in names]
        if constants and len(files) > 1:
            constants[0].blank = True
        program.constants += constants
    for file, names in zip(reversed(files), reversed(needed), strict=True):
        by_name = {item.signature.name: item for item in file.functions}
        functions = [by_name[name] for name in names if name in by_name]
        if any("" in item.comments for item in functions):  # they have sections: keep these
            functions = [item for item in file.functions if item in functions]
        if functions and len(files) > 1:
            doc = [] if file is main else [f"# {line}".rstrip() for line in file.doc.splitlines()]
            name = PurePath(file.symbols.source.path).name
            functions[0].heading = [f"# --- {name} ---", *doc, ""]
        program.functions += functions
        for item in functions:
            program.builtins |= file.builtins[item.signature.name]
    return program


class _FileAnalyzer:
    """Analyzes one file."""

    def __init__(self, symbols: Symbols) -> None:
        self.symbols = symbols
        self.diagnostics = symbols.diagnostics
        self.file = AnalyzedFile(symbols)
        self.entry = ""
        self.comments = Comments(symbols.source, 1)  # of the top level
        self.above: dict[str, list[str]] = {}  # comments above each function
        self.globals: set[str] = set()  # names in global statements; those statements are reported

    def analyze(self, module: ast.Module) -> AnalyzedFile:
        """Analyze the file's statements: first its top level, then its functions."""
        for node in ast.walk(module):
            self.globals |= {*node.names} if isinstance(node, ast.Global) else set()
        for index, node in enumerate(module.body):
            if self.entry:
                self.symbols.report(
                    "D101", node, "this statement is below the entry", "move it above the entry"
                )
            self._top(node, is_doc=index == 0)
            self.comments.above((node.end_lineno or node.lineno) + 1)
        check_order(self.symbols, module)
        check_imports(self.symbols, module)
        starts = [node.lineno for node in module.body[1:]]
        ends = dict(zip(module.body, [*starts, len(self.symbols.source.lines) + 1], strict=False))
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
                read_import(self.symbols, node)
            case ast.ImportFrom():
                read_import_from(self.symbols, node)
            case ast.Assign(targets=[ast.Name(id=name) as target], value=value):
                self._assign(target, name, value, node)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                self.symbols.report(
                    "D101", node.annotation, f"the constant {name} has an annotation",
                    f"remove it: `{name} = {self.symbols.shown(value)}`",
                )  # fmt: skip
                self.symbols.rejected.add(name)
            case ast.FunctionDef():
                self._define(node)
            case ast.If(test=test) if ast.unparse(test) == "__name__ == '__main__'":
                self._entry(node)
            case _:
                suggestion = suggestions.of_top(node)
                self.symbols.report("D101", node, suggestion.message, suggestion.help)
                self.symbols.rejected |= {*bound_names(node)}

    def _assign(self, target: ast.Name, name: str, value: ast.expr, node: ast.Assign) -> None:
        match value:
            case ast.Call(func=ast.Name(id="program")):
                self._bind_command(target, name, value)
            case ast.Subscript(value=bare) if self._program(bare):
                program = self._program(bare)
                self.symbols.report(
                    "D105", value, f"{name} is bound to a program with arguments",
                    _bind_only(name, program, self.symbols.shown(value.slice)),
                )  # fmt: skip
                self.symbols.commands[name] = program
            case (
                ast.Subscript(value=ast.Name(id="local"))
                | ast.Attribute(value=ast.Name(id="local"))
            ) if self._program(value):
                program, *words = self._program(value).split()
                help = f'write: `{name} = program("{program}")`'
                if words:
                    help = _bind_only(name, program, ", ".join(map(repr, words)))
                self.symbols.report(
                    "D102", value, f"{self.symbols.shown(value)} is outside the dialect", help
                )
                self.symbols.commands[name] = program
            case _:
                self._constant(target, name, value, node)

    def _program(self, node: ast.expr) -> str:
        """Return the program in program("x"), local["x"] or local.x, or "" for other values."""
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
        self.symbols.check_new(target, name, "command")
        argument = call.args[0] if len(call.args) == 1 and not call.keywords else None
        if not isinstance(argument, ast.Constant) or not isinstance(argument.value, str):
            self.symbols.report(
                "D105", call, "program takes one literal name or path", "write the name here"
            )
            self.symbols.commands[name] = name
            return
        words = argument.value.split()
        if len(words) > 1 and "/" not in words[0]:
            self.symbols.report(
                "D105", argument, "program takes a name or a path, not a command with arguments",
                _bind_only(name, words[0], ", ".join(map(repr, words[1:]))),
            )  # fmt: skip
        self._check_text(argument)
        library = self.symbols.library
        builtins = {*library.builtins, *library.constructs, *GENERATED, ""}
        if argument.value in BASH_WORDS | (BASH_BUILTINS - PROGRAM_BUILTINS) | builtins:
            name = argument.value
            what = "a function of the script" if name in builtins else "a word of bash"
            self.symbols.report(
                "D401", argument,
                f"{name} is {what}, so the program {name} would not run"
                if name
                else "the name of a program is empty",
                "run another program, or write its path",
            )  # fmt: skip
        self.symbols.commands[name] = argument.value

    def _constant(self, target: ast.Name, name: str, value: ast.expr, node: ast.Assign) -> None:
        before = len(self.diagnostics)
        self.symbols.check_new(target, name, "constant")
        self.file.places[name] = target
        self.file.values[name] = value
        at_run_time = self._at_run_time(value)
        if at_run_time is not None:
            self.symbols.report(
                "D303", at_run_time,
                f"{self.symbols.shown(at_run_time)} is only known at run time, so it cannot be a"
                " constant",
                f"assign it in a function, as in `{self._unpacked(name, at_run_time)} ="
                f" {self.symbols.shown(value)}`",
            )  # fmt: skip
            self.symbols.constants[name] = Type.ERROR
            return
        reader = Expressions(Checker(self.symbols, Scope({})))
        result: Value | tuple[Value, ...]
        if isinstance(value, ast.List) and value.elts:
            self.symbols.report(
                "D102", value, "a list is outside the dialect",
                code("write a tuple", f"{name} = {tuple_of(value.elts)}"),
            )  # fmt: skip
            value = ast.copy_location(ast.Tuple(value.elts, ast.Load()), value)
        if isinstance(value, ast.Tuple) and value.elts:
            result, kind = reader.items(value)
            self.symbols.constants[name], self.symbols.tuples[name] = Type.TUPLE, kind
        else:
            result = reader.value(value)
            kind = self.symbols.constants[name] = result.type
            if (text := reader.known_text(result)) is not None and kind is Type.STR:
                self.symbols.texts[name] = text
        if kind is Type.ERROR or len(self.diagnostics) > before:
            self.symbols.constants[name] = Type.ERROR
            return
        if kind not in (Type.STR, Type.INT):
            self.symbols.report(
                "D303", value, f"{with_article(kind)} cannot be a constant",
                f"write `{self.symbols.shown(value)}` where {name} is used",
            )  # fmt: skip
        elif name != name.upper() and name not in self.globals:
            self.symbols.report(
                "D402", target, f"the constant {name} is not in upper case",
                f"rename it to {name.upper()}",
            )  # fmt: skip
        above, blank = self.comments.above(node.lineno)
        inside, beside = self.comments.within(node.lineno, node.end_lineno or node.lineno)
        self.file.constants.append(Constant(name, result, above + inside, beside, blank))

    def _at_run_time(self, value: ast.expr) -> ast.expr | None:
        """Return the part of a value that must run, or None."""
        for inner in ast.walk(value):
            match inner:
                case ast.Call(func=ast.Name(id=name)) if self.symbols.function(name) is not None:
                    return inner
                case ast.BinOp() if modifier(inner) != "":
                    return inner
                case ast.Call(func=ast.Name(id=name) | ast.Subscript(value=ast.Name(id=name))):
                    if name in self.symbols.commands:
                        return inner
        return value if is_condition(value) else None

    def _unpacked(self, name: str, call: ast.expr) -> str:
        """Return the names for the results of a call whose last one is assigned to `name`."""
        match call:
            case ast.Call(func=ast.Name(id=called)):
                function = self.symbols.function(called)
                results = () if function is None else function.results
                others = ["status" if kind is Type.STATUS else "_" for kind in results[:-1]]
                return ", ".join([*others, name.lower()])
            case ast.BinOp() if modifier(call) == "CAPTURE":
                return f"status, {name.lower()}"
        return name.lower()

    def _define(self, node: ast.FunctionDef) -> None:
        self.symbols.check_new(self.symbols.part(node, node.name), node.name, "function")
        before = len(self.diagnostics)
        self._check_parameters(node)
        arguments = node.args.vararg.arg if node.args.vararg else "arguments"
        header = f"write `def main(*{arguments}: str) -> Status:`"
        parameters = []
        for parameter in node.args.args:
            types = read_annotation(parameter.annotation)
            if types is None or len(types) != 1:
                if node.name == "main":
                    self.symbols.report(
                        "D306", parameter, "main takes its arguments with *", header
                    )
                else:
                    self._report_annotation(
                        parameter, f"{parameter.arg} of {node.name}", parameter.annotation
                    )
                types = (Type.ERROR,)
            # A Status is passed to a function as a plain number.
            kind = Type.INT if types[0] is Type.STATUS else types[0]
            parameters.append((parameter.arg, kind))
        for argument, (name, kind) in list(zip(node.args.args, parameters, strict=True))[:-1]:
            if kind is Type.COMMAND:
                self.symbols.report(
                    "D105", argument, f"the Command {name} is not the last parameter",
                    "move it to the end. Its arguments take the rest of the line",
                )  # fmt: skip
                break
        results = read_annotation(node.returns)
        if results is None or not fits_bash(results):
            place = node.returns or self.symbols.part(node, node.name)
            if node.name == "main":
                self.symbols.report(
                    "D306", place, "the result of main is not annotated as Status", header
                )
            else:
                self._report_annotation(place, f"the result of {node.name}", node.returns)
            results = (Type.ERROR,)
        self.symbols.functions[node.name] = Signature(
            node.name, tuple(parameters), results, node.args.vararg is not None
        )
        if len(self.diagnostics) > before:
            self.symbols.rejected.add(node.name)  # its parameters and results are not known
        self.file.definitions.append(node)
        self.above[node.name] = self.comments.above(node.lineno)[0]

    def _default_help(self, function: ast.FunctionDef, node: ast.expr) -> str:
        if function.name == "main":
            shown = self.symbols.shown(node)
            if not isinstance(node, ast.Constant) or node.value is None:
                return "write `def main(*arguments: str) -> Status:`, and iterate over `arguments`"
            place = len(function.args.args) - len(function.args.defaults)
            place += function.args.defaults.index(node) if node in function.args.defaults else 0
            default = f"`arguments[{place}] if len(arguments) > {place} else {shown}`"
            return f"write `def main(*arguments: str) -> Status:`, and read the argument: {default}"
        if isinstance(node, ast.Constant) and node.value is None:
            return "remove it, and pass a value in each call"
        return f"remove it, and pass `{self.symbols.shown(node)}` in the calls"

    def _check_parameters(self, node: ast.FunctionDef) -> None:
        """Report the first decorator or unsupported parameter."""
        given = node.args
        extra: list[tuple[ast.AST, str, str]] = [
            *((d, f"{node.name} has a decorator", "remove it") for d in node.decorator_list),
            *(
                (default, f"a parameter of {node.name} has a default",
                 self._default_help(node, default))
                for default in [*given.defaults, *(d for d in given.kw_defaults if d is not None)]
            ),
            *(
                (argument, f"the parameter {argument.arg} of {node.name} is not positional",
                 "write parameters without / and *")
                for argument in [*given.posonlyargs, *given.kwonlyargs, given.kwarg]
                if argument is not None
            ),
        ]  # fmt: skip
        if given.vararg and (given.args or node.name != "main"):
            extra.append(
                (given.vararg, f"{node.name} takes any number of arguments",
                 "only main does, as in `def main(*arguments: str) -> Status:`")
            )  # fmt: skip
        for place, message, help in extra[:1]:
            self.symbols.report("D101", place, message, help)

    def _report_annotation(
        self, node: ast.AST | Span, what: str, annotation: ast.expr | None
    ) -> None:
        shown = "" if annotation is None else ast.unparse(annotation)
        help = (
            "annotate it with str, int, bool, LocalPath, BaseCommand, Status, None, or a tuple. A"
            " tuple has at most one Status, no bool, and a BaseCommand only with a Status"
        )
        if shown.startswith("Optional[") or "None" in shown.split(" | ")[1:]:
            help = 'there is no None in the dialect. Use str, and "" for a missing text'
        elif shown.lower().startswith(("list", "dict", "set")):
            help = "use str for text with lines, and iterate over its `.splitlines()`. A slice of"
            help += " it cuts characters, not lines"
        self.symbols.report(
            "D306", node, f"{what} has no {'type that bash supports' if shown else 'annotation'}",
            help,
        )  # fmt: skip

    def _entry(self, node: ast.If) -> None:
        match node.body:
            case [ast.Expr(value=ast.Call(args=[ast.Call(func=ast.Name(id=name))]) as call)] if (
                name in self.symbols.functions.keys() - self.symbols.rejected
            ):
                self._entry_call(node.body[0], name, ast.unparse(call))
            case [ast.Expr() as call] if not {*_names(call)}.isdisjoint(self.symbols.rejected):
                self.entry = "main"  # its header was rejected
            case _:
                self.symbols.report(
                    "D101", node.body[0], "this is not the entry of a program",
                    "write `sys.exit(main(*sys.argv[1:]))`, with a function"
                    " `def main(*arguments: str) -> Status:`. In it, `arguments[0]` is"
                    " `sys.argv[1]`",
                )  # fmt: skip

    def _entry_call(self, node: ast.stmt, name: str, call: str) -> None:
        """Check the call of the entry."""
        wrong = _wrong_entry(self.symbols.functions[name])
        passed = "*sys.argv[1:]" if self.symbols.functions[name].takes_arguments else ""
        wanted = f"sys.exit({name}({passed}))"
        if wrong:
            parameters = "" if f"{name}()" in call else "*arguments: str"
            header = next(node for node in self.file.definitions if node.name == name)
            self.symbols.report(
                "D101", self._header(header), f"{name} is the entry, but it {wrong}",
                f"write `def {name}({parameters}) -> Status:`",
            )  # fmt: skip
        elif call != wanted:
            help = f"write `{wanted}`"
            if "sys.argv" in call and "[1:]" not in call:
                help += ". The arguments then do not include the program's name"
            self.symbols.report("D101", node, "this is not the entry of a program", help)
        else:
            self.entry = name

    def _header(self, node: ast.FunctionDef) -> Span:
        """Return the location of the first line of a function."""
        return Span(
            node.lineno,
            node.col_offset,
            node.lineno,
            len(self.symbols.source.lines[node.lineno - 1]),
        )

    # --- Functions -------------------------------------------------------------------------------

    def _function(self, node: ast.FunctionDef, end: int) -> Function:
        """Analyze a function. The code after it starts at the line `end`."""
        signature = self.symbols.functions[node.name]
        scope = self.file.scopes[node.name] = Scope(
            dict(signature.parameters),
            results=signature.results,
            is_main=node.name == "main",
            names=frozenset(_all_names(node)),
            counters=frozenset(counters(node)),
        )
        for parameter in node.args.args:
            self.symbols.check_new(parameter, parameter.arg, "variable")
        if node.args.vararg is not None:
            scope.arguments = node.args.vararg.arg
            self.symbols.check_new(node.args.vararg, scope.arguments, "variable")
        for other in [*node.args.posonlyargs, *node.args.kwonlyargs, node.args.kwarg]:
            if other is not None:
                scope.assume_bound(other.arg)
        comments = Comments(self.symbols.source, node.lineno)
        header_end = self.symbols.source.header_end(node.lineno, node.body)
        inside, beside = comments.within(node.lineno, min(header_end, node.body[0].lineno - 1))
        above = [*self.above[node.name], *inside, *([] if beside is None else [beside])]
        self.symbols.builtins_used = self.file.builtins[node.name] = set()
        body = Statements(self.symbols, scope, signature, comments).block(node.body, end)
        if signature.results and scope.known is not None and Type.ERROR not in signature.results:
            self.symbols.report(
                "D307", self.symbols.part(node, node.name),
                f"{node.name} can return without a result",
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
        """Report a literal outside of values, if bash cannot store it."""
        Expressions(Checker(self.symbols, Scope({}))).value(node)


def _all_names(node: ast.FunctionDef) -> Iterator[str]:
    """Yield every name that a function binds or uses."""
    yield from bound_names(node)
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name):
            yield inner.id
        elif isinstance(inner, ast.arg):
            yield inner.arg


def _wrong_entry(function: Signature) -> str:
    """Return why a function cannot be the entry, or "" if it can."""
    if function.results != (Type.STATUS,):
        return f"returns {list_types(function.results)}"
    return "has parameters" if function.parameters else ""


def _names(node: ast.AST) -> list[str]:
    return [inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)]


def _bind_only(name: str, program: str, arguments: str) -> str:
    """Return the help for a program that is bound together with arguments."""
    return (
        f'bind only the program, with `program("{program}")`. Write the arguments where it is used,'
        f" as in `{name}[{arguments}]`"
    )
