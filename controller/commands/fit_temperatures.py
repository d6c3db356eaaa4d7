"""`controller fit-temperatures`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from controller.options import ListsCommand, echo_result, make_progress, output_options, table
from controller.training_options import training_option

COLUMNS = {
    "temperature": "temperature",
    "entropy": "mean entropy",
    "nll": "NLL",
    "nll_unsoftened": "NLL at 1",
    "best_temperature": "best temperature",
    "best_nll": "its NLL",
}


def parse_like(
    _context: click.Context, _parameter: click.Parameter, value: str | None
) -> tuple[str, float] | None:
    """Return name and temperature of a text such as icnet=4."""
    if value is None:
        return None
    name, _, number = value.rpartition("=")
    try:
        temperature = float(number)
    except ValueError:
        temperature = 0.0
    if not name or not 0 < temperature < float("inf"):
        raise click.BadParameter(
            f"'{value}' is no teacher with a temperature above 0; write NAME=TEMPERATURE, as in icnet=4."
        )
    return name, temperature


@click.command(
    "fit-temperatures",
    cls=ListsCommand,
    epilog="Example:  controller fit-temperatures --dataset camvid --teachers icnet=models/v0001-5f2bffd0 "
    "erfnet=streets:v0003-1a2b3c4d --like icnet=4",
)
@click.option(
    "--dataset",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Data set with the classes of the teachers.",
)
@click.option("--teachers", multiple=True, required=True, help="As for `controller distill`.")
@click.option(
    "--softness",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="The wanted mean entropy, as a share of the largest there can be: 0.25, say.",
)
@click.option(
    "--like",
    callback=parse_like,
    help="NAME=TEMPERATURE: as soft as that teacher is at that temperature; by default the first one at the "
    "thesis's: ICNet 4, ERFNet 3, DeepLab 5, others 4.",
)
@click.option("--split", default="train", show_default=True, help="Where the images are from.")
@click.option(
    "--images", type=click.IntRange(1), default=100, show_default=True, help="Images to draw, at most."
)
@training_option("size")
@training_option("seed", "Of the draws of images and pixels.")
@training_option("device")
@output_options
def command(
    teachers: tuple[str, ...],
    softness: float | None,
    like: tuple[str, float] | None,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Find the temperatures at which teachers are equally soft, for `controller distill --form kl`.

    A teacher that is surer than the others would decide alone. Equally soft means the same mean entropy; how
    soft is for you to say. The thesis's are softer than what is best calibrated, so the temperature with the
    lowest negative log-likelihood of the labels (NLL, in nats) is shown beside it, not sought.

    The last line is what to give to `controller distill` with the same teachers.
    """
    if softness is not None and like is not None:
        raise click.UsageError("--softness and --like say the same thing twice; give one of them.")
    names = [text.partition("=")[0] for text in teachers]
    if like is not None and like[0] not in names:
        raise click.UsageError(f"--like names '{like[0]}', but the teachers are {', '.join(names)}.")
    from controller.fit_temperatures import Fitting, fit_teachers
    from tenth.segmentation.distillation import Reference

    wanted = softness if like is None else Reference(*like)
    result = fit_teachers(Fitting(**options), teachers, wanted, make_progress(quiet))
    rows = [[name, *(fit[key] for key in COLUMNS)] for name, fit in result["teachers"].items()]
    lines = table(("teacher", *COLUMNS.values()), rows)
    echo_result(result, as_json, [*lines, "", " ".join(result["arguments"])])
