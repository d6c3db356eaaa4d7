"""Soft labels like those of networks: logits of a lower resolution, enlarged, softened, averaged."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F  # noqa: N812


def soft_labels(
    classes: int, height: int, width: int, *, seed: int = 0, temperature: float = 4.0, stride: int = 8
) -> NDArray[np.float32]:
    """Return (classes, height, width) float32: the mean of two teachers' that see regions."""
    generator = torch.Generator().manual_seed(seed)
    small = (-(-height // stride), -(-width // stride))
    regions = torch.randn(1, classes, -(-small[0] // 4), -(-small[1] // 4), generator=generator)
    total = torch.zeros(classes, height, width)
    for _ in range(2):
        logits = 12 * F.interpolate(regions, size=small, mode="nearest")
        logits = logits + torch.randn(logits.shape, generator=generator)
        logits = F.interpolate(logits, size=(height, width), mode="bilinear", align_corners=False)
        total += (logits[0] / temperature).softmax(0) / 2
    return total.numpy()


def distribution(values: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return values that are not negative, (C, H, W), as distributions."""
    return (values / values.sum(0)).astype(np.float32)
