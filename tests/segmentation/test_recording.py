import gc
import weakref

import numpy as np
import pytest
import torch
from torch import nn

from tenth.segmentation.inference import Predictor
from tenth.segmentation.networks import build_network
from tenth.segmentation.recording import EAGER, Recording
from tenth.segmentation.training import TrainingOptions, train

GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")


class Labelled:
    """A random image whose label is its brightness."""

    def __init__(self, seed):
        rng = np.random.default_rng(seed)
        self.image = np.repeat(np.repeat(rng.integers(0, 256, (6, 8, 3), np.uint8), 8, 0), 8, 1)
        self.labels = (self.image.mean(2) // 64).astype(np.uint8)

    def load(self):
        return self.image, self.labels


IMAGES = [Labelled(seed) for seed in range(6)]


def network_with_dropout():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build_network("icnet", 4, encoder="resnet18", width=0.25, dropout=0.3)


def statistics(network):
    return torch.cat([each.flatten() for each in network.buffers() if each.is_floating_point()])


@pytest.fixture
def unrecorded(monkeypatch):
    """Return a function that lets kernels be launched one by one from then on."""

    def switch_off():
        monkeypatch.setattr("tenth.segmentation.recording.EAGER", 10**9)

    return switch_off


def test_on_the_cpu_the_function_is_called():
    calls = []
    module = nn.Linear(2, 1)

    def function(inputs):
        calls.append(inputs)
        return module(inputs)

    recording = Recording(module)
    given = [torch.full((1, 2), float(number)) for number in range(2 * EAGER)]
    outputs = [recording(function, inputs=inputs) for inputs in given]
    assert all(mine is theirs for mine, theirs in zip(calls, given, strict=True))
    assert all(torch.equal(mine, module(inputs)) for mine, inputs in zip(outputs, given, strict=True))
    assert not recording.recorded


@GPU
def test_replays_what_is_asked_with_the_weights_of_now():
    module = nn.Linear(3, 2).cuda()
    recording = Recording(module)

    def function(x, y):
        return module(x) + y

    rng = torch.Generator().manual_seed(0)
    for size in (4, 4, 4, 4, 4, 5, 4):
        x, y = (torch.randn(size, width, generator=rng).cuda() for width in (3, 2))
        torch.testing.assert_close(recording(function, x=x, y=y), module(x) + y)
        with torch.no_grad():
            module.weight += 1
    assert not recording.recorded  # the last shape came once
    outputs = [recording(function, x=x, y=y) for _ in range(2 * EAGER + 1)]
    assert recording.recorded
    with torch.no_grad():
        module.weight *= 2
    assert not torch.equal(recording(function, x=x, y=y), outputs[-1])
    torch.testing.assert_close(outputs[-1], outputs[0])  # is not written over
    module.cpu().cuda()  # the weights are somewhere else now
    torch.testing.assert_close(recording(function, x=x, y=y), module(x) + y)


@GPU
def test_what_cannot_be_recorded_is_called(caplog):
    module = nn.Linear(1, 1).cuda()
    recording, before = Recording(module), torch.cuda.current_stream()

    def function(x):
        return module(x) * x.sum().item()

    x = torch.ones(1, 1).cuda()
    with caplog.at_level("INFO"):
        outputs = [recording(function, x=x) for _ in range(EAGER + 3)]
    assert not recording.recorded
    assert "Linear cannot be recorded" in caplog.text
    assert all(torch.equal(each, outputs[0]) for each in outputs)
    torch.testing.assert_close(recording(function, x=2 * x), module(2 * x) * 2)
    assert torch.cuda.current_stream() == before
    nn.functional.dropout(x)  # would find its generator recording


@GPU
def test_what_does_not_want_to_be_recorded_is_called():
    module = nn.Linear(1, 1).cuda()
    module.recordable = False
    recording, calls = Recording(module), []
    for _ in range(3 * EAGER):
        recording(lambda x: calls.append(x) or module(x), x=torch.ones(1, 1).cuda())
    assert len(calls) == 3 * EAGER


def test_a_predictor_goes_with_its_last_reference():
    network = network_with_dropout()
    gone = weakref.ref(network)
    predictor = Predictor(network, "cpu")
    predictor.labels(IMAGES[0].image)
    gc.disable()
    try:
        del network, predictor
        assert gone() is None
    finally:
        gc.enable()


@GPU
@pytest.mark.parametrize("precision", ["f32", "bf16"])
def test_training_is_the_same_recorded(unrecorded, precision):
    options = TrainingOptions(
        20, batch_size=4, learning_rate=0.02, device="cuda", precision=precision, seed=3, workers=0
    )
    recorded, plain = network_with_dropout(), network_with_dropout()
    losses = train(recorded, IMAGES, options).losses
    unrecorded()
    expected = train(plain, IMAGES, options).losses
    # Sums in another order: gradients differ in their last digits, and what grows of them does.
    np.testing.assert_allclose(losses[: EAGER + 3], expected[: EAGER + 3], rtol=1e-2)
    np.testing.assert_allclose(losses, expected, rtol=0.1)
    assert losses[-1] < losses[0]
    mine, theirs = (statistics(network) for network in (recorded, plain))
    assert (mine - theirs).norm() < 0.2 * theirs.norm()
    counted = [each for name, each in recorded.named_buffers() if name.endswith("num_batches_tracked")]
    assert all(int(count) == options.iterations for count in counted)


@GPU
def test_prediction_is_the_same_recorded(unrecorded):
    network = network_with_dropout()
    recorded = Predictor(network, "cuda")
    pictures = [each.image for each in (IMAGES * 2)] + [IMAGES[0].image[:30]]
    found = [recorded.probabilities(picture) for picture in pictures]
    labels = [recorded.labels(picture) for picture in pictures]
    unrecorded()
    plain = Predictor(network, "cuda")
    for picture, mine, named in zip(pictures, found, labels, strict=True):
        np.testing.assert_allclose(mine, plain.probabilities(picture), atol=1e-3)
        assert (named == mine.argmax(0)).mean() > 0.99
