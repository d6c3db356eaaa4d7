"""ENet (arXiv 1606.02147): an early shrink, narrow bottlenecks, and unpooling to where the maxima were.

Layers and channels are those of the paper's table 1, at any image size: a map of odd size is halved rounding
up, and unpooled to just that size. What the paper leaves open is as in the authors' release
(github.com/e-lab/ENet-training): in the decoder ReLU instead of PReLU and no dropout; Torch's initialisation,
uniform within ±1/√fan-in, which is PyTorch's too. There a convolution in front of a batch normalisation has a
bias, which the normalisation takes away again; here it has none.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from tenth.segmentation.networks.base import ScaledLogits, SegmentationNetwork
from tenth.segmentation.networks.registry import NETWORKS

_EPSILON = 1e-3
# Kernel form and dilation of stages 2 and 3, which are the same but for the shrinking.
_CONTEXT = ((3, 1), (3, 2), (5, 1), (3, 4), (3, 1), (3, 8), (5, 1), (3, 16))


def max_pool(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return the maxima of 2×2 windows and where they were.

    Parameters
    ----------
    x : Tensor
        (N, C, H, W).

    Returns
    -------
    maxima : Tensor
        (N, C, ⌈H/2⌉, ⌈W/2⌉); a window at an odd border is cut off there.
    indices : Tensor
        int64, of that shape: row · W + column of each maximum in `x`.
    """
    return F.max_pool2d(x, 2, 2, ceil_mode=True, return_indices=True)


def max_unpool(x: Tensor, indices: Tensor, size: torch.Size) -> Tensor:
    """Return zeros with the values of `x` where the maxima were.

    It is `torch.nn.functional.max_unpool2d`, written as a scatter, which ONNX and OpenVINO have.

    Parameters
    ----------
    x : Tensor
        (N, C, h, w).
    indices : Tensor
        int64 (N, C, h, w), from `max_pool`.
    size : torch.Size
        (…, H, W) of what was pooled.

    Returns
    -------
    Tensor
        (N, C, H, W).
    """
    height, width = size[-2:]
    flat = x.new_zeros(*x.shape[:2], height * width)
    flat = flat.scatter(2, indices.flatten(2), x.flatten(2))
    return flat.view(*x.shape[:2], height, width)


def _unit(convolution: nn.Module, channels: int, activation: nn.Module | None) -> nn.Sequential:
    norm = nn.BatchNorm2d(channels, eps=_EPSILON)
    return nn.Sequential(convolution, norm, *([] if activation is None else [activation]))


class InitialBlock(nn.Module):
    """13 convolutions of stride 2 beside the pooled image: 16 channels at half size."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 13, 3, 2, 1, bias=False)
        self.norm = nn.BatchNorm2d(16, eps=_EPSILON)
        self.activation = nn.PReLU(16)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, 16, ⌈H/2⌉, ⌈W/2⌉) from (N, 3, H, W)."""
        pooled = F.max_pool2d(x, 2, 2, ceil_mode=True)
        y: Tensor = self.activation(self.norm(torch.cat([self.convolution(x), pooled], 1)))
        return y


class Bottleneck(nn.Module):
    """Project to a quarter of the channels, convolve, expand, add the input.

    Parameters
    ----------
    channels : int
        In and out.
    kernel : int
        3 for a 3×3 convolution; 5 for an asymmetric one, 5×1 followed by 1×5.
    dilation : int
        Of the 3×3 convolution.
    dropout : float
        Probability with which dropout drops a whole channel.
    decoder : bool
        ReLU instead of PReLU.
    """

    def __init__(
        self,
        channels: int,
        kernel: int = 3,
        dilation: int = 1,
        dropout: float = 0.0,
        *,
        decoder: bool = False,
    ) -> None:
        super().__init__()
        inner = channels // 4

        def activation(count: int) -> nn.Module:
            return nn.ReLU(inplace=True) if decoder else nn.PReLU(count)

        pad = kernel // 2
        convolution: nn.Module = nn.Conv2d(inner, inner, 3, 1, dilation, dilation=dilation, bias=False)
        if kernel == 5:
            convolution = nn.Sequential(
                nn.Conv2d(inner, inner, (kernel, 1), 1, (pad, 0), bias=False),
                nn.Conv2d(inner, inner, (1, kernel), 1, (0, pad), bias=False),
            )
        self.extension = nn.Sequential(
            _unit(nn.Conv2d(channels, inner, 1, bias=False), inner, activation(inner)),
            _unit(convolution, inner, activation(inner)),
            _unit(nn.Conv2d(inner, channels, 1, bias=False), channels, None),
            nn.Dropout2d(dropout),
        )
        self.activation = activation(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, channels, H, W)."""
        y: Tensor = self.activation(x + self.extension(x))
        return y


class DownsamplingBottleneck(nn.Module):
    """A bottleneck that halves the map; the input is pooled and gets empty channels before it is added.

    Parameters
    ----------
    inputs, outputs : int
        Channels.
    dropout : float
        Probability with which dropout drops a whole channel.
    """

    def __init__(self, inputs: int, outputs: int, dropout: float) -> None:
        super().__init__()
        inner = outputs // 4
        self.extension = nn.Sequential(
            _unit(nn.Conv2d(inputs, inner, 2, 2, bias=False), inner, nn.PReLU(inner)),
            _unit(nn.Conv2d(inner, inner, 3, 1, 1, bias=False), inner, nn.PReLU(inner)),
            _unit(nn.Conv2d(inner, outputs, 1, bias=False), outputs, None),
            nn.Dropout2d(dropout),
        )
        self.activation = nn.PReLU(outputs)
        self.empty = outputs - inputs

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return (N, outputs, ⌈H/2⌉, ⌈W/2⌉), and where the maxima of `x` were: see `max_pool`."""
        pooled, indices = max_pool(x)
        pooled = F.pad(pooled, (0, 0, 0, 0, 0, self.empty))
        # The 2×2 convolution has to see the last row and column of an odd map as well.
        x = F.pad(x, (0, x.shape[-1] % 2, 0, x.shape[-2] % 2))
        y: Tensor = self.activation(pooled + self.extension(x))
        return y, indices


