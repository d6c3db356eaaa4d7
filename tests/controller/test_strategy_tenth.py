"""The `tenth` strategy: each ingredient by hand, alone."""

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
from strategy_contract import StrategyContract, maps

from controller.costs import AnswerCosts
from controller.strategies import ImageMaps, RoundContext
from controller.strategies.tenth import Tenth, purity_of, spread_scores
from tenth.errors import ConfigurationError
from tenth.segmentation.uncertainty import mean_by_region, pixel_entropy

OFF = {
    "flip": False,
    "purity": 0.0,
    "balance": 0.0,
    "cost": 0.0,
    "spread": 0.0,
    "chance": 0.0,
    "duplicates": 0.0,
}


class TestTenth(StrategyContract):
    strategy_name = "tenth"


class TestTenthByChance(StrategyContract):
    strategy_name = "tenth"
    options: ClassVar = {"chance": 1.0}


def given(p, superpixels, **more):
    p = np.asarray(p, np.float32)
    superpixels = np.asarray(superpixels, np.int32)
    return ImageMaps(np.zeros((*superpixels.shape, 3), np.uint8), p, superpixels, **more)


# three regions of two pixels; the probabilities of class 0, that of class 1 is the rest
REGIONS = [[0, 0, 1, 1, 2, 2]]
FIRST = np.array([[0.5, 0.5, 0.9, 0.2, 1.0, 1.0]])
P = np.stack([FIRST, 1 - FIRST])


def entropy(p):
    return -(p * np.log(p) + (1 - p) * np.log(1 - p))


def test_bare_it_ranks_by_the_mean_entropy():
    scores = Tenth(**OFF).region_scores(given(P, REGIONS))
    expected = [np.log(2), (entropy(0.9) + entropy(0.2)) / 2, 0]
    np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-6)
    assert Tenth(**OFF).needs == frozenset()


def test_disagreement_with_the_mirror_image_is_doubt():
    mirrored = P.copy()
    mirrored[:, 0, 4:] = mirrored[::-1, 0, 4:]  # sure of the other class in the last region
    both = Tenth(**OFF | {"flip": True})
    assert both.needs == {"mirror"}
    scores = both.region_scores(given(P, REGIONS, mirrored=mirrored.astype(np.float32)))
    assert scores[2] == pytest.approx(np.log(2), rel=1e-5)


def test_purity_by_hand():
    # ties of the most probable class go to the lower one: region 0 is pure, region 1 half and half
    np.testing.assert_allclose(purity_of(P.astype(np.float32), np.array(REGIONS, np.int32)), [1, 0.5, 1])
    plain = Tenth(**OFF).region_scores(given(P, REGIONS))
    pure = Tenth(**OFF | {"purity": 2.0}).region_scores(given(P, REGIONS))
    np.testing.assert_allclose(pure, plain * [1, 0.25, 1])
    impure = Tenth(**OFF | {"purity": -1.0}).region_scores(given(P, REGIONS))
    np.testing.assert_allclose(impure, plain * [1, 2, 1])


def test_rare_classes_first():
    context = RoundContext(class_shares=np.array([0.8, 0.2]))
    balanced = Tenth(**OFF | {"balance": 1.0}).region_scores(given(P, REGIONS, context=context))
    plain = Tenth(**OFF).region_scores(given(P, REGIONS))
    mixture = np.array([[0.5, 0.5], [0.55, 0.45], [1, 0]])
    np.testing.assert_allclose(balanced, plain * (mixture @ [1.25, 5.0]), rtol=1e-5)


def test_dear_answers_last():
    context = RoundContext(costs=AnswerCosts(accept=1.0, other=3.0))
    cheap = Tenth(**OFF | {"cost": 1.0}).region_scores(given(P, REGIONS, context=context))
    plain = Tenth(**OFF).region_scores(given(P, REGIONS))
    np.testing.assert_allclose(cheap, plain / [2.0, 0.55 + 3 * 0.45, 1.0], rtol=1e-5)


def test_regions_keep_their_distance():
    # five squares in a row: after the best, in the middle, its neighbours are worth less than the ends
    superpixels = np.repeat(np.arange(5, dtype=np.int32), 4)[None].repeat(4, axis=0)
    scores = np.array([0.5, 0.9, 1.0, 0.9, 0.55])
    order = np.argsort(-spread_scores(scores, superpixels, 3 * 16, 1.0))
    assert order[:3].tolist() == [2, 4, 0]
    assert np.argsort(-spread_scores(scores, superpixels, 3 * 16, 0.05))[:3].tolist() == [2, 1, 3]


def test_chance_draws_in_proportion_to_the_score():
    worth = Tenth(**OFF).region_scores(given(P, REGIONS))
    budget, draws = 2, 1000
    for chance in (1.0, 0.5):
        first = [
            Tenth(seed, **OFF | {"chance": chance}).select(given(P, REGIONS), budget)[0]
            for seed in range(draws)
        ]
        expected = worth ** (1 / chance) / (worth ** (1 / chance)).sum()
        shares = np.bincount(first, minlength=3) / draws
        np.testing.assert_allclose(shares, expected, atol=4 * np.sqrt(0.25 / draws))  # four deviations
        assert shares[2] == 0  # what has no entropy is never drawn before what has


def test_duplicates_come_last():
    scores = {"a": 3.0, "b": 2.9, "c": 1.0}
    looks = {"a": np.array([1.0, 0.0]), "b": np.array([1.0, 0.01]), "c": np.array([0.0, 1.0])}
    looks = {key: value.astype(np.float32) for key, value in looks.items()}
    assert Tenth(**OFF).group(scores, looks, 2) == ["a", "b"]
    assert Tenth(**OFF | {"duplicates": 1.0}).group(scores, looks, 2) == ["a", "c"]
    assert Tenth().group(scores, {}, 2) == ["a", "b"]  # nothing is known of their looks


def test_exact_duplicates_are_still_taken_once_each():
    scores = dict.fromkeys("abc", 1.0)
    looks = {key: np.ones(2, np.float32) for key in scores}
    assert sorted(Tenth().group(scores, looks, 3)) == ["a", "b", "c"]


@pytest.mark.parametrize("name", ["spread", "chance", "duplicates"])
def test_negative_strengths_are_refused(name):
    with pytest.raises(ConfigurationError, match=f"selection.{name} = -1"):
        Tenth(**{name: -1})


def test_all_ingredients_multiply():
    seen = maps(seed=2)
    seen = replace(seen, context=replace(seen.context, costs=AnswerCosts(1, 4)))
    strategy = Tenth(purity=1.5, balance=0.5, cost=0.7)
    p = (seen.probabilities + seen.mirrored) / 2
    mixture = np.stack([mean_by_region(plane, seen.superpixels) for plane in p], axis=1)
    expected = mean_by_region(pixel_entropy(p), seen.superpixels)
    expected = expected * purity_of(p, seen.superpixels) ** 1.5
    expected = expected * (mixture @ (1 / np.maximum(seen.context.class_shares, 1e-4))) ** 0.5
    expected = expected / (mixture.max(axis=1) + 4 * (1 - mixture.max(axis=1))) ** 0.7
    np.testing.assert_allclose(strategy.region_scores(seen), expected, rtol=1e-4)
