"""A stand-in for the Kubernetes API server on loopback. It authorizes by the manifests' Roles."""

from __future__ import annotations

import json
import ssl
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import trustme

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Manifest = dict[str, Any]
NAMESPACE = "agents"
VERBS = {"GET": "get", "PATCH": "patch", "PUT": "update", "POST": "create", "DELETE": "delete"}
MERGE_PATCH = "application/merge-patch+json"
# What kubectl reads before its first request: the kinds that this server has.
DISCOVERY: dict[str, Manifest] = {
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": []},
    "/api/v1": {
        "kind": "APIResourceList",
        "groupVersion": "v1",
        "resources": [
            {
                "name": "secrets", "singularName": "secret", "namespaced": True, "kind": "Secret",
                "verbs": ["create", "delete", "get", "list", "patch", "update", "watch"],
            },
        ],
    },
}  # fmt: skip


@dataclass(frozen=True)
class Call:
    """A request for a resource."""

    verb: str
    resource: str
    name: str
    body: str


class KubernetesApi:
    """The API server. It has the manifests' Secrets, without the API's own defaults.

    `calls` are the authorized requests, and `forbidden` the others, without discovery.
    """

    def __init__(self, manifests: Sequence[Manifest]) -> None:
        self.calls: list[Call] = []
        self.forbidden: list[Call] = []
        self.is_down = False
        self.secrets: dict[str, Manifest] = {}
        self._roles: dict[str, Manifest] = {}
        self._bindings: list[Manifest] = []
        for manifest in manifests:
            name = manifest["metadata"]["name"]
            if manifest["kind"] == "Secret":
                metadata = {**manifest["metadata"], "namespace": NAMESPACE}
                self.secrets[name] = {**manifest, "metadata": metadata}
            elif manifest["kind"] == "Role":
                self._roles[name] = manifest
            elif manifest["kind"] == "RoleBinding":
                self._bindings.append(manifest)
        authority = trustme.CA()
        self.ca_pem = authority.cert_pem.bytes()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.api = self
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(tls)
        self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)

    @property
    def port(self) -> int:
        """Return the server's port."""
        return int(self._server.server_address[1])

    def files(self, service_account: str) -> dict[str, bytes]:
        """Return the files that the kubelet mounts for a pod with this ServiceAccount."""
        return {
            "ca.crt": self.ca_pem,
            "namespace": NAMESPACE.encode(),
            "token": f"made-up-{service_account}".encode(),
        }

    @contextmanager
    def running(self) -> Iterator[KubernetesApi]:
        """Serve until the block ends."""
        thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def is_allowed(self, service_account: str, call: Call) -> bool:
        """Return whether a rule of a Role that is bound to the account allows a call."""
        subject = {"kind": "ServiceAccount", "name": service_account}
        return any(
            "" in rule["apiGroups"]
            and call.resource in rule["resources"]
            and call.verb in rule["verbs"]
            and call.name in rule.get("resourceNames", [call.name])
            for binding in self._bindings
            if subject in binding["subjects"] and binding["roleRef"]["kind"] == "Role"
            for rule in self._roles[binding["roleRef"]["name"]]["rules"]
        )


def merge(target: Any, patch: Any) -> Any:
    """Apply a JSON merge patch (RFC 7396)."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    api: KubernetesApi

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a client that ends its connection."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = 30

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing, because `calls` has it."""

    def _answer(self) -> None:
        api = self.server.api
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        path = self.path.partition("?")[0]
        parts = path.strip("/").split("/")
        if api.is_down:
            self._status(503, "ServiceUnavailable", "made-up outage")
        elif path in DISCOVERY:
            self._send(200, DISCOVERY[path])
        elif parts[:3] == ["api", "v1", "namespaces"] and parts[3:4] == [NAMESPACE]:
            name = parts[5] if len(parts) > 5 else ""
            self._resource(Call(VERBS[self.command], parts[4], name, body))
        else:
            self._status(404, "NotFound", f"{path} is not simulated here")

    do_GET = do_PATCH = do_PUT = do_POST = do_DELETE = _answer

    def _resource(self, call: Call) -> None:
        api = self.server.api
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not api.is_allowed(token.removeprefix("made-up-"), call):
            api.forbidden.append(call)
            self._status(403, "Forbidden", f"cannot {call.verb} {call.resource} {call.name}")
            return
        api.calls.append(call)
        if call.name not in api.secrets:
            self._status(404, "NotFound", f'secrets "{call.name}" not found')
            return
        if call.verb == "patch":
            if self.headers["Content-Type"] != MERGE_PATCH:
                self._status(415, "UnsupportedMediaType", "only merge patches are simulated")
                return
            api.secrets[call.name] = merge(api.secrets[call.name], json.loads(call.body))
        self._send(200, api.secrets[call.name])

    def _status(self, code: int, reason: str, message: str) -> None:
        self._send(code, {
            "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code,
            "reason": reason, "message": message,
        })  # fmt: skip

    def _send(self, code: int, value: Manifest) -> None:
        body = json.dumps(value).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
