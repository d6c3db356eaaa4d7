import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenth.segmentation.cells import cells_along, means, shares


def test_by_hand():
    np.testing.assert_allclose(shares(4, 4, (0, 4), 2), [[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]])
    # Zoomed by 2, each cell is a pixel and a half, of which the first cell lacks what is padding.
    third = 1 / 3
    np.testing.assert_allclose(
        shares(3, 6, (-3, 9), 3), [[0, 0, 0], [2 * third, third, 0], [0, third, 2 * third]], atol=1e-6
    )
    # Cells smaller than a pixel: linear between the middles of pixels, and constant outside.
    np.testing.assert_allclose(shares(2, 4, (0, 4), 4), [[1, 0], [0.75, 0.25], [0.25, 0.75], [0, 1]])
    assert [cells_along(length, 4) for length in (1, 4, 5, 8)] == [1, 1, 2, 2]


@given(
    st.integers(1, 60),
    st.floats(0.2, 4.0),
    st.integers(-40, 100),
    st.integers(1, 60),
    st.integers(1, 9),
)
def test_a_cell_has_all_of_its_mean_or_is_padding(length, zoom, start, size, stride):
    zoomed = max(1, round(length * zoom))
    cells = cells_along(size, stride)
    counts = shares(length, zoomed, (start, size), cells)
    assert counts.shape == (cells, length)
    assert counts.dtype == np.float32
    assert counts.min() >= 0
    edges = start + size * np.arange(cells + 1) / cells
    inside = np.minimum(edges[1:], zoomed) > np.maximum(edges[:-1], 0)
    np.testing.assert_allclose(counts.sum(1), inside, atol=1e-5)


@pytest.mark.parametrize("size", [(9, 7), (18, 28), (40, 31), (60, 90)])
def test_resizing_is_opencvs(size):
    """To fewer pixels by area, to more of them linearly."""
    maps = np.random.default_rng(0).random((3, 18, 28)).astype(np.float32)
    ours = means(maps, *(shares(n, m, (0, m), m) for n, m in zip((18, 28), size, strict=True)))
    smaller = size[0] < 18
    how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    theirs = np.stack([cv2.resize(each, size[::-1], interpolation=how) for each in maps])
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
