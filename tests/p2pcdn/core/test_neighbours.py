"""Several links together: who may be asked for what, and what is left of those that ended."""

from __future__ import annotations

from unittest.mock import ANY

from p2pcdn.core.account import Room
from p2pcdn.core.link import FIRST_RATE, FIRST_WINDOW, HELLO_TIMEOUT, LEAST_PATIENCE, Need
from p2pcdn.core.neighbours import (
    ANNOUNCE_EVERY,
    FIRST_DUPLICATES,
    FIRST_WORDS,
    HOLDINGS,
    REST,
    Asked,
    Delivered,
    Down,
    Heard,
    Neighbours,
    Noted,
    Undelivered,
    Up,
)
from p2pcdn.core.ports import LinkSays, LinkSends, SendFrame, TellLink
from p2pcdn.errors import ErrorCode
from p2pcdn.model import CHUNK_SIZE, PROTOCOL, ChunkKey, SegmentKey, Span, numbers_of
from p2pcdn.wire.chunk import Frame, frames_of
from p2pcdn.wire.link import (
    Busy,
    Bye,
    Cancel,
    Gone,
    Have,
    Hello,
    Holding,
    LinkMessage,
    Loading,
    Missing,
    Want,
)
from tests.p2pcdn.core.media import Media, Piece

CONTENT = "00112233445566778899aabbccddeeff"
OURS = Hello(PROTOCOL, CONTENT, "0" * 16, upload=True)
KEY = ChunkKey("v", 7, 2)
OTHER = ChunkKey("v", 7, 3)
SEGMENT = KEY.segment
HOLDING = Holding("v", 7, (Span(2, 2),))
NOW = 0.0
LATER = NOW + FIRST_WORDS
"""When links that opened at ``NOW`` are listened to first no longer."""
CHUNK = bytes(CHUNK_SIZE)
MEDIA = Media.of([Piece(SegmentKey("v", 0), 1000)], live=True)


def say(neighbours: Neighbours, link: int, *messages: LinkMessage, now: float = NOW) -> None:
    for message in messages:
        neighbours.receive(LinkSays(link, message), now)


def neighbours_with(*links: int) -> Neighbours:
    """These links are up, to peers whose ids are made of their number."""
    neighbours = Neighbours()
    for link in links:
        neighbours.opened(link, OURS, NOW)
        say(neighbours, link, Hello(PROTOCOL, CONTENT, f"{link:x}" * 16, upload=True))
    neighbours.take_events()
    neighbours.take_messages()
    return neighbours


def told(neighbours: Neighbours) -> list[tuple[int, LinkMessage]]:
    return [(o.link, o.message) for o in neighbours.take_messages() if isinstance(o, TellLink)]


def in_flight(neighbours: Neighbours) -> dict[int, int]:
    """How many wants are open, by link."""
    return {view.number: view.in_flight for view in neighbours.views(LATER)}


def holders(neighbours: Neighbours, chunk: int, now: float = LATER) -> list[int]:
    """The links that may be asked for a chunk."""
    views = neighbours.views(now)
    return [view.number for view in views if view.held.get(SEGMENT, 0) >> chunk & 1]


def pass_until(neighbours: Neighbours, now: float) -> None:
    """Let time pass."""
    while (at := neighbours.timer_at()) is not None and at <= now:
        neighbours.on_timer(at)


def test_a_link_is_up_when_it_has_been_greeted() -> None:
    neighbours = Neighbours()
    neighbours.opened(1, OURS, NOW)
    assert told(neighbours) == [(1, OURS)]
    assert (neighbours.all(), neighbours.up(), neighbours.views(LATER)) == ([1], [], [])
    say(neighbours, 1, Hello(PROTOCOL, CONTENT, "a" * 16, upload=True))
    assert neighbours.take_events() == [Up(1, "a" * 16)]
    assert neighbours.peers() == ["a" * 16]
    (link,) = neighbours.views(LATER)
    assert (link.number, link.in_flight, link.window) == (1, 0, FIRST_WINDOW)
    assert (link.rate, link.busy_until, link.held) == (FIRST_RATE, 0.0, {})


