"""The last reports of pages that go: they come past the socket, by ``navigator.sendBeacon``.

::

    page --POST /tracker/v1/report, text/plain--> 204

Such a request may come from any page and carries no secret of the browser's that counts: what it
may say is proved by the code that the tracker gave to the peer as it joined. It is of use to nobody
else, since a report counts once, whichever way it comes. A page cannot read the answer.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Protocol

from aiohttp import hdrs, web

from p2pcdn.config import TrackerConfig
from p2pcdn.core.ledger import Ledger
from p2pcdn.errors import RemoteError
from p2pcdn.service import error_response
from p2pcdn.wire.codec import decode_beacon
from p2pcdn.wire.manifest import to_base64
from p2pcdn.wire.tracker import Beacon
from tracker.admission import Admission

PATH = "/tracker/v1/report"

_KIND = "text/plain"
"""What ``sendBeacon`` says of a string. Anything but a few kinds a browser would ask for leave to
send, and not get it."""

_MAC_BYTES = 16


class Others(Protocol):
    """The processes that share the work."""

    @property
    def secret(self) -> bytes:
        """What all of them know, and nobody else."""

    @property
    def name(self) -> str:
        """Our own."""

    @property
    def others(self) -> Sequence[str]:
        """Those of the others."""

    def beacon(self, name: str, text: bytes) -> None:
        """A report has come here that is for another."""


class Beacons:
    """Takes them, and gives out the codes."""

    def __init__(
        self,
        config: TrackerConfig,
        ledger: Ledger,
        admission: Admission,
        now: Callable[[], float],
        others: Others | None = None,
    ) -> None:
        """``others`` are the processes that share the work, if there are any."""
        self._most = config.message_bytes
        self._ledger = ledger
        self._admission = admission
        self._now = now
        self._others = others
        self._secret = os.urandom(32) if others is None else others.secret
        self._name = "" if others is None else others.name

    def mac(self, peer: str) -> str:
        """What this peer has to show."""
        return self._mac(self._name, peer)

    async def take(self, request: web.Request) -> web.Response:
        """Answer a beacon: nothing, whether it was believed or not."""
        self._admission.beacon(self._admission.address_of(request), self._now())
        if request.content_type != _KIND:
            return error_response(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                f"A report comes as {_KIND}, as navigator.sendBeacon sends a string.",
                {hdrs.ACCEPT: _KIND},
            )
        text = await request.read()
        if len(text) > self._most:
            return error_response(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                "too_large",
                f"A report has {self._most} bytes at most.",
            )
        self._ledger.signalled(len(text))
        try:
            beacon = decode_beacon(text)
        except RemoteError:
            self._ledger.refused("malformed")
            raise
        if hmac.compare_digest(beacon.mac, self.mac(beacon.peer)):
            self._ledger.report(beacon.peer, beacon.report, self._now(), "beacon")
        elif not self._passed_on(beacon, text):
            self._ledger.refused("forged")
        return web.Response(status=HTTPStatus.NO_CONTENT)

    def hear(self, text: bytes) -> None:
        """A report that has come to another process, and is for us."""
        beacon = decode_beacon(text)
        if hmac.compare_digest(beacon.mac, self.mac(beacon.peer)):
            self._ledger.report(beacon.peer, beacon.report, self._now(), "beacon")

    def _passed_on(self, beacon: Beacon, text: bytes) -> bool:
        """Whether it was for another, who has let this peer in: its code tells."""
        if self._others is None:
            return False
        for name in self._others.others:
            if hmac.compare_digest(beacon.mac, self._mac(name, beacon.peer)):
                self._others.beacon(name, text)
                return True
        return False

    def _mac(self, name: str, peer: str) -> str:
        said = f"{name} {peer}".encode()
        return to_base64(hmac.digest(self._secret, said, hashlib.sha256)[:_MAC_BYTES])
