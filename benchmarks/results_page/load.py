"""Reading and checking the JSON files; whatever is missing stays missing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.results_page.rows import Row, beside, check, check_once, main_setting, with_drives
from tenth.errors import DataError

MAIN = ("label_efficiency.json", "transfer.json")
DETAILS = ("label_efficiency_details.json", "transfer_details.json")
ABLATION, ABLATION_DETAILS = "ablation.json", "ablation_details.json"
"""Smaller runs of the ablation; some are among those of label efficiency as well."""

DISTILLATION, DISTILLATION_DETAILS = "distillation.json", "distillation_details.json"

THESIS_LOSS, THESIS_LOSS_DETAILS = (
    "distillation_thesis_loss.json",
    "distillation_thesis_loss_details.json",
)
"""An earlier series of students, without class weights in the divergence."""

LONGER, LONGER_DETAILS = "distillation_longer.json", "distillation_longer_details.json"
"""Students that had more steps."""

ON_GPU, ON_GPU_DETAILS = "distillation_gpu.json", "distillation_gpu_details.json"
"""Teachers and students that had more steps, on a GPU."""

BY_PIXEL, BY_PIXEL_DETAILS = "distillation_by_pixel.json", "distillation_by_pixel_details.json"
"""An earlier series of students, which compared soft labels at each pixel."""

FEW_LABELS, FEW_LABELS_DETAILS = "distillation_few_labels.json", "distillation_few_labels_details.json"
"""Teachers and students of few labelled images, soft labels of all others."""

FEW_LONGER, FEW_LONGER_DETAILS = (
    "distillation_few_labels_longer.json",
    "distillation_few_labels_longer_details.json",
)
"""The same teachers, and students that had more steps."""

SOFT_LABELS = "soft_labels.json"

LOSSES = "distillation_losses.json"

OUTPUT_STRIDES = "output_strides.json"

TEACHER_WEIGHTS = "teacher_weights.json"

LONGER_TRAININGS = "longer"
"""Folder of runs with more steps."""

MORE = (
    *DETAILS,
    DISTILLATION,
    DISTILLATION_DETAILS,
    "strategy_seconds.json",
    "crf_modes.json",
    "espnetv2_zero_shot.json",
    "training_settings.json",
    SOFT_LABELS,
    LOSSES,
    OUTPUT_STRIDES,
    TEACHER_WEIGHTS,
)

OPTIONAL = (
    ABLATION,
    ABLATION_DETAILS,
    THESIS_LOSS,
    THESIS_LOSS_DETAILS,
    LONGER,
    LONGER_DETAILS,
    ON_GPU,
    ON_GPU_DETAILS,
    BY_PIXEL,
    BY_PIXEL_DETAILS,
    FEW_LABELS,
    FEW_LABELS_DETAILS,
    FEW_LONGER,
    FEW_LONGER_DETAILS,
)
"""Files that the page does not miss."""


@dataclass(frozen=True)
class Results:
    """All that has been run.

    Parameters
    ----------
    label_efficiency, transfer : list of dict
        Rows of these files with the main settings; what the details know of the same run and round stands
        beside it.
    details, ablation, seconds : list of dict
        Rows of these files; beside the details what the files above know of the same run and round. Of the
        details also those with other sizes of groups and regions.
    documents : dict of str to dict
        The files that are there, by name.
    longer : Results, optional
        What the folder `LONGER_TRAININGS` in the same folder holds.
    """

    label_efficiency: list[Row] = field(default_factory=list)
    transfer: list[Row] = field(default_factory=list)
    details: list[Row] = field(default_factory=list)
    ablation: list[Row] = field(default_factory=list)
    seconds: list[Row] = field(default_factory=list)
    documents: dict[str, dict[str, Any]] = field(default_factory=dict)
    longer: Results | None = None

    @property
    def missing(self) -> list[str]:
        """Names of the files that are not there."""
        return [name for name in (*MAIN, *MORE) if name not in self.documents]

    def about(self, name: str) -> dict[str, Any]:
        """Return what a file says of itself: commands, hardware, settings."""
        about = self.documents.get(name, {}).get("about", {})
        return about if isinstance(about, dict) else {"about": about}


def load(folder: Path) -> Results:
    """Read the files of a folder; any may be missing.

    Raises
    ------
    DataError
        When a file is no JSON, or a row lacks a column, has one too many, contradicts itself or another row.
    """
    documents = {name: read(folder / name) for name in (*MAIN, *MORE, *OPTIONAL) if (folder / name).exists()}
    for name in (*MAIN, ABLATION):
        check(rows_of(documents.get(name, {})), name)
    efficiency, transfer = (rows_of(documents.get(name, {})) for name in MAIN)
    of_efficiency, of_transfer = (with_drives(rows_of(documents.get(name, {}))) for name in DETAILS)
    efficiency, details = beside(efficiency, of_efficiency)
    transfer, _ = beside(transfer, of_transfer)
    trained_longer = folder / LONGER_TRAININGS
    longer = load(trained_longer) if trained_longer.is_dir() else None
    main = main_setting(efficiency, documents.get(DETAILS[0], {}).get("about", {}))
    check_once(main, MAIN[0])
    check_once(transfer, MAIN[1])
    return Results(
        label_efficiency=main,
        transfer=transfer,
        details=details,
        ablation=rows_of(documents.get(ABLATION, {})),
        seconds=rows_of(documents.get("strategy_seconds.json", {})),
        documents=documents,
        longer=longer,
    )


def read(path: Path) -> dict[str, Any]:
    """Read one file.

    Raises
    ------
    DataError
        When it holds no JSON object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(
            f"{path} is not JSON: {error}. Write it again with the command that made it."
        ) from error
    if not isinstance(content, dict):
        raise DataError(
            f'{path} holds a {type(content).__name__}; an object with "runs" or "rows" is needed.'
        )
    return content


def rows_of(document: Mapping[str, Any]) -> list[Row]:
    """Return the rows of a file, which lie under "runs" or "rows"."""
    return [dict(row) for row in document.get("runs", document.get("rows", []))]
