"""Hashes and signatures, as every implementation has to verify them; and verifiers that fail."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable

import pytest
import structlog.testing
from msgspec.structs import replace

from p2pcdn.wire.codec import decode_manifest
from p2pcdn.wire.manifest import (
    PresentationManifest,
    RenditionManifest,
    from_base64,
    signed_bytes,
    thumbprint,
)
from peer.native import verification
from peer.native.verification import admitted, matches, verifies
from tests.p2pcdn.wire.vectors import Case, cases, note_of

CASES = cases("manifest-bytes", "signatures")


def manifest_of(case: Case) -> PresentationManifest | RenditionManifest:
    return decode_manifest(json.dumps(case["page"]))


def is_genuine(manifest: PresentationManifest | RenditionManifest) -> bool:
    [key], [signature] = manifest.keys, manifest.signatures
    public, value = from_base64(key.public), from_base64(signature.value)
    assert public is not None
    assert value is not None
    same = key.algorithm == signature.algorithm
    return same and verifies(signature.algorithm, signed_bytes(manifest), public, value)


def pin_of(manifest: PresentationManifest | RenditionManifest) -> str:
    return thumbprint(from_base64(manifest.keys[0].public) or b"")


@pytest.mark.parametrize("case", CASES, ids=note_of)
def test_the_signature_of_a_manifest(case: Case) -> None:
    manifest = manifest_of(case)
    assert is_genuine(manifest) is case["valid"]
    assert (admitted(manifest, {pin_of(manifest)}) == manifest) is case["valid"]


def test_an_example_of_rfc_8032() -> None:
    key = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    signature = (
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    assert verifies("ed25519", b"\x72", bytes.fromhex(key), bytes.fromhex(signature))
    assert not verifies("ed25519", b"\x73", bytes.fromhex(key), bytes.fromhex(signature))


def test_an_example_of_rfc_6979() -> None:
    """A.2.5, with SHA-256."""
    point = (
        "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
        "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
    )
    signature = (
        "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
        "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"
    )
    key = b"\x04" + bytes.fromhex(point)
    assert verifies("ecdsa-p256", b"sample", key, bytes.fromhex(signature))
    assert not verifies("ecdsa-p256", b"Sample", key, bytes.fromhex(signature))


def test_a_hash() -> None:
    assert matches(b"x", hashlib.sha256(b"x").digest())
    for wrong in (b"", bytes(32), hashlib.sha256(b"x").digest()[:31]):
        assert not matches(b"x", wrong)


# Pins


def genuine() -> PresentationManifest | RenditionManifest:
    return next(manifest_of(case) for case in CASES if case["valid"])


def test_of_several_keys_only_the_pinned_ones_stay() -> None:
    manifest = genuine()
    stranger = replace(manifest.keys[0], id="other", public="A" * 43)
    both = replace(manifest, keys=(stranger, *manifest.keys))
    assert admitted(both, {pin_of(manifest)}) == manifest


def test_what_is_not_signed_by_a_pinned_key_is_refused() -> None:
    manifest = genuine()
    assert admitted(manifest, {"0" * 64}) is None
    assert admitted(replace(manifest, signatures=()), {pin_of(manifest)}) is None
    assert admitted(replace(manifest, keys=()), {pin_of(manifest)}) is None


def test_a_key_that_takes_the_name_of_a_pinned_one_does_not_help() -> None:
    """Whoever rewrites a page can write any key beside it, under any name."""
    manifest = genuine()
    assert isinstance(manifest, RenditionManifest)
    mine = replace(manifest.keys[0], public="A" * 43)
    for keys in ((mine, *manifest.keys), (*manifest.keys, mine)):
        assert admitted(replace(manifest, last=99, keys=keys), {pin_of(manifest)}) is None


# Verifiers that fail


def raising() -> object:
    raise RuntimeError("broken")


@pytest.mark.parametrize("broken", [raising, lambda: None, lambda: 1, lambda: "yes"])
def test_a_verifier_that_fails_says_no(
    broken: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = genuine()
    assert is_genuine(manifest)
    for algorithm in ("ed25519", "ecdsa-p256"):
        monkeypatch.setitem(verification._VERIFY, algorithm, lambda *_: broken())
    assert not is_genuine(manifest)
    assert admitted(manifest, {pin_of(manifest)}) is None


def test_a_hash_that_cannot_be_computed_matches_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    digest = hashlib.sha256(b"x").digest()
    monkeypatch.setattr(hashlib, "sha256", lambda data: raising())
    with structlog.testing.capture_logs() as logs:
        assert not matches(b"x", digest)
    assert [(entry["event"], entry["error"]) for entry in logs] == [
        ("verifier_failed", "RuntimeError('broken')")
    ]
