"""The control channel of a link: JSON text, ordered, the same union in both directions.

::

    one end                    the other
      | -- hello ----------------> |
      | <---------------- hello -- |
      | <----------------- have -- |     what it holds, at most ten times a second
      | <-------------- records -- |     live: what has just come out, and what it must hash to
      | -- want -----------------> |
      | <== frames of the chunk == |     on the data channel; or `busy`, or `missing`
      | -- cancel ---------------> |     when somebody else was faster

Neither end trusts the other: what is wanted has a known length and hash before it is asked for.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from p2pcdn.errors import ErrorCode
from p2pcdn.model import Span
from p2pcdn.wire.fields import (
    ChunkNumber,
    ContentId,
    Count,
    Detail,
    Id,
    Message,
    Part,
    RenditionId,
    Seconds,
    WantNumber,
)
from p2pcdn.wire.manifest import Records

CONTROL_BYTES = 65_536
"""The longest control message: room for a full announcement, nothing to fill a memory with."""


class Holding(Part, frozen=True):
    """Some chunks of one segment."""

    rendition: RenditionId
    sequence: Count
    chunks: Annotated[tuple[Span, ...], Meta(max_length=128)]
    """Runs of chunk numbers, both ends included."""


Holdings = Annotated[tuple[Holding, ...], Meta(max_length=256)]


class Hello(Message, frozen=True, tag="hello"):
    """The first message of each end."""

    protocol: Count
    content: ContentId
    peer: Id
    upload: bool


class Have(Message, frozen=True, tag="have"):
    """I hold these chunks now, verified."""

    holdings: Holdings


class Gone(Message, frozen=True, tag="gone"):
    """I no longer hold these chunks."""

    holdings: Holdings


class Loading(Message, frozen=True, tag="loading"):
    """I am fetching these from the origin: wait for my `have` rather than fetch them too."""

    holdings: Holdings


class Want(Message, frozen=True, tag="want"):
    """Send me this chunk."""

    want: WantNumber
    rendition: RenditionId
    sequence: Count
    chunk: ChunkNumber
    spare: bool = False
    """It is for later, and only worth upload that nobody else has a use for now."""
    soon: bool = False
    """It is due soon, and worth making others wait."""
    imports: bool = False
    """Others wait for it, in whose network it is not: they come before everybody, where importers
    are named. Elsewhere that is not believed."""
    era: Count = 0
    """Of the rendition, as the asker knows it: in another one the segment is another."""


class Cancel(Message, frozen=True, tag="cancel"):
    """I no longer want it; frames under way are ignored."""

    want: WantNumber


class Busy(Message, frozen=True, tag="busy"):
    """Not now: ask again in ``wait`` seconds, or elsewhere."""

    want: WantNumber
    wait: Seconds


class Missing(Message, frozen=True, tag="missing"):
    """I don't have it (any more), or I don't upload."""

    want: WantNumber


class Bye(Message, frozen=True, tag="bye"):
    """I am closing the link: because you broke the protocol, or (no code) because I am done."""

    code: ErrorCode | None = None
    detail: Detail = ""


LinkMessage = Hello | Have | Gone | Loading | Records | Want | Cancel | Busy | Missing | Bye
