"""Files that are not there before they are whole."""

from __future__ import annotations

import hashlib
from pathlib import Path
from unittest import mock

import pytest

from origin.ingest import draft as draft_module
from origin.ingest.draft import Draft, TakenError, is_under_way, sweep
from p2pcdn.model import CHUNK_SIZE
from tests.origin.media_files import identity_of, noise


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def chunks(data: bytes) -> bytes:
    pieces = (data[at : at + CHUNK_SIZE] for at in range(0, len(data), CHUNK_SIZE))
    return b"".join(hashlib.sha256(piece).digest() for piece in pieces)


@pytest.mark.parametrize("size", [0, 1, CHUNK_SIZE, CHUNK_SIZE + 1, 3 * CHUNK_SIZE, 200_000])
@pytest.mark.parametrize("step", [1000, CHUNK_SIZE, 100_000])
def test_its_hashes_are_those_of_its_chunks(tmp_path: Path, size: int, step: int) -> None:
    data = noise(size)
    draft = Draft(tmp_path / "a.ts")
    for at in range(0, size, step):
        draft.write(data[at : at + step])
        assert not (tmp_path / "a.ts").exists()
    identity, hashes = draft.commit()
    assert (tmp_path / "a.ts").read_bytes() == data
    assert identity == identity_of(tmp_path / "a.ts")
    assert hashes == chunks(data)
    assert names(tmp_path) == ["a.ts"]


def test_what_is_given_up_was_never_there(tmp_path: Path) -> None:
    (tmp_path / "a.ts").write_bytes(b"before")
    draft = Draft(tmp_path / "a.ts")
    draft.write(b"x" * 100_000)
    draft.discard()
    draft.discard()
    assert names(tmp_path) == ["a.ts"]
    assert (tmp_path / "a.ts").read_bytes() == b"before"


def test_giving_up_what_is_in_its_place_changes_nothing(tmp_path: Path) -> None:
    draft = Draft(tmp_path / "a.ts")
    draft.write(b"x")
    draft.commit()
    draft.discard()
    assert names(tmp_path) == ["a.ts"]


def test_one_at_a_time(tmp_path: Path) -> None:
    first = Draft(tmp_path / "a.ts")
    with pytest.raises(TakenError):
        Draft(tmp_path / "a.ts")
    Draft(tmp_path / "b.ts").discard()
    assert is_under_way(tmp_path / "a.ts")
    assert not is_under_way(tmp_path / "b.ts")
    first.write(b"first")
    first.commit()
    assert not is_under_way(tmp_path / "a.ts")
    second = Draft(tmp_path / "a.ts")
    second.write(b"second")
    second.commit()
    assert (tmp_path / "a.ts").read_bytes() == b"second"


def test_what_a_process_left_that_was_killed_is_in_nobodys_way(tmp_path: Path) -> None:
    aside = tmp_path / ".a.ts.part"
    aside.write_bytes(b"half of something longer")
    draft = Draft(tmp_path / "a.ts")
    draft.write(b"whole")
    sweep(aside)  # somebody writes it
    draft.commit()
    assert (tmp_path / "a.ts").read_bytes() == b"whole"
    aside.write_bytes(b"half")
    sweep(aside)
    sweep(aside)
    assert names(tmp_path) == ["a.ts"]


def test_who_waited_for_a_file_that_is_in_its_place_takes_another(tmp_path: Path) -> None:
    """Between opening and locking, another upload is put in its place."""
    lock = draft_module._lock

    def late(file: object) -> bool:
        if (tmp_path / ".a.ts.part").exists() and not (tmp_path / "a.ts").exists():
            (tmp_path / ".a.ts.part").write_bytes(b"another's")
            (tmp_path / ".a.ts.part").replace(tmp_path / "a.ts")
        return lock(file)  # type: ignore[arg-type]

    with mock.patch.object(draft_module, "_lock", late):
        draft = Draft(tmp_path / "a.ts")
    assert (tmp_path / "a.ts").read_bytes() == b"another's"
    draft.discard()
    assert (tmp_path / "a.ts").read_bytes() == b"another's"


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / ".a.ts.part").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic"):
        Draft(tmp_path / "a.ts")
    assert not (tmp_path / "elsewhere").exists()
