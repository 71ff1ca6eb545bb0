"""A load in our own protocol: viewers join with two prepared offers, answer those of others, pass
candidates on, and report every ten seconds; what of it costs how much of a core.

::

    join, 2 offers --> tracker --> joined, taken, offer --> answer, candidates (3) --> linked
    every 10 s: report, of two neighbours and five segments
"""

from __future__ import annotations

import asyncio
from collections import deque

from msgspec import Struct, structs

from bench.tracker.process import Server
from bench.tracker.sockets import Socket, connect, paced, percentiles
from p2pcdn.model import PROTOCOL
from p2pcdn.wire.codec import decode_from_tracker, encode_utf8
from p2pcdn.wire.tracker import (
    Answered,
    Invite,
    Join,
    Joined,
    Linked,
    Offered,
    PairingCandidates,
    PairReport,
    PreparedOffer,
    Report,
    SendAnswer,
    SendCandidates,
    SendOffer,
    Taken,
    Welcome,
)

CONTENT = 50
"""Viewers of a content."""
CANDIDATES = 3
"""Of each end, found together, and after it was described."""
SEGMENTS = 5
REPORT_EVERY = 10.0

_FINGERPRINT = ":".join(["AB"] * 32)


def sdp(setup: str) -> str:
    """A description of a data channel and nothing else."""
    return "\r\n".join(
        [
            "v=0",
            "o=- 4611731400430051336 2 IN IP4 127.0.0.1",
            "s=-",
            "t=0 0",
            "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
            "c=IN IP4 0.0.0.0",
            "a=ice-ufrag:abcd",
            "a=ice-pwd:abcdefghijklmnopqrstuvwx",
            f"a=fingerprint:sha-256 {_FINGERPRINT}",
            f"a=setup:{setup}",
            "a=mid:0",
            "a=sctp-port:5000",
            "a=max-message-size:262144",
            "",
        ]
    )


OFFER, ANSWER = sdp("actpass"), sdp("active")
_CANDIDATE = (
    "candidate:1 1 udp 2113937151 6b1d5a3e-7c0f-4f0e-9a0a-0f3d5c7b9e11.local 50000 typ host"
)


class Crowd:
    """What all viewers share."""

    def __init__(self) -> None:
        self.now = asyncio.get_running_loop().time
        self.times: list[float] = []
        """Seconds from asking to come in to being in."""
        self.linked = 0
        self.refused = 0


class Viewer(Socket):
    """One of ours; it comes in as soon as its socket is open."""

    def __init__(self, number: int, crowd: Crowd) -> None:
        super().__init__(number)
        self._crowd = crowd
        self._began = 0.0
        self._report = Report(0, renditions=("v",))
        self.pairings: deque[str] = deque(maxlen=2)
        self.joined = False

    def hear(self, data: bytes) -> None:
        match decode_from_tracker(data):
            case Welcome():
                self._began = self._crowd.now()
                offers = tuple(PreparedOffer(number, OFFER) for number in (1, 2))
                content = f"{self.number // CONTENT:032x}"
                join = Join(PROTOCOL, "pk_demo", content, "browser", True, offers)
                self.say(encode_utf8(join))
            case Joined():
                self._crowd.times.append(self._crowd.now() - self._began)
                self.joined = True
            case Offered(pairing=pairing):
                self.say(encode_utf8(SendAnswer(pairing, ANSWER)))
                self._gather(pairing)
            case Invite(pairing=pairing):
                self.say(encode_utf8(SendOffer(pairing, OFFER)))
                self._gather(pairing)
            case Taken(pairing=pairing):
                self._gather(pairing)
            case Answered(pairing=pairing):
                self.say(encode_utf8(Linked(pairing, 100.0)))
                self._crowd.linked += 1

    def _gather(self, pairing: str) -> None:
        self.pairings.append(pairing)
        found = PairingCandidates(pairing, (_CANDIDATE,) * CANDIDATES)
        self.say(encode_utf8(SendCandidates((found,))))

    def report(self) -> None:
        """Tell what has come since the last time."""
        number = self._report.number + 1
        runs = tuple((0, number * SEGMENTS + n, 0, 0, 9) for n in range(SEGMENTS))
        pairs = tuple(PairReport(pairing, received=runs, sent=runs) for pairing in self.pairings)
        self._report = structs.replace(self._report, number=number, pairs=pairs, peer_bytes=655_360)
        self.say(encode_utf8(self._report))


class Cost(Struct, frozen=True):
    """What viewers take."""

    viewers: int
    linked: int
    p50: float
    """Milliseconds until a viewer is in, while all come at once."""
    p99: float
    took: float
    """Seconds until all are in."""
    joining: float
    """Seconds of CPU of the server: for a viewer that comes in, and all its links."""
    watching: float
    """Seconds of CPU for a viewer that watches, each second."""
    viewer_bytes: float

    def a_core(self, stays: float) -> float:
        """How many viewers who stay so many seconds a core serves."""
        return 1 / (self.watching + self.joining / stays)


async def measure(
    server: Server, viewers: int, within: float, seconds: float, settle: float = 3.0
) -> Cost:
    """Viewers come within so many seconds, ``settle`` as many as the last links take, and watch for
    so many more."""
    crowd = Crowd()
    memory, used = server.memory(), server.cpu()
    url = f"ws://127.0.0.1:{server.port}/tracker/v1"
    everybody = [Viewer(number, crowd) for number in range(viewers)]
    began, coming = crowd.now(), iter(everybody)
    opening: list[asyncio.Task[list[Viewer]]] = []

    def come() -> None:
        viewer = next(coming, None)
        if viewer is not None:
            opening.append(asyncio.create_task(connect(url, [viewer])))

    await paced(viewers / within, within, come)
    opening += [asyncio.create_task(connect(url, [viewer])) for viewer in coming]
    await asyncio.gather(*opening)
    async with asyncio.timeout(120):
        while len(crowd.times) < viewers:  # noqa: ASYNC110 - a load is no place for events
            await asyncio.sleep(0.01)
    took = crowd.now() - began
    await asyncio.sleep(settle)  # the last links come to be
    joining = (server.cpu() - used) / viewers
    memory = server.memory() - memory
    turn = iter(everybody * (1 + int(seconds / REPORT_EVERY)))
    used = server.cpu()
    await paced(viewers / REPORT_EVERY, seconds, lambda: next(turn).report())
    watching = (server.cpu() - used) / viewers / seconds
    if closed := sum(viewer.closed for viewer in everybody):
        raise RuntimeError(f"{closed} of {viewers} viewers were sent away.")
    return Cost(
        viewers, crowd.linked, *percentiles(crowd.times), took, joining, watching, memory / viewers
    )
