"""Ways to change what an origin said, or what it signed, one thing at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from p2pcdn.wire.codec import encode
from p2pcdn.wire.manifest import (
    PresentationManifest,
    RenditionManifest,
    RenditionRef,
    SegmentRecord,
    Signature,
    from_base64,
    signed_bytes,
    to_base64,
)
from tests.p2pcdn.core.originals import (
    CONTENT,
    DURATION,
    KEYS,
    KNOWN,
    LENGTH,
    NEXT,
    ORIGIN,
    OTHER,
    PRESENTATION,
    STRANGER,
    Page,
    hashes_of,
    page,
    record,
)


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
