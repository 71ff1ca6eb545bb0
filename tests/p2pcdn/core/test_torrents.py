"""The mind for WebTorrent's clients: each thing that real ones rely on, and what none may do."""

from __future__ import annotations

from typing import Any

import pytest

from p2pcdn.core.torrent_ports import TorrentRules
from p2pcdn.errors import ErrorCode
from tests.p2pcdn.core.torrenting import HASH, OTHER, World, ids, offer

# Announce, offer, answer


def test_an_announce_is_answered_with_counts_and_the_interval() -> None:
    world = World(TorrentRules(interval=90))
    (told,) = world.announce(world.connect(), "a", event="started")
    assert told == {
        "action": "announce",
        "info_hash": HASH,
        "interval": 90,
        "complete": 0,
        "incomplete": 1,
    }


def test_offers_go_to_others_one_each_and_answers_back() -> None:
    world = World()
    a, b, c = (world.join(name) for name in "abc")
    world.announce(a, "a", offers=5)
    assert [len(world.offers(socket)) for socket in (a, b, c)] == [0, 1, 1]
    (told,) = world.offers(b)
    assert told["peer_id"] == ids("a")
    assert (told["action"], told["info_hash"]) == ("announce", HASH)
    assert told["offer"]["sdp"].startswith("a ")
    world.answer(b, "b", told)
    (answer,) = world.answers(a)
    assert answer == {
        "action": "announce",
        "info_hash": HASH,
        "peer_id": ids("b"),
        "offer_id": told["offer_id"],
        "answer": {"type": "answer", "sdp": f"to {told['offer']['sdp']}"},
    }


def test_an_answer_gets_no_reply() -> None:
    """The client has not asked for one; it would reset its timer."""
    world = World()
    a, b = world.join("a"), world.join("b")
    world.announce(a, "a", offers=1)
    before = len(world.heard[b])
    world.answer(b, "b", world.offers(b)[0])
    assert len(world.heard[b]) == before


def test_no_offer_is_passed_on_twice() -> None:
    world = World()
    a = world.join("a")
    others = [world.join(name) for name in "bcdefgh"]
    world.announce(a, "a", offers=3)
    told = [said["offer_id"] for socket in others for said in world.offers(socket)]
    assert len(told) == len(set(told)) == 3


@pytest.mark.parametrize(("numwant", "passed"), [(2, 2), (0, 0), (50, 3), (-1, 3), ("2", 3)])
def test_numwant_asks_for_fewer(numwant: object, passed: int) -> None:
    world = World()
    a = world.join("a")
    for name in "bcdef":
        world.join(name)
    world.announce(a, "a", offers=3, numwant=numwant)
    assert world.torrents.tally.offers == passed


def test_numwant_is_optional() -> None:
    world = World()
    b = world.join("b")
    made = [{"offer": offer(), "offer_id": "o" * 20}]
    message = {"action": "announce", "info_hash": HASH, "peer_id": ids("a"), "offers": made}
    world.say(world.connect(), message)
    assert len(world.offers(b)) == 1


def test_what_is_beyond_the_most_offers_is_told_and_not_passed_on() -> None:
    world = World(TorrentRules(offers=2))
    a = world.join("a")
    for name in "bcdef":
        world.join(name)
    (told,) = world.announce(a, "a", offers=3)
    assert "2 are passed on" in told["warning message"]
    assert told["incomplete"] == 6
    assert world.torrents.tally.offers == 2


def test_one_socket_serves_many_swarms_by_an_id_in_each() -> None:
    world = World()
    a = world.join("a")
    world.announce(a, "A", info_hash=OTHER)
    b = world.join("b", offers=1)
    world.announce(b, "B", info_hash=OTHER, offers=1)
    assert [(said["info_hash"], said["peer_id"]) for said in world.offers(a)] == [
        (HASH, ids("b")),
        (OTHER, ids("B")),
    ]
    assert world.torrents.swarms == 2
    assert world.torrents.peers == 4


def test_two_peers_of_one_socket_are_brought_together() -> None:
    """Clients of one process share a socket for all of their torrents, and all of their ids."""
    world = World()
    socket = world.join("a")
    world.announce(socket, "b", offers=2)
    (told,) = world.offers(socket)
    world.answer(socket, "a", told)
    assert len(world.answers(socket)) == 1


# Coming and going


