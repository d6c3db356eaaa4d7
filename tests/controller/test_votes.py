"""Several answers to one region: every person has one vote, the latest opinion of most counts."""

from datetime import UTC, datetime

import pytest

from controller.votes import settle
from tenth.workspace.database import Answer


def answer(number, annotator, label, kind="class"):
    return Answer(
        id=number,
        region_id="r1",
        kind=kind,
        label=label,
        annotator=annotator,
        annotation_id=number,
        keys=1,
        completed_at=datetime(2026, 1, 1, 0, number, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("said", "counts"),
    [
        ([("ann", 1)], 1),
        ([("ann", 1), ("bob", 2), ("cem", 1)], 3),  # the majority, and of it the last
        ([("ann", 1), ("bob", 2)], 2),  # equal: the later
        ([("ann", 1), ("bob", 2), ("ann", 2)], 3),  # she changed her mind
        ([("ann", 1), ("ann", 1), ("ann", 1), ("bob", 2), ("cem", 2)], 5),  # one vote a person
        ([("", 1), ("", 1), ("bob", 2)], 2),  # nobody's name is nobody's vote
        ([("ann", None), ("bob", None), ("cem", 1)], 2),
    ],
)
def test_which_answer_counts(said, counts):
    answers = [
        answer(number, who, label, kind="class" if label is not None else "void")
        for number, (who, label) in enumerate(said, 1)
    ]
    assert settle(answers).id == counts


def test_mixed_and_void_are_two_opinions():
    answers = [
        answer(1, "ann", None, "void"),
        answer(2, "bob", None, "mixed"),
        answer(3, "cem", None, "void"),
    ]
    assert settle(answers).id == 3