def test_who_does_not_upload_has_no_turn() -> None:
    neighbours = neighbours_with(1)
    neighbours.opened(2, OURS, NOW)
    say(neighbours, 2, Hello(PROTOCOL, CONTENT, "2" * 16, upload=False))
    assert neighbours.peers() == ["1" * 16]
    assert [view.number for view in neighbours.views(LATER)] == [1, 2]


def test_a_link_that_never_was_up() -> None:
    neighbours = Neighbours()
    neighbours.opened(1, OURS, NOW)
    assert neighbours.timer_at() == NOW + HELLO_TIMEOUT
    neighbours.on_timer(NOW + HELLO_TIMEOUT)
    assert neighbours.take_events() == [Down(1, "timeout", greeted=False, account=ANY)]
    assert told(neighbours) == [(1, OURS), (1, Bye(ErrorCode.TIMEOUT))]
    assert neighbours.all() == []
    assert neighbours.timer_at() is None


def test_a_link_that_has_just_opened_may_be_about_to_say_what_it_holds() -> None:
    neighbours = Neighbours()
    neighbours.opened(1, OURS, NOW)
    neighbours.opened(2, OURS, NOW)
    assert neighbours.quiet(NOW) == {1: NOW + FIRST_WORDS, 2: NOW + FIRST_WORDS}
    say(neighbours, 1, Hello(PROTOCOL, CONTENT, "1" * 16, upload=True))
    assert 1 in neighbours.quiet(NOW)
    say(neighbours, 1, Have((HOLDING,)))
    assert neighbours.quiet(NOW) == {2: NOW + FIRST_WORDS}
    assert [view.number for view in neighbours.views(NOW)] == [1], "it has spoken"
    assert neighbours.quiet(NOW + FIRST_WORDS) == {}
    neighbours.closed(2, "failed", NOW)
    assert neighbours.quiet(NOW) == {}


def test_what_is_announced_is_held_until_it_is_gone() -> None:
    neighbours = neighbours_with(1, 2)
    say(neighbours, 1, Have((HOLDING,)))
    say(neighbours, 2, Have((HOLDING,)))
    assert holders(neighbours, 2) == [1, 2]
    say(neighbours, 1, Gone((HOLDING,)))
    assert holders(neighbours, 2) == [2]
    assert neighbours.offers(SEGMENT)
    neighbours.closed(2, "failed", NOW)
    assert holders(neighbours, 2) == []
    assert not neighbours.offers(SEGMENT)


def test_who_loads_something() -> None:
    neighbours = neighbours_with(1)
    say(neighbours, 1, Loading((HOLDING,)))
    loading, until = neighbours.loading(SEGMENT, NOW)
    assert (loading, until > NOW) == (0b100, True)


def test_a_chunk_that_comes() -> None:
    neighbours = neighbours_with(1)
    neighbours.want(1, KEY, 3, Need.SPARE, NOW)
    assert told(neighbours) == [(1, Want(0, *KEY, spare=True))]
    assert in_flight(neighbours) == {1: 1}
    assert neighbours.goodput.asking_since == NOW
    neighbours.receive(LinkSends(1, Frame(0, 0, b"abc")), NOW + 0.1)
    assert neighbours.take_events() == [Delivered(1, KEY, b"abc")]
    assert neighbours.goodput.rate(NOW + 0.1) == 3
    assert neighbours.goodput.asking_since > NOW + 1e9, "nothing is asked for any more"


def test_a_chunk_that_somebody_else_brought_is_cancelled() -> None:
    neighbours = neighbours_with(1)
    neighbours.want(1, KEY, 3, Need.USUAL, NOW)
    told(neighbours)
    neighbours.cancel(KEY)
    neighbours.cancel(KEY)
    assert told(neighbours) == [(1, Cancel(0))]
    neighbours.receive(LinkSends(1, Frame(0, 0, b"abc")), NOW)
    assert neighbours.take_events() == []
    assert neighbours.wasted == 3


