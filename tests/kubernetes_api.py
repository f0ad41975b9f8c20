"""Kubernetes' API, as much of it as Spark's client and ours ask: a server in this process.

It keeps what it is given, by kind and namespace; lists by label; merges patches; follows a watch
by WebSocket, as Spark's client asks first, and by HTTP; and serves a pod's log while it is written.
What it does not do is in docs/how-to/clusters.md.
"""

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any, Self

from tests.kubernetes_http import Handler, Object

_KINDS = {
    "pods": "Pod",
    "services": "Service",
    "configmaps": "ConfigMap",
    "secrets": "Secret",
    "events": "Event",
    "persistentvolumeclaims": "PersistentVolumeClaim",
}
_LONGEST_WATCH = 600


class _Server(ThreadingHTTPServer):
    api: "KubernetesApi"
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """Say nothing of clients that go away in the middle of a watch or a log."""


class KubernetesApi:
    """Objects by kind and name, all changes to them, and who may not do what."""

    def __init__(self, folder: Path) -> None:
        self.logs = folder
        self.objects: dict[tuple[str, str], Object] = {}
        self.asked: list[str] = []
        self.refuses: Callable[[str], tuple[int, str] | None] = lambda _: None
        self.changes: list[tuple[str, str, Object]] = []
        """What happened: ADDED, MODIFIED or DELETED; the kind; the object."""
        self.changed = threading.Condition()
        self._versions = count(1)
        self._server = _Server(("127.0.0.1", 0), Handler)
        self._server.api = self
        self.port = self._server.server_port

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def clear(self) -> None:
        """Forget everything, logs too."""
        self.objects.clear()
        self.asked.clear()
        self.refuses = lambda _: None
        for log in self.logs.iterdir():
            log.unlink()

    def all(self, kind: str, **labels: str) -> list[Object]:
        with self.changed:
            found = [each for (of, _), each in self.objects.items() if of == kind]
        return [each for each in found if labels.items() <= labels_of(each).items()]

    def put(self, kind: str, body: Object, name: str | None = None) -> Object:
        """Create or replace an object."""
        with self.changed:
            meta = body.setdefault("metadata", {})
            if "generateName" in meta:
                meta.setdefault("name", f"{meta['generateName']}{next(self._versions):05d}")
            key = (kind, name or meta["name"])
            what = "MODIFIED" if key in self.objects else "ADDED"
            meta.setdefault("namespace", "default")
            meta.setdefault("uid", f"uid-{next(self._versions)}")
            meta.setdefault("creationTimestamp", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
            meta["resourceVersion"] = str(next(self._versions))
            body.setdefault("kind", _KINDS[kind])
            body.setdefault("apiVersion", "v1")
            if kind == "pods":
                body.setdefault("status", {"phase": "Pending"})
            if kind == "secrets":
                _encode(body)
            self.objects[key] = body
            self._tell(what, kind, body)
            return body

    def merge(self, kind: str, name: str, patch: Object) -> Object | None:
        """Merge into an object (RFC 7386); server-side apply creates what is not there."""
        with self.changed:
            before = self.objects.get((kind, name))
            if before is None:
                return None
            return self.put(kind, _merged(before, patch), name)

    def delete(self, kind: str, name: str) -> Object | None:
        """Delete an object and what it owns, as the garbage collector would."""
        with self.changed:
            gone = self.objects.pop((kind, name), None)
            if gone is None:
                return None
            self._tell("DELETED", kind, gone)
            owned = [key for key, each in self.objects.items() if _owns(gone, each)]
        for each in owned:
            self.delete(*each)
        return gone

    def status(self, name: str, **status: Any) -> None:
        """Set what is said of a pod; do nothing if it is gone."""
        self.merge("pods", name, {"status": status})

    def event(self, name: str, reason: str, message: str) -> None:
        about = {"kind": "Pod", "name": name}
        told = {"reason": reason, "message": message, "involvedObject": about}
        self.put("events", {"metadata": {"name": f"{name}.{next(self._versions)}"}, **told})

    @staticmethod
    def list_of(kind: str) -> str:
        return f"{_KINDS[kind]}List"

    def log_of(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def _tell(self, what: str, kind: str, body: Object) -> None:
        # A copy: whoever watches is told how it was then.
        self.changes.append((what, kind, json.loads(json.dumps(body))))
        self.changed.notify_all()

    def following(self, kind: str, chosen: Callable[[Object], bool]) -> Iterator[Object | None]:
        """Yield changes from now on; None now and then, to find out whether anybody listens."""
        at = len(self.changes)
        deadline = time.monotonic() + _LONGEST_WATCH
        while time.monotonic() < deadline:
            with self.changed:
                self.changed.wait(1)
                new = self.changes[at:]
                at = len(self.changes)
            if not new:
                yield None
            for what, of, body in new:
                if of == kind and chosen(body):
                    yield {"type": what, "object": body}


def labels_of(body: Object) -> dict[str, str]:
    return dict(body["metadata"].get("labels") or {})


def _encode(body: Object) -> None:
    plain = body.pop("stringData", {})
    kept = body.setdefault("data", {})
    for key, value in plain.items():
        kept[key] = base64.b64encode(value.encode()).decode()


def _merged(before: Any, patch: Any) -> Any:
    if not isinstance(patch, dict) or not isinstance(before, dict):
        return patch
    result = dict(before)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merged(before.get(key), value)
    return result


def _owns(owner: Object, other: Object) -> bool:
    owners = other["metadata"].get("ownerReferences") or []
    return any(each["uid"] == owner["metadata"]["uid"] for each in owners)
