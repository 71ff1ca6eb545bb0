"""The origin's signatures: they hold, and the keys may change while it runs."""

from __future__ import annotations

from pathlib import Path

import pytest
import structlog.testing
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from msgspec.structs import replace

from origin import keyring
from origin.signing import LOOK_EVERY, Signer
from p2pcdn.errors import ConfigError
from p2pcdn.es256 import to_der
from p2pcdn.wire.manifest import (
    PresentationManifest,
    RenditionManifest,
    RenditionRef,
    SegmentRecord,
    from_base64,
    signed_bytes,
)

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
PRESENTATION = PresentationManifest(1, "pk_test", "0" * 32, (RenditionRef("v", "v.m3u8"),))


def verify(manifest: RenditionManifest | PresentationManifest) -> None:
    """Raises if a manifest does not carry a signature of each kind by a key that it carries."""
    keys = {key.id: key for key in manifest.keys}
    edwards, curve = manifest.signatures
    assert (edwards.algorithm, curve.algorithm) == ("ed25519", "ecdsa-p256")
    data = signed_bytes(manifest)
    public = [from_base64(keys[s.key].public) or b"" for s in manifest.signatures]
    value = [from_base64(s.value) or b"" for s in manifest.signatures]
    assert [keys[s.key].algorithm for s in manifest.signatures] == ["ed25519", "ecdsa-p256"]
    Ed25519PublicKey.from_public_bytes(public[0]).verify(value[0], data)
    point = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), public[1])
    point.verify(to_der(value[1]), data, ECDSA(SHA256()))


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("manifest", [PAGE, PRESENTATION])
def test_what_is_signed_can_be_verified(
    tmp_path: Path, manifest: RenditionManifest | PresentationManifest
) -> None:
    signed = Signer(tmp_path).sign(manifest)
    verify(signed)
    assert replace(signed, signatures=(), keys=()) == manifest
    with pytest.raises(InvalidSignature):
        verify(replace(signed, content="1" * 32))


def test_the_keys_outlive_a_restart(tmp_path: Path) -> None:
    assert Signer(tmp_path / "data").keys() == Signer(tmp_path / "data").keys()
    assert Signer(tmp_path / "other").keys() != Signer(tmp_path / "data").keys()


def test_a_rotation_is_noticed_by_all_who_share_the_ring(tmp_path: Path) -> None:
    clock = Clock()
    one, other = Signer(tmp_path, clock), Signer(tmp_path, clock)
    ring = keyring.load(tmp_path)
    old = one.keys()
    keyring.save(tmp_path, ring := ring.added(keyring.new_pair()))
    assert one.keys() == old, "it is not looked at for every page"
    clock.now += LOOK_EVERY
    for signer in (one, other):
        assert signer.keys() == ring.published()
        assert {s.key for s in signer.sign(PAGE).signatures} == {key.id for key in old}
    keyring.save(tmp_path, ring := ring.rotated())
    clock.now += LOOK_EVERY
    for signer in (one, other):
        verify(signed := signer.sign(PAGE))
        assert not {s.key for s in signed.signatures} & {key.id for key in old}
        assert set(old) < set(signed.keys)


@pytest.mark.parametrize("damage", ["gone", "empty"])
def test_a_ring_that_cannot_be_read_leaves_the_keys_as_they_were(
    tmp_path: Path, damage: str
) -> None:
    clock = Clock()
    signer = Signer(tmp_path, clock)
    keys, path = signer.keys(), tmp_path / keyring.FILE
    aside = path.rename(tmp_path / "aside")
    if damage == "empty":
        path.write_bytes(b"")
    clock.now += LOOK_EVERY
    assert signer.keys() == keys
    assert signer.problem is not None
    assert str(path) in signer.problem
    assert path.exists() is (damage == "empty"), "no new keys are made by the way"
    aside.replace(path)
    clock.now += LOOK_EVERY
    assert signer.keys() == keys
    assert signer.problem is None


def test_a_ring_that_cannot_be_read_for_a_moment_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    signer = Signer(tmp_path, clock)
    keyring.save(tmp_path, ring := keyring.load(tmp_path).added(keyring.new_pair()))

    def fail(_: Path) -> keyring.Ring:
        raise ConfigError("Too many open files.")

    monkeypatch.setattr(keyring, "load", fail)
    with structlog.testing.capture_logs() as logs:
        for _ in range(3):
            clock.now += LOOK_EVERY
            assert signer.keys() != ring.published()
            assert signer.problem == "Too many open files."
    assert [entry["event"] for entry in logs] == ["keys_not_read"]
    monkeypatch.undo()
    clock.now += LOOK_EVERY
    assert signer.keys() == ring.published()
    assert signer.problem is None


def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(ConfigError, match="cannot be used"):
        Signer(tmp_path / "data")
