"""`controller distill` killed and called again: nothing is measured, written, trained or stored twice."""

import json
import shutil
import time

import pytest
import torch

import controller.distill
from controller.distill import distill
from controller.standalone import Standalone
from tenth.errors import ConfigurationError, DataError
from tenth.segmentation.dataset import FolderDataset
from tenth.segmentation.distillation import DistillationLoss, SoftLabelStore
from tenth.segmentation.inference import Predictor
from tenth.segmentation.networks import NetworkSpec
from tenth.segmentation.scenes import write_scenes
from tenth.segmentation.training.run import Run
from tenth.workspace.models import ModelStore

OPTIONS = {"encoder": "resnet18", "width": 0.125, "weights": None}
LOSS = DistillationLoss(4.0)


class Killed(BaseException):
    """Ends a call the way a signal does."""


class Work:
    """Counts what is done, and kills what does too much of it."""

    def __init__(self, monkeypatch):
        self.done = {}
        self.limits = {}
        for name, owner, method in (
            ("predicted", Predictor, "labels"),
            ("weighed", Predictor, "probabilities"),
            ("asked", Predictor, "logits"),
            ("written", SoftLabelStore, "write"),
            ("trained", Run, "step"),
        ):
            monkeypatch.setattr(owner, method, self._counting(name, getattr(owner, method)))

    def _counting(self, name, real):
        def counting(*arguments):
            if self.done.get(name) == self.limits.get(name, -1):
                raise Killed
            self.done[name] = self.done.get(name, 0) + 1
            return real(*arguments)

        return counting

    def of(self, call, **limits):
        """Return what a call did; it is killed where there are limits."""
        self.done, self.limits = dict.fromkeys(limits, 0), limits
        if limits:
            with pytest.raises(Killed):
                call()
        else:
            call()
        self.limits = {}
        return self.done


