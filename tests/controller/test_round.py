"""The two halves of a round, and what stays where it stops."""

import pytest
import torch
from rounds import TINY, make_workspace, nobody
from safetensors.torch import load_file

import controller.round as rounds_module
from controller.initialize import create_or_change
from controller.loop import Loop
from controller.round import (
    CLOSING,
    LEARNING,
    OPENING,
    begin,
    close,
    is_pending,
    learn_initial,
    next_round,
    pool_size,
)
from controller.steps import last_round, results
from tenth.errors import ConfigurationError, LabelStudioUnreachable
from tenth.workspace.database import Round


def test_the_order_of_the_steps():
    assert [name for name, _ in OPENING] == ["score", "choose", "push"]
    assert [name for name, _ in CLOSING] == ["pull", "merge", "train", "evaluate", "publish"]
    assert CLOSING[2:] == LEARNING


def test_the_initial_round_publishes_what_it_trained(learned):
    (version,) = learned.workspace.models.names()
    assert learned.workspace.models.current() == version
    recorded = results(learned, 0)
    assert list(recorded) == ["train", "evaluate", "publish"]
    assert recorded["publish"] == {"version": version}
    assert recorded["train"]["images"] == 2
    assert recorded["train"]["iterations"] == TINY["training"]["initial_iterations"]
    assert 0 <= recorded["evaluate"]["test"]["miou"] <= 1
    row = last_round(learned)
    assert row is not None
    assert (row.number, row.state, row.trained_version) == (0, "closed", version)
    assert row.closed_at is not None
    assert not is_pending(learned, 0)
    assert pool_size(learned) == 4


def test_a_killed_initial_round_goes_on_behind_its_training(tmp_path, monkeypatch):
    loop = make_workspace(tmp_path, scenes=(3, 1, 1))

    def killed(loop, number):
        raise KeyboardInterrupt

    monkeypatch.setattr(rounds_module, "LEARNING", (LEARNING[0], ("evaluate", killed), LEARNING[2]))
    with pytest.raises(KeyboardInterrupt):
        learn_initial(loop)
    assert list(results(loop, 0)) == ["train"]
    assert is_pending(loop, 0)
    assert loop.workspace.models.current() is None

    def again(loop, number):
        raise AssertionError("trained twice")

    monkeypatch.setattr(rounds_module, "LEARNING", (("train", again), *LEARNING[1:]))
    learn_initial(loop)
    assert list(results(loop, 0)) == ["train", "evaluate", "publish"]


def test_a_round_begins_once_and_keeps_the_version_that_asks(learned):
    first = begin(learned, 1)
    assert (first.state, first.strategy, first.model_version) == (
        "open",
        "sp-crf",
        learned.workspace.models.current(),
    )
    with learned.workspace.database.session() as session:
        session.get_one(Round, 1).model_version = "v0099-00000000"
    assert begin(learned, 1).model_version == "v0099-00000000"
    close(learned, 1)
    assert begin(learned, 1).state == "closed"


def test_without_an_initial_set_there_is_no_round_0(tmp_path):
    loop = make_workspace(tmp_path, scenes=(3, 0, 0), initial=0)
    assert not is_pending(loop, 0)
    assert pool_size(loop) == 3


def test_nothing_is_trained_while_label_studio_is_out_of_reach(tmp_path):
    loop = nobody(make_workspace(tmp_path, scenes=(3, 1, 0)))
    with pytest.raises(LabelStudioUnreachable, match="did not answer"):
        next_round(loop)
    assert last_round(loop) is None
    assert loop.workspace.models.names() == []


def test_nothing_is_trained_without_a_project(tmp_path, monkeypatch):
    monkeypatch.setenv("LABEL_STUDIO_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "a" * 40)
    loop = make_workspace(tmp_path, scenes=(3, 1, 0))
    with pytest.raises(ConfigurationError, match="controller init"):
        next_round(loop)
    assert last_round(loop) is None


@pytest.mark.parametrize("strategy, counterpart", [("margin", "sp"), ("image", "sp-crf")])
def test_what_nobody_can_answer_is_refused_before_anything_is_trained(tmp_path, strategy, counterpart):
    loop = nobody(make_workspace(tmp_path, scenes=(3, 1, 0)))
    create_or_change(loop.workspace.folder, None, [("selection", "strategy", strategy)])
    loop = Loop.open(loop.workspace.folder)
    with pytest.raises(ConfigurationError, match=f"'{strategy}' asks .*strategy = '{counterpart}'"):
        next_round(loop)
    assert last_round(loop) is None


def test_answers_that_could_not_be_merged_are_not_asked_for(tmp_path):
    """The strategy has no CRF to spread them through: step "merge" would refuse, when all are answered."""
    loop = nobody(make_workspace(tmp_path, scenes=(3, 1, 0)))
    create_or_change(
        loop.workspace.folder, None, [("labels", "propagate", True), ("selection", "strategy", "sp")]
    )
    loop = Loop.open(loop.workspace.folder)
    with pytest.raises(ConfigurationError, match=r"strategy = 'sp' in .*: labels.propagate .* 'sp-crf'"):
        next_round(loop)
    assert last_round(loop) is None


def test_a_changed_network_is_refused_before_it_trains(learned):
    create_or_change(learned.workspace.folder, None, [("network", "width", 0.25)])
    loop = Loop.open(learned.workspace.folder)
    begin(loop, 1)
    with pytest.raises(ConfigurationError, match=r"width 0\.25.*width 0\.125"):
        rounds_module.train(loop, 1)


def test_images_without_labels_take_part_where_a_mean_teacher_can_say_something_about_them(tmp_path):
    for pool, images in ((False, 2), (True, 6)):
        training = TINY["training"] | {"consistency": 1.0, "pool": pool}
        settings = TINY | {"training": training}
        loop = make_workspace(tmp_path / str(pool), scenes=(6, 1, 1), settings=settings)
        learn_initial(loop)
        assert results(loop, 0)["train"]["images"] == images
    weights = (
        load_file(tmp_path / str(pool) / "workspace/training/round-000.safetensors") for pool in (False, True)
    )
    first, second = weights
    assert any(not torch.equal(first[name], second[name]) for name in first)
