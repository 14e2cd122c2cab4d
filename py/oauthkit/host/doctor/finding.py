"""The result of a check."""

from __future__ import annotations

from dataclasses import dataclass

from oauthkit.host.shell_commands import wrap


@dataclass(frozen=True)
class Finding:
    """The result of a check: `fix` is the command to run, or what to do.

    If `needs_refresh`, a refresh completes the fix, or is the fix. examine adds it.
    """

    name: str
    text: str
    fix: str = ""
    is_note: bool = False  # does not need to be fixed
    output: tuple[str, ...] = ()  # of the program that failed
    log: str = ""  # the log's path, or the command that shows it
    needs_refresh: bool = False
    is_advice: bool = False  # the fix is not a command

    @property
    def is_ok(self) -> bool:
        """Whether nothing needs to be fixed."""
        return self.is_note or not (self.fix or self.needs_refresh)

    def lines(self, columns: int) -> list[str]:
        """Return the finding, the failed program's output, the log and the fix as lines.

        Wrap the text and the output to `columns`. If the terminal wrapped them, a part could look
        like another finding. Do not wrap the log or the fix, so that they can be copied.
        """
        sign = "note" if self.is_note else " ok " if self.is_ok else "FAIL"
        fix = [f"      fix: {self.fix}"] if self.fix else []
        width = max(30, columns - 6)
        first, *rest = wrap(f"{self.name}: {self.text}", width)
        output = [part for line in self.output for part in wrap(line, width)]
        log = [f"      log: {self.log}"] if self.log else []
        return [f"{sign}  {first}", *(f"      {part}" for part in (*rest, *output)), *log, *fix]
