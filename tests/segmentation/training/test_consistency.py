import numpy as np
import pytest
import torch
from tiny_network import CLASSES, TinyNetwork

from tenth.errors import ConfigurationError
from tenth.segmentation.training import TrainingOptions
from tenth.segmentation.training.consistency import (
    Consistency,
    Lesson,
    View,
    consistency_loss,
    unlabelled,
)

RNG = np.random.default_rng(3)
LOGITS = RNG.normal(size=(2, 3, 4, 5)).astype(np.float32)
TAUGHT = RNG.dirichlet((1, 1, 1), (2, 4, 5)).transpose(0, 3, 1, 2).astype(np.float32)
WHERE = RNG.random((2, 4, 5)) < 0.6


def reference(where, trust=(1, 1, 1)):
    total = 0.0
    for n, y, x in np.argwhere(where):
        logits, taught = LOGITS[n, :, y, x].astype(float), TAUGHT[n, :, y, x].astype(float)
        log = logits - np.log(np.exp(logits).sum())
        total += trust[taught.argmax()] * taught.max() * -(taught * log).sum()
    return total / where.sum()


@pytest.mark.parametrize("trust", [None, (1.0, 0.5, 0.0)])
def test_loss_is_the_formula(trust):
    tensor = None if trust is None else torch.tensor(trust)
    got = consistency_loss(*map(torch.from_numpy, (LOGITS, TAUGHT, WHERE)), tensor)
    np.testing.assert_allclose(got, reference(WHERE, trust or (1, 1, 1)), rtol=1e-5)


def test_loss_is_zero_with_zero_gradient_when_all_is_labelled():
    logits = torch.from_numpy(LOGITS.copy()).requires_grad_()
    loss = consistency_loss(logits, torch.from_numpy(TAUGHT), torch.zeros(2, 4, 5, dtype=torch.bool))
    loss.backward()
    assert loss == 0
    assert logits.grad is not None
    assert not logits.grad.any()


def test_unlabelled_is_no_label_or_a_doubted_one_but_never_padding():
    labels = torch.tensor([[[0, 255, 1, 255, 2]]], dtype=torch.uint8)
    weights = torch.tensor([[[255, 255, 254, 0, 0]]], dtype=torch.uint8)
    inside = torch.tensor([[[True, True, True, False, False]]])
    assert unlabelled(labels, None, inside).tolist() == [[[False, True, False, False, False]]]
    assert unlabelled(labels, weights, inside).tolist() == [[[False, True, True, False, False]]]


def test_labels_of_an_image_that_counts_less_as_a_whole_are_labels():
    labels = torch.tensor([[[0, 1, 255]], [[0, 1, 255]], [[0, 1, 255]]], dtype=torch.uint8)
    weights = torch.tensor([[[64, 64, 64]], [[64, 32, 64]], [[0, 0, 0]]], dtype=torch.uint8)
    found = unlabelled(labels, weights, torch.ones(3, 1, 3, dtype=torch.bool))
    assert found.tolist() == [[[False, False, True]], [[False, True, True]], [[True, True, True]]]


def consistency(**changes) -> Consistency:
    options = {"iterations": 10, "consistency": 2.0, "ramp": 0.5} | changes
    return Consistency(TinyNetwork(), TrainingOptions(**options))


def test_weight_rises_and_stays():
    lesson = Lesson(torch.from_numpy(TAUGHT), torch.from_numpy(WHERE))
    subject = consistency()
    losses = [float(subject.loss(torch.from_numpy(LOGITS), lesson, step)) for step in (0, 1, 5, 9)]
    np.testing.assert_allclose(losses, [0, 0.4 * reference(WHERE), *[2 * reference(WHERE)] * 2], rtol=1e-5)


def example():
    generator = torch.Generator().manual_seed(0)
    plain = torch.randn(3, 3, 8, 12, generator=generator)
    labels = torch.randint(0, CLASSES, (3, 8, 12), generator=generator).to(torch.uint8)
    labels[:, :, 4:] = 255
    weights = torch.full((3, 8, 12), 255, dtype=torch.uint8)
    inside = torch.ones(3, 8, 12, dtype=torch.bool)
    inside[:, :, 8:] = False
    return View(plain + 0.1, labels, weights), plain, inside


