import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_network import IMAGES, HalfLabelled

from tenth.segmentation.augment import Augmentation
from tenth.segmentation.training.batches import Batches


def batches(count=5, batch_size=4, seed=0):
    return Batches(IMAGES[:count], Augmentation((16, 16)), batch_size, seed)


@given(st.integers(1, 5), st.integers(1, 9), st.integers(0, 2**40))
def test_every_pass_sees_every_image_once(count, batch_size, seed):
    source = batches(count, batch_size, seed)
    seen = [index for step in range(2 * count) for index in source.indices(step)]
    assert len(seen) == 2 * count * batch_size
    for start in range(0, len(seen), count):
        assert sorted(seen[start : start + count]) == list(range(count))


def test_orders_differ_between_passes_and_seeds():
    first, second = (tuple(batches(5, 5).indices(step)) for step in (0, 1))
    assert first != second
    assert len({tuple(batches(5, 5, seed).indices(0)) for seed in range(20)}) > 10


def test_a_batch_depends_on_nothing_but_seed_and_step():
    expected = [batches().load(step) for step in range(3)]
    source = batches()
    for step in (2, 0, 1):
        got, wanted = source.load(step), expected[step]
        np.testing.assert_array_equal(got.images, wanted.images)
        np.testing.assert_array_equal(got.labels, wanted.labels)
        assert got.weights is got.plain is got.inside is None
    assert not np.array_equal(batches(seed=1).load(0).images, expected[0].images)


@pytest.mark.parametrize("count", [1, 3])
def test_a_set_smaller_than_the_batch_fills_it_with_different_views(count):
    first = batches(count, 8).load(0)
    images, labels = first.images, first.labels
    assert images.shape == (8, 16, 16, 3)
    assert labels.shape == (8, 16, 16)
    assert images.dtype == labels.dtype == np.uint8
    more = batches(count, 8).load(1).images
    assert len({view.tobytes() for view in [*images, *more]}) == 16


def test_weights_move_with_the_labels_and_padding_weighs_nothing():
    sources = [*IMAGES[:2], HalfLabelled(7)]
    plain = Batches(sources, Augmentation((40, 30)), 6, 0).load(1)
    batch = Batches(sources, Augmentation((40, 30)), 6, 0, weighted=True, plain=True).load(1)
    np.testing.assert_array_equal(batch.images, plain.images)
    np.testing.assert_array_equal(batch.labels, plain.labels)
    assert batch.weights.dtype == np.uint8
    assert batch.inside.dtype == bool
    assert not batch.weights[~batch.inside].any()
    assert (batch.labels[~batch.inside] == 255).all()
    places = Batches(sources, Augmentation((40, 30)), 6, 0).indices(1)
    for index, weights, inside in zip(places, batch.weights, batch.inside, strict=True):
        assert set(np.unique(weights[inside])) <= ({128, 255} if index == 2 else {255})
    assert 0.02 < (batch.weights == 128).mean() < 0.3


def test_the_plain_image_differs_in_colour_alone():
    batch = Batches(IMAGES, Augmentation((20, 24)), 8, 0, plain=True).load(0)
    uncoloured = Batches(IMAGES, Augmentation((20, 24), colour=0), 8, 0, plain=True).load(0)
    np.testing.assert_array_equal(uncoloured.images, uncoloured.plain)
    np.testing.assert_array_equal(batch.plain, uncoloured.images)
    assert not np.array_equal(batch.images, batch.plain)
    np.testing.assert_array_equal(batch.labels, uncoloured.labels)
