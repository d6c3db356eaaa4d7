"""Teachers measured, weighted and asked; none is loaded for what an earlier call has done already.

::

    out/measured/                   what was counted of each teacher, of the ensemble and of the student
    out/soft-labels/<digest>/       what the teachers say together about the training images
    out/soft-labels-unlabelled/     the same of images without labels
    out/soft-label-seconds.jsonl    how long that took, a line each image

Each set of teachers, weights and temperatures has soft labels of its own, so that students of several losses,
one after the other or at once, do not destroy each other's.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from controller.find_teacher import FoundTeacher
from controller.material import Material
from controller.measurements import Measured, measured_once
from controller.memo import Memo
from controller.seconds import SecondsLog
from controller.standalone import Images, Standalone
from controller.weighting import IMAGES, Weighting, Weights, stack, weigh
from tenth.progress import SILENT, Progress
from tenth.segmentation.distillation import Ensemble, RememberedSoftLabels, SoftLabelStore
from tenth.segmentation.distillation.remembered import SoftLabels
from tenth.segmentation.distillation.stacking import PIXELS, TOLERANCE
from tenth.segmentation.distillation.teachers import (
    EnsemblePredictor,
    PseudoLabelledImage,
    TaughtImage,
    describe,
    stored_confusion,
    write_soft_labels,
)
from tenth.segmentation.evaluation import evaluate
from tenth.segmentation.inference import ImagePredictor, Predictor
from tenth.segmentation.metrics import ConfusionMatrix
from tenth.workspace.files import exclusive

FOLDERS = {"train": "soft-labels", "unlabelled": "soft-labels-unlabelled"}


@dataclass(frozen=True)
class Taught:
    """What a student learns from.

    Parameters
    ----------
    images : list of TaughtImage
        Those with labels, then those without.
    ensemble : Ensemble
        Who made their soft labels.
    versions : list of str
        The teachers' model versions.
    report : dict
        JSON; what is known of each teacher and of the ensemble, by name.
    seconds : float
        What the teachers took to be weighed and to write soft labels, over all calls.
    """

    images: list[TaughtImage]
    ensemble: Ensemble
    versions: list[str]
    report: dict[str, Any]
    seconds: float


class Asking:
    """The teachers of a job at work.

    Parameters
    ----------
    job : Standalone
        Says where results are kept.
    teachers : sequence of FoundTeacher
        Each is loaded when it is first needed.
    material : Material
        The images.
    progress : Progress, optional
        Where bars are shown.
    """

    def __init__(
        self,
        job: Standalone,
        teachers: Sequence[FoundTeacher],
        material: Material,
        progress: Progress = SILENT,
    ) -> None:
        self.job = job
        self.teachers = teachers
        self.material = material
        self.progress = progress
        self.memo = memo_of(job)
        self.predictors = [functools.cache(functools.partial(_load, each, job.device)) for each in teachers]

    def measure(self, place: int) -> dict[str, Measured]:
        """Return what a teacher gets right on each split."""
        teacher = self.teachers[place]
        return measure_splits(
            self.memo,
            teacher.identity,
            self.predictors[place],
            self.material,
            self.material.splits,
            (teacher.name, self.progress),
        )

    def weigh(
        self, weighting: Weighting, measured: Sequence[Mapping[str, Measured]]
    ) -> tuple[Weights, float]:
        """Return what each teacher's word counts for each class, and the seconds it took to find out."""
        seconds = 0.0

        def stacked() -> Weights:
            nonlocal seconds
            weights, seconds = self._stacked()
            return weights

        def ious() -> list[NDArray[np.float64]]:
            nonlocal seconds
            train = [each["train"] for each in measured]
            seconds = sum(each.seconds for each in train)
            return [each.confusion.iou for each in train]

        names = [teacher.name for teacher in self.teachers]
        weights = weigh(weighting, names, len(self.material.dataset.classes), stacked, ious)
        return weights, seconds

    def _stacked(self) -> tuple[Weights, float]:
        def compute() -> dict[str, Any]:
            start = perf_counter()
            loaders = zip(self.teachers, self.predictors, strict=True)
            predictors = {teacher.name: load() for teacher, load in loaders}
            classes = len(self.material.dataset.classes)
            weights = stack(predictors, self.material.splits["val"], classes, self.progress)
            return {"weights": weights, "seconds": perf_counter() - start}

        identity = {
            "stacked": [teacher.identity for teacher in self.teachers],
            "images": self.material.digests["val"].labelled,
            "by": [IMAGES, PIXELS, TOLERANCE],
        }
        found = self.memo.recall(identity, compute)
        return np.array(found["weights"], np.float64), float(found["seconds"])

    def parameters(self, place: int) -> int:
        """Return how many parameters a teacher has."""

        def count() -> int:
            return sum(each.numel() for each in self.predictors[place]().network.parameters())

        return int(self.memo.recall({"parameters": self.teachers[place].identity}, count))

    def together(self, ensemble: Ensemble) -> EnsemblePredictor:
        """Return all of them as one."""
        return EnsemblePredictor(ensemble, [load() for load in self.predictors])

    def write(self, ensemble: Ensemble, name: str) -> tuple[SoftLabels, float]:
        """Store what the ensemble says about ``train`` or ``unlabelled``.

        Returns
        -------
        tuple of SoftLabels and float
            What it says, and the seconds it took.
        """
        images = self.material.splits["train"] if name == "train" else self.material.unlabelled
        identity = {**ensemble.identity(), "images": self.material.digests[name].pictures}
        owner = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
        store = SoftLabelStore.create(self.job.out / FOLDERS[name] / owner, identity)
        log = SecondsLog(self.job.out / "soft-label-seconds.jsonl", owner)
        if any(image.key not in store for image in images):
            write_soft_labels(store, self.together(ensemble), images, self.progress, log.add)
        return RememberedSoftLabels(store), log.total(image.key for image in images)

    def measure_ensemble(self, ensemble: Ensemble, taught: Sequence[TaughtImage]) -> dict[str, Measured]:
        """Return what the ensemble gets right: in its soft labels as stored, and on the other splits."""
        identity, material = ensemble.identity(), self.material
        stored = measured_once(
            self.memo,
            identity,
            material.digests["train"].labelled,
            lambda: stored_confusion(taught, len(material.dataset.classes)),
        )
        together = functools.cache(lambda: self.together(ensemble))
        title = ("ensemble", self.progress)
        others = measure_splits(self.memo, identity, together, material, material.measured, title)
        return {"train": stored, **others}


