from __future__ import annotations

import pytest
import torch

from tenth.errors import ConfigurationError, DataError
from tenth.segmentation.networks import (
    ENCODERS,
    NETWORKS,
    NetworkSpec,
    ScaledLogits,
    SegmentationNetwork,
    build_network,
)


class Constant(SegmentationNetwork):
    """A network of another package."""

    def __init__(self, classes: int, value: float = 0.0) -> None:
        super().__init__(classes)
        self.value = value

    def forward(self, x):
        return torch.full((len(x), self.classes, *x.shape[2:]), self.value)

    def training_outputs(self, x):
        return [ScaledLogits(1.0, self.forward(x))]


@pytest.fixture()
def entry_point(tmp_path, monkeypatch):
    """An installed package with an entry point, as pip would leave it."""
    (tmp_path / "other_networks.py").write_text("from test_network_registry import Constant\n")
    info = tmp_path / "other_networks-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other-networks\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[tenth.networks]\nconstant = other_networks:Constant\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield
    NETWORKS._entries.pop("constant", None)


def test_what_there_is():
    assert "icnet" in NETWORKS.names()
    assert {"resnet18", "resnet50", "efficientnet-lite0"} <= set(ENCODERS.names())


def test_another_package_joins_by_entry_point(entry_point):
    assert "constant" in NETWORKS.names()
    network = build_network("constant", 3, value=2.0)
    assert isinstance(network, SegmentationNetwork)
    assert network(torch.zeros(1, 3, 2, 2)).unique().tolist() == [2.0]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("icnt", {}, "Did you mean 'icnet'"),
        ("icnet", {"encoder": 5}, "no encoder called '5'. Known: .*resnet18"),
        ("icnet", {"encoder": ["resnet18"]}, "no encoder called '.*Known: .*resnet18"),
        ("icnet", {"encoder": None}, "no encoder called 'None'. Known: .*resnet18"),
        ("icnet", {"encode": "resnet18"}, "no option 'encode'. Did you mean 'encoder'"),
        ("icnet", {"encoder": "resnet-50"}, "Did you mean 'resnet50'"),
        ("icnet", {"encoder": "resnet18", "width": 0}, "width = 0"),
        ("icnet", {"encoder": "resnet18", "weights": "/no/such.pth"}, "no weights file '/no/such.pth'"),
    ],
)
def test_what_cannot_be_built_is_named(name, options, message):
    with pytest.raises(ConfigurationError, match=message):
        build_network(name, 3, **options)


def test_one_class_is_refused():
    with pytest.raises(ConfigurationError, match="1 classes"):
        build_network("icnet", 1)


def test_a_stored_network_is_built_without_its_initial_weights():
    spec = NetworkSpec(
        "icnet", 3, {"encoder": "resnet18", "width": 0.25, "weights": "/gone.pth", "weights_sha256": "0" * 64}
    )
    with pytest.raises(ConfigurationError, match="/gone"):
        spec.build()
    assert spec.build(pretrained=False).classes == 3


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"name": "icnet", "classes": "3", "options": {}},
        {"name": "icnet", "classes": 3},
        {"name": 1, "classes": 3, "options": {}},
    ],
)
def test_a_broken_description_is_refused(data):
    with pytest.raises(DataError, match="Not a network"):
        NetworkSpec.from_dict(data)


def test_weights_reach_the_encoder():
    network = build_network("icnet", 3, encoder="efficientnet-lite0", weights="imagenet")
    other = ENCODERS.get("efficientnet-lite0")(1.0)
    other.load_pretrained("imagenet")
    for name, value in network.encoder.state_dict().items():
        torch.testing.assert_close(value, other.state_dict()[name], rtol=0, atol=0, msg=name)
    assert network.mean == other.mean != SegmentationNetwork.mean


@pytest.mark.parametrize("width", ["abc", "0.5", True, None])
def test_an_option_that_is_a_number_takes_no_other(width):
    with pytest.raises(
        ConfigurationError, match=r"Option 'width' of network 'icnet' is a number, such as 1\.0"
    ):
        build_network("icnet", 3, encoder="resnet18", width=width)
