"""docs/public-api.md lists the names in each module's `__all__`."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from types import ModuleType

import pytest

import oauthkit.compiler
import oauthkit.parity
import oauthkit.shell
from oauthkit.compiler.reserved_names import PRIMITIVES

PAGE = Path(__file__).parents[1] / "docs/public-api.md"


def section(module: str) -> str:
    """Return the text of the page's section on a module."""
    text = PAGE.read_text("utf-8")
    (found,) = re.findall(
        rf"^## .*`{re.escape(module)}`\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL
    )
    return str(found)


@pytest.mark.parametrize("module", [oauthkit.compiler, oauthkit.parity])
def test_table_lists_the_module_s_exports(module: ModuleType) -> None:
    listed = re.findall(r"^\| `(\w+)` \|", section(module.__name__), re.MULTILINE)
    assert sorted(listed) == sorted(module.__all__)
    assert [name for name in listed if not hasattr(module, name)] == []


def test_shell_exports_builtins_and_primitives() -> None:
    text = section("oauthkit.shell")
    primitives, builtins = (re.findall(r"`(\w+)`", part) for part in text.split("\n- ")[1:])
    assert primitives == sorted(PRIMITIVES)
    assert builtins == sorted(oauthkit.compiler.load_standard_library().builtins)
    names = [*primitives, *builtins]
    assert sorted(getattr(oauthkit.shell, "__all__", names)) == sorted(names)
    assert [name for name in names if not hasattr(oauthkit.shell, name)] == []


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'compile_txt'"):
        _ = oauthkit.compiler.compile_txt  # type: ignore[attr-defined]


def test_compiler_example_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (block,) = re.findall(
        r"(?:^(?: {4}.*)?\n)+(?=\n*\Z)", section("oauthkit.compiler"), re.MULTILINE
    )
    (tmp_path / "example.py").write_text(re.sub(r"^ {4}", "", block, flags=re.MULTILINE), "utf-8")
    (tmp_path / "hello.py").write_text("x = undefined\n", "utf-8")
    monkeypatch.chdir(tmp_path)
    runpy.run_path("example.py")
    assert "hello.py:1" in capsys.readouterr().out
