"""The books of a ledger: everything together, and what is new of each content and each group.

::

    an entry --> everything ------------------> summary, with what other runs have written down
             --> its content, its groups -----> reading (taken out, to be written down)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TypeVar

from msgspec.structs import replace

from p2pcdn.core.amounts import SHOWN, Amounts, bounded
from p2pcdn.core.ledger_ports import Failure, Group, Reading, Summary

K = TypeVar("K")


class Books:
    """Where all is entered, as often as it belongs somewhere."""

    def __init__(self) -> None:
        self._everything = Amounts()
        self._carried = Amounts()
        """What other runs have written down."""
        self._since = 0.0
        self._contents: dict[str, Amounts] = {}
        """What came to each content since the last reading."""
        self._groups: dict[Group, Amounts] = {}
        """And to each group."""
        self.members: Counter[Group] = Counter()
        """How many viewers are in each group now."""
        self._failures: Counter[Failure] = Counter()
        """What has come to nothing since the last reading."""
        self._refused = 0
        self._signalled = 0
        """Bytes of the tracker's that are not entered yet."""

    def carry(self, amounts: Amounts, since: float) -> None:
        """What all other runs have written down, instead of what was known of them before; the
        ledger began at ``since``."""
        self._carried = amounts
        self._since = since

    @property
    def total(self) -> Amounts:
        """What this run has seen."""
        self._enter_signalled()
        return replace(self._everything)

    @property
    def sums(self) -> Amounts:
        """What all runs have seen."""
        total = self.total
        total.add(self._carried)
        return total

    @property
    def knows_origin(self) -> bool:
        """Whether what an origin sends is counted, by this or another run: else it is elsewhere."""
        return self._everything.http_bytes + self._carried.http_bytes > 0

    @property
    def origin_mismatches(self) -> int:
        """As in the summary."""
        return self._everything.origin_mismatches + self._carried.origin_mismatches

    def of(self, content: str, groups: Iterable[Group] = ()) -> list[Amounts]:
        """Where something is entered that concerns these: everything, the content, each group."""
        return [self._everything, _book(self._contents, content), *map(self.of_group, groups)]

    def of_group(self, group: Group) -> Amounts:
        """Where something is entered that concerns this group alone."""
        return _book(self._groups, group)

    def count(self, groups: Iterable[Group], change: int) -> None:
        """So many more viewers are in these groups now, or fewer."""
        for group in groups:
            self.members[group] += change
            if not self.members[group]:
                del self.members[group]

    def signalled(self, size: int) -> None:
        """The tracker sent or received these bytes. They are entered when somebody looks: there
        are two messages for each that is passed on."""
        self._signalled += size

    def _enter_signalled(self) -> None:
        size, self._signalled = self._signalled, 0
        for amounts in self.of("") if size else ():
            amounts.overhead_bytes += size

    def failed(self, kind: str, reason: str) -> None:
        """Something has come to nothing."""
        self._failures[Failure(kind, reason)] += 1
        self._refused += kind == "report"

    def summary(self, viewers: int, swarms: int) -> Summary:
        """The figures as of now, of all runs together."""
        return summary_of(self.sums, viewers, swarms, self._refused, self._since)

    def take_in(self, reading: Reading) -> None:
        """Enter what other books have had since the last reading of theirs."""
        for content, amounts in reading.changes.items():
            self._everything.add(amounts)
            _book(self._contents, content).add(amounts)
        for group, amounts in reading.groups.items():
            self.of_group(group).add(amounts)
        self._failures.update(reading.failures)
        self._refused += sum(
            n for failure, n in reading.failures.items() if failure.kind == "report"
        )

    def take_reading(
        self,
        viewers: Mapping[str, int],
        members: Mapping[Group, int] | None = None,
        swarms: int = 0,
    ) -> Reading:
        """What is new since the last reading; ``viewers`` are there now, by content, in so many
        ``swarms``, and ``members`` in groups, if there are others than ours."""
        self._enter_signalled()
        contents, self._contents = self._contents, {}
        groups, self._groups = self._groups, {}
        failures, self._failures = self._failures, Counter()
        return Reading(
            contents,
            dict(viewers),
            groups,
            dict(self.members if members is None else members),
            failures,
            swarms,
        )


def summary_of(total: Amounts, viewers: int, swarms: int, refused: int, since: float) -> Summary:
    """What is told of amounts, and of who is there now; ``refused`` are reports that made no sense,
    ``since`` is when the counting began."""
    is_known = total.http_bytes > 0 or total.peer_bytes_confirmed <= 0
    return Summary(
        **{name: bounded(getattr(total, name)) for name in SHOWN},
        saved_bytes=total.saved_bytes,
        offload=total.offload if is_known else None,
        best_offload=total.best_offload if is_known else None,
        viewers=viewers,
        swarms=swarms,
        refused_reports=refused,
        link_success=total.link_success,
        link_time=total.link_time,
        startups=total.startups,
        startup_p50=total.startup(0.5),
        startup_p95=total.startup(0.95),
        announce_time=total.time_to("announce"),
        answer_time=total.time_to("answer"),
        ice_time=total.time_to("ice"),
        open_time=total.time_to("open"),
        first_chunk_time=total.time_to("first_chunk"),
        played_seconds=total.played_ms / 1000,
        stalled_seconds=total.stalled_ms / 1000,
        rebuffer_ratio=total.rebuffer_ratio,
        bitrate=total.bitrate,
        since=since,
    )


def _book(books: dict[K, Amounts], key: K) -> Amounts:
    found = books.get(key)
    if found is None:
        found = books[key] = Amounts()
    return found
