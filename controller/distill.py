"""Teachers' soft labels into a small student, outside of rounds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from controller.find_teacher import Teacher, find_teachers, load_teacher, temperatures_of
from controller.material import Material, read_material
from controller.soft_labels import Taught, ask_teachers, figures_of, measure_splits, memo_of
from controller.standalone import Standalone, fit, prepare, store
from controller.weighting import Weighting, check_weighting
from tenth.progress import SILENT, Progress
from tenth.segmentation.dataset import FolderDataset
from tenth.segmentation.distillation import DistillationLoss
from tenth.segmentation.distillation.teachers import PseudoLabelledImage
from tenth.segmentation.inference import Predictor
from tenth.segmentation.networks import NetworkSpec, SegmentationNetwork
from tenth.segmentation.training import TrainingOptions
from tenth.segmentation.training.checkpoint import digest_of
from tenth.workspace.files import write_text
from tenth.workspace.models import ModelStore
from tenth.workspace.plain_json import plain

__all__ = ["Teacher", "distill", "load_teacher", "temperatures_of"]


@dataclass(frozen=True)
class Student:
    """A student that is stored.

    Parameters
    ----------
    version : str
        Its model version.
    training : mapping
        What that says about the training: steps, seconds, seed, loss.
    report : dict
        JSON; what is known of it.
    """

    version: str
    training: Mapping[str, Any]
    report: dict[str, Any]


def distill(
    job: Standalone,
    teachers: Sequence[str],
    temperatures: Sequence[float],
    loss: DistillationLoss,
    progress: Progress = SILENT,
    *,
    unlabelled: str | None = None,
    weighting: Weighting = "stacked",
    pseudo: bool = True,
) -> dict[str, Any]:
    """Measure the teachers, store their soft labels, train the student on them, measure it, store it.

    What an earlier call has done, killed or not, is not done again; a call that ended has nothing left to do.

    Parameters
    ----------
    job : Standalone
        Data, student and training; `controller.soft_labels` says what is kept in its ``out``.
    teachers : sequence of str
        For `controller.find_teacher.find_teacher`.
    temperatures : sequence of float
        For `temperatures_of`.
    loss : DistillationLoss
        What the student learns.
    progress : Progress, optional
        Where bars are shown.
    unlabelled : str, optional
        Split or folder of images that the student learns from as well, without labels.
    weighting : str, optional
        How much each teacher counts.
    pseudo : bool, optional
        Whether images without labels get pseudo-labels: what the teachers find likeliest. Not by the KL
        divergence, which learns each pixel's distribution there, nor where no labels are learned from.

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
    spec, options = prepare(job, dataset, loss)
    found = find_teachers(teachers, dataset)
    split = f"split 'val' of {job.dataset}"
    check_weighting(weighting, len(found), "val" in dataset.splits, split, "--weighting iou")
    softened = temperatures_of(found, temperatures, loss.form)
    material = read_material(job, unlabelled, progress)  # takes long, and what follows longer
    pseudo = pseudo and may_have_pseudo_labels(loss) and bool(material.unlabelled)
    taught = ask_teachers(job, found, softened, material, progress, weighting, pseudo=pseudo)
    # From here on no teacher is in memory.
    student = learn(job, spec, options, material, taught, progress)
    report: dict[str, Any] = plain(
        {
            "version": student.version,
            "folder": str(job.out / student.version),
            "classes": material.dataset.classes.names,
            "size": job.size,
            "images": {"train": len(material.splits["train"]), "unlabelled": len(material.unlabelled)},
            **{name: student.training[name] for name in ("iterations", "seed", "loss")},
            "weighting": weighting if len(found) > 1 else None,
            "pseudo_labels": pseudo,
            "soft_label_seconds": taught.seconds,
            "train_seconds": student.training["seconds"],
            "models": {**taught.report, "student": student.report},
        }
    )
    write_text(job.out / student.version / "distillation.json", json.dumps(report, indent=2) + "\n")
    return report


def may_have_pseudo_labels(loss: DistillationLoss) -> bool:
    """Tell whether a student of this loss has use for pseudo-labels."""
    return loss.form != "kl" and loss.hard_weight > 0


def learn(
    job: Standalone,
    spec: NetworkSpec,
    options: TrainingOptions,
    material: Material,
    taught: Taught,
    progress: Progress = SILENT,
) -> Student:
    """Train the student, measure it and store it; or find the version that an earlier call has stored."""
    identity = identity_of(spec, options.identity(), material, taught)
    models = ModelStore(job.out)
    version = version_of(models, identity)
    checkpoint = None
    if version is None:
        network, result, checkpoint = fit(job, spec, taught.images, options, progress)
        training = {
            "iterations": result.iterations,
            "seconds": result.seconds,
            "seed": job.seed,
            "loss": options.identity()["distillation"],
            "identity": identity,
        }
    else:
        network = models.load(version).network
        training = dict(models.info(version).training)
    figures = measure_student(job, network, spec, material, progress)
    if version is None:
        version = store(job, network, spec, material.dataset, figures, training, taught.versions)
    if checkpoint is not None:  # not before the weights are safe
        checkpoint.unlink(missing_ok=True)
    parameters = sum(each.numel() for each in network.parameters())
    report = {"role": "student", "network": spec.to_dict(), "parameters": parameters, "splits": figures}
    return Student(version, training, report)


def measure_student(
    job: Standalone,
    network: SegmentationNetwork,
    spec: NetworkSpec,
    material: Material,
    progress: Progress,
) -> dict[str, dict[str, object]]:
    """Return what the student gets right on the splits that it was not trained on."""
    identity = {"network": spec.to_dict(), "weights": digest_of(network.state_dict())}
    measured = measure_splits(
        memo_of(job),
        identity,
        lambda: Predictor(network, job.device),
        material,
        material.measured,
        ("student", progress),
    )
    return figures_of(measured)


def identity_of(spec: NetworkSpec, options: Mapping[str, Any], material: Material, taught: Taught) -> str:
    """Return a digest of all that a student is a function of."""
    digests = material.digests
    parts: dict[str, Any] = {
        "network": spec.to_dict(),
        "options": options,
        "teachers": taught.ensemble.identity(),
        "train": digests["train"].labelled,
        "unlabelled": digests["unlabelled"].pictures if material.unlabelled else None,
    }
    if any(isinstance(image, PseudoLabelledImage) for image in taught.images):
        parts["pseudo"] = True
    return hashlib.sha256(json.dumps(plain(parts), sort_keys=True).encode()).hexdigest()


def version_of(models: ModelStore, identity: str) -> str | None:
    """Return the version that was trained as this very job, ``None`` before there is one."""
    for info in models.readable():
        if info.training.get("identity") == identity:
            return info.version
    return None
