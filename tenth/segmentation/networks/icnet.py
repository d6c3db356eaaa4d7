"""ICNet: three resolutions of one image, the deep network on the smallest (arXiv 1704.08545).

Layers and channels follow the authors' release (github.com/hszhao/ICNet, ``icnet_cityscapes.prototxt``); it
has no training code. The weights of the three losses, 1, 0.4 and 0.16, are those of two public reproductions
(``LAMBDA3``, ``LAMBDA2``, ``LAMBDA1`` in github.com/hellochick/ICNet-tensorflow and in PaddleCV/icnet of
github.com/PaddlePaddle/models); a third, github.com/open-mmlab/mmsegmentation, takes 1, 0.4 and 0.4.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from tenth.errors import ConfigurationError
from tenth.segmentation.networks.base import ScaledLogits, SegmentationNetwork
from tenth.segmentation.networks.encoder import build_encoder
from tenth.segmentation.networks.registry import NETWORKS

PYRAMID_BINS = (1, 2, 3, 6)
MIDDLE_WEIGHT = 0.4
LOW_WEIGHT = 0.16


def resize(x: Tensor, size: tuple[int, int] | torch.Size) -> Tensor:
    """Return `x` (N, C, h, w) resized bilinearly to `size`, corners at pixel corners."""
    return F.interpolate(x, size=tuple(size), mode="bilinear", align_corners=False)


def half(x: Tensor) -> Tensor:
    """Return `x` (N, C, h, w) at half its size, rounded up."""
    return resize(x, ((x.shape[-2] + 1) // 2, (x.shape[-1] + 1) // 2))


def pyramid_pooling(x: Tensor) -> Tensor:
    """Add the means over 1×1, 2×2, 3×3 and 6×6 bins, interpolated, to each position.

    As in the release, plain average pooling with constant sizes does it (adaptive pooling does not export):
    stride ⌊h/b⌋, and the kernel that lets b of them cover h. A map of fewer than b rows has a bin a row.

    Parameters
    ----------
    x : Tensor
        (N, C, h, w).

    Returns
    -------
    Tensor
        (N, C, h, w).
    """
    h, w = x.shape[-2:]
    pooled = x
    for bins in PYRAMID_BINS:
        rows, columns = min(bins, h), min(bins, w)
        stride = (h // rows, w // columns)
        kernel = (h - (rows - 1) * stride[0], w - (columns - 1) * stride[1])
        pooled = pooled + resize(F.avg_pool2d(x, kernel, stride), (h, w))
    return pooled


def _convolution(inputs: int, outputs: int, kernel: int, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    padding = dilation * (kernel // 2)
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, padding, dilation=dilation, bias=False),
        nn.BatchNorm2d(outputs),
    )


class CascadeFeatureFusion(nn.Module):
    """Fuse a coarse map with one of twice its size; the coarse one is classified for guidance.

    Parameters
    ----------
    coarse, fine : int
        Channels of the two maps.
    outputs : int
        Channels of the result.
    classes : int
        Number of classes C of the guidance.
    """

    def __init__(self, coarse: int, fine: int, outputs: int, classes: int) -> None:
        super().__init__()
        self.coarse = _convolution(coarse, outputs, 3, dilation=2)
        self.fine = _convolution(fine, outputs, 1)
        self.guide = nn.Conv2d(coarse, classes, 1)

    def forward(self, coarse: Tensor, fine: Tensor) -> tuple[Tensor, Tensor]:
        """Return the fused map (N, outputs, h, w) and the upsampled coarse one (N, coarse, h, w)."""
        upsampled = resize(coarse, fine.shape[-2:])
        return F.relu(self.coarse(upsampled) + self.fine(fine), inplace=True), upsampled


@NETWORKS.register("icnet")
class ICNet(SegmentationNetwork):
    """ICNet, the image cascade: three resolutions, the deep network on the smallest (arXiv 1704.08545).

    The image at half size runs through the encoder up to its stride of 8. Half of that map again, a 32nd of
    the image, is the low branch: the two share these layers' weights and computation. Only the low branch
    goes on, through the rest of the encoder, dilated so that nothing shrinks further, and pyramid pooling;
    the full image sees three strided convolutions. Two fusions bring low (1/32), middle (1/16) and high (1/8)
    together.

    Parameters
    ----------
    classes : int
        Number of classes C.
    encoder : str, optional
        ``"resnet50"`` (the paper's), ``"resnet18"``, ``"efficientnet-lite0"`` or one that a package added.
    width : float, optional
        Multiplier of the encoder's channels; the paper compresses ResNet-50 to 0.5.
    weights : str, optional
        Where the encoder starts: ``"imagenet"``, a path or a URL; random by default.
    weights_sha256 : str, optional
        SHA-256 of that file; required with a URL.
    dropout : float, optional
        Probability with which dropout before the classifier drops a value, in 0..1, 1 excluded.

    Raises
    ------
    ConfigurationError, DataError
        When `dropout` is out of its range; see `tenth.segmentation.networks.encoder.build_encoder`.

    Notes
    -----
    Training with a batch of one needs an image of more than 32 pixels on a side: batch normalisation cannot
    do with a single value.
    """

    def __init__(
        self,
        classes: int,
        encoder: str = "resnet50",
        width: float = 1.0,
        weights: str | None = None,
        weights_sha256: str | None = None,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(classes)
        if not 0 <= dropout < 1:
            raise ConfigurationError(
                f"network.dropout = {dropout} is not a probability that leaves something; give 0 for none, "
                "or for example 0.5."
            )
        self.encoder = build_encoder(encoder, width, weights, weights_sha256)
        self.mean, self.std = self.encoder.mean, self.encoder.std
        self.low_projection = _convolution(self.encoder.deep_channels, 256, 1)
        self.high1 = _convolution(3, 32, 3, stride=2)
        self.high2 = _convolution(32, 32, 3, stride=2)
        self.high3 = _convolution(32, 64, 3, stride=2)
        self.fuse_low = CascadeFeatureFusion(256, self.encoder.middle_channels, 128, classes)
        self.fuse_middle = CascadeFeatureFusion(128, 64, 128, classes)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Conv2d(128, classes, 1)
        self._initialise()

    def _initialise(self) -> None:
        for name, module in self.named_modules():
            if isinstance(module, nn.Conv2d) and not name.startswith("encoder."):
                if module.bias is None:
                    nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                else:
                    # A classifier: near zero, so that training starts from even odds.
                    nn.init.normal_(module.weight, std=0.01)
                    nn.init.zeros_(module.bias)

    def _high(self, x: Tensor) -> Tensor:
        for layer in (self.high1, self.high2, self.high3):
            x = F.relu(layer(x), inplace=True)
        return x

    def _cascade(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the last fused map (1/8) and the two to classify for guidance (1/8 and 1/16)."""
        middle = self.encoder.middle(half(x))
        low = pyramid_pooling(self.encoder.deep(half(middle)))
        low = F.relu(self.low_projection(low), inplace=True)
        fused, low = self.fuse_low(low, middle)
        fused, middle = self.fuse_middle(fused, self._high(x))
        return fused, middle, low

    def _classify(self, fused: Tensor, size: torch.Size) -> Tensor:
        """Return logits (N, C, ⌈H/4⌉, ⌈W/4⌉) from the fused map, for an image of `size` (…, H, W)."""
        # The paper enlarges, then classifies. Both are linear: this is the same at a quarter of the cost.
        return resize(self.classifier(self.dropout(fused)), ((size[-2] + 3) // 4, (size[-1] + 3) // 4))

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (N, C, H, W) of normalised images (N, 3, H, W)."""
        fused, _, _ = self._cascade(x)
        return resize(self._classify(fused, x.shape), x.shape[-2:])

    def training_outputs(self, x: Tensor) -> list[ScaledLogits]:
        """Return logits at 1/4 (weight 1), 1/8 (0.4) and 1/16 (0.16) of the images (N, 3, H, W)."""
        fused, middle, low = self._cascade(x)
        return [
            ScaledLogits(1.0, self._classify(fused, x.shape)),
            ScaledLogits(MIDDLE_WEIGHT, self.fuse_middle.guide(middle)),
            ScaledLogits(LOW_WEIGHT, self.fuse_low.guide(low)),
        ]
