"""Who came in by what, and for how long.

::

    opened --admit--> has a pass --renew--> has a later one
                          |
                          '--- expired, or `unwelcome` after the operator spoke ---> to be dismissed
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator

from p2pcdn.core.access import Pass, Sites, Visitor
from p2pcdn.errors import RemoteError
from p2pcdn.wire.tracker import Join, Renew


class Passes:
    """The passes of all sockets that have joined."""

    def __init__(self, sites: Sites) -> None:
        self._sites = sites
        self._visitors: dict[int, Visitor] = {}
        """Of every open socket."""
        self._passes: dict[int, Pass] = {}
        self._ends: dict[int, float] = {}
        """When each expires that does."""
        self._queue: list[tuple[float, int]] = []
        """The same, the next one first; entries that are not among `_ends` are of the past."""

    def opened(self, socket: int, visitor: Visitor) -> None:
        """A socket is open, and may ask to be let in."""
        self._visitors[socket] = visitor

    def admit(self, socket: int, join: Join, now: float, unix: float) -> float | None:
        """Let it in; for how many seconds, or None if for ever. `RemoteError` says why not."""
        visitor = self._visitors[socket]
        return self._give(socket, self._sites.admit(join, visitor, unix), now, unix)

    def renew(self, socket: int, renewal: Renew, now: float, unix: float) -> float | None:
        """Let it stay; for how many seconds, as in `admit`."""
        return self._give(socket, self._sites.renew(self._passes[socket], renewal, unix), now, unix)

    def closed(self, socket: int) -> None:
        """The socket is gone."""
        self._visitors.pop(socket, None)
        self._passes.pop(socket, None)
        self._ends.pop(socket, None)

    def timer_at(self) -> float | None:
        """When the next pass expires."""
        queue = self._queue
        while queue and self._ends.get(queue[0][1]) != queue[0][0]:
            heapq.heappop(queue)
        return queue[0][0] if queue else None

    def expired(self, now: float) -> list[int]:
        """Sockets whose pass has expired."""
        found = []
        while (at := self.timer_at()) is not None and at <= now:
            _, socket = heapq.heappop(self._queue)
            del self._ends[socket]
            found.append(socket)
        return found

    def unwelcome(self) -> Iterator[tuple[int, RemoteError]]:
        """Those that may not be here any more, and why."""
        for socket, admitted in list(self._passes.items()):
            try:
                self._sites.stays(admitted)
            except RemoteError as error:
                yield socket, error

    def _give(self, socket: int, given: Pass, now: float, unix: float) -> float | None:
        self._passes[socket] = given
        lasts = given.lasts(unix)
        self._ends.pop(socket, None)
        if lasts is not None:
            self._ends[socket] = now + lasts
            heapq.heappush(self._queue, (now + lasts, socket))
        return lasts
