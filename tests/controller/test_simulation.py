"""The simulator: its annotator and images by hand, whole comparisons on generated scenes."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from controller.cli import cli
from controller.commands.simulate import command, encoder_options
from controller.context import class_features
from controller.maps import View
from controller.simulation.annotator import Annotator, strokes
from controller.simulation.asked import Asked
from controller.simulation.bounds import Splits, learn, network_of
from controller.simulation.compare import Comparison
from controller.simulation.images import LabelledPicture, drive_of, load_pictures, split_initial
from controller.simulation.recipes import ANSWERS, recipe_of
from controller.simulation.results import ROW, relative
from controller.simulation.run import Curve
from controller.simulation.settings import Run, Simulation
from controller.simulation.strategy_options import divide_options
from controller.strategies import build_strategy
from tenth.errors import ConfigurationError, DataError
from tenth.progress import Progress
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


@pytest.mark.parametrize("kind", ["dominant", "exact"])
def test_who_labels_a_whole_image_labels_all_its_pixels(streets, tmp_path, kind):
    """Even where other answers are noisy: nobody names one class for a whole image."""
    whole = np.zeros_like(SUPERPIXELS)
    answers = curve(streets, tmp_path, Run("image", 0, 1.0, kind), noise=0.9).annotator.answer(
        whole, [0], TRUTH, GUESS, salt=0
    )
    np.testing.assert_array_equal(answers.painted, TRUTH)
    assert answers.right_pixels == 11  # all but the void one
    assert answers.keys == 2 + 3 * 2  # mixed, three pieces with a class and a stroke each, submit
    regions = curve(streets, tmp_path, Run("sp", 0, 1.0, kind), noise=0.9).annotator
    assert (regions.kind, regions.noise) == (kind, 0.9)


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


def curve(streets, folder, run, initial=(), **changes):
    splits = Splits(list(initial), [], [], [])
    classes = FolderDataset(streets).classes
    return Curve(tiny(streets, **changes), run, splits, classes, None, folder, None)


@pytest.mark.parametrize("restart", [False, True])
def test_the_last_model_starts_again_where_the_recipe_says_so(streets, tmp_path, monkeypatch, restart):
    simulation = tiny(streets)
    starts = []

    def recorded(network, images, options, *rest):
        weights = {name: tensor.clone() for name, tensor in network.state_dict().items()}
        starts.append((weights, options.iterations, options.seed))
        return learn(network, images, options, *rest)

    monkeypatch.setattr("controller.simulation.run.learn", recorded)
    run = Run("random-regions", 0, 0.4, recipe=replace(ANSWERS, restart=restart))
    Comparison(simulation, tmp_path / "r.json", bounds=False).perform([run])
    assert [steps for _, steps, _ in starts] == [
        simulation.steps_of(1),
        simulation.all_steps if restart else simulation.steps_of(2),
    ]
    fresh = network_of(simulation, len(FolderDataset(streets).classes), 0, pretrained=True).state_dict()
    weights, _, order = starts[-1]
    assert all(torch.equal(weights[name], fresh[name]) for name in fresh) == restart
    assert (order == 0) == restart  # the order of the images is that of the bounds


def test_a_committee_has_the_initial_model_and_those_of_the_rounds(streets, tmp_path, monkeypatch):
    members = []

    def recorded(*arguments, committee, **named):
        members.append(1 + len(committee))  # the model that asks is one of them
        return View(*arguments, committee=committee, **named)

    monkeypatch.setattr("controller.simulation.run.View", recorded)
    comparison = Comparison(tiny(streets, groups=3), tmp_path / "r.json", bounds=False)
    comparison.perform([Run("committee", 0, 0.4)])
    assert members == [1, 2, 3]


@pytest.mark.parametrize(
    ("run", "explained"),
    [
        (Run("sp-cfr", 0, 0.4), "sp-cfr"),
        (Run("entropy-edge", 0, 0.4, strategy_options={"edge_weight": 0}), "edge_weight"),
        (Run("image", 0, 0.1), "less than one image"),
        (Run("mc-dropout", 0, 0.4), "--option dropout"),
    ],
)
def test_a_run_that_cannot_be_made_stops_all_before_any_begins(streets, tmp_path, run, explained):
    comparison = Comparison(tiny(streets), tmp_path / "r.json")
    with pytest.raises(ConfigurationError, match=explained):
        comparison.perform([Run("random-regions", 0, 0.4), run])
    assert not list(tmp_path.rglob("*.safetensors")) and not (tmp_path / "r.json").exists()


@pytest.mark.parametrize("budget", [0, -0.1, 2])
def test_a_budget_is_a_share(budget):
    with pytest.raises(ConfigurationError, match=f"budget = {budget}"):
        Run("sp", 0, budget)


def test_a_run_that_would_ask_nothing_says_so(streets, tmp_path):
    comparison = Comparison(tiny(streets, region_size=5000), tmp_path / "r.json", bounds=False)
    with pytest.raises(ConfigurationError, match=r"no room for a single region.*smaller than 5000"):
        comparison.perform([Run("sp", 0, 0.01)])


@pytest.fixture
def compared(streets, tmp_path):
    """Return a data set of one's own and the settings, file and run of a comparison that is done."""
    own = Path(shutil.copytree(streets, tmp_path / "own"))
    simulation, out, run = tiny(own), tmp_path / "r.json", Run("random-regions", 0, 0.4)
    Comparison(simulation, out, bounds=False).perform([run])
    return own, simulation, out, run


