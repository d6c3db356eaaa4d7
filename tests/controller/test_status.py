"""The numbers of a round."""

from datetime import UTC, datetime

import pytest
from rounds import TINY
from sqlalchemy import select

from controller.group import GroupIncomplete, GroupProgress
from controller.options import table
from controller.round import begin, close
from controller.status import problem_rows, round_rows
from controller.steps import run_steps
from tenth.workspace.database import Answer, Image, Problem, Region


def in_state(loop, states):
    """Give the regions of round 1 these states in turn; return their areas by state."""
    areas = {}
    with loop.workspace.database.session() as session:
        for place, region in enumerate(session.scalars(select(Region).order_by(Region.id))):
            region.state = states[place % len(states)]
            areas[region.state] = areas.get(region.state, 0) + region.area
    return areas


def answers(loop, *rows):
    with loop.workspace.database.session() as session:
        regions = list(session.scalars(select(Region).order_by(Region.id)))
        for number, (place, kind, keys) in enumerate(rows, 1):
            session.add(
                Answer(
                    region_id=regions[place].id,
                    kind=kind,
                    annotator="ann",
                    annotation_id=number,
                    keys=keys,
                    completed_at=datetime(2026, 1, 1, tzinfo=UTC),
                )
            )


def test_the_initial_round(learned):
    (row,) = round_rows(learned)
    assert (row["round"], row["state"], row["images"], row["regions"], row["keys"]) == (0, "closed", 0, 0, 0)
    assert (row["pixel_share"], row["extra_share"]) == (0.0, 0.0)
    assert row["trained_version"] == learned.workspace.models.current()
    assert row["model_version"] is None
    assert set(row["seconds"]) == {"train", "evaluate", "publish"}
    assert 0 <= row["miou_test"] <= 1


def test_void_answers_are_queried_pixels_and_withdrawn_regions_are_not(asked):
    areas = in_state(asked, ["answered", "answered", "unanswered"])
    answers(asked, (0, "void", 2), (1, "class", 1), (1, "class", 2))
    row = round_rows(asked)[1]
    assert row["pixel_share"] == pytest.approx(areas["answered"] / (2 * 64 * 96))
    assert 0 < row["pixel_share"] < TINY["selection"]["budget"]
    assert (row["answered"], row["keys"], row["images"]) == (2, 5, 2)


def test_shares_are_of_all_rounds_so_far(asked):
    run_steps(asked, 1, [("merge", lambda *_: {"human_extra_pixels": 96})])
    close(asked, 1)
    begin(asked, 2)
    with asked.workspace.database.session() as session:
        first = sum(region.area for region in session.scalars(select(Region)))
        image = session.scalars(select(Image).where(Image.role == "pool")).first()
        image.role, image.round, image.height, image.width = "asked", 2, 10, 96
        session.flush()
        region = session.scalars(select(Region)).first()
        session.expunge(region)
        values = {each.name: getattr(region, each.name) for each in Region.__table__.columns}
        session.add(Region(**values | {"id": "r2", "round": 2, "image_id": image.id, "area": 90}))
    rows = round_rows(asked)
    assert rows[1]["pixel_share"] == pytest.approx(first / (2 * 64 * 96))
    assert rows[2]["pixel_share"] == pytest.approx((first + 90) / (2 * 64 * 96 + 960))
    assert rows[1]["extra_share"] == pytest.approx(96 / (2 * 64 * 96))
    assert rows[2]["regions"] == 1


def test_what_was_set_aside(asked):
    with asked.workspace.database.session() as session:
        session.add(Problem(round=1, task_id=7, annotation_id=9, region_id="r1-x", reason="no such class"))
    assert round_rows(asked)[1]["problems"] == 1
    assert problem_rows(asked) == [
        {"round": 1, "task": 7, "annotation": 9, "region": "r1-x", "reason": "no such class"}
    ]


@pytest.mark.parametrize(("share", "needed"), [(1.0, 9), (0.9, 9), (0.5, 5), (1 / 3, 3), (0.01, 1)])
def test_how_many_answers_are_needed(share, needed):
    assert GroupProgress(1, 9, 0).needed(share) == needed
    assert GroupProgress(1, 9, needed).complete(share)
    assert not GroupProgress(1, 9, needed - 1).complete(share)


@pytest.mark.parametrize(("answered", "regions"), [(7, 9), (2, 3), (1, 250), (249, 250), (1, 4000)])
def test_the_share_that_is_suggested_lets_the_round_go_on(answered, regions):
    progress = GroupProgress(3, regions, answered, {"ann@example.org": answered})
    message = str(GroupIncomplete(progress, 1.0))
    suggested = float(message.rsplit("--accept-partial ", 1)[1])
    assert 0 < suggested <= answered / regions
    assert progress.complete(suggested)


def test_who_did_how_much_and_what_is_left():
    progress = GroupProgress(3, 10, 6, {"bob@example.org": 2, "ann@example.org": 4})
    error = GroupIncomplete(progress, 0.9)
    assert error.exit_code == 3
    lines = str(error).splitlines()
    assert lines[0] == "waiting for annotators, round 3: 6 of 10 regions answered, 3 still needed."
    assert [line.split() for line in lines[1:4]] == [
        ["4", "ann@example.org"],
        ["2", "bob@example.org"],
        ["4", "left"],
    ]
    assert error.details["open_group"]["left"] == 4
    nobody = str(GroupIncomplete(GroupProgress(3, 10, 0), 1.0))
    assert "--accept-partial" not in nobody


def test_tasks_that_are_gone_are_said():
    progress = GroupProgress(3, 10, 6, {"ann@example.org": 4}, gone=2)
    assert progress.lines()[2:] == ["      2  count as answered: their tasks were deleted", "      4  left"]
    assert progress.to_dict()["gone"] == 2


def test_a_table():
    assert table(["name", "n", "mIoU"], [["a", 1, 0.5], ["long name", 20, None]]) == [
        "name        n    mIoU",
        "---------  --  ------",
        "a           1  0.5000",
        "long name  20       –",
    ]
    assert table(["a", "bb"], []) == ["a  bb", "-  --"]
