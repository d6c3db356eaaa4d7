"""Which model version a command works with: one of a workspace, or one in a folder of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from controller.options import workspace_option
from tenth.workspace.config import CONFIG_NAME

F = TypeVar("F", bound=Callable[..., Any])

MODEL_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)


def model_options(function: F) -> F:
    """Add ``--workspace`` and ``--version``, and in their place ``--model``."""
    function = click.option(
        "--model",
        type=MODEL_FOLDER,
        help="Instead of --workspace: folder of a model version, the one with model.json in it.",
    )(function)
    function = click.option("--version", help="Model version of the workspace; the one in use by default.")(
        function
    )
    return workspace_option(function)


def dataset_option(function: F) -> F:
    """Add ``--dataset``, which goes with ``--model``; see `check_model_options`."""
    return click.option(
        "--dataset",
        type=click.Path(path_type=Path, exists=True, file_okay=False),
        help="With --model: the data set, which a workspace names itself.",
    )(function)


def check_model_options(context: click.Context) -> None:
    """See that a call names one model only, and the data set where ``--model`` needs one.

    Parameters
    ----------
    context : click.Context
        Of a command with `model_options`, and with `dataset_option` if it needs images of a data set.

    Raises
    ------
    UsageError
        When it names two models or none, or lacks the data set, or names one for a workspace.
    """
    has_dataset = any(parameter.name == "dataset" for parameter in context.command.params)
    dataset = context.params.get("dataset")
    if context.params["model"] is None:
        if dataset is not None:
            raise click.UsageError(
                "--dataset belongs to --model; a workspace names its data set itself. Leave --dataset away, "
                "or give --model instead of --workspace."
            )
        # The current folder counts as named where it is a workspace.
        if (
            context.get_parameter_source("workspace") is ParameterSource.DEFAULT
            and not Path(CONFIG_NAME).is_file()
        ):
            raise click.UsageError(
                "No model is named, and the current folder is no workspace; give --workspace or --model."
            )
        return
    for name in ("workspace", "version"):
        # A workspace that the environment names does not count: it is meant for other calls.
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise click.UsageError(
                f"--model and --{name} name a model each; give --model, or --workspace with or without "
                "--version."
            )
    if has_dataset and dataset is None:
        raise click.UsageError("--model needs --dataset as well: no workspace says where the images are.")
