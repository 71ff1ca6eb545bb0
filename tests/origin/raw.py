"""Requests as bytes on a socket, several at once if need be: whatever a client library would mend
or refuse gets through."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    """By lower-case names."""
    body: bytes


class Wire:
    """One connection at a time to a server on this machine, made anew when that closes it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None
        self._unread = b""
        self.connections = 0

    def ask(self, requests: Sequence[bytes], pieces: Iterable[int] = ()) -> list[Answer]:
        """The answers to requests that are sent together, cut at these places; fewer if the server
        closes the connection after one of them."""
        return list(self._ask(requests, sorted(pieces)))

    def _ask(self, requests: Sequence[bytes], pieces: Sequence[int]) -> Iterator[Answer]:
        data = b"".join(requests)
        connection = self._connection()
        at = 0
        for place in [*pieces, len(data)]:
            connection.sendall(data[at:place])
            at = max(at, place)
        for request in requests:
            answer = self._read(head=request.startswith(b"HEAD ")) if self._is_answering() else None
            if answer is None or answer.headers.get("connection", "").lower() == "close":
                self.close()
            if answer is not None:
                yield answer
            if self._socket is None:
                return

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket, self._unread = None, b""

    def _connection(self) -> socket.socket:
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=20)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += 1
        return self._socket

    def _is_answering(self) -> bool:
        """Wait for the first byte of an answer, or the end of the connection."""
        if not self._unread:
            try:
                self._unread = self._connection().recv(262_144)
            except ConnectionResetError:
                return False
        return self._unread != b""

    def _read(self, *, head: bool) -> Answer:
        while b"\r\n\r\n" not in self._unread:
            self._more()
        text, _, self._unread = self._unread.partition(b"\r\n\r\n")
        first, *lines = text.decode("utf-8", "surrogateescape").split("\r\n")
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            assert name.lower() not in headers, f"twice: {line}"
            headers[name.lower()] = value.strip()
        status = int(first.split()[1])
        assert first.startswith("HTTP/1."), first
        assert "transfer-encoding" not in headers
        length = 0 if head or status in (204, 304) else int(headers["content-length"])
        while len(self._unread) < length:
            self._more()
        body, self._unread = self._unread[:length], self._unread[length:]
        return Answer(status, headers, body)

    def _more(self) -> None:
        data = self._connection().recv(262_144)
        assert data, f"closed after {self._unread!r}"
        self._unread += data


def request(method: str, target: str | bytes, lines: Iterable[tuple[str, str]] = ()) -> bytes:
    """A request of HTTP/1.1, with header lines as they are."""
    raw = target.encode("utf-8", "surrogateescape") if isinstance(target, str) else target
    head = b"".join(
        f"{name}: {value}\r\n".encode("utf-8", "surrogateescape")
        for name, value in [("Host", "media.example"), *lines]
    )
    return method.encode() + b" " + raw + b" HTTP/1.1\r\n" + head + b"\r\n"
