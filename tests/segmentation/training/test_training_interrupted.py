"""Ctrl-C: the next call goes on where the training was, not at the checkpoint before."""

import os
import signal
import threading
from dataclasses import replace

import pytest
import torch
from tiny_network import IMAGES, SHORT, TinyNetwork

from tenth.segmentation.training import train
from tenth.segmentation.training.interrupts import deferred_interrupts


@pytest.fixture(autouse=True)
def as_in_a_terminal():
    """Let Ctrl-C work in tests that were started in the background as well, where shells have it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def press_ctrl_c():
    os.kill(os.getpid(), signal.SIGINT)


class Counting(TinyNetwork):
    """Counts its steps, and has Ctrl-C pressed in the middle of one of them, `times` in a row."""

    def __init__(self, step=None, times=1):
        super().__init__()
        self.done, self.at, self.times = 0, step, times

    def training_outputs(self, x):
        outputs = super().training_outputs(x)  # the statistics of the batch normalisation are changed now
        if self.training:  # a mean teacher, which is a copy, is not
            if self.done == self.at:
                for _ in range(self.times):
                    press_ctrl_c()
            self.done += 1
        return outputs


def assert_resumes(straight, expected, options, checkpoint, left, **more):
    """See that a second call does the `left` steps and ends where an uninterrupted training does."""
    resumed = Counting()
    result = train(resumed, IMAGES, options, checkpoint=checkpoint, **more)
    assert resumed.done == left
    assert (result.losses, result.scores) == (expected.losses, expected.scores)
    first, second = straight.state_dict(), resumed.state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("step", [0, 6, 11])
@pytest.mark.parametrize("consistency", [0.0, 1.0])
def test_in_a_step(tmp_path, step, consistency):
    options = replace(SHORT, consistency=consistency)
    straight = TinyNetwork()
    expected = train(straight, IMAGES, options)
    with pytest.raises(KeyboardInterrupt):
        train(Counting(step), IMAGES, options, checkpoint=tmp_path / "c")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert_resumes(straight, expected, options, tmp_path / "c", 11 - step)


def test_while_an_image_is_loaded(tmp_path):
    class Interrupting:
        left = len(IMAGES) + 7 * SHORT.batch_size

        def __len__(self):
            return len(IMAGES)

        def __getitem__(self, index):
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
            return IMAGES[index]

    straight = TinyNetwork()
    expected = train(straight, IMAGES, SHORT)
    with pytest.raises(KeyboardInterrupt):
        train(TinyNetwork(), Interrupting(), replace(SHORT, workers=0), checkpoint=tmp_path / "c")
    assert_resumes(straight, expected, SHORT, tmp_path / "c", 6)


def test_in_a_validation_even_the_last(tmp_path):
    scores = {3: 0.5, 6: 0.4, 9: 0.3, 12: 0.2}
    options = replace(SHORT, validate_every=3, patience=2)

    def interrupted(step):
        if step == at:
            press_ctrl_c()
        return scores[step]

    straight = TinyNetwork()
    expected = train(straight, IMAGES, options, on_validate=scores.__getitem__)
    assert expected.iterations == 9
    for at, left in ((6, 3), (9, 0)):
        checkpoint = tmp_path / str(at)
        with pytest.raises(KeyboardInterrupt):
            train(TinyNetwork(), IMAGES, options, checkpoint=checkpoint, on_validate=interrupted)
        assert_resumes(straight, expected, options, checkpoint, left, on_validate=scores.__getitem__)


def test_twice_in_a_step_half_of_it_is_not_kept(tmp_path):
    options = replace(SHORT, checkpoint_every=5)
    straight = TinyNetwork()
    expected = train(straight, IMAGES, options)
    network = Counting(6, times=2)
    with pytest.raises(KeyboardInterrupt):
        train(network, IMAGES, options, checkpoint=tmp_path / "c")
    assert network.done == 6
    assert_resumes(straight, expected, options, tmp_path / "c", 7)


def test_without_a_checkpoint_it_only_ends():
    with pytest.raises(KeyboardInterrupt):
        train(Counting(2), IMAGES, SHORT)


def test_other_threads_and_programs_with_a_handler_of_their_own_are_left_alone():
    pressed = []
    before = signal.signal(signal.SIGINT, lambda *_: pressed.append(1))
    try:
        with deferred_interrupts():
            press_ctrl_c()
            assert pressed == [1]
    finally:
        signal.signal(signal.SIGINT, before)
    ran = []

    def work():
        with deferred_interrupts():
            ran.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert ran == [before]
