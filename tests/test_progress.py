"""Progress where there is no terminal: plain lines, few of them."""

import pytest

from controller.options import make_progress
from tenth.progress import LINE_SECONDS, Progress


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def work(progress, clock, total, seconds, description="Training", text="", initial=0):
    with progress.bar(total, description, "step", initial) as bar:
        for _ in range(total - initial):
            clock.now += seconds
            bar.set_postfix_str(text)
            bar.update()


def test_a_line_every_30_seconds_and_one_at_the_end(capsys, clock):
    work(Progress(None, clock), clock, 1010, 7, text="loss 0.5", initial=1000)
    out, error = capsys.readouterr()
    assert out == ""
    assert error.splitlines() == [
        "Training: 1005/1010 step, 00:35 left, loss 0.5",
        "Training: 1010/1010 step, ended after 01:10, loss 0.5",
    ]


def test_hours_take_a_bounded_number_of_lines(capsys, clock):
    work(Progress(None, clock), clock, 30000, 0.5)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 30000 * 0.5 / LINE_SECONDS
    assert lines[0] == "Training: 60/30000 step, 4:09:30 left"
    assert lines[-1] == "Training: 30000/30000 step, ended after 4:10:00"


def test_a_short_task_is_silent_and_many_of_them_are_not(capsys, clock):
    progress = Progress(None, clock)
    work(progress, clock, 2, 5)
    assert capsys.readouterr().err == ""
    for number in range(1, 9):
        work(progress, clock, 2, 5, f"Image {number}")
    assert capsys.readouterr().err.splitlines() == [
        f"Image {number}: 2/2 step, ended after 00:10" for number in (2, 5, 8)
    ]


def test_one_inside_another_does_not_silence_it(capsys, clock):
    progress = Progress(None, clock)
    for _ in progress.over(range(3), 3, "Rounds", "round"):
        work(progress, clock, 2, 40)
    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines if line.startswith("Rounds")] == [
        "Rounds: 1/3 round, 02:40 left",
        "Rounds: 2/3 round, 01:20 left",
        "Rounds: 3/3 round, ended after 04:00",
    ]


def test_an_error_ends_it_where_it_was(capsys, clock):
    with pytest.raises(KeyboardInterrupt), Progress(None, clock).bar(9, "Training", "step") as bar:
        clock.now += 50
        bar.update()
        raise KeyboardInterrupt
    assert capsys.readouterr().err.splitlines()[-1] == "Training: 1/9 step, ended after 00:50"


def test_a_terminal_gets_bars_and_quiet_nothing(capsys, clock, monkeypatch):
    quiet = make_progress(True)
    quiet.clock = clock
    work(quiet, clock, 10, 40)
    work(Progress(False, clock), clock, 10, 40)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    work(make_progress(False), clock, 10, 40)
    work(Progress(True), clock, 10, 40)
    assert "ended" not in capsys.readouterr().err


def test_commands_write_lines_into_a_log(capsys, clock):
    progress = make_progress(False)
    progress.clock = clock
    work(progress, clock, 3, 40)
    assert capsys.readouterr().err.count("\n") == 3
