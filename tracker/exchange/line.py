"""A stream to another place: who it is, what it says, and what it is told.

::

    connected --HELLO, a nonce, both--> PROOF, both --> up --SEALED--> lost

Once it is up each end says something every `PING_EVERY`: whoever hears nothing for `MOST_UNHEARD`
of them takes the other for gone, since packets may vanish without a word, and so may machines.

Both prove that they know the secret which all places share, over the other's nonce, and who dials
proves it to the place that it means: whoever listens in learns nothing to come in by. From then on
each write is sealed, by a key of this line and direction, so nobody on the way can say anything
either. It hides nothing of what is said: the network between places is the operator's own.
"""

from __future__ import annotations

import asyncio
import hmac
import os
from typing import Protocol, cast

import msgspec
import structlog

from tracker.exchange.frames import Frame, FrameError, Kind, Reader, encode
from tracker.exchange.seal import SIZE, Seal

MOST_WAITING = 33_554_432
"""Bytes that may wait for a place to take them: what 10,000 sockets say in a second. Beyond it, it
is as good as gone."""

HELLO_TIMEOUT = 5.0
"""Seconds until it has to be known who is at the other end."""

PING_EVERY = 1.0
"""Seconds after which we say that we are there."""

MOST_UNHEARD = 3
"""How often we say so without an answer of any kind. It is counted, not timed: when we were stopped
ourselves, what others said meanwhile may come after the timer."""

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
    """One end of it."""

    def __init__(self, owner: Owner, name: str, secret: bytes, *, to: str | None = None) -> None:
        """``name`` is our own place's, ``to`` that of the one we dial; None if we are dialled."""
        self._owner = owner
        self._name = name
        self._secret = secret
        self._to = to
        self._loop = asyncio.get_running_loop()
        self._reader = Reader(MOST_MEETING)
        self._transport: asyncio.Transport | None = None
        self._nonce = os.urandom(_NONCE)
        self._theirs: bytes | None = None
        self._seals: tuple[Seal, Seal] | None = None
        """Of what we say and of what we hear, once it is known who is there."""
        self._is_up = False
        self._waiting: list[bytes] = []
        self._size = 0
        self._unheard = 0
        """How often we have said that we are here since something came."""
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
        self._transport.write(encode(Kind.HELLO, body=self._nonce))

    def data_received(self, data: bytes) -> None:
        self._unheard = 0
        try:
            for frame in self._reader.feed(data):
                if self._transport is None:
                    return
                if self._seals is None:
                    self._meet(frame)
                else:
                    self._hear(frame, self._seals[1])
        except FrameError as error:
            log.warning("place_not_understood", error=str(error))
            self.abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._end()

    def _hear(self, sealed: Frame, seal: Seal) -> None:
        if sealed.kind is not Kind.SEALED:
            raise FrameError(f"{sealed.kind.name} without a seal")
        for frame in Reader().feed(seal.take(sealed.body)):
            if self._transport is None:
                return
            if frame.kind is not Kind.PING:
                self._owner.hear(frame)

    def _flush(self) -> None:
        waiting, self._waiting, self._size = self._waiting, [], 0
        if waiting and self._transport is not None:
            assert self._seals is not None  # nobody says anything before
            sealed = self._seals[0].put(b"".join(waiting))
            self._transport.write(encode(Kind.SEALED, body=sealed))

    def _ping(self) -> None:
        if self._unheard >= MOST_UNHEARD:
            log.warning("place_silent", pings=self._unheard)
            self.abort()
            return
        self._unheard += 1
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
            proof = _Proof(self._name, self._proof(self._name, self._to, ours=True))
            assert self._transport is not None  # what comes comes by it
            self._transport.write(encode(Kind.PROOF, body=msgspec.msgpack.encode(proof)))
        elif frame.kind is Kind.PROOF and self._theirs is not None:
            try:
                proof = msgspec.msgpack.decode(frame.body, type=_Proof)
            except msgspec.DecodeError as error:
                raise FrameError(f"a proof that is none: {error}") from error
            means = self._name if self._to is None else None
            if not hmac.compare_digest(proof.mac, self._proof(proof.name, means, ours=False)):
                raise FrameError("it does not know our secret, or means another place")
            assert self._patience is not None  # it is set before anything comes
            self._patience.cancel()
            self._patience = self._loop.call_later(PING_EVERY, self._ping)
            self._reader.most = MOST_WAITING + SIZE
            self._seals = Seal(self._mac("says", ours=True)), Seal(self._mac("says", ours=False))
            self._is_up = True
            self._owner.up(self, proof.name)
        else:
            raise FrameError(f"{frame.kind.name} before it is known who says so")

    def _proof(self, name: str, means: str | None, *, ours: bool) -> bytes:
        """What proves that an end knows the secret; who dials means somebody by it."""
        return self._mac("is", name, *([] if means is None else [means]), ours=ours)

    def _mac(self, *said: str, ours: bool) -> bytes:
        """What only an end of this line can know; the other end's is another."""
        assert self._theirs is not None  # both nonces are in it
        dials = self._to is not None
        nonces = self._nonce + self._theirs if dials else self._theirs + self._nonce
        end = b"dials" if ours is dials else b"hears"
        text = b"\0".join((end, *(part.encode() for part in said)))
        return hmac.digest(self._secret, nonces + text, "sha256")
