"""install and adopt write settings to refresh.conf."""

from __future__ import annotations

import itertools
import os
import re
import stat
import tempfile
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from plumbum import LocalPath, local
from tests.support.host.host_project import UNIT, HostProject, command, quoted

from oauthkit.host import settings_writer
from oauthkit.host.errors import HostError, UsageError
from oauthkit.host.path_info import PathInfo
from oauthkit.host.project import find_paths
from oauthkit.host.settings_writer import options, selected, with_settings
from oauthkit.program.settings import LINE_LIMIT, read_settings

CONF = "scripts/oauth/refresh.conf"
CONTENTS = {
    "none": (b"", b"OAUTHKIT_UNIT=new\n"),
    "no final newline": (b"# a", b"# a\nOAUTHKIT_UNIT=new\n"),
    "another line": (b"OAUTHKIT_LIGHT=1\n\n", b"OAUTHKIT_LIGHT=1\n\nOAUTHKIT_UNIT=new\n"),
    "replaced in place": (
        b"# one\nOAUTHKIT_UNIT=old\n# two\n",
        b"# one\nOAUTHKIT_UNIT=new\n# two\n",
    ),
    "twice": (b"OAUTHKIT_UNIT=a\nx\nOAUTHKIT_UNIT=b", b"OAUTHKIT_UNIT=new\nx\n"),
    "a comment": (b"#OAUTHKIT_UNIT=a\n", b"#OAUTHKIT_UNIT=a\nOAUTHKIT_UNIT=new\n"),
    "a longer name": (b"OAUTHKIT_UNITS=a\n", b"OAUTHKIT_UNITS=a\nOAUTHKIT_UNIT=new\n"),
    "CRLF and bad UTF-8": (b"# \xff\r\nA=\r\n", b"# \xff\r\nA=\r\nOAUTHKIT_UNIT=new\n"),
    "the same": (b"OAUTHKIT_UNIT=new\n", b"OAUTHKIT_UNIT=new\n"),
}


@pytest.mark.parametrize(("before", "after"), CONTENTS.values(), ids=CONTENTS)
def test_other_lines_are_kept(tmp_path: Path, before: bytes, after: bytes) -> None:
    assert with_settings(before, {"OAUTHKIT_UNIT": "new"}) == after
    file = tmp_path / CONF
    file.parent.mkdir(parents=True)
    file.write_bytes(after)
    with local.env():
        local.env.pop("OAUTHKIT_UNIT", "")
        read_settings(LocalPath(str(tmp_path)))
        assert local.env["OAUTHKIT_UNIT"] == "new"


VALUES = {
    "OAUTHKIT_UNIT": st.from_regex(r"[A-Za-z0-9_:.-]{1,80}", fullmatch=True),
    "OAUTHKIT_BEARER": st.text("ab/.-_=ü€ ", min_size=1, max_size=20),
    "OAUTHKIT_LIGHT": st.just("1"),
}
PIECES = (
    b"OAUTHKIT_UNIT=a\n",
    b"OAUTHKIT_BEARER=",
    b"OAUTHKIT_LIGHT",
    b"#",
    b"=",
    b" ",
    b"\r",
    b"\n",
    b"\xff",
)
LINES = st.lists(st.sampled_from(PIECES), max_size=12)


@given(LINES, st.fixed_dictionaries({}, optional=VALUES))
def test_any_settings_in_any_file(pieces: list[bytes], settings: dict[str, str]) -> None:
    """A refresh reads what was written. All other lines stay, and a second time changes nothing."""
    before = b"".join(pieces)
    assume(all(is_selected(value) for value in settings.values()))
    after = with_settings(before, settings)
    assert with_settings(after, settings) == after
    kept = [
        x for x in before.split(b"\n") if x.partition(b"=")[0].decode("latin-1") not in settings
    ]
    left = [x for x in after.split(b"\n") if x.partition(b"=")[0].decode("latin-1") not in settings]
    assert [x for x in left if x] == [x for x in kept if x]
    with tempfile.TemporaryDirectory() as project, local.env():
        (Path(project) / CONF).parent.mkdir(parents=True)
        (Path(project) / CONF).write_bytes(after)
        for name in settings:
            local.env.pop(name, "")
        read_settings(LocalPath(project))
        expected = dict(settings)
        if "OAUTHKIT_BEARER" in expected:  # relative to the project
            path = Path(project, expected["OAUTHKIT_BEARER"])
            expected["OAUTHKIT_BEARER"] = "/" + os.path.normpath(path).lstrip("/")
        assert {name: str(local.env[name]) for name in settings} == expected


