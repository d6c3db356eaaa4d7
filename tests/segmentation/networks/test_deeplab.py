from __future__ import annotations

import pytest
import torch
from network_contract import NetworkContract, built, images

from tenth.errors import ConfigurationError
from tenth.segmentation.networks import NetworkSpec, build_network
from tenth.segmentation.networks.deeplab import RATES, AtrousSpatialPyramidPooling


class TestDeepLabV3ResNet18(NetworkContract):
    spec = NetworkSpec("deeplabv3", 5, {"encoder": "resnet18", "width": 0.25})


class TestDeepLabV3MobileNet(NetworkContract):
    spec = NetworkSpec("deeplabv3", 4, {"encoder": "mobilenetv3-large", "width": 0.5, "output_stride": 8})


class TestDeepLabV3PlusMobileNet(NetworkContract):
    spec = NetworkSpec("deeplabv3plus", 5, {"encoder": "mobilenetv3-large", "width": 0.5})


PLAIN, PLUS = TestDeepLabV3ResNet18.spec, TestDeepLabV3PlusMobileNet.spec


def parameters(name: str, encoder: str) -> int:
    with torch.device("meta"):
        network = build_network(name, 21, encoder=encoder)
    return sum(p.numel() for p in network.parameters())


def test_parameters_are_torchvisions_without_what_the_paper_lacks():
    """torchvision counts an auxiliary head, and a 3×3 convolution more in front of the classifier."""
    more = 9 * 256 * 256 + 2 * 256
    resnet = 9 * 1024 * 256 + 2 * 256 + 256 * 21 + 21
    mobilenet = 9 * 40 * 10 + 2 * 10 + 10 * 21 + 21
    assert parameters("deeplabv3", "resnet50") == 42_004_074 - resnet - more
    assert parameters("deeplabv3", "mobilenetv3-large") == 11_029_328 - mobilenet - more


def test_separable_filters_and_the_decoder_have_the_papers_parameters():
    plain = 3 * 9 * 960 * 256
    separable = 3 * (9 * 960 + 2 * 960 + 960 * 256)
    decoder = 24 * 48 + 2 * 48
    decoder += sum(9 * channels + 2 * channels + channels * 256 + 2 * 256 for channels in (304, 256))
    expected = parameters("deeplabv3", "mobilenetv3-large") - plain + separable + decoder
    assert parameters("deeplabv3plus", "mobilenetv3-large") == expected


@pytest.mark.parametrize("spec", [PLAIN, PLUS])
def test_training_starts_from_even_odds_at_full_size(spec):
    outputs = built(spec).training_outputs(images(65, 97))
    assert [output.weight for output in outputs] == [1.0]
    assert outputs[0].logits.shape[2:] == (65, 97)
    probabilities = outputs[0].logits.softmax(1)
    assert 0.1 < probabilities.min() < probabilities.max() < 0.4  # five classes


@pytest.mark.parametrize(
    ("name", "stride", "shape"),
    [("deeplabv3", 16, (5, 7)), ("deeplabv3", 8, (9, 13)), ("deeplabv3plus", 16, (17, 25))],
)
def test_what_is_classified_has_the_stride_asked_for(name, stride, shape):
    network = build_network(name, 3, encoder="resnet18", width=0.25, output_stride=stride).eval()
    seen = []
    network.classifier.register_forward_hook(lambda _, inputs, output: seen.append(inputs[0].shape))
    with torch.no_grad():
        network(images(65, 97))
    assert seen == [(2, 256, *shape)]


@pytest.mark.parametrize("separable", [False, True])
def test_twice_the_rates_on_a_map_twice_as_fine_see_the_same(separable):
    fine, coarse = (
        AtrousSpatialPyramidPooling(8, RATES[stride], separable=separable).eval() for stride in (8, 16)
    )
    fine.load_state_dict(coarse.state_dict())
    for pyramid in (fine, coarse):  # the mean of more positions is another one
        torch.nn.init.zeros_(pyramid.image[1].weight)
    x = images(60, 80).repeat(1, 3, 1, 1)[:, :8]
    with torch.no_grad():
        torch.testing.assert_close(fine(x)[..., ::2, ::2], coarse(x[..., ::2, ::2]), rtol=1e-4, atol=1e-5)


def test_the_pyramid_knows_the_images_mean_everywhere():
    pyramid = AtrousSpatialPyramidPooling(8, RATES[16], separable=True).eval()
    x = torch.zeros(1, 8, 60, 80)
    other = x.clone()
    other[..., -1, -1] = 1000.0
    with torch.no_grad():
        change = (pyramid(other) - pyramid(x)).abs().amax(1)[0]
    assert change.min() > 0


def test_the_decoder_sees_the_features_of_stride_4():
    network = built(PLUS).eval()
    x = images(64, 96)
    with torch.no_grad():
        before = network(x)
        network.low[0].weight.zero_()
        network.low[1].bias.fill_(1.0)
        after = network(x)
    assert (before - after).abs().max() > 0


@pytest.mark.parametrize("name", ["deeplabv3", "deeplabv3plus"])
@pytest.mark.parametrize("stride", [4, 32])
def test_another_stride_is_refused(name, stride):
    with pytest.raises(ConfigurationError, match=rf"output_stride = {stride} .* give 8 or 16"):
        build_network(name, 3, encoder="resnet18", output_stride=stride)


def test_a_batch_of_one_is_refused_in_training_only():
    network = built(PLAIN)
    with pytest.raises(ConfigurationError, match="batch_size to 2"):
        network.training_outputs(images(64, 96, count=1))
    assert network.eval().training_outputs(images(64, 96, count=1))
