"""What is fetched for which question; the answers themselves are those of `test_elsewhere`."""

from __future__ import annotations

import asyncio

import pytest

from origin.elsewhere import fetcher
from origin.elsewhere.answers import AHEAD
from tests.origin.elsewhere.cdn import BASE
from tests.origin.elsewhere.test_elsewhere import TOKEN, Stage, Start, film, start
from tests.origin.waiting import until

__all__ = ["start"]


def fetched(stage: Stage) -> list[int]:
    names = [path for path in stage.cdn.paths() if path.endswith(".ts")]
    return sorted(int(name.removeprefix("480p_").removesuffix(".ts")) for name in names)


@pytest.mark.parametrize(
    ("questions", "numbers"),
    [
        ({}, [*range(1 + AHEAD)]),
        ({"at": "5"}, [*range(5, 6 + AHEAD)]),
        ({"at": "69"}, [69]),
        ({"records": "3-5"}, [3, 4, 5]),
        ({"records": "68-80"}, [68, 69]),
        ({"hashes": "7-8"}, [7, 8]),
    ],
)
async def test_what_is_fetched(start: Start, questions: dict[str, str], numbers: list[int]) -> None:
    stage = await start()
    film(stage.cdn)
    await stage.ask("480p.m3u8", **questions)
    await until(lambda: fetched(stage) == numbers)
    await stage.ask("480p.m3u8", **questions)
    assert fetched(stage) == numbers


async def test_who_asks_for_what_takes_long_is_told_to_come_back(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetcher, "PATIENCE", 0.05)
    stage = await start()
    film(stage.cdn)
    await stage.ask("480p.m3u8", at="0")
    stage.cdn.gate = asyncio.Event()
    target = f"/manifest/?url={BASE}480p.m3u8%3Ftoken={TOKEN}&at=20"
    response = await stage.site.get(target)
    assert (response.status, response.headers["Retry-After"]) == (503, "1")
    assert b"just being fetched" in await response.read()
    stage.cdn.gate.set()
    await until(lambda: len(stage.cdn.replies) > 12)
    assert (await stage.page("480p.m3u8", at="20")).segments


async def test_a_presentation_that_cannot_be_had_is_none(start: Start) -> None:
    stage = await start()
    film(stage.cdn)
    for url in ("https://evil.example/a.m3u8", f"{BASE}none.m3u8", "x", f"{BASE}480p_0.ts"):
        page = await stage.page("480p.m3u8", at="0", presentation=url)
        assert page.rendition == f"{BASE}480p.m3u8"
    assert all(url.startswith(BASE) for url in stage.cdn.asked)
