"""How a limit is tried: see `tests.test_limits`.

An attempt is made with so much of something, and tells what came of it: nothing (an empty text) if
it was accepted, else the code by which it was refused, or a word for what silently is not done.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from p2pcdn.errors import RemoteError

Attempt = Callable[[Any], str | Awaitable[str]]


class Case(NamedTuple):
    """How a limit is tried."""

    row: str
    """Its row in the documentation."""
    attempt: Attempt
    at: Any
    """What is accepted to the last."""
    over: Any
    """One more."""
    far: Any
    """A thousand times as much, or as many as a test may take the time for; None where a clock is
    the limit, which can but strike."""
    beyond: str
    """What comes of more than is accepted."""
    peak: int = 2_097_152
    """Bytes of memory that the far attempt may take, both ends of sockets together."""


def counted(row: str, limit: int, attempt: Attempt, beyond: str, **more: Any) -> Case:
    """A case of a number."""
    return Case(row, attempt, limit, limit + 1, more.pop("far", 1000 * limit), beyond, **more)


def timed(row: str, attempt: Attempt, beyond: str) -> Case:
    """A case of a clock: whoever is prompt is accepted, who is silent or drips is not."""
    return Case(row, attempt, "prompt", "silent", "dripping", beyond)


def seconds(how: str) -> float:
    """The limit of a clock: short for those who are to miss it, and long for the prompt, whom a
    busy machine may hold up."""
    return 10.0 if how == "prompt" else 0.3


def code_of(do: Callable[[], object]) -> str:
    """By which code this is refused."""
    try:
        do()
    except RemoteError as error:
        return error.code.value
    return ""
