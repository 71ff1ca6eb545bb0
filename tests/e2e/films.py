"""What viewers watch: a film that is encoded once, and copies that have swarms of their own."""

from __future__ import annotations

import itertools
import os
import shutil
from pathlib import Path

SECONDS = 60
_numbers = itertools.count(1)


def copy(film: Path) -> Path:
    """The film under another name, beside it: whoever watches one is no peer of the others."""
    own = film.with_name(f"{film.name}-{next(_numbers)}")
    shutil.copytree(film, own, copy_function=os.link)
    return own
