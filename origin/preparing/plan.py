"""What becomes of a file: which of its tracks are copied, which are encoded, and to what. Pure.

::

    codec that browsers play --+--> turned, or other pixels? --+--> copied, if key frames allow it
                               |                               |
    any other codec -----------+----------> encoded <----------+

A rung of the ladder that is as tall as the picture is the picture itself, so it may be copied;
those below are encoded. Nothing is ever made larger. Whether key frames are close enough for the
picture to be cut at them, and whether its times are in order, shows only while it is copied: the
plan is then made again, `anew`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from origin.preparing.facts import Audio, Facts, MediaError, Video

SEGMENT_SECONDS = 4.0

PLAYED = {
    "h264": ("yuv420p", "yuvj420p"),
    "hevc": ("yuv420p", "yuvj420p", "yuv420p10le"),
    "vp9": ("yuv420p", "yuv420p10le"),
    "av1": ("yuv420p", "yuv420p10le"),
}
"""Codecs that some browsers play from fragments of MP4, with the pixels that they do. HEVC needs
the device's own decoder, so not all of them do."""

HEARD = ("aac", "opus", "flac")

BITS_PER_PIXEL = 0.1
"""The most that the encoder may take, of what moves at 30 frames a second: 6 Mbit/s for 1080p."""
AUDIO_BITS = 128_000

CONTAINER = 1.02
"""What fragments of MP4 weigh, by their media."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a person asked for."""

    segment: float = SEGMENT_SECONDS
    """Seconds that a segment is to last."""
    ladder: tuple[int, ...] = ()
    """Heights (of a picture on its side: widths), in lines; none: the picture as it is."""
    separate_audio: bool = False
    """All sound tracks in playlists of their own, rather than one of them in with the picture."""
    encode: bool = False
    """Encode the picture even if it could be copied."""


class Anew(NamedTuple):
    """Why tracks cannot be copied, if that was tried."""

    picture: str = ""
    sound: str = ""


AS_IT_IS = Anew()


class Picture(NamedTuple):
    """A rung of the ladder."""

    name: str
    width: int
    height: int
    reason: str
    """Why it is encoded; empty if it is copied."""
    bits: int
    """The most that the encoder may take a second; what a copy takes, 0 if nobody knows."""

    @property
    def copied(self) -> bool:
        return not self.reason


class Sound(NamedTuple):
    """A sound track of the result."""

    name: str
    track: Audio
    reason: str

    @property
    def copied(self) -> bool:
        return not self.reason


@dataclass(frozen=True, slots=True)
class Plan:
    """What is made of a file."""

    pictures: tuple[Picture, ...]
    """From the largest to the smallest; all are of the same track."""
    sounds: tuple[Sound, ...]
    separate: bool
    """Each sound has a playlist of its own; if not, the only one is in with every picture."""
    notes: tuple[str, ...] = ()
    """What a person might not expect, in sentences."""

    @property
    def encodes(self) -> bool:
        return any(each.reason for each in self.pictures) or any(
            each.reason for each in self.sounds
        )


def make(facts: Facts, options: Options, anew: Anew = AS_IT_IS) -> Plan:
    """The plan for a file; `MediaError` if there can be none."""
    pictures, notes = _pictures(facts, options, anew.picture)
    if options.ladder and facts.video is None:
        raise MediaError("It has no picture, so there is nothing to make a ladder of.")
    separate = options.separate_audio and bool(pictures)
    chosen = facts.audios if options.separate_audio else _best(facts.audios)
    if len(facts.audios) > len(chosen):
        notes.append(
            f"Of {len(facts.audios)} sound tracks there is one; --separate-audio takes them all."
        )
    if facts.unknown:
        notes.append(f"{facts.unknown} sound tracks are of unknown codecs, and left out.")
    sounds = [
        Sound(name, track, _why_not_heard(track) or anew.sound) for name, track in _named(chosen)
    ]
    notes += sorted({f"Its sound is encoded: {sound.reason}." for sound in sounds if sound.reason})
    return Plan(tuple(pictures), tuple(sounds), separate or len(sounds) > 1, tuple(notes))


def estimate(facts: Facts, plan: Plan) -> int:
    """About how many bytes it will take, rather too many."""
    video = facts.video
    known = [audio.bits or AUDIO_BITS for audio in facts.audios]
    rest = max(0, round(facts.size * 8 / facts.seconds) - sum(known)) if facts.seconds else 0
    total = 0
    for picture in plan.pictures:
        assert video is not None
        total += (picture.bits or video.bits or rest) if picture.copied else picture.bits
    for sound in plan.sounds:
        bits = sound.track.bits or AUDIO_BITS if sound.copied else AUDIO_BITS
        total += bits * (1 if plan.separate else max(1, len(plan.pictures)))
    estimated = round(total * facts.seconds / 8 * CONTAINER)
    return (
        estimated if plan.encodes else min(estimated or facts.size, round(facts.size * CONTAINER))
    )


def _pictures(facts: Facts, options: Options, anew: str) -> tuple[list[Picture], list[str]]:
    video = facts.video
    if video is None:
        return [], []
    width, height = video.shown
    short = min(width, height)
    reason = _why_not_played(video, options) or anew
    rungs = sorted({rung for rung in options.ladder if rung < short}, reverse=True)
    above = sorted({rung for rung in options.ladder if rung > short})
    if not options.ladder or above or short in options.ladder:
        rungs.insert(0, short)
    notes = []
    if above:
        names = " and ".join(f"{rung}p" for rung in above)
        notes.append(f"The picture has {short} lines, so there is no {names}.")
    if reason:
        notes.append(f"Its picture is encoded: {reason}.")
    pictures = []
    for rung in rungs:
        why = reason if rung == short else reason or "a rung of the ladder"
        size = (width, height) if rung == short else _scaled(width, height, rung)
        if why:
            size = _even(size[0]), _even(size[1])
        bits = _most_bits(*size, float(video.rate or 30)) if why else video.bits
        pictures.append(Picture(f"{rung}p", *size, why, bits))
    return pictures, notes


def _why_not_played(video: Video, options: Options) -> str:
    formats = PLAYED.get(video.codec)
    if formats is None:
        return f"browsers do not play {video.codec}"
    if video.format not in formats:
        return f"browsers do not play {video.codec} with pixels as {video.format}"
    if video.rotation:
        return f"it is stored turned by {video.rotation}°"
    return "as asked for" if options.encode else ""


def _why_not_heard(audio: Audio) -> str:
    return "" if audio.codec in HEARD else f"not every browser plays {audio.codec}"


def _best(audios: Sequence[Audio]) -> tuple[Audio, ...]:
    """The one that a player would take."""
    return tuple(sorted(audios, key=lambda a: (not a.default, a.index))[:1])


def _named(audios: Sequence[Audio]) -> list[tuple[str, Audio]]:
    if len(audios) == 1:
        return [("audio", audios[0])]
    return [
        (f"audio-{number}{'-' + audio.language if audio.language.isalnum() else ''}", audio)
        for number, audio in enumerate(audios, 1)
    ]


def _scaled(width: int, height: int, short: int) -> tuple[int, int]:
    scale = short / min(width, height)
    return round(width * scale), round(height * scale)


def _even(pixels: int) -> int:
    """H.264 with 4:2:0 has no odd sizes."""
    return max(2, pixels // 2 * 2)


def _most_bits(width: int, height: int, rate: float) -> int:
    """Twice as many frames take less than twice as much: they differ less."""
    frames = float(30 * (min(rate, 120) / 30) ** 0.6)
    return round(BITS_PER_PIXEL * width * height * frames)
