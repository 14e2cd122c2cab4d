"""test_NAME.py tests the program NAME.py beside it, and the bash compiled from it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from oauthkit.compiler.driver import compile_text, load_standard_library
from oauthkit.parity import MakePair, Pair, Run


@pytest.fixture
def make_port(
    request: pytest.FixtureRequest, make_pair: MakePair, tmp_path: Path
) -> Callable[..., Pair[Run]]:
    """Return a function that makes the pair, with the given real programs in PATH."""
    program = request.path.with_name(request.path.name.removeprefix("test_"))
    text = program.read_text(encoding="utf-8")
    script = tmp_path / f"{program.stem}.sh"
    script.write_text(compile_text(text, program.name, load_standard_library()), encoding="utf-8")
    return lambda *tools: make_pair(script, program, tools=tools)
