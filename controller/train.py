"""Step "train": a network learns from the initial set and from all groups so far."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from controller.lessons import unlabelled_images
from controller.loop import Loop
from controller.merge import MergedImage, merged_images
from controller.model_folder import require_classes
from controller.pool import as_sample, images_with_role
from tenth.errors import ConfigurationError, DataError
from tenth.segmentation.dataset import Sample
from tenth.segmentation.distillation.losses import DistillationLoss
from tenth.segmentation.evaluation import evaluate
from tenth.segmentation.inference import Predictor
from tenth.segmentation.networks import NetworkSpec, SegmentationNetwork
from tenth.segmentation.networks.registry import INITIAL_WEIGHTS
from tenth.segmentation.training import LabelledImage, TrainingOptions, TrainingResult
from tenth.segmentation.training import train as fit
from tenth.segmentation.training.sources import DiscountedImage
from tenth.segmentation.weights_file import write_weights


def train(loop: Loop, number: int) -> dict[str, Any]:
    """Train on from the last round's version (warm start), or from the encoder's weights where there is none.

    The weights go to a file of the workspace; "publish" turns them into a model version. A killed training
    resumes from its checkpoint.
    """
    images = learning_images(loop, number)
    network = start_network(loop)
    iterations = iterations_of(loop, number)
    result = fit_network(loop, network, images, iterations, f"round-{number:03d}")
    return {
        "images": len(images),
        "iterations": result.iterations,
        "loss": sum(result.losses[-50:]) / max(1, len(result.losses[-50:])),
        "started_from": loop.workspace.models.teacher(),
    }


def fit_network(
    loop: Loop,
    network: SegmentationNetwork,
    images: Sequence[LabelledImage],
    iterations: int,
    name: str,
    *,
    stop_early: bool = True,
    distillation: DistillationLoss | None = None,
) -> TrainingResult:
    """Train `network` with the configured options; its weights end up in ``training/<name>.safetensors``.

    ``stop_early=False`` takes all `iterations`, whatever ``training.patience`` says. With `distillation` the
    images have soft labels, which take the place of a mean teacher.
    """
    folder = training_folder(loop)
    checkpoint = folder / f"{name}.checkpoint"
    options = training_options(loop, iterations)
    options = options if stop_early else replace(options, patience=0)
    if distillation is not None:
        options = replace(options, distillation=distillation, consistency=0.0, mix="none")
    result = fit(
        network,
        images,
        options,
        checkpoint=checkpoint,
        progress=loop.progress,
        description=f"Training {name}",
        on_validate=validation(loop, network) if options.validate_every else None,
    )
    write_weights(folder / f"{name}.safetensors", network.state_dict())
    checkpoint.unlink(missing_ok=True)
    return result


def trained_network(loop: Loop, name: str, spec: NetworkSpec | None = None) -> SegmentationNetwork:
    """Return the network that :func:`fit_network` left under `name`, in evaluation mode.

    `spec` is what it was built from; ``None``: the configured network.

    Raises
    ------
    DataError
        When its weights are missing, damaged or those of another network.
    """
    path = training_folder(loop) / f"{name}.safetensors"
    network = (spec or loop.network_spec).build(pretrained=False)
    try:
        network.load_state_dict(load_file(path))
    except (SafetensorError, OSError, RuntimeError) as error:
        raise DataError(
            f"{path}, the weights that the training of {name} left, cannot be read ({error}). Restore it "
            "from a backup of the workspace."
        ) from error
    return network.eval()


TrainingImage = Sample | MergedImage | DiscountedImage
"""An image of the initial set, one that was asked, or one of the initial set beside such."""


def learning_images(loop: Loop, number: int) -> list[LabelledImage]:
    """Return what a round's network learns from: `training_images`, and with ``training.pool`` all others."""
    images = training_images(loop, number)
    return [*images, *unlabelled_images(loop, number)] if loop.config.training.pool else [*images]


