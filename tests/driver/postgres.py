"""A real PostgreSQL server of a test's own, if the machine has one."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

NEEDED = ("initdb", "pg_ctl", "psql")
DEBIANS = sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")))
"""Debian's package puts the server's programs on nobody's PATH."""
USER, PASSWORD = "tester", "correct horse battery"


@dataclass(frozen=True)
class Postgres:
    """A server that listens on this machine only, and asks for a password."""

    port: int

    @property
    def url(self) -> str:
        return f"jdbc:postgresql://127.0.0.1:{self.port}/postgres"

    def run(self, statements: str) -> None:
        address = f"postgresql://{USER}@127.0.0.1:{self.port}/postgres"
        subprocess.run(
            ["psql", "-q", "-v", "ON_ERROR_STOP=1", address, "-c", statements],
            check=True, capture_output=True, env={**os.environ, "PGPASSWORD": PASSWORD},
        )  # fmt: skip


def program(name: str) -> str | None:
    return shutil.which(name, path=os.pathsep.join([os.environ["PATH"], *DEBIANS]))


def is_missing() -> bool:
    return None in map(program, NEEDED)


@contextmanager
def serving() -> Iterator[Postgres]:
    """Start a server in a folder of its own, and take both away again."""
    folder = Path(tempfile.mkdtemp(prefix="tidegate-postgres-"))
    password = folder / "password"
    password.write_text(PASSWORD)
    as_user: list[str] = []
    if os.geteuid() == 0:  # it refuses to serve as root
        shutil.chown(folder, "postgres")
        shutil.chown(password, "postgres")
        as_user = ["runuser", "-u", "postgres", "--"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    data = str(folder / "data")
    init = [
        str(program("initdb")),
        "-D",
        data,
        "-U",
        USER,
        "-A",
        "scram-sha-256",
        f"--pwfile={password}",
    ]
    settings = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
    log = str(folder / "log")
    start = [str(program("pg_ctl")), "-D", data, "-w", "-l", log, "-o", settings, "start"]
    subprocess.run([*as_user, *init], check=True, capture_output=True, cwd=folder)
    subprocess.run(
        [*as_user, *start], check=True, cwd=folder, stdout=subprocess.DEVNULL, timeout=60
    )
    try:
        yield Postgres(port)
    finally:
        stop = [str(program("pg_ctl")), "-D", data, "-m", "immediate", "stop"]
        subprocess.run([*as_user, *stop], check=True, capture_output=True, cwd=folder)
        shutil.rmtree(folder)
