import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tenth.segmentation.training.classmix import paste, pasted_pixels


def test_pastes_onto_the_next_image_all_from_before():
    values = torch.tensor([[[1, 2, 3]], [[4, 5, 6]], [[7, 8, 9]]])
    pasted = torch.tensor([[[True, False, False]], [[False, True, False]], [[False, True, True]]])
    # 1 goes onto 4, 5 onto 8, and of the last image 8 and 9 onto 2 and 3.
    expected = [[[1, 8, 9]], [[1, 5, 6]], [[7, 5, 9]]]
    assert paste(values, pasted).tolist() == expected
    channels = torch.stack([values, 10 * values], 1)
    mixed = paste(channels, pasted)
    assert mixed[:, 0].tolist() == expected
    assert torch.equal(mixed[:, 1], 10 * mixed[:, 0])


def test_pasting_the_only_image_onto_itself_changes_nothing():
    values = torch.arange(6).reshape(1, 2, 3)
    assert torch.equal(paste(values, values > 2), values)


def test_two_classes_one_is_chosen_one_class_none_and_padding_never():
    class_map = torch.tensor([[[0, 0, 2, 2]], [[1, 1, 1, 1]], [[3, 3, 3, 1]]])  # 3 is padding
    first = set()
    for seed in range(20):
        pasted = pasted_pixels(class_map, 3, np.random.default_rng(seed))
        first.add(tuple(pasted[0, 0].tolist()))
        assert not pasted[1:].any()
    assert first == {(True, True, False, False), (False, False, True, True)}


@settings(deadline=None)
@given(st.integers(1, 4), st.integers(1, 6), st.integers(0, 2**32))
def test_whole_classes_and_half_of_those_present(count, classes, seed):
    rng = np.random.default_rng(seed)
    class_map = torch.from_numpy(rng.integers(0, classes + 1, (count, 5, 7)))
    pasted = pasted_pixels(class_map, classes, np.random.default_rng(seed))
    assert torch.equal(pasted, pasted_pixels(class_map, classes, np.random.default_rng(seed)))
    for one, chosen in zip(class_map.numpy(), pasted.numpy(), strict=True):
        present = set(np.unique(one)) - {classes}
        ids = set(np.unique(one[chosen]))
        assert len(ids) == len(present) // 2
        np.testing.assert_array_equal(np.isin(one, list(ids)), chosen)
