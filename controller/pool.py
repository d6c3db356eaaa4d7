"""Which images are the initial labelled set, and which are the pool that regions are asked from."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from controller.loop import Loop
from tenth.errors import DataError
from tenth.segmentation.dataset import Sample, choose_initial, list_images
from tenth.workspace.database import Image, Role, Round

log = logging.getLogger(__name__)


def divide(loop: Loop) -> tuple[list[Sample], list[Sample]]:
    """Divide the images that the configuration names into the initial labelled set and the pool.

    Once a round has begun, `data.initial_count` images stay those that they are, whatever comes to the data
    set; with -1 the images that have been labelled since join them.

    Returns
    -------
    initial, pool : list of Sample
        The initial set is labelled; labels of pool images, where there are any, are never read.

    Raises
    ------
    DataError
        When `data.initial_count` asks for more labelled images than there are.
    """
    data = loop.config.data
    train = loop.dataset.split(data.train_split) if data.train_split in loop.dataset.splits else []
    labelled = [sample for sample in train if sample.labels is not None]
    initial = _initial(loop, labelled)
    if data.pool:
        return initial, list_images(data.pool)
    chosen = {sample.key for sample in initial}
    return initial, [sample for sample in train if sample.key not in chosen]


def _initial(loop: Loop, labelled: list[Sample]) -> list[Sample]:
    data = loop.config.data
    if data.initial_count < 0:
        return labelled
    with loop.workspace.database.reading() as session:
        if session.scalar(select(Round.number).limit(1)) is not None:
            fixed = set(session.scalars(select(Image.key).where(Image.role == "initial")))
            return [sample for sample in labelled if sample.key in fixed]
    if data.initial_count > len(labelled):
        raise DataError(
            f"data.initial_count is {data.initial_count}, but only {len(labelled)} images of split "
            f"'{data.train_split}' are labelled. Lower it, or set -1 to take all of them."
        )
    return choose_initial(labelled, data.initial_count, data.initial_order, loop.config.selection.seed)


def register_images(loop: Loop) -> None:
    """Make the database know the images as they are now: new ones, moved ones, other label maps and roles.

    Images that are gone leave it, unless they have been asked about; those keep their role and answers. Where
    nothing is different, nothing is written: webhooks would have to wait while the rows are compared.
    """
    initial, pool = divide(loop)
    wanted: dict[str, tuple[Sample, Role]] = {sample.key: (sample, "pool") for sample in pool}
    wanted |= {sample.key: (sample, "initial") for sample in initial}
    with loop.workspace.database.reading() as session:
        if is_registered(session, wanted):
            return
    with loop.workspace.database.session() as session:
        known = {image.key: image for image in session.scalars(select(Image))}
        for key, (sample, role) in wanted.items():
            image = known.get(key)
            if image is None:
                session.add(Image(key=key, source=sample.image, labels=sample.labels, role=role))
                continue
            image.source, image.labels = sample.image, sample.labels
            image.role = image.role if image.role == "asked" else role
        gone = [image for key, image in known.items() if key not in wanted and image.role != "asked"]
        for image in gone:
            session.delete(image)
    if gone:
        log.warning("%d images are no longer there and are left out: %s, …", len(gone), gone[0].source)


def is_registered(session: Session, wanted: Mapping[str, tuple[Sample, Role]]) -> bool:
    """Tell whether the database knows all images as they are now, by key with their roles, and no others."""
    rows = session.execute(select(Image.key, Image.source, Image.labels, Image.role))
    known = {key: (source, labels, role) for key, source, labels, role in rows}
    asked = {key for key, (_, _, role) in known.items() if role == "asked"}
    return known.keys() - asked <= wanted.keys() and all(
        known.get(key) == (sample.image, sample.labels, "asked" if key in asked else role)
        for key, (sample, role) in wanted.items()
    )


def left_to_ask(loop: Loop) -> int:
    """Return how many images can still be asked about, those not registered yet included."""
    _, pool = divide(loop)
    with loop.workspace.database.reading() as session:
        asked = set(session.scalars(select(Image.key).where(Image.role == "asked")))
    return sum(sample.key not in asked for sample in pool)


def images_with_role(session: Session, role: str) -> list[Image]:
    """Return the images of a role, sorted by key."""
    return list(session.scalars(select(Image).where(Image.role == role).order_by(Image.key)))


def as_sample(loop: Loop, image: Image) -> Sample:
    """Return an image of the database as the data set knows it."""
    return Sample(image.key, image.source, image.labels, len(loop.classes))
