"""A round with `[distill]`: the small network is taught, compared, and served once it is good enough."""

import gc
import json
import shutil
from dataclasses import asdict
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from rounds import make_workspace
from students import (
    STUDENT,
    change,
    copied,
    make_taught,
    run_rounds_after_the_first,
    trained_round,
)
from test_cli import run
from test_round import nobody

import controller.student as student_module
from controller.initialize import create_or_change
from controller.lessons import TaughtWeighedImage, taught
from controller.loop import Loop
from controller.plan import planned
from controller.publish import find_version, point
from controller.report import write_report
from controller.retrain import retrain
from controller.round import begin, learn_initial, learning, next_round
from controller.status import round_rows
from controller.steps import last_round, results, run_steps
from controller.student import ROLE, check_distillation, soft_label_folder, start_student, student_spec
from controller.train import trained_network, training_images
from controller.verdict import Verdict, judge
from ls_backend.app import build_predictions
from ls_backend.versions import version_for
from tenth.errors import ConfigurationError
from tenth.segmentation.distillation import SoftLabelStore, stacked_weights
from tenth.segmentation.inference import Predictor
from tenth.segmentation.networks import SegmentationNetwork
from tenth.segmentation.training.run import Run
from tenth.workspace.distill_settings import DistillSection
from tenth.workspace.models import ModelStore


class Killed(BaseException):
    """Ends a call the way a signal does."""


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, {"form": "dist", "weight": 1.0, "temperature": 1.0}),
        ({"form": "kl"}, {"weight": 100.0, "temperature": 5.0, "class_weighted": True}),
        ({"form": "cwd"}, {"form": "cwd", "weight": 3.0, "temperature": 1.0}),
        ({"weight": 2.0, "temperature_squared": True}, {"weight": 2.0, "temperature_squared": True}),
        ({"student_temperature": 2.0}, {"weight": 1.0, "temperature": 2.0}),
        ({"stride": 1}, {"form": "dist", "stride": 1}),
        (
            {"form": "kl", "reduction": "pixels", "class_weighted": False},
            {"reduction": "pixels", "class_weighted": False},
        ),
    ],
)
def test_the_configuration_chooses_the_loss(changed, expected):
    settings = DistillSection(student="enet", **changed)
    loss = student_module.loss_of(SimpleNamespace(config=SimpleNamespace(distill=settings)))
    assert expected.items() <= asdict(loss).items()


@pytest.fixture(scope="module")
def taught_folder(tmp_path_factory):
    return make_taught(tmp_path_factory.mktemp("taught"))


@pytest.fixture
def loop(taught_folder, tmp_path):
    return copied(taught_folder, tmp_path)


def test_the_student_is_served_and_the_large_network_asks(taught_folder):
    loop = Loop.open(taught_folder)
    models, recorded = loop.workspace.models, results(loop, 0)
    assert list(recorded) == ["train", "distill", "evaluate", "publish"]
    large, student = models.names()
    assert (models.teacher(), models.current()) == (large, student)
    assert find_version(loop, 0) == large
    assert find_version(loop, 0, ROLE) == student
    info = models.info(student)
    assert info.parents == (large,)
    teacher = {"name": "new", "version": large, "temperature": 1.0, "weights": [1.0] * len(loop.classes)}
    assert info.training["teachers"] == [teacher]
    assert (info.training["images"], info.training["unlabelled_images"]) == (2, 3)
    assert info.training["soft_label_bytes"] > 0
    assert info.training["iterations"] == STUDENT["initial_iterations"]
    assert info.metrics["val"]["miou"] == recorded["evaluate"]["student"]["val"]["miou"]
    assert set(models.info(large).metrics) == {"val", "test"}
    assert not soft_label_folder(loop).exists()
    assert last_round(loop).trained_version == large
    assert begin(loop, 1).model_version == large

    served, _ = build_predictions(loop.workspace)
    predictor = served.get(str(version_for(loop.workspace, project=None))).predictor
    expected = trained_network(loop, "round-000-student", student_spec(loop)).state_dict()
    for name, tensor in predictor.network.state_dict().items():
        torch.testing.assert_close(tensor.cpu(), expected[name], rtol=0, atol=0)


