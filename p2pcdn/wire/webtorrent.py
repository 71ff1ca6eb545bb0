"""WebTorrent's tracker protocol: JSON text over a WebSocket, as `bittorrent-tracker` speaks it.

::

    client                              tracker                 somebody else in the swarm
       | -- announce, with offers -------> |                                  |
       | <-- announce: how many there are- |                                  |
       |                                   | -- announce, with one offer ---> |
       |                                   | <-- announce, with an answer --- |
       | <-- announce, with the answer --- |                                  |
       | -- scrape ----------------------> |                                  |
       | <-- scrape: of each info hash --- |                                  |

Ids are 20 bytes, written as texts of 20 characters U+0000 to U+00FF; they are checked after
decoding, since there are several ways to write one in JSON. What clients describe themselves by is
passed on byte by byte as it came, so it is checked here that it is JSON in UTF-8: a browser closes
a socket on which it is told anything else.

Clients rely on that every answer has an ``action``, or they close a socket that may serve other
swarms, and an ``info_hash`` that is a text, or they throw.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta, Raw, Struct

from p2pcdn.errors import ErrorCode, RemoteError

ID_LENGTH = 20
"""Bytes of an info hash (SHA-1), of a peer's id and of an offer's."""

DESCRIPTION_BYTES = 65_536
"""Largest offer or answer. Browsers' take 500 to 3,000 bytes, all candidates included."""

MOST_SCRAPED = 128
"""Info hashes of one scrape."""

Action = Literal["announce", "scrape"]
Event = Literal["started", "update", "completed", "paused", "stopped", "empty", ""]

Id = Annotated[str, Meta(min_length=ID_LENGTH, max_length=ID_LENGTH)]
"""Its characters are looked at after it has been decoded: there are several ways to write one."""

_NULL = Raw(b"null")
_BRACE = ord("{")

_Number = int | float | str | None
"""What JavaScript makes of numbers: ``null`` where it has none."""


class Offer(Struct, frozen=True, gc=False):
    """A description for somebody, whoever it is."""

    offer: Raw
    offer_id: Id


class Announce(Struct, frozen=True, tag_field="action", tag="announce"):
    """Who is in a swarm, and what it has to say to others there."""

    info_hash: Id
    peer_id: Id
    event: Event | None = None
    """What has happened to it; None is an update."""
    left: _Number = None
    """Bytes that it lacks; 0 if it has all."""
    numwant: _Number = None
    """How many offers it wants to be passed on, if fewer than there are."""
    offers: tuple[Offer, ...] | None = None
    answer: Raw = Raw()
    """To the offer of this id, of this peer."""
    offer_id: Id | None = None
    to_peer_id: Id | None = None

    @property
    def answers(self) -> bool:
        """Whether it answers an offer; then it says nothing else."""
        return len(self.answer) > 0 and self.answer != _NULL

    @property
    def has_all(self) -> bool | None:
        """Whether it has all; None if it does not say."""
        if self.left in (0, "0") or self.event == "completed":
            return True
        return False if isinstance(self.left, int | float) else None

    @property
    def wanted(self) -> Sequence[Offer]:
        """The offers to be passed on."""
        offers, most = self.offers or (), self.numwant
        return offers[:most] if isinstance(most, int) and most >= 0 else offers


class Scrape(Struct, frozen=True, tag_field="action", tag="scrape"):
    """How many there are in swarms."""

    info_hash: Id | tuple[Id, ...] | None = None

    @property
    def info_hashes(self) -> tuple[str, ...]:
        hashes = self.info_hash
        return (hashes,) if isinstance(hashes, str) else hashes or ()


Request = Announce | Scrape


class Counts(NamedTuple):
    """How many are in a swarm."""

    complete: int
    incomplete: int


class RequestError(RemoteError):
    """A message that is none, or asks for what is not given: what it was about, as far as that can
    be told, and what would be right."""

    def __init__(self, action: Action, info_hash: str, reason: str) -> None:
        super().__init__(ErrorCode.MALFORMED, reason)
        self.action = action
        self.info_hash = info_hash

    @property
    def answer(self) -> bytes:
        """What the client is told."""
        return failed(self.action, self.info_hash, self.detail)


_encoder = msgspec.json.Encoder()
_requests: msgspec.json.Decoder[Request] = msgspec.json.Decoder(Request)
quoted = _encoder.encode
"""An id as JSON."""


def decode(data: bytes) -> Request:
    """What a client says; `RequestError` if it is nothing that one may say."""
    try:
        request = _requests.decode(data)
        if not data.isascii():
            data.decode()
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise _fault(data, str(error)[:256]) from error
    if isinstance(request, Announce):
        _check_announce(request)
    else:
        _check_scrape(request)
    return request


class Subject(Struct, frozen=True):
    """What a message is about, and nothing else of it."""

    action: str | None = None
    info_hash: str | tuple[str, ...] | None = None

    @property
    def info_hashes(self) -> tuple[str, ...]:
        hashes = self.info_hash
        return (hashes,) if isinstance(hashes, str) else hashes or ()


_subjects = msgspec.json.Decoder(Subject)


def subject_of(data: bytes) -> Subject:
    """What a message is about: of whatever is none, nothing."""
    try:
        return _subjects.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return Subject()


def scrape_of(info_hashes: Sequence[str]) -> bytes:
    """A scrape, as clients say it."""
    return quoted({"action": "scrape", "info_hash": info_hashes})


# What clients are told


