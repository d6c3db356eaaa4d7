"""Step "evaluate": the newly trained network on the validation and test splits."""

from __future__ import annotations

from typing import Any

from controller.loop import Loop
from controller.train import trained_network
from tenth.segmentation import evaluation
from tenth.segmentation.inference import Predictor


def evaluate(loop: Loop, number: int) -> dict[str, Any]:
    """Measure the network of a round; splits without labels are left out."""
    network = trained_network(loop, f"round-{number:03d}")
    return measure(loop, Predictor(network, device=loop.config.training.device), f"Round {number}")


def measure(loop: Loop, predictor: Predictor, title: str) -> dict[str, Any]:
    """Return the figures of a network on both splits, ``{"val": {…}, "test": {…}}``, each where labelled."""
    data = loop.config.data
    figures: dict[str, Any] = {}
    for name, split in (("val", data.val_split), ("test", data.test_split)):
        samples = loop.labelled_split(split)
        if samples:
            matrix = evaluation.evaluate(
                predictor, samples, loop.classes, loop.progress, f"{title}: evaluating on {split}"
            )
            figures[name] = matrix.to_dict(loop.classes.names)
    return figures