def test_what_is_offered_counts_where_it_may_be_asked_for() -> None:
    neighbours = neighbours_with(1)
    say(neighbours, 1, Have((HOLDING,)), Have((HOLDING,)), Gone((HOLDING,)), Have((HOLDING,)))
    noted = [Noted([SEGMENT]), Noted([SEGMENT], offered_by=1), Noted([SEGMENT], lost_by=1)]
    assert neighbours.take_events() == [*noted, Noted([SEGMENT], offered_by=1)]
    assert neighbours.can_send(1, SEGMENT, 0b111, NOW)
    assert not neighbours.can_send(1, SEGMENT, 0b011, NOW), "it holds only the third"
    assert not neighbours.can_send(2, SEGMENT, 0b111, NOW), "nobody is there"
    for key in (KEY, OTHER):
        assert neighbours.can_send(1, SEGMENT, 0b111, NOW)
        neighbours.want(1, key, 3, Need.USUAL, NOW)
    assert not neighbours.can_send(1, SEGMENT, 0b111, NOW), "it has enough to do"
    say(neighbours, 1, Busy(0, 0.3))
    say(neighbours, 1, Busy(1, 0.3))
    assert not neighbours.can_send(1, SEGMENT, 0b111, NOW + 0.29)
    assert neighbours.can_send(1, SEGMENT, 0b111, NOW + 0.3)


def test_missing_is_remembered_busy_and_silence_are_rested() -> None:
    neighbours = neighbours_with(1, 2, 3)
    for link in (1, 2, 3):
        say(neighbours, link, Have((HOLDING,)))
        neighbours.want(link, KEY, 3, Need.USUAL, NOW)
    assert neighbours.take_events() == [Noted([SEGMENT])] * 3
    say(neighbours, 1, Missing(0))
    assert neighbours.take_events() == [Undelivered(KEY)]
    assert holders(neighbours, 2) == [2, 3]
    say(neighbours, 2, Busy(0, 0.3))
    assert neighbours.take_events() == [Undelivered(KEY)]
    late = NOW + LEAST_PATIENCE
    neighbours.on_timer(late)
    assert neighbours.take_events() == [Undelivered(KEY)]
    assert holders(neighbours, 2) == [2, 3]
    busy_until = {view.number: view.busy_until for view in neighbours.views(late)}
    assert busy_until == {1: 0.0, 2: NOW + 0.3, 3: late + REST}


def test_what_is_asked_for_a_second_time_is_bounded() -> None:
    """A want that is given up may still be answered: that must not happen with all of them."""
    neighbours = neighbours_with(1)
    neighbours.credit(1, KEY, 1)
    given_up = 0
    for number in range(20):
        key, now = ChunkKey("v", 9, number), NOW + 10.0 * number
        neighbours.want(1, key, CHUNK_SIZE, Need.USUAL, now)
        pass_until(neighbours, now + 5.0)
        given_up += Undelivered(key) in neighbours.take_events()
        say(neighbours, 1, Have(()), now=now + 5.0)  # it is there, only slow
        neighbours.cancel(key)
    assert given_up == FIRST_DUPLICATES // CHUNK_SIZE


def test_what_peers_bring_pays_for_what_is_asked_for_twice() -> None:
    neighbours, now = neighbours_with(1), NOW
    neighbours.credit(1, KEY, 1)
    neighbours._duplicates = 0.0
    key = ChunkKey("v", 9, 0)
    for number in range(20):
        neighbours.want(1, ChunkKey("v", 8, number), CHUNK_SIZE, Need.USUAL, now)
        for frame in frames_of(number, CHUNK):
            neighbours.receive(LinkSends(1, frame), now)
    neighbours.take_events()
    neighbours.want(1, key, CHUNK_SIZE, Need.USUAL, now)
    pass_until(neighbours, now + 5.0)
    assert Undelivered(key) in neighbours.take_events()


def test_who_never_brought_anything_is_given_up_however_often_that_was() -> None:
    neighbours = neighbours_with(1)
    neighbours._duplicates = 0.0
    key = ChunkKey("v", 9, 0)
    neighbours.want(1, key, CHUNK_SIZE, Need.USUAL, NOW)
    pass_until(neighbours, NOW + 5.0)
    assert Undelivered(key) in neighbours.take_events()


# What is wanted of us


def wanted(
    neighbours: Neighbours,
    link: int,
    want: int,
    chunk: bytes | None = CHUNK,
    key: ChunkKey = KEY,
) -> None:
    """A link wants a chunk, and is answered."""
    say(neighbours, link, Want(want, *key))
    (asked,) = neighbours.take_events()
    assert asked == Asked(link, want, key, Need.USUAL)
    assert isinstance(asked, Asked)
    neighbours.answer(asked, chunk, 0, NOW)


