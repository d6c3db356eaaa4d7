"""DeepLabv3 (arXiv 1706.05587) and v3+ (arXiv 1802.02611): filters of several reaches, side by side."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from tenth.errors import ConfigurationError
from tenth.segmentation.networks.base import ScaledLogits, SegmentationNetwork
from tenth.segmentation.networks.depthwise import DepthwiseConv2d
from tenth.segmentation.networks.encoder import build_encoder
from tenth.segmentation.networks.registry import NETWORKS

# Rates of the dilated filters, by output stride: doubled where the map is twice as fine.
RATES = {8: (12, 24, 36), 16: (6, 12, 18)}
_CHANNELS = 256
_LOW_CHANNELS = 48
# The papers are silent; the authors' release (github.com/tensorflow/models, research/deeplab) drops a tenth.
_DROPOUT = 0.1


def _resize(x: Tensor, size: torch.Size) -> Tensor:
    """Return `x` (N, C, h, w) resized bilinearly to the (…, H, W) of `size`."""
    return F.interpolate(x, size=tuple(size[-2:]), mode="bilinear", align_corners=False)


def _normalised(convolution: nn.Conv2d) -> list[nn.Module]:
    return [convolution, nn.BatchNorm2d(convolution.out_channels), nn.ReLU(inplace=True)]


def _pointwise(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(*_normalised(nn.Conv2d(inputs, outputs, 1, bias=False)))


def _filter(inputs: int, dilation: int, *, separable: bool) -> nn.Sequential:
    """Return a 3×3 convolution to 256 channels; a separable one filters each channel, then mixes them."""
    if not separable:
        plain = nn.Conv2d(inputs, _CHANNELS, 3, 1, dilation, dilation=dilation, bias=False)
        return nn.Sequential(*_normalised(plain))
    depthwise = DepthwiseConv2d(inputs, 3, 1, dilation)
    return nn.Sequential(*_normalised(depthwise), *_pointwise(inputs, _CHANNELS))


class AtrousSpatialPyramidPooling(nn.Module):
    """A 1×1 convolution, three dilated 3×3 ones and the image's mean, side by side, then mixed.

    Parameters
    ----------
    inputs : int
        Channels of its input.
    rates : tuple of int
        Dilations of the three.
    separable : bool
        Make them depthwise separable, as v3+ does.
    """

    def __init__(self, inputs: int, rates: tuple[int, int, int], *, separable: bool) -> None:
        super().__init__()
        self.point = _pointwise(inputs, _CHANNELS)
        self.atrous = nn.ModuleList(_filter(inputs, rate, separable=separable) for rate in rates)
        self.image = _pointwise(inputs, _CHANNELS)
        self.project = _pointwise((len(rates) + 2) * _CHANNELS, _CHANNELS)
        self.dropout = nn.Dropout(_DROPOUT)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, 256, h, w) from (N, inputs, h, w)."""
        image = self.image(x.mean((2, 3), keepdim=True)).expand(-1, -1, *x.shape[-2:])
        branches = [self.point(x), *(branch(x) for branch in self.atrous), image]
        y: Tensor = self.dropout(self.project(torch.cat(branches, 1)))
        return y


