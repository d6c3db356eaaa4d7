"""Pictures of what a strategy sees and asks: the entropy heatmap, and the selected pixels side by side.

They show the images themselves, so they are written only where the caller says: many data sets may be used
but not passed on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from controller.simulation.plot_style import BLUE, INK, ORANGE, new_figure, save
from tenth.errors import DataError
from tenth.segmentation.classes import IGNORE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INCHES = 3.0
"""Width of a picture in a figure."""

COLUMNS = 4
"""Pictures side by side, at most; more go below."""

DIM = 0.35
"""How much of the image's grey is left where nobody is asked."""


def plot_entropy_heatmap(
    image: NDArray[np.uint8],
    entropy: NDArray[np.floating[Any]],
    superpixels: NDArray[np.integer[Any]],
    asked: Sequence[int],
    path: str | Path,
) -> None:
    """Draw an image, the entropy of its pixels, and the regions asked about (figure 3.10).

    Parameters
    ----------
    image : (H, W, 3) uint8
        RGB.
    entropy : (H, W) float
        In nats, ≥ 0.
    superpixels : (H, W) int
        Region ids.
    asked : sequence of int
        Ids of the regions that people are asked about; their outlines are drawn on the first two pictures.
    path : str or Path
        File to write, ``.png``.

    Raises
    ------
    DataError
        When the arrays differ in size or `asked` names a region that is not there.
    ConfigurationError
        When matplotlib is missing or the file cannot be written.
    """
    _check_sizes(image, entropy=entropy, superpixels=superpixels)
    missing = sorted(set(asked) - set(np.unique(superpixels).tolist()))
    if missing:
        raise DataError(
            f"Regions {missing[:5]} are not among the superpixels of the image; pass the ids of its own."
        )
    height, width = entropy.shape
    figure = new_figure(3 * INCHES + 0.8, INCHES * height / width + 0.15)
    original, heat, regions = figure.subplots(1, 3)
    _show(original, image, "image")
    shown = _show(heat, entropy, "entropy of the class probabilities", cmap="inferno", vmin=0)
    figure.colorbar(shown, ax=heat, shrink=0.85, label="nats")
    chosen = np.isin(superpixels, list(asked))
    _show(
        regions,
        _dimmed(image, chosen),
        f"{len(set(asked))} regions asked, {_percent(chosen.mean())} of the pixels",
    )
    for axes in (heat, regions):
        _outline(axes, superpixels, chosen)
    save(figure, path)


def plot_selected_pixels(
    image: NDArray[np.uint8],
    asked: Mapping[str, NDArray[np.bool_]],
    truth: NDArray[np.uint8],
    predicted: NDArray[np.uint8],
    palette: NDArray[np.uint8],
    path: str | Path,
) -> None:
    """Draw which pixels strategies ask about (figure 3.4) and which of them the model had wrong (3.11).

    Parameters
    ----------
    image : (H, W, 3) uint8
        RGB.
    asked : mapping of str to (H, W) bool
        The pixels that each strategy asks about, by its name.
    truth : (H, W) uint8
        Class ids; 255 is ignored.
    predicted : (H, W) uint8
        The model's class ids when it was decided what to ask.
    palette : (256, 3) uint8
        RGB by class id, `ClassSet.palette`.
    path : str or Path
        File to write, ``.png``.

    Raises
    ------
    DataError
        When there is no strategy or the arrays differ in size.
    ConfigurationError
        When matplotlib is missing or the file cannot be written.
    """
    if not asked:
        raise DataError("There is no strategy to show; pass the mask of at least one.")
    _check_sizes(image, truth=truth, predicted=predicted, **asked)
    height, width = truth.shape
    columns = min(len(asked) + 1, COLUMNS)
    bands = -(-(len(asked) + 1) // columns)
    figure = new_figure(INCHES * columns, bands * (2 * INCHES * height / width + 0.6) + 0.3)
    grid = figure.subplots(2 * bands, columns)
    for axes in grid.flat:
        axes.set_axis_off()
    # A cell is a picture with the one below it; cells go from left to right, then to the next band.
    cells = [
        (grid[2 * band, column], grid[2 * band + 1, column]) for band, column in np.ndindex(bands, columns)
    ]
    _show(cells[0][0], image, "image")
    _show(cells[0][1], palette[truth], "ground truth")
    for (name, mask), (above, below) in zip(asked.items(), cells[1:], strict=False):
        counted = mask & (truth != IGNORE)
        wrong = counted & (truth != predicted)
        share = wrong.sum() / max(counted.sum(), 1)
        picture = _dimmed(image, np.zeros_like(mask))
        _show(
            above,
            np.where(mask[..., None], palette[truth], picture),
            f"{name}: {_percent(mask.mean())} asked",
        )
        marked = picture.copy()
        marked[counted] = _rgb(BLUE)
        marked[wrong] = _rgb(ORANGE)
        _show(below, marked, f"the model had {_percent(share)} wrong")
    figure.supxlabel(
        "above: asked pixels in the colours of their class; below: orange if the model was wrong, else blue",
        fontsize=9,
        color=INK,
    )
    save(figure, path)


def _check_sizes(image: NDArray[np.uint8], **maps: NDArray[Any]) -> None:
    if image.ndim != 3 or image.shape[2] != 3:
        raise DataError(f"The image has shape {image.shape}; RGB is needed: (height, width, 3).")
    for name, values in maps.items():
        if values.shape != image.shape[:2]:
            raise DataError(
                f"'{name}' has shape {values.shape}, but the image's pixels are {image.shape[:2]}."
            )


def _show(axes: Axes, picture: NDArray[Any], title: str, **options: Any) -> Any:
    axes.set_axis_off()
    axes.set_title(title, fontsize=9, color=INK)
    return axes.imshow(picture, interpolation="nearest", **options)


def _dimmed(image: NDArray[np.uint8], keep: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return the image grey and pale wherever `keep` is false."""
    grey = 255 - DIM * (255 - image.mean(axis=2, keepdims=True))
    return np.where(keep[..., None], image, grey.repeat(3, axis=2)).astype(np.uint8)


def _outline(axes: Axes, superpixels: NDArray[np.integer[Any]], chosen: NDArray[np.bool_]) -> None:
    """Draw the borders of the chosen regions between the pixels."""
    ids = np.where(chosen, superpixels, -1)
    ids = np.pad(ids, 1, constant_values=-1)
    rows, columns = np.nonzero(ids[1:] != ids[:-1])
    horizontal = [[(x - 1.5, y - 0.5), (x - 0.5, y - 0.5)] for y, x in zip(rows, columns, strict=True)]
    rows, columns = np.nonzero(ids[:, 1:] != ids[:, :-1])
    vertical = [[(x - 0.5, y - 1.5), (x - 0.5, y - 0.5)] for y, x in zip(rows, columns, strict=True)]
    from matplotlib.collections import LineCollection

    axes.add_collection(LineCollection(horizontal + vertical, colors="#00E5FF", linewidths=0.8))


def _rgb(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def _percent(share: float) -> str:
    return f"{100 * float(share):.1f} %"
