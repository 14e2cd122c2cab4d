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
            return f"true & {how}"
        source = self.command()
        streams = ["<", *(() if how == "CAPTURE" else (">", ">>"))]
        if re.match(PRESENT, source):
            streams.append(">=")
        while streams and self.dice.chance(35):
            operator = self.dice.pick(streams)
            streams = [s for s in streams if s[0:2].rstrip("=") != operator.rstrip("=")
                       and (s in (">", ">>")) + (operator in (">", ">>")) < 2]  # fmt: skip
            source = f"({source} {operator} {self._redirection_target(operator)})"
        return f"{source} & {how}"

    def _redirection_target(self, operator: str) -> str:
        if operator == ">=" and self.dice.chance(40):
            return "ERROUT"
        if self.dice.chance(15):
            # Reading a directory fails before the command in Python, and in the command in bash.
            return quoted(self.dice.pick(NOWHERE[: 2 if operator == "<" else 3]))
        return self.safe_name()

    # --- Conditions ---

    def condition(self, depth: int = 2) -> str:
        """Return a condition. Operands with operators are in parentheses."""
        choice = self.dice.below(10 if depth <= 0 else 14)
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
                return f"{self.text(1)} {self.dice.pick(('in', 'not in'))} {self.searched()}"
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
                return self._question(bools)
            case 9:
                return self._called_condition()
        return self._compound(choice, depth)

    def _compound(self, choice: int, depth: int) -> str:
        if choice == 10:
            return f"not {self.condition(depth - 1)}"
        if choice == 11:
            return f"({self.run('TF')})"
        word = self.dice.pick((" and ", " or "))
        return f"({word.join(self.condition(depth - 1) for _ in range(self.dice.below(2) + 2))})"

    def searched(self) -> str:
        """Return a text in which another one is searched for. It is not a Path."""
        names = self.names(Kind.STR)
        return self.dice.pick(names) if names else self.literal()

    def owner(self) -> str:
        """Return a text whose method is called in a condition."""
        names = self.names(Kind.STR)
        return self.dice.pick(names) if names and self.dice.chance(80) else self.literal()

    def _question(self, bools: list[str]) -> str:
        if self.is_open or self.names(Kind.PATH):
            return f"{self.path()}.{self.dice.pick(FILE_TESTS)}"
        return self.dice.pick(bools) if bools else "True"

    def _called_condition(self) -> str:
        """Return a call as a condition: a builtin, or a function that returns a Bool or Status."""
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
        """Return a call of one of the program's functions, or None if it would cost too much."""
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
