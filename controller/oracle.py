"""A simulated annotator: answers the open group from ground truth, through Label Studio's API."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from controller.loop import Loop
from controller.push import regions_of
from tenth.errors import ConfigurationError, DataError
from tenth.label_studio.answers import class_result, painted_results, special_result
from tenth.label_studio.configs import MIXED, VOID
from tenth.label_studio.regions import RegionCrop
from tenth.segmentation.classes import IGNORE, ClassSet
from tenth.segmentation.images import read_labels
from tenth.workspace.database import Image, Region
from tenth.workspace.names import superpixels_name

Result = list[dict[str, Any]]
PARALLEL = 4
"""Requests at a time: the server's database takes one writer, its Python takes the rest of the time."""


@dataclass(frozen=True)
class Oracle:
    """How the simulated people answer.

    Parameters
    ----------
    noise : float
        Share of the answers that name a wrong class, in 0..1; of a region that is mostly void, none does.
    exact : bool
        Paint the classes of a region that holds several; otherwise its dominant class is the answer.
    seed : int
        Seed of the wrong answers.
    """

    noise: float = 0.0
    exact: bool = False
    seed: int = 0

    def answer(
        self, region: Region, mask: NDArray[np.bool_], truth: NDArray[np.uint8], classes: ClassSet
    ) -> Result:
        """Return what Label Studio's editor would send for one region.

        Parameters
        ----------
        region : Region
            The region asked.
        mask : (H, W) bool
            Its pixels.
        truth : (H, W) uint8
            Ground truth of the image, 255 = void.
        classes : ClassSet
            The project's classes.
        """
        counts = np.bincount(truth[mask], minlength=256)
        label = int(counts.argmax())
        wrong = None if label == IGNORE else self._wrong(region, label, len(classes))
        if wrong is not None:
            return [class_result(classes, wrong, accepted=wrong == region.guess)]
        present = np.flatnonzero(counts[:IGNORE])
        if self.exact and (len(present) > 1 or (len(present) and counts[IGNORE])):
            crop = RegionCrop(region.x, region.y, region.width, region.height, region.scale)
            paint = np.where(mask, truth, IGNORE).astype(np.uint8)
            return [special_result(MIXED), *painted_results(crop, paint, classes)]
        if label == IGNORE:
            return [special_result(VOID)]
        return [class_result(classes, label, accepted=label == region.guess)]

    def _wrong(self, region: Region, label: int, classes: int) -> int | None:
        # By region, so that the same region gets the same answer in whatever order they are answered.
        rng = np.random.default_rng([self.seed, *region.id.encode()])
        if rng.random() >= self.noise:
            return None
        return int(rng.choice([other for other in range(classes) if other != label]))


def answer_group(loop: Loop, labels: Path, oracle: Oracle, annotators: int = 1) -> dict[str, Any]:
    """Answer every unanswered region of the open group; return who answered how many.

    Parameters
    ----------
    loop : Loop
        The opened workspace.
    labels : Path
        Folder with the ground truth, ``NAME.png`` for an image called NAME; that of images in folders of the
        pool is in the same folders, or beside each other where no two have the same name.
    oracle : Oracle
        How they answer.
    annotators : int, optional
        People among whom the regions are dealt out; each is a user of Label Studio.

    Raises
    ------
    ConfigurationError
        When no group is open.
    DataError
        When an image has no label map, one that could be another image's, or one of another size.
    """
    group = loop.workspace.open_group()
    if group is None or group.round == 0:
        raise ConfigurationError(
            "There is no open group to answer. Push one with 'controller next-round "
            f"--workspace {loop.workspace.folder}'."
        )
    tasks = loop.client.tasks(
        loop.project, data={"round": group.round}, annotated=False, fields=("id", "data")
    )
    by_task = {region.task_id: region for region in regions_of(loop, group.round, "pushed")}
    asked = [by_task[task["id"]] for task in tasks if task["id"] in by_task]
    users = people(loop, annotators)
    answers = list(prepare(loop, asked, labels, oracle))
    counts: Counter[str] = Counter()

    def submit(item: tuple[int, tuple[Region, Result]]) -> str:
        place, (region, result) = item
        user_id, email = users[place % len(users)]
        loop.client.create_annotation(region.task_id or 0, result, completed_by=user_id)
        return email

    with ThreadPoolExecutor(PARALLEL) as pool:
        submitted = pool.map(submit, enumerate(answers))
        counts.update(
            loop.progress.over(submitted, len(answers), f"Round {group.round}: answering", "region")
        )
    return {"round": group.round, "answered": sum(counts.values()), "annotators": dict(counts)}


def prepare(
    loop: Loop, regions: Sequence[Region], labels: Path, oracle: Oracle
) -> list[tuple[Region, Result]]:
    """Return each region with its answer, all of them before the first is sent: bad labels send nothing.

    Raises
    ------
    DataError
        When an image has no label map, one that could be another image's, or one of another size.
    """
    of_image: dict[int, list[Region]] = {}
    for region in regions:
        of_image.setdefault(region.image_id, []).append(region)
    with loop.workspace.database.reading() as session:
        images = list(session.scalars(select(Image).where(Image.id.in_(of_image))))
        names = Counter(PurePosixPath(key).name for key in session.scalars(select(Image.key)))
    prepared = []
    for image in images:
        truth = ground_truth(truth_path(labels, image.key, names), image, len(loop.classes))
        asked = of_image[image.id]
        superpixels = loop.workspace.arrays.load(superpixels_name(asked[0].round, image.id))["superpixels"]
        for region in asked:
            mask = superpixels == region.superpixel
            prepared.append((region, oracle.answer(region, mask, truth, loop.classes)))
    return prepared


def truth_path(labels: Path, key: str, names: Mapping[str, int]) -> Path:
    """Return where the label map of an image is.

    Parameters
    ----------
    labels : Path
        Folder of the maps.
    key : str
        The image's; ``pool/drive/0001`` is looked for at ``drive/0001.png``, then at ``0001.png``.
    names : mapping of str to int
        How many images of the workspace have a name, whatever their folder.

    Raises
    ------
    DataError
        When there is none, or it could be that of another image as well.
    """
    below = PurePosixPath(*PurePosixPath(key).parts[1:])
    own, beside = labels / f"{below}.png", labels / f"{below.name}.png"
    if own.exists():
        return own
    if not beside.exists():
        raise DataError(
            f"{key} has no ground truth: {own} does not exist. --labels is the folder of the maps."
        )
    if names[below.name] > 1:
        raise DataError(
            f"The ground truth of {key} is uncertain: {names[below.name]} images have the name of {beside}. "
            f"Put the map of this one at {own}."
        )
    return beside


def ground_truth(path: Path, image: Image, classes: int) -> NDArray[np.uint8]:
    """Read the label map of an image."""
    truth = read_labels(path, classes)
    if truth.shape != (image.height, image.width):
        raise DataError(
            f"{path} is {truth.shape[1]}×{truth.shape[0]}, its image {image.width}×{image.height}; "
            "an oracle needs the labels of the very image."
        )
    return truth


def people(loop: Loop, count: int) -> list[tuple[int | None, str]]:
    """Return id and e-mail address of `count` users; those beyond the key's owner are made when missing."""
    me = loop.client.whoami()
    users: list[tuple[int | None, str]] = [(None, str(me["email"]))]
    for number in range(2, count + 1):
        user = loop.client.ensure_user(f"annotator-{number}@tenth.invalid")
        users.append((int(user["id"]), str(user["email"])))
    return users
