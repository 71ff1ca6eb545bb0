"""The tracker's mind, woken and listened to: what it decides is told, counted and entered.

::

    opened, said, closed --> Swarms --Tell--> Guest
                               |   `--events--> Ledger, metrics
                               '--timer_at--> one timer

No socket is known here: whoever has it is a `Guest`, by a number.
"""

from __future__ import annotations

import asyncio
import os
import random
import socket
import time
from collections.abc import Callable
from ipaddress import ip_network
from itertools import count, starmap

import msgspec
import structlog

from p2pcdn.config import Config
from p2pcdn.core.access import Site, Sites, Visitor
from p2pcdn.core.ledger import Ledger
from p2pcdn.core.ledger_ports import Group
from p2pcdn.core.locality import Costs
from p2pcdn.core.swarm import Swarms
from p2pcdn.core.swarm_ports import (
    Arrived,
    Banned,
    Closed,
    Convicted,
    CostsChanged,
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
from p2pcdn.errors import RemoteError
from p2pcdn.wire.candidate import IPAddress, Vantage
from p2pcdn.wire.codec import decode_to_tracker, encode_utf8
from p2pcdn.wire.manifest import Records
from p2pcdn.wire.tracker import FromTracker, Join, Joined, Refused, Renew, ToTracker
from tracker import metrics
from tracker.admission import Admission
from tracker.beacons import Beacons
from tracker.browsers import access_of
from tracker.guests import Guest, retry_after
from tracker.networks import Networks
from tracker.relays import Relays
from tracker.sites import verifies

_INTRODUCED, _LINKED, _FAILED = map(metrics.PAIRINGS.labels, ("introduced", "linked", "failed"))

log = structlog.get_logger("p2pcdn.tracker")


class Mind:
    """Thinks for the swarms of this process."""

    def __init__(
        self,
        config: Config,
        sites: dict[str, Site],
        ledger: Ledger,
        admission: Admission,
        beacons: Beacons,
        networks: Networks,
        relays: Relays,
    ) -> None:
        self._ledger = ledger
        self._admission = admission
        self._beacons = beacons
        self._networks = networks
        self._relays = relays
        self._edges = config.tracker.edge_networks
        self._advertised = tuple(ip_network(address) for address in config.peer.advertise)
        self._swarms = Swarms(rules(config, sites), random.Random(os.urandom(32)))
        self.convicted: Callable[[bytes], object] = lambda _: None
        """Told of each address that is banned, as in `p2pcdn.model.home_of`."""
        self._guests: dict[int, Guest] = {}
        self._numbers = count()
        self._now = time.monotonic
        """The loop's clock, once somebody has come."""
        self._timer: asyncio.Handle | None = None
        self._wakes_at: float | None = None

    # What happens

    def opened(self, guest: Guest) -> int:
        """Somebody has come; the number by which the rest is told."""
        self._now = asyncio.get_running_loop().time
        number = next(self._numbers)
        self._guests[number] = guest
        facts, address = guest.facts, guest.facts.address
        where = self._networks.where(address)
        vantage = Vantage(
            address,
            is_ours,
            self._advertised,
            self._relays.send_from,
            where.operator,
            where.region,
            where.country,
        )
        self._think(Opened(number, vantage, Visitor(facts.nonce, facts.origin)))
        return number

    def said(self, number: int, data: bytes) -> None:
        """Somebody's message; `RemoteError` if it is none, or one too many."""
        message = decode_to_tracker(data)
        _count(message)
        if isinstance(message, Join | Renew):  # both cost a signature or two
            guest = self._guests[number]
            try:
                self._admission.join(guest.facts.address, self._now())
            except RemoteError as error:
                guest.tell(refusal(error, retry_after()))
                guest.dismiss(error.code)
                return
        self._think(Said(number, message, time.time()))

    def closed(self, number: int) -> None:
        """Somebody has gone."""
        del self._guests[number]
        self._think(Closed(number))

    def complain(self, error: RemoteError, retry: float | None = None, /) -> bytes:
        """What a peer is told whose socket is closed."""
        return refusal(error, retry)

    def publish(self, records: Records) -> None:
        """The origin has something new: whoever is to fetch it hears of it at once."""
        self._think(Published(records.page.site, records.page.content, records))

    def change(self, sites: dict[str, Site]) -> None:
        """The operator has said something else."""
        self._think(SitesChanged(sites))

    def convict(self, home: bytes) -> None:
        """Another process has banned an address."""
        self._think(Convicted(home))

    def draw(self, costs: Costs) -> None:
        """It costs something else to go from one region to another."""
        self._think(CostsChanged(costs))

    def close(self) -> None:
        """Sleep for good."""
        if self._timer is not None:
            self._timer.cancel()

    # Thinking

    def _think(self, message: Input) -> None:
        now = self._now()
        self._swarms.receive(message, now)
        self._act(now)

    def _wake(self) -> None:
        self._timer = self._wakes_at = None
        now = self._now()
        self._swarms.on_timer(now)
        self._act(now)

    def _act(self, now: float) -> None:
        """Do what the mind has decided: all of it, even if some of it fails."""
        failure: Exception | None = None
        for tell in self._swarms.take_messages():
            try:
                self._tell(tell)
            except Exception as error:  # noqa: BLE001 - it is raised below
                failure = failure or error
        for event in self._swarms.take_events():
            try:
                self._note(event, now)
            except Exception as error:  # noqa: BLE001 - it is raised below
                failure = failure or error
        at = self._swarms.timer_at()
        if at != self._wakes_at:
            self._set_timer(at)
        if failure is not None:
            raise failure  # whoever's message it came of is dismissed

    def _set_timer(self, at: float | None) -> None:
        self._wakes_at = at
        if self._timer is not None:
            self._timer.cancel()
        loop = asyncio.get_running_loop()
        self._timer = None if at is None else loop.call_at(at, self._wake)

    # Telling

    def _tell(self, tell: Tell) -> None:
        guest = self._guests.get(tell.socket)
        if guest is not None:
            guest.tell(encode_utf8(self._completed(tell.message)))

    def _completed(self, message: FromTracker) -> FromTracker:
        """Add what only we know: the time, and a secret."""
        if not isinstance(message, Joined):
            return message
        relays = self._relays.admit(message.peer, time.time()) if message.mode == "relay" else None
        mac = self._beacons.mac(message.peer)
        return msgspec.structs.replace(message, relays=relays, mac=mac)

    # Noting

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
                _INTRODUCED.inc()
                self._ledger.paired(pairing, a, b, relayed=relayed)
            case PairingLinked(pairing=pairing, took=took):
                _LINKED.inc()
                metrics.LINK_TIME.inc(took / 1000)
                self._ledger.linked(pairing, took)
            case PairingFailed(pairing=pairing, reason=reason):
                _FAILED.inc()
                self._ledger.failed(pairing, reason)
            case LeasesGiven(leases=leases):
                metrics.LEASES.labels("given").inc(leases)
            case LeaseMissed():
                metrics.LEASES.labels("missed").inc()
            case Banned(peers=peers, home=home):
                metrics.BANS.inc()
                log.warning("banned", peers=peers)
                self.convicted(home)
            case Reported(peer=peer, report=report):
                before = self._ledger.origin_mismatches
                self._ledger.report(peer, report, now)
                metrics.MISMATCHES.inc(self._ledger.origin_mismatches - before)
            case Dismissed(socket=number, code=code):
                guest = self._guests.get(number)
                if guest is not None:
                    guest.dismiss(code)

    def _arrived(self, arrived: Arrived, now: float) -> None:
        """Somebody is in: what of him is in sums is found out now, and kept with no address."""
        guest = self._guests.get(arrived.socket)
        groups: dict[str, str] = {}
        edge = False
        if guest is not None:
            address = guest.facts.address
            groups = {
                **self._networks.groups(address),
                "browser": guest.facts.browser if arrived.viewer else "native",
                "access": access_of(arrived.access),
            }
            edge = not arrived.viewer and any(address in network for network in self._edges)
        self._ledger.joined(
            arrived.peer,
            arrived.content,
            now,
            viewer=arrived.viewer,
            groups=starmap(Group, groups.items()),
            edge=edge,
        )


def refusal(error: RemoteError, retry: float | None = None) -> bytes:
    """The last message to a peer whose socket is closed: why, and when to come back."""
    return encode_utf8(Refused(error.code, error.detail[:512], retry_after=retry))


def is_ours(address: IPAddress) -> bool:
    """Whether an address is an interface of this machine: then, and only then, one can bind it."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))
    except OSError:
        return False
    return True


def rules(config: Config, sites: dict[str, Site]) -> Rules:
    """What the settings say, as the mind knows it."""
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
        messages_per_second=limits.messages_per_second,
        burst=limits.burst,
        sdp_bytes=limits.sdp_bytes,
        local_share=limits.local_share,
        prefix_share=limits.prefix_share,
        jury=limits.jury,
        ban_time=limits.ban_time,
        stun=limits.stun,
        lease_ahead=limits.lease_ahead,
        importers=limits.importers,
        position_lasts=max(30.0, 3 * limits.report_every),  # peers tell theirs with their reports
    )


_heard: dict[type[ToTracker], Callable[[], None]] = {}
"""Adds one to the messages of a type; to look for the counter by its label takes longer than
to count."""


def _count(message: ToTracker) -> None:
    kind = type(message)
    add = _heard.get(kind)
    if add is None:
        add = _heard[kind] = metrics.MESSAGES.labels(message.__struct_config__.tag).inc
    add()
