"""Trackers that say one thing or another."""

from __future__ import annotations

import aiohttp
import pytest
from aiohttp import web

from p2pcdn.doctor import Finding, Verdict
from p2pcdn.doctor.tracker import PATH, Tracker
from p2pcdn.errors import ErrorCode
from p2pcdn.model import Mode
from p2pcdn.wire.codec import decode_to_tracker, encode
from p2pcdn.wire.tracker import FromTracker, Join, Joined, Limits, Refused, Welcome
from tests.p2pcdn.doctor.servers import Handler, everything, not_good, says, serving

LIMITS = Limits(65_536, 20, 16)
WELCOME = Welcome(2, "0" * 32, LIMITS, 10.0, stun="stun::8080")


def tracker(*words: FromTracker | str) -> Handler:
    """A tracker that says these, the second after a join."""

    async def handle(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        for number, word in enumerate(words):
            if number == 1:
                assert isinstance(decode_to_tracker(await socket.receive_str()), Join)
            await socket.send_str(word if isinstance(word, str) else encode(word))
        await socket.receive()
        return socket

    return handle


async def examined(handler: Handler) -> tuple[dict[str, Finding], Tracker]:
    async with (
        serving({f"GET {PATH}": handler}) as url,
        aiohttp.ClientSession() as session,
    ):
        looked_at = Tracker(session, url, "pk_demo")
        return await everything(looked_at.examine()), looked_at


def joined(mode: Mode) -> Joined:
    return Joined("0" * 16, 0, None, mode)


async def test_a_tracker_that_lets_anybody_in() -> None:
    found, looked_at = await examined(tracker(WELCOME, joined("any")))
    assert not_good(found) == {}
    assert (looked_at.reached, looked_at.stun) == (True, "stun::8080")


@pytest.mark.parametrize("mode", ["lan", "network", "relay"])
async def test_modes_that_keep_viewers_apart_are_told(mode: Mode) -> None:
    found, _ = await examined(tracker(WELCOME, joined(mode)))
    assert not_good(found) == {"join": Verdict.DOUBT}


@pytest.mark.parametrize("code", list(ErrorCode))
async def test_refusals(code: ErrorCode) -> None:
    found, _ = await examined(tracker(WELCOME, Refused(code, "so it is")))
    as_set = code in (ErrorCode.BAD_TOKEN, ErrorCode.WRONG_ORIGIN)
    assert not_good(found) == ({} if as_set else {"join": Verdict.WRONG})
    assert as_set or "so it is" in found["join"].sentence


@pytest.mark.parametrize(
    ("handler", "word"),
    [
        (says(200), "Upgrade"),
        (says(502), "502"),
        (tracker(joined("any")), "version"),
        (tracker("{}"), "breaks off"),
    ],
)
async def test_what_is_no_tracker(handler: Handler, word: str) -> None:
    found, looked_at = await examined(handler)
    assert not_good(found) == {"tracker": Verdict.WRONG}
    assert word in found["tracker"].sentence + found["tracker"].advice
    assert not looked_at.reached
