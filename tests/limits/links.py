"""The limits of a link: what may be said, and how long is waited."""

from __future__ import annotations

from collections.abc import Iterable

from p2pcdn.core.availability import MOST_CHUNKS, MOST_SEGMENTS, MOST_SPANS, Availability
from p2pcdn.core.link import (
    HELLO_TIMEOUT,
    LONGEST,
    MOST_BROKEN,
    MOST_IN_FLIGHT,
    MOST_PATIENCE,
    MOST_SILENCES,
    MOST_WANTS,
    PROGRESS,
    Ended,
    Link,
    Need,
    State,
    Wanted,
    WantFailed,
)
from p2pcdn.core.ports import TellLink
from p2pcdn.model import CHUNK_SIZE, PROTOCOL, ChunkKey, SegmentKey, Span
from p2pcdn.wire.allowance import EACH, MOST_A_SECOND, MOST_AT_ONCE, Allowance
from p2pcdn.wire.chunk import FRAME_BYTES, HEADER_BYTES, Frame, decode_frame
from p2pcdn.wire.codec import decode_link, encode
from p2pcdn.wire.link import CONTROL_BYTES, Bye, Cancel, Have, Hello, Holding, Want
from tests.limits.case import Case, code_of, counted

OURS = Hello(PROTOCOL, "0" * 32, "0" * 16, upload=True)
THEIRS = Hello(PROTOCOL, "0" * 32, "a" * 16, upload=True)
KEY = ChunkKey("v", 7, 0)


def link_up() -> Link:
    link = Link(1, OURS, 0.0)
    link.receive(THEIRS, 0.0)
    return link


def ended_by(link: Link) -> str:
    """The code with which the link said bye; nothing if it is still up."""
    said = [message.message for message in link.take_messages() if isinstance(message, TellLink)]
    byes = [message for message in said if isinstance(message, Bye)]
    assert (link.state is State.OVER) == bool(byes)
    return str(byes[0].code) if byes else ""


def control_of(size: int) -> str:
    text = '{"type":"cancel","want":1,"x":""}'
    return code_of(lambda: decode_link(text[:-2] + "x" * (size - len(text)) + text[-2:]))


def spans_of(number: int) -> str:
    spans = tuple(Span(2 * count, 2 * count) for count in range(number))
    text = encode(Have((Holding("v", 0, spans),)))
    return code_of(lambda: decode_link(text))


def frame_of(size: int) -> str:
    return code_of(lambda: decode_frame(bytes(size)))


def frame_of_header_and(payload: int) -> str:
    return code_of(lambda: decode_frame(bytes(HEADER_BYTES + 1 - payload)))


def talk_of(size: int) -> str:
    """So many bytes in one breath, in messages as long as they may be."""
    allowance = Allowance(0.0)

    def say() -> None:
        for offset in range(0, size, CONTROL_BYTES):
            allowance.take(min(CONTROL_BYTES, size - offset) - EACH, 0.0)

    return code_of(say)


def talk_in_a_second(size: int) -> str:
    """So many bytes a second, for a thousand seconds."""
    allowance = Allowance(0.0)

    def say() -> None:
        for second in range(1, 1001):
            allowance.take(size - EACH, float(second))
        allowance.take(MOST_AT_ONCE - MOST_A_SECOND - EACH, 1000.0)

    return code_of(say)


def wants_of(number: int) -> str:
    link = link_up()
    for want in range(number):
        link.receive(Want(want, *KEY), 0.0)
        for event in link.take_events():
            if isinstance(event, Wanted):
                link.supply(event.want, event.key, b"x", Need.USUAL)
    return ended_by(link)


def asked_at_once(number: int) -> str:
    link = link_up()
    for want in range(100):
        link.want(KEY, 1, Need.USUAL, float(want))
        link.receive(Frame(want, 0, b"x"), float(want))
    return "" if link.window >= number else "not asked"


def chunk_of(size: int) -> str:
    """So many bytes for a chunk of 65,536."""
    link = link_up()
    link.want(KEY, CHUNK_SIZE, Need.USUAL, 0.0)
    for offset in range(0, size, 16_384):
        part = min(16_384, size - offset)
        link.receive(Frame(0, min(offset, CHUNK_SIZE - 1), bytes(part)), 0.0)
    return ended_by(link)


def unasked(size: int) -> str:
    """So many bytes beyond a chunk that was given up, of which all may still have been under
    way."""
    link = link_up()
    link.want(KEY, CHUNK_SIZE, Need.USUAL, 0.0)
    link.cancel(KEY)
    for offset in range(0, CHUNK_SIZE, 16_384):
        link.receive(Frame(0, offset, bytes(16_384)), 0.0)
    for _ in range(size):
        link.receive(Frame(0, 0, b"x"), 0.0)
    return ended_by(link)


def hello_after(seconds: float) -> str:
    link = Link(1, OURS, 0.0)
    link.on_timer(seconds)
    return ended_by(link)


