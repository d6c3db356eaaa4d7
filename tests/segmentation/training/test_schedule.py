import pytest

from tenth.segmentation.training.schedule import poly_learning_rate


def test_known_values():
    assert poly_learning_rate(0.01, 0, 100, 0.9) == 0.01
    assert poly_learning_rate(0.01, 50, 100, 0.9) == pytest.approx(0.01 * 0.535886731)
    assert poly_learning_rate(0.01, 99, 100, 0.9) == pytest.approx(0.01 * 0.01584893)
    assert poly_learning_rate(0.01, 99, 100, 0) == 0.01
