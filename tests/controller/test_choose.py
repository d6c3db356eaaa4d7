"""The group and its regions: within the budget, the most uncertain, the same every time."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from rounds import answer, make_workspace, open_round
from sqlalchemy import select

import controller.round as rounds_module
from controller.choose import Chosen, Group, choose_regions, join, round_view
from controller.context import class_features
from controller.initialize import create_or_change
from controller.loop import Loop
from controller.merge import MergedImage, merge
from controller.pool import as_sample, images_with_role
from controller.pool_end import NothingToAsk
from controller.queries import store
from controller.round import OPENING, begin, close, open_next
from controller.score import read_scores, score, scores_file
from controller.selection import cap_regions
from controller.steps import last_round, results, run_steps
from controller.train import training_images
from tenth.errors import ConfigurationError, DataError
from tenth.segmentation.crf import dense_crf
from tenth.segmentation.guess import region_guess
from tenth.segmentation.uncertainty import pixel_entropy, sum_by_region
from tenth.workspace.database import Image, Region, Round
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


@pytest.mark.parametrize("refresh", [True, False])
def test_features_of_a_class_after_labels_are_kept_elsewhere(asked, refresh):
    """With labels.refresh changed between two rounds."""
    loop = changed(asked, selection__strategy="sp-crf-class", labels__refresh=refresh)
    for number in (1, 2):
        if number == 2:
            close(loop, 1)
            open_round(loop, 2)
        answer(loop, number)
        merge(loop, number)
    version = loop.workspace.models.teacher()
    expected = round_view(loop, 3, version, {}).context.class_features
    loop = changed(loop, labels__refresh=not refresh)
    np.testing.assert_array_equal(round_view(loop, 3, version, {}).context.class_features, expected)


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


def by_hand(scores, regions):
    """Return four regions, columns of an image of 8 × 8; each straddles two classes."""
    superpixels = np.repeat(np.arange(4, dtype=np.int32), 2)[None].repeat(8, axis=0)
    probabilities = np.full((12, 8, 8), 0.01, np.float32)
    probabilities[2, :, ::2] = probabilities[5, :, 1::2] = 0.89
    return Chosen((8, 8), superpixels, probabilities, np.array(scores, np.float64), regions)


def test_the_cap_leaves_what_it_would_of_all_and_nothing_else_is_described_or_written(learned):
    """The regions of an image in the strategy's order, which need not be that of their scores."""
    loop = changed(learned, selection__max_regions=4)
    found = [
        by_hand([9, 2, 7, 1], [0, 3, 2]),
        by_hand([6, 6, 6, 6], [1, 0]),
        by_hand([3, 4, 8, 8], [1, 2, 3]),
        by_hand([5, 0, 0, 0], [0]),
    ]
    expected = cap_regions(
        {str(place): [(id_, each.scores[id_]) for id_ in each.regions] for place, each in enumerate(found)}, 4
    )
    assert [[id_ for id_, _ in rows] for rows in expected.values()] == [[0], [1], [1], [0]]
    group = Group()
    images = pool_of(loop)
    join(loop, 1, images[0], found[0], group)
    assert list(group.queries[images[0].key]) == [0, 3, 2]
    join(loop, 1, images[1], found[1], group)
    assert [list(group.queries[image.key]) for image in images[:2]] == [[0, 3], [1, 0]]
    join(loop, 1, images[2], found[2], group)
    assert [list(group.queries[image.key]) for image in images[:3]] == [[0], [1], [1, 2]]
    join(loop, 1, images[3], found[3], group)
    assert [list(queries) for queries in group.queries.values()] == [[0], [1], [1], [0]]
    folder = loop.workspace.arrays.folder / "parts"
    assert not folder.exists()
    for queries in group.queries.values():
        for query in queries.values():
            name = store(loop, query, (8, 8)).parts
            parts = loop.workspace.arrays.load(name)["parts"]
            inside = np.repeat(np.arange(4), 2)[None].repeat(8, axis=0) == query.region.superpixel
            assert (parts[~inside] == 255).all()
            assert (parts[:, ::2][inside[:, ::2]] == 2).all() and (parts[:, 1::2][inside[:, 1::2]] == 5).all()
    assert len(list(folder.rglob("*.npz"))) == 4


def test_images_that_the_cap_leaves_nothing_wait_for_a_later_round(learned, caplog):
    loop = changed(learned, selection__max_regions=1, selection__group_size=3, selection__strategy="sp")
    for number in (1, 2, 3, 4):
        caplog.clear()
        result = choose(loop, number)
        assert (result["images"], result["regions"], result["pixels"]) == (1, 1, 64 * 96)
        assert len(asked_images(loop)) == number
        assert ("max_regions = 1 has no region for" in caplog.text) == (number < 4)
    assert len({region.image_id for region in chosen(loop)}) == 4


def change(loop, image, content):
    """Give an image of the pool another picture; the data set itself is shared by all tests."""
    path = loop.workspace.folder / f"changed-{image.id}.png"
    path.write_bytes(content)
    with loop.workspace.database.session() as session:
        session.get_one(Image, image.id).source = str(path)
    return str(path)


BROKEN = b"no picture"
SMALL = bytes(cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))[1])
"""8 × 8 pixels, of which a tenth has no room for a superpixel."""


