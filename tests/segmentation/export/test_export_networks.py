"""ONNX exports of each network against torch, with new weights that see several classes."""

import numpy as np
import pytest
import torch

from tenth.segmentation.device import to_input
from tenth.segmentation.export import ExportMetadata, write_exported
from tenth.segmentation.inference import Predictor
from tenth.segmentation.networks import NetworkSpec
from tenth.segmentation.scenes import SCENE_CLASSES, generate_scene

SIZE = (47, 66)  # no multiple of anything: halves are rounded up on the way down, which the way up undoes
NETWORKS = {
    "enet": {},
    "erfnet": {},
    "deeplabv3": {"encoder": "resnet18", "width": 0.125},
    "espnetv2": {"scale": 0.5},
    "deeplabv3plus": {"encoder": "mobilenetv3-large", "width": 0.5},
    "icnet": {"encoder": "resnet18", "width": 0.125},
}


def opinionated(network, images):
    """Let a new network see several classes: settle its batch norms, spread and centre its logits.

    As it comes from `build`, all classes are about equally probable, and one is ahead in all pixels.
    """
    batch = to_input(np.stack(images), network, torch.device("cpu"))
    with torch.no_grad():
        network.train()
        for _ in range(30):
            network(batch)
        logits = network.eval()(batch)
        factor = 3 / logits.std()
        network.classifier.weight *= factor
        network.classifier.bias *= factor
        network.classifier.bias -= factor * logits.mean((0, 2, 3))
    return network


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_the_onnx_file_of_each_network_agrees_with_torch(name, tmp_path):
    spec = NetworkSpec(name, len(SCENE_CLASSES), NETWORKS[name])
    images = [generate_scene(seed, SIZE[1], SIZE[0])[0] for seed in (10, 11)]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = opinionated(spec.build(pretrained=False), images)
    seen = np.unique([Predictor(network, "cpu").labels(image) for image in images])
    assert len(seen) >= 3  # else agreeing would be easy
    metadata = ExportMetadata(
        "v0001-0123abcd", "0123abcd" * 8, spec, SCENE_CLASSES, network.mean, network.std, SIZE
    )
    parity = write_exported(network, metadata, "onnx", tmp_path / "model.onnx", images)
    assert (parity.images, parity.pixels) == (2, 2 * SIZE[0] * SIZE[1])
    assert parity.agreement > 0.999
    assert 0 < parity.max_difference < 1e-4
