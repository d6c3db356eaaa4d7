"""`controller fit-temperatures` on generated scenes."""

import json

import numpy as np
import pytest
import torch
from scipy.special import entr, softmax
from test_cli import run

from controller.fit_temperatures import Fitting, fit_teachers
from tenth.segmentation.dataset import FolderDataset
from tenth.segmentation.distillation import Reference
from tenth.segmentation.inference import Predictor
from tenth.segmentation.networks import NetworkSpec
from tenth.segmentation.scenes import write_scenes
from tenth.workspace.models import ModelStore


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Scenes, and two teachers of random weights, the second of them surer."""
    folder = tmp_path_factory.mktemp("temperatures")
    write_scenes(folder / "scenes", train=3, val=1, test=1, width=48, height=32, seed=3)
    (folder / "scenes" / "val" / "labels").rename(folder / "hidden")
    dataset = FolderDataset(folder / "scenes")
    options = {"encoder": "resnet18", "width": 0.125, "weights": None}
    spec = NetworkSpec("icnet", len(dataset.classes), options)
    models = ModelStore(folder / "models")
    teachers = []
    for name, sharpness in (("plain", 3.0), ("sure", 12.0)):
        torch.manual_seed(0)
        network = spec.build()
        with torch.no_grad():
            network.classifier.weight *= sharpness
            network.classifier.bias *= sharpness
        version = models.add(network, spec, dataset.classes, metrics={}, parents=[], training={})
        teachers.append(f"{name}={folder / 'models' / version}")
    return folder / "scenes", teachers


def arguments(world, *more):
    dataset, teachers = world
    return ("fit-temperatures", "--dataset", dataset, "--teachers", *teachers, "--device", "cpu", *more)


def test_the_table_ends_with_what_distill_takes(capsys, world):
    code, out, error = run(capsys, *arguments(world))
    assert code == 0, error
    lines = out.splitlines()
    assert lines[0].split()[:3] == ["teacher", "temperature", "mean"]
    assert [line.split()[0] for line in lines[2:4]] == ["plain", "sure"]
    *flags, first, second = lines[-1].split()
    assert flags == ["--form", "kl", "--temperatures"]
    assert float(first) == 4.0  # the first teacher at its thesis temperature
    # Four times as sure takes four times the temperature.
    assert float(second) == pytest.approx(16.0, rel=1e-3)


def test_as_soft_as_wanted_on_the_images_that_were_drawn(capsys, world):
    code, out, error = run(capsys, *arguments(world, "--softness", 0.25, "--size", "32x32", "--json"))
    assert code == 0, error
    result = json.loads(out)
    classes = len(FolderDataset(world[0]).classes)
    assert (result["softness"], result["images"], result["split"]) == (0.25, 3, "train")
    for fit in result["teachers"].values():
        assert fit["entropy"] == pytest.approx(0.25 * np.log(classes), abs=1e-6)
        assert fit["best_nll"] <= min(fit["nll"], fit["nll_unsoftened"]) + 1e-9
    assert result["arguments"] == [
        "--form",
        "kl",
        "--temperatures",
        *(f"{fit['temperature']:.4g}" for fit in result["teachers"].values()),
    ]


def test_entropy_equals_that_of_the_teacher_itself(world):
    dataset, teachers = world
    result = fit_teachers(Fitting(dataset, device="cpu"), teachers, Reference("sure", 7.0))
    store, _, version = teachers[1].partition("=")[2].rpartition("/")
    predictor = Predictor(ModelStore(store).load(version).network, "cpu")
    logits = [predictor.logits(sample.load_image()) for sample in FolderDataset(dataset).split("train")]
    expected = np.mean([entr(softmax(each.astype(np.float64) / 7.0, 0)).sum(0) for each in logits])
    assert result["teachers"]["sure"]["entropy"] == pytest.approx(expected, rel=1e-5)
    assert result["teachers"]["plain"]["entropy"] == pytest.approx(expected, rel=1e-5)


def test_images_are_drawn_by_the_seed_and_need_no_labels(capsys, world):
    dataset, teachers = world

    def temperature(seed):
        fitting = Fitting(dataset, images=1, seed=seed, device="cpu")
        return fit_teachers(fitting, teachers, Reference("plain", 4.0))["teachers"]["plain"]["entropy"]

    assert temperature(0) == temperature(0)
    assert len({temperature(seed) for seed in range(6)}) == 3
    code, out, error = run(capsys, *arguments(world, "--split", "val"))
    assert code == 0, error
    assert out.splitlines()[2].split()[3:] == ["–", "–", "–", "–"]


def test_a_teacher_from_hugging_face(world, save_segformer, tmp_path):
    dataset, teachers = world
    names = FolderDataset(dataset).classes.names
    save_segformer(tmp_path, [name.upper() for name in names])
    result = fit_teachers(Fitting(dataset, device="cpu"), [teachers[0], f"seg=hf:{tmp_path}"], 0.9)
    assert list(result["teachers"]) == ["plain", "seg"]
    assert result["teachers"]["seg"]["entropy"] == pytest.approx(0.9 * np.log(len(names)), abs=1e-6)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--softness", "1"), "not in the range"),
        (("--softness", "0.3", "--like", "sure=3"), "give one of them"),
        (("--like", "third=3"), "the teachers are plain, sure"),
        (("--like", "sure"), "as in icnet=4"),
        (("--like", "sure=-1"), "as in icnet=4"),
        (("--images", "0"), "not in the range"),
        (("--teachers", "plain=nowhere"), "names no teacher"),
    ],
)
def test_what_cannot_be_is_refused(capsys, world, more, said):
    code, _, error = run(capsys, *arguments(world, *more))
    assert code == 2
    assert said in error


def test_no_such_split_is_bad_data(capsys, world):
    code, _, error = run(capsys, *arguments(world, "--split", "nowhere"))
    assert code == 5
    assert "no split 'nowhere'" in error
