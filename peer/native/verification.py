"""Whether bytes are what a hash says, and a signature the origin's; a no but for a clear yes.

A verifier that fails lets nothing through. Whatever goes wrong in here, in a library or in what a
stranger sent, is no reason to believe him.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from typing import TypeVar

import structlog
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from msgspec.structs import replace

from p2pcdn.es256 import to_der
from p2pcdn.wire.manifest import (
    Algorithm,
    Key,
    PresentationManifest,
    RenditionManifest,
    from_base64,
    signed_bytes,
    thumbprint,
)

POINT = 65
"""Bytes of a point of P-256 that is not compressed: the only form that WebCrypto knows, too."""

M = TypeVar("M", bound=PresentationManifest | RenditionManifest)

log = structlog.get_logger("p2pcdn.peer")


def matches(data: bytes, digest: bytes) -> bool:
    """Whether ``digest`` is the SHA-256 of ``data``."""
    return _surely(lambda: hashlib.sha256(data).digest() == digest)


def verifies(algorithm: Algorithm, data: bytes, key: bytes, signature: bytes) -> bool:
    """Whether ``signature`` is that of ``data`` by a raw key, as `wire.manifest.Key` has it."""
    return _surely(lambda: _VERIFY[algorithm](data, key, signature))


def admitted(manifest: M, pins: Collection[str]) -> M | None:
    """The manifest with just the pinned keys; None if it is not signed by one of them, or if what
    is said to be a signature by one of them is none."""
    keys = {key.id: key for key in manifest.keys if thumbprint(_raw(key)) in pins}
    data = signed_bytes(manifest)
    right = [
        signature.algorithm == keys[signature.key].algorithm
        and verifies(
            signature.algorithm,
            data,
            _raw(keys[signature.key]),
            from_base64(signature.value) or b"",
        )
        for signature in manifest.signatures
        if signature.key in keys
    ]
    return replace(manifest, keys=tuple(keys.values())) if right and all(right) else None


def _raw(key: Key) -> bytes:
    return from_base64(key.public) or b""


def _surely(check: Callable[[], object]) -> bool:
    try:
        return check() is True
    except (InvalidSignature, ValueError):  # the latter: it is no key, or no signature
        return False
    except Exception as error:  # noqa: BLE001 - the last resort: a no, and the log says why
        log.error("verifier_failed", error=repr(error))
        return False


def _ed25519(data: bytes, key: bytes, signature: bytes) -> bool:
    """RFC 8032."""
    Ed25519PublicKey.from_public_bytes(key).verify(signature, data)
    return True


def _p256(data: bytes, key: bytes, signature: bytes) -> bool:
    """FIPS 186-5, with SHA-256."""
    if len(key) != POINT:
        return False
    public = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), key)
    public.verify(to_der(signature), data, ECDSA(SHA256()))
    return True


_VERIFY: Mapping[Algorithm, Callable[[bytes, bytes, bytes], bool]] = {
    "ed25519": _ed25519,
    "ecdsa-p256": _p256,
}
