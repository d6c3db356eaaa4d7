"""What a strategy looks at: regions and the maps that it needs, made from an image and the models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from controller.strategies.base import ImageMaps, RoundContext, Strategy
from tenth.segmentation.crf import CRFOptions
from tenth.segmentation.inference import Predictor
from tenth.segmentation.refine import refine
from tenth.segmentation.superpixels import slic

DESCRIPTOR_GRID = (4, 3)
"""Columns and rows of the grid over which an image's class probabilities are averaged to describe it."""


@dataclass(frozen=True)
class Division:
    """How images are divided into superpixels; exactly one of `count` and `size` is set."""

    count: int | None = None
    size: int | None = None
    compactness: float = 10.0

    def regions(self, strategy: Strategy, picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.int32]:
        """Return the (H, W) ids of what `strategy` asks about: superpixels, pixels or the whole image."""
        height, width = picture.shape[:2]
        if strategy.unit == "pixel":
            return np.arange(height * width, dtype=np.int32).reshape(height, width)
        if strategy.unit == "image":
            return np.zeros((height, width), np.int32)
        return self.superpixels(picture)

    def superpixels(self, picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.int32]:
        """Return the superpixels (H, W) of an image (H, W, 3) uint8."""
        return slic(picture, count=self.count, size=self.size, compactness=self.compactness)


@dataclass(frozen=True)
class View:
    """The models of a round, and how their predictions become the maps of a strategy.

    Parameters
    ----------
    strategy : Strategy
        Its `needs` say which maps are made.
    predictor : Predictor or None
        The current model; None in a cold start.
    crf : CRFOptions
        Of the refined probabilities.
    committee : sequence of Predictor, optional
        Earlier versions, the oldest first; the current model is their last member.
    passes : int, optional
        Number of stochastic passes.
    seed : int, optional
        Of those passes.
    context : RoundContext, optional
        What is known of all images.
    """

    strategy: Strategy
    predictor: Predictor | None
    crf: CRFOptions
    committee: Sequence[Predictor] = ()
    passes: int = 20
    seed: int = 0
    context: RoundContext = field(default_factory=RoundContext)

    def maps(self, picture: npt.NDArray[np.uint8], superpixels: npt.NDArray[np.int32]) -> ImageMaps:
        """Return the maps of one image (H, W, 3) uint8."""
        if self.predictor is None:
            return ImageMaps(picture, None, superpixels)
        probabilities = self.predictor.probabilities(picture)
        extra: dict[str, Any] = {}
        for need in self.strategy.needs:
            if need == "crf":
                extra["refined"] = refine(probabilities, picture, superpixels, self.crf)
            elif need == "passes":
                extra["passes"] = self.predictor.stochastic(picture, self.passes, self.seed)
            elif need == "committee":
                members = [member.probabilities(picture) for member in self.committee]
                extra["committee"] = np.stack([*members, probabilities])
            elif need == "mirror":
                mirrored = self.predictor.probabilities(np.ascontiguousarray(picture[:, ::-1]))
                extra["mirrored"] = np.ascontiguousarray(mirrored[:, :, ::-1])
            elif need == "features":
                extra["features"] = self.predictor.features(picture)
        return ImageMaps(picture, probabilities, superpixels, **extra, context=self.context)


def descriptor(probabilities: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return what an image looks like to the network: its mean class probabilities in the cells of a grid.

    Parameters
    ----------
    probabilities : (C, H, W) float32
        Class probabilities.

    Returns
    -------
    (C · rows · columns,) float32
        Class by class; each cell of `DESCRIPTOR_GRID` sums to 1 over the classes.
    """
    planes = [cv2.resize(plane, DESCRIPTOR_GRID, interpolation=cv2.INTER_AREA) for plane in probabilities]
    return np.stack(planes).ravel().astype(np.float32)
