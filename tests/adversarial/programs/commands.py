"""Random commands, their uses, and random conditions."""

from __future__ import annotations

import re

from tests.adversarial.programs.scope import Cost, Kind, Known
from tests.adversarial.programs.texts import DIRECTORY
from tests.adversarial.programs.values import ENVIRONMENT, Values
from tests.support.compiler.literals import quoted

PROCESS = Cost(processes=1)
# Commands that are bound at the top of programs that use them.
COMMANDS = {
    "true": "true", "false": "false", "printf": "printf", "sh": "sh", "cat": "cat", "env": "env",
    "ln": "ln", "mkdir": "mkdir", "touch": "touch", "missing": "no-such-program",
    "plain": "./f", "directory": "/", "absent": "/no/such/program",
}  # fmt: skip
SIMPLE = ("true", "false", "missing", "plain", "directory", "absent")
# If a program cannot be started, bash reports that on the redirected stderr, and Python does not.
# Only the stderr of these is redirected, and not that of variables, which may contain any command.
PRESENT = r"(true|false|printf|sh|cat|env|ln|mkdir|touch)\b"
SUCCESSFUL = (
    "true", "cat", 'printf["%s|", "a", "b"]', r'sh["-c", "echo out; echo err >&2"]',
    r'printf["\\n\\n x \\n\\n"]',
)  # fmt: skip
READERS = (
    "cat", 'cat["-n"]', 'sh["-c", "cat; echo late >&2"]', 'sh["-c", "cat; exit 7"]',
    'sh["-c", "cat; kill -9 $$"]',
)  # fmt: skip
SCRIPTS = (
    "exit 3",
    'printf "<%s>" "$0" "$@"',
    "echo out; echo err >&2",
    "cat; exit 7",
    "echo err >&2; echo out; exit 255",
    "kill -9 $$",
    "kill -TERM $$",
    "umask; pwd",
    "ls -A",
    'printf "<%s>" ' + " ".join(f'"${{{name}-unset}}"' for name in ENVIRONMENT),
    # All variables but those that a shell sets itself.
    "env -0 | LC_ALL=C sort -z | LC_ALL=C grep -zav -E '^(_|PWD|OLDPWD|SHLVL)=' | tr '\\0' '\\n'",
)
FORMATS = ("%s|", "<%s>\\n", "%s\\n", "%s", "\\n\\n%s\\n\\n", "%%%s")
STREAMS = {"<": 0, "<<": 0, ">": 1, ">>": 1, ">=": 2}
NOWHERE = ("/no/such/file", "", ".")
COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")
FILE_TESTS = ("exists()", "is_file()", "is_dir()", "is_symlink()", 'access("r")', 'access("w")',
              'access("x")')  # fmt: skip


