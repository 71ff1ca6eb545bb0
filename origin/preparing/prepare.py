"""From a media file to a content: an HLS presentation in fragments of MP4.

::

    file --look--> facts --make--> plan
      '---packets--> copied ----------------------------+--> renditions --> draft --> content
                 '-> decoded --> encoded, rung by rung -'

One pass over the file makes all of it. What was finished before an interruption is not made again:
the pass goes by it, without decoding or writing anything.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from origin.preparing import draft as drafts
from origin.preparing import playlists, record
from origin.preparing.boxes import codecs
from origin.preparing.draft import Draft, Recipe
from origin.preparing.encoding import Decoder, PictureEncoder, SoundEncoder, require_encoders
from origin.preparing.facts import Facts, MediaError, look, opened
from origin.preparing.plan import Anew, Options, Picture, Plan, Sound, estimate, make
from origin.preparing.playlists import Segment, Variant
from origin.preparing.reading import packets
from origin.preparing.record import Origin, Record
from origin.preparing.rendition import Rendition
from origin.preparing.timing import Cuts, UncopyableError
from origin.preparing.tracks import Copied, Timed

if TYPE_CHECKING:
    from av.container import InputContainer

Tell = Callable[[float], None]
"""Called with the share that is done, 0 to 1, now and then."""

LEAD = Fraction(1, 10)
"""Seconds that are left free before the first packet of what is encoded."""

_VERSION = 1
"""To be raised when the same file shall become other segments."""

_RESERVE = 64 * 1024 * 1024
"""Bytes that are to be left of the disk."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be made of which file."""

    file: BinaryIO
    origin: Origin
    options: Options

    @staticmethod
    def of(file: BinaryIO, name: str, mtime_ns: int, options: Options) -> Wish:
        """``name`` and ``mtime_ns`` are the file's, wherever it comes from."""
        sample = record.sample_of(file)
        size = file.seek(0, 2)
        origin = Origin(
            name,
            size,
            mtime_ns,
            sample,
            options.segment,
            options.ladder,
            options.separate_audio,
            options.encode,
        )
        return Wish(file, origin, options)


@dataclass(frozen=True, slots=True)
class Made:
    """A content."""

    record: Record
    is_new: bool


def prepare(wish: Wish, content: Path, name: str, tell: Tell, note: Callable[[str], None]) -> Made:
    """Make a content of this name in the content directory; what is there already is kept.

    It blocks, for as long as it takes to read the file if it can be copied, and for about as long
    as it plays if it is encoded. ``note`` is told what a person might not expect. `MediaError` if
    it cannot be done: what is finished by then is kept for the next attempt.
    """
    known = record.read(content / name)
    if known is not None and is_same(known.origin, wish.origin):
        return Made(known, is_new=False)
    facts = look(wish.file)
    with drafts.opened(content, name) as draft:
        former = draft.former_recipe()
        program = _program()
        told: set[str] = set()
        anew = Anew()
        if former is not None and is_same(former.origin, wish.origin):
            anew = former.anew
        while True:
            plan = make(facts, wish.options, anew)
            if plan.encodes:
                require_encoders()
            draft.begin(Recipe(wish.origin, anew, program))
            _require_room(content, estimate(facts, plan) - draft.begun_at)
            try:
                with opened(wish.file) as container:
                    work = _Work(container, facts, plan, wish.options.segment, draft)
                    for said in plan.notes:
                        if said not in told:
                            note(said)
                            told.add(said)
                    seconds = work.run(tell)
                break
            except UncopyableError as error:
                video = error.kind == "video"
                anew = anew._replace(**{"picture" if video else "sound": error.reason})
        for said in work.remarks(seconds):
            note(said)
        texts = _playlists(draft, facts, plan)
        made = draft.finish(texts, wish.origin, seconds, tuple(_described(plan)))
    return Made(made, is_new=True)


def is_same(one: Origin, other: Origin) -> bool:
    """Whether two are of one version of a file, whatever it is called, and of the same options."""
    return all(
        getattr(one, f) == getattr(other, f) for f in Origin.__struct_fields__ if f != "name"
    )


def _program() -> str:
    import av

    return f"{_VERSION} av {av.__version__}"


def _require_room(content: Path, size: int) -> None:
    free = shutil.disk_usage(content).free
    if size + _RESERVE > free:
        raise MediaError(
            f"It takes about {max(1, size // 1_000_000)} MB, and there are {free // 1_000_000} MB "
            f"left at {content}: make room, or name a directory on another disk by --content."
        )


