"""The initial set beside answers: what its pixels count."""

from pathlib import Path

import numpy as np
from rounds import answer

from controller.merge import MergedImage, merge
from controller.train import discounted, training_images


def test_pixels_of_the_initial_set_count_less_beside_answers(asked):
    answer(asked, 1)
    merge(asked, 1)
    images = discounted(training_images(asked, 1), 0.25)
    initial, others = images[:2], images[2:]
    for image in initial:
        picture, labels = image.load()
        assert (image.load_weights() == np.full(labels.shape, 0.25, np.float32)).all()
        assert picture.shape[:2] == labels.shape and image.key.startswith("train/")
    assert others and all(isinstance(image, MergedImage) for image in others)


def test_alone_it_counts_in_full(learned):
    images = training_images(learned, 0)
    assert discounted(images, 0.25) == images


def test_so_do_answers_alone(asked):
    merged = [MergedImage(training_images(asked, 0)[0], Path("map.npz"))]
    assert discounted(merged, 0.25) == merged
