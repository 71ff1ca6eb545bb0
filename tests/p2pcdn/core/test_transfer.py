"""One segment on its way in: how ranges are cut into chunks, and what becomes of each chunk."""

from __future__ import annotations

import hashlib
from functools import reduce
from itertools import count, pairwise
from operator import or_

from hypothesis import given
from hypothesis import strategies as st

from p2pcdn.core.bits import mask_of, numbers_in
from p2pcdn.core.transfer import (
    CHECK_TIMEOUT,
    FIRST_PAUSE,
    Copy,
    Fetch,
    Transfer,
)
from p2pcdn.model import CHUNK_SIZE, SegmentKey, Span, bytes_of, chunk_count
from tests.p2pcdn.core.media import Piece

KEY = SegmentKey("v", 7)
PIECE = Piece(KEY, 3 * CHUNK_SIZE + 1000)


def chunk_of(number: int) -> bytes:
    return PIECE.data[number * CHUNK_SIZE : (number + 1) * CHUNK_SIZE]


def transfer_at(now: float, *held: int) -> Transfer:
    return Transfer.of(KEY, PIECE.record(), PIECE.hashes(), mask_of(held), now)


def test_a_transfer_is_as_old_as_the_demand_for_it() -> None:
    assert transfer_at(3.0).since == 3.0


# Ranges


@given(st.data())
def test_a_range_is_cut_into_its_chunks_however_it_comes(data: st.DataObject) -> None:
    count_ = chunk_count(PIECE.length)
    first = data.draw(st.integers(0, count_ - 1))
    chunks = Span(first, data.draw(st.integers(first, count_ - 1)))
    start, end = bytes_of(PIECE.length, chunks)
    cuts = data.draw(st.sets(st.integers(start, end + 1), max_size=8)) | {start, end + 1}
    fetch = Fetch(1, KEY, PIECE.length, chunks)
    came: list[tuple[int, bytes]] = []
    for here, there in pairwise(sorted(cuts)):
        whole = fetch.take(PIECE.data[here:there])
        assert whole is not None
        came += whole
        assert list(fetch.left()) == list(range(chunks.first + len(came), chunks.last + 1))
        assert fetch.rest() == there - start - sum(len(piece) for _, piece in came)
    assert came == [(number, chunk_of(number)) for number in chunks.numbers()]
    assert fetch.received == end - start + 1
    assert fetch.take(b"x") is None


@given(st.integers(0, 2 * CHUNK_SIZE - 1), st.integers(1, 10))
def test_bytes_too_many_give_nothing_and_take_nothing(before: int, extra: int) -> None:
    fetch = Fetch(1, KEY, PIECE.length, Span(0, 1))
    came = fetch.take(PIECE.data[:before])
    assert came is not None
    left = list(fetch.left())
    assert fetch.take(bytes(2 * CHUNK_SIZE - before + extra)) is None
    assert list(fetch.left()) == left != []


def test_what_a_fetch_has_not_brought() -> None:
    fetch = Fetch(1, KEY, PIECE.length, Span(1, 3))
    assert list(fetch.left()) == [1, 2, 3]
    assert fetch.take(PIECE.data[CHUNK_SIZE : 2 * CHUNK_SIZE + 5]) == [(1, chunk_of(1))]
    assert list(fetch.left()) == [2, 3]
    assert fetch.rest() == 5


# Chunks


def test_a_new_transfer_lacks_what_is_not_held() -> None:
    transfer = transfer_at(0.0, 1, 3)
    assert list(numbers_in(transfer.missing)) == [0, 2]
    assert list(numbers_in(transfer.have)) == [1, 3]
    assert transfer.bytes_missing() == 2 * CHUNK_SIZE
    assert not transfer.complete
    assert transfer_at(0.0, 0, 1, 2, 3).complete
    assert transfer.timer_at() is None


def test_a_chunk_counts_once_it_has_been_checked() -> None:
    now = 0.0
    transfer, numbers = transfer_at(now, 0, 1, 2), count(9)
    transfer.asked_peer(3)
    check = transfer.arrived(Copy(3, chunk_of(3), link=5), numbers, now)
    assert check is not None
    assert (check.check, check.data) == (9, chunk_of(3))
    assert check.digest == hashlib.sha256(chunk_of(3)).digest()
    assert transfer.checking == 1 << 3
    assert transfer.busy
    assert transfer.bytes_missing() == 0
    assert list(numbers_in(transfer.have)) == [0, 1, 2]
    assert transfer.peer_bytes == 0
    assert transfer.checked(9, ok=True).link == 5
    assert transfer.complete
    assert (transfer.peer_bytes, transfer.origin_bytes) == (1000, 0)


