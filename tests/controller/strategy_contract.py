"""What every query strategy has to keep; a new one inherits `StrategyContract` in its own test."""

import numpy as np
import pytest

from controller.strategies import ImageMaps, Strategy, build_strategy
from tenth.segmentation.superpixels import slic


def maps(seed=0, classes=4, height=36, width=48, probabilities=True):
    """Return a small image, its superpixels and probabilities (the network's or refined ones)."""
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 255, (height, width, 3), np.uint8)
    p = rng.dirichlet(np.full(classes, 0.4), (height, width)).transpose(2, 0, 1).astype(np.float32)
    return ImageMaps(image, p if probabilities else None, slic(image, count=20))


class StrategyContract:
    """Inherit, and set `strategy_name`."""

    strategy_name: str

    @pytest.fixture
    def strategy(self) -> Strategy:
        return build_strategy(self.strategy_name, seed=3)

    def given(self, strategy, seed=0):
        return maps(seed, probabilities=strategy.needs_model)

    def test_says_what_it_is(self, strategy):
        assert strategy.name == self.strategy_name
        assert isinstance(strategy.needs_model, bool)
        assert isinstance(strategy.needs_crf, bool)
        assert strategy.needs_model or not strategy.needs_crf

    def test_one_finite_score_a_region(self, strategy):
        given = self.given(strategy)
        scores = strategy.region_scores(given)
        assert scores.shape == (given.superpixels.max() + 1,)
        assert scores.dtype == np.float64
        assert np.isfinite(scores).all()

    def test_one_finite_score_an_image(self, strategy):
        score = strategy.image_score(self.given(strategy).probabilities)
        assert isinstance(score, float)
        assert np.isfinite(score)

    def test_same_seed_same_scores(self, strategy):
        again = build_strategy(self.strategy_name, seed=3)
        first = strategy.region_scores(self.given(strategy))
        strategy.region_scores(self.given(strategy, seed=1))  # what it saw before does not matter
        np.testing.assert_array_equal(strategy.region_scores(self.given(strategy)), first)
        np.testing.assert_array_equal(again.region_scores(self.given(strategy)), first)

    def test_leaves_its_input_alone(self, strategy):
        given, untouched = self.given(strategy), self.given(strategy)
        strategy.region_scores(given)
        np.testing.assert_array_equal(given.image, untouched.image)
        np.testing.assert_array_equal(given.superpixels, untouched.superpixels)
        if given.probabilities is not None:
            np.testing.assert_array_equal(given.probabilities, untouched.probabilities)
