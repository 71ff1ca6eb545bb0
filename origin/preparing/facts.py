"""What a media file is, as far as preparing it depends on that.

It is opened as a file and as nothing else: of the formats that libav knows, those that name other
files or URLs (playlists, lists of files) are left out, and it gets no name that could be one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, BinaryIO

from p2pcdn.errors import P2pcdnError

if TYPE_CHECKING:
    from av.codec import Codec
    from av.container import InputContainer

FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "mpegts", "mpeg", "avi", "flv", "asf", "ogg", "mxf",
    "nut", "ivf", "gif", "h264", "hevc", "m4v", "mpegvideo", "dv", "rm", "swf", "amr", "mp3", "aac",
    "flac", "wav", "aiff", "caf", "ac3", "eac3", "dts", "w64", "au", "wv", "ape", "tta",
)  # fmt: skip
"""By libav's names."""

_BUFFER = 1024 * 1024

_PACKETS = 2000
"""That are looked at for a first picture."""


class MediaError(P2pcdnError):
    """A file cannot be prepared. One sentence that says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Video:
    """The moving picture of a file."""

    index: int
    codec: str
    format: str
    """Of its pixels."""
    width: int
    height: int
    """As it is stored: before it is turned, and with its pixels as they are."""
    rate: Fraction
    """Frames a second on average; 0 if nobody knows."""
    aspect: Fraction = Fraction(1)
    """Of a pixel: its width by its height."""
    rotation: int = 0
    """Degrees by which it is to be turned counterclockwise: 0, 90, 180 or 270."""
    bits: int = 0
    """A second; 0 if nobody knows."""

    @property
    def shown(self) -> tuple[int, int]:
        """Width and height as a viewer sees it, in square pixels."""
        width, height = round(self.width * self.aspect), self.height
        return (height, width) if self.rotation % 180 else (width, height)


@dataclass(frozen=True, slots=True)
class Audio:
    """A sound track of a file."""

    index: int
    codec: str
    rate: int
    """Samples a second."""
    channels: int
    language: str = ""
    """As RFC 5646 has it; empty if nobody says."""
    title: str = ""
    default: bool = False
    bits: int = 0


@dataclass(frozen=True, slots=True)
class Facts:
    """What is in a file."""

    format: str
    seconds: float
    """0 if nobody knows."""
    size: int
    video: Video | None
    audios: tuple[Audio, ...]
    unknown: int = 0
    """Sound tracks of codecs that nobody here knows, which are left out."""


@contextmanager
def opened(file: BinaryIO) -> Iterator[InputContainer]:
    """The file as libav reads it; `MediaError` if it is no media file."""
    import av

    file.seek(0)
    try:
        container = av.open(
            file,
            "r",
            options={"format_whitelist": ",".join(FORMATS)},
            buffer_size=_BUFFER,
        )
    except (av.FFmpegError, OSError) as error:  # an OSError if there is nothing in it to seek in
        file.seek(0)
        raise MediaError(_what_is_wrong(file.read(64), error)) from error
    with container:
        yield container


def look(file: BinaryIO) -> Facts:
    """What is in a file; `MediaError` if that is nothing to watch or to listen to."""
    size = file.seek(0, 2)
    with opened(file) as container:
        pictures = [s for s in container.streams.video if not s.disposition & _PICTURE]
        videos = list(filter(_is_known, pictures))
        audios = list(filter(_is_known, container.streams.audio))
        if pictures and not videos:
            raise MediaError(
                "The codec of its picture is unknown here; encode it to H.264 with another program."
            )
        if not videos and not audios:
            raise MediaError(
                "There is neither a picture nor sound in it, only "
                f"{_kinds(container)}; name a film or a recording."
            )
        video = None
        if videos:
            video = _video(container, max(videos, key=lambda s: (s.width or 0) * (s.height or 0)))
        seconds = container.duration / 1_000_000 if container.duration else 0.0
        unknown = len(container.streams.audio) - len(audios)
        heard = tuple(_audio(stream) for stream in audios)
        return Facts(container.format.name, seconds, size, video, heard, unknown)


_PICTURE = 1 << 10
"""A cover, which is stored as a video of one frame (AV_DISPOSITION_ATTACHED_PIC)."""


def _is_known(stream: object) -> bool:
    """Whether libav can decode it."""
    return getattr(stream, "codec_context", None) is not None


def _video(container: InputContainer, stream: object) -> Video:
    from av import FFmpegError
    from av.video.stream import VideoStream

    assert isinstance(stream, VideoStream)
    frame = None
    try:
        for number, packet in enumerate(container.demux(stream)):
            frame = next(iter(packet.decode()), None)
            if frame is not None or number > _PACKETS:
                break
    except FFmpegError as error:
        raise MediaError(
            f"Its picture ({_codec(stream.codec_context.codec)}) cannot be decoded: "
            f"{error.strerror}. Is the file whole?"
        ) from error
    if frame is None:
        raise MediaError("There is no picture in its video that can be decoded; is it whole?")
    return Video(
        index=stream.index,
        codec=_codec(stream.codec_context.codec),
        format=frame.format.name,
        width=frame.width,
        height=frame.height,
        rate=stream.average_rate or stream.guessed_rate or Fraction(0),
        aspect=stream.sample_aspect_ratio or Fraction(1),
        rotation=round(frame.rotation / 90) * 90 % 360,
        bits=stream.bit_rate or 0,
    )


def _audio(stream: object) -> Audio:
    from av.audio.stream import AudioStream
    from av.stream import Disposition

    assert isinstance(stream, AudioStream)
    language = stream.language or ""
    return Audio(
        index=stream.index,
        codec=_codec(stream.codec_context.codec),
        rate=stream.sample_rate,
        channels=stream.channels,
        language="" if language == "und" else language,
        title=stream.metadata.get("title", ""),
        default=bool(stream.disposition & Disposition.default),
        bits=stream.bit_rate or 0,
    )


def _codec(decoder: Codec) -> str:
    """What it decodes, whatever the decoder is called."""
    return decoder.canonical_name


def _kinds(container: InputContainer) -> str:
    kinds = sorted({stream.type for stream in container.streams})
    return " and ".join(kinds) or "nothing at all"


def _what_is_wrong(head: bytes, error: Exception) -> str:
    if not head:
        return "It is empty; is it still being copied?"
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free"):
        return (
            "It is an MP4 file that is cut off or damaged (its index is missing); copy or record "
            "it anew."
        )
    if head.startswith(b"#EXTM3U"):
        return (
            "It is a playlist, and needs no preparing: add the folder that it is in, or copy that "
            "into the content directory."
        )
    reason = getattr(error, "strerror", None) or str(error)
    return (
        f"It is not a media file that can be read here ({reason}). Files of other kinds are served "
        "as they are once they are in the content directory."
    )
