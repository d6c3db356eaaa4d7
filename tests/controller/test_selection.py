"""Selection against brute force on tiny inputs, and its promises on any input."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.selection import (
    budget_images,
    budget_pixels,
    cap_regions,
    fill_budget,
    rank_images,
    select_pixels,
    select_regions,
)
from tenth.errors import ConfigurationError, DataError

regions = st.lists(
    st.tuples(st.sampled_from([0.0, 0.5, 1.0, 2.5, 7.0]), st.integers(0, 9)), min_size=1, max_size=8
)


def arrays(pairs):
    return np.array([score for score, _ in pairs]), np.array([area for _, area in pairs])


@pytest.mark.parametrize(
    "budget, height, width, pixels",
    [(0.1, 360, 480, 17280), (0.29, 10, 10, 29), (0.1, 3, 5, 1), (1.0, 7, 9, 63), (0.001, 10, 10, 0)],
)
def test_budget_in_pixels(budget, height, width, pixels):
    assert budget_pixels(budget, height, width) == pixels


@settings(deadline=None)
@given(st.integers(1, 1000), st.integers(1, 3000), st.integers(1, 3000))
def test_budget_is_the_floor_of_the_decimal(thousandths, height, width):
    pixels = budget_pixels(thousandths / 1000, height, width)
    assert pixels <= Fraction(thousandths, 1000) * height * width < pixels + 1


@pytest.mark.parametrize("budget", [0.0, -0.1, 1.01, float("nan")])
def test_budget_out_of_range_is_refused(budget):
    with pytest.raises(ConfigurationError, match=r"selection\.budget"):
        budget_pixels(budget, 10, 10)


@pytest.mark.parametrize(
    "share, images, whole", [(0.1, 30, 3), (0.29, 100, 29), (0.1, 19, 1), (1.0, 7, 7), (0.1, 9, 0)]
)
def test_budget_in_images(share, images, whole):
    assert budget_images(share, images) == whole


def test_a_budget_in_images_out_of_range_is_refused():
    with pytest.raises(ConfigurationError, match=r"selection\.budget"):
        budget_images(0.0, 9)


def test_pixels_by_falling_score_of_equal_ones_the_first():
    scores = np.array([1.0, 3.0, 2.0, 3.0, 2.0, 2.0])
    assert select_pixels(scores, 4) == [1, 3, 2, 4]
    assert select_pixels(scores, 0) == []
    assert select_pixels(scores, 99) == [1, 3, 2, 4, 5, 0]


@settings(deadline=None)
@given(
    st.lists(st.one_of(st.sampled_from([0.0, 0.5, 1.0]), st.floats(-1e6, 1e6)), max_size=60),
    st.integers(0, 70),
)
def test_selecting_pixels_is_selecting_regions_of_one_pixel(scores, budget):
    pixels = np.array(scores, float)
    chosen = select_pixels(pixels, budget)
    assert chosen == select_regions(pixels, np.ones(len(pixels), int), budget)
    assert all(type(pixel) is int for pixel in chosen)


def test_the_order_given_is_kept():
    areas = np.array([4, 6, 0, 3])
    assert fill_budget(np.array([3, 2, 1, 0]), areas, 8) == [3, 0]
    assert fill_budget(np.array([1, 0, 3]), areas, 10) == [1, 0]


def test_a_region_that_does_not_fit_is_skipped():
    scores = np.array([5.0, 9.0, 7.0, 1.0])
    areas = np.array([4, 6, 5, 3])
    assert select_regions(scores, areas, 10) == [1, 0]  # 2 does not fit behind 1, nor 3 behind 0
    assert select_regions(scores, areas, 9) == [1, 3]
    assert select_regions(scores, areas, 2) == []


def test_equal_scores_go_by_id():
    assert select_regions(np.ones(5), np.array([2, 2, 2, 2, 2]), 6) == [0, 1, 2]


@settings(deadline=None)
@given(regions, st.integers(0, 40))
def test_selection_equals_brute_force(pairs, budget):
    # of all sets within the budget, the one that holds the best region if any does, then the second best, ...
    scores, areas = arrays(pairs)
    rank = sorted(range(len(pairs)), key=lambda r: (-scores[r], r))
    allowed = [r for r in rank if areas[r] > 0]
    sets = itertools.product([True, False], repeat=len(allowed))
    best = max(
        bits for bits in sets if sum(areas[r] for r, bit in zip(allowed, bits, strict=True) if bit) <= budget
    )
    assert select_regions(scores, areas, budget) == [r for r, bit in zip(allowed, best, strict=True) if bit]


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 1e6), st.integers(0, 5000)), min_size=1, max_size=200),
    st.integers(0, 10**5),
)
def test_promises_of_the_selection(pairs, budget):
    scores, areas = arrays(pairs)
    chosen = select_regions(scores, areas, budget)
    assert sum(areas[r] for r in chosen) <= budget
    assert len(set(chosen)) == len(chosen)
    assert all(type(region) is int for region in chosen)
    assert all(areas[r] > 0 for r in chosen)
    assert [scores[r] for r in chosen] == sorted((scores[r] for r in chosen), reverse=True)
    assert select_regions(scores.copy(), areas.copy(), budget) == chosen
    for region in set(range(len(pairs))) - set(chosen):
        better = sum(areas[r] for r in chosen if (-scores[r], r) < (-scores[region], region))
        assert areas[region] == 0 or better + areas[region] > budget


def test_broken_scores_are_refused():
    with pytest.raises(DataError, match="Region 1 has score nan"):
        select_regions(np.array([1.0, np.nan]), np.array([1, 1]), 5)
    with pytest.raises(DataError, match="Region 1 has score nan"):
        select_pixels(np.array([1.0, np.nan]), 1)
    with pytest.raises(DataError, match="same regions"):
        select_regions(np.ones(3), np.ones(2, int), 5)
    with pytest.raises(DataError, match="'b' has score inf"):
        rank_images({"a": 1.0, "b": float("inf")}, 1)


def test_group_is_the_most_uncertain():
    assert rank_images({"a": 1.0, "b": 3.0, "c": 2.0}, 2) == ["b", "c"]
    assert rank_images({"a": 1.0, "b": 3.0}, 10) == ["b", "a"]
    assert rank_images({}, 3) == []


def test_equal_images_are_spread_over_their_order():
    tied = {f"{i:02d}": 1.0 for i in range(9)}
    assert rank_images(tied, 3) == ["01", "04", "07"]
    assert rank_images({**tied, "top": 2.0}, 3) == ["top", "02", "06"]


@settings(deadline=None)
@given(
    st.dictionaries(st.text("abc", max_size=4), st.sampled_from([0.0, 1.0, 2.0])),
    st.integers(1, 12),
    st.randoms(),
)
def test_promises_of_the_group(scores, size, random):
    group = rank_images(scores, size)
    assert len(group) == len(set(group)) == min(size, len(scores))
    assert all(scores[out] <= min(scores[key] for key in group) for out in set(scores) - set(group))
    assert [scores[key] for key in group] == sorted((scores[key] for key in group), reverse=True)
    shuffled = list(scores.items())
    random.shuffle(shuffled)
    assert rank_images(dict(shuffled), size) == group


def test_cap_keeps_the_most_uncertain_of_the_group():
    group = {"a": [(3, 9.0), (1, 8.0), (2, 7.0)], "b": [(0, 1.0), (5, 0.5)], "c": []}
    assert cap_regions(group, 3) == {"a": [(3, 9.0), (1, 8.0)], "b": [(0, 1.0)], "c": []}
    assert cap_regions(group, 10) == group
    assert cap_regions(group, 1) == {"a": [(3, 9.0)], "b": [], "c": []}


def test_cap_leaves_the_order_within_an_image_to_the_strategy():
    # "a" has two of the three highest scores, but wants region 7 of another class second
    group = {"a": [(3, 9.0), (7, 0.1), (1, 8.0)], "b": [(0, 1.0), (5, 0.5)]}
    assert cap_regions(group, 3) == {"a": [(3, 9.0), (7, 0.1)], "b": [(0, 1.0)]}


group_regions = st.dictionaries(
    st.text("xyz", max_size=2),
    st.dictionaries(st.integers(0, 9), st.sampled_from([0.0, 1.0, 2.0, 3.0]), max_size=6).map(
        lambda scores: sorted(scores.items(), key=lambda item: (-item[1], item[0]))
    ),
    max_size=5,
)


@settings(deadline=None)
@given(group_regions, st.integers(1, 20))
def test_promises_of_the_cap(group, limit):
    kept = cap_regions(group, limit)
    count = sum(map(len, kept.values()))
    assert list(kept) == list(group)
    assert count == min(limit, sum(map(len, group.values())))
    asked = [key for key in group if group[key]]
    covered = [key for key in kept if kept[key]]
    assert len(covered) == min(limit, len(asked))
    for key in group:
        assert kept[key] == group[key][: len(kept[key])]  # each image keeps its best
    # no region left out is more uncertain than a kept one that its image could have spared
    spare = [score for key in kept for _, score in kept[key][1:]]
    left_out = [score for key in covered for _, score in group[key][len(kept[key]) :]]
    if spare and left_out:
        assert max(left_out) <= min(spare)
    if len(covered) < len(asked):
        assert max(group[key][0][1] for key in set(asked) - set(covered)) <= min(
            group[key][0][1] for key in covered
        )


def test_sizes_below_one_are_refused():
    with pytest.raises(ConfigurationError, match=r"selection\.group_size = 0"):
        rank_images({"a": 1.0}, 0)
    with pytest.raises(ConfigurationError, match=r"selection\.max_regions = 0"):
        cap_regions({}, 0)
