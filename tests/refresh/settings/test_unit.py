"""Settings, arguments and the project of a run in this process."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from plumbum import local
from tests.support.refresh.fake_host import HOUR_MS, TOKEN
from tests.support.refresh.whole_run import FRESH, SCHEDULED, TOKEN_LINE, UPDATED, run

from oauthkit.program import refresh, settings, start

if TYPE_CHECKING:
    from tests.support.refresh.fake_host import Host


USAGE = "usage: refresh.sh [--ensure | --rejected]"


def test_home_becomes_absolute(ready: Host) -> None:
    local.env["HOME"] = "x/../home"
    ready.credentials_are(TOKEN, HOUR_MS)
    assert run(ready) == 0
    assert local.env["HOME"] == str(ready.home)


@pytest.mark.parametrize("setting", [None, ""])
def test_no_directory_of_claude_is_set(ready: Host, setting: str | None) -> None:
    if setting is not None:
        local.env["CLAUDE_CONFIG_DIR"] = setting
    ready.credentials_are(TOKEN, HOUR_MS)
    assert run(ready) == 0
    assert "CLAUDE_CONFIG_DIR" not in local.env


def test_settings_move_every_file(ready: Host) -> None:
    host = ready
    local.env["CLAUDE_CONFIG_DIR"] = "x/../config"
    local.env["OAUTHKIT_DOTENV"] = "relative/.env"
    local.env["OAUTHKIT_LOG"] = str(host.root / "log" / "x.log")
    host.credentials = host.root / "config" / ".credentials.json"
    host.credentials.parent.mkdir()
    host.credentials.write_text("{}", encoding="utf-8")
    (host.root / "relative").mkdir()
    host.log_file = host.root / "log" / "x.log"
    host.credentials_are(TOKEN, HOUR_MS)
    assert run(host) == 0
    assert (host.root / "relative" / ".env").read_text(encoding="utf-8") == TOKEN_LINE
    assert (host.root / "log" / "oauth-refresh.lock").exists()
    assert host.lines() == [FRESH, UPDATED, SCHEDULED]
    assert not host.dotenv.exists()
    # Wherever the next run and claude start, these settings must mean the same files.
    carried = {
        "CLAUDE_CONFIG_DIR": str(host.root / "config"),
        "OAUTHKIT_DOTENV": str(host.root / "relative" / ".env"),
        "OAUTHKIT_LOG": str(host.log_file),
    }
    (timer,) = host.calls("systemd-run")
    assert [f"--setenv={name}={value}" for name, value in carried.items()] == [
        word for word in timer if word.startswith(("--setenv=CLAUDE", "--setenv=OAUTHKIT"))
    ]
    assert local.env["CLAUDE_CONFIG_DIR"] == carried["CLAUDE_CONFIG_DIR"]


@pytest.mark.parametrize("home", [None, ""])
def test_no_home(host: Host, home: str | None, capfd: pytest.CaptureFixture[str]) -> None:
    del local.env["HOME"]
    if home is not None:
        local.env["HOME"] = home
    assert run(host) == 1
    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("oauthkit: HOME is not set")
    assert captured.err.count("\n") == 1
    assert host.names() == []


@pytest.mark.parametrize(
    ("arguments", "status", "out", "err"),
    [
        (("--help",), 0, USAGE + "\n", ""),
        (("-h",), 0, USAGE + "\n", ""),
        (("--ensure", "--help"), 0, USAGE + "\n", ""),
        (("--wrong",), 2, "", f"oauthkit: unexpected argument --wrong\n{USAGE}\n"),
        (("--ensure", "--ensure"), 2, "", f"oauthkit: unexpected argument --ensure\n{USAGE}\n"),
        (("--ensure", ""), 2, "", f"oauthkit: unexpected argument \n{USAGE}\n"),
    ],
)
def test_command_line(
    host: Host,
    capfd: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    status: int,
    out: str,
    err: str,
) -> None:
    assert refresh.main(*arguments) == status
    assert capfd.readouterr() == (out, err)
    assert host.names() == []


def test_help_of_the_program_started_as_a_file() -> None:
    argv = [sys.executable, refresh.__file__, "--help"]
    done = subprocess.run(argv, env={}, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode() == f"{USAGE}\n"


@pytest.mark.parametrize("arguments", [(), ("--ensure",), ("--rejected",)])
def test_project_is_two_directories_above_the_script(
    host: Host, arguments: tuple[str, ...]
) -> None:
    calls: list[tuple[str, str]] = []

    def noted(project: str, mode: str) -> int:
        calls.append((str(project), mode))
        return 7

    script = host.project / "scripts" / "oauth" / "refresh.py"
    script.parent.mkdir(parents=True)
    script.touch()
    link = host.root / "link"
    link.symlink_to(script)
    host.monkeypatch.setattr("sys.argv", [str(link), *arguments])
    host.monkeypatch.setattr(refresh, "refresh", noted)
    assert refresh.main(*arguments) == 7
    assert calls == [(str(host.project), "".join(arguments).removeprefix("--"))]


def test_directory_that_is_not_a_project(host: Host, capfd: pytest.CaptureFixture[str]) -> None:
    host.monkeypatch.setattr("sys.argv", [str(host.root / "pro\aject/a/b/refresh.py")])
    assert refresh.main() == 2
    said = "is not a project. Move this script to a project's scripts/oauth"
    assert capfd.readouterr() == ("", f"oauthkit: {host.root}/pro?ject {said}\n")
    assert host.names() == []


@pytest.mark.parametrize("sign", [".env", "scripts/oauth", "package.json", ".git"])
def test_project_has_one_of_these(host: Host, sign: str) -> None:
    directory = host.path(host.root / "directory")
    (host.root / "directory/scripts").mkdir(parents=True)
    assert not start.is_project(directory)
    (host.root / "directory" / sign).symlink_to("missing")
    assert start.is_project(directory)


def test_variables_that_programs_must_not_get_are_removed(host: Host) -> None:
    local.env.update(dict.fromkeys([*OTHER_LOGINS, "OAUTHKIT_OUTPUT"], "x"), HOME=str(host.home))
    assert start.set_up() == 0
    assert [name for name in (*OTHER_LOGINS, "OAUTHKIT_OUTPUT") if name in local.env] == []


# --- refresh.conf ---

PATHS = (
    "CLAUDE_CONFIG_DIR", "OAUTHKIT_DOTENV", "OAUTHKIT_BEARER", "OAUTHKIT_LOG",
    "OAUTHKIT_STORE_RECIPIENTS", "OAUTHKIT_STORE_IDENTITY",
    "ETCDCTL_CACERT", "ETCDCTL_CERT", "ETCDCTL_KEY",
)  # fmt: skip
TEXTS = ("OAUTHKIT_UNIT", "OAUTHKIT_LIGHT", "OAUTHKIT_STORE", "OAUTHKIT_HOST")
OTHER_LOGINS = (
    "CLAUDE_CODE_OAUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN_FILE_DESCRIPTOR",
    "CLAUDE_CODE_OAUTH_REFRESH_TOKEN", "ANTHROPIC_API_KEY", "CLAUDE_CODE_API_KEY_FILE_DESCRIPTOR",
    "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_SIMPLE", "CLAUDECODE",
)  # fmt: skip


def read_conf(host: Host, content: bytes | None) -> list[str]:
    """Read refresh.conf; return the errors without its path."""
    file = host.project / "scripts/oauth/refresh.conf"
    file.parent.mkdir(parents=True)
    if content is not None:
        file.write_bytes(content)
    errors = settings.read_settings(host.path(host.project))
    assert errors == "" or errors.endswith("\n")
    return [line.removeprefix(str(file)) for line in errors.splitlines()]


@pytest.mark.parametrize("name", PATHS)
def test_relative_path_in_the_environment(host: Host, name: str) -> None:
    local.env[name] = "a/../b"
    settings.make_absolute(".")
    assert local.env[name] == str(host.root / "b")
    assert [path for path in PATHS if path in local.env] == [name]


@pytest.mark.parametrize("name", PATHS)
def test_empty_path_in_the_environment(host: Host, name: str) -> None:
    assert host.root.exists()
    local.env[name] = ""
    settings.make_absolute(".")
    assert local.env.get(name, "") == ""


@pytest.mark.parametrize("name", [*PATHS, *TEXTS])
def test_default_of_a_setting(host: Host, name: str) -> None:
    file = host.path(host.project / "refresh.conf")
    assert settings.read_setting(f"{name}=some/../x", file, 1) == ""
    assert local.env[name] == "some/../x"
    assert settings.read_setting(f"{name}=y", file, 1) == ""
    assert local.env[name] == "some/../x"


@pytest.mark.parametrize("name", [*PATHS, *TEXTS])
def test_path_in_the_file_starts_in_the_project(host: Host, name: str) -> None:
    assert read_conf(host, f"{name}=some/../x\n".encode()) == []
    assert local.env[name] == ("some/../x" if name in TEXTS else str(host.project / "x"))


@pytest.mark.parametrize("name", PATHS)
def test_absolute_path_in_the_file(host: Host, name: str) -> None:
    assert read_conf(host, f"{name}=/a/../y\n".encode()) == []
    assert local.env[name] == "/y"


@pytest.mark.parametrize("name", ["", "PATH", "OAUTHKIT_X", "oauthkit_unit", "OAUTHKIT_UNIT "])
def test_unknown_setting(host: Host, name: str) -> None:
    file = host.path(host.project / "refresh.conf")
    before = dict(local.env)
    error = f"{file} line 1 is ignored: there is no such setting\n"
    assert settings.read_setting(f"{name}=x", file, 1) == error
    assert dict(local.env) == before


@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
def test_lines_of_the_file(host: Host, end: str) -> None:
    lines = ["# OAUTHKIT_UNIT=no", "", "OAUTHKIT_UNIT=a=b", "OAUTHKIT_DOTENV=", "OAUTHKIT_LOG=l"]
    text = ("\r\n" if end == "\r\n" else "\n").join(lines) + end
    assert read_conf(host, text.encode()) == []
    assert local.env["OAUTHKIT_UNIT"] == "a=b"
    assert "OAUTHKIT_DOTENV" not in local.env
    assert local.env["OAUTHKIT_LOG"] == str(host.project / "l")


@pytest.mark.parametrize(
    ("content", "errors"),
    [
        (None, []),
        (b"", []),
        (b"x", [" line 1 is not NAME=VALUE and is ignored"]),
        (b"\n\nx=1\nOAUTHKIT_UNIT=u", [" line 3 is ignored: there is no such setting"]),
        (b"x=", [" line 1 is ignored: there is no such setting"]),
        (b"OAUTHKIT_STORE_IDENTITY=", [" line 1 is ignored: it has no value"]),
        *(
            (line + b"\n", [" line 1 is ignored: quotes and ~ have no meaning here"])
            for line in (b'OAUTHKIT_LIGHT="1"', b"OAUTHKIT_LIGHT='1'", b"OAUTHKIT_LIGHT=~")
        ),
        *(
            (
                b"OAUTHKIT_LIGHT=" + value,
                [" line 1 is ignored: it has $, a comment or extra spaces"],
            )
            for value in (b"$1", b"1 #", b" 1", b"1 ")
        ),
        (b"OAUTHKIT_LIGHT=1\n\0", [" has a NUL byte and is ignored"]),
        (b"#" * (256 * 1024 + 1), [" is larger than 256 KiB and is ignored"]),
        (b"\n" * 200, []),
        (b"\n" * 200 + b"OAUTHKIT_LIGHT=1\n", [": only the first 200 lines are read"]),
        (b"\n" * 199 + b"x\n", [" line 200 is not NAME=VALUE and is ignored"]),
        (b"x\ny\n", [f" line {n} is not NAME=VALUE and is ignored" for n in (1, 2)]),
    ],
)
def test_errors_of_the_file(host: Host, content: bytes | None, errors: list[str]) -> None:
    assert read_conf(host, content) == errors
    assert "OAUTHKIT_LIGHT" not in local.env


@pytest.mark.parametrize("is_link", [False, True])
def test_directory_or_dangling_link(host: Host, *, is_link: bool) -> None:
    file = host.project / "scripts/oauth/refresh.conf"
    file.parent.mkdir(parents=True)
    file.symlink_to("nowhere") if is_link else file.mkdir()
    problem = f"{file} cannot be read and is ignored\n"
    assert settings.read_settings(host.path(host.project)) == problem


def test_errors_of_the_file_are_logged(ready: Host) -> None:
    host = ready
    file = host.project / "scripts/oauth/refresh.conf"
    file.parent.mkdir(parents=True)
    file.write_text("x\nOAUTHKIT_UNIT=mine\n", encoding="ascii")
    host.dotenv.touch(0o600)
    host.credentials_are(TOKEN, HOUR_MS)
    assert run(host) == 0
    warning = f"WARN: {file} line 1 is not NAME=VALUE and is ignored"
    assert host.lines() == [warning, FRESH, UPDATED, SCHEDULED]
    (timer,) = host.calls("systemd-run")
    assert "--unit=mine" in timer
    assert not any("OAUTHKIT_UNIT" in word for word in timer)
