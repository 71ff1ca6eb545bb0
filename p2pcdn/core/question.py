"""Something that the origin is asked for: once at a time, and with a pause after a failure.

::

    idle --asked--> open --answered--> idle
      ^              |
      '--the pause--failed

The pause doubles with each failure, up to a bound, and begins anew after an answer.
"""

from __future__ import annotations

from dataclasses import dataclass

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 8.0
ANSWER_TIMEOUT = 10.0
"""A fetch that is not answered by then counts as failed; the shell has time-outs of its own."""


@dataclass(slots=True)
class Question:
    """One question, whatever it is about."""

    since: float | None = None
    """When it was asked, if it is not answered yet."""
    until: float | None = None
    """When the pause ends, if there is one."""
    pause: float = FIRST_PAUSE

    def may_ask(self, now: float) -> bool:
        if self.until is not None and self.until <= now:
            self.until = None
        return self.since is None and self.until is None

    def answered(self) -> None:
        self.since, self.until, self.pause = None, None, FIRST_PAUSE

    def failed(self, now: float) -> None:
        if self.since is not None:
            self.since, self.until = None, now + self.pause
            self.pause = min(self.pause * 2, LONGEST_PAUSE)

    def timer_at(self) -> float | None:
        return self.until if self.since is None else self.since + ANSWER_TIMEOUT

    def on_timer(self, now: float) -> None:
        if self.since is not None and self.since + ANSWER_TIMEOUT <= now:
            self.failed(now)
