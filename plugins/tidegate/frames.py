"""Messages and bytes over one socket, as a task, a keeper and a driver of this machine talk."""

import json
import os
import socket
import struct
from collections.abc import Iterator
from typing import Any

_HEAD = struct.Struct("!cI")
_CREDENTIALS = struct.Struct("3i")
_MESSAGE = b"m"
_BYTES = b"b"
_LONGEST = 4 * 1024 * 1024
"""No environment and no piece of output is longer; what is, comes from no part of ours."""
_PIECE = 64 * 1024


def tell(to: socket.socket, message: dict[str, Any]) -> None:
    """Send a message.

    :raises OSError: if nobody hears it any more.
    """
    text = json.dumps(message).encode()
    to.sendall(_HEAD.pack(_MESSAGE, len(text)) + text)


def pour(to: socket.socket, data: bytes) -> None:
    """Send bytes as they are.

    :raises OSError: if nobody hears them any more.
    """
    to.sendall(_HEAD.pack(_BYTES, len(data)) + data)


class Frames:
    """Takes what comes through a socket apart again."""

    def __init__(self, of: socket.socket) -> None:
        self._of = of
        self._rest = b""
        self._whole: list[dict[str, Any] | bytes] = []

    def read(self) -> Iterator[dict[str, Any] | bytes]:
        """Wait for something, and yield what is whole by then.

        :raises OSError: if the other side has gone, or is none of ours.
        """
        piece = self._of.recv(_PIECE)
        if not piece:
            raise ConnectionResetError("the other side has gone")
        self._rest += piece
        while len(self._rest) >= _HEAD.size:
            mark, length = _HEAD.unpack_from(self._rest)
            if length > _LONGEST:
                raise ConnectionAbortedError("no frame of ours")
            end = _HEAD.size + length
            if len(self._rest) < end:
                return
            data = self._rest[_HEAD.size : end]
            self._rest = self._rest[end:]
            yield _opened(mark, data)

    def message(self) -> dict[str, Any]:
        """Wait for the next message; nothing but messages is expected.

        :raises OSError: as :meth:`read`, or if it is none.
        """
        while not self._whole:
            self._whole += self.read()
        first = self._whole.pop(0)
        if isinstance(first, bytes):
            raise ConnectionAbortedError("bytes where a message was due")
        return first


def peer(of: socket.socket) -> tuple[int, int]:
    """Return the process id of the other side, as the kernel knows it.

    :return: process id and user id.
    """
    found = of.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, _ = _CREDENTIALS.unpack(found)
    return pid, uid


def is_ours(of: socket.socket) -> bool:
    """Tell whether the other side runs as the user that this process runs as."""
    return peer(of)[1] == os.getuid()


def _opened(mark: bytes, data: bytes) -> dict[str, Any] | bytes:
    if mark == _BYTES:
        return data
    try:
        message = json.loads(data)
    except ValueError as broken:
        raise ConnectionAbortedError("no message of ours") from broken
    if not isinstance(message, dict):
        raise ConnectionAbortedError("no message of ours")
    return message
