"""What an origin says, in earnest, and its keys: the same each time."""

from __future__ import annotations

import hashlib
from typing import Any, TypeVar

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from msgspec.structs import replace

from p2pcdn.es256 import to_raw
from p2pcdn.model import Span
from p2pcdn.wire.manifest import (
    Algorithm,
    Key,
    PresentationManifest,
    RenditionManifest,
    RenditionRef,
    SegmentRecord,
    Signature,
    from_base64,
    segment_root,
    signed_bytes,
    thumbprint,
    to_base64,
)

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
