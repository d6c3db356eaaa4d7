"""The simulator: whole comparisons on generated scenes, and how they are called."""

import json
import os
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
from simulated import GUESS, SUPERPIXELS, TRUTH, curve, tiny

from controller.cli import cli
from controller.commands.simulate import command, encoder_options, recipe_for
from controller.context import class_features
from controller.maps import View
from controller.simulation.annotator import Annotator
from controller.simulation.asked import Asked
from controller.simulation.bounds import learn, network_of
from controller.simulation.compare import Comparison
from controller.simulation.images import (
    LabelledPicture,
)
from controller.simulation.recipes import ANSWERS, OURS, recipe_of
from controller.simulation.results import ROW, relative
from controller.simulation.settings import Recipe, Run, Simulation
from controller.simulation.strategy_options import divide_options
from controller.strategies import build_strategy
from tenth.errors import ConfigurationError
from tenth.progress import Progress
from tenth.segmentation.dataset import FolderDataset
from tenth.segmentation.scenes import write_scenes


def test_ratio_and_share_of_the_gap():
    row = {"miou_test": 0.5, "initial_miou_test": 0.4, "full_label_miou_test": 0.6}
    assert relative(row) == pytest.approx({"ratio": 5 / 6, "gap_closed": 0.5})
    assert relative(row | {"full_label_miou_test": None}) == {"ratio": None, "gap_closed": None}


def test_a_small_pool_has_fewer_groups():
    simulation = Simulation("streets")  # six groups of 56
    assert simulation.within(331) == simulation
    small = simulation.within(114)
    assert small == replace(simulation, groups=3)
    assert [small.steps_of(number) for number in (1, 2, 3)] == [186, 300, 414]  # 92, 148 and 204 images
    assert small.all_steps == 600 + 900


@pytest.mark.parametrize("restart", [False, True])
def test_all_are_trained_as_long_where_the_pool_ends_early(streets, tmp_path, monkeypatch, restart):
    """A pool of eight has two groups of seven and one, not six."""
    steps = {"initial": [], "run": []}

    def recording(name):
        def recorded(network, images, options, *rest):
            steps[name].append(options.iterations)
            return learn(network, images, options, *rest)

        return recorded

    monkeypatch.setattr("controller.simulation.bounds.learn", recording("initial"))
    monkeypatch.setattr("controller.simulation.run.learn", recording("run"))
    run = Run("random-regions", 0, 0.4, recipe=replace(ANSWERS, restart=restart))
    Comparison(tiny(streets, groups=6, group_size=7), tmp_path / "r.json").perform([run])
    initial, *bounds = sorted(steps["initial"])
    assert (initial, bounds) == (4, [8, 8])
    assert (steps["run"][-1] if restart else initial + sum(steps["run"])) == 8


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


def test_full_labels_can_be_learned_as_a_recipe_weighs_them(streets, tmp_path, monkeypatch):
    learned = []

    def recorded(network, images, options, *rest):
        learned.append(({image.key: getattr(image, "weight", 1.0) for image in images}, options))
        return learn(network, images, options, *rest)

    monkeypatch.setattr("controller.simulation.bounds.learn", recorded)
    comparison = Comparison(tiny(streets), tmp_path / "r.json")
    comparison.add_bounds(0)
    comparison.add_full_labels(Run("full-labels", 0, 1.0, "exact", OURS, name="as ours"))
    (_, options), (plain, alike_options), (weighed, last_options) = learned
    splits = comparison.splits(0)
    assert list(plain) == list(weighed) == sorted(plain)
    assert set(plain.values()) == {1.0}
    assert {weighed[picture.key] for picture in splits.initial} == {0.25}
    assert {weighed[picture.key] for picture in splits.pool} == {1.0}
    assert options == alike_options == last_options
    assert [row["strategy"] for row in comparison.rows] == ["initial-labels", "full-labels", "as ours"]


