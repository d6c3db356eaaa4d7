"""Step "distill": what the round's model and other teachers know, taught to the network that is served."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from controller.lessons import measurable, taught, trust_in_pseudo_labels, unlabelled_images
from controller.loop import Loop
from controller.teachers import check_teachers, load_teachers, most_teachers
from controller.train import architecture, fit_network, training_images
from controller.weighting import Weights, check_weighting, stack, weigh
from tenth.errors import ConfigurationError, DataError
from tenth.segmentation.distillation import DistillationLoss, Ensemble, SoftLabelStore
from tenth.segmentation.distillation.losses import USUAL_WEIGHTS, warn_of_two_classes
from tenth.segmentation.distillation.teachers import (
    EnsemblePredictor,
    Keyed,
    images_digest,
    temperature_of,
    write_soft_labels,
)
from tenth.segmentation.evaluation import evaluate
from tenth.segmentation.inference import Predictor
from tenth.segmentation.networks import NetworkSpec, SegmentationNetwork
from tenth.workspace.model_info import ModelInfo

ROLE = "student"
"""What ``training["role"]`` of a student's version says; other versions have none."""


def check_distillation(loop: Loop) -> None:
    """See that the configured student can be built, taught and compared, before hours of training.

    Raises
    ------
    ConfigurationError
        When the network, its options or a teacher cannot be used, or no labelled image could tell whether the
        student is good enough.
    """
    settings = loop.config.distill
    if not settings.student:
        return
    try:
        student_spec(loop).build(pretrained=False)
    except ConfigurationError as error:
        raise ConfigurationError(f"[distill] student in {loop.config.file}: {error}") from error
    warn_of_two_classes(settings.form, len(loop.classes))
    check_teachers(loop)
    split = loop.config.data.val_split
    labels = bool(loop.labelled_split(split))
    where = f"split '{split}' of {loop.dataset.root}"
    otherwise = f'distill.weighting = "iou" in {loop.config.file}'
    check_weighting(settings.weighting, most_teachers(settings.teachers), labels, where, otherwise)
    if settings.max_loss < 1 and not labels:
        raise ConfigurationError(
            f"[distill] publishes a student that is as good on split '{split}' as what "
            f"it replaces, but no image of that split of {loop.dataset.root} is labelled. Label some, or set "
            f"distill.max_loss = 1.0 in {loop.config.file} to publish every student."
        )


def distill(loop: Loop, number: int) -> dict[str, Any]:
    """Teach the student of a round from the network that the round has just trained and other teachers.

    A killed call goes on behind the last soft label, or behind the last checkpoint of the student.
    """
    return teach_student(loop, f"round-{number:03d}", number)


def teach_student(loop: Loop, name: str, number: int) -> dict[str, Any]:
    """Leave a student's weights in ``training/<name>-student.safetensors``.

    Parameters
    ----------
    loop : Loop
        The workspace.
    name : str
        What `controller.train.fit_network` left the large network under.
    number : int
        The last round whose answers are learned from.

    Returns
    -------
    dict
        What the version's description says: network, teachers, images, steps, loss.
    """
    labelled = training_images(loop, number)
    unlabelled = unlabelled_images(loop, number) if loop.config.distill.pool else []
    images: list[Keyed] = [*labelled, *unlabelled]
    store, teachers = soft_labels(loop, name, labelled, images)
    # From here on no teacher is in memory.
    spec = student_spec(loop)
    network, started_from = start_student(loop, spec)
    settings = loop.config.distill
    iterations = settings.initial_iterations if started_from is None else settings.iterations
    trust = trust_in_pseudo_labels(loop, labelled)
    lessons = taught(images, store, trust)
    result = fit_network(loop, network, lessons, iterations, student_name(name), distillation=loss_of(loop))
    last = result.losses[-50:]
    return {
        "network": spec.to_dict(),
        "teachers": teachers,
        "images": len(labelled),
        "unlabelled_images": len(unlabelled),
        "pseudo_labels": trust if unlabelled else 0.0,
        "soft_label_bytes": store.nbytes,
        "iterations": result.iterations,
        "loss": sum(last) / max(1, len(last)),
        "started_from": started_from,
    }


