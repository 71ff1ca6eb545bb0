"""The XML of a DASH manifest as a small tree, with nothing of XML in it that could do harm.

There is no document type: so there are no entities, none that expand to gigabytes and none that
name a file or a host. How deep and how many elements are is bounded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NoReturn
from xml.parsers import expat

from p2pcdn.presentations import PresentationError

_DEEPEST = 32
_MOST_ELEMENTS = 500_000
_LONGEST_TEXT = 65_536
"""Characters of what an element says; a licence in base64 takes some thousands."""


@dataclass(slots=True)
class Element:
    """An element, without its namespace."""

    name: str
    attributes: dict[str, str]
    children: list[Element] = field(default_factory=list)
    text: str = ""

    def all(self, name: str) -> Iterator[Element]:
        """The children of that name."""
        return (child for child in self.children if child.name == name)

    def first(self, name: str) -> Element | None:
        """The first of them."""
        return next(self.all(name), None)


def parse(data: bytes) -> Element:
    """The outermost element, ``MPD``; `PresentationError` if that is not what it is."""
    reading = _Reading()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = reading.doctype
    parser.StartElementHandler = reading.start
    parser.EndElementHandler = reading.end
    parser.CharacterDataHandler = reading.text
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        reason = expat.ErrorString(error.code) or "no reason is known"
        raise PresentationError(
            f"A DASH manifest is XML, which this is not from line {error.lineno} on: {reason}."
        ) from error
    except (ValueError, LookupError) as error:  # encodings that are none
        raise PresentationError("A DASH manifest is XML in UTF-8 or UTF-16.") from error
    root = reading.root
    if root is None or root.name != "MPD":
        raise PresentationError("The outermost element of a DASH manifest is MPD.")
    return root


class _Reading:
    """What the parser tells, put together."""

    def __init__(self) -> None:
        self.root: Element | None = None
        self._open: list[Element] = []
        self._count = 0

    def doctype(self, *_: object) -> NoReturn:
        raise PresentationError("A DASH manifest has no document type (DOCTYPE).")

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if self._count > _MOST_ELEMENTS:
            raise PresentationError(f"A DASH manifest has at most {_MOST_ELEMENTS} elements here.")
        if len(self._open) == _DEEPEST:
            raise PresentationError(f"A DASH manifest is at most {_DEEPEST} elements deep.")
        element = Element(name.rpartition(" ")[2], attributes)
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)

    def end(self, _: str) -> None:
        self._open.pop()

    def text(self, data: str) -> None:
        element = self._open[-1]
        if len(element.text) < _LONGEST_TEXT:
            element.text += data
