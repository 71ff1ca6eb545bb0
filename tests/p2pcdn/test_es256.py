"""Two forms of one signature."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from p2pcdn.es256 import to_der, to_raw


def test_a_signature_survives_the_way_there_and_back() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    raw = to_raw(key.sign(b"data", ec.ECDSA(SHA256())))
    assert len(raw) == 64
    key.public_key().verify(to_der(raw), b"data", ec.ECDSA(SHA256()))


def test_numbers_are_padded_to_32_bytes_and_may_begin_with_a_high_bit() -> None:
    r, s = 1, (1 << 256) - 1
    raw = to_raw(encode_dss_signature(r, s))
    assert raw == bytes(31) + b"\x01" + b"\xff" * 32
    assert to_der(raw) == encode_dss_signature(r, s)


@pytest.mark.parametrize("length", [0, 63, 65, 70])
def test_a_raw_signature_has_64_bytes(length: int) -> None:
    with pytest.raises(ValueError, match=f"not {length}"):
        to_der(bytes(length))


def test_a_signature_of_a_larger_curve_has_no_raw_form_here() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        to_raw(encode_dss_signature(1, 1 << 256))


def test_what_is_not_der_has_no_raw_form() -> None:
    with pytest.raises(ValueError, match="parsing"):
        to_raw(b"not DER")