def soft_labels(
    loop: Loop, name: str, labelled: Sequence[Keyed], images: Sequence[Keyed]
) -> tuple[SoftLabelStore, list[dict[str, Any]]]:
    """Store what the teachers say together about `images`; return the store and who they were.

    The `labelled` images are those by which teachers are weighed where the configuration says ``iou``.
    """
    training = loop.config.training
    teachers = load_teachers(loop, name)
    predictors = [Predictor(each.network, training.device, training.precision) for each in teachers]
    named = {each.name: predictor for each, predictor in zip(teachers, predictors, strict=True)}
    weights = weights_of(loop, named, labelled)
    ensemble = Ensemble(
        [each.identity for each in teachers], [each.temperature for each in teachers], weights
    )
    identity = {**ensemble.identity(), "images": images_digest(images)}
    store = SoftLabelStore.create(soft_label_folder(loop), identity)
    write_soft_labels(store, EnsemblePredictor(ensemble, predictors), images, loop.progress)
    described = [
        {"name": each.name, "version": each.version, "temperature": each.temperature, "weights": row.tolist()}
        for each, row in zip(teachers, weights, strict=True)
    ]
    return store, described


def weights_of(loop: Loop, teachers: Mapping[str, Predictor], labelled: Sequence[Keyed]) -> Weights:
    """Return what each teacher's word counts for each class; see `[distill] weighting`."""

    def stacked() -> Weights:
        val = loop.labelled_split(loop.config.data.val_split)
        return stack(teachers, val, len(loop.classes), loop.progress)

    def ious() -> list[NDArray[np.float64]]:
        answered = measurable(labelled)
        return [
            evaluate(predictor, answered, loop.classes, loop.progress, f"Teacher {name}").iou
            for name, predictor in teachers.items()
        ]

    return weigh(loop.config.distill.weighting, list(teachers), len(loop.classes), stacked, ious)


def start_student(loop: Loop, spec: NetworkSpec) -> tuple[SegmentationNetwork, str | None]:
    """Return the network to teach, and the version that it goes on from.

    That is the student in use; where there is none of this network, the newest one that was not good enough
    to be published; else nothing but new weights.
    """
    torch.manual_seed(loop.config.training.seed)
    models = loop.workspace.models
    current = models.current()
    candidates = [*([current] if current else []), *reversed(models.names())]
    for version in candidates:
        try:
            info = models.info(version)
        except DataError:
            if version == current:
                raise
            continue  # damage of a version that nobody uses is no reason to stop
        if is_student(info) and architecture(info.spec) == architecture(spec):
            return models.load(version).network, version
    return spec.build(), None


def student_spec(loop: Loop) -> NetworkSpec:
    """Return the student that the configuration names; TOML has no null, so an empty text stands for it."""
    settings = loop.config.distill
    options = {name: None if value == "" else value for name, value in settings.student_options.items()}
    return NetworkSpec(settings.student, len(loop.classes), options)


def loss_of(loop: Loop) -> DistillationLoss:
    """Return what the student learns from labels and soft labels."""
    settings = loop.config.distill
    return DistillationLoss(
        settings.student_temperature or temperature_of(settings.student, settings.form),
        weight=settings.weight or USUAL_WEIGHTS[settings.form],
        form=settings.form,
        direction=settings.direction,
        reduction=settings.reduction,
        class_weighted=settings.class_weighted,
        temperature_squared=settings.temperature_squared,
        stride=settings.stride,
    )


def is_student(info: ModelInfo) -> bool:
    """Tell whether a version is a student of a round."""
    return bool(info.training.get("role") == ROLE)


def student_name(name: str) -> str:
    """Return the name of a student's training beside that of the large network."""
    return f"{name}-student"


def soft_label_folder(loop: Loop) -> Path:
    """Return where the soft labels of a distillation under way are."""
    return loop.workspace.folder / "soft-labels"


def forget_soft_labels(loop: Loop) -> None:
    """Remove the soft labels: the next round's model says other things."""
    shutil.rmtree(soft_label_folder(loop), ignore_errors=True)
