"""Thousands of ways to pass something off as what the origin said, and a few honest ones.

Everything is made from a handful of honest originals, so it is the same each time. Who tries it is
a neighbour, or the tracker (`offer`), whoever may answer a request for hashes (`hashes`), or
somebody between us and the origin, who faces a page that pins the origin's keys (`pinned`).

``python -m tests.p2pcdn.core.substitutions`` writes the sample that both languages replay.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from p2pcdn.core.manifest import Known, Manifest, Renewed
from p2pcdn.core.news import Learned
from p2pcdn.core.ports import Check, HashesArrived, ManifestArrived, Verify
from p2pcdn.model import Span
from p2pcdn.wire.codec import encode
from p2pcdn.wire.fields import Message
from p2pcdn.wire.manifest import (
    Records,
    RenditionManifest,
    SegmentRecord,
    Signature,
    signed_bytes,
    to_base64,
)
from peer.native.verification import admitted, matches, verifies
from tests.p2pcdn.core.forgeries import changed_hashes, changed_pages, changed_presentations
from tests.p2pcdn.core.originals import (
    CONTENT,
    ERA,
    KEYS,
    KNOWN,
    NEXT,
    NOW,
    ORIGIN,
    PINS,
    PRESENTATION,
    PROVED,
    STRANGER,
    TIME,
    Page,
    hashes_of,
    page,
    record,
)

FILE = Path(__file__).parents[2] / "vectors" / "substitutions.json"
SAMPLED = 41
"""One in so many substitutions is in the sample, beside all that is honest."""


@dataclass(frozen=True, slots=True)
class Case:
    """Something that somebody says, and whether a viewer may believe it."""

    note: str
    kind: str
    said: Records | Page | bytes
    honest: bool = False
    at: float = NOW

    def plain(self) -> dict[str, Any]:
        said = self.said.hex() if isinstance(self.said, bytes) else _plain(self.said)
        told = {"note": self.note, "kind": self.kind, "said": said, "honest": self.honest}
        return told if self.at == NOW else {**told, "at": self.at}


def _plain(message: Message) -> Any:
    return json.loads(encode(message))


# Who believes


class Viewer:
    """Knows what the origin said last, and its keys."""

    def __init__(self) -> None:
        self.manifest = Manifest(CONTENT, "v", count(1))
        self.manifest.receive(ManifestArrived(KNOWN), NOW)
        data = b"".join(h for n in PROVED.numbers() for h in hashes_of(n))
        self.manifest.receive(HashesArrived("v", PROVED, data), NOW)
        assert self._believed(NOW) == len(PROVED.numbers())

    def believes(self, case: Case) -> bool:
        """Whether anything of it is believed; if so, he is not the same any more."""
        match case.said:
            case Records():
                self.manifest.offered(case.said, 7, case.at)
            case bytes():
                self.manifest.receive(HashesArrived("v", Span(8, 8), case.said), case.at)
            case _:
                return admitted(case.said, PINS) is not None
        return self._believed(case.at) > 0

    def _believed(self, now: float) -> int:
        believed = 0
        while events := self.manifest.take_events():
            for event in events:
                match event:
                    case Check(check, data, digest):
                        self.manifest.checked(check, matches(data, digest), now)
                    case Verify(check, how, data, key, signature):
                        self.manifest.checked(check, verifies(how, data, key, signature), now)
                    case Known() | Learned() | Renewed():
                        believed += 1
        return believed


# What is said


def offer(said: RenditionManifest, hashes: list[bytes] | None = None) -> Records:
    """A page with hashes; those of its segments if not said."""
    if hashes is None:
        hashes = [h for r in said.segments for h in hashes_of(r.sequence)]
    return Records(replace(said, keys=()), to_base64(b"".join(hashes)))


ORIGINALS = {
    "one segment": ORIGIN.sign(page(10, 10)),
    "two segments": ORIGIN.sign(page(10, 11)),
    "one of two": ORIGIN.sign(page(11, 11)),
    "what fills a gap": ORIGIN.sign(page(8, 9, time=TIME, last=9)),
    "by the next keys": NEXT.sign(page(10, 10)),
}
ANEW = page(3, 4, era=TIME + 9500, time=TIME + 9500, first=3)


def cases() -> Iterator[Case]:
    """All of it, honest and not."""
    yield from honest()
    for note, original in ORIGINALS.items():
        for how, said in changed_pages(original):
            yield Case(f"{note}: {how}", "offer", offer(said))
            yield Case(f"{note}, pinned: {how}", "pinned", replace(said, keys=KEYS))
        for how, hashes in changed_hashes([h for r in original.segments for h in _hashes(r)]):
            yield Case(f"{note}: {how}", "offer", offer(original, hashes))
        yield from with_keys(note, original)
    for how, changed in changed_presentations(ORIGIN.sign(PRESENTATION)):
        yield Case(f"a presentation: {how}", "pinned", replace(changed, keys=KEYS))
    yield from with_keys("a presentation", ORIGIN.sign(PRESENTATION))
    for how, hashes in changed_hashes(hashes_of(8)):
        yield Case(f"an answer: {how}", "hashes", b"".join(hashes))
    yield from rolled_back()


def honest() -> Iterator[Case]:
    junk = Signature("junk", "ed25519", "AAAA")
    for note, original in ORIGINALS.items():
        edwards, curve = original.signatures
        for how, signatures in (
            ("", (edwards, curve)),
            (", the other way round", (curve, edwards)),
            (", Ed25519 alone", (edwards,)),
            (", P-256 alone", (curve,)),
            (", and one by nobody we know", (junk, curve)),
        ):
            said = replace(original, signatures=signatures)
            yield Case(note + how, "offer", offer(said), honest=True)
            yield Case(f"{note}{how}, pinned", "pinned", replace(said, keys=KEYS), honest=True)
    for note, said in (("anew", ORIGIN.sign(ANEW)), ("anew, by the next keys", NEXT.sign(ANEW))):
        yield Case(note, "offer", offer(said), honest=True)
    yield Case("in time", "offer", offer(ORIGINALS["one segment"]), honest=True, at=NOW + 10.9)
    presentation = replace(ORIGIN.sign(PRESENTATION), keys=KEYS)
    yield Case("a presentation", "pinned", presentation, honest=True)
    yield Case("an answer", "hashes", b"".join(hashes_of(8)), honest=True)


def with_keys(note: str, original: Page) -> Iterator[Case]:
    """Somebody else's keys, under any name: whoever can rewrite a page can write keys beside it."""
    forged = replace(original, site="pk_other")
    mine = STRANGER.signatures(signed_bytes(forged))
    for key, strange, signature in zip(ORIGIN.keys, STRANGER.keys, mine, strict=True):
        posing = replace(strange, id=key.id)
        for how, keys in (
            ("their own keys", STRANGER.keys),
            ("a key in the name of a pinned one", (posing,)),
            ("the same, before it", (posing, *KEYS)[:4]),
            ("the same, after it", (*ORIGIN.keys, posing)),
            ("no keys", ()),
        ):
            for id_ in (key.id, strange.id):
                said = replace(forged, signatures=(replace(signature, key=id_),), keys=keys)
                yield Case(f"{note}: {how}, {key.algorithm} by {id_}", "pinned", said)
                if isinstance(said, RenditionManifest):
                    hashes = to_base64(b"".join(h for r in said.segments for h in _hashes(r)))
                    told = Records(said, hashes)
                    yield Case(f"{note}: offered with {how}, {id_}", "offer", told)


