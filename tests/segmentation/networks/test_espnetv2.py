from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
import torch
from network_contract import NetworkContract, built, images
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tenth.errors import ConfigurationError, DataError
from tenth.segmentation.class_mapping import CLASS_MAPPINGS
from tenth.segmentation.networks import NetworkSpec, build_network
from tenth.segmentation.networks.espnetv2_decoder import adaptive_mean
from tenth.segmentation.networks.espnetv2_eesp import EESP, StridedEESP, convolution, dilations, half
from tenth.segmentation.networks.espnetv2_encoder import ESPNetv2Encoder
from tenth.segmentation.networks.espnetv2_weights import UNUSED, renamed

FOLDER = os.environ.get("TENTH_ESPNETV2_WEIGHTS")
released = pytest.mark.skipif(not FOLDER, reason="TENTH_ESPNETV2_WEIGHTS does not name the weights' folder")


class TestESPNetv2(NetworkContract):
    spec = NetworkSpec("espnetv2", 5, {"scale": 0.5})


class TestMappedESPNetv2(NetworkContract):
    class_map = {  # noqa: RUF012
        "sources": ["road", "car", "void", "bus", "sky"],
        "targets": {"Vehicle": ["car", "bus"], "Ground": ["road"], "Sky": ["sky"]},
    }
    spec = NetworkSpec("espnetv2", 3, {"scale": 0.5, "class_map": class_map})


def parameters(*modules: nn.Module) -> int:
    return sum(p.numel() for module in modules for p in module.parameters())


def weights_file(scale: float) -> str:
    return str(Path(FOLDER) / f"espnetv2_s_{scale}_city_1024x512.pth")


def test_branches_see_no_more_than_the_receptive_field():
    assert dilations(13) == dilations(9) == [1, 2, 3, 4]
    assert dilations(7) == [1, 1, 2, 3]
    assert dilations(5) == [1, 1, 1, 2]


