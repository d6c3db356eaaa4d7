import numpy as np
import pytest
import torch
from hypothesis import given, settings
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


@settings(deadline=None)
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


@pytest.mark.parametrize("class_weights", [None, torch.tensor([1.0, 5.0, 0.5])])
def test_weighted_mean_is_the_formula(class_weights):
    labels, values = labels_with_ignore(2, 5, 7), logits(2, 3, 5, 7)
    weights = torch.randint(0, 256, (2, 5, 7), generator=torch.Generator().manual_seed(3)).to(torch.uint8)
    total = count = 0.0
    for n, y, x in np.ndindex(2, 5, 7):
        label = int(labels[n, y, x])
        if label == 255:
            continue
        weight = int(weights[n, y, x]) / 255 * (1 if class_weights is None else float(class_weights[label]))
        scores = values[n, :, y, x].double().numpy()
        total += weight * (np.log(np.exp(scores).sum()) - scores[label])
        count += weight
    got = cross_entropy(values, labels, class_weights, weights)
    np.testing.assert_allclose(got, total / count, rtol=1e-5)


@pytest.mark.parametrize("class_weights", [None, torch.tensor([1.0, 5.0, 0.5])])
def test_all_weights_equal_is_unweighted_and_all_zero_is_zero(class_weights):
    labels, values = labels_with_ignore(2, 8, 12), logits(2, 3, 4, 3).requires_grad_()
    outputs = [ScaledLogits(1.0, values)]
    for weight in (255, 51):
        weights = torch.full((2, 8, 12), weight, dtype=torch.uint8)
        got = segmentation_loss(outputs, labels, class_weights, weights)
        torch.testing.assert_close(got, segmentation_loss(outputs, labels, class_weights))
    nothing = segmentation_loss(outputs, labels, class_weights, torch.zeros(2, 8, 12, dtype=torch.uint8))
    nothing.backward()
    assert nothing == 0
    assert values.grad is not None
    assert not values.grad.any()


def test_weights_are_resized_like_the_labels():
    labels, values = labels_with_ignore(2, 8, 12), logits(2, 3, 2, 3)
    weights = torch.arange(192).reshape(2, 8, 12).to(torch.uint8)
    got = segmentation_loss([ScaledLogits(0.5, values)], labels, None, weights)
    expected = 0.5 * cross_entropy(values, labels[:, 2::4, 2::4], None, weights[:, 2::4, 2::4])
    torch.testing.assert_close(got, expected)
