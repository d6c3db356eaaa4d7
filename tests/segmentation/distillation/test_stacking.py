import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import minimize

from tenth.errors import DataError
from tenth.segmentation.distillation import Ensemble, stacked_weights
from tenth.segmentation.distillation.stacking import (
    LEAST_LIKELIHOOD,
    PIXELS,
    TOLERANCE,
    label_likelihoods,
    mixture_weights,
)
from tenth.segmentation.inference import ImagePredictor


class Picture:
    """An image whose number is its colour, with labels."""

    def __init__(self, number, labels):
        self.number = number
        self.labels = np.array(labels, np.uint8)

    def load(self):
        return np.full((*self.labels.shape, 3), self.number, np.uint8), self.labels


class Said(ImagePredictor):
    """Says about each image, by its number, what it is given: (C, H, W)."""

    def __init__(self, *said):
        self.said = [np.array(each, np.float32) for each in said]

    def probabilities(self, image):
        return self.said[image[0, 0, 0]]


def by_pixel(*distributions):
    """Return what a teacher says about a row of pixels, (C, 1, pixels)."""
    return np.array(distributions).T[:, None]


def mean_log(weights, likelihoods):
    return float(np.log(np.asarray(weights) @ np.maximum(likelihoods, LEAST_LIKELIHOOD)).mean())


def test_whom_to_believe_by_hand():
    # Where one gives a label 1, the other gives 0: a ln w + (1 − a) ln (1 − w) is highest at w = a.
    likelihoods = np.array([[1.0, 1.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]])
    np.testing.assert_allclose(mixture_weights(likelihoods), [0.75, 0.25], atol=1e-3)
    # The second is never better than the first.
    np.testing.assert_allclose(mixture_weights(np.array([[0.5, 0.6], [0.4, 0.6]])), [1, 0], atol=1e-3)
    np.testing.assert_allclose(mixture_weights(np.array([[0.3, 0.6], [0.3, 0.6]])), [0.5, 0.5])
    np.testing.assert_array_equal(mixture_weights(np.array([[0.2, 0.0]])), [1])


def test_weights_are_those_of_a_general_optimiser():
    likelihoods = np.random.default_rng(0).beta(0.5, [[0.3], [0.4], [0.5]], (3, 500))
    found = minimize(
        lambda weights: -mean_log(weights, likelihoods),
        np.full(3, 1 / 3),
        bounds=[(0, 1)] * 3,
        constraints={"type": "eq", "fun": lambda weights: weights.sum() - 1},
        options={"ftol": 1e-12},
    )
    weights = mixture_weights(likelihoods)
    assert weights.sum() == pytest.approx(1)
    assert -found.fun - TOLERANCE <= mean_log(weights, likelihoods) <= -found.fun + 1e-9
    np.testing.assert_allclose(weights, found.x, atol=0.005)


@given(
    st.integers(1, 4).flatmap(
        lambda teachers: arrays(
            np.float64, (teachers, 6), elements=st.floats(0, 1, allow_subnormal=False, width=32)
        )
    ),
    st.lists(st.floats(0.01, 1), min_size=4, max_size=4),
)
def test_no_other_weights_make_labels_likelier(likelihoods, others):
    weights = mixture_weights(likelihoods)
    assert weights.min() >= 0
    assert weights.sum() == pytest.approx(1)
    reached = mean_log(weights, likelihoods) + TOLERANCE + 1e-9
    any_others = np.array(others[: len(likelihoods)])
    assert reached >= mean_log(any_others / any_others.sum(), likelihoods)
    for alone in np.eye(len(likelihoods)):
        assert reached >= mean_log(alone, likelihoods)


def test_from_what_teachers_say_to_an_ensemble():
    right, wrong = [0.9, 0.05, 0.05], [0.05, 0.9, 0.05]
    # The first teacher tells two of three labels, the second the third; the last pixel has none.
    first = Said(*[by_pixel(right, right, wrong, wrong)] * 2)
    second = Said(*[by_pixel(wrong, wrong, right, wrong)] * 2)
    images = [Picture(number, [[0, 0, 0, 255]]) for number in range(2)]
    weights = stacked_weights({"first": first, "second": second}, images, 3)
    # (2/3) ln (0.05 + 0.85 w) + (1/3) ln (0.9 − 0.85 w) is highest where
    # 2 (0.9 − 0.85 w) = 0.05 + 0.85 w, so w = 1.75 / 2.55 = 0.686, which is rounded.
    np.testing.assert_allclose(weights, np.repeat([[0.69], [0.31]], 3, 1), atol=1e-5)
    Ensemble(["first", "second"], [1, 4], weights)


def test_a_teacher_that_knows_nothing_keeps_a_trace_of_weight():
    good, bad = Said(by_pixel(*[[1, 0]] * 5)), Said(by_pixel(*[[0, 1]] * 5))
    weights = stacked_weights({"good": good, "bad": bad}, [Picture(0, [[0] * 5])], 2)
    assert 0 < weights[1, 0] < 1e-5
    np.testing.assert_allclose(weights.sum(0), 1)


def test_few_labels_among_many_pixels_all_count():
    random = np.random.default_rng(1)
    images, said = [], []
    for number in range(3):
        labels = np.full((300, 400), 255)
        labels.reshape(-1)[random.choice(labels.size, 5, replace=False)] = random.integers(0, 2, 5)
        images.append(Picture(number, labels))
        said.append(random.dirichlet([1, 1], labels.shape).transpose(2, 0, 1))
    likelihoods = label_likelihoods({"one": Said(*said)}, images, 2)
    expected = [
        float(np.float32(each[label, row, column]))
        for each, image in zip(said, images, strict=True)
        for row, column, label in ((r, c, image.labels[r, c]) for r, c in np.argwhere(image.labels != 255))
    ]
    np.testing.assert_array_equal(np.sort(likelihoods[0]), np.sort(expected))


def test_of_an_image_full_of_labels_some_pixels_the_same_for_all_teachers():
    said = np.stack([np.linspace(0, 1, 40 * 50).reshape(40, 50)] * 2)
    image = Picture(0, np.zeros((40, 50)))
    one, other = label_likelihoods({"one": Said(said), "other": Said(said)}, [image], 2)
    np.testing.assert_array_equal(one, other)
    assert len(np.unique(one)) == PIXELS
    assert one.mean() == pytest.approx(0.5, abs=0.05)


def test_one_teacher_and_one_image_are_in_memory_at_a_time():
    labels = np.zeros((400, 500))

    class Large(ImagePredictor):
        def probabilities(self, image):
            return np.full((10, 400, 500), 0.1, np.float32)

    images = [Picture(number, labels) for number in range(4)]
    tracemalloc.start()
    label_likelihoods({str(number): Large() for number in range(4)}, images, 10)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.6 * 10 * 400 * 500 * 4


@pytest.mark.parametrize("images", [[], [Picture(0, [[255]])]])
def test_without_a_label_nobody_can_be_weighed(images):
    with pytest.raises(DataError, match="validation split"):
        stacked_weights({"one": Said(by_pixel([0.5, 0.5])), "two": Said(by_pixel([0.5, 0.5]))}, images, 2)


def test_a_teacher_that_says_nothing_is_named():
    teachers = {"fine": Said(by_pixel([0.5, 0.5])), "broken": Said(by_pixel([np.nan, 0.5]))}
    with pytest.raises(DataError, match="'broken' says NaN"):
        stacked_weights(teachers, [Picture(0, [[0]])], 2)
