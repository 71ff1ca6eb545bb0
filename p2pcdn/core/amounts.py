"""What the ledger adds up: sums that can be merged, and what can be said of them.

All figures are whole numbers, so that no order of adding them matters; how long viewers waited for
their first picture is a histogram, of which shares of many viewers can be added up, and quantiles
told without knowing any one of them.
"""

from __future__ import annotations

from msgspec import Struct

MOST_BYTES = 2**53 - 1
"""What JavaScript can hold exactly; no figure beyond it is believed, or shown."""

STEPS = ("announce", "answer", "ice", "open", "first_chunk")
"""How far a viewer has come on its way to a first chunk from a peer."""

STARTUPS = (250, 500, 750, 1000, 1500, 2000, 3000, 4000, 6000, 8000, 12_000)
"""Upper bounds of the histogram's classes, in milliseconds; beyond the last there is one more."""


class Amounts(Struct):
    """What is added up. All but what is claimed, or turns out to be worth nothing, only grows."""

    origin_bytes: int = 0
    least_bytes: int = 0
    """What the origin had to send at least, whatever peers do: each byte once."""
    elsewhere_bytes: int = 0
    """What viewers say that they took from where media stay that are not the origin's."""
    peer_bytes_confirmed: int = 0
    peer_bytes_claimed: int = 0
    peer_bytes_disputed: int = 0
    edge_bytes: int = 0
    relayed_bytes: int = 0
    waste_bytes: int = 0
    rejected_chunks: int = 0
    origin_mismatches: int = 0
    overhead_bytes: int = 0
    joins: int = 0
    links_attempted: int = 0
    links_made: int = 0
    links_failed: int = 0
    link_ms: int = 0
    """Milliseconds from an introduction to a link, of all links that were made together."""
    played_ms: int = 0
    played_bytes: int = 0
    """What was played, at the bit rate that it had."""
    stalls: int = 0
    stalled_ms: int = 0
    startup_ms: int = 0
    """How long viewers waited for their first picture, all of them together."""
    startups_250: int = 0
    """Viewers whose first picture came within 250 ms; those below in more time, each class without
    the faster ones."""
    startups_500: int = 0
    startups_750: int = 0
    startups_1000: int = 0
    startups_1500: int = 0
    startups_2000: int = 0
    startups_3000: int = 0
    startups_4000: int = 0
    startups_6000: int = 0
    startups_8000: int = 0
    startups_12000: int = 0
    startups_later: int = 0
    announce_ms: int = 0
    """How long viewers took until the tracker had let them in, all of them together; the others
    below are times since their player had something to play, too."""
    announce_count: int = 0
    """Viewers of whom that is known."""
    answer_ms: int = 0
    """Until the first answer to an offer."""
    answer_count: int = 0
    ice_ms: int = 0
    """Until the first connection."""
    ice_count: int = 0
    open_ms: int = 0
    """Until the first link with open channels."""
    open_count: int = 0
    first_chunk_ms: int = 0
    """Until the first chunk from a peer."""
    first_chunk_count: int = 0

    def add(self, other: Amounts) -> None:
        """Add each to its like; no sum goes beyond what can be shown."""
        for name in AMOUNTS:
            more = getattr(other, name)
            if more:  # mostly there is nothing, and this is done for each content each second
                setattr(self, name, bounded(getattr(self, name) + more))

    def started(self, milliseconds: float) -> None:
        """Count a viewer whose first picture took so long."""
        bound = next((bound for bound in STARTUPS if milliseconds <= bound), None)
        name = "startups_later" if bound is None else f"startups_{bound}"
        setattr(self, name, getattr(self, name) + 1)
        self.startup_ms += int(milliseconds)

    @property
    def startups(self) -> int:
        """Viewers who have seen a first picture."""
        return sum(getattr(self, name) for name in HISTOGRAM)

    def startup(self, share: float) -> float | None:
        """Seconds within which this share of the viewers had a first picture: between the bounds of
        a class as if they were spread evenly. Of the last class only the least is known, 12."""
        wanted = share * self.startups
        if not wanted:
            return None
        before = 0
        for name, lower, upper in zip(HISTOGRAM, (0, *STARTUPS), STARTUPS, strict=False):
            here: int = getattr(self, name)
            if here and before + here >= wanted:
                return round((lower + (upper - lower) * (wanted - before) / here) / 1000, 3)
            before += here
        return STARTUPS[-1] / 1000

    def took(self, step: str, milliseconds: float) -> None:
        """Count a viewer who came as far as this step (`STEPS`) in such a time."""
        for name, more in ((f"{step}_ms", int(milliseconds)), (f"{step}_count", 1)):
            setattr(self, name, getattr(self, name) + more)

    def time_to(self, step: str) -> float | None:
        """Seconds until viewers came as far as this step, on average."""
        return ratio(getattr(self, f"{step}_ms"), 1000 * getattr(self, f"{step}_count"))

    @property
    def saved_bytes(self) -> int:
        """A lower bound of what the origin was spared."""
        return bounded(max(0, self.peer_bytes_confirmed - self.overhead_bytes))

    @property
    def http_bytes(self) -> int:
        """Media that came by HTTP, as far as anybody says."""
        return self.origin_bytes + self.elsewhere_bytes

    @property
    def offload(self) -> float:
        """Confirmed of all media bytes, 0 to 1."""
        watched = self.peer_bytes_confirmed + self.http_bytes
        return min(1.0, max(0.0, self.peer_bytes_confirmed / watched)) if watched > 0 else 0.0

    @property
    def best_offload(self) -> float | None:
        """The most that the offload could have been: of all media bytes, those that the origin need
        not have sent. Never below the offload; None if there were none."""
        watched = self.peer_bytes_confirmed + self.http_bytes
        if watched <= 0:
            return None
        return min(1.0, max(0.0, (watched - self.least_bytes) / watched))

    @property
    def link_success(self) -> float | None:
        """Introductions that became links, of those of which it is known."""
        return ratio(self.links_made, self.links_made + self.links_failed)

    @property
    def link_time(self) -> float | None:
        """Seconds from an introduction to a link, on average."""
        return ratio(self.link_ms, 1000 * self.links_made)

    @property
    def rebuffer_ratio(self) -> float | None:
        """The share of the time after the first picture in which playback stood still."""
        return ratio(self.stalled_ms, self.played_ms + self.stalled_ms)

    @property
    def bitrate(self) -> float | None:
        """Bits a second of what was played, on average."""
        return ratio(8000 * self.played_bytes, self.played_ms)


AMOUNTS = Amounts.__struct_fields__

SHOWN = tuple(
    name
    for name in AMOUNTS
    if not name.startswith("startups_")
    and not name.endswith(("_ms", "_count"))
    and name != "played_bytes"
)
"""Those that are told as they are; of the others only what follows from them."""

HISTOGRAM = tuple(name for name in AMOUNTS if name.startswith("startups_"))


def ratio(part: int, whole: int) -> float | None:
    """A quotient; None if there is nothing to divide by."""
    return round(part / whole, 6) if whole > 0 else None


def bounded(figure: int) -> int:
    """Liars together may claim more than a number can say."""
    if -MOST_BYTES <= figure <= MOST_BYTES:
        return figure
    return MOST_BYTES if figure > 0 else -MOST_BYTES
