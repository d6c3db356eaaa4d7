"""`controller predict`."""

from __future__ import annotations

from pathlib import Path

import click

from controller.model_options import check_model_options, model_options
from controller.options import echo_result, make_progress, output_options


@click.command(
    "predict",
    epilog="""\b
Examples:
  controller predict --workspace streets --out labels photo.jpg more-photos/
  controller predict --workspace streets --out labels --crf s3://bucket/drive
  controller predict --model students/v0001-5f2bffd0 --out labels photo.jpg""",
)
@model_options
@click.argument("images", nargs=-1, required=True)
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder for the results."
)
@click.option("--crf", is_flag=True, help="Refine with the dense CRF that controller.toml describes.")
@output_options
def command(
    workspace: Path,
    version: str | None,
    model: Path | None,
    images: tuple[str, ...],
    out: Path,
    crf: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Label images: files, folders or URLs.

    Writes two files an image: NAME.png holds class ids (the format of the data set's label maps),
    NAME.color.png the classes' colours.

    A model of --model that was trained with --size sees the images resized to that; the labels have the
    images' own size. A version of a workspace sees them as the backend does: in their own.
    """
    check_model_options(click.get_current_context())
    if crf and model is not None:
        raise click.UsageError(
            "--crf takes its weights from a workspace, and --model has none. Leave --crf away, or add the "
            "model to a workspace with 'controller import-model'."
        )
    from controller.loop import Loop
    from controller.model_folder import load_folder, predictor_of
    from controller.predict import crf_refiner, predict_images

    progress = make_progress(quiet)
    refiner = None
    if model is not None:
        loaded = load_folder(model)
        version, predictor, classes = loaded.info.version, predictor_of(loaded), loaded.classes
    else:
        loop = Loop.open(workspace, progress)
        version = loop.version_or_current(version)
        predictor, classes = loop.predictor(version), loop.classes
        refiner = crf_refiner(loop) if crf else None
    written = predict_images(predictor, classes, images, out, refiner=refiner, progress=progress)
    echo_result(
        {"version": version, "labels": [str(path) for path in written]},
        as_json,
        [f"Labelled {len(written)} images with {version} into {out}."],
    )
