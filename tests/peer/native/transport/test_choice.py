"""Which transport is taken."""

from __future__ import annotations

import pytest

from peer.native.transport import libdatachannel
from peer.native.transport.aiortc import AiortcTransport
from peer.native.transport.choice import transport_of
from tests.peer.native.transport.ends import needs_fast


async def test_without_the_fast_one_it_is_aiortc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libdatachannel, "is_there", lambda: False)
    assert isinstance(transport_of("auto", ["203.0.113.7"]), AiortcTransport)


@needs_fast
async def test_the_fast_one_is_taken_where_it_is() -> None:
    from peer.native.transport.fast import FastTransport

    assert isinstance(transport_of("auto"), FastTransport)
    assert isinstance(transport_of("fast"), FastTransport)
    assert isinstance(transport_of("aiortc"), AiortcTransport)


async def test_who_wants_the_fast_one_hears_that_it_is_not_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def load() -> None:
        raise ImportError("No module named 'aiolibdatachannel'")

    monkeypatch.setattr(libdatachannel, "load", load)
    with pytest.raises(ImportError, match="aiolibdatachannel"):
        transport_of("fast")
