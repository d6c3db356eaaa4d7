"""From answers and the model's probabilities to the label map that a network learns from.

Pure functions of arrays: the round's merge step and the simulator both call them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import numpy.typing as npt

from controller.labels import (
    IGNORED_LABEL,
    LabelMap,
    RegionAnswer,
    Source,
    fixed_labels,
    human_labels,
    merge_labels,
)
from controller.maps import Division
from tenth.errors import ConfigurationError
from tenth.segmentation.calibration import Calibration, Reliability
from tenth.segmentation.crf import CRFOptions
from tenth.segmentation.inference import Predictor
from tenth.segmentation.refine import refine
from tenth.segmentation.training import LabelledImage
from tenth.segmentation.uncertainty import mean_by_region

NO_PSEUDO_LABELS = 1.01
"""A `min_confidence` that no probability reaches."""


@dataclass(frozen=True)
class MergeOptions:
    """How answers and pseudo-labels become labels.

    Parameters
    ----------
    pseudo_labels : {"network", "crf"}
        Whose labels the pixels get that nobody answered for.
    propagate : bool
        Spread the answers to their surroundings through the CRF; not with the network's own labels.
    min_confidence : float
        Pseudo-labels less sure than this are ignored; 0 keeps all of them, as in the thesis, and
        `NO_PSEUDO_LABELS` none.
    calibration : Calibration or None
        From the confidence of the pseudo-labels to how often they are right; None believes them.
    sieve : bool
        Let a pixel of an answered region count the less, the less the network thinks that it belongs to the
        class that was named: see `sieve_weights`.

    Raises
    ------
    ConfigurationError
        When answers are to be spread through a CRF that is not used, or into pseudo-labels that there are
        none of.
    """

    pseudo_labels: Literal["network", "crf"] = "crf"
    propagate: bool = False
    min_confidence: float = 0.0
    sieve: bool = False
    calibration: Calibration | None = None

    @property
    def uses_pseudo_labels(self) -> bool:
        """Whether any pixel gets the model's own label."""
        return self.min_confidence < NO_PSEUDO_LABELS

    @property
    def needs_probabilities(self) -> bool:
        """Whether the model has a say; otherwise its probabilities make no difference."""
        return self.uses_pseudo_labels or self.sieve

    def __post_init__(self) -> None:
        if self.propagate and self.pseudo_labels == "network":
            raise ConfigurationError(
                "labels.propagate spreads answers through the CRF, but this strategy takes the network's own "
                "labels. Set propagate = false, or choose a strategy with the CRF, such as 'sp-crf'."
            )
        if self.propagate and not self.uses_pseudo_labels:
            raise ConfigurationError(
                "labels.propagate spreads answers into the pseudo-labels around them, and labels.pseudo = "
                "false wants none. Set pseudo = true, or propagate = false."
            )


def calibrate(
    images: Iterable[LabelledImage],
    predictor: Predictor,
    pseudo_labels: Literal["network", "crf"],
    crf: CRFOptions,
    division: Division,
) -> Calibration:
    """Return how often pseudo-labels are right, measured on labelled images that were not trained on.

    Parameters
    ----------
    images : iterable of LabelledImage
        Such as the validation split.
    predictor : Predictor
        The model whose pseudo-labels are meant.
    pseudo_labels : {"network", "crf"}
        Whether they are its own or refined by the CRF.
    crf : CRFOptions
        Of the CRF.
    division : Division
        How images are divided for the CRF over superpixels.
    """
    reliability = Reliability(predictor.network.classes)
    for image in images:
        picture, truth = image.load()
        p = predictor.probabilities(picture)
        if pseudo_labels == "crf":
            p = refine(p, picture, partial(division.superpixels, picture), crf)
        reliability.update(p, truth)
    return reliability.calibration()


