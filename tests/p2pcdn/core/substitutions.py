"""Thousands of ways to pass something off as what the origin said, and a few honest ones.

Everything is made from a handful of honest originals, so it is the same each time. Who tries it is
a neighbour, or the tracker (`offer`), whoever may answer a request for hashes (`hashes`), or
somebody between us and the origin, who faces a page that pins the origin's keys (`pinned`).

``python -m tests.p2pcdn.core.substitutions`` writes the sample that both languages replay.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from msgspec.structs import replace

from p2pcdn.core.manifest import Known, Manifest, Renewed
from p2pcdn.core.news import Learned
from p2pcdn.core.ports import Check, HashesArrived, ManifestArrived, Verify
from p2pcdn.es256 import to_raw
from p2pcdn.model import Span
from p2pcdn.wire.codec import encode
from p2pcdn.wire.fields import Message
from p2pcdn.wire.manifest import (
    Algorithm,
    Key,
    PresentationManifest,
    Records,
    RenditionManifest,
    RenditionRef,
    SegmentRecord,
    Signature,
    from_base64,
    segment_root,
    signed_bytes,
    to_base64,
)
from peer.native.verification import admitted, matches, thumbprint, verifies

FILE = Path(__file__).parents[2] / "vectors" / "substitutions.json"
SAMPLED = 41
"""One in so many substitutions is in the sample, beside all that is honest."""

SITE, CONTENT, OTHER = "pk_demo", "0" * 31 + "1", "0" * 31 + "2"
NOW = 100.0
"""Seconds, by the viewer's clock, when he has just heard from the origin."""
ERA, TIME = 1_700_000_000_000, 1_700_000_500_000
DURATION = 2000
LENGTH = 70_000
"""Of each segment: two chunks."""

Page = RenditionManifest | PresentationManifest
P = TypeVar("P", bound=Page)


class Pair:
    """An origin's pair of keys, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._edwards = ed25519.Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
        self._curve = ec.derive_private_key(seed * 2**200 + 1, ec.SECP256R1())
        point = self._curve.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        raw: tuple[tuple[Algorithm, bytes], ...] = (
            ("ed25519", self._edwards.public_key().public_bytes_raw()),
            ("ecdsa-p256", point),
        )
        self.keys = tuple(Key(thumbprint(key)[:16], how, to_base64(key)) for how, key in raw)

    def der(self, data: bytes) -> bytes:
        """A signature by ECDSA as other programs write it."""
        return self._curve.sign(data, ec.ECDSA(SHA256(), deterministic_signing=True))

    def signatures(self, data: bytes) -> tuple[Signature, ...]:
        values = self._edwards.sign(data), to_raw(self.der(data))
        return tuple(
            Signature(key.id, key.algorithm, to_base64(value))
            for key, value in zip(self.keys, values, strict=True)
        )

    def sign(self, page: P) -> P:
        return replace(page, signatures=self.signatures(signed_bytes(page)))


ORIGIN, NEXT, STRANGER = Pair(1), Pair(2), Pair(3)
KEYS = ORIGIN.keys + NEXT.keys
PINS = frozenset(thumbprint(from_base64(key.public) or b"") for key in KEYS)


def hashes_of(sequence: int, version: int = 0) -> list[bytes]:
    """The chunk hashes of a segment; another version is what it was in another era."""
    return [hashlib.sha256(bytes([sequence, chunk, version])).digest() for chunk in range(2)]


def record(
    sequence: int, *, content: str = CONTENT, rendition: str = "v", version: int = 0
) -> SegmentRecord:
    root = segment_root(content, rendition, sequence, LENGTH, hashes_of(sequence, version))
    return SegmentRecord(sequence, f"{sequence}.ts", LENGTH, root, DURATION)


def page(from_: int, to: int, **fields: Any) -> RenditionManifest:
    """What the origin says of these segments, unsigned."""
    records = tuple(record(n) for n in range(from_, to + 1))
    values: dict[str, Any] = {
        "site": SITE,
        "content": CONTENT,
        "rendition": "v",
        "live": True,
        "time": TIME + 1000 * to,
        "first": 2,
        "last": to,
        "segments": records,
        "era": ERA,
    }
    return RenditionManifest(version=1, chunk_size=65_536, **{**values, **fields})


PRESENTATION = PresentationManifest(
    1, SITE, CONTENT, (RenditionRef("v", "v.m3u8"), RenditionRef("w", "w.m3u8"))
)
KNOWN = replace(ORIGIN.sign(page(2, 9)), keys=KEYS)
"""The page that the viewer has from the origin; he has proved the segments 2 to 7 of it."""
PROVED = Span(2, 7)


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


def changed_pages(original: RenditionManifest) -> Iterator[tuple[str, RenditionManifest]]:
    """Under the signatures of the original, or others that are not the origin's."""
    for field, values in (
        ("site", ("pk_other", "pk_dem", "")),
        ("content", (OTHER, CONTENT[::-1])),
        ("rendition", ("w", "", "v\0", "V")),
        ("live", (False,)),
        ("era", (0, original.era - 1, original.era + 1, original.time + 1)),
        ("time", tuple(original.time + d for d in (-86_400_000, -1, 1, 1000, 2**40))),
        ("first", tuple(original.first + d for d in (-1, 1, 8))),
        ("last", tuple(original.last + d for d in (-1, 1, 2, 64))),
    ):
        for value in values:
            yield f"{field} {value!r}", replace(original, **{field: value})
    for how, segments in _changed_records(original.segments):
        yield how, replace(original, segments=segments)
    data = signed_bytes(original)
    for how, signatures in _changed_signatures(original, data):
        yield how, replace(original, signatures=signatures)
    others = {
        "of the page before": page(9, 9),
        "of the same segments of another rendition": replace(original, rendition="w"),
        "of the presentation": PRESENTATION,
        "of nothing": None,
    }
    for how, other in others.items():
        covered = b"" if other is None else signed_bytes(other)
        yield f"the signatures {how}", replace(original, signatures=ORIGIN.signatures(covered))
    for domain in (b"p2pcdn segment v1\n", b"p2pcdn presentation v1\n", b"p2pcdn rendition v2\n"):
        covered = domain + data.split(b"\n", 1)[1]
        yield f"signed as {domain!r}", replace(original, signatures=ORIGIN.signatures(covered))
    text = encode(replace(original, signatures=())).encode()
    yield "its JSON signed", replace(original, signatures=ORIGIN.signatures(text))
    yield (
        "its hash signed",
        replace(original, signatures=ORIGIN.signatures(hashlib.sha256(data).digest())),
    )