def pool_of(loop):
    with loop.workspace.database.reading() as session:
        return images_with_role(session, "pool")


def test_an_image_too_small_for_any_superpixel_makes_room_for_others(learned, caplog):
    """With random regions, which draw it first again in every round."""
    loop = changed(learned, selection__strategy="random-regions", selection__group_size=1)
    order = loop.strategy.group({image.key: 0.0 for image in pool_of(loop)}, {}, 4)
    first = next(image for image in pool_of(loop) if image.key == order[0])
    source = change(loop, first, SMALL)
    with pytest.raises(ConfigurationError, match=r"budget = 0\.1 leaves no room"):
        choose(loop)  # nothing has been asked yet: who knows whether any image of the pool is large enough
    loop = changed(loop, selection__group_size=2)
    assert choose(loop, 1)["images"] == 2
    assert f"no superpixel of {source} fits into selection.budget = 0.1" in caplog.text
    assert {image.key for image in asked_images(loop).values()} == set(order[1:3])
    loop = changed(loop, selection__group_size=1)
    assert choose(loop, 2)["images"] == 1
    assert [image.key for image in pool_of(loop)] == [first.key]
    begin(loop, 3)
    with pytest.raises(NothingToAsk, match=r"what is left of the pool .*budget = 0\.1 leaves no room"):
        choose_regions(loop, 3)


@pytest.mark.parametrize("content", [SMALL, BROKEN], ids=["small", "broken"])
def test_a_pool_of_which_the_rest_cannot_be_asked_about_is_at_its_end(learned, monkeypatch, content):
    """Not an error again and again, nor a round without regions; what comes later is asked about."""
    monkeypatch.setattr(rounds_module, "OPENING", OPENING[:2])  # there is no Label Studio to push to
    loop = changed(learned, selection__group_size=3, selection__strategy="sp")
    assert open_next(loop) == 1
    close(loop, 1)
    (left,) = pool_of(loop)
    good = Path(left.source).read_bytes()
    change(loop, left, content)
    for _ in range(2):
        with pytest.raises(NothingToAsk, match="what is left of the pool cannot be asked about"):
            open_next(loop)
        assert last_round(loop).number == 1
        assert results(loop, 2) == {}
    change(loop, left, good)
    assert open_next(loop) == 2
    assert left.id in asked_images(loop)
    close(loop, 2)
    with pytest.raises(NothingToAsk, match="every image of the pool has been asked"):
        open_next(loop)


def test_a_strategy_that_is_changed_after_the_pool_was_scored_gets_scores_of_its_own(learned):
    loop = changed(learned, selection__strategy="random-regions")
    begin(loop, 1)
    run_steps(loop, 1, (("score", score),))
    assert results(loop, 1)["score"] == {"images": 0} and not scores_file(loop, 1).exists()
    loop = changed(learned, selection__strategy="sp", selection__seed=5)
    choose_regions(loop, 1)
    scores = {key: row.score for key, row in read_scores(scores_file(loop, 1)).items()}
    assert results(loop, 1)["score"]["images"] == len(scores) == 4
    best = sorted(scores, key=lambda key: -scores[key])[:2]
    assert {image.key for image in asked_images(loop).values()} == set(best)
    with loop.workspace.database.reading() as session:
        current = session.get_one(Round, 1)
    assert (current.strategy, current.seed) == ("sp", 5)


def test_killed_while_scoring_again_it_scores_the_others_before_it_chooses(learned):
    loop = changed(learned, selection__group_size=1)
    begin(loop, 1)
    run_steps(loop, 1, (("score", score),))
    expected = read_scores(scores_file(loop, 1))
    scores_file(loop, 1).unlink()  # as if made with other options
    last = pool_of(loop)[-1]
    source = last.source
    with loop.workspace.database.session() as session:
        session.get_one(Image, last.id).source = "nonsense://a.png"
    with pytest.raises(DataError, match="nonsense"):
        choose_regions(loop, 1)
    with loop.workspace.database.session() as session:
        session.get_one(Image, last.id).source = source
    assert len(read_scores(scores_file(loop, 1))) == 3 and results(loop, 1) == {}
    run_steps(loop, 1, (("score", score), ("choose", choose_regions)))
    assert read_scores(scores_file(loop, 1)).keys() == expected.keys()


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


def test_a_cold_start_does_without_pictures_that_cannot_be_read(tmp_path, caplog):
    loop = make_workspace(tmp_path, scenes=(6, 0, 0), initial=0)
    pool = pool_of(loop)
    Path(pool[1].source).write_bytes(b"no picture")
    Path(pool[4].source).unlink()
    assert choose(loop)["images"] == 2
    assert pool[1].source in caplog.text and pool[4].source in caplog.text
    assert not {pool[1].id, pool[4].id} & asked_images(loop).keys()
    for image in pool:
        Path(image.source).write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"No image of the pool can be read\. The first: .*"):
        choose_regions(loop, 1)


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


@pytest.mark.parametrize(("strategy", "refined"), [("sp-crf", True), ("tenth", False)])
def test_it_says_whether_the_guesses_are_of_refined_probabilities(learned, strategy, refined):
    assert choose(changed(learned, selection__strategy=strategy))["refined"] is refined
