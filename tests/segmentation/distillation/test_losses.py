import math

import numpy as np
import pytest
import torch
from scipy.special import softmax
from scipy.stats import entropy, pearsonr
from torch.nn import functional as F  # noqa: N812

from tenth.errors import ConfigurationError
from tenth.segmentation.augment import Change
from tenth.segmentation.distillation import DistillationLoss
from tenth.segmentation.distillation.losses import resize_soft, warn_of_two_classes
from tenth.segmentation.distillation.relations import channel_wise, relational
from tenth.segmentation.networks import ScaledLogits
from tenth.segmentation.training.consistency import View
from tenth.segmentation.training.loss import segmentation_loss
from tenth.segmentation.training.soft import supervised_loss

SHAPE = (2, 5, 6, 7)
EVERYWHERE = torch.ones(2, 6, 7, dtype=torch.bool)
FORMS = [
    {"form": "kl"},
    {"form": "kl", "direction": "student-teacher"},
    {"form": "cwd"},
    {"form": "dist"},
]
CLASS_WEIGHTS = torch.tensor([1.0, 2.0, 0.5, 1.0, 3.0], dtype=torch.float64)


def randoms(seed: int, *shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape or SHAPE, generator=generator, dtype=torch.float64)


def soft_part(logits: torch.Tensor, soft: torch.Tensor, class_weights=None, **options) -> torch.Tensor:
    loss = DistillationLoss(**({"temperature": 1.0, "weight": 1.0} | options))
    return loss.soft([ScaledLogits(1.0, logits)], soft, class_weights)


def padded_where(hidden: torch.Tensor, soft: torch.Tensor) -> torch.Tensor:
    return soft.masked_fill(hidden[:, None], 0)


def test_both_reductions_equal_pytorchs():
    student, soft = randoms(0), randoms(1).softmax(1)
    log_student = (student / 4).log_softmax(1)
    per_pixel = F.kl_div(log_student, soft, reduction="sum") / (2 * 6 * 7)
    mean = F.kl_div(log_student, soft, reduction="none").mean()
    torch.testing.assert_close(soft_part(student, soft, temperature=4), mean)
    torch.testing.assert_close(soft_part(student, soft, temperature=4, reduction="pixels"), per_pixel)


def test_the_other_direction_equals_scipys():
    student, soft = randoms(0), randoms(1).softmax(1)
    q = softmax(student.numpy() / 3, 1)
    ours = soft_part(student, soft, temperature=3, direction="student-teacher", reduction="pixels")
    assert ours.item() == pytest.approx(entropy(q, soft.numpy(), axis=1).mean())
    forward = entropy(soft.numpy(), q, axis=1).mean()
    assert ours.item() != pytest.approx(forward, rel=0.01)


def test_lambda_100_by_pixels_and_classes_is_100_over_c_by_pixels():
    student, soft = randoms(0), randoms(1).softmax(1)
    torch.testing.assert_close(
        soft_part(student, soft, weight=100), soft_part(student, soft, weight=100 / 5, reduction="pixels")
    )


@pytest.mark.parametrize("direction", ["teacher-student", "student-teacher"])
def test_class_weights_make_the_mean_a_weighted_one(direction):
    inside = EVERYWHERE.clone()
    inside[0, :, 3:] = False
    student, soft = randoms(0), padded_where(~inside, randoms(1).softmax(1))
    q, p = softmax(student.numpy() / 3, 1), soft.numpy()
    with np.errstate(invalid="ignore"):  # in the padding
        divergence = entropy(p, q, axis=1) if direction == "teacher-student" else entropy(q, p, axis=1)
    divergence[~inside.numpy()] = 0
    counts = CLASS_WEIGHTS.numpy()[p.argmax(1)] * inside.numpy()
    options = {"temperature": 3, "direction": direction, "reduction": "pixels"}
    ours = soft_part(student, soft, CLASS_WEIGHTS, class_weighted=True, **options)
    assert ours.item() == pytest.approx((divergence * counts).sum() / counts.sum())
    plain = soft_part(student, soft, CLASS_WEIGHTS, **options)
    assert plain.item() == pytest.approx(divergence[inside.numpy()].mean())
    unweighted = soft_part(student, soft, None, class_weighted=True, **options)
    torch.testing.assert_close(unweighted, plain)