@pytest.mark.parametrize("refresh", [True, False])
def test_groups_keep_their_labels_where_the_recipe_says_so(streets, tmp_path, monkeypatch, refresh):
    """Also in a call that goes on behind the first round."""
    labels = []

    def recorded(network, images, options, *rest):
        labels.append({image.key: image.load()[1].copy() for image in images})
        return learn(network, images, options, *rest)

    monkeypatch.setattr("controller.simulation.run.learn", recorded)
    run = Run("sp-crf", 0, 0.4, recipe=Recipe(refresh=refresh))

    def perform():
        return Comparison(tiny(streets), tmp_path / "r.json", bounds=False, resume=True).perform([run])

    perform()
    for path in tmp_path.rglob("round-002*"):
        path.unlink()
    (tmp_path / "r.json").unlink()
    perform()
    first, second, again = labels
    group = [key for key in first if (first[key] != 255).all() and key in second]
    same = [np.array_equal(first[key], second[key]) for key in group]
    assert all(same) != refresh
    assert second.keys() == again.keys()
    assert all(np.array_equal(second[key], again[key]) for key in second)


def test_a_committee_has_the_initial_model_and_those_of_the_rounds(streets, tmp_path, monkeypatch):
    members = []

    def recorded(*arguments, committee, **named):
        members.append(1 + len(committee))  # the model that asks is one of them
        return View(*arguments, committee=committee, **named)

    monkeypatch.setattr("controller.simulation.run.View", recorded)
    comparison = Comparison(tiny(streets, groups=3), tmp_path / "r.json", bounds=False)
    comparison.perform([Run("committee", 0, 0.4)])
    assert members == [1, 2, 3]


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


def given_options(*arguments):
    arguments = ("--dataset", ".", "--strategy", "sp", "--out", "x", *arguments)
    return command.make_context("simulate", list(arguments)).params


@pytest.mark.parametrize("strategy", ["tenth", "sp-crf", "random-regions"])
def test_a_strategy_learns_by_its_own_recipe(strategy):
    assert recipe_for(strategy, given_options()) == recipe_of(strategy)
    assert recipe_for(strategy, given_options("--relabel")) == replace(recipe_of(strategy), refresh=True)
    assert recipe_for(strategy, given_options("--labels", "ours")) == OURS


def test_single_changes_of_the_recipe():
    changes = ["--recipe", "restart=false", "--recipe", "consistency=1", "--recipe", "mix=classmix"]
    expected = replace(OURS, restart=False, consistency=1, mix="classmix")
    assert recipe_for("tenth", given_options(*changes)) == expected


@pytest.mark.parametrize(
    ("change", "explained"),
    [
        ("resart=true", r"no 'resart' to change. Known: min_confidence, refresh, sieve.*restart"),
        ("propagate=true", "no 'propagate'"),
        ("restart=1", "restart = 1: it has to be true or false"),
        ("consistency=true", "consistency = True: it has to be a number"),
        ("mix=classmix", "mix = classmix.*'none' without consistency"),
        ("initial_weight=0", "initial_weight = 0.*above 0"),
        ("unlabelled=true", "unlabelled = True.*false without consistency"),
    ],
)
def test_a_change_of_the_recipe_that_cannot_be(change, explained):
    with pytest.raises(ConfigurationError, match=explained):
        recipe_for("tenth", given_options("--recipe", change))


def test_whole_images_and_a_last_group_too_small_to_pay_for_one(streets, tmp_path):
    # pool 8 in groups of 7: two images of the first, none of the second
    splits = {"groups": 2, "group_size": 7, "initial_steps": 1, "round_steps": 1}
    comparison = Comparison(tiny(streets, **splits), tmp_path / "r.json", bounds=False)
    comparison.perform([Run("image", 0, 0.3)])
    shares = [row["pixel_share"] for row in comparison.summary()]
    assert shares == [0.25, 0.25]


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
    [
        (["--seeds", "0", "-1"], "-1 is not in the range"),
        (["--propagate"], "no strategy here has any"),
        (["--strategy", "tenth", "--propagate"], "no strategy here has any"),
    ],
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
    for name in ("curves", "curves_entropy", "curves_asked"):
        assert plot.with_stem(name).read_bytes().startswith(b"\x89PNG")
