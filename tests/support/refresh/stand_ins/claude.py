"""Stands in for the Claude Code CLI: renews an access token under the same conditions."""
# ruff: noqa: A002, PTH103, PTH108, PTH118, PTH120, PTH123
# A002: `exit` is the most readable name in a test. PTH: pathlib would double the start-up time.

from __future__ import annotations

import json
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from oauthkit.parity.recorder import Call

# Observed with 2.1.50: a token with 299 s left is renewed, one with 301 s is not.
RENEW_BEFORE_MS = 300_000
FLAG = "--no-session-persistence"
# With one of these, the real CLI never reads the credentials file.
OTHER_LOGINS = ("CLAUDE_CODE_OAUTH_TOKEN", "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN",
                "CLAUDE_CODE_SIMPLE")  # fmt: skip
ANSWER = b"ok\n"
# The name of the state with the output of each call.
PRINTED = "claude"
_printed = b""  # by this call


def exits(call: Call, exit: int = 0, stdout: bytes = b"", stderr: bytes = b"") -> int:
    """Prints, and exits with `exit`."""
    _print(call, stdout, stderr)
    return exit


def fails(call: Call, exit: int = 1, stdout: bytes = b"", stderr: bytes = b"") -> int:
    """Prints, and exits with `exit`, by default 1."""
    return exits(call, exit, stdout, stderr)


def prints(call: Call, stdout: bytes, exit: int = 0) -> int:
    """Prints on stdout."""
    return exits(call, exit, stdout)


def renews(  # noqa: PLR0917
    call: Call,
    token: Any = "sk-ant-oat01-made-up-new",
    expires_in: int = 8 * 3600,
    expires_at: Any = None,
    exit: int = 0,
    stdout: bytes = ANSWER,
    stderr: bytes = b"",
    refresh_token: str = "sk-ant-ort01-made-up-new",
    is_refused: bool = False,
) -> int:
    """Writes `token`, valid for `expires_in` seconds, to the credentials file if one is due.

    `expires_at` (ms since the epoch, or any other value) takes precedence over `expires_in`. If
    the API rejects the token (`is_refused`), a new one is due regardless of its expiry (2.1.252 and
    newer).
    """
    credentials, complaint = _due(call, is_refused=is_refused)
    if complaint:
        return complaint
    if credentials:
        expiry = (call.now_s + expires_in) * 1000 if expires_at is None else expires_at
        oauth = credentials["claudeAiOauth"]
        oauth.update(accessToken=token, refreshToken=refresh_token, expiresAt=expiry)
        _write(call, json.dumps(credentials, separators=(",", ":")).encode())
    _print(call, stdout, stderr)
    return exit


def renews_nothing(call: Call, exit: int = 0, stdout: bytes = ANSWER, stderr: bytes = b"") -> int:
    """Answers and leaves the credentials unchanged, as if its token endpoint were down."""
    _print(call, stdout, stderr)
    return exit


def blanks_login(
    call: Call,
    exit: int = 1,
    stdout: bytes = b"API Error: 401 Invalid refresh token. Please run /login\n",
    stderr: bytes = b"",
) -> int:
    """Clears both tokens and prints the reason on stdout: the refresh token is rejected."""
    credentials, complaint = _due(call)
    if complaint:
        return complaint
    if credentials:
        credentials["claudeAiOauth"].update(accessToken="", refreshToken="")
        _write(call, json.dumps(credentials, separators=(",", ":")).encode())
    _print(call, stdout, stderr)
    return exit


def rejects_flag(call: Call) -> int:
    """Behaves like 2.0.30, which does not have --no-session-persistence."""
    if FLAG not in call.argv:
        call.refuse(f"to reject {FLAG}, which it did not get: {call.argv}")
    _print(call, stderr=f"error: unknown option '{FLAG}'\n".encode())
    return 1


def writes_credentials(
    call: Call, raw: bytes, exit: int = 0, stdout: bytes = ANSWER, stderr: bytes = b""
) -> int:
    """Replaces the content of the credentials file with `raw`."""
    _write(call, raw)
    _print(call, stdout, stderr)
    return exit


def removes_credentials(call: Call, exit: int = 1, stdout: bytes = b"") -> int:
    """Removes the credentials file."""
    os.unlink(_path(call))
    _print(call, stdout)
    return exit


def _print(call: Call, stdout: bytes = b"", stderr: bytes = b"") -> None:
    """Prints, and records the output under the call's arguments, which differ for each attempt."""
    global _printed  # noqa: PLW0603
    _printed += stdout + stderr
    with call.lock():
        printed = call.state(PRINTED, {})
        call.keep(PRINTED, {**printed, " ".join(call.argv): _printed})
    call.print(stdout, stderr)


def _path(call: Call) -> str:
    # An empty CLAUDE_CONFIG_DIR means the working directory (observed with 2.0.30 and 2.1.330).
    home = os.path.join(call.env.get("HOME", ""), ".claude")
    return os.path.join(call.env.get("CLAUDE_CONFIG_DIR", home), ".credentials.json")


def _due(call: Call, *, is_refused: bool = False) -> tuple[dict[str, Any], int]:
    """Returns the credentials if their token is due, otherwise {}, and a failure's exit status."""
    if "CLAUDECODE" in call.env:
        _print(call, stderr=b"Error: Claude Code cannot be launched inside another session.\n")
        return {}, 1
    if any(call.env.get(name) for name in OTHER_LOGINS):
        return {}, 0
    try:
        with open(_path(call), "rb") as file:
            credentials = json.load(file)
        expiry = credentials["claudeAiOauth"].get("expiresAt")
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        _print(call, stdout="Invalid API key · Please run /login\n".encode())
        return {}, 1
    is_number = isinstance(expiry, (int, float)) and not isinstance(expiry, bool)
    if not is_refused and is_number and expiry - call.now_s * 1000 > RENEW_BEFORE_MS:
        return {}, 0
    return credentials, 0


def _write(call: Call, data: bytes) -> None:
    path = _path(call)
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "wb") as file:
        file.write(data)
