"""The limits of the tracker: its socket, whom it introduces, and STUN."""

from __future__ import annotations

import asyncio
import ipaddress
import socket

import aiohttp
from aioice import stun

from p2pcdn.config import TrackerConfig
from p2pcdn.core.swarm_ports import Rules
from p2pcdn.errors import ErrorCode
from p2pcdn.wire.candidate import Sieve, Vantage
from p2pcdn.wire.codec import encode, encode_utf8
from p2pcdn.wire.sdp import MOST_LINES, clean_description
from p2pcdn.wire.tracker import Offered, Refused, Report
from tests.limits.case import Case, code_of, counted, seconds, timed
from tests.p2pcdn.core.swarming import World, mdns, sdp
from tests.tracker.rig import Client, rig
from tracker.admission import Admission
from tracker.bucket import Bucket
from tracker.stun import MOST_BYTES as MOST_STUN_BYTES


async def outcome(client: Client) -> str:
    """By which code the tracker ended the socket; nothing if it still answers."""
    try:
        return "" if await client.lives() else "?"
    except (AssertionError, ConnectionError, aiohttp.ClientError):
        return "closed"


async def message_of(size: int) -> str:
    async with rig(message_bytes=1024) as tracker:
        client = await tracker.joined()
        text = encode(Report(1))
        head = f'{text[:-1]},"x":"'
        tail = '"}'
        data = (head + "x" * (min(size, 2048) - len(head) - len(tail)) + tail).encode()
        # Far above the limit its head alone is enough: nothing of it is waited for.
        length = (
            b"\xfe" + size.to_bytes(2, "big") if size < 65536 else b"\xff" + size.to_bytes(8, "big")
        )
        client.write(b"\x81" + length + bytes(4) + data)
        if size <= 1024:
            return await outcome(client)
        code, close_code = await client.last_words()
        assert close_code == 1009
        return code or "too_large"


async def hello_in(how: str) -> str:
    async with rig(hello_timeout=seconds(how)) as tracker:
        client = await tracker.client()
        if how == "prompt":
            await client.join()
            return await outcome(client)
        if how == "dripping":
            for _ in range(3):
                await client.socket.ping()
        return (await client.last_words())[0]


async def answers_pings(how: str) -> str:
    async with rig(heartbeat=0.6) as tracker:
        client = await tracker.client(autoping=how == "prompt")
        await client.join()
        listening = asyncio.create_task(_listen(client))
        done, _ = await asyncio.wait([listening], timeout=1.2 if how == "prompt" else 10)
        listening.cancel()
        return "closed" if done else ""


async def _listen(client: Client) -> None:
    while (await client.socket.receive()).type not in (
        aiohttp.WSMsgType.CLOSED,
        aiohttp.WSMsgType.CLOSE,
        aiohttp.WSMsgType.ERROR,
    ):
        pass


def messages_in_a_second(number: int) -> str:
    bucket = Bucket(20, 1, 0.0)
    waits = [bucket.take(count / number) for count in range(number)]
    return "later" if max(waits) > 1e-9 else ""


def messages_at_once(number: int) -> str:
    bucket = Bucket(20, 40, 0.0)
    return "later" if max(bucket.take(0.0) for _ in range(number)) else ""


async def flood_of(number: int) -> str:
    async with rig(messages_per_second=20, burst=10) as tracker:
        client = await tracker.joined()
        text = encode(Report(1)).encode()
        client.write((b"\x81" + bytes([0x80 | len(text)]) + bytes(4) + text) * number)
        return await outcome(client) if number <= 9 else (await client.last_words())[0]


def description(size: int) -> str:
    text = sdp()
    return text + "a=x:" + "x" * (size - len(text) - 6) + "\r\n"


def sieve(most: int = 3) -> Sieve:
    return Sieve(Vantage(ipaddress.ip_address("198.51.100.7")), most)


def description_of(size: int) -> str:
    return code_of(lambda: clean_description(description(size), sieve(), 8192))


def lines_of(number: int) -> str:
    text = sdp()
    text += "a=x\r\n" * (number - text.count("\r\n"))
    return code_of(lambda: clean_description(text, sieve(), 1_000_000))


def candidates_of(number: int) -> str:
    sifting = sieve(10)
    passed = [sifting.sift(mdns(count)) for count in range(number)]
    return "" if all(passed) else "dropped"


async def sockets_of(number: int) -> str:
    async with rig(sockets_per_address=3) as tracker:
        for _ in range(number):
            try:
                await tracker.client()
            except aiohttp.WSServerHandshakeError as error:
                return "too_many" if error.status == 429 else str(error.status)
        return ""


