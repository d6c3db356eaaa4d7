"""Weights and widths of the CRF that fit the data: candidates, cross-validated on labelled images.

Every candidate is tried on every image; what is kept are counts a fold, from which the score on any union of
folds follows. So one pass serves both the choice (on all folds but one), its honest score (on the fold that
was left out) and the final choice (on all).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from time import process_time
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from tenth.errors import ConfigurationError, DataError
from tenth.progress import SILENT, Bar, Progress
from tenth.segmentation.crf import CRFOptions
from tenth.segmentation.crf_tally import Measure, Tally, tally_image
from tenth.segmentation.refine import Regions, refine


class FitImage(NamedTuple):
    """A labelled image with what the network says about it.

    Parameters
    ----------
    probabilities : (C, H, W) float
        The network's class probabilities; float16 will do.
    image : (H, W, 3) uint8
        RGB.
    truth : (H, W) uint8
        Labels, 255 = ignore.
    superpixels : (H, W) int, optional
        Region ids, 0 to n - 1; needed in the mode ``"superpixel"``.
    """

    probabilities: npt.NDArray[np.floating[Any]]
    image: npt.NDArray[np.uint8]
    truth: npt.NDArray[np.uint8]
    superpixels: Regions | None = None


class FitImages(Protocol):
    """A list of `FitImage`, or what loads them one at a time."""

    def __len__(self) -> int:
        """Return the number of images."""

    def __getitem__(self, index: int, /) -> FitImage:
        """Return an image."""


@dataclass(frozen=True)
class Trial:
    """What one candidate reached.

    Parameters
    ----------
    options : CRFOptions or None
        The candidate; ``None`` is the network without a CRF.
    folds : tuple of Tally
        Its counts in each fold.
    seconds : float
        CPU seconds in the CRF, an image: what a busy machine adds does not count.
    """

    options: CRFOptions | None
    folds: tuple[Tally, ...]
    seconds: float

    def score(self, measure: Measure, folds: Sequence[int] | None = None) -> float:
        """Return the score over `folds` together, all by default; NaN where nothing can be counted."""
        chosen = range(len(self.folds)) if folds is None else folds
        return sum((self.folds[i] for i in chosen), start=Tally.empty()).score(measure)


@dataclass(frozen=True)
class HeldOut:
    """A fold's score with what was chosen on the others, beside the network's on the same fold."""

    options: CRFOptions
    score: float
    network: float


@dataclass(frozen=True)
class FitResult:
    """Outcome of a search.

    Parameters
    ----------
    measure : {"miou", "errors-found"}
        What was searched for.
    network : Trial
        The probabilities as they came.
    trials : tuple of Trial
        In the order of the candidates.
    """

    measure: Measure
    network: Trial
    trials: tuple[Trial, ...]

    def best(self, folds: Sequence[int] | None = None) -> Trial:
        """Return the trial with the highest score on `folds` (all by default), of equals the first."""
        scores = [trial.score(self.measure, folds) for trial in self.trials]
        return self.trials[int(np.nan_to_num(scores, nan=-np.inf, neginf=-np.inf).argmax())]

    @property
    def chosen(self) -> CRFOptions:
        """The candidate that scores best on all images."""
        return _options(self.best())

    @property
    def held_out(self) -> list[HeldOut]:
        """Each fold, scored with what is best on the others."""
        count = len(self.network.folds)
        found = []
        for fold in range(count):
            best = self.best([i for i in range(count) if i != fold])
            score, network = (each.score(self.measure, [fold]) for each in (best, self.network))
            found.append(HeldOut(_options(best), score, network))
        return found

    @property
    def held_out_score(self) -> float:
        """Mean of the held-out scores over the folds that have one, else NaN."""
        return _mean([each.score for each in self.held_out])

    @property
    def network_score(self) -> float:
        """Mean of the network's scores over the same folds."""
        return _mean([each.network for each in self.held_out])


def fit_crf(
    images: FitImages,
    candidates: Sequence[CRFOptions],
    *,
    folds: int = 5,
    measure: Measure = "errors-found",
    done: Sequence[Trial] = (),
    on_trial: Callable[[Trial], None] | None = None,
    progress: Progress = SILENT,
) -> FitResult:
    """Try all `candidates` on all `images` and cross-validate the choice among them.

    Parameters
    ----------
    images : FitImages
        At least two. An item is asked for once a candidate and not kept, so that what loads them
        from the disk needs the memory of one. Folds are runs of neighbours: frames of one drive look alike,
        and dealt out at random the held-out ones would have a twin among the others.
    candidates : sequence of CRFOptions
        At least one; what they have equal is not searched.
    folds : int, optional
        At least 2; not more than there are images are made.
    measure : {"errors-found", "miou"}, optional
        Share of the network's wrong pixels among the tenth of the pixels with the highest entropy, or mean
        IoU of the refined labels.
    done : sequence of Trial, optional
        Trials on the same images and folds that need not be repeated.
    on_trial : callable, optional
        Called with every new trial, as soon as it is finished.
    progress : Progress, optional
        Where the progress bar goes; it counts images.

    Raises
    ------
    DataError
        When there are fewer than two images, or an image's arrays do not fit each other.
    ConfigurationError
        When there is no candidate, or fewer than two folds.
    """
    if not candidates:
        raise ConfigurationError("A search of the CRF's settings needs at least one candidate.")
    if folds < 2:
        raise ConfigurationError(f"{folds} folds leave nothing to choose on; cross-validation needs 2.")
    if len(images) < 2:
        raise DataError(
            f"Fitting the CRF takes labelled images to choose on and others to check the choice; there are "
            f"{len(images)}. Label some more, in the validation split if possible."
        )
    parts = np.array_split(np.arange(len(images)), min(folds, len(images)))
    known = {trial.options: trial for trial in done}
    wanted = list(dict.fromkeys([None, *candidates]))
    total, ready = len(wanted) * len(images), sum(options in known for options in wanted) * len(images)
    with progress.bar(total, "Fitting the CRF", "image", initial=ready) as bar:
        for options in wanted:
            if options not in known:
                known[options] = _try(options, images, parts, bar)
                if on_trial is not None:
                    on_trial(known[options])
    return FitResult(measure, known[None], tuple(known[options] for options in dict.fromkeys(candidates)))


def _try(options: CRFOptions | None, images: FitImages, parts: Sequence[npt.NDArray[Any]], bar: Bar) -> Trial:
    seconds = 0.0

    def tallies(part: npt.NDArray[Any]) -> Iterator[Tally]:
        nonlocal seconds
        for index in part:
            given = images[int(index)]
            begin = process_time()
            refined = given.probabilities if options is None else _refined(given, options)
            seconds += process_time() - begin
            yield tally_image(given.probabilities, refined, given.truth)
            bar.update()

    folds = tuple(sum(tallies(part), start=Tally.empty()) for part in parts)
    return Trial(options, folds, seconds / len(images))


def _refined(given: FitImage, options: CRFOptions) -> npt.NDArray[np.float32]:
    if given.superpixels is None and options.mode == "superpixel":
        raise DataError("The superpixel CRF is to be fitted on an image that came without superpixels.")
    superpixels = np.zeros(given.truth.shape, np.int32) if given.superpixels is None else given.superpixels
    return refine(given.probabilities, given.image, superpixels, options)


def _options(trial: Trial) -> CRFOptions:
    assert trial.options is not None  # candidates are never None  # noqa: S101
    return trial.options


def _mean(scores: Sequence[float]) -> float:
    known = [score for score in scores if not np.isnan(score)]
    return float(np.mean(known)) if known else float("nan")
