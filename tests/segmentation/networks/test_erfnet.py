from __future__ import annotations

import torch
from network_contract import NetworkContract, built, images
from torch.nn import functional as F  # noqa: N812

from tenth.segmentation.networks import NetworkSpec, build_network
from tenth.segmentation.networks.erfnet import NonBottleneck1D


class TestERFNet(NetworkContract):
    spec = NetworkSpec("erfnet", 5)


SPEC = TestERFNet.spec


def test_parameters_are_those_of_the_papers_table():
    def block(channels):  # four convolutions of three taps, two of them with a bias; two normalisations
        return 12 * channels**2 + 2 * channels + 4 * channels

    def resized(inputs, outputs, convolved):
        return 9 * inputs * convolved + 2 * outputs

    classes = 19
    expected = resized(3, 16, 13) + resized(16, 64, 48) + 5 * block(64) + resized(64, 128, 64)
    expected += 8 * block(128) + resized(128, 64, 64) + 2 * block(64) + resized(64, 16, 16) + 2 * block(16)
    expected += 4 * 16 * classes + classes
    found = sum(p.numel() for p in build_network("erfnet", classes).parameters())
    assert found == expected == 2_060_978
    assert round(found / 1e6, 1) == 2.1  # the paper's number


def test_context_dilates_2_4_8_16_twice_and_drops_three_tenths():
    context = built(SPEC).context
    assert [block.second[0].dilation for block in context] == 2 * [(2, 1), (4, 1), (8, 1), (16, 1)]
    assert [block.second[2].dilation for block in context] == 2 * [(1, 2), (1, 4), (1, 8), (1, 16)]
    assert {block.dropout.p for block in context} == {0.3}


def test_dropout_is_weak_before_the_last_shrinking_and_absent_from_the_decoder():
    network = built(SPEC)
    assert [block.dropout.p for block in network.stage2] == [0.03] * 5
    assert {block.dropout.p for block in [*network.stage4, *network.stage5]} == {0.0}


def test_a_block_is_its_formula():
    torch.manual_seed(0)
    block = NonBottleneck1D(6, 0.3, 3).eval()
    state = block.state_dict()
    for name, value in state.items():
        if name.endswith(("running_mean", "3.weight", "3.bias")):
            value.normal_()
    x = torch.randn(2, 6, 9, 11)

    def pair(y, name, d):
        y = F.conv2d(y, state[f"{name}.0.weight"], state[f"{name}.0.bias"], padding=(d, 0), dilation=(d, 1))
        y = F.conv2d(y.relu(), state[f"{name}.2.weight"], padding=(0, d), dilation=(1, d))
        kinds = ("running_mean", "running_var", "weight", "bias")
        return F.batch_norm(y, *(state[f"{name}.3.{kind}"] for kind in kinds), eps=1e-3)

    with torch.no_grad():
        expected = (x + pair(pair(x, "first", 1).relu(), "second", 3)).relu()
        torch.testing.assert_close(block(x.clone()), expected)


def test_maps_are_halved_three_times_and_enlarged_to_their_sizes():
    network = built(SPEC).eval()
    seen = []
    for name in ("down1", "down2", "down3", "up4", "up5"):
        module = getattr(network, name)
        module.register_forward_hook(lambda _, inputs, output: seen.append(tuple(output.shape[1:])))
    with torch.no_grad():
        network(images(65, 98))
    assert seen == [(16, 33, 49), (64, 17, 25), (128, 9, 13), (64, 17, 25), (16, 33, 49)]
