"""A swarm of WebTorrent's clients and its peers: counts, and what a peer remembers is bounded."""

from __future__ import annotations

from p2pcdn.core.locality import Where
from p2pcdn.core.torrent import MOST_MET, OFFER_LASTS, SILENT_AFTER, Peer, Pending, Socket, Torrent
from tests.p2pcdn.core.torrenting import HASH, ids


def peer(name: str, torrent: Torrent | None = None, complete: bool = False) -> Peer:
    return Peer(
        ids(name),
        Socket(1, b"home", Where(b"home", b"net")),
        torrent or Torrent(HASH),
        0.0,
        complete,
    )


def test_counts_follow_who_comes_goes_and_gets_all() -> None:
    torrent = Torrent(HASH)
    a, b = peer("a", torrent, complete=True), peer("b", torrent)
    torrent.add(a)
    torrent.add(b)
    assert torrent.counts == (1, 1)
    torrent.mark(b, True)
    torrent.mark(b, True)
    assert torrent.counts == (2, 0)
    torrent.mark(a, False)
    torrent.remove(a)
    assert torrent.counts == (1, 0)
    torrent.remove(b)
    assert torrent.counts == (0, 0)
    assert len(torrent.crowd) == 0


def test_what_is_passed_to_a_peer_is_bounded_and_given_up() -> None:
    victim = peer("v")
    for number in range(100):
        offerer = peer(f"{number}")
        if victim.may_be_offered(offerer, 1.0, 3):
            victim.ask(Pending(offerer, "o", b"", 1.0))
    assert len(victim.offers) == 3
    newcomer = peer("n")
    assert not victim.may_be_offered(newcomer, OFFER_LASTS, 3)
    assert victim.may_be_offered(newcomer, 1.0 + OFFER_LASTS, 3)
    assert victim.offers == {}


def test_an_offerer_is_asked_after_again_only_when_its_offer_is_given_up() -> None:
    victim, a = peer("v"), peer("a")
    victim.ask(Pending(a, "first", b"", 0.0))
    assert not victim.may_be_offered(a, OFFER_LASTS - 1, 9)
    assert victim.may_be_offered(a, OFFER_LASTS, 9)
    victim.ask(Pending(peer("b"), "other", b"", 1.0))
    victim.ask(Pending(a, "second", b"", OFFER_LASTS))
    assert [offer.offer_id for offer in victim.offers.values()] == ["other", "second"]
    assert victim.answer(a.id, "first", OFFER_LASTS) is None
    assert (found := victim.answer(a.id, "second", OFFER_LASTS))
    assert found.offerer is a


def test_silence_begins_with_an_offer_and_ends_with_a_word() -> None:
    someone = peer("s")
    assert not someone.is_silent(1e6)
    someone.ask(Pending(peer("a"), "o", b"", 100.0))
    someone.ask(Pending(peer("b"), "o", b"", 109.0))
    assert not someone.is_silent(100.0 + SILENT_AFTER)
    assert someone.is_silent(100.1 + SILENT_AFTER)
    someone.hear(120.0)
    assert not someone.is_silent(200.0)
    someone.ask(Pending(peer("c"), "o", b"", 200.0))
    assert not someone.is_silent(205.0)
    assert someone.is_silent(211.0)


def test_whom_one_has_met_is_forgotten_in_the_end() -> None:
    someone = peer("s")
    for number in [*range(MOST_MET), 1, 1000]:
        someone.meet(other := peer(f"{number}"))
        assert list(other.met) == [someone.id]
    assert len(someone.met) == MOST_MET
    assert ids("0") not in someone.met
    assert ids("1") in someone.met


def test_whoever_has_gone_holds_nobody() -> None:
    """Others may hold its offers for a while: that is to keep no chain of peers in memory."""
    torrent = Torrent(HASH)
    someone = peer("s", torrent)
    torrent.add(someone)
    someone.ask(Pending(peer("a"), "o", b"", 0.0))
    someone.meet(peer("a"))
    other = peer("b")
    other.ask(Pending(someone, "mine", b"", 0.0))
    torrent.remove(someone)
    assert (someone.offers, someone.met) == ({}, {})
    assert other.answer(someone.id, "mine", 1.0) is None
