"""What a peer without a screen demands, and when."""

from __future__ import annotations

from math import inf

from p2pcdn.core.ports import Demand, Playing, Release
from p2pcdn.model import SegmentKey
from p2pcdn.wire.manifest import RenditionManifest, SegmentRecord
from peer.native.keeper import BUFFER, FIRST_PAUSE, WINDOW, WITHIN, Keeper, Progress

CONTENT = "0" * 32
PLENTY = 1_000_000


def record(sequence: int, length: int = 100, root: str = "0") -> SegmentRecord:
    return SegmentRecord(sequence, f"{sequence}.ts", length, root * 64)


def page(
    *sequences: int,
    rendition: str = "v",
    first: int | None = None,
    last: int | None = None,
    live: bool = False,
    time: int = 1,
    era: int = 0,
    length: int = 100,
    root: str = "0",
) -> RenditionManifest:
    return RenditionManifest(
        1,
        "pk",
        CONTENT,
        rendition,
        65_536,
        live,
        time,
        sequences[0] if first is None else first,
        sequences[-1] if last is None else last,
        tuple(record(sequence, length, root) for sequence in sequences),
        era,
    )


def v(sequence: int) -> SegmentKey:
    return SegmentKey("v", sequence)


def everything(key: SegmentKey) -> bool:
    return True


def nothing(key: SegmentKey) -> bool:
    return False


def demanded(keeper: Keeper, now: float = 0.0) -> list[SegmentKey]:
    return [w.key for w in keeper.wishes(everything, now) if isinstance(w, Demand)]


def test_nothing_is_wanted_before_the_first_page() -> None:
    keeper = Keeper(["v"], PLENTY)
    assert list(keeper.wishes(everything, 0.0)) == []
    assert not keeper.is_complete()


def test_it_says_where_it_is_and_demands_what_can_be_verified() -> None:
    keeper = Keeper(["v"], PLENTY)
    keeper.page(page(5, 6, 7))
    assert list(keeper.wishes(nothing, 0.0)) == [Playing("v", 5, 7, BUFFER, live=False)]
    assert list(keeper.wishes(nothing, 0.0)) == [], "it does not repeat itself"
    assert list(keeper.wishes(everything, 0.0)) == [Demand(v(n), WITHIN) for n in (5, 6, 7)]


def test_nothing_that_it_wants_is_urgent() -> None:
    assert WITHIN == BUFFER == inf


def test_several_segments_at_once() -> None:
    keeper = Keeper(["v"], PLENTY)
    keeper.page(page(*range(20)))
    assert demanded(keeper) == [v(n) for n in range(WINDOW)]
    assert demanded(keeper) == []
    keeper.kept(v(3))
    assert demanded(keeper) == [v(WINDOW)]


def test_the_cursor_stays_at_what_is_missing() -> None:
    keeper = Keeper(["v"], PLENTY)
    keeper.page(page(0, 1, 2))
    list(keeper.wishes(everything, 0.0))
    keeper.kept(v(0))
    assert next(keeper.wishes(everything, 0.0)) == Playing("v", 1, 2, BUFFER, live=False)
    keeper.kept(v(2))
    assert list(keeper.wishes(nothing, 0.0)) == []
    keeper.kept(v(1))
    assert next(keeper.wishes(everything, 0.0)) == Playing("v", 0, 2, BUFFER, live=False)
    assert keeper.is_complete()
    assert keeper.progress == Progress(3, 3)


def test_it_is_where_something_is_missing() -> None:
    keeper = Keeper(["v", "w"], PLENTY)
    keeper.page(page(0))
    keeper.page(page(0, rendition="w"))
    in_v, in_w = (Playing(name, 0, 0, BUFFER, live=False) for name in ("v", "w"))
    assert list(keeper.wishes(nothing, 0.0)) == [in_v]
    keeper.failed(v(0), 0.0)
    assert list(keeper.wishes(nothing, 0.0)) == [in_w], "the first one waits"
    keeper.kept(SegmentKey("w", 0))
    assert list(keeper.wishes(nothing, 0.0)) == [in_v]
    keeper.kept(v(0))
    assert list(keeper.wishes(nothing, 0.0)) == []


