"""Where networks run and with how many bits, and how pixels get there."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tenth.errors import ConfigurationError
from tenth.segmentation.networks import SegmentationNetwork

Precision = Literal["auto", "f32", "bf16"]


def resolve_device(name: str) -> torch.device:
    """Return the device called `name`; ``"auto"`` is the first CUDA device, or the CPU where there is none.

    Raises
    ------
    ConfigurationError
        When `name` is no device of this machine.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigurationError(
            f"The device '{name}' cannot be used ({reason}). "
            "Write 'auto', 'cpu' or, with an NVIDIA GPU, 'cuda'."
        ) from error
    return device


def check_precision(name: str) -> None:
    """Refuse what is no precision.

    Raises
    ------
    ConfigurationError
        When `name` is none of ``auto``, ``f32`` and ``bf16``.
    """
    if name not in ("auto", "f32", "bf16"):
        raise ConfigurationError(f"The precision '{name}' is unknown. Write 'auto', 'f32' or 'bf16'.")


def prefers_bf16(device: torch.device) -> bool:
    """Say whether `device` computes in bfloat16 faster than in float32, rather than emulating it."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return device.type == "cpu" and bool({"avx512_bf16", "amx_bf16"} & _cpu_flags())


def _cpu_flags() -> set[str]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:  # not Linux
        return set()
    flags = next((line for line in text.splitlines() if line.startswith("flags")), "")
    return set(flags.split())


def autocast(device: torch.device, *, bf16: bool) -> torch.autocast:
    """Return a context in which convolutions and matrix products run in bfloat16 when `bf16` holds."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=bf16)


def to_input(images: NDArray[np.uint8], network: SegmentationNetwork, device: torch.device) -> Tensor:
    """Bring images to `device` and normalise them as `network` wants.

    Parameters
    ----------
    images : ndarray
        (N, H, W, 3) uint8 RGB.

    Returns
    -------
    Tensor
        (N, 3, H, W) float32. It keeps the channels last in memory, which alone makes the convolutions of the
        whole network do so; the weights need no change.
    """
    mean = torch.tensor(network.mean, dtype=torch.float32, device=device)
    std = torch.tensor(network.std, dtype=torch.float32, device=device)
    pixels = torch.from_numpy(np.ascontiguousarray(images)).to(device).to(torch.float32)
    return ((pixels / 255 - mean) / std).permute(0, 3, 1, 2)
