"""STUN (RFC 8489): telling a viewer by which address the world sees it.

Only the Binding request is answered, on UDP, at the server's own port number: so viewers behind
NATs link without a third party. ::

    0x0001 | length | 0x2112A442 | transaction (12 bytes) | attributes...     request
    0x0101 | length | 0x2112A442 | the same               | XOR-MAPPED-ADDRESS

An answer has 32 bytes (44 for IPv6) where a request has at least 20: nothing to gain for somebody
who would have us flood a victim. Whatever is no Binding request is not answered at all.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import struct
import sys
from typing import Any

import structlog

from tracker import metrics

COOKIE = 0x2112A442
BINDING_REQUEST = 0x0001
BINDING_SUCCESS = 0x0101
XOR_MAPPED_ADDRESS = 0x0020

MOST_BYTES = 1280
"""No request is longer than what every path carries whole (RFC 8489, 6.1)."""

BATCH = 64
"""Datagrams answered in a turn of the loop, so that a flood of them does not stop all else."""

_HEADER = struct.Struct(">HHI12s")
_ATTRIBUTE = struct.Struct(">HHBBH")

# A socket that listens on all addresses has to answer from the one that was asked: a client drops
# answers from any other. The kernel tells and takes that address beside the datagram.
_IP_PKTINFO = getattr(socket, "IP_PKTINFO", 8)
_IN_PKTINFO = struct.Struct("@I4s4s")
_IN6_PKTINFO = struct.Struct("@16sI")
_HAS_PKTINFO = sys.platform == "linux"

log = structlog.get_logger("p2pcdn.tracker")


def answer(data: bytes, source: tuple[Any, ...]) -> bytes | None:
    """The answer to a datagram from ``source`` (address, port, ...); None if there is none."""
    if len(data) < _HEADER.size:
        return None
    kind, length, cookie, transaction = _HEADER.unpack_from(data)
    if kind != BINDING_REQUEST or cookie != COOKIE:
        return None
    if length % 4 or length != len(data) - _HEADER.size:
        return None
    address = ipaddress.ip_address(source[0].partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    # RFC 8489, 14.2: a NAT that rewrites addresses in payloads must not recognise it.
    pad = COOKIE.to_bytes(4, "big") + transaction
    mapped = bytes(a ^ b for a, b in zip(address.packed, pad, strict=False))
    family = 1 if address.version == 4 else 2
    attribute = _ATTRIBUTE.pack(
        XOR_MAPPED_ADDRESS, 4 + len(mapped), 0, family, source[1] ^ (COOKIE >> 16)
    )
    header = _HEADER.pack(BINDING_SUCCESS, len(attribute) + len(mapped), COOKIE, transaction)
    return header + attribute + mapped


class StunServer:
    """Answers on UDP at one port of all addresses of a host."""

    def __init__(self) -> None:
        self._sockets: list[socket.socket] = []

    def open(self, host: str, port: int, *, shared: bool = False) -> None:
        """Bind and answer, maybe ``shared`` with other processes of ours, of which the kernel picks
        one for each asker; `OSError` if no socket can be had. To be called on the running loop."""
        found = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_DGRAM, flags=socket.AI_PASSIVE
        )
        error: OSError | None = None
        for family, _, _, _, address in found:
            try:
                self._sockets.append(_bind(family, address, shared=shared))
            except OSError as problem:  # a machine without IPv6, or the port is taken
                error = problem
        if not self._sockets:
            raise error or OSError(f"no address of {host!r}")
        for bound in self._sockets:
            asyncio.get_running_loop().add_reader(bound, _answer_waiting, bound)

    def close(self) -> None:
        """Answer no more."""
        for bound in self._sockets:
            asyncio.get_running_loop().remove_reader(bound)
            bound.close()
        self._sockets.clear()


def _bind(family: int, address: tuple[Any, ...], *, shared: bool) -> socket.socket:
    bound = socket.socket(family, socket.SOCK_DGRAM)
    try:
        bound.setblocking(False)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            if _HAS_PKTINFO:
                bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        elif _HAS_PKTINFO:
            bound.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
        if shared:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind(address)
    except BaseException:
        bound.close()
        raise
    return bound


def _answer_waiting(bound: socket.socket) -> None:
    for _ in range(BATCH):
        try:
            if not _answer_next(bound):
                return
        except OSError as error:
            # A source that cannot be answered, or a port that was closed meanwhile: theirs.
            log.debug("stun_failed", error=error.strerror)


def _answer_next(bound: socket.socket) -> bool:
    """Answer one datagram; whether there was one."""
    try:
        if not _HAS_PKTINFO:
            data, source = bound.recvfrom(MOST_BYTES)
            asked: list[tuple[int, int, bytes]] = []
        else:
            data, asked, _, source = bound.recvmsg(MOST_BYTES, socket.CMSG_SPACE(64))
    except (BlockingIOError, InterruptedError):
        return False
    reply = answer(data, source)
    if reply is not None:
        bound.sendmsg([reply], [_from(*item) for item in asked[:1]], 0, source)
        metrics.STUN.inc()
    return True


def _from(level: int, kind: int, info: bytes) -> tuple[int, int, bytes]:
    """Ask the kernel to answer from the address that was asked."""
    if level == socket.IPPROTO_IP:
        _, local, _ = _IN_PKTINFO.unpack(info[: _IN_PKTINFO.size])
        return level, kind, _IN_PKTINFO.pack(0, local, bytes(4))
    return level, kind, info[: _IN6_PKTINFO.size]
