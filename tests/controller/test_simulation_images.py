"""The simulator's images: which drive they belong to, the initial set, their size."""

import numpy as np
import pytest

from controller.simulation.images import (
    LabelledPicture,
    by_drive,
    drive_of,
    load_pictures,
    split_initial,
)
from tenth.errors import DataError
from tenth.segmentation.dataset import FolderDataset
from tenth.segmentation.scenes import write_scenes


@pytest.mark.parametrize(
    ("key", "drive"),
    [
        ("train/0006R0_f00930", "0006R0"),
        ("train/0001TP_006690", "0001TP"),
        ("test/Seq05VD_f05100", "Seq05VD"),
        ("train/scene-0012", "scene"),
        ("train/0012", "0012"),
        ("train/0001TP_006690_L", "0001TP"),
        ("train/aachen_000000_000019_leftImg8bit", "aachen"),
        ("train/aachen_000000_000019", "aachen"),
        ("train/2011_09_26_drive_0001_sync_0000000005", "2011_09_26_drive_0001_sync"),
        ("train/frame0001", "frame"),
    ],
)
def test_drives(key, drive):
    assert drive_of(key) == drive


def named(stems):
    blank = np.zeros((2, 2), np.uint8)
    return [LabelledPicture(f"train/{stem}", np.zeros((2, 2, 3), np.uint8), blank) for stem in sorted(stems)]


def frames(**drives):
    return named(f"{drive}_{i:04d}" for drive, count in drives.items() for i in range(count))


KITTI = [f"{i:06d}_10" for i in range(367)]
NUMBERS = [f"{i:06d}" for i in range(367)]
CITYSCAPES = [f"{city}_{i:06d}_000019_leftImg8bit" for city in ("aachen", "ulm") for i in range(20)]


@pytest.mark.parametrize(
    ("stems", "sizes"),
    [
        (KITTI, {"train": 367}),
        (NUMBERS, {"train": 367}),
        (CITYSCAPES, {"aachen": 20, "ulm": 20}),
        (["b_1", "b_2", "a_1", "a_2"], {"a": 2, "b": 2}),
        ([], {}),
    ],
)
def test_a_split_whose_names_tell_no_drives_is_one(stems, sizes):
    drives = by_drive(named(stems))
    assert list(drives) == list(sizes)
    assert {name: len(found) for name, found in drives.items()} == sizes


@pytest.mark.parametrize("stems", [KITTI, NUMBERS])
def test_its_initial_set_is_one_piece_that_the_seed_draws(stems):
    firsts = set()
    for seed in range(4):
        initial, _ = split_initial(named(stems), 36, seed)
        places = [stems.index(picture.key.removeprefix("train/")) for picture in initial]
        assert places == list(range(places[0], places[0] + 36))
        firsts.add(places[0])
    assert len(firsts) == 4


def camvid():
    """The training frames of CamVid, by name."""
    parts = ((390, 871), (901, 902), (930, 2401), (4350, 7921), (8190, 8641))
    return named(
        [
            *(f"0001TP_{frame:06d}" for frame in range(6690, 8521, 30)),
            *(f"0006R0_f{frame:05d}" for frame in range(930, 3931, 30)),
            *(f"0016E5_{frame:05d}" for part in parts for frame in range(*part, 30)),
        ]
    )


@pytest.mark.parametrize(
    ("count", "seed", "firsts", "sizes"),
    [
        (36, 0, (8130, 2670, 5130), [6, 10, 20]),
        (36, 1, (7470, 2340, 6480), [6, 10, 20]),
        (36, 2, (8100, 1650, 990), [6, 10, 20]),
        (147, 0, (7650, 2100, 2250), [25, 40, 82]),
        (147, 1, (7200, 1860, 5070), [25, 40, 82]),
        (147, 2, (7620, 1410, 780), [25, 40, 82]),
    ],
)
def test_published_results_have_these_initial_sets(count, seed, firsts, sizes):
    pictures = camvid()
    assert len(pictures) == 367
    initial, _ = split_initial(pictures, count, seed)
    drives = by_drive(initial)
    assert [len(found) for found in drives.values()] == sizes
    assert tuple(int(found[0].key.split("_")[1].lstrip("f")) for found in drives.values()) == firsts


@pytest.mark.parametrize("seed", range(4))
def test_the_initial_set_is_a_contiguous_piece_of_each_drive(seed):
    pictures = frames(A=60, B=30, C=10)
    initial, pool = split_initial(pictures, 10, seed)
    assert [picture.key for picture in sorted(initial + pool, key=lambda each: each.key)] == [
        picture.key for picture in pictures
    ]
    numbers = {
        drive: [int(picture.key[-4:]) for picture in found] for drive, found in by_drive(initial).items()
    }
    assert {drive: len(found) for drive, found in numbers.items()} == {"A": 6, "B": 3, "C": 1}
    for found in numbers.values():
        assert found == list(range(found[0], found[0] + len(found)))


def test_an_initial_set_without_a_pool_is_refused():
    with pytest.raises(DataError, match="--initial from 0 to 9"):
        split_initial(frames(A=10), 10, 0)


def test_images_are_resized_with_their_labels(tmp_path):
    write_scenes(tmp_path, train=1, val=0, test=0, width=64, height=48, seed=1)
    samples = FolderDataset(tmp_path).split("train")
    (small,) = load_pictures(samples, (32, 24))
    assert small.picture.shape == (24, 32, 3)
    assert small.truth.shape == (24, 32)
    assert set(np.unique(small.truth)) <= set(np.unique(samples[0].load()[1]))
