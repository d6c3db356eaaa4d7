from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import fsspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tenth.errors import DataError, OutOfReach
from tenth.segmentation.dataset import FolderDataset, Sample, choose_initial, list_images
from tenth.segmentation.images import write_png

CLASSES = {"name": "two", "classes": [{"id": i, "name": f"c{i}", "color": [i, i, i]} for i in range(2)]}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "classes.json").write_text(json.dumps(CLASSES))
    for split, names in {"train": ["b", "a", "c.d"], "test": ["x"]}.items():
        (tmp_path / split / "images").mkdir(parents=True)
        (tmp_path / split / "labels").mkdir()
        for name in names:
            write_png(tmp_path / split / "images" / f"{name}.png", np.full((4, 6, 3), ord(name[0]), np.uint8))
            write_png(tmp_path / split / "labels" / f"{name}.png", np.full((4, 6), 1, np.uint8))
    return tmp_path


@pytest.fixture
def memory() -> Iterator[fsspec.AbstractFileSystem]:
    filesystem = fsspec.filesystem("memory")
    filesystem.store.clear()  # one store for the whole process: other tests write there, too
    yield filesystem
    filesystem.store.clear()


def encoded() -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.full((3, 5, 3), 9, np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def test_splits_and_their_images_in_order(root: Path) -> None:
    data = FolderDataset(str(root))
    assert data.splits == ["test", "train"]
    assert [sample.key for sample in data.split("train")] == ["train/a", "train/b", "train/c.d"]
    assert len(data.classes) == 2
    image, labels = data.split("train", require_labels=True)[1].load()
    assert image.shape == (4, 6, 3)
    assert (image == ord("b")).all()
    assert labels.shape == (4, 6)
    assert (labels == 1).all()


def test_files_that_are_no_pictures_are_passed_over(root: Path) -> None:
    for name in ("Thumbs.db", ".DS_Store", "._a.png", "notes.txt"):
        (root / "test" / "images" / name).write_bytes(b"x")
    (root / "test" / "labels" / "._x.png").write_bytes(b"x")
    assert [sample.key for sample in FolderDataset(root).split("test")] == ["test/x"]


def test_an_unlabelled_image_is_found_but_cannot_be_loaded_with_labels(root: Path) -> None:
    (root / "train" / "labels" / "a.png").unlink()
    data = FolderDataset(root)
    sample = data.split("train")[0]
    assert sample.labels is None
    assert sample.load_image().shape == (4, 6, 3)
    with pytest.raises(DataError, match=r"a\.png has no label map"):
        sample.load()
    with pytest.raises(DataError, match=r"1 of 3 images of 'train'.*images/a\.png.*labels/a\.png"):
        data.split("train", require_labels=True)


def test_a_split_without_labels_is_a_pool(root: Path) -> None:
    (root / "test" / "labels" / "x.png").unlink()
    (root / "test" / "labels").rmdir()
    assert FolderDataset(root).split("test") == [Sample("test/x", str(root / "test/images/x.png"), None, 2)]


def test_labels_named_differently_from_all_images_are_noticed(root: Path) -> None:
    (root / "test" / "labels" / "x.png").rename(root / "test" / "labels" / "x_ids.png")
    with pytest.raises(DataError, match=r"x_ids\.png belongs to none, x\.png needs x\.png"):
        FolderDataset(root).split("test")


def test_sizes_that_differ_are_named(root: Path) -> None:
    write_png(root / "test" / "labels" / "x.png", np.zeros((6, 4), np.uint8))
    with pytest.raises(DataError, match=r"6×4 pixels.*4×6"):
        FolderDataset(root).split("test")[0].load()


def test_ids_beyond_the_classes_are_named(root: Path) -> None:
    write_png(root / "test" / "labels" / "x.png", np.full((4, 6), 2, np.uint8))
    with pytest.raises(DataError, match="id 2 in 24 pixels"):
        FolderDataset(root).split("test")[0].load()


def test_two_images_of_one_stem_are_refused(root: Path) -> None:
    Image.new("RGB", (6, 4)).save(root / "test" / "images" / "x.jpg")
    with pytest.raises(DataError, match=r"x\.jpg and .*x\.png share the name test/x"):
        FolderDataset(root).split("test")


def test_empty_and_unknown_splits(root: Path) -> None:
    (root / "test" / "images" / "x.png").unlink()
    with pytest.raises(DataError, match="no image in"):
        FolderDataset(root).split("test")
    with pytest.raises(DataError, match=r"no split 'val'.*test, train"):
        FolderDataset(root).split("val")


def test_a_missing_folder_or_class_list(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere does not exist"):
        FolderDataset(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"classes\.json does not exist"):
        FolderDataset(tmp_path)


def test_a_pool_in_a_folder_with_subfolders(tmp_path: Path) -> None:
    for name in ("b.png", "drive/a.png", "drive/deep/a.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(encoded())
    (tmp_path / "drive" / "readme.md").write_text("x")
    samples = list_images(tmp_path)
    assert [sample.key for sample in samples] == ["pool/b", "pool/drive/a", "pool/drive/deep/a"]
    assert all(sample.labels is None and sample.load_image().shape == (3, 5, 3) for sample in samples)
    assert Path(samples[0].image) == tmp_path / "b.png"


def test_a_relative_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pool").mkdir()
    (tmp_path / "pool" / "a.png").write_bytes(encoded())
    monkeypatch.chdir(tmp_path)
    assert list_images("pool")[0].image == str(tmp_path / "pool" / "a.png")


@pytest.mark.parametrize("url", ["memory://pool", "memory://pool/"])
def test_a_pool_behind_a_url(memory: fsspec.AbstractFileSystem, url: str) -> None:
    memory.pipe({"/pool/a.png": encoded(), "/pool/drive 2/b.PNG": encoded(), "/elsewhere/c.png": encoded()})
    samples = list_images(url)
    assert [sample.key for sample in samples] == ["pool/a", "pool/drive 2/b"]
    assert [sample.load_image().shape for sample in samples] == [(3, 5, 3)] * 2


def test_a_pool_inside_an_archive(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "drive.zip", "w") as archive:
        archive.writestr("day/a.png", encoded())
    samples = list_images(f"zip://::{tmp_path}/drive.zip")
    assert [sample.key for sample in samples] == ["pool/day/a"]
    assert samples[0].load_image().shape == (3, 5, 3)


def test_a_cached_pool(memory: fsspec.AbstractFileSystem) -> None:
    memory.pipe("/pool/a.png", encoded())
    samples = list_images("simplecache::memory://pool")
    assert samples[0].key == "pool/a"
    assert samples[0].load_image().shape == (3, 5, 3)


def test_a_pool_out_of_reach(outage: str) -> None:
    with pytest.raises(OutOfReach, match="outage://drive cannot be listed: The provided token has expired"):
        list_images(f"{outage}drive")


def test_pools_that_cannot_be_used(root: Path, memory: fsspec.AbstractFileSystem) -> None:
    with pytest.raises(DataError, match="images and their labels"):
        list_images(root / "train")
    with pytest.raises(DataError, match="no image in"):
        list_images(root / "nowhere")
    with pytest.raises(DataError, match="nonsense://x cannot be listed"):
        list_images("nonsense://x")
    Image.new("RGB", (6, 4)).save(root / "train" / "images" / "a.jpg")
    with pytest.raises(DataError, match="share the name pool/a"):
        list_images(root / "train" / "images")


def samples(count: int) -> list[Sample]:
    return [Sample(f"train/{i:03d}", f"{i}.png", None) for i in range(count)]


def numbers(chosen: list[Sample]) -> list[int]:
    return [int(sample.key[-3:]) for sample in chosen]


def test_the_initial_images_spread_lead_or_are_drawn() -> None:
    assert numbers(choose_initial(samples(10), 2)) == [2, 7]
    assert numbers(choose_initial(samples(10), 5)) == [1, 3, 5, 7, 9]
    assert numbers(choose_initial(samples(10), 3, "contiguous")) == [0, 1, 2]
    drawn = numbers(choose_initial(samples(100), 10, "random", seed=1))
    assert drawn == numbers(choose_initial(samples(100), 10, "random", seed=1))
    assert drawn != numbers(choose_initial(samples(100), 10, "random", seed=2))


@given(st.integers(0, 60), st.integers(0, 60), st.sampled_from(["spread", "contiguous", "random"]))
def test_as_many_different_images_as_asked_in_order(count: int, more: int, order: str) -> None:
    chosen = numbers(choose_initial(samples(count + more), count, order))  # type: ignore[arg-type]
    assert len(chosen) == count
    assert chosen == sorted(set(chosen))
    if order == "spread" and count > 1:
        assert np.ptp(np.diff(chosen)) <= 1


def test_wrong_requests_for_initial_images() -> None:
    with pytest.raises(DataError, match="4 images, but only 3"):
        choose_initial(samples(3), 4)
    with pytest.raises(ValueError, match="-1"):
        choose_initial(samples(3), -1)
    with pytest.raises(ValueError, match="'best'"):
        choose_initial(samples(3), 2, "best")  # type: ignore[arg-type]