def test_counts() -> None:
    world = World()
    a = world.join("a", left=100)
    world.join("b", left=0)
    assert world.counts() == (1, 1)
    world.announce(a, "a", event="completed", left=0)
    assert world.counts() == (2, 0)
    world.announce(a, "a", event="completed", left=0)
    assert world.counts() == (2, 0)
    world.close(a)
    assert world.counts() == (1, 0)


@pytest.mark.parametrize("left", [None, "x", 5, 0.5, 1e300])
def test_who_does_not_say_that_it_has_all_does_not(left: object) -> None:
    """JavaScript writes what it does not know as null."""
    world = World()
    world.join("a", left=left)
    assert world.counts() == (0, 1)


def test_who_has_all_may_lack_something_again() -> None:
    world = World()
    a = world.join("a", left=0)
    world.announce(a, "a")
    assert world.counts() == (1, 0)
    world.announce(a, "a", left=7)
    assert world.counts() == (0, 1)


@pytest.mark.parametrize("event", [None, "", "empty", "update", "paused", "completed", "started"])
def test_whoever_is_not_there_starts_by_whatever_it_says(event: str | None) -> None:
    """A client that was cut off comes back with an update."""
    world = World()
    (told,) = world.announce(world.connect(), "a", event=event)
    assert told["complete"] + told["incomplete"] == 1


def test_stopped_gets_a_reply_and_no_offers_are_passed_on() -> None:
    world = World()
    a, b = world.join("a"), world.join("b")
    (told,) = world.announce(a, "a", event="stopped", offers=1)
    assert (told["action"], told["info_hash"]) == ("announce", HASH)
    assert (told["complete"], told["incomplete"]) == (0, 1)
    assert world.offers(b) == []


def test_stopped_of_whoever_is_not_there_gets_a_reply_too() -> None:
    world = World()
    (told,) = world.announce(world.connect(), "a", event="stopped", info_hash=OTHER)
    assert (told["info_hash"], told["incomplete"]) == (OTHER, 0)
    assert world.torrents.swarms == 0


def test_a_page_that_leaves_a_rendition_without_a_word_goes_after_two_intervals() -> None:
    """Its socket lives on for the others."""
    world = World(TorrentRules(interval=100))
    a = world.join("a")
    world.announce(a, "A", info_hash=OTHER)
    for _ in range(9):
        world.wait(25)
        world.announce(a, "A", info_hash=OTHER)
        assert world.counts() == ((0, 1) if world.now < 1199 else (0, 0))
    assert world.counts(OTHER) == (0, 1)
    assert world.torrents.tally.expired == 1
    assert world.dismissed == []


def test_whoever_answers_is_there() -> None:
    world = World(TorrentRules(interval=100))
    a, b = world.join("a"), world.join("b")
    world.wait(150)
    world.announce(a, "a", offers=1)
    world.answer(b, "b", world.offers(b)[0])
    world.wait(100)
    assert world.counts() == (0, 2)


def test_an_id_that_comes_back_replaces_itself() -> None:
    """And nothing of it goes when the old socket closes at last."""
    world = World()
    old, b = world.join("a", left=0), world.join("b")
    new = world.connect()
    world.announce(new, "a")
    assert world.counts() == (0, 2)
    world.close(old)
    assert world.counts() == (0, 2)
    world.announce(b, "b", offers=1)
    assert len(world.offers(new)) == 1


def test_the_old_socket_speaks_for_nobody() -> None:
    world = World()
    old, b = world.join("a"), world.join("b")
    world.announce(b, "b", offers=1)
    new = world.connect()
    world.announce(new, "a")
    world.answer(old, "a", world.offers(old)[0])
    assert world.answers(b) == []
    world.announce(old, "a", event="stopped")
    assert world.counts() == (0, 2)


def test_a_socket_where_nobody_is_is_dismissed() -> None:
    world = World(TorrentRules(interval=10))
    idle, a = world.connect(), world.join("a")
    world.announce(a, "a", event="stopped")
    world.announce(a, "a")
    world.wait(19)
    world.announce(a, "a")
    world.wait(2)
    assert [(each.socket, each.code) for each in world.dismissed] == [(idle, ErrorCode.TIMEOUT)]
    world.announce(a, "a", event="stopped")
    world.wait(18)
    assert len(world.dismissed) == 1
    world.wait(3)
    assert world.dismissed[1].socket == a
    world.say(a, b"{}")  # it has not heard of it yet
    assert len(world.heard[a]) == 5
    world.close(a)
    assert len(world.torrents._wheel) == 0