def test_class_weights_leave_no_gradient_where_only_padding_is():
    student = randoms(0).requires_grad_()
    nothing = torch.zeros(SHAPE, dtype=torch.float64)
    loss = soft_part(student, nothing, CLASS_WEIGHTS, class_weighted=True)
    loss.backward()
    assert loss.item() == 0
    assert not student.grad.any()


@pytest.mark.parametrize("options", FORMS)
def test_the_squared_temperature_is_a_factor(options):
    student, soft = randoms(0), randoms(1).softmax(1)
    plain = soft_part(student, soft, temperature=5, **options)
    squared = soft_part(student, soft, temperature=5, temperature_squared=True, **options)
    torch.testing.assert_close(squared, 25 * plain)


def test_channel_wise_equals_the_papers_formula():
    student, teacher = randoms(0), randoms(1)
    # KL between softmaxes over the positions, summed over these, mean over classes and images.
    by_class = [tensor.reshape(10, 42) for tensor in (teacher, student)]
    expected = entropy(*(softmax(each.numpy() / 4, 1) for each in by_class), axis=1).mean()
    assert channel_wise(student / 4, teacher / 4, EVERYWHERE).item() == pytest.approx(expected)
    soft = teacher.softmax(1)
    whole = soft_part(student, soft, temperature=2, form="cwd")
    torch.testing.assert_close(whole, channel_wise((student / 2).log_softmax(1), soft.log(), EVERYWHERE))