def _changed_records(
    segments: tuple[SegmentRecord, ...],
) -> Iterator[tuple[str, tuple[SegmentRecord, ...]]]:
    first, *rest = segments
    swaps: list[tuple[str, dict[str, Any]]] = [
        ("another segment's root", {"root": record(first.sequence + 1).root}),
        ("another rendition's root", {"root": record(first.sequence, rendition="w").root}),
        ("another content's root", {"root": record(first.sequence, content=OTHER).root}),
        ("another era's root", {"root": record(first.sequence, version=1).root}),
        ("a root of zeros", {"root": "0" * 64}),
        ("another uri", {"uri": "9.ts"}),
        ("an absolute uri", {"uri": "https://elsewhere.example/9.ts"}),
        *((f"sequence {d:+}", {"sequence": first.sequence + d}) for d in (-8, -1, 1, 2)),
        *((f"length {d:+}", {"length": LENGTH + d}) for d in (-4465, -1, 1, 61_072)),
        *((f"duration {d:+}", {"duration": DURATION + d}) for d in (-1, 1)),
        *((f"offset {d:+}", {"offset": d}) for d in (1, 65_536)),
    ]
    for how, change in swaps:
        yield how, (replace(first, **change), *rest)
    for bit in range(0, 256, 16):
        flipped = f"{int(first.root, 16) ^ 1 << bit:064x}"
        yield f"bit {bit} of a root", (replace(first, root=flipped), *rest)
    yield "no segment", ()
    yield "a segment twice", (first, *segments)
    yield "one more", (*segments, record(segments[-1].sequence + 1))
    yield "one before", (record(first.sequence - 1), *segments)
    if rest:
        yield "without the first", tuple(rest)
        yield "without the last", segments[:-1]
        yield "in reverse", segments[::-1]
        yield (
            "roots exchanged",
            (
                replace(first, root=rest[0].root),
                replace(rest[0], root=first.root),
            ),
        )


