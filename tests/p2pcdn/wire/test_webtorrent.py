"""WebTorrent's messages: what is taken, what is refused and with which words, what is passed on."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from p2pcdn.wire.webtorrent import (
    DESCRIPTION_BYTES,
    MOST_SCRAPED,
    Announce,
    Counts,
    RequestError,
    Scrape,
    answered,
    counted,
    decode,
    failed,
    head_of,
    offered,
    quoted,
    scrape_of,
    scraped,
    subject_of,
)

IDS = st.text(st.characters(max_codepoint=255), min_size=20, max_size=20)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=10,
)
OBJECTS = st.dictionaries(st.text(max_size=8), JSON, max_size=4)
ID = "x" * 20


def announce(**changes: Any) -> dict[str, Any]:
    return {"action": "announce", "info_hash": ID, "peer_id": "y" * 20} | changes


def offer(**changes: Any) -> dict[str, Any]:
    return {"offer": {"type": "offer", "sdp": "v=0"}, "offer_id": "o" * 20} | changes


def reason(said: object) -> str:
    """Why this is refused."""
    with pytest.raises(RequestError) as caught:
        decode(said if isinstance(said, bytes) else json.dumps(said).encode())
    told = json.loads(caught.value.answer)
    assert set(told) == {"action", "info_hash", "failure reason"}
    assert told["action"] in ("announce", "scrape")
    text: str = told["failure reason"]
    return text


# What is taken


def test_an_announce_of_p2p_media_loader() -> None:
    """As `bittorrent-tracker` 11.2.3 writes it for p2p-media-loader 2.3.1."""
    text = (
        '{"numwant":5,"uploaded":0,"downloaded":0,"event":"started","action":"announce",'
        '"info_hash":"aGVsbG8gd29ybGQgaGVs","peer_id":"-PM0203-abcdefghijkl","offers":[{"offer":'
        '{"type":"offer","sdp":"v=0\\r\\n"},"offer_id":"\u00e9\u0000aaaaaaaaaaaaaaaaaa"}]}'
    )
    said = decode(text.encode().replace(b"\x00", b"\\u0000"))
    assert isinstance(said, Announce)
    assert (said.info_hash, said.peer_id) == ("aGVsbG8gd29ybGQgaGVs", "-PM0203-abcdefghijkl")
    assert (said.event, said.has_all, said.answers) == ("started", None, False)
    (made,) = said.wanted
    assert made.offer_id == "\xe9\0" + "a" * 18
    assert bytes(made.offer) == b'{"type":"offer","sdp":"v=0\\r\\n"}'


@given(IDS, st.booleans())
def test_an_id_is_what_it_says_and_not_how_it_is_written(id_: str, ascii_only: bool) -> None:
    text = json.dumps(announce(info_hash=id_, peer_id=id_), ensure_ascii=ascii_only)
    said = decode(text.encode())
    assert isinstance(said, Announce)
    assert said.info_hash == said.peer_id == id_
    assert json.loads(quoted(id_)) == id_
    assert subject_of(text.encode()).info_hashes == (id_,)


@pytest.mark.parametrize("id_", ["", "x" * 19, "x" * 21, "x" * 19 + "\u0100", "\U0001f600" * 20])
@pytest.mark.parametrize("name", ["info_hash", "peer_id"])
def test_what_is_no_id_is_refused(name: str, id_: str) -> None:
    assert f"`{name}` is a text of 20 characters" in reason(announce(**{name: id_}))


@pytest.mark.parametrize("id_", ["", "x" * 21, "\u0100" * 20])
def test_ids_of_offers_and_answers_are_checked(id_: str) -> None:
    answer = {"answer": {}, "to_peer_id": ID, "offer_id": ID}
    assert "`offer_id`" in reason(announce(offers=[offer(), offer(offer_id=id_)]))
    assert "`offer_id`" in reason(announce(**answer | {"offer_id": id_}))
    assert "`to_peer_id`" in reason(announce(**answer | {"to_peer_id": id_}))
    assert "`offer_id`" in reason(announce(answer={}, to_peer_id=ID))
    assert "`to_peer_id`" in reason(announce(answer={}, offer_id=ID))
    assert isinstance(decode(json.dumps(announce(**answer)).encode()), Announce)


@pytest.mark.parametrize("field", ["event", "left", "numwant", "offers", "answer", "to_peer_id"])
def test_null_is_as_good_as_nothing(field: str) -> None:
    said = decode(json.dumps(announce(**{field: None})).encode())
    assert isinstance(said, Announce)
    assert (said.has_all, said.answers, len(said.wanted)) == (None, False, 0)


def test_events() -> None:
    for event in ("started", "completed", "paused", "stopped", "update"):
        said = decode(json.dumps(announce(event=event)).encode())
        assert isinstance(said, Announce)
        assert said.event == event
    assert "started, completed, paused or stopped" in reason(announce(event="gone"))


def test_what_nobody_knows_is_ignored() -> None:
    text = json.dumps(announce(key="abc", trackerid=[1], uploaded="1", port={}))
    assert isinstance(decode(text.encode()), Announce)


@pytest.mark.parametrize("what", ["offer", "answer"])
def test_a_description_has_a_limit(what: str) -> None:
    def said(size: int) -> dict[str, Any]:
        text = {"sdp": "x" * (size - len('{"sdp": ""}'))}
        if what == "offer":
            return announce(offers=[offer(), offer(offer=text)])
        return announce(answer=text, to_peer_id=ID, offer_id=ID)

    assert isinstance(decode(json.dumps(said(DESCRIPTION_BYTES)).encode()), Announce)
    why = reason(said(DESCRIPTION_BYTES + 1))
    assert f"the `{what}` has 65537 bytes; 65536 is the limit" in why


@pytest.mark.parametrize("text", ["v=0", 7, [], True])
def test_a_description_is_an_object(text: object) -> None:
    assert '{"type": "offer"' in reason(announce(offers=[offer(offer=text)]))
    assert '{"type": "answer"' in reason(announce(answer=text, to_peer_id=ID, offer_id=ID))


def test_an_offer_of_nothing_is_refused() -> None:
    assert '{"type": "offer"' in reason(announce(offers=[offer(offer=None)]))


def test_scrapes_of_more_than_may_be() -> None:
    hashes = [f"{number:020}" for number in range(MOST_SCRAPED + 1)]
    said = decode(json.dumps({"action": "scrape", "info_hash": hashes[1:]}).encode())
    assert isinstance(said, Scrape)
    assert len(said.info_hashes) == MOST_SCRAPED
    assert "1 to 128 swarms" in reason({"action": "scrape", "info_hash": hashes})


# What is refused


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"", "JSON object"),
        (b"\xff\xfe", "JSON object"),
        (b"[1]", "JSON object"),
        (b"[" * 100_000, "JSON object"),
        (b'{"action":"announce"}', "`info_hash` is a text"),
        ({"action": "announce", "info_hash": ID}, "`peer_id` is a text"),
        ({"action": "scrape", "info_hash": 5}, "`info_hash` is a text"),
        ({"action": "scrape", "info_hash": [ID, ""]}, "`info_hash` is a text"),
        ({"action": "dance"}, "`action` is announce or scrape"),
        ({}, "`action` is announce or scrape"),
        (announce(offers=5), "`$.offers`"),
        (announce(offers=[5]), "`$.offers[0]`"),
        (announce(left=[]), "`$.left`"),
    ],
)
def test_a_reason_says_what_would_be_right(said: object, why: str) -> None:
    assert why in reason(said)


@pytest.mark.parametrize("wrong", [b"\xff", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf5\x80\x80\x80"])
def test_what_is_no_utf8_is_not_passed_on(wrong: bytes) -> None:
    """A browser closes a socket on which it is sent such text: and all its swarms were gone."""
    text = json.dumps(announce(offers=[offer(offer={"sdp": "HERE"})])).encode()
    assert isinstance(decode(text), Announce)
    assert "UTF-8" in reason(text.replace(b"HERE", wrong))


@pytest.mark.parametrize("wrong", [b"\n", b"\\x", b"\\u12", b"\x00", b'"', b'",]'])
def test_what_is_no_json_is_not_passed_on(wrong: bytes) -> None:
    text = json.dumps(announce(offers=[offer(offer={"sdp": "HERE"})])).encode()
    reason(text.replace(b"HERE", wrong))


FRAGMENTS = st.sampled_from(
    [b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b"null", b"1", b"\xff", b"\xc3", b"x", b" "]
)


@st.composite
def mangled(draw: st.DrawFn) -> bytes:
    """A message of a client, with something else in one place or several."""
    said = draw(
        st.sampled_from(
            [
                announce(offers=[offer(), offer()], event="started", left=None),
                announce(answer={"sdp": "v=0"}, to_peer_id=ID, offer_id=ID),
                {"action": "scrape", "info_hash": [ID, ID]},
            ]
        )
    )
    text = bytearray(json.dumps(said).encode())
    for _ in range(draw(st.integers(0, 3))):
        first = draw(st.integers(0, len(text)))
        text[first : first + draw(st.integers(0, 9))] = draw(FRAGMENTS)
    return bytes(text)


@given(mangled() | st.binary(max_size=60) | OBJECTS.map(lambda said: json.dumps(said).encode()))
@example(b'{"action":"announce","info_hash":"\\ud800","peer_id":"\\ud800"}')
def test_whatever_comes_is_taken_whole_or_refused_in_words(data: bytes) -> None:
    subject = subject_of(data)
    try:
        said = decode(data)
    except RequestError as error:
        told = json.loads(error.answer)
        assert told["action"] in ("announce", "scrape")
        assert isinstance(told["info_hash"], str)
        assert len(told["info_hash"]) <= 20
        assert 20 < len(told["failure reason"]) <= 400
        return
    assert subject.info_hashes == (
        said.info_hashes if isinstance(said, Scrape) else (said.info_hash,)
    )
    if isinstance(said, Announce):
        for made in said.wanted:
            assert isinstance(json.loads(bytes(made.offer).decode()), dict)


# What is passed on


@given(IDS, IDS, IDS, OBJECTS)
def test_descriptions_are_passed_on_byte_by_byte(
    info_hash: str, peer: str, offer_id: str, description: dict[str, Any]
) -> None:
    raw = json.dumps(description, ensure_ascii=False).encode("utf-8", "replace")
    said = decode(
        b'{"action":"announce","info_hash":%b,"peer_id":%b,"offers":[{"offer": %b ,"offer_id":%b}]}'
        % (quoted(info_hash), quoted(peer), raw, quoted(offer_id))
    )
    assert isinstance(said, Announce)
    (made,) = said.wanted
    head, name = head_of(info_hash, peer), quoted(made.offer_id)
    for kind, text in (
        ("offer", offered(head, name, made.offer)),
        ("answer", answered(head, name, made.offer)),
    ):
        assert raw in text
        assert json.loads(text) == {
            "action": "announce",
            "info_hash": info_hash,
            "peer_id": peer,
            "offer_id": offer_id,
            kind: json.loads(raw),
        }


@given(IDS, st.text(max_size=50))
def test_what_clients_are_told_is_json(info_hash: str, words: str) -> None:
    told = json.loads(counted(quoted(info_hash), 120, Counts(3, 4), words))
    assert told.pop("warning message", "") == words
    assert told == {
        "action": "announce",
        "info_hash": info_hash,
        "interval": 120,
        "complete": 3,
        "incomplete": 4,
    }
    told = json.loads(scraped([(info_hash, Counts(1, 2))], 120))
    assert told["files"] == {info_hash: {"complete": 1, "incomplete": 2, "downloaded": 1}}
    told = json.loads(failed("scrape", info_hash, words))
    assert told == {"action": "scrape", "info_hash": info_hash, "failure reason": words}


def test_what_a_message_is_about_is_told_without_reading_the_rest() -> None:
    scrape = scrape_of(["a", "b"])
    assert (subject_of(scrape).action, subject_of(scrape).info_hashes) == ("scrape", ("a", "b"))
    said = subject_of(b'{"info_hash":"a","peer_id":5,"offers":{}}')
    assert (said.action, said.info_hashes) == (None, ("a",))
    for nothing in (b'{"action":"scrape"}', b"nonsense", b"\xff", b'{"info_hash":{}}', b"[]"):
        assert subject_of(nothing).info_hashes == ()


@given(st.lists(IDS, min_size=1, max_size=5))
def test_a_scrape_is_what_clients_say(hashes: list[str]) -> None:
    assert decode(scrape_of(hashes)) == Scrape(tuple(hashes))
