"""The CRF over superpixels against brute force, what fixed labels do, and which CRF `refine` takes."""

import numpy as np
import pytest

from tenth.errors import ConfigurationError, DataError
from tenth.segmentation import superpixel_crf as module
from tenth.segmentation.crf import CRFOptions, dense_crf
from tenth.segmentation.refine import refine
from tenth.segmentation.superpixel_crf import superpixel_crf

H, W, C = 6, 8, 3
BLOCKS = (np.arange(H)[:, None] // 2 * 3 + np.minimum(np.arange(W) // 3, 2)).astype(np.int32)
WEAK = CRFOptions(w1=2.0, sigma_alpha=4.0, sigma_beta=30.0, w2=1.5, sigma_gamma=2.0, iterations=3)


def scene(seed=3):
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.ones(C), (H, W)).transpose(2, 0, 1)
    return probabilities.astype(np.float32), rng.integers(0, 120, (H, W, 3), dtype=np.uint8)


def brute_force(probabilities, image, superpixels, options):
    """The module's formulas in loops, region by region and pixel by pixel."""
    regions = range(superpixels.max() + 1)
    members = [[tuple(at) for at in np.argwhere(superpixels == r)] for r in regions]
    area = [len(pixels) for pixels in members]
    place = [np.mean(pixels, axis=0) for pixels in members]
    colour = [np.mean([image[at].astype(float) for at in pixels], axis=0) for pixels in members]
    energy = [
        np.mean([np.log(probabilities[(slice(None), *at)].astype(float)) for at in m], 0) for m in members
    ]

    def bilateral(r, s):
        near = ((place[r] - place[s]) ** 2).sum() / (2 * options.sigma_alpha**2)
        return np.exp(-near - ((colour[r] - colour[s]) ** 2).sum() / (2 * options.sigma_beta**2))

    def smoothing(r, s):
        return np.exp(-((place[r] - place[s]) ** 2).sum() / (2 * options.sigma_gamma**2))

    def softmax(values):
        return np.exp(values) / np.exp(values).sum()

    marginals = [softmax(each) for each in energy]
    for _ in range(options.iterations):
        messages = [np.zeros(C) for _ in regions]
        for weight, kernel in ((options.w1, bilateral), (options.w2, smoothing)):
            norm = [sum(area[s] * kernel(r, s) for s in regions) ** -0.5 for r in regions]
            for r in regions:
                for s in regions:
                    if r != s:
                        messages[r] = messages[r] + (
                            weight * norm[r] * kernel(r, s) * norm[s] * area[s] * marginals[s]
                        )
        marginals = [softmax(energy[r] + messages[r]) for r in regions]
    result = np.empty(probabilities.shape)
    for y in range(H):
        for x in range(W):
            own = np.log(probabilities[:, y, x].astype(float))
            result[:, y, x] = softmax(own + messages[superpixels[y, x]])
    return result


@pytest.mark.parametrize(
    "superpixels",
    [BLOCKS, np.arange(H * W).reshape(H, W), np.zeros((H, W), np.int64), (BLOCKS > 1).astype(np.uint8)],
    ids=["blocks", "pixels", "one", "two"],
)
def test_is_brute_force_mean_field(superpixels):
    probabilities, image = scene()
    refined = superpixel_crf(probabilities, image, superpixels, WEAK)
    expected = brute_force(probabilities, image, superpixels, WEAK)
    np.testing.assert_allclose(refined, expected, atol=2e-6)
    assert refined.dtype == np.float32
    if superpixels.max():
        assert np.abs(refined - probabilities).max() > 0.05  # it moved


@pytest.mark.parametrize("name", ["w1", "w2", "sigma_alpha", "sigma_beta", "sigma_gamma", "iterations"])
def test_every_option_counts(name):
    probabilities, image = scene()
    other = CRFOptions(**{**vars(WEAK), name: getattr(WEAK, name) * 2})
    changed = superpixel_crf(probabilities, image, BLOCKS, other)
    np.testing.assert_allclose(changed, brute_force(probabilities, image, BLOCKS, other), atol=2e-6)
    assert np.abs(changed - superpixel_crf(probabilities, image, BLOCKS, WEAK)).max() > 1e-3


def test_is_close_to_the_pixel_crf_when_regions_are_pixels():
    """The lattice keeps a pixel's message to itself, which is small where kernels are wide."""
    y, x = np.mgrid[:24, :32]
    image = np.where((x < 14)[..., None], (190, 70, 50), (50, 100, 170)).astype(np.uint8)
    logits = np.stack([(18 - x) / 6, (x - 18) / 6, -1 + 0.08 * (y - 12)])
    probabilities = (np.exp(logits) / np.exp(logits).sum(0)).astype(np.float32)
    options = CRFOptions(w1=6.0, sigma_alpha=20.0, sigma_beta=13.0, w2=0.0)
    ours = superpixel_crf(probabilities, image, np.arange(24 * 32).reshape(24, 32), options)
    assert np.abs(ours - dense_crf(probabilities, image, options)).max() < 0.03
    assert np.abs(ours - probabilities).max() > 0.5


