"""Calibration against counts by hand and an independent isotonic regression."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from tenth.errors import DataError
from tenth.segmentation.calibration import PRIOR, Reliability, _monotone


def image(confidence, right, label=0):
    """Return one row of pixels that say `label` with these confidences, and their truth."""
    confidence = np.asarray(confidence, np.float64)[None]
    other = 1 - confidence
    p = np.stack([confidence, other] if label == 0 else [other, confidence])
    return p, np.where(np.asarray(right)[None], label, 1 - label).astype(np.uint8)


def test_a_bin_by_hand():
    reliability = Reliability(2)
    reliability.update(*image([0.92] * 150, [True] * 75 + [False] * 75))
    calibrated = reliability.calibration()(image([0.92], [True])[0])
    # 75 of 150 right, pulled towards 0.92 by the prior, and a little by the bins pooled with it
    assert calibrated[0, 0] == pytest.approx((75 + PRIOR * 0.92) / (150 + PRIOR), rel=0.1)


def test_classes_are_calibrated_apart():
    reliability = Reliability(2)
    reliability.update(*image([0.82] * 5000, [True] * 5000, label=0))
    reliability.update(*image([0.82] * 5000, [False] * 5000, label=1))
    calibrated = reliability.calibration()
    assert calibrated(image([0.82], [True], 0)[0])[0, 0] > 0.95
    assert calibrated(image([0.82], [True], 1)[0])[0, 0] < 0.05


def test_without_evidence_it_changes_nothing():
    p = image(np.linspace(0.52, 0.98, 40), [True] * 40)[0]
    np.testing.assert_allclose(Reliability(2).calibration()(p), p.max(axis=0), atol=0.03)


def test_void_pixels_do_not_count():
    reliability = Reliability(2)
    reliability.update(image([0.9] * 4, [True] * 4)[0], np.full((1, 4), 255, np.uint8))
    assert reliability.total.sum() == 0


def test_another_image_is_refused():
    with pytest.raises(DataError, match="same image"):
        Reliability(2).update(np.zeros((2, 3, 3)), np.zeros((3, 4), np.uint8))


pairs = st.lists(st.tuples(st.floats(0, 1), st.floats(0.1, 10)), min_size=1, max_size=20)


@given(pairs)
def test_monotone_equals_isotonic_regression(pairs):
    values, weights = (np.array(column) for column in zip(*pairs, strict=True))
    expected = IsotonicRegression().fit_transform(np.arange(len(values)), values, sample_weight=weights)
    np.testing.assert_allclose(_monotone(values, weights), expected, atol=1e-9)
