"""Other peers' `.local` names: browsers offer those in place of their addresses (RFC 6762).

A browser announces a name by multicast as it makes it up, and does not repeat itself within a
second (RFC 6762, 6); so whoever listens in time need not ask. Who has to asks by multicast, and
hears the answer by multicast too. Written by hand because browsers compress names in records
beside the address, which general DNS libraries refuse to read at all.
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address

GROUP = "224.0.0.251"
PORT = 5353
ASK_AT = (0.0, 0.3, 1.0)
"""Seconds after the first need of a name at which it is asked for: multicast gets lost."""
GIVE_UP = 2.5
MOST_NAMES = 512
"""Names that are remembered, or asked for, at once."""
DATAGRAM = 9_000
"""The longest answer (RFC 6762, 17)."""

_TYPE_A, _TYPE_AAAA = 1, 28
_CLASS_IN = 1
_FLUSH = 0x8000
"""The top bit of a record's class is not part of it (RFC 6762, 10.2)."""
_RESPONSE = 0x8000
_POINTER = 0xC0
_MOST_LABELS = 128

_NAME = re.compile(r"[0-9a-z-]{1,63}\.local", re.IGNORECASE)

Address = IPv4Address | IPv6Address


def is_local_name(host: str) -> bool:
    """Whether ``host`` is a name of the kind that stands in candidates."""
    return _NAME.fullmatch(host) is not None


def encode_question(name: str) -> bytes:
    """Ask for both kinds of address of ``name``, in one message."""
    label, _, top = name.encode().partition(b".")
    wire = b"%c%b%c%b\0" % (len(label), label, len(top), top)
    questions = [wire + struct.pack(">HH", kind, _CLASS_IN) for kind in (_TYPE_A, _TYPE_AAAA)]
    return struct.pack(">6H", 0, 0, len(questions), 0, 0, 0) + b"".join(questions)


def decode_answers(message: bytes) -> dict[str, Address]:
    """The addresses that a message gives, by lower-case name; `ValueError` if it is none."""
    try:
        return dict(_answers(message))
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise ValueError("not a DNS message") from error


def _answers(message: bytes) -> Iterator[tuple[str, Address]]:
    _, flags, questions, answers, _, _ = struct.unpack_from(">6H", message)
    if not flags & _RESPONSE:
        return
    at = 12
    for _ in range(questions):
        _, at = _read_name(message, at)
        at += 4
    for _ in range(answers):
        name, at = _read_name(message, at)
        kind, family, _, length = struct.unpack_from(">HHIH", message, at)
        data = message[at + 10 : at + 10 + length]
        at += 10 + length
        if family & ~_FLUSH != _CLASS_IN:
            continue
        if kind == _TYPE_A and len(data) == 4:
            yield name, IPv4Address(data)
        elif kind == _TYPE_AAAA and len(data) == 16:
            yield name, IPv6Address(data)


def _read_name(message: bytes, at: int) -> tuple[str, int]:
    """A name, which may end in a pointer to an earlier one (RFC 1035, 4.1.4), and what follows."""
    labels: list[str] = []
    after: int | None = None
    while length := message[at]:
        if len(labels) > _MOST_LABELS:
            raise IndexError("a name without an end")
        if length & _POINTER:
            pointer = struct.unpack_from(">H", message, at)[0] & 0x3FFF
            after = at + 2 if after is None else after
            if pointer >= at:
                raise IndexError("a pointer that does not point back")
            at = pointer
            continue
        labels.append(message[at + 1 : at + 1 + length].decode())
        at += 1 + length
    return ".".join(labels).lower(), at + 1 if after is None else after


class Resolver:
    """Finds the addresses behind names, on a socket that opens with the first need."""

    def __init__(
        self, interfaces: Sequence[str] = (), *, group: str = GROUP, port: int = PORT
    ) -> None:
        self._interfaces = interfaces
        """IPv4 addresses of the interfaces to ask on; none: the one of the default route."""
        self._group = group
        self._port = port
        self._socket: socket.socket | None = None
        self._known: dict[str, Address] = {}
        self._waiting: dict[str, asyncio.Future[Address]] = {}

    def listen(self) -> bool:
        """Hear what is announced, beside every other responder of the machine; False if that
        can't be."""
        if self._socket is not None:
            return True
        listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        listener.setblocking(False)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "SO_REUSEPORT"):
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            listener.bind(("", self._port))
        except OSError:
            listener.close()
            return False
        for interface in self._interfaces or ["0.0.0.0"]:
            membership = socket.inet_aton(self._group) + socket.inet_aton(interface)
            try:
                listener.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
            except OSError:
                continue  # an interface without multicast
        self._socket = listener
        asyncio.get_running_loop().add_reader(listener, self._readable)
        return True

    async def resolve(self, name: str) -> Address | None:
        """The address behind ``name``, or None if nobody answers in time."""
        name = name.lower()
        if name in self._known:
            return self._known[name]
        if name in self._waiting:
            return await self._patiently(self._waiting[name])
        if len(self._waiting) >= MOST_NAMES or not self.listen():
            return None
        answer: asyncio.Future[Address] = asyncio.get_running_loop().create_future()
        self._waiting[name] = answer
        asking = asyncio.create_task(self._ask(name))
        try:
            return await self._patiently(answer)
        finally:
            asking.cancel()
            self._waiting.pop(name, None)

    def close(self) -> None:
        """Give up what is being asked for, and the socket."""
        for answer in self._waiting.values():
            answer.cancel()
        self._waiting.clear()
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None

    @staticmethod
    async def _patiently(answer: asyncio.Future[Address]) -> Address | None:
        done, _ = await asyncio.wait([answer], timeout=GIVE_UP)
        return answer.result() if done and not answer.cancelled() else None

    async def _ask(self, name: str) -> None:
        question = encode_question(name)
        asked = 0.0
        for at in ASK_AT:
            await asyncio.sleep(at - asked)
            asked = at
            self._send(question)

    def _send(self, question: bytes) -> None:
        if self._socket is None:
            return
        for interface in self._interfaces or ["0.0.0.0"]:
            try:
                self._socket.setsockopt(
                    socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(interface)
                )
                self._socket.sendto(question, (self._group, self._port))
            except OSError:
                continue  # an interface without multicast

    def _readable(self) -> None:
        assert self._socket is not None
        try:
            message = self._socket.recv(DATAGRAM)
            answers = decode_answers(message)
        except (OSError, ValueError):
            return
        for name, address in answers.items():
            if is_local_name(name):
                self._learn(name, address)

    def _learn(self, name: str, address: Address) -> None:
        self._known.pop(name, None)
        while len(self._known) >= MOST_NAMES:
            del self._known[next(iter(self._known))]
        self._known[name] = address
        answer = self._waiting.get(name)
        if answer is not None and not answer.done():
            answer.set_result(address)
