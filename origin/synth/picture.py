"""The moving picture: hills at dusk, snow, and a clock that shows where one is.

A frame is three planes (luma, and two of chroma at half the size). All three show the same
shapes, each in its own component of their colours, so a `Painter` draws one plane and a `Scene`
has three. Everything is copying runs of equal bytes into a `bytearray`, and what can stand still
does, so that a 720p frame takes 2 ms; no loop over pixels in Python would come near.

The snow is there for the encoder: it is what makes the stream as large as a real one.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from origin.synth.digits import glyph

HILLS_PERIOD = 2
"""The hills repeat after this many widths of the picture."""

FLAKES = 320


class Colour(NamedTuple):
    """A colour as the encoder takes it."""

    luma: int
    blue: int
    red: int


def colour(rgb: int) -> Colour:
    """An RGB colour as BT.709 in limited range (ITU-R BT.709-6, 3.4)."""
    r, g, b = (((rgb >> shift) & 255) / 255 for shift in (16, 8, 0))
    luma = 0.2126 * r + 0.7152 * g + 0.0722 * b
    return Colour(
        round(16 + 219 * luma),
        round(128 + 224 * (b - luma) / 1.8556),
        round(128 + 224 * (r - luma) / 1.5748),
    )


@dataclass(frozen=True)
class Hills:
    """One range of hills. Lengths are in heights of the picture, speed in its widths a second."""

    colour: Colour
    base: float
    swing: float
    waves: tuple[int, int]
    speed: float

    def top(self, position: float) -> float:
        """How far down the ridge is at a position of 0 to 1 along the whole range."""
        turn = 2 * math.pi * position
        long, short = self.waves
        wave = 0.6 * math.sin(long * turn) + 0.4 * math.sin(short * turn + 1.3 * long)
        return self.base + self.swing * wave


SKY = tuple(colour(rgb) for rgb in (0x101536, 0x2B2A63, 0x7A3F7C, 0xE0746A, 0xF7B267))
SUN = colour(0xFFE3A8)
SUN_AT, SUN_RADIUS, SUN_GLOW = (0.73, 0.48), 0.1, 3.2
INK = colour(0xFFFFFF)
DIM = colour(0xC9CBE8)

RANGES = (
    Hills(colour(0x8C4A78), 0.610, 0.070, (3, 7), 0.015),
    Hills(colour(0x5D3A70), 0.735, 0.055, (2, 5), 0.030),
    Hills(colour(0x38295A), 0.843, 0.050, (3, 4), 0.055),
    Hills(colour(0x191A38), 0.940, 0.045, (2, 3), 0.095),
)
"""From the farthest to the nearest. The ridge of one ends above where that of the next begins:
what a row shows is then either one range, or one range before one other."""


class Painter:
    """Draws one plane; ``stride`` is the bytes from one row to the next."""

    def __init__(self, component: int, width: int, height: int, stride: int) -> None:
        self._component = component
        self._width, self._height, self._stride = width, height, stride
        self._backdrop = self._paint_backdrop()
        self._ridges = [self._ridge_rows(front) for front in range(1, len(RANGES))]
        self._flakes = self._scatter() if component == 0 else ()
        self._titles = ("", "")
        self._titled = b""

    def paint(self, seconds: float, titles: tuple[str, str], share: float) -> bytes:
        """The plane at a moment; ``share`` of the presentation is over."""
        if titles != self._titles:
            self._titles, self._titled = titles, self._paint_titles(*titles)
        plane = bytearray(self._titled)
        self._paint_hills(plane, seconds)
        self._paint_snow(plane, seconds)
        self._paint_bar(plane, share)
        return bytes(plane)

    def _paint_backdrop(self) -> bytes:
        """The sky, the sun, and as much of the hills as no movement reaches."""
        fills = [_sky(self._component, y / self._height) for y in range(self._height)]
        for hills in RANGES:
            first = ridge(hills, self._width, self._height).bottom
            fills[first:] = [hills.colour[self._component]] * (self._height - first)
        plane = bytearray().join(bytes([round(fill)]) * self._stride for fill in fills)
        self._paint_sun(plane, fills)
        return bytes(plane)

    def _paint_sun(self, plane: bytearray, fills: list[float]) -> None:
        centre_x, centre_y = SUN_AT[0] * self._width, SUN_AT[1] * self._height
        radius = SUN_RADIUS * self._height
        reach = radius * SUN_GLOW
        horizon = ridge(RANGES[0], self._width, self._height).bottom
        for y in range(int(centre_y - reach), min(horizon, int(centre_y + reach))):
            for x in range(int(centre_x - reach), min(self._width, int(centre_x + reach))):
                far = (math.hypot(x - centre_x, y - centre_y) / radius - 1) / (SUN_GLOW - 1)
                light = 1.0 if far < 0 else max(0.0, 0.55 * (1 - far)) ** 2
                plane[y * self._stride + x] = round(_mix(fills[y], SUN[self._component], light))

    def _ridge_rows(self, front: int) -> list[tuple[int, bytes]]:
        """Each row of a ridge: where it is, and one whole period of it and a picture's width."""
        behind = bytes([RANGES[front - 1].colour[self._component]])
        before = bytes([RANGES[front].colour[self._component]])
        shape = ridge(RANGES[front], self._width, self._height)
        rows = []
        for y, runs in enumerate(shape.runs, shape.top):
            row = bytearray(behind * (self._width * HILLS_PERIOD))
            for begin, end in runs:
                row[begin:end] = before * (end - begin)
            rows.append((y * self._stride, bytes(row + row[: self._width])))
        return rows

    def _scatter(self) -> tuple[tuple[float, float, float, int], ...]:
        """The flakes: where they begin (in widths and heights), how fast they fall, their size."""
        rng = random.Random(1)
        unit = max(1.0, self._height / 240)
        return tuple(
            (rng.random(), rng.random(), speed, max(1, round(unit * (0.4 + speed))))
            for speed in (rng.uniform(0.4, 1.2) for _ in range(FLAKES))
        )

    def _paint_titles(self, clock: str, label: str) -> bytes:
        plane = bytearray(self._backdrop)
        self._paint_text(plane, clock, 0.15, 0.20, INK)
        self._paint_text(plane, label, 0.43, 0.05, DIM)
        return bytes(plane)

    def _paint_text(
        self, plane: bytearray, text: str, top: float, tall: float, ink: Colour
    ) -> None:
        """Text in the middle; ``top`` and ``tall`` in heights of the picture."""
        glyphs = [glyph(character, round(tall * self._height)) for character in text]
        left = (self._width - sum(each.advance for each in glyphs)) // 2
        value = bytes([ink[self._component]])
        for each in glyphs:
            corner = round(top * self._height) * self._stride + left
            for y, begin, end in each.runs:
                at = corner + y * self._stride
                plane[at + begin : at + end] = value * (end - begin)
            left += each.advance

    def _paint_hills(self, plane: bytearray, seconds: float) -> None:
        width, stride, period = self._width, self._stride, self._width * HILLS_PERIOD
        farthest = ridge(RANGES[0], width, self._height)
        fill = bytes([RANGES[0].colour[self._component]]) * width
        offset = int(seconds * RANGES[0].speed * width) % period
        for y, runs in enumerate(farthest.runs, farthest.top):
            for run in runs:
                for turn in (0, period):
                    begin, end = max(run[0] - offset + turn, 0), min(run[1] - offset + turn, width)
                    if begin < end:
                        plane[y * stride + begin : y * stride + end] = fill[: end - begin]
        for hills, rows in zip(RANGES[1:], self._ridges, strict=True):
            offset = int(seconds * hills.speed * width) % period
            for at, row in rows:
                plane[at : at + width] = row[offset : offset + width]

    def _paint_snow(self, plane: bytearray, seconds: float) -> None:
        width, height, stride = self._width, self._height, self._stride
        for across, down, speed, size in self._flakes:
            drift = across + 0.02 * math.sin(seconds * speed + across * 40) - 0.02 * seconds * speed
            x = int(drift % 1 * (width - size))
            y = int((down + seconds * speed * 0.11) % 1 * (height - size))
            fill = bytes([150 + int(speed * 60)]) * size
            for at in range(y * stride + x, (y + size) * stride + x, stride):
                plane[at : at + size] = fill

    def _paint_bar(self, plane: bytearray, share: float) -> None:
        end = round(self._width * share)
        fill = bytes([SUN[self._component]]) * end
        for y in range(self._height - max(1, self._height // 90), self._height):
            plane[y * self._stride : y * self._stride + end] = fill


class Ridge(NamedTuple):
    """The rows in which a range of hills begins."""

    top: int
    bottom: int
    runs: tuple[tuple[tuple[int, int], ...], ...]
    """Row by row from top to bottom: from where to where (not included) there is hill."""


@cache
def ridge(hills: Hills, width: int, height: int) -> Ridge:
    """The ridge of a range of hills in a picture of this size."""
    tops = [
        round(hills.top(x / (width * HILLS_PERIOD)) * height) for x in range(width * HILLS_PERIOD)
    ]
    first, last = min(tops), min(max(tops), height)
    return Ridge(first, last, tuple(_runs_below(tops, y) for y in range(first, last)))


def _runs_below(tops: list[int], y: int) -> tuple[tuple[int, int], ...]:
    inside = [False, *(top <= y for top in tops), False]
    edges = [x for x in range(len(tops) + 1) if inside[x] != inside[x + 1]]
    return tuple(zip(edges[::2], edges[1::2], strict=True))


def _sky(component: int, down: float) -> float:
    """The sky at a depth of 0 (top) to 1 (bottom of the picture)."""
    at = min(down / 0.7, 0.999) * (len(SKY) - 1)
    index = int(at)
    return _mix(SKY[index][component], SKY[index + 1][component], at - index)


def _mix(a: float, b: float, share: float) -> float:
    return a + (b - a) * share


class Scene:
    """The picture at one size."""

    def __init__(self, label: str, sizes: tuple[tuple[int, int, int], ...], length: float) -> None:
        """``sizes`` are width, height and stride of the three planes, ``length`` is in seconds."""
        self._label, self._length = label, length
        self._painters = [Painter(index, *size) for index, size in enumerate(sizes)]

    def planes(self, seconds: float) -> list[bytes]:
        """The three planes of the picture at a moment."""
        tenths = int(seconds * 10 + 0.001)
        clock = f"{tenths // 600:02}:{tenths // 10 % 60:02}.{tenths % 10}"
        share = seconds / self._length
        return [painter.paint(seconds, (clock, self._label), share) for painter in self._painters]