def test_renditions_are_walked_one_after_the_other() -> None:
    keeper = Keeper(["v", "w"], PLENTY)
    keeper.page(page(0))
    list(keeper.wishes(everything, 0.0))
    keeper.kept(v(0))
    assert not keeper.is_complete(), "nothing is known of the other one"
    keeper.page(page(0, rendition="w"))
    assert demanded(keeper) == [SegmentKey("w", 0)]
    keeper.kept(SegmentKey("w", 0))
    assert keeper.is_complete()


def test_a_rendition_of_somebody_else_is_nothing_to_us() -> None:
    keeper = Keeper(["v"], PLENTY)
    keeper.page(page(0, rendition="x"))
    assert list(keeper.wishes(everything, 0.0)) == []
    assert keeper.record(SegmentKey("x", 0)) is None


def test_what_does_not_fit_is_not_wanted() -> None:
    keeper = Keeper(["v", "w"], 250)
    keeper.page(page(0, 1, 2, 3))
    keeper.page(page(0, rendition="w"))
    assert list(keeper.wishes(nothing, 0.0)) == [Playing("v", 0, 1, BUFFER, live=False)]
    for sequence in (0, 1):
        list(keeper.wishes(everything, 0.0))
        keeper.kept(v(sequence))
    assert keeper.is_complete()
    assert demanded(keeper) == []
    assert keeper.progress == Progress(2, 2)


def test_a_store_too_small_for_anything_is_complete_at_once() -> None:
    keeper = Keeper(["v"], 10)
    keeper.page(page(0, 1))
    assert keeper.is_complete()
    assert list(keeper.wishes(everything, 0.0)) == [Playing("v", 0, 0, BUFFER, live=False)]


def test_a_live_rendition_grows() -> None:
    keeper = Keeper(["v"], 250)
    keeper.page(page(7, 8, live=True))
    assert demanded(keeper) == [v(7), v(8)]
    for sequence in (7, 8):
        keeper.kept(v(sequence))
    assert keeper.is_complete()
    keeper.page(page(7, 8, 9, live=True, time=2))
    assert not keeper.is_complete()
    assert list(keeper.wishes(everything, 0.0)) == [
        Playing("v", 9, 9, BUFFER, live=True),
        Demand(v(9), WITHIN),
    ]


def test_what_leaves_a_live_window_is_released() -> None:
    keeper = Keeper(["v"], PLENTY)
    keeper.page(page(0, 1, 2, live=True))
    assert demanded(keeper) == [v(0), v(1), v(2)]
    keeper.failed(v(1), 0.0)
    keeper.page(page(2, 3, live=True, time=2))
    assert list(keeper.wishes(everything, 0.0)) == [
        Release(v(0)),
        Playing("v", 2, 3, BUFFER, live=True),
        Demand(v(3), WITHIN),
    ]
    assert keeper.timer_at() is None
    keeper.kept(v(0))  # it came all the same
    assert keeper.progress == Progress(0, 2)
    assert keeper.record(v(0)) is None


def test_an_old_page_changes_nothing() -> None:
    keeper = Keeper(["v"], PLENTY)
    keeper.page(page(7, 8, live=True, time=5))
    keeper.page(page(1, 2, live=True, time=4))
    assert list(keeper.wishes(nothing, 0.0)) == [Playing("v", 7, 8, BUFFER, live=True)]


