"""The test that every network passes. Inherit it and say which network: see test_icnet.py."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load, save

from tenth.segmentation.networks import NetworkSpec, SegmentationNetwork
from tenth.segmentation.training.loss import segmentation_loss


def images(height: int, width: int, count: int = 2, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, 3, height, width, generator=torch.Generator().manual_seed(seed))


def built(spec: NetworkSpec, seed: int = 0) -> SegmentationNetwork:
    torch.manual_seed(seed)
    return spec.build()


class NetworkContract:
    """Set `spec` in the subclass, with random initial weights, so that the tests need no file."""

    spec: NetworkSpec
    bfloat16_error = 0.05
    """Largest mean deviation in bfloat16, as a share of the mean logit."""

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

    def test_a_few_steps_learn_a_small_picture(self, network):
        x = 0.2 * images(64, 96)
        x[..., 48:] += 1.0
        labels = torch.zeros(2, 64, 96, dtype=torch.uint8)
        labels[..., 48:] = 1
        optimizer = torch.optim.Adam(network.parameters(), lr=0.003)
        losses = []
        for step in range(6):
            torch.manual_seed(step)
            loss = segmentation_loss(network.training_outputs(x), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(float(loss.detach()))
        assert losses[-1] < 0.9 * losses[0]

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
        outputs = []
        for network in (first, second):
            torch.manual_seed(7)  # of dropout
            outputs.append(network.training_outputs(x))
        for a, b in zip(*outputs, strict=True):
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

    @pytest.mark.slow
    def test_it_exports_at_a_fixed_size(self, network):
        network.training_outputs(images(64, 96))  # moves the running statistics off their start
        network.eval()
        exported = torch.export.export(network, (images(49, 67, count=1),)).module()
        other = images(49, 67, count=1, seed=1)  # what the export saw must not have become a constant
        with torch.no_grad():
            torch.testing.assert_close(exported(other), network(other), rtol=1e-4, atol=1e-5)

    def test_bfloat16_and_channels_last_give_nearly_the_same(self, network):
        network.eval()
        x = images(64, 96)
        with torch.no_grad():
            expected = network(x)
            network.to(memory_format=torch.channels_last)
            with torch.autocast("cpu", torch.bfloat16):
                found = network(x.contiguous(memory_format=torch.channels_last)).float()
        assert (found - expected).abs().mean() < self.bfloat16_error * expected.abs().mean()

    def test_training_in_bfloat16_has_finite_gradients(self, network):
        network.to(memory_format=torch.channels_last)
        x = images(65, 97).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            outputs = network.training_outputs(x)
        sum(output.logits.float().square().mean() for output in outputs).backward()
        assert all(p.grad.isfinite().all() for p in network.parameters())

    def test_normalisation_is_three_positive_numbers(self, network):
        assert len(network.mean) == len(network.std) == 3
        assert all(0 <= value <= 1 for value in network.mean)
        assert all(value > 0 for value in network.std)
