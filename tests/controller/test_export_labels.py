"""`controller export-labels`: people's labels kept, the model's beside them, nothing half written."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from rounds import open_round
from sqlalchemy import delete, update
from test_choose import changed
from test_cli import REPOSITORY, run
from test_merge import mask_of, regions_of_image, say, second_round

from controller.export_labels import combine, export_labels
from controller.labels import LabelMap, Source
from controller.loop import Loop
from controller.merge import asked_images, label_map_path, merge
from controller.pool import images_with_role, register_images
from controller.predict import predict_images
from controller.steps import run_steps
from tenth.errors import ConfigurationError, DataError, StorageError
from tenth.segmentation.images import read_image, read_labels, write_png
from tenth.workspace.database import Image


def put_model_to_use(loop):
    """Publish a model that says the next class wherever the one that merged says a class."""
    loaded = loop.workspace.models.load(str(loop.workspace.models.current()))
    for parameter in loaded.network.classifier.parameters():
        parameter.data = parameter.data.roll(1, dims=0)
    version = loop.workspace.models.add(
        loaded.network, loaded.info.spec, loop.classes, metrics={}, parents=[], training={}
    )
    loop.workspace.models.use(version)
    return version


def answer_first(loop, label=3):
    """Have the first region of the first asked image answered, and the round merged; return the image."""
    image = asked_images(loop, 1)[0]
    say(loop, regions_of_image(loop, image)[0], 11, label=label)
    run_steps(loop, 1, [("merge", merge)])
    return image


def predicted(loop, image, folder):
    """What `controller predict` writes for an image."""
    predictor = loop.predictor(str(loop.workspace.models.current()))
    (path,) = predict_images(predictor, loop.classes, [image.source], folder)
    return read_labels(path, len(loop.classes))


def exported(loop, out, image):
    return read_labels(out / f"{image.key}.png", len(loop.classes))


def files_in(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def move(loop, image, path):
    """Let an image be another file."""
    with loop.workspace.database.session() as session:
        session.execute(update(Image).where(Image.id == image.id).values(source=str(path)))


def replace_people(path, label):
    """Change what people said in a merged array."""
    merged = LabelMap.load(path)
    merged.labels[np.isin(merged.source, (Source.HUMAN, Source.HUMAN_EXTRA))] = label
    merged.save(path)


@pytest.fixture
def answered(asked):
    """Round 1 merged with one image answered: a class, void, mixed and painted inside and outside."""
    image = asked_images(asked, 1)[0]
    first, second, third, *_ = regions_of_image(asked, image)
    say(asked, first, 11, label=first.guess)
    say(asked, second, 12, kind="void")
    painted = np.full((64, 96), 255, np.uint8)
    inside = np.argwhere(mask_of(asked, third))[0]
    outside = np.argwhere(~np.logical_or.reduce([mask_of(asked, each) for each in (first, second, third)]))[0]
    painted[tuple(inside)], painted[tuple(outside)] = 5, 6
    say(asked, third, 13, kind="mixed", painted=painted)
    run_steps(asked, 1, [("merge", merge)])

    said = np.full((64, 96), -1)
    said[mask_of(asked, first)] = first.guess
    said[mask_of(asked, second) | mask_of(asked, third)] = 255
    said[tuple(inside)], said[tuple(outside)] = 5, 6
    return asked, image, said


def test_people_first_and_the_model_in_use_elsewhere(answered, tmp_path):
    loop, image, said = answered
    before = predicted(loop, image, tmp_path / "before")
    version = put_model_to_use(loop)
    model = predicted(loop, image, tmp_path / "predicted")
    np.testing.assert_array_equal(model, (before + 1) % len(loop.classes))
    # So nothing can be taken in the place of something else.
    merged = LabelMap.load(label_map_path(loop, 1, image)).labels
    assert (merged != model)[said < 0].any() and (model != said)[(said >= 0) & (said < 255)].any()

    result = export_labels(loop, tmp_path / "out")
    labels = exported(loop, tmp_path / "out", image)
    np.testing.assert_array_equal(labels, np.where(said < 0, model, said))
    colours = read_image(tmp_path / "out" / f"{image.key}.color.png")
    np.testing.assert_array_equal(colours, loop.classes.colorize(labels))
    assert result["version"] == version
    assert result["people_share"] == pytest.approx((said >= 0).mean())
    assert result["model_share"] == pytest.approx((said < 0).mean())


def test_another_version_may_label_the_rest(answered, tmp_path, capsys):
    """As the large model does where its student is in use."""
    loop, image, said = answered
    large = str(loop.workspace.models.current())
    model = predicted(loop, image, tmp_path / "large")
    put_model_to_use(loop)
    arguments = ("export-labels", "-w", loop.workspace.folder, "--out", tmp_path / "out")
    assert run(capsys, *arguments, "--version", large)[0] == 0
    np.testing.assert_array_equal(exported(loop, tmp_path / "out", image), np.where(said < 0, model, said))
    assert json.loads((tmp_path / "out" / "labels.json").read_text())["version"] == large
    code, _, error = run(capsys, *arguments, "--version", "v0099-none")
    assert code != 0 and "v0099-none" in error


def test_answers_only_needs_no_model(answered, tmp_path):
    loop, image, said = answered
    shutil.rmtree(loop.workspace.models.folder)
    move(loop, image, tmp_path / "gone.png")  # nor the picture
    result = export_labels(Loop.open(loop.workspace.folder), tmp_path / "out", answers_only=True)
    np.testing.assert_array_equal(exported(loop, tmp_path / "out", image), np.where(said < 0, 255, said))
    assert (result["version"], result["model_share"]) == (None, 0.0)
    assert result["people_share"] == pytest.approx((said >= 0).mean())


def test_only_what_people_answered_is_written(answered, tmp_path):
    loop, image, _ = answered
    with loop.workspace.database.reading() as session:
        initial = [each.key for each in images_with_role(session, "initial")]
    assert len(initial) == 2 and len(asked_images(loop, 1)) == 2  # of which nobody answered the other one
    export_labels(loop, tmp_path / "out")
    assert files_in(tmp_path / "out") == sorted(["labels.json", f"{image.key}.png", f"{image.key}.color.png"])


def test_the_newest_merged_round_wins(asked, tmp_path):
    image = second_round(asked)
    run_steps(asked, 2, [("merge", merge)])
    replace_people(label_map_path(asked, 1, image), 4)
    replace_people(label_map_path(asked, 2, image), 7)
    later = label_map_path(asked, 3, image)  # a merge that was killed: there is no such step
    later.parent.mkdir()
    shutil.copy(label_map_path(asked, 1, image), later)

    result = export_labels(asked, tmp_path, answers_only=True)
    assert set(np.unique(exported(asked, tmp_path, image))) == {7, 255}
    assert [entry["round"] for entry in result["images"]] == [2]


def test_without_refresh_it_is_the_images_own_round(asked, tmp_path):
    loop = changed(asked, labels__refresh=False)
    image = second_round(loop)
    run_steps(loop, 2, [("merge", merge)])
    for refresh in (False, True):  # whatever the next round will do
        loop = changed(loop, labels__refresh=refresh)
        result = export_labels(loop, tmp_path, answers_only=True)
        assert set(np.unique(exported(loop, tmp_path, image))) == {3, 6, 255}
        assert [entry["round"] for entry in result["images"]] == [1]


def test_an_open_round_is_left_out(asked, tmp_path):
    first = second_round(asked)
    second = next(image for image in asked_images(asked, 2) if image.round == 2)
    say(asked, regions_of_image(asked, second)[0], 21, label=4)  # pulled, not merged
    result = export_labels(asked, tmp_path, answers_only=True)
    assert [entry["key"] for entry in result["images"]] == [first.key]


@pytest.fixture(scope="module")
def drive_folder(learned_folder, tmp_path_factory):
    """A pool with subfolders, asked and answered; its folder is called as the keys begin."""
    folder = tmp_path_factory.mktemp("drive")
    workspace = shutil.copytree(learned_folder, folder / "workspace")
    loop = changed(Loop.open(workspace), data__pool=str(folder / "pool"))
    pictures = [sample.image for sample in loop.dataset.split("train")]
    for name, picture in zip(("day/a.png", "night/deep/a.png"), pictures, strict=False):
        target = folder / "pool" / name
        target.parent.mkdir(parents=True)
        shutil.copy(picture, target)
    with loop.workspace.database.session() as session:
        session.execute(delete(Image).where(Image.role == "pool"))
    register_images(loop)
    open_round(loop, 1)
    for number, image in enumerate(asked_images(loop, 1), 1):
        say(loop, regions_of_image(loop, image)[0], number, label=number)
    run_steps(loop, 1, [("merge", merge)])
    return folder


@pytest.fixture
def drive(drive_folder, tmp_path):
    """The workspace, a copy to change, and the folder of the pool."""
    return Loop.open(shutil.copytree(drive_folder / "workspace", tmp_path / "drive")), drive_folder / "pool"


def test_keys_may_be_nested(drive, tmp_path):
    loop, _ = drive
    export_labels(loop, tmp_path / "out", answers_only=True)
    assert files_in(tmp_path / "out") == [
        "labels.json",
        "pool/day/a.color.png",
        "pool/day/a.png",
        "pool/night/deep/a.color.png",
        "pool/night/deep/a.png",
    ]
    for number, image in enumerate(asked_images(loop, 1), 1):
        mask = mask_of(loop, regions_of_image(loop, image)[0])
        np.testing.assert_array_equal(exported(loop, tmp_path / "out", image) == number, mask)


def test_pictures_are_not_overwritten(drive, capsys):
    loop, pool = drive
    before = {path: path.read_bytes() for path in pool.parent.rglob("*") if path.is_file()}
    code, _, error = run(capsys, "export-labels", "-w", loop.workspace.folder, "--out", pool.parent)
    assert code == 2 and "would overwrite the picture" in error
    assert {path: path.read_bytes() for path in pool.parent.rglob("*") if path.is_file()} == before


def test_nor_are_pictures_that_nobody_was_asked_about(asked, tmp_path):
    image = answer_first(asked)
    other = tmp_path / f"{image.key}.color.png"
    other.parent.mkdir()
    write_png(other, np.zeros((64, 96), np.uint8))
    before = other.read_bytes()
    with asked.workspace.database.session() as session:
        session.add(Image(key="pool/x", source=str(other), role="pool"))
    with pytest.raises(ConfigurationError, match="would overwrite the picture"):
        export_labels(asked, tmp_path, answers_only=True)
    assert other.read_bytes() == before


def test_without_answers_there_is_nothing_to_export(asked, tmp_path, capsys):
    arguments = ("export-labels", "-w", asked.workspace.folder, "--out", tmp_path / "out")
    code, out, error = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert "no round has been merged yet" in error and "controller next-round" in error
    run_steps(asked, 1, [("merge", merge)])  # all regions withdrawn
    code, _, error = run(capsys, *arguments)
    assert code == 2 and "no usable answer came in yet" in error
    assert not (tmp_path / "out").exists()


def test_without_a_model_answers_only_is_suggested(asked, tmp_path, capsys):
    answer_first(asked)
    (asked.workspace.models.folder / "current").unlink()
    arguments = ("export-labels", "-w", asked.workspace.folder, "--out", tmp_path / "out")
    code, _, error = run(capsys, *arguments)
    assert code == 2 and "There is no model" in error and "--answers-only" in error
    assert not (tmp_path / "out").exists()
    assert run(capsys, *arguments, "--answers-only")[0] == 0


def truncate(path):
    path.write_bytes(path.read_bytes()[:-100])


def flip(path):
    """Change a byte of the compressed labels: the file opens and its directory is whole."""
    content = bytearray(path.read_bytes())
    content[100] ^= 0xFF
    path.write_bytes(content)


def hold_something_else(path):
    np.savez(path, labels=np.zeros((64, 96), np.uint8))


def name_an_unknown_class(path):
    replace_people(path, 200)


@pytest.mark.parametrize("damage", [truncate, flip, hold_something_else, name_an_unknown_class, Path.unlink])
def test_a_damaged_array_is_named(asked, tmp_path, capsys, damage):
    path = label_map_path(asked, 1, answer_first(asked))
    out = tmp_path / "out"
    arguments = ("export-labels", "-w", asked.workspace.folder, "--out", out, "--answers-only")
    assert run(capsys, *arguments)[0] == 0
    damage(path)
    code, _, error = run(capsys, *arguments)
    assert code == 5 and str(path) in error


def test_damage_anywhere_is_an_error_of_ours_or_changes_nothing(asked, tmp_path):
    image = answer_first(asked)
    path = label_map_path(asked, 1, image)
    whole, expected = path.read_bytes(), combine(LabelMap.load(path), None)
    noticed = 0
    for place in range(0, len(whole), 13):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        try:
            export_labels(asked, tmp_path, answers_only=True)
        except DataError as error:
            assert str(path) in str(error)
            noticed += 1
        else:
            np.testing.assert_array_equal(exported(asked, tmp_path, image), expected)
    assert noticed > len(whole) / 13 * 0.5


def test_a_picture_of_another_size_is_refused(asked, tmp_path):
    image = answer_first(asked)
    smaller = tmp_path / "smaller.png"
    write_png(smaller, np.zeros((32, 48, 3), np.uint8))
    move(asked, image, smaller)
    with pytest.raises(DataError, match=r"smaller\.png is 48×32 pixels, but people were asked about 96×64"):
        export_labels(asked, tmp_path / "out")


def test_a_folder_that_cannot_be_written(asked, tmp_path, capsys):
    image = answer_first(asked)
    (tmp_path / "file").write_text("")
    arguments = ("export-labels", "-w", asked.workspace.folder, "--answers-only")
    code, _, error = run(capsys, *arguments, "--out", tmp_path / "file" / "x")
    assert code == 2 and f"The results cannot be written into {tmp_path / 'file' / 'x'}" in error
    split = tmp_path / image.key.split("/", maxsplit=1)[0]
    split.write_text("")  # where a folder has to be
    code, _, error = run(capsys, *arguments, "--out", tmp_path)
    assert code == StorageError.exit_code and str(split) in error
    assert not (tmp_path / "labels.json").exists()


def test_a_device_is_the_models(asked, tmp_path, capsys):
    answer_first(asked)
    arguments = ("export-labels", "-w", asked.workspace.folder, "--out", tmp_path / "out", "--device")
    code, _, error = run(capsys, *arguments, "cpu", "--answers-only")
    assert code == 2 and "--device is about the model, and --answers-only needs none" in error
    code, _, error = run(capsys, *arguments, "abacus")
    assert code == 2 and "The device 'abacus' cannot be used" in error
    assert not (tmp_path / "out").exists()
    asked = changed(asked, training__device="cuda:99")  # which the option replaces
    assert run(capsys, *arguments, "cpu")[0] == 0


def test_what_is_said(answered, tmp_path, capsys):
    loop, image, said = answered
    version, people = loop.workspace.models.current(), float((said >= 0).mean())
    arguments = ("export-labels", "-w", loop.workspace.folder, "--out", tmp_path)
    code, out, _ = run(capsys, *arguments)
    assert code == 0
    assert out.startswith(
        f"Wrote the labels of 1 images into {tmp_path}: {people:.1%} of the pixels by people,"
    )
    assert version in out and str(tmp_path / "labels.json") in out
    code, out, error = run(capsys, *arguments, "--json")
    assert (code, error) == (0, "")
    entry = {
        "key": image.key,
        "image": image.source,
        "labels": f"{image.key}.png",
        "colors": f"{image.key}.color.png",
        "round": 1,
        "pixels": 64 * 96,
        "people_share": pytest.approx(people),
        "model_share": pytest.approx(1 - people),
        "version": version,
    }
    document = json.loads((tmp_path / "labels.json").read_text("utf-8"))
    assert document == {"version": version, **loop.classes.to_dict(), "images": [entry]}
    assert json.loads(out) == {
        "version": version,
        "people_share": pytest.approx(people),
        "model_share": pytest.approx(1 - people),
        "images": [entry],
    }


def test_the_shares_of_all_weigh_images_by_their_pixels(drive, tmp_path):
    loop, _ = drive
    result = export_labels(loop, tmp_path, answers_only=True)
    marked = [mask_of(loop, regions_of_image(loop, image)[0]).sum() for image in asked_images(loop, 1)]
    assert result["people_share"] == pytest.approx(sum(marked) / (2 * 64 * 96))
    assert sorted(entry["people_share"] for entry in result["images"]) == pytest.approx(
        sorted(count / (64 * 96) for count in marked)
    )


KILLED = """
import os, signal, sys
from pathlib import Path
from controller.cli import main
left = [int(sys.argv[1])]
replace = Path.replace
def dying(self, target):
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    left[0] -= 1
    return replace(self, target)
