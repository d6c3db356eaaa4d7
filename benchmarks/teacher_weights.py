"""Ways to weigh teachers: what their ensemble gets right by each, and how many images of val stacking needs.

    python -m benchmarks.teacher_weights --dataset camvid --weights espnetv2_s_2.0_city_1024x512.pth

The teachers are those of benchmarks.distillation, which have to be trained (``--work``); one that was trained
with ``--labelled`` needs that again. Each is asked once about every image. Adds the rows of these teachers to
benchmarks/results/teacher_weights.json.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.distillation import TEACHERS, Work, parser, teachers_of, work_of
from benchmarks.jobs import RESULTS
from controller.find_teacher import find_teachers
from controller.simulation.results import write_json
from controller.standalone import Images, read_splits
from tenth.segmentation.dataset import FolderDataset
from tenth.segmentation.distillation import Ensemble, class_weights, stacked_weights
from tenth.segmentation.inference import Predictor
from tenth.segmentation.metrics import ConfusionMatrix

Asked = list[tuple[dict[str, NDArray[np.float16]], NDArray[np.uint8]]]
"""What each teacher says about each image, and its labels."""

COUNTS = (5, 10, 20)
"""Images of val that teachers are stacked on, beside all of them."""


@dataclass(frozen=True)
class Teachers:
    """Teachers of a work folder, and what they say about each image, in half precision.

    Parameters
    ----------
    predictors : dict of str to Predictor
    splits : mapping of str to Images
    asked : dict of str to Asked
        By split.
    """

    predictors: dict[str, Predictor]
    splits: Mapping[str, Images]
    asked: dict[str, Asked]

    def stacked(self, split: str, count: int | None = None) -> NDArray[np.float64]:
        """Return the weights by the images of a split, or by so many of them, evenly spread."""
        images = self.splits[split]
        chosen = images if count is None else [images[place] for place in spread(len(images), count)]
        classes = len(next(iter(self.asked[split][0][0].values())))
        return stacked_weights(self.predictors, chosen, classes)


def ask(work: Work) -> Teachers:
    """Return the teachers, once they have been asked about each image."""
    dataset = FolderDataset(work.dataset)
    splits = read_splits(work.training("icnet", "teachers", 1, 0), dataset, work.progress)
    found = find_teachers(teachers_of(work), dataset)
    predictors = {each.name: Predictor(each.load().model.network, "cpu") for each in found}

    def said(image: Any) -> tuple[dict[str, NDArray[np.float16]], NDArray[np.uint8]]:
        picture, labels = image.load()
        return {name: each.logits(picture).astype(np.float16) for name, each in predictors.items()}, labels

    asked = {
        name: [said(image) for image in work.progress.over(images, len(images), f"Asking on {name}", "image")]
        for name, images in splits.items()
    }
    return Teachers(predictors, splits, asked)


def spread(count: int, wanted: int) -> list[int]:
    """Return `wanted` places among `count`, evenly spread."""
    places: list[int] = np.linspace(0, count - 1, wanted).round().astype(int).tolist()
    return places


def confusion(weights: NDArray[np.float64], asked: Asked) -> ConfusionMatrix:
    """Return what the ensemble of these weights gets right, at temperature 1."""
    counted = ConfusionMatrix(weights.shape[1])
    ensemble = Ensemble([str(place) for place in range(len(weights))], [1.0] * len(weights), weights)
    for logits, labels in asked:
        said = (torch.from_numpy(values[None]) for values in logits.values())
        counted.update(ensemble.probabilities(said)[0].argmax(0).numpy(), labels)
    return counted


def ways(teachers: Teachers) -> Iterable[tuple[str, NDArray[np.float64]]]:
    """Yield names and weights (teachers, C)."""
    asked = teachers.asked
    first, _ = asked["val"][0]
    shape = (len(first), len(next(iter(first.values()))))
    alone = [np.repeat(row[:, None], shape[1], axis=1) + 1e-9 for row in np.eye(shape[0])]
    alone = [weights / weights.sum(0) for weights in alone]
    yield from ((f"{name} alone", weights) for name, weights in zip(first, alone, strict=True))
    yield "equal", np.full(shape, 1 / shape[0])
    for split in ("train", "val"):
        yield f"IoU on {split}", class_weights([confusion(each, asked[split]).iou for each in alone])
    for split in ("train", "val"):
        yield f"stacked on {split}", teachers.stacked(split)
    for count in COUNTS:
        yield f"stacked on {count} images of val", teachers.stacked("val", count)


def main() -> None:
    """Measure what can be said about one set of teachers, and write it beside the others."""
    options = parser(__doc__)
    options.add_argument("--out", type=Path, default=RESULTS / "teacher_weights.json")
    arguments = options.parse_args()
    work = work_of(arguments)
    teachers = ask(work)
    labelled = len(teachers.asked["train"])
    rows: list[dict[str, Any]] = []
    for name, weights in ways(teachers):
        row: dict[str, Any] = {"labelled": labelled, "weights": name}
        row |= dict(zip(TEACHERS, weights.mean(1).round(2).tolist(), strict=True))
        row |= {f"miou_{split}": confusion(weights, teachers.asked[split]).miou for split in ("val", "test")}
        print(row, flush=True)
        rows.append(row)
    before = json.loads(arguments.out.read_text(encoding="utf-8"))["rows"] if arguments.out.exists() else []
    rows += [row for row in before if row["labelled"] != labelled]
    rows.sort(key=lambda row: -int(row["labelled"]))
    about = {"command": "python -m benchmarks.teacher_weights --dataset DIR --weights FILE"}
    write_json(arguments.out, {"about": about, "rows": rows})


if __name__ == "__main__":
    main()
