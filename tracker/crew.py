"""The workers of one tracker, as one of them sees the others.

::

    this worker --guests whose content is at home there--> that one
                --Counted, once a second-----------------> the first, which has the account of all
                --Many, Full, Banned, Measured-----------> all
                --Sent, Out, Beaconed--------------------> the home of the content, or of the peer

What is counted is counted where a swarm is at home, both ends of each link, and told by its steps:
so a worker that dies takes with it what it has not told, a second's worth, and nothing is counted
twice. While the first is away, the others go on adding up.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Callable, Sequence

import structlog

from p2pcdn.core.audit import Extent
from p2pcdn.core.firsts import Place
from p2pcdn.core.ledger import Ledger
from p2pcdn.service.figures import FIGURES
from p2pcdn.service.worker import Worker
from p2pcdn.wire.manifest import Records
from tracker import notes
from tracker.admission import Admission
from tracker.beacons import Beacons
from tracker.exchange.exchange import Exchange, unix
from tracker.guests import Realm
from tracker.homes import Homes
from tracker.mind import Mind
from tracker.notes import Note

EVERY = 1.0
"""Seconds between two times that the others are told how things are."""

FIRST_WORDS = 0.5
"""Seconds that one who begins waits for those who are there."""

LAST_WORDS = 0.7
"""Seconds that the first waits for what the others have counted, once all of them go: longer than
they wait for answers under way, and short enough to write it down."""

MOST_RENDITIONS = 4096
"""Live ones of which it is remembered what was passed on last."""

FIRST = "0"

log = structlog.get_logger("p2pcdn.tracker")


class Crew:
    """Knows the others, and is told by them."""

    def __init__(self, worker: Worker, ledger: Ledger, admission: Admission) -> None:
        self._worker = worker
        self._ledger = ledger
        self._admission = admission
        self._exchange: Exchange
        self._homes: Homes
        self._mind: Mind
        self._beacons: Beacons
        self.path_of: Callable[[str], str | None] = lambda _: None
        """Where a content is, if anybody in this process knows."""
        self._paths: dict[str, str] = {}
        """The same, as others know."""
        self._told_paths: set[str] = set()
        self._out: OrderedDict[tuple[str, str], tuple[int, int]] = OrderedDict()
        """Era and last segment of each rendition that has come out."""
        self._task: asyncio.Task[None] | None = None

    @property
    def secret(self) -> bytes:
        """What all of us know, and nobody else."""
        return self._worker.secret

    @property
    def name(self) -> str:
        """Our own."""
        return self._worker.name

    @property
    def others(self) -> Sequence[str]:
        """The names of the others."""
        return [name for name in self._worker.names if name != self._worker.name]

    def join(
        self, realms: tuple[Mind, *tuple[Realm, ...]], beacons: Beacons, largest: int
    ) -> Homes:
        """Think by these for what is at home here; where everything is at home, if a swarm of more
        than ``largest`` members is too large for one of us."""
        mind = self._mind = realms[0]
        self._beacons = beacons
        mind.convicted = self.banned
        self._exchange = Exchange(
            self.name,
            self.secret,
            realms,
            note=self._note,
            reached=self._reached,
            gone=self._gone,
        )
        self._homes = Homes(self.name, self._worker.names, self._exchange.at, largest)
        return self._homes

    async def start(self) -> None:
        """Be reached by the others, and reach them as soon as they are there."""
        await self._exchange.listen(self._worker.path_of(self._worker.name))
        there = [name for name in self.others if self._worker.path_of(name).exists()]
        for name in self.others:
            self._exchange.meet(name, unix(self._worker.path_of(name)))
        # Whoever comes to us is not to be sent back because we have just begun.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FIRST_WORDS):
                await self._exchange.reach(there)
        self._task = asyncio.create_task(self._tell_others(), name="crew")

    async def hear_the_last(self) -> None:
        """The first waits for what the others have counted; the account is whole then."""
        if self._task is not None and self._worker.is_first:
            await self._exchange.deserted(LAST_WORDS)

    async def close(self) -> None:
        """Tell the others the last, and hang up."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.wait([self._task])
        self.tell()
        await self._exchange.close()

    def notes(self) -> list[str]:
        """What an operator should know."""
        if self._worker.is_first or FIRST in self._exchange.places:
            return []
        return ["The worker that keeps the account is away: the figures of this one wait."]

    # What an origin in this process has to tell

    def origin_sent(
        self, media: int, overhead: int = 0, content: str = "", place: Place | None = None
    ) -> None:
        """As `Ledger.origin_sent`, at the content's home."""
        if media and content:
            home = self._homes.first_home(content.encode())
            file, start = place or (None, 0)
            sent = notes.Sent(content, media, file, start)
            if home != self._worker.name and self._tell(home, sent):
                media, content, place = 0, "", None
        if media or overhead:
            self._ledger.origin_sent(media, overhead, content, place)

    def measured(self, content: str, rendition: str, extent: Extent) -> None:
        """As `Ledger.measured`, everywhere."""
        self._ledger.measured(content, rendition, extent)
        self._tell_all(notes.Measured(content, rendition, extent))

    def publish(self, records: Records) -> None:
        """Something has come out: whoever is to fetch it hears of it, wherever its swarm is."""
        home = self._homes.first_home(records.page.content.encode())
        if self._homes.is_parted(records.page.content.encode()):
            self._tell_all(notes.Out(records))
        elif home != self._worker.name:
            self._tell(home, notes.Out(records))
            return
        self._publish(records)

    def where(self, content: str) -> str | None:
        """Where a content is, if anybody knows."""
        return self.path_of(content) or self._paths.get(content)

    # What the tracker has to tell

    def beacon(self, name: str, text: bytes) -> None:
        """A report has come here that is for another."""
        self._tell(name, notes.Beaconed(text))

    def banned(self, home: bytes) -> None:
        """An address is banned."""
        self._tell_all(notes.Banned(home))

    def tell(self) -> None:
        """Tell the others how things are."""
        now = asyncio.get_running_loop().time()
        if not self._worker.is_first and FIRST in self._exchange.places:
            self._ledger.on_timer(now)
            reading = self._ledger.take_reading()
            paths = self._new_paths([*reading.changes, *reading.viewers])
            self._tell(FIRST, notes.Counted(reading, FIGURES.steps(), paths))
        self._tell_all(notes.Many(self._admission.shares()))
        sizes = ((content.encode(), size) for content, size in self._ledger.sizes().items())
        full = self._homes.fill(sizes)
        if full is not None:
            self._tell_all(notes.Full(list(full)))

    async def _tell_others(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            try:
                self.tell()
            except Exception:
                log.exception("not_told")

    def _tell(self, name: str, note: Note) -> bool:
        return self._exchange.tell(name, notes.encode(note))

    def _tell_all(self, note: Note) -> None:
        self._exchange.tell_all(notes.encode(note))

    def _new_paths(self, contents: Sequence[str]) -> dict[str, str]:
        found = {}
        for content in contents:
            if content and content not in self._told_paths:
                path = self.path_of(content)
                if path is not None:
                    found[content] = path
                    self._told_paths.add(content)
        return found

    # What we are told

    def _reached(self, name: str) -> None:
        """We can tell a worker something, which may have just begun."""
        if name == FIRST:
            self._told_paths.clear()
        for content, rendition, extent in self._ledger.extents():
            self._tell(name, notes.Measured(content, rendition, extent))
        if self._homes.full:
            self._tell(name, notes.Full(list(self._homes.full)))

    def _gone(self, name: str) -> None:
        """A worker is not there any more."""
        self._admission.forget(name)
        self._homes.told(name, ())
        self._ledger.forget(name)
        FIGURES.gone(name)

    def _note(self, name: str, body: bytes) -> None:
        match notes.decode(body):
            case notes.Counted(reading=reading, steps=steps, paths=paths):
                self._ledger.take_in(name, reading)
                FIGURES.note(name, steps)
                self._paths |= paths
            case notes.Sent(content=content, media=media, file=file, start=start):
                place = None if file is None else Place(file, start)
                self._ledger.origin_sent(media, content=content, place=place)
            case notes.Measured(content=content, rendition=rendition, extent=extent):
                self._ledger.measured(content, rendition, extent)
            case notes.Out(records=records):
                self._publish(records)
            case notes.Beaconed(text=text):
                self._beacons.hear(text)
            case notes.Banned(home=home):
                self._mind.convict(home)
            case notes.Full(keys=keys):
                self._homes.told(name, keys)
            case notes.Many(shares=shares):
                self._admission.hear(name, shares, asyncio.get_running_loop().time())

    def _publish(self, records: Records) -> None:
        """Each worker's origin says so of what all of them see; once is enough."""
        page = records.page
        key, now = (page.content, page.rendition), (page.era, page.last)
        if self._out.get(key, (-1, -1)) >= now:
            return
        self._out[key] = now
        self._out.move_to_end(key)
        if len(self._out) > MOST_RENDITIONS:
            self._out.popitem(last=False)
        self._mind.publish(records)
