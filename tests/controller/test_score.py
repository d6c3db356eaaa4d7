"""Scores of the pool: a line an image, and what a kill leaves of them."""

import json
from pathlib import Path

import pytest
from rounds import make_workspace

from controller.pool import as_sample, images_with_role
from controller.round import begin
from controller.score import read_scores, score, scores_file
from tenth.errors import DataError
from tenth.segmentation.uncertainty import image_entropy
from tenth.workspace.database import Image


def pool_of(loop):
    with loop.workspace.database.reading() as session:
        return images_with_role(session, "pool")


def test_every_image_of_the_pool_by_the_model_in_use(learned):
    version = begin(learned, 1).model_version
    assert score(learned, 1) == {"images": 4, "version": version}
    scores = read_scores(scores_file(learned, 1))
    assert list(scores) == [image.key for image in pool_of(learned)]
    predictor = learned.predictor(str(version))
    for image in pool_of(learned):
        expected = image_entropy(predictor.probabilities(as_sample(learned, image).load_image()))
        assert scores[image.key].score == pytest.approx(expected, rel=1e-6)


def test_a_killed_call_goes_on_behind_the_last_whole_line(learned):
    begin(learned, 1)
    first, second, *_ = (image.key for image in pool_of(learned))
    path = scores_file(learned, 1)
    # Values that no image has show which lines were kept; the second line is cut within its number.
    path.write_text(f'{{"key": "{first}", "score": -1.5}}\n{{"key": "{second}", "score": -2')
    score(learned, 1)
    scores = read_scores(path)
    assert scores[first].score == -1.5
    assert scores[second].score > 0
    assert len(scores) == 4
    lines = path.read_text().splitlines()
    assert [json.loads(line)["key"] for line in lines] == [image.key for image in pool_of(learned)]


def test_a_line_that_was_cut_short_is_dropped_from_the_file(tmp_path):
    path = tmp_path / "scores.jsonl"
    assert read_scores(path) == {}
    path.write_text('{"key": "a", "score": 1.0}\n{"key": "ä", "sc')
    assert {key: row.score for key, row in read_scores(path).items()} == {"a": 1.0}
    assert path.read_text() == '{"key": "a", "score": 1.0}\n'
    path.write_text('{"key": "a"')
    assert read_scores(path) == {}
    assert path.read_text() == ""


def test_a_line_cut_within_a_letter_is_dropped(tmp_path):
    path = tmp_path / "scores.jsonl"
    path.write_bytes(b'{"key": "a", "score": 1.0}\n{"key": "' + "ä".encode()[:1])
    assert {key: row.score for key, row in read_scores(path).items()} == {"a": 1.0}


def test_a_second_call_scores_nothing_again(learned):
    begin(learned, 1)
    score(learned, 1)
    before = scores_file(learned, 1).read_bytes()
    assert score(learned, 1)["images"] == 4
    assert scores_file(learned, 1).read_bytes() == before


def test_without_a_model_there_is_nothing_to_score(tmp_path):
    loop = make_workspace(tmp_path, scenes=(2, 0, 0), initial=0)
    begin(loop, 1)
    assert score(loop, 1) == {"images": 0}
    assert not scores_file(loop, 1).exists()


def test_an_outage_ends_the_step_and_the_next_call_goes_on(learned):
    """A picture that is broken is left out; one that cannot be reached is no reason to go on without it."""
    begin(learned, 1)
    broken, _, beyond, last = pool_of(learned)
    good = Path(broken.source).read_bytes()
    Path(broken.source).write_bytes(b"no picture")
    with learned.workspace.database.session() as session:
        session.get_one(Image, beyond.id).source = "nonsense://a.png"
    with pytest.raises(DataError, match=r"nonsense://a\.png cannot be read: .* then try again"):
        score(learned, 1)
    assert not {broken.key, beyond.key, last.key} & read_scores(scores_file(learned, 1)).keys()
    Path(broken.source).write_bytes(good)
    with learned.workspace.database.session() as session:
        session.get_one(Image, beyond.id).source = beyond.source
    assert score(learned, 1)["images"] == 4