class UpsamplingBottleneck(nn.Module):
    """A bottleneck that doubles the map; the input, projected, goes to where the maxima were.

    Parameters
    ----------
    inputs, outputs : int
        Channels.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        inner = outputs // 4
        self.main = _unit(nn.Conv2d(inputs, outputs, 1, bias=False), outputs, None)
        self.project = _unit(nn.Conv2d(inputs, inner, 1, bias=False), inner, nn.ReLU(inplace=True))
        self.enlarge = nn.ConvTranspose2d(inner, inner, 3, 2, 1, bias=False)
        self.expand = nn.Sequential(
            nn.BatchNorm2d(inner, eps=_EPSILON),
            nn.ReLU(inplace=True),
            *_unit(nn.Conv2d(inner, outputs, 1, bias=False), outputs, None),
        )

    def forward(self, x: Tensor, indices: Tensor, size: torch.Size) -> Tensor:
        """Return (N, outputs, H, W), (…, H, W) being `size`, of what `indices` were pooled from."""
        main = max_unpool(self.main(x), indices, size)
        y = self.enlarge(self.project(x), output_size=list(size[-2:]))
        return F.relu(main + self.expand(y), inplace=True)


@NETWORKS.register("enet")
class ENet(SegmentationNetwork):
    """ENet: very small, starts from random weights (arXiv 1606.02147).

    The paper trains the encoder alone first, on labels at an eighth, then adds the decoder; here both are
    trained together.

    Parameters
    ----------
    classes : int
        Number of classes C.
    """

    def __init__(self, classes: int) -> None:
        super().__init__(classes)
        self.initial = InitialBlock()
        self.down1 = DownsamplingBottleneck(16, 64, 0.01)
        self.stage1 = nn.Sequential(*(Bottleneck(64, dropout=0.01) for _ in range(4)))
        self.down2 = DownsamplingBottleneck(64, 128, 0.1)
        context = (Bottleneck(128, kernel, dilation, 0.1) for kernel, dilation in 2 * _CONTEXT)
        self.context = nn.Sequential(*context)
        self.up4 = UpsamplingBottleneck(128, 64)
        self.stage4 = nn.Sequential(*(Bottleneck(64, decoder=True) for _ in range(2)))
        self.up5 = UpsamplingBottleneck(64, 16)
        self.stage5 = Bottleneck(16, decoder=True)
        self.classifier = nn.ConvTranspose2d(16, classes, 2, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (N, C, H, W) of normalised images (N, 3, H, W)."""
        half = self.initial(x)
        y, where_half = self.down1(half)
        quarter = self.stage1(y)
        y, where_quarter = self.down2(quarter)
        y = self.stage4(self.up4(self.context(y), where_quarter, quarter.shape))
        y = self.stage5(self.up5(y, where_half, half.shape))
        logits: Tensor = self.classifier(y)
        return logits[..., : x.shape[-2], : x.shape[-1]]

    def training_outputs(self, x: Tensor) -> list[ScaledLogits]:
        """Return the logits at full size, as `forward`; there is no auxiliary loss."""
        return [ScaledLogits(1.0, self(x))]
