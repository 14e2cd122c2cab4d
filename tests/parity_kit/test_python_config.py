"""CPython's own pair, python3-config and python-config.py: where they agree, and where not."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.support.system.systemd_manager import skip_or_fail

from oauthkit.parity import Form, script

if TYPE_CHECKING:
    from oauthkit.parity import MakePair, Pair, Run

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
PYTHON = Path(sys.base_prefix) / f"bin/python{VERSION}"
IN_SHELL = Path(sys.base_prefix) / f"bin/python{VERSION}-config"
IN_PYTHON = Path(str(sysconfig.get_config_var("LIBPL"))) / "python-config.py"
TOOLS = ["dirname", "readlink", "sed", "which"]


@pytest.fixture
def parity(make_pair: MakePair) -> Pair[Run]:
    """Return the pair of the Python that runs this test. Each is started where it is installed."""
    if not (IN_SHELL.exists() and IN_PYTHON.exists()):
        skip_or_fail(f"{IN_SHELL} and {IN_PYTHON} are not installed")
    in_python = Form("python", argv=lambda _: [str(PYTHON), str(IN_PYTHON)])
    return make_pair(script(IN_SHELL, name="shell"), in_python, tools=TOOLS)


@pytest.mark.parametrize(
    "option",
    ["prefix", "exec-prefix", "includes", "abiflags", "configdir", "extension-suffix", "embed"],
)
def test_options_on_which_they_agree(parity: Pair[Run], option: str) -> None:
    assert parity.run(f"--{option}").exit_code == 0


DIFFERENT = {
    (): (r"1\. stdout\n +shell +'Usage: ", r"\n2\. stderr\n"),
    ("--help",): (r"1\. stdout\n +shell +'Usage: ", r"\n2\. stderr\n"),
    ("--nonsense",): (r"1\. stdout\n +shell +'Usage: ", r"\n2\. stderr\n"),
    ("--pre",): (r"1\. exit status\n +shell +1\n +python +0\n",),
    ("--prefix", "extra"): (r"1\. exit status\n +shell +1\n +python +0\n",),
    ("--libs",): (r"1\. stdout.*\n +shell .* \\n'\n +python .*[^ ]\\n'\n",),
}


@pytest.mark.parametrize("arguments", DIFFERENT, ids=" ".join)
def test_arguments_for_which_they_differ(parity: Pair[Run], arguments: tuple[str, ...]) -> None:
    for pattern in DIFFERENT[arguments]:
        with pytest.raises(AssertionError, match=pattern):
            parity.run(*arguments)
