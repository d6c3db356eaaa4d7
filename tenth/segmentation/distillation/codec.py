"""Distributions over classes in a few bits a pixel, with a bound on what is lost.

Let p be a pixel's distribution and r = √p, a point on the unit sphere. To second order KL(p ‖ p′) is
2 Σ (r − r′)²: in r the divergence is squared error, whatever the probabilities, so what is known about coding
pictures holds as it is. Networks make soft labels at an eighth or a quarter of the image's resolution, hence:

1. r is cosine-transformed in blocks of 16×16, class by class;
2. the coefficients are divided by a step and rounded, a little towards zero;
3. what is left goes through zlib, low and high bytes apart, one frequency of one class after the other.

Where r′ comes back near or below zero it is raised to a floor, the root of the mean probability of all such
places, and p′ = r′² is divided by its sum. Pixels in which the largest p′ is not, or just barely, that of p
are listed with the class it has to be.

The encoder decodes what it wrote and compares. While the mean KL of the image is above 1e-3 nats or its
99.9th percentile above 0.05, it starts again with half the step; five halvings are enough for any input (with
the finest step no coefficient is off by more than 4e-4, so Σ (r − r′)² averages less than 255 · 1.6e-7).
Those of ESPNetv2 on CamVid pass with the first: 1.6 to 2.4 % of the float16 form at temperatures of 1 to 5,
with a mean KL of 1.4e-4 to 2.2e-4 (`benchmarks/soft_labels.py`).
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tenth.errors import DataError
from tenth.segmentation.distillation.blocks import blocks_over, to_frequencies, to_maps
from tenth.segmentation.distillation.divergence import kl_divergence

MEAN_KL = 1e-3
"""Nats; the largest mean KL(exact ‖ stored) of an image."""
TAIL_KL = 0.05
"""Nats; the largest 99.9th percentile of it."""

STEPS = tuple(0.02 / 2**halvings for halvings in range(6))
"""Of the quantiser; the finest keeps all coefficients (up to 16 / step) within 16 bits."""
ROUND_UP_FROM = 0.6  # 0.5 would be plain rounding: 10 % more bytes for 10 % less divergence
CLEAR = 1e-3  # relative lead of the largest probability below which the class is listed
LEAST_ROOT = 1e-6
LARGEST_CLASSES = 255

_HEADER = struct.Struct("<HIIBBffII")


@dataclass(frozen=True)
class _Coded:
    """Quantised coefficients and what is needed to decode them."""

    size: tuple[int, ...]
    step: float
    floor: float
    levels: NDArray[np.int16]


def encode(probabilities: NDArray[np.float32]) -> bytes:
    """Encode the class probabilities of an image.

    Parameters
    ----------
    probabilities : ndarray
        (C, H, W) float32 in 0..1, summing to 1 over the classes within 1e-3; C in 2..255.

    Returns
    -------
    bytes
        For `decode`. The mean over the pixels of KL(exact ‖ decoded) is at most 1e-3 nats, its 99.9th
        percentile at most 0.05, and each pixel's argmax (the first, of several) is the exact one.

    Raises
    ------
    DataError
        When `probabilities` is something else.
    """
    _check(probabilities)
    roots = np.sqrt(probabilities)
    frequencies = to_frequencies(roots)
    for step in STEPS:
        coded = _quantise(probabilities, frequencies, step)
        stored = _distribution(coded)
        labels = _unclear(probabilities, stored)
        _enforce(stored, labels)
        divergence = kl_divergence(probabilities, stored)
        if divergence.mean() <= MEAN_KL and np.quantile(divergence, 0.999) <= TAIL_KL:
            break
    return _pack(coded, labels)


def decode(data: bytes | memoryview) -> NDArray[np.float32]:
    """Return the probabilities (C, H, W) float32 in what `encode` returned.

    They are above 0 and sum to 1 over the classes within 1e-5. No check is made that `data` is whole; whoever
    keeps it, keeps a checksum.
    """
    coded, labels = _unpack(memoryview(data))
    probabilities = _distribution(coded)
    _enforce(probabilities, labels)
    return probabilities


def _check(probabilities: NDArray[np.float32]) -> None:
    shape = probabilities.shape
    if probabilities.dtype != np.float32 or len(shape) != 3 or not 2 <= shape[0] <= LARGEST_CLASSES:
        raise DataError(
            f"Probabilities of shape {shape} and type {probabilities.dtype} cannot be stored; they have to "
            f"be (classes, height, width) float32 with 2 to {LARGEST_CLASSES} classes."
        )
    if not probabilities.size:
        raise DataError(f"Probabilities of shape {shape} have no pixel; there is nothing to store.")
    sums = probabilities.sum(0)
    # Written so that NaN fails too.
    if not (probabilities.min() >= 0 and sums.min() > 0.999 and sums.max() < 1.001):
        raise DataError(
            f"Probabilities from {probabilities.min()} to {probabilities.max()}, summing to {sums.min()} to "
            f"{sums.max()} over the classes, are no distributions; give a softmax or a mean of such."
        )


def _quantise(exact: NDArray[np.float32], frequencies: NDArray[np.float32], step: float) -> _Coded:
    scaled = frequencies / np.float32(step)
    levels = np.trunc(scaled + np.copysign(np.float32(1 - ROUND_UP_FROM), scaled)).astype(np.int16)
    # Most images need no fine detail: the highest frequencies are left away where nothing has them.
    vertical = int(np.flatnonzero(levels.any((1, 2, 3, 4))).max(initial=0)) + 1
    horizontal = int(np.flatnonzero(levels.any((0, 2, 3, 4))).max(initial=0)) + 1
    levels = np.ascontiguousarray(levels[:vertical, :horizontal])
    coded = _Coded(exact.shape[1:], step, LEAST_ROOT, levels)
    low = exact[_roots(coded) < step / 4]
    # Of all constants, the mean of the exact values has the smallest divergence from them.
    floor = max(LEAST_ROOT, float(np.sqrt(low.mean(dtype=np.float64)))) if low.size else LEAST_ROOT
    return _Coded(coded.size, step, floor, levels)


def _roots(coded: _Coded) -> NDArray[np.float32]:
    return to_maps(coded.levels.astype(np.float32) * np.float32(coded.step), *coded.size)


def _distribution(coded: _Coded) -> NDArray[np.float32]:
    roots = np.maximum(_roots(coded), np.float32(coded.floor))
    roots *= roots
    roots /= roots.sum(0)
    return roots


def _unclear(exact: NDArray[np.float32], stored: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return, (H, W) uint8, 1 + the exact argmax where the stored one differs or might, 0 elsewhere.

    Might: another library's rounding must not change which of two nearly equal classes comes out.
    """
    winner = exact.argmax(0)[None]
    mine = np.take_along_axis(stored, winner, 0)[0]
    others = stored.copy()
    np.put_along_axis(others, winner, 0, 0)
    listed = others.max(0) > mine * np.float32(1 - CLEAR)
    return np.where(listed, winner[0] + 1, 0).astype(np.uint8)


