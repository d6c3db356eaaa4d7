"""Cross-entropy at several resolutions, and class weights."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from tenth.segmentation.classes import IGNORE
from tenth.segmentation.networks import ScaledLogits
from tenth.segmentation.training.sources import FULL


def resize_labels(labels: Tensor, height: int, width: int) -> Tensor:
    """Resize maps like labels (N, H, W) to (N, height, width): the pixel nearest to each centre."""
    if tuple(labels.shape[1:]) == (height, width):
        return labels
    rows = _nearest(labels.shape[1], height, labels.device)
    columns = _nearest(labels.shape[2], width, labels.device)
    return labels[:, rows[:, None], columns]


def _nearest(source: int, wanted: int, device: torch.device) -> Tensor:
    # (i + 1/2) * source / wanted rounded down, in whole numbers.
    return (2 * torch.arange(wanted, device=device) + 1) * source // (2 * wanted)


def cross_entropy(
    logits: Tensor, labels: Tensor, class_weights: Tensor | None = None, weights: Tensor | None = None
) -> Tensor:
    """Return the (weighted) mean cross-entropy over the labelled pixels, zero when there are none.

    The mean is ``sum(w * ce) / sum(w)``, w being the pixel's weight times that of its class.

    Parameters
    ----------
    logits : Tensor
        (N, C, h, w), of any floating type; computed in float32.
    labels : Tensor
        (N, h, w) integers, 255 = ignore.
    class_weights : Tensor, optional
        (C,) float32.
    weights : Tensor, optional
        (N, h, w) uint8, how much each label counts, in 255ths.
    """
    if weights is not None:
        return _weighted_cross_entropy(logits, labels, class_weights, weights)
    target = labels.long()
    total = F.cross_entropy(logits.float(), target, class_weights, ignore_index=IGNORE, reduction="sum")
    labelled = target != IGNORE
    if class_weights is None:
        count = labelled.sum()
    else:
        # Looking up the weights must not trip over 255; those pixels get the weight 0.
        count = (class_weights[torch.where(labelled, target, 0)] * labelled).sum()
    # PyTorch's own mean is 0 / 0 without a labelled pixel.
    return total / torch.where(count > 0, count, torch.ones_like(count))


def _weighted_cross_entropy(
    logits: Tensor, labels: Tensor, class_weights: Tensor | None, weights: Tensor
) -> Tensor:
    target = labels.long()
    weight = weights.float() / FULL * (target != IGNORE)
    if class_weights is not None:
        weight = weight * class_weights[torch.where(target == IGNORE, 0, target)]
    total = (weight * F.cross_entropy(logits.float(), target, ignore_index=IGNORE, reduction="none")).sum()
    count = weight.sum()
    return total / torch.where(count > 0, count, torch.ones_like(count))


def segmentation_loss(
    outputs: Iterable[ScaledLogits],
    labels: Tensor,
    class_weights: Tensor | None = None,
    weights: Tensor | None = None,
) -> Tensor:
    """Return the weighted sum of the outputs' losses, each at the output's own resolution.

    Parameters
    ----------
    outputs : iterable of ScaledLogits
        What ``training_outputs`` returned.
    labels : Tensor
        (N, H, W) integers at input size, 255 = ignore.
    class_weights : Tensor, optional
        (C,) float32.
    weights : Tensor, optional
        (N, H, W) uint8, how much each label counts, in 255ths; resized as the labels are.
    """
    loss = torch.zeros((), device=labels.device)
    for output in outputs:
        height, width = output.logits.shape[-2:]
        small = resize_labels(labels, height, width)
        counts = None if weights is None else resize_labels(weights, height, width)
        loss = loss + output.weight * cross_entropy(output.logits, small, class_weights, counts)
    return loss


def frequency_weights(pixels: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return ENet's class weights, ``1 / ln(1.02 + p)`` (arXiv 1606.02147).

    Parameters
    ----------
    pixels : ndarray
        (C,) labelled pixels of each class, at least one in all.

    Returns
    -------
    ndarray
        (C,) float32, from 1.42 (the only class) to 50.5 (a class that never occurs).
    """
    weights: NDArray[np.float64] = 1 / np.log(1.02 + pixels / pixels.sum())
    return weights.astype(np.float32)
