"""All places that we know: whom we dial, and who has dialled us."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

from tracker.exchange.inward import Inward
from tracker.exchange.line import Line
from tracker.exchange.outward import Dial, Outward, gone
from tracker.guests import Guest, Realm

CLOSE_TIME = 0.5
"""Seconds that other places have to take what they were told, once we go."""

MOST_UNKNOWN = 64
"""Lines of which it is not known yet who is at the other end. With one more the oldest is given up:
places need but a moment to say who they are."""


class Elsewhere:
    """A realm at another place, which is spoken to as if it were here."""

    def __init__(self, realm: Realm, index: int, place: Outward) -> None:
        """``realm`` is the like of it here."""
        self.complain = realm.complain
        self.said = place.said
        self.closed = place.closed
        self._index = index
        self._place = place

    def opened(self, guest: Guest) -> int:
        return self._place.opened(self._index, guest)


class Nowhere:
    """A realm at a place that nobody knows any more."""

    def __init__(self, realm: Realm) -> None:
        self.complain = realm.complain

    def opened(self, guest: Guest) -> int:
        raise gone()

    def said(self, number: int, data: bytes) -> None: ...

    def closed(self, number: int) -> None: ...


class Exchange:
    """Our end of all lines."""

    def __init__(
        self,
        name: str,
        secret: bytes,
        realms: Sequence[Realm],
        *,
        note: Callable[[str, bytes], None] = lambda name, body: None,
        reached: Callable[[str], None] = lambda _: None,
        lost: Callable[[str], None] = lambda _: None,
        came: Callable[[str], None] = lambda _: None,
        gone: Callable[[str], None] = lambda _: None,
    ) -> None:
        """``name`` is our own place's. ``note`` is told what another place has us note,
        ``reached`` when we can tell a place something, ``lost`` when we cannot any more,
        ``came`` and ``gone`` when one can tell us, and cannot any more."""
        self.name = name
        self._secret = secret
        self._realms = realms
        self._note = note
        self._reached = reached
        self._lost = lost
        self._came = came
        self._gone = gone
        self._servers: list[asyncio.Server] = []
        self._outward: dict[str, Outward] = {}
        self._inward: dict[str, Inward] = {}
        self._met: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        """Set while we hear a place."""
        self._lines: dict[Line, None] = {}
        """Of all who have dialled us, known or not."""
        self._leaving: set[asyncio.Task[None]] = set()
        self._deserted = asyncio.Event()

    @property
    def places(self) -> Sequence[str]:
        """Those that hear us."""
        return [name for name, place in self._outward.items() if place.is_up]

    def missed(self, seconds: float) -> Sequence[str]:
        """Those that have not heard us for so long."""
        before = asyncio.get_running_loop().time() - seconds
        found = self._outward.items()
        return [name for name, p in found if p.lost_at is not None and p.lost_at <= before]

    def at(self, name: str, index: int) -> Realm:
        """The realm of that index at a place, maybe our own."""
        realm = self._realms[index]
        if name == self.name:
            return realm
        place = self._outward.get(name)
        return Nowhere(realm) if place is None else Elsewhere(realm, index, place)

    def tell(self, name: str, body: bytes) -> bool:
        """Have a place note something; whether it could be told."""
        place = self._outward.get(name)
        return place is not None and place.note(body)

    def tell_all(self, body: bytes) -> None:
        """Have all others note something, as far as they can be told."""
        for place in self._outward.values():
            place.note(body)

    # Whom we know

    async def reach(self, names: Iterable[str]) -> None:
        """Wait until these hear us, and we them."""
        for name in names:
            await self._outward[name].reached.wait()
            await self._met[name].wait()

    async def listen(self, path: Path) -> None:
        """Be reached by a Unix socket."""
        loop = asyncio.get_running_loop()
        self._servers.append(await loop.create_unix_server(self._answer, str(path)))

    async def listen_tcp(self, host: str, port: int) -> int:
        """Be reached by TCP; the port."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(self._answer, host, port)
        self._servers.append(server)
        found: int = server.sockets[0].getsockname()[1]
        return found

    def meet(self, name: str, dial: Dial) -> None:
        """There is a place, to be reached like that."""
        make = partial(Line, name=self.name, secret=self._secret, to=name)
        self._outward[name] = Outward(name, dial, make, self._reached, self._lost)

    def part(self, name: str) -> None:
        """A place is no more: our guests there are to come back."""
        place = self._outward.pop(name, None)
        if place is not None:
            task = asyncio.create_task(place.close())
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)

    async def close(self) -> None:
        """Hang up, once all have taken what they were told, or time is over."""
        for server in self._servers:
            server.close()
        for line in list(self._lines):
            line.close()
        for name in list(self._outward):
            self.part(name)
        if self._leaving:
            await asyncio.wait(self._leaving, timeout=CLOSE_TIME)

    async def deserted(self, most: float) -> None:
        """Wait until all others have hung up, but no longer than so many seconds."""
        if self._inward:
            self._deserted.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(most):
                    await self._deserted.wait()

    def _answer(self) -> Line:
        inward = Inward(self._realms, self._has_come, self._note, self._has_gone)
        line = Line(inward, self.name, self._secret)
        unknown = [other for other in self._lines if not other.is_up]
        for other in unknown[: len(unknown) + 1 - MOST_UNKNOWN]:
            other.abort()
        self._lines[line] = None
        line.gone.add_done_callback(lambda _: self._lines.pop(line))
        return line

    def _has_come(self, inward: Inward) -> None:
        before = self._inward.get(inward.name)
        if before is not None:
            before.abort()  # it has begun anew, and nobody has told us
            self._gone(inward.name)
        self._inward[inward.name] = inward
        self._met[inward.name].set()
        place = self._outward.get(inward.name)
        if place is not None:
            place.hurry()
        self._came(inward.name)

    def _has_gone(self, inward: Inward) -> None:
        if self._inward.get(inward.name) is inward:
            del self._inward[inward.name]
            self._met[inward.name].clear()
            self._gone(inward.name)
            if not self._inward:
                self._deserted.set()


def unix(path: Path) -> Dial:
    """How to dial a place that listens on a Unix socket."""

    async def dial(make: Callable[[], Line]) -> object:
        return await asyncio.get_running_loop().create_unix_connection(make, str(path))

    return dial


def tcp(host: str, port: int) -> Dial:
    """How to dial a place that listens on TCP."""

    async def dial(make: Callable[[], Line]) -> object:
        return await asyncio.get_running_loop().create_connection(make, host, port)

    return dial
