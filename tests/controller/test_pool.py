"""What the database knows of the images, when the data set or the configuration changes."""

import logging
import shutil
from pathlib import Path

import numpy as np
import pytest
from rounds import TINY, make_workspace, open_round, run_rounds
from sqlalchemy import select

from controller.initialize import initialize
from controller.loop import Loop
from controller.pool import left_to_ask, register_images
from controller.round import begin
from controller.score import read_scores, score, scores_file
from controller.steps import run_steps
from tenth.errors import DataError
from tenth.segmentation.images import write_png
from tenth.workspace.config_text import set_value
from tenth.workspace.database import Image


def roles(loop: Loop) -> dict[str, str]:
    with loop.workspace.database.reading() as session:
        return {image.key: image.role for image in session.scalars(select(Image).order_by(Image.key))}


def images(loop: Loop) -> dict[str, Image]:
    with loop.workspace.database.reading() as session:
        return {image.key: image for image in session.scalars(select(Image))}


def again(loop: Loop, **settings: object) -> Loop:
    """Open the workspace anew, after changes of ``[data]``."""
    for key, value in settings.items():
        set_value(loop.config.file, "data", key, value)
    return Loop.open(loop.workspace.folder)


def train(loop: Loop) -> Path:
    return loop.dataset.root / "train"


def number_of(loop: Loop, role: str) -> int:
    return list(roles(loop).values()).count(role)


def test_before_the_first_round_the_roles_follow_the_configuration(tmp_path):
    loop = make_workspace(tmp_path, scenes=(6, 1, 1), initial=-1)
    assert number_of(loop, "initial") == 6
    loop = again(loop, initial_count=2)
    done = initialize(loop.workspace.folder, offline=True)
    assert (done["initial_images"], done["pool_images"]) == (2, 4)
    assert number_of(loop, "initial") == 2 and number_of(loop, "pool") == 4


def test_an_initial_set_of_a_number_stays_once_a_round_has_begun(tmp_path):
    loop = make_workspace(tmp_path, scenes=(6, 1, 1), initial=2)
    before = roles(loop)
    begin(loop, 0)
    # spread over more images, the same number would be other images
    for name in ("a", "b", "c"):
        for part, suffix in (("images", ".jpg"), ("labels", ".png")):
            source = next((train(loop) / part).glob(f"*{suffix}"), None)
            source = source or next((train(loop) / part).iterdir())
            shutil.copy(source, train(loop) / part / f"{name}{source.suffix}")
    loop = again(loop, initial_count=3)
    register_images(loop)
    after = roles(loop)
    assert len(after) == 9
    assert {key: after[key] for key in before} == before
    assert {after[f"train/{name}"] for name in "abc"} == {"pool"}


def test_a_label_map_that_comes_later_makes_an_image_initial(tmp_path):
    loop = make_workspace(tmp_path, scenes=(4, 1, 1), initial=-1)
    maps = sorted((train(loop) / "labels").iterdir())
    kept = maps[0].read_bytes()
    maps[0].unlink()
    register_images(again(loop))
    key = f"train/{maps[0].stem}"
    assert roles(loop)[key] == "pool" and images(loop)[key].labels is None
    begin(loop, 0)
    maps[0].write_bytes(kept)
    register_images(again(loop))
    assert roles(loop)[key] == "initial" and images(loop)[key].labels == str(maps[0])


def test_images_that_moved_are_found_again_and_answers_stay(tmp_path):
    loop = make_workspace(tmp_path)
    run_rounds(loop, 1)
    before = roles(loop)
    assert "asked" in before.values()
    moved = tmp_path / "elsewhere"
    shutil.move(loop.dataset.root, moved)
    loop = again(loop, dataset=str(moved))
    register_images(loop)
    assert roles(loop) == before
    assert all(Path(image.source).is_file() for image in images(loop).values())
    open_round(loop, 2)  # reads them


def test_where_nothing_is_new_nothing_is_written(tmp_path):
    loop = make_workspace(tmp_path)
    run_rounds(loop, 1)
    with loop.workspace.database.session() as session:
        session.execute(select(1))  # the write lock is taken: whoever else writes waits, and fails in the end
        register_images(again(loop))


def test_what_is_gone_leaves_the_pool_but_not_what_was_asked(tmp_path, caplog):
    loop = make_workspace(tmp_path, scenes=(6, 1, 1))
    run_rounds(loop, 1)
    asked, pool = ([key for key, role in roles(loop).items() if role == name] for name in ("asked", "pool"))
    for key in (asked[0], pool[0]):
        next((train(loop) / "images").glob(f"{Path(key).name}.*")).unlink()
    loop = again(loop)
    with caplog.at_level(logging.WARNING):
        register_images(loop)
    assert pool[0] not in roles(loop)
    assert roles(loop)[asked[0]] == "asked"
    assert "1 images are no longer there" in caplog.text and Path(pool[0]).name in caplog.text
    assert left_to_ask(loop) == len(pool) - 1


def test_an_image_that_cannot_be_read_is_not_asked_about(tmp_path, caplog):
    loop = make_workspace(tmp_path, scenes=(6, 1, 1))
    run_rounds(loop, 0)
    bad = next(image for image in images(loop).values() if image.role == "pool")
    Path(bad.source).write_bytes(b"no image")
    with caplog.at_level(logging.WARNING):
        open_round(loop, 1)
    assert Path(bad.source).name in caplog.text
    assert bad.key not in read_scores(scores_file(loop, 1))
    assert roles(loop)[bad.key] == "pool" and number_of(loop, "asked") == 2


def test_once_it_is_replaced_it_is_scored_with_the_next_round(tmp_path):
    loop = make_workspace(tmp_path, scenes=(6, 1, 1))
    run_rounds(loop, 0)
    bad = next(image for image in images(loop).values() if image.role == "pool")
    good = Path(bad.source).read_bytes()
    Path(bad.source).write_bytes(b"no image")
    begin(loop, 1)
    assert score(loop, 1)["unreadable"] == 1
    Path(bad.source).write_bytes(good)
    assert score(loop, 1) == {"images": 4, "version": loop.workspace.models.current()}


def test_a_pool_of_which_nothing_can_be_read_is_an_error(tmp_path):
    loop = make_workspace(tmp_path, scenes=(4, 1, 1))
    run_rounds(loop, 0)
    for image in images(loop).values():
        if image.role == "pool":
            Path(image.source).write_bytes(b"no image")
    begin(loop, 1)
    with pytest.raises(DataError, match=r"No image of the pool can be read. The first: .*"):
        score(loop, 1)


def test_images_that_come_between_score_and_choice_wait_for_the_next_round(tmp_path):
    settings = TINY | {"selection": TINY["selection"] | {"group_size": 9}}
    loop = make_workspace(tmp_path, scenes=(4, 1, 1), initial=2, settings=settings)
    run_rounds(loop, 0)
    begin(loop, 1)
    run_steps(loop, 1, (("score", score),))
    write_png(train(loop) / "images" / "late.png", np.zeros((48, 64, 3), np.uint8))
    loop = again(loop)
    register_images(loop)
    open_round(loop, 1)
    assert roles(loop)["train/late"] == "pool"
    assert number_of(loop, "asked") == 2