def ask_teachers(
    job: Standalone,
    teachers: Sequence[FoundTeacher],
    temperatures: Sequence[float],
    material: Material,
    progress: Progress = SILENT,
    weighting: Weighting = "stacked",
    *,
    pseudo: bool = True,
) -> Taught:
    """Measure the teachers, weigh them, store their soft labels.

    A killed call goes on behind the last split that was measured and the last image that was written.

    Parameters
    ----------
    job : Standalone
        Says where results are kept.
    teachers : sequence of FoundTeacher
        Of the classes of the images.
    temperatures : sequence of float
        One a teacher.
    material : Material
        The images.
    progress : Progress, optional
        Where bars are shown.
    weighting : str, optional
        How much each teacher counts; ``"stacked"`` needs a split ``val`` where there are several.
    pseudo : bool, optional
        Whether images without labels get pseudo-labels.

    Raises
    ------
    ConfigurationError, DataError
        When a teacher or an image cannot be used.
    """
    asking = Asking(job, teachers, material, progress)
    job.out.mkdir(parents=True, exist_ok=True)
    # Of several students in one folder the first has the teachers asked; the others wait for it.
    with exclusive(job.out / ".soft-labels.lock"):
        return _asked(asking, temperatures, weighting, PseudoLabelledImage if pseudo else TaughtImage)


def _asked(
    asking: Asking, temperatures: Sequence[float], weighting: Weighting, unlabelled: type[TaughtImage]
) -> Taught:
    teachers, material = asking.teachers, asking.material
    measured = [asking.measure(place) for place in range(len(teachers))]
    weights, weighed = asking.weigh(weighting, measured)
    ensemble = Ensemble([teacher.identity for teacher in teachers], temperatures, weights)
    labels, seconds = asking.write(ensemble, "train")
    taught = [TaughtImage(image, labels) for image in material.splits["train"]]
    seconds += weighed
    report: dict[str, Any] = {
        teacher.name: {
            "role": "teacher",
            "version": teacher.info.version,
            "network": teacher.info.spec.to_dict(),
            "temperature": temperatures[place],
            "weights": weights[place],
            "parameters": asking.parameters(place),
            "splits": figures_of(measured[place]),
        }
        for place, teacher in enumerate(teachers)
    }
    together = asking.measure_ensemble(ensemble, taught)
    report["ensemble"] = {"role": "ensemble", "splits": figures_of(together)}
    if material.unlabelled:
        labels, longer = asking.write(ensemble, "unlabelled")
        taught += [unlabelled(image, labels) for image in material.unlabelled]
        seconds += longer
    return Taught(taught, ensemble, [each.info.version for each in teachers], report, seconds)


def memo_of(job: Standalone) -> Memo:
    """Return where measurements of a job are kept."""
    return Memo(job.out / "measured")


def measure_splits(
    memo: Memo,
    identity: object,
    predictor: Callable[[], ImagePredictor],
    material: Material,
    splits: Mapping[str, Images],
    shown: tuple[str, Progress],
) -> dict[str, Measured]:
    """Return what a predictor gets right on `splits`; it is loaded when one was not measured before."""
    name, progress = shown

    def measured(split: str, images: Images) -> Measured:
        def count() -> ConfusionMatrix:
            return evaluate(predictor(), images, material.dataset.classes, progress, f"{name} on {split}")

        return measured_once(memo, identity, material.digests[split].labelled, count)

    return {split: measured(split, images) for split, images in splits.items()}


def figures_of(measured: Mapping[str, Measured]) -> dict[str, dict[str, object]]:
    """Return mIoU and IoUs by split, as JSON."""
    return describe({split: each.confusion for split, each in measured.items()})


def _load(teacher: FoundTeacher, device: str) -> Predictor:
    return Predictor(teacher.load().model.network, device)