def test_lesson_is_what_the_teacher_sees_in_the_plain_image():
    view, plain, inside = example()
    seen, lesson = consistency().lesson(view, plain, inside, 0)
    assert seen is view
    network = TinyNetwork().eval()
    expected = network.training_outputs(plain)[0].logits.softmax(1)
    torch.testing.assert_close(lesson.probabilities, expected)
    assert lesson.where[:, :, 2:4].all()
    assert not lesson.where[:, :, :2].any()
    assert not lesson.where[:, :, 4:].any()


def test_what_the_network_says_about_padding_is_never_counted():
    view, plain, inside = example()
    subject = consistency(ramp=0.0)
    _, lesson = subject.lesson(view, plain, inside, 0)
    logits = torch.zeros(3, CLASSES, 4, 6)
    before = subject.loss(logits, lesson, 0)
    logits[:, 0, :, 4:] = 1000.0
    assert subject.loss(logits, lesson, 0) == before > 0


def test_mixing_moves_all_that_belongs_to_a_pixel_together():
    view, plain, inside = example()
    # Each image is one constant, so that a mixed pixel tells where it comes from.
    number = torch.arange(3.0)
    images = number[:, None, None, None].expand(3, 3, 8, 12).contiguous()
    weights = (255 - 10 * number[:, None, None]).expand(3, 8, 12).to(torch.uint8)
    labels = view.labels.clone()
    labels[0] = 0
    view = View(images, labels, weights)
    subject = consistency(mix="classmix")
    _, unmixed = consistency().lesson(view, plain, inside, 4)
    assert len(unmixed.where.sum((1, 2)).unique()) == 2  # the first image has labels that say all
    mixed, lesson = subject.lesson(view, plain, inside, 4)
    source = mixed.images[:, 0].long()
    foreign = source != torch.arange(3)[:, None, None]
    assert 0 < foreign.sum() < foreign.numel() / 2
    assert torch.equal(source[foreign], ((torch.arange(3) - 1) % 3)[:, None, None].expand(3, 8, 12)[foreign])
    assert not foreign[:, :, 8:].any()  # padding is nothing to paste
    rows, columns = torch.arange(8)[:, None], torch.arange(12)
    assert torch.equal(mixed.labels, view.labels[source, rows, columns])
    assert mixed.weights is not None
    assert torch.equal(mixed.weights, (255 - 10 * source).to(torch.uint8))
    small = source[:, 1::2, 1::2]
    rows, columns = torch.arange(4)[:, None], torch.arange(6)
    expected = unmixed.probabilities.permute(0, 2, 3, 1)[small, rows, columns].permute(0, 3, 1, 2)
    assert torch.equal(lesson.probabilities, expected)
    assert torch.equal(lesson.where, unmixed.where[small, rows, columns])


def test_mixing_pastes_classes_of_labels_and_of_the_teacher():
    view, plain, inside = example()
    subject = consistency(mix="classmix")
    guess = TinyNetwork().eval()(plain).argmax(1)
    classes = torch.where(view.labels == 255, guess, view.labels.long())
    seen = subject.lesson(view, plain, inside, 7)[0].images
    # With three classes one is pasted, wherever it is.
    for image in range(3):
        target = (image + 1) % 3
        pasted = (seen[target] != view.images[target]).any(0)
        (chosen,) = classes[image][pasted].unique()
        assert torch.equal(pasted, (classes[image] == chosen) & inside[image])


def test_class_trust_needs_a_value_for_each_class():
    with pytest.raises(ConfigurationError, match=r"class_trust has 2 values.* 3 classes"):
        consistency(class_trust=(1.0, 0.5))


def test_what_is_mixed_depends_on_seed_and_step_alone():
    view, plain, inside = example()

    def mixed(step, seed=0):
        return consistency(mix="classmix", seed=seed).lesson(view, plain, inside, step)[0].images

    assert torch.equal(mixed(3), mixed(3))
    assert any(not torch.equal(mixed(0), mixed(step)) for step in range(1, 8))
    assert any(not torch.equal(mixed(0), mixed(0, seed)) for seed in range(1, 8))