def sockets_counted(number: int) -> str:
    admission = Admission(TrackerConfig(sockets_per_address=3))
    address = ipaddress.ip_address("198.51.100.7")

    def enter() -> None:
        for _ in range(number):
            admission.enter(address, 0.0)

    return code_of(enter)


def joins_of(number: int) -> str:
    admission = Admission(TrackerConfig(joins_per_second=100))
    address = ipaddress.ip_address("198.51.100.7")

    def join() -> None:
        for _ in range(number):
            admission.join(address, 0.0)

    return code_of(join)


async def waiting_to_be_sent(number: int) -> str:
    async with rig(send_queue=8) as tracker:
        await tracker.joined()
        (guest,) = tracker.tracker._guests
        guest.connection.pause_writing()  # as its transport does when nobody reads
        for _ in range(number):
            guest.tell(encode_utf8(Refused(ErrorCode.SLOW, fatal=False)))
        farewell = guest.connection._farewell
        return farewell[1] if farewell else ""


def strangers(world: World, number: int, *offers: int) -> list[int]:
    """So many peers, each at a home and in a network of its own."""
    return [
        world.join(*offers, source=f"{11 + count // 250}.{count % 250}.1.1")
        for count in range(number)
    ]


def pairings_of(number: int) -> str:
    world = World(Rules(neighbours=8, links=3))
    strangers(world, number)
    world.settle()
    newcomer = world.join(source="9.9.9.9")
    held = [len(member.pairings) for member in world.swarms._members.values()]
    assert max(held) <= 3
    return "" if len(world.swarms._members[newcomer].pairings) == number else "not paired"


def offers_to(number: int) -> str:
    world = World(Rules(neighbours=8, pending_offers=2))
    victim = world.join(source="9.9.9.9")
    strangers(world, number, 1, 2)
    return "" if len(world.all(victim, Offered)) == number else "not offered"


def harvest_of(number: int) -> str:
    """Of so many peers, one at a time, by somebody who comes with a new socket for each."""
    world = World(Rules(peers_per_hour=5))
    found = 0
    for count in range(number):
        stranger = world.join(source=f"{11 + count // 250}.{count % 250}.1.1")
        harvester = world.join(source="9.9.9.9")
        found += len(world.swarms._members[harvester].pairings)
        world.close(harvester)
        world.close(stranger)
    return "" if found == number else "not paired"


async def stun_of(size: int) -> str:
    """Whether a request of this length is answered before one that is surely answered."""
    loop = asyncio.get_running_loop()
    async with rig() as tracker:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.setblocking(False)
            client.connect(("127.0.0.1", tracker.server.port))
            client.send(_binding(b"of this size", size))
            client.send(_binding(b"a usual one.", 20))
            async with asyncio.timeout(5):
                answer = stun.parse_message(await loop.sock_recv(client, 1500))
    return "" if answer.transaction_id == b"of this size" else "not answered"


def _binding(transaction: bytes, size: int) -> bytes:
    head = b"\x00\x01" + (size - 20).to_bytes(2, "big") + b"\x21\x12\xa4\x42" + transaction
    return head + bytes(size - 20)


CASES = [
    counted("tracker.message_bytes", 1024, message_of, "too_large"),
    timed("tracker.hello_timeout", hello_in, "timeout"),
    timed("tracker.heartbeat", answers_pings, "closed")._replace(far=None),
    counted("tracker.messages_per_second", 20, messages_in_a_second, "later"),
    counted("tracker.burst", 40, messages_at_once, "later", far=4000),
    Case("tracker.burst", flood_of, 9, 1000, 10_000, "too_fast"),
    counted("tracker.sdp_bytes", 8192, description_of, "too_large", peak=20_000_000),
    counted("tracker.candidates", 10, candidates_of, "dropped", far=2000),
    counted("tracker.sockets_per_address", 3, sockets_of, "too_many", far=100),
    counted("tracker.sockets_per_address", 3, sockets_counted, "too_many"),
    counted("tracker.joins_per_second", 100, joins_of, "too_fast"),
    counted("tracker.send_queue", 8, waiting_to_be_sent, "slow"),
    counted("tracker.links", 3, pairings_of, "not paired", far=60),
    counted("tracker.pending_offers", 2, offers_to, "not offered", far=50),
    counted("tracker.peers_per_hour", 5, harvest_of, "not paired", far=200),
    Case("tracker.stun.MOST_BYTES", stun_of, MOST_STUN_BYTES, MOST_STUN_BYTES + 4, 60_000,
         "not answered"),
    counted("p2pcdn.wire.sdp.MOST_LINES", MOST_LINES, lines_of, "bad_sdp"),
]  # fmt: skip
