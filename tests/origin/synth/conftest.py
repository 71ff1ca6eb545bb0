"""A presentation of two small renditions, made once for all the tests here."""

from __future__ import annotations

from pathlib import Path

import pytest

from origin.synth import Rendition, synthesise

SMALL = (
    Rendition("180p", 320, 180, 300_000),
    Rendition("270p", 480, 270, 700_000),
)
SECONDS = 8


@pytest.fixture(scope="session")
def presentation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The multivariant playlist of `SMALL`, `SECONDS` long."""
    directory = tmp_path_factory.mktemp("synth") / "film"
    return synthesise(directory, seconds=SECONDS, renditions=SMALL)
