import pytest
import torch
from tiny_network import TinyNetwork

from tenth.segmentation.training.teacher import Teacher


def moved(network: TinyNetwork, by: int) -> TinyNetwork:
    with torch.no_grad():
        for tensor in [*network.parameters(), *network.buffers()]:
            tensor.add_(by)
    return network


def state(network: TinyNetwork) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def assert_equal(first, second):
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_starts_as_a_copy_that_neither_trains_nor_drops_out():
    student = TinyNetwork().train()
    teacher = Teacher(student)
    assert_equal(teacher.state_dict(), state(student))
    assert not teacher.network.training
    assert not any(parameter.requires_grad for parameter in teacher.network.parameters())
    moved(student, 1)
    assert_equal(teacher.state_dict(), state(TinyNetwork()))
    assert teacher.network.same_head is teacher.network.head
    assert student.training


def test_follows_by_the_formula_statistics_too_and_shared_layers_once():
    student = TinyNetwork()
    start = state(student)
    teacher = Teacher(student)
    for _ in range(2):
        moved(student, 1)
        teacher.follow(student, 0.75)
    # 0 -> 0.25 * 1 -> 0.75 * 0.25 + 0.25 * 2
    for name, tensor in teacher.state_dict().items():
        if name.endswith("num_batches_tracked"):
            assert tensor == start[name] + 2
        else:
            torch.testing.assert_close(tensor, start[name] + 0.6875)


def test_answers_with_the_main_output_in_evaluation_mode_and_float32():
    student = TinyNetwork().train()
    images = torch.randn(2, 3, 8, 10, generator=torch.Generator().manual_seed(0))
    teacher = Teacher(student)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        answer = teacher.logits(images)
    assert answer.dtype == torch.float32
    assert not answer.requires_grad
    expected = TinyNetwork().eval().training_outputs(images)[0].logits
    torch.testing.assert_close(teacher.logits(images), expected)
    torch.testing.assert_close(answer, expected, rtol=0.05, atol=0.05)


def test_stands_in_and_leaves_without_a_trace():
    student = moved(TinyNetwork(), 1)
    optimizer = torch.optim.SGD(student.parameters(), lr=1.0)
    teacher = Teacher(student)
    moved(student, 1)
    mine, theirs = state(student), state(teacher.network)
    with teacher.standing_in(student):
        assert_equal(state(student), theirs)
    assert_equal(state(student), mine)
    assert_equal(state(teacher.network), theirs)
    with pytest.raises(KeyboardInterrupt), teacher.standing_in(student):
        raise KeyboardInterrupt
    assert_equal(state(student), mine)
    # The optimizer still moves the student, not the teacher.
    student.training_outputs(torch.ones(2, 3, 8, 8))[0].logits.square().sum().backward()
    optimizer.step()
    assert not torch.equal(student.head.weight, mine["head.weight"])
    assert_equal(state(teacher.network), theirs)
