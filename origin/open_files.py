"""Files that stay open, so that the next request for one of them waits for nothing.

::

    first request --> Source.open, in a thread --keep--> OpenFiles
    next ones ------> find: is it still the newest? --yes--> sent from where it is
                                                    --no---> closed: like a first request

What takes a file's place is noticed with the very next request, as if each opened it anew.
"""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from origin.http.representation import Representation
from origin.sources import File, Keepable, Kept


@dataclass(slots=True)
class Opened:
    """A file that is kept."""

    path: str
    """Where it is in the source."""
    file: Kept
    version: int | None
    """Of the source that it was opened in."""
    shown: Representation | None = None
    """What was last shown of it, for who wants to show it again."""


class OpenFiles:
    """So many files at most, by the targets that they were asked for by; the one that was asked for
    longest ago goes first."""

    def __init__(self, most: int, version: Callable[[], int | None]) -> None:
        """``version`` is that of the source as it is: what was opened in another is not kept, and
        neither is anything while it is None."""
        self.version = version
        self._most = most
        self._files: OrderedDict[str, Opened] = OrderedDict()

    def keep(self, target: str, path: str, file: File, version: int | None) -> None:
        """Keep a file that was just opened in the source of this ``version``, if it is of a kind
        that can be kept."""
        if (
            not self._most
            or version is None
            or target in self._files
            or not isinstance(file, Keepable)
        ):
            return
        with contextlib.suppress(OSError):  # no descriptors left: others need them more
            kept = file.keep()
            if kept is not None:
                self._files[target] = Opened(path, kept, version)
        if len(self._files) > self._most:
            _, oldest = self._files.popitem(last=False)
            oldest.file.close()

    def find(self, target: str) -> Opened | None:
        """The file of a target, if it is kept and still the newest. It may be closed as soon as
        another is kept: who needs it for longer takes one of his own by `Kept.keep`."""
        opened = self._files.get(target)
        if opened is None:
            return None
        if opened.version != self.version() or not opened.file.is_newest():
            del self._files[target]
            opened.file.close()
            return None
        self._files.move_to_end(target)
        return opened

    def close(self) -> None:
        """Close all of them."""
        for opened in self._files.values():
            opened.file.close()
        self._files.clear()
