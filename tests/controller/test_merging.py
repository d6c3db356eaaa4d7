"""Merging as rounds and the simulator do it: which pseudo-labels, how sure, and what fades out."""

import numpy as np
import pytest

from controller.labels import RegionAnswer, Source
from controller.maps import Division
from controller.merging import NO_PSEUDO_LABELS, MergeOptions, calibrate, merge_answers
from tenth.errors import ConfigurationError
from tenth.segmentation.calibration import Reliability
from tenth.segmentation.crf import CRFOptions, dense_crf

SUPERPIXELS = np.array([[0, 0, 1, 1], [0, 0, 1, 1]], np.int32)
PICTURE = np.zeros((2, 4, 3), np.uint8)
FIRST = np.array([[0.9, 0.3, 0.6, 0.6], [0.9, 0.3, 0.2, 0.2]], np.float32)
P = np.stack([FIRST, 1 - FIRST])
CRF = CRFOptions()


def merged(answers=(), **options):
    return merge_answers(PICTURE, SUPERPIXELS, list(answers), P, MergeOptions("network", **options), CRF)


def test_the_networks_own_labels():
    labels = merged().labels
    np.testing.assert_array_equal(labels, P.argmax(axis=0))


def test_the_crfs_labels():
    options = MergeOptions("crf")
    labels = merge_answers(PICTURE, SUPERPIXELS, [], P, options, CRF)
    np.testing.assert_array_equal(labels.labels, dense_crf(P, PICTURE, CRF).argmax(axis=0))


def test_answers_alone():
    labels = merged([RegionAnswer(1, 0, 1)], min_confidence=NO_PSEUDO_LABELS)
    np.testing.assert_array_equal(labels.labels, [[1, 1, 255, 255], [1, 1, 255, 255]])
    assert set(np.unique(labels.source)) == {Source.HUMAN, Source.IGNORED}


def test_the_sieve_by_hand():
    """The region was called 0; its right half is likely something else, and counts by how likely it is 0."""
    labels = merged([RegionAnswer(1, 0, 0)], min_confidence=NO_PSEUDO_LABELS, sieve=True)
    weights = labels.weights(soft=False)
    # p(0) is 0.9 and 0.3, 0.6 on average: the left pixels count fully, the right ones half
    np.testing.assert_allclose(weights, [[1, 0.5, 0, 0], [1, 0.5, 0, 0]], atol=1e-3)


def test_what_was_painted_is_not_sieved():
    """Region 0 was called 0, its lower left pixel painted as 1: that one counts fully, however unlikely."""
    painted = np.full((2, 4), 255, np.uint8)
    painted[1, 0] = 1
    labels = merged([RegionAnswer(1, 0, 0, painted)], min_confidence=NO_PSEUDO_LABELS, sieve=True)
    np.testing.assert_array_equal(labels.labels[:, :2], [[0, 0], [1, 0]])
    # p(0) is 0.9, 0.3 and 0.3 where the region's class holds, 0.5 on average
    np.testing.assert_allclose(labels.weights(soft=False)[:, :2], [[1, 0.6], [1, 0.6]], atol=1e-3)


def test_a_region_that_was_painted_alone_is_not_sieved():
    painted = np.full((2, 4), 255, np.uint8)
    painted[:, :2] = [[0, 0], [0, 1]]
    labels = merged([RegionAnswer(1, 0, None, painted)], min_confidence=NO_PSEUDO_LABELS, sieve=True)
    np.testing.assert_allclose(labels.weights(soft=False)[:, :2], 1)


def test_the_last_of_several_answers_says_whether_a_region_is_sieved():
    painted = np.full((2, 4), 255, np.uint8)
    painted[:, :2] = 0
    answers = [RegionAnswer(1, 0, 0), RegionAnswer(2, 0, None, painted)]
    labels = merged(answers, min_confidence=NO_PSEUDO_LABELS, sieve=True)
    np.testing.assert_allclose(labels.weights(soft=False)[:, :2], 1)


def test_a_network_that_knows_nothing_sieves_nothing():
    flat = np.full_like(P, 0.5)
    options = MergeOptions("network", min_confidence=NO_PSEUDO_LABELS, sieve=True)
    labels = merge_answers(PICTURE, SUPERPIXELS, [RegionAnswer(1, 0, 0)], flat, options, CRF)
    np.testing.assert_allclose(labels.weights(soft=False)[:, :2], 1)


def test_an_answer_that_the_network_holds_impossible_counts_in_full():
    sure = np.zeros_like(P)
    sure[1] = 1
    options = MergeOptions("network", min_confidence=NO_PSEUDO_LABELS, sieve=True)
    labels = merge_answers(PICTURE, SUPERPIXELS, [RegionAnswer(1, 0, 0)], sure, options, CRF)
    np.testing.assert_allclose(labels.weights(soft=False)[:, :2], 1)


def test_soft_pseudo_labels_count_by_their_calibrated_confidence():
    reliability = Reliability(2)
    for _ in range(200):  # whenever the network said 0, it was wrong
        reliability.update(P, np.ones((2, 4), np.uint8))
    labels = merged([RegionAnswer(1, 0, 0)], calibration=reliability.calibration())
    soft, hard = labels.weights(soft=True), labels.weights(soft=False)
    assert hard.min() == 1
    np.testing.assert_allclose(soft[:, :2], 1)  # a person's
    assert (soft[0, 2:] < 0.1).all()  # said 0
    assert (soft[1, 2:] > 0.9).all()  # said 1


def test_spreading_answers_needs_the_crf():
    with pytest.raises(ConfigurationError, match="sp-crf"):
        MergeOptions("network", propagate=True)
    with pytest.raises(ConfigurationError, match="wants none"):
        MergeOptions("crf", propagate=True, min_confidence=NO_PSEUDO_LABELS)


class Known:
    """A labelled image."""

    def load(self):
        return PICTURE, np.ones((2, 4), np.uint8)


class Fixed:
    """A predictor that always says `P`; its network is asked for nothing but the number of classes."""

    class network:  # noqa: N801
        classes = 2

    def probabilities(self, picture):
        return P


@pytest.mark.parametrize("pseudo_labels", ["network", "crf"])
def test_calibration_is_of_the_labels_that_are_meant(pseudo_labels):
    found = calibrate([Known()] * 300, Fixed(), pseudo_labels, CRF, Division(size=4))
    p = P if pseudo_labels == "network" else dense_crf(P, PICTURE, CRF)
    expected = Reliability(2)
    for _ in range(300):
        expected.update(p, np.ones((2, 4), np.uint8))
    np.testing.assert_allclose(found.accuracy, expected.calibration().accuracy)
