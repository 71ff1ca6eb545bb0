"""Another place's guests, in the realms that are here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import msgspec
import structlog

from p2pcdn.errors import ErrorCode, RemoteError
from tracker.exchange.frames import Frame, FrameError, Kind
from tracker.exchange.line import Line
from tracker.exchange.outward import SentBack
from tracker.guests import Facts, Realm

log = structlog.get_logger("p2pcdn.tracker")


class Distant:
    """A guest whose socket is at another place."""

    __slots__ = ("_line", "_number", "facts")

    def __init__(self, line: Line, number: int, facts: Facts) -> None:
        self._line = line
        self._number = number
        self.facts = facts

    def tell(self, text: bytes) -> None:
        self._line.send(Kind.TELL, self._number, text)

    def dismiss(self, code: ErrorCode | None) -> None:
        self._line.send(Kind.DISMISSED, self._number, code.value.encode() if code else b"")

    def send_back(self, error: RemoteError, together: int = 0) -> None:
        body = msgspec.msgpack.encode(SentBack(error.code, error.detail))
        self._line.send(Kind.SENT_BACK, self._number, body)


class Inward:
    """Whom a place has sent, and what it has us note."""

    def __init__(
        self,
        realms: Sequence[Realm],
        came: Callable[[Inward], None],
        note: Callable[[str, bytes], None],
        gone: Callable[[Inward], None],
    ) -> None:
        self.name = ""
        self._realms = realms
        self._came = came
        self._note = note
        self._gone = gone
        self._line: Line | None = None
        self._guests: dict[int, tuple[Realm, int, Distant]] = {}

    def __len__(self) -> int:
        """How many guests of that place are here."""
        return len(self._guests)

    def abort(self) -> None:
        """Hang up at once."""
        if self._line is not None:
            self._line.abort()

    # The line's owner

    def up(self, line: Line, name: str) -> None:
        self._line = line
        self.name = name
        self._came(self)

    def hear(self, frame: Frame) -> None:
        match frame.kind:
            case Kind.SAID:
                self._said(frame)
            case Kind.OPENED:
                self._opened(frame)
            case Kind.CLOSED:
                known = self._guests.pop(frame.guest, None)
                if known is not None:
                    realm, number, _ = known
                    self._guarded(None, partial(realm.closed, number))
            case Kind.NOTE:
                self._guarded(None, partial(self._note, self.name, frame.body))
            case _:
                raise FrameError(f"{frame.kind.name} goes the other way")

    def lost(self) -> None:
        self._line = None
        guests, self._guests = self._guests, {}
        for realm, number, _ in guests.values():
            self._guarded(None, partial(realm.closed, number))
        self._gone(self)

    def _opened(self, frame: Frame) -> None:
        assert self._line is not None  # it is what the frame came by
        try:
            index, facts = msgspec.msgpack.decode(frame.body, type=tuple[int, Facts])
            realm = self._realms[index]
        except (msgspec.DecodeError, IndexError) as error:
            raise FrameError(f"nobody is opened like that: {error}") from error
        guest = Distant(self._line, frame.guest, facts)
        try:
            self._guests[frame.guest] = realm, realm.opened(guest), guest
        except RemoteError as error:
            guest.send_back(error)

    def _said(self, frame: Frame) -> None:
        known = self._guests.get(frame.guest)
        if known is not None:
            realm, number, guest = known
            self._guarded((realm, guest), partial(realm.said, number, frame.body))

    def _guarded(self, whose: tuple[Realm, Distant] | None, act: Callable[[], None]) -> None:
        """Do something of which a failure ends nobody else's; as a socket does of its own."""
        try:
            act()
            return
        except RemoteError as refused:
            error = refused
        except Exception:
            log.exception("message_failed")
            error = RemoteError(ErrorCode.INTERNAL)
        if whose is not None:
            realm, guest = whose
            text = realm.complain(error)
            if text is not None:
                guest.tell(text)
            guest.dismiss(error.code)
