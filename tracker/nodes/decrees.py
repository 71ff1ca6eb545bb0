"""What the operator has said of the sites, at whichever node, is in force at all of them.

::

    a node's file changes --> a decree, one later than the last --> the store --> all other nodes

The latest counts: a decree has a number, one more than the last that the node knew, and the names
decide between two of the same number. A node that knows a later one than the store, or finds none
there, puts its own there: so neither a race nor a store that forgets changes what is in force. Each
node keeps the last on its own disk, with what its file said then; a file that says something else
when the node starts has changed meanwhile, and counts as changed now.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import structlog

from p2pcdn.core.access import Site
from tracker.nodes.store import NEWS, PREFIX, Batch

_HEAD = f"{PREFIX}sites:head"
_BODY = f"{PREFIX}sites"

log = structlog.get_logger("p2pcdn.tracker")


class Version(msgspec.Struct, frozen=True, order=True, array_like=True):
    """Which decree it is."""

    number: int = 0
    """0: of a node that has never heard of one."""
    node: str = ""
    """By whom."""


class Decree(msgspec.Struct, frozen=True):
    """What is in force."""

    version: Version
    sites: dict[str, Site]
    said: dict[str, Site] | None = None
    """On disk: what the node's own file said then."""


class Decrees:
    """Ours, and the latest of all."""

    def __init__(
        self,
        node: str,
        sites: dict[str, Site],
        apply: Callable[[dict[str, Site]], None],
        file: Path | None = None,
    ) -> None:
        """``node`` is our URL, ``sites`` what our configuration says; ``apply`` puts something
        else in force. ``file`` is where the last is kept."""
        self._node = node
        self._apply = apply
        self._file = file
        self._said = sites
        """What our file says."""
        self._in_force = Decree(Version(), sites)
        self._is_new = False
        """Whether our file has changed, and nobody has been told so."""
        self._head: Version | None = None
        """What the store has, once we have looked."""
        self._strange = Version()
        """One that we do not understand."""
        kept = None if file is None else _read(file)
        if kept is not None:
            self._is_new = kept.said not in (None, sites) and kept.sites != sites
            self._in_force = Decree(kept.version, sites if self._is_new else kept.sites)

    @property
    def sites(self) -> dict[str, Site]:
        """Those in force."""
        return self._in_force.sites

    @property
    def differs(self) -> bool:
        """Whether our own file says something else."""
        return self._in_force.sites != self._said

    def say(self, sites: dict[str, Site]) -> None:
        """Our configuration says something else from now on."""
        if sites == self._said:
            return
        self._said = sites
        self._is_new = sites != self._in_force.sites
        self._put(Decree(self._in_force.version, sites))

    def ask(self, batch: Batch) -> None:
        """See which one the store has; get it if it is later than ours, put ours there if it is not
        as late."""
        ours = self._in_force
        if self._head is None or self._is_new:
            pass
        elif self._head > max(ours.version, self._strange):
            batch.ask("GET", _BODY, then=self._heard)
        elif self._head < ours.version:
            head, body = msgspec.json.encode(ours.version), msgspec.json.encode(ours)
            batch.ask("MSET", _HEAD, head, _BODY, body)
            batch.ask("PUBLISH", NEWS, "sites")
        batch.ask("GET", _HEAD, then=self._looked)

    @property
    def is_settled(self) -> bool:
        """Whether there is nothing to ask or to tell at once."""
        return self._head in (self._in_force.version, self._strange)

    # Answers

    def _looked(self, answer: bytes | None) -> None:
        head = self._head = _version(answer)
        ours = self._in_force
        if self._is_new or not (head.number or ours.version.number):
            self._is_new = False
            number = max(head.number, ours.version.number) + 1
            self._put(Decree(Version(number, self._node), ours.sites))
            log.info("sites_published", number=number)

    def _heard(self, answer: bytes | None) -> None:
        decree = None if answer is None else _decoded(answer)
        if decree is None:
            self._strange = self._head or self._strange
        elif decree.version > self._in_force.version and not self._is_new:
            log.info("sites_heard", number=decree.version.number, node=decree.version.node)
            self._put(decree)

    def _put(self, decree: Decree) -> None:
        before, self._in_force = self._in_force, decree
        if self._file is not None and decree.version.number:
            _write(self._file, msgspec.structs.replace(decree, said=self._said))
        if decree.sites != before.sites:
            self._apply(decree.sites)


def _version(answer: bytes | None) -> Version:
    try:
        return Version() if answer is None else msgspec.json.decode(answer, type=Version)
    except msgspec.DecodeError:
        return Version()


def _decoded(answer: bytes) -> Decree | None:
    try:
        return msgspec.json.decode(answer, type=Decree)
    except msgspec.DecodeError as error:
        log.error("sites_not_understood", error=str(error), in_force="what was before")
        return None


def _read(file: Path) -> Decree | None:
    try:
        return _decoded(file.read_bytes())
    except OSError:
        return None


def _write(file: Path, decree: Decree) -> None:
    """Whole or not at all. If it cannot be written, the next start begins with our own file."""
    beside = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(msgspec.json.encode(decree))
        beside.replace(file)
    except OSError as error:
        log.warning("sites_not_kept", file=str(file), error=error.strerror or str(error))
        with contextlib.suppress(OSError):
            beside.unlink()