def pearsons(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    """Return DIST's loss by scipy."""
    rows = [tensor.movedim(1, -1).reshape(84, 5).numpy() for tensor in (ours, theirs)]
    between = np.mean([pearsonr(a, b).statistic for a, b in zip(*rows, strict=True)])
    within = np.mean([pearsonr(a, b).statistic for a, b in zip(rows[0].T, rows[1].T, strict=True)])
    return 2 - between - within


def test_relational_equals_scipys_correlations():
    ours, theirs = randoms(0).softmax(1), randoms(1).softmax(1)
    assert relational(ours, theirs, EVERYWHERE).item() == pytest.approx(pearsons(ours, theirs), abs=1e-5)


@pytest.mark.parametrize("classes", [2, 3, 11])
@pytest.mark.parametrize("scale", [0.0, 1e-7])
def test_a_student_that_says_the_same_everywhere_has_no_correlation_and_no_gradient(classes, scale):
    """As one whose last layer begins with zeros; its probabilities vary by rounding alone."""
    shape = (2, classes, 6, 7)
    soft = (2 * randoms(1, *shape)).softmax(1).float()
    student = (scale * randoms(0, *shape)).float().requires_grad_()
    loss = relational(student.softmax(1), soft, EVERYWHERE)
    loss.backward()
    assert loss.item() == 2
    assert not student.grad.any()


@pytest.mark.parametrize("scale", [1e-3, 1e-2, 10.0])
def test_a_student_that_varies_a_little_has_pearsons_correlations(scale):
    ours, theirs = (scale * randoms(0)).softmax(1), randoms(1).softmax(1)
    assert relational(ours, theirs, EVERYWHERE).item() == pytest.approx(pearsons(ours, theirs), abs=1e-5)


def test_a_rare_class_has_pearsons_correlation():
    """Of a thousandth at each pixel, more or less."""
    rare = 1e-3 * (1 + 0.5 * torch.cos(torch.arange(84.0, dtype=torch.float64))).reshape(2, 1, 6, 7)
    ours, theirs = (
        torch.cat([rare, (1 - rare) * randoms(seed, 2, 4, 6, 7).softmax(1)], 1) for seed in (0, 1)
    )
    assert relational(ours, theirs, EVERYWHERE).item() == pytest.approx(pearsons(ours, theirs), abs=1e-5)


def test_two_classes_are_warned_of(caplog):
    for form, classes in (("dist", 3), ("kl", 2), ("cwd", 2)):
        warn_of_two_classes(form, classes)
    assert not caplog.records
    warn_of_two_classes("dist", 2)
    assert "Take form = 'kl'" in caplog.text


@pytest.mark.parametrize("options", FORMS)
def test_nothing_is_left_to_learn_from_oneself(options):
    logits = randoms(0)
    assert soft_part(logits, (logits / 3).softmax(1), temperature=3, **options).item() == pytest.approx(
        0, abs=1e-5
    )


@pytest.mark.parametrize("options", FORMS)
def test_the_gradient_is_that_of_differences(options):
    student, soft = randoms(0, 1, 3, 2, 3).requires_grad_(), randoms(1, 1, 3, 2, 3).softmax(1)
    inside = torch.tensor([[[True, True, False], [True, True, True]]])
    assert torch.autograd.gradcheck(
        lambda logits: soft_part(logits, padded_where(~inside, soft), temperature=2, **options), student
    )


@pytest.mark.parametrize("options", FORMS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_extremes_have_finite_losses_and_gradients(options, dtype):
    labels = torch.arange(42).reshape(1, 6, 7) % 5
    certain = F.one_hot(labels, 5).movedim(-1, 1).float()
    uniform = torch.full_like(certain, 0.2)
    for soft in (certain, uniform):
        for logits in (torch.zeros_like(soft), 1e4 * certain, -1e4 * certain):
            student = logits.to(dtype).requires_grad_()
            loss = soft_part(student, soft, **options)
            loss.backward()
            assert loss.dtype == torch.float32
            assert loss.isfinite()
            assert student.grad.isfinite().all()


@pytest.mark.parametrize("options", FORMS)
def test_padding_has_no_part_whatever_is_there(options):
    student, soft = randoms(0, 1, 4, 5, 6), randoms(1, 1, 4, 5, 6).softmax(1)
    wide = F.pad(student, (0, 3, 2, 0), value=7.0).requires_grad_()
    inside = F.pad(torch.ones(1, 5, 6, dtype=torch.bool), (0, 3, 2, 0))
    padded = soft_part(wide, F.pad(soft, (0, 3, 2, 0), value=0.0), **options)
    torch.testing.assert_close(padded, soft_part(student, soft, **options))
    padded.backward()
    assert not wide.grad.movedim(1, -1)[~inside].any()


@pytest.mark.parametrize("options", FORMS)
def test_only_padding_is_zero_with_zero_gradient(options):
    student = randoms(0).requires_grad_()
    loss = soft_part(student, torch.zeros(SHAPE, dtype=torch.float64), **options)
    loss.backward()
    assert loss.item() == 0
    assert not student.grad.any()


def test_soft_labels_are_averaged_to_the_outputs_size():
    soft = torch.tensor([[[[0.0, 1.0], [0.5, 0.5]]], [[[1.0, 0.0], [0.5, 0.5]]]]).reshape(1, 2, 2, 2)
    mean, counted = resize_soft(soft, 1, 1)
    np.testing.assert_allclose(mean.flatten(), [0.5, 0.5])
    inside = torch.tensor([[[True, True], [True, False]]])
    mean, counted = resize_soft(padded_where(~inside, soft), 1, 1)
    np.testing.assert_allclose(mean.flatten(), [1.5 / 3, 1.5 / 3])
    assert counted.tolist() == [[[True]]]
    mean, counted = resize_soft(soft * 0, 1, 1)
    assert not mean.any()
    assert counted.tolist() == [[[False]]]


@pytest.mark.parametrize("size", [(3, 4), (2, 7), (1, 1), (6, 7), (9, 3)])
def test_averages_stay_distributions_at_sizes_that_do_not_divide(size):
    mean, counted = resize_soft(randoms(1).softmax(1), *size)
    size = (min(6, size[0]), min(7, size[1]))
    torch.testing.assert_close(mean.sum(1), torch.ones(2, *size, dtype=torch.float64))
    assert counted.all()


@pytest.mark.parametrize("size", [(2, 3), (3, 2), (4, 5)])
def test_a_finer_student_is_compared_by_the_mean_of_its_probabilities(size):
    """Of cells that hold parts of pixels: each pixel is many equal ones, which are counted out."""
    student, soft = randoms(0), randoms(1, 2, 5, *size).softmax(1)
    fine = softmax(student.numpy() / 3, 1).repeat(size[0], 2).repeat(size[1], 3)
    mean = fine.reshape(2, 5, size[0], 6, size[1], 7).mean((3, 5))
    ours = soft_part(student, soft, temperature=3, reduction="pixels")
    assert ours.item() == pytest.approx(entropy(soft.numpy(), mean, axis=1).mean(), rel=1e-5)


@pytest.mark.parametrize("options", FORMS)
@pytest.mark.parametrize("size", [(88, 120), (90, 118), (21, 30), (9, 7)])
def test_a_student_that_says_the_same_at_each_pixel_has_nothing_to_learn_from_cells(options, size):
    student = randoms(0, 1, 5, *size).float()
    change = Change(size, size, (0, 0), None, mirrored=False)
    soft = torch.from_numpy(change.soft((student[0] / 2).softmax(0).numpy(), 4))[None]
    assert soft_part(student, soft, temperature=2, **options).item() == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("options", FORMS)
def test_a_finer_student_of_extremes_has_finite_losses_and_gradients(options):
    certain = F.one_hot(torch.arange(42).reshape(1, 6, 7) % 5, 5).movedim(-1, 1).float()
    for scale in (0, 1e4, -1e4, 70, -70, 80, -87, -90):
        student = (scale * certain).requires_grad_()
        loss = soft_part(student, certain[..., :3, :4], weight=100, **options)
        loss.backward()
        assert loss.isfinite()
        assert student.grad.isfinite().all()


def whole(loss: DistillationLoss, outputs, labels, soft, class_weights=None) -> torch.Tensor:
    """Return the loss as a training computes it."""
    images = torch.zeros(len(labels), 3, *labels.shape[1:])
    view = View(images, labels, soft=soft)
    return supervised_loss(outputs, view, class_weights, loss)


def test_the_whole_loss_is_the_sum_of_its_parts_over_the_outputs():
    outputs = [
        ScaledLogits(1.0, randoms(0).float()),
        ScaledLogits(0.4, randoms(2, 2, 5, 3, 4).float()),
    ]
    soft = randoms(1).softmax(1).float()
    labels = (torch.arange(84).reshape(2, 6, 7) % 5).to(torch.uint8)
    labels[0] = 255
    weights = torch.tensor([1.0, 2.0, 0.5, 1.0, 3.0])
    loss = DistillationLoss(temperature=3, weight=10, hard_weight=0.5)
    small, _ = resize_soft(soft, 3, 4)
    kl = F.kl_div((outputs[0].logits / 3).log_softmax(1), soft, reduction="none").mean()
    kl = kl + 0.4 * F.kl_div((outputs[1].logits / 3).log_softmax(1), small, reduction="none").mean()
    expected = 0.5 * segmentation_loss(outputs, labels, weights) + 10 * kl
    torch.testing.assert_close(whole(loss, outputs, labels, soft, weights), expected)


def test_either_part_alone():
    outputs, labels = [ScaledLogits(1.0, randoms(0).float())], torch.zeros(2, 6, 7, dtype=torch.uint8)
    soft = randoms(1).softmax(1).float()
    hard = DistillationLoss(temperature=3, weight=0)
    torch.testing.assert_close(whole(hard, outputs, labels, soft), segmentation_loss(outputs, labels))
    kl_only = DistillationLoss(temperature=3, hard_weight=0)
    for given in (labels, torch.full_like(labels, 255)):
        torch.testing.assert_close(whole(kl_only, outputs, given, soft), kl_only.soft(outputs, soft))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": 0}, "temperature of 0"),
        ({"temperature": 1, "weight": -1}, "weight = -1"),
        ({"temperature": 1, "hard_weight": math.inf}, "hard_weight = inf"),
        ({"temperature": 1, "weight": 0, "hard_weight": 0}, "neither the soft labels nor the labels"),
        ({"temperature": 1, "form": "mse"}, "no form 'mse'; choose kl or cwd or dist"),
        ({"temperature": 1, "direction": "up"}, "no direction 'up'"),
        ({"temperature": 1, "reduction": "sum"}, "no reduction 'sum'"),
        ({"temperature": 1, "stride": 0}, "stride = 0"),
    ],
)
def test_values_that_cannot_be_used_are_refused(options, message):
    with pytest.raises(ConfigurationError, match=message):
        DistillationLoss(**options)