@pytest.mark.parametrize("size", [(8, 12), (7, 5), (1, 1)])
def test_units_keep_or_halve_the_size(size):
    x, image = torch.randn(2, 32, *size), torch.randn(2, 3, *((side + 1) // 2 for side in size))
    assert EESP(32, 32, 9).eval()(x).shape == (2, 32, *size)
    assert StridedEESP(32, 64, 9).eval()(x, image).shape == (2, 64, *image.shape[-2:])


def test_branches_are_added_up_from_the_least_dilated():
    unit = EESP(16, 16, 9).eval()
    seen = []
    unit.merged.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    x = torch.randn(1, 16, 9, 9)
    unit(x)
    reduced = unit.reduce(x)
    each = [branch(reduced) for branch in unit.branches]
    expected = torch.cat([sum(each[: k + 1]) for k in range(4)], 1)
    torch.testing.assert_close(seen[0], expected)


def test_a_unit_that_adds_nothing_is_its_activation():
    unit = EESP(16, 16, 9).eval()
    nn.init.zeros_(unit.expand.norm.weight)
    x = torch.randn(1, 16, 5, 5)
    torch.testing.assert_close(unit(x), F.prelu(x, torch.tensor(0.25)))


def test_halving_counts_what_lies_beyond_the_edge_as_zero():
    x = torch.ones(1, 1, 4, 4)
    expected = torch.tensor([[4.0, 6.0], [6.0, 9.0]]) / 9
    torch.testing.assert_close(half(x)[0, 0], expected)


@pytest.mark.parametrize(
    ("given", "bins"),
    [((6, 9), (4, 6)), ((12, 8), (6, 4)), ((7, 13), (5, 5)), ((3, 1), (5, 5)), ((17, 30), (6, 7))],
)
def test_adaptive_mean_is_adaptive_average_pooling(given, bins):
    x = torch.randn(2, 3, *given, dtype=torch.float64)
    torch.testing.assert_close(adaptive_mean(x, bins), F.adaptive_avg_pool2d(x, bins))


def test_no_operation_of_the_network_is_adaptive_pooling():
    network = built(TestESPNetv2.spec).eval()
    graph = torch.export.export(network, (images(64, 96, count=1),)).graph
    called = {str(node.target) for node in graph.nodes if node.op == "call_function"}
    assert any("index_select" in name for name in called)
    assert not any("adaptive" in name for name in called)


# The paper states 1.24, 1.67 and 3.49 M with the ImageNet classifier; the released models' page 0.08, 0.23
# and 0.79 M for segmentation.
@pytest.mark.parametrize(
    ("scale", "last", "paper", "page"),
    [(0.5, 1024, 1.24, 0.08), (1.0, 1024, 1.67, 0.23), (2.0, 1280, 3.49, 0.79)],
)
def test_parameters_are_as_many_as_the_authors_say(scale, last, paper, page):
    encoder = ESPNetv2Encoder(scale)
    deepest = 2 * encoder.channels[-1]
    classifier = (
        StridedEESP(encoder.channels[-1], deepest, 7),
        *(EESP(deepest, deepest, 5) for _ in range(3)),
        convolution(deepest, deepest, 3, groups=deepest),
        convolution(deepest, last, 1, groups=4),
        nn.Linear(last, 1000),
    )
    assert parameters(encoder, *classifier) / 1e6 == pytest.approx(paper, abs=0.01)
    assert parameters(build_network("espnetv2", 20, scale=scale)) / 1e6 == pytest.approx(page, abs=0.005)


@pytest.mark.parametrize("scale", [0.25, 0.75, 1.1, 0, -1, 5])
def test_scales_whose_channels_cannot_be_shared_are_refused(scale):
    with pytest.raises(ConfigurationError, match=f"scale = {scale}"):
        build_network("espnetv2", 5, scale=scale)


def test_a_mapping_to_another_number_of_classes_is_refused():
    with pytest.raises(ConfigurationError, match=r"11 classes.*is to have 5"):
        build_network("espnetv2", 5, scale=0.5, class_map="cityscapes-camvid")


def test_weights_of_another_network_are_refused(tmp_path):
    torch.save({"conv1.weight": torch.ones(1)}, tmp_path / "w.pth")
    with pytest.raises(DataError, match=r"w\.pth' are not those of an ESPNetv2"):
        build_network("espnetv2", 20, scale=0.5, weights=str(tmp_path / "w.pth"))


def test_two_names_for_one_tensor_are_refused():
    with pytest.raises(DataError, match=r"encoder\.stem\.conv\.weight"):
        renamed({"base_net.level1.conv.weight": torch.ones(1), "encoder.stem.conv.weight": torch.ones(1)})


@released
@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
def test_every_released_tensor_is_used_once(scale):
    state = torch.load(weights_file(scale), map_location="cpu", weights_only=True)
    assert state.keys() >= UNUSED
    network = build_network("espnetv2", 20, scale=scale, weights=weights_file(scale))
    assert len(renamed(state)) == len(state) - len(UNUSED) == len(network.state_dict())
    own = network.state_dict()
    assert all(torch.equal(own[name], value) for name, value in renamed(state).items())


@released
@pytest.mark.parametrize("name", CLASS_MAPPINGS)
def test_a_mapped_network_is_the_cityscapes_network_mapped(name):
    options = {"scale": 0.5, "weights": weights_file(0.5)}
    x = images(48, 64)
    with torch.no_grad():
        whole = build_network("espnetv2", 20, **options).eval()(x)
        mapped = build_network("espnetv2", 11, class_map=name, **options).eval()(x)
    torch.testing.assert_close(mapped, CLASS_MAPPINGS[name].mapped_logits(whole), rtol=1e-4, atol=1e-4)


@released
def test_released_weights_that_do_not_fit_are_refused():
    with pytest.raises(ConfigurationError, match="know 20 classes, not 11; set class_map"):
        build_network("espnetv2", 11, scale=0.5, weights=weights_file(0.5))
    with pytest.raises(DataError, match="another size"):
        build_network("espnetv2", 20, scale=1.0, weights=weights_file(0.5))
    with pytest.raises(DataError, match="SHA-256"):
        build_network(
            "espnetv2",
            20,
            scale=0.5,
            weights=weights_file(0.5),
            weights_sha256=hashlib.sha256(b"").hexdigest(),
        )


@released
def test_a_stored_mapped_network_is_built_again_without_the_weights_file():
    options = {"scale": 0.5, "weights": weights_file(0.5), "class_map": "cityscapes-camvid"}
    spec = NetworkSpec("espnetv2", 11, options)
    first, again = spec.build().eval(), spec.build(pretrained=False).eval()
    again.load_state_dict(first.state_dict())
    x = images(32, 48)
    with torch.no_grad():
        torch.testing.assert_close(first(x), again(x), rtol=0, atol=0)
