from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from tenth.errors import ConfigurationError, DataError
from tenth.segmentation.networks.resnet import ResNet18, ResNet50

# torchvision's convolutions: name, outputs, inputs, kernel. Each has a batch norm: bnN, or downsample.1.
RESNET18 = """
conv1 64 3 7
layer1.0.conv1 64 64 3
layer1.0.conv2 64 64 3
layer1.1.conv1 64 64 3
layer1.1.conv2 64 64 3
layer2.0.conv1 128 64 3
layer2.0.conv2 128 128 3
layer2.0.downsample.0 128 64 1
layer2.1.conv1 128 128 3
layer2.1.conv2 128 128 3
layer3.0.conv1 256 128 3
layer3.0.conv2 256 256 3
layer3.0.downsample.0 256 128 1
layer3.1.conv1 256 256 3
layer3.1.conv2 256 256 3
layer4.0.conv1 512 256 3
layer4.0.conv2 512 512 3
layer4.0.downsample.0 512 256 1
layer4.1.conv1 512 512 3
layer4.1.conv2 512 512 3
"""

RESNET50 = """
conv1 64 3 7
layer1.0.conv1 64 64 1
layer1.0.conv2 64 64 3
layer1.0.conv3 256 64 1
layer1.0.downsample.0 256 64 1
layer1.1.conv1 64 256 1
layer1.1.conv2 64 64 3
layer1.1.conv3 256 64 1
layer1.2.conv1 64 256 1
layer1.2.conv2 64 64 3
layer1.2.conv3 256 64 1
layer2.0.conv1 128 256 1
layer2.0.conv2 128 128 3
layer2.0.conv3 512 128 1
layer2.0.downsample.0 512 256 1
layer2.1.conv1 128 512 1
layer2.1.conv2 128 128 3
layer2.1.conv3 512 128 1
layer2.2.conv1 128 512 1
layer2.2.conv2 128 128 3
layer2.2.conv3 512 128 1
layer2.3.conv1 128 512 1
layer2.3.conv2 128 128 3
layer2.3.conv3 512 128 1
layer3.0.conv1 256 512 1
layer3.0.conv2 256 256 3
layer3.0.conv3 1024 256 1
layer3.0.downsample.0 1024 512 1
layer3.1.conv1 256 1024 1
layer3.1.conv2 256 256 3
layer3.1.conv3 1024 256 1
layer3.2.conv1 256 1024 1
layer3.2.conv2 256 256 3
layer3.2.conv3 1024 256 1
layer3.3.conv1 256 1024 1
layer3.3.conv2 256 256 3
layer3.3.conv3 1024 256 1
layer3.4.conv1 256 1024 1
layer3.4.conv2 256 256 3
layer3.4.conv3 1024 256 1
layer3.5.conv1 256 1024 1
layer3.5.conv2 256 256 3
layer3.5.conv3 1024 256 1
layer4.0.conv1 512 1024 1
layer4.0.conv2 512 512 3
layer4.0.conv3 2048 512 1
layer4.0.downsample.0 2048 1024 1
layer4.1.conv1 512 2048 1
layer4.1.conv2 512 512 3
layer4.1.conv3 2048 512 1
layer4.2.conv1 512 2048 1
layer4.2.conv2 512 512 3
layer4.2.conv3 2048 512 1
"""


def torchvision_state(table: str, seed: int = 0) -> dict[str, torch.Tensor]:
    """A state dict as torchvision's, with random values that keep activations in range."""
    random = torch.Generator().manual_seed(seed)
    state = {}
    for line in table.split("\n")[1:-1]:
        name, outputs, inputs, kernel = (int(word) if word.isdigit() else word for word in line.split())
        fan = inputs * kernel * kernel
        state[f"{name}.weight"] = torch.randn(outputs, inputs, kernel, kernel, generator=random) / fan**0.5
        norm = (
            name.replace("downsample.0", "downsample.1")
            if "downsample" in name
            else name.replace("conv", "bn")
        )
        state[f"{norm}.weight"] = 0.5 + torch.rand(outputs, generator=random)
        state[f"{norm}.bias"] = 0.1 * torch.randn(outputs, generator=random)
        state[f"{norm}.running_mean"] = 0.1 * torch.randn(outputs, generator=random)
        state[f"{norm}.running_var"] = 0.5 + torch.rand(outputs, generator=random)
        state[f"{norm}.num_batches_tracked"] = torch.tensor(0)
    return state


