from dataclasses import dataclass

import numpy as np
import pytest
from tiny_network import IMAGES, ColourImage

from tenth.errors import DataError
from tenth.progress import SILENT
from tenth.segmentation.training.survey import survey


@dataclass
class Fixed:
    image: np.ndarray
    labels: np.ndarray
    key: str = "train/a"

    def load(self):
        return self.image, self.labels


@dataclass
class Weighed(Fixed):
    weights: np.ndarray | None = None

    def load_weighed(self):
        return self.image, self.labels, self.weights


def image(height=4, width=6, **labels):
    return Fixed(np.zeros((height, width, 3), np.uint8), np.zeros((height, width), np.uint8))


def test_counts_labelled_pixels_by_class():
    labelled = image()
    labelled.labels[0] = 2
    labelled.labels[1] = 255
    found = survey([labelled, image()], 3, 1, SILENT)
    assert found.pixels.tolist() == [12 + 24, 0, 6]


def test_the_most_common_size_the_largest_of_equals():
    assert survey([image(9, 9), image(4, 6), image(4, 6)], 3, 0, SILENT).size == (4, 6)
    assert survey([image(4, 6), image(9, 9)], 3, 0, SILENT).size == (9, 9)


def test_digest_knows_pixels_labels_and_order():
    def digest(images, workers=1):
        return survey(images, 3, workers, SILENT).digest

    base = digest(IMAGES)
    assert digest(IMAGES, 0) == digest(IMAGES, 3) == base
    assert digest(IMAGES[::-1]) != base
    pixels, labels = IMAGES[0].load()
    pixels[3, 3, 0] ^= 1
    assert digest([Fixed(pixels, labels), *IMAGES[1:]]) != base
    pixels[3, 3, 0] ^= 1
    assert digest([Fixed(pixels, labels), *IMAGES[1:]]) == base
    labels[3, 3] = 255
    assert digest([Fixed(pixels, labels), *IMAGES[1:]]) != base


def test_refuses_what_cannot_be_trained_on():
    with pytest.raises(DataError, match="no images"):
        survey([], 3, 1, SILENT)
    ignored = image()
    ignored.labels[:] = 255
    with pytest.raises(DataError, match="None of the 2 images"):
        survey([ignored, ignored], 3, 1, SILENT)
    foreign = image()
    foreign.labels[0, :2] = 7
    with pytest.raises(DataError, match=r"train/a has 2 pixels labelled 7.*0 to 2"):
        survey([ColourImage(1), foreign], 3, 1, SILENT)
    with pytest.raises(DataError, match=r"train/a is \(4, 6\) pixels, but its labels are \(4, 5\)"):
        survey([Fixed(image().image, np.zeros((4, 5), np.uint8))], 3, 1, SILENT)
    with pytest.raises(DataError, match="uint8 RGB"):
        survey([Fixed(np.zeros((4, 6), np.uint8), np.zeros((4, 6), np.uint8))], 3, 1, SILENT)


def weighed(*, height=4, width=6, dtype=np.float32, value=1.0):
    base = image(4, 6)
    return Weighed(base.image, base.labels, weights=np.full((height, width), value, dtype))


def test_weights_are_noticed_digested_and_keep_pixels_out_of_the_count():
    plain = survey([image()], 3, 1, SILENT)
    ones = survey([weighed()], 3, 1, SILENT)
    assert (plain.weighted, ones.weighted) == (False, True)
    assert len({plain.digest, ones.digest, survey([weighed(value=0.5)], 3, 1, SILENT).digest}) == 3
    some = weighed()
    some.weights[0, :5] = 0
    found = survey([some, image()], 3, 1, SILENT)
    assert found.weighted
    assert found.pixels.tolist() == [19 + 24, 0, 0]
    with pytest.raises(DataError, match="None of the 1 images"):
        survey([weighed(value=0.0)], 3, 1, SILENT)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (weighed(height=5), r"train/a is \(4, 6\) pixels, but its weights are \(5, 6\) float32"),
        (weighed(dtype=np.float64), "its weights are .* float64"),
        (weighed(value=1.5), "train/a has 24 weights like 1.5"),
        (weighed(value=-0.1), "train/a has 24 weights like -0.1"),
        (weighed(value=np.nan), "train/a has 24 weights like nan"),
    ],
)
def test_refuses_bad_weights(bad, message):
    with pytest.raises(DataError, match=message):
        survey([image(), bad], 3, 1, SILENT)
