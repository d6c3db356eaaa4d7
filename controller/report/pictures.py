"""Pictures of asked images: the queries, how unsure the model was, what it said before and says now."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray
from sqlalchemy import select

from controller.labels import RegionAnswer
from controller.loop import Loop
from controller.merge import answers_of
from controller.pool import as_sample
from controller.report.encode import HEAT_COLORS, heat_uri, jpeg_uri, label_uri
from controller.report.facts import Facts, css_color
from controller.report.words import percent
from controller.score import read_scores, scores_file
from tenth.segmentation.classes import IGNORE
from tenth.segmentation.images import read_labels
from tenth.segmentation.inference import Predictor
from tenth.segmentation.refine import refine
from tenth.segmentation.uncertainty import pixel_entropy
from tenth.workspace.database import Image, Region, Round
from tenth.workspace.names import superpixels_name

MIXED_COLOR, VOID_COLOR, OPEN_COLOR = "#ffffff", "#000000", "#9a9a9a"


@dataclass(frozen=True)
class Panel:
    """One view of an image."""

    title: str
    note: str
    svg: Markup
    scale: str | None = None
    """Highest entropy of the colour scale below it, with its unit; ``None`` without a scale."""


@dataclass(frozen=True)
class Picture:
    """All views of one image."""

    key: str
    regions: int
    panels: list[Panel]


@dataclass(frozen=True)
class Models:
    """The versions that a picture compares; the same object where they are the same."""

    asking: Predictor
    before: Predictor
    before_version: str
    after: Predictor
    after_version: str


def asked_pictures(loop: Loop, facts: Facts, limit: int) -> list[Picture]:
    """Return the most uncertain images of the last closed round that asked, at most `limit`."""
    if not facts.asking:
        return []
    number = facts.asking[-1]["round"]
    models = load_models(loop, facts, number)
    scores = {key: row.score for key, row in read_scores(scores_file(loop, number)).items()}
    with loop.workspace.database.reading() as session:
        asked = list(session.scalars(select(Image).where(Image.round == number)))
    asked.sort(key=lambda image: (-scores.get(image.key, 0.0), image.key))
    return [show(loop, image, models) for image in asked[:limit]]


def load_models(loop: Loop, facts: Facts, number: int) -> Models:
    """Load the first version, the last one and the one that asked; the first one in a cold start."""
    with loop.workspace.database.reading() as session:
        asking = session.get_one(Round, number).model_version
    before, after = str(facts.rows[0]["trained_version"]), str(facts.rows[-1]["trained_version"])
    names = (asking or before, before, after)
    loaded = {name: loop.predictor(name) for name in dict.fromkeys(names)}
    return Models(loaded[names[0]], loaded[before], before, loaded[after], after)


def show(loop: Loop, image: Image, models: Models) -> Picture:
    """Return all views of one image."""
    assert image.round is not None  # it was asked  # noqa: S101
    sample = as_sample(loop, image)
    picture = sample.load_image()
    with loop.workspace.database.reading() as session:
        regions = list(session.scalars(select(Region).where(Region.image_id == image.id)))
        answers = {answer.region: answer for answer in answers_of(loop, session, image)}
    superpixels = loop.workspace.arrays.load(superpixels_name(image.round, image.id))["superpixels"]
    asked = [region for region in regions if region.state != "unanswered"]
    truth = None if sample.labels is None else read_labels(sample.labels, len(loop.classes))
    outlines = [outline(loop, superpixels, region, answers.get(region.superpixel)) for region in asked]
    plain = [f'<path class="asked" d="{contour(superpixels == region.superpixel)}"/>' for region in asked]
    entropy = asking_entropy(loop, models.asking, picture, superpixels)
    highest = max(float(np.percentile(entropy, 99.5)), 0.1)
    share = sum(region.area for region in asked) / superpixels.size
    panels = [
        Panel(
            "What people were asked",
            f"{len(asked)} regions, {percent(share)} of the pixels, each in the colour of the answer.",
            drawing(f"{image.key} with the queried regions outlined", jpeg_uri(picture), picture, outlines),
        ),
        Panel(
            "Where the model was unsure",
            "Entropy of each pixel when the regions were chosen; they are outlined.",
            drawing(f"Entropy heatmap of {image.key}", heat_uri(entropy, highest), picture, plain),
            scale=f"{highest:.1f} nats",
        ),
        prediction(loop, "Before", models.before_version, models.before, picture, truth),
    ]
    if models.after_version != models.before_version:
        panels.append(prediction(loop, "After", models.after_version, models.after, picture, truth))
    if truth is not None:
        view = drawing(f"Ground truth of {image.key}", label_uri(truth, loop.classes), picture, [])
        panels.append(Panel("Ground truth", "The data set's own labels, for comparison.", view))
    return Picture(image.key, len(asked), panels)


def asking_entropy(
    loop: Loop, predictor: Predictor, picture: NDArray[np.uint8], superpixels: NDArray[np.int32]
) -> NDArray[np.float32]:
    """Return the (H, W) entropy in nats, after the CRF where the strategy ranks regions after it."""
    probabilities = predictor.probabilities(picture)
    if "crf" in loop.strategy.needs:
        probabilities = refine(probabilities, picture, superpixels, loop.crf_options)
    return pixel_entropy(probabilities)


def prediction(
    loop: Loop,
    title: str,
    version: str,
    predictor: Predictor,
    picture: NDArray[np.uint8],
    truth: NDArray[np.uint8] | None,
) -> Panel:
    """Return what a model says about every pixel, and how much of it is right where that is known."""
    labels = predictor.labels(picture)
    note = f"Prediction of {version}"
    if truth is not None and (counted := truth != IGNORE).any():
        note += f": {percent(float((labels == truth)[counted].mean()), 0)} of the pixels right"
    view = drawing(f"{title}: prediction of {version}", label_uri(labels, loop.classes), picture, [])
    return Panel(title, f"{note}.", view)


def outline(loop: Loop, superpixels: NDArray[np.int32], region: Region, answer: RegionAnswer | None) -> str:
    """Return the outline of a region in the colour of its answer, on a halo that shows on any picture."""
    color, words, style = OPEN_COLOR, "no usable answer", "answer special"
    if answer is not None and answer.label is not None:
        entry = loop.classes.classes[answer.label]
        color, words, style = css_color(entry.color), entry.name, "answer"
    elif answer is not None:
        color, words = (VOID_COLOR, "void") if answer.void else (MIXED_COLOR, "mixed")
    guess = "" if region.guess is None else f", the model's guess was {loop.classes.names[region.guess]}"
    path = contour(superpixels == region.superpixel)
    halo = "halo pale" if color == VOID_COLOR else "halo"
    return (
        f'<g><title>{escape(words + guess)}</title><path class="{halo}" d="{path}"/>'
        f'<path class="{style}" d="{path}" stroke="{color}" fill="{color}"/></g>'
    )


def contour(mask: NDArray[np.bool_]) -> str:
    """Return the border of a mask as an SVG path in pixel coordinates, close to its pixels' outer edges."""
    # Contours run through the centres of border pixels; those of a doubled mask lie nearer to the edge.
    doubled = np.repeat(np.repeat(mask.astype(np.uint8), 2, axis=0), 2, axis=1)
    found, _ = cv2.findContours(doubled, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    return "".join(
        "M" + "L".join(f"{(x + 0.5) / 2:g},{(y + 0.5) / 2:g}" for x, y in line[:, 0]) + "Z" for line in found
    )


def drawing(label: str, uri: str, picture: NDArray[np.uint8], paths: list[str]) -> Markup:
    """Return an image with paths over it as one ``<svg>`` element, in the coordinates of `picture`."""
    height, width = picture.shape[:2]
    size = f'width="{width}" height="{height}"'
    return Markup(  # noqa: S704 - the label is escaped, the rest is ours
        f'<svg class="picture" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(label)}">'
        f'<image href="{uri}" {size} preserveAspectRatio="none"/>{"".join(paths)}</svg>'
    )


def heat_scale() -> str:
    """Return the colours of the heatmap from sure to unsure, as stops of a CSS gradient."""
    return ", ".join(css_color(color) for color in HEAT_COLORS)
