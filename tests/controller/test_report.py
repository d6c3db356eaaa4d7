"""The report page: right numbers, the right pictures, and nothing that comes from outside."""

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture
from rounds import TINY, answer, make_workspace, open_round, run_rounds
from sqlalchemy import select

from controller.report import write_report
from controller.report.charts import LABEL_DISTANCE, nice_ticks, spread
from controller.report.facts import gather_facts
from controller.report.pictures import asked_pictures, contour
from controller.report.words import decimal, duration, integer, percent, pixels, signed
from controller.score import read_scores, scores_file
from tenth.segmentation.dataset import Sample
from tenth.workspace.database import Answer, Image, Region

CONTROL = {"miou_val": 0.0123, "miou_test": 0.0456, "iterations": 8}
VOID_TAGS = {"meta"}


class Page(HTMLParser):
    """Text of a page, all attributes, and whether every tag is closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: list[str] = []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID_TAGS:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def values(self, name: str) -> list[str]:
        return [value for _, each, value in self.attributes if each == name]


@pytest.fixture(scope="module")
def loop(tmp_path_factory):
    """Two closed rounds of two images each, a third one open."""
    loop = make_workspace(tmp_path_factory.mktemp("report"), scenes=(7, 1, 1))
    run_rounds(loop, 2)
    open_round(loop, 3)
    return loop


@pytest.fixture(scope="module")
def html(loop, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "deeper" / "report.html"
    write_report(loop, path, title="Streets <b> & more", control=CONTROL)
    assert [each.name for each in path.parent.iterdir()] == ["report.html"]
    return path.read_text("utf-8")


def decoded(uri: str) -> np.ndarray:
    assert uri.startswith("data:image/")
    return np.array(Picture.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).convert("RGB"))


def images_of(panel) -> np.ndarray:
    (uri,) = re.findall(r'href="([^"]+)"', panel.svg)
    return decoded(uri)


def test_everything_is_in_the_file_itself(html):
    page = Page(html)
    addresses = page.values("href") + page.values("src")
    assert addresses
    assert all(value.startswith("data:image/") for value in addresses)
    assert "url(" not in html
    assert "@import" not in html
    assert "<script" not in html
    assert "http://" not in html.replace("http://www.w3.org", "")


def test_the_title_is_text_and_no_markup(html):
    assert "Streets <b>" not in html
    assert "Streets <b> & more" in Page(html).text


def test_rounds_and_control_stand_in_the_table(loop, html):
    text = Page(html).text
    for row in gather_facts(loop, None).rows:
        assert f"{row['miou_val']:.3f} {row['miou_test']:.3f}" in text
    assert "control 0.012 0.046" in text
    assert "Round 3 is open" in text


def test_facts_are_those_of_the_database(loop):
    facts = gather_facts(loop, {"miou_val": None, "miou_test": 0.5})
    assert [row["round"] for row in facts.rows] == [0, 1, 2]
    with loop.workspace.database.reading() as session:
        areas = {
            number: sum(session.scalars(select(Region.area).where(Region.round == number)))
            for number in (1, 2)
        }
        keys = sum(
            session.scalars(
                select(Answer.keys).join(Region, Answer.region_id == Region.id).where(Region.round < 3)
            )
        )
    assert [row["queried"] for row in facts.rows] == [0, areas[1], areas[1] + areas[2]]
    assert facts.total("keys") == keys
    assert facts.split == "test"
    assert facts.control == {"test": 0.5}
    assert facts.ahead == pytest.approx(facts.rows[-1]["miou_test"] - 0.5)
    assert facts.gain == pytest.approx(facts.rows[-1]["miou_test"] - facts.rows[0]["miou_test"])
    assert facts.open_round == 3
    version = loop.workspace.models.info(facts.rows[-1]["trained_version"])
    for row in facts.classes:
        assert row.after == version.metrics["test"]["iou"][row.name]


def test_withdrawn_regions_are_not_counted_as_asked(tmp_path):
    loop = make_workspace(tmp_path)
    run_rounds(loop, 1)
    asked = gather_facts(loop, None).rows[-1]["queried"]
    with loop.workspace.database.session() as session:
        withdrawn = session.scalars(select(Region)).first()
        withdrawn.state = "unanswered"
    assert gather_facts(loop, None).rows[-1]["queried"] == asked - withdrawn.area


def test_the_most_uncertain_images_of_the_last_closed_round_come_first(loop):
    pictures = asked_pictures(loop, gather_facts(loop, None), 3)
    scores = {key: row.score for key, row in read_scores(scores_file(loop, 2)).items()}
    with loop.workspace.database.reading() as session:
        asked = session.scalars(select(Image.key).where(Image.round == 2)).all()
    assert [picture.key for picture in pictures] == sorted(asked, key=lambda key: -scores[key])
    assert len(asked_pictures(loop, gather_facts(loop, None), 1)) == 1


def test_the_pictures_show_what_they_say(loop):
    facts = gather_facts(loop, None)
    picture = asked_pictures(loop, facts, 1)[0]
    with loop.workspace.database.reading() as session:
        image = session.scalars(select(Image).where(Image.key == picture.key)).one()
        answers = session.scalars(
            select(Answer.label)
            .join(Region, Answer.region_id == Region.id)
            .where(Region.image_id == image.id)
        ).all()
    pixels, truth = Sample(image.key, image.source, image.labels, 12).load()
    asked, heat, before, after, labels = picture.panels
    assert [panel.title for panel in picture.panels[2:]] == ["Before", "After", "Ground truth"]
    # A JPEG: close on average.
    assert np.abs(images_of(asked).astype(int) - pixels).mean() < 12
    np.testing.assert_array_equal(images_of(labels), loop.classes.colorize(truth))
    for panel, row in ((before, facts.rows[0]), (after, facts.rows[-1])):
        predicted = loop.predictor(row["trained_version"]).labels(pixels)
        np.testing.assert_array_equal(images_of(panel), loop.classes.colorize(predicted))
        assert row["trained_version"] in panel.note
        assert f"{100 * (predicted == truth).mean():.0f}\u202f% of the pixels right" in panel.note
    strokes = re.findall(r'class="answer" d="[^"]+" stroke="(#\w+)"', asked.svg)
    colors = {entry.id: "#{:02x}{:02x}{:02x}".format(*entry.color) for entry in loop.classes.classes}
    assert sorted(strokes) == sorted(colors[label] for label in answers)
    assert heat.scale is not None
    assert heat.svg.count("<path") == len(answers)


def test_mixed_void_and_missing_answers_are_told_apart(tmp_path):
    loop = make_workspace(tmp_path, settings={**TINY, "selection": {"group_size": 1}})
    run_rounds(loop, 1)
    with loop.workspace.database.session() as session:
        first, second, third = session.scalars(select(Answer)).all()[:3]
        first.kind, first.label = "mixed", None
        second.kind, second.label = "void", None
        session.delete(third)
    outlines = asked_pictures(loop, gather_facts(loop, None), 1)[0].panels[0].svg
    for word in ("mixed", "void", "no usable answer"):
        assert outlines.count(f"<title>{word}") == 1
    assert outlines.count("special") == 3


def test_a_cold_start_has_no_before(tmp_path):
    loop = make_workspace(tmp_path, initial=0)
    run_rounds(loop, 1)
    write_report(loop, tmp_path / "report.html", title="Cold", control=None)
    text = Page((tmp_path / "report.html").read_text("utf-8")).text
    assert "In 1 round, people answered" in text
    assert "After" not in text
    assert "control" not in text


@pytest.mark.parametrize("rounds", [None, 0])
def test_before_anybody_was_asked(tmp_path, rounds):
    loop = make_workspace(tmp_path)
    if rounds == 0:
        run_rounds(loop, 0)
    write_report(loop, tmp_path / "report.html", title="Early", control=None)
    text = Page((tmp_path / "report.html").read_text("utf-8")).text
    assert ("people have not been asked yet" if rounds == 0 else "No model has been trained") in text


def test_without_labelled_splits_nothing_is_claimed(tmp_path):
    loop = make_workspace(tmp_path)
    for split in ("val", "test"):
        for path in Path(loop.dataset.root, split, "labels").iterdir():
            path.unlink()
    run_rounds(loop, 1)
    write_report(loop, tmp_path / "report.html", title="Bare", control=None)
    text = Page((tmp_path / "report.html").read_text("utf-8")).text
    assert "mIoU on the" not in text
    assert "Class by class" not in text


def test_the_chart_says_its_numbers_in_words(html, loop):
    spoken = [value for value in Page(html).values("aria-label") if value.startswith("mIoU over the rounds")]
    rows = gather_facts(loop, None).rows
    assert ", ".join(f"{row['miou_test']:.3f} at {row['round']}" for row in rows) in spoken[0]
    assert "control 0.046" in spoken[0]


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 10, [0, 2, 4, 6, 8, 10]),
        (0.41, 0.58, [0.4, 0.45, 0.5, 0.55, 0.6]),
        (0, 68000, [0, 20000, 40000, 60000, 80000]),
        (0.3, 0.3, [0.2, 0.4]),
        (0, 0, [0, 0.2]),
    ],
)
def test_ticks_enclose_the_values(low, high, ticks):
    np.testing.assert_allclose(nice_ticks(low, high), ticks)


def test_labels_do_not_cover_each_other():
    moved = spread([(250.0, "a", ""), (252.0, "b", ""), (30.0, "c", ""), (249.0, "d", "")])
    heights = [height for height, _, _ in moved]
    assert [name for _, name, _ in moved] == ["c", "d", "a", "b"]
    assert np.diff(heights).min() >= LABEL_DISTANCE
    assert heights[0] == 30.0


def test_a_contour_runs_around_the_mask():
    mask = np.zeros((6, 8), bool)
    mask[1:4, 2:7] = True
    mask[2, 4] = False
    outer, hole = contour(mask).strip("Z").split("ZM")
    corners = {tuple(map(float, point.split(","))) for point in outer.strip("M").split("L")}
    assert corners == {(2.25, 1.25), (6.75, 1.25), (6.75, 3.75), (2.25, 3.75)}
    around = np.array([tuple(map(float, point.split(","))) for point in hole.split("L")])
    assert around.min(0) == pytest.approx((3.75, 1.75))
    assert around.max(0) == pytest.approx((5.25, 3.25))


def test_numbers_read_well():
    assert decimal(None) == "–"
    assert decimal(0.12345) == "0.123"
    assert signed(-0.05) == "−0.050"
    assert percent(0.0957) == "9.6\u202f%"
    assert integer(12345) == "12\u202f345"
    assert [pixels(value) for value in (0, 950, 25000, 3_500_000)] == ["0", "950", "25k", "3.5M"]
    assert [duration(value) for value in (0.4, 75, 3700)] == [
        "0\u202fs",
        "1\u202fmin 15\u202fs",
        "1\u202fh 01\u202fmin",
    ]


def test_answers_of_an_open_round_change_nothing(loop, html):
    before = gather_facts(loop, CONTROL)
    answer(loop, 3)
    after = gather_facts(loop, CONTROL)
    assert (before.rows, before.classes) == (after.rows, after.classes)
