"""Step "publish": the trained networks become model versions, and one of them the version in use.

Without a student that is the round's network. With one, rounds go on with that network (`ModelStore.teach`),
while the student is in use (`ModelStore.use`) once it is good enough (`controller.verdict`).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from controller.loop import Loop
from controller.steps import results
from controller.student import ROLE, forget_soft_labels, student_name
from controller.teachers import NEW
from controller.train import trained_network
from controller.verdict import Verdict, judge
from tenth.segmentation.networks import NetworkSpec
from tenth.workspace.database import Round

log = logging.getLogger(__name__)

SPLITS = ("val", "test")


def publish(loop: Loop, number: int) -> dict[str, Any]:
    """Add the round's weights to the model store and flip the pointer, which the backend notices."""
    recorded = results(loop, number)
    name, evaluated = f"round-{number:03d}", recorded["evaluate"]
    training = {"round": number, **recorded["train"]}
    version = find_version(loop, number) or add_version(loop, name, evaluated, training)
    verdict = None
    if loop.config.distill.student and "student" in evaluated:
        distilled = {"round": number, **recorded["distill"]}
        student = find_version(loop, number, ROLE) or add_student(loop, name, version, evaluated, distilled)
        verdict = judge(student, evaluated, loop.config.distill.max_loss)
    point(loop, version, verdict)
    forget_soft_labels(loop)
    with loop.workspace.database.session() as session:
        session.get_one(Round, number).trained_version = version
    return {"version": version} if verdict is None else {"version": version, "student": verdict.to_dict()}


def point(loop: Loop, version: str, verdict: Verdict | None) -> None:
    """Let rounds go on with `version`, and the backend serve it or the student.

    In an order in which a kill leaves no student to be trained further as if it were the round's network.
    """
    models = loop.workspace.models
    if verdict is None:
        if models.teacher() != models.current():
            models.teach(version)
        models.use(version)
        models.teach(None)
        return
    models.teach(version)
    if verdict.published:
        models.use(verdict.version)
    log.log(logging.INFO if verdict.published else logging.WARNING, "%s", verdict.sentence)


def add_version(loop: Loop, name: str, metrics: Mapping[str, Any], training: dict[str, Any]) -> str:
    """Add the weights that a training left under `name` to the model store; return the new version."""
    parent = training.get("started_from")
    return loop.workspace.models.add(
        trained_network(loop, name),
        loop.network_spec,
        loop.classes,
        metrics={split: metrics[split] for split in SPLITS if split in metrics},
        parents=[parent] if parent else [],
        training=training,
    )


def add_student(
    loop: Loop, name: str, version: str, figures: Mapping[str, Any], distilled: dict[str, Any]
) -> str:
    """Add the student of the network under `name`, which is `version` by now; return its version."""
    spec = NetworkSpec.from_dict(distilled["network"])
    teachers = [
        {**teacher, "version": version if teacher["version"] == NEW else teacher["version"]}
        for teacher in distilled["teachers"]
    ]
    parents = [distilled["started_from"], *(teacher["version"] for teacher in teachers)]
    about = {key: value for key, value in distilled.items() if key != "network"}
    return loop.workspace.models.add(
        trained_network(loop, student_name(name), spec),
        spec,
        loop.classes,
        metrics=figures["student"],
        parents=[parent for parent in parents if parent],
        training={"role": ROLE, **about, "teachers": teachers},
    )


def find_version(loop: Loop, number: int, role: str | None = None) -> str | None:
    """Return the version of a round that a killed attempt of this step has added already."""
    for info in loop.workspace.models.readable():
        if info.training.get("round") == number and info.training.get("role") == role:
            return info.version
    return None
