"""`controller export-model`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from controller.model_options import check_model_options, dataset_option, model_options
from controller.options import echo_result, make_progress, output_options
from controller.training_options import parse_size


def height_and_width(context: click.Context, parameter: click.Parameter, value: str | None) -> Any:
    """Return height and width of a size such as 480x360, ``None`` where none is given."""
    size = parse_size(context, parameter, value)
    return None if size is None else size[::-1]


@click.command(
    "export-model",
    epilog="""\b
Examples:
  controller export-model --workspace streets --format onnx --size 480x360 --out model.onnx
  controller export-model --workspace streets --format openvino --out model.xml
  controller export-model --model students/v0001-5f2bffd0 --dataset camvid --format onnx --out model.onnx""",
)
@model_options
@dataset_option
@click.option(
    "--format",
    "kind",
    type=click.Choice(["onnx", "openvino"]),
    required=True,
    help="Format of the file: one .onnx, or OpenVINO's .xml with its .bin.",
)
@click.option(
    "--size",
    callback=height_and_width,
    metavar="WIDTHxHEIGHT",
    help="Size of the input in pixels, fixed in the file; by default the one that the model was trained at "
    "with --size, else the images' most common one.",
)
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The file to write."
)
@click.option(
    "--images",
    type=click.IntRange(min=1),
    default=8,
    show_default=True,
    help="Images to compare on: of the validation split, or else the test split or the pool.",
)
@click.option(
    "--tolerance",
    type=click.FloatRange(0, 1),
    default=1e-3,
    show_default=True,
    help="Largest difference of a probability, and largest share of pixels with another class.",
)
@output_options
def command(
    workspace: Path,
    version: str | None,
    model: Path | None,
    dataset: Path | None,
    kind: Any,
    size: tuple[int, int] | None,
    out: Path,
    images: int,
    tolerance: float,
    as_json: bool,
    quiet: bool,
) -> None:
    """Write a model version as ONNX or OpenVINO, checked against torch.

    The file is loaded into its runtime and compared with torch on real images; where they differ by more than
    the tolerance, nothing is kept (exit code 5). Classes, colours, mean, std and input size stand inside the
    file; docs/examples/run_exported.py uses them without this package.
    """
    check_model_options(click.get_current_context())
    from controller.export import export_model, samples_of, samples_to_compare
    from controller.loop import Loop
    from controller.model_folder import load_folder
    from tenth.segmentation.dataset import FolderDataset

    progress = make_progress(quiet)
    if model is not None and dataset is not None:
        loaded, samples = load_folder(model), samples_of(FolderDataset(dataset), images)
    else:
        loop = Loop.open(workspace, progress)
        loaded = loop.workspace.models.load(loop.version_or_current(version))
        samples = samples_to_compare(loop, images)
    report = export_model(loaded, samples, kind, out, size, tolerance, progress)
    lines = [
        f"Exported {report['version']} for images of {report['size']} pixels: {out}",
        f"Compared with torch on {report['images']} images: {report['agreement']:.4%} of the pixels agree, "
        f"largest difference of a probability {report['max_difference']:.1e}.",
    ]
    echo_result(report, as_json, lines)
