"""The tracker as a service: sockets in front, the mind behind.

::

    WebSocket --> Connection --bytes--> Mind (Swarms) --bytes--> Guest --> Connection --> WebSocket
                                          '--events--> Ledger <-- Api (/api/v1/...)
    POST --> Beacons ------------------------^
    UDP --> StunServer

Where several processes share the work (`crew`), who thinks for a socket may be another of them, and
one keeps the account of all.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable, Sequence
from http import HTTPStatus
from typing import Protocol

import structlog
from aiohttp import web

from p2pcdn.config import Config, TrackerConfig
from p2pcdn.core.access import Site
from p2pcdn.core.atlas import Atlas
from p2pcdn.core.audit import Ceilings, Extent
from p2pcdn.core.firsts import Place
from p2pcdn.core.ledger import Ledger
from p2pcdn.errors import ErrorCode, RemoteError
from p2pcdn.model import PROTOCOL
from p2pcdn.service import error_response
from p2pcdn.service.admin import Admin
from p2pcdn.service.deadline import Line
from p2pcdn.service.forward import Forward
from p2pcdn.service.handover import HandedOver, hand_over
from p2pcdn.service.worker import ALONE, Worker
from p2pcdn.settings import Settings
from p2pcdn.wire.candidate import IPAddress
from p2pcdn.wire.codec import encode_utf8
from p2pcdn.wire.manifest import Records
from p2pcdn.wire.tracker import Limits, Welcome
from tracker import beacons, dashboard_files, webtorrent
from tracker.admission import Admission, Shares
from tracker.alto import Alto
from tracker.api import Api
from tracker.beacons import Beacons
from tracker.clock import Clock
from tracker.connection import Connection
from tracker.crew import Crew
from tracker.guests import Facts, Guests, Here, Realm, origin_of
from tracker.homes import Homes
from tracker.mind import Mind
from tracker.networks import Networks
from tracker.nodes.arrivals import Arrivals
from tracker.nodes.moves import Moves
from tracker.nodes.nodes import Nodes
from tracker.nodes.totals import Total
from tracker.relays import Relays
from tracker.reload import Reloader
from tracker.sites import key_files, sites_of, tell_who_may_come
from tracker.storage import Storage
from tracker.storage.sqlite import Sqlite
from tracker.stun import StunServer
from tracker.visits import Places, Tour, Visit
from tracker.websocket import key_of
from tracker.webtorrent import Doors, WebTorrent

PATH = "/tracker/v1"

DRAIN_TIME = 0.3
"""Seconds for sockets to close once the process is told to stop; those left are cut."""

log = structlog.get_logger("p2pcdn.tracker")


class Account(Protocol):
    """What an origin counts in; as `Ledger` has it."""

    def origin_sent(
        self, media: int, overhead: int = 0, content: str = "", place: Place | None = None
    ) -> None: ...

    def measured(self, content: str, rendition: str, extent: Extent) -> None: ...


class Tracker:
    """Matches peers and keeps the ledger (a `p2pcdn.service.Service`)."""

    def __init__(
        self,
        config: Config,
        ledger: Ledger,
        settings: Settings | None = None,
        storage: Storage | None = None,
        worker: Worker = ALONE,
    ) -> None:
        """``settings`` is what ``config`` came from, if it may be read again; ``storage`` is where
        the ledger outlives a restart, if it is to; ``worker`` is which of several we are."""
        self._config = config
        self._limits = config.tracker
        self._ledger = ledger
        ledger.ceilings = Ceilings(
            rate=config.ledger.most_bitrate / 8, every=config.tracker.report_every
        )
        self._reloader = settings and Reloader(
            settings.again, settings.file, self._apply, key_files, config
        )
        self._sites = sites_of(config)
        self._worker = worker
        self._admission = Admission(config.tracker, worker.count)
        self._admin = Admin(config)
        self._api = Api(ledger, storage or Sqlite(None), config) if worker.is_first else None
        self._forward = None if worker.is_first else Forward(worker.inside)
        self._networks = Networks(config.tracker.mmdb)
        self._relays = Relays(config.tracker)
        self._crew = None if worker.is_alone else Crew(worker, ledger, self._admission)
        self._beacons = Beacons(config.tracker, ledger, self._admission, self._now, self._crew)
        self._mind = Mind(
            config,
            self._sites,
            ledger,
            self._admission,
            self._beacons,
            self._networks,
            self._relays,
        )
        self._webtorrent = WebTorrent(config.tracker, self._networks)
        self._doors = Doors(config.tracker.webtorrent, self._sites)
        realms = (self._mind, self._webtorrent)
        if self._crew is None:
            self._homes = Homes.alone(realms)
        else:
            self._homes = self._crew.join(realms, self._beacons, self._limits.largest_swarm)
        if self._crew is not None and self._api is not None:
            self._api.path_of = self._crew.where
        self.account: Account = self._crew or ledger
        """Told by an origin in this process of what it has sent, and of what there is."""
        self._nodes = None if config.tracker.store is None else self._join_nodes(realms)
        self._moves = None if self._nodes is None else Moves(self._nodes, self._homes)
        self._places: Places = self._moves or self._homes
        """Where something is at home, among all of them."""
        self._alto = Alto(config.tracker.alto, self._draw)
        self._stun = StunServer()
        self._stun_url: str | None = None
        self._address = ("127.0.0.1", 0)
        self._guests = Guests()
        self._announcers: set[Here] = set()
        """Those that speak WebTorrent's protocol."""
        self._clock: Clock
        self._draining = False

    # The service

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        yield web.get(PATH, self._socket)
        # What it is about is in the path for whoever shares sockets out: a load balancer.
        yield web.get(f"{PATH}/{{content:[0-9a-f]{{32}}}}", self._socket)
        if self._limits.webtorrent.enabled:
            yield web.get(webtorrent.PATH, self._announce)
        yield web.post(beacons.PATH, self._beacons.take)
        if self._forward is not None:
            yield web.get("/api/{rest:.*}", self._forward.answer)
        if self._api is not None:
            for path, handler in self._api.routes():
                yield web.get(path, self._admin.guarded(handler))
        yield from dashboard_files.routes(self._admin)

    def bound(self, host: str, port: int) -> None:
        """Where the server is reached: STUN answers at the same number."""
        self._address = (host, port)

    async def start(self) -> None:
        self._clock = Clock()
        if self._admin.needs_token:
            assert self._admin.token  # or its file cannot be used: better said now
        if self._api is not None:
            await self._api.start()
        if self._crew is not None:
            await self._crew.start()
        if self._nodes is not None:
            self._use(self._nodes.sites)
            await self._nodes.start()
        await self._relays.start()
        self._alto.start()
        tell_who_may_come(self._sites)
        if self._reloader is not None:
            self._reloader.start()
        if self._limits.stun:
            self._start_stun()

    async def drain(self) -> None:
        """Tell every peer to come back in a moment."""
        self._draining = True
        if self._api is not None:
            self._api.drain()
        if self._moves is not None:
            self._moves.drain()
        going = RemoteError(ErrorCode.DRAINING, "this tracker is going away")
        for guest in self._guests:
            guest.send_back(going, together=len(self._guests))
        goodbye = [] if self._nodes is None else [self._nodes.withdraw()]
        await asyncio.gather(self._guests.gone(DRAIN_TIME), *goodbye)
        if self._crew is not None:
            self._crew.tell()  # answers under way may take longer than the first waits

    async def close(self) -> None:
        self._guests.abort()
        self._clock.close()
        self._stun.close()
        self._networks.close()
        self._mind.close()
        self._webtorrent.close()
        if self._moves is not None:
            await self._moves.close()
        if self._crew is not None:
            await self._crew.hear_the_last()
        if self._api is not None:
            await self._api.close()  # before all else that is waited for: it has the ledger
        if self._crew is not None:
            await self._crew.close()
        if self._nodes is not None:
            await self._nodes.close()
        if self._forward is not None:
            await self._forward.close()
        await self._relays.close()
        await self._alto.close()
        if self._reloader is not None:
            await self._reloader.close()

    def problems(self) -> list[str]:
        return []

    def notes(self) -> list[str]:
        noting = (self._crew, self._nodes, self._api, self._alto)
        return [note for each in noting if each is not None for note in each.notes()]

    def publish(self, records: Records) -> None:
        """The origin has something new: whoever is to fetch it hears of it at once."""
        (self._crew or self._mind).publish(records)

    def find_paths_by(self, path_of: Callable[[str], str | None]) -> None:
        """Where contents are is what ``path_of`` says, for people who know no ids."""
        if self._crew is not None:
            self._crew.path_of = path_of
        elif self._api is not None:
            self._api.path_of = path_of

    def _start_stun(self) -> None:
        host, port = self._address
        try:
            self._stun.open(host, port, shared=not self._worker.is_alone)
        except OSError as error:
            # Peers on one network link all the same, so this is no reason not to start.
            log.warning("no_stun", udp_port=port, error=error.strerror or str(error))
        else:
            self._stun_url = f"stun::{port}"

    # Other nodes

    def _join_nodes(self, realms: Sequence[Realm]) -> Nodes:
        ours, webtorrent = (realm.complain for realm in realms)
        nodes = Nodes(
            self._config,
            self._sites,
            [
                Arrivals(lambda: Visit(self._homes), ours),
                Arrivals(lambda: Tour(self._homes), webtorrent),
            ],
            apply=self._use,
            own=self._total,
            joined=self._joined_elsewhere,
            changed=self._nodes_changed,
            worker="" if self._worker.is_first else self._worker.name,
        )
        self._admission.joined = nodes.joined
        if self._api is not None:
            self._api.nodes = nodes
        return nodes

    def _total(self) -> Total:
        """What this node has counted."""
        now = self._ledger.summary()
        return Total(self._ledger.sums, now.viewers, now.swarms, now.refused_reports, now.since)

    def _joined_elsewhere(self, address: bytes, joins: int) -> None:
        self._admission.hear("nodes", Shares({}, {address: joins}), self._now())

    def _nodes_changed(self) -> None:
        if self._moves is not None and not self._draining:
            self._moves.changed()

    def _draw(self, atlas: Atlas) -> None:
        """The operator's maps say something else; who is here stays where he was."""
        self._networks.regions = atlas.regions
        for realm in (self._mind, self._webtorrent):
            realm.draw(atlas.costs)

    def _apply(self, config: Config) -> None:
        """The configuration says something else of the sites."""
        sites = sites_of(config)
        if self._nodes is not None:
            self._nodes.decree(sites)
        else:
            self._use(sites)

    def _use(self, sites: dict[str, Site]) -> None:
        """This is in force from now on."""
        if sites == self._sites:
            return
        self._sites = sites
        tell_who_may_come(sites)
        self._mind.change(sites)
        closed = self._doors.change(sites)
        for guest in list(self._announcers):
            if guest.facts.origin in closed:
                guest.dismiss(ErrorCode.WRONG_ORIGIN)

    # Sockets

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        return self._upgrade(request, self._mind, self._limits)

    async def _announce(self, request: web.Request) -> web.StreamResponse:
        self._doors.check(origin_of(request), request.host)
        return self._upgrade(request, self._webtorrent, webtorrent.limits(self._limits))

    def _upgrade(
        self, request: web.Request, realm: Realm, limits: TrackerConfig
    ) -> web.StreamResponse:
        key = key_of(request)
        if key is None:
            return error_response(
                HTTPStatus.UPGRADE_REQUIRED,
                "upgrade_required",
                "The tracker speaks WebSocket here: connect with ws:// or wss://.",
                {
                    "Upgrade": "websocket",
                    "Connection": "Upgrade",
                    "Sec-WebSocket-Version": "13",
                },
            )
        if self._draining:
            raise RemoteError(ErrorCode.DRAINING, "This tracker is going away.")
        address = self._admission.address_of(request)
        self._admission.enter(address, self._now())
        try:
            line = hand_over(request)
        except ConnectionError:
            self._admission.leave(address)
            raise
        facts = Facts.of(request, address, nonce=secrets.token_hex(16))
        self._open(line, key, address, facts, realm, limits)
        return HandedOver()

    def _open(
        self,
        line: Line,
        key: bytes,
        address: IPAddress,
        facts: Facts,
        realm: Realm,
        limits: TrackerConfig,
    ) -> None:
        ours = realm is self._mind
        visit = self._visit() if ours else Tour(self._places)

        def gone() -> None:
            self._admission.leave(address)
            self._guests.leave(guest)
            self._announcers.discard(guest)
            if self._moves is not None and isinstance(visit, Visit):
                self._moves.leave(visit)
            visit.closed()

        try:
            connection = Connection(
                line,
                key,
                limits,
                self._clock,
                hear=visit.hear,
                complain=realm.complain,
                count=self._ledger.signalled if ours else None,
                dropped=self._ledger.turned_away if ours else None,
                gone=gone,
            )
        except BaseException:  # it was never anybody's who would say that it is gone
            line.transport.abort()
            line.leave()
            self._admission.leave(address)
            raise
        visit.guest = guest = Here(connection, facts, realm.complain)
        self._guests.enter(guest)
        if ours:
            connection.tell(encode_utf8(self._welcome(facts.nonce)))
        else:  # these clients are told nothing but what their protocol knows
            self._announcers.add(guest)
        connection.listen()

    def _visit(self) -> Visit:
        if self._moves is None:
            return Visit(self._places)
        visit = Visit(self._moves, self._moves.sends_on)
        self._moves.enter(visit)
        return visit

    def _welcome(self, nonce: str) -> Welcome:
        limits = self._limits
        return Welcome(
            protocol=PROTOCOL,
            nonce=nonce,
            limits=Limits(limits.message_bytes, int(limits.messages_per_second), limits.links),
            report_every=limits.report_every,
            stun=self._stun_url,
        )

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