def test_a_worse_student_is_kept_but_not_published(loop, capsys):
    """The served one had forty steps; this one is new and has a single one."""
    before = loop.workspace.models.current()
    loop = change(loop, student_options={**STUDENT["student_options"], "width": 0.0625}, initial_iterations=1)
    run_rounds_after_the_first(loop)
    models, verdict = loop.workspace.models, results(loop, 1)["publish"]["student"]
    large, student = models.names()[-2:]
    assert verdict["miou"] < verdict["served_miou"]
    assert (verdict["published"], verdict["version"], verdict["served"]) == (False, student, before)
    assert (models.current(), models.teacher()) == (before, large)
    assert models.load(student).info.training["started_from"] is None
    code, out, error = run(capsys, "status", "--workspace", loop.workspace.folder)
    assert code == 0, error
    assert f"Model in use: {before}" in out
    assert f"Rounds go on with: {large}" in out
    for part in (
        f"Round 1: Student {student} is kept but not published",
        f"{verdict['miou']:.4f}, that of {before}, which stays in use, {verdict['served_miou']:.4f}",
        "tolerates no loss",
    ):
        assert part in out
    code, out, _ = run(capsys, "status", "--workspace", loop.workspace.folder, "--json")
    assert json.loads(out)["rounds"][1]["student"]["sentence"] == verdict["sentence"]
    write_report(loop, loop.workspace.folder / "report.html", title="x", control=None)
    assert verdict["sentence"] in (loop.workspace.folder / "report.html").read_text("utf-8")
    # Nothing of this network was good enough, so the next round goes on from what there is of it, whatever
    # has happened to versions that nobody uses.
    unused = next(each for each in models.names() if each not in (before, student))
    (models.folder / unused / "model.json").write_text("{")
    assert start_student(loop, student_spec(loop))[1] == student


def test_a_tolerated_loss_is_published_and_the_next_student_goes_on_from_it(loop):
    before = loop.workspace.models.current()
    loop = change(loop, max_loss=1.0, teachers=["new", "previous:3"], temperatures=[3.0, 6.0])
    run_rounds_after_the_first(loop)
    models = loop.workspace.models
    verdict = results(loop, 1)["publish"]["student"]
    assert (verdict["published"], verdict["served"], models.current()) == (True, before, verdict["version"])
    info = models.info(verdict["version"])
    first = round_rows(loop)[0]["trained_version"]
    assert info.training["started_from"] == before
    assert info.training["iterations"] == STUDENT["iterations"]
    teachers = info.training["teachers"]
    weights = np.array([teacher.pop("weights") for teacher in teachers])
    assert teachers == [
        {"name": "new", "version": models.teacher(), "temperature": 3.0},
        {"name": first, "version": first, "temperature": 6.0},
    ]
    predictors = {each["name"]: Predictor(models.load(each["version"]).network, "cpu") for each in teachers}
    val = loop.dataset.split("val")
    np.testing.assert_array_equal(weights, stacked_weights(predictors, val, len(loop.classes)))
    assert info.parents == (before, models.teacher(), first)


