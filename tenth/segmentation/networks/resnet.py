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

    Its last two stages keep the stride of 8 and dilate by 2 and 4 instead, as ICNet's do.

    Parameters
    ----------
    width : float, optional
        Multiplier of all channels; torchvision's weights fit at 1.
    dilated : bool, optional
        ``False`` keeps the strides: the classification network's own features, at a 32nd.
    """

    block: ClassVar[type[BasicBlock] | type[Bottleneck]]
    depths: ClassVar[tuple[int, int, int, int]]

    def __init__(self, width: float = 1.0, *, dilated: bool = True) -> None:
        super().__init__(width)
        planes = scaled(64, width)
        self.conv1 = nn.Conv2d(3, planes, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.layer1 = self._stage(planes, planes, self.depths[0], 1, (1, 1))
        expanded = planes * self.block.expansion
        self.layer2 = self._stage(expanded, 2 * planes, self.depths[1], 2, (1, 1))
        stride = 1 if dilated else 2
        self.layer3 = self._stage(
            2 * expanded, 4 * planes, self.depths[2], stride, (1, 2) if dilated else (1, 1)
        )
        self.layer4 = self._stage(
            4 * expanded, 8 * planes, self.depths[3], stride, (2, 4) if dilated else (1, 1)
        )
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

    def middle(self, x: Tensor) -> Tensor:
        """Return (N, middle_channels, ⌈H/8⌉, ⌈W/8⌉): through the second stage's first block."""
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        x = self.layer1(F.max_pool2d(x, 3, 2, 1))
        y: Tensor = self.layer2[0](x)
        return y

    def deep(self, x: Tensor) -> Tensor:
        """Return (N, deep_channels, h, w) from the rest of the second stage and the last two."""
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
