"""The teachers as one predictor, and their soft labels on disk."""

from dataclasses import dataclass

import numpy as np
import torch

from tenth.segmentation.distillation import Ensemble, SoftLabelStore, class_weights
from tenth.segmentation.distillation.teachers import (
    EnsemblePredictor,
    PseudoLabelledImage,
    TaughtImage,
    describe,
    images_digest,
    stored_confusion,
    temperature_of,
    write_soft_labels,
)
from tenth.segmentation.inference import Predictor
from tenth.segmentation.metrics import ConfusionMatrix
from tenth.segmentation.networks import build_network


@dataclass(frozen=True)
class Noise:
    """A picture of noise with labels."""

    seed: int

    @property
    def key(self):
        return f"train/{self.seed}"

    def load(self):
        rng = np.random.default_rng(self.seed)
        return rng.integers(0, 256, (32, 48, 3)).astype(np.uint8), rng.integers(0, 3, (32, 48)).astype(
            np.uint8
        )


def test_from_teachers_to_what_a_student_sees(tmp_path):
    predictors = []
    for seed in range(2):
        torch.manual_seed(seed)
        network = build_network("icnet", 3, encoder="resnet18", width=0.125, weights=None)
        predictors.append(Predictor(network, "cpu"))
    ious = [np.array([0.5, 0.2, 0.1]), np.array([0.1, 0.2, 0.7])]
    teachers = EnsemblePredictor(Ensemble(["a", "b"], [4.0, 2.0], class_weights(ious)), predictors)
    images = [Noise(seed) for seed in range(3)]
    picture, labels = images[0].load()

    total = np.zeros((3, 32, 48))
    for predictor, iou, temperature in zip(predictors, ious, (4.0, 2.0), strict=True):
        # What is softer by T is p^(1/T), normalised: no logits are needed to tell.
        softer = predictor.probabilities(picture).astype(np.float64) ** (1 / temperature)
        total += iou[:, None, None] / sum(ious)[:, None, None] * softer / softer.sum(0)
    expected = total / total.sum(0)
    np.testing.assert_allclose(teachers.probabilities(picture), expected, atol=1e-4)
    np.testing.assert_array_equal(teachers.labels(picture), teachers.probabilities(picture).argmax(0))

    store = SoftLabelStore.create(tmp_path, {"images": images_digest(images)})
    assert write_soft_labels(store, teachers, images[:2]) == 2
    assert write_soft_labels(store, teachers, images) == 1
    taught = [TaughtImage(image, store) for image in images]
    np.testing.assert_array_equal(taught[0].load()[1], labels)
    np.testing.assert_array_equal(taught[0].load_soft().argmax(0), teachers.labels(picture))
    direct = ConfusionMatrix(3)
    for image in images:
        direct.update(teachers.labels(image.load()[0]), image.load()[1])
    np.testing.assert_array_equal(stored_confusion(taught, 3).counts, direct.counts)


def test_where_nobody_labelled_the_likeliest_class_counts_as_much_as_it_is_likely():
    class Labels:
        def read(self, key):
            assert key == "train/0"
            return np.array([[[0.7, 0.3]], [[0.3, 0.5]], [[0.0, 0.2]]], np.float32)

    image = PseudoLabelledImage(Noise(0), Labels(), trust=0.5)
    picture, labels, weights = image.load_weighed()
    np.testing.assert_array_equal(picture, Noise(0).load()[0])
    np.testing.assert_array_equal(labels, [[0, 1]])
    np.testing.assert_allclose(weights, [[0.35, 0.25]])
    assert (labels.dtype, weights.dtype) == (np.uint8, np.float32)
    np.testing.assert_array_equal(image.load()[1], labels)


def test_digest_knows_keys_pixels_and_order():
    images = [Noise(0), Noise(1)]
    assert images_digest(images) == images_digest([Noise(0), Noise(1)])
    assert (
        len({images_digest(each) for each in (images, images[::-1], images[:1], [Noise(0), Noise(2)])}) == 4
    )


def test_figures_as_json_and_temperatures():
    confusion = ConfusionMatrix(3)
    confusion.update(np.array([0, 0, 1]), np.array([0, 1, 1]))
    assert describe({"val": confusion}) == {"val": {"miou": 0.5, "class_iou": [0.5, 0.5, None]}}
    assert [temperature_of(name) for name in ("icnet", "erfnet", "deeplabv3plus", "enet", "x")] == [
        4,
        3,
        5,
        5,
        4,
    ]
    assert temperature_of("enet", "cwd") == temperature_of("icnet", "dist") == 1
