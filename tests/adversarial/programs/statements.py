"""Random statements."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tests.adversarial.programs.commands import COMPARISONS, PROCESS, Commands
from tests.adversarial.programs.scope import STATUS, Cost, Kind, Slot, World, merge
from tests.adversarial.programs.values import DOUBLING, ENVIRONMENT, NUMBERS
from tests.support.compiler.literals import quoted

STEP = Cost(steps=1)
TEXT, TRUTH, COMMAND, PATH = (Slot(k) for k in (Kind.STR, Kind.BOOL, Kind.COMMAND, Kind.PATH))
PARSED = Slot(Kind.INT, -(10**15) + 1, 10**15 - 1)
SIZE = Slot(Kind.INT, 0, 2**40)  # of a file, because these programs do not write larger ones
MOST_DEPTH = 3
PATTERNS = (
    "*",
    "*",
    "f*",
    ".*",
    "*.*",
    "[a-z]*",
    "n[0-9]*",
    "-*",
    "*$*",
    "x[a_.]*",
    "{a,b}*",
    "~*",
)


class Statements(Commands):
    """Draws statements. `results` are the types of the function's results."""

    def __init__(
        self, world: World, limit: Cost, results: tuple[Slot, ...], arguments: str = ""
    ) -> None:
        super().__init__(world, limit)
        self.results = results
        self.arguments = arguments
        self.depth = 0
        self.breaks: list[set[str] | None] = []

    def block(self, most: int, least: int = 1) -> None:
        """Write some statements, but none after one that leaves the block."""
        start = len(self.lines)
        for _ in range(least + self.dice.below(most)):
            if self.known is None:
                break
            self._statement()
        if len(self.lines) == start or self.lines[-1].lstrip().startswith("#"):
            self.line("pass")

    def _statement(self) -> None:
        if not self.spend(STEP):
            return
        if self.dice.chance(4):
            self.line(f"# {self.texts.literal()!r}"[:60])
        simple: list[Callable[[], None]] = [
            self._print, self._assign_text, self._assign_number, self._assign_truth, self._call,
            self._partition, self._add, self._assign_text, self._print, self._capture, self.builtin,
            self._environment, self._assign_path, self._assign_command, self._status, self._count,
            self._file, self._print, self._outcome, self._outcome, self._call, self._call,
            self._checked, self._assign_called, self._print_several,
            self._choose, self._use_arguments,
        ]  # fmt: skip
        loops = [self._for, self._while, self._for_numbers]
        loops += [self._for_lines, self._for_parts, self._for_files]
        nested = [self._if, self._if, *loops] if self.depth < MOST_DEPTH else []
        if self.depth > 0:
            nested.append(self._leave)
        self.dice.pick([*simple, *nested])()

    # --- Assignments ---

    def _assign_text(self) -> None:
        choice = self.dice.below(6)
        if choice == 5:
            # A default can be any text only directly after an =.
            source = self.environment(self.texts.literal())
        elif choice == 4:
            source = self._safe_source()
            self.line(f"{self.new_safe(TEXT)} = {source}")
            return
        else:
            source = self.plain_text()
        self.line(f"{self.target(TEXT)} = {source}")

    def new_safe(self, slot: Slot) -> str:
        """Return a new variable for the name of a file in the program's directory."""
        return self.set(self.new(Slot(slot.kind, is_safe=True, is_fixed=True)))

    def _safe_source(self) -> str:
        source = self.safe_name()
        if self.dice.chance(50):
            return f'f"./{{{self.number(depth=0)[0]}}}"'
        return f'f"{{{source}}}"' if source in self.names(Kind.PATH) else source

    def _assign_called(self) -> None:
        """Write a statement with calls inside its expression."""
        choice = self.dice.below(8)
        if choice == 0:
            self.line(f"print({self.called_text()}, {self.called_text()})")
        elif choice == 5:
            called, literal = self.called_text(), self.literal()
            targets = self._targets((TEXT, TEXT))
            if targets.startswith("_,"):  # an ignored value does not count as a use of its names
                called = literal
            self.line(f"{targets} = {called}, {literal}")
        elif choice == 6:
            self._divide()
        elif choice == 7 and self.spend(PROCESS):
            source = self.dice.pick(('printf["%s|", "a b"]().strip()', "len(cat())"))
            status = "(false & RETCODE)" if self.spend(PROCESS) else "0"
            self.line(f"print({source}, {status}, {self.called_text()})")
        elif choice == 1:
            source = f"{self.called_text()} == {self.called_text()}"
            self.line(f"{self.target(TRUTH)} = {source}")
        elif choice == 2:
            source = f"len({self.called_text()}) + {self.dice.below(9)}"
            self.line(f"{self.target(SIZE)} = {source}")
        else:
            source = self.called_text()
            if self.dice.chance(50) and self.spend(DOUBLING):
                source += f" + {self.called_text()}"
            self.line(f"{self.target(TEXT)} = {source}")

    def _divide(self) -> None:
        """Divide by a variable that is not 0."""
        divisors = [
            n for n in self.names(Kind.INT) if not self.slot(n).low <= 0 <= self.slot(n).high
        ]
        if not divisors:
            self._assign_number()
            return
        dividend, low, high = self.number(-(2**40), 2**40, 1)
        operator = self.dice.pick(("//", "%"))
        self.line(f"print({dividend} {operator} {self.dice.pick(divisors)}, {low}, {high})")

    def _choose(self) -> None:
        """Write an assignment with a conditional expression."""
        source = f"{self.plain_text(1)} if {self.condition(1)} else {self.plain_text(1)}"
        self.line(f"{self.target(TEXT)} = {source}")

    def _use_arguments(self) -> None:
        """Use the number of main's arguments, or one of them."""
        if not self.arguments:
            self._assign_called()
            return
        given, index = self.arguments, self.dice.below(3)
        choice = self.dice.below(4)
        if choice == 0:
            self.line(f"{self.target(SIZE)} = len({given})")
            return
        if choice == 1:
            word = self.dice.pick(("==", "!=", "in ", "not in "))
            other = self.text(0) if word.endswith("=") else f"({self.text(0)}, {self.literal()})"
            self._branches(f"len({given}) > {index} and {given}[{index}] {word} {other}")
            return
        test = self.dice.pick((f"len({given}) > {index}", f"len({given}) == {index + 1}"))
        source = f"{given}[{index}] if {test} else {self.literal()}"
        if choice == 3:
            source = f"{self.literal()} if len({given}) < {index + 1} else {given}[{index}]"
        self.line(f"{self.target(TEXT)} = {source}")

    def _print_several(self) -> None:
        """Print up to three values, some with another line end or to stderr."""
        values = [self.text(1) for _ in range(self.dice.below(3))]
        values += [self.number(depth=1)[0] for _ in range(self.dice.below(2))]
        keywords = ["file=sys.stderr"] if self.dice.chance(20) else []
        if not keywords and self.dice.chance(50):
            keywords.append(f"end={self.literal()}")
        self.line(f"print({', '.join([*values, *keywords])})")

    def _assign_number(self) -> None:
        source, low, high = self.number()
        self.line(f"{self.target(Slot(Kind.INT, low, high))} = {source}")

    def _assign_truth(self) -> None:
        source = self.condition()
        self.line(f"{self.target(TRUTH)} = {source}")

    def _assign_path(self) -> None:
        names = self.names(Kind.PATH)
        choice = self.dice.below(4)
        if choice == 1 and names:
            source = f"{self.dice.pick(names)}.dirname"
        elif choice == 2 and names:
            source = self.path()
        elif choice == 3:
            source = f"absolute({self.safe_name()})"
            self.line(f"{self.new_safe(PATH)} = {source}")
            return
        else:
            source = f"absolute({self.text(1)})"
        self.line(f"{self.target(PATH)} = {source}")

    def _assign_command(self) -> None:
        names = [n for n in self.names(Kind.COMMAND) if n in self.variables]
        if names and self.dice.chance(50) and self.spend(DOUBLING):
            name = self.dice.pick(names)
            self.line(f"{name} = {name}{self._arguments(1)}")
        elif self.spend(DOUBLING):
            source = self.command()
            self.line(f"{self.target(COMMAND)} = {source}")

    def _add(self) -> None:
        """Append to a Str."""
        texts = [n for n in self.names(Kind.STR) if self._is_variable(n)]
        if texts and self.spend(DOUBLING):
            self.line(f"{self.dice.pick(texts)} += {self.text(1)}")

    def _count(self) -> None:
        """Change a number within its range."""
        for name in [n for n in self.names(Kind.INT) if self._is_variable(n)]:
            slot = self.slot(name)
            source, low, high = self.number(depth=0)
            if self.times == 1 and (slot.low, slot.high) == (PARSED.low, PARSED.high):
                self.line(f"{name} = {name} % {self.dice.pick((7, 1000))}")
                operator = self.dice.pick("+-*")
                if low >= -1000 and high <= 1000:
                    self.line(f"{name} {operator}= {source}")
                return
        number = self.dice.pick(NUMBERS)
        self.line(f"{self.target(Slot(Kind.INT, number, number))} = {number}")

    def _is_variable(self, name: str) -> bool:
        return name in self.variables and not self.variables[name].is_fixed

    def _partition(self) -> None:
        names = self.names(Kind.STR)
        if not names:
            self._assign_text()
            return
        method = self.dice.pick(("partition", "rpartition"))
        separator = quoted(self.dice.pick((self.texts.literal() or " ", ":", "/", "a", "=")))
        source = f"{self.left(names)}.{method}({separator})"
        targets = self._targets((TEXT, TEXT, TEXT))
        if targets == "_, _, _":  # the text is not used
            targets = f"{self.target(TEXT)}, _, _"
        self.line(f"{targets} = {source}")

    def _targets(self, slots: tuple[Slot, ...]) -> str:
        """Return a different name, or `_`, for each of several values."""
        names: list[str] = []
        for slot in slots:
            name = "_" if self.dice.chance(15) else self.target(slot)
            while name != "_" and name in names:
                name = self.set(self.new(slot))
            names.append(name)
        return ", ".join(names)

    # --- Statements with effects ---

    def _print(self) -> None:
        if self.dice.chance(40):
            self.show()
            return
        file = ", file=sys.stderr" if self.dice.chance(20) else ""
        self.line(f"print({self.text()}{file})")

    def show(self, most: int = 4) -> None:
        """Print the values of some names."""
        names = [n for n in self.names(Kind.STR, Kind.INT, Kind.PATH) if n in self.variables]
        while names:
            shown = names[-most:]
            self.line('print(f"' + "|".join(f"<{{{name}}}>" for name in shown) + '")')
            names = names[:-most] if most > 4 else []
        for name in self.names(Kind.BOOL)[-most // 4 :]:
            self.line(f"if {name}:")
            self.line(f'    print("{name}")')

    def _call(self) -> None:
        if not self.world.functions:
            self.builtin()
            return
        function = self.dice.pick(self.world.functions)
        source = self.call(function)
        if source is None:
            return
        if not function.results:
            self.line(source)
        elif self.dice.chance(5) and len(function.results) == 1:
            self.line(f"_ = {source}")
        else:
            self.line(f"{self._targets(function.results)} = {source}")

    def _status(self) -> None:
        source = self.run("RETCODE")
        self.line(f"{self._targets((STATUS,))} = {source}")

    def outcomes(self) -> None:
        """Write some calls whose status a condition tests."""
        for _ in range(2 + self.dice.below(4)):
            if self.known is not None and self.spend(STEP):
                self._outcome()

    def _outcome(self) -> None:
        """Write a call and a condition on its status, usually the only use of the status."""
        source, results = self._with_status()
        taken = [slot for slot in results if not slot.is_status]
        names = self._targets(tuple(taken)).split(", ") if taken else []
        beside = [name for name in names if name != "_"]
        status = self.set(self.new(replace(STATUS, is_fixed=True)))
        names.insert(results.index(STATUS), status)
        self.line(f"{', '.join(names)} = {source}")
        self.is_open = False
        asked = [f"{status} {self.dice.pick(('==', '!='))} 0"]
        asked += [self._asked_beside(beside) for _ in range(self.dice.below(3))]
        self.is_open = True
        if self.known is not None and self.dice.chance(80):
            self.known.discard(status)
        self._branches(self.dice.pick((" and ", " or ")).join(asked), is_left=self.dice.chance(50))
        shown = [name for name in beside if name in self.names(Kind.STR, Kind.INT, Kind.PATH)]
        if shown and self.dice.chance(60):
            self.line('print(f"' + "|".join(f"<{{{name}}}>" for name in shown) + '")')

    def _with_status(self) -> tuple[str, tuple[Slot, ...]]:
        """Return a call that returns a status, usually with another result."""
        known = [f for f in self.world.functions if STATUS in f.results]
        if known and self.dice.chance(90 if self.world.is_of_calls else 60):
            function = self.dice.pick(known)
            source = self.call(function)
            if source is not None:
                return source, function.results
        ways: list[Callable[[], tuple[str, tuple[Slot, ...]]]] = [
            lambda: (f"parse_int({self.text()})", (STATUS, PARSED)),
            lambda: (f"read_file({self.safe_name()})", (STATUS, TEXT)),
            lambda: (self.run("CAPTURE"), (STATUS, TEXT)),
            lambda: (self.run("RETCODE"), (STATUS,)),
            lambda: (f"write_file({self.safe_name()}, {self.text()})", (STATUS,)),
            lambda: ("read_line()", (STATUS, TEXT)),
        ]
        return self.dice.pick(ways)()

    def _asked_beside(self, names: list[str]) -> str:
        """Return an operand to test beside a status: often the call's other result, or a call."""
        name = self.dice.pick((*names, ""))
        choice = self.dice.below(5)
        if choice < 2:
            return self._called_condition()
        if choice == 2 or name == "":
            return self.condition(1)
        match self.slot(name).kind:
            case Kind.INT:
                return f"{name} {self.dice.pick(COMPARISONS)} {self.number(depth=0)[0]}"
            case Kind.STR | Kind.PATH:
                return f"{name} {self.dice.pick(('==', '!='))} {self.text(0)}"
            case Kind.BOOL:
                return name
        return self.condition(1)

    def _capture(self) -> None:
        source = self.run("CAPTURE")
        self.line(f"{self._targets((STATUS, TEXT))} = {source}")

    def _checked(self) -> None:
        """Write a command whose failure ends the program."""
        choice = self.dice.below(3)
        if choice == 2:
            self.line(self.run("FG"))
        elif choice == 1:
            self.line(self.run("()"))
        else:
            source = self.run("text = ()")
            self.line(f"{self.target(TEXT)} = {source}")

    def _environment(self) -> None:
        name = quoted(self.dice.pick((*ENVIRONMENT, "TZ")))
        if self.dice.chance(30):
            self.line(f'local.env.pop({name}, "")')
        else:
            self.line(f"local.env[{name}] = {self.plain_text()}")

    def _file(self) -> None:
        if self.dice.chance(50):
            source = f"write_file({self.safe_name()}, {self.text()})"
            self.line(f"{self._targets((STATUS,))} = {source}")
        else:
            name = self.safe_name() if self.dice.chance(80) else self.text(1)
            self.line(f"{self._targets((STATUS, TEXT))} = read_file({name})")

    def builtin(self) -> None:
        """Write a call to a builtin."""
        number = self.number(0, 10**11, 1)[0]  # in bash, -1 is now, and -2 the shell's start
        mark = quoted(self.dice.pick(("", "?", "&")))
        created = f"{self.safe_name()}, {self.text()}, {self.safe_name()}, {self.text()}"
        words: list[tuple[str, tuple[Slot, ...]]] = [
            (f"parse_int({self.text()})", (STATUS, PARSED)),
            (f"mask_secrets({self.text()})", (TEXT,)),
            (f"replace_controls({self.text(1)}, {mark})", (TEXT,)),
            (f"create_file({created})", (STATUS, TEXT)),
            (f"find_program({self.text(1)})", (TEXT,)),
            (f"timestamp({number})", (TEXT,)),
            (f"is_b64token({self.text(1)})", (TRUTH,)),
            (f"open_log({self.safe_name()})", (STATUS,)),
            ("sys.stdin.read()", (TEXT,)),
            ("read_line()", (STATUS, TEXT)),
            (f"len({self.text()})", (Slot(Kind.INT, 0, 2**40),)),
            (f"len({self.text(1)})", (Slot(Kind.INT, 0, 2**40),)),
            (f"change_directory({self._place()})", (STATUS,)),
        ]  # fmt: skip
        choice = self.dice.below(len(words) + 3)
        if choice < len(words):
            source, results = words[choice]
            self.line(f"{self._targets(results)} = {source}")
        elif choice == len(words):
            self.line(f"complain({self.text()})")
        elif choice == len(words) + 1:
            self.line(f"os.umask(0o{self.dice.pick(('022', '077', '027', '000'))})")
        elif self.spend(PROCESS) and self.spend(PROCESS):
            source = f"run_limited(20, 1, {self.command()})"
            self.line(f"{self._targets((STATUS, TEXT))} = {source}")

    def _place(self) -> str:
        """Return a file or directory in the program's own directory, where it may write."""
        return self.dice.pick((quoted(self.texts.file_name()), '"."', '"x"', '"x/."', '""'))

    # --- Statements with blocks ---

    def _inside(self, most: int = 3, *, is_left: bool = False) -> set[str] | None:
        """Write a block, and restore the scope's names. Return the names that are known at its end.

        With `is_left`, the block has only a break, continue or return.
        """
        before = None if self.known is None else set(self.known)
        self.indent += 1
        self.depth += 1
        if is_left:
            self._leave()
        else:
            self.block(most)
        self.depth -= 1
        self.indent -= 1
        after, self.known = self.known, before
        return after

    def _closed_condition(self) -> str:
        """Return a condition that needs no line before it."""
        self.is_open = False
        source = self.condition()
        self.is_open = True
        return source

    def _if(self) -> None:
        self._branches(self.condition())

    def _branches(self, condition: str, *, is_left: bool = False) -> None:
        self.line(f"if {condition}:")
        after = self._inside(is_left=is_left)
        if is_left and self.dice.chance(70):
            self.known = merge(after, self.known)
            return
        for _ in range(self.dice.below(3)):
            self.line(f"elif {self._closed_condition()}:")
            after = merge(after, self._inside())
        if self.dice.chance(50):
            self.line("else:")
            self.known = merge(after, self._inside())
        else:
            self.known = merge(after, self.known)

    def _loop(self, times: int, *, endless: bool = False) -> None:
        """Write the block of a loop with this number of iterations."""
        outer, self.times = self.times, self.times * times
        self.breaks.append(None)
        self._inside()
        broken = self.breaks.pop()
        if endless:
            self.known = broken
        self.times = outer

    def _for(self) -> None:
        if self.arguments and self.dice.chance(30):
            name = self._loop_name(TEXT)
            start = self.dice.pick(("", "", "[1:]", "[2:]", "[0:]"))
            self.line(f"for {name} in {self.arguments}{start}:")
            before = set(self.known or ()) - {name}
            self._loop(3)
            self.known = before
            return
        if self.world.tuples and self.dice.chance(40):
            items = self.dice.pick([*self.world.tuples])
            slot, count = self.world.tuples[items]
            self.line(f"for {self._loop_name(slot)} in {items}:")
            self._loop(count)
            return
        if self.names(Kind.PATH) and self.dice.chance(20):
            given, slot = [self.path() for _ in range(self.dice.below(3) + 1)], PATH
        else:
            given, slot = self.items()
        self.line(f"for {self._loop_name(slot)} in ({', '.join(given)},):")
        self._loop(len(given))

    def items(self) -> tuple[list[str], Slot]:
        """Return a tuple's items, and a slot that can hold each of them."""
        count = self.dice.below(3) + 1
        if self.dice.chance(70):
            return [self.plain_text(1) for _ in range(count)], TEXT
        numbers = [self.number(depth=1) for _ in range(count)]
        low, high = min(n[1] for n in numbers), max(n[2] for n in numbers)
        return [number[0] for number in numbers], Slot(Kind.INT, low, high)

    def _for_numbers(self) -> None:
        given = [self.number(-1000, 1000, depth=1) for _ in range(self.dice.below(2) + 1)]
        if len(given) == 1:
            given.insert(0, ("0", 0, 0))
        lowest, highest = min(n[1] for n in given), max(n[2] for n in given)
        step = self.dice.pick(("", "", ", 1", ", 2", ", -1", ", -300"))
        bounds = ", ".join(n[0] for n in given[given[0][0] == "0" and step == "" :])
        self._for_each(f"range({bounds}{step})", Slot(Kind.INT, lowest, highest))

    def _for_lines(self) -> None:
        self._for_each(f"{self.plain_text(1)}.splitlines()", TEXT)

    def _for_parts(self) -> None:
        separator = self.dice.pick(("", "", '","', '"a"', '"/"', '"="', '"*"', '"\\\\"', '"]"'))
        self._for_each(f"{self.plain_text(1)}.split({separator})", TEXT)

    def _for_files(self) -> None:
        pattern = quoted(self.dice.pick(PATTERNS))
        self._for_each(f"sorted({self._directory()} // {pattern})", PATH)

    def _for_each(self, source: str, slot: Slot) -> None:
        """Write a loop that ends after three elements."""
        count = self.set(self.new(Slot(Kind.INT, 0, 4, is_fixed=True)))
        self.line(f"{count} = 0")
        before = set(self.known or ())
        name = self._loop_name(slot)
        self.line(f"for {name} in {source}:")
        self.line(f"    {count} += 1")
        self.line(f"    if {count} > 3:")
        self.line("        break")
        self._loop(4)
        self.known = before

    def _directory(self) -> str:
        """Return a Path, usually the program's directory."""
        if self.dice.chance(20):
            return self.path()
        name = self.set(self.new(replace(PATH, is_fixed=True)))
        self.line(f"{name} = absolute({quoted(self.dice.pick(('', '.', 'x')))})")
        return name

    def _loop_name(self, slot: Slot) -> str:
        return self.target(slot)

    def _while(self) -> None:
        most = self.dice.below(3) + 1
        count = self.set(self.new(Slot(Kind.INT, 0, most, is_fixed=True)))
        self.line(f"{count} = 0")
        endless = self.dice.chance(30)
        if endless:
            self.line("while True:")
        else:
            outer, self.times = self.times, self.times * (most + 1)
            condition = self._closed_condition()
            self.times = outer
            bound = f"{count} < {most}"
            parts = [bound, condition] if self.dice.chance(70) else [bound]
            self.line(f"while {' and '.join(parts)}:")
        self.line(f"    {count} += 1")
        if endless:
            self.line(f"    if {count} >= {most}:")
            self.line("        break")
        before = None if self.known is None else set(self.known)
        self._loop(most, endless=endless)
        if endless:
            self.known = merge(before, self.known)

    def _leave(self) -> None:
        """Write break, continue or return."""
        choice = self.dice.below(3 if self.breaks else 1)
        if choice == 0:
            self.give()
            return
        if choice == 1:
            self.breaks[-1] = merge(self.breaks[-1], self.known)
        self.line("break" if choice == 1 else "continue")
        self.known = None

    def give(self) -> None:
        """Write a return with the function's results."""
        self._return_line()
        self.known = None

    def _return_line(self) -> None:
        if not self.results:
            self.line("return")
            return
        if self.dice.chance(20):
            for function in self.world.functions:
                if function.results == self.results:
                    source = self.call(function)
                    if source is not None:
                        self.line(f"return {source}")
                        return
        if self.results == (TRUTH,):
            self.line(f"return {self.condition()}")
            return
        self.line(f"return {', '.join(self._value(slot) for slot in self.results)}")

    def _value(self, slot: Slot) -> str:
        match slot.kind:
            case Kind.STR:
                return self.called_text() if self.dice.chance(20) else self.plain_text()
            case Kind.PATH:
                return self.path()
            case Kind.COMMAND:
                return self.command()
        return self.number(slot.low, slot.high)[0]
