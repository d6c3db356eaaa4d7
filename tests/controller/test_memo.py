"""What is kept on disk between calls: results, and seconds."""

import pytest

from controller.journal import Journal
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


def test_a_journal_goes_on_behind_the_last_phase_that_ended(tmp_path):
    path = tmp_path / "work.json"
    journal = Journal(path, {"steps": 3})
    assert journal.once("train", lambda: {"loss": 0.5}) == {"loss": 0.5}
    with pytest.raises(ZeroDivisionError):
        journal.once("measure", lambda: 1 / 0)
    again = Journal(path, {"steps": 3})
    assert again.once("train", lambda: 1 / 0) == {"loss": 0.5}
    assert again.once("measure", lambda: None) is None
    assert Journal(path, {"steps": 3}).once("measure", lambda: 1 / 0) is None
    again.close()
    assert Journal(path, {"steps": 3}).once("train", lambda: 2) == 2


def test_a_journal_forgets_any_other_work(tmp_path):
    path = tmp_path / "work.json"
    Journal(path, "a").once("train", lambda: 1)
    Journal(path, "b").once("train", lambda: 2)
    # What the first one left elsewhere was replaced by the second.
    assert Journal(path, "a").once("train", lambda: 3) == 3


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"identity": "a", "phases": 1}', "\udcff"])
def test_a_damaged_journal_does_not_count(tmp_path, content):
    path = tmp_path / "work.json"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    assert Journal(path, "a").once("train", lambda: 1) == 1


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
