from __future__ import annotations

import pytest
import torch
from network_contract import images

from tenth.errors import ConfigurationError
from tenth.segmentation.networks import ENCODERS, build_encoder

WIDTHS = {"resnet18": 0.25, "resnet50": 0.25, "efficientnet-lite0": 0.5, "mobilenetv3-large": 0.5}


@pytest.mark.parametrize("name", WIDTHS)
@pytest.mark.parametrize("stride", [8, 16, 32])
def test_parts_have_the_strides_and_channels_they_say(name, stride):
    encoder = build_encoder(name, WIDTHS[name], output_stride=stride).eval()
    x = images(65, 97)
    with torch.no_grad():
        shallow = encoder.shallow(x)
        middle = encoder.to_middle(shallow)
        deep = encoder.deep(middle)
        torch.testing.assert_close(encoder.middle(x), middle)
    assert shallow.shape == (2, encoder.shallow_channels, 17, 25)
    assert middle.shape == (2, encoder.middle_channels, 9, 13)
    assert deep.shape == (2, encoder.deep_channels, -(-65 // stride), -(-97 // stride))


@pytest.mark.parametrize("name", ["resnet18", "efficientnet-lite0"])
def test_a_stride_of_16_lies_between(name):
    torch.manual_seed(0)
    encoders = [build_encoder(name, WIDTHS[name], output_stride=stride).eval() for stride in (16, 32)]
    encoders[1].load_state_dict(encoders[0].state_dict())
    x = images(64, 96)
    with torch.no_grad():
        half, full = (encoder.deep(encoder.middle(x)) for encoder in encoders)
    # "SAME" padding centres strided windows on the second pixel of each pair.
    start = int(name.startswith("efficientnet"))
    torch.testing.assert_close(half[:, :, start::2, start::2], full, rtol=1e-3, atol=1e-4)


def test_icnets_stride_of_8_is_the_default():
    assert {name: ENCODERS.get(name)().output_stride for name in WIDTHS} == dict.fromkeys(WIDTHS, 8)


@pytest.mark.parametrize("stride", [0, 4, 12, 64])
def test_another_stride_is_refused(stride):
    with pytest.raises(ConfigurationError, match=rf"output_stride = {stride} is none .* 8, 16 or 32"):
        build_encoder("resnet18", 0.25, output_stride=stride)
