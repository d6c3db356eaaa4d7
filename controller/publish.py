"""Step "publish": the trained network becomes a model version, and the version in use."""

from __future__ import annotations

from typing import Any

from controller.loop import Loop
from controller.steps import results
from controller.train import trained_network
from tenth.workspace.database import Round


def publish(loop: Loop, number: int) -> dict[str, Any]:
    """Add the round's weights to the model store and flip the pointer, which the backend notices."""
    recorded = results(loop, number)
    version = find_version(loop, number) or add_version(
        loop, f"round-{number:03d}", recorded["evaluate"], {"round": number, **recorded["train"]}
    )
    loop.workspace.models.use(version)
    with loop.workspace.database.session() as session:
        session.get_one(Round, number).trained_version = version
    return {"version": version}


def add_version(loop: Loop, name: str, metrics: dict[str, Any], training: dict[str, Any]) -> str:
    """Add the weights that a training left under `name` to the model store; return the new version."""
    parent = training.get("started_from")
    return loop.workspace.models.add(
        trained_network(loop, name),
        loop.network_spec,
        loop.classes,
        metrics=metrics,
        parents=[parent] if parent else [],
        training=training,
    )


def find_version(loop: Loop, number: int) -> str | None:
    """Return the version that a killed attempt of this step has added already."""
    for info in loop.workspace.models.versions():
        if info.training.get("round") == number:
            return info.version
    return None
