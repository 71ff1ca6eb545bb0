"""Names of other peers: the messages, and a responder on the loopback interface."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address

import pytest

from peer.native.transport import mdns
from peer.native.transport.mdns import Resolver, decode_answers, encode_question, is_local_name

NAME = "6026b762-6085-418d-ad78-545a5778784d.local"
GROUP = "239.255.77.7"
"""Of the block for private use, so that no responder of the machine is asked."""

# What Chromium sends: the address, and beside it an NSEC record with a compressed name.
FROM_CHROMIUM = bytes.fromhex(
    "0000840000000001000000012436303236623736322d363038352d343138642d616437382d353435613537373837"
    "383464056c6f63616c0000018001000000780004c00002022436303236623736322d363038352d343138642d6164"
    "37382d353435613537373837383464056c6f63616c00002f8001000000780005c046000140"
)


def answer(name: str, address: str, *, kind: int, family: int = 1, flags: int = 0x8400) -> bytes:
    packed = socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"
    record = labels + struct.pack(">HHIH", kind, family, 120, len(packed)) + packed
    return struct.pack(">6H", 0, flags, 0, 1, 0, 0) + record


def test_names_of_candidates() -> None:
    assert is_local_name(NAME)
    assert is_local_name(NAME.upper())
    assert not is_local_name("example.com")
    assert not is_local_name("a.b.local")
    assert not is_local_name("192.0.2.1")
    assert not is_local_name(NAME + "\n")


def test_a_question_asks_for_both_kinds_of_address() -> None:
    question = encode_question("ab.local")
    assert question == (
        b"\0\0\0\0\0\x02\0\0\0\0\0\0\x02ab\x05local\0\0\x01\0\x01\x02ab\x05local\0\0\x1c\0\x01"
    )


def test_a_browsers_answer_is_read() -> None:
    assert decode_answers(FROM_CHROMIUM) == {NAME: IPv4Address("192.0.2.2")}


def test_answers_of_both_kinds_are_read() -> None:
    assert decode_answers(answer("AB.local", "fd00::2", kind=28, family=0x8001)) == {
        "ab.local": IPv6Address("fd00::2")
    }


@pytest.mark.parametrize(
    "message",
    [
        answer("ab.local", "192.0.2.1", kind=1, flags=0),  # a question
        answer("ab.local", "192.0.2.1", kind=16),  # another type
        answer("ab.local", "192.0.2.1", kind=1, family=3),  # another class
        answer("ab.local", "fd00::2", kind=1),  # an IPv4 address of 16 bytes
    ],
)
def test_what_is_no_address_is_passed_over(message: bytes) -> None:
    assert decode_answers(message) == {}


@pytest.mark.parametrize(
    "message",
    [
        b"",
        FROM_CHROMIUM[:30],
        struct.pack(">6H", 0, 0x8400, 0, 1, 0, 0) + b"\xc0\x0c",  # a pointer to itself
        struct.pack(">6H", 0, 0x8400, 0, 1, 0, 0) + b"\xc0\xff",  # a pointer beyond the end
        struct.pack(">6H", 0, 0x8400, 0, 1, 0, 0) + b"\x02\xff\xff\0" + bytes(10),
    ],
)
def test_nonsense_is_refused(message: bytes) -> None:
    with pytest.raises(ValueError, match="not a DNS message"):
        decode_answers(message)


class Responder:
    """Answers questions for one name on the loopback interface, from the second one on."""

    def __init__(self, deaf: int) -> None:
        self.asked = 0
        self._deaf = deaf
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        loopback = socket.inet_aton("127.0.0.1")
        self._socket.bind(("", 0))
        self.port: int = self._socket.getsockname()[1]
        self._socket.setsockopt(
            socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(GROUP) + loopback
        )
        self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, loopback)

    def announce(self, name: str, address: str) -> None:
        self._socket.sendto(answer(name, address, kind=1), (GROUP, self.port))

    def start(self) -> None:
        asyncio.get_running_loop().add_reader(self._socket, self._readable)

    def close(self) -> None:
        self._socket.close()

    def _readable(self) -> None:
        message = self._socket.recv(1500)
        if message != encode_question(NAME):
            return
        self.asked += 1
        if self.asked > self._deaf:
            self.announce(NAME, "192.0.2.9")


@pytest.fixture
def responder(request: pytest.FixtureRequest) -> Iterator[Responder]:
    responder = Responder(deaf=request.param)
    yield responder
    responder.close()


@pytest.mark.parametrize("responder", [0, 1], indirect=True)
async def test_a_name_is_found_even_if_a_question_is_lost(responder: Responder) -> None:
    responder.start()
    resolver = Resolver(["127.0.0.1"], group=GROUP, port=responder.port)
    found = await asyncio.gather(resolver.resolve(NAME), resolver.resolve(NAME.upper()))
    assert set(found) == {IPv4Address("192.0.2.9")}
    asked = responder.asked
    assert await resolver.resolve(NAME) == IPv4Address("192.0.2.9")
    assert responder.asked == asked, "it remembers"
    resolver.close()


@pytest.mark.parametrize("responder", [0], indirect=True)
async def test_a_name_that_was_announced_is_known(responder: Responder) -> None:
    resolver = Resolver(["127.0.0.1"], group=GROUP, port=responder.port)
    assert resolver.listen()
    responder.announce(NAME, "192.0.2.7")
    responder.announce(NAME, "192.0.2.8")  # the later one holds
    responder.announce("other.local", "192.0.2.10")
    assert await resolver.resolve("other.local") == IPv4Address("192.0.2.10")
    assert await resolver.resolve(NAME) == IPv4Address("192.0.2.8")
    assert responder.asked == 0
    resolver.close()


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mdns, "MOST_NAMES", 2)
    resolver = Resolver()
    for name in ("a.local", "b.local", "a.local", "c.local"):
        resolver._learn(name, IPv4Address("192.0.2.1"))
    assert list(resolver._known) == ["a.local", "c.local"]


async def test_a_name_that_nobody_has_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mdns, "GIVE_UP", 0.05)
    resolver = Resolver(["127.0.0.1"], group=GROUP, port=0)
    assert await resolver.resolve(NAME) is None
    resolver.close()


async def test_closing_ends_what_waits() -> None:
    resolver = Resolver(["127.0.0.1"], group=GROUP, port=0)
    asking = asyncio.create_task(resolver.resolve(NAME))
    await asyncio.sleep(0)
    resolver.close()
    assert await asking is None


async def test_without_a_socket_no_name_is_found() -> None:
    taken = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    taken.bind(("", 0))
    resolver = Resolver(["127.0.0.1"], group=GROUP, port=taken.getsockname()[1])
    assert await resolver.resolve(NAME) is None
    resolver.close()
    taken.close()