class _Work:
    """One pass over a file."""

    def __init__(
        self, container: InputContainer, facts: Facts, plan: Plan, segment: float, draft: Draft
    ) -> None:
        self._container, self._facts, self._plan = container, facts, plan
        self._draft = draft
        self._cuts = Cuts(segment, draft.cuts())
        self._renditions: dict[str, Rendition] = {}
        sounds = [_SoundTrack(container, sound) for sound in plan.sounds]
        self._sounds = {sound.stream.index: sound for sound in sounds}
        self._picture: _PictureTrack | None = None
        if facts.video is not None and plan.pictures:
            self._picture = _PictureTrack(container, facts, plan, self._cuts, draft)
            inside = [] if plan.separate else sounds
            for rung in self._picture.rungs:
                templates = [rung.maker.template, *(sound.maker.template for sound in inside)]
                rendition = self._rendition(rung.picture.name, templates)
                rung.rendition = rendition
                for sound in inside:
                    sound.outlets.append((rendition, 1))
        if plan.separate or not plan.pictures:
            for sound in sounds:
                rendition = self._rendition(sound.sound.name, [sound.maker.template])
                sound.outlets.append((rendition, 0))

    def _rendition(self, name: str, templates: list[Any]) -> Rendition:
        done = self._draft.done(name)
        rendition = Rendition(name, templates, self._cuts, self._draft.keep, done)
        self._renditions[name] = rendition
        return rendition

    def run(self, tell: Tell) -> float:
        """Make everything; how long it plays, in seconds."""
        told = 0.0
        for number, packet in enumerate(self._packets()):
            if number % 50 == 0 and packet.dts is not None and self._facts.seconds:
                share = float(packet.dts * packet.time_base) / self._facts.seconds
                if share > told + 0.002:
                    told = min(1.0, share)
                    tell(told)
            sound = self._sounds.get(packet.stream.index)
            if sound is not None:
                self._hear(sound, sound.take(packet))
            elif self._picture is not None:
                self._picture.take(packet)
        if self._picture is not None:
            self._picture.flush()
        for sound in self._sounds.values():
            self._hear(sound, sound.flush())
        for rendition in self._renditions.values():
            rendition.finish()
        if not all(self._draft.segments(name) for name in self._renditions):
            raise MediaError("There is nothing in it that could be played; is the file whole?")
        tell(1.0)
        ends = [Fraction(self._draft.segments(name)[-1].end) for name in self._renditions]
        return float(max(ends) - self._cuts.times[0])

    def remarks(self, seconds: float) -> Iterator[str]:
        """What a person should know of it afterwards."""
        if seconds < self._facts.seconds * 0.95 - 1:
            yield (
                f"It ends after {seconds:.0f} s of {self._facts.seconds:.0f} s: the file may be "
                "cut off."
            )
        decoders = [sound.decoder for sound in self._sounds.values()]
        decoders.append(self._picture.decoder if self._picture is not None else None)
        skipped = sum(decoder.skipped for decoder in decoders if decoder is not None)
        if skipped:
            yield f"{skipped} of its packets are damaged, and were left out."

    def _packets(self) -> Iterator[Any]:
        copied = {sound.stream.index for sound in self._sounds.values() if sound.sound.copied}
        indexes = set(self._sounds)
        lead = LEAD if self._plan.encodes else Fraction(0)
        if self._picture is not None and self._facts.video is not None:
            indexes.add(self._facts.video.index)
            if self._picture.leads:
                copied.add(self._facts.video.index)
            if self._picture.encoders and self._facts.video.rate:
                lead = max(lead, 3 / self._facts.video.rate)
        return packets(self._container, indexes, copied, lead)

    def _hear(self, sound: _SoundTrack, heard: Iterator[Timed]) -> None:
        for timed in heard:
            if self._picture is None:
                self._cuts.offer(timed.begin)
            for rendition, track in sound.outlets:
                rendition.take(track, timed)


class _SoundTrack:
    """A sound track on its way."""

    def __init__(self, container: InputContainer, sound: Sound) -> None:
        self.sound = sound
        self.stream: Any = container.streams[sound.track.index]
        self.decoder = None if sound.copied else Decoder(self.stream)
        self.maker = Copied(self.stream) if sound.copied else SoundEncoder(self.stream)
        self.outlets: list[tuple[Rendition, int]] = []
        """Where its packets go, and as which track of that."""

    def take(self, packet: Any) -> Iterator[Timed]:
        if self.decoder is None:
            yield from self.maker.take(packet)
            return
        for frame in self.decoder.take(packet):
            yield from self.maker.take(frame)

    def flush(self) -> Iterator[Timed]:
        if self.decoder is None:
            return
        assert isinstance(self.maker, SoundEncoder)
        for frame in self.decoder.flush():
            yield from self.maker.take(frame)
        yield from self.maker.flush()


