"""MobileNetV3-Large encoder (arXiv 1905.02244) whose state dict has torchvision's keys."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from tenth.segmentation.networks.depthwise import DepthwiseConv2d
from tenth.segmentation.networks.encoder import ENCODERS, Encoder, scaled


@dataclass(frozen=True)
class _Row:
    """A row of the paper's table 1: a block's kernel, expanded and resulting channels, and its kind."""

    kernel: int
    expanded: int
    channels: int
    squeeze: bool
    hard_swish: bool
    stride: int


_ROWS = (
    _Row(3, 16, 16, False, False, 1),
    _Row(3, 64, 24, False, False, 2),
    _Row(3, 72, 24, False, False, 1),
    _Row(5, 72, 40, True, False, 2),
    _Row(5, 120, 40, True, False, 1),
    _Row(5, 120, 40, True, False, 1),
    _Row(3, 240, 80, False, True, 2),
    _Row(3, 200, 80, False, True, 1),
    _Row(3, 184, 80, False, True, 1),
    _Row(3, 184, 80, False, True, 1),
    _Row(3, 480, 112, True, True, 1),
    _Row(3, 672, 112, True, True, 1),
    _Row(5, 672, 160, True, True, 2),
    _Row(5, 960, 160, True, True, 1),
    _Row(5, 960, 160, True, True, 1),
)
_LAST = 960
# Of `features`, whose first is the stem: the last block of stride 4, and the first of stride 8.
_SHALLOW_END = 4
_MIDDLE_END = 5


def squeezed(channels: int) -> int:
    """Return how many channels squeeze-and-excitation narrows `channels` to.

    A quarter, rounded to a multiple of 8 but not down by more than a tenth, as in the authors' code.
    """
    quarter = channels // 4
    rounded = max(8, (quarter + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * quarter else rounded + 8


class SqueezeExcitation(nn.Module):
    """Scale each channel by what two small layers make of all channels' means.

    Parameters
    ----------
    channels : int
        Channels of its input and output.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, squeezed(channels), 1)
        self.fc2 = nn.Conv2d(squeezed(channels), channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, channels, H, W)."""
        scale = F.relu(self.fc1(x.mean((2, 3), keepdim=True)), inplace=True)
        return x * F.hardsigmoid(self.fc2(scale))


def _unit(convolution: nn.Conv2d, activation: nn.Module | None) -> nn.Sequential:
    norm = nn.BatchNorm2d(convolution.out_channels, eps=1e-3, momentum=0.01)
    return nn.Sequential(convolution, norm, *([] if activation is None else [activation]))


def _pointwise(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 1, bias=False)


class InvertedResidual(nn.Module):
    """Expand by 1×1, filter each channel on its own, weigh the channels, project by 1×1.

    Parameters
    ----------
    inputs, expanded, outputs : int
        Channels that come in, in between and out.
    row : _Row
        The rest of what the block is; its own channels are those at width 1.
    stride, dilation : int
        Of the depthwise convolution.
    """

    def __init__(
        self, inputs: int, expanded: int, outputs: int, row: _Row, *, stride: int, dilation: int
    ) -> None:
        super().__init__()

        def activation() -> nn.Module:
            return nn.Hardswish(inplace=True) if row.hard_swish else nn.ReLU(inplace=True)

        layers: list[nn.Module] = []
        if row is not _ROWS[0]:  # which has nothing to expand, at any width
            layers.append(_unit(_pointwise(inputs, expanded), activation()))
        layers.append(_unit(DepthwiseConv2d(expanded, row.kernel, stride, dilation), activation()))
        if row.squeeze:
            layers.append(SqueezeExcitation(expanded))
        layers.append(_unit(_pointwise(expanded, outputs), None))
        self.block = nn.Sequential(*layers)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, outputs, ⌈H/stride⌉, ⌈W/stride⌉)."""
        y: Tensor = self.block(x)
        return x + y if self.residual else y


@ENCODERS.register("mobilenetv3-large")
class MobileNetV3Large(Encoder):
    """MobileNetV3-Large up to the last convolution before its mean.

    Parameters
    ----------
    width : float, optional
        Multiplier of all channels; torchvision's weights fit at 1.
    output_stride : int, optional
        See `Encoder`.

    Raises
    ------
    ConfigurationError
        See `Encoder`.
    """

    def __init__(self, width: float = 1.0, *, output_stride: int = 8) -> None:
        super().__init__(width, output_stride)
        channels = scaled(16, width)
        stem = nn.Conv2d(3, channels, 3, 2, 1, bias=False)
        features: list[nn.Module] = [_unit(stem, nn.Hardswish(inplace=True))]
        reached, spread = 2, 1
        for row in _ROWS:
            stride, dilation = row.stride, spread
            if stride > 1 and reached == output_stride:
                # This block still sees the old grid; only what follows has to be spread.
                stride, spread = 1, 2 * spread
            reached *= stride
            expanded = scaled(row.expanded, width)
            outputs = scaled(row.channels, width)
            features.append(
                InvertedResidual(channels, expanded, outputs, row, stride=stride, dilation=dilation)
            )
            channels = outputs
        self.deep_channels = scaled(_LAST, width)
        features.append(_unit(_pointwise(channels, self.deep_channels), nn.Hardswish(inplace=True)))
        self.features = nn.Sequential(*features)
        self.shallow_channels = scaled(24, width)
        self.middle_channels = scaled(40, width)
        self._initialise()

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def shallow(self, x: Tensor) -> Tensor:
        """Return (N, shallow_channels, ⌈H/4⌉, ⌈W/4⌉): everything through the last block of stride 4."""
        y: Tensor = self.features[:_SHALLOW_END](x)
        return y

    def to_middle(self, x: Tensor) -> Tensor:
        """Return (N, middle_channels, ⌈h/2⌉, ⌈w/2⌉) from the first block of stride 8."""
        y: Tensor = self.features[_SHALLOW_END:_MIDDLE_END](x)
        return y

    def deep(self, x: Tensor) -> Tensor:
        """Return (N, deep_channels, ⌈8h/s⌉, ⌈8w/s⌉) from the blocks that follow."""
        y: Tensor = self.features[_MIDDLE_END:](x)
        return y

    @classmethod
    def rename(cls, key: str) -> str | None:
        """Leave torchvision's classifier out."""
        return None if key.startswith("classifier.") else key

    @classmethod
    def imagenet_weights(cls) -> tuple[str, str]:
        """Return torchvision's MobileNet_V3_Large_Weights.IMAGENET1K_V1."""
        return (
            "https://download.pytorch.org/models/mobilenet_v3_large-8738ca79.pth",
            "8738ca797c879b547d18bbd15da5736ff2557b2036a9af72225393ca61759a04",
        )
