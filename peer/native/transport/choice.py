"""Which library carries the links of a native peer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from peer.native.transport import Transport, libdatachannel

Choice = Literal["auto", "aiortc", "fast"]


def transport_of(choice: Choice, advertise: Iterable[str] = ()) -> Transport:
    """The transport of this name, or the fastest that there is; `ImportError` if it cannot be had.

    Libraries are imported when they are needed: aiortc takes most of a second.
    """
    if choice == "fast" or (choice == "auto" and libdatachannel.is_there()):
        from peer.native.transport.fast import FastTransport

        return FastTransport(advertise)
    from peer.native.transport.aiortc import AiortcTransport

    return AiortcTransport(advertise)
