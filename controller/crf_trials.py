"""The trials of a search of the CRF's settings: kept as they come, and shown when it is done."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tenth.errors import ConfigurationError
from tenth.segmentation.crf import CRFOptions
from tenth.segmentation.crf_fit import FitResult, Trial
from tenth.segmentation.crf_tally import Tally
from tenth.workspace.files import write_text
from tenth.workspace.plain_json import dumps

SEARCHED = ("w1", "sigma_alpha", "sigma_beta")


class TrialLog:
    """Trials in a file, one line each, behind a line that says what they were made on.

    Parameters
    ----------
    path : Path
        Begun anew when it is missing or was made on something else.
    identity : mapping
        Model, images, folds and all settings that a trial depends on beside its options; plain values.

    Attributes
    ----------
    trials : list of Trial
        Those of earlier runs. A line that a kill has torn, and what follows it, is dropped.
    """

    def __init__(self, path: Path, identity: Mapping[str, Any]) -> None:
        self._path = path
        head = dumps(identity)
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        self.trials = _parsed(lines[1:]) if lines[:1] == [head] else []
        kept = [head, *lines[1 : 1 + len(self.trials)]]
        write_text(path, "\n".join(kept) + "\n")

    def append(self, trial: Trial) -> None:
        """Add a trial; when this returns it outlasts a power cut."""
        options = None if trial.options is None else asdict(trial.options)
        folds = [tally.to_dict() for tally in trial.folds]
        line = dumps({"options": options, "folds": folds, "seconds": trial.seconds})
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
            file.flush()
            os.fsync(file.fileno())


def _parsed(lines: list[str]) -> list[Trial]:
    trials = []
    for line in lines:
        try:
            values = json.loads(line)
            options = None if values["options"] is None else CRFOptions(**values["options"])
            folds = tuple(Tally.from_dict(each) for each in values["folds"])
            trials.append(Trial(options, folds, float(values["seconds"])))
        except (ValueError, TypeError, KeyError, ConfigurationError):
            break
    return trials


def summary(result: FitResult) -> dict[str, Any]:
    """Return the outcome for ``crf-fit.json``: network, choice, held-out estimate and all trials."""
    return {
        "network": _row(result.network),
        "chosen": asdict(result.chosen),
        "chosen_on_all": _row(result.best()),
        "held_out": {
            "score": result.held_out_score,
            "network": result.network_score,
            "folds": [
                {**_searched(each.options), "score": each.score, "network": each.network}
                for each in result.held_out
            ],
        },
        "trials": [_row(trial) for trial in result.trials],
    }


def _row(trial: Trial) -> dict[str, Any]:
    return {
        **({} if trial.options is None else _searched(trial.options)),
        "miou": trial.score("miou"),
        "errors_found": trial.score("errors-found"),
        "seconds_per_image": trial.seconds,
        "folds": [
            {"miou": fold.score("miou"), "errors_found": fold.score("errors-found")} for fold in trial.folds
        ],
    }


def _searched(options: CRFOptions) -> dict[str, float]:
    return {name: getattr(options, name) for name in SEARCHED}
