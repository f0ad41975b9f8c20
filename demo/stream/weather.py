"""A weather station: a TCP server that sends a day's readings, a line each, and then keeps silent.

Nothing is sent twice: who connects again gets what no one has been sent yet.
"""

import argparse
import csv
import json
import socket
import time
from pathlib import Path
from threading import Event, Thread
from typing import Self

COLUMNS = ("temp", "humid", "wind_speed", "precip", "pressure", "visib")
BROKEN_AT = 30
BROKEN = '{"origin": "JFK", "time_hour": "2013-02-11T'
"""What the station sends once instead of a reading: a line that was cut."""
_PAUSE_SECONDS = 0.1
_LOOK_SECONDS = 0.5


def readings(file: Path) -> list[str]:
    """Return a landed day's readings in the order of their hours, with one broken line."""
    with file.open(encoding="utf-8", newline="") as text:
        rows = sorted(csv.DictReader(text), key=lambda row: (row["time_hour"], row["origin"]))
    lines = [json.dumps(_fields(row)) for row in rows]
    lines.insert(BROKEN_AT, BROKEN)
    return lines


def _fields(row: dict[str, str]) -> dict[str, str | float | None]:
    reading: dict[str, str | float | None] = {name: row[name] for name in ("origin", "time_hour")}
    for name in COLUMNS:
        reading[name] = float(row[name]) if row[name] else None
    return reading


class Station:
    """Sends lines to whoever is connected, some a second; a context manager."""

    def __init__(self, lines: list[str], port: int = 0, host: str = "127.0.0.1") -> None:
        self._lines = lines
        self._listener = socket.create_server((host, port))
        self._listener.settimeout(_LOOK_SECONDS)
        self._over = Event()
        self._thread = Thread(target=self._serve, daemon=True)
        self.sent: list[str] = []

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._listener.getsockname()[1])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while not self._over.is_set():
            try:
                link, _ = self._listener.accept()
            except TimeoutError:
                continue  # nobody has asked yet
            with link:
                self._tell(link)

    def _tell(self, link: socket.socket) -> None:
        """Send what is left, and stay connected until the other side has gone."""
        link.settimeout(_LOOK_SECONDS)
        try:
            while len(self.sent) < len(self._lines):
                line = self._lines[len(self.sent)]
                link.sendall(f"{line}\n".encode())
                self.sent.append(line)
                time.sleep(_PAUSE_SECONDS)
            while not self._over.is_set() and not _gone(link):
                continue
        except OSError:
            return  # it was killed; the next one who connects gets the rest


def _gone(link: socket.socket) -> bool:
    try:
        return not link.recv(1)
    except TimeoutError:
        return False  # it listens, and says nothing


def main() -> None:
    """Serve a day until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=7000)
    parser.add_argument("--day", default="2013-02-11")
    asked = parser.parse_args()
    lines = readings(Path("landing", "weather", f"{asked.day}.csv"))
    with Station(lines, asked.port, asked.host) as station:
        print(f"{asked.host}:{station.port}: {len(lines)} lines; Ctrl-C ends it", flush=True)
        try:
            Event().wait()
        except KeyboardInterrupt:
            print(f"{len(station.sent)} of them were sent")


if __name__ == "__main__":
    main()
