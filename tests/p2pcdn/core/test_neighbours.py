"""Several links together: who may be asked for what, and what is left of those that ended."""

from __future__ import annotations

from p2pcdn.core.link import HELLO_TIMEOUT, LEAST_PATIENCE
from p2pcdn.core.neighbours import (
    FIRST_WORDS,
    REST,
    Asked,
    Delivered,
    Down,
    Neighbours,
    Undelivered,
    Up,
)
from p2pcdn.core.ports import LinkSays, LinkSends, SendFrame, TellLink
from p2pcdn.core.scheduler import LinkView
from p2pcdn.errors import ErrorCode
from p2pcdn.model import PROTOCOL, ChunkKey, Span
from p2pcdn.wire.chunk import Frame
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

CONTENT = "00112233445566778899aabbccddeeff"
OURS = Hello(PROTOCOL, CONTENT, "0" * 16, upload=True)
KEY = ChunkKey("v", 7, 2)
SEGMENT = KEY.segment
HOLDING = Holding("v", 7, (Span(2, 2),))
NOW = 0.0


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


def test_a_link_is_up_when_it_has_been_greeted() -> None:
    neighbours = Neighbours()
    neighbours.opened(1, OURS, NOW)
    assert told(neighbours) == [(1, OURS)]
    assert (neighbours.all(), neighbours.up(), neighbours.views()) == ([1], [], [])
    say(neighbours, 1, Hello(PROTOCOL, CONTENT, "a" * 16, upload=True))
    assert neighbours.take_events() == [Up(1, "a" * 16)]
    assert neighbours.peers() == ["a" * 16]
    assert neighbours.views() == [LinkView(1, 0, 0.0)]


def test_who_does_not_upload_has_no_turn() -> None:
    neighbours = neighbours_with(1)
    neighbours.opened(2, OURS, NOW)
    say(neighbours, 2, Hello(PROTOCOL, CONTENT, "2" * 16, upload=False))
    assert neighbours.peers() == ["1" * 16]
    assert [view.number for view in neighbours.views()] == [1, 2]


def test_a_link_that_never_was_up() -> None:
    neighbours = Neighbours()
    neighbours.opened(1, OURS, NOW)
    assert neighbours.timer_at() == NOW + HELLO_TIMEOUT
    neighbours.on_timer(NOW + HELLO_TIMEOUT)
    assert neighbours.take_events() == [Down(1, "timeout", greeted=False, received=0, sent=0)]
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
    assert neighbours.quiet(NOW + FIRST_WORDS) == {}
    neighbours.closed(2, "failed", NOW)
    assert neighbours.quiet(NOW) == {}


def test_what_is_announced_is_held_until_it_is_gone() -> None:
    neighbours = neighbours_with(1, 2)
    say(neighbours, 1, Have((HOLDING,)))
    say(neighbours, 2, Have((HOLDING,)))
    assert neighbours.holders(SEGMENT, 2, [1, 2]) == (1, 2)
    assert neighbours.holders(SEGMENT, 2, [2, 3]) == (2,)
    say(neighbours, 1, Gone((HOLDING,)))
    assert neighbours.holders(SEGMENT, 2, [1, 2]) == (2,)
    neighbours.closed(2, "failed", NOW)
    assert neighbours.holders(SEGMENT, 2, [1, 2]) == ()


def test_who_loads_something() -> None:
    neighbours = neighbours_with(1)
    say(neighbours, 1, Loading((HOLDING,)))
    assert neighbours.loaded_until(SEGMENT, 2, NOW) is not None
    assert neighbours.loaded_until(SEGMENT, 1, NOW) is None


def test_a_chunk_that_comes() -> None:
    neighbours = neighbours_with(1)
    neighbours.want(1, KEY, 3, NOW)
    assert told(neighbours) == [(1, Want(0, *KEY))]
    assert neighbours.views() == [LinkView(1, 1, 0.0)]
    neighbours.receive(LinkSends(1, Frame(0, 0, b"abc")), NOW)
    assert neighbours.take_events() == [Delivered(1, KEY, b"abc")]


