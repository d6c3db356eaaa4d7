"""The simulated annotator: what ground truth says about each region asked, and how many keys that takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from skimage.measure import label as connected_components

from controller.labels import RegionAnswer
from tenth.segmentation.classes import IGNORE
from tenth.segmentation.uncertainty import dominant_label

Kind = Literal["dominant", "exact"]
ACCEPT, CHANGE = 1, 2
"""Keys of an answer: the submit alone, or another class and the submit."""


@dataclass(frozen=True)
class Answers:
    """What was said about the regions of one image.

    Parameters
    ----------
    regions : (k,) int64
        Regions asked.
    labels : (k,) uint8
        The class that was named, 255 for void.
    painted : (H, W) uint8 or None
        Labels painted inside regions that straddle classes, 255 elsewhere; None when nothing was painted.
    mixed : (k,) bool
        Whether the region was painted.
    keys : int
        Key presses and strokes of all answers.
    pixels : int
        Pixels asked about.
    wrong_pixels : int
        Of these, pixels whose label the model had wrong; void ones are never wrong.
    right_pixels : int
        Pixels of not void truth that got their true label by the answers.
    """

    regions: npt.NDArray[np.int64]
    labels: npt.NDArray[np.uint8]
    painted: npt.NDArray[np.uint8] | None
    mixed: npt.NDArray[np.bool_]
    keys: int
    pixels: int
    wrong_pixels: int
    right_pixels: int

    def as_region_answers(self) -> list[RegionAnswer]:
        """Return them as merging reads them."""
        return [
            RegionAnswer(
                answer_id=place + 1,
                region=int(region),
                label=None if mixed or label == IGNORE else int(label),
                painted=self.painted if mixed else None,
                void=not mixed and label == IGNORE,
            )
            for place, (region, label, mixed) in enumerate(
                zip(self.regions, self.labels, self.mixed, strict=True)
            )
        ]


@dataclass(frozen=True)
class Annotator:
    """How the simulated people answer.

    Parameters
    ----------
    kind : {"dominant", "exact"}
        Name each region's dominant class, or paint the true classes of a region that holds several.
    noise : float
        Share of the answers that name a wrong class, 0 to 1.
    classes : int
        Number of classes C.
    seed : int
        Of the wrong answers.
    """

    kind: Kind
    classes: int
    noise: float = 0.0
    seed: int = 0

    def answer(
        self,
        superpixels: npt.NDArray[np.int32],
        asked: Sequence[int],
        truth: npt.NDArray[np.uint8],
        guess: npt.NDArray[np.uint8],
        salt: int,
    ) -> Answers:
        """Answer the regions `asked` of an image.

        Parameters
        ----------
        superpixels : (H, W) int32
            Region ids.
        asked : sequence of int
            Regions.
        truth : (H, W) uint8
            Ground truth, 255 = void.
        guess : (H, W) uint8
            The model's label of each pixel; its dominant one is pre-selected.
        salt : int
            Tells images apart in the draw of wrong answers.
        """
        regions = np.asarray(asked, np.int64)
        said = dominant_label(truth, superpixels, self.classes)[regions]
        shown = dominant_label(guess, superpixels, self.classes)[regions]
        noisy = self._noisy(said, salt)
        wrong_on_purpose = noisy != said
        mixed = np.zeros(len(regions), bool)
        if self.kind == "exact":
            mixed = _straddles(superpixels, truth)[regions] & ~wrong_on_purpose
        keys = int(np.where(noisy == shown, ACCEPT, CHANGE)[~mixed].sum())
        where = _mask(superpixels, regions)
        painted = None
        if mixed.any():
            by_hand = _mask(superpixels, regions[mixed])
            painted = np.where(by_hand, truth, IGNORE).astype(np.uint8)
            keys += strokes(superpixels, painted)
        known = where & (truth != IGNORE)
        given = _spread(superpixels, regions, noisy)
        if painted is not None:
            given = np.where(_mask(superpixels, regions[mixed]), truth, given)
        return Answers(
            regions=regions,
            labels=noisy,
            painted=painted,
            mixed=mixed,
            keys=keys,
            pixels=int(where.sum()),
            wrong_pixels=int((guess != truth)[known].sum()),
            right_pixels=int((given == truth)[known].sum()),
        )

    def _noisy(self, said: npt.NDArray[np.uint8], salt: int) -> npt.NDArray[np.uint8]:
        """Return the answers, some of them replaced by another class; void is never mistaken."""
        if not self.noise:
            return said
        rng = np.random.default_rng([self.seed, salt])
        slips = (rng.random(len(said)) < self.noise) & (said != IGNORE)
        other = (said.astype(np.int64) + rng.integers(1, self.classes, len(said))) % self.classes
        return np.where(slips, other, said).astype(np.uint8)


def strokes(superpixels: npt.NDArray[np.int32], painted: npt.NDArray[np.uint8]) -> int:
    """Return the keys and strokes that painting takes: two a connected piece of one class in one region.

    One chooses the brush's class, one paints the piece; "mixed" and the submit are two more a region.
    """
    by_hand = painted != IGNORE
    # pieces of one class that touch across the border of two regions are painted apart
    cells = np.where(by_hand, superpixels.astype(np.int64) * 256 + painted + 1, 0)
    _, pieces = connected_components(cells, connectivity=1, return_num=True)  # type: ignore[no-untyped-call]
    return 2 * int(pieces) + 2 * len(np.unique(superpixels[by_hand]))


def _straddles(superpixels: npt.NDArray[np.int32], truth: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Tell of each region whether its pixels have more than one label, void included."""
    ids = np.arange(int(superpixels.max()) + 1)
    order = np.argsort(superpixels.ravel(), kind="stable")
    starts = np.searchsorted(superpixels.ravel()[order], ids)
    values = truth.ravel()[order]
    straddles: npt.NDArray[np.bool_] = np.minimum.reduceat(values, starts) != np.maximum.reduceat(
        values, starts
    )
    return straddles


def _mask(superpixels: npt.NDArray[np.int32], regions: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    wanted = np.zeros(int(superpixels.max()) + 1, bool)
    wanted[regions] = True
    mask: npt.NDArray[np.bool_] = wanted[superpixels]
    return mask


def _spread(
    superpixels: npt.NDArray[np.int32], regions: npt.NDArray[np.int64], labels: npt.NDArray[np.uint8]
) -> npt.NDArray[np.uint8]:
    """Return the (H, W) map of the regions' labels, 255 elsewhere."""
    table = np.full(int(superpixels.max()) + 1, IGNORE, np.uint8)
    table[regions] = labels
    spread: npt.NDArray[np.uint8] = table[superpixels]
    return spread
