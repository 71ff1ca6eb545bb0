"""A load in WebTorrent's protocol: clients announce with five offers, and whoever gets one answers.

::

    announce, 5 offers of 1 KB --> tracker --> a count, back      11 messages delivered
                                      '------> 5 offers to 5 others
    5 answers of 1 KB -----------> tracker --> back               for 6 that were sent

It is the same for every server, and nobody's limits are touched: a client sends less than one
message a second on average.
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import random
from collections import Counter, deque
from collections.abc import Sequence

from msgspec import Raw, Struct, field, json

from bench.tracker.process import Server
from bench.tracker.sockets import Socket, connect, paced, percentiles

OFFERS = 5
SWARM = 50
"""Clients of a swarm."""
DESCRIPTION = 1000
"""Bytes of an offer or an answer in JSON: as many as a browser's for a data channel alone has."""

_LINE = "a=candidate:1 1 udp 2113937151 192.168.1.7 50000 typ host generation 0\\r\\n"


def description(kind: str) -> bytes:
    """An offer or an answer in JSON."""
    sdp = "v=0\\r\\n" + _LINE * 20
    head, tail = f'{{"type":"{kind}","sdp":"', '"}'
    return (head + sdp[: DESCRIPTION - len(head) - len(tail)].rstrip("\\") + tail).encode()


_OFFER, _ANSWER = description("offer"), description("answer")


class Heard(Struct):
    """What a tracker may say."""

    failure: str = field(name="failure reason", default="")

    offer: Raw = Raw()
    answer: Raw = Raw()
    offer_id: str = ""
    peer_id: str = ""


_decode = json.Decoder(Heard).decode


@dataclasses.dataclass(slots=True)
class Tally:
    """What has been delivered, and how long each message took."""

    counts: int = 0
    offers: int = 0
    answers: int = 0
    times: list[float] = dataclasses.field(default_factory=list)

    @property
    def delivered(self) -> int:
        return self.counts + self.offers + self.answers


class Load:
    """Who says what when."""

    def __init__(self) -> None:
        self.now = asyncio.get_running_loop().time
        self.tally = Tally()
        self.numbers = itertools.count()
        self.offered: dict[str, float] = {}
        """When each offer was sent that has not been delivered, by its id."""
        self.answered: dict[str, float] = {}
        self.failures: Counter[str] = Counter()
        """What the server would not do, if anything."""


class Client(Socket):
    """One of WebTorrent's."""

    def __init__(self, number: int, load: Load) -> None:
        super().__init__(number)
        self._load = load
        swarm = number // SWARM
        self._head = (
            f'{{"action":"announce","info_hash":"swarm{swarm:015d}","peer_id":"peer-{number:015d}",'
        ).encode()
        self._asked: deque[float] = deque()

    def announce(self, offers: int = OFFERS) -> None:
        load = self._load
        now = load.now()
        self._asked.append(now)
        made = []
        for _ in range(offers):
            name = f"{next(load.numbers):020d}"
            load.offered[name] = now
            made.append(b'{"offer":%b,"offer_id":"%b"}' % (_OFFER, name.encode()))
        self.say(
            self._head
            + b'"uploaded":0,"downloaded":0,"left":1,"event":"%b","numwant":%d,"offers":[%b]}'
            % (b"update" if offers else b"started", offers, b",".join(made))
        )

    def hear(self, data: bytes) -> None:
        load = self._load
        now = load.now()
        heard = _decode(data)
        if heard.offer:
            load.tally.offers += 1
            load.tally.times.append(now - load.offered.pop(heard.offer_id, now))
            load.answered[heard.offer_id] = now
            self.say(
                self._head
                + b'"to_peer_id":"%b","offer_id":"%b","answer":%b}'
                % (heard.peer_id.encode(), heard.offer_id.encode(), _ANSWER)
            )
        elif heard.answer:
            load.tally.answers += 1
            load.tally.times.append(now - load.answered.pop(heard.offer_id, now))
        elif heard.failure:
            load.failures[heard.failure] += 1
        else:
            load.tally.counts += 1
            load.tally.times.append(now - self._asked.popleft())


class Result(Struct, frozen=True):
    """What a server did."""

    server: str
    active: int
    idle: int
    delivered: int
    expected: float
    """Messages that would have been delivered if nothing were late or lost."""
    seconds: float
    cpu: float
    """Seconds of the server."""
    p50: float
    """Milliseconds until a message is delivered."""
    p99: float
    idle_bytes: float
    """Memory a socket that has announced once and made no offers."""
    lost: int
    """Sockets."""

    @property
    def per_cpu(self) -> float:
        """Messages delivered a CPU second."""
        return self.delivered / self.cpu if self.cpu else 0.0


async def measure(
    server: Server, active: int, idle: int, rate: float, seconds: float, warm: float = 2.0
) -> Result:
    """``rate`` announces a second of the active ones together, for so long."""
    load = Load()
    before = server.memory()
    url = f"ws://127.0.0.1:{server.port}/announce"
    clients = await connect(url, (Client(number, load) for number in range(active + idle)))
    for client in clients:
        client.announce(0)
    await _settled(load, len(clients))
    await asyncio.sleep(1.0)
    idle_bytes = (server.memory() - before) / len(clients)
    turn = itertools.cycle(_shuffled(clients[:active]))

    def announce() -> None:
        next(turn).announce()

    await paced(rate, warm, announce)
    load.tally = Tally()
    used = server.cpu()
    await paced(rate, seconds, announce)
    used = server.cpu() - used
    tally = load.tally
    if load.failures:
        raise RuntimeError(f"{server.name} refuses: {load.failures.most_common(3)}")
    p50, p99 = percentiles(tally.times)
    return Result(
        server.name,
        active,
        idle,
        tally.delivered,
        rate * seconds * (1 + 2 * OFFERS),
        seconds,
        used,
        p50,
        p99,
        idle_bytes,
        sum(client.closed for client in clients),
    )


async def _settled(load: Load, wanted: int) -> None:
    async with asyncio.timeout(60):
        while load.tally.counts < wanted:  # noqa: ASYNC110 - a load is no place for events
            await asyncio.sleep(0.05)


def _shuffled(clients: Sequence[Client]) -> list[Client]:
    return random.Random(7).sample(clients, len(clients))
