"""Learning from labels, from soft labels, or from both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from tenth.segmentation.networks import ScaledLogits
from tenth.segmentation.training.consistency import View
from tenth.segmentation.training.loss import segmentation_loss

if TYPE_CHECKING:  # that package is built on this one
    from tenth.segmentation.distillation.losses import DistillationLoss


def supervised_loss(
    outputs: Sequence[ScaledLogits],
    view: View,
    class_weights: Tensor | None,
    distillation: DistillationLoss | None,
) -> Tensor:
    """Return ``hard_weight * CE + λ * soft part``; without `distillation`, the cross-entropy.

    Parameters
    ----------
    outputs : sequence of ScaledLogits
        What the network says to the view.
    view : View
        Labels and their weights, and soft labels where there are any.
    class_weights : Tensor or None
        (C,) float32, of the cross-entropy, and of the soft part where that is class-weighted.
    distillation : DistillationLoss or None
        What the soft labels count, and how.
    """
    hard = segmentation_loss(outputs, view.labels, class_weights, view.weights)
    if distillation is None or view.soft is None:
        return hard
    soft = distillation.soft(outputs, view.soft, class_weights)
    return distillation.hard_weight * hard + soft
