"""ERFNet: residual blocks of 3×1 and 1×3 convolutions (Romera et al., IEEE T-ITS 19(1), 2018).

Layers, channels and dropout are those of the paper's table I and of the authors' PyTorch code
(github.com/Eromera/erfnet_pytorch), with PyTorch's initialisation as there. A map of odd size is halved
rounding up, and enlarged to just that size. There a convolution in front of a batch normalisation has a bias,
which the normalisation takes away again; here it has none.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from tenth.segmentation.networks.base import ScaledLogits, SegmentationNetwork
from tenth.segmentation.networks.registry import NETWORKS

_EPSILON = 1e-3
_DILATIONS = (2, 4, 8, 16)


class Downsampler(nn.Module):
    """A convolution of stride 2 beside the pooled input.

    Parameters
    ----------
    inputs, outputs : int
        Channels; the convolution makes the difference.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs - inputs, 3, 2, 1, bias=False)
        self.norm = nn.BatchNorm2d(outputs, eps=_EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, outputs, ⌈H/2⌉, ⌈W/2⌉)."""
        pooled = F.max_pool2d(x, 2, 2, ceil_mode=True)
        return F.relu(self.norm(torch.cat([self.convolution(x), pooled], 1)), inplace=True)


class NonBottleneck1D(nn.Module):
    """Two 3×3 convolutions, each as a 3×1 and a 1×3 one with a ReLU between; the input is added.

    Parameters
    ----------
    channels : int
        In and out.
    dropout : float
        Probability with which dropout drops a whole channel.
    dilation : int
        Of the second pair.
    """

    def __init__(self, channels: int, dropout: float = 0.0, dilation: int = 1) -> None:
        super().__init__()

        def pair(d: int) -> nn.Sequential:
            return nn.Sequential(
                nn.Conv2d(channels, channels, (3, 1), 1, (d, 0), dilation=(d, 1)),
                nn.ReLU(inplace=True),
                nn.Conv2d(channels, channels, (1, 3), 1, (0, d), dilation=(1, d), bias=False),
                nn.BatchNorm2d(channels, eps=_EPSILON),
            )

        self.first = pair(1)
        self.second = pair(dilation)
        self.dropout = nn.Dropout2d(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, channels, H, W)."""
        y = self.second(F.relu(self.first(x), inplace=True))
        return F.relu(x + self.dropout(y), inplace=True)


class Upsampler(nn.Module):
    """A transposed convolution of stride 2.

    Parameters
    ----------
    inputs, outputs : int
        Channels.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.convolution = nn.ConvTranspose2d(inputs, outputs, 3, 2, 1, bias=False)
        self.norm = nn.BatchNorm2d(outputs, eps=_EPSILON)

    def forward(self, x: Tensor, size: torch.Size) -> Tensor:
        """Return (N, outputs, H, W), (…, H, W) being `size`: twice that of `x`, or 1 less."""
        return F.relu(self.norm(self.convolution(x, output_size=list(size[-2:]))), inplace=True)


@NETWORKS.register("erfnet")
class ERFNet(SegmentationNetwork):
    """ERFNet: residual blocks of 3×1 and 1×3 convolutions, starts from random weights.

    The paper trains the encoder alone first, on labels at an eighth, then adds the decoder; here both are
    trained together.

    Parameters
    ----------
    classes : int
        Number of classes C.
    """

    def __init__(self, classes: int) -> None:
        super().__init__(classes)
        self.down1 = Downsampler(3, 16)
        self.down2 = Downsampler(16, 64)
        self.stage2 = nn.Sequential(*(NonBottleneck1D(64, 0.03) for _ in range(5)))
        self.down3 = Downsampler(64, 128)
        self.context = nn.Sequential(*(NonBottleneck1D(128, 0.3, dilation) for dilation in 2 * _DILATIONS))
        self.up4 = Upsampler(128, 64)
        self.stage4 = nn.Sequential(*(NonBottleneck1D(64) for _ in range(2)))
        self.up5 = Upsampler(64, 16)
        self.stage5 = nn.Sequential(*(NonBottleneck1D(16) for _ in range(2)))
        self.classifier = nn.ConvTranspose2d(16, classes, 2, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (N, C, H, W) of normalised images (N, 3, H, W)."""
        half = self.down1(x)
        quarter = self.stage2(self.down2(half))
        y = self.context(self.down3(quarter))
        y = self.stage4(self.up4(y, quarter.shape))
        y = self.stage5(self.up5(y, half.shape))
        logits: Tensor = self.classifier(y)
        return logits[..., : x.shape[-2], : x.shape[-1]]

    def training_outputs(self, x: Tensor) -> list[ScaledLogits]:
        """Return the logits at full size, as `forward`; there is no auxiliary loss."""
        return [ScaledLogits(1.0, self(x))]
