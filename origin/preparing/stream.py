"""A file of a source, as Python has files: so that a film can be read from wherever media are."""

from __future__ import annotations

import io
from typing import Any

from origin.sources import File, Identity


class SourceStream(io.RawIOBase):
    """One version of a file, read from any point. What cannot be read is a `SourceError`."""

    def __init__(self, file: File) -> None:
        super().__init__()
        self._file = file
        self._at = 0

    @property
    def identity(self) -> Identity:
        return self._file.identity

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.identity.size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        size = min(len(view), max(0, self.identity.size - self._at))
        data = self._file.read(self._at, size) if size else b""
        view[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()
