import logging

import numpy as np
import pytest

import controller.weighting as weighting
from tenth.segmentation.distillation import class_weights

SURE = np.array([[0.9, 0.9], [0.1, 0.1]])
IOUS = [np.array([0.6, 0.2]), np.array([0.2, 0.2])]


def weigh(how, teachers=("one", "two"), stacked=SURE):
    return weighting.weigh(how, teachers, 2, lambda: stacked, lambda: IOUS)


def test_each_way_and_one_teacher_alone():
    np.testing.assert_array_equal(weigh("stacked"), SURE)
    np.testing.assert_array_equal(weigh("iou"), class_weights(IOUS))
    nothing = pytest.fail
    np.testing.assert_array_equal(weighting.weigh("iou", ["one"], 2, nothing, nothing), [[1, 1]])
    np.testing.assert_array_equal(weighting.weigh("stacked", ["one"], 2, nothing, nothing), [[1, 1]])


def test_a_teacher_that_counts_nothing_is_named(caplog):
    caplog.set_level(logging.WARNING)
    weigh("stacked")
    assert not caplog.records
    weigh("stacked", stacked=np.array([[1 - 1e-6] * 2, [1e-6] * 2]))
    (record,) = caplog.records
    assert "Teacher two counts nothing" in record.getMessage()


@pytest.mark.parametrize(("count", "looked_at"), [(0, 0), (3, 3), (100, 100), (101, 51), (950, 95)])
def test_many_images_are_looked_at_here_and_there(monkeypatch, count, looked_at):
    seen = []
    monkeypatch.setattr(weighting, "stacked_weights", lambda _, images, *__: seen.extend(images))
    weighting.stack({}, list(range(count)), 2)
    assert len(seen) == looked_at
    assert len(set(np.diff(seen))) <= 1
    assert not seen or seen[-1] >= 0.9 * (count - 1)
