"""A stream to another place: who it is, what it says, and what it is told.

::

    connected --HELLO, a nonce, both--> PROOF, both --> up --frames--> lost

Once it is up each end says something every `PING_EVERY`: whoever has heard nothing for `SILENCE`
takes the other for gone, since packets may vanish without a word, and so may machines.

Both prove that they know the secret which all places share, over the other's nonce, so that whoever
listens in learns nothing to come in by. It hides nothing of what is said: the network between
places is the operator's own.
"""

from __future__ import annotations

import asyncio
import hmac
import os
from typing import Protocol, cast

import msgspec
import structlog

from tracker.exchange.frames import MOST_BODY, Frame, FrameError, Kind, Reader, encode

MOST_WAITING = 33_554_432
"""Bytes that may wait for a place to take them: what 10,000 sockets say in a second. Beyond it, it
is as good as gone."""

HELLO_TIMEOUT = 5.0
"""Seconds until it has to be known who is at the other end."""

PING_EVERY = 1.0
"""Seconds after which we say that we are there."""

SILENCE = 3.0
"""Seconds after which a place that says nothing is gone."""

MOST_MEETING = 512
"""Bytes of a body until it is known who is at the other end: a name of 200, and a proof."""

_NONCE = 16

log = structlog.get_logger("p2pcdn.tracker")


class Owner(Protocol):
    """Who has a line."""

    def up(self, line: Line, name: str) -> None:
        """It is known who is at the other end."""

    def hear(self, frame: Frame) -> None:
        """That place says something."""

    def lost(self) -> None:
        """The line is no more; called once, if it was ever up."""


class _Proof(msgspec.Struct, frozen=True):
    name: str
    mac: bytes


class Line(asyncio.Protocol):
    """One end of it. ``dials`` says which."""

    def __init__(self, owner: Owner, name: str, secret: bytes, *, dials: bool) -> None:
        """``name`` is our own place's."""
        self._owner = owner
        self._name = name
        self._secret = secret
        self._dials = dials
        self._loop = asyncio.get_running_loop()
        self._reader = Reader(MOST_MEETING)
        self._transport: asyncio.Transport | None = None
        self._nonce = os.urandom(_NONCE)
        self._theirs: bytes | None = None
        self._is_up = False
        self._waiting: list[bytes] = []
        self._size = 0
        self._heard = 0.0
        """When something came last, by the loop's clock."""
        self._patience: asyncio.TimerHandle | None = None
        self.gone: asyncio.Future[None] = self._loop.create_future()
        """Done once the line is no more."""

    @property
    def is_up(self) -> bool:
        """Whether it is known who is at the other end, or was."""
        return self._is_up

    def send(self, kind: Kind, guest: int = 0, body: bytes = b"") -> None:
        """Say something, with all else that is said in this turn of the loop."""
        transport = self._transport
        if transport is None:
            return
        if not self._waiting:
            self._loop.call_soon(self._flush)
        frame = encode(kind, guest, body)
        self._waiting.append(frame)
        self._size += len(frame)
        if self._size + transport.get_write_buffer_size() > MOST_WAITING:
            log.warning("place_too_slow", waiting=self._size)
            self.abort()

    def close(self) -> None:
        """Hang up, once what was said has been taken."""
        self._flush()
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Hang up at once. The owner hears of it in a later turn of the loop: it may be amid what
        it says."""
        if self._transport is not None:
            self._transport.abort()
            self._transport = None
            self._waiting.clear()

    # asyncio's protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._patience = self._loop.call_later(HELLO_TIMEOUT, self.abort)
        self.send(Kind.HELLO, body=self._nonce)

    def data_received(self, data: bytes) -> None:
        self._heard = self._loop.time()
        try:
            for frame in self._reader.feed(data):
                if self._transport is None:
                    return
                if self._is_up:
                    if frame.kind is not Kind.PING:
                        self._owner.hear(frame)
                else:
                    self._meet(frame)
        except FrameError as error:
            log.warning("place_not_understood", error=str(error))
            self.abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._end()

    def _flush(self) -> None:
        waiting, self._waiting, self._size = self._waiting, [], 0
        if waiting and self._transport is not None:
            self._transport.write(b"".join(waiting))

    def _ping(self) -> None:
        if self._loop.time() - self._heard > SILENCE:
            log.warning("place_silent", seconds=SILENCE)
            self.abort()
            return
        self.send(Kind.PING)
        self._patience = self._loop.call_later(PING_EVERY, self._ping)

    def _end(self) -> None:
        self._transport = None
        self._waiting.clear()
        if self._patience is not None:
            self._patience.cancel()
        if not self.gone.done():
            self.gone.set_result(None)
            if self._is_up:
                self._owner.lost()

    # Who is there?

    def _meet(self, frame: Frame) -> None:
        if frame.kind is Kind.HELLO and self._theirs is None and len(frame.body) == _NONCE:
            self._theirs = frame.body
            proof = _Proof(self._name, self._mac(self._name, dials=self._dials))
            self.send(Kind.PROOF, body=msgspec.msgpack.encode(proof))
        elif frame.kind is Kind.PROOF and self._theirs is not None:
            try:
                proof = msgspec.msgpack.decode(frame.body, type=_Proof)
            except msgspec.DecodeError as error:
                raise FrameError(f"a proof that is none: {error}") from error
            if not hmac.compare_digest(proof.mac, self._mac(proof.name, dials=not self._dials)):
                raise FrameError("it does not know our secret")
            assert self._patience is not None  # it is set before anything comes
            self._patience.cancel()
            self._patience = self._loop.call_later(PING_EVERY, self._ping)
            self._reader.most = MOST_BODY
            self._is_up = True
            self._owner.up(self, proof.name)
        else:
            raise FrameError(f"{frame.kind.name} before it is known who says so")

    def _mac(self, name: str, *, dials: bool) -> bytes:
        """What proves that an end knows the secret; the other end's would not do."""
        assert self._theirs is not None  # both nonces are in it
        nonces = (self._nonce, self._theirs) if self._dials else (self._theirs, self._nonce)
        said = b"".join((b"dials" if dials else b"hears", *nonces, name.encode()))
        return hmac.digest(self._secret, said, "sha256")
