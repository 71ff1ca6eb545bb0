"""Errors say whose fault it is.

`LocalError` is our own bug or misuse, `RemoteError` the other side's, `IntegrityError` a chunk
that is not what its hash says, `SourceError` a source that did not deliver. They hold plain values
and never messages. Each code stands once, here; it goes over the wire and into metrics by its name.
"""

from __future__ import annotations

from enum import StrEnum

from p2pcdn.model import ChunkKey


class ErrorCode(StrEnum):
    """What a remote side did wrong, or why it is turned away."""

    MALFORMED = "malformed"
    """Not JSON, not a known message, or a field of the wrong type or out of its bounds."""
    TOO_LARGE = "too_large"
    """A message or frame over its size limit."""
    TOO_FAST = "too_fast"
    """More messages, joins or requests than allowed for the time."""
    TOO_MANY = "too_many"
    """More of something open at once than allowed: sockets, candidates, wants."""
    TIMEOUT = "timeout"
    """The next expected message did not come in time."""
    UNSUPPORTED_PROTOCOL = "unsupported_protocol"
    """A protocol version that this side does not speak."""
    UNKNOWN_SITE = "unknown_site"
    """A site id that this tracker does not serve."""
    BAD_TOKEN = "bad_token"
    """The site wants a join token; there is none, or one that is not good for this join."""
    EXPIRED = "expired"
    """The join token's time is over, and no other has come."""
    REVOKED = "revoked"
    """The token, the key that signed it, or the content counts no longer."""
    WRONG_ORIGIN = "wrong_origin"
    """The page is not one of those that may join."""
    SITE_OFF = "site_off"
    """The site has switched sharing off; it may come back."""
    NO_PEERS = "no_peers"
    """The site shares nothing, or nothing that the viewer agrees to."""
    UNEXPECTED = "unexpected"
    """A valid message that makes no sense now: a second join, an answer nobody waits for."""
    UNKNOWN_PAIRING = "unknown_pairing"
    """A pairing that the tracker did not issue to this socket, or that is over."""
    BAD_SDP = "bad_sdp"
    """A session description that is not one data channel section and nothing else."""
    BAD_CANDIDATE = "bad_candidate"
    """An ICE candidate that cannot be read."""
    WRONG_CONTENT = "wrong_content"
    """The other end of the link is in another swarm."""
    BAD_FRAME = "bad_frame"
    """A frame that is too short, empty, or outside its chunk."""
    BANNED = "banned"
    """Several independent peers were sent wrong bytes from there: not let in for a while."""
    SLOW = "slow"
    """The socket does not read what it is sent."""
    DRAINING = "draining"
    """This node is going away; come back in a moment."""
    INTERNAL = "internal"
    """Our own fault; the log has more."""


class SourceReason(StrEnum):
    """Why a source did not deliver."""

    MISSING = "missing"
    """It does not have (any more) what was asked for."""
    BUSY = "busy"
    """It has enough to do; ask again later or elsewhere."""
    TIMEOUT = "timeout"
    """Nothing came for too long."""
    CLOSED = "closed"
    """The link or connection ended."""
    STATUS = "status"
    """An HTTP status other than the one that was asked for."""
    LENGTH = "length"
    """More or fewer bytes than were asked for."""
    INTEGRITY = "integrity"
    """The bytes failed their hash."""
    UNREACHABLE = "unreachable"
    """No connection could be made."""
    ABORTED = "aborted"
    """We no longer want it."""


class P2pcdnError(Exception):
    """Whatever this project raises on purpose."""


class LocalError(P2pcdnError):
    """We did something that makes no sense: a bug on this side."""


class RemoteError(P2pcdnError):
    """The other side broke the protocol: tell it the code, then close."""

    def __init__(self, code: ErrorCode, detail: str = "") -> None:
        super().__init__(code.value, detail)
        self.code = code
        self.detail = detail

    def __str__(self) -> str:
        return _said(self.code.value, self.detail)


class IntegrityError(P2pcdnError):
    """A chunk is not what its hash says; the link that sent it is to be closed."""

    def __init__(self, key: ChunkKey) -> None:
        super().__init__(key)
        self.key = key


class SourceError(P2pcdnError):
    """A source did not deliver; another one has to."""

    def __init__(self, reason: SourceReason, detail: str = "") -> None:
        super().__init__(reason.value, detail)
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return _said(self.reason.value, self.detail)


class ConfigError(P2pcdnError):
    """A setting or an argument is wrong. Its text is one sentence that says what would be right."""

    exit_code = 2
    """Of a process that ends with it."""


class UnavailableError(ConfigError):
    """A setting is right, and what it names cannot be had now: a port, a directory, a certificate.
    It may be there later, so it pays to start again."""

    exit_code = 1


def _said(name: str, detail: str) -> str:
    """An error for the log: what it is called, and what more is known."""
    return f"{name}: {detail}" if detail else name
