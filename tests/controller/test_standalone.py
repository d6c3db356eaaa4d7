"""Trainings without a workspace that share a folder: each resumes after a kill, whatever the others do."""

import signal
from dataclasses import replace

import pytest
import torch

from controller.distill import distill
from controller.standalone import Standalone, train_alone
from tenth.segmentation.distillation import DistillationLoss
from tenth.segmentation.scenes import write_scenes
from tenth.segmentation.training.run import Run
from tenth.workspace.models import ModelStore

OPTIONS = {"encoder": "resnet18", "width": 0.125, "weights": None}
LOSS = DistillationLoss(4.0)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Two data sets and two teachers."""
    folder = tmp_path_factory.mktemp("alone")
    for seed, name in enumerate(("scenes", "others")):
        write_scenes(folder / name, train=3, val=1, test=1, width=48, height=32, seed=seed)
    for seed in range(2):
        train_alone(job_of(folder, folder / "models", iterations=1, seed=seed))
    return folder


def job_of(world, out, **changes):
    job = Standalone(world / "scenes", out, "icnet", 4, (48, 32), OPTIONS, batch_size=2, device="cpu")
    return replace(job, **changes)


def teachers_of(world):
    models = ModelStore(world / "models")
    return [f"{name}={models.folder / version}" for name, version in zip("ab", models.names(), strict=True)]


def alone(world, out, **changes):
    return train_alone(job_of(world, out, **changes))["version"]


def taught(world, out, teachers=slice(0, 1), **changes):
    job = job_of(world, out, **changes)
    # By IoU the second teacher counts as well; stacked, soft labels may be those of the first alone.
    return distill(job, teachers_of(world)[teachers], [], LOSS, weighting="iou")["version"]


@pytest.fixture
def killed(monkeypatch):
    """Interrupt a call in its second step, by Ctrl-C; return the steps of the calls that follow."""
    steps, real = [], Run.step

    def step(self, batch):
        steps.append(self.result.iterations)
        if interrupting and len(steps) == 2:
            signal.raise_signal(signal.SIGINT)
        return real(self, batch)

    def kill(call):
        interrupting.append(True)
        with pytest.raises(KeyboardInterrupt):
            call()
        interrupting.clear()
        steps.clear()
        return steps

    interrupting = []
    monkeypatch.setattr(Run, "step", step)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in jobs of a shell
    yield kill
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
    ("call", "other"),
    [
        (alone, {"size": (32, 24)}),
        (alone, {"size": None, "dataset": "others"}),
        (alone, {"seed": 1}),
        (taught, {"size": (32, 24)}),
        (taught, {"teachers": slice(0, 2)}),
    ],
)
def test_another_training_in_the_folder_leaves_the_checkpoint_alone(
    world, tmp_path, killed, caplog, call, other
):
    if "dataset" in other:
        other = other | {"dataset": world / other["dataset"]}
    steps = killed(lambda: call(world, tmp_path / "out"))
    (left,) = (tmp_path / "out").glob("*.checkpoint")
    call(world, tmp_path / "out", **other)
    assert steps == [0, 1, 2, 3]
    assert list((tmp_path / "out").glob("*.checkpoint")) == [left]
    steps.clear()
    version = call(world, tmp_path / "out")
    assert steps == [2, 3]
    assert not caplog.records
    assert list((tmp_path / "out").glob("*.checkpoint")) == []
    whole = call(world, tmp_path / "whole")
    found, expected = (
        ModelStore(tmp_path / name).load(each).network.state_dict()
        for name, each in (("out", version), ("whole", whole))
    )
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, rtol=0, atol=0)


def test_changed_labels_are_another_training(world, tmp_path, killed, caplog):
    """In the same place: what tells trainings apart is what is learned, not where it is."""
    scenes = tmp_path / "scenes"
    write_scenes(scenes, train=3, val=1, test=1, width=48, height=32, seed=0)
    killed(lambda: alone(world, tmp_path / "out", dataset=scenes))
    first, second, _ = sorted((scenes / "train" / "labels").iterdir())
    first.write_bytes(second.read_bytes())
    alone(world, tmp_path / "out", dataset=scenes)
    assert len(list((tmp_path / "out").glob("*.checkpoint"))) == 1
    assert not caplog.records
