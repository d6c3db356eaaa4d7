"""Learning from labels, from soft labels, or from both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tenth.segmentation.networks import ScaledLogits
from tenth.segmentation.training.batches import Batch
from tenth.segmentation.training.consistency import View
from tenth.segmentation.training.loss import segmentation_loss

if TYPE_CHECKING:  # that package is built on this one
    from tenth.segmentation.distillation.losses import DistillationLoss


def supervised_loss(
    outputs: Sequence[ScaledLogits],
    view: View,
    batch: Batch,
    class_weights: Tensor | None,
    distillation: DistillationLoss | None,
) -> Tensor:
    """Return ``hard_weight * CE + λ * soft part``; without `distillation`, the cross-entropy.

    Parameters
    ----------
    outputs : sequence of ScaledLogits
        What the network says to the view.
    view : View
        Labels and their weights, where the network computes.
    batch : Batch
        Where the view comes from; its soft labels go to the device here.
    class_weights : Tensor or None
        (C,) float32, of the cross-entropy, and of the soft part where that is class-weighted.
    distillation : DistillationLoss or None
        What the soft labels count, and how.
    """
    hard = segmentation_loss(outputs, view.labels, class_weights, view.weights)
    if distillation is None or batch.soft is None or batch.inside is None:
        return hard
    device = view.labels.device
    soft, inside = (torch.from_numpy(array).to(device) for array in (batch.soft, batch.inside))
    return distillation.hard_weight * hard + distillation.soft(outputs, soft, inside, class_weights)
