"""What no honest peer would say is refused as a whole, and counted by its reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from math import inf, nan
from random import Random
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pcdn.core.account import MOST_NUMBERS
from p2pcdn.core.amounts import MOST_BYTES
from p2pcdn.core.audit import BURST, MOST_BITS, NATIVE, TWINS, UNHEARD, Ceilings, Extent
from p2pcdn.core.ledger import MOST_CONTENTS, Ledger
from p2pcdn.core.ledger_ports import Summary
from p2pcdn.wire.tracker import PairReport, Quality, Report
from tests.p2pcdn.core.telling import PAIRING, Runs, chunks, gave, got, report, several, size

CEILINGS = Ceilings(rate=1_000_000.0, ahead=60.0)


@pytest.fixture
def ledger() -> Ledger:
    return of_two()


def of_two() -> Ledger:
    """The other end has said already what is claimed here."""
    made = Ledger()
    made.ceilings = CEILINGS
    for session in "ab":
        made.joined(session, "content", 0.0)
    made.paired(PAIRING, "a", "b")
    assert made.report("b", report(1, gave(*several(100))), 0.0)
    return made


def reasons(ledger: Ledger) -> dict[str, int]:
    failures = ledger.take_reading().failures
    return {reason: count for (kind, reason), count in failures.items() if kind == "report"}


def unmoved(ledger: Ledger, said: Any, now: float = 0.0) -> str:
    """That a report changes nothing but the count of those refused; the reason."""
    before = told(ledger.summary())
    assert not ledger.report("a", said, now)
    after = told(ledger.summary())
    assert after.pop("refused_reports") == before.pop("refused_reports") + 1
    assert after == before
    ((reason, count),) = reasons(ledger).items()
    assert count == 1
    return reason


def told(summary: Summary) -> dict[str, Any]:
    return {name: getattr(summary, name) for name in summary.__struct_fields__}


WRONG = (-1, MOST_BYTES + 1, 2**64, nan, inf, 0.5, True, "1", None)


@pytest.mark.parametrize("figure", WRONG)
@pytest.mark.parametrize("name", Report.__struct_fields__[:7])
def test_what_is_no_number_is_refused(ledger: Ledger, name: str, figure: Any) -> None:
    said = report(1, got(chunks(0)))
    assert unmoved(ledger, Report(**(fields(said) | {name: figure}))) == "senseless"


@pytest.mark.parametrize("figure", WRONG)
@pytest.mark.parametrize("name", ["waste", "rejected"])
def test_so_it_is_of_a_pairing(ledger: Ledger, name: str, figure: Any) -> None:
    assert unmoved(ledger, report(1, PairReport(PAIRING, **{name: figure}))) == "senseless"


@pytest.mark.parametrize("figure", WRONG[:-1])
@pytest.mark.parametrize("name", ["startup", "played", "stalls", "stalled", "rate"])
def test_and_of_quality(ledger: Ledger, name: str, figure: Any) -> None:
    if name == "startup" and figure in (0.5, True, "1"):
        return  # times may have fractions; what is no number the decoder does not let through
    assert unmoved(ledger, report(1, quality=Quality(**{name: figure}))) == "senseless"


def fields(said: Report) -> dict[str, Any]:
    return {name: getattr(said, name) for name in said.__struct_fields__}


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_report_that_does_not_come_next_is_a_replay(ledger: Ledger, number: int) -> None:
    assert ledger.report("a", report(2, got(chunks(0))), 0.0)
    if number:
        assert unmoved(ledger, report(number, got(chunks(1)))) == "replayed"
    else:
        assert unmoved(ledger, report(2, got(chunks(0)))) == "replayed"


def test_each_of_the_last_reports_may_come_both_ways_once(ledger: Ledger) -> None:
    for number in range(TWINS + 1):
        assert ledger.report("a", report(number + 1, got(chunks(number))), 0.0)
    before = told(ledger.summary())
    for number in range(1, TWINS + 1):
        assert not ledger.report("a", report(number + 1, got(chunks(number))), 0.0, "beacon")
    assert told(ledger.summary()) == before, "neither counted nor refused"
    for channel in ("socket", "beacon"):
        assert not ledger.report("a", report(TWINS + 1, got(chunks(0))), 0.0, channel)
    assert reasons(ledger) == {"replayed": 2}
    assert not ledger.report("a", report(1, got(chunks(0))), 0.0, "beacon")
    assert reasons(ledger) == {"replayed": 1}, "that is too long ago"


def test_a_report_may_be_lost(ledger: Ledger) -> None:
    assert ledger.report("a", report(1, got(chunks(0))), 0.0)
    assert ledger.report("a", report(7, got(chunks(1))), 0.0)
    assert ledger.summary().peer_bytes_confirmed == size(2)


def test_one_who_was_refused_may_do_better(ledger: Ledger) -> None:
    assert unmoved(ledger, report(1, got(chunks(0)), got(chunks(0)))) == "overlapping"
    assert ledger.report("a", report(1, got(chunks(0))), 0.0)


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(report(1, got(chunks(0)), gave(chunks(0))), id="a pairing twice"),
        pytest.param(report(1, got(chunks(0, 3), chunks(3, 5))), id="a segment twice"),
        pytest.param(report(1, got((0, 0, 0, 0, 3, 3, 5))), id="runs that overlap"),
        pytest.param(report(1, origin=((0, 0, 0, 0, 3, 3, 5),)), id="of the origin"),
        pytest.param(report(1, gave((1, 0, 0, 0, 3))), id="of no rendition"),
        pytest.param(
            Report(1, renditions=("v", "v"), pairs=(got((0, 0, 0, 0, 0), (1, 0, 0, 0, 0)),)),
            id="a rendition twice",
        ),
    ],
)
def test_what_is_said_twice_is_refused(ledger: Ledger, said: Report) -> None:
    assert unmoved(ledger, said) == "overlapping"


def test_reports_come_at_a_measure(ledger: Ledger) -> None:
    number = 0
    for _ in range(BURST):
        number += 1
        assert ledger.report("a", report(number), 0.0)
    assert unmoved(ledger, report(number + 1)) == "too_often"
    for later in range(1, 30):
        number += 1
        assert ledger.report("a", report(number), CEILINGS.every * later / 2)


def test_what_has_no_room_in_a_report_is_refused(ledger: Ledger) -> None:
    most = [chunks(0, sequence=sequence) for sequence in range(MOST_NUMBERS // 5)]
    one = chunks(0, sequence=len(most))
    assert unmoved(ledger, report(1, got(*most, one))) == "too_long"
    assert unmoved(ledger, report(1, got(*most[:600]), origin=(*most[600:], one))) == "too_long"
    assert ledger.report("a", report(1, origin=tuple(most)), 0.0)


def test_few_numbers_that_would_take_much_memory_are_refused(ledger: Ledger) -> None:
    far = [chunks(65_535, sequence=sequence, size=1) for sequence in range(MOST_BITS // 65_536)]
    one = chunks(0, sequence=len(far))
    assert unmoved(ledger, report(1, got(*far, one))) == "too_long"
    assert unmoved(ledger, report(1, got(one), origin=tuple(far))) == "too_long"
    assert ledger.report("a", report(1, got(*far)), 0.0)


def test_a_liar_fills_no_memory(ledger: Ledger) -> None:
    for number in range(1, BURST):
        far = [
            chunks(65_535, sequence=16 * number + sequence, size=1)
            for sequence in range(MOST_BITS // 65_536)
        ]
        assert ledger.report("a", report(number, gave(*far)), 0.0)
    (way,) = [way for way in ledger._pairs[PAIRING].ways.values() if way._bits > 10_000]
    assert not way.is_full


# Ceilings


@pytest.mark.parametrize(("viewer", "times"), [(True, 1), (False, NATIVE)])
@pytest.mark.parametrize(("now", "seconds"), [(0.0, 60), (40.0, 100)])
def test_nobody_got_more_than_can_have_been_played(
    viewer: bool, times: int, now: float, seconds: int
) -> None:
    ledger = Ledger()
    ledger.ceilings = CEILINGS
    ledger.joined("a", "content", 0.0, viewer=viewer)
    ledger.joined("b", "content", 0.0)
    ledger.paired(PAIRING, "a", "b")
    most = int(times * seconds * CEILINGS.rate // size(1))
    assert unmoved(ledger, report(1, got(*several(most + 1))), now) == "too_much"
    assert ledger.report("a", report(1, got(*several(most - 100))), now)
    assert unmoved(ledger, report(2, got(*several(101))), now) == "too_much"
    assert ledger.report("a", report(2, got(*several(100))), now)


@pytest.mark.parametrize(
    "much",
    [
        report(1, origin_bytes=60_000_001),
        report(1, waste_bytes=16 * 60_000_001),
        report(1, PairReport(PAIRING, waste=16 * 60_000_001)),
        report(1, gave(*several(16 * 916))),
        report(1, quality=Quality(played=60_001)),
        report(1, quality=Quality(stalled=60_001)),
        report(1, quality=Quality(played=30_001, stalled=30_000)),
        report(1, quality=Quality(stalls=601)),
    ],
)
def test_nor_gave_nor_watched(ledger: Ledger, much: Report) -> None:
    assert unmoved(ledger, much) == "too_much"


def test_a_rate_beyond_the_ceiling_counts_as_the_ceiling(ledger: Ledger) -> None:
    assert ledger.report("a", report(1, quality=Quality(played=1000, rate=10**12)), 0.0)
    assert ledger.summary().bitrate == 8_000_000


# The content


def test_what_does_not_exist_was_not_moved(ledger: Ledger) -> None:
    ledger.measured("content", "v", Extent(0.0, chunks=10, first=5, last=9))
    for run in (chunks(0, 10, sequence=5), chunks(0, sequence=4), chunks(0, sequence=10)):
        assert unmoved(ledger, report(1, got(run))) == "nonexistent"
        assert unmoved(ledger, report(1, origin=(run,))) == "nonexistent"
    assert ledger.report("a", report(1, got(chunks(0, 9, sequence=5))), 0.0)


def test_a_live_stream_goes_on_but_not_for_ever(ledger: Ledger) -> None:
    ledger.measured("content", "v", Extent(0.0, chunks=10, first=5, last=9, live=True))
    newest = 9 + UNHEARD
    assert unmoved(ledger, report(1, got(chunks(0, sequence=newest + 1)))) == "nonexistent"
    assert ledger.report("a", report(1, got(chunks(0, sequence=newest))), 0.0)
    assert ledger.report("a", report(2, got(chunks(0))), 0.0), "it was out before"


def test_what_the_origin_has_not_spoken_of_earns_nothing(ledger: Ledger) -> None:
    ledger.measured("content", "w", Extent(0.0, chunks=10, first=5, last=9))
    assert ledger.report("a", report(1, got(chunks(0))), 0.0)
    assert ledger.summary().peer_bytes_confirmed == 0


def test_nor_does_a_content_once_the_origin_speaks_here(ledger: Ledger) -> None:
    ledger.measured("another", "v", Extent(0.0, chunks=10, first=5, last=9))
    assert ledger.report("a", report(1, got(chunks(0))), 0.0)
    assert ledger.summary().peer_bytes_confirmed == 0


def test_of_a_content_of_known_rate_no_more_is_played(ledger: Ledger) -> None:
    ledger.measured("content", "v", Extent(1000.0, chunks=10, first=0, last=10**6))
    most = int(CEILINGS.store + 60_000 * CEILINGS.peaks)
    ledger.ceilings = Ceilings(rate=10**9)
    assert unmoved(ledger, report(1, origin_bytes=most + 1)) == "too_much"
    assert ledger.report("a", report(1, origin_bytes=most), 0.0)
    ledger.joined("native", "content", 0.0, viewer=False)
    assert ledger.report("native", report(1, origin_bytes=9 * most), 0.0)


def test_contents_are_remembered_within_bounds() -> None:
    ledger = Ledger()
    for number in range(MOST_CONTENTS + 5):
        ledger.measured(f"{number}", "v", EXTENT)
        ledger.measured("lasting", "v", EXTENT)
    assert len(ledger._extents) == MOST_CONTENTS
    assert "lasting" in ledger._extents


# Attackers


SEGMENT = 16
"""Chunks of two seconds."""
EXTENT = Extent(rate=size(SEGMENT) / 2, chunks=SEGMENT, first=0, last=9999)


class Swarm:
    """100 viewers with eight neighbours each, for two minutes. A liar makes many times as much of
    what it moved, and of what came from the origin says nothing."""

    def __init__(
        self,
        liars: float,
        lie: Callable[[Runs], list[Runs]],
        seed: int,
        by_origin: Callable[[int], bool] = lambda sequence: False,
    ) -> None:
        self.random = Random(seed)
        self.lie = lie
        self.by_origin = by_origin
        """Whether a segment comes from the origin, to each viewer."""
        self.ledger = Ledger()  # with the usual ceilings
        self.ledger.measured("content", "v", EXTENT)
        self.names = [f"v{number}" for number in range(100)]
        self.liars = set(self.random.sample(self.names, int(liars * len(self.names))))
        self.links: dict[str, dict[str, str]] = {name: {} for name in self.names}
        """The pairing with each neighbour."""
        self.true = 0
        """What went from peer to peer."""
        self.among_liars = 0
        """What of that went from liar to liar."""
        for name in self.names:
            self.ledger.joined(name, "content", 0.0)
        for at, name in enumerate(self.names):
            for step in (1, 7, 23, 31):  # liars are among their own as often as chance has it
                other = self.names[(at + step) % len(self.names)]
                self.links[name][other] = self.links[other][name] = f"{name}-{other}"
                self.ledger.paired(f"{name}-{other}", name, other)
        for number in range(1, 13):
            self.report(number)
        self.ledger.on_timer(1000.0)
        self.summary = self.ledger.summary()

    def report(self, number: int) -> None:
        """What happens in ten seconds, and is reported."""
        got_: dict[tuple[str, str], list[Runs]] = {}
        sequences = range(5 * number, 5 * number + 5)
        origin = tuple(chunks(0, SEGMENT - 1, sequence=s) for s in sequences if self.by_origin(s))
        origin += (chunks(0, sequence=1000 + number),)
        for name in self.names:
            for sequence in sequences:
                if self.by_origin(sequence):
                    continue
                sender = self.random.choice(list(self.links[name]))
                got_.setdefault((sender, name), []).append(
                    chunks(0, SEGMENT - 1, sequence=sequence)
                )
                self.true += size(SEGMENT)
                self.among_liars += size(SEGMENT) * ({sender, name} <= self.liars)
        for name in self.names:
            lies = name in self.liars
            pairs = [
                PairReport(
                    pairing,
                    self.told(got_.get((other, name), []), lies),
                    self.told(got_.get((name, other), []), lies),
                )
                for other, pairing in self.links[name].items()
            ]
            said = report(number, *pairs, origin=() if lies else origin)
            self.ledger.report(name, said, 10.0 * number)

    def told(self, runs: list[Runs], lies: bool) -> tuple[Runs, ...]:
        if not lies:
            return tuple(runs)
        lied = {run[1]: run for told in runs for run in self.lie(told)}
        return tuple(lied[sequence] for sequence in sorted(lied))


def longer(told: Runs) -> list[Runs]:
    """Of each segment a hundred times as many chunks."""
    return [(*told[:4], 100 * SEGMENT - 1)]


def more(told: Runs) -> list[Runs]:
    """Each segment, and the hundred after it."""
    return [(0, told[1] + later, *told[2:]) for later in range(100)]


def test_the_honest_are_believed() -> None:
    swarm = Swarm(0, longer, 1)
    assert swarm.summary.peer_bytes_confirmed == swarm.true
    assert swarm.summary.refused_reports == swarm.summary.peer_bytes_disputed == 0


@pytest.mark.parametrize("lie", [longer, more])
def test_a_tenth_who_inflate_a_hundredfold_raise_the_headline_by_no_percent(
    lie: Callable[[Runs], list[Runs]],
) -> None:
    swarm = Swarm(0.1, lie, 2)
    assert swarm.summary.peer_bytes_confirmed <= 1.01 * swarm.true
    # The others lose no more than what liars say of them.
    assert swarm.summary.peer_bytes_confirmed >= 0.75 * swarm.true
    assert swarm.summary.refused_reports > 0


@pytest.mark.parametrize("times", [2, 3])
def test_a_tenth_who_inflate_a_little_are_denied_what_others_do_not_say(times: int) -> None:
    def inflated(told: Runs) -> list[Runs]:
        return [(0, told[1] + later, *told[2:]) for later in range(times)]

    swarm = Swarm(0.1, inflated, 2, lambda sequence: sequence % 2 == 1)
    assert swarm.summary.refused_reports == 0, "nothing of it is beyond belief"
    assert swarm.summary.peer_bytes_disputed >= 0.1 * (times - 1) * swarm.true
    # What liars gave each other they can agree on. Every second segment of it was the origin's.
    assert swarm.true <= swarm.summary.peer_bytes_confirmed <= swarm.true + swarm.among_liars
    assert swarm.among_liars <= 0.02 * swarm.true


def test_two_who_agree_to_lie_are_held_to_what_one_can_have_played() -> None:
    ledger = Ledger()
    ledger.ceilings = CEILINGS
    for session in "ab":
        ledger.joined(session, "content", 0.0)
    ledger.paired(PAIRING, "a", "b")
    for number in range(1, 200):
        now = 10.0 * number
        runs = several(320)  # some 20 MB in 10 s, at 1 MB/s
        shifted = tuple((0, number * 100 + run[1], *run[2:]) for run in runs)
        both = PairReport(PAIRING, shifted, shifted)
        for session in "ab":
            ledger.report(session, report(number, both), now)
    most = CEILINGS.rate * (10.0 * 199 + CEILINGS.ahead)
    assert 0 < ledger.summary().peer_bytes_confirmed <= 2 * most
    assert ledger.summary().refused_reports > 100


def nonsense(random: Random) -> Any:
    """A number, or what passes for one."""
    return random.choice(
        (
            *(0, 1, 2, random.randrange(70_000), random.randrange(2**53), -random.randrange(2**60)),
            *(2**53, 2**64, nan, inf, -inf, 0.5, True, None, "1"),
        )
    )


def bad_report(random: Random) -> Report:
    """One that looks like a report, of chunks that nobody else speaks of."""

    def perhaps(usual: int, share: float = 0.03) -> Any:
        return nonsense(random) if random.random() < share else usual

    def runs() -> Any:
        return tuple(
            tuple(perhaps(random.randrange(3), 0.1) for _ in range(random.choice((4, 5, 5, 7))))
            for _ in range(random.randrange(3))
        )

    pairs = tuple(
        PairReport(
            random.choice((PAIRING, "p", "")),
            runs(),
            runs(),
            perhaps(0),
            perhaps(0),
            random.choice((None, None, "host", "srflx", "relay")),
        )
        for _ in range(random.randrange(3))
    )
    startup = random.choice((None, None, 0.5, 812.0, -1.0, nan, inf))  # as the decoder has it
    quality = Quality(startup, *(perhaps(0) for _ in range(4))) if random.random() < 0.3 else None
    figures = [perhaps(0) for _ in range(6)]
    return Report(*cast("Any", (perhaps(1), *figures, ("w", "x"), runs(), pairs, quality)))


def test_ten_thousand_bad_reports_earn_nothing() -> None:
    random = Random(7)
    refused: Counter[str] = Counter()
    for _ in range(10_000):
        ledger = of_two()  # so that no report is refused for those before it
        before = told(ledger.summary())
        session = "nobody" if random.random() < 0.05 else "a"
        if not ledger.report(session, bad_report(random), 0.0):
            refused.update(reasons(ledger))
            after = told(ledger.summary())
            assert after.pop("refused_reports") == before.pop("refused_reports") + 1
            assert after == before
        assert ledger.summary().peer_bytes_confirmed == 0
    assert 100 <= 10_000 - refused.total() <= 2_000, "some of them make sense by chance"
    assert min(refused["senseless"], refused["overlapping"]) >= 1_000
    assert min(refused[reason] for reason in ("too_much", "replayed", "stranger")) > 0


@given(
    st.lists(
        st.tuples(
            st.integers(0, 3), st.integers(0, 5), st.integers(0, 20), st.integers(-2, 20),
            st.integers(0, 70_000),
        ),
        max_size=5,
    )
)  # fmt: skip
def test_what_one_end_alone_says_earns_nothing_however_it_says_it(
    runs: list[tuple[int, int, int, int, int]],
) -> None:
    ledger = Ledger()
    for session in "ab":
        ledger.joined(session, "content", 0.0)
    ledger.paired(PAIRING, "a", "b")
    said = tuple((r, s, size_, first, first + more) for r, s, first, more, size_ in runs)
    ledger.report("a", report(1, PairReport(PAIRING, said, said), origin=said), 0.0)
    ledger.report("b", report(1), 1.0)
    ledger.on_timer(1000.0)
    summary = ledger.summary()
    assert summary.peer_bytes_confirmed == summary.waste_bytes == 0
    assert summary.peer_bytes_claimed >= 0
