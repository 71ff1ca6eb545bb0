"""aiolibdatachannel, as far as links need it: libdatachannel's C API by its thin imperative layer.

Its asyncio layer drops messages when a thousand wait and tells nobody, so this reaches below, to
`aiolibdatachannel._core`, and by ctypes to what that leaves out: how libdatachannel's SCTP behaves,
and which candidates a connection has come to use. All that does is in this file.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
from typing import Any

from p2pcdn.model import ROUTES, Route

CONNECTED, DISCONNECTED, FAILED, CLOSED = 2, 3, 4, 5
"""States of a peer connection (`rtcState`)."""
ALL, RELAYED = 0, 1
"""Which candidates a connection may use (`rtcTransportPolicy`)."""

SEND_BUFFER = 131_072
"""Bytes that SCTP takes from us ahead of what the other end has acknowledged. They count as sent,
and can't be taken back: so this is less than libdatachannel's megabyte, and still 20 Mbit/s for a
link around half of Europe (50 ms)."""
HEARTBEAT_MS = 500
"""After such a pause the other end of a quiet link is asked whether it is still there,"""
MOST_RETRANSMIT_MS = 1_500
"""so long an answer is awaited at the most,"""
MOST_RETRANSMITS = 3
"""and so often that is tried again, as with any packet: it takes some six seconds to notice that
the other end is gone, as on aiortc. By libdatachannel's own settings it takes half a minute."""

_TEXT = 512


class _SctpSettings(ctypes.Structure):
    """``rtcSctpSettings``; 0 is libdatachannel's default."""

    _fields_ = (
        ("recv_buffer_size", ctypes.c_int),
        ("send_buffer_size", ctypes.c_int),
        ("max_chunks_on_queue", ctypes.c_int),
        ("initial_congestion_window", ctypes.c_int),
        ("max_burst", ctypes.c_int),
        ("congestion_control_module", ctypes.c_int),
        ("delayed_sack_time_ms", ctypes.c_int),
        ("min_retransmit_timeout_ms", ctypes.c_int),
        ("max_retransmit_timeout_ms", ctypes.c_int),
        ("initial_retransmit_timeout_ms", ctypes.c_int),
        ("max_retransmit_attempts", ctypes.c_int),
        ("heartbeat_interval_ms", ctypes.c_int),
    )


class Library:
    """What links call. Raises `ImportError` where aiolibdatachannel is not, or is another one."""

    def __init__(self) -> None:
        self._core: Any = importlib.import_module("aiolibdatachannel._core")
        native: Any = importlib.import_module("aiolibdatachannel._native")
        try:
            self._c = ctypes.CDLL(native.__file__)
            self._selected_pair = self._c.rtcGetSelectedCandidatePair
            self.set_up()
        except (OSError, AttributeError) as error:
            raise ImportError("an aiolibdatachannel that hides libdatachannel") from error

    def set_up(self) -> None:
        """Say how SCTP is to behave on connections from now on."""
        settings = _SctpSettings(
            send_buffer_size=SEND_BUFFER,
            heartbeat_interval_ms=HEARTBEAT_MS,
            max_retransmit_timeout_ms=MOST_RETRANSMIT_MS,
            max_retransmit_attempts=MOST_RETRANSMITS,
        )
        self._c.rtcSetSctpSettings(ctypes.byref(settings))

    def connection(self, servers: list[str], *, policy: int, largest: int) -> Any:
        """A peer connection that takes no message longer than ``largest``."""
        return self._core.PeerConnection(
            servers, max_message_size=largest, ice_transport_policy=policy
        )

    def channel(self, connection: Any, label: str, number: int, *, ordered: bool) -> Any:
        """A channel that both ends know of beforehand."""
        handle = connection.create_data_channel(
            label, unordered=not ordered, negotiated=True, manual_stream=True, stream=number
        )
        return self._core.DataChannel(handle)

    def refuse(self, handle: int) -> None:
        """Close a channel that the other end has opened."""
        self._core.DataChannel(handle).destroy()

    def route_of(self, connection: Any) -> Route | None:
        """By which kind of way what is sent goes; None if that is not known."""
        ours, theirs = ctypes.create_string_buffer(_TEXT), ctypes.create_string_buffer(_TEXT)
        found = self._selected_pair(connection.handle, ours, _TEXT, theirs, _TEXT)
        if found < 0:
            return None
        kinds = [end.value.partition(b" typ ")[2].partition(b" ")[0] for end in (ours, theirs)]
        return next((route for route in ROUTES if route.encode() in kinds), None)


@functools.cache
def load() -> Library:
    """The library, set up once for the process."""
    return Library()


def is_there() -> bool:
    """Whether it can be imported."""
    try:
        load()
    except ImportError:
        return False
    return True
