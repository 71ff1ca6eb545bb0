"""The tracker as a service: sockets in front, the mind behind, one timer.

::

    WebSocket --> Connection --Said--> Swarms --Tell--> Connection --> WebSocket
                                         '--events--> Ledger <-- Api (/api/v1/...)
    POST --> Beacons ------------------------^
    UDP --> StunServer
"""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from ipaddress import ip_network
from itertools import count, starmap

import msgspec
import structlog
from aiohttp import web

from p2pcdn.config import Config
from p2pcdn.core.access import Site, Sites, Visitor
from p2pcdn.core.audit import Ceilings
from p2pcdn.core.ledger import Ledger
from p2pcdn.core.ledger_ports import Group
from p2pcdn.core.swarm import Swarms
from p2pcdn.core.swarm_ports import (
    Arrived,
    Banned,
    Closed,
    Dismissed,
    Input,
    LeaseMissed,
    LeasesGiven,
    Left,
    NatSeen,
    Opened,
    Paired,
    PairingFailed,
    PairingLinked,
    Published,
    Reported,
    Rules,
    Said,
    SitesChanged,
    SwarmEvent,
    Tell,
)
from p2pcdn.errors import ErrorCode, RemoteError
from p2pcdn.model import PROTOCOL
from p2pcdn.service import error_response
from p2pcdn.service.admin import Admin
from p2pcdn.settings import Settings
from p2pcdn.wire.candidate import IPAddress, Vantage
from p2pcdn.wire.codec import decode_to_tracker, encode_utf8
from p2pcdn.wire.manifest import Records
from p2pcdn.wire.tracker import FromTracker, Join, Joined, Limits, Refused, Renew, Welcome
from tracker import beacons, dashboard_files, metrics
from tracker.admission import Admission
from tracker.api import Api
from tracker.beacons import Beacons
from tracker.browsers import access_of, family_of
from tracker.connection import Connection
from tracker.networks import Networks
from tracker.relays import Relays
from tracker.reload import Reloader
from tracker.sites import key_files, sites_of, tell_who_may_come, verifies
from tracker.storage import Storage
from tracker.storage.sqlite import Sqlite
from tracker.stun import StunServer

PATH = "/tracker/v1"

DRAIN_TIME = 0.3
"""Seconds for sockets to close once the process is told to stop; those left are cut."""

RETRY = (1.0, 5.0)
"""Seconds between which a peer that is turned away for now is told to come back, so that not all
of them do at the same time."""

log = structlog.get_logger("p2pcdn.tracker")


@dataclass(slots=True)
class _Guest:
    """An open socket and where it comes from."""

    connection: Connection
    address: IPAddress
    browser: str

    def tell(self, message: FromTracker) -> None:
        self.connection.tell(encode_utf8(message))

    def refuse(self, error: RemoteError, retry_after: float | None = None) -> None:
        """Tell the peer what was wrong, and close."""
        self.connection.refuse(_complaint(error, retry_after), error.code)


