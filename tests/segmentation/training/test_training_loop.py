from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_network import CLASSES, IMAGES, SHORT, ColourImage, TinyNetwork
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tenth.errors import ConfigurationError
from tenth.progress import Progress
from tenth.segmentation.augment import Augmentation
from tenth.segmentation.inference import Predictor
from tenth.segmentation.metrics import ConfusionMatrix
from tenth.segmentation.networks import ScaledLogits, SegmentationNetwork, build_network
from tenth.segmentation.training import train
from tenth.segmentation.training.batches import Batches

OPTIONS = replace(SHORT, checkpoint_every=5)


class Killed(BaseException):
    """Ends a training the way a signal does: nothing of ours catches it."""


class Dying:
    """Images that take the process with them at a certain load."""

    def __init__(self, images, loads):
        self.images, self.left = images, loads

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        self.left -= 1
        if self.left < 0:
            raise Killed
        return self.images[index]


def assert_same(first, second):
    first, second = first.state_dict(), second.state_dict()
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def accuracy(network):
    confusion, predictor = ConfusionMatrix(CLASSES), Predictor(network, "cpu")
    for seed in range(50, 54):
        image, labels = ColourImage(seed).load()
        confusion.update(predictor.labels(image), labels)
    return confusion.pixel_accuracy


DEVICES = [
    "cpu",
    pytest.param(
        "cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
    ),
]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("precision", ["f32", "bf16"])
@pytest.mark.parametrize("class_weighting", ["none", "frequency"])
def test_learns(device, precision, class_weighting):
    network = TinyNetwork()
    options = replace(
        OPTIONS, iterations=60, device=device, precision=precision, class_weighting=class_weighting
    )
    before = accuracy(network)
    result = train(network, IMAGES, options)
    assert result.iterations == len(result.losses) == result.kept_iteration == 60
    assert np.mean(result.losses[-10:]) < 0.5 * np.mean(result.losses[:5])
    assert before < 0.6
    assert accuracy(network) > 0.9
    assert not network.training
    assert {parameter.device.type for parameter in network.parameters()} == {"cpu"}


