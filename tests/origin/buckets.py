"""A bucket on moto's S3 server, and a way to it on which things go wrong.

::

    Bucket ---> Way (counts, and spoils answers) ---> moto
    test   --put, delete---------------------------------^
"""

from __future__ import annotations

import http.client
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote, unquote
from xml.etree import ElementTree

import pytest
from moto.server import ThreadedMotoServer

from origin.sources import object_store

KEYS = {"AWS_ACCESS_KEY_ID": "an-id", "AWS_SECRET_ACCESS_KEY": "a-secret-key"}

ENVIRONMENT = {**KEYS, "AWS_REGION": "eu-central-1", "NO_PROXY": "127.0.0.1"}
"""What a server is given that reads from such a bucket."""

_REFUSALS = {
    "denied": (403, b"<Error><Code>AccessDenied</Code><Message>No.</Message></Error>"),
    "no bucket": (404, b"<Error><Code>NoSuchBucket</Code></Error>"),
    "broken": (500, b"<Error><Code>InternalError</Code></Error>"),
    "busy": (503, b"<Error><Code>SlowDown</Code></Error>"),
}

_CREDENTIAL = "AWS4-HMAC-SHA256 Credential=an-id/20260101/us-east-1/s3/aws4_request"

_PASSED_BACK = ("etag", "last-modified", "content-range", "content-type", "content-length")


class Store:
    """A bucket, and the way to it."""

    def __init__(self, moto: int, bucket: str) -> None:
        self.bucket = bucket
        self.fault = ""
        """One of `_REFUSALS`, or reset, truncated, silent, short, unconditional."""
        self.asked: list[str] = []
        """What came by the way: LIST, or HEAD or GET and a key."""
        self.answered: list[int] = []
        """The statuses that came of it."""
        self.released = threading.Event()
        self._moto = moto
        self._way = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._way.daemon_threads = True
        threading.Thread(target=self._way.serve_forever, args=(0.02,), daemon=True).start()
        self._ask("PUT", "")

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._way.server_address[1]}"

    def url(self, prefix: str = "") -> str:
        """What stands in a configuration."""
        return f"s3://{self.bucket}/{prefix}?endpoint={self.endpoint}"

    def put(self, key: str, data: bytes) -> bytes:
        """Store an object, as encoders and uploads do it: it is there as a whole, or not."""
        self._ask("PUT", key, data)
        return data

    def put_all(self, files: Mapping[str, bytes]) -> None:
        for key, data in files.items():
            self.put(key, data)

    def delete(self, key: str) -> None:
        self._ask("DELETE", key)

    def take(self) -> list[str]:
        """What has come by the way since this was last asked."""
        asked, self.asked = self.asked, []
        return asked

    def close(self) -> None:
        self.released.set()
        self._way.shutdown()
        self._way.server_close()

    def _ask(self, method: str, key: str, data: bytes = b"") -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._moto, timeout=10)
        try:
            head = {"Authorization": _CREDENTIAL}
            connection.request(method, f"/{self.bucket}/{key}", data, head)
            assert connection.getresponse().status < 300
        finally:
            connection.close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        store = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                store._pass_on(self)

            do_HEAD = do_GET  # noqa: N815

            def log_message(self, *said: Any) -> None:
                """Nobody reads it."""

        return Handler

    def _pass_on(self, request: BaseHTTPRequestHandler) -> None:
        path, _, query = request.path.partition("?")
        key = unquote(path).removeprefix(f"/{self.bucket}").removeprefix("/")
        lists = "list-type=" in query or "comp=list" in query
        self.asked.append("LIST" if lists else f"{request.command} {key}")
        fault = self.fault
        if fault == "silent":
            self.released.wait(20)
        if fault in ("silent", "reset"):
            request.close_connection = True
            return
        if fault in _REFUSALS:
            self._answer(request, *_REFUSALS[fault], {})
            return
        connection = http.client.HTTPConnection("127.0.0.1", self._moto, timeout=10)
        try:
            passed = {name: value for name, value in request.headers.items() if name != "Host"}
            passed.setdefault("authorization", _CREDENTIAL)  # moto has to think that it knows us
            if fault == "unconditional":
                passed.pop("if-match", None)
            if lists:
                target = f"/{self.bucket}?list-type=2&{query}"
            else:
                target = f"/{self.bucket}/{quote(key)}"
            connection.request(request.command, target, headers=passed)
            answer = connection.getresponse()
            body = answer.read()
            if "comp=list" in query:
                body = _as_azure(body)
                del answer.headers["content-length"]
            headers = {n: v for n in _PASSED_BACK if (v := answer.headers[n]) is not None}
        finally:
            connection.close()
        if fault == "short":
            body = body[:-1]
            headers["content-length"] = str(len(body))
        self._answer(request, answer.status, body, headers, cut=fault == "truncated")

    def _answer(
        self,
        request: BaseHTTPRequestHandler,
        status: int,
        body: bytes,
        headers: dict[str, str],
        *,
        cut: bool = False,
    ) -> None:
        self.answered.append(status)
        request.send_response(status)
        for name, value in {"content-length": str(len(body)), **headers}.items():
            request.send_header(name, value)
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(body[: len(body) // 2] if cut else body)
        if cut:
            request.close_connection = True


def _as_azure(listing: bytes) -> bytes:
    """A listing of S3 as Azure writes it."""
    blobs = ""
    for entry in ElementTree.fromstring(listing).iterfind("{*}Contents"):
        key, size, etag, changed = (
            entry.findtext(f"{{*}}{name}") or "" for name in ("Key", "Size", "ETag", "LastModified")
        )
        date = formatdate(datetime.fromisoformat(changed).timestamp(), usegmt=True)
        blobs += (
            f"<Blob><Name>{key}</Name><Properties><Last-Modified>{date}</Last-Modified>"
            f"<Etag>{etag.strip(chr(34))}</Etag><Content-Length>{size}</Content-Length>"
            "<Content-Type>video/mp4</Content-Type><ResourceType>file</ResourceType>"
            "</Properties></Blob>"
        )
    return f"<EnumerationResults><Blobs>{blobs}</Blobs><NextMarker/></EnumerationResults>".encode()


@contextmanager
def moto() -> Iterator[int]:
    """The port of an S3 server."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        yield server.get_host_and_port()[1]
    finally:
        server.stop()


def equip(patch: pytest.MonkeyPatch) -> None:
    """Keys in the environment, and nothing else of that kind; what fails is not tried again."""
    for name, value in ENVIRONMENT.items():
        patch.setenv(name, value)
    for name in [
        name for name in os.environ if name.startswith("AWS_") and name not in ENVIRONMENT
    ]:
        patch.delenv(name)
    patch.setattr(object_store, "RETRIES", 0)


def make_impatient(patch: pytest.MonkeyPatch) -> None:
    """Who connects from now on has no patience: for faults that are nothing but silence."""
    patch.setattr(object_store, "SILENCE", timedelta(seconds=0.3))
