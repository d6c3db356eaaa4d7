"""Which images and which regions to ask about: pure functions of scores."""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from tenth.errors import ConfigurationError, DataError


def generator_of(seed: int, image: npt.NDArray[np.uint8]) -> np.random.Generator:
    """Return what draws the regions of an image: by the seed and the image's content, whatever comes first.

    Parameters
    ----------
    seed : int
        Of the strategy, ≥ 0.
    image : (H, W, 3) uint8
        RGB.
    """
    return np.random.default_rng([seed, zlib.crc32(np.ascontiguousarray(image).tobytes())])


def budget_pixels(budget: float, height: int, width: int) -> int:
    """Return how many pixels of an image may be asked about.

    Parameters
    ----------
    budget : float
        Share of the pixels, above 0, at most 1.
    height, width : int
        The image's size.

    Returns
    -------
    int
        floor(budget · height · width), of the decimal number that `budget` is written as.

    Raises
    ------
    ConfigurationError
        When `budget` is out of its range.
    """
    if not 0 < budget <= 1:
        raise ConfigurationError(
            f"selection.budget = {budget}: it is a share of each image's pixels, above 0 and at most 1; "
            "0.10 is usual."
        )
    return math.floor(Fraction(str(budget)) * height * width)


def budget_images(share: float, images: int) -> int:
    """Return how many images of a group may be labelled whole, where the budget is counted in images.

    Parameters
    ----------
    share : float
        Share of the group's images, above 0, at most 1.
    images : int
        Images in the group.

    Returns
    -------
    int
        floor(share · images), of the decimal number that `share` is written as; 0 of a group too small.

    Raises
    ------
    ConfigurationError
        When `share` is out of its range.
    """
    return budget_pixels(share, images, 1)


def rank_images(scores: Mapping[str, float], size: int) -> list[str]:
    """Return the group: the images with the highest scores.

    Images of equal score are taken evenly spread over the order of their keys rather than from its start:
    in a video, neighbours are near-duplicates. With all scores equal (cold start) the whole group is spread.

    Parameters
    ----------
    scores : mapping of str to float
        Score of each image of the pool by key.
    size : int
        Size of the group, ≥ 1; a smaller pool is taken whole.

    Returns
    -------
    list of str
        Keys, the highest score first; whatever the order of the mapping.

    Raises
    ------
    ConfigurationError
        When `size` is below 1.
    DataError
        When a score is not finite.
    """
    if size < 1:
        raise ConfigurationError(f"selection.group_size = {size}: a group needs at least one image.")
    by_score: dict[float, list[str]] = {}
    for key in sorted(scores):
        if not math.isfinite(scores[key]):
            raise DataError(
                f"Image '{key}' has score {scores[key]}; its probabilities are broken. "
                "Check the model's weights."
            )
        by_score.setdefault(scores[key], []).append(key)
    group: list[str] = []
    for score in sorted(by_score, reverse=True):
        group += _spread(by_score[score], size - len(group))
    return group


