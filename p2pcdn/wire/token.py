"""Join tokens: what a site's back end signs, so that a viewer may come in.

::

    base64url(header) . base64url(claims) . base64url(signature)      JWS compact (RFC 7515, 7.1)

    header   {"alg": "ES256", "typ": "p2pcdn+jwt", "kid": ...}
    claims   {"iss": site, "content": ..., "origins": [...], "client": ..., "cnf": {"jkt": ...},
              "jti": id, "exp": ..., "iat": ..., "nbf": ...}

One algorithm, and a header that can say nothing but which key signed: whoever lets a token choose
how it is to be verified has been forged (RFC 8725). There is one way to write each token, so what
was not written by a JWT library is not looked at twice. Nothing here verifies a signature.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, NoReturn, cast

from p2pcdn.errors import ErrorCode, RemoteError
from p2pcdn.model import page_origin
from p2pcdn.wire.manifest import from_base64, to_base64
from p2pcdn.wire.tracker import Proof, PublicKey

ALGORITHM: Final = "ES256"
TYPE: Final = "p2pcdn+jwt"
LONGEST: Final = 1024
"""Characters of a token."""
MOST_ORIGINS: Final = 16

_HEADER: Final = {"alg", "typ", "kid"}
_ID = re.compile(r"[0-9A-Za-z_.:-]{1,64}")
_JKT = re.compile(r"[A-Za-z0-9_-]{43}")
_CONTENT_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says."""

    site: str
    content: str
    """A content's id, its URL as in `p2pcdn.model.content_id`, or the beginning of URLs, which ends
    with a slash."""
    expires: float
    """Unix time, as the next two."""
    id: str
    issued: float = 0.0
    not_before: float = 0.0
    origins: frozenset[str] | None = None
    """Origins of the pages that may use it; None if it does not say."""
    client: Literal["browser", "native"] | None = None
    thumbprint: str | None = None
    """Of the only key that may use it; None if anybody may."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token that can be read; whether its signature is right has yet to be found out."""

    kid: str | None
    claims: Claims
    signed: bytes
    signature: bytes


class _TokenError(Exception):
    """Its text ends a sentence that begins with "the token"."""


def parse(text: str) -> Token:
    """Read a token; `RemoteError` (`bad_token`) if it is not exactly as it has to be."""
    try:
        return _parse(text)
    except _TokenError as error:
        raise RemoteError(ErrorCode.BAD_TOKEN, f"the token {error}") from None


def _parse(text: str) -> Token:
    if len(text) > LONGEST:
        raise _TokenError(f"has {len(text)} characters; {LONGEST} is the limit")
    parts = text.split(".")
    if len(parts) != 3:
        raise _TokenError("does not have three parts")
    header, payload, signature = map(_decode, parts)
    if len(signature) != 64:
        raise _TokenError("has no ES256 signature, which is 64 bytes")
    kid = _header(_object(header, "header"))
    claims = _claims(_object(payload, "claims"))
    return Token(kid, claims, text.rpartition(".")[0].encode(), signature)


def _header(header: Mapping[str, Any]) -> str | None:
    strange = sorted(set(header) - _HEADER)
    if strange:
        raise _TokenError(f"has {strange[0]!r} in its header; only alg, typ and kid may be there")
    if header.get("alg") != ALGORITHM:
        raise _TokenError(f"is not signed by {ALGORITHM}")
    if header.get("typ") != TYPE:
        raise _TokenError(f"has another typ than {TYPE!r}")
    return _text(header, "kid", _ID) if "kid" in header else None


def _claims(claims: Mapping[str, Any]) -> Claims:
    content = _text(claims, "content")
    if not (_CONTENT_ID.fullmatch(content) or content.startswith(("/", "http://", "https://"))):
        raise _TokenError("has a content that is neither an id nor a URL")
    if "aud" in claims:
        raise _TokenError("is for another audience")
    return Claims(
        site=_text(claims, "iss"),
        content=content,
        expires=_time(claims, "exp"),
        id=_text(claims, "jti", _ID),
        issued=_time(claims, "iat") if "iat" in claims else 0.0,
        not_before=_time(claims, "nbf") if "nbf" in claims else 0.0,
        origins=_origins(claims["origins"]) if "origins" in claims else None,
        client=_client(claims["client"]) if "client" in claims else None,
        thumbprint=_thumbprint(claims["cnf"]) if "cnf" in claims else None,
    )


