"""The group and its regions: within the budget, the most uncertain, the same every time."""

from dataclasses import dataclass

import numpy as np
import pytest
from rounds import answer, make_workspace
from sqlalchemy import select

from controller.choose import choose_regions, round_view
from controller.context import class_features
from controller.initialize import create_or_change
from controller.loop import Loop
from controller.merge import MergedImage, merge
from controller.pool import as_sample
from controller.round import begin
from controller.score import read_scores, score, scores_file
from controller.train import training_images
from tenth.errors import ConfigurationError
from tenth.segmentation.crf import dense_crf
from tenth.segmentation.guess import region_guess
from tenth.segmentation.uncertainty import pixel_entropy, sum_by_region
from tenth.workspace.database import Image, Region
from tenth.workspace.names import superpixels_name


def changed(loop, **settings):
    """Open the workspace again with other settings, ``section__key=value``."""
    triples = [(*name.split("__"), value) for name, value in settings.items()]
    create_or_change(loop.workspace.folder, None, triples)
    return Loop.open(loop.workspace.folder)


def choose(loop, number=1):
    begin(loop, number)
    score(loop, number)
    return choose_regions(loop, number)


def chosen(loop):
    with loop.workspace.database.reading() as session:
        return list(session.scalars(select(Region).order_by(Region.id)))


def asked_images(loop):
    with loop.workspace.database.reading() as session:
        return {image.id: image for image in session.scalars(select(Image).where(Image.role == "asked"))}


def superpixels_of(loop, image, number=1):
    return loop.workspace.arrays.load(superpixels_name(number, image))["superpixels"]


@pytest.mark.parametrize("budget", [0.02, 0.1, 0.33])
def test_no_image_exceeds_its_budget(learned, budget):
    loop = changed(learned, selection__budget=budget)
    result = choose(loop)
    images = asked_images(loop)
    assert len(images) == loop.config.selection.group_size == result["images"]
    for image in images.values():
        superpixels = superpixels_of(loop, image.id)
        assert superpixels.shape == (image.height, image.width) == (64, 96)
        regions = [region for region in chosen(loop) if region.image_id == image.id]
        pixels = [int((superpixels == region.superpixel).sum()) for region in regions]
        assert [region.area for region in regions] == pixels
        assert 0 < sum(pixels) <= budget * image.height * image.width
    assert result["queried_pixels"] == sum(region.area for region in chosen(loop))
    assert result["pixels"] == 2 * 64 * 96
    assert result["remainder_pixels"] == 2 * int(budget * 64 * 96) - result["queried_pixels"]


def test_the_most_uncertain_images_and_regions(learned):
    choose(learned)
    scores = {key: row.score for key, row in read_scores(scores_file(learned, 1)).items()}
    images = asked_images(learned)
    best = sorted(scores, key=lambda key: -scores[key])[:2]
    assert {image.key for image in images.values()} == set(best)
    predictor = learned.predictor(str(learned.workspace.models.current()))
    for image in images.values():
        picture = as_sample(learned, image).load_image()
        refined = dense_crf(predictor.probabilities(picture), picture, learned.crf_options)
        superpixels = superpixels_of(learned, image.id)
        entropy = sum_by_region(pixel_entropy(refined), superpixels)
        regions = {region.superpixel: region for region in chosen(learned) if region.image_id == image.id}
        assert int(entropy.argmax()) in regions
        left = 0.1 * image.height * image.width - sum(region.area for region in regions.values())
        lowest = min(entropy[number] for number in regions)
        for number in np.flatnonzero(entropy > lowest):  # whatever is left out did not fit
            assert number in regions or (superpixels == number).sum() > left
        for number, region in regions.items():
            assert region.score == pytest.approx(entropy[number])
            guess = region_guess(refined, superpixels == number)
            assert region.guess == guess.label
            assert region.confidence == pytest.approx(guess.confidence)
            assert (region.parts is None) == (guess.parts is None)
            if region.parts is not None:
                stored = learned.workspace.arrays.load(region.parts)["parts"]
                np.testing.assert_array_equal(stored, guess.parts)


@dataclass
class ByHand:
    """A picture and labels, as `class_features` reads them."""

    picture: np.ndarray
    labels: np.ndarray

    def load(self):
        return self.picture, self.labels


