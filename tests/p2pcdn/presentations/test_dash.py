"""DASH manifests: where the segments of each representation are; and what is refused."""

from __future__ import annotations

from typing import NoReturn

import pytest

from p2pcdn.presentations import PresentationError, Segment, dash
from p2pcdn.presentations.dash import is_dynamic, read
from tests.p2pcdn.presentations.test_sidx import sidx

BASE = "/media/film/show.mpd"


def never(uri: str, offset: int, size: int) -> NoReturn:
    raise AssertionError((uri, offset, size))


def mpd(period: str, attributes: str = 'mediaPresentationDuration="PT10S"') -> bytes:
    text = f'<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" {attributes}>{period}</MPD>'
    return text.encode()


def one(inside: str, duration: str = "PT10S", attributes: str = "") -> bytes:
    """A manifest of one representation, `1/v`."""
    return mpd(
        f'<Period duration="{duration}"><AdaptationSet>'
        f'<Representation id="v" bandwidth="800000" {attributes}>{inside}</Representation>'
        "</AdaptationSet></Period>"
    )


def segments(data: bytes, name: str = "1/v", fetch: dash.Fetch = never) -> list[Segment]:
    return list(read(data).segments(name, BASE, fetch))


def uris(data: bytes, name: str = "1/v") -> list[str]:
    return [segment.uri.removeprefix("/media/film/") for segment in segments(data, name)]


def test_a_template_with_durations() -> None:
    data = one(
        '<SegmentTemplate timescale="1000" duration="4000" media="$RepresentationID$/$Number$.m4s"'
        ' initialization="init.mp4"/>'
    )
    assert segments(data) == [
        Segment(number, f"/media/film/v/{number}.m4s", 0, None, 4000) for number in (1, 2, 3)
    ]


@pytest.mark.parametrize(
    ("duration", "count"), [("PT8S", 2), ("PT8.0000001S", 2), ("PT8.1S", 3), ("PT0S", 0)]
)
def test_how_many_segments_a_period_takes(duration: str, count: int) -> None:
    data = one('<SegmentTemplate duration="4" media="$Number$"/>', duration)
    assert len(segments(data)) == count


def test_a_template_with_numbers_of_some_width_and_dollars() -> None:
    data = one(
        '<SegmentTemplate duration="5" startNumber="9" media="$$$Bandwidth$-$Number%03d$.m4s"/>'
    )
    assert uris(data) == ["$800000-009.m4s", "$800000-010.m4s"]
    assert [segment.sequence for segment in segments(data)] == [9, 10]


def test_an_end_number() -> None:
    data = one('<SegmentTemplate duration="1" endNumber="3" media="$Number$.m4s"/>')
    assert uris(data) == ["1.m4s", "2.m4s", "3.m4s"]


def test_a_timeline() -> None:
    data = one(
        '<SegmentTemplate timescale="10" media="$Time$-$Number$.m4s"><SegmentTimeline>'
        '<S t="100" d="20" r="1"/><S d="15"/><S t="200" d="30" r="-1"/><S t="260" d="10" r="-1"/>'
        "</SegmentTimeline></SegmentTemplate>",
        "PT28S",
    )
    assert uris(data) == [
        "100-1.m4s", "120-2.m4s", "140-3.m4s", "200-4.m4s", "230-5.m4s", "260-6.m4s",
        "270-7.m4s",
    ]  # fmt: skip
    durations = [segment.duration for segment in segments(data)]
    assert durations == [2000, 2000, 1500, 3000, 3000, 1000, 1000]


def test_a_timeline_that_begins_elsewhere_ends_later() -> None:
    data = one(
        '<SegmentTemplate timescale="10" presentationTimeOffset="50" media="$Time$">'
        '<SegmentTimeline><S t="50" d="50" r="-1"/></SegmentTimeline></SegmentTemplate>'
    )
    assert uris(data) == ["50", "100"]


def test_what_is_said_further_out_holds_further_in() -> None:
    data = mpd(
        "<BaseURL>a/</BaseURL><BaseURL>https://second.example/</BaseURL>"
        '<Period><BaseURL>b/</BaseURL><SegmentTemplate timescale="2" duration="10"/>'
        '<AdaptationSet><BaseURL>../c/</BaseURL><SegmentTemplate media="$Number$.m4s?t=1"/>'
        '<Representation id="near"/>'
        '<Representation id="other"><BaseURL>d/</BaseURL>'
        '<SegmentTemplate startNumber="0"/></Representation>'
        '<Representation id="away"><BaseURL>https://cdn.example/x/</BaseURL></Representation>'
        '<Representation id="rooted"><BaseURL>/media/y/</BaseURL></Representation>'
        "</AdaptationSet></Period>"
    )
    assert uris(data, "1/near") == ["a/c/1.m4s?t=1", "a/c/2.m4s?t=1"]
    assert uris(data, "1/other") == ["a/c/d/0.m4s?t=1", "a/c/d/1.m4s?t=1"]
    assert uris(data, "1/away")[0] == "https://cdn.example/x/1.m4s?t=1"
    assert uris(data, "1/rooted")[0] == "/media/y/1.m4s?t=1"


