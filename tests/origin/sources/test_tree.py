"""Folders, of files that come and go one by one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from origin.sources import Listing
from origin.sources.folders import folders_of
from origin.sources.tree import Tree

PATHS = st.lists(st.sampled_from(["a", "b"]), min_size=1, max_size=4).map("/".join)


def test_the_top_is_always_there() -> None:
    tree = Tree()
    assert tree.listing("") == Listing((), ())
    assert tree.time("") is not None
    assert (tree.listing("a"), tree.time("a")) == (None, None)


def test_files_and_folders_come_and_go() -> None:
    tree = Tree(["show/720p/1.ts", "show/a.m3u8", ".hidden/x", "show/.b"])
    assert tree.listing("") == Listing(("show",), ())
    assert tree.listing("show") == Listing(("720p",), ("a.m3u8",))
    tree.remove("show/720p/1.ts")
    assert tree.listing("show") == Listing((), ("a.m3u8",))
    assert tree.listing("show/720p") is None
    tree.add("show/720p/2.ts")
    assert tree.listing("show/720p") == Listing((), ("2.ts",))


def test_the_time_of_a_folder_is_that_of_its_own_entries() -> None:
    tree = Tree(["a/1", "b/1"])
    before = {folder: tree.time(folder) or 0 for folder in ("", "a", "b")}
    tree.add("a/2")
    assert (tree.time("a") or 0) > before["a"]
    assert (tree.time("b"), tree.time("")) == (before["b"], before[""])
    tree.add("a/c/d/3")
    assert tree.time("") == before[""]
    tree.add("e/1")
    assert (tree.time("") or 0) > before[""]
    between = tree.time("a") or 0
    tree.remove("a/c/d/3")
    assert (tree.time("a") or 0) > between


@given(st.lists(st.tuples(st.booleans(), PATHS), max_size=30))
def test_it_is_what_it_would_be_if_made_anew(steps: list[tuple[bool, str]]) -> None:
    tree, there = Tree(), set[str]()
    for comes, path in steps:
        if comes and path not in there:
            tree.add(path)
            there.add(path)
        elif not comes and path in there:
            tree.remove(path)
            there.remove(path)
    anew = folders_of(there)
    for folder in {"", *(path.rpartition("/")[0] for path in there), *anew}:
        assert tree.listing(folder) == anew.get(folder)