def test_features_of_a_class_are_those_of_the_pixels_that_people_labelled(asked):
    """The label maps have pseudo-labels everywhere else, and those do not count."""
    answer(asked, 1)
    merge(asked, 1)
    loop = changed(asked, selection__strategy="sp-crf-class")
    version = loop.workspace.models.teacher()
    images, classes = training_images(loop, 1), len(loop.classes)
    by_people = [
        ByHand(*(image.load_answered() if isinstance(image, MergedImage) else image.load()))
        for image in images
    ]
    predictor = loop.predictor(version)
    found = round_view(loop, 2, version, {}).context.class_features
    np.testing.assert_array_equal(found, class_features(by_people, predictor, classes))
    assert not np.array_equal(found, class_features(images, predictor, classes), equal_nan=True)
    assert not np.array_equal(found, class_features(images[:2], predictor, classes), equal_nan=True)


def test_the_crop_holds_its_region(learned):
    choose(learned)
    for region in chosen(learned):
        rows, columns = np.nonzero(superpixels_of(learned, region.image_id) == region.superpixel)
        assert region.x <= columns.min() and columns.max() < region.x + region.width
        assert region.y <= rows.min() and rows.max() < region.y + region.height
        assert region.scale >= 1


def test_the_group_never_has_more_regions_than_allowed(learned):
    everything = changed(learned, selection__max_regions=1000)
    choose(everything)
    scores = sorted((region.score for region in chosen(everything)), reverse=True)
    assert len(scores) > 7
    loop = changed(learned, selection__max_regions=7)
    assert choose_regions(loop, 1)["regions"] == 7
    assert len({region.image_id for region in chosen(loop)}) == 2
    assert max(region.score for region in chosen(loop)) == scores[0]


def described(loop):
    return [
        (each.id, each.superpixel, each.area, each.score, each.guess, each.confidence, each.x, each.scale)
        for each in chosen(loop)
    ]


def test_a_killed_choice_is_repeated_with_the_same_group(learned):
    """Killed after its commit, before the step is recorded: its group has left the pool already."""
    result = choose(learned)
    before, images = described(learned), set(asked_images(learned))
    assert choose_regions(learned, 1) == result
    assert described(learned) == before
    assert set(asked_images(learned)) == images


def test_asked_images_are_not_asked_again(learned):
    choose(learned, 1)
    first = set(asked_images(learned))
    choose(learned, 2)
    assert len(asked_images(learned)) == 4
    second = {region.image_id for region in chosen(learned) if region.round == 2}
    assert second == set(asked_images(learned)) - first


def test_the_last_group_takes_what_is_left(learned):
    loop = changed(learned, selection__group_size=100)
    assert choose(loop)["images"] == 4


def test_a_budget_without_room_for_a_superpixel_is_refused(learned):
    loop = changed(learned, superpixels__size=2000)
    with pytest.raises(ConfigurationError, match=r"selection\.budget = 0\.1 leaves no room"):
        choose(loop)
    assert asked_images(loop) == {}
    loop = changed(learned, superpixels__size=60)
    assert choose_regions(loop, 1)["regions"] > 0


def test_a_cold_start_asks_without_a_model(tmp_path):
    loop = make_workspace(tmp_path / "a", scenes=(6, 0, 0), initial=0)
    result = choose(loop)
    assert result["images"] == 2
    regions = chosen(loop)
    assert all((region.guess, region.confidence, region.parts) == (None, None, None) for region in regions)
    # Spread over the pool: of six images in order, the second and the fifth.
    with loop.workspace.database.reading() as session:
        keys = list(session.scalars(select(Image.key).order_by(Image.key)))
    assert {image.key for image in asked_images(loop).values()} == {keys[1], keys[4]}
    for image in asked_images(loop).values():
        own = [region for region in regions if region.image_id == image.id]
        assert 0 < sum(region.area for region in own) <= 0.1 * 64 * 48

    again = changed(loop, selection__seed=0)
    choose_regions(again, 1)
    assert described(again) == [
        (each.id, each.superpixel, each.area, each.score, None, None, each.x, each.scale) for each in regions
    ]
    other = changed(loop, selection__seed=1)
    choose_regions(other, 1)
    assert {region.id for region in chosen(other)} != {region.id for region in regions}
