"""Plots show the right numbers under the right names; pictures mark the right pixels."""

from __future__ import annotations

import builtins
import colorsys
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from controller.commands import simulate
from controller.simulation import plot_lines, plot_pictures, plots
from controller.simulation.plot_style import LOOKS, look_of, require_matplotlib, spread
from tenth.errors import ConfigurationError, DataError
from tenth.segmentation.scenes import SCENE_CLASSES, generate_scene
from tenth.segmentation.superpixels import slic


def row(strategy, seed, number, miou, **changed):
    return {
        "strategy": strategy,
        "network": "icnet",
        "annotator": "dominant",
        "initial_share": 0.1,
        "seed": seed,
        "round": number,
        "budget": 0.1,
        "pixel_share": 0.1 * number / 2,
        "miou_test": miou,
        "initial_miou_test": 0.4,
        "full_label_miou_test": 0.6,
    } | changed


ROWS = [
    row("full-labels", 0, 0, 0.6),
    row("sp-crf", 0, 1, 0.45),
    row("sp-crf", 0, 2, 0.50),
    row("sp-crf", 1, 1, 0.47),
    row("sp-crf", 1, 2, 0.54),
    row("tenth", 0, 1, 0.55),
    row("tenth", 0, 2, 0.58),
]


@pytest.fixture
def figures(monkeypatch):
    """The figures that were saved, instead of files."""
    saved = []
    for module in (plot_lines, plot_pictures):
        monkeypatch.setattr(module, "save", lambda figure, path: saved.append(figure))
    return saved


def curves(figure):
    """Return the lines with markers as lists of (x, y), and the names at their ends."""
    (axes,) = figure.axes
    points = [
        [(round(float(x), 6), round(float(y), 6)) for x, y in zip(*line.get_data(), strict=True)]
        for line in axes.lines
        if line.get_marker() != "None"
    ]
    return points, [text.get_text() for text in axes.texts]


def test_learning_curves_start_at_the_initial_model_and_show_means(figures):
    plots.plot_learning_curves(ROWS, "x.png")
    lines, names = curves(figures[0])
    assert lines == [[(0, 40), (1, 46), (2, 52)], [(0, 40), (1, 55), (2, 58)]]
    assert names == ["sp-crf 52.0", "tenth 58.0", "full labels 60.0", "initial labels 40.0"]


def test_learning_curves_over_pixels(figures):
    plots.plot_learning_curves(ROWS, "x.png", against="pixel_share")
    lines, _ = curves(figures[0])
    assert lines[0] == [(0, 40), (5, 46), (10, 52)]


def test_bands_reach_from_the_lowest_to_the_highest_seed(figures):
    plots.plot_learning_curves(ROWS, "x.png")
    corners = figures[0].axes[0].collections[0].get_paths()[0].vertices
    assert (corners[:, 1].min(), corners[corners[:, 0] == 2, 1].max()) == (40, 54)


def test_what_differs_besides_strategy_is_named(figures):
    both = [*ROWS, *(row("sp-crf", 0, n, 0.5, annotator="exact", budget=0.2) for n in (1, 2))]
    plots.plot_learning_curves(both, "x.png")
    _, names = curves(figures[0])
    assert "sp-crf, exact, 20 % asked 50.0" in names
    assert "tenth, dominant, 10 % asked 58.0" in names


def test_a_run_without_bounds_has_its_curve(figures):
    alone = [row("sp", 0, 1, 0.5, initial_miou_test=None, full_label_miou_test=None)]
    plots.plot_learning_curves(alone, "x.png")
    assert curves(figures[0]) == ([[(1, 50)]], ["sp 50.0"])


@pytest.mark.parametrize(("budgets", "across"), [((0.1,), ["groups"]), ((0.05, 0.1), ["groups", "pixels"])])
def test_the_command_draws_the_budgets_where_there_are_several(figures, tmp_path, budgets, across):
    rows = [row("full-labels", 0, 0, 0.6, budget=1.0)]
    rows += [row("tenth", 0, 1, 0.5 + budget, budget=budget) for budget in budgets]
    simulate.plot(rows, tmp_path / "curves.png")
    assert [figure.axes[0].get_xlabel().split()[0] for figure in figures] == across


