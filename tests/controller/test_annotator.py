"""The simulated annotator, by hand."""

import numpy as np
import pytest
from simulated import GUESS, SUPERPIXELS, TRUTH, curve

from controller.simulation.annotator import Annotator, strokes
from controller.simulation.settings import Run


def test_dominant_answers_by_hand():
    answers = Annotator("dominant", classes=3).answer(SUPERPIXELS, [1, 0], TRUTH, GUESS, salt=0)
    assert answers.labels.tolist() == [1, 0]
    assert answers.keys == 2 + 1  # the guess 2 has to be changed, the guess 0 is accepted
    assert answers.pixels == 12
    assert (
        answers.wrong_pixels == 1 + 3
    )  # one pixel on the left; three of the right ones whose truth is known
    assert answers.right_pixels == 6 + 4  # the pixel of class 2 gets the label 1
    assert [(each.region, each.label, each.void) for each in answers.as_region_answers()] == [
        (1, 1, False),
        (0, 0, False),
    ]


def test_exact_answers_by_hand():
    answers = Annotator("exact", classes=3).answer(SUPERPIXELS, [1, 0], TRUTH, GUESS, salt=0)
    assert answers.mixed.tolist() == [True, False]
    # the left region is accepted; the right one: mixed, two pieces with a class and a stroke each, submit
    assert answers.keys == 1 + (2 + 2 * 2)
    assert answers.right_pixels == 11
    mixed, pure = answers.as_region_answers()
    np.testing.assert_array_equal(mixed.painted[SUPERPIXELS == 1], TRUTH[SUPERPIXELS == 1])
    assert mixed.label is None
    assert pure.painted is None


def test_a_piece_across_two_regions_is_painted_twice():
    painted = np.full((2, 4), 3, np.uint8)
    superpixels = np.array([[0, 0, 1, 1], [0, 0, 1, 1]], np.int32)
    assert strokes(superpixels, painted) == 2 * 2 + 2 * 2


@pytest.mark.parametrize("kind", ["dominant", "exact"])
def test_who_labels_a_whole_image_labels_all_its_pixels(streets, tmp_path, kind):
    """Even where other answers are noisy: nobody names one class for a whole image."""
    whole = np.zeros_like(SUPERPIXELS)
    answers = curve(streets, tmp_path, Run("image", 0, 1.0, kind), noise=0.9).annotator.answer(
        whole, [0], TRUTH, GUESS, salt=0
    )
    np.testing.assert_array_equal(answers.painted, TRUTH)
    assert answers.right_pixels == 11  # all but the void one
    assert answers.keys == 2 + 3 * 2  # mixed, three pieces with a class and a stroke each, submit
    regions = curve(streets, tmp_path, Run("sp", 0, 1.0, kind), noise=0.9).annotator
    assert (regions.kind, regions.noise) == (kind, 0.9)


def test_a_void_region_is_void():
    void = np.full_like(TRUTH, 255)
    answers = Annotator("dominant", classes=3).answer(SUPERPIXELS, [0], void, GUESS, salt=0)
    assert answers.as_region_answers()[0].void
    assert answers.wrong_pixels == 0


def test_noise_names_another_class_in_its_share_of_the_answers():
    superpixels = np.arange(4000, dtype=np.int32).reshape(40, 100)
    truth = np.zeros((40, 100), np.uint8)
    annotator = Annotator("dominant", classes=4, noise=0.25, seed=1)
    first = annotator.answer(superpixels, range(4000), truth, truth, salt=5)
    again = annotator.answer(superpixels, range(4000), truth, truth, salt=5)
    np.testing.assert_array_equal(first.labels, again.labels)
    assert (first.labels != 0).mean() == pytest.approx(0.25, abs=0.03)
    assert set(np.unique(first.labels)) == {0, 1, 2, 3}
