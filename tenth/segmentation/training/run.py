"""The steps of a training: batches in, weights out, a checkpoint now and then."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import closing, nullcontext
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tenth.errors import ConfigurationError
from tenth.progress import Bar, Progress
from tenth.segmentation.device import autocast, prefers_bf16, to_input
from tenth.segmentation.networks import ScaledLogits, SegmentationNetwork
from tenth.segmentation.prefetch import prefetched
from tenth.segmentation.recording import Recording
from tenth.segmentation.training.batches import Batch, Batches
from tenth.segmentation.training.checkpoint import Checkpoint
from tenth.segmentation.training.consistency import Consistency, Lesson, View
from tenth.segmentation.training.interrupts import deferred_interrupts
from tenth.segmentation.training.options import TrainingOptions
from tenth.segmentation.training.result import TrainingResult
from tenth.segmentation.training.schedule import ema_decay, poly_learning_rate
from tenth.segmentation.training.soft import supervised_loss

DROPOUT = 3
"""Tells the network's own random numbers from those of `batches`."""


class Run:
    """One training in the making.

    Parameters
    ----------
    network : SegmentationNetwork
        On `device`.
    options : TrainingOptions
    device : torch.device
    class_weights : ndarray or None
        (C,) float32.
    identity : dict
        JSON; what the training is a function of.
    checkpoint : Path or None
        File to write to and to go on from.
    """

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
        self.resumable = True
        self.consistency = Consistency(network, options) if options.consistency else None
        self.recording = Recording(network)

    def steps(
        self,
        batches: Batches,
        progress: Progress,
        description: str,
        on_validate: Callable[[int], float] | None,
    ) -> None:
        """Do what is left of the training.

        Ctrl-C (KeyboardInterrupt) waits for the step that is being done, and its validation, and writes a
        checkpoint; pressed again, it ends even that, and what counts is the checkpoint before.
        """
        if self.finished:
            return
        options, result = self.options, self.result
        before, first, start = result.seconds, result.iterations, perf_counter()
        self.network.train()
        # Interrupted after the step that found no more improvement, all that is left is the end.
        steps = range(first, first if self.exhausted else options.iterations)
        loaded = prefetched(batches.load, steps, options.loaders(self.device))
        with closing(loaded), progress.bar(options.iterations, description, "step", first) as bar:
            try:
                for batch in loaded:
                    with deferred_interrupts():
                        self.resumable = False
                        last = self._whole_step(batch, on_validate)
                        result.seconds = before + perf_counter() - start
                        self.resumable = True
                    bar.update()
                    self._show(bar, (result.iterations - first) / (perf_counter() - start))
                    if last:
                        break
                    if self._due(options.checkpoint_every, last):
                        self.save()
            except KeyboardInterrupt:
                if self.resumable:
                    self.save()
                raise
        with deferred_interrupts():
            self.finish()

    def _whole_step(self, batch: Batch, on_validate: Callable[[int], float] | None) -> bool:
        """Do a step and, where it is time, a validation; return whether it was the last."""
        options, result = self.options, self.result
        result.losses.append(self.step(batch))
        result.iterations += 1
        last = result.iterations == options.iterations
        if on_validate and self._due(options.validate_every, last):
            self.validate(on_validate)
            last = last or self.exhausted
        return last

    def _due(self, every: int, last: bool) -> bool:
        return every > 0 and (last or self.result.iterations % every == 0)

    def step(self, batch: Batch) -> float:
        """Do one step and return its loss."""
        options, step = self.options, self.result.iterations
        rate = poly_learning_rate(options.learning_rate, step, options.iterations, options.power)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        view, lesson = self._prepared(batch)
        # Dropout draws the same whether or not the training was interrupted.
        seed = np.random.SeedSequence((options.seed, DROPOUT, step)).generate_state(1)
        torch.manual_seed(int(seed[0]))
        if lesson is None:
            loss = self.recording(self._gradients_of, **view.tensors())
        else:
            loss = self._gradients(view, lesson)
        value = loss.item()
        if not math.isfinite(value):
            raise ConfigurationError(
                f"The loss became {value} in step {step + 1} of {options.iterations}: the training diverged. "
                f"Lower learning_rate (now {options.learning_rate})."
            )
        self.optimizer.step()
        if self.consistency:
            self.consistency.teacher.follow(self.network, ema_decay(options.ema, step))
        return value

    def _gradients_of(self, **view: Tensor) -> Tensor:
        return self._gradients(View(**view))

    def _gradients(self, view: View, lesson: Lesson | None = None) -> Tensor:
        """Compute the gradients of the loss, and return it."""
        self.optimizer.zero_grad(set_to_none=True)
        with autocast(self.device, bf16=self.bf16):
            outputs = self._outputs(view.images)
        loss = supervised_loss(outputs, view, self.class_weights, self.options.distillation)
        if self.consistency and lesson:
            loss = loss + self.consistency.loss(outputs[0].logits, lesson, self.result.iterations)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def _prepared(self, batch: Batch) -> tuple[View, Lesson | None]:
        """Bring the batch to the device, with what the teacher says to it where there is one."""

        def tensor(array: NDArray[Any] | None) -> Tensor | None:
            return None if array is None else torch.from_numpy(array).to(self.device)

        view = View(
            to_input(batch.images, self.network, self.device),
            torch.from_numpy(batch.labels).to(self.device),
            tensor(batch.weights),
            tensor(batch.soft),
        )
        inside = tensor(batch.inside)
        if self.consistency is None or batch.plain is None or inside is None:
            return view, None
        plain = to_input(batch.plain, self.network, self.device)
        with autocast(self.device, bf16=self.bf16):
            return self.consistency.lesson(view, plain, inside, self.result.iterations)

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
        with self.consistency.teacher.standing_in(self.network) if self.consistency else nullcontext():
            self.result.scores.append((self.result.iterations, float(on_validate(self.result.iterations))))
            if self.result.best == len(self.result.scores) - 1:
                self.best = {name: tensor.clone() for name, tensor in self.network.state_dict().items()}
        self.network.train()

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
        elif self.consistency:
            self.network.load_state_dict(self.consistency.teacher.state_dict())
        self.finished, self.best = True, {}
        self.optimizer.state.clear()
        self.optimizer.zero_grad(set_to_none=True)  # the recording's memory holds them
        self.recording.forget()
        self.save()

    def save(self) -> None:
        """Write the checkpoint, if one is wanted."""
        if self.checkpoint is None:
            return
        tensors = {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()}
        tensors |= {f"best.{name}": tensor for name, tensor in self.best.items()}
        if self.consistency and not self.finished:
            state = self.consistency.teacher.state_dict()
            tensors |= {f"teacher.{name}": tensor for name, tensor in state.items()}
        for name, parameter in self.parameters.items():
            momentum = self.optimizer.state.get(parameter, {}).get("momentum_buffer")
            if momentum is not None:
                tensors[f"momentum.{name}"] = momentum
        progress = asdict(self.result) | {"finished": self.finished}
        Checkpoint(self.identity, progress, tensors).save(self.checkpoint)

    def resume(self) -> None:
        """Go on from the checkpoint, if there is one of this training."""
        found = Checkpoint.load(self.checkpoint, self.identity) if self.checkpoint else None
        if found is None:
            return
        parts: dict[str, dict[str, Tensor]] = {"network": {}, "best": {}, "momentum": {}, "teacher": {}}
        for name, tensor in found.tensors.items():
            part, _, rest = name.partition(".")
            parts[part][rest] = tensor.to(self.device)
        self.network.load_state_dict(parts["network"])
        self.best = parts["best"]
        if self.consistency and parts["teacher"]:
            self.consistency.teacher.load_state_dict(parts["teacher"])
        for name, momentum in parts["momentum"].items():
            self.optimizer.state[self.parameters[name]]["momentum_buffer"] = momentum
        state = dict(found.state)
        self.finished = state.pop("finished")
        self.result = TrainingResult(**state)
        self.result.scores = [(int(step), float(score)) for step, score in self.result.scores]