@pytest.mark.parametrize("class_weighting", ["none", "frequency"])
def test_equals_a_plain_pytorch_loop(class_weighting):
    options = replace(OPTIONS, weight_decay=0.01, class_weighting=class_weighting)
    ours, plain = TinyNetwork(), TinyNetwork()
    ours.stem[3].p = plain.stem[3].p = 0.0
    optimizer = torch.optim.SGD(plain.parameters(), 0.05, momentum=0.9, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.PolynomialLR(optimizer, options.iterations, power=0.9)
    labels = np.stack([image.load()[1] for image in IMAGES])
    share = torch.tensor([(labels == i).sum() / (labels != 255).sum() for i in range(CLASSES)])
    weights = None if class_weighting == "none" else (1 / torch.log(1.02 + share)).float()
    mean, std = torch.tensor(plain.mean), torch.tensor(plain.std)
    batches, expected = Batches(IMAGES, Augmentation((24, 32)), 4, 0), []
    for step in range(options.iterations):
        batch = batches.load(step)
        images, labels = torch.from_numpy(batch.images), torch.from_numpy(batch.labels)
        outputs = plain.training_outputs(((images / 255 - mean) / std).permute(0, 3, 1, 2))
        loss = sum(
            output.weight
            * F.cross_entropy(
                output.logits,
                labels[:, stride // 2 :: stride, stride // 2 :: stride].long(),
                weights,
                ignore_index=255,
            )
            for output, stride in zip(outputs, (2, 4), strict=True)
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        expected.append(loss.item())
    np.testing.assert_allclose(train(ours, IMAGES, options).losses, expected, rtol=1e-4)


def test_is_a_function_of_the_seed_and_leaves_the_callers_randomness_alone():
    first, second, other = TinyNetwork(), TinyNetwork(), TinyNetwork()
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    losses = train(first, IMAGES, OPTIONS).losses
    assert torch.equal(torch.rand(3), expected)
    assert train(second, IMAGES, replace(OPTIONS, workers=0)).losses == losses
    assert_same(first, second)
    assert train(other, IMAGES, replace(OPTIONS, seed=1)).losses != losses


@pytest.mark.parametrize("workers", [0, 1, 2])
@pytest.mark.parametrize("steps", [3, 6, 11])
def test_killed_and_called_again_equals_uninterrupted(tmp_path, workers, steps):
    options = replace(OPTIONS, workers=workers)
    straight, resumed = TinyNetwork(), TinyNetwork()
    expected = train(straight, IMAGES, options)
    with pytest.raises(Killed):
        loads = len(IMAGES) + steps * options.batch_size
        train(resumed, Dying(IMAGES, loads), options, checkpoint=tmp_path / "c")
    resumed = TinyNetwork()
    result = train(resumed, IMAGES, options, checkpoint=tmp_path / "c")
    assert result.losses == expected.losses
    assert_same(straight, resumed)


def test_a_kill_really_continues_from_the_checkpoint(tmp_path):
    seen = []

    def validate(step):
        seen.append(step)
        if len(seen) == 8:
            raise Killed
        return 0.0

    options = replace(OPTIONS, validate_every=1)
    with pytest.raises(Killed):
        train(TinyNetwork(), IMAGES, options, checkpoint=tmp_path / "c", on_validate=validate)
    train(TinyNetwork(), IMAGES, options, checkpoint=tmp_path / "c", on_validate=validate)
    assert seen == [1, 2, 3, 4, 5, 6, 7, 8, 6, 7, 8, 9, 10, 11, 12]


def test_the_end_is_a_checkpoint_too(tmp_path):
    first, second = TinyNetwork(), TinyNetwork()
    expected = train(first, IMAGES, OPTIONS, checkpoint=tmp_path / "c")
    only_the_survey = Dying(IMAGES, len(IMAGES))
    assert train(second, only_the_survey, OPTIONS, checkpoint=tmp_path / "c") == expected
    assert_same(first, second)


@pytest.mark.parametrize("change", ["options", "images", "start weights"])
def test_a_checkpoint_of_another_training_is_not_used(tmp_path, caplog, change):
    train(TinyNetwork(), IMAGES, OPTIONS, checkpoint=tmp_path / "c")
    images = IMAGES[:-1] if change == "images" else IMAGES
    options = replace(OPTIONS, learning_rate=0.1) if change == "options" else OPTIONS
    seed = 1 if change == "start weights" else 0
    expected, network = TinyNetwork(seed=seed), TinyNetwork(seed=seed)
    train(expected, images, options)
    train(network, images, options, checkpoint=tmp_path / "c")
    assert f"({change} differ)" in caplog.text
    assert_same(expected, network)


def test_stops_without_improvement_and_keeps_the_best(tmp_path):
    scores = {2: 0.1, 4: 0.5, 6: 0.5, 8: 0.3, 10: float("nan"), 12: 0.9}
    snapshots = {}
    network = TinyNetwork()

    def validate(step):
        assert not network.training
        snapshots[step] = {name: tensor.clone() for name, tensor in network.state_dict().items()}
        return scores[step]

    options = replace(OPTIONS, validate_every=2, patience=3)
    result = train(network, IMAGES, options, on_validate=validate)
    assert result.iterations == len(result.losses) == 10
    assert result.scores[:4] == [(2, 0.1), (4, 0.5), (6, 0.5), (8, 0.3)]
    assert result.kept_iteration == 4
    assert all(torch.equal(tensor, snapshots[4][name]) for name, tensor in network.state_dict().items())

    network = TinyNetwork()
    result = train(network, IMAGES, replace(options, patience=0), on_validate=validate)
    assert (result.iterations, result.kept_iteration) == (12, 12)


def test_early_stopping_survives_a_kill(tmp_path):
    scores = {3: 0.5, 6: 0.4, 9: 0.3, 12: 0.2}
    options = replace(OPTIONS, validate_every=3, patience=2)
    straight, resumed = TinyNetwork(), TinyNetwork()
    expected = train(straight, IMAGES, options, on_validate=scores.__getitem__)
    assert (expected.iterations, expected.kept_iteration) == (9, 3)

    def validate(step, die=True):
        if die and step == 9:
            raise Killed
        return scores[step]

    with pytest.raises(Killed):
        train(resumed, IMAGES, options, checkpoint=tmp_path / "c", on_validate=validate)
    resumed = TinyNetwork()
    result = train(
        resumed, IMAGES, options, checkpoint=tmp_path / "c", on_validate=lambda step: validate(step, False)
    )
    assert result.scores == expected.scores
    assert result.losses == expected.losses
    assert_same(straight, resumed)


def test_the_last_step_is_validated_even_out_of_turn():
    result = train(
        TinyNetwork(), IMAGES, replace(OPTIONS, validate_every=5), on_validate=lambda step: step / 100
    )
    assert result.scores == [(5, 0.05), (10, 0.1), (12, 0.12)]


def test_images_of_different_sizes_and_unlabelled_batches():
    blank = ColourImage(9, 20, 40)

    class Unlabelled:
        def load(self):
            image, labels = blank.load()
            return image, np.full_like(labels, 255)

    mixed = [Unlabelled(), ColourImage(1, 24, 32), Unlabelled(), ColourImage(2, 50, 16), Unlabelled()]
    result = train(TinyNetwork(), mixed, replace(OPTIONS, batch_size=1, scale=(0.5, 1.0)))
    assert np.isfinite(result.losses).all()
    assert result.losses.count(0.0) >= 6


def test_icnet_learns_and_resumes(tmp_path):
    def network():
        with torch.random.fork_rng():
            torch.manual_seed(0)
            return build_network("icnet", CLASSES, encoder="resnet18", width=0.125)

    options = replace(OPTIONS, iterations=8, crop=(48, 64), checkpoint_every=3, learning_rate=0.02)
    straight, resumed = network(), network()
    expected = train(straight, IMAGES, options)
    assert np.mean(expected.losses[-3:]) < np.mean(expected.losses[:3])
    with pytest.raises(Killed):
        train(resumed, Dying(IMAGES, len(IMAGES) + 5 * 4), options, checkpoint=tmp_path / "c")
    resumed = network()
    assert train(resumed, IMAGES, options, checkpoint=tmp_path / "c").losses == expected.losses
    assert_same(straight, resumed)


class Pooled(SegmentationNetwork):
    """Normalises a map of one pixel."""

    def __init__(self):
        super().__init__(CLASSES)
        self.layers = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(3, CLASSES, 1), nn.BatchNorm2d(CLASSES)
        )

    def forward(self, x):
        return self.layers(x).expand(-1, -1, *x.shape[-2:])

    def training_outputs(self, x):
        return [ScaledLogits(1.0, self.layers(x))]


def test_batch_normalisation_of_a_single_value_says_what_to_do():
    with pytest.raises(ConfigurationError, match=r"batch_size = 1 and 24×32 pixels.*larger crop"):
        train(Pooled(), IMAGES, replace(OPTIONS, batch_size=1))
    train(Pooled(), IMAGES, replace(OPTIONS, batch_size=2, iterations=2))


def test_divergence_says_what_to_do():
    with pytest.raises(ConfigurationError, match=r"diverged.*Lower learning_rate \(now 1e\+30\)"):
        train(TinyNetwork(), IMAGES, replace(OPTIONS, learning_rate=1e30))


def test_validation_needs_something_to_validate_with():
    with pytest.raises(ConfigurationError, match="validate_every = 2"):
        train(TinyNetwork(), IMAGES, replace(OPTIONS, validate_every=2))


def test_progress_shows_loss_and_speed_and_counts_from_where_it_went_on(tmp_path):
    bars = []

    class Recorded(Progress):
        @contextmanager
        def bar(self, total, description, unit="it", initial=0):
            class Bar:
                count, text = initial, ""

                def update(self, n=1):
                    self.count += n

                def set_postfix_str(self, s=""):
                    self.text = s

            bar = Bar()
            bars.append((description, total, initial, bar))
            yield bar

    with pytest.raises(Killed):
        train(TinyNetwork(), Dying(IMAGES, 5 + 7 * 4), OPTIONS, checkpoint=tmp_path / "c")
    train(
        TinyNetwork(), IMAGES, OPTIONS, checkpoint=tmp_path / "c", progress=Recorded(), description="round 3"
    )
    description, total, initial, bar = bars[-1]
    assert (description, total, initial, bar.count) == ("round 3", 12, 5, 12)
    assert "loss " in bar.text
    assert "images/s" in bar.text
    assert (bars[0][0], bars[0][1]) == ("read images", len(IMAGES))
