import numpy as np
import pytest
from scipy.fft import dctn

from tenth.segmentation.distillation.blocks import BASIS, to_frequencies, to_maps


def test_equals_the_cosine_transform_of_each_block():
    maps = np.random.default_rng(0).random((3, 32, 48), np.float32)
    frequencies = to_frequencies(maps)
    assert frequencies.shape == (16, 16, 3, 2, 3)
    expected = dctn(maps[2, 16:32, 32:48].astype(np.float64), norm="ortho")
    np.testing.assert_allclose(frequencies[:, :, 2, 1, 2], expected, atol=1e-5)


def test_the_basis_is_orthonormal():
    np.testing.assert_allclose(BASIS @ BASIS.T, np.eye(16), atol=1e-6)


@pytest.mark.parametrize(("height", "width"), [(16, 16), (1, 1), (17, 5), (40, 33)])
def test_there_and_back(height, width):
    maps = np.random.default_rng(1).random((2, height, width), np.float32)
    np.testing.assert_allclose(to_maps(to_frequencies(maps), height, width), maps, atol=1e-5)


def test_frequencies_left_away_are_zeros():
    frequencies = np.zeros((16, 16, 2, 1, 2), np.float32)
    frequencies[:3, :5] = np.random.default_rng(2).random((3, 5, 2, 1, 2), np.float32)
    few = np.ascontiguousarray(frequencies[:3, :5])
    np.testing.assert_allclose(to_maps(few, 14, 30), to_maps(frequencies, 14, 30), atol=1e-5)
