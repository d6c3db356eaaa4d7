"""More training between rounds, from all labels of closed rounds: on from the last version, or again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select

from controller.evaluate import measure, measure_student
from controller.journal import Journal
from controller.loop import Loop
from controller.merge import merge
from controller.publish import add_student, add_version, point
from controller.student import check_distillation, forget_soft_labels, teach_student
from controller.train import (
    fit_network,
    learning_images,
    new_network,
    start_network,
    trained_network,
    training_folder,
)
from controller.verdict import judge
from tenth.segmentation.inference import Predictor
from tenth.workspace.database import Round

TITLE = "Retrained"


@dataclass(frozen=True)
class Plan:
    """What is to be trained.

    Parameters
    ----------
    name : str
        Of the training: ``"retrain"`` or ``"restart"``.
    parent : str or None
        Version to go on from; ``None``: the start weights of ``[network]``.
    closed : int
        The last round whose answers are learned from; 0 when there is none.
    iterations : int
        Training steps.
    """

    name: str
    parent: str | None
    closed: int
    iterations: int

    def journal(self, loop: Loop) -> Journal:
        """Return what has been done of it, by an earlier call that was killed."""
        config = loop.config
        identity = {
            "plan": vars(self),
            "network": loop.network_spec.to_dict(),
            "settings": [each.model_dump() for each in (config.training, config.labels, config.distill)],
        }
        return Journal(training_folder(loop) / f"{self.name}.json", identity)


def retrain(loop: Loop, *, restart: bool = False) -> dict[str, Any]:
    """Train the last round's version for another ``training.round_iterations`` and publish the result.

    With `restart` a new network takes its place, from the start weights of ``[network]``, and gets as many
    steps as the rounds so far together: a model that was fitted to few labels and trained on tends to
    generalise worse than one that sees all of them from the beginning (arXiv 1910.08475, docs/results.md).

    With ``[distill]`` its student is taught as well, and published as that of a round is. A killed call goes
    on where it stopped.

    Returns
    -------
    dict
        ``version``, and ``val`` and ``test`` with the mIoU (``None`` where there is no such split);
        ``student`` as `controller.verdict.Verdict` gives it, where there is one.
    """
    check_distillation(loop)
    plan = plan_of(loop, restart)
    journal = plan.journal(loop)
    training = journal.once("train", lambda: _train(loop, plan))
    figures = journal.once("evaluate", lambda: _measure(loop, plan))
    version = journal.once("add", lambda: add_version(loop, plan.name, figures, training))
    found = {"version": version, **{name: figures.get(name, {}).get("miou") for name in ("val", "test")}}
    verdict = None
    if loop.config.distill.student:
        distilled = journal.once("distill", lambda: teach_student(loop, plan.name, plan.closed))
        compared = journal.once("compare", lambda: measure_student(loop, plan.name, distilled, TITLE))
        student = journal.once(
            "add student", lambda: add_student(loop, plan.name, version, compared, distilled)
        )
        verdict = judge(student, compared, loop.config.distill.max_loss)
    point(loop, version, verdict)
    forget_soft_labels(loop)
    journal.close()
    return found if verdict is None else {**found, "student": verdict.to_dict()}


def plan_of(loop: Loop, restart: bool) -> Plan:
    """Return what is to be trained after the rounds that are closed."""
    with loop.workspace.database.reading() as session:
        of_closed = select(func.max(Round.number), func.count()).where(Round.state == "closed")
        last, rounds = session.execute(of_closed).one()
    settings = loop.config.training
    if not restart:
        return Plan("retrain", loop.workspace.models.teacher(), last or 0, settings.round_iterations)
    # The first round trained the initial model, be it round 0, or round 1 after a cold start.
    later = max(0, rounds - 1)
    return Plan("restart", None, last or 0, settings.initial_iterations + later * settings.round_iterations)


def _train(loop: Loop, plan: Plan) -> dict[str, Any]:
    """Leave the weights of the network; return what its version says of the training."""
    network = new_network(loop) if plan.parent is None else start_network(loop)
    if plan.closed:
        merge(loop, plan.closed)  # by other [labels] than in its round, maybe
    images = learning_images(loop, plan.closed)
    trained = fit_network(loop, network, images, plan.iterations, plan.name)
    return {"images": len(images), "iterations": trained.iterations, "started_from": plan.parent}


def _measure(loop: Loop, plan: Plan) -> dict[str, Any]:
    network = trained_network(loop, plan.name)
    return measure(loop, Predictor(network, device=loop.config.training.device), TITLE)
