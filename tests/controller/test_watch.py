"""The watch: a look at every event, now and then without, and through all that Label Studio does."""

import contextlib
import os
import signal

import pytest
from rounds import TINY, make_workspace

import controller.watch as watch_module
from controller.cli import main
from controller.group import GroupIncomplete, GroupProgress
from controller.round import Outcome, learn_initial
from controller.watch import START_TRAINING, WatchOptions, watch
from tenth.errors import ConfigurationError, DataError, LabelStudioUnreachable, OutOfReach
from tenth.segmentation.training.run import Run

INCOMPLETE = GroupIncomplete(GroupProgress(1, 10, 3, {"ann@example.org": 3}), 1.0)
UNREACHABLE = LabelStudioUnreachable("Label Studio did not answer.")
RARELY = 3600.0


class Stopped(Exception):
    """Ends a watch."""


class Script:
    """Stands in for the clock and for `next_round`: what each look finds, and what happens between looks."""

    def __init__(self, loop, monkeypatch, *outcomes):
        self.loop = loop
        self.outcomes = list(outcomes)
        self.between = []
        self.log = []
        monkeypatch.setattr(watch_module, "next_round", self.look)
        monkeypatch.setattr(watch_module, "retrain", self.retrain)

    def look(self, loop, *, accept_partial):
        self.log.append(f"look {accept_partial:g}")
        with pytest.raises(ConfigurationError, match="in use"), loop.workspace.lock():
            pass  # the watch holds the lock
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def retrain(self, loop):
        self.log.append("retrain")
        return {"version": "v0002-abcdef01"}

    def sleep(self, seconds):
        """Let something happen instead of waiting; with nothing left, stop."""
        if not self.between:
            raise Stopped
        self.between.pop(0)()

    def event(self, action="ANNOTATION_CREATED"):
        self.loop.workspace.inbox.put(action, 1, {"tasks": [1]})

    def run(self, **options):
        settings = WatchOptions(**{"poll": RARELY, "look": 1.0} | options)
        with contextlib.suppress(Stopped):
            watch(self.loop, settings, self.log.append, self.sleep)
        return self.log


def nothing():
    """Nothing happens."""


def pending(loop):
    return [event.action for event in loop.workspace.inbox.pending()]


def test_an_event_leads_to_a_round(learned, monkeypatch):
    script = Script(learned, monkeypatch, INCOMPLETE, Outcome(1, 2), INCOMPLETE)
    script.between = [nothing, script.event]
    waiting = "waiting for annotators, round 1: 3 of 10 regions answered, 7 still needed."
    assert script.run(accept_partial=0.9) == [
        "look 0.9",
        waiting,
        "look 0.9",
        "Round 1 is closed; round 2 is pushed.",
        "look 0.9",
    ]
    assert pending(learned) == []


def test_it_looks_without_events_too(learned, monkeypatch):
    script = Script(learned, monkeypatch, INCOMPLETE, INCOMPLETE, INCOMPLETE)
    script.between = [nothing] * 7
    script.run(poll=3.0)
    assert script.log.count("look 1") == 3
    assert len(script.log) == 4  # the same is said once


def test_start_training_trains_further_while_people_answer(learned, monkeypatch):
    script = Script(learned, monkeypatch, INCOMPLETE, INCOMPLETE)
    script.between = [lambda: script.event(START_TRAINING)]
    script.run()
    assert script.log[-2:] == ["retrain", "Trained further on request: v0002-abcdef01."]
    assert script.log.count("retrain") == 1
    assert pending(learned) == []


def test_start_training_of_a_complete_group_is_the_round_itself(learned, monkeypatch):
    script = Script(learned, monkeypatch, Outcome(1, 2))
    script.event(START_TRAINING)
    script.run(rounds=1)
    assert "retrain" not in script.log
    assert pending(learned) == []


def test_label_studio_out_of_reach_goes_on_and_loses_nothing(learned, monkeypatch):
    script = Script(learned, monkeypatch, UNREACHABLE, UNREACHABLE, INCOMPLETE)
    script.event(START_TRAINING)
    script.between = [
        nothing,
        nothing,
        lambda: script.log.append(str(pending(learned))),
        nothing,
        nothing,
        nothing,
    ]
    script.run(poll=3.0)
    assert script.log == [
        "look 1",
        "Label Studio did not answer. Trying again in 3 s.",
        f"['{START_TRAINING}']",
        "look 1",
        "look 1",
        "retrain",
        "Trained further on request: v0002-abcdef01.",
        str(INCOMPLETE).splitlines()[0],
    ]
    assert pending(learned) == []


def test_an_outage_of_the_storage_is_waited_out(learned, monkeypatch):
    script = Script(learned, monkeypatch, OutOfReach("s3://drive is out of reach."), Outcome(1, 2))
    script.between = [nothing] * 3
    assert script.run(poll=3.0, rounds=1) == [
        "look 1",
        "s3://drive is out of reach. Trying again in 3 s.",
        "look 1",
        "Round 1 is closed; round 2 is pushed.",
    ]


def test_another_command_at_work_is_waited_for(learned, monkeypatch):
    script = Script(learned, monkeypatch, INCOMPLETE)
    script.event(START_TRAINING)
    with learned.workspace.lock():
        script.run()
    (said,) = script.log
    assert "in use by" in said and said.endswith("Trying again in 3600 s.")
    assert pending(learned) == [START_TRAINING]


def test_it_ends_with_the_pool_or_after_so_many_rounds(learned, monkeypatch):
    script = Script(learned, monkeypatch, Outcome(0, 1), Outcome(1, 2))
    assert script.run(rounds=2)[-1] == "Round 1 is closed; round 2 is pushed."
    script = Script(learned, monkeypatch, Outcome(5, None, "every image of the pool has been asked"))
    last = "Round 5 is closed; no group was pushed: every image of the pool has been asked."
    assert script.run()[-1] == last


@pytest.fixture
def as_a_service():
    """Let signals do what they do in a process of one's own, whatever started the tests."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_sigterm_in_a_training_ends_it_behind_the_step(tmp_path, monkeypatch, as_a_service, capsys):
    loop = make_workspace(tmp_path, scenes=(3, 1, 1))
    step, steps = Run.step, []

    def told_to_end(run, batch):
        steps.append(run.result.iterations)
        if len(steps) == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return step(run, batch)

    monkeypatch.setattr(Run, "step", told_to_end)
    monkeypatch.setattr(watch_module, "next_round", lambda loop, accept_partial: learn_initial(loop))
    main(["watch", "-w", str(loop.workspace.folder), "--quiet"])
    assert capsys.readouterr().out == ""
    assert steps == [0, 1]
    learn_initial(loop)
    assert steps == [*range(TINY["training"]["initial_iterations"])]


def test_bad_data_ends_it(learned, monkeypatch):
    script = Script(learned, monkeypatch, DataError("an image is broken"))
    with pytest.raises(DataError, match="broken"):
        script.run()
