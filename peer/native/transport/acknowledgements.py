"""Fewer acknowledgements than aiortc would send, which is one for each packet.

To make, to encrypt and to read them costs as much as the packets themselves. While more packets
have arrived already, and none is missing, one acknowledgement speaks for a few of them. What
reaches into aiortc's `RTCSctpTransport` for that is in this file.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiortc.rtcsctptransport import RTCSctpTransport

EACH = 4
"""Packets that one acknowledgement may be for. RFC 9260 (6.2) would have one for every second, lest
the other end wait for it; here all of them are there already. It may send four more for each."""
LATEST = 0.2
"""Seconds after which it is sent in any case (RFC 9260, 6.2): what had arrived was no packet."""


def acknowledge_sparingly(sctp: RTCSctpTransport, more: Callable[[], bool]) -> None:
    """Acknowledge several packets at once, as long as there are ``more`` to be read."""
    send_sack = sctp._send_sack
    put_off = 0
    timer: asyncio.TimerHandle | None = None
    loop = asyncio.get_running_loop()

    async def send_or_wait() -> None:
        nonlocal put_off, timer
        missing = sctp._sack_misordered or sctp._sack_duplicates
        if put_off + 1 < EACH and not missing and more():
            put_off += 1
            if timer is None:
                timer = loop.call_later(LATEST, send_late)
            return
        put_off = 0
        await send_sack()

    async def send_now() -> None:
        nonlocal put_off
        put_off = 0
        await send_sack()

    def send_late() -> None:
        nonlocal timer
        timer = None
        if sctp._sack_needed and sctp._association_state == sctp.State.ESTABLISHED:
            sending = asyncio.ensure_future(send_now())
            sending.add_done_callback(lambda task: task.cancelled() or task.exception())

    sctp._send_sack = send_or_wait  # type: ignore[method-assign]
