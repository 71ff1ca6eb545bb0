"""Loads in processes of their own: what one of them says, and what is said if it dies."""

from __future__ import annotations

import os

import pytest

from bench.tracker.scenes import apart


def test_a_load_that_dies_is_said_to_have_died_and_waited_for_no_longer() -> None:
    with pytest.raises(RuntimeError, match=r"_exit\(3,\) has died"):
        apart(os._exit, 3)
