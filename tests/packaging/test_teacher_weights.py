import numpy as np
import pytest

from benchmarks.teacher_weights import Teachers, confusion, spread, ways

LABELS = np.tile([[0, 1], [1, 0]], (1, 4)).astype(np.uint8)


class Picture:
    """An image of one colour: 0 on train, 1 on val."""

    def __init__(self, colour):
        self.colour = colour

    def load(self):
        return np.full((*LABELS.shape, 3), self.colour, np.uint8), LABELS


class Sure:
    """Is sure, and right at so many of the 16 pixels of an image of train or val."""

    def __init__(self, *right):
        self.right = right

    def logits(self, picture):
        right = np.arange(LABELS.size).reshape(LABELS.shape) < self.right[picture[0, 0, 0]]
        said = np.where(right, LABELS, 1 - LABELS)
        return 3 * np.stack([said == 0, said == 1]).astype(np.float32)

    def probabilities(self, picture):
        sharp = np.exp(self.logits(picture))
        return sharp / sharp.sum(0)


def test_places_are_evenly_spread():
    assert spread(11, 3) == [0, 5, 10]


def test_each_way_and_what_it_gets_right():
    predictors = {"t0": Sure(8, 14), "t1": Sure(16, 4)}
    splits = {"train": [Picture(0)] * 6, "val": [Picture(1)] * 6}
    asked = {
        name: [
            ({t: each.logits(image.load()[0]) for t, each in predictors.items()}, LABELS) for image in images
        ]
        for name, images in splits.items()
    }
    found = dict(ways(Teachers(predictors, splits, asked)))
    assert list(found)[:5] == ["t0 alone", "t1 alone", "equal", "IoU on train", "IoU on val"]
    for weights in found.values():
        np.testing.assert_allclose(weights.sum(0), 1)
    assert (found["IoU on train"][1] > 0.6).all()
    assert (found["stacked on val"][0] > 0.9).all()
    np.testing.assert_allclose(found["stacked on 5 images of val"], found["stacked on val"], atol=0.02)
    right = {name: np.trace(confusion(weights, asked["val"]).counts) / 96 for name, weights in found.items()}
    assert right["t0 alone"] == pytest.approx(14 / 16)
    assert right["stacked on val"] == right["t0 alone"]
    assert right["stacked on train"] == right["t1 alone"] == pytest.approx(4 / 16)
