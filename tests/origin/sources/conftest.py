"""Buckets on an S3 server."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from tests.origin.buckets import Store, equip, moto

_NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def moto_port() -> Iterator[int]:
    with moto() as port:
        yield port


@pytest.fixture
def store(moto_port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A bucket of its own, with keys in the environment."""
    equip(monkeypatch)
    made = Store(moto_port, f"films-{next(_NUMBERS)}")
    yield made
    made.close()
