"""A server that speaks S3 on loopback, keeps everything in memory, and lets each request wait.

Run with moto on the path: ``python slow_s3.py lake`` makes that bucket and prints its port. After
``GET /_delay/20`` requests wait 20 ms; ``GET /_requests`` tells how many there were.
"""

from collections.abc import Callable, Iterable
from sys import argv
from threading import Lock
from time import sleep
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

Application = Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]


class Slowed:
    """An application whose every request waits first."""

    def __init__(self, inner: Application) -> None:
        self._inner = inner
        self._lock = Lock()
        self._seen = 0
        self._seconds = 0.0

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        """Answer, or note how long to wait."""
        path = environ["PATH_INFO"]
        if path.startswith("/_"):
            told = str(self._seen).encode()
            if path.startswith("/_delay/"):
                self._seconds = int(path.rpartition("/")[2]) / 1000
            start("200 OK", [("Content-Length", str(len(told)))])
            return [told]
        with self._lock:
            self._seen += 1
        sleep(self._seconds)
        return self._inner(environ, start)


class Quiet(WSGIRequestHandler):
    """Logs nothing, and keeps connections open as S3 does."""

    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: Any) -> None:
        """Do nothing."""


def main() -> None:
    """Serve until killed."""
    s3_backends[DEFAULT_ACCOUNT_ID]["aws"].create_bucket(argv[1], "us-east-1")
    inner = DomainDispatcherApplication(create_backend_app)
    server = make_server("127.0.0.1", 0, Slowed(inner), threaded=True, request_handler=Quiet)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