def test_nothing_is_left_of_whoever_has_gone() -> None:
    world = World()
    sockets = [world.join(name, offers=2) for name in "abcd"]
    for socket in sockets:
        world.close(socket)
    torrents = world.torrents
    assert (torrents.swarms, torrents.peers, len(torrents._wheel)) == (0, 0, 0)
    assert torrents._sockets == {}
    assert torrents._acquaintances._present == {}


# Scrape


def test_scrape_of_one_and_of_several() -> None:
    world = World()
    world.join("a", left=0)
    world.join("b")
    world.join("c", info_hash=OTHER)
    socket = world.connect()
    (one,) = world.say(socket, {"action": "scrape", "info_hash": HASH})
    assert one == {
        "action": "scrape",
        "files": {HASH: {"complete": 1, "incomplete": 1, "downloaded": 1}},
        "flags": {"min_request_interval": 120},
    }
    nobody = "\xff" * 20
    (several,) = world.say(socket, {"action": "scrape", "info_hash": [OTHER, HASH, nobody]})
    counts = {key: (file["complete"], file["incomplete"]) for key, file in several["files"].items()}
    assert counts == {OTHER: (0, 1), HASH: (1, 1), nobody: (0, 0)}


@pytest.mark.parametrize("subject", [{}, {"info_hash": None}, {"info_hash": []}])
def test_scrape_of_all_is_refused(subject: dict[str, Any]) -> None:
    world = World()
    world.join("a")
    (told,) = world.say(world.connect(), {"action": "scrape", **subject})
    assert (told["action"], told["info_hash"]) == ("scrape", "")
    assert "1 to 128" in told["failure reason"]
    assert "files" not in told


# Answers


def stray(world: World, answers: int = 0) -> None:
    assert (world.torrents.tally.answers, world.torrents.tally.strays) == (answers, 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"offer_id": "another offer's id .."},
        {"to_peer_id": ids("c")},
        {"to_peer_id": ids("nobody")},
        {"peer_id": ids("c")},
        {"peer_id": ids("nobody")},
        {"info_hash": OTHER},
    ],
)
def test_an_answer_to_nothing_that_was_passed_on_is_dropped(changes: dict[str, str]) -> None:
    world = World()
    a, b, c = world.join("a"), world.join("b"), world.join("c")
    world.announce(a, "a", offers=2)
    changes = {key: value[:20] for key, value in changes.items()}
    world.answer(b, "b", world.offers(b)[0], **changes)
    assert world.answers(a) == world.answers(c) == []
    stray(world)
    world.answer(b, "b", world.offers(b)[0])  # the right one still counts
    assert len(world.answers(a)) == 1


def test_an_offer_is_answered_once() -> None:
    world = World()
    a, b = world.join("a"), world.join("b")
    world.announce(a, "a", offers=1)
    for _ in range(2):
        world.answer(b, "b", world.offers(b)[0])
    assert len(world.answers(a)) == 1
    stray(world, 1)


@pytest.mark.parametrize(("after", "passed"), [(59.0, 1), (61.0, 0)])
def test_an_answer_may_take_a_minute(after: float, passed: int) -> None:
    world = World()
    a, b = world.join("a"), world.join("b")
    world.announce(a, "a", offers=1)
    world.wait(after)
    world.answer(b, "b", world.offers(b)[0])
    assert len(world.answers(a)) == passed


def test_an_answer_to_whoever_has_gone_is_dropped() -> None:
    world = World()
    a, b = world.join("a"), world.join("b")
    world.announce(a, "a", offers=1)
    world.close(a)
    again = world.connect()
    world.announce(again, "a")
    world.answer(b, "b", world.offers(b)[0])
    assert world.answers(again) == []  # the offer was of another socket's page
    stray(world)


# Errors


