import dataclasses

import numpy as np
import pytest
from distributions import distribution, soft_labels
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import entropy

from tenth.errors import DataError
from tenth.segmentation.distillation import codec
from tenth.segmentation.distillation.codec import decode, encode
from tenth.segmentation.distillation.divergence import kl_divergence


def assert_faithful(exact: np.ndarray, stored: np.ndarray) -> None:
    assert stored.shape == exact.shape
    assert stored.dtype == np.float32
    assert stored.min() > 0
    np.testing.assert_allclose(stored.sum(0), 1, atol=1e-5)
    divergence = entropy(exact.astype(np.float64), stored.astype(np.float64))
    # scipy divides by the sums first, which moves the divergence by at most 1e-5.
    assert divergence.mean() <= 1e-3 + 1e-5
    assert np.quantile(divergence, 0.999) <= 0.05 + 1e-5
    np.testing.assert_array_equal(stored.argmax(0), exact.argmax(0))


def test_divergence_equals_scipys():
    rng = np.random.default_rng(0)
    p, q = (distribution(rng.random((4, 70, 3))) for _ in range(2))
    p[:, 5] = np.eye(4, dtype=np.float32)[:, :3]
    np.testing.assert_allclose(
        kl_divergence(p, q), entropy(p.astype(np.float64), q.astype(np.float64)), atol=1e-6
    )


@pytest.mark.parametrize("temperature", [1, 2, 3, 4, 5])
def test_soft_labels_take_less_than_a_tenth(temperature):
    exact = soft_labels(19, 128, 192, temperature=temperature)
    data = encode(exact)
    assert_faithful(exact, decode(data))
    assert len(data) <= 0.1 * exact.size * 2


SIZES = st.tuples(st.integers(1, 40), st.integers(1, 40))


@settings(max_examples=60, deadline=None)
@given(
    classes=st.one_of(st.integers(2, 20), st.integers(2, 255)),
    size=SIZES,
    concentration=st.sampled_from([0.003, 0.1, 1.0, 30.0]),
    seed=st.integers(0, 99),
)
def test_any_noise_is_stored_faithfully(classes, size, concentration, seed):
    rng = np.random.default_rng(seed)
    exact = distribution(rng.dirichlet(np.full(classes, concentration), size).transpose(2, 0, 1) + 1e-30)
    assert_faithful(exact, decode(encode(exact)))


@settings(max_examples=30, deadline=None)
@given(classes=st.integers(2, 255), size=SIZES, seed=st.integers(0, 99))
def test_certainty_anywhere_is_stored_faithfully(classes, size, seed):
    labels = np.random.default_rng(seed).integers(0, classes, size)
    exact = np.eye(classes, dtype=np.float32)[labels].transpose(2, 0, 1)
    assert_faithful(exact, decode(encode(exact)))


@settings(max_examples=30, deadline=None)
@given(classes=st.integers(2, 255), size=SIZES, ties=st.integers(1, 255))
def test_of_equal_classes_the_first_stays_the_first(classes, size, ties):
    values = np.full((classes, *size), 0.2)
    values[-min(ties, classes) :] = 1
    exact = distribution(values)
    assert_faithful(exact, decode(encode(exact)))


def test_argmax_is_exact_in_spite_of_another_machines_rounding(monkeypatch):
    exact = soft_labels(11, 96, 96, temperature=5)
    exact[3] = exact[7]  # ties wherever the two lead
    exact = distribution(exact)
    data = encode(exact)
    to_maps = codec.to_maps

    def rounded_otherwise(*arguments):
        maps = to_maps(*arguments)
        return maps + np.random.default_rng(0).normal(0, 1e-6, maps.shape).astype(np.float32)

    monkeypatch.setattr(codec, "to_maps", rounded_otherwise)
    np.testing.assert_array_equal(decode(data).argmax(0), exact.argmax(0))


def test_what_the_first_step_cannot_hold_gets_a_finer_one():
    exact = distribution(np.random.default_rng(0).dirichlet(np.ones(60), (48, 48)).transpose(2, 0, 1))
    coarse = codec._quantise(exact, codec.to_frequencies(np.sqrt(exact)), codec.STEPS[0])
    assert kl_divergence(exact, codec._distribution(coarse)).mean() > codec.MEAN_KL
    assert_faithful(exact, decode(encode(exact)))


def test_the_floor_is_what_costs_least_where_nothing_came_back():
    exact = distribution(np.random.default_rng(0).dirichlet(np.full(19, 0.1), (48, 48)).transpose(2, 0, 1))
    coded = codec._quantise(exact, codec.to_frequencies(np.sqrt(exact)), codec.STEPS[0])
    least = kl_divergence(exact, codec._distribution(coded)).mean()
    for factor in (0.01, 3):
        other = dataclasses.replace(coded, floor=factor * coded.floor)
        assert kl_divergence(exact, codec._distribution(other)).mean() > 1.05 * least


def test_the_finest_step_holds_certainty_in_all_blocks_at_once():
    # The largest coefficient there can be: 16 / step.
    exact = np.zeros((255, 16, 16), np.float32)
    exact[200] = 1
    coded = codec._quantise(exact, codec.to_frequencies(np.sqrt(exact)), codec.STEPS[-1])
    np.testing.assert_allclose(codec._distribution(coded)[200], 1, atol=1e-4)


@pytest.mark.parametrize(
    ("probabilities", "message"),
    [
        (np.full((2, 3, 3), 0.5), "float64"),
        (np.full((3, 3), 0.5, np.float32), r"\(3, 3\)"),
        (np.ones((1, 3, 3), np.float32), "2 to 255 classes"),
        (np.full((256, 1, 1), 1 / 256, np.float32), "2 to 255 classes"),
        (np.full((2, 0, 3), 0.5, np.float32), "no pixel"),
        (np.full((2, 3, 3), 0.6, np.float32), "no distributions"),
        (np.full((2, 3, 3), np.nan, np.float32), "no distributions"),
        (np.stack([np.full((3, 3), -0.5), np.full((3, 3), 1.5)]).astype(np.float32), "no distributions"),
    ],
)
def test_what_is_no_distribution_is_refused(probabilities, message):
    with pytest.raises(DataError, match=message):
        encode(probabilities)
