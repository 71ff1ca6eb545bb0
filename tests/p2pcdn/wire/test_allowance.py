"""What may be said on a link's control channel in a time."""

from __future__ import annotations

import pytest

from p2pcdn.errors import ErrorCode, RemoteError
from p2pcdn.wire.allowance import EACH, MOST_A_SECOND, MOST_AT_ONCE, Allowance


def test_a_burst_and_not_a_byte_more() -> None:
    allowance = Allowance(5.0)
    for _ in range(32):
        allowance.take(MOST_AT_ONCE // 32 - EACH, 5.0)
    with pytest.raises(RemoteError) as caught:
        allowance.take(0, 5.0)
    assert caught.value.code is ErrorCode.TOO_FAST


def test_it_comes_back_and_does_not_add_up() -> None:
    allowance = Allowance(0.0)
    allowance.take(MOST_AT_ONCE - EACH, 0.0)
    allowance.take(MOST_A_SECOND - EACH, 1.0)
    allowance.take(MOST_AT_ONCE - EACH, 10_000.0)
    with pytest.raises(RemoteError):
        allowance.take(0, 10_000.0)


def test_the_smallest_messages_are_counted_as_well() -> None:
    allowance = Allowance(0.0)
    for _ in range(MOST_AT_ONCE // EACH):
        allowance.take(0, 0.0)
    with pytest.raises(RemoteError):
        allowance.take(0, 0.0)
