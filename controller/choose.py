"""Step "choose": the group of images and the regions to ask about, stored before anybody is asked."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from controller.context import class_features, class_shares
from controller.costs import learn_costs
from controller.lessons import measurable
from controller.loop import Loop
from controller.maps import View
from controller.merge import merge
from controller.pool import as_sample, images_with_role
from controller.pool_end import NothingToAsk, end_of_pool, has_asked
from controller.queries import Query, describe, store
from controller.score import Scored, scores_of
from controller.selection import budget_pixels, cap_regions
from controller.strategies import RoundContext, Strategy
from controller.train import training_images
from tenth.errors import ConfigurationError, DataError, TenthError, UnreadableFile
from tenth.workspace.database import Answer, Image, Region, Round
from tenth.workspace.names import superpixels_name

log = logging.getLogger(__name__)

COMMITTEE = 4
"""Members of a committee: the current model and up to three versions before it."""


@dataclass(frozen=True)
class Chosen:
    """The regions of one image within its budget, the most uncertain first."""

    shape: tuple[int, int]
    superpixels: NDArray[np.int32]
    probabilities: NDArray[np.float32] | None
    scores: NDArray[np.float64]
    regions: list[int]


@dataclass
class Group:
    """The images of a round, as far as they have been looked at, and why others are left out.

    Attributes
    ----------
    sizes : dict of str to (int, int)
        Height and width of each image of which a region fits into the budget.
    selected : dict of str to list of (int, float)
        All their regions within the budget, with their scores.
    queries : dict of str to dict of int to Query
        Those of them that `selection.max_regions` leaves.
    unreadable : list of UnreadableFile
        Pictures that are missing or broken.
    without_room : int
        Images of which no region fits into the budget.
    """

    sizes: dict[str, tuple[int, int]] = field(default_factory=dict)
    selected: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    queries: dict[str, dict[int, Query]] = field(default_factory=dict)
    unreadable: list[UnreadableFile] = field(default_factory=list)
    without_room: int = 0


def choose_regions(loop: Loop, number: int) -> dict[str, Any]:
    """Take the most uncertain images of the pool and, in each, the most uncertain regions within the budget.

    An image that cannot be read, or of which no region fits into the budget, stays in the pool, and the next
    one takes its place. Arrays are written first; regions, the images' new role and their sizes are committed
    together.

    Raises
    ------
    ConfigurationError
        When no superpixel of a first group fits into the budget.
    DataError
        When no image of the pool can be read, or their storage cannot be reached.
    NothingToAsk
        When the pool is empty, or that is so of all that earlier groups have left of it.
    """
    with loop.workspace.database.session() as session:
        give_back(session, number)
        version = session.get_one(Round, number).model_version
        if not images_with_role(session, "pool"):
            raise NothingToAsk("every image of the pool has been asked")
    scored = scores_of(loop, number)
    view = round_view(loop, number, version, scored)
    group = choose_group(loop, number, view, scored)
    asked = [key for key, queries in group.queries.items() if queries]
    if len(asked) < len(group.queries):
        log.warning(
            "selection.max_regions = %d has no region for %d images of round %d; they stay in the pool.",
            loop.config.selection.max_regions,
            len(group.queries) - len(asked),
            number,
        )
    sizes = {key: group.sizes[key] for key in asked}
    regions = [store(loop, query, sizes[key]) for key in asked for query in group.queries[key].values()]
    # The backend's guesses for these regions are made of the same probabilities as ours.
    return {**record(loop, number, sizes, regions), "refined": "crf" in view.strategy.needs}


def give_back(session: Session, number: int) -> None:
    """Return the group of a killed attempt to the pool, so that the next one chooses the same again."""
    session.execute(delete(Region).where(Region.round == number))
    asked = update(Image).where(Image.role == "asked", Image.round == number)
    session.execute(asked.values(role="pool", round=None, height=None, width=None))


def choose_group(loop: Loop, number: int, view: View, scored: Mapping[str, Scored]) -> Group:
    """Look at the images that the strategy wants most until the group is full, or none is left.

    Raises what `choose_regions` does.
    """
    with loop.workspace.database.reading() as session:
        pool = images_with_role(session, "pool")
    # What has no score beside others that have one could not be read, or has come since.
    left = {image.key: image for image in pool if image.key in scored or not view.strategy.needs_model}
    size = min(loop.config.selection.group_size, len(left))
    group = Group()
    with loop.progress.bar(size, f"Round {number}: choosing regions", "image") as bar:
        while left and len(group.sizes) < size:
            for key in most_wanted(view.strategy, left, scored, size):
                if len(group.sizes) < size and look_at(loop, number, left.pop(key), view, group):
                    bar.update()
            if group.without_room and not group.sizes and not has_asked(loop):
                break  # rather than through the whole pool, for a budget that is wrong
    if not group.sizes:
        raise end_of_pool(loop, none_chosen(loop, number, group))
    return group


def most_wanted(
    strategy: Strategy, left: Mapping[str, Image], scored: Mapping[str, Scored], size: int
) -> list[str]:
    """Return the keys of up to `size` images that the strategy wants most of those that are left."""
    known = {key: scored[key] for key in left if key in scored}
    scores = {key: known[key].score if key in known else strategy.image_score(None) for key in left}
    return strategy.group(scores, {key: row.descriptor for key, row in known.items()}, size)


def look_at(loop: Loop, number: int, image: Image, view: View, group: Group) -> bool:
    """Let an image join the group, if it can be asked about; tell whether it can."""
    try:
        found = choose_in_image(loop, image, view)
    except UnreadableFile as error:
        log.warning("Not asked about in round %d: %s", number, error)
        group.unreadable.append(error)
        return False
    if not found.regions:
        budget = loop.config.selection.budget
        why = f"no superpixel of {image.source} fits into selection.budget = {budget}."
        log.warning("Not asked about in round %d: %s", number, why)
        group.without_room += 1
        return False
    join(loop, number, image, found, group)
    return True


def join(loop: Loop, number: int, image: Image, found: Chosen, group: Group) -> None:
    """Put the regions of an image into the group, as many as `selection.max_regions` leaves it by now.

    What an image keeps only shrinks as others join: a region that is left out here would not come back.
    """
    group.sizes[image.key] = found.shape
    group.selected[image.key] = [(region, float(found.scores[region])) for region in found.regions]
    kept = cap_regions(group.selected, loop.config.selection.max_regions)
    group.queries[image.key] = {
        region: describe(loop, number, image, region, found.superpixels, found.probabilities, score)
        for region, score in kept[image.key]
    }
    if kept[image.key]:
        loop.workspace.arrays.save(superpixels_name(number, image.id), superpixels=found.superpixels)
    for key, rows in kept.items():
        group.queries[key] = {region: group.queries[key][region] for region, _ in rows}


def none_chosen(loop: Loop, number: int, group: Group) -> TenthError:
    """Return the error that says why no image of the pool can be asked about."""
    if not group.without_room:
        return DataError(f"No image of the pool can be read. The first: {group.unreadable[0]}")
    return ConfigurationError(
        f"selection.budget = {loop.config.selection.budget} leaves no room for a single superpixel in "
        f"the {group.without_room} images that round {number} could ask about. Raise it, or make the "
        f"superpixels smaller (size or count in [superpixels] of {loop.config.file})."
    )


def round_view(loop: Loop, number: int, version: str | None, scored: Mapping[str, Scored]) -> View:
    """Return what a strategy sees of each image in this round; only positions in a cold start."""
    if version is None:
        return View(loop.cold_start, None, loop.crf_options)
    predictor = loop.predictor(version)
    needs, classes = loop.strategy.needs, len(loop.classes)
    features = None
    if "features" in needs:
        merge(loop, number - 1)  # with another labels.refresh than then, some maps are elsewhere
        labelled = measurable(training_images(loop, number - 1))
        features = class_features(labelled, predictor, classes)
    members = earlier_versions(loop, version) if "committee" in needs else []
    return View(
        loop.strategy,
        predictor,
        loop.crf_options,
        committee=[loop.predictor(member) for member in members],
        passes=loop.config.selection.passes,
        seed=loop.config.selection.seed,
        context=RoundContext(
            class_shares=class_shares({key: row.descriptor for key, row in scored.items()}, classes),
            class_features=features,
            costs=learn_costs(given_answers(loop)),
        ),
    )


def given_answers(loop: Loop) -> list[tuple[float | None, int]]:
    """Return lead time and keys of all answers so far."""
    with loop.workspace.database.reading() as session:
        return [(row.lead_time, row.keys) for row in session.execute(select(Answer.lead_time, Answer.keys))]


def earlier_versions(loop: Loop, version: str) -> list[str]:
    """Return the versions of earlier rounds that form a committee with `version`, the oldest first."""
    with loop.workspace.database.reading() as session:
        query = select(Round.trained_version).where(Round.state == "closed").order_by(Round.number)
        trained = [each for each in session.scalars(query) if each is not None and each != version]
    return trained[-(COMMITTEE - 1) :]


def choose_in_image(loop: Loop, image: Image, view: View) -> Chosen:
    """Rank the superpixels of one image and take those within its budget."""
    picture = as_sample(loop, image).load_image()
    height, width = picture.shape[:2]
    maps = view.maps(picture, loop.division.regions(view.strategy, picture))
    budget = budget_pixels(loop.config.selection.budget, height, width)
    return Chosen(
        shape=(height, width),
        superpixels=maps.superpixels,
        probabilities=maps.probabilities if maps.refined is None else maps.refined,
        scores=view.strategy.region_scores(maps),
        regions=view.strategy.select(maps, budget),
    )


def record(
    loop: Loop, number: int, sizes: dict[str, tuple[int, int]], regions: list[Region]
) -> dict[str, Any]:
    """Commit the group (the keys of `sizes`) and its regions; say what of the budget is left."""
    selection = loop.config.selection
    with loop.workspace.database.session() as session:
        current = session.get_one(Round, number)  # begun, maybe, with other settings
        current.strategy, current.seed = selection.strategy, selection.seed
        for image in session.scalars(select(Image).where(Image.key.in_(sizes))):
            image.role, image.round = "asked", number
            image.height, image.width = sizes[image.key]
        session.add_all(regions)
    pixels = sum(height * width for height, width in sizes.values())
    queried = sum(region.area for region in regions)
    budgets = sum(budget_pixels(selection.budget, *size) for size in sizes.values())
    return {
        "images": len(sizes),
        "regions": len(regions),
        "queried_pixels": queried,
        "remainder_pixels": budgets - queried,
        "pixels": pixels,
    }
