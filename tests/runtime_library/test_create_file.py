"""create_file and write_file behave the same in both forms."""

from __future__ import annotations

import os
import stat
import struct
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given
from plumbum import local
from tests.support.runtime_library.bash_bodies import (
    LIBRARY,
    Result,
    call_in_bash,
    few,
    run_python,
    texts,
)

from oauthkit import shell


@few
@given(texts(["a", " ", "\\", "%s", "-n", "'", "ü"]))
@example(["", "\n", "\n\n", "-n", "-e \\t", "%d"])
def test_write_file(inputs: list[str]) -> None:
    with tempfile.TemporaryDirectory(prefix="oauthkit-twins-") as directory:
        python = [f"{directory}/python{number}" for number in range(len(inputs))]
        bash = [f"{directory}/bash{number}" for number in range(len(inputs))]
        found = call_in_bash("write_file", list(zip(bash, inputs, strict=True)))
        assert {result.status for result in found} == {0}
        for in_python, in_bash, text in zip(python, bash, inputs, strict=True):
            assert shell.write_file(in_python, text) == 0
            assert Path(in_python).read_bytes() == os.fsencode(text)
            assert Path(in_bash).read_bytes() == os.fsencode(text)


def create_file(form: str, *call: str) -> tuple[int, str]:
    """Create a file in one of the forms. Return the status and the model's mode."""
    if form == "python":
        return shell.create_file(*call)
    (result,) = call_in_bash("create_file", [call], env={"PATH": local.env["PATH"]})
    return result.status, result.reply


@pytest.mark.parametrize("form", ["bash", "python"])
def test_create_file_at_an_existing_path(place: Path, form: str) -> None:
    local.env["PATH"] = "/usr/bin:/bin"
    (place / "file").write_text("kept", encoding="utf-8")
    (place / "link").symlink_to("file")
    (place / "dangling").symlink_to("none")
    (place / "to-pipe").symlink_to("pipe")
    os.mkfifo(place / "pipe")
    reader = os.open(
        place / "pipe", os.O_RDONLY | os.O_NONBLOCK
    )  # otherwise, bash would wait for one
    for name in ("file", "link", "dangling", ".", "", "to-pipe", "pipe"):
        assert create_file(form, f"{place}/{name}", "x", "", "") == (4, "")
    assert create_file(form, f"{place}/no/file", "x", "", "") == (1, "")
    assert os.read(reader, 10) == b""
    os.close(reader)
    assert create_file(form, f"{place}/pipe", "x", "", "") == (4, "")
    assert (place / "file").read_text(encoding="utf-8") == "kept"
    assert not (place / "none").exists()


@pytest.mark.parametrize("form", ["bash", "python"])
@pytest.mark.parametrize(
    ("model", "mode"),
    [("none", ""), (".", ""), *[(f"{m:o}", f"{m:o}") for m in (0o600, 0o4755, 0o40)]],
)
def test_create_file(place: Path, form: str, model: str, mode: str) -> None:
    local.env["PATH"] = "/usr/bin:/bin"
    if mode:
        (place / model).write_text("model", encoding="utf-8")
        (place / model).chmod(int(mode, 8))
    text = "ü\udcff\n\n"
    assert create_file(form, f"{place}/new", text, f"{place}/{model}", mode and "model") == (
        0,
        mode,
    )
    assert (place / "new").read_bytes() == os.fsencode(text)
    assert stat.S_IMODE((place / "new").stat().st_mode) == int(mode or "600", 8)


@pytest.mark.parametrize("form", ["bash", "python"])
def test_created_file_is_private_from_the_start(place: Path, form: str) -> None:
    program = place / "bin" / "chmod"
    program.parent.mkdir()
    text = '#!/bin/sh\nmode=$(/usr/bin/stat -Lc %a /proc/$$/fd/1)\necho "$mode" >"$0.mode"\n'
    text += 'exec /usr/bin/chmod "$@"\n'
    program.write_text(text, encoding="utf-8")
    program.chmod(0o755)
    local.env["PATH"] = str(program.parent)
    os.umask(0)
    assert create_file(form, f"{place}/new", "x", "", "") == (0, "")
    assert (place / "bin/chmod.mode").read_text(encoding="utf-8") == "600\n"


