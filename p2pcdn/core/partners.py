"""Whom of a swarm of WebTorrent's clients to pass a peer's offers to.

Those first with whom something is likely to come of it. What speaks against somebody, each thing
more than all that stand below it:

    it seems to have gone            it was passed an offer and has said nothing since
    they have met                    they are most likely linked already
    both have all there is           neither needs the other
    it is of a network that has been picked often enough: nobody is to be surrounded by one
                                     person's many sockets

Three quarters of the others are as near as there are any (`nearby`), the rest come by chance, so
that no two parts of a swarm fall apart. No more members are looked at than it takes: most of the
time little more than there are offers.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import itemgetter
from random import Random

from p2pcdn.core.acquaintances import Acquaintances
from p2pcdn.core.locality import NO_COSTS
from p2pcdn.core.torrent import SILENT_AFTER, Peer
from p2pcdn.core.torrent_ports import TorrentRules

SAMPLE = 16
"""Peers looked at by chance for one announce, at the most, or two for each offer; of a swarm of no
more everybody is."""

LEAST_ALIKE = 2
"""Of those whom one announce reaches, how many may be of one network anyway: a household."""

_SILENT, _MET, _SATED, _CROWD = 8, 4, 2, 1


class Partners:
    """Chooses them. ``rng`` picks among equals."""

    def __init__(self, rules: TorrentRules, rng: Random, acquaintances: Acquaintances) -> None:
        self._rules = rules
        self._rng = rng
        self._acquaintances = acquaintances
        self.costs = NO_COSTS

    def choose(self, peer: Peer, most: int, now: float) -> list[Peer]:
        """So many others, or fewer if there are no more that may be passed its offers; their homes
        have met by that."""
        rules, rng, crowd, here = self._rules, self._rng, peer.torrent.crowd, peer.where
        limit = max(LEAST_ALIKE, int(most * rules.prefix_share))
        silent, met, sated, lan = now - SILENT_AFTER, peer.met, peer.complete, here.lan
        picked: list[Peer] = []
        alike: dict[bytes, int] = {}
        second: list[tuple[int, Peer]] = []

        def take(others: Iterable[Peer], enough: int) -> None:
            for other in others:
                where = other.where
                prefix = where.prefix
                against = _SILENT if other.asked < silent else 0
                if other.id in met:
                    against += _MET
                if sated and other.complete:
                    against += _SATED
                if alike.get(prefix, 0) >= limit and where.lan != lan:
                    against += _CROWD
                if against:
                    second.append((against, other))
                elif other not in picked and self._meets(peer, other, now):
                    picked.append(other)
                    if len(picked) >= enough:
                        return
                    alike[prefix] = alike.get(prefix, 0) + 1

        if len(crowd) > most:
            near = crowd.nearby.around(here, 2 * most, rng, self.costs)
            take(near, round(most * rules.local_share))
        if len(picked) < most:
            take(crowd.draw(max(SAMPLE, 2 * most), rng), most)
        if len(picked) < most:
            second.sort(key=itemgetter(0))
            for _, other in second:
                if other not in picked and self._meets(peer, other, now):
                    picked.append(other)
                    if len(picked) == most:
                        break
        return picked

    def _meets(self, peer: Peer, other: Peer, now: float) -> bool:
        """Whether somebody may be passed an offer of the peer; then their homes have met."""
        if other is peer:
            return False
        offers, most = other.offers, self._rules.pending_offers
        if (peer.id in offers or len(offers) >= most) and not other.may_be_offered(peer, now, most):
            return False
        here, there = peer.socket.home, other.socket.home
        return here == there or self._acquaintances.try_meet(here, there, now)
