import pytest

from tenth.segmentation.training.schedule import ema_decay, poly_learning_rate, ramp_up


def test_known_values():
    assert poly_learning_rate(0.01, 0, 100, 0.9) == 0.01
    assert poly_learning_rate(0.01, 50, 100, 0.9) == pytest.approx(0.01 * 0.535886731)
    assert poly_learning_rate(0.01, 99, 100, 0.9) == pytest.approx(0.01 * 0.01584893)
    assert poly_learning_rate(0.01, 99, 100, 0) == 0.01


def test_ramp_rises_over_its_share_and_stays():
    assert [ramp_up(step, 100, 0.1) for step in (0, 3, 10, 99)] == [0.0, pytest.approx(0.3), 1.0, 1.0]
    assert ramp_up(0, 100, 0.0) == 1.0


def test_decay_is_a_plain_mean_before_an_exponential_one():
    assert [ema_decay(0.75, step) for step in range(5)] == pytest.approx([1 / 2, 2 / 3, 3 / 4, 3 / 4, 3 / 4])
    mean, values = 8.0, [5.0, 2.0, 1.0]
    for step, value in enumerate(values):
        decay = ema_decay(0.99, step)
        mean = decay * mean + (1 - decay) * value
    assert mean == pytest.approx((8 + 5 + 2 + 1) / 4)
