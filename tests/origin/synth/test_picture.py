"""The picture: it moves, repeats exactly, and its shapes do not get in each other's way."""

from __future__ import annotations

from itertools import pairwise

import pytest

from origin.synth.picture import RANGES, Scene, colour, ridge

SIZES = ((320, 180, 384), (160, 90, 192), (160, 90, 192))


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene("180p", SIZES, length=60)


def test_planes_have_the_size_of_the_frame_with_its_padding(scene: Scene) -> None:
    assert [len(plane) for plane in scene.planes(0)] == [h * stride for _, h, stride in SIZES]


def test_a_moment_looks_the_same_each_time(scene: Scene) -> None:
    early = scene.planes(3.04)
    scene.planes(17.2)
    assert scene.planes(3.04) == early
    assert Scene("180p", SIZES, length=60).planes(3.04) == early


def test_the_picture_moves_from_frame_to_frame(scene: Scene) -> None:
    frames = [tuple(scene.planes(n / 25)) for n in range(25)]
    assert len(set(frames)) == 25


def test_the_clock_and_the_label_show(scene: Scene) -> None:
    other = Scene("270p", SIZES, length=60)
    sky = slice(0, 384 * 100)  # above the hills
    assert scene.planes(1)[0][sky] != other.planes(1)[0][sky]
    # Chroma has no snow: a change above the hills is the clock's.
    assert scene.planes(59.92)[1][: 192 * 30] == scene.planes(59.96)[1][: 192 * 30]
    assert scene.planes(59.96)[1][: 192 * 30] != scene.planes(60)[1][: 192 * 30]


def test_the_bar_grows_with_the_share_that_is_over(scene: Scene) -> None:
    last_rows = [scene.planes(seconds)[0][-384:-64] for seconds in (0, 30, 60)]
    bright = [row.count(last_rows[2][0]) for row in last_rows]
    assert bright[0] < bright[1] < bright[2] == 320
    assert bright[1] == pytest.approx(160, abs=8)


@pytest.mark.parametrize(("width", "height"), [(160, 90), (320, 180), (640, 360), (1280, 720)])
def test_no_ridge_reaches_into_the_next(width: int, height: int) -> None:
    ridges = [ridge(hills, width, height) for hills in RANGES]
    assert all(far.bottom <= near.top for far, near in pairwise(ridges))
    assert ridges[-1].bottom <= height


def test_the_hills_have_no_seam() -> None:
    for hills in RANGES:
        assert hills.top(0) == pytest.approx(hills.top(1))


@pytest.mark.parametrize(
    ("rgb", "expected"),
    [
        (0x000000, (16, 128, 128)),
        (0xFFFFFF, (235, 128, 128)),
        (0xFF0000, (63, 102, 240)),
        (0x0000FF, (32, 240, 118)),
    ],
)
def test_colours_are_bt709(rgb: int, expected: tuple[int, int, int]) -> None:
    assert colour(rgb) == expected
