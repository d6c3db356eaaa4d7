from __future__ import annotations

import pytest
import torch
from network_contract import NetworkContract, built, images
from torch.nn import functional as F  # noqa: N812

from tenth.segmentation.networks import NetworkSpec
from tenth.segmentation.networks.icnet import pyramid_pooling, resize


class TestICNetResNet18(NetworkContract):
    spec = NetworkSpec("icnet", 5, {"encoder": "resnet18", "width": 0.25})


class TestICNetResNet50(NetworkContract):
    spec = NetworkSpec("icnet", 3, {"encoder": "resnet50", "width": 0.25})


class TestICNetLite0(NetworkContract):
    spec = NetworkSpec("icnet", 4, {"encoder": "efficientnet-lite0", "width": 0.5})


SPEC = TestICNetResNet18.spec


def test_losses_have_the_weights_and_scales_of_the_cascade():
    outputs = built(SPEC).training_outputs(images(96, 160))
    assert [output.weight for output in outputs] == [1.0, 0.4, 0.16]
    assert [tuple(output.logits.shape[2:]) for output in outputs] == [(24, 40), (12, 20), (6, 10)]


def test_training_starts_from_even_odds():
    for output in built(SPEC).training_outputs(images(96, 160)):
        probabilities = output.logits.softmax(1)
        assert 0.1 < probabilities.min() < probabilities.max() < 0.4  # five classes


def test_the_encoder_sees_half_the_image_once_and_the_low_branch_half_of_its_map():
    network = built(SPEC)
    seen = {}
    middle, deep = network.encoder.middle, network.encoder.deep
    network.encoder.middle = lambda x: seen.setdefault("middle", (x, middle(x)))[1]
    network.encoder.deep = lambda x: seen.setdefault("deep", (x, deep(x)))[1]
    x = images(64, 96)
    network(x)
    torch.testing.assert_close(seen["middle"][0], F.avg_pool2d(x, 2))
    assert seen["middle"][1].shape[2:] == (4, 6)  # 1/16 of the image
    torch.testing.assert_close(seen["deep"][0], F.avg_pool2d(seen["middle"][1], 2))
    assert seen["deep"][1].shape[2:] == (2, 3)  # 1/32: dilation, no further stride


def test_classifying_before_enlarging_is_what_the_paper_does_in_the_other_order():
    network = built(SPEC).eval()
    fused = torch.randn(1, 128, 8, 12)
    with torch.no_grad():
        ours = network._classify(fused, torch.Size((1, 3, 64, 96)))
        papers = network.classifier(resize(fused, (16, 24)))
    torch.testing.assert_close(ours, papers, rtol=1e-4, atol=1e-5)


def test_pyramid_pooling_of_six_by_six_is_known():
    x = torch.arange(36.0).reshape(1, 1, 6, 6)
    means = [F.adaptive_avg_pool2d(x, bins) for bins in (1, 2, 3, 6)]  # equal bins where b divides the size
    torch.testing.assert_close(pyramid_pooling(x), x + sum(resize(mean, (6, 6)) for mean in means))


@pytest.mark.parametrize("size", [(1, 1), (2, 5), (7, 11), (33, 65), (34, 13)])
def test_pyramid_pooling_keeps_a_constant_map_and_its_size(size):
    torch.testing.assert_close(
        pyramid_pooling(torch.full((2, 3, *size), 0.5)), torch.full((2, 3, *size), 2.5)
    )


def test_pyramid_pooling_needs_no_adaptive_pooling():
    graph = torch.fx.experimental.proxy_tensor.make_fx(pyramid_pooling)(torch.randn(1, 2, 15, 21))
    called = {str(node.target) for node in graph.graph.nodes if node.op == "call_function"}
    assert any("avg_pool2d" in name for name in called)
    assert not any("adaptive" in name for name in called)
