"""Servers run on uvloop and on asyncio, which differ in their transports: both are tested."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
import uvloop


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents and "[uvloop" in item.name:
            # The other method raises in a signal's handler, which uvloop keeps to itself.
            item.add_marker(pytest.mark.timeout(60, method="thread"))
