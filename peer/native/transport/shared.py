"""What the links of a transport share, whichever library carries them."""

from __future__ import annotations

from collections.abc import Iterable

from p2pcdn.model import Mode
from p2pcdn.wire.link import CONTROL_BYTES
from peer.native.transport import Relay, ice
from peer.native.transport.mdns import Resolver

MOST_TOLD = 16 * CONTROL_BYTES
"""Bytes of control messages that wait: an end that takes no more is as good as gone."""
MOST_CANDIDATES = 20
"""Of the other end of one link. A tracker passes ten on."""
LAST_WORDS = 0.3
"""Seconds that a closing link has for what was told before."""
CLOSING = 2.0
"""Seconds after which a connection that does not end is left to itself."""


class Shared:
    """How a peer is reached, and what it may tell of that."""

    def __init__(self, advertise: Iterable[str] = ()) -> None:
        self.advertise = tuple(advertise)
        self.resolver = Resolver(ice.multicast_addresses())
        self.local: str | None = None
        self.stun: tuple[str, int] | None = None
        self.mode: Mode = "any"
        self.relays: tuple[Relay, ...] = ()

    @property
    def reflects(self) -> bool:
        """Whether STUN is asked by what addresses the world sees us."""
        return self.stun is not None and self.mode not in ("lan", "relay")

    def place(self, *, local: str | None, stun: tuple[str, int] | None) -> None:
        self.local, self.stun = local, stun

    def confine(self, mode: Mode, relays: tuple[Relay, ...]) -> None:
        self.mode, self.relays = mode, relays

    async def close(self) -> None:
        self.resolver.close()
