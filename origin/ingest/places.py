"""Which file on a disk a path below /ingest/ is.

Only a directory of this machine takes files. Links are followed as they are when it is read, and
as little out of the directory.
"""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path

from origin.http_error import HttpError
from p2pcdn.config import Config, Content, is_url
from p2pcdn.errors import ConfigError


class Places:
    """Finds the files that encoders may put."""

    def __init__(self, config: Config) -> None:
        contents = [(mount.path, mount.content) for mount in config.mount]
        if config.content is not None:
            contents.append(("", config.content))
        self._contents = sorted(contents, key=lambda pair: len(pair[0]), reverse=True)
        self.folders = {folder: self._folder(folder) for folder in config.ingest.paths}
        """Where on the disk the folders of `ingest.paths` are; they need not be there yet."""

    def file(self, path: str, *, make: bool = True) -> Path:
        """The file at a path, whose folder is made if it is not there, unless ``make`` is false;
        `HttpError` if it can be none of ours (this blocks)."""
        found = self._find(path)
        if found is None:
            raise HttpError(HTTPStatus.FORBIDDEN, "Nothing may be put there.")
        root, inner = found
        top = root.resolve()
        folder = (top / inner).parent.resolve()
        if not folder.is_relative_to(top):
            raise HttpError(HTTPStatus.FORBIDDEN, "Nothing may be put there.")
        try:
            if make:
                folder.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise HttpError(
                HTTPStatus.CONFLICT, f"A folder on the way to {path!a} is a file here."
            ) from None
        return folder / Path(inner).name

    def _folder(self, folder: str) -> Path:
        found = self._find(f"{folder}/")
        if found is None:
            raise ConfigError(
                f"ingest.paths: {folder} has to be in a directory, and is in an archive, at a URL "
                "or nowhere."
            )
        return Path(*found)

    def _find(self, path: str) -> tuple[Path, str] | None:
        """The directory that a path is in, and what is left of the path."""
        for mount, content in self._contents:
            if not mount or path.startswith(f"{mount}/"):
                inner = path[len(mount) + 1 :] if mount else path
                return (Path(content), inner) if _is_directory(content) else None
        return None


def _is_directory(content: Content) -> bool:
    return not is_url(content) and Path(content).is_dir()
