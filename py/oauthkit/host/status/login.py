"""Read the access tokens in the credentials and in .env, to compare them. They are never shown."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from oauthkit.host.path_info import leads_nowhere, read
from oauthkit.shell import is_b64token

VARIABLE = "CLAUDE_CODE_OAUTH_TOKEN"
# Each of these variables makes claude ignore the token in a container.
OVERRIDING = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_SIMPLE")
TOKEN_LINE = f"{VARIABLE}=".encode()
# A value with more than 15 digits is not a number, as in the refresh.
LARGEST_MS = 10**15 - 1


def fingerprint(token: bytes) -> str:
    """Return the first 16 hex digits of a token's SHA-256."""
    return hashlib.sha256(token).hexdigest()[:16]


@dataclass(frozen=True)
class Login:
    """Claude Code's credentials.

    `problem` says what is wrong with them, or is "" if nothing is. `fix` is set if logging in again
    is not enough. Times are in seconds since the epoch, or None if unknown.
    """

    problem: str = ""
    token: str = field(default="", repr=False)
    expires_at_s: float | None = None
    login_ends_at_s: float | None = None
    fix: str = ""
    can_be_renewed: bool = field(default=True, compare=False)  # there is a refresh token


def read_login(credentials: Path) -> Login:
    """Read Claude Code's credentials."""
    content = read(credentials)
    if leads_nowhere(credentials):
        return Login(f"{credentials} is a link that leads nowhere")
    if content.problem:
        return Login(content.problem, fix=content.fix)
    try:
        document = json.loads(content.data)
    except (ValueError, RecursionError):
        if not content.data.strip():  # jq accepts an empty file
            return Login(f"no claudeAiOauth object in {credentials}")
        return Login(f"{credentials} is not valid JSON")
    oauth = document.get("claudeAiOauth") if isinstance(document, dict) else None
    if not isinstance(oauth, dict):
        return Login(f"no claudeAiOauth object in {credentials}")
    token = oauth.get("accessToken")
    if not isinstance(token, str) or not token:
        return Login("no accessToken in credentials")
    if not is_b64token(token):
        return Login("accessToken in credentials has a character that tokens do not contain")
    return Login(
        "",
        token,
        _seconds(oauth.get("expiresAt")),
        _seconds(oauth.get("refreshTokenExpiresAt")),
        can_be_renewed=bool(oauth.get("refreshToken")),
    )


def _seconds(given: Any) -> float | None:
    """Convert a time from ms to s. Return None if it is not a number, or out of range."""
    if (
        isinstance(given, bool)
        or not isinstance(given, int | float)
        or not abs(given) <= LARGEST_MS
    ):
        return None
    return int(given) / 1000


@dataclass(frozen=True)
class Dotenv:
    """The tokens in .env.

    `problem` says why .env cannot be read, or is "" if it can be read. `fix` is set if a refresh is
    not enough.
    """

    problem: str = ""
    tokens: tuple[bytes, ...] = field(default=(), repr=False)
    fix: str = ""
    other_spellings: int = 0  # lines with export or spaces, which a refresh leaves unchanged
    is_shared: bool = False  # other users have access to it
    overriding: tuple[str, ...] = ()  # variables in .env that make claude ignore the token

    @property
    def fingerprint(self) -> str:
        """Return the fingerprint of the first token, or "" without a token."""
        return fingerprint(self.tokens[0]) if self.tokens else ""

    @property
    def repetition_problem(self) -> str:
        """Return the problem that .env sets the token more than once, or ""."""
        return f"sets {VARIABLE} more than once" if len(self.tokens) > 1 else ""

    def carries(self, token: str) -> bool:
        """Return whether `token` is the only token in .env."""
        return self.tokens == (token.encode(),)


def read_dotenv(dotenv: Path) -> Dotenv:
    """Read the tokens in .env, one per line, in order."""
    content = read(dotenv)
    if content.problem:
        return Dotenv(content.problem, fix=content.fix)
    given = assignments(content.data, VARIABLE)
    lines = [line for line in given if line.startswith(TOKEN_LINE)]
    tokens = tuple(line.removeprefix(TOKEN_LINE) for line in lines)
    try:
        is_shared = dotenv.stat().st_mode & 0o077 != 0
    except OSError:
        is_shared = False  # it has just been removed
    # claude ignores an empty variable (tests/system/test_claude_code.py).
    overriding = tuple(
        name
        for name in OVERRIDING
        if any(line.partition(b"=")[2].strip() for line in assignments(content.data, name))
    )
    others = len(given) - len(lines)
    return Dotenv("", tokens, "", others, is_shared=is_shared, overriding=overriding)


def assignments(text: bytes, name: str) -> list[bytes]:
    """Return the lines of .env that set a variable, in any spelling that some reader accepts."""
    pattern = rb"[ \t]*(export[ \t]+)?%s[ \t]*=" % name.encode()
    return [line for line in text.split(b"\n") if re.match(pattern, line)]
