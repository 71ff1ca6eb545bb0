"""The code that a viewer types: what it holds, and when it is over."""

from __future__ import annotations

from random import Random

import pytest

from peer.native.gateway.codes import ATTEMPTS, LASTS, SECRET_BITS, Codes, shown, written

PORT = 54_321


def codes(seed: int = 1) -> Codes:
    return Codes(Random(seed).getrandbits)


@pytest.mark.parametrize(
    ("port", "secret", "code"),
    [
        (0, 0, "000000000000"),
        (1, 0, "000G00000000"),
        (65_535, (1 << SECRET_BITS) - 1, "ZZZZZZZZZZZZ"),
        (54_321, 0x123_4567_89AB, "TGRH4D2PF2DB"),
    ],
)
def test_it_holds_the_port_and_the_secret(port: int, secret: int, code: str) -> None:
    assert written(port, secret) == code


def test_a_person_reads_it_in_fours() -> None:
    assert shown("6ZHX9K2MQW4T") == "6ZHX-9K2M-QW4T"


def test_there_is_none_unless_somebody_asks() -> None:
    assert codes().current(0.0) is None
    assert not codes().fits("000000000000", 0.0)


def test_it_is_good_once() -> None:
    machine = codes()
    code = machine.new(PORT, 0.0)
    assert machine.fits(code, 1.0)
    assert machine.spend(code, 1.0)
    assert not machine.fits(code, 1.0)
    assert not machine.spend(code, 1.0)


def test_it_is_good_for_some_minutes() -> None:
    machine = codes()
    code = machine.new(PORT, 10.0)
    assert machine.current(10.0) == (code, LASTS)
    assert machine.fits(code, 10.0 + LASTS - 0.1)
    assert not machine.fits(code, 10.0 + LASTS)
    assert machine.current(10.0 + LASTS) is None


def test_a_new_one_takes_the_place_of_the_last() -> None:
    machine = codes()
    first, second = machine.new(PORT, 0.0), machine.new(PORT, 0.0)
    assert first != second
    assert not machine.fits(first, 1.0)
    assert machine.fits(second, 1.0)


def test_wrong_ones_end_it() -> None:
    machine = codes()
    code = machine.new(PORT, 0.0)
    for _ in range(ATTEMPTS - 1):
        assert not machine.fits("0" * 12, 1.0)
    assert machine.fits(code, 1.0), "whoever mistypes may try again"
    assert not machine.fits("0" * 12, 1.0)
    assert not machine.fits(code, 1.0)
    assert machine.fits(machine.new(PORT, 2.0), 2.0)
