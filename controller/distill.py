"""Teachers' soft labels into a small student, outside of rounds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from controller.find_teacher import Teacher, find_teachers, load_teacher, temperatures_of
from controller.standalone import MEASURED, Images, Standalone, fit, measure, read_splits, store
from tenth.progress import SILENT, Progress
from tenth.segmentation.dataset import FolderDataset
from tenth.segmentation.distillation import DistillationLoss, Ensemble, SoftLabelStore, class_weights
from tenth.segmentation.distillation.teachers import (
    EnsemblePredictor,
    TaughtImage,
    describe,
    images_digest,
    stored_confusion,
    write_soft_labels,
)
from tenth.segmentation.inference import Predictor
from tenth.segmentation.networks import NetworkSpec
from tenth.workspace.files import write_text
from tenth.workspace.plain_json import plain

__all__ = ["Teacher", "distill", "load_teacher", "temperatures_of"]


def distill(
    job: Standalone,
    teachers: Sequence[str],
    temperatures: Sequence[float],
    loss: DistillationLoss,
    progress: Progress = SILENT,
) -> dict[str, Any]:
    """Measure the teachers, store their soft labels, train the student on them, measure it, store it.

    Parameters
    ----------
    job : Standalone
        Data, student and training; soft labels go to ``soft-labels`` in its ``out``.
    teachers : sequence of str
        For `find_teacher`.
    temperatures : sequence of float
        For `temperatures_of`.
    loss : DistillationLoss
        What the student learns.
    progress : Progress, optional
        Where bars are shown.

    Returns
    -------
    dict
        What ``distillation.json`` in the version's folder says.

    Raises
    ------
    ConfigurationError, DataError
        When a teacher, the student or the images cannot be used.
    """
    dataset = FolderDataset(job.dataset)
    spec = NetworkSpec(job.network, len(dataset.classes), job.network_options)
    splits = read_splits(job, dataset, progress)
    models, taught, parents = soft_labels(job, teachers, temperatures, dataset, splits, progress)
    # From here on no teacher is in memory.
    network, result, checkpoint = fit(job, spec, taught, job.options(loss), progress)
    measured = {name: images for name, images in splits.items() if name in MEASURED}
    figures = describe(measure(Predictor(network, job.device), measured, dataset, "student", progress))
    training = {
        "iterations": result.iterations,
        "seconds": result.seconds,
        "seed": job.seed,
        "loss": asdict(loss),
    }
    version = store(job, network, spec, dataset, figures, training, parents)
    parameters = sum(each.numel() for each in network.parameters())
    student = {"role": "student", "network": spec.to_dict(), "parameters": parameters, "splits": figures}
    report: dict[str, Any] = plain(
        {
            "version": version,
            "folder": str(job.out / version),
            "classes": dataset.classes.names,
            "size": job.size,
            **training,
            "models": {**models, "student": student},
        }
    )
    write_text(job.out / version / "distillation.json", json.dumps(report, indent=2) + "\n")
    checkpoint.unlink(missing_ok=True)
    return report


def soft_labels(
    job: Standalone,
    names: Sequence[str],
    given: Sequence[float],
    dataset: FolderDataset,
    splits: dict[str, Images],
    progress: Progress,
) -> tuple[dict[str, Any], list[TaughtImage], list[str]]:
    """Return what is known of the teachers and their ensemble, the images to learn from, the versions."""
    teachers = [teacher.load() for teacher in find_teachers(names, dataset)]
    temperatures = temperatures_of(teachers, given)
    predictors = [Predictor(teacher.model.network, job.device) for teacher in teachers]
    report: dict[str, Any] = {}
    ious = []
    for teacher, predictor, temperature in zip(teachers, predictors, temperatures, strict=True):
        confusions = measure(predictor, splits, dataset, teacher.name, progress)
        ious.append(confusions["train"].iou)
        report[teacher.name] = {
            "role": "teacher",
            "version": teacher.model.info.version,
            "network": teacher.model.info.spec.to_dict(),
            "temperature": temperature,
            "parameters": sum(each.numel() for each in teacher.model.network.parameters()),
            "splits": describe(confusions),
        }
    ensemble = Ensemble([teacher.identity for teacher in teachers], temperatures, class_weights(ious))
    together = EnsemblePredictor(ensemble, predictors)
    identity = {**ensemble.identity(), "images": images_digest(splits["train"])}
    labels = SoftLabelStore.create(job.out / "soft-labels", identity)
    write_soft_labels(labels, together, splits["train"], progress)
    taught = [TaughtImage(image, labels) for image in splits["train"]]
    measured = {name: images for name, images in splits.items() if name in MEASURED}
    confusions = {
        "train": stored_confusion(taught, len(dataset.classes)),
        **measure(together, measured, dataset, "ensemble", progress),
    }
    report["ensemble"] = {"role": "ensemble", "splits": describe(confusions)}
    return report, taught, [teacher.model.info.version for teacher in teachers]
