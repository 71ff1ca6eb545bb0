"""What a gateway remembers."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from peer.native.gateway.admission import hash_of
from peer.native.gateway.state import FILE, LOCK, MOST_PAGES, Remembered, State

PAGE = "https://www.example.com"


def test_it_is_the_same_again(tmp_path: Path) -> None:
    state = State(tmp_path)
    state.port = 4321
    secret = state.pair(PAGE)
    again = State(tmp_path)
    assert (again.port, again.secret) == (4321, state.secret)
    assert again.pages == {hash_of(secret): PAGE}


def test_each_has_a_secret_of_its_own(tmp_path: Path) -> None:
    one, other = State(tmp_path / "one"), State(tmp_path / "other")
    assert one.secret != other.secret
    assert len(one.secret) >= 32
    assert one.pair(PAGE) != one.pair("https://other.example")


def test_nobody_else_reads_it_and_the_secret_of_a_page_is_not_in_it(tmp_path: Path) -> None:
    secret = State(tmp_path).pair(PAGE)
    file = tmp_path / FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert secret not in file.read_text()


def test_a_page_that_is_paired_again_gets_another_secret(tmp_path: Path) -> None:
    state = State(tmp_path)
    first, second = state.pair(PAGE), state.pair(PAGE)
    assert first != second
    assert state.pages == {hash_of(second): PAGE}


def test_a_page_is_forgotten(tmp_path: Path) -> None:
    state = State(tmp_path)
    pages = state.pages
    state.pair(PAGE)
    assert state.part(PAGE)
    assert not state.part(PAGE)
    assert pages == State(tmp_path).pages == {}


def test_there_is_room_for_so_many(tmp_path: Path) -> None:
    state = State(tmp_path)
    for number in range(MOST_PAGES + 1):
        state.pair(f"https://{number}.example")
    assert len(state.pages) == MOST_PAGES
    assert "https://0.example" not in state.pages.values()


@pytest.mark.parametrize("text", ["", "{}", '{"secret": "short"}', "null"])
def test_a_file_that_is_none_counts_as_not_there(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    state = State(tmp_path)
    assert state.port == 0
    state.port = 1
    assert State(tmp_path).secret == state.secret


def test_without_a_place_to_write_it_works_and_forgets(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    state = State(tmp_path / "file" / "folder")
    assert state.pages == {hash_of(state.pair(PAGE)): PAGE}


def test_two_with_one_folder_lose_no_page_of_each_other(tmp_path: Path) -> None:
    State(tmp_path).port = 1
    one, other = State(tmp_path), State(tmp_path)
    ones, others = one.pair(PAGE), other.pair("https://other.example")
    both = {hash_of(ones): PAGE, hash_of(others): "https://other.example"}
    one.port = 2
    assert one.pages == other.pages == State(tmp_path).pages == both
    assert other.part(PAGE)
    assert State(tmp_path).pages == {hash_of(others): "https://other.example"}


def test_two_that_begin_with_nothing_are_one_gateway(tmp_path: Path) -> None:
    """Neither has written anything but that."""
    one, other = State(tmp_path), State(tmp_path)
    assert one.secret == other.secret
    secrets = {hash_of(one.pair(PAGE)), hash_of(other.pair("https://other.example"))}
    assert set(State(tmp_path).pages) == secrets


def test_several_that_pair_at_once_lose_nothing(tmp_path: Path) -> None:
    def pair(name: str) -> None:
        state = State(tmp_path)
        for number in range(20):
            state.pair(f"https://{name}-{number}.example")

    with ThreadPoolExecutor() as pool:
        list(pool.map(pair, "abc"))
    pages = set(State(tmp_path).pages.values())
    assert pages == {f"https://{name}-{number}.example" for name in "abc" for number in range(20)}


def test_who_is_killed_while_writing_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    State(tmp_path).pair(PAGE)
    state = State(tmp_path)

    def killed(descriptor: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", killed)
        with pytest.raises(KeyboardInterrupt):
            state.pair("https://other.example")
    assert list(State(tmp_path).pages.values()) == [PAGE]
    State(tmp_path).pair("https://third.example")
    assert set(State(tmp_path).pages.values()) == {PAGE, "https://third.example"}
    assert {path.name for path in tmp_path.iterdir()} == {FILE, LOCK}


def test_contents_are_remembered_and_of_pages_those_that_are_paired(tmp_path: Path) -> None:
    state = State(tmp_path)
    state.pair(PAGE)
    owners = Remembered("https://cdn.example/media/a.m3u8", keep=True, paused=True)
    pages = Remembered("https://cdn.example/media/b.m3u8", page=PAGE)
    state.note([owners, pages])
    again = State(tmp_path)
    assert again.contents == [owners, pages]
    again.part(PAGE)
    assert again.contents == [owners]
    again.note([])
    assert State(tmp_path).contents == []


def test_two_remember_each_others_contents(tmp_path: Path) -> None:
    one, other = State(tmp_path), State(tmp_path)
    a, b, c = (Remembered(f"https://cdn.example/media/{name}.m3u8") for name in "abc")
    one.note([a, b])
    other.note([c])
    one.note([b])
    assert set(State(tmp_path).contents) == {b, c}
