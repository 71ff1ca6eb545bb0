"""Trials: a small audience, a share of which does one evil thing, and what may not come of it.

::

    Trial --a world with evil in it, the same viewers by plain HTTP--> Outcome --> problems()

The media of a trial has other bytes in every chunk, and `Witness`, a honest viewer's store and
player are held against them, whatever the core thinks of its own checks. What is promised:

- no wrong byte is stored, played or passed on by anybody honest;
- nobody honest is banned; of the others whoever sent wrong bytes to enough viewers is (`blame`);
- viewers start no later than by 1.1 times, and stall no more often than, by plain HTTP.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from functools import lru_cache
from statistics import fmean
from typing import TYPE_CHECKING

from p2pcdn.core.blame import DELIBERATION, ENOUGH, FEW, MANY, SHARE
from p2pcdn.core.ports import SegmentReady
from p2pcdn.core.store import Store
from p2pcdn.model import CHUNK_SIZE, ChunkKey, chunk_length
from p2pcdn.sim.clock import chance
from p2pcdn.sim.evil import EVIL, Asked
from p2pcdn.sim.media import ROOT, Media
from p2pcdn.sim.metrics import measure
from p2pcdn.sim.network import End
from p2pcdn.sim.scene import Scene, load
from p2pcdn.sim.world import World, shape
from p2pcdn.wire.chunk import Frame

if TYPE_CHECKING:
    from p2pcdn.sim.conduct import Honest
    from p2pcdn.sim.shell import Shell

SLACK = 2.0
"""Seconds that a report may take to the tracker, beside its deliberation."""
SLOWER = 1.1


class TrueMedia(Media):
    """Media whose every chunk has bytes of its own."""

    found: Findings

    def made(self, rendition: int, sequence: int, chunk: int, size: int) -> bytes:
        """The bytes of some chunk; the rendition that is watched is 0."""
        return _made(rendition, sequence, chunk)[:size]

    def truth(self, key: ChunkKey) -> bytes:
        """What a chunk has to be."""
        return self.bytes_of_chunk(key.sequence, key.chunk)

    def bytes_of_chunk(self, sequence: int, chunk: int) -> bytes:
        return self.made(0, sequence, chunk, chunk_length(self.segment_bytes, chunk))

    def bytes_of(self, sequence: int, first: int, last: int) -> bytes:
        return _segment(self.segment_bytes, sequence)[first : last + 1]

    def store(self, limit: int) -> Store:
        return WitnessStore(limit, self)

    def is_true(self, data: bytes, digest: bytes) -> bool:
        if data.startswith(ROOT):
            return super().is_true(data, digest)
        sequence, chunk = divmod(int.from_bytes(digest, "big"), 65_536)
        return data == self.bytes_of_chunk(sequence, chunk)


@lru_cache(maxsize=512)
def _made(rendition: int, sequence: int, chunk: int) -> bytes:
    tag = (rendition << 56 | (sequence + 1) << 16 | chunk).to_bytes(8, "big")
    return tag * (CHUNK_SIZE // len(tag))


@lru_cache(maxsize=256)
def _segment(size: int, sequence: int) -> bytes:
    chunks = range(-(-size // CHUNK_SIZE))
    return b"".join(_made(0, sequence, chunk) for chunk in chunks)[:size]


@dataclass(slots=True)
class Findings:
    """Wrong bytes where none may be: what, and where."""

    stored: list[ChunkKey] = field(default_factory=list)
    played: list[int] = field(default_factory=list)
    relayed: list[ChunkKey] = field(default_factory=list)


class WitnessStore(Store):
    """A store that looks at what it is given to keep."""

    def __init__(self, limit: int, media: TrueMedia) -> None:
        super().__init__(limit)
        self._media = media

    def put(self, key: ChunkKey, data: bytes) -> None:
        truth = self._media.truth(key)
        if data == truth:
            data = truth  # all viewers share it
        else:
            self._media.found.stored.append(key)
        super().put(key, data)


class Witness(Asked):
    """Somebody honest, whose frames are looked at as they leave."""

    def carry(self, end: End, frames: list[Frame]) -> None:
        for frame in frames:
            key = self.wants[end.number, frame.want]
            truth = self.world.media.truth(key)
            if frame.payload != truth[frame.offset : frame.offset + len(frame.payload)]:
                self.world.found.relayed.append(key)
        super().carry(end, frames)


class HostileWorld(World):
    """A world some of whose viewers do one evil thing."""

    media: TrueMedia

    def __init__(self, scene: Scene, seed: int, behaviour: str, share: float) -> None:
        self.found = Findings()
        self._behaviour = EVIL[behaviour]
        numbers = list(range(scene.viewers))
        chance(seed, "evil").shuffle(numbers)
        self.evil = frozenset(numbers[: int(share * scene.viewers)])
        self.honest = frozenset(numbers) - self.evil
        self.partners: dict[int, set[int]] = defaultdict(set)
        """With whom everybody had a link."""
        self.victims: dict[int, dict[int, float]] = defaultdict(dict)
        """Whom everybody has sent wrong bytes, and when that was found out."""
        self._ends: dict[tuple[int, int], int] = {}
        super().__init__(scene, seed)

    def number_of(self, peer: str) -> int | None:
        """Which viewer the tracker calls so."""
        for number, shell in self.shells.items():
            if shell.node is not None and shell.node.peer == peer:
                return number
        return None

    def make_media(self) -> Media:
        media = TrueMedia(*shape(self.scene))
        media.found = self.found
        return media

    def make_conduct(self, shell: Shell) -> Honest:
        make = self._behaviour if shell.viewer.number in self.evil else Witness
        return make(self, shell)

    def linked(self, end: End, other: End) -> None:
        for one, another in ((end, other), (other, end)):
            self.partners[one.viewer].add(another.viewer)
            self._ends[one.viewer, one.number] = another.viewer

    def blamed(self, shell: Shell, link: int) -> None:
        by = self._ends[shell.viewer.number, link]
        self.victims[by].setdefault(shell.viewer.number, self.clock.now)

    def played(self, shell: Shell, segment: SegmentReady) -> None:
        sequence = segment.key.sequence
        if segment.data != self.media.bytes_of(sequence, 0, self.media.segment_bytes - 1):
            self.found.played.append(sequence)


@dataclass(frozen=True, slots=True)
class Trial:
    """One trial; everything follows from it."""

    behaviour: str
    share: float
    """Of the viewers who are evil."""
    kind: str
    """``live``, or ``vod``: a crowd that comes at once."""
    viewers: int
    seed: int
    seconds: float = 20.0
    """Of content."""
    segment: float = 2.0

    def scene(self) -> Scene:
        """A scene of a few chunks a segment."""
        changes = {
            "viewers": str(self.viewers), "warmup": "0", "tail": "0",
            "media.bitrate": "0.5", "media.segment": str(self.segment),
            "lines.mix": "equal", "lines.uplink": "8", "http.rate": "10",
        }  # fmt: skip
        if self.kind == "live":
            return load("live-steady", changes | {"seconds": str(self.seconds)})
        vod = {"media.length": str(self.seconds), "seconds": str(self.seconds + 4)}
        return load("flash-crowd", changes | vod)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a trial."""

    trial: Trial
    wrong_stored: int
    wrong_played: int
    wrong_relayed: int
    poisoners: int
    """Evil viewers who sent wrong bytes to somebody honest."""
    rejected: int
    """How often that happened, at most once a pair."""
    due: int
    """Evil viewers who sent them to enough others for a ban."""
    banned: int
    spared: int
    """Due, and not banned."""
    honest_banned: int
    startup: float
    startup_plain: float
    stalls: int
    stalls_plain: int
    peer_share: float
    """Of what the honest watched, how much came from peers."""

    def problems(self) -> list[str]:
        """Which promises were broken."""
        wrong = self.wrong_stored + self.wrong_played + self.wrong_relayed
        broken = {
            f"{wrong} wrong chunks stored, played or passed on": wrong,
            f"{self.honest_banned} honest viewers banned": self.honest_banned,
            f"{self.spared} of {self.due} poisoners not banned": self.spared,
            f"start-up {self.startup:.3f} s, plain {self.startup_plain:.3f} s": (
                self.startup > SLOWER * self.startup_plain
            ),
            f"{self.stalls} stalls, plain {self.stalls_plain}": self.stalls > self.stalls_plain,
        }
        return [text for text, is_broken in broken.items() if is_broken]