def test_what_is_left_of_an_earlier_comparison_is_not_taken_for_a_new_one(compared):
    _, simulation, out, _ = compared
    out.unlink()
    with pytest.raises(ConfigurationError, match=r"r\.work holds.*--resume"):
        Comparison(simulation, out, bounds=False)


def test_other_labels_are_another_comparison(compared):
    own, simulation, out, run = compared
    labels, others = (own / split / "labels" / "00000.png" for split in ("val", "test"))
    labels.write_bytes(others.read_bytes())
    with pytest.raises(ConfigurationError, match=r"labels of the data set have changed"):
        Comparison(simulation, out, bounds=False, resume=True).perform([run])


def test_rows_without_their_settings_are_not_added_to(compared):
    _, simulation, out, _ = compared
    out.with_name("r_details.json").unlink()
    with pytest.raises(ConfigurationError, match=r"r_details\.json.*is missing"):
        Comparison(simulation, out, bounds=False, resume=True)


@pytest.mark.parametrize("pattern", ["*/round-001.json", "*/round-001.npz", "*/round-001.safetensors"])
def test_a_damaged_file_of_a_run_is_named(compared, pattern):
    _, simulation, out, run = compared
    (damaged,) = out.with_name("r.work").glob(pattern)
    damaged.write_bytes(damaged.read_bytes()[:20])
    with pytest.raises(DataError, match=f"{damaged.name} is damaged.*Delete {damaged.parent}"):
        Comparison(simulation, out, bounds=False, resume=True).perform([run])
    shutil.rmtree(damaged.parent)
    again = Comparison(simulation, out, bounds=False, resume=True).perform([run])
    assert [row["round"] for row in again] == [1, 2]


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
    assert json.loads((tmp_path / "r.json").read_text()) == {"runs": rows}
    asked_pixels = np.diff([0.0, *(row["pixel_share"] * 8 * 96 * 72 for row in rows)])
    # 0.4 · 96 · 72 = 2764.8 pixels of each of three images, or one whole image of the three
    budget = 96 * 72 if strategy == "image" else 3 * 2764
    left = [row["remainder_pixels"] for row in comparison.summary()]
    assert left == pytest.approx(budget - asked_pixels)
    assert min(left) >= 0
    if strategy in ("random-pixels", "entropy", "image"):
        assert left == [0, 0]


def test_whole_images_are_labelled_right(streets, tmp_path):
    comparison = Comparison(tiny(streets), tmp_path / "r.json", bounds=False)
    comparison.perform([Run("image", 0, 0.4, recipe=ANSWERS)])
    assert [detail["dominant_accuracy"] for detail in comparison.details] == [1.0, 1.0]
    assert comparison.details[0]["label_accuracy"]["right"] == 1.0


def test_features_of_a_class_come_from_the_initial_set_and_people_alone(streets, tmp_path):
    picture = LabelledPicture("train/a", np.zeros((3, 4, 3), np.uint8), TRUTH)
    known = LabelledPicture("train/b", np.zeros((3, 4, 3), np.uint8), TRUTH)
    unfinished = curve(streets, tmp_path, Run("sp-crf-class", 0, 0.5), initial=[known])
    answers = Annotator("dominant", classes=3).answer(SUPERPIXELS, [1], TRUTH, GUESS, salt=0)
    unfinished.asked = [Asked(picture, SUPERPIXELS, answers)]
    first, second = unfinished._labelled()
    assert first is known
    np.testing.assert_array_equal(second.load()[1], [[255, 255, 1, 1]] * 3)


def test_without_an_initial_set_features_come_with_the_first_answers(streets, tmp_path, monkeypatch):
    seen = []

    def features(images, predictor, classes):
        seen.append([image.key for image in images])
        return class_features(images, predictor, classes)

    monkeypatch.setattr("controller.simulation.run.class_features", features)
    comparison = Comparison(tiny(streets, initial=0), tmp_path / "r.json", bounds=False)
    rows = comparison.perform([Run(name, 0, 0.2) for name in ("sp-crf", "sp-crf-class")])
    assert [len(keys) for keys in seen] == [0, 3]
    costs = {(row["strategy"], row["round"]): (row["pixel_share"], row["keys"]) for row in rows}
    assert costs["sp-crf", 1] == costs["sp-crf-class", 1]


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


