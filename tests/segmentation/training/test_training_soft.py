"""Learning from soft labels: geometry by hand, the loss against numpy, kill and resume."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from test_training_loop import OPTIONS, Dying, Killed, accuracy, assert_same
from tiny_network import CLASSES, IMAGES, ColourImage, TinyNetwork

from tenth.errors import ConfigurationError, DataError
from tenth.segmentation.augment import Augmentation, Change
from tenth.segmentation.distillation import DistillationLoss
from tenth.segmentation.training import SoftLabelledImage, TrainingOptions, train
from tenth.segmentation.training.batches import Batches


@dataclass(frozen=True)
class Taught(ColourImage):
    """The teacher is mostly right; whether there are labels as well is a choice."""

    labelled: bool = True

    def load(self):
        image, labels = super().load()
        return image, labels if self.labelled else np.full_like(labels, 255)

    def load_soft(self):
        truth = super().load()[1]
        truth[0] = truth[1]
        soft = np.full((CLASSES, *truth.shape), 0.1, np.float32)
        np.put_along_axis(soft, truth[None].astype(int), np.float32(0.8), 0)
        return soft


LOSS = DistillationLoss(2.0, weight=10.0, stride=1)
TAUGHT = [Taught(seed) for seed in range(5)]
DISTILL = replace(OPTIONS, distillation=LOSS)


def test_soft_labels_move_by_hand():
    soft = np.array([[[1.0, 0.0], [0.5, 0.25]], [[0.0, 1.0], [0.5, 0.75]]], np.float32)
    # Twice as wide: pixel centres at a quarter and three quarters of the way; one column padded, mirrored.
    change = Change((2, 4), (2, 5), (0, -1), None, mirrored=True)
    first = [[0.0, 0.25, 0.75, 1.0, 0.0], [0.25, 0.3125, 0.4375, 0.5, 0.0]]
    second = [[1.0, 0.75, 0.25, 0.0, 0.0], [0.75, 0.6875, 0.5625, 0.5, 0.0]]
    np.testing.assert_allclose(change.soft(soft), [first, second], atol=1e-6)
    assert change.inside().tolist() == [[True] * 4 + [False]] * 2
    # Half as large: the mean of what a pixel covers; sums that are a little off are mended.
    half = Change((1, 1), (1, 1), (0, 0), None, mirrored=False)
    np.testing.assert_allclose(half.soft(soft * 1.01)[:, 0, 0], [1.75 / 4, 2.25 / 4], atol=1e-6)


@given(
    st.tuples(*[st.integers(1, 40)] * 4),
    st.tuples(st.floats(0.3, 1.0), st.floats(1.0, 3.0)),
    st.integers(0, 2**32),
)
def test_any_change_leaves_distributions_inside_and_nothing_in_the_padding(sizes, scale, seed):
    rng = np.random.default_rng(seed)
    soft = rng.dirichlet(np.ones(4), sizes[:2]).astype(np.float32).transpose(2, 0, 1)
    change = Augmentation(sizes[2:], scale).draw(sizes[:2], rng)
    moved, inside = change.soft(soft), change.inside()
    assert moved.shape == (4, *sizes[2:])
    assert moved.flags.c_contiguous
    assert moved.dtype == np.float32
    assert moved.min() >= 0
    np.testing.assert_allclose(moved.sum(0)[inside], 1, atol=1e-5)
    assert not moved[:, ~inside].any()


@pytest.mark.parametrize("seed", range(6))
def test_soft_labels_stay_with_their_picture(seed):
    """Colours that are the soft labels are zoomed and cut alike, to a grey level's rounding."""
    rng = np.random.default_rng(seed)
    picture = rng.integers(1, 255, (24, 32, 3)).astype(np.uint8)
    change = Augmentation((30, 28), (0.5, 2.0)).draw((24, 32), rng)
    plain = change.image_and_plain(picture)[1]
    shares = picture / picture.sum(2, keepdims=True)
    smooth = Change(change.zoomed, change.size, change.offset, None, change.mirrored)
    moved = smooth.soft(np.ascontiguousarray(shares.transpose(2, 0, 1), dtype=np.float32))
    inside = change.inside()
    flat = change.image_and_plain(np.full_like(picture, 99))[1]
    assert (flat[inside] == 99).all()
    ours = moved.argmax(0)[inside]
    theirs = plain.argmax(2)[inside]
    if change.zoomed == (24, 32):
        np.testing.assert_array_equal(ours, theirs)
    assert (ours == theirs).mean() > 0.75  # a third by chance


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("size", [(24, 32), (21, 30)])
def test_cells_have_the_mean_of_their_pixels(seed, size):
    """Of an image zoomed by a whole number: each pixel is many equal ones, and means are counted out."""
    rng = np.random.default_rng(seed)
    soft = rng.dirichlet(np.ones(3), (9, 11)).astype(np.float32).transpose(2, 0, 1)
    change = Change((36, 44), size, tuple(rng.integers(-5, 9, 2)), None, bool(seed % 2))
    padded = np.pad(soft.repeat(4, 1).repeat(4, 2), ((0, 0), (40, 40), (40, 40)))
    top, left = (40 + start for start in change.offset)
    window = padded[:, top : top + size[0], left : left + size[1]]
    window = window[..., ::-1] if change.mirrored else window
    rows, columns = -(-size[0] // 8), -(-size[1] // 8)
    # Pixels of the window in so many parts that cells of it are whole ones.
    fine = window.repeat(rows, 1).repeat(columns, 2)
    cells = fine.reshape(3, rows, size[0], columns, size[1]).sum((2, 4))
    sums = cells.sum(0)
    expected = cells / np.where(sums > 0, sums, 1)
    np.testing.assert_allclose(change.soft(soft, 8), expected, atol=1e-5)


def expected_loss(network, batch, options):
    """Cross-entropy and divergence of the two outputs, with loops and numpy."""
    mean, std = torch.tensor(network.mean), torch.tensor(network.std)
    images = ((torch.from_numpy(batch.images) / 255 - mean) / std).permute(0, 3, 1, 2)
    loss, total = options.distillation, 0.0
    for output, stride in zip(network.training_outputs(images), (2, 4), strict=True):
        logits = output.logits.detach().numpy().astype(np.float64)
        entropies = []
        for n, y, x in np.ndindex(len(logits), *logits.shape[2:]):
            label = batch.labels[n, y * stride + stride // 2, x * stride + stride // 2]
            scores = logits[n, :, y, x]
            if label != 255:
                entropies.append(np.log(np.exp(scores).sum()) - scores[label])
        soft = np.mean(divergences(logits, stride, batch.soft, loss))
        soft *= loss.temperature**2 if loss.temperature_squared else 1
        soft /= CLASSES if loss.reduction == "pixels-classes" else 1
        hard = np.mean(entropies) if entropies else 0.0
        total += output.weight * (loss.hard_weight * hard + loss.weight * soft)
    return total


def divergences(logits, stride, soft, loss):
    """Of the cells of an output, `stride` pixels wide, or of the soft labels' where these are wider."""
    found = []
    wide = max(stride, loss.stride)
    of_student, of_teacher = wide // stride, wide // loss.stride
    for n, y, x in np.ndindex(len(logits), logits.shape[2] // of_student, logits.shape[3] // of_student):
        student, teacher = (
            maps[n, :, y * side : (y + 1) * side, x * side : (x + 1) * side].reshape(CLASSES, -1)
            for maps, side in ((logits, of_student), (soft, of_teacher))
        )
        teacher = teacher[:, teacher.any(0)].astype(np.float64)
        if teacher.size:
            student = np.exp(student / loss.temperature)
            p, q = teacher.mean(1), (student / student.sum(0)).mean(1)
            p, q = (p, q) if loss.direction == "teacher-student" else (q, p)
            found.append((p * np.log(p / q)).sum())
    return found


@pytest.mark.parametrize(
    "loss",
    [
        LOSS,
        replace(LOSS, direction="student-teacher", reduction="pixels"),
        replace(LOSS, temperature_squared=True, temperature=3.0),
        replace(LOSS, hard_weight=0.0),
        replace(LOSS, stride=2),
        replace(LOSS, stride=4, direction="student-teacher"),
        replace(LOSS, stride=8),
    ],
)
@pytest.mark.parametrize("labelled", [True, False])
def test_the_first_loss_against_numpy(loss, labelled):
    network = TinyNetwork()
    network.stem[3].p = 0.0
    images = [replace(image, labelled=labelled) for image in TAUGHT]
    options = replace(OPTIONS, iterations=1, distillation=loss)
    batch = Batches(images, Augmentation((24, 32)), 4, 0, soft=loss.stride, plain=True).load(0)
    assert not batch.inside.all()
    network.train()
    expected = expected_loss(network, batch, options)
    fresh = TinyNetwork()
    fresh.stem[3].p = 0.0
    assert train(fresh, images, options).losses[0] == pytest.approx(expected, rel=1e-4)


def test_learns_without_a_single_label():
    network = TinyNetwork()
    images = [replace(image, labelled=False) for image in TAUGHT]
    assert accuracy(network) < 0.6
    train(network, images, replace(DISTILL, iterations=60, class_weighting="frequency"))
    assert accuracy(network) > 0.9


@pytest.mark.parametrize("steps", [3, 7, 11])
def test_killed_and_called_again_equals_uninterrupted(tmp_path, steps):
    images = [replace(image, labelled=image.seed > 1) for image in TAUGHT]
    straight, resumed = TinyNetwork(), TinyNetwork()
    expected = train(straight, images, DISTILL)
    with pytest.raises(Killed):
        loads = len(images) + steps * DISTILL.batch_size
        train(resumed, Dying(images, loads), DISTILL, checkpoint=tmp_path / "c")
    resumed = TinyNetwork()
    assert train(resumed, images, DISTILL, checkpoint=tmp_path / "c").losses == expected.losses
    assert_same(straight, resumed)


@dataclass(frozen=True)
class Otherwise(Taught):
    """Another teacher's."""

    def load_soft(self):
        return super().load_soft()[::-1]


def test_other_soft_labels_are_another_training(tmp_path, caplog):
    train(TinyNetwork(), TAUGHT, DISTILL, checkpoint=tmp_path / "c")
    train(TinyNetwork(), [Otherwise(seed) for seed in range(5)], DISTILL, checkpoint=tmp_path / "c")
    assert "(images differ)" in caplog.text


def test_soft_labels_are_left_alone_unless_asked_for():
    first, second = TinyNetwork(), TinyNetwork()
    assert isinstance(TAUGHT[0], SoftLabelledImage)
    assert not isinstance(IMAGES[0], SoftLabelledImage)
    assert train(first, TAUGHT, OPTIONS).losses == train(second, IMAGES, OPTIONS).losses
    assert_same(first, second)


def test_images_without_soft_labels_are_refused():
    with pytest.raises(DataError, match="train/0 has no soft labels"):
        train(TinyNetwork(), IMAGES, DISTILL)


@dataclass(frozen=True)
class Misfit(Taught):
    """Soft labels of a smaller picture."""

    def load_soft(self):
        return super().load_soft()[:, :-1]


def test_soft_labels_of_another_size_are_refused():
    with pytest.raises(DataError, match=r"train/0 needs soft labels of shape \(3, 24, 32\).*\(3, 23, 32\)"):
        train(TinyNetwork(), [Misfit(0)], DISTILL)


def test_options():
    assert "distillation" not in OPTIONS.identity()
    assert DISTILL.identity()["distillation"]["temperature"] == 2.0
    assert replace(DISTILL, distillation=replace(LOSS, weight=1.0)).identity() != DISTILL.identity()
    with pytest.raises(ConfigurationError, match="distillation"):
        TrainingOptions(10, distillation=LOSS, consistency=1.0)
