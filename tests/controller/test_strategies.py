"""The strategies that ship: the shared contract and what each is for."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategy_contract import StrategyContract, maps

from controller.selection import rank_images
from controller.strategies import STRATEGIES, ImageMaps, build_strategy
from controller.strategies.cold_start import farthest_points
from tenth.errors import ConfigurationError


class TestSuperpixelsCRF(StrategyContract):
    strategy_name = "sp-crf"

    def test_scores_are_the_summed_entropy(self, strategy):
        given = maps(seed=5)
        p = given.refined.astype(float)
        entropy = -(p * np.log(np.maximum(p, 1e-300))).sum(0)
        expected = [entropy[given.superpixels == r].sum() for r in range(given.superpixels.max() + 1)]
        np.testing.assert_allclose(strategy.region_scores(given), expected, rtol=1e-5)

    def test_images_are_ranked_by_the_networks_own_entropy(self, strategy):
        p = maps(seed=5).probabilities
        entropy = -(p.astype(float) * np.log(np.maximum(p, 1e-300))).sum()
        assert strategy.image_score(p) == pytest.approx(entropy, rel=1e-5)

    def test_without_a_model_it_says_what_to_do(self, strategy):
        with pytest.raises(ConfigurationError, match="cold-start"):
            strategy.image_score(None)
        with pytest.raises(ConfigurationError, match="cold-start"):
            strategy.region_scores(maps(probabilities=False))


class TestColdStart(StrategyContract):
    strategy_name = "cold-start"

    def test_needs_no_model(self, strategy):
        assert not strategy.needs_model

    def test_group_is_spread_over_the_video(self, strategy):
        scores = {f"train/{i:04d}": strategy.image_score(None) for i in range(100)}
        frames = [int(key[-4:]) for key in rank_images(scores, 5)]
        assert frames == [10, 30, 50, 70, 90]

    def test_regions_are_spread_over_the_image(self, strategy):
        # a 6 × 8 grid of squares: the first four chosen are far apart, near the four corners or the middle
        superpixels = np.kron(np.arange(48, dtype=np.int32).reshape(6, 8), np.ones((5, 5), np.int32))
        given = ImageMaps(np.zeros((30, 40, 3), np.uint8), None, superpixels)
        first = np.argsort(-strategy.region_scores(given))[:4]
        places = np.stack([first // 8, first % 8], axis=1)
        apart = np.linalg.norm(places[:, None] - places[None], axis=-1)
        assert apart[~np.eye(4, dtype=bool)].min() >= 3

    def test_places_compare_between_images(self, strategy):
        # a budget over the group takes as many regions from an image of few regions as from one of many
        few = ImageMaps(np.zeros((4, 6, 3), np.uint8), None, np.arange(24, dtype=np.int32).reshape(4, 6))
        many = ImageMaps(np.zeros((6, 8, 3), np.uint8), None, np.arange(48, dtype=np.int32).reshape(6, 8))
        np.testing.assert_array_equal(
            np.sort(strategy.region_scores(few))[::-1], np.sort(strategy.region_scores(many))[::-1][:24]
        )

    def test_start_depends_on_seed_and_image(self):
        def start(seed, moved):
            superpixels = np.arange(48, dtype=np.int32).reshape(6, 8).repeat(3, axis=1)
            superpixels[0, 3] -= moved % 2  # another image: some pixels belong to the region beside
            superpixels[1 + moved // 2, 3] -= 1
            given = ImageMaps(np.zeros((6, 24, 3), np.uint8), None, superpixels)
            return int(build_strategy("cold-start", seed).region_scores(given).argmax())

        assert len({start(seed, 0) for seed in range(10)}) > 5
        assert len({start(0, moved) for moved in range(10)}) > 5


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=12), st.integers(0, 9))
def test_each_point_is_the_farthest_from_those_before(places, seed):
    points = np.array(places, float)
    order = farthest_points(points, np.random.default_rng(seed)).tolist()
    assert sorted(order) == list(range(len(points)))

    def to_chosen(point, chosen):
        return min(((points[point] - points[other]) ** 2).sum() for other in chosen)

    for place in range(1, len(order)):
        chosen, rest = order[:place], order[place:]
        assert to_chosen(order[place], chosen) == max(to_chosen(point, chosen) for point in rest)


def test_registry_knows_them_and_names_the_nearest():
    assert {"sp-crf", "cold-start"} <= set(STRATEGIES.names())
    with pytest.raises(ConfigurationError, match="Did you mean 'sp-crf'"):
        build_strategy("sp_crf")