@pytest.mark.parametrize(
    ("before", "why"),
    [
        (b"#\n" * LINE_LIMIT, f"more than {LINE_LIMIT} lines"),
        (b"a\0\n", "NUL byte"),
        (b"#" * 256 * 1024, "larger than 256 KiB"),
    ],
)
def test_a_file_that_a_refresh_would_not_read(before: bytes, why: str) -> None:
    with pytest.raises(HostError, match=rf"^refresh\.conf (?:has|contains a|is) {why}\b"):
        with_settings(before, {"OAUTHKIT_UNIT": "new"})
    if why.startswith("larger"):
        end = b"\nOAUTHKIT_UNIT=new\n"
        assert len(with_settings(before[len(end) :], {"OAUTHKIT_UNIT": "new"})) == len(before)
    if why.startswith("more"):
        assert with_settings(before[2:], {"OAUTHKIT_UNIT": "new"}).count(b"\n") == LINE_LIMIT


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("", "is empty"),
        ("a\nb", "contains a newline or a NUL byte"),
        ("a\r", "contains a newline or a NUL byte"),
        ("a\0", "contains a newline or a NUL byte"),
        ('"a"', "starts with a quote"),
        ("'a'", "starts with a quote"),
        ("~/a", "starts with ~"),
        ("/a$b", "contains $"),
        ("/a #b", "contains a space before #"),
        (" /a", "starts or ends with a space"),
        ("/a ", "starts or ends with a space"),
    ],
)
def test_value_that_cannot_be_written(value: str, why: str) -> None:
    for option, values in (("--bearer", (None, value)), ("--unit", (value, None))):
        with pytest.raises(UsageError, match=f"^{option}: the value .* {re.escape(why)}"):
            selected(*values, is_light=False)


def is_selected(value: str) -> bool:
    try:
        return selected(None, value, is_light=False) == {"OAUTHKIT_BEARER": value}
    except UsageError:
        return False


def is_read(project: Path, value: str) -> bool:
    """Return whether a refresh gets this value from refresh.conf."""
    (project / CONF).write_bytes(f"OAUTHKIT_LIGHT={value}\n".encode())
    with local.env():
        local.env.pop("OAUTHKIT_LIGHT", "")
        read_settings(LocalPath(str(project)))
        return local.env.get("OAUTHKIT_LIGHT", "") == value


def test_rejected_values_are_those_that_a_refresh_ignores(tmp_path: Path) -> None:
    (tmp_path / CONF).parent.mkdir(parents=True)
    texts = map("".join, itertools.product("a/ #$~'\"=\t\r\n\0", repeat=3))
    wrong = [x for x in texts if is_selected(x) != is_read(tmp_path, x)]
    assert wrong == []


@pytest.mark.parametrize("given", [("u", "/b", "dir:/s", True), (None, None, None, False)])
def test_options_that_select_the_settings(
    given: tuple[str | None, str | None, str | None, bool],
) -> None:
    unit, bearer, store, is_light = given
    settings = selected(unit, bearer, store=store, is_light=is_light)
    names = ["OAUTHKIT_UNIT", "OAUTHKIT_BEARER", "OAUTHKIT_STORE", "OAUTHKIT_LIGHT"]
    assert [*settings] == (names if is_light else [])
    words = ["--unit", "u", "--bearer", "/b", "--store", "dir:/s", "--light"]
    assert options(settings) == (words if is_light else [])


def test_url_that_is_not_that_of_a_store() -> None:
    with pytest.raises(UsageError, match=r"^--store: "):
        selected(None, None, store="http://x", is_light=False)


