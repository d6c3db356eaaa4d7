"""What a comparison refuses, and what it goes on from."""

import shutil
from pathlib import Path

import pytest
from simulated import tiny

from controller.simulation.compare import Comparison
from controller.simulation.recipes import ANSWERS
from controller.simulation.settings import Run
from controller.simulation.shelf import Shelf
from tenth.errors import ConfigurationError, DataError


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


def test_comparisons_share_images_and_superpixels(streets, tmp_path):
    shelf = Shelf()
    one, other = (
        Comparison(tiny(streets, **sizes), tmp_path / f"{number}.json", bounds=False, shelf=shelf)
        for number, sizes in enumerate(({}, {"region_size": 30}))
    )
    assert one.splits(0).test[0] is other.splits(1).test[0]
    assert one.cache is not other.cache
    rows = one.perform([Run("random-regions", 0, 0.4)])
    again = Comparison(tiny(streets), tmp_path / "again.json", bounds=False, shelf=shelf)
    alone = Comparison(tiny(streets), tmp_path / "alone.json", bounds=False)
    assert again.cache is one.cache and alone.cache is not one.cache
    for each in (again, alone):
        same = each.perform([Run("random-regions", 0, 0.4)])
        assert [row["miou_test"] for row in same] == [row["miou_test"] for row in rows]
