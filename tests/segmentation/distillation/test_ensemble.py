import numpy as np
import pytest
import torch

from tenth.errors import ConfigurationError
from tenth.segmentation.distillation import Ensemble, class_weights, soften


def logits_of(*distributions) -> torch.Tensor:
    """Return logits (1, C, 1, pixels) whose softmax is that."""
    return torch.tensor(distributions).T[None, :, None].log()


def test_soften_is_the_softmax_of_the_quotient():
    # e^(2/2) : e^(0/2) = e : 1
    soft = soften(torch.tensor([2.0, 0.0])[None, :, None, None], 2.0)
    np.testing.assert_allclose(soft.flatten(), [np.e / (np.e + 1), 1 / (np.e + 1)], rtol=1e-6)
    assert soften(torch.zeros(1, 2, 1, 1, dtype=torch.float16), 3).dtype == torch.float32


def test_the_formula_by_hand():
    # IoUs of (0.6, 0.5, 0.1) and (0.2, 0.5, 0.3) are weights of (3/4, 1/2, 1/4) and (1/4, 1/2, 3/4).
    weights = class_weights([np.array([0.6, 0.5, 0.1]), np.array([0.2, 0.5, 0.3])])
    np.testing.assert_allclose(weights, [[0.75, 0.5, 0.25], [0.25, 0.5, 0.75]], atol=1e-5)
    ensemble = Ensemble(["a", "b"], [1, 1], weights)
    first, second = logits_of([0.5, 0.3, 0.2]), logits_of([0.1, 0.1, 0.8])
    # 0.75·0.5 + 0.25·0.1 = 0.4; 0.5·0.3 + 0.5·0.1 = 0.2; 0.25·0.2 + 0.75·0.8 = 0.65; together 1.25
    np.testing.assert_allclose(
        ensemble.probabilities(iter([first, second])).flatten(), [0.32, 0.16, 0.52], atol=1e-5
    )


def test_each_teacher_has_its_own_temperature():
    ensemble = Ensemble(["a", "b"], [2, 1], np.full((2, 2), 0.5))
    # 0.8 : 0.2 at temperature 2 is √0.8 : √0.2 = 2 : 1
    soft = ensemble.probabilities([logits_of([0.8, 0.2]), logits_of([0.5, 0.5])])
    np.testing.assert_allclose(soft.flatten(), [(2 / 3 + 0.5) / 2, (1 / 3 + 0.5) / 2], rtol=1e-6)


def test_one_teacher_is_itself():
    ensemble = Ensemble(["a"], [1], class_weights([np.array([0.1, 0.9, np.nan])]))
    values = [[0.2, 0.3, 0.5], [0.7, 0.2, 0.1]]
    np.testing.assert_allclose(ensemble.probabilities([logits_of(*values)])[0, :, 0].T, values, rtol=1e-6)


def test_the_logits_are_left_as_they_are():
    first, second = torch.randn(2, 3, 4, 5), torch.randn(2, 3, 4, 5)
    copies = first.clone(), second.clone()
    soft = Ensemble(["a", "b"], [1, 1], np.full((2, 3), 0.5)).probabilities([first, second])
    torch.testing.assert_close(soft.sum(1), torch.ones(2, 4, 5))
    assert torch.equal(first, copies[0])
    assert torch.equal(second, copies[1])


def test_an_unknown_class_leaves_the_word_to_who_knows_it_and_one_that_nobody_knows_to_all():
    weights = class_weights([np.array([np.nan, np.nan, 0.0]), np.array([0.5, np.nan, 0.0])])
    np.testing.assert_allclose(weights, [[0, 0.5, 0.5], [1, 0.5, 0.5]], atol=1e-5)
    assert weights.min() > 0


def test_a_pixel_that_each_teacher_gives_to_a_class_it_does_not_know_still_has_a_distribution():
    weights = class_weights([np.array([1.0, 0.0]), np.array([0.0, 1.0])])
    sure = torch.tensor([-1e4, 0.0])[None, :, None, None]
    soft = Ensemble(["a", "b"], [1, 1], weights).probabilities([sure, -sure - 1e4])
    np.testing.assert_allclose(soft.flatten(), [0.5, 0.5], rtol=1e-5)


@pytest.mark.parametrize(
    ("ious", "message"),
    [
        ([], "no classes"),
        ([np.ones(2), np.ones(3)], r"\[2, 3\] classes"),
        ([np.array([0.5, 1.5])], "1.5 is impossible"),
        ([np.array([-0.1, 0.5])], "-0.1 is impossible"),
        ([np.array([np.inf, 0.5])], "inf is impossible"),
    ],
)
def test_impossible_ious_are_refused(ious, message):
    with pytest.raises(ConfigurationError, match=message):
        class_weights(ious)


HALVES = np.full((2, 3), 0.5)


@pytest.mark.parametrize(
    ("teachers", "temperatures", "weights", "message"),
    [
        ([], [], np.empty((0, 3)), "0 teachers"),
        (["a", "b"], [1], HALVES, "1 temperatures"),
        (["a", "b"], [1, 1], HALVES[:1], "do not fit"),
        (["a", "b"], [1, 0], HALVES, "temperature of 0"),
        (["a", "b"], [1, float("nan")], HALVES, "temperature of nan"),
        (["a", "b"], [1, 1], HALVES * 2, "sum to 1"),
        (["a", "b"], [1, 1], HALVES[:, 0], "sum to 1"),
        (["a", "b"], [1, 1], np.array([[1.0], [0.0]]), "above 0"),
        (["a", "b"], [1, 1], HALVES * np.nan, "above 0"),
    ],
)
def test_what_makes_no_ensemble_is_refused(teachers, temperatures, weights, message):
    with pytest.raises(ConfigurationError, match=message):
        Ensemble(teachers, temperatures, weights)


@pytest.mark.parametrize("shapes", [[], [(1, 3, 2, 2)], [(1, 3, 2, 2)] * 3, [(1, 3, 2, 2), (1, 4, 2, 2)]])
def test_logits_that_do_not_fit_are_refused(shapes):
    with pytest.raises(ConfigurationError, match="2 tensors"):
        Ensemble(["a", "b"], [1, 1], HALVES).probabilities(torch.zeros(shape) for shape in shapes)
