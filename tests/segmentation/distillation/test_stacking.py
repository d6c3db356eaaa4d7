import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import minimize

from tenth.errors import DataError
from tenth.segmentation.distillation import Ensemble, stacked_weights
from tenth.segmentation.distillation.stacking import LEAST_LIKELIHOOD, TOLERANCE, mixture_weights


def mean_log(weights, likelihoods):
    return float(np.log(np.asarray(weights) @ np.maximum(likelihoods, LEAST_LIKELIHOOD)).mean())


def image_of(*said, labels):
    """Return an image of one row of pixels, of what each teacher gives to the classes, (pixels, C)."""
    logits = {
        str(place): np.log(np.array(each, np.float32)).T[:, None] + place for place, each in enumerate(said)
    }
    return logits, np.array([labels], np.uint8)


def test_whom_to_believe_by_hand():
    # Where one gives a label 1, the other gives 0: a ln w + (1 − a) ln (1 − w) is highest at w = a.
    likelihoods = np.array([[1.0, 1.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]])
    np.testing.assert_allclose(mixture_weights(likelihoods), [0.75, 0.25], atol=1e-3)
    # The second is never better than the first.
    np.testing.assert_allclose(mixture_weights(np.array([[0.5, 0.6], [0.4, 0.6]])), [1, 0], atol=1e-2)
    np.testing.assert_allclose(mixture_weights(np.array([[0.3, 0.6], [0.3, 0.6]])), [0.5, 0.5])
    np.testing.assert_array_equal(mixture_weights(np.array([[0.2, 0.0]])), [1])


def test_weights_are_those_of_a_general_optimiser():
    likelihoods = np.random.default_rng(0).beta(0.5, [[0.3], [0.4], [0.5]], (3, 500))
    found = minimize(
        lambda weights: -mean_log(weights, likelihoods),
        np.full(3, 1 / 3),
        bounds=[(0, 1)] * 3,
        constraints={"type": "eq", "fun": lambda weights: weights.sum() - 1},
    )
    weights = mixture_weights(likelihoods)
    assert weights.sum() == pytest.approx(1)
    assert -found.fun - TOLERANCE <= mean_log(weights, likelihoods) <= -found.fun + 1e-9
    np.testing.assert_allclose(weights, found.x, atol=0.02)


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
    first = [right, right, wrong, wrong]
    second = [wrong, wrong, right, wrong]
    weights = stacked_weights([image_of(first, second, labels=[0, 0, 0, 255])] * 2)
    # (2/3) ln (0.05 + 0.85 w) + (1/3) ln (0.9 − 0.85 w) is highest where
    # 2 (0.9 − 0.85 w) = 0.05 + 0.85 w, so w = 1.75 / 2.55.
    np.testing.assert_allclose(weights, np.repeat([[1.75 / 2.55], [0.8 / 2.55]], 3, 1), atol=0.02)
    Ensemble(["0", "1"], [1, 4], weights)


def test_a_teacher_that_knows_nothing_keeps_a_trace_of_weight():
    good, bad = [[1 - 1e-7, 1e-7]] * 5, [[1e-7, 1 - 1e-7]] * 5
    weights = stacked_weights([image_of(good, bad, labels=[0] * 5)])
    assert 0 < weights[1, 0] < 1e-3
    np.testing.assert_allclose(weights.sum(0), 1)


def test_large_logits_are_no_trouble():
    logits, labels = image_of([[0.5, 0.5]], [[0.5, 0.5]], labels=[1])
    logits["0"][:] = [[[1e30]], [[-1e30]]]
    weights = stacked_weights([(logits, labels)])
    assert math.isclose(weights[:, 0].sum(), 1)
    assert weights[1, 0] > 0.99


@pytest.mark.parametrize("images", [[], [image_of([[0.5, 0.5]], labels=[255])]])
def test_without_a_label_nobody_can_be_weighed(images):
    with pytest.raises(DataError, match="cannot be weighed without labels"):
        stacked_weights(images)