def _enforce(stored: NDArray[np.float32], labels: NDArray[np.uint8]) -> None:
    """Make the listed class the most probable: it changes places with the one that is."""
    rows, columns = np.nonzero(labels)
    classes = labels[rows, columns].astype(np.intp) - 1
    pixels = stored[:, rows, columns]
    here = np.arange(len(classes))
    largest = pixels.argmax(0)
    peak = pixels[largest, here]
    pixels[largest, here] = pixels[classes, here]
    pixels[classes, here] = peak * np.float32(1 + CLEAR)
    stored[:, rows, columns] = pixels / pixels.sum(0)


def _pack(coded: _Coded, labels: NDArray[np.uint8]) -> bytes:
    # Small numbers of either sign as small ones without: 0, -1, 1, -2 … become 0, 1, 2, 3 …
    signless = ((coded.levels << 1) ^ (coded.levels >> 15)).view(np.uint16)
    vertical, horizontal, classes = signless.shape[:3]
    low = _deflated((signless & 255).astype(np.uint8))
    high = _deflated((signless >> 8).astype(np.uint8))
    header = _HEADER.pack(
        classes, *coded.size, vertical, horizontal, coded.step, coded.floor, len(low), len(high)
    )
    return header + low + high + _deflated(labels)


def _unpack(data: memoryview) -> tuple[_Coded, NDArray[np.uint8]]:
    classes, height, width, vertical, horizontal, step, floor, low, high = _HEADER.unpack_from(data)
    start = _HEADER.size
    shape = (vertical, horizontal, classes, *blocks_over(height, width))
    parts = (data[start : start + low], data[start + low : start + low + high])
    small, large = (np.frombuffer(zlib.decompress(part), np.uint8) for part in parts)
    signless = large.astype(np.uint16) << 8 | small
    # 0 - 1 wraps around to all bits set, which turns the magnitude into the negative number.
    levels = ((signless >> 1) ^ (0 - (signless & 1))).view(np.int16).reshape(shape)
    labels = np.frombuffer(zlib.decompress(data[start + low + high :]), np.uint8).reshape(height, width)
    return _Coded((height, width), step, floor, levels), labels


def _deflated(values: NDArray[np.uint8]) -> bytes:
    # Runs of zeros and rare others: matching longer strings would take twice the time for more bytes.
    compressor = zlib.compressobj(6, strategy=zlib.Z_RLE)
    return compressor.compress(values.tobytes()) + compressor.flush()
