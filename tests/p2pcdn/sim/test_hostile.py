"""Hostile swarms, a sample of those that ``python -m bench.hostile`` goes through."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from p2pcdn.model import ChunkKey, SegmentKey
from p2pcdn.sim.evil import EVIL
from p2pcdn.sim.hostile import HostileWorld, Outcome, Trial, TrueMedia, WitnessStore, run_trial
from p2pcdn.sim.media import RENDITION

SIZES = (8, 8, 8, 8, 10, 8, 8, 8, 8, 8, 8, 12)
"""Viewers: most trials are of a few, so that there can be many."""
SHARES = (0.13, 0.5, 0.25, 0.34)


def sample(behaviour: str) -> Iterator[Trial]:
    """Each size and share of both kinds, a dozen in all."""
    for number, viewers in enumerate(SIZES):
        kind = ("live", "vod")[(number + number // 4) % 2]
        yield Trial(behaviour, SHARES[number % 4], kind, viewers, 1 + number)


SENDS_WRONG = {
    "wrong", "boasts, and wrong", "sometimes wrong", "wrong to one", "last bit flipped", "overlong",
    "unasked", "another chunk", "an old segment", "another rendition", "wrong, and accuses",
}  # fmt: skip
BANNED = SENDS_WRONG - {"sometimes wrong", "wrong to one", "wrong, and accuses"}


def test_there_are_two_hundred_trials() -> None:
    assert sum(1 for behaviour in EVIL for _ in sample(behaviour)) >= 200
    assert set(EVIL) >= SENDS_WRONG
    assert max(SHARES) == 0.5


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("behaviour", EVIL)
def test_nothing_comes_of(behaviour: str) -> None:
    outcomes = [run_trial(trial) for trial in sample(behaviour)]
    broken = [(outcome.trial, problems) for outcome in outcomes if (problems := outcome.problems())]
    assert broken == []
    # And something was there to come.
    assert any(outcome.rejected for outcome in outcomes) is (behaviour in SENDS_WRONG)
    assert any(outcome.peer_share > 0.2 for outcome in outcomes)
    if behaviour in BANNED:
        assert sum(outcome.banned for outcome in outcomes) > 0


# That the trials would see it


def world(behaviour: str = "wrong", share: float = 0.25, kind: str = "vod") -> HostileWorld:
    return HostileWorld(Trial(behaviour, share, kind, 8, 1).scene(), 1, behaviour, share)


def test_who_believes_anything_is_seen() -> None:
    gullible = world()
    gullible.media.is_true = lambda data, digest: True  # type: ignore[method-assign]
    gullible.run()
    assert gullible.found.stored
    assert gullible.found.played
    assert gullible.found.relayed


def outcome(**changes: float) -> Outcome:
    figures = dict.fromkeys(Outcome.__dataclass_fields__, 0) | {
        "startup": 1.0,
        "startup_plain": 1.0,
    }
    return Outcome(**(figures | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({}, None),
        ({"wrong_stored": 1}, "1 wrong chunks stored, played or passed on"),
        ({"wrong_played": 2}, "2 wrong chunks stored, played or passed on"),
        ({"wrong_relayed": 3}, "3 wrong chunks stored, played or passed on"),
        ({"honest_banned": 1}, "1 honest viewers banned"),
        ({"due": 2, "spared": 1}, "1 of 2 poisoners not banned"),
        ({"startup": 1.09}, None),
        ({"startup": 1.11}, "start-up 1.110 s, plain 1.000 s"),
        ({"stalls": 1, "stalls_plain": 1}, None),
        ({"stalls": 2, "stalls_plain": 1}, "2 stalls, plain 1"),
    ],
)
def test_what_is_a_problem(changes: dict[str, float], problem: str | None) -> None:
    assert outcome(**changes).problems() == ([] if problem is None else [problem])


def test_who_is_due_is_told_from_what_happened(monkeypatch: pytest.MonkeyPatch) -> None:
    trial = Trial("boasts, and wrong", 0.13, "live", 8, 1)
    assert run_trial(trial).due == 1
    monkeypatch.setattr("p2pcdn.core.blame.DELIBERATION", 60.0)
    assert run_trial(trial).problems() == ["1 of 1 poisoners not banned"]


# The media


def test_no_two_chunks_are_alike() -> None:
    media = TrueMedia(100_000, 2.0, 5, 0)
    chunks = [media.made(r, s, c, 65_536) for r in (0, 1) for s in range(5) for c in (0, 1)]
    assert len(set(chunks)) == 20
    assert media.bytes_of(3, 0, 99_999) == chunks[6] + chunks[7][: 100_000 - 65_536]
    assert media.bytes_of(3, 65_530, 65_540) == chunks[6][-6:] + chunks[7][:5]


def test_a_chunk_is_true_where_it_belongs() -> None:
    media = TrueMedia(100_000, 2.0, 5, 0)
    digest = media.hashes_of(3)[32:]
    assert media.is_true(media.bytes_of_chunk(3, 1), digest)
    for sequence, chunk in ((3, 0), (2, 1), (4, 1)):
        assert not media.is_true(media.bytes_of_chunk(sequence, chunk), digest)


def test_a_store_tells_what_it_was_given() -> None:
    watched = world()
    store = watched.media.store(10**9)
    assert isinstance(store, WitnessStore)
    good, bad = ChunkKey(RENDITION, 1, 0), ChunkKey(RENDITION, 1, 1)
    store.put(good, watched.media.truth(good))
    assert watched.found.stored == []
    store.put(bad, watched.media.truth(good))
    assert watched.found.stored == [bad]
    assert store.chunks(SegmentKey(RENDITION, 1)) == {0, 1}
