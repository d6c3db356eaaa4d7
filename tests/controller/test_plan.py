"""What a dry run says, in every state that a workspace can be in."""

import pytest
from rounds import make_workspace, nobody
from sqlalchemy import update

import controller.group as group_module
from controller.group import GroupProgress
from controller.plan import planned
from controller.round import begin, close
from controller.steps import run_steps
from tenth.workspace.database import Image

OPEN = ["score", "choose", "push"]
LEARN = ["train", "evaluate", "publish"]


def steps(lines):
    """Return the step lines as {round: [steps]}."""
    found = {}
    for line in lines:
        if ": " in line and line.startswith("round"):
            head, name = line.split(": ")
            found.setdefault(int(head.removeprefix("round ")), []).append(name)
    return found


def record(loop, number, *names):
    run_steps(loop, number, [(name, lambda *_: {}) for name in names])


def empty_pool(loop):
    with loop.workspace.database.session() as session:
        session.execute(update(Image).where(Image.role == "pool").values(role="asked", round=1))


@pytest.fixture
def group(monkeypatch):
    """Say how far people are, in place of Label Studio."""

    def say(answered, gone=0):
        progress = GroupProgress(1, 20, answered, {"ann@example.org": answered}, gone)
        monkeypatch.setattr(group_module, "group_progress", lambda *_: progress)

    return say


def test_a_new_workspace_trains_and_pushes(tmp_path):
    loop = make_workspace(tmp_path, scenes=(5, 1, 1))
    lines = planned(loop, 1.0, push_next=True)
    assert steps(lines) == {0: LEARN, 1: OPEN}
    assert lines[-1] == "round 1 asks about 2 of 3 images, at most 250 regions"
    assert steps(planned(loop, 1.0, push_next=False)) == {0: LEARN}
    begin(loop, 0)
    record(loop, 0, "train")
    assert steps(planned(loop, 1.0, push_next=True)) == {0: ["evaluate", "publish"], 1: OPEN}


def test_a_cold_start_pushes_at_once(tmp_path):
    loop = make_workspace(tmp_path, scenes=(3, 1, 1), initial=0)
    assert steps(planned(loop, 1.0, push_next=True)) == {1: OPEN}
    assert planned(loop, 1.0, push_next=False) == ["nothing: no group is open"]


def test_a_trained_model_pushes(learned):
    assert steps(planned(learned, 1.0, push_next=True)) == {1: OPEN}


def test_a_half_opened_round_goes_on(learned):
    begin(learned, 1)
    record(learned, 1, "score")
    assert planned(learned, 1.0, push_next=True) == ["round 1: choose", "round 1: push"]
    assert planned(learned, 1.0, push_next=False) == ["nothing: no group is open"]


def test_an_incomplete_group_waits(asked, group):
    record(asked, 1, "push")
    group(5)
    assert planned(asked, 0.9, push_next=True) == ["wait: round 1: 5 of 20 regions answered, 13 still needed"]


def test_a_complete_group_is_learned_from(asked, group):
    record(asked, 1, "push")
    group(18)
    lines = planned(asked, 0.9, push_next=True)
    assert steps(lines) == {1: ["pull", "merge", *LEARN], 2: OPEN}
    assert lines[-1] == "round 2 asks about 2 of 2 images, at most 250 regions"
    record(asked, 1, "pull", "merge")
    assert steps(planned(asked, 0.9, push_next=False)) == {1: LEARN}


def test_a_group_without_tasks_is_only_given_up(asked, group):
    record(asked, 1, "push")
    asked = nobody(asked)
    group(20, gone=20)
    (line,) = planned(asked, 0.9, push_next=True)
    assert line.startswith("refuse: Project 1 of http") and "--give-up" in line
    assert steps(planned(asked, 0.0, push_next=False)) == {1: ["pull", "merge", *LEARN]}


def test_without_label_studio_the_rest_is_said(asked):
    record(asked, 1, "push")
    first, *rest = planned(nobody(asked), 1.0, push_next=False)
    assert first.startswith("ask how much of round 1 is answered, which fails now: ")
    assert "did not answer" in first
    assert steps(rest) == {1: ["pull", "merge", *LEARN]}


def test_an_empty_pool_ends_it(asked, group):
    record(asked, 1, "push")
    empty_pool(asked)
    group(20)
    assert steps(planned(asked, 1.0, push_next=True)) == {1: ["pull", "merge", *LEARN]}
    close(asked, 1)
    assert planned(asked, 1.0, push_next=True) == ["nothing: every image of the pool has been asked"]


def test_nothing_is_changed(asked, group):
    group(0)
    before = {path: path.stat().st_mtime_ns for path in asked.workspace.folder.rglob("*.npz")}
    toml = (asked.workspace.folder / "controller.toml").read_bytes()
    planned(asked, 1.0, push_next=True)
    assert {path: path.stat().st_mtime_ns for path in asked.workspace.folder.rglob("*.npz")} == before
    assert (asked.workspace.folder / "controller.toml").read_bytes() == toml
