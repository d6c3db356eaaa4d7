"""Step "choose": the group of images and the regions to ask about, stored before anybody is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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
from controller.pool import as_sample, images_with_role
from controller.score import Scored, read_scores, scores_file
from controller.selection import budget_pixels, cap_regions
from controller.strategies import RoundContext
from controller.train import training_images
from tenth.errors import ConfigurationError
from tenth.label_studio.regions import crop_for
from tenth.segmentation.guess import RegionGuess, region_guess
from tenth.workspace.database import Answer, Image, Region, Round
from tenth.workspace.names import superpixels_name

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


def choose_regions(loop: Loop, number: int) -> dict[str, Any]:
    """Take the most uncertain images of the pool and, in each, the most uncertain regions within the budget.

    The superpixel maps are written first; regions, the images' new role and their sizes are committed
    together.

    Raises
    ------
    ConfigurationError
        When no superpixel of the group fits into the budget.
    """
    with loop.workspace.database.session() as session:
        give_back(session, number)
        version = session.get_one(Round, number).model_version
        pool = images_with_role(session, "pool")
    scored = read_scores(scores_file(loop, number))
    group = choose_group(loop, pool, scored)
    view = round_view(loop, number, version, scored)
    chosen: dict[str, dict[int, Region]] = {}
    sizes: dict[str, tuple[int, int]] = {}
    for image in loop.progress.over(group, len(group), f"Round {number}: choosing regions", "image"):
        found = choose_in_image(loop, image, view)
        loop.workspace.arrays.save(superpixels_name(number, image.id), superpixels=found.superpixels)
        chosen[image.key] = {region: describe(loop, number, image, found, region) for region in found.regions}
        sizes[image.key] = found.shape
    kept = cap_regions(
        {key: [(id_, region.score) for id_, region in regions.items()] for key, regions in chosen.items()},
        loop.config.selection.max_regions,
    )
    regions = [chosen[key][id_] for key, rows in kept.items() for id_, _ in rows]
    if not regions:
        raise ConfigurationError(
            f"selection.budget = {loop.config.selection.budget} leaves no room for a single superpixel in "
            f"the {len(group)} images of round {number}. Raise it, or make the superpixels smaller (size or "
            f"count in [superpixels] of {loop.config.file})."
        )
    return record(loop, number, sizes, regions)


def give_back(session: Session, number: int) -> None:
    """Return the group of a killed attempt to the pool, so that the next one chooses the same again."""
    session.execute(delete(Region).where(Region.round == number))
    asked = update(Image).where(Image.role == "asked", Image.round == number)
    session.execute(asked.values(role="pool", round=None, height=None, width=None))


def choose_group(loop: Loop, pool: list[Image], scored: Mapping[str, Scored]) -> list[Image]:
    """Return the images to ask: those the strategy wants most, or spread ones in a cold start."""
    known = {image.key: scored[image.key] for image in pool if image.key in scored}
    # What has no score beside others that have one could not be read, or has come since.
    by_key = {image.key: image for image in pool if not known or image.key in known}
    size = min(loop.config.selection.group_size, len(by_key))
    # Without a model all scores are equal, and the group is spread over the pool.
    scores = {key: known[key].score if known else 0.0 for key in by_key}
    strategy = loop.strategy if known else loop.cold_start
    looks = {key: row.descriptor for key, row in known.items() if row.descriptor.size}
    return [by_key[key] for key in strategy.group(scores, looks, size)]


def round_view(loop: Loop, number: int, version: str | None, scored: Mapping[str, Scored]) -> View:
    """Return what a strategy sees of each image in this round; only positions in a cold start."""
    if version is None:
        return View(loop.cold_start, None, loop.crf_options)
    predictor = loop.predictor(version)
    needs, classes = loop.strategy.needs, len(loop.classes)
    features = None
    if "features" in needs:
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
            class_shares=class_shares(
                {key: row.descriptor for key, row in scored.items() if row.descriptor.size}, classes
            ),
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


def describe(loop: Loop, number: int, image: Image, found: Chosen, region: int) -> Region:
    """Return the database row of one region: where it is, how it is shown, and what the model guesses."""
    mask = found.superpixels == region
    guess: RegionGuess | None = None
    if found.probabilities is not None:
        guess = region_guess(found.probabilities, mask)
    crop = crop_for(mask, context=loop.config.label_studio.crop_context)
    return Region(
        id=f"r{number}-{image.id:06d}-{region:05d}",
        round=number,
        image_id=image.id,
        superpixel=region,
        area=int(mask.sum()),
        score=float(found.scores[region]),
        guess=None if guess is None else guess.label,
        confidence=None if guess is None else guess.confidence,
        parts=save_parts(loop, number, image, region, guess),
        x=crop.x,
        y=crop.y,
        width=crop.width,
        height=crop.height,
        scale=crop.scale,
        state="selected",
    )


def save_parts(loop: Loop, number: int, image: Image, region: int, guess: RegionGuess | None) -> str | None:
    """Store which classes the model sees in a straddling region; return the arrays' name."""
    if guess is None or guess.parts is None:
        return None
    name = f"parts/round-{number:03d}/{image.id:06d}-{region:05d}"
    return loop.workspace.arrays.save(name, parts=guess.parts)


def record(
    loop: Loop, number: int, sizes: dict[str, tuple[int, int]], regions: list[Region]
) -> dict[str, Any]:
    """Commit the group (the keys of `sizes`) and its regions; say what of the budget is left."""
    with loop.workspace.database.session() as session:
        for image in session.scalars(select(Image).where(Image.key.in_(sizes))):
            image.role, image.round = "asked", number
            image.height, image.width = sizes[image.key]
        session.add_all(regions)
    pixels = sum(height * width for height, width in sizes.values())
    queried = sum(region.area for region in regions)
    share = loop.config.selection.budget
    return {
        "images": len(sizes),
        "regions": len(regions),
        "queried_pixels": queried,
        "remainder_pixels": sum(budget_pixels(share, *size) for size in sizes.values()) - queried,
        "pixels": pixels,
    }
