"""A make-believe CDN: files by their paths, a token in the query, and who asked for what."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from multidict import CIMultiDict

from p2pcdn.errors import SourceError, SourceReason

BASE = "https://cdn.example/films/"


@dataclass
class Reply:
    """What it answers."""

    status: int
    headers: Mapping[str, str]
    data: bytes
    length: int | None = None
    read: int = 0
    """Bytes that somebody has taken."""

    async def blocks(self, most: int) -> AsyncIterator[bytes]:
        if len(self.data) > most:
            raise SourceError(SourceReason.LENGTH, "https://cdn.example/?token=secret")
        for at in range(0, len(self.data), 50_000):
            await asyncio.sleep(0)
            block = self.data[at : at + 50_000]
            self.read += len(block)
            yield block


@dataclass
class Cdn:
    """It asks itself: an `Ask`."""

    files: dict[str, bytes] = field(default_factory=dict)
    """By their paths below `BASE`."""
    tokens: set[str] | None = None
    """Those that are let in; None: everybody."""
    refusal: int = 403
    """What others are answered."""
    tags: bool = True
    asked: list[str] = field(default_factory=list)
    """URLs, in the order in which they were asked for."""
    replies: list[Reply] = field(default_factory=list)
    gate: asyncio.Event | None = None
    """What answers wait for."""
    broken: SourceReason | None = None
    lengths: bool = True
    instead: tuple[int, str] | None = None
    """Another status and Content-Range for what is asked for by a range."""
    cut: int = 0
    """Bytes that are missing at the end of what it sends."""

    def paths(self) -> list[str]:
        """What was asked for, without queries."""
        return [url.partition("?")[0].removeprefix(BASE) for url in self.asked]

    @asynccontextmanager
    async def __call__(self, url: str, headers: Mapping[str, str]) -> AsyncIterator[Reply]:
        self.asked.append(url)
        if self.gate is not None:
            await self.gate.wait()
        if self.broken is not None:
            raise SourceError(self.broken, f"{url} broke")
        reply = self._reply(url, headers)
        self.replies.append(reply)
        yield reply

    def _reply(self, url: str, headers: Mapping[str, str]) -> Reply:
        token = parse_qs(urlsplit(url).query).get("token", [""])[0]
        if self.tokens is not None and token not in self.tokens:
            return Reply(self.refusal, {}, b"")
        data = self.files.get(url.partition("?")[0].removeprefix(BASE))
        if data is None:
            return Reply(404, {}, b"")
        tag = f'"{hashlib.sha256(data).hexdigest()[:8]}"'
        named = CIMultiDict({"ETag": tag} if self.tags else {})
        if headers.get("If-None-Match") == tag:
            return Reply(304, named, b"")
        if "Range" not in headers:
            return Reply(
                200, named, data[: len(data) - self.cut], len(data) if self.lengths else None
            )
        first, last = map(int, headers["Range"].removeprefix("bytes=").split("-"))
        part = data[first : last + 1]
        status, ranges = self.instead or (206, f"bytes {first}-{first + len(part) - 1}/{len(data)}")
        named["Content-Range"] = ranges
        body = part if status == 206 else data
        return Reply(status, named, body, len(body))
