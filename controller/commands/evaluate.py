"""`controller evaluate`."""

from __future__ import annotations

from pathlib import Path

import click

from controller.options import echo_result, make_progress, output_options, table, workspace_option


@click.command("evaluate", epilog="Example:  controller evaluate --workspace streets --split test")
@workspace_option
@click.option("--version", "version", help="Model version; the one in use by default.")
@click.option("--split", default="test", show_default=True, help="A labelled split of the data set.")
@output_options
def command(workspace: Path, version: str | None, split: str, as_json: bool, quiet: bool) -> None:
    """Measure a model version on a labelled split: IoU of each class, mIoU, pixel accuracy.

    All figures come from one confusion matrix over the whole split; ignored pixels do not count.
    """
    from controller.loop import Loop
    from tenth.segmentation.evaluation import evaluate

    loop = Loop.open(workspace, make_progress(quiet))
    version = loop.version_or_current(version)
    samples = loop.dataset.split(split, require_labels=True)
    matrix = evaluate(loop.predictor(version), samples, loop.classes, loop.progress, f"Evaluating on {split}")
    figures = matrix.to_dict(loop.classes.names)
    lines = table(["class", "IoU"], [[name, value] for name, value in figures["iou"].items()])
    lines += [
        "",
        f"mIoU {matrix.miou:.4f}   pixel accuracy {matrix.pixel_accuracy:.4f}   {version} on {split}",
    ]
    echo_result({"version": version, "split": split, **figures}, as_json, lines)
