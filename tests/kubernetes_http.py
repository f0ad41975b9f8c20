"""The HTTP side of :mod:`tests.kubernetes_api`: verbs, watches and logs as Kubernetes has them."""

import base64
import hashlib
import json
import re
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

Object = dict[str, Any]
Query = dict[str, list[str]]
_PATH = re.compile(
    r"/api/v1/namespaces/(?P<namespace>[^/]+)/(?P<kind>[a-z]+)(/(?P<name>[^/]+))?(/(?P<sub>\w+))?"
)
_ACCEPT = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_ENDED = ("Succeeded", "Failed")


class Handler(BaseHTTPRequestHandler):
    """Answers for the API that its server has as ``api``."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None: ...

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_POST(self) -> None:
        self._answer(self._post)

    def do_PUT(self) -> None:
        self._answer(self._put)

    def do_PATCH(self) -> None:
        self._answer(self._patch)

    def do_DELETE(self) -> None:
        self._answer(self._delete)

    @property
    def api(self) -> Any:
        return self.server.api  # type: ignore[attr-defined]

    def _answer(self, serve: Callable[[re.Match[str], Query, Object], None]) -> None:
        url = urlsplit(self.path)
        found = _PATH.fullmatch(unquote(url.path))
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        asked = f"{self.command} {url.path}"
        self.api.asked.append(asked)
        refusal = self.api.refuses(asked)
        if refusal is None and found is None:
            refusal = (404, f"the server has no {url.path}")
        if refusal is not None:
            return self._refuse(*refusal)
        body = json.loads(raw) if raw.strip().startswith(b"{") else {}
        assert found is not None
        try:
            serve(found, parse_qs(url.query), body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        return None

    def _get(self, at: re.Match[str], query: Query, _: Object) -> None:
        if at["sub"] == "log":
            return self._log(at["name"], query)
        if "watch" in query:
            return self._watch(at["kind"], selected(query))
        if at["name"] is None:
            items = [each for each in self.api.all(at["kind"]) if selected(query)(each)]
            meta = {"resourceVersion": str(len(self.api.changes))}
            listed = {"kind": self.api.list_of(at["kind"]), "apiVersion": "v1", "metadata": meta}
            return self._send({**listed, "items": items})
        return self._found(self.api.objects.get((at["kind"], at["name"])), at)

    def _post(self, at: re.Match[str], _: Query, body: Object) -> None:
        if (at["kind"], body["metadata"].get("name")) in self.api.objects:
            return self._refuse(409, f"{at['kind']} already exists", "AlreadyExists")
        return self._send(self.api.put(at["kind"], body), 201)

    def _put(self, at: re.Match[str], _: Query, body: Object) -> None:
        self._send(self.api.put(at["kind"], body, at["name"]))

    def _patch(self, at: re.Match[str], _: Query, body: Object) -> None:
        there = self.api.merge(at["kind"], at["name"], body)
        if there is None and "apply" in self.headers.get("Content-Type", ""):
            there = self.api.put(at["kind"], body)
        self._found(there, at)

    def _delete(self, at: re.Match[str], query: Query, _: Object) -> None:
        if at["name"] is not None:
            return self._found(self.api.delete(at["kind"], at["name"]), at)
        for each in [each for each in self.api.all(at["kind"]) if selected(query)(each)]:
            self.api.delete(at["kind"], each["metadata"]["name"])
        return self._send({"kind": "Status", "status": "Success"})

    def _found(self, there: Object | None, at: re.Match[str]) -> None:
        if there is None:
            return self._refuse(404, f'{at["kind"]} "{at["name"]}" not found', "NotFound")
        return self._send(there)

    def _send(self, body: Object, status: int = 200) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _refuse(self, status: int, message: str, reason: str = "Refused") -> None:
        told = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": status}
        self._send({**told, "message": message, "reason": reason}, status)

    def _watch(self, kind: str, chosen: Callable[[Object], bool]) -> None:
        key = self.headers.get("Sec-WebSocket-Key")
        if key is None:
            self._begin_chunks("application/json")
            for change in self.api.following(kind, chosen):
                if change is not None:
                    self._chunk(json.dumps(change).encode() + b"\n")
            return self._chunk(b"")
        self.close_connection = True
        self._become_websocket(key)
        for change in self.api.following(kind, chosen):
            data = json.dumps(change).encode() if change else b""
            # A frame of text, or a ping.
            self.wfile.write(_frame(b"\x81" if change else b"\x89", data))
        return None

    def _become_websocket(self, key: str) -> None:
        digest = hashlib.sha1(f"{key}{_ACCEPT}".encode()).digest()
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(digest).decode())
        self.end_headers()

    def _log(self, name: str, query: Query) -> None:
        file = self.api.log_of(name)
        if not file.exists():
            return self._refuse(400, f'container of pod "{name}" is waiting to start')
        self._begin_chunks("text/plain")
        with file.open("rb") as source:
            if "sinceSeconds" in query:
                source.seek(0, 2)  # newer than that is, here, what is still to come
            while True:
                # Asked before reading: what a pod wrote last is there when it has ended.
                may_grow = query.get("follow") in (["true"], ["True"]) and self._is_alive(name)
                piece = source.read(4096)
                if piece:
                    self._chunk(piece)
                elif not may_grow:
                    return self._chunk(b"")
                else:
                    time.sleep(0.05)

    def _is_alive(self, name: str) -> bool:
        pod = self.api.objects.get(("pods", name))
        return pod is not None and pod["status"]["phase"] not in _ENDED

    def _begin_chunks(self, of: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", of)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()


def selected(query: Query) -> Callable[[Object], bool]:
    """Return the choice of label and field selectors; of those, what Spark and we use."""
    terms = [*_terms(query, "labelSelector"), *_terms(query, "fieldSelector")]

    def chosen(body: Object) -> bool:
        known = {
            **(body["metadata"].get("labels") or {}),
            "metadata.name": body["metadata"]["name"],
            "involvedObject.name": body.get("involvedObject", {}).get("name"),
            "status.phase": body.get("status", {}).get("phase"),
        }
        return all((known.get(key) == value) == equal for key, equal, value in terms)

    return chosen


def _terms(query: Query, name: str) -> list[tuple[str, bool, str]]:
    found = []
    for term in filter(None, ",".join(query.get(name, [])).split(",")):
        key, operator, value = re.split(r"(!=|==?)", term)
        found.append((key, operator != "!=", value))
    return found


def _frame(kind: bytes, data: bytes) -> bytes:
    if len(data) < 126:
        return kind + bytes([len(data)]) + data
    return kind + b"\x7f" + len(data).to_bytes(8, "big") + data
