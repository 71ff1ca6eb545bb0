"""This node among the others: who thinks for what, and what all of them have in common.

::

    store <--a batch every `BEAT`, or at news--> Nodes --changed--> the tracker sends guests on
    other nodes <--Exchange: guests who can't be--'
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

if sys.platform != "win32":  # where there are no workers
    import fcntl

from p2pcdn.config import Config, split_address
from p2pcdn.core.access import Site
from tracker.exchange.exchange import Exchange, tcp
from tracker.guests import Realm
from tracker.nodes.decrees import Decrees
from tracker.nodes.joins import Joins
from tracker.nodes.registry import BEAT, Node, Registry
from tracker.nodes.store import NEWS, PREFIX, Batch, Store, StoreError
from tracker.nodes.totals import Total, Totals

PAUSE = 0.05
"""Seconds between two batches at least, however much news there is."""

GOODBYE = 0.2
"""Seconds that the store has to hear that we go: if it is slower, our record lapses anyway."""

UNREACHED = 5.0
"""Seconds after which it is said that there is no line to another node."""

_SECRET = f"{PREFIX}secret"
_SECRET_BYTES = 32
_DECREE_FILE = "sites.json"
_LEDGER_FILE = "ledger-id"

log = structlog.get_logger("p2pcdn.tracker")


class Nodes:
    """Knows the other nodes."""

    def __init__(
        self,
        config: Config,
        sites: dict[str, Site],
        realms: Sequence[Realm],
        *,
        apply: Callable[[dict[str, Site]], None],
        own: Callable[[], Total],
        joined: Callable[[bytes, int], None],
        changed: Callable[[], None],
        store: Store | None = None,
        worker: str = "",
    ) -> None:
        """``sites`` is what the configuration says of them; ``apply`` is told what is in force
        instead, ``joined`` of joins at other nodes, ``changed`` when other nodes are there than
        before, or are reached; ``own`` is what we have counted. ``worker`` tells processes of one
        node apart, of which the one without a name is reached by others and tells what all of them
        counted."""
        limits = config.tracker
        assert limits.store is not None  # or there are no nodes
        assert limits.url is not None
        self.url = limits.url
        self._store = store or Store(limits.store)
        self._worker = worker
        self._realms = realms
        self._changed = changed
        self._listens = None if worker else limits.exchange
        self._reached_at = limits.exchange
        ledger = _ledger_id(config.data)
        self._registry = Registry(Node(self.url, limits.exchange, ledger))
        file = config.data / _DECREE_FILE
        self._decrees = Decrees(self.url, sites, apply, file)
        self._joins = Joins(self.url, limits.joins_per_second * 60, joined)
        shared = config.ledger.clickhouse is not None
        self._totals = Totals(ledger, own, shared=shared)
        self._secret: bytes | None = None
        """What all nodes know."""
        self._secret_is_there = False
        self._key_changed = False
        self._exchange: Exchange | None = None
        self._deaf: str | None = None
        """Why other nodes cannot reach us."""
        self._met: dict[str, str] = {}
        """Where other nodes are reached."""
        self._away: float | None = None
        """Since when the store has not answered, in seconds since 1970."""
        self._ahead = 0.0
        """Seconds that the store's clock is ahead of ours: all nodes begin minutes by it."""
        self._leaves = False
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Look who is there, and be there. A store that is away is no reason not to start."""
        for _ in range(2):  # a name is learnt by the first look, who it is by the second
            await self._turn()
        self._tasks = [
            asyncio.create_task(self._turns(), name="nodes"),
            asyncio.create_task(self._listen(), name="news of nodes"),
        ]

    async def close(self) -> None:
        """Be gone."""
        running = set(self._tasks)
        while running:  # a cancellation may get lost that comes with an answer (Python 3.11)
            for task in running:
                task.cancel()
            _, running = await asyncio.wait(running, timeout=0.1)
        if self._exchange is not None:
            await self._exchange.close()
        if not self._worker and self._away is None:
            await self._say_goodbye()
        await self._store.close()

    async def withdraw(self) -> None:
        """We are to go: nobody else is to be sent here."""
        self._leaves = True
        if self._away is None and not self._worker:
            await self._say_goodbye()

    def notes(self) -> list[str]:
        """What an operator should know."""
        notes = []
        if self._away is not None:
            since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._away))
            notes.append(
                f"The store of the nodes is of no use since {since}: this node matches whoever is "
                "with it, and knows no news of the others."
            )
        for url in self._registry.rivals:
            what = "tracker.url" if url == self.url else "data directory"
            notes.append(f"Another node, {url}, has the {what} of this one; each needs its own.")
        if self._deaf is not None:
            notes.append(f"Other nodes cannot reach this one at tracker.exchange: {self._deaf}.")
        if self._exchange is not None:
            notes += [
                f"There is no line to {url} at {self._met.get(url)}, its tracker.exchange: who "
                "cannot be sent there meets only those who are here."
                for url in self._exchange.missed(UNREACHED)
            ]
        if self._decrees.differs:
            notes.append("What this node's configuration says of sites is older than what holds.")
        return notes

    # Who thinks for what

    @property
    def count(self) -> int:
        """How many nodes there are."""
        return len(self._registry.there)

    def home(self, key: bytes) -> str:
        """The node that thinks for what this is the key of."""
        return self._registry.home(key)

    def next_home(self, key: bytes) -> str | None:
        """The node that will once we are gone; None if there is none."""
        return self._registry.next_home(key)

    def reaches(self, url: str) -> bool:
        """Whether there is a line to another node."""
        return self._exchange is not None and url in self._exchange.places

    def at(self, url: str, index: int) -> Realm:
        """A realm at another node, by its index. It has to have been reached before."""
        assert self._exchange is not None
        return self._exchange.at(url, index)

    # What all have in common

    @property
    def sites(self) -> dict[str, Site]:
        """The sites that are in force."""
        return self._decrees.sites

    def decree(self, sites: dict[str, Site]) -> None:
        """Our configuration says something else of them."""
        self._decrees.say(sites)
        self._wake.set()

    def joined(self, address: bytes) -> None:
        """Somebody has joined from there."""
        self._joins.joined(address, self._unix())

    def total(self) -> Total:
        """What all nodes have counted."""
        return self._totals.sum({node.ledger for node in self._registry.there.values()})

    # Asking

    async def _turns(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PAUSE if not self._decrees.is_settled else BEAT):
                    await self._wake.wait()
            self._wake.clear()
            await self._turn()
            await asyncio.sleep(PAUSE)

    async def _turn(self) -> None:
        """Tell and ask all there is; whatever comes of it, we go on saying that we are there."""
        if self._leaves:
            return
        try:
            await self._look()
        except Exception as error:
            self._registry.away(asyncio.get_running_loop().time())
            if self._away is None:
                self._away = time.time()
                strange = not isinstance(error, StoreError)
                log.warning("store_away", error=str(error), exc_info=strange)
        else:
            if self._away is not None:
                self._away = None
                log.info("store_back")

    async def _look(self) -> None:
        now = asyncio.get_running_loop().time()
        batch = Batch()
        self._registry.ask(batch)
        self._registry.forget(batch, now)
        self._decrees.ask(batch)
        self._ask_secret(batch)
        batch.ask("TIME", then=self._timed)
        if self._secret is not None:
            self._joins.ask(batch, self._secret, self._unix())
        if not self._worker:
            self._totals.ask(batch, now)
        await self._store.do(batch)
        changed = self._registry.looked(now)
        await self._meet()
        if changed:
            self._changed()

    def _timed(self, answer: tuple[int, int]) -> None:
        seconds, microseconds = answer
        self._ahead = seconds + microseconds / 1e6 - time.time()

    def _unix(self) -> float:
        return time.time() + self._ahead

    async def _listen(self) -> None:
        """Ask at once when another node has news."""
        while True:
            try:
                if await self._store.news():
                    self._wake.set()
            except StoreError:
                await asyncio.sleep(BEAT)
            except Exception:
                log.exception("no_news")
                await asyncio.sleep(BEAT)

    async def _say_goodbye(self) -> None:
        batch = Batch()
        self._registry.leave(batch)
        self._totals.leave(batch)
        batch.ask("PUBLISH", NEWS, "left")
        with contextlib.suppress(StoreError, TimeoutError):
            async with asyncio.timeout(GOODBYE):
                await self._store.do(batch)

    # The exchange

    def _ask_secret(self, batch: Batch) -> None:
        """All nodes know one secret: whoever finds none in the store puts the one that it knows
        there, or a new one."""
        if self._secret is None or not self._secret_is_there:
            batch.ask("SET", _SECRET, self._secret or os.urandom(_SECRET_BYTES), "NX")
        batch.ask("GET", _SECRET, then=self._keyed)

    def _keyed(self, answer: bytes | None) -> None:
        self._secret_is_there = answer is not None
        if answer is not None and answer != self._secret:
            self._secret = answer
            self._key_changed = True

    async def _meet(self) -> None:
        """Have a line to each node that can be reached."""
        if self._reached_at is None:
            return
        if self._key_changed:
            self._key_changed = False
            await self._open_exchange()
        exchange = self._exchange
        if exchange is None:
            return
        known = {
            url: node.exchange
            for url, node in self._registry.known.items()
            if node.exchange is not None and url != self.url
        }
        for url in [url for url, where in self._met.items() if known.get(url) != where]:
            exchange.part(url)
            del self._met[url]
        for url, where in known.items():
            if url not in self._met:
                self._met[url] = where
                exchange.meet(url, tcp(*split_address(where, "exchange")))

    async def _open_exchange(self) -> None:
        if self._exchange is not None:
            await self._exchange.close()
            self._met.clear()
        assert self._secret is not None  # it has just come
        name = f"{self.url}#{self._worker}" if self._worker else self.url
        self._exchange = exchange = Exchange(
            name,
            self._secret,
            self._realms,
            reached=self._has_reached,
            lost=lambda name: self._line(name, up=False),  # a worker is dialled by nobody
            came=lambda name: self._line(name, up=True),
            gone=lambda name: self._line(name, up=False),
        )
        if self._listens is None:
            return
        address = split_address(self._listens, "tracker.exchange")
        self._deaf = None
        try:
            await exchange.listen_tcp(*address)
        except OSError as error:
            self._deaf = error.strerror or str(error)
            log.error("no_exchange", address=self._listens, error=self._deaf)

    def _has_reached(self, name: str) -> None:
        self._registry.trust(name)
        self._changed()  # whom we could not pass on we now can

    def _line(self, name: str, *, up: bool) -> None:
        """A node can tell us something, or cannot any more: it may be gone, which is known sooner
        by this than by its silence."""
        changed = self._registry.trust(name) if up else self._registry.doubt(name)
        if changed:
            self._changed()


def _ledger_id(data: Path) -> str:
    """What the ledger in this directory is known by, in all its runs."""
    file = data / _LEDGER_FILE
    fresh = os.urandom(8).hex()
    try:
        data.mkdir(parents=True, exist_ok=True)
        with file.open("a+") as opened:
            if sys.platform != "win32":
                fcntl.flock(opened, fcntl.LOCK_EX)  # of workers who start together one chooses
            opened.seek(0)
            found = opened.read().strip()
            if not found:  # whoever was to write it may have been killed
                opened.write(fresh)
        return found or fresh
    except OSError as error:
        log.warning("ledger_not_named", file=str(file), error=error.strerror or str(error))
        return fresh
