"""Where figures can be kept: in a file, in memory, in ClickHouse."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from p2pcdn.config import LedgerConfig
from tests import clickhouse
from tests.tracker.storage.batches import Place
from tracker.storage import clickhouse as storage
from tracker.storage.clickhouse import ClickHouse
from tracker.storage.sqlite import Sqlite


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[clickhouse.Server]:
    """A ClickHouse that all tests share, a database for each."""
    if not clickhouse.is_installed():
        pytest.skip("no chDB here: `pip install '.[dev]'` brings it where there is one")
    with clickhouse.running(tmp_path_factory.mktemp("clickhouse")) as server:
        yield server


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine may have other things to do, too."""
    monkeypatch.setattr(storage, "TIMEOUT", 120)


@pytest.fixture
def database() -> str:
    """The name of a database that is not there yet."""
    return f"test_{uuid.uuid4().hex}"


@pytest.fixture(params=["file", "clickhouse"])
def lasting(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A place that outlives a run."""
    return _place(request, tmp_path)


@pytest.fixture(params=["file", "memory", "clickhouse"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Any place."""
    return _place(request, tmp_path)


def _place(request: pytest.FixtureRequest, directory: Path) -> Place:
    if request.param == "clickhouse":
        url = request.getfixturevalue("engine").url(request.getfixturevalue("database"))
        return lambda **config: ClickHouse(LedgerConfig(clickhouse=url, **config))
    where = directory / "data" if request.param == "file" else None
    return lambda **config: Sqlite(where, LedgerConfig(**config))
