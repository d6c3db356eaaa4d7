"""The control of an experiment: the same steps, spent on the initial set alone."""

from __future__ import annotations

from sqlalchemy import select

from controller.evaluate import measure
from controller.loop import Loop
from controller.pool import as_sample, images_with_role
from controller.steps import results
from controller.train import fit_network
from tenth.segmentation.inference import Predictor
from tenth.workspace.database import Round


def train_control(loop: Loop) -> dict[str, float | None]:
    """Train the initial model for as many further steps as the rounds took, without what people answered.

    The steps come in the same portions, each with its own fall of the learning rate and from the weights
    before it, so that nothing but the labels differs.

    Returns
    -------
    dict
        ``miou_val``, ``miou_test`` (``None`` without such a split) and ``iterations``, all steps together.
    """
    with loop.workspace.database.reading() as session:
        closed = list(session.scalars(select(Round).where(Round.state == "closed").order_by(Round.number)))
        initial = [as_sample(loop, image) for image in images_with_role(session, "initial")]
    portions = [results(loop, each.number)["train"]["iterations"] for each in closed]
    network = loop.workspace.models.load(str(closed[0].trained_version)).network
    for number, iterations in list(enumerate(portions))[1:]:
        fit_network(loop, network, initial, iterations, f"control-{number:03d}", stop_early=False)
    figures = measure(loop, Predictor(network, device=loop.config.training.device), "Control")
    return {
        "miou_val": figures.get("val", {}).get("miou"),
        "miou_test": figures.get("test", {}).get("miou"),
        "iterations": sum(portions),
    }
