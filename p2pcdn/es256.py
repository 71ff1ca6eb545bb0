"""Signatures by ECDSA on P-256, in the two forms that there are of them.

A signature is two numbers, r and s. JWS (RFC 7518, 3.4) and WebCrypto write them *raw*: 32 bytes
each, big-endian, one after the other. OpenSSL, and so `cryptography`, writes and wants an ASN.1
SEQUENCE of two INTEGERs, in DER.
"""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

HALF: Final = 32
"""Bytes of a number below the order of P-256."""


def to_raw(der: bytes) -> bytes:
    """The signature in 64 bytes; `ValueError` if it is not DER, or not of this curve."""
    r, s = decode_dss_signature(der)
    if min(r, s) < 0 or max(r, s) >= 1 << 8 * HALF:
        raise ValueError("a signature by ECDSA on P-256 is two numbers of at most 32 bytes")
    return r.to_bytes(HALF) + s.to_bytes(HALF)


def to_der(raw: bytes) -> bytes:
    """The signature as OpenSSL wants it; `ValueError` if it does not have 64 bytes."""
    if len(raw) != 2 * HALF:
        raise ValueError(f"a raw signature by ECDSA on P-256 has 64 bytes, not {len(raw)}")
    return encode_dss_signature(int.from_bytes(raw[:HALF]), int.from_bytes(raw[HALF:]))
