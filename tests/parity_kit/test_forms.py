"""Forms whose files are in the world."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.support.parity_kit.programs import VARIABLES, find

from oauthkit.parity import Form, Pair, Run, namespaces, script

if TYPE_CHECKING:
    from collections.abc import Callable

BASH_TEXT = """#!/usr/bin/env bash
printf '%s\\n' "$0" "${BASH_SOURCE[0]}" "$1"
[[ -x $0 ]] && tool "$0"
"""
PYTHON_TEXT = """#!/usr/bin/env python3
import os, subprocess, sys
print(sys.argv[0], __file__, sys.argv[1], sep="\\n", flush=True)
if os.access(sys.argv[0], os.X_OK):
    subprocess.run(["tool", sys.argv[0]])
"""


@pytest.fixture
def placed(tmp_path: Path) -> Callable[..., Pair[Run]]:
    """Return a function that pairs two scripts at the same path."""

    def pair_of(bash: str, python: str, at: str = "~/bin/my tool") -> Pair[Run]:
        forms = []
        for name, text, mode in (("a.sh", bash, 0o600), ("b.py", python, 0o755)):
            (tmp_path / name).write_text(text)
            (tmp_path / name).chmod(mode)
            forms.append(script(tmp_path / name, at=at))
        return Pair(tmp_path / "pair", forms, {"true": find("true")}, [VARIABLES])

    return pair_of


@pytest.mark.parametrize("at_once", [True, False])
def test_both_forms_have_one_path(
    placed: Callable[..., Pair[Run]], monkeypatch: pytest.MonkeyPatch, at_once: bool
) -> None:
    if not at_once:
        monkeypatch.setattr(namespaces, "are_possible", lambda: False)
    pair = placed(BASH_TEXT, PYTHON_TEXT)
    pair.stand_in("tool").always.exits(0)
    run = pair.run("a b")
    path = f"{pair.home}/bin/my tool"
    assert run.stdout == f"{path}\n{path}\na b\n"
    assert run.calls("tool") == [[path]]
    assert (run.files["~/bin/my tool"].mode, run.touched) == (0o755, [])
    assert b"form itself" in run.files["~/bin/my tool"].content
    assert pair.run("a b").stdout == run.stdout
    pair.close()


@pytest.mark.parametrize(
    ("python", "title"),
    [
        ("import sys; open(sys.argv[0], 'a').write('x')", ": content, line 1"),
        ("import os, sys; os.chmod(sys.argv[0], 0o700)", ": mode"),
        ("import os, sys; os.unlink(sys.argv[0])", ""),
    ],
)
def test_form_that_changes_its_own_file(
    placed: Callable[..., Pair[Run]], python: str, title: str
) -> None:
    pair = placed("#!/usr/bin/env bash\n", f"#!/usr/bin/env python3\n{python}\n", "tool")
    with pytest.raises(AssertionError) as failure:
        pair.run()
    pair.close()
    assert f"\n\n1. file project/tool{title}\n     bash    " in str(failure.value)


def test_forms_that_change_their_own_files_alike_are_equal(
    placed: Callable[..., Pair[Run]],
) -> None:
    pair = placed(
        '#!/usr/bin/env bash\nprintf x >"$0"\nexit\n',
        "#!/usr/bin/env python3\nimport sys\nopen(sys.argv[0], 'w').write('x')\n",
        "tool",
    )
    assert pair.run().files["tool"].content == b"x"
    pair.close()


def test_files_of_a_form(tmp_path: Path) -> None:
    (tmp_path / "lib.sh").write_text("printf 'hello\\n'\n")
    forms = (
        Form("bash", lambda world: [str(find("bash")), str(world.path("lib/lib.sh"))],
             files={"lib/lib.sh": tmp_path / "lib.sh"}),
        Form("python", lambda _world: [sys.executable, "-c", "print('hello')"]),
    )  # fmt: skip
    pair: Pair[Run] = Pair(tmp_path / "pair", forms, {}, [VARIABLES])
    pair.directory("lib")
    with pytest.raises(AssertionError, match=r"file project/lib/lib\.sh\n     bash    file 0755"):
        pair.run()
    with pytest.raises(ValueError, match="cannot share a world"):
        pair.spawn("bash")
    pair.close()


def test_path_of_a_script_is_inside_the_world(placed: Callable[..., Pair[Run]]) -> None:
    pair = placed(BASH_TEXT, PYTHON_TEXT, f"{os.sep}bin/tool")
    with pytest.raises(ValueError, match="/bin/tool is outside the sandbox"):
        pair.run()
    pair.close()
