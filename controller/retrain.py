"""More training between rounds, from all labels of closed rounds: on from the last version, or again."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select

from controller.evaluate import measure, measure_student
from controller.loop import Loop
from controller.merge import merge
from controller.publish import add_student, add_version, point
from controller.student import check_distillation, forget_soft_labels, teach_student
from controller.train import fit_network, learning_images, new_network, start_network
from controller.verdict import judge
from tenth.segmentation.inference import Predictor
from tenth.workspace.database import Round

NAME, RESTARTED = "retrain", "restart"


def retrain(loop: Loop, *, restart: bool = False) -> dict[str, Any]:
    """Train the last round's version for another ``training.round_iterations`` and publish the result.

    With `restart` a new network takes its place, from the start weights of ``[network]``, and gets as many
    steps as the rounds so far together: a model that was fitted to few labels and trained on tends to
    generalise worse than one that sees all of them from the beginning (arXiv 1910.08475, docs/results.md).

    With ``[distill]`` its student is taught as well, and published as that of a round is.

    Returns
    -------
    dict
        ``version``, and ``val`` and ``test`` with the mIoU (``None`` where there is no such split);
        ``student`` as `controller.verdict.Verdict` gives it, where there is one.
    """
    check_distillation(loop)
    with loop.workspace.database.reading() as session:
        closed = session.scalar(select(func.max(Round.number)).where(Round.state == "closed")) or 0
    settings = loop.config.training
    if restart:  # with another [network] than before, if one likes
        name, iterations = RESTARTED, settings.initial_iterations + closed * settings.round_iterations
        network, parent = new_network(loop), None
    else:
        name, iterations = NAME, settings.round_iterations
        network, parent = start_network(loop), loop.workspace.models.teacher()
    if closed:
        merge(loop, closed)  # writes what another [labels] setting has left away
    images = learning_images(loop, closed)
    trained = fit_network(loop, network, images, iterations, name)
    figures = measure(loop, Predictor(network, device=settings.device), "Retrained")
    training = {"images": len(images), "iterations": trained.iterations, "started_from": parent}
    version = add_version(loop, name, figures, training)
    del network  # from here on it is one teacher of several
    found = {"version": version, **{name: figures.get(name, {}).get("miou") for name in ("val", "test")}}
    if not loop.config.distill.student:
        point(loop, version, None)
        return found
    loop.workspace.models.teach(version)  # what follows may be killed
    distilled = teach_student(loop, name, closed)
    compared = measure_student(loop, name, distilled, "Retrained")
    student = add_student(loop, name, version, compared, distilled)
    verdict = judge(student, compared, loop.config.distill.max_loss)
    point(loop, version, verdict)
    forget_soft_labels(loop)
    return {**found, "student": verdict.to_dict()}
