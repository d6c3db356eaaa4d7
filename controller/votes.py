"""Several people answered the same region: which answer counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tenth.workspace.database import Answer


def settle(answers: Sequence[Answer]) -> Answer:
    """Return the answer that counts: the last one of what most people said.

    Parameters
    ----------
    answers : sequence of Answer
        At least one, all of one region, the oldest first.

    Returns
    -------
    Answer
        Every person has one vote, for the last thing they said. Where two opinions have as many votes, the
        one that was said last wins: whoever comes second has seen no less.
    """
    latest = {answer.annotator or answer.annotation_id: answer for answer in answers}
    votes = Counter((answer.kind, answer.label) for answer in latest.values())
    most = max(votes.values())
    in_order = [answer for answer in answers if answer in latest.values()]
    return [answer for answer in in_order if votes[(answer.kind, answer.label)] == most][-1]
