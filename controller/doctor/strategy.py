"""Checks of `[selection]`: whether people can answer what is asked, and rounds can learn from the answers."""

from __future__ import annotations

from controller.doctor.check import Check, Patient, Probe
from controller.merge import require_mergeable
from controller.strategies import require_pushable


def strategy(patient: Patient, name: str) -> Check:
    """See that there is such a strategy, that it asks for regions, and that their answers can be merged."""
    chosen = patient.loop.strategy
    require_pushable(chosen)
    require_mergeable(patient.loop)
    return Check(name, "ok", f"{chosen.name} asks for regions, whose answers can be merged")


def _correct(patient: Patient) -> str:
    return (
        f"{patient.init} --offline --set selection.strategy=sp-crf   # or correct [selection] or [labels] in "
        f"{patient.folder / 'controller.toml'} as said above"
    )


PROBES = (Probe("strategy", strategy, ("workspace",), _correct),)
