"""`controller export-labels`."""

from __future__ import annotations

from pathlib import Path

import click

from controller.options import echo_result, make_progress, output_options, workspace_option


@click.command(
    "export-labels",
    epilog="""\b
Examples:
  controller export-labels --workspace streets --out labels
  controller export-labels --workspace streets --out labels --answers-only""",
)
@workspace_option
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder for the results."
)
@click.option("--version", help="Model version that labels the other pixels; the one in use by default.")
@click.option(
    "--answers-only",
    is_flag=True,
    help="Write 255 (ignored) where people labelled nothing, not the model's label. Needs no model.",
)
@click.option(
    "--device", help="Where the model runs: 'cpu', 'cuda', 'cuda:1' or 'auto'; as configured by default."
)
@output_options
def command(
    workspace: Path,
    out: Path,
    version: str | None,
    answers_only: bool,
    device: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Write what people answered as label maps; the model labels the other pixels.

    Two files for each image that people have answered regions of in a merged round, below --out and named by
    the image's key: KEY.png holds class ids (the format of the data set's label maps), KEY.color.png the
    classes' colours. Where people said void, or left a mixed region unpainted, the label is 255, ignored.
    labels.json, written last, lists the files, and who labelled how much of each.

    Images of the initial set are not written: they have label maps of their own. For images that nobody has
    answered regions of there is `controller predict`.
    """
    for name, value in (("device", device), ("version", version)):
        if answers_only and value is not None:
            raise click.UsageError(f"--{name} is about the model, and --answers-only needs none; give one.")
    from controller.export_labels import DOCUMENT, export_labels
    from controller.loop import Loop

    loop = Loop.open(workspace, make_progress(quiet))
    result = export_labels(loop, out, version=version, answers_only=answers_only, device=device)
    rest = "the others ignored" if answers_only else f"the others by {result['version']}"
    line = (
        f"Wrote the labels of {len(result['images'])} images into {out}: {result['people_share']:.1%} of the "
        f"pixels by people, {rest}. {out / DOCUMENT} lists them."
    )
    echo_result(result, as_json, [line])
