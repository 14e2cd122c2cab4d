"""Read the token from Claude Code's credentials."""

from __future__ import annotations

from plumbum import LocalPath

from oauthkit.shell import (
    CAPTURE,
    add_secret,
    is_b64token,
    now_ms,
    parse_int,
    program,
)

# Claude Code does not renew a token that has more time left.
RENEW_BEFORE_MS = 5 * 60 * 1000

# Prints the type of claudeAiOauth and, for an object, the access token, its expiry and the end of
# the login without their fractions, the refresh token, and the content of the bearer file. Each is
# one line of JSON.
CREDENTIALS_FILTER = (
    "(.claudeAiOauth? // null) | type,\n"
    "(.accessToken,\n"
    ' ((.expiresAt, .refreshTokenExpiresAt) | if type == "number" then floor else . end),\n'
    " .refreshToken,\n"
    " {claudeAiOauth: ({accessToken, expiresAt,\n"
    '  scopes: (.scopes | if type == "array" and all(type == "string") then . else null end),\n'
    '  subscriptionType: (.subscriptionType | if type == "string" then . else null end)}\n'
    "  | with_entries(select(.value != null)))})?"
)

LOGIN_ENDED = "The login has ended: run 'claude auth login'"

jq = program("jq")


def read_credentials(credentials: LocalPath) -> tuple[str, str]:
    """Return an error ("" if there is none), and the login.

    The login has four lines. Read them with access_token, expires_at, login_ends_at and bearer.
    """
    if not credentials.exists():
        return f"{credentials} not found", ""
    if not credentials.is_file():
        return f"{credentials} is not a file", ""
    if not credentials.access("r"):
        return f"{credentials} is not readable", ""
    status, answer = jq["-c", CREDENTIALS_FILTER, credentials] & CAPTURE
    kind, _, rest = answer.partition("\n")
    token, _, rest = rest.partition("\n")
    expiry, _, rest = rest.partition("\n")
    login_end, _, rest = rest.partition("\n")
    refresh_token, _, record = rest.partition("\n")
    text = token.removeprefix('"')
    text = text.removesuffix('"')
    add_secret(text)  # before any error is returned, because hooks run after an error
    refresh_token = refresh_token.removeprefix('"')
    add_secret(refresh_token.removesuffix('"'))
    if status == 127:
        return "jq not found in PATH. It is needed to read the credentials", ""
    if status >= 126 or status == 3:  # 3: a compile error, which can only be in ~/.jq
        return f"jq could not run or was killed (exit {status})", ""
    if status != 0:
        return f"{credentials} is not valid JSON (jq exit {status})", ""
    if "\n" in record:
        return f"{credentials} holds more than one JSON document", ""
    if kind != '"object"':
        return f"no claudeAiOauth object in {credentials}", ""
    if token == '""':  # as claude leaves it when its login is rejected
        return f"no accessToken in credentials. {LOGIN_ENDED}", ""
    if not token.startswith('"'):
        return "no accessToken in credentials", ""
    if not is_b64token(text):
        # A newline or a $ would change the meaning of .env.
        return "accessToken in credentials has a character that tokens do not contain", ""
    return "", f"{text}\n{expiry}\n{login_end}\n{record}"


def access_token(login: str) -> str:
    """Return the access token of a login."""
    token, _, _ = login.partition("\n")
    return token


def expires_at(login: str) -> str:
    """Return when the access token of a login expires: ms since the epoch, if it is a number."""
    _, _, rest = login.partition("\n")
    expiry, _, _ = rest.partition("\n")
    return expiry


def login_ends_at(login: str) -> str:
    """Return when a login ends: ms since the epoch, if it is a number. "" with older claudes."""
    _, _, rest = login.partition("\n")
    _, _, rest = rest.partition("\n")
    login_end, _, _ = rest.partition("\n")
    if login_end == "null":
        return ""
    return login_end


def bearer(login: str) -> str:
    """Return a login as claude reads it, without the refresh token: a line of JSON."""
    _, _, rest = login.partition("\n")
    _, _, rest = rest.partition("\n")
    _, _, record = rest.partition("\n")
    return record


def outlasts(expiry: str, duration_ms: int) -> bool:
    """Return whether a token with this expiry has more than `duration_ms` left."""
    _, expires_at_ms = parse_int(expiry)
    now = now_ms()
    return expires_at_ms - now > duration_ms


def is_live(problem: str, login: str) -> bool:
    """Return whether read_credentials returned a token with more than 5 min left."""
    expiry = expires_at(login)
    return problem == "" and outlasts(expiry, RENEW_BEFORE_MS)


def is_renewed(problem: str, login: str, rejected: str) -> bool:
    """Return whether read_credentials returned a live token other than `rejected`."""
    token = access_token(login)
    return token != rejected and is_live(problem, login)
