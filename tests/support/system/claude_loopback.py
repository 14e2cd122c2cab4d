"""Anthropic's servers, played on loopback behind a CONNECT proxy that ends TLS."""

from __future__ import annotations

import json
import socketserver
import ssl
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

import trustme

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator
    from pathlib import Path

# Where the CLI renews: platform.claude.com in 2.1.330, console.anthropic.com in 2.0.30.
TOKEN_HOSTS = ("platform.claude.com", "console.anthropic.com")
# The hosts that are played; a connection to any other one is refused and noted.
HOSTS = (*TOKEN_HOSTS, "api.anthropic.com", "claude.ai", "claude.com", "mcp-proxy.anthropic.com")
TOKEN_PATH = "/v1/oauth/token"
PROFILE_PATH = "/api/oauth/profile"
MESSAGES_PATH = "/v1/messages"
# No connection outlives a test by more than this, whatever its client does.
CONNECTION_LIMIT_S = 120
ERROR_TYPES = {
    401: "authentication_error",
    404: "not_found_error",
    429: "rate_limit_error",
    500: "api_error",
}


@dataclass(frozen=True)
class Pair:
    """An access token and the refresh token that was issued with it."""

    access: str
    refresh: str


@dataclass
class Plan:
    """What the servers know, and how each endpoint behaves; a test sets it before a run.

    token_endpoint: "renews", "invalid_grant", "broken" (500), "hangs", or "down": the proxy
    answers that it cannot connect. messages: "answers", or "rate_limited": 429 always.
    """

    current: Pair
    renewed: Pair
    life_s: int = 8 * 3600
    token_endpoint: str = "renews"
    messages: str = "answers"
    accepted: set[str] = field(default_factory=set)  # the access tokens that the API takes


@dataclass(frozen=True)
class Request:
    """One request to a played host; method CONNECT if the proxy would not connect to it."""

    host: str
    method: str
    path: str  # without the query
    headers: dict[str, str]  # names in lower case
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON; ValueError if it is none."""
        return json.loads(self.body)


class Loopback:
    """The proxy and the hosts behind it.

    `requests` says what the hosts were asked, `refused` what else the proxy was, both in order.
    """

    def __init__(self, plan: Plan, directory: Path) -> None:
        """Bind a port and put the certificate of a throw-away authority into directory."""
        self.plan = plan
        self.requests: list[Request] = []
        self.refused: list[str] = []
        self.closing = threading.Event()
        authority = trustme.CA()
        self.ca_file = directory / "throw-away-ca.pem"
        authority.cert_pem.write_to_path(str(self.ca_file))
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.set_alpn_protocols(["http/1.1"])
        authority.issue_cert(*HOSTS).configure_cert(self.tls)
        self._server = _Server(("127.0.0.1", 0), _Proxy)
        self._server.loopback = self

    @property
    def proxy_url(self) -> str:
        """What HTTPS_PROXY is to be set to."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @contextmanager
    def running(self) -> Iterator[Loopback]:
        """Serve until the block ends, then let go of the requests that are left hanging."""
        thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.closing.set()
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def asked(self, path: str) -> list[Request]:
        """The requests to one path so far, whatever the host."""
        return [request for request in self.requests if request.path == path]


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    loopback: Loopback

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Note what went wrong where a test looks: a thread's traceback would not fail it."""
        if isinstance(sys.exc_info()[1], OSError):
            return  # the client went away, or does not trust the authority: it says so itself
        super().handle_error(request, client_address)
        self.loopback.refused.append("error in the stand-in server, see its traceback on stderr")


class _Handler(BaseHTTPRequestHandler):
    timeout = CONNECTION_LIMIT_S

    def log_message(self, format: str, *args: Any) -> None:
        """Stay silent: `requests` and `refused` have it."""


