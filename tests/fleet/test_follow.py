"""Follow a store: which token is delivered, and how damaged records are handled."""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from plumbum import LocalPath
from tests.support.refresh.world import LOG

from oauthkit.program import directory

if TYPE_CHECKING:
    from tests.support.refresh.world import Parity, RefreshRun

    from oauthkit.parity import Form

HOUR_S = 3600
NOW = "2026-01-02T03:04:05+00:00"
STATE = "logs/oauth-refresh.followed"
EMPTY = "is empty"
LARGE = "is larger than 64 KiB"
FAILING = "logs/oauth-refresh.failing"


def token(name: str) -> str:
    return f"sk-ant-oat01-made-up-{name}"


def publish(parity: Parity, name: str, left_s: int, **changes: Any) -> None:
    """Write the record of a host whose token has this much time left."""
    values = {
        "version": 1,
        "host": name,
        "access_token": token(name),
        "expires_at_ms": (parity.now_s + left_s) * 1000,
        "issued_at_ms": parity.now_s * 1000,
        "scopes": ["user:inference"],
        "subscription_type": "max",
        **changes,
    }
    parity.file(f"~/store/{name}.json", json.dumps(values) + "\n", 0o600)


def follow(parity: Parity, exit_code: int = 0, mode: str = "--once") -> RefreshRun:
    """Follow the store once. The log of earlier runs is deleted."""
    parity.delete(LOG)
    run = parity.run(mode)
    assert (run.exit_code, run.stdout, run.stray_stderr) == (exit_code, "", "")
    assert run.stderr.count("\n") == sum(line.startswith("ERROR") for line in run.messages)
    assert b"sk-ant" not in run.log.encode("utf-8", "surrogateescape")
    return run


def has(parity: Parity, host: str) -> None:
    """Follow the store, and assert that .env has this host's token."""
    assert follow(parity).dotenv == f"CLAUDE_CODE_OAUTH_TOKEN={token(host)}\n"


def without_override(form: Form) -> Form:
    """Return the form without root's right to read every file."""
    setpriv, rights = shutil.which("setpriv"), "-dac_override,-dac_read_search"
    assert setpriv is not None
    wrapper = [setpriv, f"--bounding-set={rights}", f"--inh-caps={rights}"] * (os.geteuid() == 0)
    return replace(form, argv=lambda world: [*wrapper, *form.argv(world)])


# --- Which token is delivered --------------------------------------------------------------------


def test_token_and_bearer_file_are_delivered(follower: Parity) -> None:
    follower.directory("bearer")
    follower.env["OAUTHKIT_BEARER"] = f"{follower.project}/bearer/.credentials.json"
    publish(follower, "a", 8 * HOUR_S)
    run = follow(follower)
    expires_at = (follower.now_s + 8 * HOUR_S) * 1000
    assert run.dotenv == f"CLAUDE_CODE_OAUTH_TOKEN={token('a')}\n"
    assert json.loads(run.files["bearer/.credentials.json"].content) == {
        "claudeAiOauth": {
            "accessToken": token("a"), "expiresAt": expires_at,
            "scopes": ["user:inference"], "subscriptionType": "max",
        }
    }  # fmt: skip
    assert run.files[STATE].content == str(expires_at).encode()
    assert run.files[STATE].mode == 0o600


def test_state_that_cannot_be_replaced_is_kept(follower: Parity) -> None:
    publish(follower, "a", 2 * HOUR_S)
    old = follow(follower).files[STATE].content
    publish(follower, "a", 0)
    publish(follower, "b", 8 * HOUR_S)
    moved = re.compile(r".*/oauth-refresh\.followed\.oauthkit\.\d+")
    follower.forward("mv").when("-f", "-T", moved, ...).fails()
    run = follow(follower)
    assert run.dotenv == f"CLAUDE_CODE_OAUTH_TOKEN={token('b')}\n"
    assert run.files[STATE].content == old
    run = follow(follower)
    assert run.files[STATE].content == str((follower.now_s + 8 * HOUR_S) * 1000).encode()
    assert [name for name in run.files if name.startswith(STATE)] == [STATE]


