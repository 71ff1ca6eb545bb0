"""What a gateway remembers from one start to the next: its port, its secret, and the paired pages.

Pages and players have stored its address, so it is the same again, if the port is free. Of a page's
secret only a hash is kept: who reads the file can't be that page.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import Annotated

import msgspec
import structlog
from msgspec import Meta, Struct

from peer.native.gateway.admission import hash_of

FILE = "gateway.json"
MOST_PAGES = 256
"""Paired origins; the one that was paired first is forgotten for one more."""
SECRET_BYTES = 24

log = structlog.get_logger("p2pcdn.peer")

Secret = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{32,64}\Z")]


class _File(Struct, forbid_unknown_fields=True):
    secret: Secret
    port: Annotated[int, Meta(ge=0, le=65_535)] = 0
    pages: dict[str, str] = {}


class State:
    """Kept in ``folder``, readable for its owner alone."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._kept = self._read()

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
        self._look_again()
        self._kept.port = port
        self._write()

    @property
    def pages(self) -> dict[str, str]:
        """The origins of the paired pages by the hashes of their secrets; always one object."""
        return self._kept.pages

    def pair(self, origin: str) -> str:
        """Remember a page; its secret. What it had before is good no longer."""
        self._look_again()
        self.part(origin)
        while len(self.pages) >= MOST_PAGES:
            del self.pages[next(iter(self.pages))]
        secret = secrets.token_urlsafe(SECRET_BYTES)
        self.pages[hash_of(secret)] = origin
        self._write()
        return secret

    def part(self, origin: str) -> bool:
        """Forget a page; whether it was known."""
        self._look_again()
        known = [hashed for hashed, page in self.pages.items() if page == origin]
        for hashed in known:
            del self.pages[hashed]
        if known:
            self._write()
        return bool(known)

    def _look_again(self) -> None:
        """Another gateway with this folder may have written since: its pages are not to go."""
        with contextlib.suppress(OSError, msgspec.DecodeError):
            kept = msgspec.json.decode(self._path.read_bytes(), type=_File)
            if kept.secret == self._kept.secret:
                self.pages.clear()
                self.pages.update(kept.pages)

    def _read(self) -> _File:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=_File)
        except FileNotFoundError:
            pass
        except (OSError, msgspec.DecodeError) as error:
            log.warning("gateway_forgot", file=str(self._path), error=str(error))
        return _File(secrets.token_urlsafe(SECRET_BYTES))

    def _write(self) -> None:
        beside = self._path.with_suffix(".tmp")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):
                beside.unlink()
            opened = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(opened, "wb") as file:
                file.write(msgspec.json.format(msgspec.json.encode(self._kept)))
            beside.replace(self._path)
        except OSError as error:
            log.warning("gateway_will_forget", file=str(self._path), error=str(error))