def _spread(keys: Sequence[str], count: int) -> list[str]:
    """Return `count` of the keys (all, if there are fewer), the middles of equal stretches."""
    n = len(keys)
    return list(keys) if count >= n else [keys[(2 * i + 1) * n // (2 * count)] for i in range(count)]


def select_regions(
    scores: npt.NDArray[np.floating[Any]], areas: npt.NDArray[np.integer[Any]], budget_pixels: int
) -> list[int]:
    """Return the regions of one image to ask about.

    The highest scores first; a region that does not fit into what is left of the budget is skipped, and the
    next may still fit.

    Parameters
    ----------
    scores : (n,) float
        Score of each region.
    areas : (n,) int
        Its pixels; an id without pixels is never asked.
    budget_pixels : int
        The pixels that may be asked about; never exceeded.

    Returns
    -------
    list of int
        Region ids by falling score; of equal scores the lower id comes first.

    Raises
    ------
    DataError
        When scores and areas differ in number or a score is not finite.
    """
    if scores.ndim != 1 or scores.shape != areas.shape:
        raise DataError(
            f"Scores of shape {scores.shape} and areas of shape {areas.shape} cannot belong to the same "
            "regions; both have to be one value a region."
        )
    _check_finite(scores)
    return fill_budget(np.argsort(-scores, kind="stable"), areas, budget_pixels)


def fill_budget(
    order: npt.NDArray[np.integer[Any]], areas: npt.NDArray[np.integer[Any]], budget_pixels: int
) -> list[int]:
    """Return the regions that fit into the budget when they are taken in this order.

    Parameters
    ----------
    order : (m,) int
        Region ids, each at most once.
    areas : (n,) int
        Pixels of each region by id; an id without pixels is never taken.
    budget_pixels : int
        The pixels that may be taken; a region that does not fit into what is left is skipped.

    Returns
    -------
    list of int
        Region ids in the order given.
    """
    order = order[(areas[order] > 0) & (areas[order] <= budget_pixels)]
    left = budget_pixels
    chosen: list[int] = []
    for region, area in zip(order.tolist(), areas[order].tolist(), strict=True):
        if area <= left:
            chosen.append(region)
            left -= area
    return chosen


def select_pixels(scores: npt.NDArray[np.floating[Any]], budget_pixels: int) -> list[int]:
    """Return the pixels of one image to ask about: `select_regions` where every region is one pixel.

    Parameters
    ----------
    scores : (n,) float
        Score of each pixel, row by row.
    budget_pixels : int
        The pixels that may be asked about; never exceeded.

    Returns
    -------
    list of int
        Pixels by falling score; of equal scores the lower number comes first.

    Raises
    ------
    DataError
        When a score is not finite.
    """
    _check_finite(scores)
    count = min(budget_pixels, scores.size)
    if count < 1:
        return []
    # What partitioning does with equal scores is its own affair: only the threshold is taken from it.
    threshold = np.partition(scores, scores.size - count)[scores.size - count]
    above = np.flatnonzero(scores > threshold)
    above = above[np.argsort(-scores[above], kind="stable")]
    level = np.flatnonzero(scores == threshold)[: count - above.size]
    chosen: list[int] = np.concatenate([above, level]).tolist()
    return chosen


def _check_finite(scores: npt.NDArray[np.floating[Any]]) -> None:
    if not np.isfinite(scores).all():
        region = int(np.flatnonzero(~np.isfinite(scores))[0])
        raise DataError(
            f"Region {region} has score {scores[region]}; its probabilities are broken. "
            "Check the model's weights."
        )


def cap_regions(
    per_image: Mapping[str, Sequence[tuple[int, float]]], limit: int
) -> dict[str, list[tuple[int, float]]]:
    """Keep at most `limit` regions of a group, the more in an image the more of the highest scores it has.

    Every image keeps at least one region; where there are more images than `limit`, the images with the best
    regions do. Which ones an image keeps is the strategy's choice: the first in its order.

    Parameters
    ----------
    per_image : mapping of str to sequence of (region, score)
        The regions selected in each image, the most wanted first.
    limit : int
        Most regions of a round, ≥ 1.

    Returns
    -------
    dict of str to list of (region, score)
        The same images in the same order, each with what it keeps (maybe nothing), in the order given.

    Raises
    ------
    ConfigurationError
        When `limit` is below 1.
    """
    if limit < 1:
        raise ConfigurationError(f"selection.max_regions = {limit}: a round needs at least one region.")
    # an image's best score comes before every other image's second; within both, the higher score
    order = sorted(
        (place > 0, -score, key, place)
        for key, regions in per_image.items()
        for place, score in enumerate(sorted((score for _, score in regions), reverse=True))
    )
    kept = dict.fromkeys(per_image, 0)
    for _, _, key, _ in order[:limit]:
        kept[key] += 1
    return {key: list(regions[: kept[key]]) for key, regions in per_image.items()}
