"""Depthwise convolutions that are quick on the CPU.

oneDNN's backward kernels for depthwise convolutions fall back to slow references where they are dilated, or
strided in bfloat16: 4 to 20 times the time of what is below, and half of an EfficientNet's training step. The
gradients here are the same sums in another order. Its kernels fall back in both directions where taps of a
dilated filter reach beyond the map from every position; those, which see padding alone, are left out.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812


def depthwise_convolution(x: Tensor, weight: Tensor, stride: int, dilation: int) -> Tensor:
    """Filter each channel on its own, on the CPU.

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
    if dilation > 1:
        weight = _taps_in_reach(weight, dilation, (x.shape[-2], x.shape[-1]))
    if not torch.is_grad_enabled():
        return _convolve(x, weight, stride, dilation)
    result: Tensor = _DepthwiseConvolution.apply(x, weight, stride, dilation)  # type: ignore[no-untyped-call]
    return result


def quick_on(x: Tensor) -> bool:
    """Say whether `depthwise_convolution` is the way to filter `x`: on the CPU, but for what is exported."""
    return x.device.type == "cpu" and not torch.compiler.is_exporting()


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
        if not quick_on(x):
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
        return _convolve(x, weight, stride, dilation)

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
                    dw = _weight_gradient(gradients[0], x, weight, ctx.dilation)
        return (None if dx is None else dx.to(x.dtype)), dw.to(weight.dtype), None, None


def _taps_in_reach(weight: Tensor, dilation: int, size: tuple[int, int]) -> Tensor:
    """Leave out the rows and columns of the filter that see nothing but padding, wherever they are laid."""
    rows, columns = (
        max(kernel // 2 - (length - 1) // dilation, 0)
        for kernel, length in zip(weight.shape[-2:], size, strict=True)
    )
    return weight[:, :, rows : weight.shape[-2] - rows, columns : weight.shape[-1] - columns]


def _paddings(weight: Tensor, stride: int, dilation: int) -> list[int]:
    return [dilation * (kernel // 2) if stride == 1 else 0 for kernel in weight.shape[-2:]]


def _convolve(x: Tensor, weight: Tensor, stride: int, dilation: int) -> Tensor:
    return F.conv2d(x, weight, None, stride, _paddings(weight, stride, dilation), dilation, weight.shape[0])


def _native(
    gradient: Tensor, x: Tensor, weight: Tensor, stride: int, wanted: tuple[bool, bool]
) -> tuple[Tensor | None, Tensor]:
    """Return PyTorch's own gradients of an undilated convolution, in float32, where oneDNN is quick."""
    padding = _paddings(weight, stride, 1)
    dx, dw, _ = torch.ops.aten.convolution_backward(
        gradient.float(), x.float(), weight.float(), None, [stride] * 2, padding, [1, 1], False, [0, 0],
        weight.shape[0], [*wanted, False],
    )  # fmt: skip
    return dx, dw


def _input_gradient(gradient: Tensor, weight: Tensor, dilation: int) -> Tensor:
    """Return the gradient of the input: the gradient convolved with the mirrored kernel."""
    return _convolve(gradient, weight.flip(2, 3).to(gradient.dtype), 1, dilation)


def _weight_gradient(gradient: Tensor, x: Tensor, weight: Tensor, dilation: int) -> Tensor:
    """Return the gradient of the kernel, like `weight` in float32.

    One product and sum for each tap, over the positions where it falls inside the map only: on the small maps
    that dilation is used on, most taps mostly see padding.
    """
    height, width = x.shape[-2:]
    x, gradient = x.float().permute(0, 2, 3, 1), gradient.float().permute(0, 2, 3, 1)
    result = torch.empty_like(weight, dtype=torch.float32)
    rows, columns = (
        [(tap - kernel // 2) * dilation for tap in range(kernel)] for kernel in weight.shape[-2:]
    )
    for row, dy in enumerate(rows):
        for column, dx in enumerate(columns):
            seen = x[:, max(dy, 0) : height + min(dy, 0), max(dx, 0) : width + min(dx, 0)]
            at = gradient[:, max(-dy, 0) : height - max(dy, 0), max(-dx, 0) : width - max(dx, 0)]
            result[:, 0, row, column] = (seen * at).sum((0, 1, 2))
    return result
