"""The origin's key, and its signatures under what it says.

A record that a viewer has from another viewer is worth nothing without the origin's signature. The
key is made on first use and kept in the data directory, which several origins of a site may share;
viewers learn its public half with each page that they fetch from the origin themselves.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from msgspec.structs import replace

from p2pcdn.errors import ConfigError
from p2pcdn.wire.manifest import Key, RenditionManifest, Signature, signed_bytes, to_base64

FILE = "origin-key.pem"


class Signer:
    """Signs with the key in a directory, which is made if there is none."""

    def __init__(self, directory: Path) -> None:
        self._private = _key_in(directory / FILE)
        public = self._private.public_key().public_bytes_raw()
        self._id = hashlib.sha256(public).hexdigest()[:16]
        self.keys = (Key(self._id, "ed25519", to_base64(public)),)
        """What viewers need to verify it."""

    def sign(self, page: RenditionManifest) -> RenditionManifest:
        """The page with our signature, and with our keys beside it."""
        value = to_base64(self._private.sign(signed_bytes(page)))
        signature = Signature(self._id, "ed25519", value)
        return replace(page, signatures=(signature,), keys=self.keys)


def _key_in(path: Path) -> Ed25519PrivateKey:
    try:
        if not path.exists():
            _make(path)
        return _read(path)
    except OSError as error:
        raise ConfigError(f"The file {path} cannot be used: {error.strerror}.") from error


def _read(path: Path) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError) as error:
        raise _no_key(path) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise _no_key(path)
    return key


def _no_key(path: Path) -> ConfigError:
    return ConfigError(
        f"The file {path} has to be an Ed25519 key in PEM, without a password. Without the file, a"
        " new key is made."
    )


def _make(path: Path) -> None:
    """Make a key that appears at once and whole, and only if nobody else was faster."""
    path.parent.mkdir(parents=True, exist_ok=True)
    key = Ed25519PrivateKey.generate()
    data = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    descriptor, name = tempfile.mkstemp(dir=path.parent)  # for nobody else to read: mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        path.hardlink_to(name)
    except FileExistsError:
        pass
    finally:
        Path(name).unlink()
