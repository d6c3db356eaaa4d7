"""What a query strategy is: pure functions of arrays, no files, no network, no database."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from controller.costs import AnswerCosts
from controller.selection import rank_images, select_pixels, select_regions
from tenth.errors import ConfigurationError
from tenth.segmentation.uncertainty import count_by_region, image_entropy

Unit = Literal["region", "pixel", "image"]
Need = Literal["crf", "passes", "committee", "mirror", "features"]


@dataclass(frozen=True)
class RoundContext:
    """What a strategy may know about the whole pool and all labels, measured once a round.

    Parameters
    ----------
    class_shares : (C,) float64 or None
        Share of each class among the pixels of the pool, as the model predicts them; sums to 1.
    class_features : (C, D) float32 or None
        Mean feature vector of the labelled pixels of each class; NaN for a class without any.
    costs : AnswerCosts
        What it costs to accept the model's guess, and to give another answer.
    """

    class_shares: npt.NDArray[np.float64] | None = None
    class_features: npt.NDArray[np.float32] | None = None
    costs: AnswerCosts = field(default_factory=AnswerCosts)


@dataclass(frozen=True)
class ImageMaps:
    """What a strategy may look at to rank the regions of one image.

    Parameters
    ----------
    image : (H, W, 3) uint8
        RGB.
    probabilities : (C, H, W) float32 or None
        The network's class probabilities; None without a model.
    superpixels : (H, W) int32
        Region ids, 0 to n - 1. Of a strategy whose unit is the pixel each pixel is a region, row by row; of
        one whose unit is the image there is one region.
    refined : (C, H, W) float32 or None
        `probabilities` after the CRF; there when the strategy needs ``"crf"``.
    passes : (T, C, H, W) float32 or None
        Class probabilities of T stochastic passes; with ``"passes"``.
    committee : (M, C, H, W) float32 or None
        Class probabilities of M model versions, the current one last; with ``"committee"``.
    mirrored : (C, H, W) float32 or None
        Class probabilities of the mirrored image, mirrored back; with ``"mirror"``.
    features : (D, h, w) float32 or None
        What the network's classifier sees, at its own resolution; with ``"features"``.
    context : RoundContext
        What is known of all other images.
    """

    image: npt.NDArray[np.uint8]
    probabilities: npt.NDArray[np.float32] | None
    superpixels: npt.NDArray[np.int32]
    refined: npt.NDArray[np.float32] | None = None
    passes: npt.NDArray[np.float32] | None = None
    committee: npt.NDArray[np.float32] | None = None
    mirrored: npt.NDArray[np.float32] | None = None
    features: npt.NDArray[np.float32] | None = None
    context: RoundContext = field(default_factory=RoundContext)


class Strategy(Protocol):
    """Ranks images for the group, and regions within an image; higher scores are asked first."""

    @property
    def name(self) -> str:
        """Name in the registry and in ``controller.toml``."""

    @property
    def unit(self) -> Unit:
        """What it asks about: superpixels, single pixels, or whole images."""

    @property
    def needs_model(self) -> bool:
        """Whether it wants class probabilities at all; the pool is not scored for one that does not."""

    @property
    def needs(self) -> frozenset[Need]:
        """What it wants beside them; see the fields of `ImageMaps`."""

    @property
    def pseudo_labels(self) -> Literal["network", "crf"]:
        """Whose labels are taken for pixels that nobody is asked about."""

    @property
    def counterpart(self) -> str | None:
        """The strategy to ask people with when nobody can answer what this one asks; None when they can."""

    def image_score(self, probabilities: npt.NDArray[np.floating[Any]] | None) -> float:
        """Return how much an image is worth asking about.

        Parameters
        ----------
        probabilities : (C, H, W) float or None
            The network's own class probabilities, not refined; None while there is no model.
        """

    def region_scores(self, maps: ImageMaps) -> npt.NDArray[np.float64]:
        """Return how much each region is worth asking about.

        Returns
        -------
        (n,) float64
            Finite scores by region id.
        """

    def select(self, maps: ImageMaps, budget_pixels: int) -> list[int]:
        """Return the regions to ask about, the most wanted first; never more pixels than the budget."""

    def group(
        self, scores: Mapping[str, float], descriptors: Mapping[str, npt.NDArray[np.float32]], size: int
    ) -> list[str]:
        """Return the images of a group by key, the most wanted first.

        Parameters
        ----------
        scores : mapping of str to float
            `image_score` of each image of the pool.
        descriptors : mapping of str to (K,) float32
            What each image looks like to the network (`controller.maps.descriptor`); empty without a model,
            and for a strategy that needs none.
        size : int
            Size of the group; a smaller pool is taken whole.
        """


class EntropyRanked(ABC):
    """What most strategies share: images by the network's summed entropy, regions by falling score.

    Parameters
    ----------
    seed : int, optional
        Seed of whatever the strategy draws.
    """

    name = ""
    unit: Unit = "region"
    needs_model = True
    needs: frozenset[Need] = frozenset()
    pseudo_labels: Literal["network", "crf"] = "network"
    counterpart: str | None = None

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def image_score(self, probabilities: npt.NDArray[np.floating[Any]] | None) -> float:
        """Return the image's entropy in nats, summed over its pixels.

        Raises
        ------
        ConfigurationError
            When there are no probabilities.
        """
        return image_entropy(self.given(probabilities))

    @abstractmethod
    def region_scores(self, maps: ImageMaps) -> npt.NDArray[np.float64]:
        """Return a score a region; each strategy says how."""

    def select(self, maps: ImageMaps, budget_pixels: int) -> list[int]:
        """Return the regions with the highest scores that fit into the budget."""
        if self.unit == "pixel":
            return select_pixels(self.region_scores(maps), budget_pixels)
        return select_regions(self.region_scores(maps), count_by_region(maps.superpixels), budget_pixels)

    def group(
        self,
        scores: Mapping[str, float],
        descriptors: Mapping[str, npt.NDArray[np.float32]],  # noqa: ARG002
        size: int,
    ) -> list[str]:
        """Return the images with the highest scores."""
        return rank_images(scores, size)

    def given(self, probabilities: npt.NDArray[np.floating[Any]] | None) -> npt.NDArray[np.floating[Any]]:
        """Return the probabilities, or refuse to go on without.

        Raises
        ------
        ConfigurationError
            When there are none.
        """
        if probabilities is None:
            raise ConfigurationError(
                f"The strategy '{self.name}' ranks by a model's uncertainty and there is no model yet; "
                "train one first, or ask the first group with 'cold-start'."
            )
        return probabilities