def test_without_kernels_the_probabilities_come_back():
    probabilities, image = scene()
    off = CRFOptions(w1=0.0, w2=0.0)
    np.testing.assert_allclose(superpixel_crf(probabilities, image, BLOCKS, off), probabilities, atol=2e-5)


def test_a_region_keeps_the_border_that_the_network_saw_in_it():
    probabilities = np.full((2, H, W), 0.05, np.float32)
    probabilities[0, :, :4] = probabilities[1, :, 4:] = 0.95
    image = np.full((H, W, 3), 90, np.uint8)
    labels = superpixel_crf(probabilities, image, BLOCKS, WEAK).argmax(0)
    np.testing.assert_array_equal(labels, np.repeat([[0] * 4 + [1] * 4], H, axis=0))


def test_fixed_labels_are_one_hot_and_reach_regions_of_like_colour():
    image = np.full((H, W, 3), 60, np.uint8)
    image[:, 6:] = 200
    probabilities = np.full((C, H, W), 0.3, np.float32)
    probabilities[0] = 0.4
    fixed = np.full((H, W), 255, np.uint8)
    fixed[BLOCKS == 3] = 2
    fixed[0, 7] = 1
    refined = superpixel_crf(probabilities, image, BLOCKS, CRFOptions(sigma_alpha=20.0), fixed)
    np.testing.assert_array_equal(refined[:, fixed != 255], np.eye(C)[fixed[fixed != 255]].T)
    np.testing.assert_array_equal(refined.argmax(0)[:, :6], 2)
    assert refined[2, :, 6:].max() < 0.5
    np.testing.assert_allclose(refined.sum(0), 1, atol=1e-5)


def test_a_mostly_fixed_region_counts_as_certain_and_a_partly_fixed_one_as_its_mean():
    probabilities, image = scene()
    most, some = np.full((H, W), 255, np.uint8), np.full((H, W), 255, np.uint8)
    most.ravel()[np.flatnonzero(BLOCKS == 4)[:4]] = 1
    some.ravel()[np.flatnonzero(BLOCKS == 4)[:3]] = 1
    assert (BLOCKS == 4).sum() == 6
    np.testing.assert_array_equal(module._clamped(most, BLOCKS, C), [255] * 4 + [1] + [255] * 4)
    np.testing.assert_array_equal(module._clamped(some, BLOCKS, C), [255] * 9)
    one_hot = probabilities.copy()
    one_hot[:, some == 1] = np.float32([0, 1, 0])[:, None]
    partly = superpixel_crf(probabilities, image, BLOCKS, WEAK, some)
    np.testing.assert_allclose(partly, superpixel_crf(one_hot, image, BLOCKS, WEAK), atol=2e-4)
    # certain: the others hear the same, whatever the network thinks of the region's free pixels
    denied = probabilities.copy()
    denied[:, (BLOCKS == 4) & (most == 255)] = np.float32([1, 0, 0])[:, None]
    heard = [superpixel_crf(p, image, BLOCKS, WEAK, most)[:, BLOCKS != 4] for p in (probabilities, denied)]
    np.testing.assert_array_equal(*heard)


def test_inputs_stay_as_they_are():
    probabilities, image = scene()
    fixed = np.full((H, W), 255, np.uint8)
    fixed[0, 0] = 1
    copies = [probabilities.copy(), image.copy(), fixed.copy()]
    superpixel_crf(probabilities, image, BLOCKS, WEAK, fixed)
    superpixel_crf(probabilities, image, BLOCKS, WEAK)
    for array, copy in zip((probabilities, image, fixed), copies, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize(
    ("superpixels", "message"),
    [
        (BLOCKS[:-1], "regions of shape"),
        (BLOCKS.astype(float), "integer id"),
        (BLOCKS - 1, "from -1 to 7"),
        (BLOCKS * 10_000, 'crf.mode = "pixel"'),
    ],
)
def test_unusable_regions_are_refused(superpixels, message):
    probabilities, image = scene()
    with pytest.raises(DataError, match=message):
        superpixel_crf(probabilities, image, superpixels, WEAK)


def test_unusable_probabilities_are_refused():
    probabilities, image = scene()
    with pytest.raises(DataError, match="softmax"):
        superpixel_crf(probabilities * 2, image, BLOCKS, WEAK)


def test_refine_takes_the_crf_that_the_options_name():
    probabilities, image = scene()
    fixed = np.full((H, W), 255, np.uint8)
    fixed[0, 0] = 1
    over_regions = CRFOptions(mode="superpixel")
    np.testing.assert_array_equal(
        refine(probabilities, image, BLOCKS, over_regions, fixed),
        superpixel_crf(probabilities, image, BLOCKS, over_regions, fixed),
    )
    np.testing.assert_array_equal(
        refine(probabilities, image, lambda: BLOCKS, over_regions),
        superpixel_crf(probabilities, image, BLOCKS, over_regions),
    )

    def never():
        raise AssertionError("the pixel CRF needs no superpixels")

    np.testing.assert_array_equal(
        refine(probabilities, image, never, CRFOptions(), fixed),
        dense_crf(probabilities, image, CRFOptions(), fixed),
    )
    with pytest.raises(ConfigurationError, match=r"crf\.mode"):
        CRFOptions(mode="voxel")