def test_budget_curve_takes_the_last_round_of_each_run(figures):
    rows = [
        row("tenth", seed, number, 0.5 + budget + 0.01 * seed, budget=budget, pixel_share=0.9 * budget)
        for budget in (0.2, 0.05)
        for seed in (0, 1)
        for number in (1, 2)
    ]
    rows[0]["miou_test"] = 0.1  # round 1, which must not count
    plots.plot_budget_curve(rows, "x.png")
    lines, _ = curves(figures[0])
    assert lines == [[(4.5, 55.5), (18, 70.5)]]


def test_group_sizes_lie_over_the_images(figures):
    rows = [row("tenth", 0, n, 0.5 + 0.01 * n, group_size=30) for n in (1, 2, 3)]
    rows += [row("tenth", 0, n, 0.5 + 0.02 * n, group_size=45) for n in (1, 2)]
    plots.plot_group_sizes(rows, "x.png")
    lines, names = curves(figures[0])
    assert lines == [[(30, 51), (60, 52), (90, 53)], [(45, 52), (90, 54)]]
    assert names[:2] == ["tenth, 30 a group 53.0", "tenth, 45 a group 54.0"]


def test_every_plot_becomes_a_picture(tmp_path):
    plots.plot_learning_curves(ROWS, tmp_path / "curves.png")
    with Image.open(tmp_path / "curves.png") as picture:
        assert picture.format == "PNG" and picture.width >= 1200


def test_nothing_to_plot_is_refused(tmp_path):
    with pytest.raises(DataError, match="of 1 rows none"):
        plots.plot_learning_curves(ROWS[:1], tmp_path / "x.png")


@pytest.mark.parametrize("name", ["missing/x.png", "x.nothing"])
def test_a_file_that_cannot_be_written_is_refused(tmp_path, name):
    with pytest.raises(ConfigurationError, match="cannot be written to"):
        plots.plot_learning_curves(ROWS, tmp_path / name)


def test_without_matplotlib_the_extra_is_named(monkeypatch, tmp_path):
    real = builtins.__import__

    def without(name, *rest, **more):
        if name.partition(".")[0] == "matplotlib":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigurationError, match=r"pip install 'tenth\[plots\]'"):
        require_matplotlib()
    with pytest.raises(ConfigurationError, match=r"pip install 'tenth\[plots\]'"):
        plots.plot_learning_curves(ROWS, tmp_path / "x.png")


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_names_at_the_ends_keep_their_distance_and_order(heights):
    placed = spread(heights, 0.05)
    order = sorted(range(len(heights)), key=lambda i: (heights[i], i))
    steps = np.diff([placed[i] for i in order])
    assert (steps >= 0.05 - 1e-9).all()
    assert abs(np.mean(placed) - np.mean(heights)) < 1e-9


def test_names_that_are_apart_stay():
    assert spread([0.9, 0.1, 0.5], 0.05) == [0.9, 0.1, 0.5]


def test_looks_differ_and_none_is_pale():
    assert len({(look.color, look.marker) for look in LOOKS.values()}) == len(LOOKS)
    for look in LOOKS.values():
        red, green, blue = (int(look.color[i : i + 2], 16) / 255 for i in (1, 3, 5))
        assert colorsys.rgb_to_yiq(red, green, blue)[0] < 0.75, look
    assert look_of("mine", ["mine", "yours"]) != look_of("yours", ["mine", "yours"])


@pytest.fixture(scope="module")
def scene():
    image, labels = generate_scene(3, 96, 64)
    return image, labels, slic(image, count=40)


def shown(axes):
    return np.asarray(axes.images[0].get_array())


def test_heatmap_shows_the_entropy_and_only_asked_regions_in_colour(scene, figures):
    image, _, superpixels = scene
    entropy = np.linspace(0, 2, superpixels.size, dtype=np.float32).reshape(superpixels.shape)
    plots.plot_entropy_heatmap(image, entropy, superpixels, [3, 7], "x.png")
    original, heat, regions = figures[0].axes[:3]
    np.testing.assert_array_equal(shown(original), image)
    np.testing.assert_array_equal(shown(heat), entropy)
    asked = np.isin(superpixels, [3, 7])
    np.testing.assert_array_equal(shown(regions)[asked], image[asked])
    outside = shown(regions)[~asked]
    assert (outside == outside[:, :1]).all()  # grey
    assert f"2 regions asked, {100 * asked.mean():.1f} %" in regions.get_title()


