"""Sockets of ours, and where what they come for is at home.

A viewer comes for one content, and says so first (`Visit`); a client of WebTorrent's may be in many
swarms by one socket (`Tour`), each of them at home somewhere else (`Stay`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from p2pcdn.errors import ErrorCode, RemoteError
from p2pcdn.wire.codec import aim_of, encode_utf8
from p2pcdn.wire.tracker import Moved
from p2pcdn.wire.webtorrent import (
    ID_LENGTH,
    MOST_SCRAPED,
    Action,
    Subject,
    failed,
    scrape_of,
    subject_of,
)
from tracker.guests import Facts, Guest, Realm

OURS, WEBTORRENT = 0, 1
"""The indexes of the realms that speak these protocols."""

NOTHING = Subject()
"""What a message is about that nobody has looked at."""


class Places(Protocol):
    """Who knows where something is at home; as `tracker.homes.Homes` does."""

    @property
    def name(self) -> str:
        """Our own place."""

    @property
    def is_alone(self) -> bool:
        """Whether there are no others."""

    def home(self, key: bytes, /) -> str:
        """Where somebody belongs who comes for this."""

    @property
    def at(self) -> Callable[[str, int], Realm]:
        """The realms at a place, by their index."""


class Visit:
    """A socket that comes for one content."""

    __slots__ = ("_homes", "_number", "_realm", "_sends_on", "content", "follows", "guest", "place")

    def __init__(
        self, homes: Places, sends_on: Callable[[str], Moved | None] = lambda _: None
    ) -> None:
        """``sends_on`` says where somebody who comes for a content had better go."""
        self.guest: Guest
        self.content: str | None = None
        """What it has come for, once that is known."""
        self.follows = False
        """Whether it goes where it is sent."""
        self.place = homes.name
        """Who thinks for it."""
        self._homes = homes
        self._sends_on = sends_on
        self._realm: Realm | None = None
        self._number = -1

    def hear(self, data: bytes) -> None:
        """Its message; `RemoteError` if it is none."""
        if self._realm is None and not self._comes_in(data):
            return
        assert self._realm is not None  # it is in
        self._realm.said(self._number, data)

    def closed(self) -> None:
        """It has gone."""
        if self._realm is not None:
            self._realm.closed(self._number)

    def move(self, moved: Moved) -> None:
        """It is to go to another node."""
        self.guest.tell(encode_utf8(moved))
        self.guest.dismiss(None)

    def _comes_in(self, data: bytes) -> bool:
        """Whether it is let in where its first message says that it belongs."""
        aim = aim_of(data)
        if aim is not None:  # else somebody here will say what is wrong
            assert aim.content is not None  # or it were no aim
            moved = self._sends_on(aim.content) if aim.follows else None
            if moved is not None:
                self.move(moved)
                return False
            self.content, self.follows = aim.content, aim.follows
            self.place = self._homes.home(aim.content.encode())
        realm = self._homes.at(self.place, OURS)
        try:
            self._number = realm.opened(self.guest)
        except RemoteError as error:
            self.guest.send_back(error)  # its home is away for now
            return False
        self._realm = realm
        return True


class Tour:
    """A socket of WebTorrent's that may come for many things, at home in several places. What is
    wrong with one of them does not close it: it is there for the others, too."""

    __slots__ = ("_homes", "_stays", "guest")

    def __init__(self, homes: Places) -> None:
        self.guest: Guest
        self._homes = homes
        self._stays: dict[str, Stay] = {}
        """By place."""

    def hear(self, data: bytes) -> None:
        """Its message."""
        if self._homes.is_alone:  # for now: other nodes may come
            place = self._homes.name
            stay = self._stays.get(place)
            if stay is None:
                self._say(place, data)
            else:
                stay.realm.said(stay.number, data)  # nearly always, so it is said directly
            return
        subject = subject_of(data)
        hashes = subject.info_hashes
        if subject.action != "scrape" or len(hashes) > MOST_SCRAPED:
            hashes = hashes[:1]  # if there are more that is wrong, and anybody can say so
        parts: dict[str, list[str]] = {}
        for info_hash in hashes:
            parts.setdefault(self._homes.home(info_hash.encode()), []).append(info_hash)
        if len(parts) > 1:
            for place, part in parts.items():
                self._say(place, scrape_of(part), subject)
        else:
            self._say(next(iter(parts), self._homes.name), data, subject)

    def closed(self) -> None:
        """It has gone."""
        for stay in list(self._stays.values()):
            stay.end()

    def leave(self, place: str, code: ErrorCode | None) -> None:
        """It is of no use any more to have it there; nor at all, if it is nowhere else."""
        stay = self._stays.get(place)
        if stay is not None:
            stay.end()
            if not self._stays:
                self.guest.dismiss(code)

    def lose(self, place: str) -> None:
        """The place is away; what is at home there is announced again in an interval at most."""
        stay = self._stays.get(place)
        if stay is not None:
            stay.end()

    def forget(self, place: str) -> None:
        """It is not there any more."""
        del self._stays[place]

    def _say(self, place: str, data: bytes, subject: Subject = NOTHING) -> None:
        stay = self._stays.get(place)
        if stay is None:
            stay = Stay(self, place, self._homes.at(place, WEBTORRENT))
            try:
                stay.begin()
            except RemoteError:
                self._sorry(subject)
                return
            self._stays[place] = stay
        stay.say(data)

    def _sorry(self, subject: Subject) -> None:
        info_hash = next(iter(subject.info_hashes), "")[:ID_LENGTH]
        action: Action = "scrape" if subject.action == "scrape" else "announce"
        why = "the part of this tracker that has this swarm is away: announce again in a while"
        self.guest.tell(failed(action, info_hash, why))


class Stay:
    """A tour's time at a place: a guest there."""

    __slots__ = ("_place", "_tour", "number", "realm", "tell")

    def __init__(self, tour: Tour, place: str, realm: Realm) -> None:
        self._tour = tour
        self._place = place
        self.realm = realm
        self.number = -1
        self.tell = tour.guest.tell

    @property
    def facts(self) -> Facts:
        return self._tour.guest.facts

    def begin(self) -> None:
        """It comes; `RemoteError` if there is no way to."""
        self.number = self.realm.opened(self)

    def say(self, data: bytes) -> None:
        """Its message."""
        self.realm.said(self.number, data)

    def end(self) -> None:
        """It goes."""
        self._tour.forget(self._place)
        self.realm.closed(self.number)

    def dismiss(self, code: ErrorCode | None) -> None:
        self._tour.leave(self._place, code)

    def send_back(self, error: RemoteError, together: int = 0) -> None:
        self._tour.lose(self._place)
