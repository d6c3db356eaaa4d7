"""Textures: seamless noise, and stripes without moiré."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from tenth.segmentation.scenes.camera import Floats

_SIZE = 512


@lru_cache(maxsize=4)
def tile(roughness: float) -> Floats:
    """Return seamless noise, (512, 512) float32 with mean 0 and deviation 1; the same at every call.

    Parameters
    ----------
    roughness : float
        Exponent of the amplitude over frequency: 0.4 is grain, 1 leaves and stone, 1.7 clouds.
    """
    rng = np.random.default_rng(20)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(_SIZE), np.fft.fftfreq(_SIZE)))
    frequency[0, 0] = np.inf
    spectrum = np.fft.fft2(rng.standard_normal((_SIZE, _SIZE))) * frequency**-roughness
    noise = np.fft.ifft2(spectrum).real
    unit: Floats = (noise / noise.std()).astype(np.float32)
    return unit


def patch(rng: np.random.Generator, height: int, width: int, roughness: float, step: float = 1.0) -> Floats:
    """Cut a random piece (height, width) out of the noise, every `step`-th value of it."""
    y0, x0 = rng.integers(_SIZE, size=2)
    rows = (y0 + np.arange(height) * step).astype(int) % _SIZE
    columns = (x0 + np.arange(width) * step).astype(int) % _SIZE
    cut: Floats = tile(roughness)[rows[:, None], columns]
    return cut


def sample(x: Floats, y: Floats, roughness: float, offset: tuple[float, float] = (0.0, 0.0)) -> Floats:
    """Look the noise up at places (x, y) in its own pixels, wrapping around."""
    return cv2.remap(
        tile(roughness),
        ((x + offset[0]) % (_SIZE - 1)).astype(np.float32),
        ((y + offset[1]) % (_SIZE - 1)).astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_WRAP,
    ).astype(np.float32)


def stripes(position: Floats, period: float, start: float, width: float, footprint: Floats | float) -> Floats:
    """Share of each pixel that lies on stripes.

    Stripes of `width` begin at ``start + k * period``; a pixel spans `footprint` around `position`. The mean
    over the pixel is exact, so far stripes become an even tone and not a moiré.
    """
    half = np.asarray(footprint, np.float32) / 2

    def before(x: Floats) -> Floats:
        turns, rest = np.divmod(x - start, period)
        covered: Floats = turns * width + np.minimum(rest, width)
        return covered

    share: Floats = (before(position + half) - before(position - half)) / (2 * half)
    return share
