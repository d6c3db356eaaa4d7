"""SLIC superpixels (Achanta et al. 2012, doi 10.1109/TPAMI.2012.120), exactly as many as asked for.

scikit-image's SLIC returns about a fifth fewer regions than asked. Here it makes a few more than that, and
the smallest ones are merged into the neighbour of the most similar colour until the number is right.
"""

from __future__ import annotations

import heapq
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from skimage.measure import label as connected_components
from skimage.segmentation import slic as skimage_slic

from tenth.errors import ConfigurationError, DataError

_SURPLUS = 1.05  # how many more regions than asked to aim for before merging
_ATTEMPTS = 4


def slic(
    image: npt.NDArray[np.uint8],
    *,
    count: int | None = None,
    size: int | None = None,
    compactness: float = 10.0,
) -> npt.NDArray[np.int32]:
    """Divide an image into regions of similar colour.

    Parameters
    ----------
    image : (H, W, 3) uint8
        RGB.
    count : int, optional
        Number of regions, 1 to H·W. Give either this or `size`.
    size : int, optional
        Mean size of a region in pixels, ≥ 1: the count is H·W / size, at least 1.
    compactness : float, optional
        Weight of nearness against colour (CIELAB), > 0; 10 is usual, higher gives squarer regions.

    Returns
    -------
    (H, W) int32
        Region ids, 0 to n - 1, every region 4-connected. n is the count asked for; less only where regions of
        a few pixels are asked for and SLIC does not find as many.

    Raises
    ------
    ConfigurationError
        When not exactly one of `count` and `size` is given, or a value is out of its range.
    DataError
        When `image` is not uint8 RGB or has fewer pixels than regions are asked for.
    """
    wanted = _wanted_count(image, count, size)
    if not 0 < compactness < np.inf:
        raise ConfigurationError(
            f"superpixels.compactness = {compactness}: it has to be above 0; "
            "10 is usual, 1 follows the colours."
        )
    if wanted == 1:
        return np.zeros(image.shape[:2], np.int32)
    return _merge_smallest(_oversegment(image, wanted, compactness), image, wanted)


def _wanted_count(image: npt.NDArray[np.uint8], count: int | None, size: int | None) -> int:
    """Return how many regions are asked for, having checked the image and the two ways to say so."""
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise DataError(
            f"SLIC got an image of shape {image.shape} and type {image.dtype}; it needs uint8 RGB (H, W, 3)."
        )
    if (count is None) == (size is None):
        raise ConfigurationError(
            f"Superpixels need exactly one of count and size; got count = {count} and size = {size}."
        )
    for name, value in (("count", count), ("size", size)):
        if value is not None and value < 1:
            raise ConfigurationError(f"superpixels.{name} = {value}: it has to be at least 1.")
    pixels = image.shape[0] * image.shape[1]
    if size is not None:
        return max(1, round(pixels / size))
    assert count is not None  # noqa: S101 - said above; for the type checker
    if count > pixels:
        raise DataError(f"An image of {pixels} pixels cannot have {count} superpixels; ask for fewer.")
    return count


def _oversegment(image: npt.NDArray[np.uint8], wanted: int, compactness: float) -> npt.NDArray[np.int64]:
    """Return connected regions, at least `wanted` of them if some attempts reach it, else the most found."""
    best: npt.NDArray[np.int64] | None = None
    most = 0
    ask = _SURPLUS * wanted / 0.8
    for _ in range(_ATTEMPTS):
        raw = skimage_slic(image, n_segments=round(ask), compactness=compactness, start_label=0)
        regions, found = connected_components(  # type: ignore[no-untyped-call]
            raw, background=-1, connectivity=1, return_num=True
        )
        if best is None or found > most:
            best, most = regions - 1, found
        if found >= wanted:
            break
        ask *= max(1.1, _SURPLUS * wanted / found)
    assert best is not None  # noqa: S101 - there is at least one attempt
    return best


def _merge_smallest(
    regions: npt.NDArray[np.int64], image: npt.NDArray[np.uint8], wanted: int
) -> npt.NDArray[np.int32]:
    """Merge the smallest region into its neighbour of the nearest mean colour until `wanted` are left."""
    sizes = np.bincount(regions.ravel())
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB).reshape(-1, 3)
    sums = np.stack([np.bincount(regions.ravel(), weights=lab[:, c]) for c in range(3)], axis=1)
    neighbours = _neighbours(regions, len(sizes))
    target = np.arange(len(sizes))  # what each region became
    heap = [(int(size), region) for region, size in enumerate(sizes)]
    heapq.heapify(heap)
    left = len(sizes)
    while left > wanted:
        size, region = heapq.heappop(heap)
        if target[region] != region or size != sizes[region]:
            continue  # merged or grown since it was entered
        near = sorted(neighbours[region])
        distance = ((sums[near] / sizes[near, None] - sums[region] / size) ** 2).sum(axis=1)
        into = near[int(distance.argmin())]
        target[region] = into
        sizes[into] += size
        sums[into] += sums[region]
        for other in near:
            neighbours[other].discard(region)
        neighbours[into] |= neighbours[region] - {into}
        for other in neighbours[region] - {into}:
            neighbours[other].add(into)
        heapq.heappush(heap, (int(sizes[into]), into))
        left -= 1
    return _renumber(regions, target)


def _neighbours(regions: npt.NDArray[np.int64], count: int) -> list[set[int]]:
    """Return which regions touch each region along an edge."""
    pairs = np.concatenate(
        [
            np.stack([regions[:, :-1].ravel(), regions[:, 1:].ravel()]),
            np.stack([regions[:-1].ravel(), regions[1:].ravel()]),
        ],
        axis=1,
    )
    pairs = pairs[:, pairs[0] != pairs[1]]
    edges = np.unique(pairs.min(axis=0) * count + pairs.max(axis=0))
    neighbours: list[set[int]] = [set() for _ in range(count)]
    for a, b in zip((edges // count).tolist(), (edges % count).tolist(), strict=True):
        neighbours[a].add(b)
        neighbours[b].add(a)
    return neighbours


def _renumber(regions: npt.NDArray[np.int64], target: npt.NDArray[Any]) -> npt.NDArray[np.int32]:
    """Follow the merges to their ends and number what is left from 0, roughly from the top left."""
    while (target != target[target]).any():
        target = target[target]
    _, numbers = np.unique(target, return_inverse=True)
    numbered: npt.NDArray[np.int32] = numbers.astype(np.int32)[regions]
    return numbered
