import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tenth.errors import ConfigurationError, DataError
from tenth.segmentation.device import prefers_bf16, resolve_device, to_input
from tenth.segmentation.inference import Predictor
from tenth.segmentation.networks import ScaledLogits, SegmentationNetwork, build_network


@pytest.fixture(scope="module")
def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build_network("icnet", 5, encoder="resnet18", width=0.125)


def picture(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@settings(deadline=None, max_examples=15)
@given(st.integers(1, 70), st.integers(1, 70), st.sampled_from(["auto", "f32", "bf16"]))
def test_probabilities_of_any_size(network, height, width, precision):
    predictor = Predictor(network, "cpu", precision)
    image = picture(height, width)
    probabilities = predictor.probabilities(image)
    assert probabilities.shape == (5, height, width)
    assert probabilities.dtype == np.float32
    assert probabilities.flags.c_contiguous
    assert (probabilities >= 0).all()
    np.testing.assert_allclose(probabilities.sum(0), 1, atol=1e-5)
    labels = predictor.labels(image)
    assert labels.dtype == np.uint8
    chosen = np.take_along_axis(probabilities, labels[None].astype(int), 0)[0]
    np.testing.assert_array_equal(chosen, probabilities.max(0))


def test_is_the_softmax_of_the_normalised_image(network):
    image = picture(20, 30)
    scaled = image.astype(np.float64) / 255
    normalised = (scaled - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    inputs = torch.from_numpy(normalised).permute(2, 0, 1)[None].float().contiguous()
    with torch.no_grad():
        expected = network.eval()(inputs).softmax(1)[0].numpy()
    np.testing.assert_allclose(Predictor(network, "cpu", "f32").probabilities(image), expected, atol=1e-5)


def test_deterministic_and_without_a_trace_in_the_network(network):
    network.train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    predictor = Predictor(network, "cpu")
    first = predictor.probabilities(picture(33, 47))
    predictor.probabilities(picture(60, 20, seed=1))
    np.testing.assert_array_equal(predictor.probabilities(picture(33, 47)), first)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert all(tensor.is_contiguous() for tensor in network.state_dict().values())


@pytest.mark.parametrize(
    "image", [np.zeros((4, 5), np.uint8), np.zeros((4, 5, 4), np.uint8), np.zeros((4, 5, 3)), picture(0, 5)]
)
def test_refuses_what_is_no_image(network, image):
    with pytest.raises(DataError, match="uint8 RGB"):
        Predictor(network, "cpu").probabilities(image)


def test_refuses_unknown_device_and_precision(network):
    with pytest.raises(ConfigurationError, match="'quantum' cannot be used"):
        Predictor(network, "quantum")
    with pytest.raises(ConfigurationError, match="'f16' is unknown"):
        Predictor(network, "cpu", "f16")
    if not torch.cuda.is_available():
        with pytest.raises(ConfigurationError, match="'cuda' cannot be used"):
            resolve_device("cuda")
        assert resolve_device("auto") == torch.device("cpu")


def test_input_keeps_channels_last(network):
    inputs = to_input(np.stack([picture(4, 6), picture(4, 6, 1)]), network, torch.device("cpu"))
    assert inputs.shape == (2, 3, 4, 6)
    assert inputs.is_contiguous(memory_format=torch.channels_last)


def test_bf16_only_where_the_processor_has_it(monkeypatch):
    for flags, expected in (
        (set(), False),
        ({"avx512f"}, False),
        ({"avx512_bf16"}, True),
        ({"amx_bf16"}, True),
    ):
        monkeypatch.setattr("tenth.segmentation.device._cpu_flags", lambda flags=flags: flags)
        assert prefers_bf16(torch.device("cpu")) is expected


@pytest.fixture(scope="module")
def dropping():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build_network("icnet", 5, encoder="resnet18", width=0.125, dropout=0.5)


def test_stochastic_passes_differ_by_dropout_alone(dropping):
    predictor = Predictor(dropping, "cpu", "f32")
    image = picture(40, 33)
    passes = predictor.stochastic(image, 3, seed=1)
    assert passes.shape == (3, 5, 40, 33)
    assert passes.dtype == np.float32
    np.testing.assert_allclose(passes.sum(1), 1, atol=1e-5)
    assert not np.array_equal(passes[0], passes[1])
    # dropout acts on what the classifier sees, and nothing else is random
    seen = torch.from_numpy(predictor.features(image))[None].to(memory_format=torch.channels_last)
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(1)
        kept = torch.nn.functional.dropout(seen, 0.5, training=True)
        logits = dropping.classifier(kept)
        for size in ((10, 9), (40, 33)):
            logits = torch.nn.functional.interpolate(logits, size=size, mode="bilinear", align_corners=False)
    np.testing.assert_allclose(passes[0], logits.softmax(1)[0].numpy(), atol=1e-5)


def test_stochastic_passes_follow_the_seed_and_leave_no_trace(dropping):
    predictor = Predictor(dropping, "cpu")
    image = picture(24, 24)
    dropping.train()
    dropping.encoder.eval()
    modes = [module.training for module in dropping.modules()]
    state = {name: tensor.clone() for name, tensor in dropping.state_dict().items()}
    generator = torch.random.get_rng_state()
    first = predictor.stochastic(image, 2, seed=7)
    assert torch.equal(torch.random.get_rng_state(), generator)
    assert [module.training for module in dropping.modules()] == modes
    assert all(torch.equal(tensor, state[name]) for name, tensor in dropping.state_dict().items())
    torch.rand(3)
    np.testing.assert_array_equal(predictor.stochastic(image, 2, seed=7), first)
    assert not np.array_equal(predictor.stochastic(image, 2, seed=8), first)
    with pytest.raises(DataError, match="uint8 RGB"):
        predictor.stochastic(image[..., :2], 2, seed=7)
    assert [module.training for module in dropping.modules()] == modes


def test_stochastic_passes_need_dropout(network, dropping):
    with pytest.raises(ConfigurationError, match="ICNet has no dropout"):
        Predictor(network, "cpu").stochastic(picture(8, 8), 2, seed=0)
    with pytest.raises(ConfigurationError, match="passes = 0"):
        Predictor(dropping, "cpu").stochastic(picture(8, 8), 0, seed=0)
    with pytest.raises(ConfigurationError, match=r"dropout = 1\.0"):
        build_network("icnet", 5, encoder="resnet18", width=0.125, dropout=1.0)


def test_features_are_what_the_classifier_sees(network):
    predictor = Predictor(network, "cpu", "f32")
    image = picture(48, 64)
    features = predictor.features(image)
    assert features.shape == (128, 6, 8)
    assert features.dtype == np.float32
    with torch.no_grad():
        logits = network.classifier(torch.from_numpy(features)[None])
        for size in ((12, 16), (48, 64)):
            logits = torch.nn.functional.interpolate(logits, size=size, mode="bilinear", align_corners=False)
    np.testing.assert_allclose(logits.softmax(1)[0].numpy(), predictor.probabilities(image), atol=1e-5)
    assert not network.classifier._forward_pre_hooks


def test_features_need_a_classifier():
    class Nameless(SegmentationNetwork):
        def __init__(self):
            super().__init__(3)
            self.last = torch.nn.Conv2d(3, 3, 1)

        def forward(self, x):
            return self.last(x)

        def training_outputs(self, x):
            return [ScaledLogits(1.0, self(x))]

    with pytest.raises(ConfigurationError, match="no module called 'classifier'"):
        Predictor(Nameless(), "cpu").features(picture(8, 8))


@pytest.mark.parametrize("size", [(130, 1), (70, 12), (40, 31), (130, 32), (200, 33)])
def test_narrow_images_are_predicted_alike_each_time(network, size):
    predictor, image = Predictor(network, "cpu", "bf16"), picture(*size)
    first, *others = (predictor.logits(image) for _ in range(4))
    assert np.isfinite(first).all()
    assert all(np.array_equal(each, first) for each in others)
