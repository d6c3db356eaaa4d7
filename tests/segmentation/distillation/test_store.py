import json
import logging
import os
import pickle
import shutil
import signal
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from distributions import soft_labels

from tenth.errors import DataError
from tenth.segmentation.distillation import Ensemble, SoftLabelStore, class_weights

HERE = Path(__file__).parent
IDENTITY = {"teachers": ["icnet:abc", "erfnet:def"], "temperatures": (4, 3), "size": [48, 64]}
LONG = ["x" * 240, "x" * 241, "x" * 242, "街" * 90]
KEYS = ["train/0001", "train/0002", "pool/ä ö/../%41.png", ".hidden", *LONG]


def filled(folder: Path, keys=KEYS) -> SoftLabelStore:
    store = SoftLabelStore.create(folder, IDENTITY)
    for seed, key in enumerate(keys):
        store.write(key, soft_labels(5, 48, 64, seed=seed))
    return store


def files(folder: Path) -> list[Path]:
    return sorted((folder / "labels").iterdir())


def names(folder: Path) -> list[str]:
    return [path.name.removesuffix(".soft") for path in files(folder) if path.suffix == ".soft"]


def test_round_trip_under_any_key(tmp_path):
    filled(tmp_path / "a" / "store")
    store = SoftLabelStore.open(tmp_path / "a" / "store", IDENTITY)
    assert all(key in store for key in KEYS)
    assert "train/0003" not in store
    for seed, key in enumerate(KEYS):
        exact = soft_labels(5, 48, 64, seed=seed)
        assert np.abs(store.read(key) - exact).max() < 0.05
        np.testing.assert_array_equal(store.read(key).argmax(0), exact.argmax(0))
    assert store.nbytes == sum(path.stat().st_size for path in files(store.folder))
    assert all(path.parent == store.folder / "labels" for path in files(store.folder))


def test_a_key_can_be_written_again(tmp_path):
    store = filled(tmp_path)
    store.write(KEYS[0], soft_labels(5, 20, 10, seed=9))
    assert store.read(KEYS[0]).shape == (5, 20, 10)
    assert len(files(tmp_path)) == len(KEYS)


def test_a_missing_image_is_named(tmp_path):
    with pytest.raises(DataError, match="no soft labels of 'train/9'"):
        filled(tmp_path).read("train/9")


def test_an_empty_key_is_refused(tmp_path):
    with pytest.raises(DataError, match="without a key"):
        SoftLabelStore.create(tmp_path, IDENTITY).write("", soft_labels(3, 8, 8))


def test_the_file_of_a_short_key_is_named_after_it(tmp_path):
    """As in stores of earlier versions."""
    filled(tmp_path, ["train/ä 1", "x" * 240])
    assert names(tmp_path) == ["train%2F%C3%A4 1", "x" * 240]


def test_any_flipped_bit_is_found(tmp_path):
    store = filled(tmp_path, ["a"])
    (path,) = files(tmp_path)
    data = path.read_bytes()
    for place in [*range(60), len(data) // 2, len(data) - 1]:
        damaged = bytearray(data)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"a\.soft is damaged"):
            store.read("a")


@pytest.mark.parametrize("length", [0, 7, 39, 40, 200, -1])
def test_a_cut_file_is_found(tmp_path, length):
    store = filled(tmp_path, ["a"])
    (path,) = files(tmp_path)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(DataError, match="damaged"):
        store.read("a")


def test_a_file_under_another_key_or_from_another_store_is_found(tmp_path):
    store = filled(tmp_path / "one", ["a", "b"])
    shutil.copy(store.folder / "labels" / "a.soft", store.folder / "labels" / "b.soft")
    with pytest.raises(DataError, match=r"b\.soft is damaged"):
        store.read("b")
    other = SoftLabelStore.create(tmp_path / "two", IDENTITY | {"size": [1, 2]})
    shutil.copy(store.folder / "labels" / "a.soft", other.folder / "labels" / "a.soft")
    with pytest.raises(DataError, match="other teachers"):
        other.read("a")


def test_what_cannot_be_read_is_an_error_of_ours(tmp_path):
    store = SoftLabelStore.create(tmp_path, IDENTITY)
    (tmp_path / "labels" / "a.soft").mkdir()
    with pytest.raises(DataError, match="'a' cannot be read"):
        store.read("a")


def ensemble(**changes) -> Ensemble:
    iou = [np.array([0.9, np.nan]), np.array([0.7, 0.2])]
    usual = {"teachers": ("icnet:a", "erfnet:b"), "temperatures": (4, 3), "weights": class_weights(iou)}
    return Ensemble(**(usual | changes))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"teachers": ("icnet:a", "erfnet:c")}, "teachers"),
        ({"temperatures": (4, 3.5)}, "temperatures"),
        ({"weights": class_weights([np.array([0.9, 0.1]), np.array([0.7, 0.3])])}, "weights"),
    ],
)
def test_changed_teachers_temperatures_or_weights_invalidate(tmp_path, caplog, changes, named):
    store = SoftLabelStore.create(tmp_path, ensemble().identity())
    store.write("a", soft_labels(2, 16, 16))
    (tmp_path / "labels" / "notes.txt").write_text("mine")
    assert "a" in SoftLabelStore.open(tmp_path, ensemble().identity())
    changed = ensemble(**changes).identity()
    with pytest.raises(DataError, match=f": {named} changed"):
        SoftLabelStore.open(tmp_path, changed)
    assert "a" in store
    with caplog.at_level(logging.WARNING):
        anew = SoftLabelStore.create(tmp_path, changed)
    assert f"{named} changed" in caplog.text
    assert "a" not in anew
    assert [path.name for path in files(tmp_path)] == ["notes.txt"]
    # A reader that had the old one open gets nothing else instead.
    anew.write("a", soft_labels(2, 16, 16))
    with pytest.raises(DataError, match="other teachers"):
        store.read("a")