def test_several_periods() -> None:
    adaptation = (
        '<AdaptationSet><SegmentTemplate duration="2" media="$Number$"/>'
        '<Representation id="v"/></AdaptationSet>'
    )
    data = mpd(
        f"<Period>{adaptation}</Period>"
        f'<Period start="PT4S" duration="PT1M2S">{adaptation}</Period>'
        f"<Period>{adaptation}</Period>",
        'mediaPresentationDuration="PT1M12S" type="static"',
    )
    assert list(read(data).representations) == ["1/v", "2/v", "3/v"]
    assert [len(segments(data, name)) for name in ("1/v", "2/v", "3/v")] == [2, 31, 3]


def test_names_are_ids_or_else_places() -> None:
    adaptation = (
        "<AdaptationSet>"
        '<Representation id="720p.a"/><Representation id="a/b"/><Representation/>'
        "</AdaptationSet><AdaptationSet>"
        '<Representation id="720p.a"/><Representation id="."/><Representation id="\u00fc"/>'
        "</AdaptationSet>"
    )
    names = list(read(mpd(f"<Period>{adaptation}</Period>")).representations)
    assert names == ["1/720p.a", "1/~2", "1/~3", "1/~4", "1/~5", "1/~6"]


def test_a_list_of_files_and_of_ranges() -> None:
    data = one(
        "<BaseURL>all.mp4</BaseURL>"
        '<SegmentList timescale="10" duration="25" startNumber="5">'
        '<Initialization range="0-799"/>'
        '<SegmentURL mediaRange="800-899"/><SegmentURL media="b.m4s"/>'
        '<SegmentURL media="c.m4s" mediaRange="0-0"/></SegmentList>'
    )
    assert segments(data) == [
        Segment(5, "/media/film/all.mp4", 800, 100, 2500),
        Segment(6, "/media/film/b.m4s", 0, None, 2500),
        Segment(7, "/media/film/c.m4s", 0, 1, 2500),
    ]


def test_a_list_without_durations() -> None:
    data = one('<SegmentList><SegmentURL media="a"/><SegmentURL media="b"/></SegmentList>')
    assert [(s.sequence, s.duration) for s in segments(data)] == [(1, 0), (2, 0)]


def test_a_file_with_indexes() -> None:
    child = sidx([(7, 500, False)])
    index = sidx([(100, 2000, False), (len(child) + 7, 500, True), (50, 1000, False)])
    behind = 800 + len(index)
    asked = []

    def fetch(uri: str, offset: int, size: int) -> bytes:
        asked.append((uri, offset, size))
        return {800: index, behind + 100: child}[offset][:size]

    data = one(
        f'<BaseURL>v.mp4</BaseURL><SegmentBase indexRange="800-{behind - 1}"/>',
    )
    uri = "/media/film/v.mp4"
    at = behind + 100 + len(child)
    assert segments(data, fetch=fetch) == [
        Segment(1, uri, behind, 100, 2000),
        Segment(2, uri, at, 7, 500),
        Segment(3, uri, at + 7, 50, 1000),
    ]
    assert asked[0] == (uri, 800, len(index))


@pytest.mark.parametrize("inside", ["", "<SegmentBase/>"])
def test_a_file_without_an_index_is_one_segment(inside: str) -> None:
    data = one(f"<BaseURL>text.vtt</BaseURL>{inside}")
    assert segments(data) == [Segment(1, "/media/film/text.vtt", 0, None, 10_000)]


def test_dynamic_manifests_are_told_apart() -> None:
    assert is_dynamic(b'<?xml version="1.0"?><MPD profiles="x" type="dynamic">')
    assert is_dynamic(b"<MPD type = 'dynamic'/>")
    assert not is_dynamic(b'<MPD type="static"/>')
    with pytest.raises(PresentationError, match="live stream"):
        read(b'<MPD type="dynamic"/>')


