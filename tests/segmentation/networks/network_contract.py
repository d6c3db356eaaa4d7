"""The test that every network passes. Inherit it and say which network: see test_icnet.py."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load, save

from tenth.segmentation.networks import NetworkSpec, SegmentationNetwork


def images(height: int, width: int, count: int = 2, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, 3, height, width, generator=torch.Generator().manual_seed(seed))


def built(spec: NetworkSpec, seed: int = 0) -> SegmentationNetwork:
    torch.manual_seed(seed)
    return spec.build()


class NetworkContract:
    """Set `spec` in the subclass, with random initial weights, so that the tests need no file."""

    spec: NetworkSpec

    @pytest.fixture()
    def network(self) -> SegmentationNetwork:
        return built(self.spec)

    @pytest.mark.parametrize(("height", "width"), [(64, 96), (65, 97), (47, 33), (120, 31), (1, 1), (5, 200)])
    def test_any_size_gives_logits_of_that_size(self, network, height, width):
        network.eval()
        with torch.no_grad():
            logits = network(images(height, width))
        assert logits.shape == (2, self.spec.classes, height, width)
        assert logits.dtype == torch.float32
        assert logits.isfinite().all()

    @pytest.mark.parametrize(("height", "width"), [(64, 96), (65, 97), (47, 33)])
    def test_training_outputs_start_with_the_main_one(self, network, height, width):
        outputs = network.training_outputs(images(height, width))
        assert outputs[0].weight == 1.0
        for output in outputs:
            assert output.weight > 0
            assert output.logits.shape[:2] == (2, self.spec.classes)
            assert 1 <= output.logits.shape[2] <= height
            assert 1 <= output.logits.shape[3] <= width

    def test_the_main_output_is_what_forward_enlarges(self, network):
        network.eval()
        x = images(64, 96)
        with torch.no_grad():
            full, main = network(x), network.training_outputs(x)[0].logits
        enlarged = torch.nn.functional.interpolate(
            main, full.shape[-2:], mode="bilinear", align_corners=False
        )
        assert (full - enlarged).abs().max() < 1e-5 * full.abs().max()

    def test_gradients_reach_every_parameter(self, network):
        outputs = network.training_outputs(images(96, 128))
        sum(output.weight * output.logits.square().mean() for output in outputs).backward()
        without = [
            name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0
        ]
        assert without == []

    def test_a_step_of_training_lowers_the_loss(self, network):
        x = images(64, 96)
        optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
        losses = []
        for _ in range(4):
            loss = torch.stack([
                output.weight * torch.nn.functional.cross_entropy(
                    output.logits, torch.ones(2, *output.logits.shape[2:], dtype=torch.long)
                )
                for output in network.training_outputs(x)
            ]).sum()  # fmt: skip
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(float(loss.detach()))
        assert losses[-1] < losses[0]

    def test_the_state_survives_a_round_trip(self, network):
        network.training_outputs(images(64, 96))  # moves the running statistics off their start
        other = built(NetworkSpec.from_dict(json.loads(json.dumps(self.spec.to_dict()))), seed=1)
        other.load_state_dict(load(save(network.state_dict())))
        x = images(64, 96)
        with torch.no_grad():
            torch.testing.assert_close(network.eval()(x), other.eval()(x), rtol=0, atol=0)

    def test_the_description_survives_a_round_trip(self):
        assert NetworkSpec.from_dict(json.loads(json.dumps(self.spec.to_dict()))) == self.spec

    def test_the_same_seed_builds_and_trains_the_same(self):
        first, second = built(self.spec), built(self.spec)
        x = images(64, 96)
        for a, b in zip(first.training_outputs(x), second.training_outputs(x), strict=True):
            torch.testing.assert_close(a.logits, b.logits, rtol=0, atol=0)
        for (name, a), (_, b) in zip(first.state_dict().items(), second.state_dict().items(), strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=0, msg=name)

    def test_training_moves_the_statistics_and_evaluation_nothing(self, network):
        before = {name: value.clone() for name, value in network.state_dict().items()}
        x = images(64, 96)
        network.eval()
        with torch.no_grad():
            first, second = network(x), network(x)
        torch.testing.assert_close(first, second, rtol=0, atol=0)
        assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
        network.train()
        network.training_outputs(x)
        assert any(not torch.equal(value, before[name]) for name, value in network.state_dict().items())

    def test_evaluation_does_not_mix_images(self, network):
        network.eval()
        x = images(64, 96)
        with torch.no_grad():
            together, alone = network(x), network(x[1:])
        assert (together[1:] - alone).abs().max() < 1e-5 * alone.abs().max()

    def test_normalisation_is_three_positive_numbers(self, network):
        assert len(network.mean) == len(network.std) == 3
        assert all(0 <= value <= 1 for value in network.mean)
        assert all(value > 0 for value in network.std)
