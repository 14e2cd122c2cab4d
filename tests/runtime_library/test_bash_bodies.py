"""The bash bodies set only the declared variables, and quote all expansions."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from tests.support.runtime_library.bash_bodies import (
    LIBRARY,
    Result,
    call_with_ifs,
    held,
)

from oauthkit import shell

CALLS = """\
now_ms; timestamp 0; parse_int -1; is_b64token x; is_unit_name x
replace_controls $'a\\xc3\\xbc\\x9f' x; add_secret 'a secret of 20 bytes'; mask_secrets sk-ant-x
absolute x/../y; read_file library
write_file new x; create_file other x new x; is_own_link link; own_temporary new
same_file new new; change_directory .; open_log log; log_size; log x; log_error x; complain x
take_lock lock 0; lock_directory . 0; unlock_directory; run_limited 60 5 sh -c 'echo x'; end_command
get_env HOME; user_id; escape_unit /a/ä; find_program sh; script_path; own_command x
split_lines $'a\nb'; sorted_glob . '*'; count_characters ü; slice_text ü 0; read_stdin </dev/null
"""


def test_builtins_set_only_the_declared_variables(place: Path) -> None:
    (place / "link").symlink_to("target")
    (place / "new.oauthkit.0000000000000001").touch()
    (place / "library").write_text(LIBRARY.read_text("utf-8"), "utf-8")
    script = "source ./library; REPLY='' REPLIES=() before=''; before=$(compgen -A variable)\n"
    script += f'{CALLS}\ncompgen -A variable | grep -vxF "$before"\n'
    (place / "script").write_text(script, encoding="utf-8")
    argv = ["/bin/bash", "script"]
    env = {"PATH": "/usr/bin:/bin", "HOME": "/"}
    done = subprocess.run(argv, env=env, capture_output=True, check=True)
    assert set(done.stdout.decode().split()) <= {*shell.STATE, "BASH_REMATCH", "OLDPWD"}


def test_no_value_is_split(place: Path) -> None:
    directory = place / "a 1 b"
    directory.mkdir()
    (directory / "model").write_text("old 1", encoding="utf-8")
    (directory / "model").chmod(0o640)
    call = (f"{directory}/new", "x 1 y", f"{directory}/model", "old 1")
    assert call_with_ifs("create_file", *call) == Result(0, "640")
    assert (directory / "new").read_text(encoding="utf-8") == "x 1 y"
    assert call_with_ifs("write_file", f"{directory}/new", "z 2").status == 0
    assert (directory / "new").read_text(encoding="utf-8") == "z 2"
    assert call_with_ifs("take_lock", f"{directory}/lock", "0").status == 0
    assert call_with_ifs("lock_directory", str(directory), "0").status == 0
    assert call_with_ifs("lock_directory", f"{directory}/none", "0").status == 2
    with held(directory), held(directory / "lock"):
        assert call_with_ifs("lock_directory", str(directory), "1").status == 1
        assert call_with_ifs("take_lock", f"{directory}/lock", "1").status == 1
    script = 'printf "%s|" "$@"; exit 3'
    found = call_with_ifs("run_limited", "60", "5", "/bin/sh", "-c", script, "sh", "a 1", "*")
    assert found == Result(3, "a 1|*|")
    assert call_with_ifs("escape_unit", "/a 1") == Result(0, "a\\x201")
    old = directory / "new.oauthkit.0000000000000001"
    old.touch()
    call_with_ifs("own_temporary", f"{directory}/new")
    assert not old.exists()


def test_no_process_id_is_split() -> None:
    functions = "both() {\n  start_command 60 5 sleep 60\n  command_runs\n  local runs=$?\n"
    functions += "  end_command\n  finish_command 5\n  REPLY=$runs\n}\n"
    assert call_with_ifs("both", "", functions=functions) == Result(0, "0")


def test_no_value_of_the_log_is_split(place: Path) -> None:
    log = place / "a 1.log"
    functions = 'both() {\n  open_log "$1" && add_secret "$2" && log_error "$3"\n}\n'
    functions += "complain() {\n  REPLY=$#\n}\n"
    call = (str(log), "the secret 1 of 2", "x 1  *\ty, the secret 1 of 2")
    assert call_with_ifs("both", *call, functions=functions) == Result(0, "1")
    time_, _, line = log.read_text(encoding="utf-8").partition(" ")
    assert line == "x 1  *y, ***\n"
    assert time_[:2] == "20"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can create another user's link")
@pytest.mark.parametrize(("builtin", "status"), [("open_log", 1), ("take_lock", 2)])
def test_no_path_of_a_link_is_split(place: Path, builtin: str, status: int) -> None:
    link = place / "a 1"
    link.symlink_to("target")
    os.chown(link, 1234, 1234, follow_symlinks=False)
    assert call_with_ifs(builtin, str(link), "0").status == status
    assert not (place / "target").exists()
    os.chown(link, 0, 0, follow_symlinks=False)
    assert call_with_ifs(builtin, str(link), "0").status == 0
