"""Step "choose": the group of images and the regions to ask about, stored before anybody is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from controller.loop import Loop
from controller.pool import as_sample, images_with_role
from controller.score import read_scores, scores_file
from controller.selection import budget_pixels, cap_regions, rank_images, select_regions
from controller.strategies import ImageMaps
from tenth.errors import ConfigurationError
from tenth.label_studio.regions import crop_for
from tenth.segmentation.crf import dense_crf
from tenth.segmentation.guess import RegionGuess, region_guess
from tenth.segmentation.inference import Predictor
from tenth.segmentation.superpixels import slic
from tenth.segmentation.uncertainty import count_by_region
from tenth.workspace.database import Image, Region, Round
from tenth.workspace.names import superpixels_name


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
    predictor = None if version is None else loop.predictor(version)
    group = choose_group(loop, number, pool)
    chosen: dict[str, dict[int, Region]] = {}
    sizes: dict[str, tuple[int, int]] = {}
    for image in loop.progress.over(group, len(group), f"Round {number}: choosing regions", "image"):
        found = choose_in_image(loop, image, predictor)
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


def choose_group(loop: Loop, number: int, pool: list[Image]) -> list[Image]:
    """Return the images to ask: the most uncertain ones, or spread ones in a cold start."""
    size = min(loop.config.selection.group_size, len(pool))
    by_key = {image.key: image for image in pool}
    scores = read_scores(scores_file(loop, number))
    # Without a model all scores are equal, and the group is spread over the pool.
    known = {key: scores.get(key, 0.0) for key in by_key}
    return [by_key[key] for key in rank_images(known, size)]


def choose_in_image(loop: Loop, image: Image, predictor: Predictor | None) -> Chosen:
    """Rank the superpixels of one image and take those within its budget."""
    picture = as_sample(loop, image).load_image()
    height, width = picture.shape[:2]
    settings = loop.config.superpixels
    superpixels = slic(
        picture, count=settings.count or None, size=settings.size or None, compactness=settings.compactness
    )
    strategy = loop.strategy if predictor else loop.cold_start
    probabilities = None if predictor is None else predictor.probabilities(picture)
    if probabilities is not None and strategy.needs_crf:
        probabilities = dense_crf(probabilities, picture, loop.crf_options)
    scores = strategy.region_scores(ImageMaps(picture, probabilities, superpixels))
    budget = budget_pixels(loop.config.selection.budget, height, width)
    regions = select_regions(scores, count_by_region(superpixels), budget)
    return Chosen((height, width), superpixels, probabilities, scores, regions)


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
    """Commit the group (the keys of `sizes`) and its regions."""
    with loop.workspace.database.session() as session:
        for image in session.scalars(select(Image).where(Image.key.in_(sizes))):
            image.role, image.round = "asked", number
            image.height, image.width = sizes[image.key]
        session.add_all(regions)
    pixels = sum(height * width for height, width in sizes.values())
    queried = sum(region.area for region in regions)
    return {"images": len(sizes), "regions": len(regions), "queried_pixels": queried, "pixels": pixels}