def test_a_chunk_that_somebody_else_brought_is_cancelled_everywhere() -> None:
    neighbours = neighbours_with(1, 2)
    neighbours.want(1, KEY, 3, NOW)
    neighbours.want(2, KEY, 3, NOW)
    told(neighbours)
    neighbours.cancel(KEY)
    assert told(neighbours) == [(1, Cancel(0)), (2, Cancel(0))]
    neighbours.receive(LinkSends(2, Frame(0, 0, b"abc")), NOW)
    assert neighbours.take_events() == []
    assert neighbours.wasted == 3


def test_missing_is_remembered_busy_and_silence_are_rested() -> None:
    neighbours = neighbours_with(1, 2, 3)
    for link in (1, 2, 3):
        say(neighbours, link, Have((HOLDING,)))
        neighbours.want(link, KEY, 3, NOW)
    say(neighbours, 1, Missing(0))
    assert neighbours.take_events() == [Undelivered(KEY)]
    assert neighbours.holders(SEGMENT, 2, [1, 2, 3]) == (2, 3)
    say(neighbours, 2, Busy(0, 0.3))
    assert neighbours.take_events() == [Undelivered(KEY)]
    late = NOW + LEAST_PATIENCE
    neighbours.on_timer(late)
    assert neighbours.take_events() == [Undelivered(KEY)]
    assert neighbours.holders(SEGMENT, 2, [1, 2, 3]) == (2, 3)
    busy_until = {view.number: view.busy_until for view in neighbours.views()}
    assert busy_until == {1: 0.0, 2: NOW + 0.3, 3: late + REST}


def test_what_is_wanted_of_us() -> None:
    neighbours = neighbours_with(1)
    say(neighbours, 1, Want(5, *KEY))
    asked = Asked(1, 5, KEY)
    assert neighbours.take_events() == [asked]
    neighbours.answer(asked, b"abc")
    assert neighbours.take_messages() == [SendFrame(1, Frame(5, 0, b"abc"))]
    assert neighbours.sent == 3
    neighbours.answer(asked, None)
    assert told(neighbours) == [(1, Missing(5))]
    neighbours.closed(1, "failed", NOW)
    neighbours.answer(asked, b"abc")
    assert neighbours.take_messages() == []
    assert neighbours.sent == 3


def test_everybody_is_told_but_a_newcomer_alone_is_told_everything() -> None:
    neighbours = neighbours_with(1, 2)
    neighbours.announce(Have, {SEGMENT: [2]}, NOW)
    assert told(neighbours) == [(1, Have((HOLDING,))), (2, Have((HOLDING,)))]
    neighbours.opened(3, OURS, NOW)
    neighbours.announce(Have, {SEGMENT: [3]}, NOW + 1)
    assert {link for link, message in told(neighbours) if isinstance(message, Have)} == {1, 2}
    say(neighbours, 3, Hello(PROTOCOL, CONTENT, "3" * 16, upload=True), now=NOW + 1)
    neighbours.introduce(3, {SEGMENT: [2]}, NOW + 1)
    assert told(neighbours) == [(3, Have((HOLDING,)))]


def test_the_figures_of_a_link_outlive_it() -> None:
    neighbours = neighbours_with(1)
    neighbours.answer(Asked(1, 0, KEY), b"abc")
    neighbours.want(1, KEY, 5, NOW)
    neighbours.receive(LinkSends(1, Frame(0, 0, b"1234")), NOW)
    neighbours.credit(1, 100)
    neighbours.credit(9, 100)
    told(neighbours)
    neighbours.end(1, "protocol", NOW, ErrorCode.SLOW)
    assert neighbours.take_events() == [
        Undelivered(KEY),
        Down(1, "protocol", greeted=True, received=100, sent=3),
    ]
    assert told(neighbours) == [(1, Bye(ErrorCode.SLOW))]
    assert (neighbours.sent, neighbours.wasted) == (3, 4)
    assert neighbours.all() == []


def test_each_link_has_its_own_clock() -> None:
    neighbours = neighbours_with(1, 2)
    neighbours.want(1, KEY, 3, NOW)
    neighbours.want(2, KEY, 3, NOW + 0.1)
    assert neighbours.timer_at() == NOW + LEAST_PATIENCE
    neighbours.on_timer(NOW + LEAST_PATIENCE)
    assert neighbours.take_events() == [Undelivered(KEY)]
    assert [view.in_flight for view in neighbours.views()] == [0, 1]
