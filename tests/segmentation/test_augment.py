import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenth.segmentation.augment import PADDING, Augmentation


def quarters(height=40, width=60):
    """Four classes, one in each quarter, each with a colour of its own."""
    labels = np.zeros((height, width), np.uint8)
    labels[height // 2 :] += 2
    labels[:, width // 2 :] += 1
    return colours(labels), labels


def colours(labels):
    return np.stack([labels * 60, 255 - labels * 60, labels * 20 + 7], -1).astype(np.uint8)


def test_changes_nothing_when_told_so():
    image, labels = quarters()
    same = Augmentation((40, 60), scale=(1, 1), flip=False, colour=0)
    got = same(image, labels, np.random.default_rng(0))
    np.testing.assert_array_equal(got[0], image)
    np.testing.assert_array_equal(got[1], labels)


@given(
    st.tuples(*[st.integers(1, 50)] * 4),
    st.tuples(st.floats(0.3, 1.0), st.floats(1.0, 3.0)),
    st.booleans(),
    st.integers(0, 2**32),
)
def test_any_size_becomes_the_wanted_size_padded_with_ignore(sizes, scale, flip, seed):
    image, labels = quarters(*sizes[:2])
    augmentation = Augmentation(sizes[2:], scale, flip, 0.2)
    new_image, new_labels = augmentation(image, labels, np.random.default_rng(seed))
    assert new_image.shape == (*sizes[2:], 3)
    assert new_labels.shape == sizes[2:]
    assert new_image.dtype == new_labels.dtype == np.uint8
    assert {*np.unique(new_labels)} <= {*np.unique(labels), 255}
    assert (new_image[new_labels == 255] == PADDING).all()
    again = augmentation(image, labels, np.random.default_rng(seed))
    np.testing.assert_array_equal(again[0], new_image)
    np.testing.assert_array_equal(again[1], new_labels)


@pytest.mark.parametrize("seed", range(8))
def test_labels_stay_with_their_pixels(seed):
    image, labels = quarters()
    new_image, new_labels = Augmentation((50, 50), colour=0)(image, labels, np.random.default_rng(seed))
    inside = new_labels != 255
    difference = np.abs(colours(new_labels).astype(int) - new_image).max(-1)
    # Only where two colours are mixed at a border of quarters may a pixel differ from its label's colour.
    mixed = (difference > 2) & inside
    assert mixed.sum() <= 4 * (new_labels.shape[0] + new_labels.shape[1])
    assert inside.sum() > 300
    padded = np.pad(new_labels, 2, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (5, 5)).reshape(50, 50, 25)
    assert not (mixed & (windows == new_labels[..., None]).all(-1)).any()


def test_zooming_doubles_without_a_shift():
    image, labels = quarters()
    new_image, new_labels = Augmentation((80, 120), (2, 2), False, 0)(image, labels, np.random.default_rng(0))
    np.testing.assert_array_equal(new_labels, labels.repeat(2, 0).repeat(2, 1))
    np.testing.assert_array_equal(new_image[:38, :58], image.repeat(2, 0).repeat(2, 1)[:38, :58])


def test_shrinking_takes_the_label_in_the_middle():
    labels = np.arange(81, dtype=np.uint8).reshape(9, 9)
    third = Augmentation((3, 3), (1 / 3, 1 / 3), False, 0)
    _, small = third(colours(labels // 27), labels, np.random.default_rng(0))
    np.testing.assert_array_equal(small, labels[1::3, 1::3])


def test_mirrors_about_half():
    image, labels = quarters()
    flip = Augmentation((40, 60), (1, 1), True, 0)
    mirrored = 0
    for seed in range(40):
        new_image, new_labels = flip(image, labels, np.random.default_rng(seed))
        turned = not np.array_equal(new_labels, labels)
        mirrored += turned
        np.testing.assert_array_equal(new_image, image[:, ::-1] if turned else image)
        np.testing.assert_array_equal(new_labels, labels[:, ::-1] if turned else labels)
    assert 10 <= mirrored <= 30


def test_every_window_place_is_reached():
    labels = np.arange(5, dtype=np.uint8)[None]
    crop = Augmentation((1, 2), (1, 1), False, 0)
    image = np.zeros((1, 5, 3), np.uint8)
    firsts = {int(crop(image, labels, np.random.default_rng(seed))[1][0, 0]) for seed in range(60)}
    assert firsts == {0, 1, 2, 3}


def test_colour_keeps_grey_grey_and_within_its_range():
    image, labels = np.full((8, 8, 3), 100, np.uint8), np.zeros((8, 8), np.uint8)
    change = Augmentation((8, 8), (1, 1), False, 0.2)
    values = set()
    for seed in range(50):
        changed, _ = change(image, labels, np.random.default_rng(seed))
        # Saturation leaves grey alone, contrast an even image: what remains is brightness.
        assert np.ptp(changed) <= 1
        values.add(int(changed[0, 0, 0]))
    assert 80 <= min(values) < 90
    assert 110 < max(values) <= 120


def test_saturation_and_contrast_vary():
    image, labels = quarters()
    change = Augmentation((40, 60), (1, 1), False, 0.5)
    changed = [change(image, labels, np.random.default_rng(seed))[0].astype(float) for seed in range(30)]
    spread = [one.mean(-1).std() / one.mean() for one in changed]
    colourfulness = [np.ptp(one, axis=-1).mean() / one.mean() for one in changed]
    assert max(spread) > 1.3 * min(spread)
    assert max(colourfulness) > 1.3 * min(colourfulness)


@given(
    st.tuples(*[st.integers(1, 40)] * 4),
    st.tuples(st.floats(0.3, 1.0), st.floats(1.0, 3.0)),
    st.integers(0, 2**32),
)
def test_one_change_moves_image_maps_and_padding_alike(sizes, scale, seed):
    image, labels = quarters(*sizes[:2])
    augmentation = Augmentation(sizes[2:], scale, True, 0.2)
    change = augmentation.draw(labels.shape, np.random.default_rng(seed))
    expected = augmentation(image, labels, np.random.default_rng(seed))
    coloured, plain = change.image_and_plain(image)
    np.testing.assert_array_equal(coloured, expected[0])
    np.testing.assert_array_equal(change.image(image), expected[0])
    np.testing.assert_array_equal(change.map(labels, 255), expected[1])
    uncoloured, _ = Augmentation(sizes[2:], scale, True, 0)(image, labels, np.random.default_rng(seed))
    np.testing.assert_array_equal(plain, uncoloured)
    # Nothing of the image is labelled ignore here: what is, was padded.
    np.testing.assert_array_equal(change.inside(), expected[1] != 255)
    np.testing.assert_array_equal(change.map(labels + 1, 0) == 0, ~change.inside())
