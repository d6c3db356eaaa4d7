"""Draw figures 3.4, 3.10 and 3.11 for a generated scene: ``python -m benchmarks.scene_pictures``.

A network is trained on a few generated scenes, which takes minutes on one core; each strategy then asks about
a tenth of the pixels of a scene that it has not seen. Generated scenes may be passed on, unlike most data
sets, so that docs/results.md can show them.
"""

from __future__ import annotations

from pathlib import Path

import torch

from benchmarks.results_page.__main__ import ROOT
from benchmarks.results_page.page import HEATMAP, PICTURES, SELECTED
from controller.context import class_features
from controller.maps import Division
from controller.simulation.bounds import learn
from controller.simulation.images import LabelledPicture
from controller.simulation.pictures import Questions, draw_questions
from controller.strategies import RoundContext, build_strategy
from tenth.segmentation.crf import CRFOptions
from tenth.segmentation.inference import Predictor
from tenth.segmentation.networks import NetworkSpec
from tenth.segmentation.scenes import SCENE_CLASSES, generate_scene
from tenth.segmentation.training import TrainingOptions

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


def main(folder: Path) -> None:
    """Write both pictures."""
    images = scenes()
    predictor = trained(images)
    features = class_features(images, predictor, len(SCENE_CLASSES))
    strategies = [build_strategy(name, seed=0) for name in STRATEGIES]
    context = RoundContext(class_features=features)
    questions = Questions(strategies, predictor, Division(size=REGION_SIZE), CRFOptions(), context, BUDGET)
    folder.mkdir(parents=True, exist_ok=True)
    shown = LabelledPicture(f"test/{SHOWN}", *generate_scene(SHOWN))
    draw_questions(questions, shown, SCENE_CLASSES, folder / HEATMAP, folder / SELECTED)
    print(f"{HEATMAP} and {SELECTED} written to {folder}")


if __name__ == "__main__":
    main(ROOT / "docs" / PICTURES)
