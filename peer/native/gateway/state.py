"""What a gateway remembers from one start to the next: its port, its secret, the paired pages, and
the contents that were added to it.

Pages and players have stored its address, so it is the same again, if the port is free. Of a page's
secret only a hash is kept: who reads the file can't be that page.

Several gateways may have one folder: each change is made to what is in the file by then, under a
lock, and takes the file's place as a whole.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
import structlog
from msgspec import Meta, Struct

from peer.native.file_lock import seize
from peer.native.gateway.admission import hash_of

FILE = "gateway.json"
LOCK = "gateway.lock"
MOST_PAGES = 256
"""Paired origins; the one that was paired first is forgotten for one more."""
SECRET_BYTES = 24

log = structlog.get_logger("p2pcdn.peer")

Secret = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{32,64}\Z")]


class Remembered(Struct, frozen=True, forbid_unknown_fields=True):
    """A content that was added."""

    url: str
    keep: bool = False
    paused: bool = False
    page: str | None = None
    """The page that has added it; None: the owner."""


class _File(Struct, forbid_unknown_fields=True):
    secret: Secret
    port: Annotated[int, Meta(ge=0, le=65_535)] = 0
    pages: dict[str, str] = {}
    contents: list[Remembered] = []


class State:
    """Kept in ``folder``, readable for its owner alone."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._kept = _File(secrets.token_urlsafe(SECRET_BYTES))
        self._begins = True
        with self._changed():
            self._begins = False
        self._mine = frozenset(self._kept.contents)
        """The contents that this one has noted, or has begun with."""

    @property
    def secret(self) -> str:
        """The owner's."""
        return self._kept.secret

    @property
    def port(self) -> int:
        """Where the gateway listened last; 0 if it has not yet."""
        return self._kept.port

    @port.setter
    def port(self, port: int) -> None:
        with self._changed():
            self._kept.port = port

    @property
    def pages(self) -> dict[str, str]:
        """The origins of the paired pages by the hashes of their secrets; always one object."""
        return self._kept.pages

    @property
    def contents(self) -> list[Remembered]:
        """Those to begin with, the oldest first; of pages only what is paired."""
        pages = {None, *self.pages.values()}
        return [content for content in self._kept.contents if content.page in pages]

    def note(self, contents: Collection[Remembered]) -> None:
        """These are there now, of those that this gateway has."""
        if self._mine == set(contents):
            return
        with self._changed():
            others = [c for c in self._kept.contents if c not in self._mine and c not in contents]
            self._kept.contents = [*others, *contents]
        self._mine = frozenset(contents)

    def pair(self, origin: str) -> str:
        """Remember a page; its secret. What it had before is good no longer."""
        secret = secrets.token_urlsafe(SECRET_BYTES)
        with self._changed():
            self._forget(origin)
            while len(self.pages) >= MOST_PAGES:
                del self.pages[next(iter(self.pages))]
            self.pages[hash_of(secret)] = origin
        return secret

    def part(self, origin: str) -> bool:
        """Forget a page; whether it was known."""
        with self._changed():
            return self._forget(origin)

    def _forget(self, origin: str) -> bool:
        known = [hashed for hashed, page in self.pages.items() if page == origin]
        for hashed in known:
            del self.pages[hashed]
        return bool(known)

    @contextmanager
    def _changed(self) -> Iterator[None]:
        """What is in the file now, to be changed, and then in the file; in memory alone if that
        cannot be."""
        with ExitStack() as stack:
            before = self._seized(stack)
            if before is not None:
                self._take(before)
            yield
            now = msgspec.json.format(msgspec.json.encode(self._kept))
            if before is not None and now != before:
                self._write(now)

    def _seized(self, stack: ExitStack) -> bytes | None:
        """The file's text, which is ours until ``stack`` ends; None if there can be none."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            lock = stack.enter_context(self._path.with_name(LOCK).open("a+"))
            seize(lock, wait=True)
            return self._path.read_bytes() if self._path.exists() else b""
        except OSError as error:
            self._complain(error)
            return None

    def _take(self, text: bytes) -> None:
        """Another gateway with this folder may have written since: what it did is not to go."""
        try:
            kept = msgspec.json.decode(text, type=_File)
        except msgspec.DecodeError as error:
            if text:
                log.warning("gateway_forgot", file=str(self._path), error=str(error))
            return
        if self._begins:
            self._kept = kept
        elif kept.secret == self._kept.secret:
            self.pages.clear()
            self.pages.update(kept.pages)
            self._kept.contents = kept.contents

    def _write(self, text: bytes) -> None:
        """Put it in the file's place: whoever is killed meanwhile leaves what was there."""
        beside = self._path.with_suffix(".tmp")
        try:
            beside.unlink(missing_ok=True)
            opened = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(opened, "wb") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self._path)
        except OSError as error:
            self._complain(error)

    def _complain(self, error: OSError) -> None:
        log.warning("gateway_will_forget", file=str(self._path), error=str(error))