def test_what_failed_is_demanded_again_after_a_pause_that_grows() -> None:
    keeper = Keeper(["v"], PLENTY)
    keeper.page(page(0, 1))
    assert demanded(keeper, 0.0) == [v(0), v(1)]
    keeper.failed(v(0), 0.0)
    assert keeper.timer_at() == FIRST_PAUSE
    assert demanded(keeper, 0.0) == []
    assert demanded(keeper, FIRST_PAUSE) == [v(0)]
    assert keeper.timer_at() is None
    keeper.failed(v(0), 10.0)
    assert keeper.timer_at() == 10.0 + 2 * FIRST_PAUSE


def test_a_pause_that_is_over_does_not_wake_anybody_twice() -> None:
    keeper = Keeper(["v"], PLENTY)
    keeper.page(page(0))
    keeper.failed(v(0), 0.0)
    list(keeper.wishes(nothing, FIRST_PAUSE))
    assert keeper.timer_at() is None


def test_a_file_that_was_replaced_is_had_anew() -> None:
    keeper = Keeper(["v"], PLENTY)
    keeper.page(page(0, 1))
    for sequence in (0, 1):
        keeper.kept(v(sequence))
    assert keeper.is_complete()
    keeper.page(page(0, 1, time=2, root="1"))
    assert not keeper.is_complete()
    assert demanded(keeper) == [v(0), v(1)]


def test_a_rendition_that_begins_anew_is_kept_anew() -> None:
    keeper = Keeper(["v"], PLENTY)
    keeper.page(page(10, 11, 12, live=True))
    for key in demanded(keeper):
        keeper.kept(key)
    assert keeper.is_complete()
    keeper.page(page(0, 1, live=True, time=2, era=2, root="1"))
    assert keeper.progress == Progress(0, 2)
    assert demanded(keeper) == [v(0), v(1)]
    keeper.page(page(10, 11, 12, 13, live=True, time=3, era=1))
    assert keeper.record(v(13)) is None


def test_a_file_that_is_replaced_gives_its_room_back() -> None:
    keeper = Keeper(["v"], 250)
    keeper.page(page(0, 1))
    keeper.page(page(0, 1, time=2, era=2, root="1"))
    assert keeper.progress.wanted == 2
    keeper.page(page(0, 1, 2, time=3, era=2, root="1"))
    assert keeper.progress.wanted == 2


def test_what_never_had_room_gives_none_back() -> None:
    keeper = Keeper(["v"], 250)
    keeper.page(page(*range(10)))
    assert keeper.progress.wanted == 2
    keeper.page(page(*range(10), time=2, era=2, root="1"))
    assert keeper.progress.wanted == 2, "it is no more than fits"


def test_a_live_rendition_that_ends_gives_no_room_back_that_it_never_took() -> None:
    keeper = Keeper(["v"], 250)
    keeper.page(page(0, 1, 2, live=True))
    keeper.page(page(0, 1, 2, time=2))
    keeper.page(page(*range(10), time=3, era=3, root="1"))
    assert keeper.progress.wanted == 2


def test_one_that_keeps_only_what_is_read_demands_nothing() -> None:
    keeper = Keeper(["v"], PLENTY, all_=False)
    keeper.page(page(0, 1, 2))
    assert list(keeper.wishes(everything, 0.0)) == []
    keeper.interrupted()  # somebody has read
    assert list(keeper.wishes(everything, 0.0)) == [Playing("v", 2, 2, BUFFER, live=False)]
    assert keeper.extent("v") == (0, 2, False)
    assert keeper.extent("w") == (0, -1, False)


def test_after_readers_it_says_again_where_it_is_and_demands_what_they_gave_up() -> None:
    keeper = Keeper(["v"], PLENTY)
    keeper.page(page(0, 1))
    first = list(keeper.wishes(everything, 0.0))
    keeper.interrupted()
    keeper.released(v(0))
    assert list(keeper.wishes(everything, 0.0)) == [first[0], Demand(v(0), WITHIN)]


