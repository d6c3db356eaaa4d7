from dataclasses import replace

import numpy as np
import pytest
import torch
from test_training_loop import DEVICES, OPTIONS, Dying, Killed, accuracy, assert_same
from tiny_network import IMAGES, HalfLabelled, TinyNetwork

from tenth.segmentation.training import TrainingOptions, WeightedImage, train

HALF = [HalfLabelled(seed) for seed in range(5)]
MIXED = replace(OPTIONS, consistency=1.0, mix="classmix", class_trust=(1.0, 0.5, 0.8))


class AllOnes:
    """An image whose weights say nothing."""

    def __init__(self, source):
        self.source = source

    def load(self):
        return self.source.load()

    def load_weighed(self):
        image, labels = self.load()
        return image, labels, np.ones(labels.shape, np.float32)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("precision", ["f32", "bf16"])
@pytest.mark.parametrize(("mix", "images"), [("none", HALF), ("classmix", [*HALF[:3], *IMAGES])])
def test_half_labelled_images_are_learned_from(device, precision, mix, images):
    network = TinyNetwork()
    options = replace(OPTIONS, iterations=60, device=device, precision=precision)
    options = replace(options, ema=0.9, consistency=1.0, mix=mix, class_trust=(1.0, 0.5, 0.8))
    result = train(network, images, options)
    assert np.isfinite(result.losses).all()
    assert all(torch.isfinite(tensor).all() for tensor in network.state_dict().values())
    assert accuracy(network) > 0.9
    assert not network.training
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_without_consistency_its_other_options_change_nothing():
    first, second = TinyNetwork(), TinyNetwork()
    plain = train(first, IMAGES, OPTIONS)
    options = replace(OPTIONS, consistency=0.0, ema=0.5, ramp=0.7, class_trust=(0.0, 0.0, 0.0))
    assert train(second, IMAGES, options).losses == plain.losses
    assert_same(first, second)


def test_weights_of_one_are_no_weights():
    first, second = TinyNetwork(), TinyNetwork()
    expected = train(first, IMAGES, OPTIONS).losses
    images = [AllOnes(image) for image in IMAGES]
    assert isinstance(images[0], WeightedImage)
    assert not isinstance(IMAGES[0], WeightedImage)
    np.testing.assert_allclose(train(second, images, OPTIONS).losses, expected, rtol=1e-4)


def test_weights_of_the_images_reach_the_loss():
    # The same labels, half of them at half their weight.
    weighed = train(TinyNetwork(), HALF, OPTIONS).losses[0]
    even = train(TinyNetwork(), [AllOnes(image) for image in HALF], OPTIONS).losses[0]
    assert weighed != pytest.approx(even, rel=1e-4)


def test_a_vanishing_consistency_leaves_the_student_alone_and_keeps_the_mean():
    """The student takes the steps it would have taken; what is kept is the mean of where it was."""
    steps = 4
    trail = [TinyNetwork()]
    for last in range(1, steps + 1):
        network = TinyNetwork()
        # A constant rate: the first steps of a longer training are those of a shorter one.
        train(network, IMAGES, replace(OPTIONS, iterations=last, power=0.0))
        trail.append(network)
    kept = TinyNetwork()
    train(kept, IMAGES, replace(OPTIONS, iterations=steps, power=0.0, consistency=1e-30, ramp=0.0))
    for name, tensor in kept.state_dict().items():
        values = [network.state_dict()[name] for network in trail]
        if name.endswith("num_batches_tracked"):
            assert tensor == values[-1]
        else:
            torch.testing.assert_close(tensor, torch.stack(values).mean(0), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("steps", [3, 7, 11])
@pytest.mark.parametrize("mix", ["none", "classmix"])
def test_killed_and_called_again_equals_uninterrupted(tmp_path, mix, steps):
    options = replace(MIXED, mix=mix)
    straight, resumed = TinyNetwork(), TinyNetwork()
    expected = train(straight, HALF, options)
    with pytest.raises(Killed):
        loads = len(HALF) + steps * options.batch_size
        train(resumed, Dying(HALF, loads), options, checkpoint=tmp_path / "c")
    resumed = TinyNetwork()
    result = train(resumed, HALF, options, checkpoint=tmp_path / "c")
    assert result.losses == expected.losses
    assert_same(straight, resumed)
    again = TinyNetwork()
    assert train(again, Dying(HALF, len(HALF)), options, checkpoint=tmp_path / "c").losses == expected.losses
    assert_same(straight, again)


def test_validation_meets_the_teacher_and_does_not_disturb(tmp_path):
    snapshots = {}
    network = TinyNetwork()

    def validate(step):
        assert not network.training
        snapshots[step] = {name: tensor.clone() for name, tensor in network.state_dict().items()}
        return -abs(step - 8)

    options = replace(MIXED, validate_every=4)
    result = train(network, HALF, options, on_validate=validate)
    assert result.kept_iteration == 8
    assert all(torch.equal(tensor, snapshots[8][name]) for name, tensor in network.state_dict().items())
    unwatched = TinyNetwork()
    assert train(unwatched, HALF, MIXED).losses == result.losses
    # The last one validated is the one that is kept when nobody validates: the teacher.
    assert all(torch.equal(tensor, snapshots[12][name]) for name, tensor in unwatched.state_dict().items())


def test_weights_belong_to_the_identity_of_a_training(tmp_path, caplog):
    train(TinyNetwork(), IMAGES, OPTIONS, checkpoint=tmp_path / "c")
    train(TinyNetwork(), [AllOnes(image) for image in IMAGES], OPTIONS, checkpoint=tmp_path / "c")
    assert "(images differ)" in caplog.text


def test_identity_of_the_options_knows_them():
    changes = {"consistency": 2.0, "ema": 0.5, "mix": "none", "ramp": 0.3, "class_trust": None}
    for name, value in changes.items():
        changed: TrainingOptions = replace(MIXED, **{name: value})
        assert changed.identity() != MIXED.identity()
