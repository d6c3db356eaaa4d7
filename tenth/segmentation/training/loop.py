"""The training loop: batches in, weights out, a checkpoint now and then."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tenth.errors import ConfigurationError
from tenth.progress import SILENT, Bar, Progress
from tenth.segmentation.augment import Augmentation
from tenth.segmentation.device import autocast, prefers_bf16, resolve_device, to_input
from tenth.segmentation.networks import ScaledLogits, SegmentationNetwork
from tenth.segmentation.prefetch import prefetched
from tenth.segmentation.training.batches import Batches
from tenth.segmentation.training.checkpoint import Checkpoint, digest_of
from tenth.segmentation.training.loss import frequency_weights, segmentation_loss
from tenth.segmentation.training.options import TrainingOptions
from tenth.segmentation.training.result import TrainingResult
from tenth.segmentation.training.schedule import poly_learning_rate
from tenth.segmentation.training.survey import LabelledImage, survey

DROPOUT = 3
"""Tells the network's own random numbers from those of `batches`."""


def train(
    network: SegmentationNetwork,
    images: Sequence[LabelledImage],
    options: TrainingOptions,
    *,
    checkpoint: Path | None = None,
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
        Each is loaded whenever its turn comes, and once before.
    options : TrainingOptions
    checkpoint : Path, optional
        File to write to, and to go on from when it belongs to the same start weights, images and options. It
        stays when the training is done (called again, `train` takes the result from it); delete it when the
        weights are safe. Weights drawn anew each time fit no checkpoint: seed PyTorch before you build.
    progress : Progress
        Where the progress bar goes.
    description : str
        The text before the bar.
    on_validate : callable, optional
        Called with the number of steps done, every `options.validate_every` steps and after the last, while
        the network is in evaluation mode; returns a score, more is better. The weights of the best are kept.

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
    found = survey(images, network.classes, options.workers, progress)
    size = options.crop or found.size
    identity = {
        "format": 1,
        "options": options.identity(),
        "images": found.digest,
        "start weights": digest_of(network.state_dict()),
    }
    weights = frequency_weights(found.pixels) if options.class_weighting == "frequency" else None
    augmentation = Augmentation(size, options.scale, options.flip, options.colour)
    batches = Batches(images, augmentation, options.batch_size, options.seed)

    home = next(network.parameters()).device
    device = resolve_device(options.device)
    network.to(device)
    run = _Run(
        network, options, device=device, class_weights=weights, identity=identity, checkpoint=checkpoint
    )
    run.resume()
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        run.steps(batches, progress, description, on_validate)
    network.to(home).eval()
    return run.result


class _Run:
    """One training in the making."""

    def __init__(
        self,
        network: SegmentationNetwork,
        options: TrainingOptions,
        *,
        device: torch.device,
        class_weights: NDArray[np.float32] | None,
        identity: dict[str, Any],
        checkpoint: Path | None,
    ) -> None:
        self.network = network
        self.options = options
        self.device = device
        self.bf16 = options.precision == "bf16" or (options.precision == "auto" and prefers_bf16(device))
        self.class_weights = None if class_weights is None else torch.from_numpy(class_weights).to(device)
        self.identity = identity
        self.checkpoint = checkpoint
        self.parameters = {name: p for name, p in network.named_parameters() if p.requires_grad}
        self.optimizer = torch.optim.SGD(
            self.parameters.values(),
            lr=options.learning_rate,
            momentum=options.momentum,
            weight_decay=options.weight_decay,
        )
        self.result = TrainingResult()
        self.best: dict[str, Tensor] = {}
        self.finished = False

    def steps(
        self,
        batches: Batches,
        progress: Progress,
        description: str,
        on_validate: Callable[[int], float] | None,
    ) -> None:
        """Do what is left of the training."""
        if self.finished:
            return
        options, result = self.options, self.result
        before, first, start = result.seconds, result.iterations, perf_counter()
        self.network.train()
        loaded = prefetched(batches.load, range(first, options.iterations), options.workers)
        with closing(loaded), progress.bar(options.iterations, description, "step", first) as bar:
            for images, labels in loaded:
                result.losses.append(self.step(images, labels))
                result.iterations += 1
                last = result.iterations == options.iterations
                if on_validate and self._due(options.validate_every, last):
                    self.validate(on_validate)
                    last = last or self.exhausted
                result.seconds = before + perf_counter() - start
                bar.update()
                self._show(bar, (result.iterations - first) / (perf_counter() - start))
                if last:
                    break
                if self._due(options.checkpoint_every, last):
                    self.save()
        self.finish()

    def _due(self, every: int, last: bool) -> bool:
        return every > 0 and (last or self.result.iterations % every == 0)

    def step(self, images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> float:
        """Do one step and return its loss."""
        options, step = self.options, self.result.iterations
        rate = poly_learning_rate(options.learning_rate, step, options.iterations, options.power)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        # Dropout draws the same whether or not the training was interrupted.
        seed = np.random.SeedSequence((options.seed, DROPOUT, step)).generate_state(1)
        torch.manual_seed(int(seed[0]))
        target = torch.from_numpy(labels).to(self.device)
        with autocast(self.device, bf16=self.bf16):
            outputs = self._outputs(to_input(images, self.network, self.device))
        loss = segmentation_loss(outputs, target, self.class_weights)
        value = loss.item()
        if not math.isfinite(value):
            raise ConfigurationError(
                f"The loss became {value} in step {step + 1} of {options.iterations}: the training diverged. "
                f"Lower learning_rate (now {options.learning_rate})."
            )
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return value

    def _outputs(self, inputs: Tensor) -> list[ScaledLogits]:
        try:
            return self.network.training_outputs(inputs)
        except ValueError as error:
            if not str(error).startswith("Expected more than 1 value per channel"):
                raise
            raise ConfigurationError(
                f"With batch_size = {len(inputs)} and {inputs.shape[2]}×{inputs.shape[3]} pixels a feature "
                "map of the network shrinks to a single value, and batch normalisation needs more than one. "
                "Take batch_size = 2 or more, or a larger crop."
            ) from error

    def validate(self, on_validate: Callable[[int], float]) -> None:
        """Ask for a score and keep the weights when it is the best so far."""
        self.network.eval()
        self.result.scores.append((self.result.iterations, float(on_validate(self.result.iterations))))
        self.network.train()
        if self.result.best == len(self.result.scores) - 1:
            self.best = {name: tensor.clone() for name, tensor in self.network.state_dict().items()}

    @property
    def exhausted(self) -> bool:
        """Whether the score has not improved for `patience` validations."""
        since = len(self.result.scores) - 1 - self.result.best
        return 0 < self.options.patience <= since

    def _show(self, bar: Bar, steps_per_second: float) -> None:
        recent = self.result.losses[-20:]
        text = (
            f"loss {sum(recent) / len(recent):.3f}, {steps_per_second * self.options.batch_size:.1f} images/s"
        )
        if self.result.scores:
            text += f", best {self.result.scores[self.result.best][1]:.3f}"
        bar.set_postfix_str(text)

    def finish(self) -> None:
        """Take the best weights and write them down as the end of the training."""
        if self.best:
            self.network.load_state_dict(self.best)
        self.finished, self.best = True, {}
        self.optimizer.state.clear()
        self.save()

    def save(self) -> None:
        """Write the checkpoint, if one is wanted."""
        if self.checkpoint is None:
            return
        tensors = {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()}
        tensors |= {f"best.{name}": tensor for name, tensor in self.best.items()}
        for name, parameter in self.parameters.items():
            momentum = self.optimizer.state.get(parameter, {}).get("momentum_buffer")
            if momentum is not None:
                tensors[f"momentum.{name}"] = momentum
        state = asdict(self.result) | {"finished": self.finished}
        Checkpoint(self.identity, state, tensors).save(self.checkpoint)

    def resume(self) -> None:
        """Go on from the checkpoint, if there is one of this training."""
        found = Checkpoint.load(self.checkpoint, self.identity) if self.checkpoint else None
        if found is None:
            return
        parts: dict[str, dict[str, Tensor]] = {"network": {}, "best": {}, "momentum": {}}
        for name, tensor in found.tensors.items():
            part, _, rest = name.partition(".")
            parts[part][rest] = tensor.to(self.device)
        self.network.load_state_dict(parts["network"])
        self.best = parts["best"]
        for name, momentum in parts["momentum"].items():
            self.optimizer.state[self.parameters[name]]["momentum_buffer"] = momentum
        state = dict(found.state)
        self.finished = state.pop("finished")
        self.result = TrainingResult(**state)
        self.result.scores = [(int(step), float(score)) for step, score in self.result.scores]
