"""The limits, at points where they can be said by hand."""

from __future__ import annotations

from math import exp

import pytest

from p2pcdn.sim import limits


def test_live_needs_one_copy_if_there_is_upload_enough() -> None:
    assert limits.live(100, 0.0, 1.0, 1.2) == 1.0
    assert limits.live(1, 0.0, 1.0, 0.0) == 1.0


def test_live_needs_a_copy_for_each_who_is_cut_off_and_for_what_upload_lacks() -> None:
    assert limits.live(100, 0.05, 1.0, 1.2) == pytest.approx(6.0)
    assert limits.live(100, 0.0, 0.5, 1.0) == pytest.approx(50.0)
    assert limits.live(10, 1.0, 1.0, 1.0) == 10.0


def test_a_flash_crowd_takes_its_beginnings_by_http() -> None:
    assert limits.flash(1, 0.0, 4.0, 120.0) == pytest.approx(1.0)
    assert limits.flash(100, 0.0, 4.0, 120.0) == pytest.approx(0.01 + 0.99 / 30)
    assert limits.flash(100, 1.0, 4.0, 120.0) == 1.0


def test_vod_by_how_many_watch_at_a_time() -> None:
    assert limits.poisson(0.0) == 1.0
    assert limits.poisson(5.0) == pytest.approx(0.19865, rel=1e-4)
    assert limits.prefetched(5.0) == pytest.approx(exp(-5))
    assert limits.lingering(0.01, 0.0, 500.0) == limits.poisson(5.0)
    assert limits.lingering(0.01, 100.0, 500.0) == pytest.approx(exp(-1) * limits.poisson(5.0))


def test_a_network_imports_a_copy_and_what_its_uplinks_lack() -> None:
    assert limits.imports(10, 1.2) == 1.0
    assert limits.imports(10, 0.75) == pytest.approx(2.5)
    assert limits.imports(1, 5.0) == 1.0
    assert limits.imports(0.5, 1.0) == 0.5  # somebody is there half of the time
    assert limits.imports(0, 1.0) == 0.0


def test_shares_weigh_as_much_as_there_are_viewers() -> None:
    assert limits.weighted([(30, 0.9), (10, 0.5)]) == pytest.approx(0.8)
    assert limits.weighted([]) == 0.0
