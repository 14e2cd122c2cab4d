"""The access token of the credentials and the one of .env; never shown, only compared."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from oauthkit.host.path_info import read
from oauthkit.shell import is_b64token

VARIABLE = "CLAUDE_CODE_OAUTH_TOKEN"
TOKEN_LINE = f"{VARIABLE}=".encode()
# As the refresh has it: a value past 15 digits is no number.
LARGEST_MS = 10**15 - 1


@dataclass(frozen=True)
class Login:
    """What claude's credentials say. `problem` is what is wrong with them, "" if nothing; `mend` is
    what helps where another login alone does not.

    The times are in s since the epoch, None where none is given.
    """

    problem: str = ""
    token: str = field(default="", repr=False)
    expires_at_s: float | None = None
    login_ends_at_s: float | None = None
    mend: str = ""


def read_login(credentials: Path) -> Login:
    """The login in the credentials of Claude Code; what is wrong with them is in `problem`."""
    content = read(credentials)
    if content.problem:
        return Login(content.problem, mend=content.mend)
    try:
        document = json.loads(content.data)
    except (ValueError, RecursionError):
        return Login(f"{credentials} is not valid JSON")
    oauth = document.get("claudeAiOauth") if isinstance(document, dict) else None
    if not isinstance(oauth, dict):
        return Login(f"no claudeAiOauth object in {credentials}")
    token = oauth.get("accessToken")
    if not isinstance(token, str) or not token:
        return Login("no accessToken in credentials")
    if not is_b64token(token):
        return Login("accessToken in credentials has a character that no access token has")
    return Login(
        "", token, _seconds(oauth.get("expiresAt")), _seconds(oauth.get("refreshTokenExpiresAt"))
    )


def _seconds(given: Any) -> float | None:
    """A time in s, of one in ms; None for what is no number, or no time that there can be."""
    if (
        isinstance(given, bool)
        or not isinstance(given, int | float)
        or not abs(given) <= LARGEST_MS
    ):
        return None
    return int(given) / 1000


@dataclass(frozen=True)
class Dotenv:
    """What .env carries. `problem` is why it cannot be read, "" if it can; `mend` is what helps
    where a refresh alone does not.
    """

    problem: str = ""
    tokens: tuple[bytes, ...] = field(default=(), repr=False)
    mend: str = ""
    other_spellings: int = 0  # lines with export or blanks, which a refresh leaves as they are

    def carries(self, token: str) -> bool:
        """Whether it has one token, and that is `token`."""
        return self.tokens == (token.encode(),)


def read_dotenv(dotenv: Path) -> Dotenv:
    """The tokens in .env, a line each, in their order."""
    content = read(dotenv)
    if content.problem:
        return Dotenv(content.problem, mend=content.mend)
    given = assignments(content.data, VARIABLE)
    lines = [line for line in given if line.startswith(TOKEN_LINE)]
    tokens = tuple(line.removeprefix(TOKEN_LINE) for line in lines)
    return Dotenv("", tokens, other_spellings=len(given) - len(lines))


def assignments(text: bytes, name: str) -> list[bytes]:
    """The lines of an .env that some reader of it would take for ones that set this variable."""
    pattern = rb"[ \t]*(export[ \t]+)?%s[ \t]*=" % name.encode()
    return [line for line in text.split(b"\n") if re.match(pattern, line)]