def test_outlines_run_between_asked_pixels_and_the_others(figures):
    superpixels = np.array([[0, 1, 1], [0, 1, 1]])
    image = np.zeros((2, 3, 3), np.uint8)
    plots.plot_entropy_heatmap(image, np.zeros((2, 3)), superpixels, [1], "x.png")
    (outline,) = figures[0].axes[2].collections
    pieces = {tuple(sorted(map(tuple, piece.tolist()))) for piece in outline.get_segments()}
    assert len(pieces) == 8  # round a square of two by two
    assert ((0.5, -0.5), (0.5, 0.5)) in pieces and ((1.5, 1.5), (2.5, 1.5)) in pieces


def test_selected_pixels_are_coloured_by_class_and_by_right_or_wrong(figures):
    image = np.full((2, 2, 3), 100, np.uint8)
    truth = np.array([[0, 1], [1, 255]], np.uint8)
    predicted = np.array([[0, 0], [1, 0]], np.uint8)
    mask = np.array([[True, True], [False, True]])
    palette = SCENE_CLASSES.palette
    plots.plot_selected_pixels(image, {"sp": mask}, truth, predicted, palette, "x.png")
    _, above, _, below = figures[0].axes  # beside image and truth
    np.testing.assert_array_equal(shown(above)[mask], palette[truth][mask])
    assert above.get_title() == "sp: 75.0 % asked"
    assert below.get_title() == "the model had 50.0 % wrong"  # of the two that count
    blue, orange = [0x00, 0x72, 0xB2], [0xE6, 0x9F, 0x00]
    assert shown(below)[0].tolist() == [blue, orange]
    assert shown(below)[1, 0].tolist() == shown(below)[1, 1].tolist() != blue


def test_many_strategies_go_below_each_other(scene, figures):
    image, labels, superpixels = scene
    masks = {f"strategy-{n}": superpixels == n for n in range(6)}
    plots.plot_selected_pixels(image, masks, labels, labels, SCENE_CLASSES.palette, "x.png")
    titles = [axes.get_title().partition(":")[0] for axes in figures[0].axes]
    assert titles[:4] == ["image", "strategy-0", "strategy-1", "strategy-2"]
    assert titles[8:12] == ["strategy-3", "strategy-4", "strategy-5", ""]
    assert len(titles) == 16


def test_pictures_are_written_where_asked(scene, tmp_path):
    image, labels, superpixels = scene
    entropy = np.zeros(superpixels.shape)
    plots.plot_entropy_heatmap(image, entropy, superpixels, [1], tmp_path / "heat.png")
    masks = {"sp": superpixels < 4, "random-regions": superpixels > 30}
    plots.plot_selected_pixels(image, masks, labels, labels, SCENE_CLASSES.palette, tmp_path / "asked.png")
    for name in ("heat.png", "asked.png"):
        data = (tmp_path / name).read_bytes()
        with Image.open(io.BytesIO(data)) as picture:
            assert picture.format == "PNG" and picture.width > 800


def test_arrays_that_do_not_fit_are_refused(scene, tmp_path):
    image, labels, superpixels = scene
    with pytest.raises(DataError, match=r"'entropy' has shape \(2, 2\)"):
        plots.plot_entropy_heatmap(image, np.zeros((2, 2)), superpixels, [1], tmp_path / "x.png")
    with pytest.raises(DataError, match=r"Regions \[999\]"):
        plots.plot_entropy_heatmap(image, np.zeros(labels.shape), superpixels, [999], tmp_path / "x.png")
    with pytest.raises(DataError, match="no strategy to show"):
        plots.plot_selected_pixels(image, {}, labels, labels, SCENE_CLASSES.palette, tmp_path / "x.png")
    with pytest.raises(DataError, match="RGB is needed"):
        plots.plot_entropy_heatmap(
            image[..., 0], np.zeros(labels.shape), superpixels, [1], tmp_path / "x.png"
        )
