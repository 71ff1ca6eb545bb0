"""Folders, where a place knows files alone: they are in their names."""

from __future__ import annotations

from collections.abc import Iterable

from origin.sources import Listing
from origin.sources.archive import folders_above


def folders_of(paths: Iterable[str]) -> dict[str, Listing]:
    """What is in each folder of those that the paths of files have, the top included; without what
    is hidden. Where a file has the name of a folder, the folder counts."""
    folders: dict[str, tuple[set[str], set[str]]] = {"": (set(), set())}
    for path in paths:
        above, _, name = path.rpartition("/")
        if above not in folders:
            for folder in folders_above(path):
                folders.setdefault(folder, (set(), set()))
        folders[above][1].add(name)
    for folder in folders:
        if folder:
            above, _, name = folder.rpartition("/")
            folders[above][0].add(name)
    return {
        folder: Listing(
            *(tuple(sorted(n for n in names if n[0] != ".")) for names in (within, files - within))
        )
        for folder, (within, files) in folders.items()
    }
