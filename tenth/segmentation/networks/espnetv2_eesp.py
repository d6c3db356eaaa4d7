"""The unit that ESPNetv2 is built of: dilated depthwise convolutions side by side (arXiv 1811.11431, 3.2)."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

BRANCHES = 4
"""Parallel convolutions of a unit, K in the paper."""


def convolution(
    inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1, activation: bool = True
) -> nn.Sequential:
    """Return a convolution that keeps the size (over `stride`), batch normalisation and PReLU."""
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv=nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        norm=nn.BatchNorm2d(outputs),
    )
    if activation:
        layers["activation"] = nn.PReLU(outputs)
    return nn.Sequential(layers)


def normalised(channels: int) -> nn.Sequential:
    """Return batch normalisation and PReLU."""
    return nn.Sequential(OrderedDict(norm=nn.BatchNorm2d(channels), activation=nn.PReLU(channels)))


def dilations(receptive_field: int) -> list[int]:
    """Return the dilations of a unit's branches, ascending.

    Branch k sees 2k + 1 pixels across, dilated by k; one that would see more than `receptive_field` is not
    dilated.
    """
    return sorted(k if 2 * k + 1 <= receptive_field else 1 for k in range(1, BRANCHES + 1))


class EESP(nn.Module):
    """Extremely efficient spatial pyramid: reduce, convolve at several dilations, add up, expand.

    Parameters
    ----------
    inputs, outputs : int
        Channels; `inputs` a multiple of 4, `outputs` of 16. Equal at a stride of 1, where the input is added
        to the result.
    receptive_field : int
        Most pixels across that a branch sees.
    stride : int, optional
        1 or 2. With 2 neither the input is added nor the result activated: that is left to `StridedEESP`.
    """

    def __init__(self, inputs: int, outputs: int, receptive_field: int, stride: int = 1) -> None:
        super().__init__()
        width = outputs // BRANCHES
        self.reduce = convolution(inputs, width, 1, groups=BRANCHES)
        self.branches = nn.ModuleList(
            nn.Conv2d(width, width, 3, stride, dilation, dilation, groups=width, bias=False)
            for dilation in dilations(receptive_field)
        )
        self.merged = normalised(outputs)
        self.expand = convolution(outputs, outputs, 1, groups=BRANCHES, activation=False)
        self.activation = nn.PReLU(outputs) if stride == 1 else None

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, outputs, ⌈h/stride⌉, ⌈w/stride⌉) from (N, inputs, h, w)."""
        reduced = self.reduce(x)
        maps: list[Tensor] = []
        for branch in self.branches:
            # Each branch gets those of smaller dilation added, against the gaps that dilation leaves.
            maps.append(branch(reduced) + maps[-1] if maps else branch(reduced))
        expanded: Tensor = self.expand(self.merged(torch.cat(maps, 1)))
        if self.activation is None:
            return expanded
        activated: Tensor = self.activation(expanded + x)
        return activated


class StridedEESP(nn.Module):
    """Halve a map: averaged beside convolved, reinforced by the image at that size (figure 1c of the paper).

    Parameters
    ----------
    inputs, outputs : int
        Channels, `inputs` a multiple of 4; their difference, of 16.
    receptive_field : int
        Most pixels across that a branch sees.
    """

    def __init__(self, inputs: int, outputs: int, receptive_field: int) -> None:
        super().__init__()
        self.eesp = EESP(inputs, outputs - inputs, receptive_field, stride=2)
        self.reinforce = nn.Sequential(convolution(3, 3, 3), convolution(3, outputs, 1, activation=False))
        self.activation = nn.PReLU(outputs)

    def forward(self, x: Tensor, image: Tensor) -> Tensor:
        """Return (N, outputs, ⌈h/2⌉, ⌈w/2⌉) from (N, inputs, h, w) and the image (N, 3, ⌈h/2⌉, ⌈w/2⌉)."""
        halves = torch.cat([half(x), self.eesp(x)], 1)
        activated: Tensor = self.activation(halves + self.reinforce(image))
        return activated


def half(x: Tensor) -> Tensor:
    """Return (N, C, ⌈h/2⌉, ⌈w/2⌉): means over 3×3 pixels, those beyond the edge counted as zero."""
    return F.avg_pool2d(x, 3, 2, 1)
