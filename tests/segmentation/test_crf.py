"""The dense CRF against brute force mean field, and what it does with unusual input."""

from dataclasses import replace

import numpy as np
import pytest

from tenth.errors import ConfigurationError, DataError
from tenth.segmentation.crf import CRFOptions, dense_crf

H, W, C = 24, 32, 3


def scene(noise=4.0):
    """A two-colour image and smooth, partly wrong probabilities, as a coarse network gives."""
    rng = np.random.default_rng(7)
    image = np.empty((H, W, 3))
    image[:, :14] = (190, 70, 50)
    image[:, 14:] = (50, 100, 170)
    image = np.clip(image + rng.normal(0, noise, image.shape), 0, 255).astype(np.uint8)
    x, y = np.arange(W), np.arange(H)[:, None]
    logits = np.stack([(18 - x) / 6 + 0 * y, (x - 18) / 6 + 0 * y, -1 + 0.08 * (y - 12) + 0 * x])
    p = np.exp(logits)
    return (p / p.sum(0)).astype(np.float32), image


def brute_force(probabilities, image, options):
    """Mean field with the exact N × N kernels, in float64."""
    classes = len(probabilities)
    y, x = np.mgrid[:H, :W]
    place = np.stack([y.ravel(), x.ravel()], 1).astype(float)
    colour = image.reshape(-1, 3).astype(float)
    apart = ((place[:, None] - place[None]) ** 2).sum(-1)
    unlike = ((colour[:, None] - colour[None]) ** 2).sum(-1)
    messages = 0.0
    for weight, kernel in [
        (options.w1, np.exp(-apart / (2 * options.sigma_alpha**2) - unlike / (2 * options.sigma_beta**2))),
        (options.w2, np.exp(-apart / (2 * options.sigma_gamma**2))),
    ]:
        norm = 1 / np.sqrt(kernel.sum(1))
        messages = messages + weight * norm[:, None] * kernel * norm
    log_p = np.log(probabilities.reshape(classes, -1).astype(float))
    q = np.exp(log_p)
    for _ in range(options.iterations):
        q = np.exp(log_p + q @ messages)
        q /= q.sum(0)
    return q.reshape(probabilities.shape)


@pytest.mark.parametrize("sigma_alpha", [20.0, 49.0])
def test_is_close_to_brute_force_mean_field(sigma_alpha):
    options = CRFOptions(w1=6.0, sigma_alpha=sigma_alpha, sigma_beta=13.0)
    probabilities, image = scene()
    refined = dense_crf(probabilities, image, options)
    assert np.abs(refined - brute_force(probabilities, image, options)).max() < 0.007
    assert np.abs(refined - probabilities).max() > 0.5  # it moved much more than it errs


@pytest.mark.parametrize(
    "options, other",
    [
        (CRFOptions(w1=2.0, sigma_alpha=8.0, iterations=1), {"w1": 2.6}),
        (CRFOptions(w1=2.0, sigma_alpha=8.0, iterations=1), {"w2": 3.9}),
        (CRFOptions(w1=2.0, sigma_alpha=8.0, iterations=1), {"sigma_alpha": 12.0}),
        (CRFOptions(w1=2.0, sigma_alpha=8.0, iterations=1), {"sigma_beta": 200.0}),
        (CRFOptions(w1=2.0, sigma_alpha=8.0, sigma_beta=200.0, iterations=1), {"sigma_beta": 13.0}),
        (CRFOptions(w1=2.0, sigma_alpha=8.0, iterations=1), {"iterations": 2}),
        (CRFOptions(w1=0.0), {"sigma_gamma": 4.0}),
    ],
)
def test_each_option_is_the_one_of_the_formula(options, other):
    # with weak kernels nothing saturates: the exact result of these options is nearer than that of any other
    probabilities, image = scene()
    refined = dense_crf(probabilities, image, options)
    error = np.abs(refined - brute_force(probabilities, image, options)).mean()
    assert error < 0.002
    assert np.abs(refined - brute_force(probabilities, image, replace(options, **other))).mean() > 1.3 * error


def test_result_is_a_distribution_and_leaves_its_inputs_alone():
    probabilities, image = scene()
    before = probabilities.copy(), image.copy()
    refined = dense_crf(probabilities, image, CRFOptions())
    assert refined.shape == (C, H, W)
    assert refined.dtype == np.float32
    assert refined.min() >= 0
    np.testing.assert_allclose(refined.sum(0), 1, atol=1e-5)
    np.testing.assert_array_equal(probabilities, before[0])
    np.testing.assert_array_equal(image, before[1])


