"""Messages decode to what they say, or to a `RemoteError`; the vectors say which."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pcdn.errors import ErrorCode, RemoteError
from p2pcdn.wire import codec
from p2pcdn.wire.link import LinkMessage
from p2pcdn.wire.manifest import PresentationManifest, RenditionManifest
from p2pcdn.wire.tracker import Beacon, FromTracker, Join, ToTracker
from tests.p2pcdn.wire.vectors import Case, cases, note_of, text_of, value_of

Decoder = Callable[[str], msgspec.Struct]

UNIONS: dict[str, tuple[Decoder, Any]] = {
    "to-tracker": (codec.decode_to_tracker, ToTracker),
    "from-tracker": (codec.decode_from_tracker, FromTracker),
    "beacon": (codec.decode_beacon, Beacon),
    "link": (codec.decode_link, LinkMessage),
    "manifest": (codec.decode_manifest, PresentationManifest | RenditionManifest),
}


def vectors(group: str) -> list[Any]:
    return [
        pytest.param(UNIONS[name][0], case, id=f"{name}: {note_of(case)}")
        for name in UNIONS
        for case in cases(name, group)
    ]


def plain(value: Any) -> Any:
    """A decoded value as JSON would have it, no field left out."""
    if isinstance(value, msgspec.Struct):
        tag = value.__struct_config__.tag
        fields = {name: plain(getattr(value, name)) for name in value.__struct_fields__}
        return {"type": tag, **fields} if tag is not None else fields
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return value


@pytest.mark.parametrize(("decode", "case"), vectors("valid"))
def test_valid_messages_decode_to_their_value_and_as_encoded_once_more(
    decode: Decoder, case: Case
) -> None:
    message = decode(text_of(case))
    assert plain(message) == value_of(case)
    assert decode(codec.encode(message)) == message  # type: ignore[arg-type]
    assert codec.encode_utf8(message).decode() == codec.encode(message)  # type: ignore[arg-type]


@pytest.mark.parametrize(("decode", "case"), vectors("invalid"))
def test_invalid_messages_are_refused_with_their_code(decode: Decoder, case: Case) -> None:
    with pytest.raises(RemoteError) as caught:
        decode(text_of(case))
    assert caught.value.code is ErrorCode(case["code"])


@pytest.mark.parametrize("name", UNIONS)
def test_every_message_has_vectors(name: str) -> None:
    union = UNIONS[name][1]
    tags = {struct.__struct_config__.tag for struct in get_args(union) or (union,)}
    valid = {value_of(case)["type"] for case in cases(name, "valid")}
    assert valid == tags
    assert not [tag for tag in tags if not any(tag in text_of(c) for c in cases(name, "invalid"))]


def test_a_lone_surrogate_in_a_text_that_is_no_utf8_is_malformed() -> None:
    with pytest.raises(RemoteError) as caught:
        codec.decode_link('{"type":"bye","detail":"\ud800"}')
    assert caught.value.code is ErrorCode.MALFORMED


def test_bytes_that_are_no_utf8_are_malformed() -> None:
    with pytest.raises(RemoteError) as caught:
        codec.decode_link(b'{"type":"bye","detail":"\xff"}')
    assert caught.value.code is ErrorCode.MALFORMED


def test_an_unknown_field_nested_too_deep_is_malformed() -> None:
    with pytest.raises(RemoteError) as caught:
        codec.decode_link('{"type":"bye","later":' + "[" * 20_000 + "]" * 20_000 + "}")
    assert caught.value.code is ErrorCode.MALFORMED


@pytest.mark.parametrize("literal", ["1.0", "1e0", "10e-1"])
def test_a_whole_fraction_is_no_integer(literal: str) -> None:
    """Stricter than JSON Schema, and than a browser, which cannot tell them apart."""
    with pytest.raises(RemoteError):
        codec.decode_link('{"type":"cancel","want":' + literal + "}")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(text=st.text() | st.binary() | json_values.map(json.dumps))
def test_decoders_raise_nothing_but_remote_errors(text: str | bytes) -> None:
    for decode, _ in UNIONS.values():
        with suppress(RemoteError):
            decode(text)  # type: ignore[arg-type]


@st.composite
def damaged(draw: st.DrawFn) -> tuple[Decoder, str]:
    """A valid message with one of its values replaced by something else."""
    name = draw(st.sampled_from(sorted(UNIONS)))
    value = value_of(draw(st.sampled_from(cases(name, "valid"))))
    at, key = value, draw(st.sampled_from(sorted(value)))
    while isinstance(at[key], dict | list) and at[key] and draw(st.booleans()):
        at = at[key]
        key = draw(st.sampled_from(sorted(at) if isinstance(at, dict) else range(len(at))))
    at[key] = draw(json_values)
    return UNIONS[name][0], json.dumps(value)


@given(damaged())
def test_a_damaged_message_is_refused_or_still_one(damage: tuple[Decoder, str]) -> None:
    decode, text = damage
    try:
        message = decode(text)
    except RemoteError:
        return
    assert decode(codec.encode(message)) == message  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "content"),
    [
        (f'{{"type":"join","site":1,"content":"{"a" * 32}"}}', "a" * 32),
        (f'{{"content":"{"a" * 32}","offers":[{{}}],"type":"join"}}', "a" * 32),
        (f'{{"type":"move","content":"{"a" * 32}"}}', None),
        ('{"type":"join","content":"x"}', None),
        ('{"type":"join"}', None),
        ('{"type":"join","content":"', None),
        ("[" * 100_000, None),
        ("\udcff", None),
    ],
)
def test_what_a_socket_is_for_is_known_without_all_else(text: str, content: str | None) -> None:
    aim = codec.aim_of(text.encode(errors="surrogateescape"))
    assert (None if aim is None else aim.content) == content


@pytest.mark.parametrize("follows", [True, False])
def test_it_is_known_whether_a_socket_follows(follows: bool) -> None:
    join = Join(1, "s", "a" * 32, "browser", True, follows=follows)
    aim = codec.aim_of(codec.encode_utf8(join))
    assert aim is not None
    assert aim.follows == follows
