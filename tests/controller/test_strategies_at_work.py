"""Settings reach the strategies, and a real network makes the maps that each of them needs."""

import numpy as np
import pytest
import torch
from test_choose import changed, choose, chosen

from controller.maps import Division, View
from controller.strategies import STRATEGIES, RoundContext, build_strategy
from tenth.errors import ConfigurationError
from tenth.segmentation.crf import CRFOptions
from tenth.segmentation.inference import Predictor
from tenth.segmentation.networks import build_network


@pytest.fixture(scope="module")
def predictor():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = build_network("icnet", 4, encoder="resnet18", width=0.125, dropout=0.5)
    return Predictor(network, "cpu", "f32")


@pytest.mark.parametrize("name", STRATEGIES.names())
def test_from_a_picture_to_what_is_asked(name, predictor):
    rng = np.random.default_rng(0)
    picture = np.kron(rng.integers(0, 255, (4, 6, 3), np.uint8), np.ones((8, 8, 1), np.uint8))
    strategy = build_strategy(name, seed=1)
    means = rng.normal(size=(4, 128)).astype(np.float32)
    view = View(
        strategy, predictor, CRFOptions(iterations=1), committee=[predictor], passes=3,
        context=RoundContext(np.full(4, 0.25), means),
    )  # fmt: skip
    regions = Division(count=12).regions(strategy, picture)
    chosen = strategy.select(view.maps(picture, regions), 600)
    again = strategy.select(view.maps(picture, regions), 600)
    assert chosen == again
    assert np.isin(regions, chosen).sum() <= 600
    assert chosen or strategy.unit == "image"
    if strategy.unit == "pixel":
        assert len(chosen) == 600


def test_options_come_from_the_configuration(learned):
    loop = changed(learned, selection__strategy="entropy-edge", selection__edge_weight=3.5)
    assert loop.strategy.edge_weight == 3.5
    with pytest.raises(ConfigurationError, match="edge_weight"):
        changed(learned, selection__edge_weight=1.0)


def test_dropout_is_part_of_the_network_where_there_is_some(learned):
    assert "dropout" not in learned.network_spec.options  # as of models from before the setting
    loop = changed(learned, network__dropout=0.3)
    assert loop.network_spec.options["dropout"] == 0.3
    assert loop.network_spec.build().dropout.p == 0.3


def test_passes_without_dropout_are_refused(learned):
    loop = changed(learned, selection__strategy="mc-dropout")
    with pytest.raises(ConfigurationError, match=r"has no dropout.*\[network\]"):
        choose(loop)


@pytest.mark.parametrize("strategy", ["random-regions", "sp", "sp-crf-class", "sp-crf-class-share"])
def test_a_group_by_each_strategy_of_regions(learned, strategy):
    loop = changed(learned, selection__strategy=strategy)
    result = choose(loop)
    assert result["images"] == 2
    assert result["regions"] > 0
    assert result["remainder_pixels"] >= 0
    first = [(each.id, each.score) for each in chosen(loop)]
    choose(loop)
    assert [(each.id, each.score) for each in chosen(loop)] == first