class Tracker:
    """Matches peers and keeps the ledger (a `p2pcdn.service.Service`)."""

    def __init__(
        self,
        config: Config,
        ledger: Ledger,
        settings: Settings | None = None,
        storage: Storage | None = None,
    ) -> None:
        """``settings`` is what ``config`` came from, if it may be read again; ``storage`` is where
        the ledger outlives a restart, if it is to."""
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
        self._swarms = Swarms(_rules(config, self._sites), random.Random(os.urandom(32)))
        self._admission = Admission(config.tracker)
        self._beacons = Beacons(config.tracker, ledger, self._admission, self._now)
        self._admin = Admin(config)
        self._api = Api(ledger, storage or Sqlite(None), config)
        self._networks = Networks(config.tracker.mmdb)
        self._edges = config.tracker.edge_networks
        self._relays = Relays(config.tracker)
        self._stun = StunServer()
        self._stun_url: str | None = None
        self._advertised = tuple(ip_network(address) for address in config.peer.advertise)
        self._address = ("127.0.0.1", 0)
        self._guests: dict[int, _Guest] = {}
        self._runs: set[asyncio.Future[None]] = set()
        self._numbers = count()
        self._timer: asyncio.Handle | None = None
        self._wakes_at: float | None = None
        self._draining = False

    # The service

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        yield web.get(PATH, self._socket)
        yield web.post(beacons.PATH, self._beacons.take)
        for path, handler in self._api.routes():
            yield web.get(path, self._admin.guarded(handler))
        yield from dashboard_files.routes(self._admin)

    def bound(self, host: str, port: int) -> None:
        """Where the server is reached: STUN answers at the same number."""
        self._address = (host, port)

    async def start(self) -> None:
        if self._admin.needs_token:
            assert self._admin.token  # or its file cannot be used: better said now
        await self._api.start()
        await self._relays.start()
        tell_who_may_come(self._sites)
        if self._reloader is not None:
            self._reloader.start()
        if self._limits.stun:
            self._start_stun()

    async def drain(self) -> None:
        """Tell every peer to come back in a moment."""
        self._draining = True
        self._api.drain()
        for guest in list(self._guests.values()):
            guest.refuse(
                RemoteError(ErrorCode.DRAINING, "this tracker is going away"), _retry_after()
            )
        if self._runs:
            await asyncio.wait(self._runs, timeout=DRAIN_TIME)

    async def close(self) -> None:
        for guest in self._guests.values():
            guest.connection.abort()
        self._stun.close()
        self._networks.close()
        if self._timer is not None:
            self._timer.cancel()
        await self._api.close()  # before all else that has to be waited for: it has the ledger
        await self._relays.close()
        if self._reloader is not None:
            await self._reloader.close()

    def problems(self) -> list[str]:
        return []

    def notes(self) -> list[str]:
        return self._api.notes()

    def publish(self, records: Records) -> None:
        """The origin has something new: whoever is to fetch it hears of it at once."""
        self._think(Published(records.page.site, records.page.content, records))

    def find_paths_by(self, path_of: Callable[[str], str | None]) -> None:
        """Where contents are is what ``path_of`` says, for people who know no ids."""
        self._api.path_of = path_of

    def _start_stun(self) -> None:
        host, port = self._address
        try:
            self._stun.open(host, port)
        except OSError as error:
            # Peers on one network link all the same, so this is no reason not to start.
            log.warning("no_stun", udp_port=port, error=error.strerror or str(error))
        else:
            self._stun_url = f"stun::{port}"

    def _apply(self, config: Config) -> None:
        """The configuration says something else of the sites."""
        sites = sites_of(config)
        if sites == self._sites:
            return
        self._sites = sites
        tell_who_may_come(sites)
        self._think(SitesChanged(sites))

    # Sockets

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        response = Connection.response(self._limits)
        if not response.can_prepare(request).ok:
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
        with self._admission.socket(address, self._now()):
            await response.prepare(request)
            await self._serve(response, request, address)
        return response

    async def _serve(
        self, response: web.WebSocketResponse, request: web.Request, address: IPAddress
    ) -> None:
        number = next(self._numbers)
        guest = _Guest(
            Connection(
                response,
                request,
                self._limits,
                hear=lambda data: self._hear(number, data),
                complain=_complaint,
                count=self._ledger.signalled,
                dropped=self._ledger.turned_away,
            ),
            address,
            family_of(request.headers.get("User-Agent")),
        )
        self._guests[number] = guest
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._runs.add(done)
        metrics.SOCKETS.inc()
        operator = self._networks.operator(address)
        vantage = Vantage(address, is_ours, self._advertised, self._relays.send_from, operator)
        visitor = Visitor(secrets.token_hex(16), _origin(request))
        try:
            self._think(Opened(number, vantage, visitor))
            guest.tell(self._welcome(visitor.nonce))
            await guest.connection.run()
        finally:
            del self._guests[number]
            metrics.SOCKETS.dec()
            self._think(Closed(number))
            self._runs.discard(done)
            done.set_result(None)

    def _welcome(self, nonce: str) -> Welcome:
        limits = self._limits
        return Welcome(
            protocol=PROTOCOL,
            nonce=nonce,
            limits=Limits(limits.message_bytes, int(limits.messages_per_second), limits.links),
            report_every=limits.report_every,
            stun=self._stun_url,
        )

    def _hear(self, number: int, data: bytes) -> None:
        message = decode_to_tracker(data)
        metrics.MESSAGES.labels(message.__struct_config__.tag).inc()
        guest = self._guests[number]
        if isinstance(message, Join | Renew):  # both cost a signature or two
            try:
                self._admission.join(guest.address, self._now())
            except RemoteError as error:
                guest.refuse(error, _retry_after())
                return
        self._think(Said(number, message, time.time()))

    # The mind

    def _think(self, message: Input) -> None:
        self._swarms.receive(message, self._now())
        self._act()

    def _wake(self) -> None:
        self._timer = self._wakes_at = None
        self._swarms.on_timer(self._now())
        self._act()

    def _act(self) -> None:
        """Do what the mind has decided: all of it, even if some of it fails."""
        failure: Exception | None = None
        now = self._now()
        acts = [partial(self._tell, tell) for tell in self._swarms.take_messages()]
        acts += [partial(self._note, event, now) for event in self._swarms.take_events()]
        for act in acts:
            try:
                act()
            except Exception as error:  # noqa: BLE001 - it is raised below
                failure = failure or error
        self._set_timer(self._swarms.timer_at())
        if failure is not None:
            raise failure  # whoever's message it came of is dismissed

    def _tell(self, tell: Tell) -> None:
        guest = self._guests.get(tell.socket)
        if guest is not None:
            guest.tell(self._completed(tell.message))

    def _completed(self, message: FromTracker) -> FromTracker:
        """Add what only we know: the time, and a secret."""
        if not isinstance(message, Joined):
            return message
        relays = self._relays.admit(message.peer, time.time()) if message.mode == "relay" else None
        mac = self._beacons.mac(message.peer)
        return msgspec.structs.replace(message, relays=relays, mac=mac)

    def _note(self, event: SwarmEvent, now: float) -> None:
        match event:
            case Arrived():
                metrics.PEERS.inc()
                self._arrived(event, now)
            case NatSeen(peer=peer, nat=nat):
                self._ledger.belongs(peer, Group("nat", nat))
            case Left(peer=peer):
                metrics.PEERS.dec()
                self._ledger.left(peer, now)
            case Paired(pairing=pairing, a=a, b=b, relayed=relayed):
                metrics.PAIRINGS.labels("introduced").inc()
                self._ledger.paired(pairing, a, b, relayed=relayed)
            case PairingLinked(pairing=pairing, took=took):
                metrics.PAIRINGS.labels("linked").inc()
                metrics.LINK_TIME.inc(took / 1000)
                self._ledger.linked(pairing, took)
            case PairingFailed(pairing=pairing, reason=reason):
                metrics.PAIRINGS.labels("failed").inc()
                self._ledger.failed(pairing, reason)
            case LeasesGiven(leases=leases):
                metrics.LEASES.labels("given").inc(leases)
            case LeaseMissed():
                metrics.LEASES.labels("missed").inc()
            case Banned(peers=peers):
                metrics.BANS.inc()
                log.warning("banned", peers=peers)
            case Reported(peer=peer, report=report):
                before = self._ledger.origin_mismatches
                self._ledger.report(peer, report, now)
                metrics.MISMATCHES.inc(self._ledger.origin_mismatches - before)
            case Dismissed(socket=number, code=code):
                guest = self._guests.get(number)
                if guest is not None:
                    guest.connection.dismiss(code)

    def _arrived(self, arrived: Arrived, now: float) -> None:
        """Somebody is in: what of him is in sums is found out now, and kept with no address."""
        guest = self._guests.get(arrived.socket)
        groups: dict[str, str] = {}
        edge = False
        if guest is not None:
            browser = guest.browser if arrived.viewer else "native"
            groups = {
                **self._networks.groups(guest.address),
                "browser": browser,
                "access": access_of(arrived.access),
            }
            edge = not arrived.viewer and any(guest.address in network for network in self._edges)
        self._ledger.joined(
            arrived.peer,
            arrived.content,
            now,
            viewer=arrived.viewer,
            groups=starmap(Group, groups.items()),
            edge=edge,
        )

    def _set_timer(self, at: float | None) -> None:
        if at == self._wakes_at:
            return
        self._wakes_at = at
        if self._timer is not None:
            self._timer.cancel()
        loop = asyncio.get_running_loop()
        self._timer = None if at is None else loop.call_at(at, self._wake)

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


