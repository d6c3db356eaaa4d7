"""Steps: once each, in order, recorded before the next one starts."""

import pytest
from sqlalchemy import select

from controller.round import begin
from controller.steps import last_round, results, run_steps, seconds
from tenth.workspace.database import Step


class Steps:
    """Three steps that write down that they ran, and fail where they are told to."""

    def __init__(self):
        self.ran = []
        self.broken = None

    def step(self, name):
        def function(loop, number):
            self.ran.append((name, sorted(results(loop, number))))
            if name == self.broken:
                raise RuntimeError(name)
            return {"number": number, "name": name}

        return name, function

    def all(self):
        return [self.step(name) for name in ("first", "second", "third")]


def test_in_order_each_seeing_what_came_before(learned):
    begin(learned, 1)
    steps = Steps()
    run_steps(learned, 1, steps.all())
    assert steps.ran == [("first", []), ("second", ["first"]), ("third", ["first", "second"])]
    assert results(learned, 1)["second"] == {"number": 1, "name": "second"}
    assert list(seconds(learned, 1)) == ["first", "second", "third"]
    assert min(seconds(learned, 1).values()) >= 0


def test_a_step_that_fails_is_the_one_that_is_repeated(learned):
    begin(learned, 1)
    steps = Steps()
    steps.broken = "second"
    with pytest.raises(RuntimeError, match="second"):
        run_steps(learned, 1, steps.all())
    assert list(results(learned, 1)) == ["first"]
    steps.broken, steps.ran = None, []
    run_steps(learned, 1, steps.all())
    assert [name for name, _ in steps.ran] == ["second", "third"]
    run_steps(learned, 1, steps.all())
    assert len(steps.ran) == 2


def test_steps_of_other_rounds_do_not_count(learned):
    begin(learned, 1)
    steps = Steps()
    run_steps(learned, 1, steps.all())
    begin(learned, 2)
    run_steps(learned, 2, steps.all())
    assert [name for name, _ in steps.ran] == ["first", "second", "third"] * 2
    with learned.workspace.database.reading() as session:
        assert len(list(session.scalars(select(Step).where(Step.round > 0)))) == 6
    last = last_round(learned)
    assert last is not None and last.number == 2
