"""Threads that wait for servers far away."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from origin.app import READERS
from origin.sources.turns import MOST_OF_ONE, MOST_WAITING, Share, Turns
from p2pcdn.errors import SourceError, SourceReason


def taken(stack: ExitStack, share: Share, most: int = 100) -> int:
    """How many turns a place gets."""
    for number in range(most):
        try:
            stack.enter_context(share.turn())
        except SourceError:
            return number
    return most


def test_places_share_what_there_is() -> None:
    turns = Turns()
    one, other = Share(turns, "https://a.example/"), Share(turns, "s3://films")
    with ExitStack() as stack:
        assert taken(stack, one) == MOST_OF_ONE
        assert taken(stack, other) == MOST_WAITING - MOST_OF_ONE
        assert taken(stack, Share(turns, "another")) == 0
    with ExitStack() as stack:
        assert taken(stack, other) == MOST_OF_ONE
    assert MOST_WAITING < READERS


def test_whoever_has_too_many_gives_none_back_that_it_has_not() -> None:
    turns = Turns(2)
    share = Share(turns, "a", 1)
    with ExitStack() as stack:
        assert taken(stack, share) == 1
        for _ in range(3):
            with pytest.raises(SourceError) as caught, share.turn():
                pass
            assert caught.value.reason is SourceReason.BUSY
            assert caught.value.detail == "Too many wait for a already."
        assert taken(stack, Share(turns, "b")) == 1
