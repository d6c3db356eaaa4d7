"""Step "evaluate": the newly trained networks on the validation and test splits."""

from __future__ import annotations

from typing import Any

from controller.loop import Loop
from controller.steps import results
from controller.student import student_name
from controller.train import trained_network
from tenth.segmentation import evaluation
from tenth.segmentation.inference import Predictor
from tenth.segmentation.networks import NetworkSpec


def evaluate(loop: Loop, number: int) -> dict[str, Any]:
    """Measure the network of a round, and its student where it has one; unlabelled splits are left out."""
    name, title = f"round-{number:03d}", f"Round {number}"
    figures = measure(loop, Predictor(trained_network(loop, name), device=loop.config.training.device), title)
    distilled = results(loop, number).get("distill")
    return figures if distilled is None else {**figures, **measure_student(loop, name, distilled, title)}


def measure_student(loop: Loop, name: str, distilled: dict[str, Any], title: str) -> dict[str, Any]:
    """Return the figures of a student and, on the validation split, of the version in use.

    The version in use is measured anew: the split may have more labels than when it was published.

    Returns
    -------
    dict
        ``student`` as `measure` returns it; ``served`` with ``version`` and ``miou``, or ``None``.
    """
    device = loop.config.training.device
    network = trained_network(loop, student_name(name), NetworkSpec.from_dict(distilled["network"]))
    figures = measure(loop, Predictor(network, device=device), f"{title}, student")
    version = loop.workspace.models.current()
    samples = loop.labelled_split(loop.config.data.val_split)
    if version is None:
        return {"student": figures, "served": None}
    miou = None
    if samples:
        # With the same arithmetic as the student, whatever the configuration says about predictions.
        served = Predictor(loop.workspace.models.load(version).network, device=device)
        text = f"{title}: evaluating {version}"
        matrix = evaluation.evaluate(served, samples, loop.classes, loop.progress, text)
        miou = matrix.to_dict(loop.classes.names)["miou"]
    return {"student": figures, "served": {"version": version, "miou": miou}}


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
