"""The order of the checks: from this machine over the workspace to Label Studio and the backend."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from controller.doctor import backend, label_studio, local, project, strategy, student
from controller.doctor.check import Check, Patient, Probe
from tenth.errors import TenthError

PROBES = (
    *local.PROBES,
    *strategy.PROBES,
    *student.PROBES,
    *label_studio.PROBES,
    *project.PROBES,
    *backend.PROBES,
)

_SECRETS = ("LABEL_STUDIO_API_KEY", "TENTH_BACKEND_PASSWORD", "TENTH_DATABASE_URL", "PGPASSWORD")


def examine(folder: Path) -> Iterator[Check]:
    """Make all checks of the workspace in `folder`, yielding each outcome as soon as it is known.

    A check that could only fail in the wake of another is not made: it is a warning that says so. No secret
    of the environment appears in any outcome.
    """
    patient = Patient(folder)
    unmet: dict[str, str] = {}
    for probe in PROBES:
        cause = next((unmet[need] for need in probe.needs if need in unmet), None)
        if cause is not None:
            unmet[probe.name] = cause
            yield Check(probe.name, "warning", f"not looked at, since '{cause}' failed", cause=cause)
            continue
        found = outcome(probe, patient)
        if found.state == "failed":
            unmet[probe.name] = probe.name
        yield replace(found, message=without_secrets(found.message), remedy=without_secrets(found.remedy))


def outcome(probe: Probe, patient: Patient) -> Check:
    """Make one check; an error raised on purpose is its outcome."""
    try:
        return probe.look(patient, probe.name)
    except TenthError as error:
        return Check(probe.name, "failed", str(error), probe.remedy(patient), error.exit_code)


def exit_code(checks: Iterable[Check]) -> int:
    """Return the highest code of the failed checks; 0 when none failed."""
    return max((check.exit_code for check in checks), default=0)


def without_secrets(text: str) -> str:
    """Return `text` with the values of secret variables blotted out, whoever put them there."""
    for name in _SECRETS:
        value = os.environ.get(name, "").strip()
        if value:
            text = text.replace(value, "***")
    return text