def test_killed_while_the_soft_labels_are_written_and_while_the_student_learns(loop, tmp_path, monkeypatch):
    """Nothing is done twice, and the weights are those of an uninterrupted call, bit for bit."""
    create_or_change(loop.workspace.folder, None, [("training", "checkpoint_every", 1)])
    loop = change(loop, iterations=4)
    trained_round(loop)
    whole = Loop.open(shutil.copytree(loop.workspace.folder, tmp_path / "whole"))
    steps = learning(loop, 1)[:2]
    written, stepped = [], []
    write, step = SoftLabelStore.write, Run.step

    def writing(self, key, probabilities):
        if len(written) == 2 and not stepped and "soft" in kills:
            raise Killed
        written.append(key)
        write(self, key, probabilities)

    def stepping(self, batch):
        if len(stepped) == 2 and "step" in kills:
            raise Killed
        stepped.append(self.result.iterations)
        return step(self, batch)

    monkeypatch.setattr(SoftLabelStore, "write", writing)
    monkeypatch.setattr(Run, "step", stepping)
    kills = {"soft"}
    with pytest.raises(Killed):
        run_steps(loop, 1, steps)
    kills = {"step"}
    with pytest.raises(Killed):
        run_steps(loop, 1, steps)
    assert "distill" not in results(loop, 1)
    assert len(written) == len(set(written)) == 5
    kills = set()
    run_steps(loop, 1, steps)
    assert len(written) == 5
    assert stepped == [0, 1, 2, 3]
    monkeypatch.undo()
    run_steps(whole, 1, steps)
    one, other = (trained_network(each, "round-001-student", student_spec(each)) for each in (loop, whole))
    for name, tensor in one.state_dict().items():
        torch.testing.assert_close(tensor, other.state_dict()[name], rtol=0, atol=0)


def test_no_teacher_is_in_memory_while_the_student_learns(loop, monkeypatch):
    trained_round(loop)
    real, seen = student_module.fit_network, []

    def counting(loop, network, images, *rest, **options):
        gc.collect()
        seen.extend(each for each in gc.get_objects() if isinstance(each, SegmentationNetwork))
        assert all(soft.key in soft.store.source for soft in images)
        return real(loop, network, images, *rest, **options)

    gc.collect()
    known = {id(each) for each in gc.get_objects() if isinstance(each, SegmentationNetwork)}
    monkeypatch.setattr(student_module, "fit_network", counting)
    run_steps(loop, 1, learning(loop, 1)[1:2])
    assert len([each for each in seen if id(each) not in known]) == 1


def test_killed_between_the_two_pointers(loop, monkeypatch):
    models = loop.workspace.models
    large, student = models.teacher(), models.current()
    verdict = Verdict(student, 0.5, large, 0.4, 0.0, published=True)

    def killed(store, version):
        raise Killed

    models.use(large)
    models.teach(None)
    for published, expected in ((verdict, large), (None, large)):
        with monkeypatch.context() as patched, pytest.raises(Killed):
            patched.setattr(ModelStore, "use", killed)
            point(loop, large, published)
        assert models.teacher() == expected  # never the student
        point(loop, large, published)
        assert models.current() == (student if published else large)
        assert models.teacher() == large


def test_switched_off_the_large_network_is_served_again(loop):
    loop = change(loop, student="")
    trained_round(loop)
    assert [name for name, _ in learning(loop, 1)] == ["train", "evaluate", "publish"]
    run_steps(loop, 1, learning(loop, 1))
    models = loop.workspace.models
    assert models.current() == models.teacher() == results(loop, 1)["publish"]["version"]
    assert "student" not in results(loop, 1)["publish"]
    assert not (models.folder / "teacher").exists()


def test_switched_on_in_a_round_that_is_evaluated_it_counts_from_the_next_on(learned):
    begin(learned, 1)
    run_steps(learned, 1, [("train", lambda *_: {}), ("evaluate", lambda *_: {})])
    loop = change(learned, **STUDENT)
    assert [name for name, _ in learning(loop, 1)] == ["train", "evaluate", "publish"]
    assert [name for name, _ in learning(loop, 2)] == ["train", "distill", "evaluate", "publish"]


def test_training_further_teaches_the_student_too(loop):
    create_or_change(loop.workspace.folder, None, [("labels", "soft", True)])
    loop = change(loop, max_loss=1.0, pool=False)
    run_rounds_after_the_first(loop)
    large = loop.workspace.models.teacher()
    result = retrain(loop)
    models = loop.workspace.models
    assert (models.teacher(), models.current()) == (result["version"], result["student"]["version"])
    assert models.info(result["version"]).parents == (large,)
    assert models.info(models.current()).training["unlabelled_images"] == 0
    assert not soft_label_folder(loop).exists()
    weighed = [each for each in taught(training_images(loop, 1), None) if hasattr(each, "load_weighed")]
    assert {type(each) for each in weighed} == {TaughtWeighedImage}
    assert len(weighed) == 4  # two of the initial set, at labels.initial_weight, and two that were asked


