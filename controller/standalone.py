"""Training a network on a data set, without a workspace; the result is a model version."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch

from controller.simulation.images import LabelledPicture, load_pictures
from tenth.progress import SILENT, Progress
from tenth.segmentation.dataset import FolderDataset, Sample
from tenth.segmentation.device import resolve_device
from tenth.segmentation.distillation.losses import DistillationLoss, warn_of_two_classes
from tenth.segmentation.distillation.teachers import describe
from tenth.segmentation.evaluation import evaluate
from tenth.segmentation.inference import ImagePredictor, Predictor
from tenth.segmentation.metrics import ConfusionMatrix
from tenth.segmentation.networks import NetworkSpec, SegmentationNetwork
from tenth.segmentation.training import LabelledImage, TrainingOptions, TrainingResult, train
from tenth.segmentation.training.loop import identity_of
from tenth.segmentation.training.survey import survey
from tenth.workspace.files import make_output_folder
from tenth.workspace.models import ModelStore

MEASURED = ("val", "test")


@dataclass(frozen=True)
class Standalone:
    """A training outside of a workspace.

    Parameters
    ----------
    dataset : Path
        Data set with a labelled split ``train``; ``val`` and ``test`` are measured where they are.
    out : Path
        Folder of model versions, made when missing.
    network : str
        Registered network.
    iterations : int
        Steps.
    size : tuple of int or None
        Width and height to resize to, the images being kept in memory then; ``None`` reads each image, as it
        is, whenever its turn comes.
    network_options : dict
        Of the network.
    batch_size, learning_rate, seed, device, class_weighting, scale
        As in `TrainingOptions`; the seed is that of the start weights, too.
    """

    dataset: Path
    out: Path
    network: str
    iterations: int
    size: tuple[int, int] | None = None
    network_options: dict[str, Any] = field(default_factory=dict)
    batch_size: int = 8
    learning_rate: float = 0.04
    seed: int = 0
    device: str = "auto"
    class_weighting: Literal["none", "frequency"] = "frequency"
    scale: tuple[float, float] = (0.75, 1.5)

    def options(self, distillation: DistillationLoss | None = None) -> TrainingOptions:
        """Return how to train."""
        return TrainingOptions(
            self.iterations,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            seed=self.seed,
            device=self.device,
            class_weighting=self.class_weighting,
            scale=self.scale,
            distillation=distillation,
        )


def prepare(
    job: Standalone, dataset: FolderDataset, distillation: DistillationLoss | None = None
) -> tuple[NetworkSpec, TrainingOptions]:
    """Return network and options of a job, once all is looked at that would end it after long work.

    Parameters
    ----------
    job : Standalone
        What is to be trained, and where the result goes.
    dataset : FolderDataset
        Says how many classes there are.
    distillation : DistillationLoss, optional
        What is learned from soft labels.

    Raises
    ------
    ConfigurationError, DataError
        When the network, its weights or the options cannot be used, or ``out`` cannot be written to.
    """
    options = job.options(distillation)
    spec = NetworkSpec(job.network, len(dataset.classes), job.network_options)
    spec.build()
    if distillation is not None:
        warn_of_two_classes(distillation.form, spec.classes)
    make_output_folder(job.out)
    return spec, options


Images = Sequence[Sample] | Sequence[LabelledPicture]


def read_splits(job: Standalone, dataset: FolderDataset, progress: Progress = SILENT) -> dict[str, Images]:
    """Return the images of ``train`` and of what there is of ``val`` and ``test``, all with labels.

    Raises
    ------
    DataError
        When ``train`` or labels are missing, or an image cannot be read.
    """
    names = ["train", *(name for name in MEASURED if name in dataset.splits)]
    splits: dict[str, Images] = {}
    for name in names:
        samples = dataset.split(name, require_labels=True)
        splits[name] = sized(samples, job.size, progress)
    return splits


def sized(samples: Sequence[Sample], size: tuple[int, int] | None, progress: Progress = SILENT) -> Images:
    """Return the images, resized and in memory where there is a size, else to be read when asked for.

    Raises
    ------
    DataError
        When one that is to be resized cannot be read.
    """
    return samples if size is None else load_pictures(samples, size, progress)


def measure(
    predictor: ImagePredictor,
    splits: Mapping[str, Images],
    dataset: FolderDataset,
    name: str,
    progress: Progress = SILENT,
) -> dict[str, ConfusionMatrix]:
    """Return confusion by split."""
    return {
        split: evaluate(predictor, images, dataset.classes, progress, f"{name} on {split}")
        for split, images in splits.items()
    }


def fit(
    job: Standalone,
    spec: NetworkSpec,
    images: Sequence[LabelledImage],
    options: TrainingOptions,
    progress: Progress = SILENT,
) -> tuple[SegmentationNetwork, TrainingResult, Path]:
    """Train; return the network, how it went, and the checkpoint, to delete once the weights are safe.

    A killed call goes on from its checkpoint in ``out`` when it is called alike; other trainings in the same
    folder, before it or at the same time, have checkpoints of their own.

    Raises
    ------
    ConfigurationError, DataError
        When the images cannot be trained on, or not with these options.
    """
    torch.manual_seed(job.seed)
    network = spec.build()
    loaders = options.loaders(resolve_device(options.device))
    surveyed = survey(images, spec.classes, loaders, progress, soft=options.distillation is not None)
    checkpoint = checkpoint_of(job, spec, identity_of(network, options, surveyed))
    result = train(
        network,
        images,
        options,
        checkpoint=checkpoint,
        surveyed=surveyed,
        progress=progress,
        description=f"Training {spec.name}",
    )
    return network, result, checkpoint


def checkpoint_of(job: Standalone, spec: NetworkSpec, identity: Mapping[str, Any]) -> Path:
    """Return the file in ``out`` that the training of this network and identity goes on from."""
    what = json.dumps([spec.to_dict(), identity], sort_keys=True, default=str)
    name = hashlib.sha256(what.encode()).hexdigest()[:16]
    return job.out / f"{spec.name}-{name}.checkpoint"


def train_alone(job: Standalone, progress: Progress = SILENT) -> dict[str, Any]:
    """Train on the labels of the data set and store the network as a version.

    Returns
    -------
    dict
        Version, its folder, steps, seconds and the figures by split.

    Raises
    ------
    ConfigurationError, DataError
        When the network, the options or the images cannot be used.
    """
    dataset = FolderDataset(job.dataset)
    spec, options = prepare(job, dataset)
    splits = read_splits(job, dataset, progress)
    network, result, checkpoint = fit(job, spec, splits["train"], options, progress)
    measured = {name: images for name, images in splits.items() if name in MEASURED}
    figures = describe(measure(Predictor(network, job.device), measured, dataset, job.network, progress))
    training = {"iterations": result.iterations, "seconds": result.seconds, "seed": job.seed}
    version = store(job, network, spec, dataset, figures, training, [])
    checkpoint.unlink(missing_ok=True)
    return {"version": version, "folder": str(job.out / version), **training, "splits": figures}


def store(
    job: Standalone,
    network: SegmentationNetwork,
    spec: NetworkSpec,
    dataset: FolderDataset,
    figures: Mapping[str, Mapping[str, object]],
    training: Mapping[str, Any],
    parents: Sequence[str],
) -> str:
    """Add a version to the folder ``out`` and return its name."""
    return ModelStore(job.out).add(
        network,
        spec,
        dataset.classes,
        metrics={split: values["miou"] for split, values in figures.items()},
        parents=parents,
        training={"dataset": dataset.classes.name, "size": job.size, **training},
        input_size=None if job.size is None else job.size[::-1],
    )
