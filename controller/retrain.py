"""More training between rounds: the version in use goes on learning from all labels of closed rounds."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select

from controller.evaluate import measure
from controller.loop import Loop
from controller.merge import merge
from controller.publish import add_version
from controller.train import fit_network, start_network, training_images
from tenth.segmentation.inference import Predictor
from tenth.workspace.database import Round

NAME = "retrain"


def retrain(loop: Loop) -> dict[str, Any]:
    """Train the version in use for another ``training.round_iterations`` and publish the result.

    Returns
    -------
    dict
        ``version``, and ``val`` and ``test`` with the mIoU (``None`` where there is no such split).
    """
    with loop.workspace.database.reading() as session:
        closed = session.scalar(select(func.max(Round.number)).where(Round.state == "closed")) or 0
    network = start_network(loop)
    parent = loop.workspace.models.current()
    if closed:
        merge(loop, closed)  # writes what another [labels] setting has left away
    images = training_images(loop, closed)
    trained = fit_network(loop, network, images, loop.config.training.round_iterations, NAME)
    figures = measure(loop, Predictor(network, device=loop.config.training.device), "Retrained")
    training = {"images": len(images), "iterations": trained.iterations, "started_from": parent}
    version = add_version(loop, NAME, figures, training)
    loop.workspace.models.use(version)
    return {"version": version, **{name: figures.get(name, {}).get("miou") for name in ("val", "test")}}
