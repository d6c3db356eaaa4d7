"""Fitting the CRF in a workspace: which images, what is kept between runs, what is written at the end.

::

    crf-fit.json          outcome of the last finished search
    crf-fit-MODE.jsonl    its trials, as they come; a search that is called again goes on here
    arrays/crf-fit/       the network's probabilities while a search is under way
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from controller.crf_trials import SEARCHED, TrialLog, summary
from controller.loop import Loop
from controller.pool import as_sample, images_with_role
from tenth.segmentation.crf_candidates import crf_candidates
from tenth.segmentation.crf_fit import FitImage, FitResult, fit_crf
from tenth.segmentation.crf_tally import Measure
from tenth.segmentation.dataset import Sample, choose_initial
from tenth.segmentation.images import read_bytes
from tenth.segmentation.inference import Predictor
from tenth.workspace.config_text import set_value
from tenth.workspace.files import write_text
from tenth.workspace.lock import exclusive_lock
from tenth.workspace.plain_json import plain

RESULT = "crf-fit.json"
CACHE = "crf-fit"
OPTIMISTIC = (
    "The scores are optimistic: fewer than two labelled images are in the validation split, so the search "
    "took those that the model was trained on. It is surer of them than of any others."
)


@dataclass(frozen=True)
class Search:
    """What to search: the options of ``controller fit-crf``, where they are explained."""

    images: int = 100
    search: Literal["random", "grid"] = "random"
    trials: int = 60
    folds: int = 5
    mode: Literal["pixel", "superpixel"] = "pixel"
    measure: Measure = "errors-found"
    seed: int = 0


def fit_workspace(loop: Loop, search: Search, *, apply: bool = False) -> dict[str, Any]:
    """Fit the CRF to the model in use and write ``crf-fit.json``; with `apply` also ``controller.toml``.

    Returns
    -------
    dict
        The content of ``crf-fit.json``.

    Raises
    ------
    ConfigurationError
        When there is no model, or another search is under way.
    DataError
        When there are fewer than two labelled images, or one cannot be read.
    """
    folder = loop.workspace.folder
    with exclusive_lock(folder / "crf-fit.lock"):
        version = loop.version_or_current(None)
        split, samples = labelled_images(loop, search.images)
        result = run(loop, search, CachedImages(loop, version, samples, search.mode == "superpixel"))
        document: dict[str, Any] = plain(
            {
                "version": version,
                "settings": asdict(search),
                "split": split,
                "warning": OPTIMISTIC if split == "initial" else None,
                "images": [sample.key for sample in samples],
                "seconds": sum(trial.seconds for trial in result.trials) * len(samples),
                **summary(result),
            }
        )
        write_text(folder / RESULT, json.dumps(document, indent=2, ensure_ascii=False) + "\n")
        shutil.rmtree(loop.workspace.arrays.folder / CACHE, ignore_errors=True)
    if apply:
        for name in ("mode", *SEARCHED):
            set_value(loop.config.file, "crf", name, getattr(result.chosen, name))
    return document


def labelled_images(loop: Loop, count: int) -> tuple[str, list[Sample]]:
    """Return at most `count` labelled images, spread evenly, and where they come from.

    Those of the validation split, which no model is trained on; the initial set (``"initial"``) where that
    split has fewer than two.
    """
    split = loop.config.data.val_split
    samples = loop.labelled_split(split)
    if len(samples) < 2:
        with loop.workspace.database.reading() as session:
            split = "initial"
            samples = [as_sample(loop, image) for image in images_with_role(session, "initial")]
    return split, choose_initial(samples, min(count, len(samples)))


def run(loop: Loop, search: Search, images: CachedImages) -> FitResult:
    """Make the trials that are not in the log yet."""
    base = replace(loop.crf_options, mode=search.mode)
    identity = {
        "format": 1,
        "version": images.version,
        "images": images.names,
        "folds": search.folds,
        "kept": {name: value for name, value in asdict(base).items() if name not in SEARCHED},
        "superpixels": loop.config.superpixels.model_dump() if search.mode == "superpixel" else None,
    }
    log = TrialLog(loop.workspace.folder / f"crf-fit-{search.mode}.jsonl", identity)
    longer = max(images.samples[0].load_image().shape) if images.samples else 1
    return fit_crf(
        images,
        crf_candidates(base, search.search, search.trials, longer, search.seed),
        folds=search.folds,
        measure=search.measure,
        done=log.trials,
        on_trial=log.append,
        progress=loop.progress,
    )


class CachedImages:
    """Labelled images with a model's probabilities, each predicted when it is first asked for.

    Probabilities are kept in the workspace as float16; in memory there is never more than one image's.

    Parameters
    ----------
    loop : Loop
        The workspace.
    version : str
        The model.
    samples : list of Sample
        All of them labelled.
    regions : bool
        Whether superpixels are wanted, too.
    """

    def __init__(self, loop: Loop, version: str, samples: list[Sample], regions: bool) -> None:
        self._loop = loop
        self.version = version
        self.samples = samples
        self.names = [_fingerprint(sample) for sample in samples]
        self._regions = regions

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int, /) -> FitImage:
        """Return an image; raises DataError when it cannot be read."""
        image, truth = self.samples[index].load()
        arrays, name = self._loop.workspace.arrays, f"{CACHE}/{self.version}/{self.names[index]}"
        if not arrays.exists(name):
            arrays.save(name, probabilities=self._predictor.probabilities(image).astype(np.float16))
        probabilities = arrays.load(name)["probabilities"]
        return FitImage(probabilities, image, truth, self._superpixels(name, image))

    def _superpixels(self, name: str, image: NDArray[np.uint8]) -> NDArray[np.int32] | None:
        if not self._regions:
            return None
        arrays, division = self._loop.workspace.arrays, self._loop.division
        name = f"{name}-{division.count or 0}-{division.size or 0}-{division.compactness:g}"
        if not arrays.exists(name):
            arrays.save(name, superpixels=division.superpixels(image))
        return arrays.load(name)["superpixels"]

    @cached_property
    def _predictor(self) -> Predictor:
        return self._loop.predictor(self.version)


def _fingerprint(sample: Sample) -> str:
    """Return what changes when the picture or its labels do."""
    content = read_bytes(sample.image) + read_bytes(str(sample.labels))
    return hashlib.sha256(content).hexdigest()[:16]
