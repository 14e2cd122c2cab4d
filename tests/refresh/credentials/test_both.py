"""Step 2: credentials are read, or rejected with a specific ERROR."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest
from tests.support.refresh.credentials import IN_8_H_MS, LOCK, NOW_MS, accept, oauth, refuse
from tests.support.refresh.world import CREDENTIALS, LOG

if TYPE_CHECKING:
    from tests.support.refresh.world import Parity, RefreshRun

    from oauthkit.parity import World

NOT_FOUND = "{credentials} not found"
NO_OBJECT = "no claudeAiOauth object in {credentials}"
NO_TOKEN = "no accessToken in credentials"
BAD_TOKEN = "accessToken in credentials has a character that tokens do not contain"
TWO_DOCUMENTS = "{credentials} holds more than one JSON document"
NO_JSON = "{credentials} is not valid JSON (jq exit 4)"
NO_JQ = "jq not found in PATH. It is needed to read the credentials"
NO_EXPIRY = "WARN: no expiresAt in credentials, forcing refresh"

GOOD = oauth()
RENEWED = oauth(b'"new"')


def force(parity: Parity) -> RefreshRun:
    """Run both forms, which must treat the expiry as 0, log that, and renew the token."""
    parity.claude.writes_credentials(raw=RENEWED)
    run = parity.run()
    assert (run.exit_code, run.stdout, run.stray_stderr) == (0, "", "")
    assert run.messages[:3] == [
        NO_EXPIRY,
        f"Token expired or expiring soon (remaining_ms={-NOW_MS}), invoking claude CLI to refresh",
        "Claude CLI refreshed token successfully",
    ]
    assert run.dotenv == "CLAUDE_CODE_OAUTH_TOKEN=new\n"
    assert sorted(run.touched) == [".env", LOCK, LOG, CREDENTIALS]
    return run


# --- The file ------------------------------------------------------------------------------------


def test_missing_file_is_named(parity: Parity) -> None:
    assert "jq" not in refuse(parity, NOT_FOUND).programs


def test_dangling_link_counts_as_missing(parity: Parity) -> None:
    parity.symlink(CREDENTIALS, "nowhere")
    refuse(parity, NOT_FOUND)


def test_directory_is_not_a_credentials_file(parity: Parity) -> None:
    parity.directory(CREDENTIALS)
    refuse(parity, "{credentials} is not a file")


def test_fifo_is_rejected_without_waiting_for_a_writer(parity: Parity) -> None:
    def make(world: World) -> None:
        world.path(CREDENTIALS).parent.mkdir()
        os.mkfifo(world.path(CREDENTIALS))

    parity.step(make)
    refuse(parity, "{credentials} is not a file")


def test_unreadable_file_is_distinguished_from_a_missing_one(parity: Parity) -> None:
    parity.credentials(mode=0o200)
    assert "jq" not in refuse(parity, "{credentials} is not readable").programs


def test_symbolic_link_to_the_credentials_is_followed(parity: Parity) -> None:
    parity.credentials("fresh", path="~/elsewhere/login.json")
    parity.symlink(CREDENTIALS, "../elsewhere/login.json")
    accept(parity)


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        pytest.param(b"", NO_OBJECT, id="empty"),
        pytest.param(b"\n \n", NO_OBJECT, id="blank lines"),
        pytest.param(GOOD[:-1], NO_JSON, id="cut off"),
        pytest.param(GOOD[:30], NO_JSON, id="cut off in the token"),
        pytest.param(b"export TOKEN=x\n", NO_JSON, id="no JSON"),
        pytest.param(b"\xff\xfe{\x00}\x00", NO_JSON, id="UTF-16"),
        pytest.param(b"\xff" + GOOD, NO_JSON, id="not UTF-8"),
        pytest.param(b"[" + GOOD + b"]", NO_OBJECT, id="array"),
        pytest.param(b"null", NO_OBJECT, id="null"),
        pytest.param(b'"claudeAiOauth"', NO_OBJECT, id="string"),
        pytest.param(b"{}", NO_OBJECT, id="claudeAiOauth missing"),
        pytest.param(b'{"claudeAiOauth":null}', NO_OBJECT, id="claudeAiOauth null"),
        pytest.param(b'{"claudeAiOauth":"fresh"}', NO_OBJECT, id="claudeAiOauth string"),
        pytest.param(b'{"claudeAiOauth":["accessToken"]}', NO_OBJECT, id="claudeAiOauth array"),
        pytest.param(b'{"claudeAiOauth":true}', NO_OBJECT, id="claudeAiOauth true"),
        pytest.param(b'{"x":' + GOOD + b"}", NO_OBJECT, id="claudeAiOauth one level down"),
        pytest.param(GOOD + b"\n" + GOOD, TWO_DOCUMENTS, id="two documents"),
        pytest.param(GOOD + b"{}", TWO_DOCUMENTS, id="second document empty"),
        pytest.param(GOOD + b" 0", TWO_DOCUMENTS, id="second document a number"),
        pytest.param(b"[] " + GOOD, TWO_DOCUMENTS, id="first document an array"),
        pytest.param(GOOD + b"\n{", NO_JSON, id="second document cut off"),
        pytest.param(oauth(expiry=b"nan"), NO_JSON, id="expiry not a number"),
        pytest.param(oauth(b'"\\ud800"'), NO_JSON, id="token half a surrogate pair"),
    ],
)
def test_file_without_exactly_one_login_is_rejected(
    parity: Parity, raw: bytes, problem: str
) -> None:
    parity.credentials(raw=raw)
    assert len(refuse(parity, problem).calls("jq")) == 1


def test_invalid_utf8_in_unused_values_is_harmless(parity: Parity) -> None:
    parity.credentials(raw=GOOD[:-1] + b',"name":"\xff\xc3"}')
    accept(parity)


# --- The access token ----------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["null", "5", "true", '{"value":"fresh"}', '["fresh"]'])
def test_token_that_is_not_text_counts_as_missing(parity: Parity, token: str) -> None:
    parity.credentials(raw=oauth(token.encode()))
    refuse(parity, NO_TOKEN)


def test_empty_token_means_that_the_login_has_ended(parity: Parity) -> None:
    parity.credentials(raw=oauth(b'""'))
    refuse(parity, f"{NO_TOKEN}. The login has ended: run 'claude auth login'")


def test_missing_token_is_named(parity: Parity) -> None:
    parity.credentials(omit=["accessToken"])
    refuse(parity, NO_TOKEN)


@pytest.mark.parametrize(
    "token",
    [
        "sk|ant", "sk&ant", "sk\\ant", "sk ant", " skant", "skant ", "sk\nant", "skant\n",
        "skant\r", "sk\tant", "sk\0ant", "sk\x7fant", 'sk"ant', "sk'ant", "sk$ant", "sk`id`",
        "sk#ant", "sk%ant", "sk*", "skänt", "=", "=skant", "sk=ant",
    ],
)  # fmt: skip
def test_token_with_a_character_that_could_break_dotenv_is_rejected(
    parity: Parity, token: str
) -> None:
    parity.credentials(token)
    refuse(parity, BAD_TOKEN)


def test_command_substitution_in_the_token_is_not_run(parity: Parity) -> None:
    parity.credentials(f"sk$(touch {parity.project}/x)`touch {parity.project}/x`")
    assert "x" not in refuse(parity, BAD_TOKEN).files


def test_byte_that_is_not_utf8_in_the_token_is_rejected(parity: Parity) -> None:
    parity.credentials(raw=oauth(b'"sk\xffant"'))
    refuse(parity, BAD_TOKEN)


@pytest.mark.parametrize("token", ["a", "-", "sk-ant-oat01-aZ09._~+/-", "a=", "a=====", "0" * 4096])
def test_every_b64token_of_rfc_6750_is_delivered(parity: Parity, token: str) -> None:
    parity.credentials(token)
    run = accept(parity, token)
    assert token in {"a", "-"} or token not in run.log
    assert token not in [argument for call in run.all_calls for argument in call.argv]


def test_json_escapes_in_the_token_are_decoded(parity: Parity) -> None:
    parity.credentials(raw=oauth(rb'"\u0066re\u0073h"'))
    accept(parity)


def test_longest_token_is_accepted(parity: Parity) -> None:
    token = "sk-ant-" + "x" * 2**17  # longer than the maximum length of one argument of a process
    parity.credentials(token)
    accept(parity, token)


# --- The expiry ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "expiry",
    [
        pytest.param(b"null", id="null"),
        pytest.param(b"true", id="true"),
        pytest.param(b"{}", id="object"),
        pytest.param(b"[1]", id="array"),
        pytest.param(b'""', id="empty text"),
        pytest.param(b'"soon"', id="text"),
        pytest.param(b'"%d"' % IN_8_H_MS, id="number as text"),
        pytest.param(b'"0009"', id="0009 as text"),
        pytest.param(b'"1\\n2"', id="two lines of text"),
        pytest.param(b"1000000000000000", id="16 digits"),
        pytest.param(b"-1000000000000000", id="16 digits, negative"),
        pytest.param(b"9223372036854775808", id="2^63"),
        pytest.param(b"1e30", id="10^30"),
        pytest.param(b"1e400", id="beyond all numbers"),
    ],
)
def test_expiry_that_is_not_a_number_forces_a_renewal(parity: Parity, expiry: bytes) -> None:
    parity.credentials(raw=oauth(expiry=expiry))
    force(parity)


def test_missing_expiry_forces_a_renewal(parity: Parity) -> None:
    parity.credentials(omit=["expiresAt"])
    force(parity)


@pytest.mark.parametrize("expression", ["BASH_VERSINFO[$(touch {x})]", "a[`touch {x}`]"])
def test_shell_arithmetic_in_the_expiry_is_not_evaluated(parity: Parity, expression: str) -> None:
    parity.credentials(expires_at=expression.format(x=f"{parity.project}/x"))
    run = force(parity)
    in_project = sorted(name for name in run.files if name[0] not in "~/")
    assert in_project == [
        ".env", "logs", LOCK, LOG, "scripts", "scripts/oauth", "scripts/oauth/refresh.sh",
    ]  # fmt: skip


# --- CLAUDE_CONFIG_DIR ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["config", "my config", "$HOME 'é' \"x\" *", ".claude"])
def test_config_dir_takes_precedence_over_home_and_is_passed_on(parity: Parity, name: str) -> None:
    directory = parity.world.path(f"~/{name}")
    parity.env["CLAUDE_CONFIG_DIR"] = str(directory)
    parity.credentials("of-home")
    parity.credentials("fresh", path=str(directory / ".credentials.json"))
    run = accept(parity)
    assert run.calls("jq")[0][-1] == f"{directory}/.credentials.json"
    assert run.timers[0].setenv["CLAUDE_CONFIG_DIR"] == str(directory)


def test_home_is_not_a_fallback_for_the_config_dir(parity: Parity) -> None:
    parity.env["CLAUDE_CONFIG_DIR"] = str(parity.home / "config")
    parity.credentials()
    refuse(parity, NOT_FOUND, "~/config/.credentials.json")


def test_relative_config_dir_is_resolved_against_the_caller_s_directory(parity: Parity) -> None:
    parity.directory("here")
    parity.set_cwd("here")
    parity.env["CLAUDE_CONFIG_DIR"] = "../my config"
    parity.credentials("fresh", path="my config/.credentials.json")
    run = accept(parity)
    assert run.timers[0].setenv["CLAUDE_CONFIG_DIR"] == f"{parity.project}/my config"


def test_claude_gets_absolute_paths_for_a_relative_config_dir_and_home(parity: Parity) -> None:
    parity.env |= {"CLAUDE_CONFIG_DIR": "config", "HOME": "../home"}
    parity.credentials(expires_in="-1h", path="config/.credentials.json")
    parity.claude.always.renews("new")
    run = parity.run()
    assert run.call("claude").env["CLAUDE_CONFIG_DIR"] == f"{parity.project}/config"
    assert run.call("claude").env["HOME"] == str(parity.home)
    assert run.dotenv == "CLAUDE_CODE_OAUTH_TOKEN=new\n"


def test_empty_config_dir_is_ignored(parity: Parity) -> None:
    parity.env["CLAUDE_CONFIG_DIR"] = ""
    parity.credentials(expires_in="-1h")
    parity.claude.always.renews("new")
    run = parity.run()
    assert "CLAUDE_CONFIG_DIR" not in run.call("claude").env
    assert "CLAUDE_CONFIG_DIR" not in run.timers[0].setenv
    assert run.dotenv == "CLAUDE_CODE_OAUTH_TOKEN=new\n"


# --- jq ------------------------------------------------------------------------------------------


def test_missing_jq_is_named(parity: Parity) -> None:
    parity.credentials()
    parity.remove("jq")
    refuse(parity, NO_JQ)


def test_jq_without_execute_permission_fails_the_run(parity: Parity) -> None:
    parity.credentials()
    parity.chmod("../bin/jq", 0o644)
    refuse(parity, "jq could not run or was killed (exit 126)")


@pytest.mark.parametrize("status", [1, 2, 5])
def test_failure_of_jq_takes_precedence_over_its_output(parity: Parity, status: int) -> None:
    parity.credentials()
    answer = f'"object"\n"stolen"\n{IN_8_H_MS}\n'
    parity.jq.exits(status, stdout=answer.encode(), stderr=b"jq: error\n")
    refuse(parity, f"{{credentials}} is not valid JSON (jq exit {status})")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_jq_killed_by_a_signal_is_a_failure(parity: Parity, number: int) -> None:
    parity.credentials()
    parity.jq.dies_by_signal(int(number))
    refuse(parity, f"jq could not run or was killed (exit {128 + number})")


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (b"", NO_OBJECT),
        (b"\n\n\n", NO_OBJECT),
        (b"\0\0", NO_OBJECT),
        (b"garbage \xff\xfe\n", NO_OBJECT),
        (b'"object"', NO_TOKEN),
        (b'"object"\nfresh\n1\n', NO_TOKEN),
        (b'"object"\n"\n', BAD_TOKEN),
        (b'"object"\n"fr"esh"\n1\n', BAD_TOKEN),
    ],
)
def test_malformed_jq_output_is_rejected(parity: Parity, answer: bytes, problem: str) -> None:
    parity.credentials()
    parity.jq.prints(answer)
    refuse(parity, problem)
