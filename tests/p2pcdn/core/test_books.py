"""An entry is in all the books that it belongs to, and is read once."""

from __future__ import annotations

from p2pcdn.core.amounts import Amounts
from p2pcdn.core.books import Books
from p2pcdn.core.ledger_ports import Failure, Group, Reading

DE, FR = Group("country", "DE"), Group("country", "FR")


def test_an_entry_is_in_everything_its_content_and_its_groups() -> None:
    books = Books()
    for content, groups in (("a", [DE, FR]), ("a", [DE]), ("", [])):
        for amounts in books.of(content, groups):
            amounts.joins += 1
    books.of_group(FR).links_made += 1
    assert books.total == Amounts(joins=3)
    assert books.take_reading({"a": 2}) == Reading(
        {"a": Amounts(joins=2), "": Amounts(joins=1)},
        {"a": 2},
        {DE: Amounts(joins=2), FR: Amounts(joins=1, links_made=1)},
    )
    assert books.take_reading({}) == Reading({}, {})
    assert books.total == Amounts(joins=3)


def test_members_stay_and_failures_are_read_once() -> None:
    books = Books()
    books.count([DE, FR], +1)
    books.count([DE], +1)
    books.count([FR], -1)
    for kind, reason in (("link", "timeout"), ("report", "replayed"), ("link", "timeout")):
        books.failed(kind, reason)
    for failures in ({Failure("link", "timeout"): 2, Failure("report", "replayed"): 1}, {}):
        assert books.take_reading({}) == Reading({}, {}, {}, {DE: 2}, failures)
    assert books.summary(0, 0).refused_reports == 1


def test_the_summary_is_of_all_runs() -> None:
    books = Books()
    books.carry(Amounts(origin_mismatches=5, joins=1), 7.0)
    books.carry(Amounts(origin_mismatches=4, joins=9), 8.0)  # is known better now
    books.of("")[0].origin_mismatches += 1
    summary = books.summary(3, 2)
    assert (summary.joins, summary.origin_mismatches, summary.since) == (9, 5, 8.0)
    assert (summary.viewers, summary.swarms) == (3, 2)
    assert books.origin_mismatches == 5
    assert books.total == Amounts(origin_mismatches=1)


def test_what_other_books_had_is_as_if_it_had_been_entered_here() -> None:
    books, others = Books(), Books()
    books.of("a")[0].joins += 1
    for amounts in others.of("a", [DE]):
        amounts.joins += 2
    others.failed("report", "replayed")
    for _ in range(2):
        books.take_in(others.take_reading({"a": 1}))  # there is nothing new the second time
    assert books.total == Amounts(joins=3)
    reading = books.take_reading({}, {DE: 5}, 7)
    assert reading.changes == {"a": Amounts(joins=2)}
    assert reading.groups == {DE: Amounts(joins=2)}
    assert reading.failures == {Failure("report", "replayed"): 1}
    assert (reading.members, reading.swarms) == ({DE: 5}, 7)
    assert books.summary(0, 0).refused_reports == 1
