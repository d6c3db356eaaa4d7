import numpy as np
import pytest

from tenth.errors import DataError
from tenth.segmentation.inference import ImagePredictor
from tenth.segmentation.resized import ResizedPredictor, fitted, fitted_back


class Brightness(ImagePredictor):
    """Class 1 as probable as a pixel is red; keeps the sizes that it saw."""

    def __init__(self):
        self.sizes = []

    def probabilities(self, image):
        self.sizes.append(image.shape[:2])
        red = image[:, :, 0].astype(np.float32) / 255
        return np.stack([1 - red, red])


def halves() -> np.ndarray:
    image = np.zeros((4, 8, 3), np.uint8)
    image[:, 4:] = 255
    return image


def test_the_predictor_sees_its_size_and_the_image_gets_its_own_back():
    inner = Brightness()
    predictor = ResizedPredictor(inner, (2, 4))
    image = halves()
    found = predictor.probabilities(image)
    assert inner.sizes == [(2, 4)]
    assert found.shape == (2, 4, 8) and found.dtype == np.float32
    np.testing.assert_allclose(found.sum(0), 1, atol=1e-6)
    np.testing.assert_array_equal(predictor.labels(image), image[:, :, 0] > 0)


def test_an_image_of_that_size_is_predicted_as_it_is():
    image = np.random.default_rng(0).integers(0, 256, (4, 8, 3), dtype=np.uint8)
    found = ResizedPredictor(Brightness(), (4, 8)).probabilities(image)
    np.testing.assert_array_equal(found, Brightness().probabilities(image))
    assert fitted(image, (4, 8)) is image


def test_shrinking_averages_and_growing_back_stays_within_0_and_1():
    chequered = np.zeros((4, 4, 3), np.uint8)
    chequered[::2, ::2] = chequered[1::2, 1::2] = 254
    assert (fitted(chequered, (1, 1)) == 127).all()
    grown = fitted_back(np.array([[[0.0, 1.0]]], np.float32), (3, 6))
    assert grown.shape == (1, 3, 6)
    assert grown.min() == 0 and grown.max() == 1


def test_what_is_no_image_is_refused():
    with pytest.raises(DataError, match="cannot be predicted"):
        ResizedPredictor(Brightness(), (2, 4)).probabilities(np.zeros((4, 8), np.uint8))
