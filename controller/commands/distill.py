"""`controller distill`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from controller.options import ListsCommand, echo_result, make_progress, output_options, table
from controller.training_options import training_options


@click.command(
    "distill",
    cls=ListsCommand,
    epilog="Example:  controller distill --dataset camvid --teachers icnet=models/v0001-5f2bffd0 "
    "erfnet=streets:v0003-1a2b3c4d --student enet --out students",
)
@click.option(
    "--dataset",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Data set with a labelled split train; val and test are measured where they are.",
)
@click.option(
    "--teachers",
    multiple=True,
    required=True,
    help="NAME=FOLDER, the folder of a model version, NAME=WORKSPACE:VERSION, or NAME=hf:MODEL, a folder or "
    "id of Hugging Face; hf:MODEL#MAPPING says which of its classes stand for which.",
)
@click.option(
    "--unlabelled",
    help="Images without labels to learn from as well: a split of the data set, or a folder or URL. Labels "
    "that they may have are not read.",
)
@click.option(
    "--pseudo-labels/--no-pseudo-labels",
    "pseudo",
    default=True,
    show_default=True,
    help="Of --unlabelled with cwd and dist: what the teachers find likeliest there also counts as a label, "
    "as much as they are sure of it. kl learns their distribution at each pixel anyway.",
)
@click.option("--student", required=True, help="Registered network.")
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of model versions that the student is added to; the soft labels are kept in it, too.",
)
@click.option(
    "--temperatures",
    multiple=True,
    type=float,
    help="One for each teacher, in order; by default, for kl, the thesis's: ICNet 4, ERFNet 3, DeepLab 5, "
    "others 4; for cwd and dist 1.",
)
@click.option(
    "--weighting",
    type=click.Choice(["stacked", "iou"]),
    default="stacked",
    show_default=True,
    help="How much each teacher counts: so that together they make the labels of val, which none of them may "
    "have been trained on, likeliest (stacked), or class by class by their IoU on train (iou: the thesis's).",
)
@click.option(
    "--student-temperature",
    type=float,
    help="By default, for kl, the thesis's: ENet 5, ICNet 4, ERFNet 3, others 4; for cwd and dist 1.",
)
@click.option(
    "--form",
    type=click.Choice(["kl", "cwd", "dist"]),
    default="dist",
    show_default=True,
    help="What is learned from the soft labels: each pixel's distribution (kl: the thesis's), where each "
    "class is (cwd: channel-wise, arXiv 2011.13256), or how pixels and classes relate (dist: arXiv "
    "2205.10536), which taught ENet most in our runs.",
)
@click.option(
    "--weight", type=float, help="λ, the weight of that; by default 100 for kl, 3 for cwd, 1 for dist."
)
@click.option("--kl-only", is_flag=True, help="Learn from the soft labels alone, not from the labels.")
@click.option(
    "--direction",
    type=click.Choice(["teacher-student", "student-teacher"]),
    default="teacher-student",
    show_default=True,
    help="Of kl: KL(teacher ‖ student), or the thesis's KL(student ‖ teacher).",
)
@click.option(
    "--reduction",
    type=click.Choice(["pixels-classes", "pixels"]),
    default="pixels-classes",
    show_default=True,
    help="Of kl: the mean over pixels and classes, to which λ = 100 belongs, or over pixels (λ = 100 / C).",
)
@click.option(
    "--class-weighted/--no-class-weighted",
    default=True,
    show_default=True,
    help="Of kl: let pixels of rare classes count more, as they do in the cross-entropy.",
)
@click.option(
    "--temperature-squared",
    is_flag=True,
    help="Multiply by the square of the student's temperature, as Hinton does.",
)
@click.option(
    "--stride",
    type=click.IntRange(1, 64),
    default=4,
    show_default=True,
    help="Compare with soft labels as means over cells of so many pixels a side; 1, the thesis's, is slower.",
)
@click.option("--iterations", default=30000, show_default=True, help="Training steps.")
@training_options(
    size="Resize images to WIDTHxHEIGHT, the size that the student is for then; their own by default.",
    option="Options of the student, NAME=VALUE.",
)
@output_options
def command(
    teachers: tuple[str, ...],
    student: str,
    temperatures: tuple[float, ...],
    weighting: Any,
    student_temperature: float | None,
    form: Any,
    weight: float | None,
    kl_only: bool,
    direction: Any,
    reduction: Any,
    class_weighted: bool,
    temperature_squared: bool,
    stride: int,
    unlabelled: str | None,
    pseudo: bool,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Train a small network on what several larger ones say together.

    Their soft labels are written once; then the teachers are not needed any more, and the student learns
    from the labels and from them. Soft labels need no annotator: with --unlabelled the student learns from
    other images, too.

    Called again, a killed call goes on where it was, and one that ended only reports: nothing is measured,
    written or trained twice. Changed teachers, temperatures, images or, where several teachers are weighed
    by them, labels make new soft labels; students of the same teachers share them in one --out.

    The student is a model version in --out; distillation.json in it has the figures of all.
    """
    if form != "kl":
        refuse_options_of_kl(form)
    refuse_pseudo_labels_without_effect(form, unlabelled is not None, kl_only)
    from controller.distill import distill
    from controller.standalone import Standalone
    from tenth.segmentation.distillation import DistillationLoss
    from tenth.segmentation.distillation.losses import USUAL_WEIGHTS
    from tenth.segmentation.distillation.teachers import temperature_of

    loss = DistillationLoss(
        temperature_of(student, form) if student_temperature is None else student_temperature,
        weight=USUAL_WEIGHTS[form] if weight is None else weight,
        form=form,
        direction=direction,
        reduction=reduction,
        class_weighted=class_weighted,
        temperature_squared=temperature_squared,
        stride=stride,
        hard_weight=0.0 if kl_only else 1.0,
    )
    job = Standalone(network=student, **options)
    report = distill(
        job,
        teachers,
        temperatures,
        loss,
        make_progress(quiet),
        unlabelled=unlabelled,
        weighting=weighting,
        pseudo=pseudo,
    )
    rows = [row_of(name, model) for name, model in report["models"].items()]
    lines = table(("model", "role", "counts", "mIoU val", "mIoU test"), rows)
    echo_result(report, as_json, [*lines, f"Stored {report['folder']}."])