def test_of_a_finished_rendition_nothing_is_wanted_from_what_there_was_no_room_for() -> None:
    keeper = Keeper(["v"], PLENTY)
    keeper.page(page(0, 1, 2, 3))
    assert demanded(keeper) == [v(0), v(1), v(2), v(3)]
    for sequence in range(4):
        keeper.kept(v(sequence))
    keeper.evicted(v(3))
    keeper.evicted(v(2))
    assert keeper.is_complete()
    assert demanded(keeper) == []
    assert keeper.progress == Progress(2, 2)


def test_of_a_live_rendition_what_comes_is_wanted_whatever_went() -> None:
    keeper = Keeper(["v"], PLENTY)
    keeper.page(page(0, 1, live=True))
    assert demanded(keeper) == [v(0), v(1)]
    keeper.kept(v(0))
    keeper.evicted(v(0))
    keeper.page(page(0, 1, 2, live=True, time=2))
    assert demanded(keeper) == [v(2)]


def test_what_is_lost_is_wanted_again() -> None:
    keeper = Keeper(["v"], PLENTY)
    keeper.page(page(0, 1))
    assert demanded(keeper) == [v(0), v(1)]
    keeper.kept(v(0))
    keeper.kept(v(1))
    keeper.lost(v(0))
    keeper.lost(v(0))
    assert not keeper.is_complete()
    assert demanded(keeper) == [v(0)]


def test_more_room_is_used_and_less_is_respected() -> None:
    keeper = Keeper(["v"], 200)
    keeper.page(page(0, 1, 2, 3))
    assert demanded(keeper) == [v(0), v(1)]
    keeper.kept(v(0))
    keeper.kept(v(1))
    assert keeper.is_complete()
    keeper.resize(300)
    assert demanded(keeper) == [v(2)]
    keeper.kept(v(2))
    keeper.resize(100)
    assert keeper.is_complete()
    assert keeper.progress.wanted == 1
    keeper.evicted(v(2))
    keeper.evicted(v(1))
    keeper.resize(PLENTY)
    assert demanded(keeper) == [v(1), v(2), v(3)]


def test_the_end_of_what_is_finished_goes_first_and_the_beginning_of_what_is_live() -> None:
    keeper = Keeper(["v", "w"], PLENTY)
    keeper.page(page(0, 1, 2))
    keeper.page(page(0, 1, 2, rendition="w", live=True))
    for name, order in (("v", [2, 1, 0]), ("w", [0, 2, 1])):
        keys = [SegmentKey(name, sequence) for sequence in range(3)]
        found = sorted(keys, key=lambda key: keeper.worth(key, 1))
        assert [key.sequence for key in found] == order


def test_who_waits_demands_nothing_more() -> None:
    keeper = Keeper(["v"], PLENTY)
    keeper.waits = True
    keeper.page(page(0, 1))
    assert demanded(keeper) == []
    assert not keeper.is_complete()
    keeper.waits = False
    assert demanded(keeper) == [v(0), v(1)]


def test_how_large_it_is_as_far_as_one_can_tell() -> None:
    keeper = Keeper(["v", "w"], 250)
    assert keeper.whole_size == keeper.expected_size == 0
    keeper.page(page(0, 1, last=9))
    assert keeper.whole_size == 1000
    keeper.page(page(2, 3, first=0, last=9, time=2))
    assert keeper.expected_size == 200, "there is no room for more"
    assert keeper.whole_size == 1000
    assert list(keeper.kept_segments()) == []
    keeper.kept(v(1))
    assert list(keeper.kept_segments()) == [v(1)]


def test_of_what_is_only_read_what_lies_behind_goes_first() -> None:
    keeper = Keeper(["v"], PLENTY, all_=False)
    keeper.page(page(0, 1, 2, 3))
    for sequence in range(4):
        keeper.kept(v(sequence))
    assert sorted(map(v, range(4)), key=lambda key: keeper.worth(key, 2)) == [
        v(0),
        v(1),
        v(3),
        v(2),
    ]
    keeper.evicted(v(1))
    assert keeper.progress == Progress(kept=3, wanted=4)