def rolled_back() -> Iterator[Case]:
    """What the origin did sign, once, or would have to sign: it is not true any more."""
    newest = KNOWN.time
    for sequence in range(2, 10):
        was = replace(page(sequence, sequence), segments=(record(sequence, version=1),), last=9)
        hashes = hashes_of(sequence, 1)
        for era in (0, ERA - 1_000_000, ERA - 1):
            for time in (ERA - 2, TIME, newest, newest + 1, newest + 1000):
                for last in (sequence, 9, 12):
                    told = replace(was, era=era, time=time, last=last)
                    note = f"segment {sequence} of era {era}, time {time}, last {last}"
                    yield Case(note, "offer", offer(ORIGIN.sign(told), hashes))
        for time in (newest - 1, newest, newest + 1):
            told = replace(was, time=time)
            note = f"another record of segment {sequence}, time {time}"
            yield Case(note, "offer", offer(ORIGIN.sign(told), hashes))
        for era, time in ((ERA + 1, newest), (ERA + 1, newest - 1), (newest, newest)):
            told = replace(was, era=era, time=time)
            note = f"segment {sequence} of era {era} before its time {time}"
            yield Case(note, "offer", offer(ORIGIN.sign(told), hashes))
    for sequence in (0, 1, 10, 11, 90):
        for time in (0, TIME, newest - 1, newest):
            told = page(sequence, sequence, time=time, first=0)
            note = f"segment {sequence}, which is not there at {time}"
            yield Case(note, "offer", offer(ORIGIN.sign(told)))
    for sequence in (8, 9):
        for last in range(sequence, 9):
            told = page(sequence, sequence, time=newest + 1, last=last)
            yield Case(f"the newest is {last} now", "offer", offer(ORIGIN.sign(told)))
    for note, original in ORIGINALS.items():
        for late in (15.0, 60.0, 86_400.0):
            yield Case(f"{note}, {late} s late", "offer", offer(original), at=NOW + late)
    for late in (11.0, 60.0):
        yield Case(f"anew, {late} s late", "offer", offer(ORIGIN.sign(ANEW)), at=NOW + late)


def _hashes(said: SegmentRecord) -> list[bytes]:
    return hashes_of(said.sequence)


# The sample


def sample() -> dict[str, Any]:
    """What both languages replay."""
    every = list(cases())
    dishonest = [case for case in every if not case.honest]
    kept = [case for case in every if case.honest] + dishonest[::SAMPLED]
    return {
        "story": "What somebody says to a viewer who knows `known`, a page from the origin, and "
        "has proved the segments of `proved` by `hashes`, all at `now` (seconds). `offer`: over a "
        "link, as `records`. `hashes`: as the answer for those of segment 8, hexadecimal. "
        "`pinned`: a manifest as it is fetched by a page that pins the keys `pins`. Only what is "
        "`honest` may be believed, in any part. Each case is told to a viewer of its own, at `now` "
        "or `at`.",
        "now": NOW,
        "known": _plain(KNOWN),
        "proved": list(PROVED),
        "hashes": b"".join(h for n in PROVED.numbers() for h in hashes_of(n)).hex(),
        "pins": sorted(PINS),
        "cases": [case.plain() for case in kept],
    }


def written() -> str:
    """The text of the file, one case a line."""
    told = sample()
    lines = ",\n".join(f"    {json.dumps(case)}" for case in told.pop("cases"))
    head = "".join(f"  {json.dumps(name)}: {json.dumps(value)},\n" for name, value in told.items())
    return f'{{\n{head}  "cases": [\n{lines}\n  ]\n}}\n'


if __name__ == "__main__":
    FILE.write_text(written(), encoding="utf-8")