def row_of(name: str, model: Mapping[str, Any]) -> list[object]:
    """Return the row of a model: teachers count what they do on the mean over the classes."""
    weights = model.get("weights")
    counts = None if weights is None else sum(weights) / len(weights)
    return [
        name,
        model["role"],
        counts,
        *(model["splits"].get(each, {}).get("miou") for each in ("val", "test")),
    ]


def refuse_pseudo_labels_without_effect(form: str, unlabelled: bool, kl_only: bool) -> None:
    """Refuse to be asked for pseudo-labels where there are none.

    Raises
    ------
    click.UsageError
        When they were asked for or forbidden.
    """
    given = click.get_current_context().get_parameter_source("pseudo") is ParameterSource.COMMANDLINE
    if given and (form == "kl" or kl_only or not unlabelled):
        raise click.UsageError(
            "--pseudo-labels and --no-pseudo-labels are about the images of --unlabelled, learned from by "
            "--form dist or cwd beside labels; leave them out otherwise."
        )


def refuse_options_of_kl(form: str) -> None:
    """Refuse what would be without effect.

    Raises
    ------
    click.UsageError
        When an option that belongs to another form was given.
    """
    context = click.get_current_context()
    for name in ("direction", "reduction", "class_weighted"):
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise click.UsageError(
                f"--{name.replace('_', '-')} is of --form kl, and the form is '{form}'; add --form kl, or "
                "leave it out."
            )
