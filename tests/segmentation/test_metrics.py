import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import accuracy_score, confusion_matrix, jaccard_score

from tenth.errors import DataError
from tenth.segmentation.metrics import ConfusionMatrix

CLASSES = 4
SHAPE = (5, 7)


def maps(extra=()):
    return arrays(np.uint8, SHAPE, elements=st.sampled_from([*range(CLASSES), *extra]))


def counted(prediction, target):
    confusion = ConfusionMatrix(CLASSES)
    confusion.update(prediction, target)
    return confusion


@settings(deadline=None)
@given(maps(), maps(extra=(255,)))
def test_equals_scikit_learn(prediction, target):
    confusion = counted(prediction, target)
    known = target != 255
    if not known.any():
        assert confusion.pixels == 0
        assert np.isnan(confusion.miou)
        assert np.isnan(confusion.pixel_accuracy)
        return
    truth, guess, labels = target[known], prediction[known], list(range(CLASSES))
    np.testing.assert_array_equal(confusion.counts, confusion_matrix(truth, guess, labels=labels))
    expected = jaccard_score(truth, guess, labels=labels, average=None, zero_division=0)
    expected[~np.isin(labels, [*truth, *guess])] = np.nan
    np.testing.assert_allclose(confusion.iou, expected)
    assert confusion.miou == pytest.approx(np.nanmean(expected))
    assert confusion.pixel_accuracy == pytest.approx(accuracy_score(truth, guess))


@settings(deadline=None)
@given(st.lists(st.tuples(maps(), maps(extra=(255,))), min_size=1, max_size=4))
def test_one_matrix_over_the_set(pairs):
    updated, added = ConfusionMatrix(CLASSES), ConfusionMatrix(CLASSES)
    for prediction, target in pairs:
        updated.update(prediction, target)
        added = added + counted(prediction, target)
    together = counted(np.stack([p for p, _ in pairs]), np.stack([t for _, t in pairs]))
    np.testing.assert_array_equal(updated.counts, together.counts)
    np.testing.assert_array_equal(added.counts, together.counts)


def test_known_answer():
    confusion = counted(np.array([0, 0, 1, 2, 1]), np.array([0, 1, 1, 255, 0]))
    assert confusion.counts[:2, :2].tolist() == [[1, 1], [1, 1]]
    np.testing.assert_array_equal(confusion.iou, [1 / 3, 1 / 3, np.nan, np.nan])
    figures = confusion.to_dict(["a", "b", "c", "d"])
    assert figures["iou"] == {"a": 1 / 3, "b": 1 / 3, "c": None, "d": None}
    assert (figures["miou"], figures["pixel_accuracy"], figures["pixels"]) == (1 / 3, 0.5, 4)
    json.dumps(figures, allow_nan=False)


def test_a_class_only_predicted_counts_as_zero():
    assert counted(np.array([0, 3]), np.array([0, 0])).iou[3] == 0


def test_refuses_what_does_not_fit():
    with pytest.raises(DataError, match=r"\(2,\).*\(3,\)"):
        counted(np.zeros(2, np.uint8), np.zeros(3, np.uint8))
    with pytest.raises(DataError, match="labels contain the id 4"):
        counted(np.array([0, 0]), np.array([0, 4]))
    with pytest.raises(DataError, match="prediction contain the id 255"):
        counted(np.array([255, 0]), np.array([0, 1]))
    counted(np.array([255]), np.array([255]))
    with pytest.raises(DataError, match="cannot be added"):
        ConfusionMatrix(3) + ConfusionMatrix(4)
    with pytest.raises(DataError, match="2 class names"):
        ConfusionMatrix(3).to_dict(["a", "b"])
