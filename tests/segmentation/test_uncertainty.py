"""Entropy and sums over regions, against plain loops and known answers."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tenth.errors import DataError
from tenth.segmentation.uncertainty import (
    count_by_region,
    dominant_label,
    image_entropy,
    mean_by_region,
    mean_probabilities,
    pixel_entropy,
    sum_by_region,
)


def random_probabilities(classes, height, width, seed=0):
    p = np.random.default_rng(seed).dirichlet(np.full(classes, 0.3), (height, width)).transpose(2, 0, 1)
    return p.astype(np.float32)  # classes last in memory


def test_known_entropies_in_nats():
    p = np.float32([[1, 0, 0, 0], [0.5, 0.5, 0, 0], [0.25] * 4, [0.9, 0.1, 0, 0]]).T.reshape(4, 2, 2)
    expected = [[0, math.log(2)], [math.log(4), -0.9 * math.log(0.9) - 0.1 * math.log(0.1)]]
    entropy = pixel_entropy(p)
    assert entropy.dtype == np.float32
    np.testing.assert_allclose(entropy, expected, rtol=1e-6)
    assert entropy[0, 0] == 0
    assert not np.signbit(entropy[0, 0])
    assert image_entropy(p) == pytest.approx(np.sum(expected), rel=1e-6)


@pytest.mark.parametrize("height", [1, 63, 64, 65, 130])
def test_agrees_with_a_plain_loop_over_the_strips(height):
    p = random_probabilities(5, height, 3)
    p[0, 0] = [0, 1e-45, 1e-30]  # zero, subnormal, tiny
    expected = [
        [-sum(float(v) * math.log(v) for v in p[:, y, x] if v > 0) for x in range(3)] for y in range(height)
    ]
    np.testing.assert_allclose(pixel_entropy(p), expected, rtol=1e-5, atol=1e-6)


def test_rounding_above_one_is_not_negative_entropy():
    assert pixel_entropy(np.full((1, 1, 1), 1 + 1e-6, np.float32)) == 0


def test_input_is_left_alone_and_may_be_double_or_half():
    p = random_probabilities(4, 6, 5)
    before = p.copy()
    expected = pixel_entropy(p)
    np.testing.assert_array_equal(p, before)
    np.testing.assert_array_equal(pixel_entropy(p.astype(np.float64)), expected)
    np.testing.assert_allclose(pixel_entropy(p.astype(np.float16)), expected, atol=5e-3)


@pytest.mark.parametrize("p", [np.ones((3, 4), np.float32), np.ones((2, 3, 4), np.uint8)])
def test_entropy_of_something_else_is_refused(p):
    with pytest.raises(DataError, match="classes, height, width"):
        pixel_entropy(p)


SUPERPIXELS = np.int32([[0, 0, 1], [2, 2, 1]])


def test_known_sums_counts_and_means():
    values = np.float32([[1, 2, 3], [4, 5, 6]])
    np.testing.assert_array_equal(count_by_region(SUPERPIXELS), [2, 2, 2])
    sums = sum_by_region(values, SUPERPIXELS)
    assert sums.dtype == np.float64
    np.testing.assert_array_equal(sums, [3, 9, 9])
    np.testing.assert_array_equal(mean_by_region(values, SUPERPIXELS), [1.5, 4.5, 4.5])


@settings(deadline=None)
@given(hnp.arrays(np.int32, (5, 7), elements=st.integers(0, 6)), st.integers(0, 5))
def test_sums_equal_those_of_masks(superpixels, seed):
    values = np.random.default_rng(seed).random((5, 7), dtype=np.float32)
    n = superpixels.max() + 1
    np.testing.assert_allclose(
        sum_by_region(values, superpixels), [values[superpixels == r].sum() for r in range(n)], rtol=1e-5
    )
    np.testing.assert_array_equal(count_by_region(superpixels), [(superpixels == r).sum() for r in range(n)])


def test_mean_probabilities_are_those_of_masks():
    p = random_probabilities(4, 2, 3)
    means = mean_probabilities(p, SUPERPIXELS)
    assert means.shape == (3, 4)
    np.testing.assert_allclose(means.sum(1), 1, rtol=1e-6)
    np.testing.assert_allclose(means[1], p[:, SUPERPIXELS == 1].mean(axis=1), rtol=1e-6)


def test_maps_of_another_image_are_refused():
    for function in (sum_by_region, mean_by_region):
        with pytest.raises(DataError, match="same image"):
            function(np.zeros((3, 2), np.float32), SUPERPIXELS)
    with pytest.raises(DataError, match="same image"):
        dominant_label(np.zeros((3, 2), np.uint8), SUPERPIXELS, 2)


def test_dominant_label_known_answers():
    superpixels = np.int32([[0, 0, 0, 1, 1, 1], [2, 2, 3, 3, 4, 4]])
    labels = np.uint8([[1, 1, 255, 255, 255, 0], [2, 0, 255, 2, 255, 255]])
    # majority; void; a tie of classes: the lower; a tie with void: the class; all void
    np.testing.assert_array_equal(dominant_label(labels, superpixels, 3), [1, 255, 0, 2, 255])


@settings(deadline=None)
@given(
    hnp.arrays(np.int32, (4, 6), elements=st.integers(0, 4)),
    hnp.arrays(np.uint8, (4, 6), elements=st.sampled_from([0, 1, 2, 255])),
)
def test_no_label_is_more_frequent_than_the_dominant(superpixels, labels):
    dominant = dominant_label(labels, superpixels, 3)
    for region in np.unique(superpixels):
        inside = labels[superpixels == region].tolist()
        assert inside.count(dominant[region]) == max(inside.count(label) for label in (0, 1, 2, 255))


def test_unknown_label_is_refused():
    with pytest.raises(DataError, match="2 pixels have label 7, but there are 3 classes"):
        dominant_label(np.uint8([[7, 0, 0], [7, 1, 255]]), SUPERPIXELS, 3)
