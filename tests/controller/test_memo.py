"""What is kept on disk between calls: results, and seconds."""

import pytest

from controller.memo import Memo
from controller.seconds import SecondsLog


def test_results_are_computed_once_for_each_identity(tmp_path):
    memo = Memo(tmp_path / "memo")
    computed = []

    def result(value):
        computed.append(value)
        return {"value": value}

    for value in (1, 1, 2, 1):
        assert memo.recall({"of": value, "more": (1.5, None)}, lambda value=value: result(value)) == {
            "value": value
        }
    assert computed == [1, 2]
    assert Memo(tmp_path / "memo").recall({"more": [1.5, None], "of": 2}, lambda: 0) == {"value": 2}


def test_an_interrupted_result_leaves_nothing(tmp_path):
    memo = Memo(tmp_path)
    with pytest.raises(ZeroDivisionError):
        memo.recall("a", lambda: 1 / 0)
    assert list(tmp_path.iterdir()) == []
    assert memo.recall("a", lambda: [1, float("nan")]) == [1, None]


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"identity": "b", "result": 3}', "\udcff"])
def test_a_damaged_or_foreign_file_does_not_count(tmp_path, content):
    memo = Memo(tmp_path)
    memo.recall("a", lambda: 1)
    (path,) = tmp_path.iterdir()
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    assert memo.recall("a", lambda: 2) == 2
    assert memo.recall("a", lambda: 3) == 2


def test_seconds_by_owner_the_last_of_each_piece(tmp_path):
    path = tmp_path / "folder" / "seconds.jsonl"
    one, other = SecondsLog(path, "one"), SecondsLog(path, "other")
    assert one.total(["a"]) == 0
    one.add("a", 1.5)
    with path.open("a") as file:
        file.write('["one", "b", 100')  # killed in the middle
    one.add("b", 2.0)
    other.add("b", 50.0)
    one.add("a", 3.0)
    assert one.total(["a", "b", "b", "c"]) == 5.0
    assert one.total(["b"]) == 2.0
    assert other.total(["a", "b"]) == 50.0