def _text(source: Mapping[str, Any], name: str, pattern: re.Pattern[str] | None = None) -> str:
    value = source.get(name)
    if not isinstance(value, str) or not value or (pattern and not pattern.fullmatch(value)):
        raise _TokenError(f"has no {name}, or one that is not as it should be")
    return value


def _time(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**53:
        raise _TokenError(f"has no {name}, or one that is no Unix time")
    return float(value)


def _origins(value: Any) -> frozenset[str]:
    if not isinstance(value, list) or not 0 < len(value) <= MOST_ORIGINS:
        raise _TokenError(f"has origins that are no list of 1 to {MOST_ORIGINS}")
    if not all(isinstance(origin, str) and page_origin(origin) == origin for origin in value):
        raise _TokenError("has an origin that is not like https://www.example.com")
    return frozenset(value)


def _client(value: Any) -> Literal["browser", "native"]:
    if value not in ("browser", "native"):
        raise _TokenError("has another client than browser or native")
    return cast('Literal["browser", "native"]', value)


def _thumbprint(value: Any) -> str:
    if not isinstance(value, dict) or set(value) != {"jkt"}:
        raise _TokenError("has a cnf that is not a jkt alone")
    return _text(value, "jkt", _JKT)


def _object(data: bytes, what: str) -> dict[str, Any]:
    try:
        found = json.loads(data.decode(), object_pairs_hook=_no_twins, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise _TokenError(f"has a {what} that is not JSON, or names something twice") from None
    if not isinstance(found, dict):
        raise _TokenError(f"has a {what} that is no JSON object")
    return found


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _decode(text: str) -> bytes:
    """Base64url in its one canonical form, of at least one byte."""
    data = from_base64(text)
    if not data or to_base64(data) != text:
        raise _TokenError("has a part that is not base64url")
    return data


# Keys and proofs


def thumbprint(key: PublicKey) -> str:
    """Of a P-256 public key (RFC 7638)."""
    text = f'{{"crv":"P-256","kty":"EC","x":"{key.x}","y":"{key.y}"}}'
    return to_base64(hashlib.sha256(text.encode()).digest())


def point_of(key: PublicKey) -> bytes:
    """A public key as an uncompressed point (SEC 1, 2.3.3); `RemoteError` if it is none."""
    return b"\x04" + _sent(key.x) + _sent(key.y)


def signature_of(proof: Proof) -> bytes:
    """A proof's signature, r and s; `RemoteError` if it is none."""
    return _sent(proof.signature)


def _sent(text: str) -> bytes:
    try:
        return _decode(text)
    except _TokenError:
        raise RemoteError(ErrorCode.BAD_TOKEN, "the proof is not base64url") from None


def key_of(point: bytes) -> PublicKey:
    """The inverse of `point_of`."""
    return PublicKey(to_base64(point[1:33]), to_base64(point[33:]))


def proof_text(nonce: str, site: str, content: str, token: str) -> bytes:
    """What a peer signs to show that a token's key is its own: it is good on one socket only."""
    digest = to_base64(hashlib.sha256(token.encode()).digest())
    return f"p2pcdn join v1\n{nonce}\n{site}\n{content}\n{digest}\n".encode()


def signing_input(claims: Mapping[str, object], kid: str | None) -> str:
    """A token up to its signature; of ``claims`` those that are None are left out."""
    header = {"alg": ALGORITHM, "typ": TYPE} | ({} if kid is None else {"kid": kid})
    said = {name: value for name, value in claims.items() if value is not None}
    return f"{_written(header)}.{_written(said)}"


def _written(value: Mapping[str, object]) -> str:
    return to_base64(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode())
