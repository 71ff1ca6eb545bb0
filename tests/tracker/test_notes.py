"""What workers have each other note."""

from __future__ import annotations

import msgspec
import pytest

from p2pcdn.core.amounts import Amounts
from p2pcdn.core.audit import Extent
from p2pcdn.core.ledger_ports import Failure, Group, Reading
from p2pcdn.service.figures import Steps
from tests.p2pcdn.core.swarming import CONTENT, published
from tracker import notes
from tracker.admission import Shares

READING = Reading(
    {"": Amounts(overhead_bytes=3), CONTENT: Amounts(origin_bytes=4, startups_250=1)},
    {CONTENT: 2},
    {Group("country", "DE"): Amounts(joins=1)},
    {Group("country", "DE"): 1},
    {Failure("link", "left"): 5},
    6,
)


@pytest.mark.parametrize(
    "note",
    [
        notes.Counted(READING, Steps([(("n", (("a", "b"),)), 1.5)], []), {CONTENT: "film.bin"}),
        notes.Sent(CONTENT, 1000, "file", 5),
        notes.Sent(CONTENT, 1000, None, 0),
        notes.Measured(CONTENT, "v", Extent(1.0, 2, 3, 4, live=True)),
        notes.Out(published(CONTENT, 1).records),
        notes.Beaconed(b"{}"),
        notes.Banned(b"\x7f\0\0\1"),
        notes.Full([b"\xff\xfe"]),
        notes.Many(Shares({b"\x7f\0\0\1": 3}, {})),
    ],
)
def test_they_come_as_they_went(note: notes.Note) -> None:
    assert notes.decode(notes.encode(note)) == note


def test_nothing_is_no_note() -> None:
    with pytest.raises(msgspec.DecodeError):
        notes.decode(b"")
