"""The search of the CRF's settings: counts, folds, the choice, its honest score."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenth.errors import ConfigurationError, DataError
from tenth.segmentation import crf_candidates as space
from tenth.segmentation.crf import CRFOptions
from tenth.segmentation.crf_candidates import crf_candidates
from tenth.segmentation.crf_fit import FitImage, FitResult, Trial, fit_crf
from tenth.segmentation.crf_tally import Tally, errors_found, tally_image
from tenth.segmentation.metrics import ConfusionMatrix
from tenth.segmentation.refine import refine
from tenth.segmentation.uncertainty import pixel_entropy

A, B = CRFOptions(w1=1.0, mode="superpixel"), CRFOptions(w1=3.0, mode="superpixel")


# Counting


def test_errors_among_the_tenth_with_the_highest_entropy():
    entropy = np.array([0.1, 0.9, 0.3, 0.8, 0.2] + [0.0] * 15)  # two of twenty: 0.9 and 0.8
    wrong = np.zeros(20, bool)
    wrong[[0, 1]] = True
    assert errors_found(entropy, wrong) == 1
    wrong[3] = True
    assert errors_found(entropy, wrong) == 2


def test_ties_at_the_threshold_count_for_their_share():
    entropy = np.array([1.0] + [0.5] * 4 + [0.0] * 25)  # three of thirty: one above, two of the four that tie
    wrong = np.zeros(30, bool)
    wrong[[0, 1, 29]] = True
    assert errors_found(entropy, wrong) == 1 + 2 / 4


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.25, 1.0]), st.booleans()), min_size=1, max_size=60))
def test_errors_found_is_the_mean_over_orders_of_equal_pixels(pixels):
    """Over all rotations within the ties, each tied pixel is asked equally often."""
    entropy, wrong = np.array([e for e, _ in pixels]), np.array([w for _, w in pixels])
    asked = max(1, round(0.1 * len(pixels)))
    means = []
    for turn in range(len(pixels)):
        order = np.roll(np.arange(len(pixels)), turn)
        means.append(wrong[order][np.argsort(-entropy[order], kind="stable")[:asked]].sum())
    found = errors_found(entropy, wrong)
    assert min(means) - 1e-9 <= found <= max(means) + 1e-9
    assert found <= min(asked, wrong.sum()) + 1e-9


def test_an_image_is_counted_by_hand():
    probabilities = np.zeros((2, 1, 12), np.float32)
    probabilities[0], probabilities[1] = 0.9, 0.1
    refined = probabilities.copy()
    refined[:, 0, 3] = 0.5  # the one pixel of eleven labelled that is asked
    refined[:, 0, 4] = (0.2, 0.8)
    truth = np.zeros((1, 12), np.uint8)
    truth[0, [3, 4]] = 1
    truth[0, 11] = 255
    tally = tally_image(probabilities, refined, truth)
    np.testing.assert_array_equal(tally.confusion, [[9, 0], [1, 1]])
    assert (tally.errors, tally.found) == (2, 1)
    assert tally.score("errors-found") == 0.5
    assert tally.score("miou") == pytest.approx((9 / 10 + 1 / 2) / 2)


def test_tallies_add_up_and_come_back_from_json():
    one = Tally(np.array([[3, 1], [0, 2]]), 1, 0.5)
    both = sum([one, one], start=Tally.empty())
    np.testing.assert_array_equal(both.confusion, [[6, 2], [0, 4]])
    assert (both.errors, both.found) == (2, 1.0)
    again = Tally.from_dict(one.to_dict())
    np.testing.assert_array_equal(again.confusion, one.confusion)
    assert (again.errors, again.found) == (1, 0.5)
    assert np.isnan(Tally.empty().score("miou"))
    assert np.isnan(Tally.empty().score("errors-found"))
    with pytest.raises(ValueError, match="shape"):
        Tally.from_dict({"confusion": [[1, 2]], "errors": 0, "found": 0})


# Choosing


def made_up(options, *shares):
    """A trial that finds so many of the hundred errors of each fold."""
    return Trial(options, tuple(Tally(np.eye(2, dtype=np.int64), 100, share) for share in shares), 0.1)


def test_a_fold_is_scored_with_what_is_best_on_the_others():
    result = FitResult(
        "errors-found",
        made_up(None, 20, 30, 40),
        (made_up(A, 90, 10, 20), made_up(B, 30, 50, 60), made_up(CRFOptions(), 0, 0, 0)),
    )
    assert result.chosen == B  # 140 against 120
    assert [(each.options, each.score) for each in result.held_out] == [(B, 0.3), (A, 0.1), (A, 0.2)]
    assert result.held_out_score == pytest.approx(0.2)
    assert result.network_score == pytest.approx(0.3)


def test_the_first_of_equals_wins_and_folds_without_errors_do_not_count():
    nothing = Tally(np.eye(2, dtype=np.int64), 0, 0.0)
    trials = tuple(Trial(options, (nothing, Tally(nothing.confusion, 4, 2.0)), 0.0) for options in (A, B))
    result = FitResult("errors-found", replace(trials[0], options=None), trials)
    assert result.chosen == A
    assert result.held_out_score == 0.5
    empty = FitResult("errors-found", Trial(None, (nothing,), 0.0), (Trial(A, (nothing,), 0.0),))
    assert empty.chosen == A
    assert np.isnan(empty.held_out_score)


# Searching


def pictures(count=5):
    """Two regions that differ in colour; the network is right on the whole, wrong in noisy pixels."""
    rng = np.random.default_rng(1)
    regions = (np.arange(80).reshape(8, 10) % 10 // 5 + np.arange(8)[:, None] // 4 * 2).astype(np.int32)
    images = []
    for _ in range(count):
        truth = np.where(regions % 2 == 0, 0, 1).astype(np.uint8)
        right = np.clip(rng.normal(0.6, 0.25, truth.shape), 0.05, 0.95)
        probabilities = np.stack(
            [np.where(truth == 0, right, 1 - right), np.where(truth == 1, right, 1 - right)]
        )
        image = np.repeat(np.where(truth == 0, 40, 200)[..., None], 3, axis=2).astype(np.uint8)
        truth[0, 0] = 255
        images.append(FitImage(probabilities.astype(np.float16), image, truth, regions))
    return images


def test_a_search_counts_every_image_in_its_fold():
    images = pictures()
    result = fit_crf(images, [A, B], folds=2)
    assert [trial.options for trial in (result.network, *result.trials)] == [None, A, B]
    for trial in (result.network, *result.trials):
        for fold, part in enumerate((images[:3], images[3:])):  # neighbours stay together
            matrix, errors, found = ConfusionMatrix(2), 0, 0.0
            for p, image, truth, regions in part:
                refined = p if trial.options is None else refine(p, image, regions, trial.options)
                matrix.update(refined.argmax(0), truth)
                labelled = truth != 255
                wrong = (p.argmax(0) != truth)[labelled]
                errors += wrong.sum()
                found += errors_found(pixel_entropy(refined)[labelled], wrong)
            np.testing.assert_array_equal(trial.folds[fold].confusion, matrix.counts)
            assert trial.folds[fold].errors == errors
            assert trial.folds[fold].found == pytest.approx(found)


@pytest.mark.parametrize("mode", ["pixel", "superpixel"])
def test_a_crf_that_helps_is_found(mode):
    off, on = (CRFOptions(w1=w1, w2=0.0, sigma_alpha=5.0, mode=mode) for w1 in (0.0, 4.0))
    result = fit_crf(pictures(), [off, on], measure="miou")
    assert result.chosen == on
    assert result.held_out_score > result.network_score + 0.1
    assert result.trials[0].score("miou") == pytest.approx(result.network.score("miou"), abs=0.01)


def test_what_is_done_is_not_tried_again():
    images, told = pictures(), []
    first = fit_crf(images, [A], on_trial=told.append)
    assert [trial.options for trial in told] == [None, A]

    class Counted(list):
        asked = 0

        def __getitem__(self, index):
            self.asked += 1
            return super().__getitem__(index)

    counted, later = Counted(images), []
    result = fit_crf(counted, [A, B, B], done=told, on_trial=later.append)
    assert [trial.options for trial in later] == [B]
    assert counted.asked == len(images)
    assert [trial.options for trial in result.trials] == [A, B]
    assert result.trials[0] is told[1] and first.trials[0] is told[1]


@pytest.mark.parametrize(
    ("count", "candidates", "folds", "error", "message"),
    [
        (1, [A], 5, DataError, "there are 1"),
        (3, [], 5, ConfigurationError, "at least one candidate"),
        (3, [A], 1, ConfigurationError, "1 folds"),
    ],
)
def test_impossible_searches_are_refused(count, candidates, folds, error, message):
    with pytest.raises(error, match=message):
        fit_crf(pictures(count), candidates, folds=folds)


def test_fewer_images_than_folds_make_fewer_folds():
    assert len(fit_crf(pictures(2), [A]).network.folds) == 2


def test_images_that_do_not_fit_are_refused():
    without = [image._replace(superpixels=None) for image in pictures(2)]
    with pytest.raises(DataError, match="without superpixels"):
        fit_crf(without, [A])
    other = [image._replace(truth=image.truth[:, :-1]) for image in pictures(2)]
    with pytest.raises(DataError, match="same image"):
        fit_crf(other, [A])


# Candidates


def test_random_candidates_lie_in_the_ranges_and_begin_alike():
    base = CRFOptions(w1=7.0, w2=2.5, iterations=3, mode="superpixel")
    many = crf_candidates(base, "random", 60, 480, seed=4)
    assert many[0] == base and len(set(many)) == 60
    assert many[:20] == crf_candidates(base, "random", 20, 480, seed=4)
    assert many != crf_candidates(base, "random", 60, 480, seed=5)
    for each in many[1:]:
        assert space.W1[0] <= each.w1 <= space.W1[1]
        assert 12 <= each.sigma_alpha <= 120
        assert 3 <= each.sigma_beta <= 20
        assert replace(each, w1=7.0, sigma_alpha=base.sigma_alpha, sigma_beta=base.sigma_beta) == base
    assert max(each.sigma_beta for each in many[1:]) > 18


@pytest.mark.parametrize(("trials", "count"), [(1, 1), (2, 2), (8, 2), (9, 9), (60, 28), (65, 65)])
def test_a_grid_is_as_fine_as_the_trials_allow(trials, count):
    grid = crf_candidates(CRFOptions(w1=7.77), "grid", trials, 100)
    assert len(grid) == count
    if count > 2:
        assert {each.w1 for each in grid[1:]} >= set(space.W1)
        assert {each.sigma_alpha for each in grid[1:]} >= {2.5, 25.0}
        assert {each.sigma_beta for each in grid[1:]} >= {3.0, 20.0}


def test_unknown_searches_are_refused():
    with pytest.raises(ConfigurationError, match="'random' or 'grid'"):
        crf_candidates(CRFOptions(), "bayes", 5, 100)
    with pytest.raises(ConfigurationError, match="0 trials"):
        crf_candidates(CRFOptions(), "random", 0, 100)
