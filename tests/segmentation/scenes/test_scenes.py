from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tenth.progress import Progress
from tenth.segmentation.dataset import FolderDataset
from tenth.segmentation.scenes import SCENE_CLASSES, generate_scene, write_scenes


def test_a_seed_gives_one_scene_whatever_else_is_random() -> None:
    image, labels = generate_scene(5, 96, 72)
    np.random.seed(1)
    generate_scene(6, 96, 72)
    again, same = generate_scene(5, 96, 72)
    assert np.array_equal(image, again)
    assert np.array_equal(labels, same)
    other, _ = generate_scene(6, 96, 72)
    assert not np.array_equal(image, other)


@pytest.mark.parametrize(("width", "height"), [(320, 240), (480, 360), (97, 61), (16, 16)])
def test_any_size(width: int, height: int) -> None:
    image, labels = generate_scene(1, width, height)
    assert image.shape == (height, width, 3)
    assert labels.shape == (height, width)
    assert image.dtype == labels.dtype == np.uint8


@pytest.mark.parametrize(("seed", "width", "height"), [(-1, 64, 64), (0, 15, 64), (0, 64, 15)])
def test_impossible_requests(seed: int, width: int, height: int) -> None:
    with pytest.raises(ValueError, match=r"negative|too small"):
        generate_scene(seed, width, height)


def test_there_are_at_least_ten_classes_and_all_occur() -> None:
    counts = np.zeros(256, int)
    for seed in range(14):
        counts += np.bincount(generate_scene(seed, 160, 120)[1].ravel(), minlength=256)
    share = counts / counts.sum()
    assert len(SCENE_CLASSES) >= 10
    assert share[len(SCENE_CLASSES) :].sum() == 0
    assert (share[: len(SCENE_CLASSES)] > 0.001).all(), dict(
        zip(SCENE_CLASSES.names, share.round(4), strict=False)
    )
    assert share.max() < 0.5
    rare = [share[SCENE_CLASSES.id_of(name)] for name in ("pedestrian", "pole", "sign", "marking")]
    assert max(rare) < 0.05


def edge_strength(image: np.ndarray[Any, Any], labels: np.ndarray[Any, Any], shift: int) -> float:
    """Mean contrast between neighbours at the class boundaries, moved to the right by `shift` pixels."""
    grey = image.astype(float)
    contrast = np.abs(np.diff(grey, axis=1)).sum(axis=2)
    boundary = np.roll(labels[:, 1:] != labels[:, :-1], shift, axis=1)
    return float(contrast[:, 8:-8][boundary[:, 8:-8]].mean())


def test_labels_change_exactly_where_the_picture_does() -> None:
    for seed in range(6):
        image, labels = generate_scene(seed)
        strengths = {shift: edge_strength(image, labels, shift) for shift in range(-4, 5)}
        assert max(strengths, key=lambda shift: strengths[shift]) == 0, strengths


def test_things_can_be_thin() -> None:
    pole = SCENE_CLASSES.id_of("pole")
    widths: list[int] = []
    for seed in range(3):
        mask = (generate_scene(seed)[1] == pole).astype(np.uint8)
        count, _, stats, _ = cv2.connectedComponentsWithStats(mask)
        widths += [int(w) for w, h in stats[1:count, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]] if h > 12]
    assert sum(width <= 4 for width in widths) >= 5


def test_the_weather_changes_the_light() -> None:
    brightness = [generate_scene(seed, 64, 48)[0].mean() for seed in range(8)]
    assert max(brightness) > 1.25 * min(brightness)


class Counting(Progress):
    def __init__(self) -> None:
        super().__init__(False)
        self.total = self.done = 0

    @contextmanager
    def bar(self, total: int, *args: Any, **options: Any) -> Any:
        self.total = total
        with super().bar(total, *args, **options) as bar:
            outer = self

            class Bar:
                def update(self, n: int = 1) -> None:
                    outer.done += n

                def set_postfix_str(self, s: str = "") -> None:
                    bar.set_postfix_str(s)

            yield Bar()


def test_written_scenes_are_a_data_set(tmp_path: Path) -> None:
    progress = Counting()
    write_scenes(tmp_path, train=3, val=1, test=2, width=64, height=48, seed=4, progress=progress)
    assert (progress.total, progress.done) == (6, 6)
    data = FolderDataset(tmp_path)
    assert data.splits == ["test", "train", "val"]
    assert data.classes == SCENE_CLASSES
    assert json.loads((tmp_path / "classes.json").read_text())["ignore"] == 255
    samples = [sample for split in data.splits for sample in data.split(split, require_labels=True)]
    assert len(samples) == 6
    pictures = {sample.load()[0].tobytes() for sample in samples}
    assert len(pictures) == 6
    # Seed 4, second split: the scene itself comes back, pixel by pixel.
    image, labels = generate_scene(13_000_000, 64, 48)
    assert np.array_equal(data.split("val")[0].load()[0], image)
    assert np.array_equal(data.split("val")[0].load()[1], labels)


def test_a_larger_set_begins_with_the_smaller_one(tmp_path: Path) -> None:
    write_scenes(tmp_path / "small", train=1, val=1, test=1, width=32, height=32)
    write_scenes(tmp_path / "large", train=2, val=2, test=1, width=32, height=32)
    for split in ("train", "val", "test"):
        small, large = (
            FolderDataset(tmp_path / name).split(split)[0].load()[0] for name in ("small", "large")
        )
        assert np.array_equal(small, large)