def _changed_signatures(original: Page, data: bytes) -> Iterator[tuple[str, tuple[Signature, ...]]]:
    edwards, curve = original.signatures
    pair = NEXT if edwards.key == NEXT.keys[0].id else ORIGIN
    other = ORIGIN if pair is NEXT else NEXT
    for good, name in ((edwards, "Ed25519"), (curve, "P-256")):
        raw = from_base64(good.value) or b""
        beside = [s for s in original.signatures if s is not good]
        for byte in range(len(raw)):
            for bit in (0, 3, 7):
                flipped = bytes(b ^ (1 << bit) * (at == byte) for at, b in enumerate(raw))
                wrong = replace(good, value=to_base64(flipped))
                yield f"bit {bit} of byte {byte}, {name}", (wrong,)
        for how, value in (
            ("no value", b""),
            ("cut short", raw[:-1]),
            ("a byte more", raw + b"\0"),
            ("zeros", bytes(64)),
            ("halves exchanged", raw[32:] + raw[:32]),
        ):
            wrong = replace(good, value=to_base64(value))
            yield f"{how}, {name}", (wrong,)
            yield f"{how}, {name}, beside a right one", (wrong, *beside)
            yield f"{how}, {name}, after a right one", (*beside, wrong)
        labels = [label for label in ("ed25519", "ecdsa-p256") if label != good.algorithm]
        yield f"another algorithm, {name}", (replace(good, algorithm=labels[0]),)
        for key in KEYS + STRANGER.keys:
            if key.id != good.key:
                yield f"{name}, under key {key.id}", (replace(good, key=key.id),)
                named = replace(good, key=key.id, algorithm=key.algorithm)
                yield f"{name}, under key {key.id} and its algorithm", (named,)
        yield f"{name}, under no key", (replace(good, key=""),)
    yield "unsigned", ()
    yield "as DER has it", (replace(curve, value=to_base64(pair.der(data))),)
    for good, wrong in ((edwards, curve), (curve, edwards)):
        yield f"the value of {wrong.algorithm}", (replace(good, value=wrong.value),)
    for who, strange in (("a stranger", STRANGER), ("the other pair", other)):
        for mine, theirs in zip(original.signatures, strange.signatures(data), strict=True):
            named = replace(theirs, key=mine.key)
            yield f"signed by {who} in its name, {mine.algorithm}", (named,)
            if strange is STRANGER:
                yield f"signed by {who}, {mine.algorithm}", (theirs,)
                yield f"signed by {who} and in its name, {mine.algorithm}", (theirs, named)


def changed_presentations(
    original: PresentationManifest,
) -> Iterator[tuple[str, PresentationManifest]]:
    one, two = original.renditions
    for how, change in (
        ("site", {"site": "pk_other"}),
        ("content", {"content": OTHER}),
        ("no rendition", {"renditions": ()}),
        ("one rendition", {"renditions": (one,)}),
        ("another order", {"renditions": (two, one)}),
        ("one twice", {"renditions": (one, one, two)}),
        ("another uri", {"renditions": (replace(one, uri="w.m3u8"), two)}),
        ("another rendition", {"renditions": (replace(one, rendition="x"), two)}),
        ("names run together", {"renditions": (RenditionRef("vv.m3u8", ""), two)}),
    ):
        yield how, replace(original, **change)
    for how, signatures in _changed_signatures(original, signed_bytes(original)):
        yield how, replace(original, signatures=signatures)
    yield "the signatures of a page", replace(original, signatures=KNOWN.signatures)


def changed_hashes(right: list[bytes]) -> Iterator[tuple[str, list[bytes]]]:
    for at, digest in enumerate(right):
        for byte in range(32):
            flipped = bytes(b ^ (1 << byte % 8) * (n == byte) for n, b in enumerate(digest))
            yield f"byte {byte} of hash {at}", [*right[:at], flipped, *right[at + 1 :]]
        yield f"without hash {at}", right[:at] + right[at + 1 :]
        yield f"hash {at} twice", [*right[:at], digest, *right[at:]]
        yield f"zeros for hash {at}", [*right[:at], bytes(32), *right[at + 1 :]]
    yield "none", []
    yield "in reverse", right[::-1]
    yield "of other segments", [h for n in range(len(right) // 2) for h in hashes_of(20 + n)]
    yield "of another era", [h for n in range(len(right) // 2) for h in hashes_of(8 + n, 1)]
    yield "a byte short", [*right[:-1], right[-1][:-1]]
    yield "a byte more", [*right, b"\0"]


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
