"""The browser bundle: `/p2pcdn.js` and its other names.

The bundle is built by ``make bundle`` and lies beside this file, in ``static/``. It may be built
again while the origin runs.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import msgspec
from aiohttp import hdrs, web

from origin.catalog.pages import Blob, blob
from origin.content_types import content_type
from origin.http.conditions import Validators, joined
from origin.http.representation import Content, Representation
from origin.http.sending import Handler, Sender
from origin.http_error import HttpError

STATIC = Path(__file__).parent / "static"

_SCRIPT = "p2pcdn.js"

_NAMES = {
    "/p2pcdn.js": _SCRIPT,
    "/p2pcdn.v1.js": _SCRIPT,
    "/p2pcdn.mjs": "p2pcdn.mjs",
    "/p2pcdn-local.mjs": "p2pcdn-local.mjs",
    "/p2pcdn.d.ts": "p2pcdn.d.ts",
}

_SHORT = "public, max-age=300"
"""A new version reaches every page within five minutes."""

_FOREVER = "public, max-age=31536000, immutable"

_GZIP = re.compile(r"(?:^|,)\s*(?:gzip|\*)\s*(?:;\s*q=(?!0(?:\.0*)?\s*(?:,|$))[0-9.]+\s*)?(?:,|$)")
"""Finds gzip, unless its quality is 0, in an Accept-Encoding header."""


class Facts(msgspec.Struct, frozen=True):
    """What is known of the script that was built."""

    hash: str
    """That its immutable name has."""
    sri: str
    """What a page's tag says in ``integrity`` (Subresource Integrity)."""


def facts(directory: Path = STATIC) -> Facts | None:
    """Those of the bundle; None if it has not been built."""
    try:
        return msgspec.json.decode((directory / "manifest.json").read_bytes(), type=Facts)
    except (OSError, msgspec.MsgspecError):
        return None


@dataclass(frozen=True, slots=True)
class _Version:
    """A file of the bundle as it was when it was read."""

    stamp: tuple[int, int]
    hash: str
    plain: Blob
    gzipped: Blob


class Snippet:
    """Finds the files of the bundle."""

    def __init__(self, directory: Path = STATIC) -> None:
        self._directory = directory
        self._versions: dict[str, _Version] = {}

    def routes(self, sender: Sender, preflight: Handler) -> Iterable[web.AbstractRouteDef]:
        """The routes of all names."""
        handler = sender.handler(self.show)
        for path in (*_NAMES, "/p2pcdn.{hash}.js"):
            yield web.get(path, handler)
            yield web.options(path, preflight)

    async def show(self, request: web.Request) -> Representation:
        """The file that the request names, compressed if the client likes that."""
        asked = request.match_info.get("hash")
        name = _SCRIPT if asked is not None else _NAMES[request.path]
        version = await asyncio.to_thread(self._read, name)
        if asked is not None and asked != version.hash:
            raise HttpError(
                HTTPStatus.NOT_FOUND,
                f"There is no version {asked[:64]!a} of the snippet here; this is {version.hash}.",
            )
        zipped = _GZIP.search((joined(request.headers, hdrs.ACCEPT_ENCODING) or "").lower())
        made = version.gzipped if zipped else version.plain
        encoding = ((hdrs.CONTENT_ENCODING, "gzip"),) if zipped else ()
        return Representation(
            Content(made.data),
            Validators(made.etag),
            _content_type(name),
            _SHORT if asked is None else _FOREVER,
            "overhead",
            ((hdrs.VARY, hdrs.ACCEPT_ENCODING), *encoding),
        )

    def _read(self, name: str) -> _Version:
        path = self._directory / name
        try:
            status = path.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            known = self._versions.get(name)
            if known is not None and known.stamp == stamp:
                return known
            data = path.read_bytes()
        except FileNotFoundError:
            raise HttpError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "The browser bundle has not been built: run `make bundle`.",
            ) from None
        zipped = blob(gzip.compress(data, mtime=0))
        digest = hashlib.sha256(data).hexdigest()
        version = _Version(stamp, digest[:16], blob(data), zipped)
        self._versions[name] = version
        return version


def _content_type(name: str) -> str:
    # Of a module's types; ``.ts`` alone would be taken for an MPEG transport stream.
    return "text/plain; charset=utf-8" if name.endswith(".d.ts") else content_type(name)
