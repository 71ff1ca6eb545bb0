"""Sockets of ours, and where what they come for is at home.

A viewer comes for one content, and says so first (`Visit`); a client of WebTorrent's may be in many
swarms by one socket (`Tour`).
"""

from __future__ import annotations

from p2pcdn.errors import RemoteError
from p2pcdn.wire.codec import content_of
from p2pcdn.wire.webtorrent import info_hashes_of
from tracker.guests import Here, Realm
from tracker.homes import Homes

OURS, WEBTORRENT = 0, 1
"""The indexes of the realms that speak these protocols."""

MOST_HASHES = 64
"""Of one message that are looked at: beyond them it is told to those who have the first."""


class Visit:
    """A socket that comes for one content."""

    __slots__ = ("_homes", "_number", "_realm", "guest")

    def __init__(self, homes: Homes) -> None:
        self.guest: Here
        self._homes = homes
        self._realm: Realm | None = None
        self._number = -1

    def hear(self, data: bytes) -> None:
        """Its message; `RemoteError` if it is none."""
        if self._realm is None:
            try:
                realm = self._realm_for(data)
                self._number = realm.opened(self.guest)
            except RemoteError as error:
                self.guest.send_back(error)  # its home is away for now
                return
            self._realm = realm
        self._realm.said(self._number, data)

    def closed(self) -> None:
        """It has gone."""
        if self._realm is not None:
            self._realm.closed(self._number)

    def _realm_for(self, data: bytes) -> Realm:
        content = content_of(data)
        if content is None:  # somebody here will say what is wrong
            return self._homes.here(OURS)
        return self._homes.realm(OURS, content.encode())


class Tour:
    """A socket that may come for many things. Whoever has one of them hears what is said of it."""

    __slots__ = ("_homes", "_numbers", "guest")

    def __init__(self, homes: Homes) -> None:
        self.guest: Here
        self._homes = homes
        self._numbers: dict[str, tuple[Realm, int]] = {}
        """By place."""

    def hear(self, data: bytes) -> None:
        """Its message."""
        if self._homes.is_alone:
            places = {self._homes.name}
        else:
            hashes = info_hashes_of(data)[:MOST_HASHES]
            places = {self._homes.home(hash_.encode()) for hash_ in hashes}
        try:
            at = [self._at(place) for place in places or {self._homes.name}]
        except RemoteError as error:
            self.guest.send_back(error)  # one of its homes is away for now
            return
        for realm, number in at:
            realm.said(number, data)

    def closed(self) -> None:
        """It has gone."""
        for realm, number in self._numbers.values():
            realm.closed(number)

    def _at(self, place: str) -> tuple[Realm, int]:
        known = self._numbers.get(place)
        if known is None:
            realm = self._homes.at(place, WEBTORRENT)
            known = self._numbers[place] = realm, realm.opened(self.guest)
        return known
