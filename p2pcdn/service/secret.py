"""A token that is made on first use, and kept in a file that nobody else can read."""

from __future__ import annotations

import os
import secrets
import tempfile
from pathlib import Path

from p2pcdn.config import LEAST_TOKEN
from p2pcdn.errors import ConfigError, UnavailableError


def token_in(path: Path, name: str) -> str:
    """The token in a file, which is made if there is none; `ConfigError`, which calls the token
    ``name``, if the file cannot be used."""
    try:
        if not path.exists():
            _make(path)
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UnavailableError(f"The {name} in {path} cannot be used: {error}.") from error
    if len(token) < LEAST_TOKEN or not token.isascii() or not token.isprintable():
        raise ConfigError(
            f"The file {path} has to hold a token of {LEAST_TOKEN} characters or more. Without the "
            "file, a new one is made."
        )
    return token


def _make(path: Path) -> None:
    """Make a token that appears at once and whole, and only if nobody else was faster."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent)  # for nobody else to read: mode 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(f"{secrets.token_urlsafe(32)}\n")
        path.hardlink_to(name)
    except FileExistsError:
        pass
    finally:
        Path(name).unlink()
