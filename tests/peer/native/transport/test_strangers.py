"""An end that does not keep to the rules, before each transport."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from p2pcdn.core.ports import LinkBroke, LinkSays, LinkSends
from p2pcdn.errors import ErrorCode
from p2pcdn.model import FRAME_PAYLOAD
from p2pcdn.wire.chunk import Frame, encode_frame
from p2pcdn.wire.link import CONTROL_BYTES, Cancel
from peer.native.transport.choice import Choice
from tests.peer.native.transport.ends import EACH, Met, met


@pytest.fixture(params=EACH)
async def pair(request: pytest.FixtureRequest) -> AsyncIterator[Met]:
    choice: Choice = request.param
    async with met(choice) as pair:
        yield pair


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (b"\0" * 8, ErrorCode.BAD_FRAME),
        (encode_frame(Frame(0, 0, bytes(FRAME_PAYLOAD))) + b"x", ErrorCode.TOO_LARGE),
        ("text", ErrorCode.UNEXPECTED),
    ],
)
async def test_what_is_no_frame_breaks_the_link(
    pair: Met, message: bytes | str, code: ErrorCode
) -> None:
    stranger, end = pair
    stranger.data.send(message)
    assert await end.until(LinkBroke) == [LinkBroke(1, code.value)]


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("{}", ErrorCode.MALFORMED),
        ('{"type":"cancel","want":1,"x":"' + "x" * CONTROL_BYTES + '"}', ErrorCode.TOO_LARGE),
        (b"bytes", ErrorCode.UNEXPECTED),
    ],
)
async def test_what_is_no_control_message_breaks_the_link(
    pair: Met, message: bytes | str, code: ErrorCode
) -> None:
    stranger, end = pair
    stranger.sctp._remote_max_message_size = 0
    stranger.control.send(message)
    assert await end.until(LinkBroke) == [LinkBroke(1, code.value)]


async def test_an_empty_message_breaks_the_link(pair: Met) -> None:
    """SCTP has a kind of its own for it, which not every library tells from text."""
    stranger, end = pair
    stranger.control.send("")
    (broke,) = await end.until(LinkBroke)
    assert broke.code in (ErrorCode.UNEXPECTED, ErrorCode.MALFORMED)


async def test_a_message_without_end_breaks_the_link(pair: Met) -> None:
    stranger, end = pair
    stranger.sctp._remote_max_message_size = 0
    stranger.data.send(bytes(4 * 1024 * 1024))
    assert await end.until(LinkBroke) == [LinkBroke(1, ErrorCode.TOO_LARGE.value)]


async def test_a_frame_and_a_message_at_their_limits_pass(pair: Met) -> None:
    stranger, end = pair
    stranger.data.send(encode_frame(Frame(0, 0, bytes(FRAME_PAYLOAD))))
    text = '{"type":"cancel","want":1,"x":""}'
    stranger.control.send(text[:-2] + "x" * (CONTROL_BYTES - len(text)) + text[-2:])
    await end.until(LinkSends)
    assert await end.until(LinkSays) == [LinkSays(1, Cancel(1))]
    assert not end.all(LinkBroke)


async def test_a_channel_too_many_breaks_the_link(pair: Met) -> None:
    stranger, end = pair
    for number in range(200):
        stranger.connection.createDataChannel(f"extra {number}")
    assert await end.until(LinkBroke) == [LinkBroke(1, ErrorCode.UNEXPECTED.value)]
