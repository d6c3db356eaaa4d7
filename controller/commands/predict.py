"""`controller predict`."""

from __future__ import annotations

from pathlib import Path

import click

from controller.options import echo_result, make_progress, output_options, workspace_option


@click.command(
    "predict",
    epilog="""\b
Examples:
  controller predict --workspace streets --out labels photo.jpg more-photos/
  controller predict --workspace streets --out labels --crf s3://bucket/drive""",
)
@workspace_option
@click.argument("images", nargs=-1, required=True)
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder for the results."
)
@click.option("--version", "version", help="Model version; the one in use by default.")
@click.option("--crf", is_flag=True, help="Refine with the dense CRF of the configuration.")
@output_options
def command(
    workspace: Path,
    images: tuple[str, ...],
    out: Path,
    version: str | None,
    crf: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Label images: files, folders or URLs.

    Writes two files an image: NAME.png holds class ids (the format of the data set's label maps),
    NAME.color.png the classes' colours.
    """
    from controller.loop import Loop
    from controller.predict import predict_images

    loop = Loop.open(workspace, make_progress(quiet))
    version = loop.version_or_current(version)
    written = predict_images(loop, version, images, out, crf=crf)
    echo_result(
        {"version": version, "labels": [str(path) for path in written]},
        as_json,
        [f"Labelled {len(written)} images with {version} into {out}."],
    )