def test_file_that_cannot_be_inspected(ready: HostProject, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = find_paths(str(ready.project))
    closed = PathInfo("", "the directory is closed", "chmod u+x it")
    monkeypatch.setattr(settings_writer, "inspect_path", lambda _: closed)
    with pytest.raises(HostError, match=r"^the directory is closed: chmod u\+x it$"):
        settings_writer.write(paths, {"OAUTHKIT_UNIT": "mine"}, print)
    assert not (ready.project / CONF).exists()


def test_install_writes_settings_and_uses_them(ready: HostProject) -> None:
    (ready.project / "run").mkdir()
    done = ready.run("install", "--unit", "mine", "--bearer", "run/bearer", "--light")
    assert (done.returncode, done.stderr) == (0, "")
    file = ready.project / CONF
    text = "OAUTHKIT_UNIT=mine\nOAUTHKIT_BEARER=run/bearer\nOAUTHKIT_LIGHT=1\n"
    assert file.read_text("utf-8") == text
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert f"wrote {file}: OAUTHKIT_UNIT=mine, OAUTHKIT_BEARER=run/bearer" in done.stdout
    units = {unit.name for unit in (ready.home / ".config/systemd/user").iterdir()}
    assert units == {"mine-heal.service", "mine-heal.timer"}
    assert ready.status()["bearer"]["path"] == f"{ready.project}/run/bearer"
    file.chmod(0o600)
    inode = file.stat().st_ino
    assert f"{file} is up to date" in ready.run("install", "--unit", "mine").stdout
    assert file.stat().st_ino == inode
    other = str(ready.home / "b")
    ready.run("install", "--bearer", other)
    assert file.read_text("utf-8") == text.replace("run/bearer", other)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


MOVE = "choose another path. Run: {1}"
BEARERS = {
    ".env": "{0}/.env is the same file as .env: " + MOVE,
    "no/bearer": "{0}/no not found: mkdir -p {0}/no",
    "run/text": "{0}/run/text is not a bearer file. A refresh does not touch it: " + MOVE,
    "run/link": "{0}/run/link is a symbolic link. The bearer file must not be one: " + MOVE,
    "run": "{0}/run is not a file but a directory: mv {0}/run {0}/run.old",
}


@pytest.mark.parametrize("more", [[], ["--cron"]])
@pytest.mark.parametrize(("value", "problem"), BEARERS.items())
def test_bearer_file_that_a_refresh_would_reject_changes_nothing(
    ready: HostProject, value: str, problem: str, more: list[str]
) -> None:
    (ready.project / "run").mkdir()
    (ready.project / "run/text").write_text("A=1\n", "utf-8")
    (ready.project / "run/link").symlink_to(ready.project / "run/other")
    options = ["--bearer", value, "--unit", "mine", "--notify", "page", *more]
    done = ready.run("install", *options)
    assert (done.returncode, done.stdout) == (1, "")
    again = f"{command('install', ready.project, '--bearer')} PATH"
    text = problem.format(quoted(ready.project), again)
    assert done.stderr == f"oauthkit install: --bearer {value!r}: {text}\n"
    assert not (ready.project / "scripts").exists()
    assert not (ready.home / ".config").exists()


def test_git_ignores_the_bearer_file(ready: HostProject) -> None:
    (ready.project / "run").mkdir()
    ready.run("install", "--bearer", "run/bearer")
    assert not (ready.project / ".gitignore").exists()  # not a checkout
    (ready.project / ".git").mkdir()
    done = ready.run("install", "--bearer", "run/bearer")
    assert "wrote .gitignore\n" in done.stdout
    assert (ready.project / ".gitignore").read_text("utf-8") == "/.env.oauthkit.*\n/run/\n"
    assert ".gitignore" not in ready.run("install", "--bearer", "run/bearer").stdout


def test_earlier_bearer_file_is_accepted(ready: HostProject) -> None:
    (ready.project / "run").mkdir()
    (ready.project / "run/bearer").write_text('{"claudeAiOauth":{"accessToken":"old"}}\n', "utf-8")
    assert ready.run("install", "--bearer", "run/bearer").returncode == 0


def test_wrong_value_changes_nothing(ready: HostProject) -> None:
    done = ready.run("install", "--unit", "a b")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("oauthkit install: --unit: OAUTHKIT_UNIT is 'a b'")
    assert not (ready.project / CONF).exists()
    assert not (ready.home / ".config").exists()


def test_option_that_the_environment_would_override(ready: HostProject) -> None:
    done = ready.run("install", "--unit", "mine", OAUTHKIT_UNIT="other")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "oauthkit install: OAUTHKIT_UNIT is 'other' in this environment, which takes precedence"
        " over refresh.conf: unset OAUTHKIT_UNIT\n"
    )
    assert not (ready.project / CONF).exists()
    assert ready.run("install", "--unit", "mine", OAUTHKIT_UNIT="mine").returncode == 0