def test_token_with_the_longest_life_is_delivered(follower: Parity) -> None:
    for host, left_s in (("a", 1), ("b", 3), ("c", 2)):
        publish(follower, host, left_s * HOUR_S)
    has(follower, "b")


def test_first_host_by_name_wins_if_expiries_are_equal(follower: Parity) -> None:
    for host in ("b", "a", "c"):
        publish(follower, host, HOUR_S)
    has(follower, "a")


def test_current_token_stays_while_it_has_more_than_30_min_left(follower: Parity) -> None:
    publish(follower, "a", HOUR_S)
    has(follower, "a")
    publish(follower, "b", 8 * HOUR_S)
    has(follower, "a")
    follower.set_clock(follower.now_s + HOUR_S // 2 - 1)
    has(follower, "a")
    follower.set_clock(follower.now_s + 1)
    has(follower, "b")


def test_current_token_without_a_record_is_replaced(follower: Parity) -> None:
    publish(follower, "a", 8 * HOUR_S)
    has(follower, "a")
    follower.delete("~/store/a.json")
    publish(follower, "b", HOUR_S)
    has(follower, "b")


def test_token_with_5_min_left_is_not_delivered(follower: Parity) -> None:
    publish(follower, "a", 300)
    run = follow(follower, 1)
    assert ".env" not in run.files
    follower.set_clock(follower.now_s - 1)
    has(follower, "a")


def test_record_from_the_future_is_ignored(follower: Parity) -> None:
    issued_at_ms = (follower.now_s + 301) * 1000
    publish(follower, "a", 8 * HOUR_S, issued_at_ms=issued_at_ms)
    publish(follower, "b", HOUR_S, issued_at_ms=issued_at_ms - 1000)
    run = follow(follower)
    assert run.dotenv == f"CLAUDE_CODE_OAUTH_TOKEN={token('b')}\n"
    problem = (
        f"the record of a was issued at 2026-01-02T03:09:06+00:00, but this host's time is {NOW}"
    )
    assert run.messages[0] == f"ERROR: {problem}"


# --- A store without a live token ----------------------------------------------------------------


@pytest.mark.parametrize("is_away", [False, True])
def test_last_token_stays_while_it_is_live(follower: Parity, *, is_away: bool) -> None:
    publish(follower, "a", HOUR_S)
    expires_at = (follower.now_s + HOUR_S) * 1000
    has(follower, "a")
    problem = f"dir:{follower.home}/store has no record of a live token"
    if is_away:
        follower.delete("~/store")
        problem = f"the store {follower.home}/store is not a directory. Create or mount it"
    else:
        follower.delete("~/store/a.json")
    run = follow(follower)
    assert run.messages == [
        f"WARN: {problem}. The token in .env is still live (expires_at={expires_at})"
    ]
    assert follow(follower).messages == []  # one warning is enough
    follower.set_clock(follower.now_s + HOUR_S - 61)
    assert follow(follower).messages == []
    follower.set_clock(follower.now_s + 1)
    run = follow(follower, 1)
    assert run.messages == [f"ERROR: {problem}"]
    assert FAILING in run.files
    assert run.dotenv == f"CLAUDE_CODE_OAUTH_TOKEN={token('a')}\n"

    follower.directory("~/store", 0o700)
    publish(follower, "b", HOUR_S)
    has(follower, "b")


def test_renewal_of_a_single_publisher_is_not_a_failure(follower: Parity) -> None:
    """It renews when 5 min are left. Until then, no record can be delivered."""
    publish(follower, "a", HOUR_S)
    has(follower, "a")
    follower.set_clock(follower.now_s + HOUR_S - 5 * 60)
    run = follow(follower)
    assert [line.partition(":")[0] for line in run.messages] == ["WARN"]
    assert FAILING not in run.files
    publish(follower, "a", 8 * HOUR_S, access_token=token("new"))
    run = follow(follower)
    assert run.dotenv == f"CLAUDE_CODE_OAUTH_TOKEN={token('new')}\n"


def test_hooks_run_for_failure_renewal_and_recovery(follower: Parity) -> None:
    for event in ("renewed", "failed", "recovered"):
        text = '#!/bin/sh\nprintf "%s\\n" "$OAUTHKIT_EVENT $OAUTHKIT_REASON" >>"$HOME/events"\n'
        follower.file(f"scripts/oauth/hooks/{event}", text, 0o755)
    follow(follower, 1)
    publish(follower, "a", HOUR_S)
    run = follow(follower)
    problem = f"dir:{follower.home}/store has no record of a live token"
    assert run.files["~/events"].content == f"failed {problem}\nrenewed \nrecovered \n".encode()


def test_token_that_is_kept_is_masked(follower: Parity) -> None:
    """A token from a store need not begin with sk-ant-."""
    publish(follower, "a", 305, access_token="made-up-token-of-another-kind")
    follower.file(
        "scripts/oauth/hooks/failed", '#!/bin/sh\ncat "$OAUTHKIT_DOTENV"; exit 1\n', 0o755
    )
    follow(follower)
    follower.delete("~/store/a.json")
    run = follow(follower, 1, "--rejected")
    assert run.messages[-1] == "hook 'failed': CLAUDE_CODE_OAUTH_TOKEN=***"


@pytest.mark.parametrize("mode", ["--once", "--rejected"])
def test_state_that_leads_to_the_login_gives_nothing_away(follower: Parity, mode: str) -> None:
    """Another user who can write to logs replaces the follower's state with a link."""
    text = '#!/bin/sh\nprintf "%s\\n" "$OAUTHKIT_EXPIRES_AT" >"$HOME/expiry"\n'
    follower.file("scripts/oauth/hooks/failed", text, 0o755)
    login = '{"claudeAiOauth":{"accessToken":"sk-ant-oat01-x","refreshToken":"sk-ant-ort01-x"}}'
    follower.file("~/other/.credentials.json", login, 0o600)
    follower.file("logs/oauth-refresh.log", "", 0o600)
    follower.symlink(STATE, follower.home / "other/.credentials.json")
    run = follow(follower, 1, mode)
    assert run.files["~/expiry"].content == b"\n"
    assert "logs/oauth-refresh.rejected" not in run.files


# --- A token that the API refuses ----------------------------------------------------------------


def test_rejected_token_is_replaced_by_one_with_a_shorter_life(follower: Parity) -> None:
    publish(follower, "a", 8 * HOUR_S)
    publish(follower, "b", HOUR_S // 3)
    has(follower, "a")
    run = follow(follower, mode="--rejected")
    assert run.dotenv == f"CLAUDE_CODE_OAUTH_TOKEN={token('b')}\n"
    has(follower, "b")  # a is not selected again, although it expires last


def test_rejected_token_stays_without_another(follower: Parity) -> None:
    for event in ("failed", "recovered"):
        text = '#!/bin/sh\nprintf "%s\n" "$OAUTHKIT_EVENT" >>"$HOME/events"\n'
        follower.file(f"scripts/oauth/hooks/{event}", text, 0o755)
    publish(follower, "a", 8 * HOUR_S)
    has(follower, "a")
    error = (
        f"ERROR: the API refuses the token in .env, and dir:{follower.home}/store has no record of"
        " a live token"
    )
    for mode in ("--rejected", "--once"):
        run = follow(follower, 1, mode)
        assert run.messages[0] == error
        assert run.dotenv == f"CLAUDE_CODE_OAUTH_TOKEN={token('a')}\n"
    publish(follower, "a", 9 * HOUR_S, access_token=token("new"))
    run = follow(follower)
    assert run.dotenv == f"CLAUDE_CODE_OAUTH_TOKEN={token('new')}\n"
    assert run.files["~/events"].content == b"failed\nrecovered\n"


def test_rejected_token_is_an_error_while_the_store_is_missing(follower: Parity) -> None:
    publish(follower, "a", 8 * HOUR_S)
    has(follower, "a")
    follower.delete("~/store")
    run = follow(follower, 1, "--rejected")
    problem = f"the store {follower.home}/store is not a directory. Create or mount it"
    assert run.messages == [f"ERROR: the API refuses the token in .env, and {problem}"]


def test_report_without_a_delivered_token_delivers_one(follower: Parity) -> None:
    publish(follower, "a", HOUR_S)
    follower.dotenv("CLAUDE_CODE_OAUTH_TOKEN=other\n")
    run = follow(follower, mode="--rejected")
    assert run.dotenv == f"CLAUDE_CODE_OAUTH_TOKEN={token('a')}\n"


# --- Damaged records -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", EMPTY),
        ("\0\n", "is not a JSON object"),
        ("x", "is not a JSON object"),
        ("[]", "is not a JSON object"),
        ("{}\n{}\n", "is not a JSON object"),
        ("{}", "has an unsupported version"),
        ({"version": 2}, "has an unsupported version"),
        ({"version": "1"}, "has an unsupported version"),
        ({"host": "a"}, "is for another host"),
        ({"host": "../b"}, "is for another host"),
        ({"expires_at_ms": None}, "has no valid expires_at_ms"),
        ({"expires_at_ms": "9"}, "has no valid expires_at_ms"),
        ({"expires_at_ms": 1e30}, "has no valid expires_at_ms"),
        ({"issued_at_ms": -1}, "has no valid issued_at_ms"),
        ({"issued_at_ms": [0]}, "has no valid issued_at_ms"),
        ({"access_token": ""}, "has no valid access_token"),
        ({"access_token": "a\nB=1"}, "has no valid access_token"),
        ({"access_token": "a\n"}, "has no valid access_token"),
        ({"scopes": {"refreshToken": 1}}, "has no valid scopes"),
        ({"scopes": ["refreshToken"]}, "has no valid scopes"),
        ({"scopes": [1]}, "has no valid scopes"),
        ({"subscription_type": "a\n"}, "has no valid subscription_type"),
        ({"access_token": "a$(id)"}, "has no valid access_token"),
        ({"access_token": 7}, "has no valid access_token"),
        # Long values make the script slow.
        ({"access_token": "a" * 4097}, "has no valid access_token"),
        ({"scopes": ["a"] * 65}, "has no valid scopes"),
        ("x" * 65 * 1024, LARGE),
        ("x" * 2 * 1024 * 1024, LARGE),
    ],
)
def test_damaged_record_is_reported_and_others_are_used(
    follower: Parity, content: str | dict[str, Any], problem: str
) -> None:
    publish(follower, "a", HOUR_S)
    if isinstance(content, str):
        follower.file("~/store/b.json", content, 0o600)
    else:
        publish(follower, "b", 8 * HOUR_S, **content)
    run = follow(follower)
    assert run.dotenv == f"CLAUDE_CODE_OAUTH_TOKEN={token('a')}\n"
    record = "the record b.json" if problem in {LARGE, EMPTY} else "the record of b"
    errors = [line for line in run.messages if line.startswith("ERROR")]
    assert errors == [f"ERROR: {record} {problem} and is ignored"]


