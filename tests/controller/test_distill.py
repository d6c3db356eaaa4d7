"""`controller distill` on generated scenes, from teachers that `controller train --network` made."""

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
from test_cli import run

from controller.distill import distill, load_teacher, temperatures_of
from controller.find_teacher import find_teacher
from controller.simulation.images import load_pictures
from controller.standalone import Standalone
from tenth.errors import ConfigurationError, DataError
from tenth.segmentation.classes import ClassSet, LabelClass
from tenth.segmentation.dataset import FolderDataset, Sample
from tenth.segmentation.distillation import DistillationLoss, class_weights, stacked_weights, store
from tenth.segmentation.inference import Predictor
from tenth.segmentation.scenes import write_scenes
from tenth.workspace.models import ModelStore

TINY = ("--option", "encoder=resnet18", "--option", "width=0.125", "--option", "weights=null")
COMMON = ("--batch-size", 2, "--size", "48x32", "--device", "cpu", "--json")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Scenes and two teachers, made by the command."""
    folder = tmp_path_factory.mktemp("distill")
    write_scenes(folder / "scenes", train=3, val=1, test=1, width=48, height=32, seed=3)
    return folder


@pytest.fixture(scope="module")
def teachers(world):
    patch = pytest.MonkeyPatch()
    patch.delenv("TENTH_WORKSPACE", raising=False)
    job = Standalone(
        world / "scenes",
        world / "models",
        "icnet",
        iterations=2,
        size=(48, 32),
        network_options={"encoder": "resnet18", "width": 0.125, "weights": None},
        batch_size=2,
        device="cpu",
    )
    from controller.standalone import train_alone

    first = train_alone(job)["folder"]
    other = Standalone(**{**vars(job), "seed": 1})
    second = train_alone(other)["folder"]
    patch.undo()
    return Path(first), Path(second)


def arguments(world, teachers, *more, temperatures=("--temperatures", 4, 3)):
    first, second = teachers
    given = ("--teachers", f"one={first}", f"two={second}", *temperatures)
    data = ("--dataset", world / "scenes", "--student", "icnet", "--iterations", 3)
    return ("distill", *data, *given, *TINY, *COMMON, *more)


def test_end_to_end(capsys, world, teachers, tmp_path):
    code, out, error = run(capsys, *arguments(world, teachers, "--out", tmp_path / "students"))
    assert code == 0, error
    report = json.loads(out)
    folder = Path(report["folder"])
    assert report == json.loads((folder / "distillation.json").read_text())
    assert list(report["models"]) == ["one", "two", "ensemble", "student"]
    assert {name: sorted(model["splits"]) for name, model in report["models"].items()} == {
        "one": ["test", "train", "val"],
        "two": ["test", "train", "val"],
        "ensemble": ["test", "train", "val"],
        "student": ["test", "val"],
    }
    for model in report["models"].values():
        for figures in model["splits"].values():
            known = [iou for iou in figures["class_iou"] if iou is not None]
            assert figures["miou"] == pytest.approx(np.mean(known))
    assert report["loss"]["form"] == "dist"
    assert report["loss"]["temperature"] == 1
    assert report["images"] == {"train": 3, "unlabelled": 0}
    assert report["train_seconds"] > 0
    loaded = ModelStore(folder.parent).load(folder.name)
    assert list(loaded.info.parents) == [each.name for each in teachers]
    assert sorted(path.name for path in folder.parent.glob("*.checkpoint")) == []
    soft = sorted((tmp_path / "students" / "soft-labels").glob("*/labels/*"))
    assert len(soft) == 3


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), {"form": "dist", "weight": 1.0}),
        (("--form", "kl"), {"weight": 100.0, "class_weighted": True, "reduction": "pixels-classes"}),
        (("--form", "cwd"), {"form": "cwd", "weight": 3.0, "temperature": 1.0}),
        (("--form", "dist", "--temperature-squared"), {"weight": 1.0, "temperature_squared": True}),
        (("--stride", "1"), {"form": "dist", "stride": 1}),
        (
            (
                "--form",
                "kl",
                "--direction",
                "student-teacher",
                "--no-class-weighted",
                "--reduction",
                "pixels",
            ),
            {"direction": "student-teacher", "class_weighted": False, "reduction": "pixels"},
        ),
        (("--form", "dist", "--weight", "7", "--kl-only"), {"weight": 7.0, "hard_weight": 0.0}),
    ],
)
def test_every_form_of_the_loss_can_be_asked_for(capsys, world, teachers, tmp_path, options, expected):
    code, out, error = run(capsys, *arguments(world, teachers, "--out", tmp_path / "students", *options))
    assert code == 0, error
    assert expected.items() <= json.loads(out)["loss"].items()


def test_teachers_are_stacked_on_val_or_weighed_by_their_iou_on_train(capsys, world, teachers, tmp_path):
    reports = {}
    for weighting in ("stacked", "iou"):
        more = ("--out", tmp_path / "students", "--weighting", weighting)
        code, out, error = run(capsys, *arguments(world, teachers, *more))
        assert code == 0, error
        reports[weighting] = json.loads(out)
        assert reports[weighting]["weighting"] == weighting
    weights = {
        weighting: np.array([report["models"][name]["weights"] for name in ("one", "two")])
        for weighting, report in reports.items()
    }
    ious = [
        np.array(reports["iou"]["models"][name]["splits"]["train"]["class_iou"], np.float64)
        for name in ("one", "two")
    ]
    np.testing.assert_array_equal(weights["iou"], class_weights(ious))
    dataset = FolderDataset(world / "scenes")
    predictors = {
        str(folder): Predictor(ModelStore(folder.parent).load(folder.name).network, "cpu")
        for folder in teachers
    }
    val = load_pictures(dataset.split("val"), (48, 32))
    classes = len(dataset.classes)
    np.testing.assert_array_equal(weights["stacked"], stacked_weights(predictors, val, classes))
    assert len(list((tmp_path / "students" / "soft-labels").iterdir())) == 2


def test_teachers_need_a_val_to_be_weighed_by(capsys, world, teachers, tmp_path):
    scenes = shutil.copytree(world / "scenes", tmp_path / "scenes")
    shutil.rmtree(scenes / "val")
    data = ("distill", "--dataset", scenes, "--student", "icnet", "--iterations", 1, *TINY, *COMMON)
    one, two = (f"{name}={folder}" for name, folder in zip(("one", "two"), teachers, strict=True))
    several = (*data, "--teachers", one, two, "--out", tmp_path / "out")
    code, out, _ = run(capsys, *several)
    message = json.loads(out)["message"]
    assert code == 2
    assert "split 'val'" in message and "--weighting iou" in message
    assert not (tmp_path / "out" / "soft-labels").exists()
    assert run(capsys, *several, "--weighting", "iou")[0] == 0
    code, out, _ = run(capsys, *data, "--teachers", one, "--out", tmp_path / "one")
    assert code == 0
    assert json.loads(out)["weighting"] is None


@pytest.mark.parametrize(("form", "temperature"), [("kl", 4.0), ("dist", 1.0)])
def test_the_form_says_how_soft_teachers_are(capsys, world, teachers, tmp_path, form, temperature):
    given = arguments(world, teachers, "--out", tmp_path / "students", "--form", form, temperatures=())
    code, out, error = run(capsys, *given)
    assert code == 0, error
    models = json.loads(out)["models"]
    assert [models[name]["temperature"] for name in ("one", "two")] == [temperature] * 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--student", "enetx"), "Did you mean 'enet'?"),
        (("--iterations", 0), "iterations = 0"),
        (("--option", "foo=1"), "no option 'foo'"),
        (("--option", "weights=imagenet"), "width = 1 only"),
        (("--kl-only", "--weight", 0), "neither the soft labels nor the labels"),
        (("--learning-rate", 0), "learning_rate = 0"),
        (("--no-class-weighted",), "--class-weighted is of --form kl, and the form is 'dist'"),
        (("--no-pseudo-labels",), "about the images of --unlabelled"),
        (("--pseudo-labels", "--unlabelled", "drive", "--form", "kl"), "leave them out otherwise"),
    ],
)
def test_a_student_that_cannot_be_trained_is_refused_before_any_work(
    capsys, world, tmp_path, monkeypatch, options, said
):
    read = []
    monkeypatch.setattr("controller.distill.read_material", lambda *_: read.append(1))
    out = tmp_path / "students"
    document = json.loads(run(capsys, *arguments(world, ("a", "b"), "--out", out, *options))[1])
    assert document["exit_code"] == 2 and said in document["message"]
    assert read == []


def job_of(world, out):
    options = {"encoder": "resnet18", "width": 0.125, "weights": None}
    return Standalone(world / "scenes", out, "icnet", 2, (48, 32), options, batch_size=2, device="cpu")


class Killed(BaseException):
    """Ends the writing the way a signal does."""


def test_soft_labels_resume_and_know_their_teachers(world, teachers, tmp_path, monkeypatch, caplog):
    """A killed call goes on with the image it was at; other temperatures get labels of their own beside."""
    names = [f"{name}={folder}" for name, folder in zip("ab", teachers, strict=True)]
    written = []
    real = store.SoftLabelStore.write

    def counting(self, key, probabilities):
        if limit is not None and len(written) == limit:
            raise Killed
        written.append(key)
        real(self, key, probabilities)

    monkeypatch.setattr(store.SoftLabelStore, "write", counting)
    limit = 2
    loss = DistillationLoss(4.0)
    with pytest.raises(Killed):
        distill(job_of(world, tmp_path), names, [4, 3], loss)
    limit = None
    distill(job_of(world, tmp_path), names, [4, 3], loss)
    assert len(written) == len(set(written)) == 3
    assert "soft labels" not in caplog.text
    distill(job_of(world, tmp_path), names, [4, 5], loss)
    assert len(written) == 6
    distill(job_of(world, tmp_path), names, [4, 3], loss)
    assert len(written) == 6  # those of the first temperatures are still there
    assert "soft labels" not in caplog.text


def test_teachers_by_workspace_and_what_is_refused(world, teachers, tmp_path):
    dataset = FolderDataset(world / "scenes")
    folder = teachers[0]
    workspace = tmp_path / "w"
    workspace.mkdir()
    (workspace / "models").symlink_to(folder.parent)
    found = load_teacher(f"a={workspace}:{folder.name}", dataset)
    assert found.identity == load_teacher(f"b={folder}", dataset).identity
    for text in ("a", f"={folder}", "a=nowhere", f"a={workspace}:v0009-00000000"):
        with pytest.raises(ConfigurationError, match="names no teacher"):
            load_teacher(text, dataset)
    other = FolderDataset(world / "scenes")
    other.classes = ClassSet("two", (LabelClass(0, "a", (0, 0, 0)), LabelClass(1, "b", (1, 1, 1))))
    with pytest.raises(ConfigurationError, match="same classes"):
        load_teacher(f"a={folder}", other)
    assert temperatures_of([found, found], []) == [4.0, 4.0]
    assert temperatures_of([found, found], [], "dist") == [1.0, 1.0]
    assert temperatures_of([found, found], [1.0, 2.0], "dist") == [1.0, 2.0]
    with pytest.raises(ConfigurationError, match="1 temperatures do not fit 2 teachers"):
        temperatures_of([found, found], [1.0])


@pytest.mark.parametrize("wrong", [0.0, -1.0, math.nan, math.inf])
def test_a_wrong_temperature_is_found_before_any_image_is_read(world, teachers, tmp_path, monkeypatch, wrong):
    reading = []
    monkeypatch.setattr(Sample, "load", reading.append)
    names = [f"{name}={folder}" for name, folder in zip("ab", teachers, strict=True)]
    with pytest.raises(ConfigurationError, match=f"temperature of {wrong} cannot soften"):
        distill(job_of(world, tmp_path), names, [4.0, wrong], DistillationLoss(4.0))
    assert not reading


def test_a_teacher_from_hugging_face(world, teachers, save_segformer, tmp_path, caplog):
    dataset = FolderDataset(world / "scenes")
    save_segformer(tmp_path / "hf", dataset.classes.names)
    names = [f"one={teachers[0]}", f"seg=hf:{tmp_path / 'hf'}"]
    report = distill(job_of(world, tmp_path / "out"), names, [], DistillationLoss(4.0))
    said = report["models"]["seg"]
    assert (said["version"], said["network"]["name"]) == (f"hf:{tmp_path / 'hf'}", "segformer")
    assert said["temperature"] == 4.0
    assert sorted(said["splits"]) == ["test", "train", "val"]
    assert 0 < said["parameters"] < 100_000
    assert not caplog.records
    save_segformer(tmp_path / "hf", dataset.classes.names, seed=1)
    other = distill(job_of(world, tmp_path / "out"), names, [], DistillationLoss(4.0))
    assert (
        len(list((tmp_path / "out" / "soft-labels").iterdir())) == 2
    )  # the other model's beside the first's
    assert other["version"] != report["version"]
    (tmp_path / "hf" / "model.safetensors").unlink()
    with pytest.raises(DataError, match="no weights"):
        find_teacher(names[1], dataset)


def test_names_of_teachers_are_their_own(capsys, world, teachers, tmp_path):
    first = teachers[0]
    for names in ((f"a={first}", f"a={first}"), (f"student={first}",)):
        code, _, error = run(
            capsys,
            "distill",
            "--dataset",
            world / "scenes",
            "--student",
            "icnet",
            "--out",
            tmp_path,
            "--teachers",
            *names,
            "--size",
            "48x32",
            "--quiet",
        )
        assert code == 2
        assert "name of its own" in error


def test_training_alone_from_the_command_line(capsys, world, tmp_path):
    alone = ("train", "--network", "icnet", "--dataset", world / "scenes", "--out", tmp_path)
    code, out, error = run(capsys, *alone, "--iterations", 1, *TINY, *COMMON)
    assert code == 0, error
    result = json.loads(out)
    assert sorted(result["splits"]) == ["test", "val"]
    assert ModelStore(tmp_path).load(result["version"]).info.training["iterations"] == 1


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--network", "icnet"), "--dataset, --out, --iterations as well"),
        (("--seed", "1"), "--seed belongs to --network"),
        (("--option", "a=1"), "--option belongs to --network"),
        (
            ("-w", ".", "--network", "icnet", "--dataset", ".", "--out", ".", "--iterations", "1"),
            "leave --workspace away",
        ),
    ],
)
def test_the_two_forms_of_training_are_not_mixed(capsys, more, said):
    code, _, error = run(capsys, "train", *more)
    assert code == 2
    assert said in error
