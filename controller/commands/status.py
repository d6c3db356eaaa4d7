"""`controller status`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from controller.options import echo_result, output_options, table, workspace_option


@click.command("status", epilog="Example:  controller status --workspace streets")
@workspace_option
@output_options
def command(workspace: Path, as_json: bool, quiet: bool) -> None:  # noqa: ARG001  (every command takes --quiet)
    """Show all rounds, the answers that were set aside, and who answered how much of the open group.

    While Label Studio cannot be asked, the last of these is missing, and what is wrong stands in its place.
    """
    from controller.group import group_progress
    from controller.loop import Loop
    from controller.status import problem_rows, round_rows
    from tenth.errors import ConfigurationError, LabelStudioError

    loop = Loop.open(workspace)
    rows = round_rows(loop)
    problems = problem_rows(loop)
    document: dict[str, Any] = {
        "current_version": loop.workspace.models.current(),
        "teacher_version": loop.workspace.models.teacher(),
        "rounds": rows,
        "problems": problems,
    }
    lines = [f"Model in use: {document['current_version'] or 'none yet'}"]
    if document["teacher_version"] != document["current_version"]:
        lines.append(f"Rounds go on with: {document['teacher_version']}")
    lines.append("")
    header = [
        "round",
        "state",
        "images",
        "regions",
        "answered",
        "pixel share",
        "keys",
        "mIoU val",
        "mIoU test",
        "s",
    ]
    lines += table(
        header,
        [
            [
                *(
                    row[name]
                    for name in ("round", "state", "images", "regions", "answered", "pixel_share", "keys")
                ),
                row["miou_val"],
                row["miou_test"],
                round(sum(row["seconds"].values())),
            ]
            for row in rows
        ],
    )
    students = [f"Round {row['round']}: {row['student']['sentence']}" for row in rows if row["student"]]
    lines += ["", *students] if students else []
    lines += ["", *(f"Set aside: task {p['task']}, {p['reason']}" for p in problems)] if problems else []
    group = loop.workspace.open_group()
    if group is not None and group.round > 0:
        try:
            progress = group_progress(loop, group.round)
        except (ConfigurationError, LabelStudioError) as error:  # no key, or no server
            document["open_group"] = {"round": group.round, "error": str(error)}
            lines += ["", f"Round {group.round} is open; how much is answered cannot be seen: {error}"]
        else:
            document["open_group"] = progress.to_dict()
            lines += ["", *progress.lines()]
    echo_result(document, as_json, lines)