@pytest.mark.parametrize("name", ["b .json", ".b.json", "-b.json", "b\n.json", "b", "b.json.tmp"])
def test_file_with_another_name_is_ignored(follower: Parity, name: str) -> None:
    publish(follower, "a", HOUR_S)
    values = json.dumps({"version": 1, "host": name.removesuffix(".json")})
    follower.file(f"~/store/{name}", values, 0o600)
    run = follow(follower)
    expires_at = (follower.now_s + HOUR_S) * 1000
    assert run.messages == [f"Updated .env with token (expires_at={expires_at})"]


def test_fractional_time_is_truncated(follower: Parity) -> None:
    publish(follower, "a", HOUR_S, expires_at_ms=(follower.now_s + HOUR_S) * 1000 + 0.5)
    has(follower, "a")


def test_record_without_a_final_newline_does_not_affect_another(follower: Parity) -> None:
    follower.file("~/store/0.json", "7", 0o600)
    publish(follower, "a", HOUR_S)
    follower.file("~/store/b.json", "x", 0o600)
    has(follower, "a")


def test_unreadable_record_is_ignored(follower: Parity) -> None:
    publish(follower, "a", HOUR_S)
    follower.file("~/store/b.json", "{}", 0)
    for name, form in follower.forms.items():
        follower.forms[name] = without_override(form)
    run = follow(follower)
    assert run.messages[0] == "ERROR: the record b.json cannot be read and is ignored"
    assert run.dotenv == f"CLAUDE_CODE_OAUTH_TOKEN={token('a')}\n"