def reference_features(
    state: dict[str, torch.Tensor], x: torch.Tensor, depths: tuple[int, ...]
) -> torch.Tensor:
    """torchvision's forward pass up to the last stage, written on its state dict."""

    def conv(x, name, norm, stride=1):
        weight = state[f"{name}.weight"]
        x = F.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2)
        kinds = ("running_mean", "running_var", "weight", "bias")
        return F.batch_norm(x, *(state[f"{norm}.{kind}"] for kind in kinds))

    x = F.max_pool2d(conv(x, "conv1", "bn1", 2).relu(), 3, 2, 1)
    for stage, depth in enumerate(depths, start=1):
        for index in range(depth):
            at = f"layer{stage}.{index}"
            stride = 2 if stage > 1 and index == 0 else 1
            bottleneck = f"{at}.conv3.weight" in state
            y = conv(x, f"{at}.conv1", f"{at}.bn1", 1 if bottleneck else stride).relu()
            y = conv(y, f"{at}.conv2", f"{at}.bn2", stride if bottleneck else 1)
            if bottleneck:
                y = conv(y.relu(), f"{at}.conv3", f"{at}.bn3")
            if f"{at}.downsample.0.weight" in state:
                x = conv(x, f"{at}.downsample.0", f"{at}.downsample.1", stride)
            x = (x + y).relu()
    return x


CASES = [(ResNet18, RESNET18, 11_689_512 - 513_000), (ResNet50, RESNET50, 25_557_032 - 2_049_000)]


@pytest.mark.parametrize(("encoder", "table", "parameters"), CASES)
def test_state_dict_is_torchvisions_without_the_classifier(encoder, table, parameters):
    found = {key: tuple(value.shape) for key, value in encoder().state_dict().items()}
    assert found == {key: tuple(value.shape) for key, value in torchvision_state(table).items()}
    assert sum(p.numel() for p in encoder().parameters()) == parameters


@pytest.mark.parametrize(("encoder", "table", "_"), CASES)
def test_features_are_those_of_an_independent_forward_pass(encoder, table, _, tmp_path):
    state = torchvision_state(table)
    fc = {"fc.weight": torch.zeros(1000, 8), "fc.bias": torch.zeros(1000)}
    old = {key: value for key, value in state.items() if "num_batches" not in key}  # as files of 2017 are
    torch.save(old | fc, tmp_path / "weights.pth")
    x = torch.randn(1, 3, 75, 64, generator=torch.Generator().manual_seed(1))
    strided, dilated = encoder(output_stride=32).eval(), encoder().eval()
    with torch.no_grad():
        expected = reference_features(state, x, encoder.depths)
        for network in (strided, dilated):
            network.load_pretrained(str(tmp_path / "weights.pth"))
        middle = dilated.middle(x)
        deep = dilated.deep(middle)
        torch.testing.assert_close(strided.deep(strided.middle(x)), expected, rtol=1e-4, atol=1e-4)
    assert middle.shape == (1, dilated.middle_channels, 10, 8)
    assert deep.shape == (1, dilated.deep_channels, 10, 8)
    # Dilation instead of stride computes the strided network's values, and those between them.
    torch.testing.assert_close(deep[:, :, ::4, ::4], expected, rtol=1e-4, atol=1e-4)


def test_width_scales_every_channel():
    half = {key: tuple(value.shape) for key, value in ResNet50(0.5).state_dict().items()}
    assert half["conv1.weight"] == (32, 3, 7, 7)
    assert half["layer3.5.conv2.weight"] == (128, 128, 3, 3)
    assert half["layer4.2.conv3.weight"] == (1024, 256, 1, 1)
    assert half.keys() == ResNet50().state_dict().keys()


def test_weights_of_another_network_are_refused_by_name(tmp_path):
    torch.save(torchvision_state(RESNET18), tmp_path / "weights.pth")
    with pytest.raises(DataError, match=r"do not fit ResNet50 .* missing.*layer1\.0\.downsample\.0\.weight"):
        ResNet50().load_pretrained(str(tmp_path / "weights.pth"))
    with pytest.raises(DataError, match=r"do not fit ResNet18 of width 0\.5.*0 foreign"):
        ResNet18(0.5).load_pretrained(str(tmp_path / "weights.pth"))


def test_imagenet_weights_are_for_width_one():
    with pytest.raises(ConfigurationError, match=r"width = 1 only, not 0\.5"):
        ResNet18(0.5).load_pretrained("imagenet")


@pytest.mark.parametrize("width", [0, -1.0, 99, float("nan")])
def test_an_impossible_width_is_refused(width):
    with pytest.raises(ConfigurationError, match="width = "):
        ResNet18(width)
