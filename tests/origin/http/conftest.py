"""Lanes write past transports, which differ from loop to loop: both are tested."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
import uvloop


def pytest_asyncio_loop_factories(
    item: pytest.Item,
) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    loops = {"asyncio": asyncio.new_event_loop}
    if item.path.name == "test_lanes.py":
        loops["uvloop"] = uvloop.new_event_loop
    return loops