@pytest.mark.parametrize("target", ["b.json", "nowhere", "/proc/self/pagemap", "/dev/null"])
def test_wrong_link_does_not_affect_other_records(follower: Parity, target: str) -> None:
    publish(follower, "a", HOUR_S)
    follower.symlink("~/store/b.json", target)
    has(follower, "a")


@pytest.mark.parametrize("name", ["find", "jq"])
def test_store_that_hangs_is_an_error(follower: Parity, name: str) -> None:
    publish(follower, "a", HOUR_S)
    has(follower, "a")
    follower.shortens_time_limits(3)
    follower.remove(name)
    follower.tool(name, Path(__file__).with_name("hangs.sh"))
    run = follow(follower)
    what = {"find": f"{follower.home}/store", "jq": f"the records in dir:{follower.home}/store"}
    assert run.messages[0].startswith(f"WARN: {what[name]} cannot be read ({name} exit 124). ")


def test_records_of_the_future_hide_no_other(follower: Parity) -> None:
    publish(follower, "a", HOUR_S)
    for number in range(101):
        issued_at_ms = (follower.now_s + HOUR_S) * 1000
        publish(follower, f"host-{number}", 2 * HOUR_S, issued_at_ms=issued_at_ms)
    has(follower, "a")


def test_file_that_has_grown_does_not_fill_the_memory(follower: Parity, tmp_path: Path) -> None:
    publish(follower, "a", HOUR_S)
    has(follower, "a")
    with (tmp_path / "large").open("wb") as file:
        file.truncate(1536 * 1024 * 1024)
    follower.symlink("~/store/b.json", str(tmp_path / "large"))
    # As if it had been small when find saw it.
    follower.remove("find")
    follower.tool("find", Path(__file__).with_name("finds_b.sh"))
    run = follow(follower)
    problem = f"the records in dir:{follower.home}/store cannot be read (jq exit "
    assert run.messages[0].startswith(f"WARN: {problem}")


