"""What the configuration says of each site, as the tracker's mind takes it: keys are read here.

A key is a PEM file, or stands in the configuration itself: as a JWK (RFC 7517), or in base64 as a
SubjectPublicKeyInfo (what stands between the lines of a PEM file) or an uncompressed point.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import structlog
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
    load_pem_public_key,
)

from p2pcdn import es256
from p2pcdn.config import Config, SiteConfig
from p2pcdn.core.access import Site
from p2pcdn.errors import ConfigError, UnavailableError
from p2pcdn.model import content_id
from p2pcdn.settings import table_of
from p2pcdn.wire.token import key_of, thumbprint

log = structlog.get_logger("p2pcdn.tracker")


def sites_of(config: Config) -> dict[str, Site]:
    """Every site that is served; `ConfigError` if one of its keys can't be read."""
    return {name: _site(name, said) for name, said in config.served_sites.items()}


def key_files(config: Config) -> Iterator[Path]:
    """Where its sites' keys may be read from: what is no file now may be one in a moment."""
    for said in config.served_sites.values():
        for text in said.keys:
            if not _is_jwk(text):
                with contextlib.suppress(RuntimeError):  # the home of nobody
                    yield Path(text).expanduser()


def tell_who_may_come(sites: dict[str, Site]) -> None:
    """Say in the log which sites anybody may join: that is to be on purpose."""
    for name, site in sites.items():
        if site.enabled and not site.tokens:
            log.warning("open", site=name, why="no tokens are asked for: whoever comes may join")


def verifies(point: bytes, data: bytes, signature: bytes) -> bool:
    """Whether ``signature`` (r and s) is that of ``data`` by a key of P-256 (ES256)."""
    try:
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
        key.verify(es256.to_der(signature), data, ec.ECDSA(SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return True


def _site(name: str, said: SiteConfig) -> Site:
    return Site(
        enabled=said.enabled,
        mode=said.mode,
        keys=dict(pair for text in said.keys for pair in _keys(text, name)),
        tokens=said.needs_token,
        bound=said.bound,
        origins=frozenset(said.origins),
        revoked_tokens=frozenset(said.revoked_tokens),
        revoked_contents=frozenset(_content(text, name) for text in said.revoked_contents),
    )


def _content(text: str, site: str) -> str:
    """The id of a content that is given by it, or by its path."""
    try:
        return content_id(site, text) if "/" in text else text
    except ValueError as error:
        raise ConfigError(
            f"{table_of(site)} revoked_contents takes ids, or paths such as "
            f"/media/show/master.m3u8, not {_short(text)}."
        ) from error


def _keys(text: str, site: str) -> Iterable[tuple[str, bytes]]:
    """A key by its thumbprint, and by the name that a JWK gives it."""
    where = f"{table_of(site)} keys"
    name, said = None, _short(text)
    try:
        if _is_jwk(text):
            point, name = _from_jwk(text)
        elif (file := _file(text)) is not None:
            said = str(file)
            point = _from_pem(file, where)
        else:
            point = _from_base64(text)
    except (ValueError, KeyError, TypeError, UnsupportedAlgorithm):
        raise ConfigError(
            f"{where}: {said} is no public key of P-256; it takes a PEM file, a JWK or "
            "base64, as `p2pcdn token new-key` prints it."
        ) from None
    yield thumbprint(key_of(point)), point
    if name is not None:
        yield name, point


def _is_jwk(text: str) -> bool:
    return text.lstrip().startswith("{")


def _file(text: str) -> Path | None:
    """The file that is meant; None if it is a key itself."""
    try:
        path = Path(text).expanduser()
        there = path.is_file()
    except (OSError, RuntimeError):  # too long for a name, or the home of nobody
        return None
    return path if there or path.suffix in (".pem", ".pub", ".key", ".crt") else None


def _from_pem(file: Path, where: str) -> bytes:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise UnavailableError(f"{where}: {file} cannot be read: {error.strerror}.") from error
    if b"PRIVATE KEY" in data:
        raise ConfigError(
            f"{where}: {file} is a private key; the tracker needs the public one, and nothing "
            "should have the private one but what signs tokens."
        )
    return _point(load_pem_public_key(data))


def _from_jwk(text: str) -> tuple[bytes, str | None]:
    jwk = json.loads(text)
    if (jwk["kty"], jwk["crv"]) != ("EC", "P-256") or "d" in jwk:
        raise ValueError(text)
    x, y = (base64.urlsafe_b64decode(jwk[name] + "=") for name in "xy")
    return _checked(b"\x04" + x + y), jwk.get("kid")


def _from_base64(text: str) -> bytes:
    text = text.strip().replace("-", "+").replace("_", "/")
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        raise ValueError(text) from None
    return _checked(data) if data[:1] == b"\x04" else _point(load_der_public_key(data))


def _checked(point: bytes) -> bytes:
    return _point(ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point))


def _point(key: object) -> bytes:
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != ec.SECP256R1().name:
        raise ValueError("another kind of key")
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _short(text: str) -> str:
    return repr(text) if len(text) <= 60 else repr(text[:57] + "...")