def test_results_of_other_settings_are_not_added_to(streets, tmp_path):
    out, run = tmp_path / "r.json", Run("random-regions", 0, 0.4)
    rows = Comparison(tiny(streets), out, bounds=False).perform([run])
    again = Comparison(tiny(streets, device="auto"), out, resume=True, bounds=False)
    assert again.perform([run]) == rows
    with pytest.raises(ConfigurationError, match=r"round_steps = 2 there, 3 now.*another file with --out"):
        Comparison(tiny(streets, round_steps=3), out, resume=True)
    with pytest.raises(ConfigurationError, match=r"recipe = .*strategy_options = {} there"):
        again.perform([Run("random-regions", 0, 0.4, recipe=ANSWERS, strategy_options={"a": 1})])


class Counting(Progress):
    """Keeps the totals and the counts of its bars."""

    def __init__(self):
        super().__init__(False)
        self.bars = {}

    @contextmanager
    def bar(self, total, description, unit="it", initial=0):
        counted = self.bars[description] = [total, initial]

        class Counter:
            def update(self, n=1):
                counted[1] += n

            def set_postfix_str(self, s=""):
                pass

        yield Counter()


def test_one_bar_counts_the_rounds_of_all_runs(streets, tmp_path):
    """A pool of eight is asked about in two groups, of seven and of one image, not in three."""
    progress = Counting()
    simulation = tiny(streets, groups=3, group_size=7)
    comparison = Comparison(simulation, tmp_path / "r.json", bounds=False, progress=progress)
    comparison.perform([Run(name, 0, 0.4, recipe=ANSWERS) for name in ("random-regions", "random-pixels")])
    assert progress.bars["All runs"] == [4, 4]


def test_options_go_to_the_strategies_that_have_them():
    options = {"purity": 0, "edge_weight": 3.0}
    assert divide_options(["tenth", "entropy-edge", "sp"], options) == {
        "tenth": {"purity": 0},
        "entropy-edge": {"edge_weight": 3.0},
        "sp": {},
    }
    assert build_strategy("tenth", 0, **divide_options(["tenth"], {"flip": False})["tenth"]).needs == set()


@pytest.mark.parametrize(
    "name, value, message",
    [
        ("edge_weight", 3.0, "no strategy that was named has it.*sp: none; tenth: flip, purity"),
        ("purity", "much", "purity=much: it has to be a number, as its default 1.0"),
        ("purity", True, "has to be a number"),
        ("flip", 0, "has to be true or false"),
    ],
)
def test_options_that_no_strategy_can_use_are_refused(name, value, message):
    with pytest.raises(ConfigurationError, match=message):
        divide_options(["sp", "tenth"], {name: value})


@pytest.mark.parametrize(
    "arguments, expected",
    [
        ((), {"encoder": "efficientnet-lite0", "weights": "imagenet"}),
        (("--weights", ""), {"encoder": "efficientnet-lite0", "weights": None}),
        (("--encoder", ""), {}),
        (("--network", "enet"), {}),
        (("--network", "enet", "--encoder", "resnet18"), {"encoder": "resnet18", "weights": "imagenet"}),
        (("--network", "espnetv2", "--weights", "some.pth"), {"weights": "some.pth"}),
    ],
)
def test_the_default_encoder_is_for_networks_that_take_one(arguments, expected):
    given = ["--dataset", ".", "--strategy", "sp", "--out", "x", *arguments]
    assert encoder_options(command.make_context("simulate", given)) == expected


def test_a_call_sets_options_and_prints_what_the_budget_left(streets, tmp_path):
    """Of a network without a choice of encoders, too."""
    out = tmp_path / "r.json"
    arguments = [
        *("simulate", "--dataset", str(streets), "--strategy", "random-regions", "entropy-edge"),
        *("--strategy-option", "edge_weight=3", "--network", "enet", "--groups", "1", "--group-size", "2"),
        *("--initial", "4", "--initial-steps", "1", "--round-steps", "1", "--batch-size", "2"),
        *("--without-bounds", "--device", "cpu", "--out", str(out)),
    ]
    result = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    assert "remainder_pixels" in result.output
    details = json.loads((tmp_path / "r_details.json").read_text())["runs"]
    assert [each["strategy_options"] for each in details] == [{}, {"edge_weight": 3}]
    again = CliRunner().invoke(cli, [*arguments, "--resume", "--json"], catch_exceptions=False)
    rows = json.loads(again.stdout)["runs"]
    assert [row["remainder_pixels"] for row in rows] == [each["remainder_pixels"] for each in details]


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


@pytest.mark.parametrize(
    ("arguments", "explained"),
    [(["--seeds", "0", "-1"], "-1 is not in the range"), (["--propagate"], "no strategy here has one")],
)
def test_what_would_be_ignored_or_break_is_refused(streets, tmp_path, arguments, explained):
    named = ["simulate", "--dataset", str(streets), "--strategy", "sp", "--out", str(tmp_path / "r.json")]
    result = CliRunner().invoke(cli, [*named, *arguments])
    assert result.exit_code == 2
    assert explained in " ".join(result.output.split())


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
