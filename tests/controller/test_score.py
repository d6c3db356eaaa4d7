"""Scores of the pool: a line an image behind one that says how they were made, and what a kill leaves."""

import json

import pytest
from rounds import make_workspace

from controller.initialize import create_or_change
from controller.loop import Loop
from controller.pool import as_sample, images_with_role
from controller.round import begin
from controller.score import head, read_scores, score, scores_file
from tenth.errors import OutOfReach
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
    version = begin(learned, 1).model_version
    first, second, *_ = (image.key for image in pool_of(learned))
    path = scores_file(learned, 1)
    # Values that no image has show which lines were kept; the second line is cut within its number.
    lines = [
        head(learned, version),
        f'{{"key": "{first}", "score": -1.5}}',
        f'{{"key": "{second}", "score": -2',
    ]
    path.write_text("\n".join(lines))
    score(learned, 1)
    scores = read_scores(path)
    assert scores[first].score == -1.5
    assert scores[second].score > 0
    assert len(scores) == 4
    assert [json.loads(line)["key"] for line in path.read_text().splitlines()[1:]] == [
        image.key for image in pool_of(learned)
    ]


@pytest.mark.parametrize(
    ("name", "value"), [("strategy", "tenth"), ("seed", 1), ("strategy", "random-regions"), ("group_size", 1)]
)
def test_scores_made_otherwise_are_made_anew(learned, name, value):
    """Killed while scoring; then the strategy is changed, or what has nothing to do with scores."""
    version = begin(learned, 1).model_version
    path = scores_file(learned, 1)
    first = pool_of(learned)[0].key
    made = f'{head(learned, version)}\n{{"key": "{first}", "score": -1.5}}\n'
    path.write_text(made)
    create_or_change(learned.workspace.folder, None, [("selection", name, value)])
    loop = Loop.open(learned.workspace.folder)
    result = score(loop, 1)
    if value == "random-regions":  # it does not look at scores
        assert result == {"images": 0} and path.read_text() == made
    else:
        assert len(read_scores(path)) == 4
        assert (read_scores(path)[first].score == -1.5) == (name == "group_size")


def test_a_file_of_an_older_version_is_readable_and_made_anew(learned):
    begin(learned, 1)
    path = scores_file(learned, 1)
    first = pool_of(learned)[0].key
    path.write_text(f'{{"key": "{first}", "score": -1.5, "descriptor": [0.25, 0.75]}}\n')
    assert read_scores(path)[first].score == -1.5
    assert read_scores(path)[first].descriptor.tolist() == [0.25, 0.75]
    score(learned, 1)
    assert len(read_scores(path)) == 4 and read_scores(path)[first].score > 0


def test_a_line_that_is_not_whole_is_not_read_but_left_to_who_writes_it(tmp_path):
    """A report reads while a round may be scoring."""
    path = tmp_path / "scores.jsonl"
    assert read_scores(path) == {}
    for rest in (b'{"key": "b", "sc', b'{"key": "' + "ä".encode()[:1]):
        content = b'{"scored_with": {}}\n{"key": "a", "score": 1.0}\n' + rest
        path.write_bytes(content)
        assert {key: row.score for key, row in read_scores(path).items()} == {"a": 1.0}
        assert path.read_bytes() == content


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


def move(loop, image, source):
    with loop.workspace.database.session() as session:
        session.get_one(Image, image.id).source = str(source)


def test_an_outage_ends_the_step_and_the_next_call_goes_on(learned, tmp_path, outage):
    """A picture that is missing is left out; one that cannot be reached is no reason to go on without it."""
    begin(learned, 1)
    missing, first, beyond, last = pool_of(learned)
    move(learned, missing, tmp_path / "none.png")
    move(learned, beyond, f"{outage}a.png")
    with pytest.raises(OutOfReach, match=r"outage://a\.png cannot be read: .* then try again"):
        score(learned, 1)
    assert read_scores(scores_file(learned, 1)).keys() == {first.key}
    move(learned, beyond, beyond.source)
    assert score(learned, 1)["images"] == 3
    assert read_scores(scores_file(learned, 1)).keys() == {first.key, beyond.key, last.key}