def run_trial(trial: Trial) -> Outcome:
    """Run it, and the same viewers by plain HTTP."""
    scene = trial.scene()
    world = HostileWorld(scene, trial.seed, trial.behaviour, trial.share)
    world.run()
    plain = World(scene, trial.seed, plain=True)
    plain.run()
    rows = [row for row in measure(world, "").viewers if row.viewer in world.honest]
    plain_rows = [row for row in measure(plain, "").viewers if row.viewer in world.honest]
    due = _due(world)
    banned = world.tracker.banned
    found = world.found
    watched = sum(row.origin_bytes + row.peer_bytes for row in rows)
    return Outcome(
        trial=trial,
        wrong_stored=len(found.stored),
        wrong_played=len(found.played),
        wrong_relayed=len(found.relayed),
        poisoners=sum(bool(world.victims[number]) for number in world.evil),
        rejected=sum(len(world.victims[number]) for number in world.evil),
        due=len(due),
        banned=len(banned),
        spared=len(due - banned),
        honest_banned=len(banned - world.evil),
        startup=fmean(row.startup or scene.seconds for row in rows),
        startup_plain=fmean(row.startup or scene.seconds for row in plain_rows),
        stalls=sum(row.stalls for row in rows),
        stalls_plain=sum(row.stalls for row in plain_rows),
        peer_share=sum(row.peer_bytes for row in rows) / watched if watched else 0.0,
    )


def _due(world: HostileWorld) -> set[int]:
    """Evil viewers whom enough of their neighbours have found out, early enough to be banned."""
    accused: dict[int, set[int]] = defaultdict(set)
    for number, victims in world.victims.items():
        for victim in victims:
            accused[victim].add(number)
    return {
        number
        for number in world.evil
        if (victims := world.victims[number])
        and max(victims.values()) <= world.clock.now - DELIBERATION - SLACK
        and (voices := sum(_is_believed(world, victim, accused[victim]) for victim in victims))
        >= ENOUGH
        and voices >= SHARE * len(world.partners[number])
    }


def _is_believed(world: HostileWorld, viewer: int, accused: set[int]) -> bool:
    return len(accused) <= max(FEW, MANY * len(world.partners[viewer]) - 1)