@pytest.mark.parametrize(("status_file", "mask"), [("status", "0027"), ("none", "0077")])
def test_create_file_restores_umask_and_options(place: Path, status_file: str, mask: str) -> None:
    source = LIBRARY.read_text("utf-8").replace("/proc/self/status", f"/proc/self/{status_file}")
    source += "both() {\n  umask 027\n  create_file \"$1\" '' '' ''\n  REPLY=$(umask)\n"
    source += "  [[ $- != *C* ]]\n} 2>/dev/null\n"
    assert call_in_bash("both", [f"{place}/new"], source=source) == [Result(0, mask)]


# Create the file $1. After the check that it is missing, the code $2 creates it first.
LATE_FILE = """
both() {
  local file=$1 make=$2
  umask() {
    [[ -e $file ]] || eval "$make"
    builtin umask "$@"
  }
  create_file "$file" mine "" ""
}
"""


@pytest.mark.parametrize("make", ['printf theirs >"$file"', 'ln -s pipe "$file"'])
def test_file_that_appears_after_the_check_is_kept(place: Path, make: str) -> None:
    os.mkfifo(place / "pipe")
    reader = os.open(place / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    source = LIBRARY.read_text("utf-8") + LATE_FILE
    assert call_in_bash("both", [(f"{place}/new", make)], source=source) == [Result(4, "")]
    assert os.read(reader, 10) == b""
    os.close(reader)
    assert (place / "new").is_symlink() or (place / "new").read_text("utf-8") == "theirs"


@pytest.mark.parametrize("copies", ["cp", "chmod"])
def test_programs_of_create_file_inherit_no_descriptors(place: Path, copies: str) -> None:
    text = '#!/bin/bash\nprintf "%s\\n" /proc/$$/fd/* >"$0.fds"\nexec "/usr/bin/${0##*/}" "$@"\n'
    (place / "bin").mkdir()
    used = ["chmod", "stat", "cp", *(["ls", "chown"] if copies == "chmod" else [])]
    for name in used:
        is_broken = name == "cp" and copies == "chmod"
        (place / "bin" / name).write_text(
            text.replace("exec ", "exit 1 # ") if is_broken else text, encoding="utf-8"
        )
        (place / "bin" / name).chmod(0o755)
    (place / "model").touch(mode=0o640)
    source = LIBRARY.read_text("utf-8")
    source += 'both() {\n  exec 6</ 8>/dev/null 9>/dev/null\n  create_file "$@"\n}\n'
    calls = [(f"{place}/a", "x", "", ""), (f"{place}/b", "x", f"{place}/model", "")]
    env = {"PATH": str(place / "bin")}
    found = call_in_bash("both", calls, source=source, env=env)
    assert found == [Result(0, ""), Result(0, "640")]
    for name in used:
        lines = (place / "bin" / f"{name}.fds").read_text(encoding="utf-8").split()
        # 3 is the directory that is listed, and 255 is the script.
        assert {Path(line).name for line in lines} <= {"0", "1", "2", "3", "255"}


# Create a file with the model $1. Before the model is opened, a directory replaces it.
LATE_DIRECTORY = """
both() {
  set -uT
  trap '[[ $BASH_COMMAND != "exec {model}< "* ]] || { /bin/rm "$3"; /bin/mkdir "$3"; }' DEBUG
  create_file "$1.new" x "$1" "$2"
  local status=$?
  trap - DEBUG
  return "$status"
}
"""


@pytest.mark.parametrize("old", ["", "old"])
def test_directory_that_replaces_the_model(place: Path, old: str) -> None:
    (place / "model").write_text(old, "utf-8")
    source = LIBRARY.read_text("utf-8") + LATE_DIRECTORY
    env = {"PATH": local.env["PATH"]}
    found = call_in_bash("both", [(f"{place}/model", old)], source=source, env=env)
    assert found == [Result(1, "")]
    assert (place / "model").is_dir()


# Create a file with the model $1. Before the model is opened, a FIFO with a writer replaces it.
LATE_FIFO = """
both() {
  set -T
  trap '[[ $BASH_COMMAND != "exec {model}< "* ]] ||
    { /bin/rm "$3"; /usr/bin/mkfifo -m 644 "$3"; exec {writer}<>"$3"; }' DEBUG
  create_file "$1.new" x "$1" ""
}
"""

LATE_FIFO_IN_PYTHON = """\
import os, sys

os.environ["PATH"] = "/usr/bin:/bin"
from oauthkit import shell as s

model = sys.argv[1]
os.mkfifo(model, 0o644)
os.path.isfile = lambda _: True
print(s.create_file(f"{model}.new", "x", model, ""), end="")
"""


@pytest.mark.parametrize("form", ["bash", "python"])
def test_fifo_that_replaces_the_model(place: Path, form: str) -> None:
    model = place / "model"
    try:
        if form == "python":
            assert run_python(LATE_FIFO_IN_PYTHON, str(model)) == "(1, '')"
        else:
            model.touch()
            source = LIBRARY.read_text("utf-8") + LATE_FIFO
            env = {"PATH": local.env["PATH"]}
            assert call_in_bash("both", [str(model)], source=source, env=env) == [Result(1, "")]
    except subprocess.TimeoutExpired:
        pytest.fail("create_file waits for a FIFO")
    assert model.is_fifo()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can start a program as another user")
@pytest.mark.parametrize(
    ("owner", "mode", "status"), [(0, 0o600, 1), (0, 0o644, 0), (4321, 0o644, 2)]
)
def test_create_file_with_a_model_of_another_user(owner: int, mode: int, status: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o777)
        Path(directory, "model").touch(mode)
        os.chown(Path(directory, "model"), owner, owner)
        text = LIBRARY.read_text("utf-8") + 'create_file "$1/new" x "$1/model" ""\n'
        argv = ["/bin/bash", "-c", text, "bash", directory]
        env = {"PATH": "/usr/bin:/bin"}
        done = subprocess.run(argv, env=env, user=1234, capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (status, b"")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can start a program as another user")
@pytest.mark.parametrize(
    ("mode", "groups", "status"),
    [
        (0o600, [], 0), (0o604, [], 3), (0o640, [], 3), (0o660, [], 3), (0o610, [], 3),
        (0o644, [], 0), (0o666, [], 0), (0o664, [], 3), (0o2750, [], 3),
        (0o640, [4321], 0), (0o660, [7, 4321, 8], 0), (0o640, [43, 432, 43210, 1234], 3),
    ],
)  # fmt: skip
def test_create_file_with_a_model_of_another_group(
    monkeypatch: pytest.MonkeyPatch, mode: int, groups: list[int], status: int
) -> None:
    """cp(1) succeeds even if it cannot keep the group, and gives its access to another one."""
    local.env["PATH"] = "/usr/bin:/bin"
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        place.chmod(0o777)
        (place / "model").touch()
        os.chown(place / "model", 1234, 4321)
        (place / "model").chmod(mode)
        text = LIBRARY.read_text("utf-8") + 'create_file "$1/new" x "$1/model" ""\n'
        done = subprocess.run(
            ["/bin/bash", "-c", text, "bash", directory], env={"PATH": "/usr/bin:/bin"}, user=1234,
            group=100, extra_groups=groups, capture_output=True, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (status, b"")
        info = (place / "new").stat()
        assert (info.st_size, info.st_uid) == (status == 0, 1234)
        assert info.st_mode >> 3 & 7 == info.st_mode & 7 or info.st_gid == 4321
        (place / "given").mkdir()
        os.chown(place / "given", 1234, 4321)
        (place / "given").chmod(0o2700)  # new files get its group
        done = subprocess.run(
            ["/bin/bash", "-c", text.replace("$1/new", "$1/given/new"), "bash", directory],
            env={"PATH": "/usr/bin:/bin"}, user=1234, group=100, extra_groups=[], check=False,
        )  # fmt: skip
        assert (done.returncode, (place / "given/new").stat().st_gid) == (0, 4321)
        monkeypatch.setattr("os.getuid", lambda: 1234)
        monkeypatch.setattr("os.getgid", lambda: 100)
        monkeypatch.setattr("os.getegid", lambda: 100)
        monkeypatch.setattr("os.getgroups", lambda: groups)
        found = shell.create_file(f"{place}/newer", "x", f"{place}/model", "")
        assert found == ((0, f"{mode:o}") if status == 0 else (status, ""))


# Move the new file away and put a file with the model's group in its place, then run stat(1).
EXCHANGE = """#!/bin/sh
PATH=/usr/bin:/bin
[ -e "$PLACE/moved" ] || mv "$PLACE/new" "$PLACE/moved"
touch "$PLACE/new"
chmod 600 "$PLACE/new"
chgrp 4321 "$PLACE/new"
exec stat "$@"
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file to any group")
@pytest.mark.parametrize("form", ["bash", "python"])
def test_create_file_does_not_trust_the_name_of_the_new_file(place: Path, form: str) -> None:
    program = place / "bin/stat"
    program.parent.mkdir()
    program.write_text(EXCHANGE.replace("$PLACE", str(place)), encoding="utf-8")
    program.chmod(0o755)
    local.env["PATH"] = f"{program.parent}:/usr/bin:/bin"
    (place / "model").touch(0o600)
    os.chown(place / "model", 0, 4321)
    assert create_file(form, f"{place}/new", "x", f"{place}/model", "") == (0, "600")
    assert (place / "moved").read_text("utf-8") == "x"
    assert (place / "moved").stat().st_gid == 4321


@pytest.mark.parametrize("form", ["bash", "python"])
@pytest.mark.parametrize(("model", "mode"), [("", 0o600), ("model", 0o600), ("model", 0o660)])
def test_create_file_in_a_directory_with_a_default_acl(
    place: Path, form: str, model: str, mode: int
) -> None:
    """The ACL replaces umask, and would let another user read the file (acl(5))."""
    local.env["PATH"] = "/usr/bin:/bin"
    os.umask(0o077)
    (place / "model").touch()
    (place / "model").chmod(mode)
    # user::rw- user:1234:rwx group::rwx mask::rwx other::---
    entries = acl((1, 6, 0), (2, 7, 1234), (4, 7, 0), (16, 7, 0), (32, 0, 0))
    os.setxattr(place, "system.posix_acl_default", entries)
    assert create_file(form, f"{place}/new", "x", model and f"{place}/model", "")[0] == 0
    assert stat.S_IMODE((place / "new").stat().st_mode) == mode
    # With mode 600, an ACL has no effect, because its mask is empty. With another mode, it stays
    # unless this host's cp removes it (docs/tested-hosts.md).
    with (place / "model").open("rb") as old, (place / "copy").open("wb") as copy:
        argv = ["cp", "--attributes-only", "--preserve=mode,ownership", "/dev/stdin", "/dev/stdout"]
        subprocess.run(argv, stdin=old, stdout=copy, check=True)
    assert mode == 0o600 or os.listxattr(place / "new") == os.listxattr(place / "copy")


@pytest.mark.parametrize("form", ["bash", "python"])
@pytest.mark.parametrize(
    "content", [None, b"", b"old", b"old\n", b"old\0", b"old\n\0", b"another file\n"]
)
def test_create_file_with_a_model_that_has_changed(
    place: Path, form: str, content: bytes | None
) -> None:
    local.env["PATH"] = "/usr/bin:/bin"
    if content is not None:
        (place / "model").write_bytes(content)
        (place / "model").chmod(0o600)
    found = create_file(form, f"{place}/new", "x", f"{place}/model", "old\n")
    assert found == ((0, "600") if content == b"old\n" else (1, ""))
    assert (place / "new").read_bytes() == (b"x" if content == b"old\n" else b"")


@pytest.mark.parametrize("form", ["bash", "python"])
def test_content_of_the_model_is_not_a_pattern(place: Path, form: str) -> None:
    local.env["PATH"] = "/usr/bin:/bin"
    (place / "model").write_text("old", encoding="utf-8")
    assert create_file(form, f"{place}/new", "x", f"{place}/model", "o*") == (1, "")
    assert (place / "new").read_bytes() == b""


@pytest.mark.parametrize("form", ["bash", "python"])
def test_create_file_with_a_symbolic_link_as_its_model(place: Path, form: str) -> None:
    """A symbolic link may have replaced the file after it was read."""
    local.env["PATH"] = "/usr/bin:/bin"
    (place / "target").write_text("old", encoding="utf-8")
    (place / "model").symlink_to("target")
    assert create_file(form, f"{place}/new", "secret", f"{place}/model", "old") == (1, "")
    assert (place / "new").read_bytes() == b""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can create another user's file")
@pytest.mark.parametrize("form", ["bash", "python"])
def test_root_creates_a_file_for_another_user(place: Path, form: str) -> None:
    local.env["PATH"] = "/usr/bin:/bin"
    (place / "model").touch(mode=0o600)
    os.chown(place / "model", 1234, 4321)
    assert create_file(form, f"{place}/new", "x", f"{place}/model", "") == (0, "600")
    info = (place / "new").stat()
    assert (info.st_uid, info.st_gid, stat.S_IMODE(info.st_mode)) == (1234, 4321, 0o600)


def like_uutils(directory: Path) -> None:
    """Make the programs of a host with uutils, whose cp(1) cannot copy to an open file."""
    (directory / "bin").mkdir()
    for name in ("stat", "ls", "chown", "chmod", "cp"):
        (directory / "bin" / name).symlink_to("/bin/false" if name == "cp" else f"/bin/{name}")


def acl(*entries: tuple[int, int, int]) -> bytes:
    """Return an access control list as an extended attribute: tag, permissions, user or group."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


@pytest.mark.parametrize("form", ["bash", "python"])
@pytest.mark.parametrize("mode", [0o400, 0o640, 0o644, 0o664])
def test_create_file_with_a_cp_that_cannot_copy_to_an_open_file(
    place: Path, form: str, mode: int
) -> None:
    like_uutils(place)
    local.env["PATH"] = str(place / "bin")
    (place / "model").touch()
    (place / "model").chmod(mode)
    if os.getuid() == 0:
        os.chown(place / "model", 1234, 4321)
    found = create_file(form, f"{place}/new", "x", f"{place}/model", "")
    assert found == (0, f"{mode:o}")
    assert (place / "new").read_bytes() == b"x"
    wanted, info = (place / "model").stat(), (place / "new").stat()
    assert info.st_mode == wanted.st_mode
    assert (info.st_uid, info.st_gid) == (wanted.st_uid, wanted.st_gid)


@pytest.mark.parametrize("form", ["bash", "python"])
@pytest.mark.parametrize(
    ("listed", "mode"), [("model", 0o640), ("directory", 0o640), ("directory", 0o600)]
)
def test_create_file_with_such_a_cp_and_an_access_control_list(
    place: Path, form: str, listed: str, mode: int
) -> None:
    """Without cp, the model's list would be lost, and the directory's default list would apply."""
    like_uutils(place)
    local.env["PATH"] = str(place / "bin")
    (place / "model").touch()
    (place / "model").chmod(mode)
    entries = acl((1, 6, 0), (2, 4, 1234), (4, 4, 0), (16, 4, 0), (32, 0, 0))
    if listed == "model":
        os.setxattr(place / "model", "system.posix_acl_access", entries)
    else:
        os.setxattr(place, "system.posix_acl_default", entries)
    is_created = mode == 0o600  # a list has no effect then
    wanted = (0, "600") if is_created else (1, "")
    assert create_file(form, f"{place}/new", "secret", f"{place}/model", "") == wanted
    assert (place / "new").read_bytes() == (b"secret" if is_created else b"")
    assert stat.S_IMODE((place / "new").stat().st_mode) & 0o077 == 0 or not is_created


@pytest.mark.parametrize("form", ["bash", "python"])
@pytest.mark.parametrize("missing", ["stat", "cp", "chmod"])
def test_create_file_without_a_program(place: Path, form: str, missing: str) -> None:
    for name in {"stat", "cp", "chmod"} - {missing}:
        (place / name).symlink_to(f"/usr/bin/{name}")
    local.env["PATH"] = str(place)
    (place / "model").touch(mode=0o640)
    model = "" if missing == "chmod" else f"{place}/model"
    assert create_file(form, f"{place}/new", "secret", model, "") == (1, "")
    assert (place / "new").read_bytes() == b""


@pytest.mark.parametrize("form", ["bash", "python"])
def test_create_file_with_a_chmod_that_fails(place: Path, form: str) -> None:
    (place / "chmod").write_text("#!/bin/sh\nexit 2\n", encoding="utf-8")
    (place / "chmod").chmod(0o755)
    local.env["PATH"] = str(place)
    assert create_file(form, f"{place}/new", "secret", "", "") == (1, "")


@pytest.mark.parametrize("form", ["bash", "python"])
def test_mode_600_is_not_copied(place: Path, form: str) -> None:
    (place / "stat").symlink_to("/usr/bin/stat")
    local.env["PATH"] = str(place)
    (place / "model").touch(mode=0o600)
    assert create_file(form, f"{place}/new", "x", f"{place}/model", "") == (0, "600")


@pytest.mark.parametrize("form", ["bash", "python"])
@pytest.mark.parametrize("exchanged", ["new", "model"])
def test_create_file_whose_name_has_become_a_link(place: Path, form: str, exchanged: str) -> None:
    """Another user, who can write to the directory, replaces one of the files with a link."""
    (place / "model").touch(mode=0o640)
    (place / "victim").write_text("kept", encoding="utf-8")
    (place / "victim").chmod(0o666)
    for name in ("stat", "cp"):
        program = place / "bin" / name
        program.parent.mkdir(exist_ok=True)
        swap = f'/bin/ln -sf "{place}/victim" "{place}/{exchanged}"'
        program.write_text(f'#!/bin/sh\n{swap}\nexec /usr/bin/{name} "$@"\n', encoding="utf-8")
        program.chmod(0o755)
    local.env["PATH"] = str(place / "bin")
    wanted = (0, "640") if exchanged == "new" else (1, "")
    assert create_file(form, f"{place}/new", "secret", f"{place}/model", "") == wanted
    assert (place / "victim").read_text(encoding="utf-8") == "kept"
    assert stat.S_IMODE((place / "victim").stat().st_mode) == 0o666
    if exchanged == "model":
        assert (place / "new").read_bytes() == b""


def test_write_file_that_fails(place: Path) -> None:
    paths = [str(place), str(place / "none" / "file"), "", "/dev/full"]
    found = call_in_bash("write_file", [(path, "x") for path in paths])
    assert [result.status for result in found] == [1, 1, 1, 1]
    assert [shell.write_file(path, "x") for path in paths] == [1, 1, 1, 1]


@pytest.mark.parametrize("form", ["bash", "python"])
def test_names_that_start_with_a_hyphen(place: Path, form: str) -> None:
    local.env["PATH"] = "/usr/bin:/bin"
    (place / "-link").symlink_to("target")
    (place / "-model").write_text("old", encoding="utf-8")
    (place / "-model").chmod(0o640)
    calls = [("is_own_link", "-link"), ("open_log", "-log")]
    if form == "python":
        assert [getattr(shell, builtin)(path) for builtin, path in calls] == [True, 0]
    else:
        found = [call_in_bash(name, [path], cwd=place)[0].status for name, path in calls]
        assert found == [0, 0]
    assert create_file(form, "-new", "x", "-model", "old") == (0, "640")
