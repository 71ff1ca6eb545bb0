"""A site's back end and its viewers, with their keys: what tests of join tokens stand on."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from p2pcdn import es256
from p2pcdn.wire.manifest import to_base64
from p2pcdn.wire.token import key_of, proof_text, thumbprint
from p2pcdn.wire.tracker import Credentials, Proof

NOW = 1_800_000_000
"""The Unix time of these tests."""

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@dataclass(frozen=True)
class Signer:
    """Somebody who has a key of P-256."""

    private: ec.EllipticCurvePrivateKey

    @classmethod
    @cache
    def of(cls, name: str) -> Signer:
        """The same one for the same name, so that a test that fails does so again."""
        secret = int.from_bytes(hashlib.sha512(name.encode()).digest()) % (ORDER - 1) + 1
        return cls(ec.derive_private_key(secret, ec.SECP256R1()))

    @property
    def point(self) -> bytes:
        public = self.private.public_key()
        return public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    @property
    def thumbprint(self) -> str:
        return thumbprint(key_of(self.point))

    def sign(self, data: bytes) -> bytes:
        return es256.to_raw(self.private.sign(data, ec.ECDSA(SHA256())))

    def token(self, claims: Any, header: Any = None) -> str:
        """A token that says this, whether that makes sense or not; texts are taken as they are."""
        header = {"alg": "ES256", "typ": "p2pcdn+jwt"} if header is None else header
        signed = f"{_part(header)}.{_part(claims)}"
        return f"{signed}.{to_base64(self.sign(signed.encode()))}"

    def proof(self, nonce: str, site: str, content: str, token: str) -> Proof:
        said = proof_text(nonce, site, content, token)
        return Proof(key_of(self.point), to_base64(self.sign(said)))

    def credentials(
        self, nonce: str, site: str, content: str, token: str, url: str | None = None
    ) -> Credentials:
        return Credentials(token, self.proof(nonce, site, content, token), url)


def claims_for(viewer: Signer | None, **changes: Any) -> dict[str, Any]:
    """What a back end would write; a change to None leaves something out."""
    claims = {
        "iss": "pk_demo",
        "content": "c" * 32,
        "jti": "token-1",
        "iat": NOW,
        "exp": NOW + 120,
        "cnf": None if viewer is None else {"jkt": viewer.thumbprint},
    } | changes
    return {name: value for name, value in claims.items() if value is not None}


def _part(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    return to_base64(text.encode())
