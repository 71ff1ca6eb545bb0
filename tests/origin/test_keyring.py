"""The origin's keys: made once, kept to ourselves, rotated by name."""

from __future__ import annotations

import base64
import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)

from origin import keyring
from origin.keyring import FILE, OLD_FILE, Ring, load, new_pair, save
from p2pcdn.errors import ConfigError
from p2pcdn.es256 import to_der
from p2pcdn.wire.manifest import from_base64, thumbprint


def test_a_pair_is_a_key_of_each_kind_named_by_its_hash() -> None:
    pair = new_pair()
    keys = pair.published()
    assert [key.algorithm for key in keys] == ["ed25519", "ecdsa-p256"]
    public = [from_base64(key.public) or b"" for key in keys]
    assert [len(key) for key in public] == [32, 65]
    assert pair.thumbprints() == [thumbprint(key) for key in public]
    assert [key.id for key in keys] == [pin[:16] for pin in pair.thumbprints()]
    assert pair.id == keys[0].id


def test_a_pair_signs_with_both_keys() -> None:
    pair = new_pair()
    edwards, curve = (from_base64(key.public) or b"" for key in pair.published())
    signatures = pair.signer().sign(b"data")
    assert [s.key for s in signatures] == [key.id for key in pair.published()]
    first, second = (from_base64(signature.value) or b"" for signature in signatures)
    ed25519.Ed25519PublicKey.from_public_bytes(edwards).verify(first, b"data")
    point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), curve)
    point.verify(to_der(second), b"data", ec.ECDSA(SHA256()))


# A rotation


def test_a_rotation() -> None:
    ring = Ring(new_pair())
    old, new = ring.current, new_pair()
    ring = ring.added(new)
    assert list(ring.pairs()) == [("current", old), ("next", new)]
    assert ring.published() == (*old.published(), *new.published())
    ring = ring.rotated()
    assert list(ring.pairs()) == [("current", new), ("previous", old)]
    assert ring.published() == (*new.published(), *old.published())
    ring = ring.retired(old.id)
    assert list(ring.pairs()) == [("current", new)]


def test_a_next_key_can_be_discarded() -> None:
    ring = Ring(new_pair())
    assert ring.added(pair := new_pair()).retired(pair.id) == ring


def test_what_makes_no_sense_is_refused_with_what_would() -> None:
    ring = Ring(new_pair())
    with pytest.raises(ConfigError, match="`p2pcdn keys new` makes one"):
        ring.rotated()
    with pytest.raises(ConfigError, match="`p2pcdn keys rotate` first"):
        ring.retired(ring.current.id)
    with pytest.raises(ConfigError, match=f"There is no key x; there is {ring.current.id}"):
        ring.retired("x")
    with pytest.raises(ConfigError, match="a next key already"):
        ring.added(new_pair()).added(new_pair())
    rotated = ring.added(new_pair()).rotated()
    with pytest.raises(ConfigError, match=f"`p2pcdn keys retire {ring.current.id}` first"):
        rotated.added(new_pair())


# The file


def test_the_ring_outlives_a_restart(tmp_path: Path) -> None:
    ring = load(tmp_path / "data")
    assert load(tmp_path / "data") == ring
    assert load(tmp_path / "other") != ring
    save(tmp_path / "data", changed := ring.added(new_pair()))
    assert load(tmp_path / "data") == changed


def test_nobody_else_can_read_it(tmp_path: Path) -> None:
    ring = load(tmp_path)
    for _ in range(2):
        assert [path.name for path in tmp_path.iterdir()] == [FILE]
        assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600
        save(tmp_path, ring)


def test_origins_that_start_together_have_one_ring(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        rings = list(pool.map(lambda _: load(tmp_path), range(32)))
    assert all(ring == rings[0] for ring in rings)
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_whoever_is_too_late_leaves_the_ring_as_it_is(tmp_path: Path) -> None:
    ring = load(tmp_path)
    keyring._create(tmp_path / FILE, Ring(new_pair()))
    assert load(tmp_path) == ring


def pem(key: Any, encryption: KeySerializationEncryption) -> bytes:
    data: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    return data


def of_no_kind(key: ed25519.Ed25519PrivateKey) -> bytes:
    """A key in PEM that says to be of a kind which nobody knows."""
    der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    body = base64.b64encode(der.replace(b"\x2b\x65\x70", b"\x2b\x65\x7a"))
    return b"-----BEGIN PRIVATE KEY-----\n" + body + b"\n-----END PRIVATE KEY-----\n"


def test_the_key_that_an_origin_had_before_stays_its_key(tmp_path: Path) -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    data = pem(key, NoEncryption())
    (tmp_path / OLD_FILE).write_bytes(data)
    [published, _] = load(tmp_path).published()
    assert from_base64(published.public) == key.public_key().public_bytes_raw()
    assert (tmp_path / OLD_FILE).read_bytes() == data
    (tmp_path / OLD_FILE).unlink()
    assert load(tmp_path).published()[0] == published


def test_an_old_file_that_is_no_such_key(tmp_path: Path) -> None:
    curve = ec.generate_private_key(ec.SECP256R1())
    ours = ed25519.Ed25519PrivateKey.generate()
    locked = pem(ours, BestAvailableEncryption(b"password"))
    for data in (b"", b"not a key", pem(curve, NoEncryption()), locked, of_no_kind(ours)):
        (tmp_path / OLD_FILE).write_bytes(data)
        with pytest.raises(ConfigError, match="has to be an Ed25519 key"):
            load(tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == [OLD_FILE]


def swapped(keys: dict[str, str]) -> dict[str, str]:
    return {"ed25519": keys["ecdsa-p256"], "ecdsa-p256": keys["ed25519"]}


def test_a_file_that_is_no_ring(tmp_path: Path) -> None:
    ring = load(tmp_path)
    path = tmp_path / FILE
    good = json.loads(path.read_text())
    keys = good["current"]["keys"]
    other = pem(ec.generate_private_key(ec.SECP384R1()), NoEncryption()).decode()
    ours = ed25519.Ed25519PrivateKey.generate()
    locked = pem(ours, BestAvailableEncryption(b"password")).decode()
    bads: tuple[dict[str, Any], ...] = (
        {},
        {"current": {}},
        {"current": good["current"] | {"keys": {}}},
        {"current": good["current"] | {"keys": keys | {"ed25519": "no key"}}},
        {"current": good["current"] | {"keys": {"ed25519": keys["ed25519"]}}},
        {"current": good["current"] | {"keys": swapped(keys)}},
        {"current": good["current"] | {"keys": keys | {"ecdsa-p256": other}}},
        {"current": good["current"] | {"keys": keys | {"ed25519": locked}}},
        {"current": good["current"] | {"keys": keys | {"ed25519": of_no_kind(ours).decode()}}},
        dict.fromkeys(("current", "next", "previous"), good["current"]),
    )
    for bad in bads:
        path.write_text(json.dumps(bad))
        with pytest.raises(ConfigError, match="has to be a key ring"):
            load(tmp_path)
        assert json.loads(path.read_text()) == bad, "keys are never replaced"
    path.write_text(json.dumps(good))
    assert load(tmp_path) == ring


def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(ConfigError, match="cannot be used"):
        load(tmp_path / "data")
    with pytest.raises(ConfigError, match="cannot be written"):
        save(tmp_path / "data", Ring(new_pair()))
