"""The figures of a model: mIoU on val and test, and on each drive of test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from controller.simulation.images import LabelledPicture, by_drive
from tenth.segmentation.classes import ClassSet
from tenth.segmentation.evaluation import evaluate
from tenth.segmentation.inference import Predictor
from tenth.segmentation.metrics import ConfusionMatrix
from tenth.segmentation.networks import SegmentationNetwork


@dataclass(frozen=True)
class Figures:
    """What a model reaches.

    Parameters
    ----------
    val, test : dict
        `ConfusionMatrix.to_dict`: ``miou``, ``pixel_accuracy``, ``iou`` by class.
    drives : dict
        The same of each drive of test, by its name.
    """

    val: dict[str, Any]
    test: dict[str, Any]
    drives: dict[str, dict[str, Any]]


def measure(
    network: SegmentationNetwork,
    classes: ClassSet,
    val: Sequence[LabelledPicture],
    test: Sequence[LabelledPicture],
    device: str = "auto",
) -> Figures:
    """Evaluate a network, in float32 and at the images' size."""
    predictor = Predictor(network, device=device)
    matrices = {name: evaluate(predictor, frames, classes) for name, frames in by_drive(test).items()}
    total = ConfusionMatrix(len(classes))
    for matrix in matrices.values():
        total += matrix
    return Figures(
        val=evaluate(predictor, val, classes).to_dict(classes.names),
        test=total.to_dict(classes.names),
        drives={name: matrix.to_dict(classes.names) for name, matrix in matrices.items()},
    )
