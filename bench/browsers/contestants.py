"""Who is measured: what stands in the page, and how the player is made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

SNIPPET = '<script defer src="{snippet}" data-site="pk_demo"></script>'
BUNDLE = '<script src="/p2pml.js"></script>'


HLS = {"enableWorker": False}
"""Settings of hls.js, for all. p2p-media-loader 2.3.1 keeps and shares the very buffers that it
hands to the player; hls.js's worker would take them away, and the player fails within seconds."""


@dataclass(frozen=True)
class Contestant:
    """One way to play."""

    name: str
    label: str
    tags: str = ""
    """What a site adds to its page; ``{snippet}`` is the address of ours."""
    hls: dict[str, Any] = field(default_factory=dict, hash=False)
    """What hls.js is told beside `HLS`."""
    core: dict[str, Any] | None = field(default=None, hash=False)
    """Settings of p2p-media-loader; none if this is not it."""

    def config(self, tracker: str) -> dict[str, Any]:
        """What the player is made with."""
        hls = {**HLS, **self.hls}
        if self.core is None:
            return hls
        # Nothing leaves the machine: no public tracker, no STUN.
        local = {"announceTrackers": [tracker], "rtcConfig": {"iceServers": []}}
        return {**hls, "p2p": {"core": {**self.core, **local}}}


SHORT_WINDOW = {"highDemandTimeWindow": 4}
"""As PeerTube, which uses p2p-media-loader most, sets it for live: what is needed within the window
comes by HTTP. Its documentation has 15 s as the default and no advice for live."""

PLAIN = Contestant("plain", "plain hls.js")
OURS = Contestant("ours", "p2pcdn", SNIPPET)
P2PML = Contestant("p2pml", "p2p-media-loader", BUNDLE, core={})
TUNED = Contestant("p2pml-tuned", "p2p-media-loader, window of 4 s", BUNDLE, core=SHORT_WINDOW)
NEAR = Contestant(
    "p2pml-near",
    "p2p-media-loader, window of 4 s, 6 s behind live",
    BUNDLE,
    # Unless it is told otherwise, it moves hls.js back to the beginning of a live playlist.
    hls={"liveSyncDurationCount": 3},
    core=SHORT_WINDOW,
)

CONTESTANTS = {each.name: each for each in (PLAIN, OURS, P2PML, TUNED, NEAR)}
