from __future__ import annotations

import pytest
import torch
from network_contract import NetworkContract, built, images
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tenth.segmentation.networks import NetworkSpec, build_network
from tenth.segmentation.networks.enet import max_pool, max_unpool


class TestENet(NetworkContract):
    spec = NetworkSpec("enet", 5)
    bfloat16_error = 0.2  # rounding moves maxima, and with them what is unpooled


SPEC = TestENet.spec


def test_parameters_are_those_of_the_papers_table():
    def norm(channels):
        return 2 * channels

    def bottleneck(channels, taps, slopes):
        inner = channels // 4
        count = 2 * channels * inner + taps * inner**2 + 2 * norm(inner) + norm(channels)
        return count + (2 * inner + channels if slopes else 0)

    def down(inputs, outputs):
        inner = outputs // 4
        count = 4 * inputs * inner + 9 * inner**2 + inner * outputs + 2 * norm(inner) + norm(outputs)
        return count + 2 * inner + outputs

    def up(inputs, outputs):
        inner = outputs // 4
        count = inputs * outputs + inputs * inner + 9 * inner**2 + inner * outputs
        return count + 2 * norm(inner) + 2 * norm(outputs)

    classes = 19
    expected = 27 * 13 + norm(16) + 16
    expected += down(16, 64) + 4 * bottleneck(64, 9, True)
    expected += down(64, 128) + 12 * bottleneck(128, 9, True) + 4 * bottleneck(128, 10, True)
    expected += up(128, 64) + 2 * bottleneck(64, 9, False)
    expected += up(64, 16) + bottleneck(16, 9, False)
    expected += 4 * 16 * classes + classes
    found = sum(p.numel() for p in build_network("enet", classes).parameters())
    assert found == expected == 363_618
    # Table 2 says 0.37 million. The authors' release has 693 biases more, and counts no less than ours.
    assert found == pytest.approx(0.37e6, rel=0.02)


def test_context_is_the_papers_order_of_dilated_and_asymmetric_bottlenecks():
    kinds = []
    for bottleneck in built(SPEC).context:
        convolutions = [m for m in bottleneck.extension[1].modules() if isinstance(m, nn.Conv2d)]
        kinds.append([(*m.kernel_size, m.dilation[0]) for m in convolutions])
    regular, asymmetric = [(3, 3, 1)], [(5, 1, 1), (1, 5, 1)]
    assert kinds == 2 * [
        regular, [(3, 3, 2)], asymmetric, [(3, 3, 4)], regular, [(3, 3, 8)], asymmetric, [(3, 3, 16)],
    ]  # fmt: skip


def test_dropout_is_spatial_and_weak_in_the_first_stage():
    network = built(SPEC)
    rates = [m.p for m in network.modules() if isinstance(m, nn.Dropout2d)]
    assert rates[:5] == [0.01] * 5
    assert rates[5:22] == [0.1] * 17
    assert not any(rates[22:])  # the decoder


def test_only_the_encoder_has_prelu():
    network = built(SPEC)
    names = {name.split(".")[0] for name, m in network.named_modules() if isinstance(m, nn.PReLU)}
    assert names == {"initial", "down1", "stage1", "down2", "context"}


@pytest.mark.parametrize("size", [(8, 6), (7, 9), (1, 1), (5, 2), (1, 4)])
def test_unpooling_puts_the_maxima_back_at_the_exact_size(size):
    x = images(*size) + 10
    maxima, indices = max_pool(x)
    assert maxima.shape[-2:] == ((size[0] + 1) // 2, (size[1] + 1) // 2)
    found = max_unpool(maxima, indices, x.shape)
    torch.testing.assert_close(found, F.max_unpool2d(maxima, indices, 2, output_size=list(size)))
    kept = found != 0
    torch.testing.assert_close(found[kept], x[kept])
    assert kept.sum() == maxima.numel()


def test_unpooling_of_a_known_map():
    x = torch.tensor([[[[1.0, 2, 5], [4, 3, 6], [7, 8, 9]]]])
    maxima, indices = max_pool(x)
    assert maxima.tolist() == [[[[4, 6], [8, 9]]]]
    assert indices.tolist() == [[[[3, 5], [7, 8]]]]
    assert max_unpool(-maxima, indices, x.shape).tolist() == [[[[0, 0, 0], [-4, 0, -6], [0, -8, -9]]]]


def test_an_odd_border_is_seen():
    network = built(SPEC).eval()
    x = images(65, 97, count=1)
    other = x.clone()
    other[..., -1, -1] += 5
    with torch.no_grad():
        change = (network(other) - network(x)).abs().sum(1)[0]
    assert change[-1, -1] > 0


def test_the_deepest_map_is_an_eighth():
    network = built(SPEC).eval()
    seen = []
    network.context.register_forward_hook(lambda _, inputs, output: seen.append(output.shape))
    with torch.no_grad():
        network(images(64, 96))
    assert seen == [(2, 128, 8, 12)]


def test_unpooling_has_no_operation_that_onnx_lacks():
    make_fx = torch.fx.experimental.proxy_tensor.make_fx
    graph = make_fx(lambda x: max_unpool(*max_pool(x), x.shape))(images(7, 9))
    called = {str(node.target) for node in graph.graph.nodes if node.op == "call_function"}
    assert any("scatter" in name for name in called)
    assert not any("unpool" in name for name in called)
