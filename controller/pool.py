"""Which images are the initial labelled set, and which are the pool that regions are asked from."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from controller.loop import Loop
from tenth.errors import DataError
from tenth.segmentation.dataset import Sample, choose_initial, list_images
from tenth.workspace.database import Image


def divide(loop: Loop) -> tuple[list[Sample], list[Sample]]:
    """Divide the images that the configuration names into the initial labelled set and the pool.

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
    if data.initial_count > len(labelled):
        raise DataError(
            f"data.initial_count is {data.initial_count}, but only {len(labelled)} images of split "
            f"'{data.train_split}' are labelled. Lower it, or set -1 to take all of them."
        )
    count = len(labelled) if data.initial_count < 0 else data.initial_count
    initial = choose_initial(labelled, count, data.initial_order, loop.config.selection.seed)
    if data.pool:
        return initial, list_images(data.pool)
    chosen = {sample.key for sample in initial}
    return initial, [sample for sample in train if sample.key not in chosen]


def register_images(loop: Loop) -> int:
    """Enter images that the database does not know yet; return how many. Asked images keep their role."""
    initial, pool = divide(loop)
    with loop.workspace.database.session() as session:
        known = set(session.scalars(select(Image.key)))
        new = [(sample, "initial") for sample in initial if sample.key not in known]
        new += [(sample, "pool") for sample in pool if sample.key not in known]
        for sample, role in new:
            session.add(Image(key=sample.key, source=sample.image, labels=sample.labels, role=role))
    return len(new)


def images_with_role(session: Session, role: str) -> list[Image]:
    """Return the images of a role, sorted by key."""
    return list(session.scalars(select(Image).where(Image.role == role).order_by(Image.key)))


def as_sample(loop: Loop, image: Image) -> Sample:
    """Return an image of the database as the data set knows it."""
    return Sample(image.key, image.source, image.labels, len(loop.classes))
