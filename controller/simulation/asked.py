"""Images that were asked: what they cost, what is learned from them, and how they are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from controller.simulation.annotator import Answers
from controller.simulation.images import LabelledPicture
from tenth.segmentation.classes import IGNORE
from tenth.segmentation.training import LabelledImage


@dataclass(frozen=True)
class Asked:
    """An image that was asked, and what was answered."""

    picture: LabelledPicture
    superpixels: NDArray[np.int32]
    answers: Answers


@dataclass(frozen=True)
class Learnable:
    """What training reads of an image."""

    key: str
    picture: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    weights: NDArray[np.float32]

    def load(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return picture and labels."""
        return self.picture, self.labels

    def load_weighed(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.float32]]:
        """Return picture, labels and how much each pixel counts."""
        return self.picture, self.labels, self.weights


def totals(asked: Sequence[Asked]) -> dict[str, Any]:
    """Return what a group cost and told, summed over its images."""
    names = ("keys", "pixels", "wrong_pixels", "right_pixels")
    sums = {name: sum(getattr(each.answers, name) for each in asked) for name in names}
    known = sum(int((_where(each) & (each.picture.truth != IGNORE)).sum()) for each in asked)
    return {**sums, "known_pixels": known, "regions": sum(len(each.answers.regions) for each in asked)}


def _where(asked: Asked) -> NDArray[np.bool_]:
    return np.isin(asked.superpixels, asked.answers.regions)


def label_accuracy(images: Sequence[LabelledImage], asked: Sequence[Asked]) -> dict[str, float]:
    """Return how many pixels of the asked images have a label, and how many of those a right one."""
    truth = {each.picture.key: each.picture.truth for each in asked}
    labelled = right = total = 0
    for image in images:
        if not isinstance(image, Learnable) or image.key not in truth:
            continue
        true = truth[image.key]
        counted = (true != IGNORE) & (image.labels != IGNORE) & (image.weights > 0)
        labelled += int(counted.sum())
        right += int((image.labels == true)[counted].sum())
        total += int((true != IGNORE).sum())
    return {"labelled": labelled / max(1, total), "right": right / max(1, labelled)}


def save_answers(path: Path, asked: Sequence[Asked]) -> None:
    """Write a group's superpixels and answers, whole or not at all."""
    arrays: dict[str, NDArray[Any]] = {"keys": np.array([each.picture.key for each in asked])}
    for place, each in enumerate(asked):
        answers = each.answers
        arrays[f"superpixels-{place}"] = each.superpixels
        for name in ("regions", "labels", "mixed"):
            arrays[f"{name}-{place}"] = getattr(answers, name)
        if answers.painted is not None:
            arrays[f"painted-{place}"] = answers.painted
        counts = (answers.keys, answers.pixels, answers.wrong_pixels, answers.right_pixels)
        arrays[f"counts-{place}"] = np.array(counts)
    _save(path, arrays)


def _save(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}")
    with temporary.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
    temporary.replace(path)


def save_labels(path: Path, images: Sequence[Learnable]) -> None:
    """Write what is learned from a group, whole or not at all."""
    arrays: dict[str, NDArray[Any]] = {"keys": np.array([each.key for each in images])}
    for place, each in enumerate(images):
        arrays[f"labels-{place}"], arrays[f"weights-{place}"] = each.labels, each.weights
    _save(path, arrays)


def load_labels(path: Path, pictures: Mapping[str, LabelledPicture]) -> dict[str, Learnable]:
    """Read what `save_labels` wrote, by key."""
    with np.load(path, allow_pickle=False) as file:
        return {
            key: Learnable(key, pictures[key].picture, file[f"labels-{place}"], file[f"weights-{place}"])
            for place, key in enumerate(file["keys"].tolist())
        }


def load_answers(path: Path, pictures: Mapping[str, LabelledPicture]) -> list[Asked]:
    """Read what `save_answers` wrote."""
    with np.load(path, allow_pickle=False) as file:
        asked = []
        for place, key in enumerate(file["keys"].tolist()):
            keys, pixels, wrong, right = file[f"counts-{place}"].tolist()
            painted = file.get(f"painted-{place}")
            answers = Answers(
                file[f"regions-{place}"],
                file[f"labels-{place}"],
                painted,
                file[f"mixed-{place}"],
                keys,
                pixels,
                wrong,
                right,
            )
            asked.append(Asked(pictures[key], file[f"superpixels-{place}"], answers))
    return asked