@NETWORKS.register("deeplabv3")
class DeepLabV3(SegmentationNetwork):
    """DeepLabv3 on an encoder (arXiv 1706.05587).

    As in the paper, the logits are enlarged to the image before they are compared with the labels. Its
    multi-grid is left out, as v3+ does: so pretrained weights compute what they did, and between.

    Parameters
    ----------
    classes : int
        Number of classes C.
    encoder : str, optional
        ``"resnet50"``, ``"resnet18"``, ``"mobilenetv3-large"``, ``"efficientnet-lite0"`` or one that a
        package added.
    width : float, optional
        Multiplier of the encoder's channels.
    weights : str, optional
        Where the encoder starts: ``"imagenet"``, a path or a URL; random by default.
    weights_sha256 : str, optional
        SHA-256 of that file; required with a URL.
    output_stride : int, optional
        16, the paper's for training, or 8: a map twice as fine at about four times the computing.

    Raises
    ------
    ConfigurationError, DataError
        When `output_stride` is neither; see `tenth.segmentation.networks.encoder.build_encoder`.
    """

    separable = False

    def __init__(
        self,
        classes: int,
        encoder: str = "resnet50",
        width: float = 1.0,
        weights: str | None = None,
        weights_sha256: str | None = None,
        output_stride: int = 16,
    ) -> None:
        super().__init__(classes)
        if output_stride not in RATES:
            raise ConfigurationError(
                f"output_stride = {output_stride} is none that DeepLab has rates for; give 8 or 16."
            )
        self.encoder = build_encoder(encoder, width, weights, weights_sha256, output_stride=output_stride)
        self.mean, self.std = self.encoder.mean, self.encoder.std
        self.pyramid = AtrousSpatialPyramidPooling(
            self.encoder.deep_channels, RATES[output_stride], separable=self.separable
        )
        self._build_decoder()
        self.classifier = nn.Conv2d(_CHANNELS, classes, 1)
        self._initialise()

    def _build_decoder(self) -> None:
        """Add what is between the pyramid and the classifier: here, nothing."""

    def _initialise(self) -> None:
        for name, module in self.named_modules():
            if isinstance(module, nn.Conv2d) and not name.startswith("encoder."):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        # Near zero, so that training starts from even odds.
        nn.init.normal_(self.classifier.weight, std=0.01)
        bias = self.classifier.bias
        if bias is not None:
            nn.init.zeros_(bias)

    def _features(self, x: Tensor) -> Tensor:
        """Return what is classified, (N, 256, h, w)."""
        y: Tensor = self.pyramid(self.encoder.deep(self.encoder.middle(x)))
        return y

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (N, C, H, W) of normalised images (N, 3, H, W)."""
        return _resize(self.classifier(self._features(x)), x.shape)

    def training_outputs(self, x: Tensor) -> list[ScaledLogits]:
        """Return the logits at full size, as `forward`; there is no auxiliary loss.

        Raises
        ------
        ConfigurationError
            When there is one image only: the batch normalisation of the images' means needs two.
        """
        if self.training and len(x) < 2:
            raise ConfigurationError(
                "DeepLab cannot train on a batch of one image, whose mean would be normalised to zero; set "
                "batch_size to 2 or more."
            )
        return [ScaledLogits(1.0, self(x))]


@NETWORKS.register("deeplabv3plus")
class DeepLabV3Plus(DeepLabV3):
    """DeepLabv3+ on an encoder: v3 with separable filters and a decoder (arXiv 1802.02611).

    Its decoder narrows the encoder's features of stride 4 to 48 channels, puts the enlarged pyramid beside
    them and filters both twice.

    Parameters
    ----------
    classes, encoder, width, weights, weights_sha256, output_stride
        As `DeepLabV3`.

    Raises
    ------
    ConfigurationError, DataError
        As `DeepLabV3`.
    """

    separable = True

    def _build_decoder(self) -> None:
        self.low = _pointwise(self.encoder.shallow_channels, _LOW_CHANNELS)
        self.refine = nn.Sequential(
            _filter(_CHANNELS + _LOW_CHANNELS, 1, separable=True), _filter(_CHANNELS, 1, separable=True)
        )

    def _features(self, x: Tensor) -> Tensor:
        """Return what is classified, (N, 256, ⌈H/4⌉, ⌈W/4⌉)."""
        shallow = self.encoder.shallow(x)
        pyramid = self.pyramid(self.encoder.deep(self.encoder.to_middle(shallow)))
        low = self.low(shallow)
        y: Tensor = self.refine(torch.cat([_resize(pyramid, low.shape), low], 1))
        return y