def test_damaged_records_do_not_fill_the_log(follower: Parity) -> None:
    publish(follower, "a", HOUR_S)
    for number in range(25):
        follower.file(f"~/store/b{number}.json", "x", 0o600)
        follower.file(f"~/store/c{number}.json", "", 0o600)
    run = follow(follower)
    assert run.dotenv == f"CLAUDE_CODE_OAUTH_TOKEN={token('a')}\n"
    errors = [line for line in run.messages if line.startswith("ERROR")]
    assert sum("is empty" in line for line in errors) == 20
    assert sum("is not a JSON object" in line for line in errors) == 20


@pytest.mark.parametrize(("count", "status"), [(1999, 0), (2000, 1)])
def test_number_of_records_is_limited(follower: Parity, count: int, status: int) -> None:
    publish(follower, "a", HOUR_S)
    for number in range(count):
        follower.file(f"~/store/{number}.json", "", 0o600)
    run = follow(follower, status)
    if status:
        assert run.messages[0] == f"ERROR: {follower.home}/store has more than 2000 records"


@pytest.mark.parametrize(("count", "is_listed"), [(2000, True), (3100, False)])
def test_long_listing_is_not_parsed(tmp_path: Path, count: int, *, is_listed: bool) -> None:
    """Reading a long listing line by line is slow in bash: 60 s for 30,000 files."""
    for number in range(count):
        (tmp_path / f"{number:080}.json").touch()
    problem, files = directory.list_directory(LocalPath(str(tmp_path)))
    assert (problem == "", len(files.splitlines())) == (is_listed, count if is_listed else 0)
    assert is_listed or problem == f"{tmp_path} has more than 2000 records"


def test_long_listing_is_not_kept(follower: Parity, tmp_path: Path) -> None:
    """It would fill the memory: find ends when it cannot write more."""
    text = "#!/bin/bash\nfor ((n = 0; n < 20000; n++)); do printf '%080d.json\\n' $n; done\n"
    find = tmp_path / "find"
    find.write_text(f'{text}: >"$HOME/printed"\n', "utf-8")
    find.chmod(0o755)
    follower.tool("find", find)
    run = follow(follower, 1)
    assert run.messages[0] == f"ERROR: {follower.home}/store has more than 2000 records"
    assert "~/printed" not in run.files


