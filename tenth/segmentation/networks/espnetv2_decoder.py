"""The part of ESPNetv2 that tells pixels apart: from 1/16 of the image up to 1/2, context at every step.

Described with the released models (github.com/sacmehta/EdgeNets), which replaced the paper's first decoder.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from tenth.segmentation.networks.espnetv2_eesp import convolution, normalised

POOLING_SCALES = (2.0, 1.5, 1.0, 0.5, 0.1)
CHANNELS = (64, 48, 32)
"""Of what the decoder makes at 1/16, 1/8 and 1/4 of the image, whatever the encoder's scale."""


def enlarge(x: Tensor, size: tuple[int, int] | torch.Size) -> Tensor:
    """Return `x` (N, C, h, w) resized bilinearly to `size`.

    Corner pixels stay at the corners, as the released weights were trained.
    """
    return F.interpolate(x, size=tuple(size), mode="bilinear", align_corners=True)


def adaptive_mean(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Return the means over `size` bins: adaptive average pooling, of operations that export.

    Parameters
    ----------
    x : Tensor
        (N, C, h, w).
    size : (int, int)
        Rows and columns of bins; bin i of n covers ⌊i·h/n⌋ to ⌈(i+1)·h/n⌉.

    Returns
    -------
    Tensor
        (N, C, *size).
    """
    h, w = x.shape[-2:]
    if h % size[0] == 0 and w % size[1] == 0:
        return F.avg_pool2d(x, (h // size[0], w // size[1]))
    return _bin_means(_bin_means(x, size[0], 2), size[1], 3)


def _bin_means(x: Tensor, bins: int, axis: int) -> Tensor:
    """Return the means over `bins` bins along `axis` (2 or 3)."""
    length = x.shape[axis]
    # Made where they are used: a copy from the processor would make a GPU wait, and cannot be recorded.
    place = torch.arange(bins, device=x.device)
    starts, ends = place * length // bins, ((place + 1) * length + bins - 1) // bins
    shape = (-1, 1) if axis == 2 else (-1,)
    total = torch.zeros((), dtype=x.dtype, device=x.device)
    widest = max(-(-(i + 1) * length // bins) - i * length // bins for i in range(bins))
    for step in range(widest):
        # The step-th pixel of every bin at once; bins that have no such pixel take another with weight zero.
        taken = torch.minimum(starts + step, ends - 1)
        weight = (starts + step < ends) / (ends - starts)
        total = total + x.index_select(axis, taken) * weight.to(x.dtype).view(shape)
    return total


class PyramidPooling(nn.Module):
    """A depthwise convolution at each of five sizes of the map, mixed plane by plane.

    Parameters
    ----------
    inputs : int
        Channels of the input.
    planes : int
        Channels that are convolved, and of the result.
    """

    def __init__(self, inputs: int, planes: int) -> None:
        super().__init__()
        self.reduce = convolution(inputs, planes, 1)
        self.branches = nn.ModuleList(
            nn.Conv2d(planes, planes, 3, padding=1, groups=planes, bias=False) for _ in POOLING_SCALES
        )
        self.merged = normalised(len(POOLING_SCALES) * planes)
        self.mix = convolution(len(POOLING_SCALES) * planes, planes, 3, groups=planes)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, planes, h, w) from (N, inputs, h, w)."""
        reduced = self.reduce(x)
        h, w = reduced.shape[-2:]
        maps = []
        for scale, branch in zip(POOLING_SCALES, self.branches, strict=True):
            size = max(5, math.ceil(h * scale)), max(5, math.ceil(w * scale))
            if scale > 1:
                maps.append(adaptive_mean(branch(enlarge(reduced, size)), (h, w)))
            elif scale < 1:
                maps.append(enlarge(branch(adaptive_mean(reduced, size)), (h, w)))
            else:
                maps.append(branch(reduced))
        merged = self.merged(torch.cat(maps, 1))
        # The five sizes of one plane side by side, for a convolution grouped by plane.
        shuffled = merged.unflatten(1, (len(POOLING_SCALES), -1)).transpose(1, 2).flatten(1, 2)
        mixed: Tensor = self.mix(shuffled)
        return mixed


class Skip(nn.Module):
    """A map of the encoder on its way to the decoder, its channels weighted by what the whole image shows.

    Parameters
    ----------
    inputs, outputs : int
        Channels.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.gate = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.expand = convolution(inputs, outputs, 3, groups=math.gcd(inputs, outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, outputs, h, w) from (N, inputs, h, w)."""
        gated: Tensor = self.expand(x) * torch.sigmoid(self.gate(x.mean((2, 3), keepdim=True)))
        return gated


class ESPNetv2Decoder(nn.Module):
    """Pyramid pooling at 1/16, 1/8, 1/4 and 1/2 of the image, the encoder's maps added in between.

    Parameters
    ----------
    encoder_channels : tuple of int
        Of the encoder's maps at 1/2, 1/4, 1/8, 1/16.
    planes : int
        Channels that each pyramid pooling convolves, and of the result.
    """

    def __init__(self, encoder_channels: tuple[int, int, int, int], planes: int) -> None:
        super().__init__()
        c2, c4, c8, c16 = encoder_channels
        self.pyramids = nn.ModuleList(PyramidPooling(inputs, planes) for inputs in (c16, *CHANNELS))
        self.expands = nn.ModuleList(nn.Conv2d(planes, outputs, 1, bias=False) for outputs in CHANNELS)
        self.outputs = nn.ModuleList(normalised(outputs) for outputs in CHANNELS)
        self.skips = nn.ModuleList(
            Skip(inputs, outputs) for inputs, outputs in zip((c8, c4, c2), CHANNELS, strict=True)
        )
        self.joins = nn.ModuleList(normalised(outputs) for outputs in CHANNELS)

    def forward(self, maps: tuple[Tensor, Tensor, Tensor, Tensor]) -> Tensor:
        """Return (N, planes, ⌈H/2⌉, ⌈W/2⌉) from the encoder's maps at 1/2, 1/4, 1/8 and 1/16."""
        finer = (maps[2], maps[1], maps[0])
        x: Tensor = self.pyramids[0](maps[3])
        for step, fine in enumerate(finer):
            x = self.outputs[step](self.expands[step](x))
            joined = self.joins[step](self.skips[step](fine) + enlarge(x, fine.shape[-2:]))
            x = self.pyramids[step + 1](joined)
        return x