@pytest.mark.parametrize("suffix", [".timer", ".service"])
def test_name_with_a_suffix_is_the_name_without_it(ready: HostProject, suffix: str) -> None:
    directory = ready.home / ".config/systemd/user"
    for _ in range(2):
        assert ready.run("install", "--unit", f"mine{suffix}").returncode == 0
        names = {file.name for file in directory.iterdir()}
        assert names == {"mine-heal.service", "mine-heal.timer"}
    assert (ready.project / CONF).read_text("utf-8").endswith("OAUTHKIT_UNIT=mine\n")
    (directory / "mine-heal.service").write_text("[Unit]\n", "utf-8")
    done = ready.run("install", "--unit", f"mine{suffix}")
    assert (done.returncode, done.stdout) == (1, "")
    assert "was not written by oauthkit install" in done.stderr


def test_copies_of_units_are_kept(ready: HostProject) -> None:
    assert ready.run("install").returncode == 0
    directory = ready.home / ".config/systemd/user"
    copies = [directory / "notes.txt", directory / "mine.service"]
    for copy in copies:
        copy.write_bytes((directory / f"{UNIT}-heal.service").read_bytes())
    assert ready.run("install", "--unit", "other").returncode == 0
    assert ready.run("uninstall").returncode == 0
    assert sorted(directory.iterdir()) == sorted(copies)


def test_install_removes_units_with_an_earlier_name(ready: HostProject) -> None:
    (ready.project / "data/ipc").mkdir(parents=True)
    assert ready.run("install", "--watch").returncode == 0
    directory = ready.home / ".config/systemd/user"
    names = ("heal.service", "heal.timer", "watch.service")
    assert {file.name for file in directory.iterdir()} == {f"{UNIT}-{name}" for name in names}
    done = ready.run("install", "--cron", "--unit", "mine")
    assert (done.returncode, done.stdout) == (1, "")
    assert " is installed for this project, with an earlier unit name. " in done.stderr
    done = ready.run("install", "--unit", "mine")
    assert (done.returncode, done.stderr) == (0, "")
    for name in names:
        assert f"removed {directory / f'{UNIT}-{name}'}\n" in done.stdout
    # The watcher is kept, with the new name.
    assert {file.name for file in directory.iterdir()} == {f"mine-{name}" for name in names}


def test_invalid_name_in_the_file_is_replaced(ready: HostProject) -> None:
    file = ready.project / CONF
    file.parent.mkdir(parents=True)
    file.write_text("OAUTHKIT_UNIT=a b\n", "utf-8")
    assert "OAUTHKIT_UNIT is 'a b'" in ready.run("install").stderr
    assert ready.run("install", "--unit", "mine").returncode == 0
    assert file.read_text("utf-8") == "OAUTHKIT_UNIT=mine\n"


@pytest.mark.parametrize("kind", ["link", "directory", "FIFO"])
def test_other_kind_of_file_in_its_place(ready: HostProject, kind: str) -> None:
    file = ready.project / CONF
    file.parent.mkdir(parents=True)
    if kind == "link":
        target = ready.home / "other"
        target.write_text("A=1\n", "utf-8")
        file.symlink_to(target)
    elif kind == "directory":
        file.mkdir()
    else:
        os.mkfifo(file)
    done = ready.run("install", "--light")
    assert (done.returncode, done.stdout) == (1, "")
    said = "is a symbolic link" if kind == "link" else f"is not a file but a {kind}"
    assert done.stderr.startswith(f"oauthkit install: {file} {said}")
    if kind == "link":
        assert target.read_text("utf-8") == "A=1\n"


def test_only_the_crontab_line_is_printed(ready: HostProject) -> None:
    done = ready.run("install", "--cron", "--light")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("*/4 ")
    assert done.stdout.count("\n") == 1
    assert (ready.project / CONF).read_text("utf-8") == "OAUTHKIT_LIGHT=1\n"
