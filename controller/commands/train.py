"""`controller train`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from controller.options import echo_result, make_progress, output_options, workspace_option


@click.command(
    "train",
    epilog="Example:  controller train --workspace streets",
)
@workspace_option
@output_options
def command(workspace: Path, as_json: bool, quiet: bool) -> None:
    """Train the initial model; once there is one, train it further on all labels so far.

    The first call trains on the initial labelled set, evaluates, and publishes the result: that is round 0.
    Later calls go on from the version in use, with everything that people have answered in closed rounds, and
    publish a new version. An open group keeps the version that asked, so nobody loses a pre-selected guess.

    A training that was killed resumes from its last checkpoint.
    """
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
            result = retrain(loop)
    scores = ", ".join(
        f"{name} mIoU {result[name]:.4f}" for name in ("val", "test") if result[name] is not None
    )
    echo_result(result, as_json, [f"Published {result['version']}{': ' + scores if scores else ''}."])
