"""Strategies that ask about single pixels, on maps of a few pixels whose answer was worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest
from strategy_contract import StrategyContract, maps

from controller.strategies import ImageMaps, build_strategy
from controller.strategies.committee import TIES, vote_entropy
from controller.strategies.entropy_edge import edges
from tenth.errors import ConfigurationError

SURE, HALVES, FLAT, LEANING, TWO, THIRDS = range(6)
SIX = [(1, 0, 0), (0.5, 0.5, 0), (0.4, 0.3, 0.3), (0.6, 0.2, 0.2), (0.625, 0.375, 0), (0.34, 0.33, 0.33)]
LN2 = np.log(2)


def pixels(*vectors):
    """Return probabilities (C, 1, n) of n pixels in a row."""
    return np.array(vectors, np.float32).T[:, None]


def seen(probabilities=None, image=None, **more):
    """Return maps in which each pixel is a region."""
    shape = next(each for each in (probabilities, *more.values()) if each is not None).shape[-2:]
    ids = np.arange(shape[0] * shape[1], dtype=np.int32).reshape(shape)
    return ImageMaps(np.zeros((*shape, 3), np.uint8) if image is None else image, probabilities, ids, **more)


class TestEntropy(StrategyContract):
    strategy_name = "entropy"

    def test_six_pixels(self, strategy):
        given = seen(pixels(*SIX))
        # −Σ p ln p, by hand
        expected = [0, 0.6931, 1.0889, 0.9503, 0.6616, 1.0986]
        np.testing.assert_allclose(strategy.region_scores(given), expected, atol=1e-4)
        assert strategy.select(given, 3) == [THIRDS, FLAT, LEANING]

    def test_without_a_model_it_says_what_to_do(self, strategy):
        with pytest.raises(ConfigurationError, match=r"'entropy' ranks .* 'cold-start'"):
            strategy.select(seen(refined=pixels(*SIX)), 3)


class TestMargin(StrategyContract):
    strategy_name = "margin"

    def test_six_pixels(self, strategy):
        given = seen(pixels(*SIX))
        expected = [0, 1, 0.9, 0.6, 0.75, 0.99]
        np.testing.assert_allclose(strategy.region_scores(given), expected, atol=1e-6)
        assert strategy.select(given, 3) == [HALVES, THIRDS, FLAT]

    def test_is_the_two_largest_by_sorting(self, strategy):
        given = self.given(strategy)
        ordered = np.sort(given.probabilities.astype(float), axis=0)
        expected = 1 - (ordered[-1] - ordered[-2]).ravel()
        np.testing.assert_allclose(strategy.region_scores(given), expected, atol=1e-12)


class TestLeastConfident(StrategyContract):
    strategy_name = "least-confident"

    def test_six_pixels(self, strategy):
        given = seen(pixels(*SIX))
        expected = [0, 0.5, 0.6, 0.4, 0.375, 0.66]
        np.testing.assert_allclose(strategy.region_scores(given), expected, atol=1e-6)
        assert strategy.select(given, 3) == [THIRDS, FLAT, HALVES]


class TestEntropyEdge(StrategyContract):
    strategy_name = "entropy-edge"

    def halves(self, left=(0.5, 0.5)):
        """Return maps of an image that is black on the left and white on the right."""
        image = np.zeros((12, 16, 3), np.uint8)
        image[:, 8:] = 255
        probabilities = np.empty((2, 12, 16), np.float32)
        probabilities[:] = np.array(left)[:, None, None]
        return seen(probabilities, image)

    def test_the_edge_counts_twice(self, strategy):
        given = self.halves()
        edge = edges(given.image)
        assert set(np.nonzero(edge)[1]) in ({7}, {8})  # one column, beside the step
        assert edge.sum() >= 10
        expected = np.where(edge, 2 * LN2, LN2).ravel()
        np.testing.assert_allclose(strategy.region_scores(given), expected, rtol=1e-6)
        assert strategy.select(given, int(edge.sum())) == np.flatnonzero(edge).tolist()

    def test_the_weight_is_not_everything(self):
        # on the edge 0.5004 (p = 0.8); elsewhere one pixel of ln 2 = 0.6931
        given = self.halves(left=(0.8, 0.2))
        given.probabilities[:, 3, 2] = 0.5
        assert build_strategy("entropy-edge").select(given, 1) != [3 * 16 + 2]
        assert build_strategy("entropy-edge", edge_weight=1.2).select(given, 1) == [3 * 16 + 2]

    def test_without_edges_it_is_entropy(self, strategy):
        given = seen(pixels(*SIX))
        np.testing.assert_array_equal(
            strategy.region_scores(given), build_strategy("entropy").region_scores(given)
        )

    @pytest.mark.parametrize("weight", [1.0, 0.5, float("inf"), float("nan")])
    def test_a_weight_that_does_not_raise_is_refused(self, weight):
        with pytest.raises(ConfigurationError, match=r"selection\.edge_weight"):
            build_strategy("entropy-edge", edge_weight=weight)


# Two passes over four pixels: unsure each time, contradicting itself, wavering, sure.
PASSES = np.stack(
    [
        pixels((0.5, 0.5), (1, 0), (0.9, 0.1), (1, 0)),
        pixels((0.5, 0.5), (0, 1), (0.7, 0.3), (1, 0)),
    ]
)


class TestMCDropout(StrategyContract):
    strategy_name = "mc-dropout"

    def test_four_pixels(self, strategy):
        given = seen(PASSES[0], passes=PASSES)
        np.testing.assert_allclose(strategy.region_scores(given), [LN2, LN2, 0.5004, 0], atol=1e-4)
        assert strategy.select(given, 3) == [0, 1, 2]

    def test_without_a_model_it_says_what_to_do(self, strategy):
        with pytest.raises(ConfigurationError, match="cold-start"):
            strategy.region_scores(seen(PASSES[0]))


class TestMCDropoutBALD(StrategyContract):
    strategy_name = "mc-dropout-bald"

    def test_four_pixels(self, strategy):
        given = seen(PASSES[0], passes=PASSES)
        # of the third: H(0.8) − (H(0.9) + H(0.7)) / 2 = 0.5004 − (0.3251 + 0.6109) / 2
        np.testing.assert_allclose(strategy.region_scores(given), [0, LN2, 0.0324, 0], atol=1e-4)
        assert strategy.select(given, 2) == [1, 2]

    def test_is_never_negative(self, strategy):
        same = maps(seed=2).probabilities
        given = seen(same, passes=np.stack([same] * 3))
        scores = strategy.region_scores(given)
        assert scores.min() >= 0
        np.testing.assert_allclose(scores, 0, atol=1e-6)


class TestCommittee(StrategyContract):
    strategy_name = "committee"

    def test_votes_of_four(self, strategy):
        members = np.full((4, 3, 1, 4), 0.1, np.float32)
        votes = np.array([[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 1, 1], [0, 1, 1, 2]])
        np.put_along_axis(members, votes[:, None, None], 0.8, axis=1)
        scores = strategy.region_scores(seen(members[-1], committee=members))
        # 4 : 0, 3 : 1, 2 : 2 and 2 : 1 : 1
        np.testing.assert_allclose(scores, [0, 0.5623, 0.6931, 1.0397], atol=TIES + 1e-4)
        assert strategy.select(seen(members[-1], committee=members), 2) == [3, 2]

    def test_the_unanimous_go_by_the_entropy_of_the_mean(self, strategy):
        unanimous = [(0.9, 0.1), (0.6, 0.4), (0.8, 0.2)]
        split = [(0.51, 0.49), (0.6, 0.4), (0.7, 0.3)]
        members = np.stack([pixels(*unanimous, split[0]), pixels(*unanimous, (0.49, 0.51))])
        assert strategy.select(seen(members[-1], committee=members), 4) == [3, 1, 2, 0]

    @pytest.mark.parametrize("members", range(2, 9))
    def test_ties_never_overrule_votes(self, members):
        rng = np.random.default_rng(members)
        votes = rng.integers(0, 4, (members, 50, 50))
        values = np.unique(np.round(vote_entropy(votes, 4), 9))
        assert np.diff(values).min() > TIES

    def test_a_committee_of_one_goes_by_entropy(self, strategy):
        given = seen(pixels(*SIX), committee=pixels(*SIX)[None])
        assert strategy.select(given, 6) == build_strategy("entropy").select(given, 6)


class TestRandomPixels(StrategyContract):
    strategy_name = "random-pixels"

    def test_every_pixel_has_the_same_chance(self):
        given = seen(pixels(*SIX))
        chosen = [build_strategy("random-pixels", seed).select(given, 2) for seed in range(600)]
        counts = np.bincount(np.concatenate(chosen), minlength=6)
        # 200 expected of each, standard deviation √(600 · 1/3 · 2/3) = 11.5
        assert (np.abs(counts - 200) < 5 * 11.5).all()

    def test_another_image_is_another_draw(self, strategy):
        given = self.given(strategy)
        other = replace(given, image=255 - given.image)
        assert strategy.select(given, 50) != strategy.select(other, 50)
