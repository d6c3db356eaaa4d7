"""Ours: uncertain, pure, rare and spread-out regions, from images that do not repeat each other."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from controller.selection import generator_of, rank_images, select_regions
from controller.strategies.base import EntropyRanked, ImageMaps, Need
from tenth.errors import ConfigurationError
from tenth.segmentation.uncertainty import count_by_region, mean_by_region, mean_probabilities, pixel_entropy


class Tenth(EntropyRanked):
    """Regions by what an answer is worth to the network, each ingredient apart to switch.

    The score of a region is its mean entropy, since a budget of pixels is spent best where each pixel tells
    most, times a factor for each ingredient; an exponent of 0 switches it off.

    ============  ===================================================================================
    `flip`        the entropy is that of the mean of the image's and its mirror image's probabilities,
                  so that disagreement between the two counts as doubt
    `purity`      (share of the region's most frequent predicted class) ** purity: the one label that
                  people give to a region is right for most of it; below 0 prefers impure regions, as
                  RIPU does (arXiv 2111.12940), which pays where pixels are painted
    `balance`     (mean over the predicted class mixture of 1 / share of the class in the pool)
                  ** balance: rare classes first
    `cost`        (expected cost of the answer) ** −cost: what the model guesses right takes one key, other
                  answers more, by the times of earlier ones (`controller.costs`)
    `spread`      every region that is chosen takes 1 − exp(−d² / 2σ²) off the others, d being the
                  distance of the centres and σ `spread` times a region's width (arXiv 2507.17367)
    `chance`      regions are drawn, one after another, with probability ∝ score ** (1 / chance), rather
                  than the best taken, so that what looks uncertain for one reason does not fill the
                  budget (arXiv 2106.12059); 1 draws by the score itself, infinity would draw evenly
    `duplicates`  images of the group by score times (1 − similarity to the nearest image already in
                  it) ** duplicates
    ============  ===================================================================================

    Parameters
    ----------
    seed : int, optional
        Of what `chance` draws.
    flip : bool, optional
    purity, balance, cost, spread, chance, duplicates : float, optional

    Raises
    ------
    ConfigurationError
        When `spread`, `chance` or `duplicates` is below 0.
    """

    name = "tenth"
    pseudo_labels = "crf"

    def __init__(
        self,
        seed: int = 0,
        *,
        flip: bool = True,
        purity: float = 1.0,
        balance: float = 0.25,
        cost: float = 0.0,
        spread: float = 1.0,
        chance: float = 0.0,
        duplicates: float = 1.0,
    ) -> None:
        super().__init__(seed)
        for name, value in (("spread", spread), ("chance", chance), ("duplicates", duplicates)):
            if value < 0:
                raise ConfigurationError(
                    f"selection.{name} = {value}: it cannot be negative; 0 switches it off."
                )
        self.flip, self.purity, self.balance = flip, purity, balance
        self.cost, self.spread, self.chance, self.duplicates = cost, spread, chance, duplicates
        self.needs: frozenset[Need] = frozenset({"mirror"} if flip else ())

    def region_scores(self, maps: ImageMaps) -> npt.NDArray[np.float64]:
        """Return the product of the ingredients of each region, chance among them, ≥ 0.

        Raises
        ------
        ConfigurationError
            When there are no probabilities.
        """
        p = self.given(maps.probabilities).astype(np.float32)
        if self.flip:
            p += self.given(maps.mirrored).astype(np.float32)
            p /= 2
        scores = mean_by_region(pixel_entropy(p), maps.superpixels)
        if self.purity:
            scores *= purity_of(p, maps.superpixels) ** self.purity
        mixture = mean_probabilities(p, maps.superpixels)
        if self.balance and maps.context.class_shares is not None:
            rarity = 1 / np.maximum(maps.context.class_shares, 1e-4)
            scores *= (mixture @ rarity) ** self.balance
        if self.cost:
            scores /= maps.context.costs.expected(mixture.max(axis=1)) ** self.cost
        if self.chance:
            # the order of log score + Gumbel noise is that of draws in proportion (arXiv 1903.06059)
            scores *= np.exp(self.chance * generator_of(self.seed, maps.image).gumbel(size=len(scores)))
        return scores

    def select(self, maps: ImageMaps, budget_pixels: int) -> list[int]:
        """Return regions greedily: the best first, each one lowering what lies near it."""
        scores = self.region_scores(maps)
        if self.spread:
            scores = spread_scores(scores, maps.superpixels, budget_pixels, self.spread)
        return select_regions(scores, count_by_region(maps.superpixels), budget_pixels)

    def group(
        self, scores: Mapping[str, float], descriptors: Mapping[str, npt.NDArray[np.float32]], size: int
    ) -> list[str]:
        """Return images of high score that do not resemble each other."""
        if not self.duplicates or not descriptors or set(descriptors) != set(scores):
            return rank_images(scores, size)
        keys = sorted(scores)
        looks = np.stack([descriptors[key] for key in keys]).astype(np.float64)
        looks /= np.linalg.norm(looks, axis=1, keepdims=True)
        worth = np.array([scores[key] for key in keys], np.float64)
        nearest = np.full(len(keys), -np.inf)
        open_ = np.ones(len(keys), bool)
        group: list[str] = []
        while len(group) < min(size, len(keys)):
            novelty = np.where(np.isinf(nearest), 1.0, np.clip(1 - nearest, 0, 1)) ** self.duplicates
            # an exact duplicate still comes after all others, in the order of its score
            value = np.where(open_, worth * novelty + 1e-12 * worth, -np.inf)
            best = int(value.argmax())
            group.append(keys[best])
            open_[best] = False
            nearest = np.maximum(nearest, looks @ looks[best])
        return group


def purity_of(
    probabilities: npt.NDArray[np.float32], superpixels: npt.NDArray[np.int32]
) -> npt.NDArray[np.float64]:
    """Return the share of each region's pixels whose most probable class is the region's most frequent one.

    Parameters
    ----------
    probabilities : (C, H, W) float32
        Class probabilities.
    superpixels : (H, W) int32
        Region ids, 0 to n - 1.

    Returns
    -------
    (n,) float64
        1 / C to 1.
    """
    classes, regions = len(probabilities), int(superpixels.max()) + 1
    cells = superpixels.ravel().astype(np.int64) * classes + probabilities.argmax(axis=0).ravel()
    counts = np.bincount(cells, minlength=regions * classes).reshape(regions, classes)
    shares: npt.NDArray[np.float64] = counts.max(axis=1) / np.maximum(counts.sum(axis=1), 1)
    return shares


def spread_scores(
    scores: npt.NDArray[np.float64], superpixels: npt.NDArray[np.int32], budget_pixels: int, spread: float
) -> npt.NDArray[np.float64]:
    """Return scores in which what lies near a better region is worth less.

    Parameters
    ----------
    scores : (n,) float64
        Worth of each region alone, ≥ 0.
    superpixels : (H, W) int32
        Region ids, 0 to n - 1.
    budget_pixels : int
        How many pixels will be chosen: lowering stops behind them.
    spread : float
        Reach σ of a region in widths of a mean region, > 0.

    Returns
    -------
    (n,) float64
        Falling in the order of the choice, with the regions that were never reached behind.
    """
    areas = count_by_region(superpixels)
    rows, columns = np.indices(superpixels.shape)
    centres = np.stack([mean_by_region(rows, superpixels), mean_by_region(columns, superpixels)], axis=1)
    reach = 2 * (spread * np.sqrt(areas.mean())) ** 2
    left, lowered, taken = budget_pixels, scores.copy(), np.zeros(len(scores), bool)
    place = np.zeros(len(scores))
    rank = 0
    while left > 0 and not taken.all():
        best = int(np.where(taken, -np.inf, lowered).argmax())
        taken[best] = True
        place[best] = rank
        rank += 1
        if areas[best] > left:
            continue
        left -= int(areas[best])
        distance = ((centres - centres[best]) ** 2).sum(axis=1)
        lowered = np.where(taken, lowered, lowered * (1 - np.exp(-distance / reach)))
    # those chosen come before all others, in their order
    highest = float(lowered[~taken].max()) if not taken.all() else 0.0
    return np.where(taken, highest + rank - place, lowered)
