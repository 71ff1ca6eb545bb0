"""The origin's signatures under what it says.

A record that a viewer has from another viewer is worth nothing without the origin's signature.
Viewers learn the public keys with each manifest that they fetch from the origin themselves, or the
page pins them.

The key ring may be changed while we run, by `p2pcdn keys` or for another origin that shares the
directory. Its file is looked at once a second at most, when something is to be signed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import structlog
from msgspec.structs import replace

from origin import keyring
from p2pcdn.errors import ConfigError
from p2pcdn.wire.manifest import Key, PresentationManifest, RenditionManifest, signed_bytes

LOOK_EVERY = 1.0
"""Seconds between two looks at the file."""

M = TypeVar("M", bound=PresentationManifest | RenditionManifest)

log = structlog.get_logger("p2pcdn.origin")


class Signer:
    """Signs with the current keys of the ring in a directory, which is made if there is none."""

    def __init__(self, directory: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._directory = directory
        self._clock = clock
        self.problem: str | None = None
        """What is wrong with the ring, for an operator; the keys stay as they were."""
        keyring.load(directory)  # so that there is a file
        self._take(self._look())

    def _take(self, seen: tuple[int, int, int] | None) -> None:
        """Take the keys out of the file, which was like that before it was read."""
        self._seen, self._look_at = seen, self._clock() + LOOK_EVERY
        if seen is None:  # keys that others pin are not made anew by the way
            raise ConfigError(f"The file {self._directory / keyring.FILE} is gone.")
        ring = keyring.load(self._directory)
        self._keys = ring.published()
        self._signing = ring.current.signer()

    def keys(self) -> tuple[Key, ...]:
        """What viewers need to verify us: what is signed with others is of no use any more."""
        self._refresh()
        return self._keys

    def sign(self, manifest: M) -> M:
        """The manifest with our signatures, and with our keys beside them."""
        keys = self.keys()
        signatures = self._signing.sign(signed_bytes(manifest))
        return replace(manifest, signatures=signatures, keys=keys)

    def _refresh(self) -> None:
        if self._clock() < self._look_at:
            return
        seen = self._look()
        if seen == self._seen and self.problem is None:  # what failed may just have had bad luck
            self._look_at = self._clock() + LOOK_EVERY
            return
        try:
            self._take(seen)
        except ConfigError as error:
            if str(error) != self.problem:
                log.warning("keys_not_read", error=str(error))
            self.problem = str(error)
        else:
            self.problem = None
            log.info("keys_changed", keys=[key.id for key in self._keys])

    def _look(self) -> tuple[int, int, int] | None:
        """What is different whenever the file is another one."""
        try:
            found = (self._directory / keyring.FILE).stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size
