"""From a program's file to a script's file: what the commands generate and compile do."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import generate
from .diagnostics import CompileError
from .vocabulary import Vocabulary, VocabularyError, load_vocabulary

STANDARD = Path(__file__).parents[1] / "shell.py"
STANDARD_MODULE = "oauthkit.shell"


def load_standard_vocabulary() -> Vocabulary:
    """The vocabulary that oauthkit ships."""
    return load_vocabulary(STANDARD, STANDARD_MODULE)


def load_vocabularies(folder: Path, modules: Sequence[str]) -> Vocabulary:
    """The standard vocabulary and those of `modules`, looked for in `folder` first.

    None of them is run. VocabularyError if one is not found, or does not fit.
    """
    vocabulary = load_standard_vocabulary()
    for module in modules:
        python = _find(folder, module)
        vocabulary = vocabulary.extended(load_vocabulary(python, module))
    return vocabulary


def _find(folder: Path, module: str) -> Path:
    beside = folder / f"{module.replace('.', '/')}.py"
    if beside.is_file():
        return beside
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        spec = None
    if spec is None or spec.origin is None or not Path(spec.origin).is_file():
        raise VocabularyError(f"there is no vocabulary {module}: neither {beside} nor in sys.path")
    return Path(spec.origin)


@dataclass(frozen=True)
class Build:
    """A program and how a script is made of it: `name` and `command` are what its head names."""

    program: Path
    name: str
    command: str
    load: Callable[[], Vocabulary]

    def run(self, who: str, target: Path | None, *, check: bool) -> int:
        """Writes the script to `target` (stdout if None), or with `check` compares it.

        Gives the exit status: 0, or 1 after saying on stderr why not, as `who`.
        """
        try:
            text = self.program.read_text(encoding="utf-8")
            script = generate.compile_text(text, self.name, self.load(), self.command)
            if check and target is not None:
                old = target.read_text("utf-8", errors="replace") if target.is_file() else ""
                diff = generate.difference(old, script, str(target))
                sys.stdout.write(diff)
                return 1 if diff else 0
            generate.verify(script)
            if target is None:
                sys.stdout.write(script)
            else:
                generate.replace(target, script)
        except CompileError as error:
            codes = sorted({diagnostic.code for diagnostic in error.diagnostics})
            print(error, file=sys.stderr)
            print(f"{who}: refused; see oauthkit explain {codes[0]}", file=sys.stderr)
            return 1
        except UnicodeDecodeError as error:
            print(f"{who}: {self.program} is not UTF-8: {error.reason}", file=sys.stderr)
            return 1
        except (VocabularyError, generate.RejectedScriptError, OSError) as error:
            print(f"{who}: {error}", file=sys.stderr)
            return 1
        return 0
