import math
import tracemalloc

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from scipy.stats import entropy

from tenth.errors import ConfigurationError, DataError
from tenth.segmentation.distillation import Reference, fit_temperatures
from tenth.segmentation.distillation.sample import PixelSample
from tenth.segmentation.distillation.temperatures import mean_nll


def images(count=3, size=(20, 30), sharpness=(1.0, 3.0, 0.5), labelled=0.8):
    """Yield logits of three teachers, one surer than the other, and labels drawn as the first one says."""
    rng = np.random.default_rng(0)
    for _ in range(count):
        truth = rng.normal(0, 2, (4, *size))
        chances = softmax(truth, 0).cumsum(0)
        labels = (rng.random(size) > chances[:3]).sum(0).astype(np.uint8)
        labels[rng.random(size) > labelled] = 255
        noise = rng.normal(0, 0.1, (3, 4, *size))
        names = ("plain", "sure", "shy")
        yield (
            {n: (s * truth + e).astype(np.float32) for n, s, e in zip(names, sharpness, noise, strict=True)},
            labels,
        )


def pooled(teacher: str) -> tuple[np.ndarray, np.ndarray]:
    every = list(images())
    logits = np.concatenate([each[teacher].reshape(4, -1) for each, _ in every], 1).T.astype(np.float64)
    return logits, np.concatenate([labels.reshape(-1) for _, labels in every])


def test_all_teachers_get_the_wanted_entropy():
    fits = fit_temperatures(images(), 0.6)
    assert list(fits) == ["plain", "sure", "shy"]
    for teacher, fit in fits.items():
        logits, _ = pooled(teacher)
        assert entropy(softmax(logits / fit.temperature, 1), axis=1).mean() == pytest.approx(
            0.6 * math.log(4), abs=1e-6
        )
        assert fit.entropy == pytest.approx(0.6 * math.log(4), abs=1e-6)
        assert fit.entropy_unsoftened == pytest.approx(entropy(softmax(logits, 1), axis=1).mean())
    # Three times as sure takes three times the temperature.
    assert fits["sure"].temperature / fits["plain"].temperature == pytest.approx(3, rel=0.03)


def test_a_teacher_can_be_the_reference():
    fits = fit_temperatures(images(), Reference("sure", 4.0))
    assert fits["sure"].temperature == pytest.approx(4.0, rel=1e-6)
    assert fits["plain"].entropy == pytest.approx(fits["sure"].entropy, abs=1e-6)


def test_calibration_equals_scipys():
    fits = fit_temperatures(images(), 0.6)
    for teacher, fit in fits.items():
        logits, labels = pooled(teacher)
        rows, known = np.flatnonzero(labels != 255), labels[labels != 255].astype(int)

        def nll(temperature, logits=logits, rows=rows, known=known):
            return -log_softmax(logits / temperature, 1)[rows, known].mean()

        best = minimize_scalar(nll, (0.5, 3))
        assert fit.best_temperature == pytest.approx(best.x, rel=1e-3)
        assert fit.best_nll == pytest.approx(best.fun, abs=1e-8)
        assert fit.nll == pytest.approx(nll(fit.temperature))
        assert fit.nll_unsoftened == pytest.approx(nll(1))
    assert fits["plain"].best_temperature == pytest.approx(1, rel=0.1)
    assert fits["sure"].best_temperature == pytest.approx(3, rel=0.1)


def test_without_labels_there_is_no_likelihood():
    fit = fit_temperatures(images(labelled=0.0), 0.6)["plain"]
    assert math.isnan(fit.nll)
    assert math.isnan(fit.nll_unsoftened)
    assert math.isnan(fit.best_temperature)
    assert fit.temperature > 0
    assert math.isnan(mean_nll(np.zeros((1, 2)), np.array([255], np.uint8), 1))


def test_a_sample_gives_nearly_the_same_and_the_same_each_time():
    whole = fit_temperatures(images(), 0.6)["sure"]
    sampled = fit_temperatures(images(), 0.6, pixels=900, seed=3)["sure"]
    assert sampled != whole
    assert sampled.temperature == pytest.approx(whole.temperature, rel=0.1)
    assert sampled == fit_temperatures(images(), 0.6, pixels=900, seed=3)["sure"]
    assert sampled != fit_temperatures(images(), 0.6, pixels=900, seed=4)["sure"]


def test_the_sample_is_even_and_keeps_what_belongs_together():
    sample = PixelSample(4000, seed=0)
    for number in range(20):
        labels = np.full((10, 50), number, np.uint8)
        sample.add({"a": np.stack([labels, labels + 100.0]).astype(np.float32)}, labels)
    assert sample.labels.shape == (4000,)
    np.testing.assert_array_equal(sample.logits["a"], np.stack([sample.labels, sample.labels + 100.0], 1))
    # 200 of each are expected, with a standard deviation of 10.7.
    counts = np.bincount(sample.labels, minlength=20)
    assert counts.min() > 150
    assert counts.max() < 250


def test_memory_does_not_grow_with_the_images():
    def peak(count):
        tracemalloc.start()
        fit_temperatures(images(count), 0.6, pixels=500)
        result = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return result

    peak(1)
    assert peak(40) < 1.3 * peak(4)


@pytest.mark.parametrize(
    ("softness", "error", "message"),
    [
        (0, ConfigurationError, "softness of 0"),
        (1, ConfigurationError, "softness of 1"),
        (float("nan"), ConfigurationError, "softness of nan"),
        (Reference("other", 4), ConfigurationError, "'other' is none of the teachers"),
        (Reference("sure", 0), ConfigurationError, "temperature of 0"),
    ],
)
def test_impossible_softness_is_refused(softness, error, message):
    with pytest.raises(error, match=message):
        fit_temperatures(images(), softness)


def test_a_teacher_that_knows_nothing_cannot_be_fitted():
    with pytest.raises(DataError, match=r"'a' has a mean entropy of 0\.6931 to 0\.6931"):
        fit_temperatures([({"a": np.zeros((2, 4, 4), np.float32)}, np.zeros((4, 4), np.uint8))], 0.5)


@pytest.mark.parametrize(
    "second",
    [
        {"b": np.zeros((2, 4, 4), np.float32)},
        {"a": np.zeros((3, 4, 4), np.float32)},
        {"a": np.zeros((2, 4, 5), np.float32)},
    ],
)
def test_images_that_do_not_fit_together_are_refused(second):
    labels = np.zeros((4, 4), np.uint8)
    first = {"a": np.zeros((2, 4, 4), np.float32)}
    with pytest.raises(DataError, match="cannot be sampled"):
        fit_temperatures([(first, labels), (second, labels)], 0.5)


def test_no_images_are_refused():
    with pytest.raises(DataError, match="at least one"):
        fit_temperatures([], 0.5)
