"""ClassMix: half of the classes of one image pasted onto another (Olsson et al., arXiv 2007.07936)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def pasted_pixels(class_map: Tensor, classes: int, rng: np.random.Generator) -> Tensor:
    """Choose half of the classes of each image, rounded down, and return where they are.

    Parameters
    ----------
    class_map : Tensor
        (N, H, W) int64: 0..classes - 1, or `classes` where there is nothing to paste.
    classes : int
        Number of classes C.
    rng : numpy.random.Generator
        Chooses the classes; the same ones on each device.

    Returns
    -------
    Tensor
        (N, H, W) bool.
    """
    count = len(class_map)
    numbers = torch.arange(count, device=class_map.device)[:, None, None]
    pixels = torch.bincount((class_map + numbers * (classes + 1)).flatten(), minlength=count * (classes + 1))
    present = pixels.reshape(count, classes + 1)[:, :classes].cpu().numpy() > 0
    chosen = np.zeros((count, classes + 1), np.bool_)
    for image, there in enumerate(present):
        ids = np.flatnonzero(there)
        chosen[image, rng.permutation(ids)[: len(ids) // 2]] = True
    return torch.from_numpy(chosen).to(class_map.device)[numbers, class_map]


def paste(values: Tensor, pasted: Tensor) -> Tensor:
    """Paste each image's chosen pixels onto the next image, those of the last onto the first.

    Parameters
    ----------
    values : Tensor
        (N, H, W) or (N, C, H, W), whatever belongs to the pixels.
    pasted : Tensor
        (N, H, W) bool, from `pasted_pixels`.

    Returns
    -------
    Tensor
        Like `values`; image b + 1 has the chosen pixels of image b, all from before any pasting.
    """
    mask = pasted.roll(1, 0)
    return torch.where(mask if values.ndim == 3 else mask[:, None], values.roll(1, 0), values)