def frames_sent(neighbours: Neighbours) -> list[tuple[int, Frame]]:
    return [(o.link, o.frame) for o in neighbours.take_messages() if isinstance(o, SendFrame)]


def test_what_is_wanted_of_us() -> None:
    neighbours = neighbours_with(1)
    wanted(neighbours, 1, 5, b"abc")
    assert neighbours.take_messages() == [SendFrame(1, Frame(5, 0, b"abc"))]
    assert neighbours.sent == 3
    wanted(neighbours, 1, 6, None)
    assert told(neighbours) == [(1, Missing(6))]
    neighbours.closed(1, "failed", NOW)
    neighbours.answer(Asked(1, 7, KEY, Need.USUAL), b"abc", 0, NOW)
    assert neighbours.take_messages() == []
    assert neighbours.sent == 3


def test_two_who_ask_are_sent_to_in_turn() -> None:
    neighbours = neighbours_with(1, 2)
    neighbours.uplink.rate = 200_000.0
    wanted(neighbours, 1, 0, CHUNK[:40_000])
    wanted(neighbours, 2, 0, CHUNK[:40_000], OTHER)
    order = [link for link, _ in frames_sent(neighbours)]
    now = NOW
    while (at := neighbours.timer_at()) is not None and neighbours.sent < 80_000:
        assert at > now
        now = at
        neighbours.on_timer(now)
        order += [link for link, _ in frames_sent(neighbours)]
        for link in (1, 2):
            neighbours.drained(link, 0, now)
        order += [link for link, _ in frames_sent(neighbours)]
    assert sorted(order) == [1] * 3 + [2] * 3
    assert all(abs(order[:n].count(1) - order[:n].count(2)) <= 2 for n in range(len(order)))


def test_a_chunk_that_has_begun_goes_before_another_does() -> None:
    neighbours = neighbours_with(1, 2, 3)
    neighbours.uplink.rate = 400_000.0
    for number, link in enumerate((3, 1, 2)):
        wanted(neighbours, link, 0, key=ChunkKey("v", 7, number))
    assert [link for link, _ in frames_sent(neighbours)] == [3, 3, 1, 1]
    neighbours.drained(3, 0, NOW + 0.01)
    assert [link for link, _ in frames_sent(neighbours)] == [3, 3]


def test_no_more_is_sent_than_the_channels_should_hold_and_the_rest_when_there_is_room() -> None:
    neighbours = neighbours_with(1)
    neighbours.uplink.rate = 300_000.0
    wanted(neighbours, 1, 0)
    first = frames_sent(neighbours)
    assert 0 < len(first) < 4
    assert neighbours.timer_at() is not None
    sent = first
    for tenth in range(1, 5):
        neighbours.drained(1, 0, NOW + tenth / 10)
        sent += frames_sent(neighbours)
    assert sent == [(1, frame) for frame in frames_of(0, CHUNK)]


def test_who_asks_for_more_than_we_can_send_soon_is_told_when_to_come_back() -> None:
    neighbours = neighbours_with(1, 2)
    neighbours.uplink.rate = 100_000.0
    wanted(neighbours, 1, 0)
    told(neighbours)
    wanted(neighbours, 2, 0)
    ((link, busy),) = told(neighbours)
    assert isinstance(busy, Busy)
    assert (link, busy.want) == (2, 0)
    assert 0 < busy.wait <= CHUNK_SIZE / 100_000.0


def test_wants_that_can_wait_are_refused_first_and_those_that_are_due_soon_last() -> None:
    neighbours = neighbours_with(1, 2)
    wanted(neighbours, 1, 0)
    told(neighbours)
    refused = {}
    for want, need in enumerate((Need.SPARE, Need.USUAL, Need.SOON)):
        neighbours.uplink.rate = CHUNK_SIZE / 0.4
        neighbours.answer(Asked(2, want, OTHER, need), None, 0, NOW)
        told(neighbours)
        neighbours.answer(Asked(2, want, OTHER, need), CHUNK, 0, NOW)
        refused[need] = any(isinstance(message, Busy) for _, message in told(neighbours))
    assert refused == {Need.SPARE: True, Need.USUAL: True, Need.SOON: False}


