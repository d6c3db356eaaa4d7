import json

import pytest
import torch

from tenth.errors import ConfigurationError
from tenth.segmentation.training import TrainingOptions


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("iterations", 0),
        ("batch_size", 0),
        ("learning_rate", 0.0),
        ("learning_rate", float("nan")),
        ("power", -1.0),
        ("momentum", 1.0),
        ("weight_decay", -1e-4),
        ("crop", (0, 10)),
        ("scale", (2.0, 0.5)),
        ("scale", (0.0, 1.0)),
        ("colour", 1.0),
        ("class_weighting", "frequent"),
        ("seed", -1),
        ("precision", "f16"),
        ("checkpoint_every", 0),
        ("workers", -1),
        ("patience", 3),
        ("consistency", -1.0),
        ("consistency", float("nan")),
        ("ema", 1.0),
        ("ema", -0.1),
        ("mix", "cutmix"),
        ("mix", "classmix"),
        ("ramp", 1.5),
        ("class_trust", (0.5, 1.5)),
        ("class_trust", (0.5, float("nan"))),
    ],
)
def test_refuses_by_name_and_value(name, value):
    with pytest.raises(ConfigurationError) as error:
        TrainingOptions(**{"iterations": 10} | {name: value})
    assert name in str(error.value)
    assert str(value) in str(error.value)


def test_identity_survives_json_and_knows_what_matters():
    options = TrainingOptions(10, crop=(3, 4))
    semi = TrainingOptions(10, consistency=1.0, mix="classmix", class_trust=(0.5, 1.0))
    assert json.loads(json.dumps(semi.identity())) == semi.identity()
    assert json.loads(json.dumps(options.identity())) == options.identity()
    assert TrainingOptions(10, crop=(3, 4), workers=3, checkpoint_every=7).identity() == options.identity()
    assert TrainingOptions(10, crop=(3, 4), seed=1).identity() != options.identity()


@pytest.mark.parametrize(("threads", "expected"), [(1, 1), (3, 3), (64, 4)])
def test_a_gpu_has_more_images_loaded_ahead(monkeypatch, threads, expected):
    monkeypatch.setattr("torch.get_num_threads", lambda: threads)
    assert TrainingOptions(1).loaders(torch.device("cuda")) == expected
    assert TrainingOptions(1).loaders(torch.device("cpu")) == 1
    assert TrainingOptions(1, workers=0).loaders(torch.device("cuda")) == 0