def merge_answers(
    picture: npt.NDArray[np.uint8],
    superpixels: npt.NDArray[np.int32],
    answers: Sequence[RegionAnswer],
    probabilities: npt.NDArray[np.float32] | None,
    options: MergeOptions,
    crf: CRFOptions,
) -> LabelMap:
    """Return the labels of an image: answers over pseudo-labels.

    Parameters
    ----------
    picture : (H, W, 3) uint8
        RGB.
    superpixels : (H, W) int32
        Region ids, 0 to n - 1.
    answers : sequence of RegionAnswer
        What people said about some of the regions.
    probabilities : (C, H, W) float32 or None
        The network's; without them there are no pseudo-labels.
    options : MergeOptions
        Which pseudo-labels, and how sure they have to be.
    crf : CRFOptions
        Of the CRF, where it is used.

    Raises
    ------
    DataError
        When shapes do not fit, or an answer names an unknown region or class.
    """
    if probabilities is None:
        return human_labels(superpixels, answers)
    merged = _merge(picture, superpixels, answers, probabilities, options, crf)
    if options.sieve:
        named = named_as_a_whole(superpixels, answers) & (merged.source == Source.HUMAN)
        weights = sieve_weights(merged.labels, named, superpixels, probabilities)
        merged.confidence[:] = np.where(named, weights, merged.confidence)
    return merged


def _merge(
    picture: npt.NDArray[np.uint8],
    superpixels: npt.NDArray[np.int32],
    answers: Sequence[RegionAnswer],
    probabilities: npt.NDArray[np.float32],
    options: MergeOptions,
    crf: CRFOptions,
) -> LabelMap:
    """Put the answers over the pseudo-labels, if there are to be any."""
    if not options.uses_pseudo_labels:
        return human_labels(superpixels, answers)
    refined = probabilities
    if options.pseudo_labels == "crf":
        fixed = fixed_labels(superpixels, answers) if options.propagate else None
        refined = refine(probabilities, picture, superpixels, crf, fixed=fixed)
    merged = merge_labels(superpixels, answers, refined, options.min_confidence)
    if options.calibration is not None:
        trusted = options.calibration(refined)
        merged.confidence[:] = np.where(merged.source == Source.PSEUDO, trusted, merged.confidence)
    return merged


LEAST_PROBABILITY = 1e-6
"""Added to all probabilities, so that none is impossible."""


def named_as_a_whole(
    superpixels: npt.NDArray[np.int32], answers: Sequence[RegionAnswer]
) -> npt.NDArray[np.bool_]:
    """Return which pixels have the one class that their region was given; what was painted has its own."""
    last = {answer.region: answer for answer in answers}  # of several to one region it counts
    named = np.zeros(int(superpixels.max()) + 1, bool)
    named[[region for region, answer in last.items() if answer.label is not None]] = True
    pixels: npt.NDArray[np.bool_] = named[superpixels]
    for region, answer in last.items():
        if answer.painted is not None and answer.label is not None:
            pixels &= (superpixels != region) | (answer.painted == IGNORED_LABEL)
    return pixels


def sieve_weights(
    labels: npt.NDArray[np.uint8],
    named: npt.NDArray[np.bool_],
    superpixels: npt.NDArray[np.int32],
    probabilities: npt.NDArray[np.float32],
) -> npt.NDArray[np.float32]:
    """Weigh the pixels of answered regions by how likely they are of the class that was named.

    A region that straddles classes gets the label of its dominant one, and the rest of its pixels are wrong.
    Where the network sees a boundary, it knows which: a pixel's weight is its probability of the label over
    the region's mean one, at most 1. A network that knows nothing gives all pixels the same and so weight 1,
    and so does one that holds the named class impossible: people know better, and it sees no boundary.

    Parameters
    ----------
    labels : (H, W) uint8
        Of the image; not 255 where `named`.
    named : (H, W) bool
        The pixels to weigh, see `named_as_a_whole`.
    superpixels : (H, W) int32
        Region ids, 0 to n - 1.
    probabilities : (C, H, W) float32
        The network's.

    Returns
    -------
    (H, W) float32
        In 0..1; 0 where not `named`.

    References
    ----------
    Kim et al., *Adaptive Superpixel for Active Learning in Semantic Segmentation*, ICCV 2023
    (arXiv 2303.16817), which drops such pixels by a threshold; here they fade out.
    """
    classes = np.where(named, labels, 0).astype(np.int64)
    likely = np.take_along_axis(probabilities, classes[None], axis=0)[0] * named
    share = np.maximum(mean_by_region(named, superpixels), np.finfo(np.float32).tiny)
    usual = (mean_by_region(likely, superpixels) / share)[superpixels]
    ratio = (likely + LEAST_PROBABILITY) / (usual + LEAST_PROBABILITY)
    weights: npt.NDArray[np.float32] = np.minimum(ratio, 1).astype(np.float32)
    weights[~named] = 0
    return weights
