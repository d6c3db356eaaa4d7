"""What answers cost, by hand."""

import numpy as np
import pytest

from controller.costs import ENOUGH, AnswerCosts, learn_costs


def test_expected_cost_by_hand():
    np.testing.assert_allclose(AnswerCosts(2.0, 6.0).expected(np.array([1.0, 0.5, 0.0])), [2, 4, 6])


def test_medians_of_both_kinds():
    quick = [(1.0 + 0.1 * i, 1) for i in range(ENOUGH + 1)]
    slow = [(5.0, 2)] * ENOUGH + [(900.0, 3), (None, 4)]  # somebody at lunch, and one not measured
    costs = learn_costs(quick + slow)
    assert costs.accept == pytest.approx(1.0 + 0.1 * ENOUGH / 2)
    assert costs.other == 5.0


def test_too_few_answers_are_counted_in_keys():
    assert learn_costs([(3.0, 1)] * 100 + [(9.0, 2)] * (ENOUGH - 1)) == AnswerCosts(1.0, 2.0)
    assert learn_costs([]) == AnswerCosts(1.0, 2.0)


def test_painted_answers_cost_their_keys_where_no_times_tell():
    told = [(None, 1)] * 5 + [(None, 2), (None, 8)] * (ENOUGH // 2)
    assert learn_costs(told) == AnswerCosts(1.0, 5.0)
