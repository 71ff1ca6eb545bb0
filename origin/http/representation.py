"""What a URL stands for at the moment: some bytes, and what is to be said about them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate
from functools import cached_property
from typing import Literal, Protocol

from aiohttp import hdrs

from origin.http.conditions import Validators
from origin.sources import File, Keepable
from p2pcdn.errors import SourceError, SourceReason

Account = Literal["media", "overhead"]
"""Where the ledger counts bytes: what viewers watch, and all that helps them to."""


class Body(Protocol):
    """The bytes of a representation, read piece by piece."""

    @property
    def length(self) -> int: ...

    async def read(self, offset: int, size: int) -> bytes | memoryview:
        """Up to ``size`` bytes from ``offset``; fewer only at the end."""

    def close(self) -> None: ...


class Content:
    """A body that is in memory: a playlist, a manifest, the snippet."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    @property
    def length(self) -> int:
        return len(self._data)

    async def read(self, offset: int, size: int) -> memoryview:
        return memoryview(self._data)[offset : offset + size]

    def close(self) -> None:
        """Nothing is held open."""


class FileContent:
    """A body that stays on disk."""

    def __init__(self, file: File) -> None:
        self._file = file
        self._is_here = isinstance(file, Keepable)
        """Whether somebody may write into it while it is read."""
        self.length = file.identity.size

    async def read(self, offset: int, size: int) -> bytes | memoryview:
        # What many viewers want is in the page cache: a thread would cost more than the read.
        block: bytes | memoryview | None = self._file.read_cached(offset, size)
        try:
            if block is None:
                block = await asyncio.to_thread(self._file.read, offset, size)
        except SourceError as error:
            if error.reason is not SourceReason.MISSING:
                raise
            # It is there, since it was opened, but in another version by now.
            raise SourceError(SourceReason.CLOSED, f"{error.detail} was replaced.") from error
        if self._is_here and self._file.current() != self._file.identity:
            raise SourceError(SourceReason.CLOSED, "Somebody writes to it meanwhile.")
        return block

    def close(self) -> None:
        self._file.close()


class Fields(dict[str, str]):
    """Header fields that many answers have in common."""

    @cached_property
    def text(self) -> str:
        """As they are sent."""
        return text_of(self)


def text_of(fields: Mapping[str, str]) -> str:
    """Header fields as they are sent."""
    return "".join(f"{name}: {value}\r\n" for name, value in fields.items())


@dataclass(frozen=True)
class Representation:
    """A body with its validators and headers."""

    body: Body
    validators: Validators
    content_type: str
    cache_control: str
    account: Account
    headers: tuple[tuple[str, str], ...] = ()
    """More headers, for all answers that show this representation."""
    content: str = ""
    """The content that it is part of, for the ledger; empty if that is not known."""
    redirect: str = ""
    """Where a proxy in front of us finds the body, which then sends it by itself; empty if that is
    for us to do."""
    file: str = ""
    """What tells the body from all others, and from what it was before; empty if nobody asks."""

    @cached_property
    def described(self) -> Fields:
        """The header fields that a 304 has as well (RFC 9110, 15.4.5)."""
        fields = Fields({hdrs.ETAG: self.validators.etag, hdrs.CACHE_CONTROL: self.cache_control})
        if self.validators.modified is not None:
            fields[hdrs.LAST_MODIFIED] = formatdate(self.validators.modified, usegmt=True)
        fields.update(self.headers)
        return fields

    @cached_property
    def full(self) -> Fields:
        """The header fields of answers that have a body."""
        fields = Fields({hdrs.CONTENT_TYPE: self.content_type, hdrs.ACCEPT_RANGES: "bytes"})
        fields.update(self.described)
        return fields