def training_images(loop: Loop, number: int) -> list[TrainingImage]:
    """Return the initial set and all images asked up to round `number`, with their merged labels.

    Pixels of the initial set count ``labels.initial_weight``, in whatever is trained: a round's network, its
    student, and more training between rounds.
    """
    with loop.workspace.database.reading() as session:
        initial = [as_sample(loop, image) for image in images_with_role(session, "initial")]
    images: list[Sample | MergedImage] = [*initial, *merged_images(loop, number)]
    if not images:
        raise DataError(
            f"There is nothing to train on: data.initial_count in {loop.config.file} leaves no labelled "
            "image, and no region has been answered. Push regions with 'controller next-round', or label "
            "images first."
        )
    return discounted(images, loop.config.labels.initial_weight)


def discounted(images: Sequence[Sample | MergedImage], weight: float) -> list[TrainingImage]:
    """Return the images, those of the initial set at `weight` where there are others.

    All pixels of the initial set have labels, a tenth of the others': without it that set, however small,
    makes up half of what is learned.
    """
    if not any(isinstance(image, MergedImage) for image in images):
        return list(images)
    return [image if isinstance(image, MergedImage) else DiscountedImage(image, weight) for image in images]


def start_network(loop: Loop) -> SegmentationNetwork:
    """Return the network to train: the last round's version, or a new one from the encoder's weights.

    Raises
    ------
    ConfigurationError
        When ``[network]`` or the classes of the data set are no longer those of that version.
    """
    version = loop.workspace.models.teacher()
    if version is None:
        return new_network(loop)
    loaded = loop.workspace.models.load(version)
    wanted, given = architecture(loop.network_spec), architecture(loaded.info.spec)
    if wanted != given:
        raise ConfigurationError(
            f"[network] of {loop.config.file} describes {wanted}, but the model that learns ({version}) is "
            f"{given}, and a round goes on from it. Set [network] back, or start a new workspace."
        )
    require_classes(f"Model {version}", loaded.info, loop.dataset)
    return loaded.network


def new_network(loop: Loop) -> SegmentationNetwork:
    """Return the network of ``[network]`` from the encoder's weights; the rest is drawn by the seed."""
    torch.manual_seed(loop.config.training.seed)
    return loop.network_spec.build()


def architecture(spec: NetworkSpec) -> str:
    """Return what a network is built of, in words; what its training started from does not count."""
    options = {key: value for key, value in spec.options.items() if key not in INITIAL_WEIGHTS}
    return f"{spec.name} ({', '.join(f'{key} {value}' for key, value in sorted(options.items()))})"


def iterations_of(loop: Loop, number: int) -> int:
    """Return the steps of a round's training; a first model gets those of the initial one."""
    settings = loop.config.training
    first = number == 0 or loop.workspace.models.teacher() is None
    return settings.initial_iterations if first else settings.round_iterations


def training_options(loop: Loop, iterations: int) -> TrainingOptions:
    """Return the options of a training; a tool that validates needs a validation set."""
    settings = loop.config.training.model_dump(exclude={"initial_iterations", "round_iterations", "pool"})
    return TrainingOptions(iterations=iterations, **settings)


def validation(loop: Loop, network: SegmentationNetwork) -> Callable[[int], float]:
    """Return the score that decides when to stop: mIoU on the validation split."""
    samples: list[Sample] = loop.labelled_split(loop.config.data.val_split)
    if not samples:
        raise ConfigurationError(
            f"training.validate_every is {loop.config.training.validate_every}, but split "
            f"'{loop.config.data.val_split}' has no labelled image. Label some, or set validate_every = 0."
        )
    predictor = Predictor(network, device=loop.config.training.device)
    return lambda _: evaluate(predictor, samples, loop.classes).miou


def training_folder(loop: Loop) -> Path:
    """Return where weights and checkpoints of trainings are kept."""
    folder = loop.workspace.folder / "training"
    folder.mkdir(exist_ok=True)
    return folder
