"""The canonical bytes of manifests: the same in every implementation, and binding."""

from __future__ import annotations

import json
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pcdn.model import chunk_count
from p2pcdn.wire.codec import decode_manifest
from p2pcdn.wire.manifest import (
    RenditionManifest,
    SegmentRecord,
    from_base64,
    root_input,
    segment_root,
    signed_bytes,
    split_hashes,
    thumbprint,
    to_base64,
)
from tests.p2pcdn.wire.vectors import Case, cases, note_of


def root_arguments(case: Case) -> tuple[Any, ...]:
    hashes = [bytes.fromhex(digest) for digest in case["hashes"]]
    return case["content"], case["rendition"], case["sequence"], case["length"], hashes


@pytest.mark.parametrize("case", cases("manifest-bytes", "roots"), ids=note_of)
def test_a_segment_root(case: Case) -> None:
    assert root_input(*root_arguments(case)).hex() == case["input"]
    assert segment_root(*root_arguments(case)) == case["root"]


def test_no_two_roots_are_alike() -> None:
    roots = [case["root"] for case in cases("manifest-bytes", "roots")]
    assert len(set(roots)) == len(roots)


@pytest.mark.parametrize("case", cases("manifest-bytes", "signed"), ids=note_of)
def test_what_a_signature_covers(case: Case) -> None:
    assert signed_bytes(decode_manifest(json.dumps(case["page"]))).hex() == case["bytes"]


@pytest.mark.parametrize("case", cases("manifest-bytes", "hashes"), ids=note_of)
def test_how_hash_lists_are_cut(case: Case) -> None:
    records = [SegmentRecord(n, "x", length, "0" * 64) for n, length in enumerate(case["lengths"])]
    lists = split_hashes(bytes(case["bytes"]), records)
    assert (None if lists is None else [len(joined) for joined in lists]) == case["lists"]


def test_numbers_are_unsigned() -> None:
    name, most = "x" * 0xFFFF, 2**64 - 1
    assert root_input(name, "", most, most, []) == (
        b"p2pcdn segment v1\n\xff\xff" + name.encode() + bytes(2) + b"\xff" * 16 + b"\0\1\0\0"
    )
    record = SegmentRecord(most, "", most, "0" * 64, most, most)
    page = RenditionManifest(1, "", "", "", 65_536, True, most, most, most, (record,), era=most)
    assert signed_bytes(page).count(b"\xff" * 32) == 2, "of the page, and of the record"


@given(
    st.lists(
        st.tuples(st.text(max_size=8), st.text(max_size=8)), min_size=2, max_size=2, unique=True
    )
)
def test_names_that_only_look_alike_when_joined_have_other_roots(
    pair: list[tuple[str, str]],
) -> None:
    first, second = (segment_root(content, name, 1, 1, [bytes(32)]) for content, name in pair)
    assert first != second


@given(st.lists(st.integers(1, 2**22), max_size=8))
def test_cut_lists_are_the_whole_answer(lengths: list[int]) -> None:
    records = [SegmentRecord(n, "x", length, "0" * 64) for n, length in enumerate(lengths)]
    data = b"".join(bytes([n]) * 32 * chunk_count(length) for n, length in enumerate(lengths))
    lists = split_hashes(data, records)
    assert lists is not None
    assert b"".join(lists) == data
    assert [len(joined) // 32 for joined in lists] == [chunk_count(length) for length in lengths]


@pytest.mark.parametrize("case", cases("manifest-bytes", "base64"), ids=note_of)
def test_base64url_there_and_back(case: Case) -> None:
    assert to_base64(bytes.fromhex(case["bytes"])) == case["text"]
    assert from_base64(case["text"]) == bytes.fromhex(case["bytes"])


@pytest.mark.parametrize("case", cases("manifest-bytes", "not_base64"), ids=note_of)
def test_what_is_no_base64url(case: Case) -> None:
    assert from_base64(case["text"]) is None


def test_each_digit_may_be_the_last() -> None:
    digits = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
    assert [to_base64(bytes([0, 0, n])) for n in range(64)] == [f"AAA{digit}" for digit in digits]


@given(st.binary(max_size=100))
def test_any_bytes_go_through_base64url(data: bytes) -> None:
    assert from_base64(to_base64(data)) == data


def test_a_key_is_pinned_by_the_whole_sha_256_of_its_bytes() -> None:
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, B.1
    assert thumbprint(b"abc") == expected
