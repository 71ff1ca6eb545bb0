"""JSON text to messages and back, with every check that the types ask for."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from p2pcdn.errors import ErrorCode, RemoteError
from p2pcdn.wire.fields import ContentId, Message
from p2pcdn.wire.link import CONTROL_BYTES, LinkMessage
from p2pcdn.wire.manifest import Manifest, PresentationManifest, RenditionManifest
from p2pcdn.wire.tracker import Beacon, FromTracker, ToTracker

T = TypeVar("T")


class Aim(msgspec.Struct, frozen=True):
    """What of a message says where it belongs."""

    type: str
    content: ContentId | None = None
    follows: bool = False
    """Whether the peer goes where `moved` sends it."""


_encoder = msgspec.json.Encoder()
_to_tracker: msgspec.json.Decoder[ToTracker] = msgspec.json.Decoder(ToTracker)
_aim: msgspec.json.Decoder[Aim] = msgspec.json.Decoder(Aim)
_from_tracker: msgspec.json.Decoder[FromTracker] = msgspec.json.Decoder(FromTracker)
_beacon: msgspec.json.Decoder[Beacon] = msgspec.json.Decoder(Beacon)
_link: msgspec.json.Decoder[LinkMessage] = msgspec.json.Decoder(LinkMessage)
_manifest: msgspec.json.Decoder[PresentationManifest | RenditionManifest] = msgspec.json.Decoder(
    PresentationManifest | RenditionManifest
)


def encode(message: Message | Manifest) -> str:
    """The JSON text of a message."""
    return encode_utf8(message).decode()


def encode_utf8(message: Message | Manifest) -> bytes:
    """The JSON text of a message, in UTF-8 as it goes over the wire."""
    return _encoder.encode(message)


def decode_to_tracker(text: str | bytes) -> ToTracker:
    """What a peer told the tracker; `RemoteError` if it is no such message."""
    return _decode(_to_tracker, text)


def aim_of(text: bytes) -> Aim | None:
    """The content that a peer wants to join, without all else that its message says; None if it is
    no join, or nothing that makes sense: `decode_to_tracker` says what is wrong with it then."""
    try:
        aim = _aim.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None
    return aim if aim.type == "join" and aim.content is not None else None


def decode_from_tracker(text: str | bytes) -> FromTracker:
    """What the tracker told a peer; `RemoteError` if it is no such message."""
    return _decode(_from_tracker, text)


def decode_beacon(text: str | bytes) -> Beacon:
    """A report that did not come over a socket; `RemoteError` if it is none."""
    return _decode(_beacon, text)


def decode_link(text: str | bytes) -> LinkMessage:
    """What came over a link's control channel; `RemoteError` if it is no such message."""
    if len(text) > CONTROL_BYTES:
        raise RemoteError(ErrorCode.TOO_LARGE, f"a control message of {len(text)} bytes")
    return _decode(_link, text)


def decode_manifest(text: str | bytes) -> PresentationManifest | RenditionManifest:
    """What an origin answered; `RemoteError` if it is no manifest of a version we read."""
    return _decode(_manifest, text)


def _decode(decoder: msgspec.json.Decoder[T], text: str | bytes) -> T:
    try:
        return decoder.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise RemoteError(ErrorCode.MALFORMED, str(error)[:512]) from error
