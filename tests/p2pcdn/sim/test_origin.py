"""The origin: what it answers, and what each answer costs."""

from __future__ import annotations

from random import Random

from p2pcdn.model import HASH_SIZE, Span
from p2pcdn.sim.clock import Clock
from p2pcdn.sim.http import Http
from p2pcdn.sim.media import Media
from p2pcdn.sim.network import Line, Place
from p2pcdn.sim.origin import Origin
from p2pcdn.sim.tally import HEADERS, PAGE, RECORD, Kind, Tally
from p2pcdn.sim.weather import Weather
from p2pcdn.wire.manifest import RenditionManifest

SEGMENT = 200_000


class Asked:
    """An origin, and what it answered."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.tally = Tally(0.0, 100.0)
        self.media = Media(SEGMENT, 4.0, count=100, behind=6)
        place = Place(0.0, 0.0, 5.0)
        line = Line(1e6, 1e7, place)
        http = Http(
            self.clock, line, place, 1e7, 0.0, Weather(1.0, 0.0, 0.1, 0.0, Random(1)), Random(1)
        )
        self.origin = Origin(self.clock, self.media, self.tally, http)
        self.pages: list[RenditionManifest] = []
        self.others: list[object] = []


def test_media_counts_for_its_segment_and_its_viewer() -> None:
    asked = Asked()
    asked.origin.whole(3, asked.others.append)
    asked.origin.segment(4, Span(65_536, 131_071), asked.others.append)
    asked.clock.run(10.0)
    assert asked.tally.media == {3: SEGMENT, 4: 65_536}
    assert asked.origin.media_bytes == SEGMENT + 65_536
    assert asked.tally.measured[Kind.HEADERS] == 2 * HEADERS
    assert len(asked.others) == 2


def test_pages_and_hashes_are_overhead() -> None:
    asked = Asked()
    asked.origin.page(3, asked.pages.append)
    asked.origin.records(Span(4, 5), asked.pages.append)
    asked.origin.hashes(Span(4, 5), asked.others.append)
    asked.clock.run(2.0)
    assert sorted(len(page.segments) for page in asked.pages) == [2, 6]
    assert asked.others == [asked.media.hashes_of(4) + asked.media.hashes_of(5)]
    assert asked.tally.measured[Kind.PAGES] == 2 * PAGE + 8 * RECORD
    assert asked.tally.measured[Kind.HASHES] == 2 * asked.media.chunks * HASH_SIZE
    assert asked.tally.media == {}


def test_a_page_is_as_of_when_it_arrives() -> None:
    asked = Asked()
    asked.clock.run(3.999)
    asked.origin.records(Span(6, 6), asked.pages.append)
    asked.origin.records(Span(9, 9), asked.pages.append)
    asked.clock.run(6.0)
    assert sorted(len(page.segments) for page in asked.pages) == [0, 1]


def test_a_playlist_names_the_newest_segment() -> None:
    asked = Asked()
    asked.origin.playlist(asked.others.append)
    asked.clock.run(2.0)
    assert asked.others == [5]
    assert asked.tally.measured[Kind.PLAYLISTS] > 0
