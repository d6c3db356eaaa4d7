"""Models outside of a workspace: exported, measured, used, and taken into one."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rounds import TINY, make_workspace
from test_cli import run

from controller.export import samples_of
from controller.import_model import import_model
from controller.loop import Loop
from controller.standalone import Standalone, train_alone
from controller.train import start_network
from tenth.errors import ConfigurationError, DataError
from tenth.segmentation.classes import IGNORE, ClassSet, LabelClass
from tenth.segmentation.dataset import FolderDataset
from tenth.segmentation.export import load_exported
from tenth.segmentation.images import read_labels
from tenth.segmentation.inference import Predictor
from tenth.segmentation.networks import NetworkSpec
from tenth.segmentation.resized import ResizedPredictor
from tenth.workspace.config_text import set_value
from tenth.workspace.models import ModelStore

OPTIONS = {"encoder": "resnet18", "width": 0.125, "weights": None}


@pytest.fixture(scope="module")
def teacher(tmp_path_factory, learned_folder) -> Path:
    """Folder of a network that a data set alone trained: half as wide as that of `learned`."""
    job = Standalone(
        learned_folder.parent / "scenes",
        tmp_path_factory.mktemp("alone") / "models",
        "icnet",
        iterations=2,
        size=(48, 32),
        network_options=OPTIONS | {"width": 0.0625},
        batch_size=2,
        device="cpu",
    )
    return Path(train_alone(job)["folder"])


@pytest.fixture
def in_no_workspace(tmp_path, monkeypatch):
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def version_of(learned, tmp_path, **changes) -> Path:
    """Return the folder, in a store of its own, of the model in use with something changed."""
    models = learned.workspace.models
    loaded = models.load(models.current())
    store = ModelStore(tmp_path / "store")
    info = replace(loaded.info, **changes)
    version = store.add(
        loaded.network,
        info.spec,
        info.classes,
        metrics={},
        parents=["v0007-00000000"],
        training=info.training,
    )
    return store.folder / version


def test_a_student_goes_from_distillation_to_a_workspace(capsys, caplog, learned, teacher, in_no_workspace):
    dataset, out = learned.dataset.root, in_no_workspace / "students"
    code, text, error = run(
        capsys,
        *(
            "distill",
            "--dataset",
            dataset,
            "--teachers",
            f"one={teacher}",
            "--student",
            "icnet",
            "--out",
            out,
        ),
        *("--option", "encoder=resnet18", "--option", "width=0.0625", "--option", "weights=null"),
        *("--iterations", 2, "--batch-size", 2, "--size", "48x32", "--device", "cpu", "--json"),
    )
    assert code == 0, error
    student = Path(json.loads(text)["folder"])
    ours = ("--model", student, "--dataset", dataset, "--json")

    file = in_no_workspace / "model.onnx"
    code, text, error = run(capsys, "export-model", *ours, "--format", "onnx", "--out", file)
    assert code == 0, error
    report = json.loads(text)
    assert (report["version"], report["size"], report["images"]) == (student.name, "48x32", 1)
    assert report["agreement"] > 0.999
    assert report["max_difference"] < 1e-3
    digest = ModelStore(out).info(student.name).digest
    assert load_exported(file).metadata.digest == digest

    code, text, error = run(
        capsys, "import-model", "-w", learned.workspace.folder, "--model", student, "--use", "--json"
    )
    assert code == 0, error
    assert f"{student.name} was trained on images resized to 48x32" in caplog.text
    version = json.loads(text)["version"]
    models = learned.workspace.models
    assert models.current() == version in models.names()
    loaded = models.load(version)
    assert loaded.info.digest == digest
    assert loaded.info.spec == ModelStore(out).info(student.name).spec
    assert loaded.info.training["imported"]["version"] == student.name
    assert loaded.info.input_size == (32, 48)


def test_a_model_of_a_folder_labels_and_is_measured_at_the_size_of_its_training(
    capsys, learned, teacher, in_no_workspace
):
    dataset = learned.dataset
    sample = dataset.split("test")[0]
    alone = Predictor(ModelStore(teacher.parent).load(teacher.name).network)
    network = ResizedPredictor(alone, (32, 48))
    assert (network.labels(sample.load_image()) != alone.labels(sample.load_image())).any()
    code, text, error = run(
        capsys, "predict", "--model", teacher, "--out", in_no_workspace / "out", sample.image, "--json"
    )
    assert code == 0, error
    (path,) = json.loads(text)["labels"]
    np.testing.assert_array_equal(
        read_labels(path, len(dataset.classes)), network.labels(sample.load_image())
    )
    code, text, error = run(capsys, "evaluate", "--model", teacher, "--dataset", dataset.root, "--json")
    assert code == 0, error
    document = json.loads(text)
    assert (document["version"], document["split"]) == (teacher.name, "test")
    image, labels = sample.load()
    agrees = network.labels(image) == labels
    assert document["pixel_accuracy"] == pytest.approx(agrees[labels != IGNORE].mean())


@pytest.mark.parametrize(
    ("command", "given", "said"),
    [
        ("evaluate", (), "No model is named"),
        ("evaluate", ("--model", ".", "--workspace", "."), "--model and --workspace name a model each"),
        ("evaluate", ("--model", ".", "--version", "v0001-00000000"), "--model and --version name"),
        ("evaluate", ("--model", "."), "--model needs --dataset as well"),
        ("evaluate", ("--workspace", ".", "--dataset", "."), "--dataset belongs to --model"),
        ("evaluate", ("--model", "nowhere", "--dataset", "."), "'nowhere' does not exist"),
        ("export-model", ("--format", "onnx", "--out", "m.onnx"), "No model is named"),
        ("export-model", ("--format", "onnx", "--out", "m.onnx", "--model", "."), "needs --dataset as well"),
        ("predict", ("a.png", "--out", "o"), "No model is named"),
        ("predict", ("a.png", "--out", "o", "--model", ".", "-w", "."), "name a model each"),
        (
            "predict",
            ("a.png", "--out", "o", "--model", ".", "--crf"),
            "--crf takes its weights from a workspace",
        ),
        ("predict", ("a.png", "--out", "o", "--model", "."), "no model.json in it"),
    ],
)
@pytest.mark.usefixtures("in_no_workspace")
def test_one_model_has_to_be_named(capsys, command, given, said):
    code, _, error = run(capsys, command, *given)
    assert code == 2
    assert said in " ".join(error.split())


@pytest.mark.usefixtures("in_no_workspace")
def test_a_workspace_of_the_environment_gives_way_to_a_model(capsys, learned, teacher, monkeypatch):
    monkeypatch.setenv("TENTH_WORKSPACE", str(learned.workspace.folder))
    code, text, error = run(
        capsys, "evaluate", "--model", teacher, "--dataset", learned.dataset.root, "--json"
    )
    assert code == 0, error
    assert json.loads(text)["version"] == teacher.name


def test_images_of_a_data_set_are_of_the_first_split_there_is(learned):
    dataset = FolderDataset(learned.dataset.root)
    assert [sample.key for sample in samples_of(dataset, 5)] == ["val/00000"]
    dataset.__dict__["splits"] = ["train", "test"]
    assert [sample.key for sample in samples_of(dataset, 5)] == ["test/00000"]
    dataset.__dict__["splits"] = ["train"]
    assert [sample.key for sample in samples_of(dataset, 2)] == ["train/00001", "train/00004"]


def test_an_import_is_not_in_use_and_comes_once(learned, teacher):
    models = learned.workspace.models
    before = models.names()
    first = import_model(learned, teacher, use=False)
    assert (first["added"], first["in_use"]) == (True, before[0])
    assert models.names() == [*before, first["version"]]
    again = import_model(learned, teacher, use=False)
    assert again == {**first, "added": False}
    assert models.names() == [*before, first["version"]]


def test_rounds_go_on_from_the_large_network_while_another_is_served(learned, teacher):
    before = learned.workspace.models.current()
    version = import_model(learned, teacher, use=True)["version"]
    models = learned.workspace.models
    assert (models.current(), models.teacher()) == (version, before)
    start_network(learned)  # [network] describes it
    import_model(learned, teacher, use=True)
    assert (models.current(), models.teacher()) == (version, before)


def test_rounds_go_on_from_an_import_of_the_configured_network(learned, teacher, tmp_path):
    models = learned.workspace.models
    loaded = models.load(models.current())
    with_other_colours = ClassSet(
        "other", tuple(replace(each, color=(each.id, 1, 2)) for each in loaded.classes.classes)
    )
    import_model(learned, teacher, use=True)
    folder = version_of(learned, tmp_path, spec=learned.network_spec, classes=with_other_colours)
    version = import_model(learned, folder, use=True)["version"]
    assert (models.current(), models.teacher()) == (version, version)


def test_what_another_workspace_says_of_its_rounds_does_not_count_here(learned, tmp_path):
    """Publishing looks for versions of its own rounds, and for students of its own."""
    classes = replace(learned.classes, name="other")
    folder = version_of(learned, tmp_path, classes=classes, training={"round": 1, "role": "student"})
    info = learned.workspace.models.info(import_model(learned, folder, use=False)["version"])
    assert (info.parents, list(info.training)) == ((), ["imported"])
    assert info.training["imported"]["training"] == {"round": 1, "role": "student"}
    assert info.training["imported"]["parents"] == ["v0007-00000000"]


def test_a_workspace_without_a_model_takes_only_what_it_can_train_on(tmp_path, teacher):
    loop = make_workspace(tmp_path, scenes=(2, 1, 1), size=(48, 32), initial=1, settings=TINY)
    with pytest.raises(ConfigurationError, match="no model yet that rounds could go on from"):
        import_model(loop, teacher, use=True)
    assert loop.workspace.models.names() == []
    assert import_model(loop, teacher, use=False)["in_use"] is None


def test_other_classes_and_altered_weights_are_refused(capsys, learned, teacher, tmp_path):
    classes = ClassSet("two", (LabelClass(0, "cat", (0, 0, 0)), LabelClass(1, "dog", (1, 1, 1))))
    spec = NetworkSpec("icnet", 2, OPTIONS | {"width": 0.0625})
    store = ModelStore(tmp_path / "two")
    other = store.add(spec.build(), spec, classes, metrics={}, parents=[], training={})
    folder, before = learned.workspace.folder, learned.workspace.models.names()
    code, _, error = run(capsys, "import-model", "-w", folder, "--model", store.folder / other)
    assert code == 2
    assert "knows the classes cat, dog, but" in error
    code, _, error = run(
        capsys, "evaluate", "--model", store.folder / other, "--dataset", learned.dataset.root
    )
    assert (code, "knows the classes cat, dog, but" in error) == (2, True)
    altered = shutil.copytree(teacher, tmp_path / "altered" / teacher.name)
    with (altered / "weights.safetensors").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\x55")
    with pytest.raises(DataError, match="the digest differs"):
        import_model(learned, altered, use=True)
    assert Loop.open(folder).workspace.models.names() == before


def test_a_training_does_not_go_on_from_a_model_of_other_classes(learned, tmp_path):
    other = shutil.copytree(learned.dataset.root, tmp_path / "other")
    document = json.loads((other / "classes.json").read_text())
    document["classes"].append({"id": len(document["classes"]), "name": "tram", "color": [1, 2, 3]})
    (other / "classes.json").write_text(json.dumps(document))
    set_value(learned.config.file, "data", "dataset", str(other))
    with pytest.raises(ConfigurationError, match=r"Model v0001-\w+ knows the classes .*but .*tram"):
        start_network(Loop.open(learned.workspace.folder))
