"""The part of ESPNetv2 that looks: maps at a half to a sixteenth of the image (arXiv 1811.11431, table 1)."""

from __future__ import annotations

from torch import Tensor, nn

from tenth.errors import ConfigurationError
from tenth.segmentation.networks.espnetv2_eesp import EESP, StridedEESP, convolution, half


def channels_at(scale: float) -> tuple[int, int, int, int]:
    """Return the channels at 1/2, 1/4, 1/8 and 1/16 of the image.

    Raises
    ------
    ConfigurationError
        When they cannot be split among the branches of a unit.
    """
    if scale != 0.5 and not (1 <= scale <= 4 and (4 * scale).is_integer()):
        raise ConfigurationError(
            f"scale = {scale} gives channels that the branches cannot share; use 0.5, 1.0, 1.25, 1.5, 2.0 "
            "(the paper's) or another multiple of 0.25 from 1 to 4."
        )
    return round(min(32 * scale, 32)), round(64 * scale), round(128 * scale), round(256 * scale)


class ESPNetv2Encoder(nn.Module):
    """Four maps of an image, each half the size of the one before.

    Parameters
    ----------
    scale : float
        What the paper's base channels (64, 128, 256) are multiplied with.

    Attributes
    ----------
    channels : tuple of int
        Of the four maps.

    Raises
    ------
    ConfigurationError
        See `channels_at`.
    """

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.channels = channels_at(scale)
        c2, c4, c8, c16 = self.channels
        self.stem = convolution(3, c2, 3, stride=2)
        self.down4 = StridedEESP(c2, c4, receptive_field=13)
        self.down8 = StridedEESP(c4, c8, receptive_field=11)
        self.units8 = nn.Sequential(*(EESP(c8, c8, receptive_field=9) for _ in range(3)))
        self.down16 = StridedEESP(c8, c16, receptive_field=9)
        self.units16 = nn.Sequential(*(EESP(c16, c16, receptive_field=7) for _ in range(7)))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return maps at 1/2, 1/4, 1/8 and 1/16 (rounded up) of normalised images (N, 3, H, W)."""
        quarter = half(half(image))
        eighth = half(quarter)
        x2 = self.stem(image)
        x4 = self.down4(x2, quarter)
        x8 = self.units8(self.down8(x4, eighth))
        x16 = self.units16(self.down16(x8, half(eighth)))
        return x2, x4, x8, x16
