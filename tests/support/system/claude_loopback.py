"""Stand-ins for Anthropic's servers on loopback, behind a CONNECT proxy that terminates TLS."""

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

# The CLI's token endpoint: platform.claude.com in 2.1.330, console.anthropic.com in 2.0.30.
TOKEN_HOSTS = ("platform.claude.com", "console.anthropic.com")
# The simulated hosts. A connection to any other host is rejected and recorded.
HOSTS = (*TOKEN_HOSTS, "api.anthropic.com", "claude.ai", "claude.com", "mcp-proxy.anthropic.com")
TOKEN_PATH = "/v1/oauth/token"
PROFILE_PATH = "/api/oauth/profile"
MESSAGES_PATH = "/v1/messages"
# A connection outlives its test by at most this time, whatever its client does.
CONNECTION_LIMIT_S = 120
ERROR_TYPES = {
    401: "authentication_error",
    404: "not_found_error",
    429: "rate_limit_error",
    500: "api_error",
    529: "overloaded_error",
}


@dataclass(frozen=True)
class Pair:
    """An access token and the refresh token that was issued with it."""

    access: str
    refresh: str


@dataclass
class Plan:
    """The servers' data and each endpoint's behaviour. A test sets them before a run.

    token_endpoint is "renews", "invalid_grant", "broken" (status 500), "hangs" or "down" (the proxy
    answers that it cannot connect). messages is "answers" or "rate_limited" (always status 429).
    """

    current: Pair
    renewed: Pair
    life_s: int = 8 * 3600
    token_endpoint: str = "renews"
    messages: str = "answers"
    token_delay_s: float = 0  # before the token endpoint answers
    accepted: set[str] = field(default_factory=set)  # the access tokens that the API accepts


@dataclass(frozen=True)
class Request:
    """One request to a simulated host. Its method is CONNECT if the proxy did not connect."""

    host: str
    method: str
    path: str  # without the query
    headers: dict[str, str]  # names in lower case
    body: bytes

    @property
    def json(self) -> Any:
        """Return the parsed body. Raise ValueError if it is not JSON."""
        return json.loads(self.body)


class Loopback:
    """The proxy and the hosts behind it.

    `requests` are the hosts' requests, and `rejected` all other requests to the proxy, in order.
    """

    def __init__(self, plan: Plan, directory: Path) -> None:
        """Bind a port and write the certificate of a temporary authority to `directory`."""
        self.plan = plan
        self.requests: list[Request] = []
        self.rejected: list[str] = []
        self.closing = threading.Event()
        authority = trustme.CA()
        self.ca_file = directory / "temporary-ca.pem"
        authority.cert_pem.write_to_path(str(self.ca_file))
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.set_alpn_protocols(["http/1.1"])
        authority.issue_cert(*HOSTS).configure_cert(self.tls)
        self._server = _Server(("127.0.0.1", 0), _Proxy)
        self._server.loopback = self

    @property
    def proxy_url(self) -> str:
        """Return the value for HTTPS_PROXY."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @contextmanager
    def running(self) -> Iterator[Loopback]:
        """Serve until the block ends, then release the hanging requests."""
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
        """Return the requests to one path so far, on any host."""
        return [request for request in self.requests if request.path == path]


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    loopback: Loopback

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Record the error for the test, because a traceback in a thread does not fail it."""
        if isinstance(sys.exc_info()[1], OSError):
            return  # the client is gone, or does not trust the authority, which it reports itself
        super().handle_error(request, client_address)
        self.loopback.rejected.append("error in the stand-in server: see its traceback on stderr")


class _Handler(BaseHTTPRequestHandler):
    timeout = CONNECTION_LIMIT_S

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing, because `requests` and `rejected` have it."""


class _Proxy(_Handler):
    """The proxy's side of a connection. It only accepts CONNECT to a simulated host."""

    server: _Server

    def do_CONNECT(self) -> None:
        """Continue as the requested host, in TLS."""
        loopback = self.server.loopback
        host, _, port = self.path.rpartition(":")
        if host not in HOSTS or port != "443":
            self._reject()
            return
        if loopback.plan.token_endpoint == "down" and host in TOKEN_HOSTS:
            # A proxy's answer if the host's port is closed (RFC 9110, 15.6.3).
            loopback.requests.append(Request(host, "CONNECT", TOKEN_PATH, {}, b""))
            self._end("502 Bad Gateway")
            return
        self.close_connection = True
        self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        # The client starts TLS only after that answer, so rfile has not buffered any of it.
        with loopback.tls.wrap_socket(self.connection, server_side=True) as inner:
            _Host(inner, host, loopback)

    def _reject(self) -> None:
        self.server.loopback.rejected.append(f"{self.command} {self.path}")
        self._end("403 Forbidden")

    # Plain HTTP through the proxy.
    do_GET = do_POST = do_HEAD = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _reject

    def _end(self, status: str) -> None:
        self.close_connection = True
        self.wfile.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())


class _Host(_Handler):
    """The inner side: one simulated host."""

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
            self._error(404, "not simulated here")

    do_GET = do_POST = do_HEAD = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _answer

    def _token(self, request: Request) -> None:
        """Exchange a refresh token for a new pair, once (RFC 6749, section 6)."""
        plan = self.loopback.plan
        self.loopback.closing.wait(plan.token_delay_s)
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
        elif plan.messages == "overloaded":
            self._error(529, "Overloaded")
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
# A streamed answer "ok", with the events in the Messages API's order.
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
