"""`controller evaluate`."""

from __future__ import annotations

from pathlib import Path

import click

from controller.model_options import check_model_options, dataset_option, model_options
from controller.options import echo_result, make_progress, output_options, table


@click.command(
    "evaluate",
    epilog="""\b
Examples:
  controller evaluate --workspace streets --split test
  controller evaluate --model students/v0001-5f2bffd0 --dataset camvid --split val""",
)
@model_options
@dataset_option
@click.option("--split", default="test", show_default=True, help="A labelled split of the data set.")
@output_options
def command(
    workspace: Path,
    version: str | None,
    model: Path | None,
    dataset: Path | None,
    split: str,
    as_json: bool,
    quiet: bool,
) -> None:
    """Measure a model version on a labelled split: IoU of each class, mIoU, pixel accuracy.

    All figures come from one confusion matrix over the whole split; ignored pixels do not count.

    A model of --model that was trained with --size sees the images resized to that, and its labels are
    compared at the images' own size. A version of a workspace sees them as the backend does: in their own.
    """
    check_model_options(click.get_current_context())
    from controller.loop import Loop
    from controller.model_folder import load_folder, predictor_of, require_classes
    from tenth.segmentation.dataset import FolderDataset
    from tenth.segmentation.evaluation import evaluate

    progress = make_progress(quiet)
    if model is not None and dataset is not None:
        data, loaded = FolderDataset(dataset), load_folder(model)
        require_classes(f"The model {model}", loaded.info, data)
        version, predictor = loaded.info.version, predictor_of(loaded)
    else:
        loop = Loop.open(workspace, progress)
        version = loop.version_or_current(version)
        data, predictor = loop.dataset, loop.predictor(version)
    samples = data.split(split, require_labels=True)
    matrix = evaluate(predictor, samples, data.classes, progress, f"Evaluating on {split}")
    figures = matrix.to_dict(data.classes.names)
    lines = table(["class", "IoU"], [[name, value] for name, value in figures["iou"].items()])
    lines += [
        "",
        f"mIoU {matrix.miou:.4f}   pixel accuracy {matrix.pixel_accuracy:.4f}   {version} on {split}",
    ]
    echo_result({"version": version, "split": split, **figures}, as_json, lines)
