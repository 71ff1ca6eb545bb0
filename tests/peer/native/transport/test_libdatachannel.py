"""How libdatachannel is found, and set up."""

from __future__ import annotations

import importlib
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from peer.native.transport import libdatachannel
from peer.native.transport.libdatachannel import Library
from tests.peer.native.transport.ends import needs_fast


def test_where_it_is_not_installed_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("aiolibdatachannel", "aiolibdatachannel._core"):
        monkeypatch.setitem(sys.modules, name, None)
    libdatachannel.load.cache_clear()
    assert not libdatachannel.is_there()
    libdatachannel.load.cache_clear()


def test_one_that_hides_what_we_need_counts_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """A later one may export less."""
    module = SimpleNamespace(__file__=importlib.import_module("_ctypes").__file__)

    def import_module(name: str) -> Any:
        assert name.startswith("aiolibdatachannel.")
        return module

    monkeypatch.setattr(importlib, "import_module", import_module)
    with pytest.raises(ImportError, match="hides libdatachannel"):
        Library()


@needs_fast
def test_it_is_loaded_once() -> None:
    assert libdatachannel.load() is libdatachannel.load()
