"""The origin's keys: which there are, and how one takes the place of another.

::

    nothing --load--> current --add--> current + next --rotate--> previous + current --retire-->
                                              '------retire------> current

Each *pair* is a key for Ed25519 and one for ECDSA on P-256, since some browsers lack the former.
What is signed is signed by both keys of the current pair. All pairs are published, so viewers know
the next one before anything is signed with it; two at most, so that a page stays short.

The file is in the data directory, which several origins of a site may share. It is written at once
and whole, for nobody else to read.
"""

from __future__ import annotations

import functools
import os
import tempfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from p2pcdn.errors import ConfigError, UnavailableError
from p2pcdn.es256 import to_raw
from p2pcdn.wire.manifest import Algorithm, Key, Signature, thumbprint, to_base64

FILE = "origin-keys.json"
OLD_FILE = "origin-key.pem"
"""A single Ed25519 key, as origins had before. It is taken over when there is no `FILE` yet."""

State = Literal["current", "next", "previous"]

PrivateKey = Ed25519PrivateKey | EllipticCurvePrivateKey


class Pair(msgspec.Struct, frozen=True):
    """Two private keys that are used together, in PEM."""

    created: datetime
    keys: Mapping[Algorithm, str]

    def __post_init__(self) -> None:
        kinds = {algorithm: type(_read(pem)) for algorithm, pem in self.keys.items()}
        if not (
            len(kinds) == 2
            and issubclass(kinds["ed25519"], Ed25519PrivateKey)
            and issubclass(kinds["ecdsa-p256"], EllipticCurvePrivateKey)
        ):
            raise ValueError("a pair has a key for Ed25519 and one for ECDSA on P-256")

    @property
    def id(self) -> str:
        """The id of its Ed25519 key: what the pair is called."""
        return self.published()[0].id

    def published(self) -> list[Key]:
        """What viewers need to verify what the pair has signed; Ed25519 comes first."""
        raw = [(algorithm, _public(_read(self.keys[algorithm]))) for algorithm in ORDER]
        return [Key(thumbprint(key)[:16], kind, to_base64(key)) for kind, key in raw]

    def thumbprints(self) -> list[str]:
        """What its keys are pinned by."""
        return [thumbprint(_public(_read(self.keys[algorithm]))) for algorithm in ORDER]

    def signer(self) -> Signing:
        """What signs with it."""
        return Signing(self)


ORDER: tuple[Algorithm, ...] = ("ed25519", "ecdsa-p256")


class Signing:
    """A pair's keys, ready to sign."""

    def __init__(self, pair: Pair) -> None:
        keys = pair.published()
        self._keys = [(key, _read(pair.keys[key.algorithm])) for key in keys]

    def sign(self, data: bytes) -> tuple[Signature, ...]:
        """The signatures of both keys."""
        return tuple(
            Signature(key.id, key.algorithm, to_base64(_signature(private, data)))
            for key, private in self._keys
        )


class Ring(msgspec.Struct, frozen=True, omit_defaults=True):
    """All keys of an origin."""

    current: Pair
    next: Pair | None = None
    previous: Pair | None = None

    def __post_init__(self) -> None:
        if self.next is not None and self.previous is not None:
            raise ValueError("there are two pairs at most")

    def pairs(self) -> Iterator[tuple[State, Pair]]:
        """Each pair with what it is; the current one comes first."""
        yield "current", self.current
        if self.next is not None:
            yield "next", self.next
        if self.previous is not None:
            yield "previous", self.previous

    def published(self) -> tuple[Key, ...]:
        """The keys that viewers are told."""
        return tuple(key for _, pair in self.pairs() for key in pair.published())

    def added(self, pair: Pair) -> Ring:
        """With a pair that will be the current one after this."""
        if self.next is not None:
            raise ConfigError(
                f"There is a next key already, {self.next.id}: `p2pcdn keys rotate` makes it the "
                f"current one, `p2pcdn keys retire {self.next.id}` discards it."
            )
        if self.previous is not None:
            raise ConfigError(
                f"The previous key is still published, and there may be two: `p2pcdn keys retire "
                f"{self.previous.id}` first."
            )
        return Ring(self.current, next=pair)

    def rotated(self) -> Ring:
        """With the next pair as the current one, and that as the previous."""
        if self.next is None:
            raise ConfigError(
                "There is no next key: `p2pcdn keys new` makes one. Rotate once viewers know it."
            )
        return Ring(self.next, previous=self.current)

    def retired(self, id_: str) -> Ring:
        """Without the pair of that name."""
        if id_ == self.current.id:
            raise ConfigError(
                f"{id_} is the current key, which signs everything: `p2pcdn keys rotate` first."
            )
        others = {state: pair for state, pair in self.pairs() if pair.id != id_}
        if len(others) == len(list(self.pairs())):
            names = ", ".join(pair.id for _, pair in self.pairs())
            raise ConfigError(f"There is no key {id_}; there is {names}.")
        return Ring(self.current)


