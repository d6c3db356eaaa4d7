"""`controller import-model`."""

from __future__ import annotations

from pathlib import Path

import click

from controller.model_options import MODEL_FOLDER
from controller.options import echo_result, make_progress, output_options, workspace_option


@click.command(
    "import-model",
    epilog="""\b
Examples:
  controller import-model --workspace streets --model students/v0001-5f2bffd0 --use
  controller import-model --workspace streets --model streets/models/v0007-1a2b3c4d --use""",
)
@workspace_option
@click.option(
    "--model",
    type=MODEL_FOLDER,
    required=True,
    help="Folder of a model version, the one with model.json in it.",
)
@click.option("--use", is_flag=True, help="Make it the version in use, which the backend serves.")
@output_options
def command(workspace: Path, model: Path, use: bool, as_json: bool, quiet: bool) -> None:
    """Add a model version that Tenth wrote to a workspace, such as a student of `controller distill`.

    It takes a folder with model.json and weights.safetensors, as `train`, `distill` and workspaces write
    them, and no other files of weights; docs/architecture.md says how those get in. The weights are checked
    by their digest, and the classes have to be those of the workspace. A version that the workspace has
    already is not added again: with --use that is the way back to an earlier one.

    With --use it is the version in use from now on. Rounds go on from it only when it is of the network that
    controller.toml describes; else from the version that they went on from before. The next round publishes
    its own model in its place; with [distill], only a student that is as good. A workspace shows it images in
    their own size, also where it was trained with --size.
    """
    from controller.import_model import import_model
    from controller.loop import Loop

    loop = Loop.open(workspace, make_progress(quiet))
    with loop.workspace.lock():
        result = import_model(loop, model, use=use)
    done = "Added" if result["added"] else "Was there already:"
    lines = [f"{done} {result['version']} from {model}. In use: {result['in_use'] or 'none'}."]
    echo_result(result, as_json, lines)
