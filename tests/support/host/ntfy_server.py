"""A loopback server that records its requests, and a curl that records its arguments."""

from __future__ import annotations

import shlex
import shutil
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

CURL = shutil.which("curl")
# Replaces a missing curl. It supports only the options that the hooks use.
STAND_IN = """\
#!{python}
import sys, urllib.request
words, url, body, headers, method = sys.argv[1:], "", None, {{}}, "POST"
while words:
    word = words.pop(0)
    if word in ("--max-time", "--output"):
        words.pop(0)
    elif word == "--request":
        method = words.pop(0)
    elif word == "--header":
        header = words.pop(0)
        if header.startswith("@"):
            header = open(header[1:]).read().strip()
        name, _, value = header.partition(": ")
        headers[name] = value
    elif word == "--data-binary":
        assert words.pop(0) == "@-"
        body = sys.stdin.buffer.read()
    elif not word.startswith("--"):
        url = word
try:
    urllib.request.urlopen(urllib.request.Request(url, body, headers, method=method), timeout=20)
except OSError as error:
    print(f"curl: (22) {{error}}", file=sys.stderr)
    sys.exit(22)
"""


class Request:
    """A request that the server received."""

    def __init__(self, handler: BaseHTTPRequestHandler) -> None:
        self.method = handler.command
        self.path = handler.path
        self.headers = handler.headers
        self.body = handler.rfile.read(int(handler.headers["Content-Length"])).decode()


@contextmanager
def serving(status: int = 200) -> Iterator[tuple[str, list[Request]]]:
    """Start a server. Yield its URL and the list of requests that it receives."""
    requests: list[Request] = []

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            requests.append(Request(self))
            self.send_response(status)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        do_POST = do_PATCH = answer

        def log_message(self, format: str, *arguments: object) -> None:
            del format, arguments

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", requests
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def add_curl(directory: Path, record: Path) -> None:
    """Add a curl to `directory` that appends its argv to `record`, then sends.

    The real one sends, if this system has it.
    """
    real = CURL
    if real is None:
        stand_in = directory / "curl-stand-in"
        stand_in.write_text(STAND_IN.format(python=sys.executable), "utf-8")
        stand_in.chmod(0o755)
        real = str(stand_in)
    words = [shlex.quote(str(path)) for path in (record, real)]
    text = '#!/bin/sh\nprintf "%s\\n" "$@" >>{}\nexec {} "$@"\n'.format(*words)
    (directory / "curl").write_text(text, "utf-8")
    (directory / "curl").chmod(0o755)
