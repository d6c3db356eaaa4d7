import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F  # noqa: N812

from tenth.segmentation.networks import ScaledLogits
from tenth.segmentation.training.loss import (
    cross_entropy,
    frequency_weights,
    resize_labels,
    segmentation_loss,
)


def labels_with_ignore(*shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    labels = torch.randint(0, 3, shape, generator=generator)
    labels[torch.rand(shape, generator=generator) < 0.3] = 255
    return labels.to(torch.uint8)


def logits(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(2))


def test_resize_takes_the_middle():
    labels = torch.tensor([[[0, 1, 2, 3, 4, 5, 6, 7]]])
    assert resize_labels(labels, 1, 2).tolist() == [[[2, 6]]]
    assert resize_labels(labels, 2, 8).tolist() == [[[0, 1, 2, 3, 4, 5, 6, 7]] * 2]


@given(st.tuples(*[st.integers(1, 40)] * 4))
def test_resize_is_nearest_exact(sizes):
    height, width, new_height, new_width = sizes
    labels = torch.arange(height * width).reshape(1, height, width)
    expected = F.interpolate(labels[None].double(), size=(new_height, new_width), mode="nearest-exact")
    # Halfway between two pixels, both are nearest; floating point decides either way.
    ours = resize_labels(labels, new_height, new_width)
    rows, columns = (ours // width - expected[0] // width).abs(), (ours % width - expected[0] % width).abs()
    exact_rows = (2 * torch.arange(new_height) + 1) * height % (2 * new_height) != 0
    exact_columns = (2 * torch.arange(new_width) + 1) * width % (2 * new_width) != 0
    assert not rows[:, exact_rows].any()
    assert not columns[:, :, exact_columns].any()
    assert max(rows.max(), columns.max()) <= 1


@pytest.mark.parametrize("weights", [None, torch.tensor([1.0, 5.0, 0.5])])
def test_equals_pytorch_where_there_are_labels(weights):
    labels = labels_with_ignore(2, 5, 7)
    expected = F.cross_entropy(logits(2, 3, 5, 7), labels.long(), weights, ignore_index=255)
    torch.testing.assert_close(cross_entropy(logits(2, 3, 5, 7), labels, weights), expected)


@pytest.mark.parametrize("weights", [None, torch.tensor([1.0, 5.0, 0.5])])
def test_no_labelled_pixel_is_zero_with_zero_gradient(weights):
    values = logits(2, 3, 5, 7).requires_grad_()
    loss = segmentation_loss([ScaledLogits(1.0, values)], torch.full((2, 9, 9), 255), weights)
    loss.backward()
    assert loss.item() == 0
    assert values.grad is not None
    assert not values.grad.any()


def test_each_output_is_compared_at_its_own_resolution():
    labels = labels_with_ignore(2, 8, 12)
    full, small = logits(2, 3, 8, 12), logits(2, 3, 2, 3)
    loss = segmentation_loss([ScaledLogits(1.0, full), ScaledLogits(0.4, small)], labels)
    coarse = labels[:, 2::4, 2::4].long()
    expected = F.cross_entropy(full, labels.long(), ignore_index=255)
    expected += 0.4 * F.cross_entropy(small, coarse, ignore_index=255)
    torch.testing.assert_close(loss, expected)


def test_frequency_weights():
    weights = frequency_weights(np.array([75, 25, 0]))
    np.testing.assert_allclose(weights, [1 / np.log(1.77), 1 / np.log(1.27), 1 / np.log(1.02)], rtol=1e-6)
    assert weights.dtype == np.float32