@pytest.fixture
def work(monkeypatch):
    return Work(monkeypatch)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Scenes with a split that nobody has labelled, and two teachers of random weights."""
    folder = tmp_path_factory.mktemp("again")
    scenes = folder / "scenes"
    write_scenes(scenes, train=3, val=1, test=1, width=48, height=32, seed=3)
    write_scenes(folder / "more", train=2, val=1, test=1, width=60, height=40, seed=4)
    (scenes / "drive").mkdir()
    (folder / "more" / "train" / "images").rename(scenes / "drive" / "images")
    dataset = FolderDataset(scenes)
    spec = NetworkSpec("icnet", len(dataset.classes), OPTIONS)
    models = ModelStore(folder / "models")
    for seed in range(2):
        torch.manual_seed(seed)
        models.add(spec.build(), spec, dataset.classes, metrics={}, parents=[], training={})
    return folder


@pytest.fixture
def world(made, tmp_path):
    """A copy to change."""
    return shutil.copytree(made, tmp_path / "world")


def call(world, **options):
    models = ModelStore(world / "models")
    teachers = [
        f"{name}={models.folder / version}" for name, version in zip("ab", models.names(), strict=True)
    ]
    job = Standalone(
        world / "scenes", world / "out", "icnet", 2, (48, 32), OPTIONS, batch_size=2, device="cpu"
    )
    return distill(job, teachers, [4, 3], options.pop("loss", LOSS), **options)


def without_seconds(report):
    return {name: value for name, value in report.items() if not name.endswith("seconds")}


def damage_teachers(world):
    for path in (world / "models").glob("*/weights.safetensors"):
        path.write_bytes(b"")


def test_what_was_measured_is_kept(world, work):
    # Each teacher predicts 3 + 1 + 1 images; the second is killed at its last.
    work.of(lambda: call(world), predicted=9)
    # That one, and the student's two. Two teachers are weighed on 1 image, write soft labels of 3, and are
    # measured together on 2.
    assert work.of(lambda: call(world)) == {
        "predicted": 3,
        "weighed": 2,
        "asked": 10,
        "written": 3,
        "trained": 2,
    }


def test_no_teacher_is_loaded_for_what_is_there(world, work):
    work.of(lambda: call(world), trained=1)
    damage_teachers(world)
    assert work.of(lambda: call(world)) == {"predicted": 2, "trained": 2}
    # What has to be asked anew needs them.
    next((world / "out" / "soft-labels").glob("*/labels/*")).unlink()
    with pytest.raises(DataError, match="not what was stored"):
        call(world)


def test_a_teacher_of_other_weights_or_other_labels_is_measured(world, work):
    call(world)
    models = ModelStore(world / "models")
    dataset = FolderDataset(world / "scenes")
    spec = NetworkSpec("icnet", len(dataset.classes), OPTIONS)
    shutil.rmtree(models.folder / models.names()[1])
    torch.manual_seed(2)
    models.add(spec.build(), spec, dataset.classes, metrics={}, parents=[], training={})
    # The new one on 5 images, the new student on 2.
    assert work.of(lambda: call(world)) == {
        "predicted": 7,
        "weighed": 2,
        "asked": 10,
        "written": 3,
        "trained": 2,
    }
    val, test = (next((world / "scenes" / split / "labels").iterdir()) for split in ("val", "test"))
    before = test.read_bytes()
    shutil.copy(val, test)
    # Both teachers, the ensemble and the student on that image; nothing is trained.
    assert work.of(lambda: call(world)) == {"predicted": 3, "asked": 2}
    val.write_bytes(before)
    # By other labels of val teachers are weighed anew.
    assert work.of(lambda: call(world))["weighed"] == 2


def test_a_damaged_measurement_is_made_again(world, work, caplog):
    report = call(world)
    for path in (world / "out" / "measured").iterdir():
        path.write_text(path.read_text()[:-20])
    again = call(world)
    assert without_seconds(again) == without_seconds(report)
    assert "is damaged" in caplog.text


def test_killed_before_the_report_there_is_one_version(world, work, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(controller.distill, "write_text", lambda *_: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            call(world)
    (version,) = ModelStore(world / "out").names()
    assert not (world / "out" / version / "distillation.json").exists()
    damage_teachers(world)
    reports = []
    assert work.of(lambda: reports.append(call(world))) == {}
    (report,) = reports
    assert ModelStore(world / "out").names() == [version] == [report["version"]]
    assert json.loads((world / "out" / version / "distillation.json").read_text()) == report
    assert sorted(report["models"]["student"]["splits"]) == ["test", "val"]
    assert list((world / "out").glob("*.checkpoint")) == []
    # Called once more, a call that ended only reports.
    assert call(world) == report


def test_another_training_is_another_version(world):
    job = Standalone(
        world / "scenes", world / "out", "icnet", 2, (48, 32), OPTIONS, batch_size=2, device="cpu"
    )
    teacher = f"a={next((world / 'models').glob('v*'))}"
    versions = [
        distill(each, [teacher], [4], loss)["version"]
        for each, loss in (
            (job, LOSS),
            (Standalone(**{**vars(job), "seed": 1}), LOSS),
            (job, DistillationLoss(5.0)),
        )
    ]
    assert ModelStore(world / "out").names() == versions


def test_seconds_are_summed_over_killed_calls(world, work, monkeypatch):
    real = Predictor.logits
    slow = 0.05

    def slowly(*arguments):
        time.sleep(slow)
        return real(*arguments)

    monkeypatch.setattr(Predictor, "logits", slowly)
    start = time.perf_counter()
    work.of(lambda: call(world), written=2)
    work.of(lambda: call(world), trained=1)
    spent = time.perf_counter() - start
    report = call(world)
    # Two teachers are asked for each of three images, in two calls; the call that reports has asked nobody.
    assert 6 * slow <= report["soft_label_seconds"] <= spent
    assert call(world)["soft_label_seconds"] == report["soft_label_seconds"]
    assert report["train_seconds"] > 0


def test_images_without_labels_are_learned_from(world, work):
    # Nobody looks at what is where their labels would be.
    labels = world / "scenes" / "drive" / "labels"
    labels.mkdir()
    for image in (world / "scenes" / "drive" / "images").iterdir():
        (labels / f"{image.stem}.png").write_bytes(b"no picture")
    alone = call(world)
    assert work.of(lambda: call(world, unlabelled="drive")) == {
        "predicted": 2,
        "asked": 4,
        "written": 2,
        "trained": 2,
    }
    report = call(world, unlabelled="drive")
    assert report["images"] == {"train": 3, "unlabelled": 2}
    assert report["version"] != alone["version"]
    assert report["soft_label_seconds"] > alone["soft_label_seconds"]
    # Resized like all the others.
    (folder,) = (world / "out" / "soft-labels-unlabelled").iterdir()
    identity = json.loads((folder / "soft_labels.json").read_text())["identity"]
    store = SoftLabelStore.open(folder, identity)
    key = FolderDataset(world / "scenes").split("drive")[0].key
    assert store.read(key).shape[1:] == (32, 48)
    # Pseudo-labels make another student, of the same soft labels; the KL divergence has no use for them.
    dist = DistillationLoss(4.0, 1.0, "dist")
    with_them, without = (
        call(world, unlabelled="drive", loss=dist, pseudo=pseudo) for pseudo in (True, False)
    )
    assert with_them["version"] != without["version"]
    assert call(world, unlabelled="drive", pseudo=False)["version"] == report["version"]
    found = [each["pseudo_labels"] for each in (alone, report, without, with_them)]
    assert found == [False, False, False, True]
    # The same from a folder: other keys, hence other soft labels and another student.
    folder = world / "scenes" / "drive" / "images"
    other = call(world, unlabelled=str(folder))
    assert other["images"] == {"train": 3, "unlabelled": 2}
    assert len({alone["version"], report["version"], other["version"]}) == 3


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("train", "is trained or measured on"),
        ("test", r"give another one \(drive\)"),
        ("nowhere", "neither a split of .* nor a folder"),
    ],
)
def test_what_holds_no_images_without_labels_is_refused(world, where, said):
    with pytest.raises(ConfigurationError, match=said):
        call(world, unlabelled=where)