@pytest.mark.parametrize(
    ("said", "action", "info_hash"),
    [
        (b"{", "announce", ""),
        (b'{"action":"announce","info_hash":"\xff"}', "announce", ""),
        ([], "announce", ""),
        ({"action": "dance", "info_hash": HASH}, "announce", HASH),
        ({"action": "announce", "info_hash": HASH}, "announce", HASH),
        ({"action": "announce", "info_hash": 7, "peer_id": ids("a")}, "announce", ""),
        ({"action": "announce", "info_hash": HASH, "peer_id": "short"}, "announce", HASH),
        ({"action": "scrape", "info_hash": ["short", HASH]}, "scrape", "short"),
        ({"action": "scrape", "info_hash": {"a": 1}}, "scrape", ""),
    ],
)
def test_each_error_has_an_action_and_an_info_hash(
    said: object, action: str, info_hash: str
) -> None:
    """Without an action that it knows a client gives the socket up for minutes, and with it all
    other swarms; without an info hash it throws. And the socket serves the others as before."""
    world = World()
    a = world.join("a")
    (told,) = world.say(a, said)
    assert (told["action"], told["info_hash"]) == (action, info_hash)
    assert len(told["failure reason"]) > 20
    assert set(told) == {"action", "info_hash", "failure reason"}
    assert world.torrents.tally.refused == 1
    assert world.counts() == (0, 1)
    assert world.dismissed == []


# Limits


def test_swarms_that_the_operator_has_not_named_are_refused() -> None:
    world = World(TorrentRules(info_hashes=frozenset([HASH])))
    socket = world.join("a")
    (told,) = world.announce(socket, "b", info_hash=OTHER)
    assert told["info_hash"] == OTHER
    assert "tracker.webtorrent.info_hashes" in told["failure reason"]
    (told,) = world.say(socket, {"action": "scrape", "info_hash": [HASH, OTHER]})
    assert (told["action"], told["info_hash"]) == ("scrape", OTHER)
    assert world.counts() == (0, 1)


def test_a_socket_may_be_in_so_many_swarms() -> None:
    world = World(TorrentRules(swarms_per_socket=2))
    a = world.join("a")
    world.announce(a, "a", info_hash=OTHER)
    (told,) = world.announce(a, "a", info_hash="3" * 20)
    assert "2 swarms" in told["failure reason"]
    (told,) = world.announce(a, "a")
    assert told["incomplete"] == 1
    world.announce(a, "a", event="stopped")
    (told,) = world.announce(a, "a", info_hash="3" * 20)
    assert told["incomplete"] == 1


def test_an_address_may_have_so_many_peers() -> None:
    world = World(TorrentRules(peers_per_address=2))
    a, b = world.join("a", source="9.9.9.9"), world.join("b", source="9.9.9.9")
    c = world.connect("9.9.9.9")
    (told,) = world.announce(c, "c")
    assert "2 peers" in told["failure reason"]
    world.announce(c, "b")  # it was there before
    world.close(b)
    assert world.counts() == (0, 2)
    world.close(a)
    world.announce(c, "c")
    assert world.counts() == (0, 2)


def test_nobody_is_flooded_with_offers() -> None:
    world = World(TorrentRules(pending_offers=3, offers=20))
    victim = world.join("v")
    world.join("-")
    for number in range(9):
        world.join(f"a{number}", offers=9)
    assert len(world.offers(victim)) == 3
    world.answer(victim, "v", world.offers(victim)[1])
    world.join("b", offers=15)
    assert len(world.offers(victim)) == 4
    world.wait(61)  # those are given up
    world.join("c", offers=15)
    assert len(world.offers(victim)) == 5


def test_whoever_is_waiting_for_somebodys_answer_asks_others() -> None:
    world = World()
    a, b = world.join("a"), world.join("b")
    for _ in range(3):
        world.announce(a, "a", offers=1)
    assert len(world.offers(b)) == 1
    world.wait(61)
    world.announce(a, "a", offers=1)
    assert len(world.offers(b)) == 2


def test_a_harvester_learns_of_so_many_addresses_an_hour() -> None:
    """However often he comes back, and by however many swarms."""
    world = World(TorrentRules(peers_per_hour=5))
    for number in range(20):
        world.join(f"p{number}")
        world.announce(world._sockets, f"q{number}", info_hash=OTHER)
    for number in range(8):
        harvester = world.join(f"h{number}", offers=10, source="9.9.9.9")
        world.announce(harvester, f"H{number}", offers=10, info_hash=OTHER)
        world.close(harvester)
        world.wait(61)
    victims = [socket for socket in world.open if world.offers(socket)]
    assert len(victims) == 5
