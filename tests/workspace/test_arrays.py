"""The array store: whole or absent."""

import multiprocessing
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tenth.errors import DataError
from tenth.workspace.arrays import ArrayStore

LABELS = np.arange(64 * 48, dtype=np.int32).reshape(64, 48) // 100


@pytest.fixture
def store(tmp_path: Path) -> ArrayStore:
    return ArrayStore(tmp_path / "arrays")


def test_arrays_come_back(store: ArrayStore):
    name = store.save("round-0001/image-000003", superpixels=LABELS, score=np.float64(2.5), file=LABELS[:0])
    assert name == "round-0001/image-000003"
    found = store.load(name)
    assert set(found) == {"superpixels", "score", "file"}
    np.testing.assert_array_equal(found["superpixels"], LABELS)
    assert found["superpixels"].dtype == np.int32
    assert found["score"] == 2.5
    assert found["file"].shape == (0, 48)
    assert store.exists(name) and not store.exists("round-0001/image-000004")


@given(
    array=hnp.arrays(
        dtype=st.sampled_from(["u1", "i4", "f2", "f4", "?"]), shape=hnp.array_shapes(min_dims=0, min_side=0)
    )
)
def test_any_array_comes_back(array: np.ndarray, tmp_path_factory: pytest.TempPathFactory):
    store = ArrayStore(tmp_path_factory.getbasetemp() / "any-array")
    found = store.load(store.save("x", values=array))["values"]
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)


def test_saving_again_replaces(store: ArrayStore):
    store.save("x", a=np.zeros(3))
    store.save("x", b=np.ones(2))
    assert list(store.load("x")) == ["b"]


def test_label_maps_are_compressed(store: ArrayStore):
    store.save("x", labels=np.zeros((500, 500), np.uint8))
    assert store.path("x").stat().st_size < 500 * 500 / 50


@pytest.mark.parametrize("name", ["", "../x", "/x", "a//b", "a/", ".hidden", "a b", "a/../b", "ä", "a/.tmp"])
def test_names_that_could_leave_the_folder_are_refused(store: ArrayStore, name: str):
    with pytest.raises(DataError, match="cannot name an array"):
        store.save(name, a=LABELS)


def test_missing_arrays_are_named(store: ArrayStore):
    with pytest.raises(DataError, match=r"'nothing/here'.*nothing/here\.npz"):
        store.load("nothing/here")


def test_damage_at_any_place_is_noticed_and_the_file_named(store: ArrayStore):
    store.save("x", labels=LABELS, more=np.arange(5))
    path = store.path("x")
    whole = path.read_bytes()
    noticed = 0
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            found = store.load("x")
        except DataError as error:
            assert str(path) in str(error)
            noticed += 1
        else:  # a flipped date in the archive's directory changes no array
            np.testing.assert_array_equal(found["labels"], LABELS)
    assert noticed > len(whole) / 7 * 0.5
    for length in (0, 1, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError, match="damaged"):
            store.load("x")


def test_objects_are_neither_written_nor_unpickled(store: ArrayStore):
    with pytest.raises(DataError, match="Python objects"):
        store.save("x", a=np.array([{}], dtype=object))
    assert not store.exists("x")
    np.savez(store.path("evil"), a=np.array([print], dtype=object))
    with pytest.raises(DataError, match="damaged"):
        store.load("evil")


def _write_forever(folder: Path, started: "multiprocessing.synchronize.Event") -> None:
    store = ArrayStore(folder)
    value = 0
    while True:
        store.save("x", a=np.full((200, 200), value), b=np.full((200, 200), value))
        started.set()
        value += 1


def test_readers_and_a_killed_writer_leave_whole_files(tmp_path: Path):
    context = multiprocessing.get_context("spawn")
    started = context.Event()
    writer = context.Process(target=_write_forever, args=(tmp_path, started), daemon=True)
    writer.start()
    assert started.wait(60)
    store = ArrayStore(tmp_path)
    for _ in range(50):
        found = store.load("x")
        np.testing.assert_array_equal(found["a"], found["b"])
    os.kill(writer.pid, signal.SIGKILL)
    writer.join()
    found = store.load("x")
    np.testing.assert_array_equal(found["a"], found["b"])
    ArrayStore(tmp_path)
    assert list((tmp_path / ".tmp").iterdir()) == []


def _dead_pid() -> int:
    process = multiprocessing.get_context("spawn").Process(target=int)
    process.start()
    process.join()
    return process.pid


def test_only_leftovers_of_the_dead_are_removed(store: ArrayStore):
    store.save("x", a=LABELS)
    temporary = store.folder / ".tmp"
    host = os.uname().nodename.replace(".", "-")
    dead = temporary / f"{host}.{_dead_pid()}.abc"
    alive = temporary / f"{host}.{os.getpid()}.abc"
    elsewhere = temporary / "other-host.1.abc"
    long_ago = temporary / "other-host.2.abc"
    for path in (dead, alive, elsewhere, long_ago):
        path.write_bytes(b"half")
    os.utime(long_ago, (0, 0))
    reopened = ArrayStore(store.folder)
    assert sorted(temporary.iterdir()) == sorted([alive, elsewhere])
    np.testing.assert_array_equal(reopened.load("x")["a"], LABELS)