def test_what_somebody_else_is_being_sent_is_sent_twice_only_if_there_is_little_to_do() -> None:
    neighbours = neighbours_with(1, 2)
    neighbours.uplink.rate = CHUNK_SIZE / 0.1
    wanted(neighbours, 1, 0)
    wanted(neighbours, 2, 0)
    assert not any(isinstance(message, Busy) for _, message in told(neighbours))
    wanted(neighbours, 2, 1, key=OTHER)
    assert not any(isinstance(message, Busy) for _, message in told(neighbours))
    wanted(neighbours, 1, 1, key=OTHER)
    assert [message.want for _, message in told(neighbours) if isinstance(message, Busy)] == [1]


def test_an_importer_is_refused_nothing_for_that_and_comes_before_others() -> None:
    neighbours = neighbours_with(1, 2, 3, 4)
    neighbours.uplink.rate = CHUNK_SIZE / 0.1
    wanted(neighbours, 1, 0)
    for link in (2, 3):
        wanted(neighbours, link, 0, key=OTHER._replace(chunk=link))
    told(neighbours)
    neighbours.answer(Asked(4, 0, KEY, Need.IMPORTS), CHUNK, 0, NOW)
    assert not told(neighbours)
    order = []
    for step in range(1, 40):
        for link in (1, 2, 3, 4):
            neighbours.drained(link, 0, NOW + step / 20)
        order += [m.link for m in neighbours.take_messages() if isinstance(m, SendFrame)]
    assert list(dict.fromkeys(order)) == [1, 4, 2, 3], "what has begun is finished first"


# What is told


def test_everybody_is_told_but_a_newcomer_alone_is_told_everything() -> None:
    neighbours = neighbours_with(1, 2)
    neighbours.announce(Have, {SEGMENT: [2]}, NOW)
    assert told(neighbours) == [(1, Have((HOLDING,))), (2, Have((HOLDING,)))]
    neighbours.opened(3, OURS, NOW)
    neighbours.announce(Have, {SEGMENT: [3]}, NOW + 1)
    assert {link for link, message in told(neighbours) if isinstance(message, Have)} == {1, 2}
    say(neighbours, 3, Hello(PROTOCOL, CONTENT, "3" * 16, upload=True), now=NOW + 1)
    neighbours.introduce(3, {SEGMENT: [2]}, {SEGMENT: [3]})
    assert told(neighbours) == [
        (3, Have((HOLDING,))),
        (3, Loading((Holding("v", 7, (Span(3, 3),)),))),
    ]


def chunks_told(neighbours: Neighbours) -> list[tuple[type, SegmentKey, list[int]]]:
    return [
        (type(m), SegmentKey(h.rendition, h.sequence), list(numbers_of(h.chunks)))
        for _, m in told(neighbours)
        if isinstance(m, Have | Gone | Loading)
        for h in m.holdings
    ]


def test_announcements_are_gathered() -> None:
    neighbours = neighbours_with(1)
    neighbours.announce(Have, {SEGMENT: [3]}, NOW)
    assert chunks_told(neighbours) == [(Have, SEGMENT, [3])]
    neighbours.announce(Have, {SEGMENT: [0]}, NOW + 0.01)
    neighbours.announce(Have, {SEGMENT: [1]}, NOW + 0.02)
    assert told(neighbours) == []
    at = neighbours.timer_at()
    assert at == NOW + ANNOUNCE_EVERY
    neighbours.on_timer(at)
    assert chunks_told(neighbours) == [(Have, SEGMENT, [0, 1])]


def test_that_somebody_loads_something_is_told_at_once_and_all_else_with_it() -> None:
    neighbours = neighbours_with(1)
    neighbours.announce(Have, {SEGMENT: [3]}, NOW)
    neighbours.announce(Have, {SEGMENT: [4]}, NOW)
    told(neighbours)
    neighbours.announce(Loading, {SEGMENT: [5]}, NOW + 0.01)
    assert chunks_told(neighbours) == [(Loading, SEGMENT, [5]), (Have, SEGMENT, [4])]


