"""What every query strategy has to keep; a new one inherits `StrategyContract` in its own test."""

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest

from controller.strategies import ImageMaps, RoundContext, Strategy, build_strategy
from tenth.segmentation.superpixels import slic


def maps(seed=0, classes=4, height=36, width=48, probabilities=True):
    """Return a small image, its superpixels and probabilities (the network's or refined ones)."""
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 255, (height, width, 3), np.uint8)
    p, q, mirrored = (dirichlet(rng, classes, height, width) for _ in range(3))
    superpixels = slic(image, count=20)
    if not probabilities:
        return ImageMaps(image, None, superpixels)
    shares = rng.dirichlet(np.ones(classes))
    return ImageMaps(
        image,
        p,
        superpixels,
        refined=q,
        passes=np.stack([dirichlet(rng, classes, height, width) for _ in range(3)]),
        committee=np.stack([dirichlet(rng, classes, height, width), p]),
        mirrored=mirrored,
        features=rng.normal(size=(5, height // 4, width // 4)).astype(np.float32),
        context=RoundContext(shares, rng.normal(size=(classes, 5)).astype(np.float32)),
    )


def dirichlet(rng, classes, height, width):
    """Return random probabilities (C, H, W) float32."""
    return rng.dirichlet(np.full(classes, 0.4), (height, width)).transpose(2, 0, 1).astype(np.float32)


def as_seen_by(strategy, given):
    """Return the maps with the regions of the strategy's unit."""
    if strategy.unit == "region":
        return given
    height, width = given.superpixels.shape
    ids = np.arange(height * width, dtype=np.int32).reshape(height, width)
    return replace(given, superpixels=ids if strategy.unit == "pixel" else np.zeros_like(ids))


class StrategyContract:
    """Inherit, and set `strategy_name`, and `options` where they are not its defaults."""

    strategy_name: str
    options: ClassVar[dict[str, Any]] = {}

    def build(self) -> Strategy:
        return build_strategy(self.strategy_name, seed=3, **self.options)

    @pytest.fixture
    def strategy(self) -> Strategy:
        return self.build()

    def given(self, strategy, seed=0):
        return as_seen_by(strategy, maps(seed, probabilities=strategy.needs_model))

    def test_says_what_it_is(self, strategy):
        assert strategy.name == self.strategy_name
        assert isinstance(strategy.needs_model, bool)
        assert strategy.unit in ("region", "pixel", "image")
        assert strategy.pseudo_labels in ("network", "crf")
        assert strategy.needs <= {"crf", "passes", "committee", "mirror", "features"}
        assert strategy.needs_model or not strategy.needs
        if strategy.unit == "region":
            assert strategy.counterpart is None
        else:
            assert build_strategy(strategy.counterpart).unit == "region"

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
        again = self.build()
        first = strategy.region_scores(self.given(strategy))
        strategy.region_scores(self.given(strategy, seed=1))  # what it saw before does not matter
        np.testing.assert_array_equal(strategy.region_scores(self.given(strategy)), first)
        np.testing.assert_array_equal(again.region_scores(self.given(strategy)), first)

    @pytest.mark.parametrize("share", [0.001, 0.1, 0.37, 1.0])
    def test_the_budget_is_never_exceeded(self, strategy, share):
        for seed in range(3):
            given = self.given(strategy, seed)
            areas = np.bincount(given.superpixels.ravel())
            budget = int(share * given.superpixels.size)
            chosen = strategy.select(given, budget)
            assert len(set(chosen)) == len(chosen)
            assert areas[chosen].sum() <= budget
            # what is left over is too little for any region that was not chosen
            left = np.setdiff1d(np.flatnonzero(areas), chosen)
            assert left.size == 0 or areas[left].min() > budget - areas[chosen].sum()

    def test_same_seed_same_regions(self, strategy):
        given = self.given(strategy)
        again = self.build()
        assert strategy.select(given, 300) == again.select(given, 300) == strategy.select(given, 300)

    def test_a_group_is_made_of_the_pool(self, strategy):
        rng = np.random.default_rng(1)
        scores = {f"train/{i}": float(rng.random()) for i in range(9)}
        looks = {key: rng.random(12).astype(np.float32) for key in scores}
        group = strategy.group(scores, looks, 4)
        assert len(set(group)) == 4
        assert set(group) <= set(scores)
        assert sorted(strategy.group(scores, looks, 20)) == sorted(scores)
        assert strategy.group(dict(reversed(scores.items())), looks, 4) == group

    def test_leaves_its_input_alone(self, strategy):
        given, untouched = self.given(strategy), self.given(strategy)
        strategy.region_scores(given)
        np.testing.assert_array_equal(given.image, untouched.image)
        np.testing.assert_array_equal(given.superpixels, untouched.superpixels)
        for name in ("probabilities", "refined", "passes", "committee", "mirrored", "features"):
            np.testing.assert_equal(getattr(given, name), getattr(untouched, name))
