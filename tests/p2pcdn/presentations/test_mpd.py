"""The XML of a DASH manifest: read, and refused where it could do harm."""

from __future__ import annotations

import pytest

from p2pcdn.presentations import PresentationError, mpd
from p2pcdn.presentations.mpd import parse


def test_elements_without_their_namespaces() -> None:
    root = parse(
        b'<?xml version="1.0" encoding="UTF-8"?>\n<!-- by hand -->\n'
        b'<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" xmlns:x="urn:x" type="static">'
        b"<x:Other/><Period id='1'><BaseURL> a/&amp;b/ </BaseURL></Period>"
        b"<Period id='2'><![CDATA[<not>]]></Period></MPD>"
    )
    assert root.attributes == {"type": "static"}
    assert [period.attributes["id"] for period in root.all("Period")] == ["1", "2"]
    first = root.first("Period")
    assert first is not None
    base = first.first("BaseURL")
    assert base is not None
    assert base.text.strip() == "a/&b/"
    assert [period.text for period in root.all("Period")] == ["", "<not>"]
    assert root.first("Other") is not None
    assert root.first("None") is None


def test_other_encodings_that_xml_knows() -> None:
    text = '<?xml version="1.0" encoding="utf-16"?><MPD id="\u00fc"/>'
    assert parse(text.encode("utf-16")).attributes == {"id": "\u00fc"}


LAUGHS = b"".join(b'<!ENTITY l%d "%s">' % (n + 1, b"&l%d;" % n * 10) for n in range(9))

HOSTILE = {
    "nothing": (b"", "which this is not"),
    "no XML": (b"#EXTM3U\n", "which this is not from line 1 on"),
    "another XML": (b"<svg/>", "outermost element of a DASH manifest is MPD"),
    "half of it": (b"<MPD><Period>", "which this is not"),
    "two": (b"<MPD/><MPD/>", "which this is not"),
    "entities that grow": (
        b'<!DOCTYPE MPD [<!ENTITY l0 "lol">' + LAUGHS + b"]><MPD>&l9;</MPD>",
        "no document type",
    ),
    "a file": (b'<!DOCTYPE MPD [<!ENTITY x SYSTEM "file:///etc/passwd">]><MPD>&x;</MPD>', "no doc"),
    "a host": (b'<!DOCTYPE MPD SYSTEM "http://127.0.0.1/x.dtd"><MPD/>', "no document type"),
    "parameters": (
        b'<!DOCTYPE MPD [<!ENTITY % x SYSTEM "http://127.0.0.1/x"> %x;]><MPD/>',
        "no document type",
    ),
    "an entity of nobody": (b"<MPD>&x;</MPD>", "which this is not"),
    "an encoding of nobody": (b'<?xml version="1.0" encoding="x-klingon"?><MPD/>', "XML"),
    "an encoding of Python's": (b'<?xml version="1.0" encoding="utf-7"?><MPD/>', "XML"),
    "bytes that are no text": (b"<MPD>\xff</MPD>", "which this is not"),
    "control characters": (b"<MPD>\0</MPD>", "which this is not"),
    "very deep": (b"<MPD>" + b"<a>" * 100_000, "at most 32 elements deep"),
    "an attribute twice": (b'<MPD a="1" a="2"/>', "which this is not"),
    "attributes without end": (
        b"<MPD " + b" ".join(b'a%d="x"' % n for n in range(200_000)),
        "which this is not",
    ),
}


@pytest.mark.parametrize(("data", "sentence"), HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_manifests_are_refused(data: bytes, sentence: str) -> None:
    with pytest.raises(PresentationError) as caught:
        parse(data)
    assert sentence in str(caught.value)
    assert str(caught.value).endswith(".")


def test_how_many_elements_there_are_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mpd, "_MOST_ELEMENTS", 10)
    assert len(parse(b"<MPD>" + b"<a/>" * 9 + b"</MPD>").children) == 9
    with pytest.raises(PresentationError, match="at most 10 elements"):
        parse(b"<MPD>" + b"<a/>" * 10 + b"</MPD>")


def test_a_text_without_end_is_cut() -> None:
    root = parse(b"<MPD>" + b"abc &lt;" * 100_000 + b"</MPD>")
    assert len(root.text) < 200_000
