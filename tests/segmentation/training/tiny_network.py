"""A network small enough to train in a test, and images it can learn."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from tenth.segmentation.networks import ScaledLogits, SegmentationNetwork
from tenth.segmentation.training import TrainingOptions

CLASSES = 3


class TinyNetwork(SegmentationNetwork):
    """Batch normalisation, dropout and a shared layer: all that a resumption could get wrong."""

    def __init__(self, classes: int = CLASSES, seed: int = 0):
        super().__init__(classes)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.stem = nn.Sequential(
                nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.2)
            )
            self.head = nn.Conv2d(8, classes, 1)
        self.same_head = self.head

    def forward(self, x: Tensor) -> Tensor:
        return F.interpolate(self.head(self.stem(x)), size=x.shape[-2:], mode="bilinear")

    def training_outputs(self, x: Tensor) -> list[ScaledLogits]:
        features = self.stem(x)
        return [
            ScaledLogits(1.0, self.head(features)),
            ScaledLogits(0.4, self.same_head(F.avg_pool2d(features, 2, ceil_mode=True))),
        ]


@dataclass(frozen=True)
class ColourImage:
    """Bars of colours, each colour a class; the first row is not labelled."""

    seed: int
    height: int = 24
    width: int = 32

    @property
    def key(self) -> str:
        return f"train/{self.seed}"

    def load(self):
        rng = np.random.default_rng(self.seed)
        bars = rng.integers(0, CLASSES, self.width // 8)
        labels = np.repeat(np.repeat(bars[None], self.height, 0), 8, 1).astype(np.uint8)
        colours = np.array([[200, 40, 40], [40, 200, 40], [40, 40, 200]])[labels]
        image = np.clip(colours + rng.integers(-30, 30, colours.shape), 0, 255).astype(np.uint8)
        labels[0] = 255
        return image, labels


IMAGES = [ColourImage(seed) for seed in range(5)]


@dataclass(frozen=True)
class HalfLabelled(ColourImage):
    """Every other column is not labelled, and the labels of the upper half count half."""

    def load(self):
        image, labels = super().load()
        labels[:, ::2] = 255
        return image, labels

    def load_weighed(self):
        weights = np.ones((self.height, self.width), np.float32)
        weights[: self.height // 2] = 0.5
        return *self.load(), weights


SHORT = TrainingOptions(
    iterations=12,
    batch_size=4,
    learning_rate=0.05,
    scale=(0.5, 2.0),
    class_weighting="none",
    device="cpu",
    precision="f32",
)