class _Proxy(_Handler):
    """The outer side of a connection: CONNECT to a played host goes on, all else is refused."""

    server: _Server

    def do_CONNECT(self) -> None:
        """Go on as the host that is asked for, in TLS."""
        loopback = self.server.loopback
        host, _, port = self.path.rpartition(":")
        if host not in HOSTS or port != "443":
            self._refuse()
            return
        if loopback.plan.token_endpoint == "down" and host in TOKEN_HOSTS:
            # As a proxy says that the host's port is closed (RFC 9110, 15.6.3).
            loopback.requests.append(Request(host, "CONNECT", TOKEN_PATH, {}, b""))
            self._end("502 Bad Gateway")
            return
        self.close_connection = True
        self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        # The client speaks TLS only after that answer: rfile has swallowed nothing of it.
        with loopback.tls.wrap_socket(self.connection, server_side=True) as inner:
            _Host(inner, host, loopback)

    def _refuse(self) -> None:
        self.server.loopback.refused.append(f"{self.command} {self.path}")
        self._end("403 Forbidden")

    # Plain HTTP through the proxy.
    do_GET = do_POST = do_HEAD = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _refuse

    def _end(self, status: str) -> None:
        self.close_connection = True
        self.wfile.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())


class _Host(_Handler):
    """The inner side: one played host."""

    protocol_version = "HTTP/1.1"

    def __init__(self, connection: socket.socket, host: str, loopback: Loopback) -> None:
        self.host = host
        self.loopback = loopback
        super().__init__(connection, ("127.0.0.1", 0), loopback._server)

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.partition("?")[0]
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.host, self.command, path, headers, body)
        self.loopback.requests.append(request)
        if (self.command, path) == ("POST", TOKEN_PATH):
            self._token(request)
        elif path == PROFILE_PATH:
            self._json(200, {})
        elif (self.command, path) == ("POST", MESSAGES_PATH):
            self._message(request)
        else:
            self._error(404, "not played here")

    do_GET = do_POST = do_HEAD = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _answer

    def _token(self, request: Request) -> None:
        """RFC 6749, 6: a refresh token gives a new pair, once; then it is not known any more."""
        plan = self.loopback.plan
        if plan.token_endpoint == "hangs":
            self.loopback.closing.wait(CONNECTION_LIMIT_S)
            self.close_connection = True
        elif plan.token_endpoint == "broken":
            self._error(500, "made-up outage")
        elif (
            plan.token_endpoint == "invalid_grant"
            or request.json["refresh_token"] != plan.current.refresh
        ):
            reason = {"error": "invalid_grant", "error_description": "Refresh token not found"}
            self._json(400, reason)
        else:
            plan.current = plan.renewed
            plan.accepted.add(plan.renewed.access)
            pair = {
                "token_type": "Bearer",
                "access_token": plan.renewed.access,
                "refresh_token": plan.renewed.refresh,
                "expires_in": plan.life_s,
                "scope": "user:inference user:profile",
            }
            self._json(200, pair)

    def _message(self, request: Request) -> None:
        plan = self.loopback.plan
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or token not in plan.accepted:
            self._error(401, "OAuth token has expired")
        elif plan.messages == "rate_limited":
            self._error(429, "This request would exceed your account's rate limit")
        elif request.json.get("stream"):
            events = "".join(
                f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in EVENTS
            )
            self._send(200, "text/event-stream", events.encode())
        else:
            content = [{"type": "text", "text": "ok"}]
            self._json(200, {**MESSAGE, "content": content, "stop_reason": "end_turn"})

    def _error(self, status: int, message: str) -> None:
        error = {"type": ERROR_TYPES[status], "message": message}
        self._json(status, {"type": "error", "error": error})

    def _json(self, status: int, value: object) -> None:
        self._send(status, "application/json", json.dumps(value).encode())

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


MESSAGE: dict[str, Any] = {
    "id": "msg_made_up",
    "type": "message",
    "role": "assistant",
    "model": "made-up",
    "content": [],
    "stop_reason": None,
    "stop_sequence": None,
    "usage": {"input_tokens": 1, "output_tokens": 1},
}
# A streamed answer "ok", in the order of the Messages API.
EVENTS: tuple[dict[str, Any], ...] = (
    {"type": "message_start", "message": MESSAGE},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "ok"}},
    {"type": "content_block_stop", "index": 0},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {"output_tokens": 1},
    },
    {"type": "message_stop"},
)
