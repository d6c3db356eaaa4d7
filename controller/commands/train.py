"""`controller train`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from controller.options import echo_result, make_progress, output_options, workspace_option
from controller.training_options import training_options

ALONE = ("network", "dataset", "out", "iterations")
ALONE_ONLY = ("size", "network_options", "batch_size", "learning_rate", "class_weighting", "seed", "device")


@click.command(
    "train",
    epilog="""\b
Examples:
  controller train --workspace streets
  controller train --workspace streets --restart
  controller train --network erfnet --dataset camvid --out models --iterations 30000 --size 480x360""",
)
@workspace_option
@click.option(
    "--restart",
    is_flag=True,
    help="Train a new model on all labels so far, from the start weights and for as many steps as all rounds "
    "together, instead of training on.",
)
@click.option("--network", help="Registered network to train on its own, without a workspace.")
@click.option(
    "--dataset",
    type=click.Path(path_type=Path, file_okay=False),
    help="With --network: data set with a labelled split train; val and test are measured where they are.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="With --network: folder of model versions that the result is added to.",
)
@click.option("--iterations", type=click.IntRange(min=1), help="With --network: training steps.")
@training_options(
    size="With --network: resize images to WIDTHxHEIGHT, the size that the model is for then.",
    option="With --network: its options, NAME=VALUE.",
    batch_size="With --network: images in a step.",
    learning_rate="With --network: of the first step.",
    class_weighting="With --network: 'frequency' weighs rare classes up, 'none' does not.",
    seed="With --network: of start weights and training.",
    device="With --network: 'cpu', 'cuda' or 'auto'.",
)
@output_options
def command(workspace: Path, restart: bool, as_json: bool, quiet: bool, **options: Any) -> None:
    """Train the initial model; once there is one, train it further on all labels so far.

    The first call trains on the initial labelled set, evaluates, and publishes the result: that is round 0.
    Later calls go on from the version in use, with everything that people have answered in closed rounds, and
    publish a new version. An open group keeps the version that asked, so nobody loses a pre-selected guess.

    After the last group --restart may be worth its time: a model that was fitted to few labels first tends to
    generalise worse than one that sees all of them from the beginning. It may also follow a change of
    [network].

    A training that was killed resumes from its last checkpoint.

    With --network there is no workspace: that network is trained on a data set, as a baseline, or as a
    teacher for `controller distill`. The result is a model version in --out.
    """
    context = click.get_current_context()
    if any(options[name] is not None for name in ALONE):
        if restart:
            raise click.UsageError(
                "--restart belongs to a workspace; --network always trains from the start."
            )
        _train_alone(context, options, as_json, quiet)
        return
    for name in ALONE_ONLY:
        if _is_given(context, name):
            raise click.UsageError(f"--{_flag(name)} belongs to --network; controller.toml sets it here.")
    from controller.loop import Loop
    from controller.pool import register_images
    from controller.retrain import retrain
    from controller.round import is_pending, learn_initial
    from controller.status import round_rows

    loop = Loop.open(workspace, make_progress(quiet))
    with loop.workspace.lock():
        register_images(loop)
        if is_pending(loop, 0):
            learn_initial(loop)
            row = round_rows(loop)[0]
            result: dict[str, Any] = {
                "version": row["trained_version"],
                "val": row["miou_val"],
                "test": row["miou_test"],
            }
        else:
            result = retrain(loop, restart=restart)
    scores = ", ".join(
        f"{name} mIoU {result[name]:.4f}" for name in ("val", "test") if result[name] is not None
    )
    student = result.get("student")
    done = "Trained" if student else "Published"
    lines = [f"{done} {result['version']}{': ' + scores if scores else ''}."]
    echo_result(result, as_json, [*lines, student["sentence"]] if student else lines)


def _is_given(context: click.Context, name: str) -> bool:
    return context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE


def _flag(name: str) -> str:
    return "option" if name == "network_options" else name.replace("_", "-")


def _train_alone(context: click.Context, options: dict[str, Any], as_json: bool, quiet: bool) -> None:
    """Train without a workspace; raises UsageError when the options are those of neither form."""
    missing = [f"--{name}" for name in ALONE if options[name] is None]
    if missing:
        raise click.UsageError(f"Training without a workspace needs {', '.join(missing)} as well.")
    if _is_given(context, "workspace"):
        raise click.UsageError("--network trains without a workspace; leave --workspace away.")
    from controller.standalone import Standalone, train_alone

    result = train_alone(Standalone(**options), make_progress(quiet))
    scores = ", ".join(f"{name} mIoU {values['miou']:.4f}" for name, values in result["splits"].items())
    echo_result(result, as_json, [f"Stored {result['folder']}{': ' + scores if scores else ''}."])