def test_what_is_gone_is_neither_held_nor_loading_any_more() -> None:
    neighbours = neighbours_with(1)
    neighbours.announce(Have, {SEGMENT: [9]}, NOW)
    told(neighbours)
    neighbours.announce(Have, {SEGMENT: [0, 1]}, NOW)
    neighbours.announce(Gone, {SEGMENT: [1]}, NOW)
    neighbours.announce(Have, {SEGMENT: [2]}, NOW)
    neighbours.on_timer(NOW + ANNOUNCE_EVERY)
    assert chunks_told(neighbours) == [(Gone, SEGMENT, [1]), (Have, SEGMENT, [0, 2])]


def test_a_full_store_is_announced_in_several_messages() -> None:
    neighbours = neighbours_with(1)
    holdings = {SegmentKey("v", n): [0] for n in range(2 * HOLDINGS + 1)}
    neighbours.introduce(1, holdings, {})
    sizes = [len(message.holdings) for _, message in told(neighbours) if isinstance(message, Have)]
    assert sizes == [HOLDINGS, HOLDINGS, 1]


def test_nothing_is_announced_before_the_other_end_has_greeted() -> None:
    neighbours = Neighbours()
    neighbours.opened(1, OURS, NOW)
    told(neighbours)
    neighbours.announce(Have, {SEGMENT: [0]}, NOW)
    assert told(neighbours) == []


def test_records_are_passed_on_to_all_but_who_told_them() -> None:
    neighbours = neighbours_with(1, 2, 3)
    records = MEDIA.records("v", Span(0, 0), NOW)
    say(neighbours, 2, records)
    assert neighbours.take_events() == [Heard(2, records)]
    assert told(neighbours) == [], "they are proved first"
    neighbours.pass_on(records, 2)
    assert told(neighbours) == [(1, records), (3, records)]
    neighbours.pass_on(records, None)
    assert [link for link, _ in told(neighbours)] == [1, 2, 3]


# The end


def test_the_figures_of_a_link_outlive_it() -> None:
    neighbours = neighbours_with(1)
    neighbours.answer(Asked(1, 0, KEY, Need.USUAL), b"abc", 0, NOW)
    neighbours.want(1, KEY, 5, Need.USUAL, NOW)
    neighbours.receive(LinkSends(1, Frame(0, 0, b"1234")), NOW)
    neighbours.credit(1, KEY, 100)
    neighbours.credit(9, KEY, 100)
    neighbours.debit(1, 30, rejected=True)
    neighbours.debit(1, 2)
    neighbours.debit(9, 2)
    for route in ("host", "relay", "srflx"):  # what went through a relay for a while was paid for
        neighbours.routed(1, route)
    neighbours.routed(9, "host")
    told(neighbours)
    neighbours.end(1, "protocol", NOW, ErrorCode.SLOW)
    failed, down = neighbours.take_events()
    assert failed == Undelivered(KEY)
    assert isinstance(down, Down)
    assert (down.link, down.reason, down.greeted) == (1, "protocol", True)
    account = down.account
    assert account.received.take(Room()) == ((0, 7, 100, 2, 2),)
    assert account.sent.take(Room()) == ((0, 7, 3, 2, 2),)
    assert (account.waste, account.rejected, account.route) == (4 + 32, 1, "relay")
    assert told(neighbours) == [(1, Bye(ErrorCode.SLOW))]
    assert (neighbours.sent, neighbours.wasted) == (3, 4)
    assert neighbours.all() == []
    pass_until(neighbours, NOW + HELLO_TIMEOUT)
    assert neighbours.timer_at() is None, "nobody is left to be looked at"


def test_each_link_has_its_own_clock() -> None:
    neighbours = neighbours_with(1, 2)
    neighbours.want(1, KEY, 3, Need.USUAL, NOW)
    neighbours.want(2, ChunkKey("v", 7, 3), 3, Need.USUAL, NOW + 0.1)
    assert neighbours.timer_at() == NOW + LEAST_PATIENCE
    neighbours.on_timer(NOW + LEAST_PATIENCE)
    assert neighbours.take_events() == [Undelivered(KEY)]
    assert in_flight(neighbours) == {1: 0, 2: 1}