@pytest.mark.parametrize(
    ("inside", "uri"),
    [
        ('<SegmentTemplate initialization="$RepresentationID$/$Bandwidth$.mp4"/>', "v/800000.mp4"),
        ('<SegmentList><Initialization sourceURL="i.mp4"/></SegmentList>', "i.mp4"),
        ('<BaseURL>x/</BaseURL><SegmentBase><Initialization sourceURL="i.mp4"/></SegmentBase>',
         "x/i.mp4"),
        ('<BaseURL>x.mp4</BaseURL><SegmentBase><Initialization range="0-9"/></SegmentBase>', None),
        ('<SegmentTemplate media="$Number$"/>', None),
        ('<SegmentTemplate initialization="$SubNumber$"/>', None),
    ],
)  # fmt: skip
def test_initialisation_sections(inside: str, uri: str | None) -> None:
    wanted = None if uri is None else f"/media/film/{uri}"
    assert read(one(inside)).init("1/v", BASE) == wanted


TEMPLATE = '<SegmentTemplate media="$Number$" {} />'

REFUSED = {
    "no such name": (one(""), "no representation '1/v' in"),
    "no media": (one("<SegmentTemplate duration='1'/>"), "needs @media"),
    "parts": (one('<SegmentTemplate duration="1" media="$SubNumber$"/>'), "not understood"),
    "no file": (one(""), "needs a BaseURL"),
    "no time": (
        mpd(
            '<Period><AdaptationSet><Representation id="v">'
            '<SegmentTemplate duration="1" media="a"/>'
            "</Representation></AdaptationSet></Period>",
            "",
        ),
        "how long the period takes",
    ),
    "a number": (one(TEMPLATE.format('duration="1.5"')), "a whole number, not '1.5'"),
    "no timescale": (one(TEMPLATE.format('duration="1" timescale="0"')), "@timescale is above 0"),
    "below 0": (one(TEMPLATE.format('duration="1" startNumber="-1"')), "@startNumber not below"),
    "beyond counting": (
        one(TEMPLATE.format(f'duration="1" startNumber="{2**53}" endNumber="{2**60 // 2}"')),
        "numbered up to",
    ),
    "a billion": (one(TEMPLATE.format('duration="1" timescale="1000000000"')), "at most 200000"),
    "a billion times": (
        one(
            '<SegmentTemplate media="$Time$"><SegmentTimeline><S d="1" r="999999999"/>'
            "</SegmentTimeline></SegmentTemplate>"
        ),
        "at most 200000",
    ),
    "backwards": (
        one(
            '<SegmentTemplate media="$Time$"><SegmentTimeline><S d="0"/></SegmentTimeline>'
            "</SegmentTemplate>"
        ),
        "@d above 0",
    ),
    "sequences": (
        one(
            '<SegmentTemplate media="$Time$"><SegmentTimeline><S d="8" k="4"/></SegmentTimeline>'
            "</SegmentTemplate>"
        ),
        "no @k",
    ),
    "a range": (
        one('<SegmentList><SegmentURL media="a" mediaRange="9-1"/></SegmentList>'),
        "FIRST-LAST, not '9-1'",
    ),
    "an index of gigabytes": (
        one('<BaseURL>v</BaseURL><SegmentBase indexRange="0-4194304"/>'),
        "at most 4194304 bytes",
    ),
    "a URI that is none": (one("<BaseURL>http://[x</BaseURL>"), "no URI: 'http://[x'"),
    "long URIs, and many": (
        one(
            TEMPLATE.format('duration="1" timescale="10000"').replace(
                "$Number", "a" * 2000 + "$Number"
            )
        ),
        "at most 33554432 characters",
    ),
    "a URI without end": (one(f"<BaseURL>{'a' * 3000}</BaseURL>"), "at most 2048 characters"),
    "a template without end": (
        one(f'<SegmentTemplate duration="1" media="{"$Bandwidth$" * 400}"/>'),
        "at most 2048 characters",
    ),
    "a width without end": (
        one(f'<SegmentTemplate duration="1" media="{"$Number%099d$" * 100}"/>'),
        "at most 2048 characters",
    ),
}


@pytest.mark.parametrize(("data", "sentence"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_refused(data: bytes, sentence: str) -> None:
    name = "1/v" if sentence != "no representation '1/v' in" else "2/v"
    with pytest.raises(PresentationError) as caught:
        segments(data, name)
    assert sentence.replace("1/v", "2/v") in str(caught.value)
    assert str(caught.value).endswith(".")


def test_indexes_that_go_round_in_circles() -> None:
    """Each refers to the same place again."""
    index = sidx([(0, 0, True), (100, 0, True)])
    data = one('<BaseURL>v</BaseURL><SegmentBase indexRange="0-99"/>')
    with pytest.raises(PresentationError, match="a file has at most 256"):
        segments(data, fetch=lambda *_: index)


def test_how_many_representations_there_are_is_bounded() -> None:
    inside = "<Representation/>" * (dash.MOST_REPRESENTATIONS + 1)
    with pytest.raises(PresentationError, match="at most 1000 representations"):
        read(mpd(f"<Period><AdaptationSet>{inside}</AdaptationSet></Period>"))