def test_without_kernels_the_probabilities_come_back():
    probabilities, image = scene()
    np.testing.assert_allclose(
        dense_crf(probabilities, image, CRFOptions(w1=0.0, w2=0.0)), probabilities, atol=1e-5
    )


def test_fixed_pixels_are_one_hot_and_spread_to_like_colours():
    image = np.full((12, 20, 3), 60, np.uint8)
    image[:, 10:] = 200
    probabilities = np.full((3, 12, 20), 0.3, np.float32)
    probabilities[0] = 0.4
    fixed = np.full((12, 20), 255, np.uint8)
    fixed[3:9, 2:8] = 2
    refined = dense_crf(probabilities, image, CRFOptions(), fixed)
    labels = refined.argmax(0)
    np.testing.assert_array_equal(refined[2][fixed == 2], 1.0)
    np.testing.assert_array_equal(refined[:2, fixed == 2], 0.0)
    np.testing.assert_array_equal(labels[:, :9], 2)
    np.testing.assert_array_equal(labels[:, 11:], 0)
    np.testing.assert_allclose(refined.sum(0), 1, atol=1e-5)


def test_a_fixed_label_withstands_a_network_that_is_sure_of_another():
    probabilities, image = scene()
    probabilities[:] = np.float32([1, 0, 0])[:, None, None]
    fixed = np.full((H, W), 255, np.uint8)
    fixed[5, 5] = 1
    refined = dense_crf(probabilities, image, CRFOptions(w1=5e3), fixed)
    assert refined[1, 5, 5] == 1
    assert (refined.argmax(0) == 1).sum() == 1


def test_memory_layout_and_precision_do_not_matter():
    probabilities, image = scene()
    expected = dense_crf(probabilities, image, CRFOptions())
    turned = np.ascontiguousarray(probabilities.transpose(1, 2, 0)).transpose(2, 0, 1)
    wide = np.zeros((H, 2 * W, 3), np.uint8)
    wide[:, ::2] = image
    assert not turned.flags.c_contiguous
    np.testing.assert_array_equal(dense_crf(turned, wide[:, ::2], CRFOptions()), expected)
    np.testing.assert_allclose(dense_crf(probabilities.astype(np.float64), image, CRFOptions()), expected)
    half = dense_crf(probabilities.astype(np.float16), image, CRFOptions())
    np.testing.assert_allclose(half, expected, atol=0.02)


def test_one_class_is_certain():
    image = np.zeros((3, 4, 3), np.uint8)
    np.testing.assert_array_equal(dense_crf(np.ones((1, 3, 4), np.float32), image, CRFOptions()), 1)


def test_one_pixel():
    p = np.float32([0.25, 0.75]).reshape(2, 1, 1)
    assert dense_crf(p, np.zeros((1, 1, 3), np.uint8), CRFOptions()).argmax() == 1


def broken(**changes):
    probabilities, image = scene()
    return {"probabilities": probabilities, "image": image, "options": CRFOptions(), **changes}


def with_nan():
    probabilities, _ = scene()
    probabilities[0, 3, 3] = np.nan
    return probabilities


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"probabilities": scene()[0] * 2}, "softmax"),
        ({"probabilities": np.log(scene()[0])}, "softmax"),
        ({"probabilities": with_nan()}, "softmax"),
        ({"probabilities": np.ones((2, H, W), np.uint8)}, "floating point"),
        ({"probabilities": np.zeros((2, 0, W), np.float32)}, "non-empty"),
        ({"probabilities": scene()[0][0]}, "classes, height, width"),
        ({"probabilities": np.full((255, H, W), 1 / 255, np.float32)}, "254"),
        ({"image": scene()[1][:-1]}, "uint8 RGB"),
        ({"image": scene()[1].astype(np.float32)}, "uint8 RGB"),
        ({"image": scene()[1][..., 0]}, "uint8 RGB"),
        ({"fixed": np.full((H, W), 3, np.uint8)}, "label 3, but there are 3 classes"),
        ({"fixed": np.full((H, W + 1), 255, np.uint8)}, "fixed labels of shape"),
        ({"fixed": np.full((H, W), -1, np.int64)}, "int64"),
    ],
)
def test_unusable_input_is_refused(changes, message):
    with pytest.raises(DataError, match=message):
        dense_crf(**broken(**changes))


@pytest.mark.parametrize(
    "values",
    [{"w1": -1.0}, {"w2": float("nan")}, {"sigma_alpha": 0.0}, {"sigma_beta": -3.0}, {"iterations": 0}],
)
def test_options_out_of_range_are_refused(values):
    (name,) = values
    with pytest.raises(ConfigurationError, match=f"crf.{name}"):
        CRFOptions(**values)
