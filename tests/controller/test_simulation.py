"""The simulator: its annotator and images by hand, whole comparisons on generated scenes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from controller.cli import cli
from controller.simulation.annotator import Annotator, strokes
from controller.simulation.compare import Comparison
from controller.simulation.images import LabelledPicture, drive_of, load_pictures, split_initial
from controller.simulation.recipes import ANSWERS, recipe_of
from controller.simulation.results import ROW, relative
from controller.simulation.settings import Run, Simulation
from tenth.errors import ConfigurationError, DataError
from tenth.segmentation.dataset import FolderDataset
from tenth.segmentation.scenes import write_scenes

# two regions of six pixels: the left one is pure, the right one holds class 1, class 2 and a void pixel
SUPERPIXELS = np.array([[0, 0, 1, 1], [0, 0, 1, 1], [0, 0, 1, 1]], np.int32)
TRUTH = np.array([[0, 0, 1, 1], [0, 0, 1, 2], [0, 0, 1, 255]], np.uint8)
GUESS = np.array([[0, 0, 2, 2], [0, 1, 2, 2], [0, 0, 1, 1]], np.uint8)


def test_dominant_answers_by_hand():
    answers = Annotator("dominant", classes=3).answer(SUPERPIXELS, [1, 0], TRUTH, GUESS, salt=0)
    assert answers.labels.tolist() == [1, 0]
    assert answers.keys == 2 + 1  # the guess 2 has to be changed, the guess 0 is accepted
    assert answers.pixels == 12
    assert (
        answers.wrong_pixels == 1 + 3
    )  # one pixel on the left; three of the right ones whose truth is known
    assert answers.right_pixels == 6 + 4  # the pixel of class 2 gets the label 1
    assert [(each.region, each.label, each.void) for each in answers.as_region_answers()] == [
        (1, 1, False),
        (0, 0, False),
    ]


def test_exact_answers_by_hand():
    answers = Annotator("exact", classes=3).answer(SUPERPIXELS, [1, 0], TRUTH, GUESS, salt=0)
    assert answers.mixed.tolist() == [True, False]
    # the left region is accepted; the right one: mixed, two pieces with a class and a stroke each, submit
    assert answers.keys == 1 + (2 + 2 * 2)
    assert answers.right_pixels == 11
    mixed, pure = answers.as_region_answers()
    np.testing.assert_array_equal(mixed.painted[SUPERPIXELS == 1], TRUTH[SUPERPIXELS == 1])
    assert mixed.label is None
    assert pure.painted is None


def test_a_piece_across_two_regions_is_painted_twice():
    painted = np.full((2, 4), 3, np.uint8)
    superpixels = np.array([[0, 0, 1, 1], [0, 0, 1, 1]], np.int32)
    assert strokes(superpixels, painted) == 2 * 2 + 2 * 2


def test_a_void_region_is_void():
    void = np.full_like(TRUTH, 255)
    answers = Annotator("dominant", classes=3).answer(SUPERPIXELS, [0], void, GUESS, salt=0)
    assert answers.as_region_answers()[0].void
    assert answers.wrong_pixels == 0


def test_noise_names_another_class_in_its_share_of_the_answers():
    superpixels = np.arange(4000, dtype=np.int32).reshape(40, 100)
    truth = np.zeros((40, 100), np.uint8)
    annotator = Annotator("dominant", classes=4, noise=0.25, seed=1)
    first = annotator.answer(superpixels, range(4000), truth, truth, salt=5)
    again = annotator.answer(superpixels, range(4000), truth, truth, salt=5)
    np.testing.assert_array_equal(first.labels, again.labels)
    assert (first.labels != 0).mean() == pytest.approx(0.25, abs=0.03)
    assert set(np.unique(first.labels)) == {0, 1, 2, 3}


@pytest.mark.parametrize(
    ("key", "drive"),
    [
        ("train/0006R0_f00930", "0006R0"),
        ("train/0001TP_006690", "0001TP"),
        ("test/Seq05VD_f05100", "Seq05VD"),
        ("train/scene-0012", "scene"),
        ("train/0012", "0012"),
    ],
)
def test_drives(key, drive):
    assert drive_of(key) == drive


def frames(**drives):
    blank = np.zeros((2, 2), np.uint8)
    keys = [f"train/{drive}_{i:04d}" for drive, count in drives.items() for i in range(count)]
    return [LabelledPicture(key, np.zeros((2, 2, 3), np.uint8), blank) for key in sorted(keys)]


@pytest.mark.parametrize("seed", range(4))
def test_the_initial_set_is_a_contiguous_piece_of_each_drive(seed):
    pictures = frames(A=60, B=30, C=10)
    initial, pool = split_initial(pictures, 10, seed)
    assert [picture.key for picture in sorted(initial + pool, key=lambda each: each.key)] == [
        picture.key for picture in pictures
    ]
    numbers = {}
    for picture in initial:
        numbers.setdefault(picture.drive, []).append(int(picture.key[-4:]))
    assert {drive: len(found) for drive, found in numbers.items()} == {"A": 6, "B": 3, "C": 1}
    for found in numbers.values():
        assert found == list(range(found[0], found[0] + len(found)))


def test_an_initial_set_without_a_pool_is_refused():
    with pytest.raises(DataError, match="--initial from 0 to 9"):
        split_initial(frames(A=10), 10, 0)


def test_images_are_resized_with_their_labels(tmp_path):
    write_scenes(tmp_path, train=1, val=0, test=0, width=64, height=48, seed=1)
    samples = FolderDataset(tmp_path).split("train")
    (small,) = load_pictures(samples, (32, 24))
    assert small.picture.shape == (24, 32, 3)
    assert small.truth.shape == (24, 32)
    assert set(np.unique(small.truth)) <= set(np.unique(samples[0].load()[1]))


def test_ratio_and_share_of_the_gap():
    row = {"miou_test": 0.5, "initial_miou_test": 0.4, "full_label_miou_test": 0.6}
    assert relative(row) == pytest.approx({"ratio": 5 / 6, "gap_closed": 0.5})
    assert relative(row | {"full_label_miou_test": None}) == {"ratio": None, "gap_closed": None}


@pytest.fixture(scope="module")
def streets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("streets")
    write_scenes(folder, train=12, val=2, test=2, width=96, height=72, seed=4)
    return folder


def tiny(streets, **changes):
    settings = {
        "network_options": {"encoder": "resnet18", "width": 0.125},
        "initial": 4,
        "groups": 2,
        "group_size": 3,
        "region_size": 60,
        "initial_steps": 4,
        "round_steps": 2,
        "batch_size": 2,
        "device": "cpu",
        "precision": "f32",
    }
    return Simulation(str(streets), **(settings | changes))


STRATEGIES = ("random-pixels", "entropy", "image", "committee", "sp-crf-class", "tenth")


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_kind_of_strategy_runs_within_its_budget(streets, tmp_path, strategy):
    simulation = tiny(streets)
    comparison = Comparison(simulation, tmp_path / "r.json", bounds=False)
    rows = comparison.perform([Run(strategy, 0, 0.4, recipe=recipe_of(strategy))])
    assert [row["round"] for row in rows] == [1, 2]
    asked = 3 * np.arange(1, 3) / 8  # of the pool of eight
    for row, share in zip(rows, asked, strict=True):
        assert tuple(row) == ROW
        assert 0 < row["pixel_share"] <= 0.4 * share + 1e-12
    assert rows[0]["keys"] < rows[1]["keys"]
    assert all(detail["remainder_pixels"] >= 0 for detail in comparison.details)
    assert json.loads((tmp_path / "r.json").read_text()) == {"runs": rows}


def numbers(rows):
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


def test_the_same_seed_gives_the_same_rows_and_another_other_ones(streets, tmp_path):
    def perform(name, seed):
        comparison = Comparison(tiny(streets), tmp_path / f"{name}.json", bounds=False)
        return numbers(comparison.perform([Run("tenth", seed, 0.1, recipe=ANSWERS)]))

    first = perform("a", 0)
    assert perform("b", 0) == first
    assert [row | {"seed": 0} for row in perform("c", 1)] != first


def test_results_are_never_overwritten_by_accident(streets, tmp_path):
    out = tmp_path / "r.json"
    out.write_text('{"runs": []}')
    with pytest.raises(ConfigurationError, match="--resume"):
        Comparison(tiny(streets), out)
    out.write_text("[1]")
    with pytest.raises(ConfigurationError, match="holds no results"):
        Comparison(tiny(streets), out, resume=True)


def simulate(streets, out, *more):
    return [
        *("simulate", "--dataset", str(streets), "--strategy", "random-regions", "sp-crf", "--groups", "2"),
        *("--group-size", "3", "--initial", "4", "--encoder", "resnet18", "--weights", "", "--seeds", "0"),
        *("--region-size", "60", "--initial-steps", "4", "--round-steps", "2", "--batch-size", "2"),
        *("--device", "cpu", "--out", str(out), *more),
    ]


def test_a_killed_call_is_resumed_to_the_same_result(streets, tmp_path):
    """Killed after its first row, by a signal that nothing can catch; each call with as many threads."""
    context = {"cwd": Path(__file__).parents[2], "env": os.environ | {"OMP_NUM_THREADS": "1"}}

    def command(out, *more):
        return [sys.executable, "-m", "controller.cli", *simulate(streets, out, *more)]

    whole = subprocess.run(
        command(tmp_path / "whole.json", "--json"), capture_output=True, check=True, **context
    )
    killed = tmp_path / "killed.json"
    with subprocess.Popen(command(killed), **context) as process:
        deadline = time.monotonic() + 300
        while not (killed.exists() and '"random-regions"' in killed.read_text()):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    refused = subprocess.run(command(killed), capture_output=True, text=True, check=False, **context)
    assert refused.returncode == 2
    assert "--resume" in refused.stderr
    resumed = subprocess.run(
        command(killed, "--json", "--resume"), capture_output=True, check=True, **context
    )
    assert numbers(json.loads(resumed.stdout)["runs"]) == numbers(json.loads(whole.stdout)["runs"])


def test_a_wrong_size_is_explained():
    result = CliRunner().invoke(
        cli, ["simulate", "--dataset", ".", "--strategy", "sp", "--out", "x", "--size", "240"]
    )
    assert result.exit_code == 2
    assert "240x180" in result.output


@pytest.mark.slow
def test_the_crf_finds_more_wrong_pixels_than_chance(tmp_path):
    """The main claim, on data that everybody has; a minute on two cores."""
    streets = tmp_path / "streets"
    write_scenes(streets, train=30, val=4, test=4, width=160, height=120, seed=2)
    out, plot = tmp_path / "results.json", tmp_path / "curves.png"
    arguments = [
        *("simulate", "--dataset", str(streets), "--strategy", "random-regions", "sp-crf", "--groups", "2"),
        *("--group-size", "8", "--initial", "10", "--region-size", "60", "--initial-steps", "120"),
        *("--round-steps", "30", "--batch-size", "4", "--without-bounds", "--device", "cpu"),
        *("--out", str(out), "--plot", str(plot), "--json"),
    ]
    result = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    wrong = {}
    for row in json.loads(out.read_text())["runs"]:
        wrong.setdefault(row["strategy"], []).append(row["wrong_share"])
    assert min(wrong["sp-crf"]) > 1.3 * max(wrong["random-regions"])
    assert plot.read_bytes().startswith(b"\x89PNG")
