"""HTTP's weather: the same whoever looks, and as bad as it was asked for."""

from __future__ import annotations

from random import Random

import pytest

from p2pcdn.sim.weather import Weather


def shaky(seed: int = 1) -> Weather:
    return Weather(good=20.0, bad=5.0, dip=0.1, outages=0.5, dice=Random(seed))


def test_good_weather_never_ends() -> None:
    weather = Weather(20.0, 0.0, 0.1, 0.5, Random(1))
    assert weather.factor(1e6) == 1.0
    assert weather.clears_at(5.0) == 5.0


def test_it_is_the_same_whenever_somebody_looks() -> None:
    times = [step / 2 for step in range(1_000)]
    forwards, backwards = shaky(), shaky()
    seen = [forwards.factor(at) for at in times]
    assert seen == [backwards.factor(at) for at in reversed(times)][::-1]
    assert set(seen) == {1.0, 0.1, 0.0}


def test_it_is_bad_for_as_long_as_was_asked() -> None:
    weather = shaky()
    bad = sum(weather.factor(float(at)) < 1.0 for at in range(100_000))
    assert bad / 100_000 == pytest.approx(0.2, rel=0.1)


def test_an_outage_ends_when_it_says() -> None:
    weather = shaky()
    at = next(step / 10 for step in range(100_000) if weather.factor(step / 10) == 0.0)
    clears = weather.clears_at(at)
    assert clears > at
    assert weather.factor(clears) > 0
    assert weather.factor(clears - 0.001) == 0.0
