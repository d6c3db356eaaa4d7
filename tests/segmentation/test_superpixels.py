"""SLIC: how many regions, connected, following the colours."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenth.errors import ConfigurationError, DataError
from tenth.segmentation.superpixels import _merge_smallest, slic


def noisy(height, width, seed=0):
    """A picture of large blobs and noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    base = np.stack([127 + 90 * np.sin(x / 9 + c) * np.cos(y / (7 + c)) for c in range(3)], axis=-1)
    return np.clip(base + rng.normal(0, 12, base.shape), 0, 255).astype(np.uint8)


def flood(mask):
    """Return the number of 4-connected parts of a mask, by flood fill."""
    left = {tuple(place) for place in np.argwhere(mask)}
    parts = 0
    while left:
        parts += 1
        stack = [left.pop()]
        while stack:
            y, x = stack.pop()
            for near in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                if near in left:
                    left.remove(near)
                    stack.append(near)
    return parts


def check_regions(regions, shape):
    assert regions.shape == shape
    assert regions.dtype == np.int32
    assert sorted(np.unique(regions)) == list(range(regions.max() + 1))
    for region in range(regions.max() + 1):
        assert flood(regions == region) == 1


@pytest.mark.parametrize("count", [2, 7, 40, 111, 300])
def test_as_many_connected_regions_as_asked(count):
    regions = slic(noisy(72, 96), count=count)
    check_regions(regions, (72, 96))
    assert regions.max() + 1 == count


@pytest.mark.parametrize("size, count", [(1400, 5), (50, 138), (10**6, 1)])
def test_by_size(size, count):
    assert slic(noisy(72, 96), size=size).max() + 1 == count


def test_regions_are_of_like_size():
    areas = np.bincount(slic(noisy(120, 160), size=200).ravel())
    assert np.median(areas) == pytest.approx(200, rel=0.25)
    assert areas.max() < 5 * 200


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 24),
    st.integers(1, 24),
    st.integers(0, 3),
    st.floats(0.0, 1.0),
    st.sampled_from([1.0, 10.0]),
)
def test_any_image_gives_connected_regions_up_to_the_count(height, width, seed, share, compactness):
    count = max(1, round(share * height * width))
    regions = slic(noisy(height, width, seed), count=count, compactness=compactness)
    check_regions(regions, (height, width))
    assert regions.max() + 1 <= count


def test_regions_follow_an_edge():
    image = np.full((40, 60, 3), 30, np.uint8)
    image[:, 33:] = (200, 180, 40)
    regions = slic(image, count=12)
    assert not set(regions[:, :33].ravel()) & set(regions[:, 33:].ravel())


def row(*widths):
    """Regions side by side."""
    return np.repeat(np.arange(len(widths)), widths)[None]


def test_the_smallest_is_merged_and_grows():
    regions = row(1, 2, 9, 9, 2)
    # 0 goes into 1, which has 3 pixels then, so that 4 is the smallest
    merged = _merge_smallest(regions, np.zeros((1, 23, 3), np.uint8), 3)
    np.testing.assert_array_equal(merged, row(3, 9, 11))


@pytest.mark.parametrize("grey, expected", [(120, row(7, 4)), (180, row(4, 7))])
def test_it_is_merged_into_the_neighbour_of_the_nearest_colour(grey, expected):
    regions = row(4, 3, 4)
    image = np.uint8([100, grey, 200])[regions][..., None].repeat(3, axis=-1)
    np.testing.assert_array_equal(_merge_smallest(regions, image, 2), expected)


def test_a_single_colour_is_divided_too():
    regions = slic(np.full((40, 50, 3), 7, np.uint8), count=10)
    check_regions(regions, (40, 50))
    assert regions.max() + 1 == 10


def test_same_image_same_regions():
    image = noisy(50, 60)
    np.testing.assert_array_equal(slic(image, count=20), slic(image.copy(), count=20))


def test_compactness_makes_regions_squarer():
    image = noisy(90, 90)

    def border(regions):
        return (regions[1:] != regions[:-1]).sum() + (regions[:, 1:] != regions[:, :-1]).sum()

    assert border(slic(image, count=36, compactness=50.0)) < border(slic(image, count=36, compactness=1.0))


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({}, "exactly one"),
        ({"count": 3, "size": 3}, "exactly one"),
        ({"count": 0}, "superpixels.count = 0"),
        ({"size": -4}, "superpixels.size = -4"),
        ({"count": 3, "compactness": 0.0}, "superpixels.compactness"),
    ],
)
def test_settings_out_of_range_are_refused(arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        slic(noisy(8, 8), **arguments)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((8, 8), np.uint8),
        np.zeros((8, 8, 3)),
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((0, 8, 3), np.uint8),
    ],
)
def test_other_arrays_than_rgb_are_refused(image):
    with pytest.raises(DataError, match="uint8 RGB"):
        slic(image, count=2)


def test_more_regions_than_pixels_are_refused():
    with pytest.raises(DataError, match="64 pixels cannot have 65"):
        slic(noisy(8, 8), count=65)
