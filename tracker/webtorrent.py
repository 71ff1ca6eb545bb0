"""WebTorrent's clients at `/announce`: who may come, and the mind that thinks for them.

::

    opened, said, closed --> Torrents --Tell--> Guest
                                |  `--tally--> metrics
                                '--timer_at--> one timer

Whoever may come is said by the page that it comes from (`Doors`): what is no page may claim any, so
that is to keep strangers' sites out, and no more.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Iterable, Mapping
from itertools import count

from msgspec import structs

from p2pcdn.config import ANYBODY, TrackerConfig, WebTorrentConfig
from p2pcdn.core.access import Site
from p2pcdn.core.locality import Costs
from p2pcdn.core.torrent_ports import Closed, Mapped, Opened, Said, TorrentRules
from p2pcdn.core.torrents import Torrents
from p2pcdn.errors import ErrorCode, RemoteError
from p2pcdn.model import home_of
from p2pcdn.wire.webtorrent import failed
from tracker import metrics
from tracker.guests import Guest
from tracker.networks import Networks

PATH = "/announce"

FIRST_WORDS = 60.0
"""Seconds until a socket has to say something: clients open it at once, and announce when they have
found their addresses, or when there is something to play."""


class WebTorrent:
    """Thinks for those of them whose swarms are at home here (a `tracker.guests.Realm`)."""

    def __init__(self, config: TrackerConfig, networks: Networks) -> None:
        self._networks = networks
        self._torrents = Torrents(rules(config), random.Random(os.urandom(32)))
        self._guests: dict[int, Guest] = {}
        self._numbers = count()
        self._now = time.monotonic
        """The loop's clock, once there is a loop."""
        self._timer: asyncio.Handle | None = None
        self._wakes_at: float | None = None
        metrics.WEBTORRENT.add(self._torrents)

    # What happens

    def opened(self, guest: Guest) -> int:
        """Somebody has come; the number by which the rest is told."""
        self._now = asyncio.get_running_loop().time
        number = next(self._numbers)
        self._guests[number] = guest
        address = guest.facts.address
        where = self._networks.where(address)
        self._torrents.receive(Opened(number, home_of(address), where), self._now())
        self._act()
        return number

    def said(self, number: int, data: bytes) -> None:
        """Somebody's message."""
        self._torrents.receive(Said(number, data), self._now())
        self._act()

    def closed(self, number: int) -> None:
        """Somebody has gone."""
        del self._guests[number]
        self._torrents.receive(Closed(number), self._now())
        self._act()

    def draw(self, costs: Costs) -> None:
        """It costs something else to go from one region to another."""
        self._torrents.receive(Mapped(costs), self._now())

    def complain(self, error: RemoteError, _: float | None = None, /) -> bytes | None:
        """The last words to a client whose socket is closed: in terms of its own, since it gives a
        tracker up that says anything else."""
        return failed("announce", "", error.detail or error.code.value)

    def close(self) -> None:
        """Sleep for good."""
        metrics.WEBTORRENT.remove(self._torrents)
        if self._timer is not None:
            self._timer.cancel()

    # What comes of it

    def _wake(self) -> None:
        self._timer = self._wakes_at = None
        self._torrents.on_timer(self._now())
        self._act()

    def _act(self) -> None:
        """Do what the mind has decided: all of it, even if some of it fails."""
        failure: Exception | None = None
        torrents, guests = self._torrents, self._guests
        for tell in torrents.take_messages():
            guest = guests.get(tell.socket)
            if guest is not None:
                try:
                    guest.tell(tell.text)
                except Exception as error:  # noqa: BLE001 - it is raised below
                    failure = failure or error
        for socket, code in torrents.take_events():
            guest = guests.get(socket)
            if guest is not None:
                guest.dismiss(code)
        at = torrents.timer_at()
        if at != self._wakes_at:
            self._set_timer(at)
        if failure is not None:
            raise failure

    def _set_timer(self, at: float | None) -> None:
        self._wakes_at = at
        if self._timer is not None:
            self._timer.cancel()
        loop = asyncio.get_running_loop()
        self._timer = None if at is None else loop.call_at(at, self._wake)


class Doors:
    """Which pages may come: the tracker's own, those that sites name, and those that it is told."""

    def __init__(self, config: WebTorrentConfig, sites: Mapping[str, Site]) -> None:
        self._named = frozenset(config.origins)
        self._open, self._shut = _origins(sites)

    def change(self, sites: Mapping[str, Site]) -> frozenset[str]:
        """The operator has said something else of the sites: whose pages may come no longer."""
        before, (self._open, self._shut) = self._open, _origins(sites)
        return frozenset() if ANYBODY in self._named else before - self._open - self._named

    def check(self, origin: str | None, host: str) -> None:
        """Whether a page, or what is none, may come to a tracker that it calls by this host;
        `RemoteError` says what would be right."""
        if ANYBODY in self._named or origin in self._named or origin in self._open:
            return
        own = (f"http://{host}", f"https://{host}")
        if origin in own and origin not in self._shut:
            return
        whose = "What is no page" if origin is None else f"The pages of {origin[:128]}"
        raise RemoteError(
            ErrorCode.WRONG_ORIGIN,
            f"{whose} may not announce here: the tracker's operator names those that may in "
            "tracker.webtorrent.origins, * for anybody.",
        )


def _origins(sites: Mapping[str, Site]) -> tuple[frozenset[str], frozenset[str]]:
    """Whose pages may come, and whose may not, by what is said of their sites. Where a token is
    wanted, or not everybody may meet, these clients have no place: they show none, and what they
    say of their addresses is passed on as it is."""
    free = {name for name, site in sites.items() if _is_free(site)}
    wide = _named(site for name, site in sites.items() if name in free)
    return wide, _named(site for name, site in sites.items() if name not in free) - wide


def _is_free(site: Site) -> bool:
    return site.enabled and site.mode == "any" and not site.tokens


def _named(sites: Iterable[Site]) -> frozenset[str]:
    return frozenset(origin for site in sites for origin in site.origins)


def limits(config: TrackerConfig) -> TrackerConfig:
    """What a socket of these clients may: as any other, but for what their protocol needs."""
    return structs.replace(
        config,
        message_bytes=config.webtorrent.message_bytes,
        hello_timeout=max(FIRST_WORDS, config.hello_timeout),
        # A client announces all its swarms as soon as it is connected, and answers what it hears.
        burst=max(config.burst, 2 * config.webtorrent.swarms_per_socket),
    )


def rules(config: TrackerConfig) -> TorrentRules:
    """What the settings say, as the mind knows it."""
    given = config.webtorrent
    return TorrentRules(
        info_hashes=given.hashes,
        interval=given.interval,
        offers=given.offers,
        pending_offers=given.pending_offers,
        peers_per_hour=config.peers_per_hour,
        prefix_share=config.prefix_share,
        swarms_per_socket=given.swarms_per_socket,
        peers_per_address=given.peers_per_address,
    )
