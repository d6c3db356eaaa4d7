from __future__ import annotations

import pytest
import torch
from network_contract import images
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tenth.segmentation.networks import build_network
from tenth.segmentation.networks.depthwise import DepthwiseConv2d
from tenth.segmentation.networks.mobilenet_v3 import MobileNetV3Large, squeezed

# torchvision's blocks: kernel, expanded channels, channels, channels squeezed to (0 without), stride.
BLOCKS = """
3 16 16 0 1
3 64 24 0 2
3 72 24 0 1
5 72 40 24 2
5 120 40 32 1
5 120 40 32 1
3 240 80 0 2
3 200 80 0 1
3 184 80 0 1
3 184 80 0 1
3 480 112 120 1
3 672 112 168 1
5 672 160 168 2
5 960 160 240 1
5 960 160 240 1
"""
ROWS = [tuple(map(int, line.split())) for line in BLOCKS.strip().split("\n")]


def torchvision_shapes() -> dict[str, tuple[int, ...]]:
    """The names and shapes of torchvision's MobileNetV3-Large, classifier excluded."""
    shapes = {}

    def unit(name, outputs, inputs, kernel):
        shapes[f"{name}.0.weight"] = (outputs, inputs, kernel, kernel)
        for kind in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{name}.1.{kind}"] = (outputs,)
        shapes[f"{name}.1.num_batches_tracked"] = ()

    unit("features.0", 16, 3, 3)
    inputs = 16
    for index, (kernel, expanded, outputs, squeeze, _) in enumerate(ROWS, start=1):
        name, part = f"features.{index}.block", 0
        if expanded != inputs:
            unit(f"{name}.0", expanded, inputs, 1)
            part = 1
        unit(f"{name}.{part}", expanded, 1, kernel)
        part += 1
        if squeeze:
            for layer, shape in (("fc1", (squeeze, expanded)), ("fc2", (expanded, squeeze))):
                shapes[f"{name}.{part}.{layer}.weight"] = (*shape, 1, 1)
                shapes[f"{name}.{part}.{layer}.bias"] = shape[:1]
            part += 1
        unit(f"{name}.{part}", outputs, expanded, 1)
        inputs = outputs
    unit("features.16", 960, 160, 1)
    return shapes


def torchvision_state(seed: int = 0) -> dict[str, torch.Tensor]:
    """A state dict as torchvision's, with random values that keep activations in range."""
    random = torch.Generator().manual_seed(seed)
    state = {}
    for name, shape in torchvision_shapes().items():
        if len(shape) == 4:
            fan = shape[1] * shape[2] * shape[3]
            state[name] = torch.randn(shape, generator=random) * (2 / fan) ** 0.5
        elif name.endswith(("running_var", "1.weight")):
            state[name] = 0.5 + torch.rand(shape, generator=random)
        else:
            state[name] = 0.1 * torch.randn(shape, generator=random)
    return {name: value.long() if "num_batches" in name else value for name, value in state.items()}


def reference_features(state: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    """torchvision's forward pass up to its classifier, written on its state dict."""

    def unit(x, name, activation, stride=1):
        weight = state[f"{name}.0.weight"]
        groups = x.shape[1] // weight.shape[1]
        x = F.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2, groups=groups)
        kinds = ("running_mean", "running_var", "weight", "bias")
        return activation(F.batch_norm(x, *(state[f"{name}.1.{kind}"] for kind in kinds), eps=1e-3))

    x = unit(x, "features.0", F.hardswish, 2)
    for index, (_, expanded, outputs, squeeze, stride) in enumerate(ROWS, start=1):
        name, part, y = f"features.{index}.block", 0, x
        activation = F.hardswish if index >= 7 else F.relu
        if expanded != x.shape[1]:
            y, part = unit(y, f"{name}.0", activation), 1
        y = unit(y, f"{name}.{part}", activation, stride)
        part += 1
        if squeeze:
            z = F.adaptive_avg_pool2d(y, 1)
            for layer, after in (("fc1", F.relu), ("fc2", F.hardsigmoid)):
                z = after(
                    F.conv2d(z, *(state[f"{name}.{part}.{layer}.{kind}"] for kind in ("weight", "bias")))
                )
            y, part = y * z, part + 1
        y = unit(y, f"{name}.{part}", torch.nn.Identity())
        x = x + y if stride == 1 and x.shape[1] == outputs else y
    return unit(x, "features.16", F.hardswish)


def test_state_dict_is_torchvisions_without_the_classifier():
    found = {key: tuple(value.shape) for key, value in MobileNetV3Large().state_dict().items()}
    assert found == torchvision_shapes()
    classifier = 960 * 1280 + 1280 + 1280 * 1000 + 1000
    assert sum(p.numel() for p in MobileNetV3Large().parameters()) == 5_483_032 - classifier  # paper: 5.4 M


def test_features_are_those_of_an_independent_forward_pass(tmp_path):
    state = torchvision_state()
    classifier = {"classifier.0.weight": torch.zeros(8, 960), "classifier.3.bias": torch.zeros(8)}
    torch.save(state | classifier, tmp_path / "weights.pth")
    encoder = MobileNetV3Large(output_stride=32)
    encoder.load_pretrained(str(tmp_path / "weights.pth"))
    x = images(75, 64)
    with torch.no_grad():
        expected = reference_features(state, x)
        found = encoder.eval().deep(encoder.middle(x))
    assert found.shape == (2, 960, 3, 2)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("output_stride", [8, 16])
def test_dilation_computes_the_strided_networks_values_and_those_between(output_stride):
    state = torchvision_state()
    for name, value in state.items():  # the mean of more positions is another one: scale everything by 1
        if "fc2" in name:
            value.fill_(3.0 if name.endswith("bias") else 0.0)
    strided, dilated = MobileNetV3Large(output_stride=32), MobileNetV3Large(output_stride=output_stride)
    x = images(75, 64).double()
    deep = []
    for encoder in (strided, dilated):
        encoder.load_state_dict(state)
        encoder.double().eval()
        with torch.no_grad():
            deep.append(encoder.deep(encoder.middle(x)))
    step = 32 // output_stride
    torch.testing.assert_close(deep[1][:, :, ::step, ::step], deep[0])


def test_width_keeps_the_names():
    for width in (0.1, 0.5):
        assert MobileNetV3Large(width).state_dict().keys() == torchvision_shapes().keys()
    assert MobileNetV3Large(0.5).deep_channels == 480


def test_squeezing_never_rounds_down_by_more_than_a_tenth():
    assert [squeezed(channels) for channels in (8, 72, 120, 480, 672, 960)] == [8, 24, 32, 120, 168, 240]


def test_icnet_takes_it():
    network = build_network("icnet", 3, encoder="mobilenetv3-large", width=0.5).eval()
    with torch.no_grad():
        assert network(images(65, 97)).shape == (2, 3, 65, 97)


@pytest.mark.parametrize(("kernel", "stride", "dilation"), [(3, 2, 1), (5, 2, 1), (5, 1, 2), (3, 1, 6)])
def test_depthwise_filters_are_pytorchs(kernel, stride, dilation):
    layer = DepthwiseConv2d(6, kernel, stride, dilation)
    x = torch.randn(2, 6, 9, 12)
    assert layer(x).requires_grad
    torch.testing.assert_close(layer(x), nn.Conv2d.forward(layer, x))
    assert layer(x).shape[-2:] == (-(-9 // stride), -(-12 // stride))
