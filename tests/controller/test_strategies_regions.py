"""Strategies that ask about superpixels or whole images, on maps whose answer was worked out by hand."""

import numpy as np
import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st
from strategy_contract import StrategyContract, as_seen_by, maps
from test_strategies_pixels import SIX

from controller.strategies import STRATEGIES, ImageMaps, RoundContext, build_strategy, require_pushable
from controller.strategies.sp_crf_class import nearest_classes
from tenth.errors import ConfigurationError

OWN_ORDER = {"tenth", "sp-crf-class", "sp-crf-class-share"}
"""Spread out, or class by class, not by falling score."""

BLANK = np.zeros((2, 3, 3), np.uint8)
SIX_PIXELS = np.array(SIX, np.float32).T.reshape(3, 2, 3)
"""Entropies 0, 0.6931, 1.0889 above 0.9503, 0.6616, 1.0986."""


class TestSuperpixels(StrategyContract):
    strategy_name = "sp"

    def test_sums_decide_and_what_does_not_fit_is_skipped(self, strategy):
        given = ImageMaps(BLANK, SIX_PIXELS, np.array([[0, 0, 1], [0, 0, 1]], np.int32))
        np.testing.assert_allclose(strategy.region_scores(given), [2.3050, 2.1875], atol=1e-4)
        assert strategy.select(given, 6) == [0, 1]
        assert strategy.select(given, 5) == [0]
        assert strategy.select(given, 3) == [1]

    def test_looks_at_the_network_not_at_the_crf(self, strategy):
        given = maps(seed=5)
        p = given.probabilities.astype(float)
        entropy = -(p * np.log(np.maximum(p, 1e-300))).sum(0)
        expected = [entropy[given.superpixels == r].sum() for r in range(given.superpixels.max() + 1)]
        np.testing.assert_allclose(strategy.region_scores(given), expected, rtol=1e-5)


class TestWholeImages(StrategyContract):
    strategy_name = "image"

    def test_all_or_nothing(self, strategy):
        given = ImageMaps(BLANK, SIX_PIXELS, np.zeros((2, 3), np.int32))
        np.testing.assert_allclose(strategy.region_scores(given), [4.4924], atol=1e-4)
        assert strategy.select(given, 6) == [0]
        assert strategy.select(given, 5) == []

    def test_the_most_uncertain_images_form_the_group(self, strategy):
        scores = {"sure": strategy.image_score(SIX_PIXELS * 0 + [[[1]], [[0]], [[0]]])}
        scores["unsure"] = strategy.image_score(SIX_PIXELS)
        assert strategy.group(scores, {}, 1) == ["unsure"]


class TestRandomRegions(StrategyContract):
    strategy_name = "random-regions"

    def test_the_group_is_a_draw_that_later_groups_go_on_with(self, strategy):
        pool = {f"train/{i:04d}": strategy.image_score(None) for i in range(40)}
        order = strategy.group(pool, {}, 40)
        first = strategy.group(pool, {}, 10)
        rest = {key: 0.0 for key in pool if key not in first}
        assert first + strategy.group(rest, {}, 10) == order[:20]
        assert first != sorted(first)
        assert build_strategy("random-regions", 4).group(pool, {}, 10) != first

    def test_every_region_has_the_same_chance(self):
        given = ImageMaps(BLANK, None, np.arange(6, dtype=np.int32).reshape(2, 3))
        first = [build_strategy("random-regions", seed).select(given, 1)[0] for seed in range(600)]
        # 100 expected of each, standard deviation √(600 · 1/6 · 5/6) = 9.1
        assert (np.abs(np.bincount(first, minlength=6) - 100) < 5 * 9.1).all()


def eight_regions(superpixels=None):
    """Return eight regions of falling entropy: four of class 0, three of class 1, one of class 2."""
    shape = (2, 4)
    shares = np.linspace(0.5, 0.1, 8).reshape(shape)
    refined = np.stack([shares, 1 - shares, 0 * shares]).astype(np.float32)
    of_class = np.array([[0, 0, 0, 0], [1, 1, 1, 2]])
    features = np.moveaxis(np.eye(3)[of_class], 2, 0).astype(np.float32) * 5
    if superpixels is None:
        superpixels = np.arange(8, dtype=np.int32).reshape(shape)
    context = RoundContext(class_features=np.eye(3, dtype=np.float32))
    image = np.zeros((*shape, 3), np.uint8)
    return ImageMaps(image, refined, superpixels, refined=refined, features=features, context=context)