def head_of(info_hash: str, peer_id: str) -> bytes:
    """The beginning of what a peer has to say to others in its swarm."""
    told = quoted({"action": "announce", "info_hash": info_hash, "peer_id": peer_id})
    return told[:-1] + b',"offer_id":'


def offered(head: bytes, offer_id: bytes, offer: Raw) -> bytes:
    """Somebody's offer. ``head`` is his, and the offer's id is `quoted`, here and below."""
    return b"".join((head, offer_id, b',"offer":', offer, b"}"))


def answered(head: bytes, offer_id: bytes, answer: Raw) -> bytes:
    """Somebody's answer to an offer."""
    return b"".join((head, offer_id, b',"answer":', answer, b"}"))


def counted(info_hash: bytes, interval: int, counts: Counts, warning: str = "") -> bytes:
    """The answer to an announce; ``interval`` is seconds until the next. The info hash is
    `quoted`."""
    said = b',"warning message":' + quoted(warning) if warning else b""
    return b'{"action":"announce","info_hash":%b,"interval":%d,"complete":%d,"incomplete":%d%b}' % (
        info_hash,
        interval,
        *counts,
        said,
    )


def scraped(swarms: Iterable[tuple[str, Counts]], interval: int) -> bytes:
    """How many there are in each swarm. How often one was downloaded in all nobody knows: at least
    by those who have it."""
    files = {
        info_hash: {
            "complete": counts.complete,
            "incomplete": counts.incomplete,
            "downloaded": counts.complete,
        }
        for info_hash, counts in swarms
    }
    flags = {"min_request_interval": interval}
    return quoted({"action": "scrape", "files": files, "flags": flags})


def failed(action: Action, info_hash: str, reason: str) -> bytes:
    """What was wrong, and what would be right."""
    return quoted({"action": action, "info_hash": info_hash, "failure reason": reason})


# What may be said


def _check_announce(said: Announce) -> None:
    info_hash = said.info_hash
    if not (info_hash.isascii() and said.peer_id.isascii()):
        _check_ids(said)
    for made in said.offers or ():
        offer, offer_id = made.offer, made.offer_id
        if not offer_id.isascii() and not _is_id(offer_id):
            raise RequestError("announce", info_hash, _not_an_id("offer_id"))
        if len(offer) > DESCRIPTION_BYTES or memoryview(offer)[0] != _BRACE:
            raise _no_description(offer, "offer", info_hash)
    if said.answers:
        answer = said.answer
        to, offered_id = said.to_peer_id, said.offer_id
        if to is None or offered_id is None:
            missing = "to_peer_id" if to is None else "offer_id"
            raise RequestError("announce", info_hash, _not_an_id(missing))
        if not (to.isascii() and offered_id.isascii()):
            _check_ids(said)
        if len(answer) > DESCRIPTION_BYTES or memoryview(answer)[0] != _BRACE:
            raise _no_description(answer, "answer", info_hash)


def _check_ids(said: Announce) -> None:
    for name in ("info_hash", "peer_id", "to_peer_id", "offer_id"):
        id_ = getattr(said, name)
        if id_ is not None and not _is_id(id_):
            raise RequestError("announce", said.info_hash, _not_an_id(name))


def _check_scrape(said: Scrape) -> None:
    hashes = said.info_hashes
    if not 0 < len(hashes) <= MOST_SCRAPED:
        raise RequestError(
            "scrape",
            next(iter(hashes), ""),
            f"`info_hash` of a scrape names 1 to {MOST_SCRAPED} swarms: nobody is told of all",
        )
    if not all(map(_is_id, hashes)):
        raise RequestError("scrape", "", _not_an_id("info_hash"))


def _no_description(said: Raw, name: str, info_hash: str) -> RequestError:
    why = f"`{name}` is an object such as {_EXAMPLE[name]}"
    if len(said) > DESCRIPTION_BYTES:
        why = f"the `{name}` has {len(said)} bytes; {DESCRIPTION_BYTES} is the limit"
    return RequestError("announce", info_hash, why)


_EXAMPLE = {
    "offer": '{"type": "offer", "sdp": "v=0..."}',
    "answer": '{"type": "answer", "sdp": "v=0..."}',
}


def _is_id(text: str) -> bool:
    return max(text) <= "\xff"


def _not_an_id(name: str) -> str:
    return (
        f"`{name}` is a text of {ID_LENGTH} characters U+0000 to U+00FF, "
        "each of which stands for a byte"
    )


def _fault(data: bytes, error: str) -> RequestError:
    """What is wrong with a message that is not decoded: told to whom it may concern."""
    try:
        said = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        said = None
    if not isinstance(said, dict):
        return RequestError(
            "announce", "", f"a message is a JSON object, as text in UTF-8: {error}"
        )
    action = said.get("action")
    subject = said.get("info_hash")
    if isinstance(subject, list) and subject:
        subject = subject[0]
    info_hash = subject[:ID_LENGTH] if isinstance(subject, str) else ""
    if action not in ("announce", "scrape"):
        return RequestError("announce", info_hash, "`action` is announce or scrape")
    return RequestError(action, info_hash, _reason(error))


def _reason(error: str) -> str:
    """What would be right in place of what is wrong with a field."""
    for name in ("info_hash", "to_peer_id", "peer_id", "offer_id"):
        if f"{name}`" in error or f"{name}[" in error:
            return _not_an_id(name)
    if "`$.event`" in error:
        return "`event` is started, completed, paused or stopped, or left out for an update"
    return error
