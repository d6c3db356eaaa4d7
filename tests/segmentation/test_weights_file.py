import errno
import os
import resource
import signal
import socket
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from tenth.segmentation import weights_file
from tenth.segmentation.weights_file import write_weights


def test_tensors_come_back_whatever_their_layout_and_whatever_they_share(tmp_path):
    path = tmp_path / "a.safetensors"
    last = torch.arange(24.0).reshape(2, 3, 4, 1).contiguous(memory_format=torch.channels_last)
    write_weights(path, {"a": last, "b": last, "c": torch.tensor(2)})
    found = load_file(path)
    assert torch.equal(found["a"], last) and torch.equal(found["b"], last) and found["c"] == 2
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_an_os_error_that_names_the_file_and_leaves_the_old_one(tmp_path):
    path = tmp_path / "a.safetensors"
    write_weights(path, {"a": torch.ones(1)})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(OSError, match=r"a\.safetensors") as caught:
            write_weights(path, {"a": torch.zeros(10_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.errno == errno.EFBIG
    assert load_file(path) == {"a": torch.ones(1)}
    assert list(tmp_path.iterdir()) == [path]


def test_ctrl_c_while_writing_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.safetensors"
    write_weights(path, {"a": torch.ones(1)})

    def interrupted(descriptor):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_weights(path, {"a": torch.zeros(1)})
    assert load_file(path) == {"a": torch.ones(1)}
    assert list(tmp_path.iterdir()) == [path]


KILLED = f"""
import os, pathlib, sys, torch
from tenth.segmentation.weights_file import write_weights

os.fsync = lambda descriptor: os.kill(os.getpid(), {signal.SIGKILL})
write_weights(pathlib.Path(sys.argv[1]), {{"a": torch.zeros(1)}})
"""


def test_what_a_kill_leaves_is_removed_by_the_next_writer(tmp_path):
    path = tmp_path / "a.safetensors"
    write_weights(path, {"a": torch.ones(1)})
    killed = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert load_file(path) == {"a": torch.ones(1)}
    assert len(list(tmp_path.iterdir())) == 2
    write_weights(path, {"a": torch.zeros(1)})
    assert list(tmp_path.iterdir()) == [path]


def test_what_others_write_is_left_alone(tmp_path):
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    here, ours = socket.gethostname(), tmp_path / "a.safetensors"
    others = [
        tmp_path / f".{ours.name}.{here}.1.abc.tmp",  # lives
        tmp_path / f".{ours.name}.elsewhere.{process.pid}.abc.tmp",
        tmp_path / f".other.safetensors.{here}.{process.pid}.abc.tmp",
    ]
    for path in others:
        path.touch()
    write_weights(ours, {"a": torch.ones(1)})
    assert sorted(tmp_path.iterdir()) == sorted([ours, *others])


def test_two_writers_of_one_file_do_not_take_each_others(tmp_path, monkeypatch):
    path, real, inside = tmp_path / "a.safetensors", weights_file.write_durably, []

    def meanwhile(temporary, content):
        real(temporary, content)
        if not inside:
            inside.append(True)
            write_weights(path, {"a": torch.zeros(1)})  # done before this one gets to its replacing

    monkeypatch.setattr(weights_file, "write_durably", meanwhile)
    write_weights(path, {"a": torch.ones(1)})
    assert load_file(path) == {"a": torch.ones(1)}
    assert list(tmp_path.iterdir()) == [path]
