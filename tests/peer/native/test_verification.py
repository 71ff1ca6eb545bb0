"""Signatures, as every implementation has to verify them."""

from __future__ import annotations

import json

import pytest

from p2pcdn.wire.codec import decode_manifest
from p2pcdn.wire.manifest import RenditionManifest, from_base64, signed_bytes
from peer.native.verification import verifies
from tests.p2pcdn.wire.vectors import Case, cases, note_of


@pytest.mark.parametrize("case", cases("manifest-bytes", "signatures"), ids=note_of)
def test_the_signature_of_a_page(case: Case) -> None:
    page = decode_manifest(json.dumps(case["page"]))
    assert isinstance(page, RenditionManifest)
    key, signature = from_base64(page.keys[0].public), from_base64(page.signatures[0].value)
    assert key is not None
    assert signature is not None
    assert verifies(signed_bytes(page), key, signature) is case["valid"]


def test_an_example_of_rfc_8032() -> None:
    key = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    signature = (
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    assert verifies(b"\x72", bytes.fromhex(key), bytes.fromhex(signature))
    assert not verifies(b"\x73", bytes.fromhex(key), bytes.fromhex(signature))
