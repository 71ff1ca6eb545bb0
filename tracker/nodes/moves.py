"""Where guests of ours belong, now that there are several nodes, and their way there.

::

    comes --its content is at home--> here -----------------------------------.
                      |                                                        |
              at another node --follows--> `moved`, closed                     v
                      |                                            the homes change: the same again
                      '--does not--> passed on over the exchange, or else matched here
"""

from __future__ import annotations

import asyncio
import random
from typing import Protocol

from p2pcdn.errors import ErrorCode, RemoteError
from p2pcdn.wire.tracker import Moved
from tracker.guests import Realm, retry_after
from tracker.visits import Places, Visit

PACE = 200
"""Guests that a process sends on in a second, when homes change: so many join elsewhere then."""

STEP = 0.05
"""Seconds between two lots of them."""


class Others(Protocol):
    """The other nodes; as `Nodes`."""

    url: str

    @property
    def count(self) -> int: ...

    def home(self, key: bytes, /) -> str: ...

    def next_home(self, key: bytes, /) -> str | None: ...

    def reaches(self, url: str, /) -> bool: ...

    def at(self, url: str, index: int, /) -> Realm: ...


class Moves:
    """The places of all nodes (`Places`), and who is to go from here to another."""

    def __init__(self, nodes: Others, homes: Places) -> None:
        """``homes`` are the places of this node."""
        self._nodes = nodes
        self._homes = homes
        self._visits: dict[Visit, None] = {}
        self._task: asyncio.Task[None] | None = None

    # Places

    @property
    def name(self) -> str:
        return self._homes.name

    @property
    def is_alone(self) -> bool:
        return self._nodes.count == 1 and self._homes.is_alone

    def home(self, key: bytes) -> str:
        """A node's URL, or a place of ours."""
        url = self._nodes.home(key)
        if url != self._nodes.url and self._nodes.reaches(url):
            return url
        return self._homes.home(key)

    def at(self, place: str, index: int) -> Realm:
        return (self._nodes if "://" in place else self._homes).at(place, index)

    def sends_on(self, content: str) -> Moved | None:
        """Where somebody is to go who comes for a content and follows; None if he is right."""
        url = self._nodes.home(content.encode())
        return None if url == self._nodes.url else _to(url, content)

    # Guests

    def enter(self, visit: Visit) -> None:
        """Somebody is here."""
        self._visits[visit] = None

    def leave(self, visit: Visit) -> None:
        """He has gone."""
        del self._visits[visit]

    def changed(self) -> None:
        """Other nodes are there than before: who belongs elsewhere now goes, a few at a time."""
        if self._task is not None:
            self._task.cancel()
        self._task = asyncio.create_task(self._send_on(), name="moves")

    def drain(self) -> None:
        """This node goes: who follows is sent where his content will be, the more slowly the more
        there are for each of the others."""
        together = len(self._visits) // max(1, self._nodes.count - 1)
        for visit in list(self._visits):
            if visit.content is not None and visit.follows:
                url = self._nodes.next_home(visit.content.encode())
                if url is not None:
                    visit.move(_to(url, visit.content, retry_after(together)))

    async def close(self) -> None:
        """Send nobody any more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _send_on(self) -> None:
        visits = list(self._visits)
        random.shuffle(visits)  # or one swarm would be in two parts for long
        sent = 0.0
        for visit in visits:
            if visit in self._visits and self._sent_on(visit):
                sent += 1
                if sent >= PACE * STEP:
                    sent = 0
                    await asyncio.sleep(STEP)

    def _sent_on(self, visit: Visit) -> bool:
        """Whether somebody was somewhere else than he belongs."""
        if visit.content is None:
            return False
        moved = self.sends_on(visit.content) if visit.follows else None
        if moved is not None:
            visit.move(moved)
        elif self._node(visit.place) != self._node(self.home(visit.content.encode())):
            visit.guest.send_back(RemoteError(ErrorCode.DRAINING, "it is at another node now"))
        else:
            return False
        return True

    def _node(self, place: str) -> str:
        """Whose place it is. At which of ours somebody is who came before is for `Homes`: one that
        is full sends nobody away."""
        return place if "://" in place else self._nodes.url


def _to(url: str, content: str, retry: float | None = None) -> Moved:
    """The content is in the path for whoever shares out a node's sockets."""
    return Moved(f"{url}/{content}", retry)
