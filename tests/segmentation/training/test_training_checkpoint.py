import logging

import pytest
import torch
from tiny_network import TinyNetwork

from tenth.segmentation.training.checkpoint import Checkpoint, digest_of
from tenth.segmentation.weights_file import write_weights

IDENTITY = {"options": {"seed": 0}, "images": "abc"}


def example(value: float = 1.5) -> Checkpoint:
    shared = torch.arange(24.0).reshape(2, 3, 4, 1).contiguous(memory_format=torch.channels_last)
    tensors = {"a": shared, "b": shared, "c": torch.tensor(value), "d": torch.tensor([1, 2])}
    return Checkpoint(IDENTITY, {"losses": [0.1, 1 / 3], "value": value}, tensors)


def test_round_trip_is_exact(tmp_path):
    path = tmp_path / "folder" / "training.safetensors"
    example().save(path)
    found = Checkpoint.load(path, IDENTITY)
    assert found is not None
    assert found.state == example().state
    assert found.tensors.keys() == example().tensors.keys()
    assert all(torch.equal(found.tensors[name], tensor) for name, tensor in example().tensors.items())
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_none_without_a_file_and_without_a_warning(tmp_path, caplog):
    assert Checkpoint.load(tmp_path / "none", IDENTITY) is None
    assert not caplog.records


@pytest.mark.parametrize("damage", ["cut", "empty", "garbage", "foreign"])
def test_a_broken_file_is_reported_and_not_used(tmp_path, caplog, damage):
    path = tmp_path / "training.safetensors"
    example().save(path)
    if damage == "foreign":
        write_weights(path, {"a": torch.zeros(1)})
    else:
        data = path.read_bytes()
        path.write_bytes({"cut": data[: len(data) // 2], "empty": b"", "garbage": b"\xff" * 100}[damage])
    with caplog.at_level(logging.WARNING):
        assert Checkpoint.load(path, IDENTITY) is None
    assert str(path) in caplog.text
    assert "cannot be read" in caplog.text


def test_another_training_is_reported_and_not_used(tmp_path, caplog):
    example().save(tmp_path / "t")
    assert Checkpoint.load(tmp_path / "t", IDENTITY | {"images": "def"}) is None
    assert "images differ" in caplog.text


def test_digest_knows_names_values_types_and_shapes():
    base = {"a": torch.arange(4.0)}
    others = [
        {"b": torch.arange(4.0)},
        {"a": torch.arange(4.0) + 1e-6},
        {"a": torch.arange(4.0).view(torch.int32)},
        {"a": torch.arange(4.0).reshape(2, 2)},
    ]
    assert digest_of(base) == digest_of({"a": torch.arange(4.0)})
    assert len({digest_of(tensors) for tensors in [base, *others]}) == 5
    assert digest_of(TinyNetwork(seed=0).state_dict()) != digest_of(TinyNetwork(seed=1).state_dict())
