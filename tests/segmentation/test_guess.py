import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenth.errors import DataError
from tenth.segmentation.guess import region_guess


def one_hot(labels: np.ndarray, classes: int, sure: float = 1.0) -> np.ndarray:
    rest = (1 - sure) / (classes - 1)
    return np.where(np.arange(classes)[:, None, None] == labels, sure, rest).astype(np.float32)


def test_single_class_region_has_no_parts():
    labels = np.zeros((4, 6), int)
    labels[:, 3:] = 2
    guess = region_guess(one_hot(labels, 3, 0.8), labels == 2)
    assert guess.label == 2
    assert guess.confidence == pytest.approx(0.8)
    assert guess.parts is None


def test_parts_cover_the_region_and_nothing_else():
    labels = np.zeros((4, 10), int)
    labels[:, 7:] = 1
    region = np.zeros((4, 10), bool)
    region[1:3] = True
    guess = region_guess(one_hot(labels, 3, 0.9), region)
    assert guess.label == 0
    assert guess.confidence == pytest.approx(0.7 * 0.9 + 0.3 * 0.05)
    assert guess.parts is not None
    assert guess.parts.dtype == np.uint8
    np.testing.assert_array_equal(guess.parts, np.where(region, labels, 255))


def test_a_class_below_a_tenth_is_no_part():
    labels = np.zeros((1, 20), int)
    labels[0, 10:19] = 1
    labels[0, 19] = 2
    probabilities = one_hot(labels, 3, 0.8)
    probabilities[:, 0, 19] = [0.1, 0.2, 0.7]
    guess = region_guess(probabilities, np.ones((1, 20), bool))
    assert guess.parts is not None
    assert guess.parts.tolist() == [[0] * 10 + [1] * 10]


def test_exactly_a_tenth_is_a_part():
    labels = np.zeros((1, 10), int)
    labels[0, 4] = 1
    guess = region_guess(one_hot(labels, 2), np.ones((1, 10), bool))
    assert guess.parts is not None
    assert guess.parts.tolist() == labels.tolist()


def test_equal_counts_go_to_the_lower_class():
    labels = np.array([[2, 2, 1, 1]])
    assert region_guess(one_hot(labels, 3), np.ones((1, 4), bool)).label == 1


@given(st.integers(2, 6), st.integers(0, 2**32 - 1))
def test_agrees_with_a_plain_count(classes: int, seed: int):
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.ones(classes), (5, 7)).transpose(2, 0, 1)
    region = rng.random((5, 7)) < 0.5
    region[0, 0] = True
    guess = region_guess(probabilities, region)
    best = [int(probabilities[:, y, x].argmax()) for y, x in zip(*np.nonzero(region), strict=True)]
    counts = [best.count(c) for c in range(classes)]
    assert guess.label == counts.index(max(counts))
    assert 0 <= guess.confidence <= 1
    parts = {c for c in range(classes) if counts[c] * 10 >= len(best)}
    if len(parts) < 2:
        assert guess.parts is None
    else:
        assert guess.parts is not None
        assert (guess.parts[~region] == 255).all()
        assert set(np.unique(guess.parts[region]).tolist()) == parts


def test_an_empty_region_is_refused():
    with pytest.raises(DataError, match="without a single pixel"):
        region_guess(np.full((2, 3, 3), 0.5), np.zeros((3, 3), bool))


def test_a_region_of_another_image_is_refused():
    with pytest.raises(DataError, match=r"\(3, 4\)"):
        region_guess(np.full((2, 3, 3), 0.5), np.ones((3, 4), bool))
