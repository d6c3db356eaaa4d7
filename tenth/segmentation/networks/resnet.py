"""ResNet encoders (arXiv 1512.03385) whose state dict has torchvision's keys."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from tenth.segmentation.networks.encoder import ENCODERS, Encoder, scaled


def _convolution(inputs: int, outputs: int, kernel: int, stride: int = 1, dilation: int = 1) -> nn.Conv2d:
    padding = dilation * (kernel // 2)
    return nn.Conv2d(inputs, outputs, kernel, stride, padding, dilation=dilation, bias=False)


class Block(nn.Module):
    """A residual block.

    Parameters
    ----------
    inputs, planes : int
        Channels that come in, and the block's width.
    stride : int
        Of its strided convolution.
    dilation : tuple of int
        Of the strided convolution and of the 3×3 convolutions behind it. Where a stride is given up for
        dilation, the strided convolution itself still sees the old grid; only what follows has to be spread.
    """

    expansion: ClassVar[int]

    def __init__(self, inputs: int, planes: int, stride: int) -> None:
        super().__init__()
        outputs = planes * self.expansion
        self.downsample: nn.Sequential | None = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(_convolution(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))

    def shortcut(self, x: Tensor) -> Tensor:
        """Return `x` in the shape of the block's result."""
        if self.downsample is None:
            return x
        y: Tensor = self.downsample(x)
        return y


class BasicBlock(Block):
    """Two 3×3 convolutions."""

    expansion = 1

    def __init__(self, inputs: int, planes: int, stride: int, dilation: tuple[int, int]) -> None:
        super().__init__(inputs, planes, stride)
        self.conv1 = _convolution(inputs, planes, 3, stride, dilation[0])
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = _convolution(planes, planes, 3, 1, dilation[1])
        self.bn2 = nn.BatchNorm2d(planes)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, planes, h, w)."""
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = self.bn2(self.conv2(y))
        return F.relu(y + self.shortcut(x), inplace=True)


class Bottleneck(Block):
    """1×1, 3×3 and 1×1 convolutions; the stride is on the 3×3, as in torchvision."""

    expansion = 4

    def __init__(self, inputs: int, planes: int, stride: int, dilation: tuple[int, int]) -> None:
        super().__init__(inputs, planes, stride)
        self.conv1 = _convolution(inputs, planes, 1)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = _convolution(planes, planes, 3, stride, dilation[0])
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = _convolution(planes, planes * self.expansion, 1)
        self.bn3 = nn.BatchNorm2d(planes * self.expansion)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, 4 planes, h, w)."""
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = F.relu(self.bn2(self.conv2(y)), inplace=True)
        y = self.bn3(self.conv3(y))
        return F.relu(y + self.shortcut(x), inplace=True)


class ResNet(Encoder):
    """A ResNet without its classifier.

    At an output stride of 8 its last two stages dilate by 2 and 4, as ICNet's do.

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

    block: ClassVar[type[BasicBlock] | type[Bottleneck]]
    depths: ClassVar[tuple[int, int, int, int]]

    def __init__(self, width: float = 1.0, *, output_stride: int = 8) -> None:
        super().__init__(width, output_stride)
        planes = scaled(64, width)
        self.conv1 = nn.Conv2d(3, planes, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.layer1 = self._stage(planes, planes, self.depths[0], 1, (1, 1))
        expanded = planes * self.block.expansion
        self.layer2 = self._stage(expanded, 2 * planes, self.depths[1], 2, (1, 1))
        third, fourth = (2 if output_stride >= stride else 1 for stride in (16, 32))
        # Each stride that is given up doubles the dilation of what follows it.
        spread = 2 // third
        self.layer3 = self._stage(2 * expanded, 4 * planes, self.depths[2], third, (1, spread))
        dilation = (spread, spread * 2 // fourth)
        self.layer4 = self._stage(4 * expanded, 8 * planes, self.depths[3], fourth, dilation)
        self.shallow_channels = expanded
        self.middle_channels = 2 * expanded
        self.deep_channels = 8 * expanded
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def _stage(
        self, inputs: int, planes: int, depth: int, stride: int, dilation: tuple[int, int]
    ) -> nn.Sequential:
        first = self.block(inputs, planes, stride, dilation)
        outputs = planes * self.block.expansion
        spread = (dilation[1], dilation[1])
        return nn.Sequential(first, *(self.block(outputs, planes, 1, spread) for _ in range(depth - 1)))

    def shallow(self, x: Tensor) -> Tensor:
        """Return (N, shallow_channels, ⌈H/4⌉, ⌈W/4⌉): the first stage."""
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y: Tensor = self.layer1(F.max_pool2d(x, 3, 2, 1))
        return y

    def to_middle(self, x: Tensor) -> Tensor:
        """Return (N, middle_channels, ⌈h/2⌉, ⌈w/2⌉) from the second stage's first block."""
        y: Tensor = self.layer2[0](x)
        return y

    def deep(self, x: Tensor) -> Tensor:
        """Return (N, deep_channels, ⌈8h/s⌉, ⌈8w/s⌉) from the rest of the second stage and the last two."""
        for block in list(self.layer2)[1:]:
            x = block(x)
        y: Tensor = self.layer4(self.layer3(x))
        return y

    @classmethod
    def rename(cls, key: str) -> str | None:
        """Leave torchvision's classifier out."""
        return None if key in {"fc.weight", "fc.bias"} else key


@ENCODERS.register("resnet18")
class ResNet18(ResNet):
    """ResNet-18."""

    block = BasicBlock
    depths = (2, 2, 2, 2)

    @classmethod
    def imagenet_weights(cls) -> tuple[str, str]:
        """Return torchvision's ResNet18_Weights.IMAGENET1K_V1."""
        return (
            "https://download.pytorch.org/models/resnet18-f37072fd.pth",
            "f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec",
        )


@ENCODERS.register("resnet50")
class ResNet50(ResNet):
    """ResNet-50."""

    block = Bottleneck
    depths = (3, 4, 6, 3)

    @classmethod
    def imagenet_weights(cls) -> tuple[str, str]:
        """Return torchvision's ResNet50_Weights.IMAGENET1K_V1."""
        return (
            "https://download.pytorch.org/models/resnet50-0676ba61.pth",
            "0676ba61b6795bbe1773cffd859882e5e297624d384b6993f7c9e683e722fb8a",
        )
