"""Depthwise convolutions whose gradients are quick on the CPU.

oneDNN's backward kernels for depthwise convolutions fall back to slow references where they are dilated, or
strided in bfloat16: 4 to 20 times the time of what is below, and half of an EfficientNet's training step. The
gradients here are the same sums in another order.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812


def depthwise_convolution(x: Tensor, weight: Tensor, stride: int, dilation: int) -> Tensor:
    """Filter each channel on its own, for training on the CPU.

    Parameters
    ----------
    x : Tensor
        (N, C, H, W); channels_last is the quick layout.
    weight : Tensor
        (C, 1, k, k), k odd.
    stride, dilation : int
        One of them is 1. At stride 1 zeros are added so that the size stays; otherwise `x` comes padded.

    Returns
    -------
    Tensor
        (N, C, h, w), as ``F.conv2d`` with ``groups=C`` returns it.
    """
    result: Tensor = _DepthwiseConvolution.apply(x, weight, stride, dilation)  # type: ignore[no-untyped-call]
    return result


class DepthwiseConv2d(nn.Conv2d):
    """A filter for each channel, without bias; zeros around the map.

    Parameters
    ----------
    channels : int
        In and out.
    kernel : int
        Odd.
    stride, dilation : int
        One of them is 1.
    """

    def __init__(self, channels: int, kernel: int, stride: int, dilation: int) -> None:
        padding = dilation * (kernel // 2)
        super().__init__(
            channels, channels, kernel, stride, padding, dilation=dilation, groups=channels, bias=False
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, channels, ⌈H/stride⌉, ⌈W/stride⌉)."""
        if not self.training or x.device.type != "cpu":
            return super().forward(x)
        stride = self.stride[0]
        if stride > 1:
            x = F.pad(x, (self.kernel_size[0] // 2,) * 4)
        return depthwise_convolution(x, self.weight, stride, self.dilation[0])


class _DepthwiseConvolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int, dilation: int) -> Tensor:
        """Return (N, C, h, w)."""
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.dilation = stride, dilation
        padding = dilation * (weight.shape[-1] // 2) if stride == 1 else 0
        return F.conv2d(x, weight, None, stride, padding, dilation, weight.shape[0])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        """Return the gradients of `x` and `weight`."""
        x, weight = ctx.saved_tensors
        with torch.autocast("cpu", enabled=False):
            if ctx.stride > 1:
                dx, dw = _native(gradients[0], x, weight, ctx.stride, (ctx.needs_input_grad[0], True))
            else:
                dx = _input_gradient(gradients[0], weight, ctx.dilation) if ctx.needs_input_grad[0] else None
                if ctx.dilation == 1:
                    _, dw = _native(gradients[0], x, weight, 1, (False, True))
                else:
                    dw = _weight_gradient(gradients[0], x, weight.shape[-1], ctx.dilation)
        return (None if dx is None else dx.to(x.dtype)), dw.to(weight.dtype), None, None


def _native(
    gradient: Tensor, x: Tensor, weight: Tensor, stride: int, wanted: tuple[bool, bool]
) -> tuple[Tensor | None, Tensor]:
    """Return PyTorch's own gradients of an undilated convolution, in float32, where oneDNN is quick."""
    padding = weight.shape[-1] // 2 if stride == 1 else 0
    dx, dw, _ = torch.ops.aten.convolution_backward(
        gradient.float(), x.float(), weight.float(), None, [stride] * 2, [padding] * 2, [1, 1], False, [0, 0],
        weight.shape[0], [*wanted, False],
    )  # fmt: skip
    return dx, dw


def _input_gradient(gradient: Tensor, weight: Tensor, dilation: int) -> Tensor:
    """Return the gradient of the input: the gradient convolved with the mirrored kernel."""
    padding = dilation * (weight.shape[-1] // 2)
    mirrored = weight.flip(2, 3).to(gradient.dtype)
    return F.conv2d(gradient, mirrored, None, 1, padding, dilation, weight.shape[0])


def _weight_gradient(gradient: Tensor, x: Tensor, kernel: int, dilation: int) -> Tensor:
    """Return the gradient of the kernel, (C, 1, k, k) float32.

    One product and sum for each tap, over the positions where it falls inside the map only: on the small maps
    that dilation is used on, most taps mostly see padding.
    """
    height, width = x.shape[-2:]
    x, gradient = x.float().permute(0, 2, 3, 1), gradient.float().permute(0, 2, 3, 1)
    result = x.new_zeros(x.shape[-1], 1, kernel, kernel)
    reach = [(tap - kernel // 2) * dilation for tap in range(kernel)]
    for row, dy in enumerate(reach):
        for column, dx in enumerate(reach):
            if abs(dy) >= height or abs(dx) >= width:
                continue
            seen = x[:, max(dy, 0) : height + min(dy, 0), max(dx, 0) : width + min(dx, 0)]
            at = gradient[:, max(-dy, 0) : height - max(dy, 0), max(-dx, 0) : width - max(dx, 0)]
            result[:, 0, row, column] = (seen * at).sum((0, 1, 2))
    return result