Path.replace = dying
main(sys.argv[2:])
"""


def test_a_killed_call_leaves_whole_files_and_no_list(drive, tmp_path):
    """Four maps and the list of an earlier call are there; the next one dies while it replaces the fourth."""
    loop, _ = drive
    out = tmp_path / "out"
    arguments = ["export-labels", "-w", str(loop.workspace.folder), "--out", str(out), "--answers-only"]
    export_labels(loop, out, answers_only=True)
    done = subprocess.run(
        [sys.executable, "-c", KILLED, "3", *arguments], cwd=REPOSITORY, check=False, env=os.environ
    )
    assert done.returncode == -signal.SIGKILL
    assert not (out / "labels.json").exists()
    maps = [path for path in out.rglob("*.png") if not path.name.startswith(".")]
    assert len(maps) == 4
    for path in maps:
        assert read_image(path).shape == (64, 96, 3)
    export_labels(loop, out, answers_only=True)
    assert len(json.loads((out / "labels.json").read_text("utf-8"))["images"]) == 2


def test_people_win_where_the_model_says_something_else():
    source = np.array([[0, 1, 2, 3, 2]], np.uint8)
    labels = np.array([[255, 4, 1, 2, 255]], np.uint8)
    merged = LabelMap(labels, source, np.ones((1, 5), np.float16), np.zeros((1, 5), np.int32))
    np.testing.assert_array_equal(combine(merged, np.full((1, 5), 7, np.uint8)), [[7, 7, 1, 2, 255]])
    np.testing.assert_array_equal(combine(merged, None), [[255, 255, 1, 2, 255]])
    assert combine(merged, None).dtype == np.uint8
