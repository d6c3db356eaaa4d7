"""What can be set about a training."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch

from tenth.errors import ConfigurationError
from tenth.segmentation.device import Precision, check_precision

if TYPE_CHECKING:  # that package is built on this one
    from tenth.segmentation.distillation.losses import DistillationLoss

LOADERS = 4
"""Threads that load images ahead of a GPU, at most: each holds a batch, and one of soft labels is large."""

UNRELATED = ("device", "checkpoint_every", "workers")
"""Options that say how a training is run, not what comes out of it."""


@dataclass(frozen=True)
class TrainingOptions:
    """How to train.

    Parameters
    ----------
    iterations : int
        Steps of the optimizer; the learning rate reaches zero after them.
    batch_size : int
        Images a step. A smaller set is gone through more than once in a batch, changed differently each time.
    learning_rate, power : float
        Poly schedule: ``learning_rate * (1 - step / iterations) ** power``.
    momentum, weight_decay : float
        Of stochastic gradient descent.
    crop : tuple of int or None
        Height and width of what the network sees; ``None`` is the most common image size of the set.
    scale : tuple of float
        Range of the random zoom.
    flip : bool
        Mirror half of the images left and right.
    colour : float
        Brightness, contrast and saturation vary by this share, 0..1.
    class_weighting : str
        ``"none"``, or ``"frequency"``: each pixel counts ``1 / ln(1.02 + p)``, p being the share of its class
        among the labelled pixels (ENet, arXiv 1606.02147).
    seed : int
        Of everything random; not negative.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"``.
    precision : str
        ``"f32"``, ``"bf16"`` (mixed), or ``"auto"``: bf16 where the device computes it natively.
    checkpoint_every : int
        Steps between two checkpoints.
    workers : int or None
        Threads that load images ahead; 0 loads between the steps; ``None`` leaves it to `loaders`.
    validate_every : int
        Steps between two validations; 0 validates never.
    patience : int
        Stop when so many validations in a row brought no better score; 0 always goes to the end.
    consistency : float
        Weight of the consistency loss, which lets the network learn from pixels that have no label, or one
        that counts less than others of its image: it is to predict there what a mean teacher predicts (arXiv
        1703.01780), each pixel counting as much as the teacher is sure. The trained weights are then the
        teacher's. 0 trains on the labels alone.
    ema : float
        Share of its weights that the teacher keeps in a step, from 0 to below 1; less in the first steps, see
        `tenth.segmentation.training.schedule.ema_decay`.
    mix : str
        ``"none"``, or ``"classmix"``: half of the classes of each image are pasted onto the next of the batch
        (arXiv 2007.07936), labels, weights and the teacher's predictions alike.
    ramp : float
        Share of the iterations over which the weight of the consistency loss rises from 0, 0..1.
    class_trust : tuple of float or None
        For each class, how much the teacher's predictions of it count in the consistency loss, 0..1; ``None``
        is 1 for all.
    distillation : DistillationLoss or None
        What is learned from the images' soft labels, which all of them have to have then; ``None`` leaves
        soft labels alone. Not together with `consistency`.

    Raises
    ------
    ConfigurationError
        When a value cannot be used.
    """

    iterations: int
    batch_size: int = 8
    learning_rate: float = 0.04
    power: float = 0.9
    momentum: float = 0.9
    weight_decay: float = 1e-4
    crop: tuple[int, int] | None = None
    scale: tuple[float, float] = (0.75, 1.5)
    flip: bool = True
    colour: float = 0.2
    class_weighting: Literal["none", "frequency"] = "frequency"
    seed: int = 0
    device: str = "auto"
    precision: Precision = "auto"
    checkpoint_every: int = 200
    workers: int | None = None
    validate_every: int = 0
    patience: int = 0
    consistency: float = 0.0
    ema: float = 0.99
    mix: Literal["none", "classmix"] = "none"
    ramp: float = 0.1
    class_trust: tuple[float, ...] | None = None
    distillation: DistillationLoss | None = None

    def __post_init__(self) -> None:
        """Check the values."""
        for name in ("iterations", "batch_size", "checkpoint_every"):
            self._require(name, getattr(self, name) >= 1, "at least 1")
        for name in ("seed", "validate_every", "patience", "weight_decay"):
            self._require(name, getattr(self, name) >= 0, "0 or more")
        self._require("workers", self.workers is None or self.workers >= 0, "None, or 0 or more")
        self._require("learning_rate", 0 < self.learning_rate < math.inf, "above 0")
        self._require("power", 0 <= self.power < math.inf, "0 or more")
        self._require("momentum", 0 <= self.momentum < 1, "from 0 to below 1")
        self._require("colour", 0 <= self.colour < 1, "from 0 to below 1")
        self._require("crop", self.crop is None or min(self.crop) >= 1, "a height and width of at least 1")
        self._require("scale", 0 < self.scale[0] <= self.scale[1] < math.inf, "two factors above 0, rising")
        self._require(
            "class_weighting", self.class_weighting in ("none", "frequency"), "'none' or 'frequency'"
        )
        check_precision(self.precision)
        self._require("patience", self.patience == 0 or self.validate_every > 0, "0 without validate_every")
        self._check_consistency()

    def _check_consistency(self) -> None:
        self._require("consistency", 0 <= self.consistency < math.inf, "0 or more")
        self._require("ema", 0 <= self.ema < 1, "from 0 to below 1")
        self._require("mix", self.mix in ("none", "classmix"), "'none' or 'classmix'")
        self._require("mix", self.mix == "none" or self.consistency > 0, "'none' without consistency")
        alone = self.distillation is None or self.consistency == 0
        self._require("distillation", alone, "None with consistency above 0")
        self._require("ramp", 0 <= self.ramp <= 1, "from 0 to 1")
        trust = self.class_trust
        self._require("class_trust", trust is None or all(0 <= t <= 1 for t in trust), "None or from 0 to 1")

    def _require(self, name: str, holds: bool, expected: str) -> None:
        if not holds:
            raise ConfigurationError(
                f"Training with {name} = {getattr(self, name)!r} is impossible; it has to be {expected}."
            )

    def loaders(self, device: torch.device) -> int:
        """Return how many threads load images ahead of a network on `device`.

        One where the processor computes, for all of its cores do that. A GPU is faster than one core changes
        images, and much faster than it unpacks soft labels; there as many as PyTorch would use, up to
        `LOADERS`.
        """
        if self.workers is not None:
            return self.workers
        return 1 if device.type == "cpu" else min(LOADERS, torch.get_num_threads())

    def identity(self) -> dict[str, Any]:
        """Return the options that the result depends on, as they come back from JSON."""
        kept = {name: value for name, value in asdict(self).items() if name not in UNRELATED}
        if self.distillation is None:
            del kept["distillation"]  # checkpoints from before there was such an option stay good
        return {name: list(value) if isinstance(value, tuple) else value for name, value in kept.items()}
