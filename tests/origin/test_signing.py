"""The origin's key: made once, kept to ourselves, and good for signatures that hold."""

from __future__ import annotations

import hashlib
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from msgspec.structs import replace

from origin import signing
from origin.signing import FILE, Signer
from p2pcdn.errors import ConfigError
from p2pcdn.wire.manifest import RenditionManifest, SegmentRecord, from_base64, signed_bytes

PAGE = RenditionManifest(
    version=1,
    site="pk_test",
    content="0" * 32,
    rendition="v",
    chunk_size=65_536,
    live=True,
    time=5,
    first=0,
    last=7,
    segments=(SegmentRecord(7, "7.ts", 1000, "0" * 64),),
)


def verify(page: RenditionManifest) -> None:
    """Raises if a page does not carry a signature by the key that it carries."""
    [key], [signature] = page.keys, page.signatures
    assert (signature.key, signature.algorithm) == (key.id, key.algorithm)
    public = Ed25519PublicKey.from_public_bytes(from_base64(key.public) or b"")
    public.verify(from_base64(signature.value) or b"", signed_bytes(page))


def test_what_is_signed_can_be_verified(tmp_path: Path) -> None:
    signed = Signer(tmp_path).sign(PAGE)
    verify(signed)
    assert replace(signed, signatures=(), keys=()) == PAGE
    with pytest.raises(InvalidSignature):
        verify(replace(signed, last=8))


def test_a_key_is_named_by_its_hash(tmp_path: Path) -> None:
    [key] = Signer(tmp_path).keys
    assert key.id == hashlib.sha256(from_base64(key.public) or b"").hexdigest()[:16]


def test_the_key_outlives_a_restart(tmp_path: Path) -> None:
    assert Signer(tmp_path / "data").sign(PAGE) == Signer(tmp_path / "data").sign(PAGE)
    assert Signer(tmp_path / "other").keys != Signer(tmp_path / "data").keys


def test_nobody_else_can_read_it(tmp_path: Path) -> None:
    Signer(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600


def test_origins_that_start_together_have_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = list(pool.map(lambda _: Signer(tmp_path).keys, range(32)))
    assert len(set(keys)) == 1
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_whoever_is_too_late_leaves_the_key_as_it_is(tmp_path: Path) -> None:
    Signer(tmp_path)
    before = (tmp_path / FILE).read_bytes()
    signing._make(tmp_path / FILE)
    assert (tmp_path / FILE).read_bytes() == before


def pem(key: object, encryption: KeySerializationEncryption) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)  # type: ignore[attr-defined,no-any-return]


def test_a_file_that_is_no_such_key(tmp_path: Path) -> None:
    Signer(tmp_path)
    path = tmp_path / FILE
    ours = load_pem_private_key(path.read_bytes(), None)
    for data in (
        b"",
        b"not a key",
        pem(generate_private_key(SECP256R1()), NoEncryption()),
        pem(ours, BestAvailableEncryption(b"password")),
    ):
        path.write_bytes(data)
        with pytest.raises(ConfigError, match="has to be an Ed25519 key"):
            Signer(tmp_path)
        assert path.read_bytes() == data, "a key is never replaced"


def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(ConfigError, match="cannot be used"):
        Signer(tmp_path / "data")
