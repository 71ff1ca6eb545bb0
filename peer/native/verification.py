"""Whether a signature is the origin's."""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def verifies(data: bytes, key: bytes, signature: bytes) -> bool:
    """Whether ``signature`` is that of ``data`` by the raw Ed25519 ``key`` (RFC 8032)."""
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, data)
    except (InvalidSignature, ValueError):  # the latter: it is no key
        return False
    return True
