import cv2
import numpy as np
import pytest
import torch
from torch import nn

from tenth.errors import DataError
from tenth.segmentation.classes import ClassSet, LabelClass
from tenth.segmentation.dataset import Sample
from tenth.segmentation.evaluation import evaluate
from tenth.segmentation.inference import Predictor
from tenth.segmentation.networks import ScaledLogits, SegmentationNetwork

CLASSES = ClassSet("rgb", tuple(LabelClass(i, name, (0, 0, i)) for i, name in enumerate(("r", "g", "b"))))


class Strongest(SegmentationNetwork):
    """The class is the strongest colour."""

    def __init__(self):
        super().__init__(3)
        self.mean, self.std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
        self.factor = nn.Parameter(torch.ones(1))

    def forward(self, x):
        return x * self.factor

    def training_outputs(self, x):
        return [ScaledLogits(1.0, self(x))]


def write(folder, name, labels, shown):
    image = (np.eye(3)[shown] * 200).astype(np.uint8)
    cv2.imwrite(str(folder / f"{name}.png"), image[..., ::-1])
    cv2.imwrite(str(folder / f"{name}_labels.png"), labels)
    return Sample(f"val/{name}", str(folder / f"{name}.png"), str(folder / f"{name}_labels.png"))


def test_counts_over_all_samples_of_all_sizes(tmp_path):
    first = np.array([[0, 0, 1, 255]], np.uint8)
    second = np.array([[1, 1], [2, 2], [2, 0]], np.uint8)
    samples = [
        write(tmp_path, "a", first, np.array([[0, 1, 1, 2]])),
        write(tmp_path, "b", second, second.astype(int)),
    ]
    confusion = evaluate(Predictor(Strongest(), "cpu"), samples, CLASSES)
    assert confusion.counts.tolist() == [[2, 1, 0], [0, 3, 0], [0, 0, 3]]


def test_names_the_sample_that_cannot_be_measured(tmp_path):
    labels = np.array([[0, 7]], np.uint8)
    sample = write(tmp_path, "a", labels, np.array([[0, 1]]))
    with pytest.raises(DataError, match="val/a: The labels contain the id 7"):
        evaluate(Predictor(Strongest(), "cpu"), [sample], CLASSES)
    with pytest.raises(DataError, match="no label"):
        evaluate(Predictor(Strongest(), "cpu"), [Sample("val/a", sample.image, None)], CLASSES)
    with pytest.raises(DataError, match="no labelled image"):
        evaluate(Predictor(Strongest(), "cpu"), [], CLASSES)
