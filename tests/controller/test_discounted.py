"""The initial set beside answers: what its pixels count, in whatever is trained."""

from pathlib import Path

import numpy as np
import pytest
from rounds import answer

import controller.retrain as retrain_module
from controller.initialize import create_or_change
from controller.loop import Loop
from controller.merge import MergedImage, merge
from controller.round import close
from controller.train import discounted, training_images
from tenth.progress import SILENT
from tenth.segmentation.augment import Augmentation
from tenth.segmentation.training.batches import Batches
from tenth.segmentation.training.sources import DiscountedImage
from tenth.segmentation.training.survey import survey


def weighing(loop, weight):
    create_or_change(loop.workspace.folder, None, [("labels", "initial_weight", weight)])
    return Loop.open(loop.workspace.folder)


def test_pixels_of_the_initial_set_count_less_beside_answers(asked):
    loop = weighing(asked, 0.5)
    answer(loop, 1)
    merge(loop, 1)
    images = training_images(loop, 1)
    initial, others = images[:2], images[2:]
    for image in initial:
        picture, labels, weights = image.load_weighed()
        assert (weights == np.full(labels.shape, 0.5, np.float32)).all()
        assert picture.shape[:2] == labels.shape and image.key.startswith("train/")
    assert others and all(isinstance(image, MergedImage) for image in others)


def test_training_between_rounds_discounts_them_too(asked, monkeypatch):
    loop = weighing(asked, 0.5)
    answer(loop, 1)
    merge(loop, 1)
    close(loop, 1)
    learned_from = []

    class Seen(Exception):
        pass

    def fit_network(_loop, _network, images, *_rest):
        learned_from.extend(images)
        raise Seen

    monkeypatch.setattr(retrain_module, "fit_network", fit_network)
    with pytest.raises(Seen):
        retrain_module.retrain(loop)
    weights = [image.weight for image in learned_from if isinstance(image, DiscountedImage)]
    assert (weights, len(learned_from)) == ([0.5, 0.5], 4)


def test_alone_it_counts_in_full(learned):
    assert not any(isinstance(image, DiscountedImage) for image in training_images(learned, 0))


def test_images_that_count_less_are_read_once():
    loads = []

    class Counted:
        key = "train/a"

        def load(self):
            loads.append(self.key)
            return np.zeros((4, 6, 3), np.uint8), np.zeros((4, 6), np.uint8)

    images = [DiscountedImage(Counted(), 0.4)]
    assert survey(images, 2, 0, SILENT).weighted
    augmentation = Augmentation((4, 6), scale=(1.0, 1.0))
    batch = Batches(images, augmentation, 1, seed=0, weighted=True).load(0)
    assert (batch.weights == round(0.4 * 255)).all()
    assert len(loads) == 2  # one in each


def test_so_do_answers_alone(asked):
    merged = [MergedImage(training_images(asked, 0)[0], Path("map.npz"))]
    assert discounted(merged, 0.25) == merged
