"""What is ours of a message: ``python -m bench.tracker.inside [--cold] [--sockets N]``.

The load of `announces` without a network: frames go into the protocol of each socket as the event
loop would hand them over, and what is told is taken from it where it would go to the kernel. So it
is all of our work and picows's, and nothing of the kernel's or the loop's.

Back to back it is done in warm caches. A tracker that waits for the next message shares them with
whatever else the machine does: with ``--cold`` so much is written between any two calls that they
are empty.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import socket
import time
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any, cast

from bench.tracker.announces import OFFERS, SWARM, description
from bench.tracker.sockets import source
from p2pcdn.config import TrackerConfig
from p2pcdn.service import run
from p2pcdn.service.deadline import Line
from tracker.clock import Clock
from tracker.connection import Connection
from tracker.guests import Facts, Here
from tracker.homes import Homes
from tracker.networks import Networks
from tracker.visits import Tour
from tracker.webtorrent import WebTorrent, limits

ROUNDS = 6
CACHES = bytes(6 << 20)
"""More than a core has to itself."""

_OFFERED = re.compile(rb'"peer_id":"(.{20})","offer_id":"(.{20})","offer"')


class Transport:
    """Stands for the event loop's: it keeps what is written."""

    def __init__(self, listener: socket.socket) -> None:
        self.written: list[bytes] = []
        self.write = self.written.append
        self._socket = listener
        self._protocol: Any = None

    def get_protocol(self) -> Any:
        return self._protocol

    def set_protocol(self, protocol: Any) -> None:
        self._protocol = protocol

    def get_extra_info(self, name: str) -> socket.socket | None:
        return self._socket if name == "socket" else None

    def get_write_buffer_size(self) -> int:
        return 1  # or picows would give it to the kernel itself

    def writelines(self, parts: list[bytes]) -> None:
        self.write(b"".join(parts))

    def pause_reading(self) -> None: ...

    resume_reading = pause_reading

    def set_write_buffer_limits(self, _: int) -> None: ...


class Client:
    """A socket of the tracker's, and who is at its other end."""

    def __init__(
        self, number: int, listener: socket.socket, clock: Clock, realm: WebTorrent
    ) -> None:
        self._transport = Transport(listener)
        self.told = self._transport.written
        tour = Tour(Homes.alone((realm, realm)))
        self._connection = Connection(
            Line(cast(asyncio.Transport, self._transport), b"", lambda: None),
            b"dGhlIHNhbXBsZSBub25jZQ==",
            limits(TrackerConfig(messages_per_second=1e9)),  # no time goes by between messages
            clock,
            hear=tour.hear,
            complain=realm.complain,
            count=None,
            dropped=None,
            gone=lambda: None,
        )
        address = ip_address(source(number))
        tour.guest = Here(self._connection, Facts(str(address), "", None, ""), realm.complain)
        self._connection.listen()
        self.told.clear()  # the answer to its handshake
        self._head = b'{"action":"announce","info_hash":"swarm%015d","peer_id":"peer-%015d",' % (
            number // SWARM,
            number,
        )

    def hear(self, frame: bytes) -> None:
        """What the loop does with what it has read."""
        protocol = self._transport.get_protocol()
        while frame:
            room = protocol.get_buffer(-1)
            size = min(len(room), len(frame))
            room[:size] = frame[:size]
            protocol.buffer_updated(size)
            frame = frame[size:]

    def announce(self, ids: list[int]) -> bytes:
        """Its frame that makes offers with these ids."""
        offers = b",".join(b'{"offer":%b,"offer_id":"%020d"}' % (_OFFER, id_) for id_ in ids)
        return framed(b'%b"left":1,"numwant":%d,"offers":[%b]}' % (self._head, len(ids), offers))

    def answers(self) -> list[bytes]:
        """Its frames that answer what it has been offered since the last time."""
        found = [match.groups() for text in self.told if (match := _OFFERED.search(text))]
        self.told.clear()
        return [
            framed(
                b'%b"to_peer_id":"%b","offer_id":"%b","answer":%b}' % (self._head, *ids, _ANSWER)
            )
            for ids in found
        ]


_OFFER, _ANSWER = description("offer"), description("answer")


def framed(text: bytes) -> bytes:
    """A client's frame, masked with nothing."""
    size = len(text)
    length = b"\xfe" + size.to_bytes(2, "big") if size > 125 else bytes([0x80 | size])
    return b"\x81" + length + bytes(4) + text


async def measure(
    sockets: int, before: Callable[[], object], rounds: int = ROUNDS
) -> tuple[float, float]:
    """Microseconds of CPU for an announce, and for all answers to it; ``before`` each is done."""
    clock, realm = Clock(), WebTorrent(TrackerConfig(), Networks(()))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        clients = [Client(number, listener, clock, realm) for number in range(sockets)]
        for client in clients:
            client.hear(client.announce([]))
            client.told.clear()
        order, cpu = random.Random(7).sample(range(sockets), sockets), time.thread_time
        spent: list[tuple[float, float]] = []
        for number in range(rounds):
            announcing = answering = 0.0
            for place in order:
                one = clients[place]
                first = (number * sockets + place) * OFFERS
                frame = one.announce(list(range(first, first + OFFERS)))
                before()
                began = cpu()
                one.hear(frame)
                announcing += cpu() - began
                one.told.clear()
                swarm = clients[place // SWARM * SWARM :][:SWARM]
                answers = [(other, frame) for other in swarm for frame in other.answers()]
                before()
                began = cpu()
                for other, frame in answers:
                    other.hear(frame)
                answering += cpu() - began
                assert len(one.told) == len(answers) == OFFERS
                one.told.clear()
            spent.append((1e6 * announcing / sockets, 1e6 * answering / sockets))
        realm.close()
        clock.close()
    return min(spent, key=sum)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cold", action="store_true", help="with empty caches")
    parser.add_argument("--sockets", type=int, default=1000)
    options = parser.parse_args()
    junk = bytearray(CACHES)

    def cool() -> None:
        if options.cold:
            junk[:] = CACHES

    async def print_it() -> None:
        announce, answers = await measure(options.sockets, cool)
        a_message = (announce + answers) / (1 + 2 * OFFERS)
        print(
            f"An announce takes {announce:.1f} us and the answers to it {answers:.1f} us: "
            f"{a_message:.2f} us a message that is delivered."
        )

    run(print_it())


if __name__ == "__main__":
    main()
