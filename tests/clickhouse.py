"""A ClickHouse for tests: ``python -m tests.clickhouse DIRECTORY PORT``.

It is chDB, ClickHouse's engine as a Python library, behind as much of ClickHouse's HTTP interface
as its client uses. So the SQL, the tables and what becomes of rows are the real thing; what is not
is the server around them: users, clusters, asynchronous inserts.
"""

from __future__ import annotations

import asyncio
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

USER, PASSWORD = "p2pcdn", "s3cret/%"
"""Who is let in."""

START_TIME = 60.0
"""Seconds that the engine may take to come up on a busy machine."""

_FORBIDDEN = (403, "Code: 516. DB::Exception: Authentication failed. (AUTHENTICATION_FAILED)")
_META = {"database", "wait_end_of_query", "send_progress_in_http_headers", "session_id"}
_META |= {"http_headers_progress_interval_ms", "client_protocol_version", "query_id"}
_META |= {"enable_http_compression", "compress", "decompress", "default_format", "role"}


def is_installed() -> bool:
    """Whether there is an engine, and a client."""
    return find_spec("chdb") is not None and find_spec("clickhouse_connect") is not None


class Server:
    """A process that can be killed, and started again with what it had."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self.port: int = found.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Come up, or come back."""
        words = [sys.executable, "-m", "tests.clickhouse", str(self._directory), str(self.port)]
        deadline = time.monotonic() + START_TIME
        while True:
            if self._process is None or self._process.poll() is not None:
                # Again, if somebody else has the port for a moment.
                self._process = subprocess.Popen(words, cwd=Path(__file__).parent.parent)
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/ping", timeout=5):
                    return
            except OSError as error:
                if time.monotonic() > deadline:
                    raise RuntimeError("the engine does not come up") from error
                time.sleep(0.05)

    def kill(self) -> None:
        """As in ``kill -9``."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def url(self, database: str, port: int | None = None) -> str:
        """As a setting takes it."""
        return f"http://{USER}:s3cret%2F%25@127.0.0.1:{port or self.port}/{database}"

    def ask(self, sql: str) -> list[list[str]]:
        """The rows that a query answers."""
        token = b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/",
            data=sql.encode(),
            headers={"Authorization": f"Basic {token}"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return [line.split("\t") for line in answer.read().decode().splitlines()]


@contextmanager
def running(directory: Path) -> Iterator[Server]:
    """A server for as long as the block lasts."""
    server = Server(directory)
    server.start()
    try:
        yield server
    finally:
        server.kill()


class Gate:
    """The way to a server, which may be shut, or let nothing back."""

    def __init__(self, port: int) -> None:
        self._to = port
        self.port = 0
        self._is_shut = False
        self.is_deaf = False
        """What is asked arrives, and is done; who asked does not hear of it."""
        self._server: asyncio.Server | None = None
        self._passing: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Gate:
        self._server = await asyncio.start_server(self._enter, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.shut()
        await asyncio.gather(*self._passing, return_exceptions=True)

    def shut(self) -> None:
        """End what is on its way, and let nothing through."""
        self._is_shut = True
        for task in self._passing:
            task.cancel()

    def open(self) -> None:
        """Let everything through."""
        self._is_shut = False

    def _enter(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_shut:
            writer.close()
            return
        task = asyncio.create_task(self._pass(reader, writer))
        self._passing.add(task)
        task.add_done_callback(self._passing.discard)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._to)
        try:
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(self._pump(reader, back))
                pumps.create_task(self._pump(there, writer, answers=True))
        except* OSError:
            pass
        finally:
            writer.close()
            back.close()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool = False
    ) -> None:
        while data := await reader.read(65_536):
            if answers and self.is_deaf:
                break
            writer.write(data)
            await writer.drain()
        writer.close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    session: Any
    turn = threading.Lock()

    def do_GET(self) -> None:
        if self.path == "/ping":
            self._answer(200, b"Ok.\n")
        else:
            self._ask(b"")

    def do_POST(self) -> None:
        self._ask(self._body())

    def _ask(self, body: bytes) -> None:
        token = b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if self.headers.get("Authorization") != f"Basic {token}":
            status, text = _FORBIDDEN
            self._answer(status, text.encode(), code="516")
            return
        given = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        try:
            with self.turn:
                self._answer(200, self._run(given, body))
        except RuntimeError as error:  # of which chDB makes all of the engine's exceptions
            found = re.search(r"Code: (\d+)", str(error))
            self._answer(500, str(error).encode(), code=found[1] if found else "1002")

    def _run(self, given: dict[str, str], body: bytes) -> bytes:
        for name, value in given.items():
            if name not in _META and not name.startswith("param_"):
                self.session.query(f"SET {name} = '{value}'")
        if body.startswith(b"INSERT") and b" FORMAT Native\n" in body:
            head, _, block = body.partition(b" FORMAT Native\n")
            with tempfile.NamedTemporaryFile() as file:
                file.write(block)
                file.flush()
                self.session.query(f"{head.decode()} FROM INFILE '{file.name}' FORMAT Native")
            return b""
        parameters = {
            name.removeprefix("param_"): value
            for name, value in given.items()
            if name.startswith("param_")
        }
        answer = self.session.query(body.decode(), "TSV", params=parameters)
        return bytes(answer.bytes() or b"")

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Content-Encoding") == "lz4":
            import lz4.frame  # type: ignore[import-untyped]

            frames, body = body, b""
            while frames:  # one for each block of rows
                frame = lz4.frame.LZ4FrameDecompressor()
                body += frame.decompress(frames)
                frames = frame.unused_data or b""
        return body

    def _answer(self, status: int, body: bytes, *, code: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-ClickHouse-Server-Display-Name", "chdb")
        if code:
            self.send_header("X-ClickHouse-Exception-Code", code)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


def main() -> None:
    """Serve until killed."""
    from chdb.session import Session

    directory, port = sys.argv[1:]
    _Handler.session = Session(directory)  # type: ignore[no-untyped-call]
    ThreadingHTTPServer(("127.0.0.1", int(port)), _Handler).serve_forever()


if __name__ == "__main__":
    main()
