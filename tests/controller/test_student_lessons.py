"""Whom the student of a round learns from, how much each counts, and what it learns about the pool."""

import shutil

import numpy as np
import pytest
import torch
from rounds import make_workspace
from students import change, copied, make_taught, run_rounds_after_the_first, trained_round

import controller.student as student_module
from controller.initialize import create_or_change
from controller.lessons import taught, trust_in_pseudo_labels, unlabelled_images
from controller.loop import Loop
from controller.merge import MergedImage
from controller.student import check_distillation
from controller.teachers import load_teachers, named_teachers
from controller.train import training_images
from tenth.errors import ConfigurationError
from tenth.segmentation.distillation import class_weights
from tenth.segmentation.distillation.teachers import PseudoLabelledImage
from tenth.segmentation.inference import Predictor
from tenth.segmentation.metrics import ConfusionMatrix


@pytest.fixture(scope="module")
def taught_folder(tmp_path_factory):
    return make_taught(tmp_path_factory.mktemp("taught"))


@pytest.fixture
def loop(taught_folder, tmp_path):
    return copied(taught_folder, tmp_path)


def test_teachers_count_by_their_iou_on_what_people_said(loop):
    """The model's own labels, which an asked image has too, say nothing about how good a teacher is."""
    create_or_change(loop.workspace.folder, None, [("labels", "pseudo", True)])
    loop = change(loop, weighting="iou")
    trained_round(loop)
    images = training_images(loop, 1)
    torch.manual_seed(5)
    networks = (
        loop.workspace.models.load(loop.workspace.models.teacher()).network,
        loop.network_spec.build(),
    )
    teachers = {str(place): Predictor(network.eval(), "cpu") for place, network in enumerate(networks)}
    merged = [image for image in images if isinstance(image, MergedImage)]
    assert merged
    assert all((image.load()[1] != image.load_answered()[1]).any() for image in merged)
    ious = []
    for predictor in teachers.values():
        confusion = ConfusionMatrix(len(loop.classes))
        for image in images:
            picture, labels = image.load_answered() if isinstance(image, MergedImage) else image.load()
            confusion.update(predictor.labels(picture), labels)
        ious.append(confusion.iou)
    np.testing.assert_array_equal(student_module.weights_of(loop, teachers, images), class_weights(ious))


def test_the_pool_has_pseudo_labels_which_count_less_once_people_have_answered(loop):
    loop = change(loop, pseudo=True)
    initial = training_images(loop, 0)
    pool = unlabelled_images(loop, 0)
    assert trust_in_pseudo_labels(loop, initial) == 1
    *labelled, last = taught([*initial, *pool], None, 0.5)
    assert not any(isinstance(each, PseudoLabelledImage) for each in labelled[: len(initial)])
    assert isinstance(last, PseudoLabelledImage)
    assert last.trust == 0.5
    assert not any(isinstance(each, PseudoLabelledImage) for each in taught(pool, None))
    trained_round(loop)
    asked = training_images(loop, 1)
    assert trust_in_pseudo_labels(loop, asked) == loop.config.labels.initial_weight < 1
    assert trust_in_pseudo_labels(change(loop, pseudo=False), asked) == 0
    assert trust_in_pseudo_labels(change(loop, pseudo=True, form="kl"), asked) == 0


def test_a_round_teaches_by_pseudo_labels(loop, monkeypatch):
    loop = change(loop, pseudo=True, max_loss=1.0)
    seen = []
    real = student_module.fit_network
    monkeypatch.setattr(
        student_module, "fit_network", lambda *given, **more: seen.extend(given[2]) or real(*given, **more)
    )
    run_rounds_after_the_first(loop)
    pseudo = [each for each in seen if isinstance(each, PseudoLabelledImage)]
    trust = loop.config.labels.initial_weight
    assert {each.key for each in pseudo} == {each.key for each in unlabelled_images(loop, 1)}
    assert {each.trust for each in pseudo} == {trust}
    training = loop.workspace.models.info(loop.workspace.models.current()).training
    assert training["pseudo_labels"] == trust
    assert training["unlabelled_images"] == len(pseudo) > 0


def test_what_nobody_was_asked_about_is_learned_from(asked):
    """The open group of round 1 is unlabelled until round 1 learns."""
    assert len(unlabelled_images(asked, 0)) == 4
    assert len(unlabelled_images(asked, 1)) == 2
    image = unlabelled_images(asked, 1)[0]
    picture, labels = image.load()
    assert picture.shape[:2] == labels.shape
    assert set(labels.ravel()) == {255}


def test_teachers_that_nothing_could_be_said_about_are_refused(tmp_path, learned_folder):
    loop = make_workspace(tmp_path, scenes=(3, 1, 0), size=(32, 32))
    version = str(Loop.open(learned_folder).workspace.models.current())
    several = ["new", f"other={learned_folder / 'models' / version}"]
    loop = change(loop, student="enet", max_loss=1.0, teachers=several)
    check_distillation(loop)
    later = change(loop, teachers=["new", "previous:2"])
    shutil.rmtree(tmp_path / "scenes" / "val")
    with pytest.raises(ConfigurationError, match="3 teachers"):  # in two rounds; now there is one
        check_distillation(Loop.open(later.workspace.folder))
    loop = change(loop, teachers=several)
    with pytest.raises(ConfigurationError, match=r"2 teachers .* split 'val' .*distill.weighting = \"iou\""):
        check_distillation(Loop.open(loop.workspace.folder))
    check_distillation(change(loop, weighting="iou"))


def test_teachers_from_elsewhere(loop, learned_folder, tmp_path):
    """By folder, with a name, of a workspace; relative paths begin at the configuration's folder."""
    other = Loop.open(shutil.copytree(learned_folder, tmp_path / "other")).workspace
    version = str(other.models.current())
    names = [f"../other/models/{version}", f"b=../other:{version}", loop.workspace.models.names()[0], "new"]
    loop = change(loop, teachers=names, temperatures=[1.0, 2.0, 3.0, 4.0])
    check_distillation(loop)
    found = named_teachers(loop)
    assert [each.name for each in found] == [version, "b", loop.workspace.models.names()[0], "new"]
    teachers = load_teachers(loop, "round-000")
    assert [each.temperature for each in teachers] == [1.0, 2.0, 3.0, 4.0]
    assert teachers[0].identity == teachers[1].identity
    assert len({each.identity for each in teachers}) == 3

    description = tmp_path / "other" / "models" / version / "model.json"
    description.write_text(description.read_text().replace('"sky"', '"heaven"'))
    with pytest.raises(ConfigurationError, match=r"heaven.*same classes"):
        check_distillation(loop)


def test_a_teacher_that_is_named_twice_counts_once(loop):
    version = loop.workspace.models.teacher()
    loop = change(loop, teachers=[version, "previous:3", "new"], temperatures=[1.0, 2.0, 3.0])
    assert [(each.name, each.temperature) for each in named_teachers(loop)] == [(version, 1.0), ("new", 3.0)]


def test_teachers_from_hugging_face_lie_beside_the_configuration_or_in_the_hub(loop, tmp_path):
    (tmp_path / "seg").mkdir()
    beside = loop.config.file.parent / "../seg"
    for entry, text in (
        ("b=hf:../seg#cityscapes-camvid", f"b=hf:{beside}#cityscapes-camvid"),
        ("b=hf:nvidia/segformer", "b=hf:nvidia/segformer"),
    ):
        assert [each.text for each in named_teachers(change(loop, teachers=[entry]))] == [text]