class TestSuperpixelsCRFClass(StrategyContract):
    strategy_name = "sp-crf-class"

    @pytest.mark.parametrize(
        "budget, chosen",
        [
            (2, [0, 4]),  # not one for each class: those whose best is the most uncertain
            (3, [0, 4, 7]),
            (6, [0, 4, 7, 1, 5, 2]),  # two each; class 2 has but one, and 2 is the most uncertain left
            (8, [0, 4, 7, 1, 5, 2, 3, 6]),
        ],
    )
    def test_eight_regions(self, strategy, budget, chosen):
        assert strategy.select(eight_regions(), budget) == chosen

    def test_a_superpixel_has_the_class_of_most_of_its_pixels(self, strategy):
        # region 3 holds a pixel of class 0 and two of class 1; 4 is of class 1, 5 of class 2, the others of 0
        given = eight_regions(np.array([[0, 1, 2, 3], [3, 3, 4, 5]], np.int32))
        assert strategy.select(given, 5) == [3, 0, 5]
        assert build_strategy("sp-crf").select(given, 5) == [3, 0, 1]

    def test_with_no_class_known_it_is_sp_crf(self, strategy):
        given = maps(seed=3)
        unknown = RoundContext(class_features=np.full((4, 5), np.nan, np.float32))
        blind = ImageMaps(
            given.image, given.probabilities, given.superpixels,
            refined=given.refined, features=given.features, context=unknown,
        )  # fmt: skip
        assert strategy.select(blind, 300) == build_strategy("sp-crf").select(given, 300)

    def test_without_a_model_it_says_what_to_do(self, strategy):
        given = maps(seed=3)
        with pytest.raises(ConfigurationError, match="cold-start"):
            strategy.select(
                ImageMaps(given.image, given.probabilities, given.superpixels, refined=given.refined), 300
            )


class TestSuperpixelsCRFClassShare(StrategyContract):
    strategy_name = "sp-crf-class-share"

    @pytest.mark.parametrize(
        "budget, chosen",
        [
            (2, [0, 1]),  # a quarter of each: one of class 0, none of the others; the rest to the next best
            (4, [0, 1, 4, 2]),  # half: two, one, none; 2 is the most uncertain left
            (6, [0, 1, 2, 4, 5, 3]),
            (7, [0, 1, 2, 4, 5, 3, 6]),
        ],
    )
    def test_eight_regions(self, strategy, budget, chosen):
        assert strategy.select(eight_regions(), budget) == chosen

    def test_a_class_gets_its_share_where_sp_crf_gives_it_none(self, strategy):
        given = eight_regions()
        assert build_strategy("sp-crf").select(given, 3) == [0, 1, 2]
        assert strategy.select(given, 3) == [0, 4, 1]


def test_nearest_classes():
    means = np.array([(1, 0), (np.nan, 1), (0, 3)], np.float32)
    features = np.array([(5, 1), (0, 2), (1, 1), (-1, 0.5), (0, 0)], np.float32).T[:, None]
    assert nearest_classes(features, means, (1, 5)).tolist() == [[0, 2, 0, 2, 0]]
    # enlarged: each half goes to its side
    assert nearest_classes(features[..., :2], means, (2, 4)).tolist() == [[0, 0, 2, 2]] * 2
    assert not nearest_classes(features, np.full((3, 2), np.nan), (1, 5)).any()


@settings(deadline=None, max_examples=25)
@for_all(st.integers(0, 1000), st.integers(1, 6), st.integers(1, 5))
def test_nearest_is_the_highest_cosine(seed, depth, classes):
    rng = np.random.default_rng(seed)
    features, means = rng.normal(size=(depth, 3, 4)), rng.normal(size=(classes, depth))
    nearest = nearest_classes(features, means, (3, 4))
    for row, column in np.ndindex(3, 4):
        vector = features[:, row, column]
        cosine = [vector @ mean / np.linalg.norm(vector) / np.linalg.norm(mean) for mean in means]
        assert cosine[nearest[row, column]] >= max(cosine) - 1e-6


@settings(deadline=None, max_examples=40)
@for_all(
    st.sampled_from(STRATEGIES.names()),
    st.integers(0, 1000),
    st.integers(8, 40),
    st.integers(8, 40),
    st.floats(0, 1),
)
def test_no_budget_is_exceeded_and_the_same_seed_selects_the_same(name, seed, height, width, share):
    strategy, again = build_strategy(name, seed), build_strategy(name, seed)
    given = as_seen_by(strategy, maps(seed, height=height, width=width))
    budget = int(share * height * width)
    chosen = strategy.select(given, budget)
    assert len(set(chosen)) == len(chosen)
    assert np.isin(given.superpixels, chosen).sum() <= budget
    assert again.select(as_seen_by(again, maps(seed, height=height, width=width)), budget) == chosen
    scores = strategy.region_scores(given)[chosen]
    assert (np.diff(scores) <= 0).all() or strategy.name in OWN_ORDER  # the most wanted first


@pytest.mark.parametrize("name", STRATEGIES.names())
def test_people_are_asked_about_regions_alone(name):
    strategy = build_strategy(name)
    if strategy.unit == "region":
        require_pushable(strategy)
        return
    with pytest.raises(ConfigurationError, match=f"'{name}' asks .*strategy = '{strategy.counterpart}'"):
        require_pushable(strategy)
    require_pushable(build_strategy(strategy.counterpart))


def test_labels_of_the_crf_go_with_strategies_of_the_crf():
    of_crf = {name for name in STRATEGIES.names() if build_strategy(name).pseudo_labels == "crf"}
    assert of_crf == {"sp-crf", "sp-crf-class", "sp-crf-class-share", "tenth"}


def test_a_strategy_gets_the_options_that_it_has():
    assert build_strategy("entropy-edge", 3, edge_weight=4.0).edge_weight == 4.0
    assert build_strategy("entropy-edge", 3, edge_weight=4.0).seed == 3
    assert build_strategy("sp-crf", 3, edge_weight=4.0).seed == 3