def test_a_wrong_chunk_is_missing_again() -> None:
    now = 0.0
    transfer, numbers = transfer_at(now), count()
    transfer.asked_origin(Span(0, 3))
    assert transfer.arrived(Copy(0, b"wrong"), numbers, now)
    transfer.checked(0, ok=False)
    assert list(numbers_in(transfer.missing)) == [0]
    assert transfer.origin_bytes == 0


def test_of_two_copies_the_first_is_checked() -> None:
    now = 0.0
    transfer, numbers = transfer_at(now), count()
    assert transfer.arrived(Copy(0, chunk_of(0)), numbers, now)
    assert transfer.arrived(Copy(0, chunk_of(0), link=5), numbers, now) is None
    transfer.checked(0, ok=True)
    assert transfer.arrived(Copy(0, chunk_of(0), link=5), numbers, now) is None
    assert (transfer.peer_bytes, transfer.origin_bytes) == (0, CHUNK_SIZE)


def test_the_origin_may_be_asked_for_what_a_peer_was_asked_for() -> None:
    transfer = transfer_at(0.0, 0)
    transfer.asked_peer(1)
    transfer.asked_origin(Span(0, 2))
    assert list(numbers_in(transfer.origin)) == [1, 2]
    transfer.lost(1, origin=False)
    assert list(numbers_in(transfer.origin)) == [1, 2]
    transfer.lost(1, origin=True)
    transfer.lost(3, origin=True)
    assert list(numbers_in(transfer.missing)) == [1, 3]


def test_a_peer_may_be_asked_for_what_the_origin_was_asked_for() -> None:
    transfer = transfer_at(0.0, 0)
    transfer.asked_origin(Span(0, 2))
    transfer.asked_peer(2)
    assert states_of(transfer) == [0b1000, 0b0100, 0b0010, 0, 0b0001]


def test_the_origin_is_given_a_pause_that_doubles_up_to_a_bound() -> None:
    now = 0.0
    transfer = transfer_at(now)
    pauses = []
    for _ in range(7):
        transfer.origin_failed(now)
        pauses.append(transfer.origin_after - now)
    assert pauses == [FIRST_PAUSE * factor for factor in (1, 2, 4, 8, 16, 16, 16)]


def test_a_check_is_waited_for_for_so_long() -> None:
    now = 0.0
    transfer, numbers = transfer_at(now), count()
    transfer.arrived(Copy(0, chunk_of(0)), numbers, now)
    transfer.arrived(Copy(1, chunk_of(1)), numbers, now + 1)
    assert transfer.timer_at() == now + CHECK_TIMEOUT
    assert transfer.checks_before(now + CHECK_TIMEOUT) == [0]
    assert transfer.checks_before(now + CHECK_TIMEOUT + 1) == [0, 1]


def states_of(transfer: Transfer) -> list[int]:
    return [
        transfer.missing,
        transfer.peer,
        transfer.origin,
        transfer.checking,
        transfer.have,
    ]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["peer", "origin", "lost", "dropped", "came", "right", "wrong"]),
        st.integers(0, 3),
    ),
    max_size=40,
)


@given(STEPS)
def test_never_complete_without_every_chunk_verified(steps: list[tuple[str, int]]) -> None:
    now = 0.0
    transfer, numbers = transfer_at(now), count()
    pending: dict[int, int] = {}
    verified: set[int] = set()
    for step, chunk in steps:
        if step == "peer" and (transfer.missing | transfer.origin) >> chunk & 1:
            transfer.asked_peer(chunk)
        elif step == "origin":
            transfer.asked_origin(Span(0, chunk))
        elif step in ("lost", "dropped"):
            transfer.lost(chunk, origin=step == "dropped")
        elif step == "came":
            check = transfer.arrived(Copy(chunk, chunk_of(chunk), link=1), numbers, now)
            if check is not None:
                pending[check.check] = chunk
        elif step in ("right", "wrong") and pending:
            number, chunk = pending.popitem()
            transfer.checked(number, ok=step == "right")
            verified |= {chunk} if step == "right" else set()
        assert set(numbers_in(transfer.have)) == verified
        assert set(numbers_in(transfer.checking)) == set(pending.values())
        assert transfer.complete == (verified == {0, 1, 2, 3})
        assert transfer.peer_bytes == sum(transfer.length_of(c) for c in verified)
        masks = states_of(transfer)
        assert reduce(or_, masks) == sum(masks) == 0b1111, "each chunk is in exactly one state"
        on_its_way = transfer.missing | transfer.peer | transfer.origin
        assert transfer.bytes_missing() == sum(map(transfer.length_of, numbers_in(on_its_way)))
        assert transfer.busy == bool(transfer.peer | transfer.origin | transfer.checking)


def test_which_chunk_is_how_long() -> None:
    transfer = transfer_at(0.0)
    assert [transfer.length_of(c) for c in range(4)] == [CHUNK_SIZE] * 3 + [1000]
    assert transfer.bytes_missing() == PIECE.length