class _Rung:
    """A rung of the ladder on its way."""

    def __init__(self, picture: Picture, maker: Copied | PictureEncoder) -> None:
        self.picture, self.maker = picture, maker
        self.rendition: Rendition | None = None

    def take(self, given: Iterator[Timed]) -> None:
        assert self.rendition is not None
        for timed in given:
            self.rendition.take(0, timed)


class _PictureTrack:
    """The picture on its way: to one rung that is copied, at the most, and to those encoded."""

    def __init__(
        self, container: InputContainer, facts: Facts, plan: Plan, cuts: Cuts, draft: Draft
    ) -> None:
        video = facts.video
        assert video is not None
        stream: Any = container.streams[video.index]
        self._cuts = cuts
        self.rungs: list[_Rung] = []
        self._count = 0
        begins = []
        for picture in plan.pictures:
            if picture.copied:
                self.rungs.append(_Rung(picture, Copied(stream)))
                continue
            begin = max(Fraction(0), draft.done(picture.name).end)
            begins.append(begin)
            encoder = PictureEncoder(picture, video, stream, cuts, begin)
            self.rungs.append(_Rung(picture, encoder))
        self.leads = [rung for rung in self.rungs if rung.picture.copied]
        self.encoders = [rung for rung in self.rungs if not rung.picture.copied]
        self.decoder = Decoder(stream, min(begins)) if begins else None

    def take(self, packet: Any) -> None:
        """Another packet of the file."""
        frames = list(self.decoder.take(packet)) if self.decoder is not None else []
        for rung in self.leads:
            for timed in rung.maker.take(packet):
                if timed.key:
                    self._cuts.check(timed.begin)
                    self._cuts.offer(timed.begin)
                elif self._count % 25 == 0:  # often enough to notice
                    self._cuts.check(timed.begin)
                self._count += 1
                if self._cuts.times:
                    rung.take(iter([timed]))
        self._encode(frames)

    def flush(self) -> None:
        """There are no more packets."""
        if self.decoder is None:
            return
        self._encode(self.decoder.flush())
        for rung in self.encoders:
            assert isinstance(rung.maker, PictureEncoder)
            rung.take(rung.maker.flush())

    def _encode(self, frames: Any) -> None:
        for frame in frames:
            if not self.leads:
                self._cuts.offer(frame.pts * frame.time_base)
            for rung in self.encoders:
                rung.take(rung.maker.take(frame))


def _playlists(draft: Draft, facts: Facts, plan: Plan) -> dict[str, str]:
    """All playlists, by their names."""
    pictures = [
        Variant(
            picture.name,
            _segments(draft, picture.name),
            _codecs(draft, picture.name),
            (picture.width, picture.height),
            facts.video.rate if facts.video else Fraction(0),
        )
        for picture in plan.pictures
    ]
    sounds = []
    if plan.separate or not pictures:
        for number, sound in enumerate(plan.sounds, 1):
            title = sound.track.title or sound.track.language
            same = [s for s in plan.sounds if (s.track.title or s.track.language) == title]
            sounds.append(
                Variant(
                    sound.name,
                    _segments(draft, sound.name),
                    _codecs(draft, sound.name),
                    language=sound.track.language,
                    title=f"{title or 'audio'} {number}" if len(same) > 1 else title,
                    default=sound.track.default,
                )
            )
    texts = {
        each.playlist: playlists.media(each, draft.init(each.name)[0])
        for each in (*pictures, *sounds)
    }
    return {**texts, playlists.INDEX: playlists.multivariant(pictures, sounds)}


def _segments(draft: Draft, rendition: str) -> list[Segment]:
    return [
        Segment(entry.file, Fraction(entry.end) - Fraction(entry.begin), entry.size)
        for entry in draft.segments(rendition)
    ]


def _codecs(draft: Draft, rendition: str) -> tuple[str, ...]:
    return tuple(codecs(draft.init(rendition)[1]))


def _described(plan: Plan) -> Iterator[str]:
    for picture in plan.pictures:
        how = "copied" if picture.copied else "encoded"
        yield f"{picture.name} ({picture.width}x{picture.height}, {how})"
    for sound in plan.sounds:
        yield f"{sound.name} ({'copied' if sound.copied else 'encoded'})"