class Commands(Values):
    """Draws commands and conditions from a function's names."""

    # --- Commands ---

    def command(self, depth: int = 1) -> str:
        """Return a value of type Command."""
        names = self.names(Kind.COMMAND)
        choice = self.dice.below(9)
        if choice == 8 and names:
            name = self.dice.pick(names)
            return name + self._arguments(depth) if self.dice.chance(50) else name
        match choice:
            case 0:
                return self.dice.pick(SIMPLE) + self._arguments(0, least=0)
            case 1 | 2:
                return "printf" + self._arguments(depth, quoted(self.dice.pick(FORMATS)))
            case 3:
                return f"printf[{quoted(f'a{chr(92)}{self.texts.byte():03o}b')}]"
            case 4 | 5:
                script = quoted(self.dice.pick(SCRIPTS))
                return "sh" + self._arguments(depth, '"-c"', script, least=0)
            case 6:
                return f"cat[{self.safe_name()}]"
            case 7:
                variable = 'f"V={' + self.number(depth=0)[0] + '}"'
                inner = [self.command(depth - 1)] if depth > 0 else ['"true"']
                return f"env[{', '.join([variable, *inner])}]"
        return self._maker()

    def _maker(self) -> str:
        """Return a command that creates something in the program's directory."""
        program = self.dice.pick(("touch", "mkdir", "ln"))
        if program == "mkdir":
            return f"mkdir[{quoted(DIRECTORY)}]"
        if program == "ln":
            # Not any text, because writes through a link must stay in the directory.
            return f'ln["-sT", "--", {quoted(self.texts.file_name())}, {self.safe_name()}]'
        return f'touch["--", {self.safe_name()}]'

    def _arguments(self, depth: int, *first: str, least: int = 1) -> str:
        arguments = list(first)
        for _ in range(least + self.dice.below(3)):
            choice = self.dice.below(8)
            if choice == 7 and depth > 0:
                arguments.append(self.command(depth - 1))
            elif choice == 6:
                arguments.append(self.number(depth=1)[0])
            else:
                arguments.append(self.text(1))
        return f"[{', '.join(arguments)}]" if arguments else ""

    def run(self, how: str) -> str:
        """Return a command that runs, with redirections, or a free one if the cost is too high."""
        if not self.spend(PROCESS):
            return "true()" if how.endswith("()") else f"true & {how}"
        if how in ("RETCODE", "TF") and self.dice.chance(30):
            how += "(FG=True)"
        is_checked = how in ("FG", "()", "text = ()")
        source = self.command()
        if is_checked and self.dice.chance(80):  # a command that fails would end the program
            source = self.dice.pick(SUCCESSFUL)
        is_captured = how in ("CAPTURE", "text = ()")
        streams = ["<", "<<", *(() if is_captured else (">", ">>"))]
        if re.match(PRESENT, source):
            streams.append(">=")
        if self.dice.chance(35) and self.spend(PROCESS):
            source = self._pipeline(source, streams, may_fail=not is_checked)
        else:
            source = self._redirected(source, streams)
        return f"{source}()" if how.endswith("()") else f"{source} & {how}"

    def _redirected(self, source: str, streams: list[str]) -> str:
        """Return a command, perhaps with redirections of some of the streams."""
        while streams and self.dice.chance(35):
            operator = self.dice.pick(streams)
            taken = STREAMS[operator]
            streams = [stream for stream in streams if STREAMS[stream] != taken]
            source = f"({source} {operator} {self._redirection_target(operator)})"
        return source

    def _pipeline(self, first: str, streams: list[str], *, may_fail: bool) -> str:
        """Return a pipeline whose result does not depend on which command is faster.

        Each reads all of its stdin, so that none gets SIGPIPE, and writes to stderr at its end.
        The last may write to a file that the first does not know.
        """
        readers = READERS if may_fail else READERS[:3]
        others = [self.dice.pick(readers) for _ in range(1 + self.dice.below(2))]
        if ">" in streams and self.dice.chance(40):
            first = self.dice.pick(SUCCESSFUL)
            last = others.pop()
            if self.dice.chance(
                35
            ):  # if the file could not be opened, the others might get SIGPIPE
                last = f"({last} {self.dice.pick(('>', '>>'))} {self.safe_name()})"
            return f"({' | '.join([first, *others, last])})"
        around = [stream for stream in streams if stream in ("<", "<<")]
        if self.dice.chance(30):
            return self._redirected(f"({' | '.join([first, *others])})", around)
        first = self._redirected(first, [s for s in streams if s not in (">", ">>")])
        return f"({' | '.join([first, *others])})"

    def _redirection_target(self, operator: str) -> str:
        if operator == "<<":
            return self.text(1)
        if operator == ">=" and self.dice.chance(40):
            return "ERROUT"
        if self.dice.chance(15):
            # Reading a directory fails before the command in Python, and in the command in bash.
            return quoted(self.dice.pick(NOWHERE[: 2 if operator == "<" else 3]))
        return self.safe_name()

    # --- Conditions ---

    def condition(self, depth: int = 2) -> str:
        """Return a condition. Operands with operators are in parentheses."""
        choice = self.dice.below(11 if depth <= 0 else 15)
        bools = self.names(Kind.BOOL)
        match choice:
            case 0:
                return self.dice.pick(bools) if bools else self.dice.pick(("True", "False"))
            case 1 | 2:
                return f"{self.text(1)} {self.dice.pick(('==', '!='))} {self.text(1)}"
            case 3 | 4:
                first, second = self.number(depth=1)[0], self.number(depth=1)[0]
                return f"{first} {self.dice.pick(COMPARISONS)} {second}"
            case 5:
                return self._membership()
            case 6:
                method = self.dice.pick(("startswith", "endswith"))
                return f"{self.owner()}.{method}({self.text(1)})"
            case 7:
                variable = quoted(self.dice.pick(ENVIRONMENT))
                if self.dice.chance(50):
                    sign = self.dice.pick(("==", "!="))
                    return f'local.env.get({variable}, "") {sign} ""'
                return f"{variable} {self.dice.pick(('in', 'not in'))} local.env"
            case 8:
                return self._question(bools, depth)
            case 9 | 10:
                return self._called_condition()
        return self._compound(choice, depth)

    def _compound(self, choice: int, depth: int) -> str:
        if choice == 11:
            return f"not {self.condition(depth - 1)}"
        if choice == 12:
            return f"({self.run('TF')})"
        word = self.dice.pick((" and ", " or "))
        return f"({word.join(self.condition(depth - 1) for _ in range(self.dice.below(2) + 2))})"

    def _membership(self) -> str:
        """Return a test whether a Str is part of another one, or a value is one of several."""
        word = self.dice.pick(("in", "not in"))
        if self.dice.chance(50):
            return f"{self.text(1)} {word} {self.searched()}"
        if self.world.tuples and self.dice.chance(40):
            items = self.dice.pick([*self.world.tuples])
            is_text = self.world.tuples[items][0].kind is Kind.STR
            return f"{self.text(1) if is_text else self.number(depth=1)[0]} {word} {items}"
        count = 1 + self.dice.below(3)
        if self.dice.chance(30):
            numbers = [self.number(depth=1)[0] for _ in range(count + 1)]
            return f"{numbers[0]} {word} ({', '.join(numbers[1:])},)"
        texts = [self.text(1) for _ in range(count)]
        return f"{self.text(1)} {word} ({', '.join(texts)},)"

    def searched(self) -> str:
        """Return a Str in which another one is searched for. It is not a Path."""
        names = self.names(Kind.STR)
        return self.dice.pick(names) if names else self.literal()

    def owner(self) -> str:
        """Return a Str whose method is called in a condition."""
        names = self.names(Kind.STR)
        return self.dice.pick(names) if names and self.dice.chance(80) else self.literal()

    def _question(self, bools: list[str], depth: int) -> str:
        if depth == 2 and self.is_open and self.dice.chance(50):
            return f"absolute({self.literal()}).{self.dice.pick(FILE_TESTS)}"
        if self.is_open or self.names(Kind.PATH):
            return f"{self.path()}.{self.dice.pick(FILE_TESTS)}"
        return self.dice.pick(bools) if bools else "True"

    def called_text(self) -> str:
        """Return a Str expression that contains calls.

        It does not read the environment, which the calls could change.
        """
        names = self.names(Kind.STR)
        owner = self.dice.pick(names) if names and self.dice.chance(70) else self.literal()
        numbers = self.names(Kind.INT)
        choice = self.dice.below(8)
        known = [f for f in self.world.functions if [r.kind for r in f.results] == [Kind.STR]]
        if choice == 0 and known:
            source = self.call(self.dice.pick(known))
            if source is not None and "local" not in source:
                return source
        if choice == 1 and numbers:
            form = self.dice.pick(("5", "05", "<4", ">7d", "02d", "3d", "021"))
            return f'f"<{{{self.dice.pick(numbers)}:{form}}}>"'
        if choice == 2 and names:
            form = self.dice.pick(("5", "<3", ">4", ">9", "2"))
            return f'f"<{{{self.dice.pick(names)}:{form}}}>"'
        if choice in (3, 4):
            bounds = [*numbers, "", "0", "1", "2", "-1", "-3", "7"]
            return f"{owner}[{self.dice.pick(bounds)}:{self.dice.pick(bounds)}]"
        method = self.dice.pick(("strip", "lstrip", "rstrip"))
        sets = ("", "", "", '" "', "'\"'", '"/"', '"]a"', '"-x0"', '"^!\\\\["', '"\\n"')
        return f"{owner}.{method}({self.dice.pick(sets)})"

    def _called_comparison(self) -> str:
        """Return a comparison of Str expressions that contain calls, or of one's length."""
        called = self.called_text()
        if self.dice.chance(40):
            return f"len({called}) {self.dice.pick(COMPARISONS)} {self.dice.below(9)}"
        other = self.literal() if self.dice.chance(50) else self.called_text()
        return f"{called} {self.dice.pick(('==', '!=', 'in', 'not in'))} {other}"

    def _called_condition(self) -> str:
        """Return a condition with a call: a comparison, a builtin, or a function."""
        if self.dice.chance(50):
            return self._called_comparison()
        fitting = [
            f for f in self.world.functions
            if len(f.results) == 1 and (f.results[0].kind is Kind.BOOL or f.results[0].is_status)
        ]  # fmt: skip
        if fitting and (self.world.is_of_calls or self.dice.chance(70)):
            function = self.dice.pick(fitting)
            source = self.call(function)
            if source is not None:
                is_bool = function.results[0].kind is Kind.BOOL
                return source if is_bool else f"{source} {self.dice.pick(('==', '!='))} 0"
        if self.dice.chance(50):
            return f"is_b64token({self.text(1)})"
        if self.dice.chance(30):
            return f"same_file({self.safe_name()}, {self.text(1)})"
        return f"write_file({self.safe_name()}, {self.text(1)}) {self.dice.pick(('==', '!='))} 0"

    def call(self, function: Known) -> str | None:
        """Return a call to one of the program's functions, or None if it would cost too much."""
        needs_path = any(slot.kind is Kind.PATH for slot in function.parameters)
        if needs_path and not self.is_open and not self.names(Kind.PATH):
            return None
        if not self.spend(function.cost):
            return None
        arguments = []
        for slot in function.parameters:
            match slot.kind:
                case Kind.STR:
                    arguments.append(self.plain_text(1))
                case Kind.INT:
                    arguments.append(self.number(slot.low, slot.high, 1)[0])
                case Kind.BOOL:
                    arguments.append(self.dice.pick((*self.names(Kind.BOOL), "True", "False")))
                case Kind.PATH:
                    arguments.append(self.path())
                case Kind.COMMAND:
                    arguments.append(self.command())
        return f"{function.name}({', '.join(arguments)})"
