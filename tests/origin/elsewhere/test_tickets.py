"""Which of the URLs that were brought is tried."""

from __future__ import annotations

from origin.elsewhere.tickets import MOST, Tickets


def test_the_newest_goes_first_until_one_is_let_in() -> None:
    tickets = Tickets()
    for url in "abca":
        tickets.offer(url)
    assert list(tickets) == ["a", "c", "b"]
    tickets.let_in("c")
    assert list(tickets) == ["c", "a", "b"]


def test_the_good_one_is_not_pushed_aside() -> None:
    tickets = Tickets()
    tickets.offer("good")
    tickets.let_in("good")
    for number in range(100):
        tickets.offer(f"bad {number}")
    tickets.offer("good")
    assert list(tickets) == ["good", "bad 99", "bad 98", "bad 97"]
    assert len(list(tickets)) == MOST + 1


def test_who_is_turned_away_is_forgotten() -> None:
    tickets = Tickets()
    for url in "ab":
        tickets.offer(url)
    tickets.let_in("a")
    tickets.turned_away("a")
    assert list(tickets) == ["b"]
    tickets.turned_away("b")
    assert list(tickets) == []


def test_one_that_was_good_is_kept_beside_a_better_one() -> None:
    tickets = Tickets()
    for url in "ab":
        tickets.offer(url)
        tickets.let_in(url)
    assert list(tickets) == ["b", "a"]