def test_state_of_a_large_directory_is_limited(tmp_path: Path) -> None:
    for number in range(3100):
        (tmp_path / f"{number:080}.json").touch()
    assert len(directory.directory_state(LocalPath(str(tmp_path)))) == 5 * 65536


def test_state_has_only_records(tmp_path: Path) -> None:
    """Other files could use up its limit."""
    for name in ("a.json", "a b.json", "a.txt"):
        (tmp_path / name).touch()
    state = directory.directory_state(LocalPath(str(tmp_path)))
    assert [line.partition(" ")[0] for line in state.splitlines()] == ["a.json"]


def test_token_that_was_not_delivered_does_not_serve(follower: Parity) -> None:
    publish(follower, "a", HOUR_S)
    follower.dotenv("A=\0\n")
    follow(follower, 1)
    follower.delete("~/store/a.json")
    follow(follower, 1)


def test_removed_dotenv_has_no_token_that_could_stay(follower: Parity) -> None:
    publish(follower, "a", HOUR_S)
    has(follower, "a")
    follower.delete(".env")
    follower.delete("~/store/a.json")
    follow(follower, 1)


def test_thousand_records(follower: Parity) -> None:
    for number in range(1000):
        publish(follower, f"host-{number}", HOUR_S + number)
    has(follower, "host-999")


@pytest.mark.parametrize("name", ["find", "jq"])
def test_missing_tool(follower: Parity, name: str) -> None:
    publish(follower, "a", HOUR_S)
    follower.remove(name)
    run = follow(follower, 1)
    problem = {
        "find": f"{follower.home}/store cannot be read (find exit 127)",
        "jq": "jq not found in PATH. It is needed to read the records",
    }[name]
    assert run.messages[0] == f"ERROR: {problem}"


def test_secret_mounted_by_kubernetes_is_a_store(follower: Parity) -> None:
    publish(follower, "a", HOUR_S)
    follower.directory("~/store/..2026")
    content = json.dumps({})
    follower.file("~/store/..2026/b.json", content, 0o600)
    follower.symlink("~/store/..data", "..2026")
    follower.symlink("~/store/b.json", "..data/b.json")
    run = follow(follower)
    assert run.messages[0] == "ERROR: the record of b has an unsupported version and is ignored"


def test_store_is_set_in_refresh_conf(follower: Parity) -> None:
    store = follower.env.pop("OAUTHKIT_STORE")
    follower.file("scripts/oauth/refresh.conf", f"OAUTHKIT_STORE={store}\n")
    publish(follower, "a", HOUR_S)
    has(follower, "a")


def test_store_is_not_set(follower: Parity) -> None:
    del follower.env["OAUTHKIT_STORE"]
    assert follow(follower, 1).messages[0] == "ERROR: OAUTHKIT_STORE is not set"


def test_follower_without_a_store_ends(follower: Parity) -> None:
    del follower.env["OAUTHKIT_STORE"]
    run = follower.run()
    assert (run.exit_code, run.messages) == (1, ["ERROR: OAUTHKIT_STORE is not set"])


def test_follower_without_sleep_ends(follower: Parity) -> None:
    publish(follower, "a", HOUR_S)
    follower.remove("sleep")
    run = follower.run()
    assert (run.exit_code, run.stderr) == (1, "oauthkit: sleep failed (exit 127)\n")
    assert run.dotenv == f"CLAUDE_CODE_OAUTH_TOKEN={token('a')}\n"


@pytest.mark.parametrize(
    ("arguments", "status"), [(["--help"], 0), (["-h"], 0), (["--twice"], 2), (["--once", "x"], 2)]
)
def test_command_line_of_the_script(follower: Parity, arguments: list[str], status: int) -> None:
    follower.forms = {"bash": follower.forms["bash"]}
    run = follower.run(*arguments)
    usage = "usage: follow.sh [--once | --rejected]\n"
    assert run.exit_code == status
    assert (run.stdout if status == 0 else run.stderr.partition("\n")[2]) == usage
