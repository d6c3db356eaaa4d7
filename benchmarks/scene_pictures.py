"""Draw figures 3.4, 3.10 and 3.11 for a generated scene: ``python -m benchmarks.scene_pictures``.

A network is trained on a few generated scenes, which takes minutes on one core; each strategy then asks about
a tenth of the pixels of a scene that it has not seen. Generated scenes may be passed on, unlike most data
sets, so that docs/results.md can show them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.results_page.__main__ import ROOT
from benchmarks.results_page.page import HEATMAP, PICTURES, SELECTED
from controller.context import class_features
from controller.maps import Division, View
from controller.simulation.bounds import learn
from controller.simulation.images import LabelledPicture
from controller.simulation.plots import plot_entropy_heatmap, plot_selected_pixels
from controller.strategies import RoundContext, build_strategy
from tenth.segmentation.crf import CRFOptions
from tenth.segmentation.inference import Predictor
from tenth.segmentation.networks import NetworkSpec
from tenth.segmentation.scenes import SCENE_CLASSES, generate_scene
from tenth.segmentation.training import TrainingOptions
from tenth.segmentation.uncertainty import pixel_entropy

STRATEGIES = ("random-regions", "entropy", "entropy-edge", "sp", "sp-crf", "sp-crf-class")
BUDGET = 0.1
SHOWN = 4
"""Seed of the scene that is shown; those trained on come after `FIRST`."""

FIRST, SCENES, STEPS = 1000, 12, 220
REGION_SIZE = 200
WEIGHTS = ROOT / ".cache" / "scene_pictures.safetensors"
"""Kept, so that a killed call goes on and drawing anew takes seconds; remove it to train anew."""


def scenes() -> list[LabelledPicture]:
    """Return the scenes to train on."""
    return [LabelledPicture(f"train/{seed}", *generate_scene(seed)) for seed in range(FIRST, FIRST + SCENES)]


def trained(images: list[LabelledPicture]) -> Predictor:
    """Return ICNet after a short training."""
    torch.manual_seed(0)
    spec = NetworkSpec("icnet", len(SCENE_CLASSES), {"encoder": "efficientnet-lite0", "weights": "imagenet"})
    network = spec.build(pretrained=True)
    options = TrainingOptions(
        iterations=STEPS,
        batch_size=2,
        learning_rate=0.02,
        crop=(120, 160),
        scale=(1.0, 1.0),
        colour=0.0,
        workers=0,
        device="cpu",
        checkpoint_every=20,
    )
    learn(network, images, options, WEIGHTS)
    return Predictor(network, device="cpu")


def asked_by(name: str, predictor: Predictor, picture: NDArray[np.uint8], context: RoundContext) -> list[int]:
    """Return the regions, or pixels, that a strategy asks about within the budget."""
    strategy = build_strategy(name, seed=0)
    regions = Division(size=REGION_SIZE).regions(strategy, picture)
    view = View(strategy, predictor, CRFOptions(), context=context)
    return strategy.select(view.maps(picture, regions), int(BUDGET * regions.size))


def main(folder: Path) -> None:
    """Write both pictures."""
    images = scenes()
    predictor = trained(images)
    picture, truth = generate_scene(SHOWN)
    context = RoundContext(class_features=class_features(images, predictor, len(SCENE_CLASSES)))
    division = Division(size=REGION_SIZE)
    asked = {name: asked_by(name, predictor, picture, context) for name in STRATEGIES}
    masks = {
        name: np.isin(division.regions(build_strategy(name), picture), regions)
        for name, regions in asked.items()
    }
    probabilities = predictor.probabilities(picture)
    folder.mkdir(parents=True, exist_ok=True)
    superpixels = division.regions(build_strategy("sp"), picture)
    plot_entropy_heatmap(picture, pixel_entropy(probabilities), superpixels, asked["sp"], folder / HEATMAP)
    predicted = probabilities.argmax(axis=0).astype(np.uint8)
    plot_selected_pixels(picture, masks, truth, predicted, SCENE_CLASSES.palette, folder / SELECTED)
    print(f"{HEATMAP} and {SELECTED} written to {folder}")


if __name__ == "__main__":
    main(ROOT / "docs" / PICTURES)
