"""Folders in the names of files."""

from __future__ import annotations

from origin.sources import Listing
from origin.sources.folders import folders_of


def test_what_is_in_each() -> None:
    paths = ["b.ts", "a.ts", "tv/x/1.ts", "tv/x/0.ts", "tv/.hidden", ".git/config"]
    assert folders_of(paths) == {
        "": Listing(("tv",), ("a.ts", "b.ts")),
        "tv": Listing(("x",), ()),
        "tv/x": Listing((), ("0.ts", "1.ts")),
        ".git": Listing((), ("config",)),
    }


def test_the_top_is_always_there() -> None:
    assert folders_of([]) == {"": Listing((), ())}


def test_a_file_with_the_name_of_a_folder() -> None:
    assert folders_of(["tv", "tv/a.ts"])[""] == Listing(("tv",), ())
