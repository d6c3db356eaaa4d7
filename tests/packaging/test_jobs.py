"""What the experiments collect: runs of several machines in one file."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

import pytest
from page_rows import row

from benchmarks.jobs import Job, collect, full_labels_alike, job, run_jobs
from benchmarks.label_efficiency import plan
from benchmarks.results_page.provenance import TABLES
from benchmarks.results_page.rows import RUN
from benchmarks.results_page.series import PIXELS
from controller.simulation.settings import Simulation
from tenth.errors import ConfigurationError
from tenth.segmentation.scenes import write_scenes

BASE = Simulation("camvid", initial=2, groups=2, group_size=3, region_size=40)
ABOUT = {**asdict(BASE), "command": "python -m …", "commit": "1111111", "hardware": "first machine"}


def write(path, runs, **more):
    """Write rows of runs, (strategy, seed, mIoU of each round), and their details."""
    rows, details = [], []
    for strategy, seed, mious in runs:
        for number, miou in enumerate(mious, 1):
            rows.append(row(strategy, seed, number, miou))
            shared = {name: rows[-1][name] for name in RUN}
            details.append(shared | {"group_size": 3, "region_size": 40} | more)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"runs": rows}))
    path.with_name(f"{path.stem}_details.json").write_text(json.dumps({"runs": details}))


def done(work, one, runs, **more):
    write(work / "jobs" / f"{one.name}.json", runs, **more)


def found(out):
    return {(row["strategy"], row["seed"], row["round"]): row for row in json.loads(out.read_text())["runs"]}


@pytest.fixture
def published(tmp_path):
    """Return the file that another machine has written: bounds of seed 0 and a run of `tenth`."""
    bounds, tenth = Job(1, BASE, 0), job(1, BASE, "tenth", 0)
    done(tmp_path / "there", bounds, [("initial-labels", 0, [0.2]), ("full-labels", 0, [0.6])])
    done(tmp_path / "there", tenth, [("tenth", 0, [0.4, 0.5])])
    out = tmp_path / "results.json"
    assert collect([bounds, tenth], tmp_path / "there", ABOUT, out) == 4
    return out


def test_another_machines_runs_stay_and_bound_the_new_ones(tmp_path, published):
    here, random = tmp_path / "here", job(1, BASE, "random-regions", 0)
    done(here, random, [("random-regions", 0, [0.3])])
    about = ABOUT | {"commit": "2222222", "hardware": "second machine"}
    assert collect([Job(1, BASE, 0), job(1, BASE, "tenth", 0), random], here, about, published) == 5
    rows = found(published)
    assert rows["tenth", 0, 2]["ratio"] == pytest.approx(0.5 / 0.6)
    assert rows["random-regions", 0, 1]["gap_closed"] == pytest.approx(0.25)
    told = json.loads(published.with_name("results_details.json").read_text())["about"]
    assert told["hardware"] == "second machine"
    assert told["earlier"] == [{"commit": "1111111", "hardware": "first machine"}]
    again = published.read_bytes()
    collect([random], here, about, published)
    assert published.read_bytes() == again


@pytest.mark.parametrize(("mious", "kept"), [([0.1], [0.4, 0.5]), ([0.1, 0.3], [0.1, 0.3])])
def test_a_run_is_replaced_by_one_of_as_many_rounds(tmp_path, published, mious, kept):
    tenth = job(1, BASE, "tenth", 0)
    done(tmp_path / "here", tenth, [("tenth", 0, mious)])
    collect([tenth], tmp_path / "here", ABOUT, published)
    rows = found(published)
    assert [rows["tenth", 0, number]["miou_test"] for number in (1, 2)] == kept


def test_runs_of_other_settings_are_not_replaced(tmp_path, published):
    before = published.read_bytes()
    with pytest.raises(ConfigurationError, match=r"learning_rate 0\.04 there, 0\.01 here"):
        collect([], tmp_path / "here", ABOUT | {"learning_rate": 0.01}, published)
    assert published.read_bytes() == before


def test_runs_of_one_name_learn_alike(tmp_path, published):
    before = published.read_bytes()
    other = job(1, BASE, "tenth", 1)
    done(tmp_path / "here", other, [("tenth", 1, [0.4, 0.5])], recipe={"sieve": True})
    with pytest.raises(ConfigurationError, match="differ in their recipe"):
        collect([other], tmp_path / "here", ABOUT, published)
    assert published.read_bytes() == before
    # What older runs lack is what could not be chosen then.
    done(tmp_path / "here", other, [("tenth", 1, [0.4, 0.5])], recipe={"sieve": False})
    assert collect([other], tmp_path / "here", ABOUT, published) == 6


def test_a_network_with_dropout_has_no_bounds_of_one_without(tmp_path, published):
    dropout = job(1, BASE, "mc-dropout", 0)
    done(tmp_path / "here", dropout, [("mc-dropout", 0, [0.3, 0.35])])
    collect([dropout], tmp_path / "here", ABOUT, published)
    assert found(published)["mc-dropout", 0, 2]["full_label_miou_test"] is None
    assert found(published)["tenth", 0, 2]["full_label_miou_test"] == 0.6


@pytest.mark.parametrize(("plain", "alike", "chosen"), [(0.7, 0.8, 0.5), (0.8, 0.7, 0.6)])
def test_full_labels_are_the_better_training_on_val(tmp_path, plain, alike, chosen):
    jobs = Job(1, BASE, 0), full_labels_alike(1, BASE, 0), job(1, BASE, "tenth", 0)
    done(tmp_path, jobs[0], [("initial-labels", 0, [0.2]), ("full-labels", 0, [0.6])])
    done(tmp_path, jobs[1], [("full-labels (learned as tenth)", 0, [0.5])])
    done(tmp_path, jobs[2], [("tenth", 0, [0.4])])
    for each, val in ((jobs[0], plain), (jobs[1], alike)):
        path = tmp_path / "jobs" / f"{each.name}.json"
        rows = json.loads(path.read_text())["runs"]
        path.write_text(json.dumps({"runs": [row | {"miou_val": val} for row in rows]}))
    collect(jobs, tmp_path, ABOUT, tmp_path / "results.json")
    rows = found(tmp_path / "results.json").values()
    assert {row["full_label_miou_test"] for row in rows} == {chosen}
    assert next(row["ratio"] for row in rows if row["strategy"] == "tenth") == pytest.approx(0.4 / chosen)


@pytest.mark.parametrize("initial", [36, 147])
def test_every_cell_that_the_page_waits_for_has_a_job(initial):
    base = Simulation("camvid", initial=36, region_size=40)
    jobs = [each.run for each in plan(base, (0,)) if each.run and each.simulation.initial == initial]
    there = {(run.name or run.strategy, run.annotator, run.budget) for run in jobs}
    wanted = {cell for cells in TABLES.values() for cell in cells}
    # Those that ask about pixels have true labels whoever answers.
    missing = {
        (name, who, budget)
        for name, who, budget in wanted - there
        if name not in PIXELS or (name, "dominant", budget) not in there
    }
    assert missing == set()


def test_labels_choose_jobs():
    label = "sp-crf seed 2, 2 images at first, budget 0.05 dominant, 2 groups, regions of 40"
    assert job(1, BASE, "sp-crf", 2, budget=0.05).label == label
    assert Job(1, BASE, 1).label == "bounds seed 1, 2 images at first"
    alike = (
        "full-labels (learned as tenth) seed 1, 2 images at first, budget 1 exact, 2 groups, regions of 40"
    )
    assert full_labels_alike(1, BASE, 1).label == alike


@pytest.mark.slow
def test_several_processes_do_all_jobs_but_those_that_fail(tmp_path, capsys):
    write_scenes(tmp_path / "streets", train=8, val=2, test=2, width=64, height=48)
    network = {"encoder": "resnet18", "width": 0.125}
    sizes = {
        "initial": 4,
        "groups": 1,
        "group_size": 3,
        "initial_steps": 2,
        "round_steps": 1,
        "batch_size": 2,
    }
    base = Simulation(str(tmp_path / "streets"), network_options=network, device="cpu", **sizes)
    jobs = [Job(1, base, 0), job(1, base, "image", 0), *(job(1, base, "sp", seed) for seed in (0, 1))]
    arguments = argparse.Namespace(
        out=tmp_path / "results.json", work=tmp_path / "work", stage=1, part="0/1", only=""
    )
    vars(arguments).update(collect=False, processes=2, threads=1)
    with pytest.raises(ConfigurationError, match="less than one image"):
        run_jobs(jobs, arguments, ABOUT)
    assert {(strategy, seed) for strategy, seed, _ in found(arguments.out)} == {
        *(("initial-labels", 0), ("full-labels", 0)),
        *(("sp", 0), ("sp", 1)),
    }
    assert "4 of 4" in capsys.readouterr().out
