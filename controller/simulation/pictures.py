"""What strategies ask before the first group, drawn on an image (the thesis's figures 3.4, 3.10, 3.11)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from controller.context import class_features, class_shares
from controller.maps import Division, View, descriptor
from controller.selection import budget_pixels
from controller.simulation.bounds import Reference
from controller.simulation.images import LabelledPicture
from controller.simulation.plots import plot_entropy_heatmap, plot_selected_pixels
from controller.simulation.settings import Simulation
from controller.strategies import RoundContext, Strategy, build_strategy
from tenth.segmentation.classes import ClassSet
from tenth.segmentation.crf import CRFOptions
from tenth.segmentation.inference import Predictor
from tenth.segmentation.uncertainty import pixel_entropy

HEAT = "sp"
"""Whose regions are drawn on the heatmap: those of the largest entropy."""


@dataclass(frozen=True)
class Questions:
    """Strategies and all that their questions depend on.

    Parameters
    ----------
    strategies : sequence of Strategy
        Each asks a share of the pixels; those that ask whole images are left out.
    predictor : Predictor
        The model that asks.
    division : Division
        How images are divided into regions.
    crf : CRFOptions
        Of the CRF.
    context : RoundContext
        What is known of all images.
    budget : float
        Share of the pixels.
    """

    strategies: Sequence[Strategy]
    predictor: Predictor
    division: Division
    crf: CRFOptions
    context: RoundContext
    budget: float

    def asked(self, strategy: Strategy, image: LabelledPicture) -> tuple[list[int], NDArray[np.int32]]:
        """Return the ids that a strategy asks about, and the (H, W) map of ids."""
        regions = self.division.regions(strategy, image.picture)
        maps = View(strategy, self.predictor, self.crf, context=self.context).maps(image.picture, regions)
        return strategy.select(maps, budget_pixels(self.budget, *regions.shape)), regions


def first_questions(
    simulation: Simulation, reference: Reference, strategies: Sequence[Strategy], budget: float
) -> Questions:
    """Return what the strategies of a comparison ask before the first group, all looking at the same model.

    Parameters
    ----------
    simulation : Simulation
        What all runs share.
    reference : Reference
        The models of a seed.
    strategies : sequence of Strategy
        Who asks.
    budget : float
        Share of the pixels.
    """
    predictor = Predictor(reference.initial_network(), device=simulation.device)
    pool, classes = reference.splits.pool, len(reference.classes)
    needed = {need for strategy in strategies for need in strategy.needs}
    looks = {
        image.key: descriptor(predictor.probabilities(image.picture))
        for image in reference.progress.over(pool, len(pool), "Pictures: looking at the pool", "image")
    }
    initial = reference.splits.initial
    features = class_features(initial, predictor, classes) if "features" in needed else None
    context = RoundContext(class_shares(looks, classes), features)
    division = Division(size=simulation.region_size)
    return Questions(strategies, predictor, division, simulation.crf, context, budget)


def draw_questions(
    questions: Questions, image: LabelledPicture, classes: ClassSet, heatmap: Path, selected: Path
) -> None:
    """Draw the entropy of an image's pixels, and beside each other what the strategies ask about.

    Parameters
    ----------
    questions : Questions
        Who asks, and how.
    image : LabelledPicture
        The image, with its true labels.
    classes : ClassSet
        Their classes.
    heatmap, selected : Path
        Files to write, ``.png``.

    Raises
    ------
    ConfigurationError
        When matplotlib is missing or a file cannot be written.
    """
    probabilities = questions.predictor.probabilities(image.picture)
    unsure, superpixels = questions.asked(build_strategy(HEAT), image)
    plot_entropy_heatmap(image.picture, pixel_entropy(probabilities), superpixels, unsure, heatmap)
    masks = {}
    for strategy in questions.strategies:
        if strategy.unit != "image":
            asked, regions = questions.asked(strategy, image)
            masks[strategy.name] = np.isin(regions, asked)
    if masks:
        predicted = probabilities.argmax(axis=0).astype(np.uint8)
        plot_selected_pixels(image.picture, masks, image.truth, predicted, classes.palette, selected)
