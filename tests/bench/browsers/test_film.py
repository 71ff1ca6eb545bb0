"""What a segment of the film or of the channel weighs."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.browsers import film
from origin.synth import Rendition


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> film.Film:
    monkeypatch.setattr(film, "SECONDS", 6)
    monkeypatch.setattr(film, "RENDITION", Rendition("90p", 160, 90, 400_000))
    monkeypatch.setattr(film, "OPENING", 2)
    return film.Film(tmp_path)


async def test_the_channel_begins_where_it_is_told_and_its_segments_are_known(
    tiny: film.Film, tmp_path: Path
) -> None:
    async with tiny.channel(tmp_path / "live") as feed:
        assert (feed.last + 1) % 3 == 2
    sizes = {path.name: path.stat().st_size for path in (tmp_path / "live").glob("*.ts")}
    assert len(set(sizes.values())) == 3
    assert {name: tiny.size(f"/media/live/{name}") for name in sizes} == sizes
    assert tiny.bits_per_second == pytest.approx(8 * sum(set(sizes.values())) / 6)