def failed(link: Link) -> str:
    reasons = [event.reason for event in link.take_events() if isinstance(event, WantFailed)]
    return str(reasons[0]) if reasons else ""


def dripped_for(seconds: float) -> str:
    link = link_up()
    link.want(KEY, CHUNK_SIZE, Need.USUAL, 0.0)
    size = int(PROGRESS * CHUNK_SIZE)
    for time in range(1, int(min(seconds, LONGEST) / 0.3) + 1):
        link.receive(Frame(0, time * size, bytes(size)), time * 0.3)
        link.on_timer(time * 0.3)
    link.on_timer(seconds)
    return failed(link)


def silent_for(seconds: float) -> str:
    link = link_up()
    for attempt in range(10):  # it has become as patient as it can
        link.want(KEY, CHUNK_SIZE, Need.USUAL, attempt * 10.0)
        link.on_timer(attempt * 10.0 + 9)
        link.receive(Have(()), attempt * 10.0 + 9)
    link.take_events()
    link.want(KEY, CHUNK_SIZE, Need.USUAL, 1000.0)
    link.on_timer(1000.0 + seconds)
    return failed(link)


def broken(number: int, word: bool) -> Link:
    """Promises in a row that were not kept, with or without a word in between."""
    link = link_up()
    link.received = 1  # it has brought something before
    for attempt in range(number):
        link.want(KEY, CHUNK_SIZE, Need.USUAL, attempt * 10.0)
        link.on_timer(attempt * 10.0 + 9)
        if word:
            link.receive(Cancel(0), attempt * 10.0 + 9)
    return link


def not_kept(number: int) -> str:
    return "" if broken(number, word=True).is_credible(0.0) else "not believed"


def silences(number: int) -> str:
    link = broken(number, word=False)
    assert (link.state is State.OVER) == any(isinstance(e, Ended) for e in link.take_events())
    return ended_by(link)


def remembered(holdings: Iterable[Holding]) -> str:
    availability = Availability()
    held = list(holdings)
    for holding in held:
        availability.have(1, [holding], 0.0)
    kept = availability.held(1)
    return (
        ""
        if all(
            kept.get(SegmentKey(h.rendition, h.sequence), 0) >> h.chunks[-1].last & 1 for h in held
        )
        else "not believed"
    )


def segments_of(number: int) -> str:
    return remembered(Holding("v", count, (Span(0, 0),)) for count in range(number))


def chunks_of(number: int) -> str:
    return remembered([Holding("v", 0, (Span(0, number - 1),))])


CASES = [
    counted("p2pcdn.wire.link.CONTROL_BYTES", CONTROL_BYTES, control_of, "too_large",
            peak=200_000_000),
    counted("p2pcdn.wire.allowance.MOST_AT_ONCE", MOST_AT_ONCE, talk_of, "too_fast"),
    counted("p2pcdn.wire.allowance.MOST_A_SECOND", MOST_A_SECOND, talk_in_a_second, "too_fast"),
    counted("p2pcdn.core.availability.MOST_SPANS", MOST_SPANS, spans_of, "malformed",
            far=3000),
    counted("p2pcdn.wire.chunk.FRAME_BYTES", FRAME_BYTES, frame_of, "too_large", peak=20_000_000),
    Case("p2pcdn.wire.chunk.HEADER_BYTES", frame_of_header_and, 0, 1, HEADER_BYTES, "bad_frame"),
    counted("p2pcdn.core.link.MOST_WANTS", MOST_WANTS, wants_of, "too_many"),
    counted("p2pcdn.core.link.MOST_IN_FLIGHT", MOST_IN_FLIGHT, asked_at_once, "not asked"),
    counted("p2pcdn.model.CHUNK_SIZE", CHUNK_SIZE, chunk_of, "bad_frame"),
    counted("bytes that nobody asked for", 0, unasked, "bad_frame", far=1000),
    Case("p2pcdn.core.link.HELLO_TIMEOUT", hello_after, HELLO_TIMEOUT - 0.001, HELLO_TIMEOUT,
         1000 * HELLO_TIMEOUT, "timeout"),
    Case("p2pcdn.core.link.LONGEST", dripped_for, LONGEST - 0.001, LONGEST, 1000 * LONGEST,
         "timeout"),
    Case("p2pcdn.core.link.MOST_PATIENCE", silent_for, MOST_PATIENCE - 0.001, MOST_PATIENCE,
         1000 * MOST_PATIENCE, "timeout"),
    counted("p2pcdn.core.link.MOST_BROKEN", MOST_BROKEN - 1, not_kept, "not believed"),
    counted("p2pcdn.core.link.MOST_SILENCES", MOST_SILENCES - 1, silences, "timeout"),
    counted("p2pcdn.core.availability.MOST_SEGMENTS", MOST_SEGMENTS, segments_of, "not believed",
            far=10_000, peak=20_000_000),
    counted("p2pcdn.core.availability.MOST_CHUNKS", MOST_CHUNKS, chunks_of, "not believed"),
]  # fmt: skip
