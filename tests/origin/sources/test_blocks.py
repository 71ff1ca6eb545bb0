"""Blocks: each once, and not for ever."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from origin.sources.blocks import Blocks


def test_each_is_fetched_once() -> None:
    blocks = Blocks()
    assert blocks.find("a") is None
    assert blocks.get("a", lambda: b"one") == b"one"
    assert blocks.get("a", lambda: b"two") == b"one"
    assert blocks.find("a") == b"one"


def test_those_used_longest_ago_go() -> None:
    blocks = Blocks(most=2)
    for name in ("a", "b"):
        blocks.get(name, name.encode)
    blocks.find("a")
    blocks.get("c", lambda: b"c")
    assert [blocks.find(name) for name in ("a", "b", "c")] == [b"a", None, b"c"]


@pytest.mark.parametrize("fails", [False, True])
def test_who_comes_meanwhile_gets_the_same(fails: bool) -> None:
    blocks = Blocks()
    begun, go_on, fetched = threading.Event(), threading.Event(), []

    def fetch() -> bytes:
        fetched.append(1)
        begun.set()
        assert go_on.wait(10)
        if fails:
            raise OSError("away")
        return b"one"

    with ThreadPoolExecutor(3) as threads:
        first = threads.submit(blocks.get, "a", fetch)
        assert begun.wait(10)
        others = [threads.submit(blocks.get, "a", fetch) for _ in range(2)]
        while threads._work_queue.qsize():
            threading.Event().wait(0.001)
        go_on.set()
        for job in (first, *others):
            assert isinstance(job.exception(), OSError) if fails else job.result() == b"one"
    assert len(fetched) in ((1, 2, 3) if fails else (1,))
    if fails:
        assert blocks.get("a", lambda: b"there again") == b"there again"
