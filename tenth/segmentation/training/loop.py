"""Training: a network, images and options in, weights out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from tenth.errors import ConfigurationError
from tenth.progress import SILENT, Progress
from tenth.segmentation.augment import Augmentation
from tenth.segmentation.device import resolve_device
from tenth.segmentation.networks import SegmentationNetwork
from tenth.segmentation.training.batches import Batches
from tenth.segmentation.training.checkpoint import digest_of
from tenth.segmentation.training.loss import frequency_weights
from tenth.segmentation.training.options import TrainingOptions
from tenth.segmentation.training.result import TrainingResult
from tenth.segmentation.training.run import Run
from tenth.segmentation.training.sources import LabelledImage
from tenth.segmentation.training.survey import Survey, survey


def train(
    network: SegmentationNetwork,
    images: Sequence[LabelledImage],
    options: TrainingOptions,
    *,
    checkpoint: Path | None = None,
    surveyed: Survey | None = None,
    progress: Progress = SILENT,
    description: str = "train",
    on_validate: Callable[[int], float] | None = None,
) -> TrainingResult:
    """Train `network` in place, from the weights it has.

    On the CPU in float32 the result is a function of the weights, the images and the options, bit for bit,
    however often the training was killed and called again.

    Parameters
    ----------
    network : SegmentationNetwork
        Ends in evaluation mode, on the device it came from.
    images : sequence of LabelledImage
        Each is loaded whenever its turn comes, and once before, unless it is `surveyed`; a ``WeightedImage``
        weighs its pixels. With ``options.distillation`` each is a ``SoftLabelledImage``, and none has to have
        labels.
    options : TrainingOptions
    checkpoint : Path, optional
        File to write to, and to go on from when it belongs to the same start weights, images and options. It
        stays when the training is done (called again, `train` takes the result from it); delete it when the
        weights are safe. Weights drawn anew each time fit no checkpoint: seed PyTorch before you build.
    surveyed : Survey, optional
        What `survey` says about these images; by default they are looked at here.
    progress : Progress
        Where the progress bar goes.
    description : str
        The text before the bar.
    on_validate : callable, optional
        Called with the number of steps done, every `options.validate_every` steps and after the last, while
        the network is in evaluation mode; returns a score, more is better. The weights of the best are kept.
        With ``options.consistency`` it meets the teacher's weights in `network`, those that will be kept.

    Raises
    ------
    DataError
        When the images cannot be trained on.
    ConfigurationError
        When the options do not suit the network, the images or this machine.
    """
    if options.validate_every and on_validate is None:
        raise ConfigurationError(
            f"validate_every = {options.validate_every} needs images to validate on; "
            "give a validation set or write validate_every = 0."
        )
    soft = options.distillation is not None
    device = resolve_device(options.device)
    loaders = options.loaders(device)
    found = surveyed or survey(images, network.classes, loaders, progress, soft=soft)
    size = options.crop or found.size
    identity = identity_of(network, options, found)
    by_frequency = options.class_weighting == "frequency" and found.pixels.any()
    weights = frequency_weights(found.pixels) if by_frequency else None
    batches = Batches(
        images,
        Augmentation(size, options.scale, options.flip, options.colour),
        options.batch_size,
        options.seed,
        weighted=found.weighted,
        plain=options.consistency > 0,
        soft=options.distillation.stride if options.distillation else 0,
    )

    home = next(network.parameters()).device
    network.to(device)
    run = Run(
        network, options, device=device, class_weights=weights, identity=identity, checkpoint=checkpoint
    )
    run.resume()
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        run.steps(batches, progress, description, on_validate)
    network.to(home).eval()
    return run.result


def identity_of(network: SegmentationNetwork, options: TrainingOptions, surveyed: Survey) -> dict[str, Any]:
    """Return what a training is a function of, as JSON: a checkpoint continues only one of equal identity.

    Parameters
    ----------
    network : SegmentationNetwork
        With the weights that it starts from.
    options : TrainingOptions
        How it is to be trained.
    surveyed : Survey
        What `survey` says about the images.
    """
    return {
        "format": 1,
        "options": options.identity(),
        "images": surveyed.digest,
        "start weights": digest_of(network.state_dict()),
    }