def is_ours(address: IPAddress) -> bool:
    """Whether an address is an interface of this machine: then, and only then, one can bind it."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))
    except OSError:
        return False
    return True


def _origin(request: web.Request) -> str | None:
    """The page that opened the socket; None if it was not a browser."""
    given = request.headers.getall("Origin", [])
    return ", ".join(given) if given else None


def _rules(config: Config, sites: dict[str, Site]) -> Rules:
    limits = config.tracker
    return Rules(
        sites=Sites(sites, verifies),
        mode=limits.mode,
        relays=bool(limits.turn),
        neighbours=limits.neighbours,
        links=limits.links,
        pending_offers=limits.pending_offers,
        peers_per_hour=limits.peers_per_hour,
        candidates=limits.candidates,
        sdp_bytes=limits.sdp_bytes,
        prefix_share=limits.prefix_share,
        jury=limits.jury,
        ban_time=limits.ban_time,
        stun=limits.stun,
        lease_ahead=limits.lease_ahead,
        position_lasts=max(30.0, 3 * limits.report_every),  # peers tell theirs with their reports
    )


def _complaint(error: RemoteError, retry_after: float | None = None) -> bytes:
    return encode_utf8(Refused(error.code, error.detail[:512], retry_after=retry_after))


def _retry_after() -> float:
    return round(random.uniform(*RETRY), 1)