def load(directory: Path) -> Ring:
    """The ring in a directory; a new one if it has none, which may begin with the old file's key.

    `ConfigError` if there is something else in its place. No file is ever replaced by that.
    """
    path = directory / FILE
    try:
        if not path.exists():
            _create(path, Ring(new_pair(_old_key(directory / OLD_FILE))))
        return _decode(path)
    except OSError as error:
        raise UnavailableError(f"The file {path} cannot be used: {error.strerror}.") from error


def save(directory: Path, ring: Ring) -> None:
    """Put a ring in the place of the one that is there."""
    path = directory / FILE
    try:
        _written(path, ring).replace(path)
    except OSError as error:
        raise UnavailableError(f"The file {path} cannot be written: {error.strerror}.") from error


def new_pair(ed25519: Ed25519PrivateKey | None = None) -> Pair:
    """A new pair, or one that has this key already."""
    return Pair(
        datetime.now(UTC).replace(microsecond=0),
        {
            "ed25519": _pem(ed25519 or Ed25519PrivateKey.generate()),
            "ecdsa-p256": _pem(generate_private_key(SECP256R1())),
        },
    )


def _decode(path: Path) -> Ring:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Ring)
    except (msgspec.DecodeError, ValueError) as error:
        raise ConfigError(
            f"The file {path} has to be a key ring as `p2pcdn keys` writes it: {error}. Without "
            "the file, a new one is made."
        ) from error


def _old_key(path: Path) -> Ed25519PrivateKey | None:
    if not path.exists():
        return None
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(
            f"The file {path} has to be an Ed25519 key in PEM, without a password. Without the "
            "file, a new key is made."
        )
    return key


def _create(path: Path, ring: Ring) -> None:
    """Write a ring that appears at once and whole, and only if nobody else was faster."""
    path.parent.mkdir(parents=True, exist_ok=True)
    name = _written(path, ring)
    try:
        path.hardlink_to(name)
    except FileExistsError:
        pass
    finally:
        name.unlink()


def _written(path: Path, ring: Ring) -> Path:
    """A file beside ``path`` that holds the ring."""
    descriptor, name = tempfile.mkstemp(dir=path.parent)  # for nobody else to read: mode 0600
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(ring)) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    return Path(name)


def _read(pem: str) -> PrivateKey:
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (TypeError, UnsupportedAlgorithm) as error:  # with a password, or of an unknown kind
        raise ValueError(f"a key cannot be read: {error}") from error
    if isinstance(key, EllipticCurvePrivateKey) and not isinstance(key.curve, SECP256R1):
        raise ValueError("an ECDSA key has to be on the curve P-256")
    if not isinstance(key, Ed25519PrivateKey | EllipticCurvePrivateKey):
        raise ValueError("keys are for Ed25519 or ECDSA on P-256")
    return key


def _pem(key: PrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _public(key: PrivateKey) -> bytes:
    if isinstance(key, Ed25519PrivateKey):
        return key.public_key().public_bytes_raw()
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _signature(key: PrivateKey, data: bytes) -> bytes:
    if isinstance(key, Ed25519PrivateKey):
        return key.sign(data)
    return to_raw(key.sign(data, _ecdsa()))


@functools.cache
def _ecdsa() -> ECDSA:
    """By RFC 6979 where OpenSSL has it (from 3.2 on): the same page is the same bytes then."""
    try:
        return ECDSA(SHA256(), deterministic_signing=True)
    except UnsupportedAlgorithm:
        return ECDSA(SHA256())
