"""Settings of a project on the host: their values, their origins, and the bearer file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.support.host.doctor_host import examined, fake_manager
from tests.support.host.host_project import OTHER, TOKEN, UNIT, HostProject, command
from tests.support.host.run_host import renewing

from oauthkit.host.doctor import delivered
from oauthkit.host.project import find_paths
from oauthkit.host.status import bearer

if TYPE_CHECKING:
    from pathlib import Path

CONF = "scripts/oauth/refresh.conf"


def conf(host: HostProject, text: str) -> Path:
    file = host.project / CONF
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def bearer_of(host: HostProject, token: str = TOKEN, left_s: float = 5 * 3600) -> str:
    oauth = {"accessToken": token, "expiresAt": int((host.now_s + left_s) * 1000)}
    return json.dumps({"claudeAiOauth": oauth}, separators=(",", ":")) + "\n"


def settings(host: HostProject, **env: str) -> list[tuple[str, str, str]]:
    found = host.status(**env)["settings"]
    return [(x["name"], x["value"], x["origin"]) for x in found]


def test_defaults_are_not_shown(live: HostProject) -> None:
    assert settings(live) == []
    assert "Settings" not in live.run("status").stdout


def test_the_environment_precedes_the_file(live: HostProject) -> None:
    conf(live, f"# ours\nOAUTHKIT_UNIT=mine\nOAUTHKIT_DOTENV=.env\nOAUTHKIT_BEARER={live.home}/b\n")
    assert settings(live, OAUTHKIT_DOTENV="x/../y", OAUTHKIT_LIGHT="1", OAUTHKIT_UNIT="") == [
        ("OAUTHKIT_DOTENV", "/y", "environment"),
        ("OAUTHKIT_BEARER", f"{live.home}/b", "refresh.conf"),
        ("OAUTHKIT_UNIT", "mine", "refresh.conf"),
        ("OAUTHKIT_LIGHT", "1", "environment"),
    ]
    shown = live.run("status", OAUTHKIT_LIGHT="1").stdout
    assert "\nSettings  OAUTHKIT_DOTENV=" in shown
    assert "\n          OAUTHKIT_UNIT=mine (refresh.conf)" in shown
    assert "\n          OAUTHKIT_LIGHT=1 (environment)" in shown


def test_the_timer_is_that_of_the_file(live: HostProject) -> None:
    conf(live, "OAUTHKIT_UNIT=mine\n")
    live.timers({"mine.timer": 60, f"{UNIT}.timer": 30})
    assert live.status()["next_run"]["unit"] == "mine.timer"


@pytest.mark.parametrize(
    ("text", "env"),
    [
        ("OAUTHKIT_DOTENV=a/./b.env\nOAUTHKIT_LOG=../log/r.log\n", {}),
        ("OAUTHKIT_DOTENV=a/b.env\n", {"OAUTHKIT_DOTENV": "/{home}/c.env"}),
        ("OAUTHKIT_DOTENV=\nOAUTHKIT_LOG=a/r.log\r\nOAUTHKIT_DOTENV=a/x y\nOAUTHKIT_DOTENV=z", {}),
        ("CLAUDE_CONFIG_DIR=../home/.claude\nOAUTHKIT_BEARER=a/bearer\n", {}),
    ],
)  # fmt: skip
def test_a_refresh_resolves_them_the_same(
    live: HostProject, text: str, env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    host = renewing(live)
    env = {name: value.replace("/{home}", str(host.home)) for name, value in env.items()}
    conf(host, text)
    for directory in (host.project / "a", host.project.parent / "log"):
        directory.mkdir()
    host.dotenv.unlink()
    host.log.unlink()
    assert host.run("refresh", **env).returncode == 0
    monkeypatch.setenv("HOME", str(host.home))
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    paths = find_paths(str(host.project))
    assert paths.settings_problems == ()
    assert TOKEN in paths.dotenv.read_text("utf-8")
    assert "Updated .env" in paths.log.read_text("utf-8")
    assert (paths.bearer is None) == ("BEARER" not in text)
    if paths.bearer is not None:
        assert TOKEN in paths.bearer.read_text("utf-8")
    assert host.status(**env)["live"]


def test_bad_lines_are_reported_in_the_words_of_the_refresh(well: HostProject) -> None:
    file = conf(well, "OAUTHKIT_UNIT=mine\nNAME\nOAUTHKIT_NAME=x\nOAUTHKIT_LOG=~/x\n")
    said = [
        f"{file} line 2 is not NAME=VALUE and is ignored",
        f"{file} line 3 is ignored: there is no such setting",
        f"{file} line 4 is ignored: quotes and ~ have no meaning here",
    ]
    warnings = well.status()["warnings"]
    assert [x for x in warnings if str(file) in x] == said
    done = well.run("doctor")
    assert done.returncode == 1
    assert " ok   setting: OAUTHKIT_UNIT=mine, from refresh.conf\n" in done.stdout
    for text in said:
        assert f"FAIL  setting: {text}\n      fix: ${{EDITOR:-vi}} {file}\n" in done.stdout


@pytest.mark.parametrize("value", ["yes", "0", "true", "11"])
def test_light_setting_without_an_effect(well: HostProject, value: str) -> None:
    text = (
        f"note  setting: OAUTHKIT_LIGHT={value}, from {{}}: only 1 has an effect\n      fix: {{}}\n"
    )
    done = well.run("doctor", OAUTHKIT_LIGHT=value)
    assert text.format("environment", "unset OAUTHKIT_LIGHT") in done.stdout
    file = conf(well, f"OAUTHKIT_LIGHT={value}\n")
    done = well.run("doctor")
    assert text.format("refresh.conf", f"${{EDITOR:-vi}} {file}") in done.stdout
    assert done.returncode == 0
    conf(well, "OAUTHKIT_LIGHT=1\n")
    assert " ok   setting: OAUTHKIT_LIGHT=1, from refresh.conf\n" in well.run("doctor").stdout


def test_a_bearer_file_with_the_token(well: HostProject) -> None:
    file = well.home / "bearer"
    file.write_text(bearer_of(well), "utf-8")
    fake_manager(well, settings=f"OAUTHKIT_BEARER={file}")
    data = well.status(OAUTHKIT_BEARER=str(file))
    assert data["bearer"] == {"path": str(file), "problem": None, "carries_token": True}
    assert (data["live"], data["warnings"]) == (True, [])
    done = well.run("doctor", OAUTHKIT_BEARER=str(file))
    assert done.returncode == 0, done.stdout
    assert f" ok   bearer file: {file}\n" in done.stdout
    assert f" ok   bearer file's directory: {well.home}\n" in done.stdout
    assert f"\nBearer    has the token: {file}" in well.run(
        "status", OAUTHKIT_BEARER=str(file), COLUMNS="500"
    ).stdout  # fmt: skip


@pytest.mark.parametrize("token_and_life", [(OTHER, 5 * 3600), (TOKEN, 3600)])
def test_a_bearer_file_that_is_out_of_date(
    well: HostProject, token_and_life: tuple[str, float]
) -> None:
    file = well.home / "bearer"
    file.write_text(bearer_of(well, *token_and_life), "utf-8")
    conf(well, f"OAUTHKIT_BEARER={file}\n")
    data = well.status()
    assert (data["live"], data["bearer"]["carries_token"]) == (False, False)
    problem = f"the token or the expiry in {file} differs from the credentials'"
    refresh = command("refresh", well.project)
    assert data["warnings"] == [f"bearer file: {problem}: {refresh}"]
    assert examined(well)[1:] == (
        {"bearer file": "it does not have the credentials' token"},
        {"bearer file": command("refresh", well.project)},
    )


def test_two_tokens_in_dotenv_are_reported(well: HostProject) -> None:
    with well.dotenv.open("a", encoding="utf-8") as file:
        file.write(f"CLAUDE_CODE_OAUTH_TOKEN={TOKEN}\n")
    assert examined(well)[1:] == (
        {".env": "it sets CLAUDE_CODE_OAUTH_TOKEN more than once"},
        {".env": command("refresh", well.project)},
    )


def test_a_bearer_file_that_has_expired_with_the_login(well: HostProject) -> None:
    well.login(left_s=-60)
    file = well.home / "bearer"
    file.write_text(bearer_of(well, left_s=-60), "utf-8")
    conf(well, f"OAUTHKIT_BEARER={file}\n")
    assert examined(well)[1]["bearer file"] == "its token has expired"
    assert well.status()["live"] is False


@pytest.mark.parametrize("kind", ["credentials", "link", ".env", "copy", "text"])
def test_a_bearer_file_that_is_another_file(well: HostProject, kind: str) -> None:
    file = well.home / "bearer"
    said = {
        "credentials": "{} is Claude Code's credentials file",
        "link": "{} is Claude Code's credentials file",
        ".env": "{} is the same file as .env",
        "copy": "{} has a refresh token, so it is a login. A refresh does not touch it",
        "text": "{} is not a bearer file. A refresh does not touch it",
    }[kind]
    if kind == "credentials":
        file = well.credentials
    elif kind == ".env":
        file = well.dotenv
    elif kind == "link":
        file.symlink_to(well.credentials)
    else:
        file.write_bytes(well.credentials.read_bytes() if kind == "copy" else b"notes\n")
    conf(well, f"OAUTHKIT_BEARER={file}\n")
    again = command("install", well.project, "--bearer")
    assert examined(well)[1:] == (
        {"bearer file": said.format(file)},
        {"bearer file": f"choose another path. Run: {again} PATH"},
    )
    shown = well.status()["bearer"]
    assert (shown["carries_token"], shown["problem"]) == (False, said.format(file))


def test_a_bearer_file_whose_directory_is_missing_or_closed(well: HostProject) -> None:
    directory = well.home / "run"
    conf(well, f"OAUTHKIT_BEARER={directory}/bearer\n")
    _, failed, fixes = examined(well)
    assert failed["bearer file's directory"] == f"{directory} not found"
    assert fixes["bearer file's directory"] == f"mkdir -p {directory}"
    warning = f"the directory of {directory}/bearer does not exist. To see the fix, run: "
    assert well.status()["warnings"] == [warning + command("doctor", well.project)]
    directory.mkdir(mode=0o500)
    (directory / "bearer").write_text(bearer_of(well), "utf-8")
    well.without_override()
    _, failed, fixes = examined(well)
    assert failed == {
        "bearer file's directory": f"{directory} cannot be written, so runs that write there fail"
    }
    assert fixes["bearer file's directory"] == f"chmod u+wx {directory}"


def test_a_bearer_file_that_is_a_mount_point(
    well: HostProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No run can replace it."""
    file = well.home / "bearer"
    file.write_text(bearer_of(well), "utf-8")
    conf(well, f"OAUTHKIT_BEARER={file}\n")
    monkeypatch.setenv("HOME", str(well.home))
    monkeypatch.setattr(bearer, "is_mount_point", lambda path: str(path) == str(file))
    (found,) = delivered.bearer(find_paths(str(well.project)))
    assert found.text == f"{file} is a mount point and cannot be replaced"
    assert found.fix == "mount that file's directory instead"