def test_names_added_to_the_identity_and_left_out_of_it_count(tmp_path):
    SoftLabelStore.create(tmp_path, {"a": None, "b": float("nan")})
    SoftLabelStore.open(tmp_path, {"a": None, "b": float("nan")})
    with pytest.raises(DataError, match=": a, c changed"):
        SoftLabelStore.open(tmp_path, {"b": float("nan"), "c": None})


@pytest.mark.parametrize("manifest", ["", "{", "[]", '{"format": 1}', '{"format": 1, "identity": 3}'])
def test_a_broken_manifest_invalidates(tmp_path, caplog, manifest):
    filled(tmp_path)
    (tmp_path / "soft_labels.json").write_text(manifest)
    with pytest.raises(DataError, match="cannot be read"):
        SoftLabelStore.open(tmp_path, IDENTITY)
    with caplog.at_level(logging.WARNING):
        SoftLabelStore.create(tmp_path, IDENTITY)
    assert files(tmp_path) == []
    assert "cannot be read" in caplog.text


def test_another_format_invalidates(tmp_path):
    filled(tmp_path)
    manifest = tmp_path / "soft_labels.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"format": 0}))
    with pytest.raises(DataError, match="format 0"):
        SoftLabelStore.open(tmp_path, IDENTITY)


def test_a_missing_store_cannot_be_opened(tmp_path):
    with pytest.raises(DataError, match="is missing"):
        SoftLabelStore.open(tmp_path / "none", IDENTITY)
    assert not (tmp_path / "none").exists()


def test_labels_without_a_manifest_belong_to_nobody(tmp_path):
    filled(tmp_path)
    (tmp_path / "soft_labels.json").unlink()
    SoftLabelStore.create(tmp_path, IDENTITY)
    assert files(tmp_path) == []


def test_going_on_keeps_what_is_there(tmp_path, caplog):
    filled(tmp_path, ["a"])
    before = files(tmp_path)[0].stat().st_mtime_ns
    assert "a" in SoftLabelStore.create(tmp_path, IDENTITY)
    assert files(tmp_path)[0].stat().st_mtime_ns == before
    assert not caplog.records


KILLED = """
import os, sys
from distributions import soft_labels
from tenth.segmentation.distillation import SoftLabelStore
import test_store

store = test_store.filled(sys.argv[1], ["a", "b"])

def never(descriptor):
    print("half written", flush=True)
    sys.stdin.read()

os.fsync = never
store.write("c", soft_labels(5, 48, 64, seed=2))
"""


def child(code: str, *arguments: str) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])}
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )


def test_a_kill_in_the_middle_of_a_write_loses_that_image_alone(tmp_path):
    with child(KILLED, str(tmp_path)) as process:
        assert process.stdout.readline() == "half written\n"
        process.kill()
        assert process.wait() == -signal.SIGKILL
    store = SoftLabelStore.create(tmp_path, IDENTITY)
    assert names(tmp_path) == ["a", "b"]
    assert store.read("b").shape == (5, 48, 64)
    assert len(files(tmp_path)) == 3  # what the killed one left
    store.write("c", soft_labels(5, 48, 64, seed=2))
    assert [path.name for path in files(tmp_path)] == ["a.soft", "b.soft", "c.soft"]


READER = """
import hashlib, pickle, sys
store = pickle.load(sys.stdin.buffer)
print("ready", flush=True)
keys, there = [f"train/{seed}" for seed in range(12)], []
while len(there) < 12:
    there = [key for key in keys if key in store]
    for key in there:
        store.read(key)
print(hashlib.sha256(b"".join(store.read(key).tobytes() for key in keys)).hexdigest())
"""


def test_several_processes_read_while_one_writes(tmp_path):
    store = SoftLabelStore.create(tmp_path, IDENTITY)
    readers = [child(READER) for _ in range(2)]
    try:
        for reader in readers:
            reader.stdin.buffer.write(pickle.dumps(store))
            reader.stdin.close()
        for reader in readers:
            assert reader.stdout.readline() == "ready\n"
        for seed in range(12):
            store.write(f"train/{seed}", soft_labels(5, 48, 64, seed=seed))
        digests = [reader.stdout.read() for reader in readers]
        assert [reader.wait() for reader in readers] == [0, 0]
    finally:
        for reader in readers:
            reader.kill()
            reader.stdout.close()
    assert digests[0] == digests[1]
    assert len(digests[0]) == 65


def peak_of(work) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_is_bounded_by_a_few_images(tmp_path):
    exact = soft_labels(8, 96, 128)
    store = SoftLabelStore.create(tmp_path, IDENTITY)

    def write(count):
        for number in range(count):
            store.write(f"{number:02d}", exact)

    def read():
        for number in range(24):
            store.read(f"{number:02d}")

    write(1)
    assert peak_of(lambda: write(24)) < 9 * exact.nbytes
    assert peak_of(read) < 6 * exact.nbytes
    assert len(files(tmp_path)) == 24
