"""What the links of a transport share."""

from __future__ import annotations

from p2pcdn.model import Mode
from peer.native.transport import Relay
from peer.native.transport.shared import Shared


async def test_stun_is_asked_only_if_the_mode_has_use_for_it() -> None:
    assert not Shared().reflects
    shared = Shared(["203.0.113.7"])
    shared.place(local="192.0.2.1", stun=("192.0.2.9", 3478))
    assert (shared.local, shared.stun) == ("192.0.2.1", ("192.0.2.9", 3478))
    found = []
    modes: tuple[Mode, ...] = ("any", "network", "lan", "relay")
    for mode in modes:
        shared.confine(mode, (Relay("t", 3478, "u", "p"),))
        found.append(shared.reflects)
    assert found == [True, True, False, False]
    await shared.close()
