"""Tasks in, predictions out."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ls_backend.asked_regions import AskedRegion, asked_regions
from ls_backend.crf_process import CrfProcess
from ls_backend.images import TaskImages
from ls_backend.label_config import brush_control
from ls_backend.serving import ModelCache, ServedModel
from ls_backend.turns import TooLate, seconds_left, turn
from ls_backend.versions import NO_MODEL, version_for
from tenth.errors import DataError, TenthError
from tenth.label_studio.regions import region_prediction
from tenth.label_studio.results import image_predictions
from tenth.segmentation.guess import RegionGuess, region_guess
from tenth.segmentation.images import read_image
from tenth.segmentation.superpixels import slic
from tenth.workspace.workspace import Workspace

log = logging.getLogger(__name__)

SECONDS = 85.0
"""A batch stops here: Label Studio waits 100 s and then drops all of it."""

Task = dict[str, Any]
Prediction = dict[str, Any]


@dataclass(frozen=True)
class _Wish:
    """A task, its place in the request, and the region it asks for (``None``: the whole image)."""

    position: int
    task: Task
    region: AskedRegion | None


@dataclass(frozen=True)
class _Maps:
    """What the strategy that asked would see in an image by the model, and its regions."""

    probabilities: NDArray[np.float32]
    superpixels: NDArray[np.int32]


class Predictions:
    """Answers tasks with the workspace's models.

    Parameters
    ----------
    workspace : Workspace
        Whose regions are asked and whose group may be open.
    models : ModelCache
        Its models in memory.
    images : TaskImages
        Reads the pictures of whole-image tasks.
    crf : CrfProcess
        Refines the network's probabilities: of whole images, and of regions that were chosen by refined ones.
    """

    def __init__(self, workspace: Workspace, models: ModelCache, images: TaskImages, crf: CrfProcess) -> None:
        self._workspace = workspace
        self._models = models
        self._images = images
        self._crf = crf
        self._turn = threading.Lock()  # one forward pass at a time: each takes all cores, and gigabytes

    def predict(
        self, tasks: Sequence[Task], project: int | None, label_config: str = "", seconds: float = SECONDS
    ) -> list[Prediction | list[Prediction]]:
        """Return a prediction for each task, in order.

        Parameters
        ----------
        tasks : sequence of dict
            As Label Studio sends them: those with a ``region_id`` in their data ask for a region, the others
            for a whole image.
        project : int or None
            Their project.
        label_config : str, optional
            Its labelling config; where it is empty, whole images are answered as in our own.
        seconds : float, optional
            When to stop: no image, no forward pass and no CRF is begun or waited for any longer.

        Returns
        -------
        list
            ``{"result", "score", "model_version"}`` for each task. A task that fails has an empty result and
            its reason in the log; one that was not reached in time has an empty list, "no prediction yet".
        """
        deadline = time.monotonic() + seconds
        version = version_for(self._workspace, project)
        empty = {"result": [], "score": 0.0, "model_version": version or NO_MODEL}
        results: list[Prediction | list[Prediction]] = [dict(empty) for _ in tasks]
        model = self._model(version, tasks)
        if model is None:
            return results
        for job in self._jobs(tasks):
            for position, prediction in self._answer(job, model, label_config, deadline):
                results[position] = prediction
        late = results.count([])
        if late:
            log.warning("%d of %d tasks were not reached within %.0f s", late, len(tasks), seconds)
        return results

    def _model(self, version: str | None, tasks: Sequence[Task]) -> ServedModel | None:
        if version is None:
            log.warning("Tasks %s: no prediction, for there is no model yet", _names(tasks))
            return None
        try:
            return self._models.get(version)
        except TenthError as error:
            log.error("Tasks %s: no prediction: %s", _names(tasks), error)
            return None

    def _jobs(self, tasks: Sequence[Task]) -> Iterable[list[_Wish]]:
        """Group the tasks by image, so that each image is predicted once; unknown regions are logged."""
        ids = [_region_id(task) for task in tasks]
        regions = asked_regions(self._workspace, {name for name in ids if name is not None})
        jobs: dict[str, list[_Wish]] = {}
        for position, (task, name) in enumerate(zip(tasks, ids, strict=True)):
            region = None if name is None else regions.get(name)
            if name is not None and region is None:
                log.warning("Task %s: no prediction: nobody asked about region %r", task.get("id"), name)
                continue
            image = f"task {position}" if region is None else region.superpixels
            jobs.setdefault(image, []).append(_Wish(position, task, region))
        return jobs.values()

    def _answer(
        self, job: list[_Wish], model: ServedModel, label_config: str, deadline: float
    ) -> Iterable[tuple[int, Prediction | list[Prediction]]]:
        """Yield what the tasks of one image get: nothing yet from the deadline on; failures are logged."""
        maps: _Maps | None = None
        for place, wish in enumerate(job):
            try:
                if maps is None:  # once an image is predicted its regions take no time
                    seconds_left(deadline)
                if wish.region is None:
                    yield wish.position, self._whole_image(wish.task, model, label_config, deadline)
                    continue
                guess = self._stored_guess(wish.region, model)
                if guess is None:
                    maps = maps or self._maps(wish.region, model, deadline)
                    guess = region_guess(maps.probabilities, wish.region.mask(maps.superpixels))
                yield wish.position, _region_prediction(wish.region, model, guess)
            except TooLate:
                yield from ((late.position, []) for late in job[place:])
                return
            except Exception as error:  # one broken task must not take the others' answers
                _log_failure(wish.task, error)

    def _stored_guess(self, region: AskedRegion, model: ServedModel) -> RegionGuess | None:
        """Return what `model` guessed when it asked: what was pushed stays, and costs no time again."""
        if region.guess is None or region.version != model.version:
            return None
        parts = None if region.parts is None else self._workspace.arrays.load(region.parts)["parts"]
        return RegionGuess(region.guess, region.confidence, parts)

    def _maps(self, region: AskedRegion, model: ServedModel, deadline: float) -> _Maps:
        superpixels = self._workspace.arrays.load(region.superpixels)["superpixels"]
        image = read_image(region.source)
        probabilities = self._network(image, model, deadline)
        if region.refined:
            probabilities = self._crf.refine(probabilities, image, lambda: superpixels, deadline)
        return _Maps(probabilities, superpixels)

    def _whole_image(self, task: Task, model: ServedModel, label_config: str, deadline: float) -> Prediction:
        control = brush_control(label_config)
        data = task.get("data")
        source = data.get(control.key) if isinstance(data, dict) else None
        if not isinstance(source, str) or not source:
            raise DataError(f"The task's data have no address of a picture under {control.key!r}.")
        image = self._images.load(source)
        probabilities = self._network(image, model, deadline)
        probabilities = self._crf.refine(probabilities, image, lambda: self._divide(image), deadline)
        labels = probabilities.argmax(axis=0).astype(np.uint8)
        score = float(probabilities.max(axis=0).mean(dtype=np.float64))
        return control.fit(image_predictions(labels, model.classes, model.version, min(1.0, score)))

    def _network(self, image: NDArray[np.uint8], model: ServedModel, deadline: float) -> NDArray[np.float32]:
        with turn(self._turn, deadline):
            return model.predictor.probabilities(image)

    def _divide(self, image: NDArray[np.uint8]) -> NDArray[np.int32]:
        settings = self._workspace.config.superpixels
        count, size = settings.count or None, settings.size or None
        return slic(image, count=count, size=size, compactness=settings.compactness)


def _region_prediction(region: AskedRegion, model: ServedModel, guess: RegionGuess) -> Prediction:
    return region_prediction(
        model.classes,
        region.crop,
        guess=guess.label,
        score=guess.confidence,
        model_version=model.version,
        parts=guess.parts,
    )


def _region_id(task: Task) -> str | None:
    data = task.get("data")
    value = data.get("region_id") if isinstance(data, dict) else None
    return None if value is None else str(value)


def _names(tasks: Iterable[Task]) -> str:
    return ", ".join(str(task.get("id")) for task in tasks)


def _log_failure(task: Task, error: Exception) -> None:
    if isinstance(error, TenthError):
        log.warning("Task %s: no prediction: %s", task.get("id"), error)
    else:
        log.error("Task %s: no prediction", task.get("id"), exc_info=error)