def test_training_further_killed_while_it_teaches_does_not_train_the_large_network_again(loop, monkeypatch):
    loop = change(loop, max_loss=1.0, pool=False)
    large = loop.workspace.models.teacher()

    def killed(*_):
        raise Killed

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr("controller.retrain.teach_student", killed)
        retrain(loop)
    assert loop.workspace.models.teacher() == large
    monkeypatch.setattr("controller.retrain.fit_network", killed)
    result = retrain(loop)
    models = loop.workspace.models
    assert (models.teacher(), models.current()) == (result["version"], result["student"]["version"])
    assert models.info(result["version"]).parents == (large,)


@pytest.mark.parametrize(
    ("distill", "said"),
    [
        ({"student": "enett"}, r"\[distill\] student .*no network called 'enett'. Did you mean 'enet'"),
        ({"student": "enet", "student_options": {"widht": 2}}, "'enet' has no option 'widht'"),
        ({"student": "enet", "teachers": ["somebody"]}, "'somebody', which is no teacher"),
        ({"student": "enet", "teachers": ["a=nowhere"]}, "'a=nowhere' names no teacher"),
        ({"student": "enet", "teachers": ["v0001-00000000"]}, "no model version 'v0001-00000000'"),
        ({"student": "enet", "teachers": ["previous:2"]}, 'no round is closed yet. Add "new"'),
        (
            {"student": "enet", "teachers": ["a=hf:b/c", "a=hf:d/e", "new"], "temperatures": [1.0, 2.0, 3.0]},
            r"\[distill\] teachers in .*: The teachers are called a, a, new; give each a name of its own",
        ),
        ({"student": "enet", "teachers": ["new", "new=hf:b/c"]}, "called new, new; give each"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_trained(tmp_path, capsys, distill, said):
    loop = change(nobody(make_workspace(tmp_path, scenes=(3, 1, 0), size=(32, 32))), **distill)
    for start in (next_round, learn_initial):
        with pytest.raises(ConfigurationError, match=said):
            start(loop)
    assert last_round(loop) is None
    assert loop.workspace.models.names() == []


def test_a_student_that_nothing_could_be_said_about_is_refused(tmp_path):
    loop = change(make_workspace(tmp_path, scenes=(3, 1, 0), size=(32, 32)), student="enet")
    shutil.rmtree(tmp_path / "scenes" / "val")
    with pytest.raises(ConfigurationError, match=r"split 'val'.*max_loss = 1.0"):
        check_distillation(loop)
    check_distillation(change(loop, max_loss=1.0))


def test_a_dry_run_names_the_step(taught_folder):
    lines = planned(Loop.open(taught_folder), 1.0, push_next=True)
    assert not [line for line in lines if "distill" in line]
    loop = Loop.open(taught_folder)
    assert [name for name, _ in learning(loop, 1)] == ["train", "distill", "evaluate", "publish"]


@pytest.mark.parametrize(
    ("mine", "theirs", "max_loss", "published"),
    [
        (0.5, 0.5, 0.0, True),
        (0.4999, 0.5, 0.0, False),
        (0.45, 0.5, 0.0625, True),
        (0.0, 0.9, 1.0, True),
        (None, 0.1, 0.5, False),
        (None, 0.1, 1.0, True),
        (0.1, None, 0.0, True),
    ],
)
def test_as_good_as_what_it_replaces(mine, theirs, max_loss, published):
    figures = {"student": {"val": {"miou": mine}}, "served": {"version": "v0001-00000000", "miou": theirs}}
    verdict = judge("v0002-00000000", figures, max_loss)
    assert verdict.published is published
    for value in (mine, theirs):
        assert ("unknown" if value is None else f"{value:.4f}") in verdict.sentence
    first = judge("v0002-00000000", {"student": {}, "served": None}, max_loss)
    assert first.published
    assert "nothing was in use before" in first.sentence
